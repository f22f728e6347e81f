//! Sessions against a simple model: a client that keeps a mirror of what it is told in a session sees the same as
//! one that asks for everything anew each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::partitions::{FetchPartitions, Finding, Offsets, TopicKey, Wanted};
use super::watch::{Watch, Watchers};
use crate::base::ids::{PartitionId, TopicId};

const PARTITIONS: i32 = 6;

#[derive(Clone, Debug)]
enum Step {
    Append(i32, i64),
    MoveLogStart(i32),
    Refuse(i32, bool),
    Add(i32),
    Forget(i32),
    /// With room for so many records; whether the client takes them, or asks for them again.
    Fetch(i64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        4 => (partition.clone(), 1i64..5).prop_map(|(index, count)| Step::Append(index, count)),
        1 => partition.clone().prop_map(Step::MoveLogStart),
        1 => (partition.clone(), any::<bool>()).prop_map(|(index, refuses)| Step::Refuse(index, refuses)),
        2 => partition.clone().prop_map(Step::Add),
        1 => partition.prop_map(Step::Forget),
        5 => (0i64..8, any::<bool>()).prop_map(|(room, takes)| Step::Fetch(room, takes)),
    ]
}

/// A log whose batches are one record of one byte, and its watchers.
#[derive(Default)]
struct Log {
    log_start: i64,
    high_watermark: i64,
    refuses: bool,
    watchers: Watchers,
}

impl Log {
    fn offsets(&self) -> Offsets {
        Offsets { high_watermark: self.high_watermark, log_start: self.log_start }
    }

    fn refuses(&self, offset: i64) -> bool {
        self.refuses || offset < self.log_start
    }
}

/// What one response says of a partition: its offsets unless it is refused, and the number of records.
type Told = BTreeMap<i32, (Option<Offsets>, i64)>;

#[derive(Default)]
struct World {
    logs: BTreeMap<i32, Log>,
    // The broker's side.
    partitions: FetchPartitions,
    watch: Arc<Watch>,
    // The client's side.
    offsets: BTreeMap<i32, i64>,
    mirror: BTreeMap<i32, Option<Offsets>>,
    changed: BTreeSet<i32>,
    forgotten: BTreeSet<i32>,
}

fn topic() -> TopicKey {
    TopicKey::Name("t".into())
}

fn id(index: i32) -> PartitionId {
    PartitionId { topic: TopicId::ZERO, index }
}

impl World {
    fn log(&mut self, index: i32) -> &mut Log {
        self.logs.entry(index).or_default()
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Append(index, count) => {
                self.log(index).high_watermark += count;
                self.log(index).watchers.tell();
            }
            Step::MoveLogStart(index) => {
                let log = self.log(index);
                log.log_start = (log.log_start + log.high_watermark + 1) / 2;
                log.watchers.tell();
            }
            Step::Refuse(index, refuses) => {
                self.log(index).refuses = refuses;
                self.log(index).watchers.tell();
            }
            Step::Add(index) => {
                self.forgotten.remove(&index);
                self.offsets.entry(index).or_default();
                self.changed.insert(index);
            }
            Step::Forget(index) => {
                if self.offsets.remove(&index).is_some() {
                    self.changed.remove(&index);
                    self.forgotten.insert(index);
                }
            }
            Step::Fetch(room, takes) => drop(self.fetch(room, takes)),
        }
    }

    /// A fetch with room for so many records, and what became of it at the client.
    fn fetch(&mut self, room: i64, takes: bool) -> Told {
        let told = self.serve(room);
        for (&index, &(offsets, records)) in &told {
            assert!(self.offsets.contains_key(&index), "{index} was forgotten");
            let before = self.mirror.insert(index, offsets);
            let is_news = records > 0 || offsets.is_none() || before != Some(offsets);
            assert!(is_news, "{index} has nothing new: {told:?}");
            let offset = self.offsets.get_mut(&index).expect("just seen");
            let read_to = if takes { *offset + records } else { *offset };
            let reset = offsets.is_none() && *offset < self.logs[&index].log_start;
            let next = if reset { self.logs[&index].log_start } else { read_to };
            if std::mem::replace(offset, next) != next {
                self.changed.insert(index);
            }
        }
        told
    }

    fn serve(&mut self, room: i64) -> Told {
        for index in std::mem::take(&mut self.changed) {
            let wanted = Wanted {
                offset: self.offsets[&index],
                bytes_max: usize::MAX,
                current_leader_epoch: -1,
                last_fetched_epoch: -1,
            };
            self.partitions.put(&topic(), index, wanted);
        }
        for index in std::mem::take(&mut self.forgotten) {
            self.mirror.remove(&index);
            if let Some(slot) = self.partitions.forget(&topic(), index) {
                self.watch.remove(slot);
            }
        }
        self.watch.take().into_iter().for_each(|slot| self.partitions.mark(slot));
        let mut told = self.walk(room);
        for (slot, offsets) in self.partitions.take_news() {
            let (_, index, _) = self.partitions.get(slot).expect("known");
            told.insert(index, (Some(offsets), 0));
        }
        for (slot, id, seen) in self.partitions.take_unwatched() {
            self.watch.add(slot);
            let (watch, log) = (Arc::downgrade(&self.watch), self.log(id.index));
            log.watchers.add(&watch, slot);
            assert_eq!(log.offsets(), seen, "nothing happens meanwhile");
        }
        told
    }

    fn walk(&mut self, mut room: i64) -> Told {
        let mut told = Told::new();
        let (mut turn, end) = (0, self.partitions.line_end());
        while let Some((at, slot)) = self.partitions.next_in_line(turn, end) {
            turn = at + 1;
            let (_, index, wanted) = self.partitions.get(slot).expect("in line");
            let log = self.logs.entry(index).or_default();
            let (offsets, there) = (log.offsets(), log.high_watermark - wanted.offset);
            let records = there.min(room.max(i64::from(told.values().all(|(_, records)| *records == 0))));
            let (finding, answer) = match () {
                () if log.refuses(wanted.offset) => (Finding::Refused, Some((None, 0))),
                () if there == 0 => (Finding::Nothing(id(index), offsets), None),
                () if records == 0 => (Finding::NoRoom(offsets), None),
                () => (Finding::Found(offsets), Some((Some(offsets), records))),
            };
            self.partitions.looked_at(slot, finding);
            room = (room - records).max(0);
            if let Some(answer) = answer {
                self.partitions.tell(slot);
                told.insert(index, answer);
            }
        }
        told
    }

    /// Fetches until nothing is new, and compares with what a full fetch would say.
    fn settle(&mut self) {
        for _ in 0..1000 {
            let told = self.fetch(1, true);
            if self.changed.is_empty() && told.values().all(|(offsets, _)| offsets.is_none()) {
                break;
            }
        }
        for (index, offset) in self.offsets.clone() {
            let log = self.log(index);
            let full = (!log.refuses(offset)).then(|| log.offsets());
            assert!(full.is_none() || offset == log.high_watermark, "{index} was read to {offset}");
            assert_eq!(self.mirror.get(&index), Some(&full), "of partition {index}");
        }
        assert_eq!(self.partitions.len(), self.offsets.len());
        let in_line = (0..PARTITIONS).filter(|index| self.mirror.get(index) == Some(&None)).count();
        let told = self.fetch(1, true);
        assert_eq!(told.len(), in_line, "only errors are told again: {told:?}");
    }
}

proptest! {
    #[test]
    fn a_mirror_of_a_session_is_what_full_fetches_see(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::default();
        for step in &steps {
            world.apply(step);
        }
        world.settle();
    }
}

#[test]
fn all_get_their_turn_when_there_is_no_room_for_all() {
    let mut world = World::default();
    for index in 0..PARTITIONS {
        world.apply(&Step::Append(index, 100));
        world.apply(&Step::Add(index));
    }
    world.fetch(0, true);
    for _ in 0..5 {
        let served =
            (0..PARTITIONS).flat_map(|_| world.fetch(0, true).into_iter().filter(|told| told.1.1 > 0));
        let served: BTreeSet<i32> = served.map(|(index, _)| index).collect();
        assert_eq!(served.len(), PARTITIONS as usize, "{served:?}");
    }
}

#[test]
fn a_quiet_partition_costs_nothing() {
    let mut world = World::default();
    (0..PARTITIONS).for_each(|index| world.apply(&Step::Add(index)));
    assert_eq!(world.fetch(9, true).len(), PARTITIONS as usize, "each is told of once");
    assert_eq!(world.partitions.next_in_line(0, u64::MAX), None);
    world.apply(&Step::Append(3, 1));
    assert_eq!(world.fetch(9, true).into_keys().collect::<Vec<_>>(), [3]);
}

#[test]
fn a_topic_that_was_created_anew_is_watched_anew() {
    let mut partitions = FetchPartitions::default();
    let wanted = Wanted { offset: 0, bytes_max: 1, current_leader_epoch: -1, last_fetched_epoch: -1 };
    partitions.put(&topic(), 0, wanted);
    let (_, slot) = partitions.next_in_line(0, u64::MAX).expect("in line");
    let offsets = Offsets { high_watermark: 0, log_start: 0 };
    let anew = PartitionId { topic: TopicId::from_bytes([1; 16]), index: 0 };
    for (id, watched) in [(id(0), 1), (id(0), 0), (anew, 1), (anew, 0)] {
        partitions.mark(slot);
        partitions.looked_at(slot, Finding::Nothing(id, offsets));
        assert_eq!(partitions.take_unwatched().len(), watched, "{id:?}");
    }
}
