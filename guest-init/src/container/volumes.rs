//! Where a container's bind mounts may come from: the share, and disks of their own.

use std::path::{Path, PathBuf};

use crate::error::{AgentError, Result};
use crate::proto::Volume;
use crate::share::Share;
use crate::slots::{SlotUse, Slots};

/// Folder of a volume's disk that is shown, so that what else lies there (lost+found) is not.
const DATA: &str = "data";

/// A volume that takes what the image has in its place, if it is empty.
#[derive(Debug)]
pub struct Fill {
    /// Absolute path in the image.
    pub from: String,
    /// The volume.
    pub volume: PathBuf,
}

/// Where a volume that was prepared is.
pub fn place(Volume { share: entry, slot, .. }: &Volume, share: &Share) -> Result<PathBuf> {
    match slot.as_str() {
        "" => Ok(share.acquire()?.join(entry)),
        slot => Ok(Slots::target(slot).join(DATA)),
    }
}

/// Makes volumes available, each where the mounts of config.json name it. `acquire` mounts a disk slot.
pub fn prepare(
    volumes: &[Volume],
    share: &Share,
    mut acquire: impl FnMut(&str, SlotUse) -> Result<PathBuf>,
) -> Result<Vec<Fill>> {
    let mut fills = Vec::new();
    for Volume { share: entry, slot, fill_from, .. } in volumes {
        let volume = match (entry.as_str(), slot.as_str()) {
            (entry, "") if is_segment(entry) => share.acquire()?.join(entry),
            ("", slot) if !slot.is_empty() => {
                let writable = writable_slots(volumes).any(|other| other == slot);
                let usage = if writable { SlotUse::Volume } else { SlotUse::ReadOnlyVolume };
                disk(&acquire(slot, usage)?, writable)?
            }
            _ => return Err(AgentError::invalid(format!("volume: {entry:?} and slot {slot:?} name no one thing"))),
        };
        if !fill_from.is_empty() {
            if !fill_from.starts_with('/') || fill_from.split('/').any(|segment| segment == "..") {
                return Err(AgentError::invalid(format!("volume: {fill_from:?} is not a plain absolute path")));
            }
            fills.push(Fill { from: fill_from.clone(), volume });
        }
    }
    Ok(fills)
}

/// One disk can be mounted in several places; one of them decides that it is written to.
fn writable_slots(volumes: &[Volume]) -> impl Iterator<Item = &str> {
    volumes.iter().filter(|volume| !volume.read_only).map(|volume| volume.slot.as_str())
}

fn disk(mounted: &Path, writable: bool) -> Result<PathBuf> {
    let data = mounted.join(DATA);
    if !writable {
        return if data.is_dir() {
            Ok(data)
        } else {
            Err(AgentError::invalid("volume: nothing was ever written to it"))
        };
    }
    match std::fs::create_dir(&data) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(AgentError::system("make a volume's folder", error))
        }
        _ => Ok(data),
    }
}

fn is_segment(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !matches!(name, "." | "..") && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_one_thing_is_refused() {
        let volume = |share: &str, slot: &str| Volume { share: share.into(), slot: slot.into(), ..Volume::default() };
        for (share, slot) in [("", ""), ("v0", "disk0"), ("..", ""), ("a/b", "")] {
            let acquire = |_: &str, _| -> Result<PathBuf> { panic!("{share} {slot}") };
            assert!(prepare(&[volume(share, slot)], &Share::default(), acquire).is_err(), "{share:?} {slot:?}");
        }
    }

    #[test]
    fn a_disk_shows_a_folder_of_its_own_and_is_filled_from_a_plain_path() -> std::io::Result<()> {
        let mounted = std::env::temp_dir().join(format!("a3s-volume-{}", std::process::id()));
        std::fs::create_dir_all(&mounted)?;
        let volume = |from: &str| Volume { slot: "disk0".into(), fill_from: from.into(), ..Volume::default() };
        for _ in 0..2 {
            let fills = prepare(&[volume("/srv")], &Share::default(), |_, _| Ok(mounted.clone())).unwrap();
            assert_eq!(fills[0].volume, mounted.join("data"));
            assert!(mounted.join("data").is_dir());
        }
        assert!(prepare(&[volume("/a/../b")], &Share::default(), |_, _| Ok(mounted.clone())).is_err());
        std::fs::remove_dir_all(&mounted)
    }
}
