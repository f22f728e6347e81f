//! What no crash does: synced bytes rot, a write goes astray, a device is lost or is an older image of itself. Not
//! everything survives that. But what is served is what was written, damage stays where it is, and what is known to
//! have been acknowledged does not vanish without a word.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use corelane::base::ids::PartitionId;
use corelane::protocol::batch::Batches;
use corelane::runtime::OpenMode;
use corelane::runtime::sim::WrittenFile;
use corelane::shard::{Replica, Storage};

use super::check::check_all;
use super::cluster::Cluster;
use super::compacted::Stretch;
use super::journal_view::{Found, groups, has_cut_durable};
use super::life::{Life, Weather};
use super::model::PartitionModel;
use super::node::{batch_of, produce};
use super::workload::SharedModel;

/// What a start found of the partitions.
#[derive(Default)]
struct Outcome {
    /// Names of those of which something is reported damaged.
    damaged: BTreeSet<String>,
    /// Whether a shard has said that its journal is damaged: it takes nothing more, and what is missing is no secret.
    is_reported: bool,
    /// Names of those of which acknowledged records, or a deletion of some, are gone without a word.
    lost: BTreeSet<String>,
}

/// Ends the run: a last life, and then the worst.
pub fn strike(cluster: &mut Cluster) {
    match cluster.world.random_below(9) {
        0..5 => rot(cluster),
        5 => misdirect(cluster),
        6 => lose_device(cluster),
        _ => swap_device(cluster),
    }
}

fn live(cluster: &mut Cluster, weather: Weather) {
    let life = Life::before_disaster(&cluster.world, weather);
    cluster.live(life);
}

/// One bit of a journal, a checkpoint, a segment or an index flips.
fn rot(cluster: &mut Cluster) {
    live(cluster, Weather::Fair);
    let before = all_groups(cluster);
    let kind = ["journal", "journal", "journal", "checkpoint", "log", "index", "recoveries"]
        [cluster.world.random_below(7) as usize];
    cluster.world.note(kind, 0);
    let Some((path, position)) = place_of(cluster, kind) else { return };
    cluster.world.rot(&path, position);
    let Some(outcome) = start(cluster, false) else {
        assert!(kind == "journal" || kind == "checkpoint", "a rotten segment costs its partition only");
        return;
    };
    if outcome.is_reported {
        assert!(kind == "journal" || kind == "checkpoint", "a rotten segment costs its partition only");
        return;
    }
    let hit = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    for name in outcome.damaged.union(&outcome.lost) {
        let is_hit = hit.as_ref().is_some_and(|directory| directory.starts_with(name));
        let may_suffer = kind == "journal" || kind == "checkpoint" || (is_hit && kind == "log");
        assert!(may_suffer, "{name} suffers from rot in {}", path.display());
    }
    assert!(outcome.lost.is_empty() || kind == "journal", "lost without a word: {:?}", outcome.lost);
    check_not_cut(cluster, &before);
    go_on(cluster);
}

/// A byte of a file of some kind: of a journal, one of a group of the last lives mostly.
fn place_of(cluster: &Cluster, kind: &str) -> Option<(PathBuf, u64)> {
    let world = &cluster.world;
    let mut files: Vec<WrittenFile> =
        cluster.devices().into_iter().flat_map(|device| world.written_files(device)).collect();
    files.retain(|file| match kind {
        "checkpoint" | "recoveries" => file.path.file_stem().is_some_and(|stem| stem == kind),
        "index" => file.path.extension().is_some_and(|it| it == "index" || it == "timeindex"),
        _ => file.path.extension().is_some_and(|extension| extension == kind),
    });
    let any = |count: usize| world.random_below(count as u64) as usize;
    if kind == "journal" && !files.is_empty() && any(6) > 0 {
        let newest = place_in_newest(cluster, &files[any(files.len())].path.clone(), &files);
        // A journal of a shard that has just been made may hold nothing.
        if newest.is_some() {
            return newest;
        }
    }
    let file = files.get(any(files.len().max(1)))?;
    let position = file.sectors[any(file.sectors.len())] * 4096 + any(4096) as u64;
    Some((file.path.clone(), position.min(file.length - 1)))
}

/// A byte of one of the newest groups of this file's journal: of its header, or of its payloads.
fn place_in_newest(cluster: &Cluster, path: &Path, files: &[WrittenFile]) -> Option<(PathBuf, u64)> {
    let same_journal = files.iter().filter(|file| file.path.parent() == path.parent());
    let mut all: Vec<(&Path, Found)> = same_journal
        .flat_map(|file| {
            let found = groups(&contents(cluster, &file.path));
            found.into_iter().map(|group| (file.path.as_path(), group))
        })
        .collect();
    all.sort_by_key(|(_, group)| std::cmp::Reverse((group.recovery_count, group.sequence)));
    let any = |count: usize| cluster.world.random_below(count as u64) as usize;
    let (path, group) = all.get(any(all.len().clamp(1, 20)))?;
    let within = [any(128), any(128), any(4096)][any(3)];
    Some((path.to_path_buf(), group.position + within as u64))
}

/// A write goes elsewhere in its file while the shards work.
fn misdirect(cluster: &mut Cluster) {
    live(cluster, Weather::Misdirection);
    let before = all_groups(cluster);
    let Some(outcome) = start(cluster, false).filter(|outcome| !outcome.is_reported) else { return };
    if !outcome.lost.is_empty() {
        check_not_cut(cluster, &before);
    }
    go_on(cluster);
}

/// A device is gone: nothing starts, and nothing is made anew. When it is back, so is everything.
fn lose_device(cluster: &mut Cluster) {
    live(cluster, Weather::Fair);
    let device = cluster.devices()[cluster.world.random_below(2) as usize].to_owned();
    let image = cluster.world.image_of(&device);
    cluster.world.lose(&device);
    assert!(start(cluster, false).is_none(), "started without {}", device.display());
    cluster.world.replace(&device, &image);
    check_whole(cluster);
}

/// A device comes back as it was at some moment of the last life, or before that began. A journal that is as old as the
/// last start and the checkpoint cannot be told from one that a crash has cut there: then the logs are what they were.
fn swap_device(cluster: &mut Cluster) {
    let device = cluster.devices()[cluster.world.random_below(2) as usize].to_owned();
    let is_all = cluster.devices()[0] == cluster.devices()[1];
    let is_before_start = cluster.world.random_below(2) == 0;
    let old = Rc::new(RefCell::new(is_before_start.then(|| cluster.world.image_of(&device))));
    let taken = Rc::clone(&old);
    let (world, path) = (Rc::clone(&cluster.world), device.clone());
    cluster.beside = Some(Box::new(move |runtime| {
        let (runtime, taken) = (Rc::clone(runtime), Rc::clone(&taken));
        let (world, path) = (Rc::clone(&world), path.clone());
        Box::pin(async move {
            runtime.sleep(Duration::from_micros(runtime.random_u64() % 200_000)).await;
            if !is_before_start {
                *taken.borrow_mut() = Some(world.image_of(&path));
            }
        })
    }));
    if is_before_start && cluster.world.random_below(3) > 0 {
        // A start and no more: no checkpoint tells of it.
        check_whole(cluster);
    } else {
        live(cluster, Weather::Fair);
    }
    cluster.beside = None;
    let Some(old) = old.take() else { return };
    let [data, true_image] = [cluster.devices()[0], &device].map(|device| cluster.world.image_of(device));
    cluster.world.replace(&device, &old);
    match start(cluster, true).filter(|outcome| !outcome.is_reported) {
        None => {
            // A shard that missed nothing in its own journal has gone on with that: the one from before is the older
            // one for it now. So the data comes back too.
            cluster.world.replace(cluster.devices()[0], &data);
            cluster.world.replace(&device, &true_image);
            check_whole(cluster);
        }
        Some(outcome) => {
            let is_data = device == cluster.devices()[0] && !is_all;
            assert!(outcome.lost.is_empty() || !is_data, "the journal holds what the old data lacks");
            let is_known = is_before_start && !is_data && !is_all;
            assert!(!is_known, "the last start is on the other device, and nobody missed it in the journal");
            go_on(cluster);
        }
    }
}

/// Where a batch is that was acknowledged after the disaster, and what was read there.
struct Kept {
    id: PartitionId,
    offset: i64,
    bytes: Vec<u8>,
}

/// Life goes on: what is acknowledged from now on stays, over two more crashes.
fn go_on(cluster: &Cluster) {
    let mut kept: Vec<Kept> = Vec::new();
    for _ in 0..3 {
        let done = cluster.world.block_on(async {
            let storages = cluster.open().await.unwrap_or_else(|error| panic!("it started before: {error}"));
            for storage in &storages {
                cluster.runtime.spawn(Box::pin(Rc::clone(storage).maintain()));
            }
            for (model, storage) in cluster.members(&storages) {
                let id = model.borrow().id;
                let Some(replica) = storage.replica(id) else { continue };
                for Kept { offset, bytes, .. } in kept.iter().filter(|kept| kept.id == id) {
                    let found = storage.read(&replica, *offset, 1).await.map(|pieces| pieces.concat());
                    let name = &model.borrow().name;
                    assert!(found.is_ok_and(|found| found == *bytes), "{name}: what came after is gone");
                }
                let batch = batch_of(7, 2_000);
                let Ok(offset) = produce(storage, &replica, &batch).await else { continue };
                let bytes = storage.read(&replica, offset, 1).await.expect("it is in memory").concat();
                kept.push(Kept { id, offset, bytes });
            }
        });
        done.expect("no crash is armed");
        cluster.world.crash();
    }
}

fn check_whole(cluster: &Cluster) {
    let checked = cluster.world.block_on(async {
        let storages = cluster.open().await.unwrap_or_else(|error| panic!("recovery failed: {error}"));
        check_all(cluster, &storages).await;
    });
    checked.expect("no crash is armed");
    cluster.world.crash();
}

/// Starts and reads everything that can be read; `None` if it does not start. `is_back_in_time`: a log that is cut now
/// and then may be what it was before a cut.
fn start(cluster: &Cluster, is_back_in_time: bool) -> Option<Outcome> {
    let outcome = cluster.world.block_on(async {
        let storages = cluster.open_damaged().await.ok()?;
        let is_reported = storages.iter().any(|storage| storage.check_in_service().is_err());
        let mut outcome = Outcome { is_reported, ..Outcome::default() };
        for (model, storage) in cluster.members(&storages) {
            if is_back_in_time && model.borrow().is_cut {
                continue;
            }
            look_at(storage, model, &mut outcome).await;
        }
        Some(outcome)
    });
    cluster.world.crash();
    outcome.expect("no crash is armed")
}

async fn look_at(storage: &Rc<Storage>, model: &SharedModel, outcome: &mut Outcome) {
    let (id, name) = (model.borrow().id, model.borrow().name.clone());
    let Some(replica) = storage.replica(id) else {
        assert!(storage.damage(id).is_some(), "{name} is neither open nor damaged");
        outcome.damaged.insert(name);
        return;
    };
    // What is whole of it is there.
    let is_damaged = storage.damage(id).is_some();
    if is_damaged {
        outcome.damaged.insert(name.clone());
    }
    let progress = *replica.state.borrow().progress();
    let end = model.borrow().end();
    if model.borrow().is_cut && progress.log_end() > end {
        // A cut is gone, and nobody knows any more what stood behind it.
        outcome.lost.insert(name);
        return;
    }
    assert!(progress.log_end() <= end, "{name} has records from nowhere");
    let (acknowledged_end, log_start) = (model.borrow().acknowledged_end, model.borrow().log_start);
    let lacks = progress.log_end() < acknowledged_end || progress.log_start() < log_start;
    if lacks && !is_damaged {
        outcome.lost.insert(name.clone());
    }
    let mut offset = progress.log_start();
    while offset < progress.log_end() {
        match storage.read(&replica, offset, 20_000).await {
            Ok(pieces) => offset = compare(&model.borrow(), &replica, offset, &pieces.concat()),
            Err(_) => {
                outcome.damaged.insert(name.clone());
                offset = model.borrow().batch_at(offset).expect("held").last_offset + 1;
            }
        }
    }
}

/// What is served is what was written.
fn compare(model: &PartitionModel, replica: &Replica, offset: i64, bytes: &[u8]) -> i64 {
    if model.keyed.is_some() {
        let end = replica.state.borrow().progress().log_end();
        return model.check_compacted(offset, end, bytes, &mut Stretch::default());
    }
    assert!(!bytes.is_empty(), "{}: nothing at {offset}, {:?}", model.name, replica.id);
    assert!(
        model.bytes_from(offset, bytes.len()).starts_with(bytes),
        "{}: other bytes at {offset}",
        model.name
    );
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    let last = Batches::new(&bytes).map(|batch| batch.expect("whole").batch.header().last_offset()).last();
    last.expect("not empty") + 1
}

/// The groups of each shard's journal.
fn all_groups(cluster: &Cluster) -> Vec<Vec<Found>> {
    let of = |directory: &PathBuf| {
        let files = cluster.world.written_files(directory);
        files.iter().flat_map(|file| groups(&contents(cluster, &file.path))).collect()
    };
    cluster.journal_directories().iter().map(of).collect()
}

/// No recovery has cut off what some group says to have been durable.
fn check_not_cut(cluster: &Cluster, before: &[Vec<Found>]) {
    for (shard, (before, after)) in before.iter().zip(all_groups(cluster)).enumerate() {
        assert!(!has_cut_durable(before, &after), "shard {shard}: what was known to be durable was cut off");
    }
}

fn contents(cluster: &Cluster, path: &Path) -> Vec<u8> {
    let runtime = &cluster.runtime;
    let bytes = cluster.world.block_on(async {
        let file = runtime.open(path, OpenMode::Read).await.expect("exists");
        let length = file.length().await.expect("known") as usize;
        file.read_at(0, length.next_multiple_of(4096)).await.expect("read").as_slice().to_vec()
    });
    bytes.expect("no crash is armed")
}
