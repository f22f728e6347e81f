//! Messages, states and transactions of all kinds.

use proptest::prelude::*;

use crate::quorum::{
    Body, Change, Chunk, Entry, EntryKind, Head, IndexedEntry, Members, Message, Persist, State, Stored,
};

pub fn entries() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(entry(), 0..5)
}

pub fn entry() -> impl Strategy<Value = Entry> {
    (1..9_u64, any::<bool>(), prop::collection::vec(any::<u8>(), 0..30)).prop_map(|(term, members, data)| {
        Entry { term, kind: if members { EntryKind::Members } else { EntryKind::Command }, data }
    })
}

fn members() -> impl Strategy<Value = Members> {
    (prop::collection::vec(1..99_u64, 0..5), prop::collection::vec(1..99_u64, 0..3))
        .prop_map(|(voters, learners)| Members { voters, learners })
}

pub fn message() -> impl Strategy<Value = Message> {
    let number = 0..1_000_000_u64;
    let four = (number.clone(), number.clone(), number.clone(), number);
    let records = prop::collection::vec(("[a-z]{1,8}", prop::collection::vec(any::<u8>(), 0..9)), 0..4);
    let chunk = (members(), records, any::<bool>());
    (0..12_u8, four, any::<(bool, bool)>(), entries(), chunk).prop_map(
        |(kind, (a, b, c, d), (flag, other), entries, (members, records, is_last))| {
            let body = match kind {
                0 => Body::Append { previous_index: a, previous_term: b, commit: c, entries },
                1 => Body::Appended { index: a, commit: b },
                2 => Body::Refused { index: a, hint_index: b, hint_term: c, commit: d },
                3 => Body::Vote {
                    trial: flag,
                    transfer: other,
                    last_index: a,
                    last_term: b,
                    commit: c,
                    commit_term: d,
                },
                4 => Body::Voted { trial: flag, granted: other, commit: a, commit_term: b },
                5 => Body::Heartbeat { commit: a, read: b },
                6 => Body::HeartbeatReply { commit: a, read: b },
                7 => Body::ReadIndex { read: a },
                8 => Body::ReadIndexReply { read: a, index: b },
                9 => Body::TakeOver,
                10 => {
                    let (index, entry_term, checksum, number) = (a, b, c, d);
                    Body::Chunk(Chunk { index, entry_term, members, checksum, number, is_last, records })
                }
                _ => Body::ChunkReply { index: a, next: b },
            };
            Message { term: a.max(1), body }
        },
    )
}

pub fn change() -> impl Strategy<Value = Change> {
    let put = ("[a-d]{1,2}", prop::collection::vec(any::<u8>(), 0..5));
    prop_oneof![
        3 => put.prop_map(|(key, value)| Change::Put { key, value }),
        1 => ("[a-d]{1,2}", "[a-d]{1,2}").prop_map(|(from, to)| Change::Remove { from, to }),
    ]
}

/// A store's life: each element is what the next transaction does.
#[derive(Clone, Debug)]
pub struct Deed {
    pub changes: Vec<Change>,
    pub entries: Vec<Entry>,
    /// How many of the log's last entries the new ones replace.
    pub overlap: usize,
    /// Whether a snapshot comes first.
    pub snapshot: Option<Vec<Change>>,
    pub trims: bool,
}

pub fn deed() -> impl Strategy<Value = Deed> {
    let changes = || prop::collection::vec(change(), 0..4);
    (changes(), entries(), 0..3_usize, prop::option::weighted(0.2, changes()), any::<bool>()).prop_map(
        |(changes, entries, overlap, snapshot, trims)| Deed { changes, entries, overlap, snapshot, trims },
    )
}

/// The transaction of a deed on what is stored.
pub fn persist(stored: &Stored, number: u64, deed: &Deed) -> Persist {
    let mut head = Head { term: number, vote: number % 3, ..stored.head.clone() };
    let mut records = stored.records.clone();
    let mut last = stored.entries.last().map_or(head.trimmed_index, |entry| entry.index);
    let replacement = deed.snapshot.as_ref().map(|changes| {
        records = State::default();
        changes.iter().for_each(|change| records.apply(change));
        last += 5;
        head.trimmed_index = last;
        std::sync::Arc::new(records.clone())
    });
    let first = last + 1 - (deed.overlap as u64).min(last - head.trimmed_index);
    let numbered = deed.entries.iter().cloned().zip(first..);
    let entries: Vec<_> = numbered.map(|(entry, index)| IndexedEntry { index, entry }).collect();
    deed.changes.iter().for_each(|change| records.apply(change));
    head.checksum = records.checksum();
    let end = entries.last().map_or(last, |entry| entry.index);
    (head.commit, head.applied_index) = (end, end);
    if deed.trims {
        head.trimmed_index = head.trimmed_index.max(end.saturating_sub(2));
    }
    Persist { number, replacement, changes: deed.changes.clone(), entries, head }
}
