//! What was sent and acknowledged, against what is read. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::workload::Stamp;

/// Findings of each kind that are told one by one; all are counted.
const EXAMPLES_MAX: usize = 10;

/// One producer's records of one partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Stream {
    /// The producer.
    pub producer: u32,
    /// The partition, by its place in the cluster's list.
    pub partition: usize,
}

/// Something that is wrong with one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Acknowledged, and not there.
    Lost,
    /// There more than once.
    Duplicated,
    /// There behind a record that was sent after it.
    OutOfOrder,
    /// There with other bytes than were sent.
    Corrupted,
    /// There although it was never sent.
    NeverSent,
}

/// The outcome. Each record counts once for each thing that is wrong with it.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Verdict {
    /// Records that were sent, acknowledged or not.
    pub sent: u64,
    /// Records that were acknowledged.
    pub acknowledged: u64,
    /// Records that were read.
    pub read: u64,
    /// Records that are there without having been acknowledged, which is allowed: an answer may get lost.
    pub unacknowledged_present: u64,
    /// Acknowledged, in partitions that could not be read to their end: whether they are there is not known.
    pub unread: u64,
    /// Acknowledged records that are not there.
    pub lost: u64,
    /// Records read again after they were read once.
    pub duplicated: u64,
    /// Records read for the first time behind one that was sent after them.
    pub out_of_order: u64,
    /// Records whose checksum is wrong.
    pub corrupted: u64,
    /// Records with this run's mark that no producer sent.
    pub never_sent: u64,
    /// The first of each kind, with their sequence numbers.
    pub examples: Vec<(Finding, Stream, u64)>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        [self.lost, self.duplicated, self.out_of_order, self.corrupted, self.never_sent] == [0; 5]
    }

    fn note(&mut self, finding: Finding, stream: Stream, sequence: u64) {
        let count = match finding {
            Finding::Lost => &mut self.lost,
            Finding::Duplicated => &mut self.duplicated,
            Finding::OutOfOrder => &mut self.out_of_order,
            Finding::Corrupted => &mut self.corrupted,
            Finding::NeverSent => &mut self.never_sent,
        };
        *count += 1;
        if *count <= EXAMPLES_MAX as u64 {
            self.examples.push((finding, stream, sequence));
        }
    }
}

/// What is known of one record.
#[derive(Clone, Copy, Default, Debug)]
struct Entry {
    is_acknowledged: bool,
    is_read: bool,
}

/// All streams of a run.
#[derive(Default, Debug)]
pub struct Ledger {
    streams: BTreeMap<Stream, Vec<Entry>>,
    /// The highest sequence read, by stream.
    highest: BTreeMap<Stream, u64>,
    /// Partitions that were read to their end.
    complete: BTreeSet<usize>,
    verdict: Verdict,
}

impl Ledger {
    /// The next `count` records of a stream were sent.
    pub fn sent(&mut self, stream: Stream, count: u64) {
        let entries = self.streams.entry(stream).or_default();
        entries.resize(entries.len() + count as usize, Entry::default());
        self.verdict.sent += count;
    }

    /// `count` records of a stream, which were sent, are acknowledged.
    pub fn acknowledged(&mut self, stream: Stream, first: u64, count: u64) {
        let entries = self.streams.get_mut(&stream).expect("they were sent");
        for entry in &mut entries[first as usize..(first + count) as usize] {
            assert!(
                !entry.is_acknowledged,
                "acknowledged twice: the caller keeps a batch until it is answered"
            );
            entry.is_acknowledged = true;
        }
        self.verdict.acknowledged += count;
    }

    /// Takes over what another ledger knows of other streams.
    pub fn merge(&mut self, other: Ledger) {
        self.streams.extend(other.streams);
        self.verdict.sent += other.verdict.sent;
        self.verdict.acknowledged += other.verdict.acknowledged;
    }

    /// A record of this run was read, in the order of its partition.
    pub fn read(&mut self, partition: usize, stamp: Stamp, is_intact: bool) {
        let Stamp { producer, sequence, .. } = stamp;
        let stream = Stream { producer, partition };
        self.verdict.read += 1;
        if !is_intact {
            // Its numbers cannot be believed; what it was will be missed as lost.
            return self.verdict.note(Finding::Corrupted, stream, sequence);
        }
        let entry = self.streams.get_mut(&stream).and_then(|entries| entries.get_mut(sequence as usize));
        let Some(entry) = entry else { return self.verdict.note(Finding::NeverSent, stream, sequence) };
        if std::mem::replace(&mut entry.is_read, true) {
            return self.verdict.note(Finding::Duplicated, stream, sequence);
        }
        if !entry.is_acknowledged {
            self.verdict.unacknowledged_present += 1;
        }
        match self.highest.get_mut(&stream) {
            Some(highest) if sequence < *highest => self.verdict.note(Finding::OutOfOrder, stream, sequence),
            Some(highest) => *highest = sequence,
            None => {
                self.highest.insert(stream, sequence);
            }
        }
    }

    /// Says that a partition was read to its end: what was not found in it is lost.
    pub fn is_complete(&mut self, partition: usize) {
        self.complete.insert(partition);
    }

    /// The outcome, once everything was read.
    pub fn verdict(mut self) -> Verdict {
        for (stream, entries) in &self.streams {
            for (sequence, entry) in entries.iter().enumerate() {
                match entry.is_acknowledged && !entry.is_read {
                    false => {}
                    true if self.complete.contains(&stream.partition) => {
                        self.verdict.note(Finding::Lost, *stream, sequence as u64);
                    }
                    true => self.verdict.unread += 1,
                }
            }
        }
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: Stream = Stream { producer: 3, partition: 1 };

    /// Reads `sequences` of 100 records that were sent and of which the first 90 were acknowledged.
    fn verdict(sequences: &[u64]) -> Verdict {
        let mut ledger = Ledger::default();
        ledger.sent(STREAM, 100);
        ledger.acknowledged(STREAM, 0, 50);
        ledger.acknowledged(STREAM, 50, 40);
        for sequence in sequences {
            let stamp = Stamp { run: 1, producer: STREAM.producer, sequence: *sequence, intended_ns: 0 };
            ledger.read(STREAM.partition, stamp, true);
        }
        ledger.is_complete(STREAM.partition);
        ledger.verdict()
    }

    #[test]
    fn everything_acknowledged_in_order_is_clean() {
        let all = verdict(&(0..90).collect::<Vec<_>>());
        assert!(all.is_clean());
        assert_eq!((all.sent, all.acknowledged, all.read, all.unacknowledged_present), (100, 90, 90, 0));
        let more = verdict(&(0..95).collect::<Vec<_>>());
        assert!(more.is_clean());
        assert_eq!(more.unacknowledged_present, 5);
    }

    #[test]
    fn what_was_not_looked_for_is_not_lost() {
        let mut ledger = Ledger::default();
        ledger.sent(STREAM, 10);
        ledger.acknowledged(STREAM, 0, 8);
        ledger.read(STREAM.partition, Stamp { run: 1, producer: 3, sequence: 0, intended_ns: 0 }, true);
        let verdict = ledger.verdict();
        assert_eq!((verdict.lost, verdict.unread), (0, 7));
    }

    #[test]
    fn strangers_and_rot_are_found() {
        let mut ledger = Ledger::default();
        ledger.sent(STREAM, 2);
        let stamp = |producer, sequence| Stamp { run: 1, producer, sequence, intended_ns: 0 };
        ledger.read(STREAM.partition, stamp(3, 0), false);
        ledger.read(STREAM.partition, stamp(3, 2), true);
        ledger.read(0, stamp(3, 1), true);
        ledger.read(STREAM.partition, stamp(4, 0), true);
        let verdict = ledger.verdict();
        assert_eq!((verdict.corrupted, verdict.never_sent, verdict.lost), (1, 3, 0));
        assert!(!verdict.is_clean());
    }

    proptest! {
        #[test]
        fn planted_faults_are_counted_exactly(
            lost in proptest::collection::btree_set(0u64..90, 0..20),
            twice in proptest::collection::btree_set(0u64..90, 0..20),
            swap in proptest::option::of(0usize..60),
        ) {
            let mut sequences: Vec<u64> = Vec::new();
            for sequence in (0..90).filter(|sequence| !lost.contains(sequence)) {
                sequences.push(sequence);
                if twice.contains(&sequence) {
                    sequences.push(sequence);
                }
            }
            let duplicated = twice.difference(&lost).count() as u64;
            let mut out_of_order = 0;
            if let Some(at) = swap
                && sequences[at] != sequences[at + 1]
                // Swapping the copies of a duplicate across a neighbour is more than one fault.
                && !twice.contains(&sequences[at]) && !twice.contains(&sequences[at + 1])
            {
                sequences.swap(at, at + 1);
                out_of_order = 1;
            }
            let verdict = verdict(&sequences);
            prop_assert_eq!(verdict.lost, lost.len() as u64);
            prop_assert_eq!(verdict.duplicated, duplicated);
            prop_assert_eq!(verdict.out_of_order, out_of_order);
            prop_assert_eq!(verdict.is_clean(), lost.is_empty() && duplicated == 0 && out_of_order == 0);
        }
    }
}
