//! Random histories of a partition against a model that keeps nothing but the log and the journal, and answers
//! every question by looking through them.

use proptest::prelude::*;

use super::test_support::produced;
use super::{AppendDecision, AppendError, Partition, ProducerError};
use crate::log::snapshot::StateSnapshot;
use crate::protocol::batch::{BatchHeader, advance_sequence};

#[derive(Clone, Debug)]
enum Step {
    /// A producer sends its next batch (`skew` 0), one from its past, one after a gap, or in another epoch.
    Produce {
        producer_id: i64,
        epoch_skew: i16,
        skew: i32,
        records: i32,
    },
    /// A producer sends the batch again that is so many back in the log.
    Resend {
        back: usize,
    },
    /// So many of the batches in flight become durable.
    Durable {
        batches: usize,
    },
    /// The leader is deposed, loses this many of its batches in flight, and leads again.
    Truncate {
        batches: usize,
    },
    /// The log's start moves by this share (of 4) of what is committed.
    LogStart {
        quarters: i64,
    },
    Checkpoint,
    /// The process dies: what is in flight is lost; checkpoint and journal are read.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let skew = prop_oneof![6 => Just(0), 1 => -12..3i32];
    let epoch_skew = prop_oneof![12 => Just(0), 1 => -1..2i16];
    prop_oneof![
        12 => (-1..3i64, epoch_skew, skew, 1..4i32).prop_map(|(producer_id, epoch_skew, skew, records)| {
            Step::Produce { producer_id, epoch_skew, skew, records }
        }),
        6 => (0..12usize).prop_map(|back| Step::Resend { back }),
        3 => (0..5usize).prop_map(|batches| Step::Durable { batches }),
        1 => (1..6usize).prop_map(|batches| Step::Truncate { batches }),
        1 => (0..5i64).prop_map(|quarters| Step::LogStart { quarters }),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
    ]
}

#[derive(Clone, Debug)]
enum Entry {
    Append(BatchHeader),
    Truncate(i64),
    LogStart(i64),
}

/// Batches that the model lets be in flight: as many as one producer may have.
const IN_FLIGHT_MAX: usize = 5;

struct Model {
    log: Vec<BatchHeader>,
    log_start: i64,
    durable: i64,
    leader_epoch: i32,
    checkpoint: StateSnapshot,
    /// What was journaled since the checkpoint.
    journal: Vec<Entry>,
    partition: Partition,
}

impl Model {
    fn new() -> Self {
        let mut partition = Partition::new();
        partition.become_leader(0).unwrap();
        Model {
            log: Vec::new(),
            log_start: 0,
            durable: 0,
            leader_epoch: 0,
            checkpoint: StateSnapshot::default(),
            journal: Vec::new(),
            partition,
        }
    }

    fn end(&self) -> i64 {
        self.log.last().map_or(0, |batch| batch.last_offset() + 1)
    }

    /// The rules, in terms of the whole log.
    fn expect(&self, header: &BatchHeader) -> Result<AppendDecision, &'static str> {
        let base_offset = self.end();
        let last_offset = base_offset + i64::from(header.last_offset_delta);
        let new = AppendDecision::Append { base_offset, last_offset, leader_epoch: self.leader_epoch };
        let theirs: Vec<&BatchHeader> =
            self.log.iter().rev().filter(|batch| batch.producer_id == header.producer_id).collect();
        let Some(newest) = theirs.first().filter(|_| header.producer_id >= 0) else {
            return Ok(new);
        };
        if header.producer_epoch != newest.producer_epoch {
            return match header.base_sequence {
                _ if header.producer_epoch < newest.producer_epoch => Err("epoch"),
                0 => Ok(new),
                _ => Err("sequence"),
            };
        }
        let same = |batch: &&&BatchHeader| {
            (batch.producer_epoch, batch.base_sequence, batch.last_offset_delta)
                == (header.producer_epoch, header.base_sequence, header.last_offset_delta)
        };
        if let Some(original) = theirs.iter().take(5).find(same) {
            let (base_offset, last_offset) = (original.base_offset, original.last_offset());
            let max_timestamp = original.max_timestamp;
            return Ok(AppendDecision::Duplicate { base_offset, last_offset, max_timestamp });
        }
        let next = (i64::from(newest.base_sequence) + i64::from(newest.last_offset_delta) + 1) % (1 << 31);
        if i64::from(header.base_sequence) == next { Ok(new) } else { Err("sequence") }
    }

    fn append(&mut self, header: BatchHeader) {
        let expected = self.expect(&header);
        let decision = self.partition.append(&header, 0).map_err(|error| match error {
            AppendError::Producer(ProducerError::InvalidProducerEpoch { .. }) => "epoch",
            AppendError::Producer(ProducerError::OutOfOrderSequence { .. }) => "sequence",
            error => panic!("{error}"),
        });
        assert_eq!(decision, expected, "{header:?}");
        if let Ok(AppendDecision::Append { base_offset, leader_epoch, .. }) = decision {
            let stored = header.placed_at(base_offset, leader_epoch);
            self.log.push(stored);
            self.journal.push(Entry::Append(stored));
        }
        let in_flight = self.log.iter().filter(|batch| batch.last_offset() >= self.durable).count();
        if in_flight > IN_FLIGHT_MAX {
            self.make_durable(self.end());
        }
    }

    fn produce(&mut self, producer_id: i64, epoch_skew: i16, skew: i32, records: i32) {
        let (producer_epoch, next) =
            match self.log.iter().rev().find(|batch| batch.producer_id == producer_id) {
                // Close to the wrap, so that some histories cross it.
                None => (3, i32::MAX - 10),
                Some(newest) => (newest.producer_epoch, advance_sequence(newest.last_sequence(), 1)),
            };
        let base_sequence = if epoch_skew > 0 { skew.max(0) } else { (next.wrapping_add(skew)) & i32::MAX };
        self.append(produced(producer_id, producer_epoch + epoch_skew, base_sequence, records));
    }

    fn make_durable(&mut self, end: i64) {
        let moved = (end > self.durable).then_some(end);
        assert_eq!(self.partition.on_durable(end), moved);
        self.durable = end;
    }

    fn next_term(&mut self) {
        self.leader_epoch += 1;
        self.partition.become_leader(self.leader_epoch).unwrap();
        assert_eq!(self.partition.progress().high_watermark(), self.durable);
    }

    fn truncate(&mut self, batches: usize) {
        let durable = self.log.iter().filter(|batch| batch.last_offset() < self.durable).count();
        self.log.truncate(self.log.len().saturating_sub(batches).max(durable));
        let end = self.end();
        self.partition.resign();
        self.partition.truncate_to(end).unwrap();
        self.journal_durably(Entry::Truncate(end));
        self.next_term();
    }

    /// The journal is written in order: once this entry is durable, so are the batches before it.
    fn journal_durably(&mut self, entry: Entry) {
        self.journal.push(entry);
        self.partition.on_durable(self.end());
        self.durable = self.end();
    }

    fn restart(&mut self) {
        self.log.retain(|batch| batch.last_offset() < self.durable);
        while let Some(Entry::Append(batch)) = self.journal.last()
            && batch.base_offset >= self.durable
        {
            self.journal.pop();
        }
        self.partition = Partition::restore(&self.checkpoint).unwrap();
        for entry in &self.journal {
            match *entry {
                Entry::Append(header) => self.partition.replay(&header, 0).unwrap(),
                Entry::Truncate(offset) => self.partition.truncate_to(offset).unwrap(),
                Entry::LogStart(offset) => self.partition.replay_log_start(offset).unwrap(),
            }
        }
        self.next_term();
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Produce { producer_id, epoch_skew, skew, records } => {
                self.produce(producer_id, epoch_skew, skew, records);
            }
            Step::Resend { back } => {
                if let Some(batch) = self.log.iter().rev().nth(back) {
                    self.append(batch.placed_at(0, -1));
                }
            }
            Step::Durable { batches } => {
                let in_flight = self.log.iter().filter(|batch| batch.last_offset() >= self.durable);
                let end =
                    in_flight.take(batches).last().map_or(self.durable, |batch| batch.last_offset() + 1);
                self.make_durable(end);
            }
            Step::Truncate { batches } => self.truncate(batches),
            Step::LogStart { quarters } => {
                let offset = self.log_start + (self.durable - self.log_start) * quarters / 4;
                self.partition.advance_log_start(offset).unwrap();
                self.log_start = offset;
                self.journal_durably(Entry::LogStart(offset));
            }
            Step::Checkpoint => {
                self.make_durable(self.end());
                self.checkpoint = self.partition.snapshot();
                self.journal.clear();
            }
            Step::Restart => self.restart(),
        }
        self.check();
    }

    fn check(&self) {
        let progress = self.partition.progress();
        assert_eq!(
            (progress.log_start(), progress.high_watermark(), progress.log_end()),
            (self.log_start, self.durable, self.end())
        );
        for batch in self.log.iter().filter(|batch| batch.base_offset >= self.log_start) {
            assert_eq!(self.partition.epoch_at(batch.base_offset), Some(batch.partition_leader_epoch));
        }
        for leader_epoch in 0..self.leader_epoch {
            let first_later = self.log.iter().find(|batch| batch.partition_leader_epoch > leader_epoch);
            let end = first_later.map_or(self.end(), |batch| batch.base_offset).max(self.log_start);
            let answer = self.partition.end_offset_for_epoch(leader_epoch).map(|found| found.end_offset);
            assert_eq!(answer, Some(end), "the end of term {leader_epoch}");
        }
        let again = Partition::restore(&self.partition.snapshot()).unwrap();
        assert_eq!(again.snapshot(), self.partition.snapshot());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_partition_does_what_its_log_says(steps in prop::collection::vec(step(), 1..150)) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step);
        }
    }
}
