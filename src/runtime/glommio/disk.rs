//! Files on a real disk: data through the shard's ring, everything else in the blocking pool.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, ready};
use io_uring::{opcode, types};
use tokio::sync::oneshot;

use super::ring::{Lent, Ring};
use crate::base::buffer::AlignedBuf;
use crate::runtime::direct::{check_read, check_write, name_path};
use crate::runtime::{File, OpenMode};

pub(super) type Answer<T> = LocalBoxFuture<'static, io::Result<T>>;

struct DiskFile {
    ring: Rc<Ring>,
    file: Arc<fs::File>,
    path: Arc<Path>,
}

impl DiskFile {
    fn fd(&self) -> types::Fd {
        types::Fd(self.file.as_raw_fd())
    }

    /// The error of an operation that never started.
    fn refused<T: 'static>(&self, what: &str, error: io::Error) -> Answer<T> {
        ready(Err(name_path(what, &self.path, error))).boxed_local()
    }

    /// Submits an operation that lends no memory and answers nothing but success.
    fn submit_plain(&self, what: &'static str, entry: io_uring::squeue::Entry) -> Answer<()> {
        // SAFETY: the entry points to no memory, and the descriptor is the file's.
        let answer = unsafe { self.ring.submit(entry, Lent::Nothing, &self.file) };
        let path = Arc::clone(&self.path);
        async move { returned(answer).await.0.map(|_| ()).map_err(|error| name_path(what, &path, error)) }
            .boxed_local()
    }
}

impl File for DiskFile {
    fn write_at(&self, position: u64, bytes: Bytes) -> Answer<()> {
        if let Err(error) = check_write(position, &bytes) {
            return self.refused("write", error);
        }
        let Ok(length) = u32::try_from(bytes.len()) else {
            return self.refused("write", io::ErrorKind::FileTooLarge.into());
        };
        let entry = opcode::Write::new(self.fd(), bytes.as_ptr(), length).offset(position).build();
        // SAFETY: the entry points to the bytes that go along, which nobody moves or changes.
        let answer = unsafe { self.ring.submit(entry, Lent::Write { _bytes: bytes }, &self.file) };
        let path = Arc::clone(&self.path);
        async move {
            let written = returned(answer).await.0;
            match written {
                Ok(written) if written == length => Ok(()),
                Ok(written) => Err(short("write", written, length, position)),
                Err(error) => Err(error),
            }
            .map_err(|error| name_path("write", &path, error))
        }
        .boxed_local()
    }

    fn read_at(&self, position: u64, length: usize) -> Answer<AlignedBuf> {
        if let Err(error) = check_read(position, length) {
            return self.refused("read", error);
        }
        let Ok(wanted) = u32::try_from(length) else {
            return self.refused("read", io::ErrorKind::FileTooLarge.into());
        };
        let mut buffer = AlignedBuf::with_capacity(length);
        let target = buffer.fill(length).expect("nobody else has seen the new buffer").as_mut_ptr();
        let entry = opcode::Read::new(self.fd(), target, wanted).offset(position).build();
        // SAFETY: the entry points to the buffer's memory, which goes along.
        let answer = unsafe { self.ring.submit(entry, Lent::Read(buffer), &self.file) };
        let (path, file) = (Arc::clone(&self.path), Arc::clone(&self.file));
        async move {
            let (read, lent) = returned(answer).await;
            finish_read(read, lent, &file, position, wanted).map_err(|error| name_path("read", &path, error))
        }
        .boxed_local()
    }

    fn sync(&self) -> Answer<()> {
        let entry = opcode::Fsync::new(self.fd()).flags(types::FsyncFlags::DATASYNC).build();
        self.submit_plain("sync", entry)
    }

    fn allocate(&self, length: u64) -> Answer<()> {
        // The kernel refuses an empty range.
        if length == 0 {
            return ready(Ok(())).boxed_local();
        }
        self.submit_plain("allocate", opcode::Fallocate::new(self.fd(), length).build())
    }

    fn set_length(&self, length: u64) -> Answer<()> {
        let file = Arc::clone(&self.file);
        blocking("set_length", &self.path, move |_| file.set_len(length))
    }

    fn length(&self) -> Answer<u64> {
        // Answered from the inode in memory, so it need not leave the shard.
        match self.file.metadata() {
            Ok(metadata) => ready(Ok(metadata.len())).boxed_local(),
            Err(error) => self.refused("length", error),
        }
    }
}

/// The ring answers every operation that it has accepted: it outlives the shard's files.
async fn returned(answer: oneshot::Receiver<super::ring::Answer>) -> super::ring::Answer {
    answer.await.expect("the ring answers every operation")
}

/// Cuts the buffer to what was read; less than was wanted is right only at the file's end.
fn finish_read(
    read: io::Result<u32>,
    lent: Lent,
    file: &fs::File,
    position: u64,
    wanted: u32,
) -> io::Result<AlignedBuf> {
    let read = read?;
    if read < wanted && position + u64::from(read) < file.metadata()?.len() {
        return Err(short("read", read, wanted, position));
    }
    let Lent::Read(mut buffer) = lent else { unreachable!("a read lends its buffer") };
    buffer.fill(read as usize).expect("the kernel is done and nobody has seen the buffer");
    Ok(buffer)
}

fn short(what: &str, moved: u32, wanted: u32, position: u64) -> io::Error {
    io::Error::other(format!("short {what}: {moved} of {wanted} bytes at {position}"))
}

/// Runs a call that may block in the pool, whether or not anybody awaits it.
pub(super) fn blocking<T: Send + 'static>(
    what: &'static str,
    path: &Path,
    call: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Answer<T> {
    let (sender, receiver) = oneshot::channel();
    let path = path.to_owned();
    let run = move || call(&path).map_err(|error| name_path(what, &path, error));
    let task = async move {
        // Whoever waited may be gone.
        let _ = sender.send(glommio::executor().spawn_blocking(run).await);
    };
    glommio::spawn_local(task).detach();
    async move { receiver.await.unwrap_or_else(|_| Err(io::Error::other("the shard is stopping"))) }
        .boxed_local()
}

/// Opens a file with direct I/O.
pub(super) fn open(ring: &Rc<Ring>, path: &Path, mode: OpenMode) -> Answer<Rc<dyn File>> {
    let (ring, name) = (Rc::clone(ring), Arc::from(path));
    let opened = blocking("open", path, move |path| open_direct(path, mode));
    async move {
        let file = Arc::new(opened.await?);
        Ok(Rc::new(DiskFile { ring, file, path: name }) as Rc<dyn File>)
    }
    .boxed_local()
}

fn open_direct(path: &Path, mode: OpenMode) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    let mut flags = libc::O_DIRECT | libc::O_CLOEXEC;
    if mode != OpenMode::Read {
        options.write(true).create(true);
    }
    if mode == OpenMode::WriteDurable {
        flags |= libc::O_DSYNC;
    }
    options.custom_flags(flags).open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::EINVAL) => {
            let remedy = "the file system takes no direct I/O (O_DIRECT); use ext4 or XFS";
            io::Error::new(io::ErrorKind::Unsupported, remedy)
        }
        _ => error,
    })
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

pub(super) fn remove_dir_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(super) fn list_dir(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
