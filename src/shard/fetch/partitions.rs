//! The partitions that a client fetches, by one request or in a session (KIP-227): what it wants of each, what it
//! was told, and which of them want a look. Pure.
//!
//! A partition is in line while there may be something to tell of it. Once a look finds nothing it leaves the
//! line, and whoever knows of a change puts it back ([`FetchPartitions::mark`]). A fetch walks along the line, so
//! it costs what has changed and not what the session has. A partition that gave records goes to the line's end,
//! so that all get their turn when a response has no room for all.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::base::ids::{LeaderEpoch, Offset, PartitionId, TopicId};

/// A topic as a request names it: by name before version 13, by id since.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TopicKey {
    /// The topic that has this name.
    Name(Rc<str>),
    /// The topic that has this id.
    Id(TopicId),
}

/// What a client wants of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Where to read on.
    pub offset: Offset,
    /// The bytes to take from the partition at most.
    pub bytes_max: usize,
    /// The term that the client believes in, -1 for any.
    pub current_leader_epoch: LeaderEpoch,
    /// The term of the record before `offset`, -1 if the client does not know.
    pub last_fetched_epoch: LeaderEpoch,
}

/// What a client is told of a partition besides records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offsets {
    /// The offset below which records are committed.
    pub high_watermark: Offset,
    /// The first offset in the log.
    pub log_start: Offset,
}

/// Told of nothing yet, or of an error: whatever comes next is news.
const NOTHING_TOLD: Offsets = Offsets { high_watermark: -1, log_start: -1 };

/// A partition's number in its request or session, never given to another one there.
pub type Slot = u64;

/// What a look at a partition came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// There is nothing to read at its offset.
    Nothing(PartitionId, Offsets),
    /// There is, but there was no room for it.
    NoRoom(Offsets),
    /// Records, or where its log parted from the client's.
    Found(Offsets),
    /// An error.
    Refused,
}

struct Place {
    topic: TopicKey,
    index: i32,
    wanted: Wanted,
    told: Offsets,
    found: Offsets,
    /// Its place in line, if it is there.
    turn: Option<u64>,
    /// Whether it is listed in `news`.
    is_listed: bool,
    /// What reports its changes: a topic that is deleted and created anew has other partitions.
    watched: Option<PartitionId>,
}

/// See the module.
#[derive(Default)]
pub struct FetchPartitions {
    places: HashMap<Slot, Place>,
    slots: HashMap<TopicKey, HashMap<i32, Slot>>,
    line: BTreeMap<u64, Slot>,
    /// Numbers given out, of turns and of slots.
    numbers: u64,
    /// Slots whose offsets were found to differ from what was told, each once; some may have been told since.
    news: Vec<Slot>,
    /// Slots that left the line although nobody reports their changes.
    unwatched: Vec<(Slot, PartitionId)>,
}

impl FetchPartitions {
    /// The number of partitions.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds a partition, or changes what is wanted of it. It gets a turn in either case.
    pub fn put(&mut self, topic: &TopicKey, index: i32, wanted: Wanted) {
        let next = self.numbers;
        let slot = *self.slots.entry(topic.clone()).or_default().entry(index).or_insert(next);
        if slot == next {
            self.numbers += 1;
            let place = Place {
                topic: topic.clone(),
                index,
                wanted,
                told: NOTHING_TOLD,
                found: NOTHING_TOLD,
                turn: None,
                is_listed: false,
                watched: None,
            };
            self.places.insert(slot, place);
        }
        self.places.get_mut(&slot).expect("known partitions have places").wanted = wanted;
        self.mark(slot);
    }

    /// Removes a partition; says its slot if it was known.
    pub fn forget(&mut self, topic: &TopicKey, index: i32) -> Option<Slot> {
        let of_topic = self.slots.get_mut(topic)?;
        let slot = of_topic.remove(&index)?;
        if of_topic.is_empty() {
            self.slots.remove(topic);
        }
        let place = self.places.remove(&slot).expect("known partitions have places");
        if let Some(turn) = place.turn {
            self.line.remove(&turn);
        }
        Some(slot)
    }

    /// Which partition a slot is, and what is wanted of it; `None` if it was forgotten.
    pub fn get(&self, slot: Slot) -> Option<(&TopicKey, i32, Wanted)> {
        self.places.get(&slot).map(|place| (&place.topic, place.index, place.wanted))
    }

    /// Something about the partition may have changed: it goes to the end of the line, unless it is in it. Slots
    /// that were forgotten are ignored.
    pub fn mark(&mut self, slot: Slot) {
        if let Some(place) = self.places.get_mut(&slot).filter(|place| place.turn.is_none()) {
            place.turn = Some(self.numbers);
            self.line.insert(self.numbers, slot);
            self.numbers += 1;
        }
    }

    /// A turn behind all that are in line: where a walk along the line that begins now ends.
    pub fn line_end(&self) -> u64 {
        self.numbers
    }

    /// The first in line whose turn is at or behind `turn` and before `end`, and its turn.
    pub fn next_in_line(&self, turn: u64, end: u64) -> Option<(u64, Slot)> {
        self.line.range(turn..end).next().map(|(turn, slot)| (*turn, *slot))
    }

    /// Takes in what a look came to, and finds the partition's place in line for the next.
    pub fn looked_at(&mut self, slot: Slot, finding: Finding) {
        let Some(place) = self.places.get_mut(&slot) else { return };
        place.found = match finding {
            Finding::Nothing(_, offsets) | Finding::NoRoom(offsets) | Finding::Found(offsets) => offsets,
            Finding::Refused => NOTHING_TOLD,
        };
        if place.found != place.told && !place.is_listed {
            place.is_listed = true;
            self.news.push(slot);
        }
        match finding {
            Finding::NoRoom(_) => return,
            Finding::Nothing(id, _) if place.watched != Some(id) => self.unwatched.push((slot, id)),
            Finding::Nothing(..) | Finding::Found(_) => {}
            Finding::Refused => place.watched = None,
        }
        if let Some(turn) = place.turn.take() {
            self.line.remove(&turn);
        }
        if !matches!(finding, Finding::Nothing(..)) {
            self.mark(slot);
        }
    }

    /// The partitions that nothing was found in and whose changes nobody reports, with the offsets that were
    /// found. They count as watched from here on.
    pub fn take_unwatched(&mut self) -> Vec<(Slot, PartitionId, Offsets)> {
        let mut taken = Vec::with_capacity(self.unwatched.len());
        for (slot, id) in std::mem::take(&mut self.unwatched) {
            let Some(place) = self.places.get_mut(&slot) else { continue };
            if place.watched != Some(id) {
                place.watched = Some(id);
                taken.push((slot, id, place.found));
            }
        }
        taken
    }

    /// The client is told of the last finding, whatever it was.
    pub fn tell(&mut self, slot: Slot) {
        if let Some(place) = self.places.get_mut(&slot) {
            place.told = place.found;
        }
    }

    /// The partitions of whose offsets the client must be told besides those that it was told of otherwise. They
    /// count as told.
    pub fn take_news(&mut self) -> Vec<(Slot, Offsets)> {
        let mut news = Vec::new();
        for slot in std::mem::take(&mut self.news) {
            let Some(place) = self.places.get_mut(&slot) else { continue };
            place.is_listed = false;
            if place.told != place.found {
                place.told = place.found;
                news.push((slot, place.found));
            }
        }
        news
    }
}
