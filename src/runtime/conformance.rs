//! What every runtime must do alike: one body, run on the simulator and on a real disk.

use std::cell::Cell;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::glommio::testing::direct_io_dir;
use super::sim::SimWorld;
use super::{File, OpenMode, Runtime};
use crate::base::buffer::AlignedBuf;
use crate::base::limits::BLOCK_BYTES;

const BLOCK: u64 = BLOCK_BYTES as u64;

#[test]
fn the_simulator_conforms() {
    for seed in 0..20 {
        let world = SimWorld::new(seed);
        let runtime = world.runtime();
        world.block_on(async {
            runtime.create_dir(Path::new("/dir")).await.unwrap();
            conforms(runtime, PathBuf::from("/dir")).await;
        });
    }
}

#[test]
fn the_real_runtime_conforms() {
    let dir = direct_io_dir();
    let path = dir.path().to_owned();
    super::glommio::run_here(|runtime| conforms(runtime, path)).unwrap();
}

async fn conforms(runtime: Rc<dyn Runtime>, dir: PathBuf) {
    let space = runtime.disk_space(&dir).await.unwrap();
    assert!(0 < space.usable_bytes && space.usable_bytes <= space.total_bytes, "{space:?}");
    writes_are_read(&runtime, &dir).await;
    sizes_change(&runtime, &dir).await;
    errors_name_the_path(&runtime, &dir).await;
    directories_change(&runtime, &dir).await;
    time_and_tasks(&runtime).await;
}

fn block(fill: u8) -> Bytes {
    AlignedBuf::copy_of(&[fill; BLOCK_BYTES]).view(0..BLOCK_BYTES)
}

async fn writes_are_read(runtime: &Rc<dyn Runtime>, dir: &Path) {
    for mode in [OpenMode::Write, OpenMode::WriteDurable] {
        let path = dir.join("data");
        let file = runtime.open(&path, mode).await.unwrap();
        let writes = (0..40).map(|index| file.write_at(index * BLOCK, block(index as u8)));
        assert!(join_all(writes).await.into_iter().all(|written| written.is_ok()));
        file.sync().await.unwrap();
        let reader = runtime.open(&path, OpenMode::Read).await.unwrap();
        let bytes = reader.read_at(8 * BLOCK, 2 * BLOCK_BYTES).await.unwrap();
        assert_eq!(bytes.as_slice(), [[8; BLOCK_BYTES], [9; BLOCK_BYTES]].concat());
        // The file ends inside the range, and before it.
        assert_eq!(reader.read_at(39 * BLOCK, 4 * BLOCK_BYTES).await.unwrap().as_slice(), [39; BLOCK_BYTES]);
        assert!(reader.read_at(40 * BLOCK, BLOCK_BYTES).await.unwrap().is_empty());
        runtime.remove_file(&path).await.unwrap();
    }
}

async fn sizes_change(runtime: &Rc<dyn Runtime>, dir: &Path) {
    let path = dir.join("sized");
    let file = runtime.open(&path, OpenMode::Write).await.unwrap();
    assert_eq!(file.length().await.unwrap(), 0);
    file.allocate(0).await.unwrap();
    file.allocate(8 * BLOCK).await.unwrap();
    assert_eq!(file.length().await.unwrap(), 8 * BLOCK);
    file.allocate(BLOCK).await.unwrap();
    assert_eq!(file.length().await.unwrap(), 8 * BLOCK, "allocating never cuts");
    assert_eq!(file.read_at(0, BLOCK_BYTES).await.unwrap().as_slice(), [0; BLOCK_BYTES]);
    file.write_at(0, block(7)).await.unwrap();
    file.set_length(1000).await.unwrap();
    assert_eq!(file.length().await.unwrap(), 1000);
    assert_eq!(file.read_at(0, 2 * BLOCK_BYTES).await.unwrap().as_slice(), [7; 1000]);
    file.set_length(BLOCK).await.unwrap();
    let bytes = file.read_at(0, BLOCK_BYTES).await.unwrap();
    assert_eq!(
        (&bytes.as_slice()[..1000], bytes.as_slice()[1000..].iter().max()),
        (&[7; 1000][..], Some(&0))
    );
    runtime.remove_file(&path).await.unwrap();
}

async fn errors_name_the_path(runtime: &Rc<dyn Runtime>, dir: &Path) {
    let path = dir.join("absent");
    let error = runtime.open(&path, OpenMode::Read).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(runtime.remove_file(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(runtime.rename(&path, &dir.join("x")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(runtime.sync_dir(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
    let nested = runtime.open(&path.join("file"), OpenMode::Write).await.err().unwrap();
    assert_eq!(nested.kind(), ErrorKind::NotFound, "directories are not made on the way");

    let path = dir.join("file");
    drop(runtime.open(&path, OpenMode::Write).await.unwrap());
    let reader = runtime.open(&path, OpenMode::Read).await.unwrap();
    let error = reader.write_at(0, block(1)).await.unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    let unaligned = reader.read_at(1, BLOCK_BYTES).await.err().unwrap();
    assert_eq!(unaligned.kind(), ErrorKind::InvalidInput);
    let unaligned = reader.write_at(0, block(1).slice(1..)).await.unwrap_err();
    assert_eq!(unaligned.kind(), ErrorKind::InvalidInput);
    runtime.remove_file(&path).await.unwrap();
}

async fn directories_change(runtime: &Rc<dyn Runtime>, dir: &Path) {
    let (top, nested) = (dir.join("top"), dir.join("top/nested"));
    assert!(runtime.list_dir(&top).await.unwrap().is_empty());
    runtime.create_dir(&nested).await.unwrap();
    runtime.create_dir(&nested).await.unwrap();
    for (name, fill) in [("b", 2), ("a", 1)] {
        let file: Rc<dyn File> = runtime.open(&nested.join(name), OpenMode::Write).await.unwrap();
        file.write_at(0, block(fill)).await.unwrap();
    }
    runtime.sync_dir(&nested).await.unwrap();
    assert_eq!(runtime.list_dir(&nested).await.unwrap(), [nested.join("a"), nested.join("b")]);
    runtime.rename(&nested.join("b"), &nested.join("a")).await.unwrap();
    assert_eq!(runtime.list_dir(&nested).await.unwrap(), [nested.join("a")]);
    let moved = dir.join("top/moved");
    runtime.rename(&nested, &moved).await.unwrap();
    let file = runtime.open(&moved.join("a"), OpenMode::Read).await.unwrap();
    assert_eq!(file.read_at(0, BLOCK_BYTES).await.unwrap().as_slice(), [2; BLOCK_BYTES]);
    drop(file);
    runtime.remove_dir_all(&top).await.unwrap();
    runtime.remove_dir_all(&top).await.unwrap();
    assert!(runtime.list_dir(dir).await.unwrap().is_empty());
}

async fn time_and_tasks(runtime: &Rc<dyn Runtime>) {
    let start = runtime.now();
    runtime.sleep(Duration::from_millis(3)).await;
    assert!(runtime.now() - start >= Duration::from_millis(3));
    assert!(runtime.wall_clock_ms() > 1_600_000_000_000);
    assert_ne!(runtime.random_u64(), runtime.random_u64());
    let done = Rc::new(Cell::new(false));
    let set = Rc::clone(&done);
    runtime.spawn(async move { set.set(true) }.boxed_local());
    while !done.get() {
        runtime.yield_now().await;
    }
}
