//! What a partition's directory must hold: the segments of its log, with indexes as Kafka's tools want them, and
//! nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use corelane::base::ids::Offset;
use corelane::base::limits::BLOCK_BYTES;
use corelane::log::segment::{SegmentName, path};
use corelane::protocol::batch::{BatchHeader, Batches};
use corelane::runtime::{OpenMode, Runtime};
use corelane::shard::Replica;

use super::compacted::Stretch;
use super::workload::Actor;

/// Files in a partition's directory that belong to no segment of its log.
pub async fn orphans(runtime: &Rc<dyn Runtime>, replica: &Replica) -> Vec<PathBuf> {
    let (directory, known) = {
        let log = replica.log.borrow();
        let known: BTreeSet<SegmentName> = log.segments().map(|segment| segment.name()).collect();
        (log.directory().to_owned(), known)
    };
    let mut paths = runtime.list_dir(&directory).await.expect("listed");
    paths.retain(|path| !path::segment_of(path).is_some_and(|name| known.contains(&name)));
    paths
}

/// Waits until what was removed from the log, or left by a crash, is gone.
pub async fn wait_no_orphans(actor: &Actor) {
    for _ in 0..500 {
        if orphans(&actor.runtime, &actor.replica).await.is_empty() {
            return;
        }
        actor.runtime.sleep(Duration::from_millis(10)).await;
    }
    panic!("files stay: {:?}", orphans(&actor.runtime, &actor.replica).await);
}

/// After a clean stop the segment files are the log, no more and no less.
pub async fn check_files(actor: &Actor) {
    let (directory, segments): (_, Vec<_>) = {
        let log = actor.replica.log.borrow();
        let segments = log.segments().map(|it| (it.name(), it.end_position, it.sealed));
        (log.directory().to_owned(), segments.collect())
    };
    let mut found = Vec::new();
    for &(name, length, is_sealed) in &segments {
        let path = path::log_file(&directory, name);
        let bytes = contents(&actor.runtime, &path).await.expect("exists");
        assert_eq!(bytes.len() as u64, length, "cut to its exact length");
        if is_sealed {
            check_indexes(&actor.runtime, &path, name.base, &bytes).await;
        }
        found.extend_from_slice(&bytes);
    }
    let Some((first, ..)) = segments.first() else { return };
    let model = actor.model.borrow();
    if model.keyed.is_some() {
        model.check_compacted(first.base, model.end(), &found, &mut Stretch::default());
        return;
    }
    let expected = model.bytes_from(first.base, usize::MAX);
    assert!(found == expected, "the files hold the log, no more and no less");
}

async fn contents(runtime: &Rc<dyn Runtime>, path: &Path) -> Option<Vec<u8>> {
    let file = runtime.open(path, OpenMode::Read).await.ok()?;
    let length = file.length().await.expect("known") as usize;
    let bytes = file.read_at(0, length.max(1).next_multiple_of(BLOCK_BYTES)).await.expect("read");
    Some(bytes.as_slice().to_vec())
}

/// What `kafka-dump-log.sh` checks of a sealed segment's indexes. A disk that refused them may have left none.
async fn check_indexes(runtime: &Rc<dyn Runtime>, log_file: &Path, base: Offset, segment: &[u8]) {
    let offsets = contents(runtime, &log_file.with_extension("index")).await;
    let times = contents(runtime, &log_file.with_extension("timeindex")).await;
    let (Some(offsets), Some(times)) = (offsets, times) else { return };
    let segment = bytes::Bytes::copy_from_slice(segment);
    let batches: Vec<(u64, BatchHeader)> = Batches::new(&segment)
        .map(|batch| batch.expect("whole"))
        .map(|batch| (batch.position as u64, *batch.batch.header()))
        .collect();
    for row in offsets.chunks_exact(8) {
        let last_offset = base + i64::from(u32::from_be_bytes(row[..4].try_into().expect("4 bytes")));
        let position = u64::from(u32::from_be_bytes(row[4..].try_into().expect("4 bytes")));
        let (_, header) = batches.iter().find(|(at, _)| *at == position).expect("a batch begins there");
        assert_eq!(header.last_offset(), last_offset);
    }
    // Compaction may have left a batch without records, or nothing at all.
    let largest = batches.iter().map(|(_, header)| header.max_timestamp).max().unwrap_or(-1);
    let mut previous = -1;
    for row in times.chunks_exact(12) {
        let timestamp = i64::from_be_bytes(row[..8].try_into().expect("8 bytes"));
        let offset = base + i64::from(u32::from_be_bytes(row[8..].try_into().expect("4 bytes")));
        let found = batches.iter().find(|(_, header)| header.last_offset() == offset);
        assert_eq!(found.expect("a batch ends there").1.max_timestamp, timestamp);
        assert!(timestamp > previous, "times only grow");
        previous = timestamp;
    }
    assert_eq!(previous, largest, "the last row has the segment's largest timestamp");
}
