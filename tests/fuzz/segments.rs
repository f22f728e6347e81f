//! Reads from segments and indexes that were damaged. What is read is what was written, or an error; a damaged index
//! costs nothing but time.

use std::path::PathBuf;
use std::rc::Rc;

use corelane::protocol::batch::HEADER_BYTES;
use corelane::shard::{Replica, Storage};

use super::disk::{PARTITIONS, Scene, id, offset_behind, offset_of};
use super::random::Random;
use super::{allocation, plain, seeds};

const SEEDS: u64 = 12;
/// A read of 20,000 bytes takes a stretch of 128 KiB, or a batch whole.
const MEMORY_MAX: usize = 2 << 20;
const LEADER_EPOCH_AT: usize = 12;
const READ_BYTES: usize = 20_000;

/// A shard that was stopped, so that all but the last bytes of each log are in segments only, and partly sealed.
pub fn written(seed: u64, random: &mut Random) -> Scene {
    let scene = Scene::new(seed, 1000);
    for _ in 0..2 {
        scene.run(async {
            let storage = scene.open().await.expect("an undamaged disk");
            // Enough for several segments, and for rows in their indexes.
            scene.write(&storage, random, 150).await;
            storage.stop().await.expect("stopped");
        });
        scene.world.crash();
    }
    scene
}

/// The files of all partitions whose names end so.
pub async fn files(scene: &Scene, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in scene.runtime.list_dir("/data/topics".as_ref()).await.expect("listed") {
        let files = scene.runtime.list_dir(&directory).await.expect("listed");
        let is_wanted =
            |path: &PathBuf| endings.iter().any(|ending| path.extension() == Some(ending.as_ref()));
        found.extend(files.into_iter().filter(is_wanted));
    }
    found
}

pub async fn damage(scene: &Scene, random: &mut Random, paths: &[PathBuf]) {
    for _ in 0..=random.below(4) {
        let path: &PathBuf = random.pick(paths);
        let other: &PathBuf = random.pick(paths);
        let other = scene.contents(other).await;
        let mut contents = scene.contents(path).await;
        if contents.is_empty() {
            continue;
        }
        let length = contents.len();
        match random.below(3) {
            0 => random.mutate(&mut contents, &other, length),
            1 => flip(random, &mut contents, 0..length),
            _ => {
                // Half of a header is not covered by any checksum.
                let at = *random.pick(&batch_starts(&contents));
                flip(random, &mut contents, at..(at + HEADER_BYTES).min(length));
            }
        }
        scene.replace(path, &contents).await;
    }
}

fn flip(random: &mut Random, contents: &mut [u8], within: std::ops::Range<usize>) {
    let at = within.start + random.below(within.len());
    contents[at] ^= 1 << random.below(8);
}

/// Where batches begin, as far as their lengths tell; at least the start.
pub fn batch_starts(contents: &[u8]) -> Vec<usize> {
    let (mut starts, mut at) = (vec![0], 0);
    while let Some(length) = contents.get(at + 8..at + 12) {
        at += 12 + u32::from_be_bytes(length.try_into().expect("4 bytes")) as usize;
        if at + HEADER_BYTES > contents.len() || contents[at + 16] != 2 {
            break;
        }
        starts.push(at);
    }
    starts
}

/// Reads from every batch on, and by time; says how many reads failed.
pub async fn read_everything(scene: &Scene, storage: &Rc<Storage>) -> usize {
    let mut failed = 0;
    for index in 0..PARTITIONS {
        let replica = storage.replica(id(index)).expect("segments are not read at a start");
        let expected = scene.log(index);
        for at in 0..expected.len() {
            let before = allocation::mark();
            let read = storage.read(&replica, offset_of(&expected[at]), READ_BYTES).await;
            assert!(before.peak_bytes() <= MEMORY_MAX, "{} bytes to read", before.peak_bytes());
            match read {
                Ok(pieces) => check_read(&pieces.concat(), &expected[at..]),
                Err(_) => failed += 1,
            }
        }
        failed += look_up_times(storage, &replica, &expected).await;
    }
    failed
}

fn check_read(bytes: &[u8], expected: &[Vec<u8>]) {
    let batches = plain::split(bytes);
    assert!(!batches.is_empty() && batches.len() <= expected.len());
    for (batch, expected) in batches.into_iter().zip(expected) {
        let offsets = |batch: &[u8]| (offset_of(batch), offset_behind(batch));
        // The leader's epoch is not covered by the CRC, and there is nothing else to tell that it rotted.
        let same = batch[..LEADER_EPOCH_AT] == expected[..LEADER_EPOCH_AT]
            && batch[LEADER_EPOCH_AT + 4..] == expected[LEADER_EPOCH_AT + 4..];
        assert!(same, "other bytes: {:?} instead of {:?}", offsets(batch), offsets(expected));
    }
}

/// What is found by time is a batch of the log. It may be a later one than it should, or none: a time index has no
/// checksum, and nothing to hold it against.
async fn look_up_times(storage: &Rc<Storage>, replica: &Rc<Replica>, expected: &[Vec<u8>]) -> usize {
    let mut failed = 0;
    for batch in expected.iter().step_by(7) {
        let time = i64::from_be_bytes(batch[35..43].try_into().expect("8 bytes"));
        match storage.batch_for_time(replica, time).await {
            Ok(found) => {
                assert!(found.is_none_or(|found| expected.iter().any(|batch| batch[16..] == found[16..])))
            }
            Err(_) => failed += 1,
        }
    }
    failed
}

fn run(seed: u64, endings: &[&str]) -> usize {
    let mut random = Random::new(seed);
    let scene = written(seed, &mut random);
    scene.run(async {
        let paths = files(&scene, endings).await;
        damage(&scene, &mut random, &paths).await;
        let storage = scene.open().await.expect("segments are not read at a start");
        read_everything(&scene, &storage).await
    })
}

#[test]
fn segments() {
    seeds::for_each("segments", 0..SEEDS, |seed| {
        run(seed, &["log"]);
    });
}

#[test]
fn indexes() {
    seeds::for_each("indexes", 0..SEEDS, |seed| {
        let failed = run(seed, &["index", "timeindex"]);
        assert_eq!(failed, 0, "reads failed for want of an index");
    });
}
