//! The simulated machine behind the traits that everything above codes against.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, ready};

use super::disk::{Directory, DiskOp, End, Node, SimInode, directory_at, parent_of};
use super::machine::Machine;
use crate::base::buffer::AlignedBuf;
use crate::runtime::direct::{check_read, check_write, name_path};
use crate::runtime::{DiskSpace, File, OpenMode, Runtime};

pub(super) struct SimRuntime(pub(super) Rc<Machine>);

struct SimFile {
    machine: Rc<Machine>,
    inode: Rc<SimInode>,
    path: Rc<Path>,
    mode: OpenMode,
    boot: u64,
}

type Answer<T> = LocalBoxFuture<'static, io::Result<T>>;

impl SimFile {
    /// Submits an operation that a planned fault fails without any effect.
    fn submit<T: 'static>(
        &self,
        op: DiskOp,
        effect: impl FnOnce(&SimInode) -> io::Result<T> + 'static,
    ) -> Answer<T> {
        self.check_boot();
        let inode = Rc::clone(&self.inode);
        let effect = move |_: &mut _, _, end: End| end.result().and_then(|()| effect(&inode));
        let (_, answer) = self.machine.submit(op, &self.path, effect);
        self.named(op, answer)
    }

    /// Submits a change of the file's length to at least, or exactly, so many bytes.
    fn resize(&self, op: DiskOp, length: u64, change: impl FnOnce(&SimInode) + 'static) -> Answer<()> {
        if let Err(error) = self.check_writable() {
            return self.named(op, ready(Err(error)).boxed_local());
        }
        let check_growth = self.growth_check();
        self.submit(op, move |inode| check_growth(inode, length).map(|()| change(inode)))
    }

    /// Says whether the device has room for the file to grow, when it is asked.
    fn growth_check(&self) -> impl Fn(&SimInode, u64) -> io::Result<()> + 'static {
        let disk = &self.machine.disk;
        let (devices, root, path) = (Rc::clone(&disk.devices), Rc::clone(&disk.root), Rc::clone(&self.path));
        move |inode, length| devices.check_growth(&root, &path, inode.length(), length)
    }

    fn named<T: 'static>(&self, op: DiskOp, answer: Answer<T>) -> Answer<T> {
        let path = Rc::clone(&self.path);
        answer.map(move |result| result.map_err(|error| name_path(op.name(), &path, error))).boxed_local()
    }

    fn check_boot(&self) {
        let path = self.path.display();
        assert_eq!(self.boot, self.machine.boot.get(), "{path} was opened before the crash");
    }

    fn check_writable(&self) -> io::Result<()> {
        match self.mode {
            OpenMode::Read => Err(io::Error::from_raw_os_error(libc::EBADF)),
            OpenMode::Write | OpenMode::WriteDurable => Ok(()),
        }
    }
}

impl File for SimFile {
    fn write_at(&self, position: u64, bytes: Bytes) -> Answer<()> {
        self.check_boot();
        if let Err(error) = check_write(position, &bytes).and_then(|()| self.check_writable()) {
            return self.named(DiskOp::Write, ready(Err(error)).boxed_local());
        }
        let durable = self.mode == OpenMode::WriteDurable && !self.machine.disk.ignores_dsync.get();
        let inode = Rc::clone(&self.inode);
        let check_growth = self.growth_check();
        let effect = move |rng: &mut _, operation, end| {
            check_growth(&inode, inode.end_of_write(operation))
                .inspect_err(|_| inode.refuse_write(operation))?;
            inode.end_write(operation, durable, rng, end)
        };
        let (operation, answer) = self.machine.submit(DiskOp::Write, &self.path, effect);
        self.inode.begin_write(operation, position, bytes);
        self.named(DiskOp::Write, answer)
    }

    fn read_at(&self, position: u64, length: usize) -> Answer<AlignedBuf> {
        self.check_boot();
        if let Err(error) = check_read(position, length) {
            return self.named(DiskOp::Read, ready(Err(error)).boxed_local());
        }
        let inode = Rc::clone(&self.inode);
        let (_, answer) = self.machine.submit(DiskOp::Read, &self.path, move |rng, _, end| {
            end.result().map(|()| inode.read(position, length, rng))
        });
        self.named(DiskOp::Read, answer)
    }

    fn sync(&self) -> Answer<()> {
        self.check_boot();
        let inode = Rc::clone(&self.inode);
        let upto = inode.changes();
        let (_, answer) = self.machine.submit(DiskOp::Sync, &self.path, move |rng, _, end| match end {
            End::Crash => Ok(()),
            _ => inode.end_sync(upto, rng, end),
        });
        self.named(DiskOp::Sync, answer)
    }

    fn allocate(&self, length: u64) -> Answer<()> {
        self.resize(DiskOp::Allocate, length, move |inode| inode.allocate(length))
    }

    fn set_length(&self, length: u64) -> Answer<()> {
        self.resize(DiskOp::SetLength, length, move |inode| inode.set_length(length))
    }

    fn length(&self) -> Answer<u64> {
        self.submit(DiskOp::Length, |inode| Ok(inode.length()))
    }
}

impl SimRuntime {
    /// Submits an operation on the tree; it sees the tree at the moment when it completes.
    fn submit<T: 'static>(
        &self,
        op: DiskOp,
        path: &Path,
        effect: impl FnOnce(&Rc<Directory>, &Path) -> io::Result<T> + 'static,
    ) -> Answer<T> {
        let name: Rc<Path> = Rc::from(path);
        let (root, path) = (Rc::clone(&self.0.disk.root), Rc::clone(&name));
        let (_, answer) = self.0.submit(op, &name, move |_, _, end| {
            end.result()?;
            effect(&root, &path)
        });
        answer.map(move |result| result.map_err(|error| name_path(op.name(), &name, error))).boxed_local()
    }
}

impl Runtime for SimRuntime {
    fn open(&self, path: &Path, mode: OpenMode) -> Answer<Rc<dyn File>> {
        let (machine, boot) = (Rc::clone(&self.0), self.0.boot.get());
        self.submit(DiskOp::Open, path, move |root, path| {
            let inode = open_or_create(root, path, mode)?;
            Ok(Rc::new(SimFile { machine, inode, path: Rc::from(path), mode, boot }) as Rc<dyn File>)
        })
    }

    fn remove_file(&self, path: &Path) -> Answer<()> {
        self.submit(DiskOp::Remove, path, |root, path| {
            let (parent, name) = parent_of(root, path)?;
            match parent.get(name) {
                Some(Node::File(_)) => parent.unlink(name),
                Some(Node::Directory(_)) => return Err(io::ErrorKind::IsADirectory.into()),
                None => return Err(io::ErrorKind::NotFound.into()),
            }
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Answer<()> {
        let to = to.to_owned();
        self.submit(DiskOp::Rename, from, move |root, from| {
            let (parent, old_name) = parent_of(root, from)?;
            let (target, new_name) = parent_of(root, &to)?;
            if !Rc::ptr_eq(&parent, &target) {
                return Err(io::ErrorKind::CrossesDevices.into());
            }
            parent.rename(old_name, new_name)
        })
    }

    fn create_dir(&self, path: &Path) -> Answer<()> {
        self.submit(DiskOp::CreateDir, path, |root, path| {
            let ancestors: Vec<_> = path.ancestors().filter(|path| path.file_name().is_some()).collect();
            for path in ancestors.into_iter().rev() {
                let (parent, name) = parent_of(root, path)?;
                match parent.get(name) {
                    Some(Node::Directory(_)) => {}
                    Some(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                    None => parent.link(name, Node::Directory(Rc::default())),
                }
            }
            Ok(())
        })
    }

    fn remove_dir_all(&self, path: &Path) -> Answer<()> {
        self.submit(DiskOp::Remove, path, |root, path| match directory_at(root, path) {
            Ok(directory) => {
                let (parent, name) = parent_of(root, path)?;
                directory.unlink_all();
                parent.unlink(name);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        })
    }

    fn sync_dir(&self, path: &Path) -> Answer<()> {
        let marked = directory_at(&self.0.disk.root, path).map(|directory| (directory.changes(), directory));
        let name: Rc<Path> = Rc::from(path);
        let (_, answer) = self.0.submit(DiskOp::SyncDir, &name, move |_, _, end| {
            end.result()?;
            let (upto, directory) = marked?;
            if let End::Done = end {
                directory.end_sync(upto);
            }
            Ok(())
        });
        answer
            .map(move |result| result.map_err(|error| name_path(DiskOp::SyncDir.name(), &name, error)))
            .boxed_local()
    }

    fn list_dir(&self, path: &Path) -> Answer<Vec<PathBuf>> {
        self.submit(DiskOp::List, path, |root, path| match directory_at(root, path) {
            Ok(directory) => Ok(directory.names().into_iter().map(|name| path.join(name)).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        })
    }

    fn disk_space(&self, path: &Path) -> Answer<DiskSpace> {
        let disk = &self.0.disk;
        ready(Ok(disk.devices.space(&disk.root, path))).boxed_local()
    }

    fn now(&self) -> Duration {
        self.0.now.get()
    }

    fn wall_clock_ms(&self) -> i64 {
        self.0.wall_clock_ms()
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()> {
        self.0.sleep(duration)
    }

    fn yield_now(&self) -> LocalBoxFuture<'static, ()> {
        let mut yielded = false;
        std::future::poll_fn(move |context| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .boxed_local()
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn random_u64(&self) -> u64 {
        self.0.random_u64()
    }
}

fn open_or_create(root: &Rc<Directory>, path: &Path, mode: OpenMode) -> io::Result<Rc<SimInode>> {
    let (parent, name) = parent_of(root, path)?;
    match parent.get(name) {
        Some(Node::File(inode)) => Ok(inode),
        Some(Node::Directory(_)) => Err(io::ErrorKind::IsADirectory.into()),
        None if mode == OpenMode::Read => Err(io::ErrorKind::NotFound.into()),
        None => {
            let inode = Rc::<SimInode>::default();
            parent.link(name, Node::File(Rc::clone(&inode)));
            Ok(inode)
        }
    }
}
