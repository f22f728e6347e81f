//! One test for each thing that a test may do to the disk.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::buffer::AlignedBuf;
use crate::base::limits::BLOCK_BYTES;
use crate::runtime::sim::{DiskFault, DiskOp, Plan, SimWorld};
use crate::runtime::{File, OpenMode, Runtime};

const BLOCK: u64 = BLOCK_BYTES as u64;

fn block(fill: u8) -> Bytes {
    AlignedBuf::copy_of(&[fill; BLOCK_BYTES]).view(0..BLOCK_BYTES)
}

async fn open(runtime: &Rc<dyn Runtime>, path: &str) -> Rc<dyn File> {
    runtime.open(Path::new(path), OpenMode::WriteDurable).await.unwrap()
}

/// The first byte of each block.
async fn fills(file: &Rc<dyn File>) -> Vec<u8> {
    let length = file.length().await.unwrap() as usize;
    let bytes = file.read_at(0, length.next_multiple_of(BLOCK_BYTES)).await.unwrap();
    bytes.as_slice().iter().step_by(BLOCK_BYTES).copied().collect()
}

#[test]
fn a_plan_strikes_what_it_names_once_or_for_ever() {
    let world = SimWorld::new(1);
    let runtime = world.runtime();
    world.block_on(async {
        runtime.create_dir(Path::new("/a")).await.unwrap();
        let (inside, outside) = (open(&runtime, "/a/f").await, open(&runtime, "/f").await);
        world.plan(Plan::new(DiskFault::Io).of(DiskOp::Write).below("/a").nth(2));
        assert!(outside.write_at(0, block(1)).await.is_ok());
        let written = [inside.write_at(0, block(1)).await, inside.write_at(0, block(2)).await];
        assert_eq!(written.map(|it| it.is_ok()), [true, false]);
        assert!(inside.write_at(0, block(3)).await.is_ok(), "once");
        world.plan(Plan::new(DiskFault::Io).below("/a").nth(2).for_ever());
        assert!(inside.sync().await.is_ok());
        for _ in 0..3 {
            assert_eq!(
                inside.read_at(0, BLOCK_BYTES).await.err().unwrap().kind(),
                io::Error::from_raw_os_error(5).kind()
            );
            assert!(runtime.open(Path::new("/a/f"), OpenMode::Read).await.is_err(), "the device is gone");
        }
        assert!(outside.sync().await.is_ok());
        world.forget_plans();
        assert_eq!(fills(&inside).await, [3], "and it is back");
    });
}

#[test]
fn a_misdirected_write_reports_success_and_is_elsewhere() {
    let mut found = BTreeSet::new();
    for seed in 0..100 {
        let world = SimWorld::new(seed);
        let runtime = world.runtime();
        world.block_on(async {
            let file = open(&runtime, "/f").await;
            for index in 0..4 {
                file.write_at(index * BLOCK, block(9)).await.unwrap();
            }
            runtime.sync_dir(Path::new("/")).await.unwrap();
            // Operations other than writes pass.
            world.plan(Plan::new(DiskFault::Misdirected));
            file.sync().await.unwrap();
            file.write_at(BLOCK, block(1)).await.unwrap();
        });
        world.crash();
        found.insert(world.block_on(async { fills(&open(&runtime, "/f").await).await }).unwrap());
    }
    assert_eq!(found, BTreeSet::from([vec![1, 9, 9, 9], vec![9, 9, 1, 9], vec![9, 9, 9, 1]]), "durably");
}

#[test]
fn what_is_full_takes_nothing_more_until_space_is_freed() {
    let world = SimWorld::new(2);
    let runtime = world.runtime();
    world.block_on(async {
        runtime.create_dir(Path::new("/a")).await.unwrap();
        let file = open(&runtime, "/a/f").await;
        file.allocate(2 * BLOCK).await.unwrap();
        world.limit_space(Path::new("/a"), Some(3 * BLOCK));
        assert_eq!(world.used_bytes(Path::new("/a")), 2 * BLOCK);
        let space = runtime.disk_space(Path::new("/a/f")).await.unwrap();
        assert_eq!((space.total_bytes, space.usable_bytes), (3 * BLOCK, BLOCK));
        let refused = [
            file.allocate(4 * BLOCK).await,
            file.set_length(4 * BLOCK).await,
            file.write_at(3 * BLOCK, block(1)).await,
        ];
        for error in refused.map(Result::unwrap_err) {
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        assert_eq!(fills(&file).await, [0, 0], "nothing of it has happened");
        file.write_at(0, block(1)).await.expect("what it has, it keeps");
        let other = open(&runtime, "/a/g").await;
        other.allocate(BLOCK).await.expect("there is one block");
        assert!(other.allocate(2 * BLOCK).await.is_err());
        file.set_length(10).await.unwrap();
        other.allocate(2 * BLOCK).await.expect("the file was cut");
        runtime.remove_file(Path::new("/a/f")).await.unwrap();
        other.allocate(3 * BLOCK).await.expect("the file is gone");
        open(&runtime, "/f").await.allocate(100 * BLOCK).await.expect("elsewhere there is room");
    });
}

#[test]
fn a_slow_device_takes_its_time_and_others_do_not() {
    let world = SimWorld::new(3);
    let runtime = world.runtime();
    world.block_on(async {
        runtime.create_dir(Path::new("/a")).await.unwrap();
        let files = [open(&runtime, "/a/f").await, open(&runtime, "/f").await];
        world.slow_down(Path::new("/a"), Duration::from_secs(3600), Duration::from_secs(10));
        let mut took = [Duration::ZERO; 2];
        for _ in 0..20 {
            for (file, took) in files.iter().zip(&mut took) {
                let begun = runtime.now();
                file.sync().await.unwrap();
                *took += runtime.now() - begun;
            }
        }
        assert!(took[0] > Duration::from_secs(20) && took[1] < Duration::from_secs(1), "{took:?}");
    });
}

#[test]
fn sectors_tear_inside_only_where_that_is_asked_for() {
    for tears in [false, true] {
        let mut mixtures = BTreeSet::new();
        for seed in 0..200 {
            let world = SimWorld::new(seed);
            if tears {
                world.tear_sectors();
            }
            let runtime = world.runtime();
            world.block_on(async {
                open(&runtime, "/f").await.write_at(0, block(9)).await.unwrap();
                runtime.sync_dir(Path::new("/")).await.unwrap();
                let unsynced = runtime.open(Path::new("/f"), OpenMode::Write).await.unwrap();
                unsynced.write_at(0, block(1)).await.unwrap();
            });
            world.crash();
            let bytes = world.block_on(async { open(&runtime, "/f").await.read_at(0, BLOCK_BYTES).await });
            let bytes = bytes.unwrap().unwrap();
            let units: Vec<u8> = bytes.as_slice().chunks(512).map(|unit| unit[0]).collect();
            assert!(bytes.as_slice().chunks(512).all(|unit| unit.iter().all(|byte| byte == &unit[0])));
            mixtures.insert(units);
        }
        assert_eq!(mixtures.len() > 2, tears, "{mixtures:?}");
    }
}

#[test]
fn a_device_is_lost_and_comes_back_as_it_durably_was() {
    let world = SimWorld::new(4);
    let runtime = world.runtime();
    let device = Path::new("/a");
    let old = world.block_on(async {
        runtime.create_dir(device).await.unwrap();
        runtime.sync_dir(Path::new("/")).await.unwrap();
        let file = open(&runtime, "/a/f").await;
        file.write_at(0, block(1)).await.unwrap();
        runtime.sync_dir(device).await.unwrap();
        let unsynced = runtime.open(Path::new("/a/f"), OpenMode::Write).await.unwrap();
        unsynced.write_at(0, block(2)).await.unwrap();
        let old = world.image_of(device);
        file.write_at(0, block(3)).await.unwrap();
        old
    });
    let old = old.unwrap();
    let read = || world.block_on(async { fills(&open(&runtime, "/a/f").await).await }).unwrap();
    world.crash();
    assert_eq!(read(), [3]);
    world.crash();
    world.lose(device);
    assert!(world.block_on(runtime.list_dir(device)).unwrap().unwrap().is_empty());
    for _ in 0..2 {
        world.crash();
        world.replace(device, &old);
        assert_eq!(read(), [1], "what was not durable then is not in it");
        world.block_on(async { open(&runtime, "/a/f").await.write_at(0, block(4)).await.unwrap() });
    }
}

/// A run with every kind of trouble in it.
fn troubled(seed: u64) -> (u64, u64) {
    let world = SimWorld::new(seed);
    world.tear_sectors();
    let runtime = world.runtime();
    for round in 0..4 {
        world.block_on(async {
            let file = runtime.open(Path::new("/f"), OpenMode::Write).await.unwrap();
            world.plan(Plan::new(DiskFault::Misdirected).nth(2));
            world.plan(Plan::new(DiskFault::Io).of(DiskOp::Write).nth(3));
            world.slow_down(Path::new("/"), Duration::from_secs(1), Duration::from_millis(1));
            world.limit_space(Path::new("/"), Some(6 * BLOCK));
            for index in 0..8 {
                // Refused, torn or elsewhere: by the seed.
                let _ = file.write_at(index * BLOCK, block(round * 8 + index as u8 + 1)).await;
            }
            runtime.sync_dir(Path::new("/")).await.unwrap();
        });
        world.crash();
        for file in world.written_files(Path::new("/")) {
            world.rot(&file.path, file.sectors[0] * BLOCK + world.random_below(BLOCK));
        }
    }
    (world.trace_hash(), world.disk_hash())
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let found: BTreeSet<(u64, u64)> = (0..30).map(troubled).collect();
    let disks: BTreeSet<u64> = found.iter().map(|(_, disk)| *disk).collect();
    assert!(disks.len() > 20, "different seeds leave different bytes: {}", disks.len());
    assert!((0..30).all(|seed| found.contains(&troubled(seed))), "equal seeds leave the same");
}

#[test]
fn the_wall_clock_steps_and_the_other_does_not() {
    let world = SimWorld::new(5);
    let runtime = world.runtime();
    let (now, wall_clock_ms) = (runtime.now(), runtime.wall_clock_ms());
    world.step_wall_clock(-5_000);
    assert_eq!((runtime.now(), runtime.wall_clock_ms()), (now, wall_clock_ms - 5_000));
}
