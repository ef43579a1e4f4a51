//! Disk slots: virtio-blk devices, named by their serial or their place, and what is mounted from them.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::mount::{MountFlags, UnmountFlags};

use crate::error::{AgentError, Result};
use crate::sync::lock;
use crate::sys;

const BLOCK_DEVICES: &str = "/sys/block";
const MOUNT_ROOT: &str = "/run/a3s-box/slots";

/// How a slot is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotUse {
    /// An image: EROFS, read-only.
    Image,
    /// Scratch space: ext4, writable.
    Scratch,
    /// A volume: ext4, writable.
    Volume,
    /// The same on a disk that cannot be written.
    ReadOnlyVolume,
}

impl SlotUse {
    fn file_system(self) -> &'static str {
        match self {
            Self::Image => "erofs",
            Self::Scratch | Self::Volume | Self::ReadOnlyVolume => "ext4",
        }
    }

    fn flags(self) -> MountFlags {
        match self {
            Self::Image | Self::ReadOnlyVolume => MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOATIME,
            Self::Scratch | Self::Volume => MountFlags::NODEV | MountFlags::NOATIME,
        }
    }
}

#[derive(Debug)]
struct Mounted {
    usage: SlotUse,
    users: usize,
}

/// The slots that are mounted, each once, for as long as a container uses it.
#[derive(Debug, Default)]
pub struct Slots {
    /// Disks by serial, as they were when the guest booted: none comes or goes later.
    devices: HashMap<String, PathBuf>,
    mounted: Mutex<HashMap<String, Mounted>>,
}

impl Slots {
    /// Finds the disks.
    pub fn find() -> io::Result<Self> {
        Ok(Self { devices: find_devices(Path::new(BLOCK_DEVICES))?, mounted: Mutex::default() })
    }

    /// Where a slot is mounted while it is in use.
    pub fn target(slot: &str) -> PathBuf {
        Path::new(MOUNT_ROOT).join(slot)
    }

    /// Mounts a slot, or adds a user to it, and returns where it is mounted. Every success is undone by one `release`.
    pub fn acquire(&self, slot: &str, usage: SlotUse) -> Result<PathBuf> {
        check_name(slot)?;
        let target = Self::target(slot);
        let mut mounted = lock(&self.mounted);
        if let Some(entry) = mounted.get_mut(slot) {
            if entry.usage != usage {
                return Err(AgentError::conflict(format!(
                    "disk slot {slot} is already in use as {}",
                    entry.usage.file_system()
                )));
            }
            entry.users += 1;
            return Ok(target);
        }
        let device = self
            .devices
            .get(slot)
            .ok_or_else(|| AgentError::not_found(format!("disk slot {slot}: no disk has this serial or place")))?;
        mount_device(device, &target, usage).map_err(|error| {
            if usage == SlotUse::ReadOnlyVolume && error.raw_os_error() == Some(libc::EROFS) {
                return AgentError::conflict(format!(
                    "the file system on disk slot {slot} was not unmounted: mount it for writing once"
                ));
            }
            AgentError::system(format_args!("mount disk slot {slot} as {}", usage.file_system()), error)
        })?;
        mounted.insert(slot.to_owned(), Mounted { usage, users: 1 });
        Ok(target)
    }

    /// Gives up one use; the last one unmounts the slot.
    pub fn release(&self, slot: &str) -> Result<()> {
        let mut mounted = lock(&self.mounted);
        let Some(entry) = mounted.get_mut(slot) else { return Ok(()) };
        entry.users -= 1;
        if entry.users == 0 {
            rustix::mount::unmount(Self::target(slot), UnmountFlags::empty()).map_err(|error| {
                entry.users = 1;
                AgentError::system(format_args!("unmount disk slot {slot}"), error)
            })?;
            mounted.remove(slot);
        }
        Ok(())
    }

    /// Writes back what was written to any of them.
    pub fn write_back(&self) -> Result<()> {
        for target in self.targets() {
            let synced = fs::File::open(&target).and_then(|root| Ok(rustix::fs::syncfs(&root)?));
            synced.map_err(|error| AgentError::system(format_args!("write {} back", target.display()), error))?;
        }
        Ok(())
    }

    /// Where everything is mounted, for the end of the machine.
    pub fn targets(&self) -> Vec<PathBuf> {
        lock(&self.mounted).keys().map(|slot| Self::target(slot)).collect()
    }
}

fn check_name(slot: &str) -> Result<()> {
    // virtio-blk serials have at most 20 bytes.
    let valid = (1..=20).contains(&slot.len()) && slot.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if valid {
        Ok(())
    } else {
        Err(AgentError::invalid(format!("disk slot name {slot:?} is not 1 to 20 letters, digits and dashes")))
    }
}

/// The slots' names in the order of their devices (docs/compatibility.md).
const IN_ORDER: [&str; 5] = ["root", "scratch", "disk0", "disk1", "disk2"];

/// Disks by the slot that their serial names. Those of a VMM that gives disks serials of its own making are in their places.
fn find_devices(directory: &Path) -> io::Result<HashMap<String, PathBuf>> {
    let mut devices = HashMap::new();
    let mut nameless = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // Devices of other drivers have no serial.
        let Ok(serial) = fs::read_to_string(entry.path().join("serial")) else { continue };
        let device = Path::new("/dev").join(entry.file_name());
        match serial.trim() {
            slot if IN_ORDER.contains(&slot) => drop(devices.insert(slot.to_owned(), device)),
            _ => nameless.push((place(&entry.path()), device)),
        }
    }
    nameless.sort();
    for (slot, (_, device)) in IN_ORDER.into_iter().zip(nameless) {
        devices.entry(slot.to_owned()).or_insert(device);
    }
    Ok(devices)
}

/// Place on the bus: the number in `virtio3`, which the kernel counts up as it finds devices.
fn place(disk: &Path) -> Option<u32> {
    let device = fs::read_link(disk.join("device")).ok()?;
    device.file_name()?.to_str()?.strip_prefix("virtio")?.parse().ok()
}

fn mount_device(device: &Path, target: &Path, usage: SlotUse) -> io::Result<()> {
    const BLKFLSBUF: libc::Ioctl = 0x1261;
    // The disk may have been another one when the guest booted.
    sys::ioctl_number(fs::File::open(device)?.as_fd(), BLKFLSBUF, 0)?;
    fs::create_dir_all(target)?;
    Ok(rustix::mount::mount(device, target, usage.file_system(), usage.flags(), c"")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_by_their_serials() -> io::Result<()> {
        let block = std::env::temp_dir().join(format!("a3s-block-{}", std::process::id()));
        for (name, serial) in [("vda", "root"), ("vdb", "scratch")] {
            fs::create_dir_all(block.join(name))?;
            fs::write(block.join(name).join("serial"), serial)?;
        }
        fs::create_dir_all(block.join("ram0"))?;
        let devices = [("root", "/dev/vda"), ("scratch", "/dev/vdb")];
        assert_eq!(find_devices(&block)?, devices.map(|(slot, path)| (slot.to_owned(), PathBuf::from(path))).into());
        fs::remove_dir_all(&block)
    }

    #[test]
    fn a_disk_with_a_serial_of_another_kind_is_found_by_its_place() -> io::Result<()> {
        let block = std::env::temp_dir().join(format!("a3s-places-{}", std::process::id()));
        for (name, serial, device) in
            [("vda", "2207", "virtio9"), ("vdb", "2206", "virtio10"), ("vdc", "2208", "virtio3")]
        {
            fs::create_dir_all(block.join(name))?;
            fs::write(block.join(name).join("serial"), serial)?;
            std::os::unix::fs::symlink(format!("../../../{device}"), block.join(name).join("device"))?;
        }
        let in_place = [("root", "/dev/vdc"), ("scratch", "/dev/vda"), ("disk0", "/dev/vdb")];
        assert_eq!(find_devices(&block)?, in_place.map(|(slot, path)| (slot.to_owned(), PathBuf::from(path))).into());
        fs::write(block.join("vdb/serial"), "scratch\n")?;
        assert_eq!(find_devices(&block)?.get("scratch"), Some(&PathBuf::from("/dev/vdb")));
        fs::remove_dir_all(&block)
    }

    #[test]
    fn names_that_could_leave_the_mount_root_are_refused() {
        for name in ["", "..", "a/b", "0123456789012345678901"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("disk0").is_ok());
    }
}
