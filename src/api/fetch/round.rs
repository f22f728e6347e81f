//! One walk along the partitions that may have something new.

use std::sync::Arc;

use crate::base::ids::PartitionId;
use crate::base::limits::PARTITIONS_PER_TURN;
use crate::cluster::{Image, Topic};
use crate::protocol::messages::fetch::{EpochEndOffset, LeaderIdAndEpoch, PartitionData};
use crate::protocol::{ErrorCode, Pieces};
use crate::shard::{
    Charge, Finding, Offsets, OpenFetch, PartitionError, PauseReason, ReadOutcome, ReadRequest, Slot,
    TopicKey, Wanted,
};

use super::super::errors::partition_error;
use super::super::leader_hints::hint;
use super::super::router::Caller;
use super::super::topics;
use super::handle::Limits;
use super::response::{answer, refusal};

/// What one walk found.
#[derive(Default)]
pub(super) struct Round {
    /// What has to be sent: records, errors, logs that parted.
    pub(super) answers: Vec<(Slot, PartitionData)>,
    pub(super) bytes: usize,
    /// The memory of the records.
    pub(super) charge: Option<Charge>,
    /// The response must not wait: something failed, or the reader's log went another way.
    is_urgent: bool,
    /// There is more than the response has room for.
    is_full: bool,
}

impl Round {
    pub(super) fn is_enough(&self, limits: &Limits) -> bool {
        self.bytes >= limits.bytes_min || self.is_urgent || self.is_full
    }

    /// Counts the memory of what was read now, instead of what was set aside for it.
    fn charge(&mut self, set_aside: Option<Charge>, bytes: u64) {
        let Some(mut set_aside) = set_aside else { return };
        match &mut self.charge {
            None => {
                set_aside.adjust(bytes);
                self.charge = Some(set_aside);
            }
            Some(charge) => {
                drop(set_aside);
                charge.adjust(charge.bytes() + bytes);
            }
        }
    }
}

/// Looks at each partition in line once. In a session it ends where the response is full: the others keep their
/// places, and come first the next time.
pub(super) async fn walk(caller: &Caller, fetch: &mut OpenFetch, limits: &Limits) -> Round {
    let mut round = Round::default();
    let (mut turn, end) = (0, fetch.partitions.line_end());
    let mut finder = Finder { image: caller.shard.image(), last: None };
    let mut looks = 0;
    while let Some((at, slot)) = fetch.partitions.next_in_line(turn, end) {
        turn = at + 1;
        let (topic, index, wanted) = fetch.partitions.get(slot).expect("only known partitions are in line");
        let finding = match finder.find(topic, index) {
            Ok(id) => look(caller, id, wanted, limits, (slot, index), &mut round).await,
            Err(code) => {
                round.answers.push((slot, refusal(index, code)));
                Finding::Refused
            }
        };
        round.is_urgent |= finding == Finding::Refused;
        fetch.partitions.looked_at(slot, finding);
        if round.is_full && !fetch.is_full() {
            break;
        }
        looks += 1;
        if looks % PARTITIONS_PER_TURN == 0 {
            caller.shard.runtime.yield_now().await;
        }
    }
    round
}

/// Finds partitions; those of one topic mostly stand in line together.
struct Finder {
    image: Arc<Image>,
    last: Option<(TopicKey, Result<Arc<Topic>, ErrorCode>)>,
}

impl Finder {
    fn find(&mut self, key: &TopicKey, index: i32) -> Result<PartitionId, ErrorCode> {
        if self.last.as_ref().is_none_or(|(last, _)| last != key) {
            let found = match key {
                TopicKey::Name(name) => topics::named(&self.image, name),
                TopicKey::Id(id) => topics::identified(&self.image, *id),
            };
            self.last = Some((key.clone(), found.cloned()));
        }
        let (_, found) = self.last.as_ref().expect("just found");
        topics::find_partition(&found.as_ref().map_err(|code| *code), index)
    }
}

async fn look(
    caller: &Caller,
    id: PartitionId,
    wanted: Wanted,
    limits: &Limits,
    (slot, index): (Slot, i32),
    round: &mut Round,
) -> Finding {
    let room = limits.bytes_max.saturating_sub(round.bytes);
    let mut bytes_max = wanted.bytes_max.min(room);
    let budget = &caller.shard.budgets.fetches;
    // Memory is waited for by those who hold none; others make do with what they have.
    let mut charge = match round.bytes {
        0 => {
            round.charge = None;
            let memory = budget.take(bytes_max as u64);
            Some(caller.shard.paused_for(PauseReason::Responses, memory).await)
        }
        _ => budget.try_take(bytes_max as u64),
    };
    let is_short = charge.is_none() || room < wanted.bytes_max;
    if charge.is_none() {
        bytes_max = 0;
    }
    let read = ReadRequest {
        offset: wanted.offset,
        max_bytes: bytes_max,
        at_least_one_batch: round.bytes == 0,
        current_leader_epoch: wanted.current_leader_epoch,
        last_fetched_epoch: wanted.last_fetched_epoch,
    };
    let outcome = match caller.shard.read(id, read).await {
        Ok(outcome) => outcome,
        Err(error) => {
            round.answers.push((slot, refused(caller, id, index, &error)));
            return Finding::Refused;
        }
    };
    round.charge(charge.take(), outcome.bytes() as u64);
    round.bytes += outcome.bytes();
    let finding = finding(id, wanted, &outcome);
    round.is_full |= is_short && matches!(finding, Finding::NoRoom(_));
    round.is_urgent |= outcome.diverging.is_some();
    if let Finding::Found(_) = finding {
        round.answers.push((slot, found(index, limits.isolation_level, outcome)));
    }
    finding
}

fn finding(id: PartitionId, wanted: Wanted, outcome: &ReadOutcome) -> Finding {
    let offsets = Offsets { high_watermark: outcome.high_watermark, log_start: outcome.log_start };
    match () {
        () if outcome.diverging.is_some() || outcome.bytes() > 0 => Finding::Found(offsets),
        () if wanted.offset < outcome.high_watermark => Finding::NoRoom(offsets),
        () => Finding::Nothing(id, offsets),
    }
}

fn found(index: i32, isolation_level: i8, outcome: ReadOutcome) -> PartitionData {
    let offsets = Offsets { high_watermark: outcome.high_watermark, log_start: outcome.log_start };
    let mut data = answer(index, isolation_level, offsets, Pieces(outcome.batches));
    if let Some(end) = outcome.diverging {
        data.diverging_epoch = EpochEndOffset { epoch: end.leader_epoch, end_offset: end.end_offset };
    }
    data
}

fn refused(caller: &Caller, id: PartitionId, index: i32, error: &PartitionError) -> PartitionData {
    let mut data = refusal(index, partition_error(error));
    if let Some(hint) = hint(caller, id, data.error_code) {
        data.current_leader = LeaderIdAndEpoch { leader_id: hint.leader_id, leader_epoch: hint.leader_epoch };
    }
    data
}
