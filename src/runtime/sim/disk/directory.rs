//! One simulated directory: the entries that are seen, those that are durable, and the changes between.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::{Loss, SimInode};
use crate::base::limits::BLOCK_BYTES;
use crate::base::splitmix::mix;
use crate::runtime::sim::rng::Rng;

#[derive(Default)]
pub(in crate::runtime::sim) struct Directory(RefCell<Entries>);

#[derive(Clone)]
pub(in crate::runtime::sim) enum Node {
    File(Rc<SimInode>),
    Directory(Rc<Directory>),
}

/// A file that holds durable bytes other than zeros.
#[derive(Clone, Debug)]
pub struct WrittenFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// The numbers of the sectors of 4 KiB that hold something.
    pub sectors: Vec<u64>,
}

#[derive(Default)]
struct Entries {
    visible: BTreeMap<OsString, Node>,
    durable: BTreeMap<OsString, Node>,
    pending: Vec<(u64, Change)>,
    next_change: u64,
}

enum Change {
    Link(OsString, Node),
    Unlink(OsString),
    Rename(OsString, OsString, Node),
}

impl Change {
    fn apply(&self, entries: &mut BTreeMap<OsString, Node>) {
        match self {
            Change::Link(name, node) => drop(entries.insert(name.clone(), node.clone())),
            Change::Unlink(name) => drop(entries.remove(name)),
            Change::Rename(from, to, node) => {
                entries.remove(from);
                entries.insert(to.clone(), node.clone());
            }
        }
    }
}

impl Directory {
    pub(in crate::runtime::sim) fn get(&self, name: &OsStr) -> Option<Node> {
        self.0.borrow().visible.get(name).cloned()
    }

    pub(in crate::runtime::sim) fn names(&self) -> Vec<OsString> {
        self.0.borrow().visible.keys().cloned().collect()
    }

    pub(in crate::runtime::sim) fn link(&self, name: &OsStr, node: Node) {
        self.change(Change::Link(name.to_owned(), node));
    }

    pub(in crate::runtime::sim) fn unlink(&self, name: &OsStr) {
        self.change(Change::Unlink(name.to_owned()));
    }

    pub(in crate::runtime::sim) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let node = self.get(from).ok_or(io::ErrorKind::NotFound)?;
        match (&node, self.get(to)) {
            (Node::File(_), Some(Node::Directory(_))) => return Err(io::ErrorKind::IsADirectory.into()),
            (Node::Directory(_), Some(Node::File(_))) => return Err(io::ErrorKind::NotADirectory.into()),
            (Node::Directory(_), Some(Node::Directory(old))) if !old.names().is_empty() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            _ => self.change(Change::Rename(from.to_owned(), to.to_owned(), node)),
        }
        Ok(())
    }

    /// Unlinks everything below, the deepest first: a crash may leave any part of it.
    pub(in crate::runtime::sim) fn unlink_all(&self) {
        for name in self.names() {
            if let Some(Node::Directory(directory)) = self.get(&name) {
                directory.unlink_all();
            }
            self.unlink(&name);
        }
    }

    /// The mark that a sync submitted now reaches up to.
    pub(in crate::runtime::sim) fn changes(&self) -> u64 {
        self.0.borrow().next_change
    }

    /// A sync that was submitted at the mark `upto` has completed.
    pub(in crate::runtime::sim) fn end_sync(&self, upto: u64) {
        let entries = &mut *self.0.borrow_mut();
        let count = entries.pending.partition_point(|(number, _)| *number < upto);
        for (_, change) in entries.pending.drain(..count) {
            change.apply(&mut entries.durable);
        }
    }

    /// Power is lost: a prefix of the unsynced changes survives, here and in everything below.
    pub(super) fn crash(&self, loss: Loss, rng: &mut Rng) {
        let entries = &mut *self.0.borrow_mut();
        let survivors = rng.below(entries.pending.len() as u64 + 1) as usize;
        for (_, change) in entries.pending.drain(..).take(survivors) {
            change.apply(&mut entries.durable);
        }
        entries.visible = entries.durable.clone();
        for node in entries.durable.values() {
            match node {
                Node::File(inode) => inode.crash(loss, rng),
                Node::Directory(directory) => directory.crash(loss, rng),
            }
        }
    }

    /// Bytes that its files take, with those of all directories below.
    pub(in crate::runtime::sim) fn used_bytes(&self) -> u64 {
        let entries = self.0.borrow();
        let used = entries.visible.values().map(|node| match node {
            Node::File(inode) => inode.length().next_multiple_of(BLOCK_BYTES as u64),
            Node::Directory(directory) => directory.used_bytes(),
        });
        used.sum()
    }

    /// What is durable of it and of all below, as a directory of its own.
    pub(super) fn durable_copy(&self) -> Directory {
        let entries = self.0.borrow();
        let copies = entries.durable.iter().map(|(name, node)| {
            let copy = match node {
                Node::File(inode) => Node::File(Rc::new(inode.durable_copy())),
                Node::Directory(directory) => Node::Directory(Rc::new(directory.durable_copy())),
            };
            (name.clone(), copy)
        });
        let durable: BTreeMap<OsString, Node> = copies.collect();
        Directory(RefCell::new(Entries { visible: durable.clone(), durable, ..Entries::default() }))
    }

    /// The files here and below that hold durable bytes other than zeros.
    pub(in crate::runtime::sim) fn written_files(&self, at: &Path) -> Vec<WrittenFile> {
        let entries = self.0.borrow();
        let written = entries.visible.iter().flat_map(|(name, node)| match node {
            Node::File(inode) => {
                let (length, sectors) = (inode.length(), inode.durable_sectors());
                vec![WrittenFile { path: at.join(name), length, sectors }]
            }
            Node::Directory(directory) => directory.written_files(&at.join(name)),
        });
        written.filter(|file| !file.sectors.is_empty()).collect()
    }

    /// A digest of everything that is durable here and below.
    pub(in crate::runtime::sim) fn durable_hash(&self) -> u64 {
        let entries = self.0.borrow();
        entries.durable.iter().fold(1, |hash, (name, node)| {
            let content = match node {
                Node::File(inode) => inode.durable_hash(),
                Node::Directory(directory) => directory.durable_hash(),
            };
            let name = name.as_encoded_bytes().iter().fold(0, |hash, &byte| mix(hash ^ u64::from(byte)));
            mix(hash.rotate_left(5) ^ mix(name ^ content))
        })
    }

    fn change(&self, change: Change) {
        let entries = &mut *self.0.borrow_mut();
        change.apply(&mut entries.visible);
        entries.pending.push((entries.next_change, change));
        entries.next_change += 1;
    }
}

/// The directory that a path names.
pub(in crate::runtime::sim) fn directory_at(root: &Rc<Directory>, path: &Path) -> io::Result<Rc<Directory>> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    names.into_iter().try_fold(Rc::clone(root), |directory, name| match directory.get(name) {
        Some(Node::Directory(next)) => Ok(next),
        Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
        None => Err(io::ErrorKind::NotFound.into()),
    })
}

/// The directory that holds a path's last name, and that name.
pub(in crate::runtime::sim) fn parent_of<'path>(
    root: &Rc<Directory>,
    path: &'path Path,
) -> io::Result<(Rc<Directory>, &'path OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((directory_at(root, path.parent().unwrap_or(Path::new("")))?, name))
}
