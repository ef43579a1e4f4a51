//! Tests of writing, with what reading sends.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::files::items::ItemSender;
use crate::files::read::TreeReader;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("a3s-files-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn make(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn root(path: &Path) -> OwnedFd {
    rustix::fs::open(path, path::DIRECTORY, Mode::empty()).unwrap()
}

fn read_all(from: &Path, name: &str) -> Vec<FileItem> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(64);
    let file = root(from);
    let mut items = ItemSender::new(sender);
    let outcome = TreeReader::new(&mut items).tree(&file, name.as_bytes());
    items.finish(outcome);
    let mut all = Vec::new();
    while let Some(message) = receiver.blocking_recv() {
        all.extend(message.unwrap().items);
    }
    all
}

fn writer(to: &Path, directory: &str) -> TreeWriter {
    let open = WriteFilesOpen {
        directory: directory.as_bytes().to_vec().into(),
        keep_owners: true,
        ..WriteFilesOpen::default()
    };
    TreeWriter::new(&root(to), &open).unwrap()
}

fn write_all(to: &Path, directory: &str, items: Vec<FileItem>) -> Result<u64> {
    let mut writer = writer(to, directory);
    items.into_iter().try_for_each(|item| writer.item(item))?;
    writer.finish()
}

fn own_entry(path: &str, kind: FileType) -> FileEntry {
    FileEntry {
        path: path.as_bytes().to_vec().into(),
        r#type: kind.into(),
        mode: 0o644,
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        ..FileEntry::default()
    }
}

fn item(entry: FileEntry) -> FileItem {
    FileItem { item: Some(file_item::Item::Entry(entry)) }
}

fn data(bytes: &'static [u8]) -> FileItem {
    FileItem { item: Some(file_item::Item::Data(bytes.into())) }
}

#[test]
fn what_is_read_is_written_as_it_was() {
    let folder = Folder::new("same");
    let (from, to) = (folder.make("from"), folder.make("to"));
    fs::create_dir(from.join("sub")).unwrap();
    fs::write(from.join("sub/file"), vec![7; 300_000]).unwrap();
    fs::set_permissions(from.join("sub/file"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::hard_link(from.join("sub/file"), from.join("again")).unwrap();
    symlink("../../nowhere", from.join("link")).unwrap();
    let sparse = fs::File::create(from.join("sparse")).unwrap();
    sparse.set_len(10 << 20).unwrap();
    std::os::unix::fs::FileExt::write_at(&sparse, b"data", 5 << 20).unwrap();
    write_all(&to, "/", read_all(&from, "copy")).unwrap();
    let copy = to.join("copy");
    let (file, again) = (fs::metadata(copy.join("sub/file")).unwrap(), fs::metadata(copy.join("again")).unwrap());
    assert_eq!((file.mode() & 0o7777, file.len(), file.ino()), (0o4711, 300_000, again.ino()));
    assert_eq!(file.mtime_nsec(), fs::metadata(from.join("again")).unwrap().mtime_nsec());
    assert_eq!(fs::read_link(copy.join("link")).unwrap(), Path::new("../../nowhere"));
    let holes = fs::metadata(copy.join("sparse")).unwrap();
    assert!(holes.len() == 10 << 20 && holes.blocks() < 100);
    assert_eq!(&fs::read(copy.join("sparse")).unwrap()[5 << 20..(5 << 20) + 4], b"data");
}

#[test]
fn nothing_is_written_outside_of_the_root() {
    let folder = Folder::new("outside");
    let to = folder.make("root");
    folder.make("root/etc");
    fs::write(folder.0.join("secret"), "secret").unwrap();
    symlink(folder.0.join("secret"), to.join("file")).unwrap();
    symlink("/../..", to.join("up")).unwrap();
    symlink("/etc", to.join("linked")).unwrap();
    let entry = |path: &str| vec![item(FileEntry { size: 1, ..own_entry(path, FileType::Regular) }), data(b"x")];
    for wrong in ["../secret", "/secret", "a/../../secret"] {
        assert!(write_all(&to, "/", entry(wrong)).is_err(), "{wrong}");
    }
    write_all(&to, "/", entry("file")).unwrap();
    write_all(&to, "/", entry("up/secret")).unwrap();
    write_all(&to, "/linked", entry("made")).unwrap();
    assert_eq!(fs::read_to_string(folder.0.join("secret")).unwrap(), "secret");
    for made in ["file", "secret", "etc/made"] {
        assert_eq!(fs::read_to_string(to.join(made)).unwrap(), "x", "{made}");
    }
    let link = FileEntry { link: b"../secret"[..].into(), ..own_entry("l", FileType::HardLink) };
    assert!(write_all(&to, "/", vec![item(link)]).is_err());
}

#[test]
fn a_file_has_the_data_that_was_told_of() {
    let folder = Folder::new("data");
    let file = |size| item(FileEntry { size, ..own_entry("f", FileType::Regular) });
    for items in [vec![file(2), data(b"abc")], vec![file(4), data(b"abc")], vec![data(b"abc")]] {
        assert!(write_all(&folder.0, "/", items).is_err());
    }
    let run = |offset, length| FileRun { offset, length };
    for runs in [vec![run(9, 3)], vec![run(5, 1), run(2, 2)], vec![run(u64::MAX, 3)]] {
        let sparse = FileEntry { size: 10, sparse: true, runs, ..own_entry("s", FileType::Regular) };
        assert!(write_all(&folder.0, "/", vec![item(sparse), data(b"abc")]).is_err());
    }
}

#[test]
fn directories_and_files_do_not_replace_each_other() {
    let folder = Folder::new("kinds");
    folder.make("directory");
    fs::write(folder.0.join("file"), "").unwrap();
    for (name, kind) in [("directory", FileType::Regular), ("file", FileType::Directory)] {
        let error = write_all(&folder.0, "/", vec![item(own_entry(name, kind))]).unwrap_err();
        assert_eq!(error.code(), "CONFLICT", "{error}");
    }
}
