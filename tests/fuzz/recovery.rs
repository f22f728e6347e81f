//! Recovery from a journal and from checkpoints that were damaged: it reports damage, or stops where the log was
//! whole. What it gives back is always what the log was at some moment; it never panics, and it ends.

use std::rc::Rc;

use corelane::base::limits::BLOCK_BYTES;
use corelane::log::LogError;
use corelane::shard::Storage;

use super::disk::{PARTITIONS, Scene, checkpoint_files, id, journal_files};
use super::random::Random;
use super::{allocation, seeds};

const SEEDS: u64 = 60;
/// What recovery may hold: the journal twice, and what the simulated machine takes for its own.
const MEMORY_MAX: usize = 8 << 20;

/// Files of a moment, in the order of their paths.
pub type Contents = Vec<Vec<u8>>;

/// A shard that was written to until the power went, and its journal as it was at some time before.
pub fn written(seed: u64, random: &mut Random) -> (Scene, Contents) {
    let scene = Scene::new(seed, 40);
    let mut stale = Contents::new();
    for _ in 0..=random.below(2) {
        scene.run(async {
            let storage = scene.open().await.expect("an undamaged disk");
            scene.write(&storage, random, 40).await;
            stale = read_all(&scene, &journal_files()).await;
            let more = random.below(40);
            scene.write(&storage, random, more).await;
            if random.once_in(4) {
                storage.stop().await.expect("stopped");
            } else {
                for index in 0..random.below(4) as i32 {
                    let replica = storage.replica(id(index % PARTITIONS)).expect("open");
                    // One that is refused leaves nothing behind.
                    let _ = scene.append(&storage, &replica, random).await;
                    scene.runtime.yield_now().await;
                }
            }
        });
        scene.world.crash();
        let survived = scene.run(async {
            let storage = scene.open().await.expect("an undamaged disk");
            scene.changes_in(&scene.logs(&storage).await)
        });
        assert!(survived >= scene.acknowledged());
        scene.go_on_from(survived);
        scene.world.crash();
    }
    (scene, stale)
}

/// Without the space that checkpoints keep behind their ends: there is nothing to damage.
pub async fn read_all(scene: &Scene, paths: &[std::path::PathBuf]) -> Contents {
    let mut contents = Contents::new();
    for path in paths {
        let mut bytes = scene.contents(path).await;
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if paths == checkpoint_files() {
            bytes.truncate(used.next_multiple_of(BLOCK_BYTES));
        }
        contents.push(bytes);
    }
    contents
}

/// Opens the shard on damaged files. What it then says it has, it has had; and it goes on from there.
fn check(scene: &Scene, random: &mut Random) -> Option<usize> {
    let before = allocation::mark();
    let opened = scene.run(scene.open());
    let peak = before.peak_bytes();
    assert!(peak <= MEMORY_MAX, "{peak} bytes to recover");
    let storage = opened.ok()?;
    let changes = scene.run(async { scene.changes_in(&scene.logs(&storage).await) });
    if storage.check_in_service().is_err() {
        // Damage among acknowledged groups: what is before it is read, and nothing is said of the rest.
        return None;
    }
    go_on(scene, random, &storage, changes);
    Some(changes)
}

/// Whatever was lost: what is acknowledged from now on survives the next crash.
fn go_on(scene: &Scene, random: &mut Random, storage: &Rc<Storage>, changes: usize) {
    if (0..PARTITIONS).any(|index| storage.damage(id(index)).is_some()) {
        return;
    }
    scene.go_on_from(changes);
    scene.run(scene.write(storage, random, 10));
    scene.world.crash();
    let logs = scene.run(async {
        let storage = scene.open().await.unwrap_or_else(|error| panic!("the start after that: {error}"));
        scene.logs(&storage).await
    });
    assert!(logs.iter().all(Option::is_some), "damage is noticed only after another start");
    assert_eq!(scene.changes_in(&logs), scene.acknowledged());
}

#[test]
fn journal() {
    seeds::for_each("journal", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let (scene, stale) = written(seed, &mut random);
        scene.run(damage(&scene, &mut random, &journal_files(), &stale));
        check(&scene, &mut random);
    });
}

/// One spot of rot: the last group may look torn, and nothing else is lost without a word.
#[test]
fn rot() {
    seeds::for_each("rot", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let (scene, _) = written(seed, &mut random);
        let (path, position) = (random.pick(&journal_files()).clone(), random.next());
        let acknowledged = scene.acknowledged();
        let length = scene.run(scene.contents(&path)).len() as u64;
        scene.world.rot(&path, position % length);
        let kept = check(&scene, &mut random);
        assert!(
            kept.is_none_or(|kept| kept + 1 >= acknowledged),
            "{kept:?} of {acknowledged} changes are left"
        );
    });
}

#[test]
fn checkpoint() {
    seeds::for_each("checkpoint", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let (scene, _) = written(seed, &mut random);
        let acknowledged = scene.acknowledged();
        scene.run(async {
            let paths = checkpoint_files();
            let stale = read_all(&scene, &paths).await;
            damage(&scene, &mut random, &paths, &stale).await;
        });
        let kept = check(&scene, &mut random);
        // The journal is as it was: all is there, or the start is refused.
        assert!(kept.is_none_or(|kept| kept == acknowledged), "{kept:?} of {acknowledged} changes are left");
    });
}

/// Damages the files in one to three places.
pub async fn damage(scene: &Scene, random: &mut Random, paths: &[std::path::PathBuf], stale: &Contents) {
    let mut contents = read_all(scene, paths).await;
    for _ in 0..=random.below(3) {
        damage_once(random, &mut contents, stale);
    }
    for (path, contents) in paths.iter().zip(&contents) {
        scene.replace(path, contents).await;
    }
}

fn damage_once(random: &mut Random, contents: &mut Contents, stale: &Contents) {
    let which = random.below(contents.len());
    let blocks = contents[which].len() / BLOCK_BYTES;
    if blocks == 0 {
        return;
    }
    let at = random.below(blocks) * BLOCK_BYTES;
    let block = at..at + BLOCK_BYTES;
    match random.below(8) {
        0..=2 => {
            let at = random.below(contents[which].len());
            contents[which][at] ^= 1 << random.below(8);
        }
        3 => contents[which][block].fill(0),
        // A write that went to another place, or never came.
        4 => {
            let other = random.pick(contents).clone();
            let from = random.below((other.len() / BLOCK_BYTES).max(1)) * BLOCK_BYTES;
            if let Some(other) = other.get(from..from + BLOCK_BYTES) {
                contents[which][block].copy_from_slice(other);
            }
        }
        5 => {
            if let Some(old) = stale[which].get(block.clone()) {
                contents[which][block].copy_from_slice(old);
            }
        }
        6 => contents[which].clone_from(&stale[which]),
        _ => {
            let length = random.below(contents[which].len());
            contents[which].truncate(length);
        }
    }
}

#[test]
fn an_undamaged_shard_is_whole() {
    let mut random = Random::new(1);
    let (scene, _) = written(1, &mut random);
    let acknowledged = scene.acknowledged();
    assert!(acknowledged > 20);
    assert_eq!(check(&scene, &mut random), Some(acknowledged));
    let gone = checkpoint_files();
    scene.run(async {
        for path in &gone {
            scene.replace(path, &[]).await;
        }
    });
    assert!(matches!(scene.run(scene.open()), Err(LogError::NoCheckpoint { .. })));
}
