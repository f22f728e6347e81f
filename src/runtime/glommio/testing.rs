//! For tests on the real machine.

use std::future::Future;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use glommio::{LocalExecutorBuilder, Placement};
use tempfile::TempDir;

/// A directory that goes away when dropped, on a file system that takes direct I/O: the one for temporary files,
/// or else the one of the build, since the former may be in memory.
pub(crate) fn direct_io_dir() -> TempDir {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    [std::env::temp_dir(), build]
        .into_iter()
        .filter_map(|parent| TempDir::with_prefix_in("corelane-test-", parent).ok())
        .find(|dir| takes_direct_io(dir.path()))
        .expect("a directory for temporary files on a file system with O_DIRECT")
}

fn takes_direct_io(dir: &Path) -> bool {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).custom_flags(libc::O_DIRECT);
    options.open(dir.join("probe")).is_ok() && std::fs::remove_file(dir.join("probe")).is_ok()
}

/// An executor without the heartbeat: what does not wake it by itself hangs for ever.
pub(super) fn run_without_heartbeat<T>(main: impl Future<Output = T> + 'static) -> T {
    LocalExecutorBuilder::new(Placement::Unbound).io_memory(0).make().unwrap().run(main)
}
