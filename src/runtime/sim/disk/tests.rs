//! One test for each sentence of the fault model.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::join;

use crate::base::buffer::AlignedBuf;
use crate::base::limits::BLOCK_BYTES;
use crate::runtime::sim::{CrashPoint, DiskFault, DiskOp, SimWorld};
use crate::runtime::{File, OpenMode, Runtime};

const BLOCK: u64 = BLOCK_BYTES as u64;
const SEEDS: u64 = 200;

/// Blocks filled with one byte each.
fn blocks(fill: &[u8]) -> Bytes {
    let mut buffer = AlignedBuf::with_capacity(fill.len() * BLOCK_BYTES);
    fill.iter().for_each(|&byte| buffer.append(&[byte; BLOCK_BYTES]));
    buffer.view(0..buffer.len())
}

/// The byte that fills each block of a file; checks that no block is torn inside.
async fn fills(file: &Rc<dyn File>) -> Vec<u8> {
    let length = file.length().await.unwrap() as usize;
    if length == 0 {
        return Vec::new();
    }
    let bytes = file.read_at(0, length.next_multiple_of(BLOCK_BYTES)).await.unwrap();
    assert_eq!(bytes.len(), length);
    let blocks = bytes.as_slice().chunks(BLOCK_BYTES);
    blocks
        .inspect(|block| assert!(block.iter().all(|byte| byte == &block[0])))
        .map(|block| block[0])
        .collect()
}

async fn open(runtime: &Rc<dyn Runtime>, mode: OpenMode) -> Rc<dyn File> {
    runtime.open(Path::new("/file"), mode).await.unwrap()
}

/// The block fills found after a crash, over many seeds. `before` runs on a file of four durable blocks of 9 whose
/// directory entry is durable; a crash follows it or, if `crash_after` is given, cuts it short.
fn survivors(
    mode: OpenMode,
    crash_after: Option<u64>,
    before: impl AsyncFn(&SimWorld, Rc<dyn File>),
) -> BTreeSet<Vec<u8>> {
    let one = |seed| {
        let world = SimWorld::new(seed);
        let runtime = world.runtime();
        world.block_on(async {
            open(&runtime, OpenMode::WriteDurable).await.write_at(0, blocks(&[9; 4])).await.unwrap();
            runtime.sync_dir(Path::new("/")).await.unwrap();
            let file = open(&runtime, mode).await;
            if let Some(events) = crash_after {
                world.crash_at(CrashPoint::DiskEvents(events));
            }
            before(&world, file).await;
        });
        if crash_after.is_none() {
            world.crash();
        }
        world.block_on(async { fills(&open(&runtime, OpenMode::Read).await).await }).unwrap()
    };
    (0..SEEDS).map(one).collect()
}

#[test]
fn a_durable_write_survives_and_an_unsynced_one_may_go_sector_by_sector() {
    let write = async |_: &SimWorld, file: Rc<dyn File>| file.write_at(BLOCK, blocks(&[1, 2])).await.unwrap();
    let only = BTreeSet::from([vec![9, 1, 2, 9]]);
    assert_eq!(survivors(OpenMode::WriteDurable, None, write), only);
    let any = BTreeSet::from([vec![9, 1, 2, 9], vec![9, 1, 9, 9], vec![9, 9, 2, 9], vec![9, 9, 9, 9]]);
    assert_eq!(survivors(OpenMode::Write, None, write), any);
    // In flight, a durable write is no better than another.
    assert_eq!(survivors(OpenMode::WriteDurable, Some(1), write), any);
    let synced = survivors(OpenMode::Write, None, async |world, file| {
        write(world, Rc::clone(&file)).await;
        file.sync().await.unwrap();
    });
    assert_eq!(synced, only);
}

#[test]
fn a_disk_that_ignores_the_sync_flag_is_a_bug_that_shows() {
    let found = survivors(OpenMode::WriteDurable, None, async |world, _| {
        world.ignore_dsync();
        let file = open(&world.runtime(), OpenMode::WriteDurable).await;
        file.write_at(0, blocks(&[1])).await.unwrap();
    });
    assert_eq!(found.len(), 2);
}

#[test]
fn a_sync_covers_only_writes_that_completed_before_it_was_submitted() {
    let found = survivors(OpenMode::Write, None, async |_, file| {
        let (written, synced) = join(file.write_at(0, blocks(&[1])), file.sync()).await;
        written.and(synced).unwrap();
    });
    assert_eq!(found.len(), 2);
}

#[test]
fn two_unsynced_writes_leave_either_or_the_old_bytes() {
    let found = survivors(OpenMode::Write, None, async |_, file| {
        file.write_at(0, blocks(&[1])).await.unwrap();
        file.write_at(0, blocks(&[2])).await.unwrap();
    });
    assert_eq!(found, [9, 1, 2].map(|fill| vec![fill, 9, 9, 9]).into());
}

#[test]
fn a_durable_write_is_not_undone_by_older_changes() {
    let found = survivors(OpenMode::Write, None, async |world, file| {
        file.write_at(0, blocks(&[1])).await.unwrap();
        file.set_length(0).await.unwrap();
        let durable = open(&world.runtime(), OpenMode::WriteDurable).await;
        durable.write_at(0, blocks(&[2])).await.unwrap();
    });
    assert_eq!(found, BTreeSet::from([vec![2]]));
}

#[test]
fn unsynced_sizes_survive_as_a_prefix() {
    let found = survivors(OpenMode::Write, None, async |_, file| {
        file.set_length(BLOCK).await.unwrap();
        file.allocate(3 * BLOCK).await.unwrap();
    });
    // Never four blocks of which two were cut away and came back.
    assert_eq!(found, BTreeSet::from([vec![9, 9, 9, 9], vec![9], vec![9, 0, 0]]));
    let synced = survivors(OpenMode::Write, None, async |_, file| {
        file.allocate(6 * BLOCK).await.unwrap();
        file.sync().await.unwrap();
    });
    assert_eq!(synced, BTreeSet::from([vec![9, 9, 9, 9, 0, 0]]));
}

#[test]
fn a_growing_write_may_lose_its_length() {
    let write =
        async |_: &SimWorld, file: Rc<dyn File>| file.write_at(4 * BLOCK, blocks(&[1])).await.unwrap();
    let any = BTreeSet::from([vec![9, 9, 9, 9], vec![9, 9, 9, 9, 0], vec![9, 9, 9, 9, 1]]);
    assert_eq!(survivors(OpenMode::Write, None, write), any);
    assert_eq!(survivors(OpenMode::WriteDurable, None, write), BTreeSet::from([vec![9, 9, 9, 9, 1]]));
}

#[test]
fn what_was_cut_off_does_not_come_back() {
    let world = SimWorld::new(1);
    let runtime = world.runtime();
    world.block_on(async {
        let file = open(&runtime, OpenMode::Write).await;
        file.write_at(0, blocks(&[1, 2])).await.unwrap();
        file.set_length(100).await.unwrap();
        assert_eq!(file.read_at(0, 2 * BLOCK_BYTES).await.unwrap().as_slice(), [1; 100]);
        assert!(file.read_at(BLOCK, BLOCK_BYTES).await.unwrap().is_empty());
        file.allocate(2 * BLOCK).await.unwrap();
        let bytes = file.read_at(0, 2 * BLOCK_BYTES).await.unwrap();
        assert_eq!(bytes.as_slice()[..100], [1; 100]);
        assert!(bytes.as_slice()[100..].iter().all(|&byte| byte == 0));
    });
}

#[test]
fn concurrent_writes_complete_in_any_order_and_reads_see_either() {
    let mut read = BTreeSet::new();
    let mut left = BTreeSet::new();
    for seed in 0..SEEDS {
        let world = SimWorld::new(seed);
        let runtime = world.runtime();
        world.block_on(async {
            let file = open(&runtime, OpenMode::Write).await;
            file.allocate(BLOCK).await.unwrap();
            let writes = join(file.write_at(0, blocks(&[1])), file.write_at(0, blocks(&[2])));
            read.insert(join(fills(&file), writes).await.0);
            left.insert(fills(&file).await);
        });
    }
    assert_eq!(read, BTreeSet::from([vec![0], vec![1], vec![2]]));
    assert_eq!(left, BTreeSet::from([vec![1], vec![2]]));
}

#[test]
fn an_operation_is_carried_out_though_nobody_waits() {
    let world = SimWorld::new(1);
    let runtime = world.runtime();
    world.block_on(async {
        let file = open(&runtime, OpenMode::Write).await;
        drop(file.write_at(0, blocks(&[7])));
        runtime.sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(fills(&file).await, [7]);
    });
}

#[test]
fn unaligned_and_forbidden_operations_are_refused() {
    let world = SimWorld::new(1);
    let runtime = world.runtime();
    world.block_on(async {
        let file = open(&runtime, OpenMode::Write).await;
        assert_eq!(file.write_at(1, blocks(&[1])).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(file.read_at(0, 100).await.err().unwrap().to_string().contains("/file"));
        let reader = open(&runtime, OpenMode::Read).await;
        assert!(reader.write_at(0, blocks(&[1])).await.is_err());
        assert!(reader.set_length(0).await.is_err());
        assert!(reader.allocate(1).await.is_err());
        let missing = runtime.open(Path::new("/absent"), OpenMode::Read).await.err().unwrap();
        assert_eq!(
            (missing.kind(), missing.to_string().contains("/absent")),
            (io::ErrorKind::NotFound, true)
        );
        let moved = runtime.create_dir(Path::new("/a")).await;
        moved.and(runtime.rename(Path::new("/file"), Path::new("/a/file")).await).unwrap_err();
    });
}

/// The entries of `/d` found after a crash, over many seeds, following `before`.
fn entries_left(before: impl AsyncFn(&Rc<dyn Runtime>)) -> BTreeSet<Vec<PathBuf>> {
    let one = |seed| {
        let world = SimWorld::new(seed);
        let runtime = world.runtime();
        world.block_on(async {
            runtime.create_dir(Path::new("/d")).await.unwrap();
            runtime.sync_dir(Path::new("/")).await.unwrap();
            before(&runtime).await;
        });
        world.crash();
        world.block_on(runtime.list_dir(Path::new("/d"))).unwrap().unwrap()
    };
    (0..SEEDS).map(one).collect()
}

fn sets(lists: &[&[&str]]) -> BTreeSet<Vec<PathBuf>> {
    lists.iter().map(|names| names.iter().map(PathBuf::from).collect()).collect()
}

#[test]
fn unsynced_entries_survive_as_a_prefix() {
    let two_files = async |runtime: &Rc<dyn Runtime>| {
        for path in ["/d/a", "/d/b"] {
            let file = runtime.open(Path::new(path), OpenMode::WriteDurable).await.unwrap();
            file.write_at(0, blocks(&[1])).await.unwrap();
            file.sync().await.unwrap();
        }
    };
    assert_eq!(entries_left(two_files), sets(&[&[], &["/d/a"], &["/d/a", "/d/b"]]));
    let replaced = entries_left(async |runtime| {
        two_files(runtime).await;
        runtime.sync_dir(Path::new("/d")).await.unwrap();
        runtime.rename(Path::new("/d/a"), Path::new("/d/b")).await.unwrap();
        runtime.remove_file(Path::new("/d/b")).await.unwrap();
    });
    assert_eq!(replaced, sets(&[&["/d/a", "/d/b"], &["/d/b"], &[]]), "never without both before the removal");
}

#[test]
fn a_directory_that_was_never_synced_vanishes_with_all_that_is_in_it() {
    let found = entries_left(async |runtime| {
        runtime.create_dir(Path::new("/d/x/y")).await.unwrap();
        runtime.open(Path::new("/d/x/y/f"), OpenMode::Write).await.unwrap();
        runtime.sync_dir(Path::new("/d/x/y")).await.unwrap();
    });
    assert_eq!(found, sets(&[&[], &["/d/x"]]));
}

#[test]
fn a_removed_tree_is_gone_for_good_only_after_its_parent_was_synced() {
    let build = async |runtime: &Rc<dyn Runtime>| {
        runtime.create_dir(Path::new("/d/x")).await.unwrap();
        runtime.open(Path::new("/d/x/f"), OpenMode::Write).await.unwrap();
        runtime.sync_dir(Path::new("/d/x")).await.unwrap();
        runtime.sync_dir(Path::new("/d")).await.unwrap();
        runtime.remove_dir_all(Path::new("/d/x")).await.unwrap();
        runtime.remove_dir_all(Path::new("/d/x")).await.unwrap();
    };
    assert_eq!(entries_left(build), sets(&[&["/d/x"], &[]]));
    let synced = entries_left(async |runtime| {
        build(runtime).await;
        runtime.sync_dir(Path::new("/d")).await.unwrap();
    });
    assert_eq!(synced, sets(&[&[]]));
}

#[test]
fn a_rotten_byte_stays_rotten() {
    let world = SimWorld::new(1);
    let runtime = world.runtime();
    let read =
        || world.block_on(async { open(&runtime, OpenMode::Read).await.read_at(0, BLOCK_BYTES).await });
    world.block_on(async {
        open(&runtime, OpenMode::WriteDurable).await.write_at(0, blocks(&[2])).await.unwrap();
        runtime.sync_dir(Path::new("/")).await.unwrap();
    });
    world.rot(Path::new("/file"), 100);
    world.crash();
    let bytes = read().unwrap().unwrap();
    let rotten: Vec<_> = (0..BLOCK_BYTES).filter(|&at| bytes.as_slice()[at] != 2).collect();
    assert_eq!(rotten, [100]);
}

#[test]
fn a_planted_fault_strikes_once_at_its_turn() {
    let found = survivors(OpenMode::WriteDurable, None, async |world, file| {
        world.fail(DiskOp::Write, 2, DiskFault::Io);
        world.fail(DiskOp::Allocate, 1, DiskFault::NoSpace);
        file.write_at(0, blocks(&[1])).await.unwrap();
        let error = file.write_at(BLOCK, blocks(&[2, 3])).await.unwrap_err();
        assert!(error.to_string().contains("/file"), "{error}");
        file.write_at(3 * BLOCK, blocks(&[4])).await.unwrap();
        assert_eq!(file.allocate(BLOCK).await.unwrap_err().kind(), io::ErrorKind::StorageFull);
        file.allocate(BLOCK).await.unwrap();
    });
    let any = [[9, 9], [2, 9], [9, 3], [2, 3]].map(|[second, third]| vec![1, second, third, 4]);
    assert_eq!(found, any.into());
}

#[test]
fn a_failed_sync_is_not_mended_by_the_next() {
    let found = survivors(OpenMode::Write, None, async |world, file| {
        file.write_at(0, blocks(&[1, 2])).await.unwrap();
        world.fail(DiskOp::Sync, 1, DiskFault::Io);
        file.sync().await.unwrap_err();
        file.sync().await.unwrap();
        assert_eq!(fills(&file).await, [1, 2, 9, 9], "still read from the cache");
    });
    let any = [[1, 2], [1, 9], [9, 2], [9, 9]].map(|[first, second]| vec![first, second, 9, 9]);
    assert_eq!(found, any.into());
}
