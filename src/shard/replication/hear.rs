//! What peers say, as it arrives.

use std::rc::Rc;

use super::host::Replication;
use super::links::{Link, LinkEnd};
use super::role::{Following, Leading, Role};
use crate::base::limits::REPLICATION_PENDING_MAX;
use crate::log::segment::NewBatch;
use crate::protocol::batch::{BatchHeader, Batches};
use crate::replication::{
    AckError, AnswersView, Entry, FollowerEffect, FollowerError, FrameHeader, LeaderEffect, PushView,
};
use crate::shard::replica::Replica;

/// A batch of the leader's, and how it enters the log.
struct Batch<'a> {
    header: &'a BatchHeader,
    room: NewBatch,
    bytes: &'a [u8],
}

impl Replication {
    /// A follower's shard answers.
    pub(super) fn hear_answers(&self, link: &Link, header: &FrameHeader, body: &[u8]) -> Result<(), LinkEnd> {
        let view = AnswersView::open(header, body)?;
        let answers = view.archive();
        let through = answers.through_sequence.to_native();
        let outgoing = self.outgoing(link.peer);
        outgoing.lane(link.stream).borrow_mut().answered(through)?;
        self.reads_wanted.notify_waiters();
        let from = answers.replica(link.peer);
        if answers.writer_failed {
            self.each_led(link, |leading, effects| leading.leader.writer_failed(from, effects));
        }
        for resume in answers.resumes.iter().map(|resume| resume.to_resume()) {
            let Some(replica) = self.storage.replica(resume.partition()) else { continue };
            let heard = self.with_leader(&replica, |leading, effects| {
                let state = replica.state.borrow();
                leading.leader.resumed(from, &resume, state.epochs(), effects)
            });
            note_refused(&replica, heard);
            // Who begins to follow knows nothing of what was committed meanwhile.
            self.tell_followers(&replica);
        }
        for ack in answers.acks.iter().map(|ack| ack.to_ack()) {
            let Some(replica) = self.storage.replica(ack.partition()) else { continue };
            let heard = self
                .with_leader(&replica, |leading, effects| leading.leader.acknowledged(from, &ack, effects));
            note_refused(&replica, heard);
            let is_at_end =
                |leading: &mut Leading, _: &mut _| leading.leader.log().log_end == ack.durable_end;
            if self.with_leader(&replica, is_at_end) == Some(true) {
                // Who was catching up has ignored what it was told before.
                self.tell_followers(&replica);
            }
        }
        self.acknowledged.notify_waiters();
        Ok(())
    }

    /// A leader's shard sends.
    pub(super) async fn hear_push(
        &self,
        link: &Link,
        header: &FrameHeader,
        body: &[u8],
    ) -> Result<(), LinkEnd> {
        let view = PushView::open(header, body)?;
        for told in view.archive().reconciles.iter().map(|it| it.to_reconcile()) {
            let Some(replica) = self.storage.replica(told.partition()) else { continue };
            let outcome = self.with_follower(link, &replica, |following, effects| {
                let state = replica.state.borrow();
                following.follower.reconcile(&told, state.epochs(), effects)
            });
            self.or_aside(link, &replica, outcome)?;
        }
        for (entry, records) in view.entries() {
            // A partition that was deleted here, or is not open yet: its leader is asked anew when it is.
            let Some(replica) = self.storage.replica(entry.partition()) else { continue };
            let outcome = self.hear_entry(link, &replica, &entry, records).await;
            self.or_aside(link, &replica, outcome)?;
        }
        for mark in view.archive().marks.iter().map(|it| it.to_mark()) {
            let Some(replica) = self.storage.replica(mark.partition()) else { continue };
            let outcome = self.with_follower(link, &replica, |following, effects| {
                following.follower.marked(&mark, effects)
            });
            self.or_aside(link, &replica, outcome)?;
        }
        let incoming = self.incoming(link.peer);
        if incoming.session.get().map(|(session, _)| session) != Some(header.address.session) {
            // It has ended while there was no room. The next one counts its frames anew.
            return Ok(());
        }
        let mut lane = incoming.lane(link.stream).borrow_mut();
        lane.looked_at(header.address.sequence, body.len());
        if lane.is_urgent() {
            link.wake.notify_waiters();
        }
        Ok(())
    }

    /// Takes an entry batch by batch, each in one step once there is room for it.
    async fn hear_entry(
        &self,
        link: &Link,
        replica: &Rc<Replica>,
        entry: &Entry,
        records: &[u8],
    ) -> Result<(), LinkEnd> {
        let mut batches = Batches::new(records).check_crc();
        let (mut offset, mut previous_epoch) = (entry.base_offset, entry.previous_epoch);
        for batch in &mut batches {
            let batch = batch.map_err(|error| LinkEnd::Batch(error.to_string()))?.batch;
            let header = batch.header();
            check_batch(entry, header, offset)?;
            if !self.follows(link, replica) {
                return Ok(());
            }
            self.wait_for_syncs(link, replica).await?;
            let room = self.storage.make_room_followed(replica, header).await?;
            let end_offset = header.last_offset() + 1;
            let part = Entry { base_offset: offset, end_offset, previous_epoch, ..*entry };
            self.take_batch(link, replica, &part, &Batch { header, room, bytes: batch.bytes() })?;
            (offset, previous_epoch) = (end_offset, entry.records_epoch);
        }
        if batches.position() != records.len() || offset != entry.end_offset {
            return Err(LinkEnd::Batch("the entry ends elsewhere than its batches".to_owned()));
        }
        Ok(())
    }

    /// The one step: no await. What the follower wants to append is the batch.
    fn take_batch(
        &self,
        link: &Link,
        replica: &Rc<Replica>,
        part: &Entry,
        batch: &Batch<'_>,
    ) -> Result<(), LinkEnd> {
        let mut effects = Vec::new();
        if let Some(following) = following(&mut replica.role.borrow_mut(), link) {
            let state = replica.state.borrow();
            following.follower.pushed(part, state.epochs(), &mut effects)?;
            if let Some(FollowerEffect::Append { ticket }) = effects.first() {
                following.tickets.push_back((*ticket, part.end_offset));
            }
        }
        if let Some(FollowerEffect::Append { .. }) = effects.first() {
            // What is refused here was taken by the follower: it is made anew when the copy follows again.
            self.storage.append_followed(replica, batch.header, &batch.room, batch.bytes)?;
            effects.remove(0);
        }
        self.carry_out_followers(replica, effects);
        Ok(())
    }

    /// A group of small batches has more writes than a follower keeps apart: most of them are to be durable first.
    async fn wait_for_syncs(&self, link: &Link, replica: &Replica) -> Result<(), LinkEnd> {
        loop {
            let progressed = self.storage.journal.progressed();
            let is_full = |following: &mut Following| following.tickets.len() >= REPLICATION_PENDING_MAX / 2;
            if !following(&mut replica.role.borrow_mut(), link).is_some_and(is_full) {
                return Ok(());
            }
            self.storage.check_in_service()?;
            progressed.await;
        }
    }

    fn or_aside(
        &self,
        link: &Link,
        replica: &Rc<Replica>,
        outcome: Result<(), LinkEnd>,
    ) -> Result<(), LinkEnd> {
        outcome.or_else(|error| self.confine(replica, self.follows(link, replica), error))
    }

    fn follows(&self, link: &Link, replica: &Replica) -> bool {
        following(&mut replica.role.borrow_mut(), link).is_some()
    }

    fn with_follower<T>(
        &self,
        link: &Link,
        replica: &Rc<Replica>,
        act: impl FnOnce(&mut Following, &mut Vec<FollowerEffect>) -> Result<T, FollowerError>,
    ) -> Result<(), LinkEnd> {
        let mut effects = Vec::new();
        if let Some(following) = following(&mut replica.role.borrow_mut(), link) {
            act(following, &mut effects)?;
        }
        self.carry_out_followers(replica, effects);
        Ok(())
    }

    /// Has all leaders of replicas that the peer follows decide on something.
    pub(super) fn each_led(&self, link: &Link, mut decide: impl FnMut(&mut Leading, &mut Vec<LeaderEffect>)) {
        let led: Vec<Rc<Replica>> = self.led.borrow().values().cloned().collect();
        for replica in led {
            self.with_leader(&replica, |leading, effects| {
                if leading.peer(link.peer.node) == Some(link.peer) {
                    decide(leading, effects);
                }
            });
        }
    }
}

/// The follower, if it follows whom the link is with, and its log is not being cut.
fn following<'a>(role: &'a mut Role, link: &Link) -> Option<&'a mut Following> {
    match role {
        Role::Follows(following) if following.from == link.peer && !following.is_cutting => {
            Some(following.as_mut())
        }
        _ => None,
    }
}

fn check_batch(entry: &Entry, header: &BatchHeader, offset: i64) -> Result<(), LinkEnd> {
    let is_right = header.base_offset == offset
        && header.partition_leader_epoch == entry.records_epoch
        && header.last_offset() < entry.end_offset
        && header.last_offset_delta >= 0;
    if is_right {
        return Ok(());
    }
    let (found, epoch) = (header.base_offset, header.partition_leader_epoch);
    Err(LinkEnd::Batch(format!("a batch of term {epoch} at {found}, where {offset} is next")))
}

/// An answer that does not count changes nothing, and says that the follower is elsewhere than the leader thinks: it will
/// be asked, or is another one by now.
fn note_refused(replica: &Replica, heard: Option<Result<(), AckError>>) {
    if let Some(Err(error)) = heard {
        tracing::debug!(partition = %replica.id, %error, "a follower's answer does not count");
    }
}
