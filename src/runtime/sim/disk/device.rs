//! Devices: parts of the tree that have a capacity and a speed of their own, and that can be swapped whole.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::directory::{Directory, Node, directory_at, parent_of};
use crate::base::limits::BLOCK_BYTES;
use crate::runtime::DiskSpace;
use crate::runtime::sim::rng::Rng;

/// What a directory durably held at one moment, with all that was below it: a device's image.
#[derive(Clone)]
pub struct DeviceImage(pub(super) Rc<Directory>);

impl DeviceImage {
    pub(in crate::runtime::sim) fn empty() -> Self {
        DeviceImage(Rc::default())
    }
}

struct Capacity {
    mount: PathBuf,
    bytes: u64,
}

struct Slowness {
    below: PathBuf,
    until: Duration,
    by_at_most: Duration,
}

#[derive(Default)]
pub(in crate::runtime::sim) struct Devices {
    capacities: RefCell<Vec<Capacity>>,
    slow: RefCell<Vec<Slowness>>,
}

impl Devices {
    pub(in crate::runtime::sim) fn limit(&self, mount: &Path, bytes: Option<u64>) {
        let mut capacities = self.capacities.borrow_mut();
        capacities.retain(|capacity| capacity.mount != mount);
        capacities.extend(bytes.map(|bytes| Capacity { mount: mount.to_owned(), bytes }));
    }

    pub(in crate::runtime::sim) fn slow_down(&self, below: &Path, until: Duration, by_at_most: Duration) {
        self.slow.borrow_mut().push(Slowness { below: below.to_owned(), until, by_at_most });
    }

    pub(super) fn crash(&self) {
        self.slow.borrow_mut().clear();
    }

    /// What is added to the time that an operation takes.
    pub(in crate::runtime::sim) fn delay(&self, path: &Path, now: Duration, rng: &mut Rng) -> Duration {
        let slow = self.slow.borrow();
        let longest = slow
            .iter()
            .filter(|it| now < it.until && path.starts_with(&it.below))
            .map(|it| it.by_at_most)
            .max();
        longest
            .map_or(Duration::ZERO, |longest| Duration::from_nanos(rng.below(longest.as_nanos() as u64 + 1)))
    }

    /// Room on the device of a path.
    pub(in crate::runtime::sim) fn space(&self, root: &Rc<Directory>, path: &Path) -> DiskSpace {
        let capacities = self.capacities.borrow();
        match capacities.iter().find(|it| path.starts_with(&it.mount)) {
            None => DiskSpace { total_bytes: 1 << 40, usable_bytes: 1 << 39 },
            Some(Capacity { mount, bytes }) => {
                let used = directory_at(root, mount).map_or(0, |directory| directory.used_bytes());
                DiskSpace { total_bytes: *bytes, usable_bytes: bytes.saturating_sub(used) }
            }
        }
    }

    /// ENOSPC if a file cannot grow from one length to another.
    pub(in crate::runtime::sim) fn check_growth(
        &self,
        root: &Rc<Directory>,
        path: &Path,
        from: u64,
        to: u64,
    ) -> io::Result<()> {
        if self.capacities.borrow().is_empty() || to <= from {
            return Ok(());
        }
        let more = (to.div_ceil(BLOCK_BYTES as u64) - from.div_ceil(BLOCK_BYTES as u64)) * BLOCK_BYTES as u64;
        if more > self.space(root, path).usable_bytes {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        Ok(())
    }
}

/// What `path` holds durably now.
pub(in crate::runtime::sim) fn image_of(root: &Rc<Directory>, path: &Path) -> io::Result<DeviceImage> {
    Ok(DeviceImage(Rc::new(directory_at(root, path)?.durable_copy())))
}

/// Puts an image in the place of what is at `path`, durably; nothing may be open there.
pub(in crate::runtime::sim) fn replace(
    root: &Rc<Directory>,
    path: &Path,
    image: &DeviceImage,
) -> io::Result<()> {
    let (parent, name) = parent_of(root, path)?;
    parent.link(name, Node::Directory(Rc::new(image.0.durable_copy())));
    parent.end_sync(parent.changes());
    Ok(())
}
