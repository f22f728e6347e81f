//! What must hold after every recovery: everything acknowledged is there, in order, with the same bytes; nothing
//! else is but what was sent; and what is known beside the records agrees with them.

use std::ops::Range;
use std::rc::Rc;

use corelane::base::ids::PartitionId;
use corelane::log::snapshot::StateSnapshot;
use corelane::protocol::batch::BatchHeader;
use corelane::shard::Storage;

use super::cluster::Cluster;
use super::compacted::Stretch;
use super::workload::{Actor, check_read, check_stretch};

/// Everything that a recovery decides about a partition, but for what depends on when it was.
pub type Recovered = Vec<(PartitionId, StateSnapshot)>;

/// What two recoveries in a row must agree on.
pub fn recovered(cluster: &Cluster, storages: &[Rc<Storage>]) -> Recovered {
    let one = |id: PartitionId, storage: &Storage| {
        let mut state = storage.replica(id).expect("open").state.borrow().snapshot();
        state.producers.iter_mut().for_each(|producer| producer.last_update_ms = 0);
        // The term that has just begun.
        let log_end = state.log_end_offset;
        state.epochs.retain(|term| term.start_offset < log_end);
        (id, state)
    };
    cluster.members(storages).map(|(model, storage)| one(model.borrow().id, storage)).collect()
}

/// See the module.
pub async fn check_all(cluster: &Cluster, storages: &[Rc<Storage>]) {
    for (model, storage) in cluster.members(storages) {
        let actor = cluster.actor(storage, model);
        let state = actor.replica.state.borrow().snapshot();
        let (log_start, log_end) = (state.log_start_offset, state.log_end_offset);
        assert_eq!(state.high_watermark, log_end, "all that was recovered is committed");
        model.borrow_mut().recovered(log_start, log_end);
        model.borrow().check_state(&state);
        let (mut offset, mut stretch) = (log_start, Stretch::default());
        while offset < log_end {
            offset = check_stretch(&actor, offset, 30_000, &mut stretch).await;
        }
        if model.borrow().keyed.is_some() {
            model.borrow().check_deleted(log_start, &stretch);
            let is_shorter = model.borrow().is_shorter(log_start..log_end, &stretch);
            cluster.is_compacted.set(cluster.is_compacted.get() || is_shorter);
        }
        check_look_ups(&actor, log_start..log_end, &stretch).await;
    }
}

/// Reads that begin anywhere and take little, and look-ups by time.
async fn check_look_ups(actor: &Actor, offsets: Range<i64>, stretch: &Stretch) {
    let world = &actor.world;
    for _ in 0..8 {
        if !offsets.is_empty() {
            let count = (offsets.end - offsets.start) as u64;
            let offset = offsets.start + world.random_below(count) as i64;
            check_read(actor, offset, world.random_below(6_000) as usize).await;
        }
        let timestamp = world.random_below(1_001_000) as i64;
        let found = actor.storage.batch_for_time(&actor.replica, timestamp).await.expect("looked up");
        let model = actor.model.borrow();
        if model.keyed.is_some() {
            let base_of = |batch: &[u8]| BatchHeader::parse(batch).expect("whole").base_offset;
            let is_late =
                |header: &&BatchHeader| header.max_timestamp >= timestamp && header.record_count > 0;
            let expected = stretch.headers.iter().find(is_late);
            let expected = expected.map(|header| header.base_offset);
            assert_eq!(found.as_deref().map(base_of), expected, "{}: at {timestamp} ms", model.name);
            continue;
        }
        let expected = model.batch_for_time(timestamp).map(|batch| &batch.bytes[..]);
        assert!(found.as_deref() == expected, "partition {}: another batch at {timestamp} ms", model.name);
    }
}
