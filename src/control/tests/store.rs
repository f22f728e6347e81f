//! The store keeps what it was given, says what is wrong, and lets deletions through on a full disk.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use redb::{Database, TableDefinition};
use uuid::Uuid;

use super::super::lone_quorum::LoneQuorum;
use super::super::record_text::image_of;
use super::super::store::{MetadataStore, Space, StoreError};
use super::{NODE, topic};
use crate::base::ids::TopicId;
use crate::base::limits::{BALLAST_BYTES_MIN, LONE_QUORUM_LOG_ENTRIES_MAX, REGISTRATION_PIECE_BYTES};
use crate::cluster::{
    Change, ClusterRecord, DiskId, Draft, Image, Incarnation, KafkaUuid, METADATA_FORMAT_OF_CLUSTERS,
    METADATA_FORMAT_VERSION, Placing, TopicDefaults, TopicRef, begin_incarnation, create_topics,
    delete_topics,
};
use crate::config::Advertise;
use crate::quorum::{QuorumStore, State};

pub(super) const DISK: DiskId = DiskId(Uuid::from_u128(5));

pub(super) fn cluster() -> ClusterRecord {
    ClusterRecord { format_version: METADATA_FORMAT_VERSION, cluster_id: KafkaUuid(Uuid::from_u128(4)) }
}

/// The changes that create topics of so many partitions, and the image after them.
pub(super) fn creating(image: &Image, topics: &[(&str, i32)]) -> (Vec<Change>, Image) {
    let mut draft = Draft::of(image);
    let new: Vec<_> = topics.iter().map(|(name, partitions)| topic(name, *partitions)).collect();
    let placing = Placing {
        node: NODE,
        disk: DISK,
        shards: 2,
        advertise: Advertise::Shard,
        num_partitions: 1,
        default_replication_factor: 1,
        replicas_max: crate::base::limits::REPLICAS_PER_PARTITION_MAX,
        defaults: TopicDefaults::default(),
    };
    let mut id = image.topics().len() as u128;
    let mut new_id = || {
        id += 1;
        TopicId(Uuid::from_u128(id))
    };
    let results = create_topics(&mut draft, &new, &placing, 0, &mut new_id);
    assert!(results.iter().all(Result::is_ok));
    (draft.changes().to_vec(), draft.finish())
}

fn deleting(image: &Image, name: &str) -> (Vec<Change>, Image) {
    let mut draft = Draft::of(image);
    assert!(delete_topics(&mut draft, &[TopicRef::Name(name.into())])[0].is_ok());
    (draft.changes().to_vec(), draft.finish())
}

/// Whether the store, read anew, holds what `image` does; its version counts since the start.
fn assert_holds(store: &LoneQuorum, image: &Image) {
    let loaded = store.load().expect("a sound store");
    assert!(loaded.topics().eq(image.topics()) && loaded.nodes().eq(image.nodes()));
    assert_eq!(loaded.cluster(), image.cluster());
    assert_eq!(loaded.next_producer_id(), image.next_producer_id());
}

/// A store with three topics, and the image of it.
fn populated(dir: &Path) -> Image {
    let mut store = LoneQuorum::create(dir, cluster(), DISK).unwrap();
    let mut draft = Draft::of(&store.load().unwrap());
    begin_incarnation(&mut draft, &Incarnation { node: NODE, disk: DISK, incarnation: 1, shards: 2 })
        .unwrap();
    draft.allocate_producer_ids();
    store.commit(draft.changes(), Space::Spend).unwrap();
    let (changes, image) = creating(&draft.finish(), &[("a", 3), ("a2", 11), ("b", 1)]);
    store.commit(&changes, Space::Spend).unwrap();
    assert_holds(&store, &image);
    image
}

#[test]
fn what_is_committed_is_there_after_a_clean_close_and_after_none() {
    let dir = tempfile::tempdir().unwrap();
    let image = populated(dir.path());
    let mut store = LoneQuorum::open(dir.path(), DISK).unwrap();
    assert_holds(&store, &image);

    let (changes, image) = deleting(&image, "a");
    store.commit(&changes, Space::Essential).unwrap();
    let (changes, image) = creating(&image, &[("c", 2)]);
    store.commit(&changes, Space::Spend).unwrap();
    // As kill -9 leaves it: nothing of what closing does has been done.
    std::mem::forget(store);
    let store = LoneQuorum::open(dir.path(), DISK).unwrap();
    assert_holds(&store, &image);
    assert!(image.topic_named("a").is_none() && image.topic_named("a2").is_some());
}

#[test]
fn ten_thousand_partitions() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = LoneQuorum::create(dir.path(), cluster(), DISK).unwrap();
    let begun = std::time::Instant::now();
    let (changes, image) = creating(&store.load().unwrap(), &[("big", 10_000)]);
    store.commit(&changes, Space::Spend).unwrap();
    let created = begun.elapsed();
    drop(store);
    let begun = std::time::Instant::now();
    let mut store = LoneQuorum::open(dir.path(), DISK).unwrap();
    assert_holds(&store, &image);
    let reopened = begun.elapsed();
    let begun = std::time::Instant::now();
    let mut draft = Draft::of(&image);
    begin_incarnation(&mut draft, &Incarnation { node: NODE, disk: DISK, incarnation: 1, shards: 3 })
        .unwrap();
    store.register(draft.changes()).unwrap();
    assert_holds(&store, &draft.finish());
    println!(
        "10,000 partitions: created in {created:?}, opened in {reopened:?}, dealt anew in {:?}",
        begun.elapsed()
    );
    println!("{} bytes", fs::metadata(dir.path().join("metadata.redb")).unwrap().len());
}

#[test]
fn a_store_that_is_gone_or_empty_is_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(LoneQuorum::open(dir.path(), DISK), Err(StoreError::Missing { .. })));
    fs::write(dir.path().join("metadata.redb"), b"").unwrap();
    assert!(matches!(LoneQuorum::open(dir.path(), DISK), Err(StoreError::Damaged { .. })));
    fs::write(dir.path().join("metadata.redb"), b"not a database at all").unwrap();
    assert!(LoneQuorum::open(dir.path(), DISK).is_err());
}

#[test]
fn a_later_format_is_refused_before_anything_else_is_read() {
    let dir = tempfile::tempdir().unwrap();
    populated(dir.path());
    let later = METADATA_FORMAT_OF_CLUSTERS + 1;
    {
        // Where every version looks, whatever it keeps elsewhere.
        let records: TableDefinition<&str, &[u8]> = TableDefinition::new("records");
        let database = Database::open(dir.path().join("metadata.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        let value = format!(r#"{{"format_version":{later},"something":"new"}}"#);
        transaction.open_table(records).unwrap().insert("cluster", value.as_bytes()).unwrap();
        transaction.delete_table(TableDefinition::<&str, &[u8]>::new("quorum")).unwrap();
        transaction.commit().unwrap();
    }
    let error = LoneQuorum::open(dir.path(), DISK).err().expect("refused");
    assert!(matches!(error, StoreError::OtherFormat { found, .. } if found == later));
    assert!(error.to_string().contains("start the version that wrote it"));
}

/// The records of a store with three topics, one of them replaced.
fn with_record(key: &str, value: &str) -> State {
    let dir = tempfile::tempdir().unwrap();
    populated(dir.path());
    let mut state = LoneQuorum::open(dir.path(), DISK).unwrap().state().clone();
    state.put(key.to_owned(), value.as_bytes().into());
    state
}

#[test]
fn records_that_make_no_sense_are_refused() {
    let missing_topic = format!("topic/{}/0000000000", Uuid::from_u128(99));
    let long = format!("\"{}\"", "x".repeat(70_000));
    for (key, value) in [
        ("cluster", "{}"),
        ("node/0000000001", "[]"),
        (
            "node/0000000002",
            r#"{"node":3,"incarnation":1,"disk":"00000000-0000-0000-0000-000000000005","shards":1}"#,
        ),
        ("producer_ids", r#"{"next_producer_id":-1}"#),
        ("producer_ids", &long),
        ("unheard-of", "{}"),
        (&missing_topic, "{}"),
    ] {
        let image = image_of(&with_record(key, value));
        assert!(image.is_err(), "{key} {value}: {image:?}");
    }
}

#[test]
fn a_record_may_have_fields_that_came_later() {
    let state = with_record("producer_ids", r#"{"next_producer_id":5000,"of_a_later_version":true}"#);
    assert_eq!(image_of(&state).unwrap().next_producer_id(), 5000);
}

#[test]
fn the_log_stays_short() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = LoneQuorum::create(dir.path(), cluster(), DISK).unwrap();
    let mut draft = Draft::of(&store.load().unwrap());
    let commits = 2 * LONE_QUORUM_LOG_ENTRIES_MAX + 10;
    for _ in 0..commits {
        let before = draft.changes().len();
        draft.allocate_producer_ids().expect("there are many");
        store.commit(&draft.changes()[before..], Space::Essential).unwrap();
    }
    assert_holds(&store, &draft.finish());
    drop(store);
    let stored = QuorumStore::open(&dir.path().join("metadata.redb")).unwrap().load().unwrap().unwrap();
    assert!(stored.entries.len() <= LONE_QUORUM_LOG_ENTRIES_MAX + 1, "{}", stored.entries.len());
    assert!(stored.head.applied_index as usize >= commits);
}

#[test]
fn what_is_too_long_for_a_proposal_is_refused_and_registered_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = LoneQuorum::create(dir.path(), cluster(), DISK).unwrap();
    let mut image = store.load().unwrap();
    let names: Vec<String> = (0..4).map(|number| format!("topic{number}")).collect();
    let mut all = Vec::new();
    for name in &names {
        let (changes, next) = creating(&image, &[(name.as_str(), 9_900)]);
        all.extend(changes);
        image = next;
    }
    let error = store.commit(&all, Space::Essential).unwrap_err();
    assert!(
        matches!(error, StoreError::TooLong { bytes } if bytes > REGISTRATION_PIECE_BYTES as u64),
        "{error}"
    );
    assert_eq!(store.load().unwrap().topics().len(), 0, "nothing of it was done");
    store.register(&all).unwrap();
    assert_holds(&store, &image);
    std::mem::forget(store);
    assert_holds(&LoneQuorum::open(dir.path(), DISK).unwrap(), &image);
}

#[test]
fn a_full_disk_takes_deletions_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let image = populated(dir.path());
    let ballast = dir.path().join("ballast");
    assert!(allocated(&ballast) >= BALLAST_BYTES_MIN, "really allocated");

    // A disk on which nothing is free but what the ballast lets go.
    let seen = Arc::new(AtomicU64::new(0));
    let free_bytes = {
        let seen = Arc::clone(&seen);
        move |_: &Path| Ok(seen.load(Ordering::Relaxed))
    };
    let mut store = LoneQuorum::open_with(dir.path(), DISK, Box::new(free_bytes)).unwrap();
    let (changes, _) = creating(&image, &[("c", 1)]);
    let refused = store.commit(&changes, Space::Spend).unwrap_err();
    assert!(matches!(refused, StoreError::DiskFull { .. }));
    assert!(refused.to_string().contains("delete topics"));
    assert_holds(&store, &image);

    let (changes, image) = deleting(&image, "a");
    store.commit(&changes, Space::Essential).unwrap();
    assert_holds(&store, &image);
    assert!(allocated(&ballast) >= BALLAST_BYTES_MIN, "held again");

    seen.store(u64::MAX, Ordering::Relaxed);
    let (changes, image) = creating(&image, &[("c", 1)]);
    store.commit(&changes, Space::Spend).unwrap();
    assert_holds(&store, &image);
}

fn allocated(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).unwrap().blocks() * 512
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn damage_is_found_and_never_a_panic(
        places in proptest::collection::vec((0.0..1.0f64, 1u8..), 1..40), cut in proptest::option::of(0.0..1.0f64),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let image = populated(dir.path());
        let path = dir.path().join("metadata.redb");
        let mut content = fs::read(&path).unwrap();
        // Half of the damage to the first pages, where there is something to damage.
        let length = content.len();
        for (at, (place, flip)) in places.iter().enumerate() {
            let within = if at % 2 == 0 { length } else { 4096 };
            content[(place * within as f64) as usize] ^= flip;
        }
        content.truncate(cut.map_or(length, |cut| (cut * length as f64) as usize));
        fs::write(&path, &content).unwrap();
        if let Ok(loaded) = LoneQuorum::open(dir.path(), DISK).and_then(|store| store.load()) {
            prop_assert!(loaded.topics().all(|topic| image.topics().any(|whole| whole == topic)));
        }
    }
}
