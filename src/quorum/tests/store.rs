//! The store in redb against what it stands for.

use std::path::Path;

use proptest::prelude::*;
use redb::backends::InMemoryBackend;

use super::samples::{deed, persist};
use crate::quorum::{QuorumStore, QuorumStoreError, State, Stored};

fn founding() -> Stored {
    let mut records = State::default();
    records.put("cluster".to_owned(), b"one".as_slice().into());
    Stored::founding(1, vec![1, 2, 3], records)
}

fn in_memory() -> QuorumStore {
    QuorumStore::open_in(InMemoryBackend::new(), Path::new("in memory")).expect("memory")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn it_holds_what_was_made_durable(deeds in prop::collection::vec(deed(), 1..12)) {
        let (mut store, mut stored) = (in_memory(), founding());
        store.begin(&stored).expect("memory");
        for (number, deed) in (2..).zip(&deeds) {
            let persist = persist(&stored, number, deed);
            stored.take(&persist);
            store.persist(&persist).expect("memory");
            prop_assert_eq!(stored.fault(), None);
            prop_assert_eq!(store.load().expect("it was written"), Some(stored.clone()));
        }
    }
}

#[test]
fn a_file_is_found_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("quorum.redb");
    let mut store = QuorumStore::open(&path).expect("a store");
    assert_eq!(store.load().expect("a store"), None, "it was not begun");
    store.begin(&founding()).expect("a store");
    drop(store);
    let store = QuorumStore::open(&path).expect("a store");
    assert_eq!(store.load().expect("a store"), Some(founding()));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let mut store = in_memory();
    let mut stored = founding();
    stored.head.checksum ^= 1;
    store.begin(&stored).expect("memory");
    let error = store.load().expect_err("the checksum is another");
    assert!(matches!(&error, QuorumStoreError::Damaged { .. }), "{error}");
    let mut stored = founding();
    stored.head.commit = 7;
    assert!(stored.fault().is_some(), "entries are missing");
}
