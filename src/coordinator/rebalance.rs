//! A rebalance: members are asked to join again, and become a generation when all have, or when time is up.

use super::events::{Response, join_refusal, sync_refusal};
use super::group::{Group, InitialDelay, Rebalance, State};
use super::member::Member;
use super::step::{Purpose, Step};
use crate::base::planted::{Bug, is_planted};
use crate::protocol::ErrorCode;

impl Group {
    /// Asks the members to join again, unless they are being asked already.
    pub fn prepare_rebalance_if_possible(&mut self, step: &mut Step<'_>) {
        if matches!(self.state, State::Stable | State::CompletingRebalance | State::Empty) {
            self.prepare_rebalance(step);
        }
    }

    fn prepare_rebalance(&mut self, step: &mut Step<'_>) {
        // A share of a generation that is over is nobody's.
        self.assigning = None;
        self.sync_deadline_ms = None;
        step.meters.rebalances.increment();
        self.rebalancing_since_ms.get_or_insert(step.moment.now_ms);
        for (id, ticket) in self.take_awaited_syncs() {
            let session_timeout_ms = self.members[&id].session_timeout_ms;
            self.hear_from(&id, step.after_timeout(session_timeout_ms));
            step.reply(ticket, Response::Sync(sync_refusal(ErrorCode::RebalanceInProgress)));
        }
        let timeout_ms = self.rebalance_timeout_ms();
        let rebalance = if self.state == State::Empty {
            let delay_ms = step.settings.initial_rebalance_delay_ms;
            let initial =
                InitialDelay { remaining_ms: timeout_ms.saturating_sub(delay_ms), has_new_member: false };
            Rebalance { deadline_ms: step.after(delay_ms), initial: Some(initial) }
        } else {
            Rebalance { deadline_ms: step.after(timeout_ms), initial: None }
        };
        self.rebalance = Some(rebalance);
        self.look_at(rebalance.deadline_ms);
        self.enter(State::PreparingRebalance, step.moment.wall_clock_ms);
    }

    /// Goes on with the rebalance if nobody is missing.
    pub fn complete_if_all_joined(&mut self, step: &mut Step<'_>) {
        let Some(Rebalance { initial: None, .. }) = self.rebalance else { return };
        if self.awaited_joins == self.members.len() && self.pending_members.is_empty() {
            self.complete_rebalance(step);
        }
    }

    /// What is due of the rebalance: the wait for more members may grow, else it goes on with those that are there.
    pub fn advance_rebalance(&mut self, step: &mut Step<'_>) {
        let Some(rebalance) = self.rebalance.filter(|due| due.deadline_ms <= step.moment.now_ms) else {
            return;
        };
        if let Some(InitialDelay { remaining_ms, has_new_member: true }) = rebalance.initial
            && remaining_ms > 0
        {
            let delay_ms = step.settings.initial_rebalance_delay_ms.min(remaining_ms);
            let initial = InitialDelay { remaining_ms: remaining_ms - delay_ms, has_new_member: false };
            let deadline_ms = step.after(delay_ms);
            self.rebalance = Some(Rebalance { deadline_ms, initial: Some(initial) });
            return self.look_at(deadline_ms);
        }
        if is_planted(Bug::AwaitSilent) && rebalance.initial.is_none() {
            return;
        }
        self.complete_rebalance(step);
    }

    fn complete_rebalance(&mut self, step: &mut Step<'_>) {
        // A static member keeps its place until its session is over, since it may be starting again.
        let late = |(id, member): (&String, &Member)| {
            (member.awaited_join.is_none() && member.instance_id.is_none()).then(|| id.clone())
        };
        let late: Vec<String> = self.members.iter().filter_map(late).collect();
        late.iter().for_each(|id| drop(self.remove(id)));
        if !self.members.is_empty() && !self.elect_joined_leader() {
            // Nobody is there to assign.
            let deadline_ms = step.after(self.rebalance_timeout_ms());
            self.rebalance = Some(Rebalance { deadline_ms, initial: None });
            return self.look_at(deadline_ms);
        }
        self.rebalance = None;
        // Kafka's generations start again at 0 behind the largest, too.
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        if self.members.is_empty() {
            return self.become_empty(step);
        }
        self.protocol = self.elected_protocol();
        self.enter(State::CompletingRebalance, step.moment.wall_clock_ms);
        let deadline_ms = step.after(self.rebalance_timeout_ms());
        self.sync_deadline_ms = Some(deadline_ms);
        self.look_at(deadline_ms);
        self.answer_joins(step);
    }

    fn become_empty(&mut self, step: &mut Step<'_>) {
        (self.protocol, self.leader) = (None, None);
        self.rebalancing_since_ms = None;
        self.enter(State::Empty, step.moment.wall_clock_ms);
        let record = self.record(&Default::default());
        step.append(&self.id, self.partition, vec![record], Purpose::Note);
    }

    /// The leader must be one who can assign. Says whether there is one.
    fn elect_joined_leader(&mut self) -> bool {
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        if leader.is_some_and(|leader| leader.awaited_join.is_some()) {
            return true;
        }
        let joined = self.members.iter().find(|(_, member)| member.awaited_join.is_some());
        match joined.map(|(id, _)| id.clone()) {
            None => false,
            leader => {
                self.leader = leader;
                true
            }
        }
    }

    fn answer_joins(&mut self, step: &mut Step<'_>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let deadline_ms = step.after_timeout(self.members[&id].session_timeout_ms);
            let ticket = self.change_member(&id, |member| {
                (member.has_synced, member.is_new) = (false, false);
                let ticket = member.awaited_join.take();
                if ticket.is_some() {
                    member.deadline_ms = deadline_ms;
                }
                ticket
            });
            if let Some(ticket) = ticket.flatten() {
                let response = self.generation(&id, self.leader.as_ref() == Some(&id));
                step.reply(ticket, Response::Join(response));
            }
            let deadline_ms = self.members[&id].deadline_ms;
            self.look_at(deadline_ms);
        }
    }

    /// Members whose silence has lasted too long are taken for gone, and ids that nobody joined with are forgotten.
    pub fn expire_members(&mut self, step: &mut Step<'_>) {
        let now_ms = step.moment.now_ms;
        let pending = self.pending_members.iter().filter(|(_, deadline)| **deadline <= now_ms);
        let pending: Vec<String> = pending.map(|(id, _)| id.clone()).collect();
        for id in &pending {
            self.forget_pending(id);
        }
        let silent = |(id, member): (&String, &Member)| {
            (member.can_expire() && member.deadline_ms <= now_ms).then(|| id.clone())
        };
        let silent: Vec<String> = self.members.iter().filter_map(silent).collect();
        if !is_planted(Bug::AwaitSilent) {
            self.drop_members(step, &silent);
        }
        if !pending.is_empty() {
            self.complete_if_all_joined(step);
        }
    }

    /// Members that never asked for their share keep it from others.
    pub fn expire_syncs(&mut self, step: &mut Step<'_>) {
        if self.sync_deadline_ms.is_none_or(|deadline| deadline > step.moment.now_ms) {
            return;
        }
        self.sync_deadline_ms = None;
        let missing = self.members.iter().filter(|(_, member)| !member.has_synced);
        let missing: Vec<String> = missing.map(|(id, _)| id.clone()).collect();
        if matches!(self.state, State::CompletingRebalance | State::Stable) {
            self.drop_members(step, &missing);
        }
    }

    /// Removes members, tells those that wait, and has the others share anew.
    pub fn drop_members(&mut self, step: &mut Step<'_>, ids: &[String]) {
        let mut is_changed = false;
        for id in ids {
            let Some(member) = self.remove(id) else { continue };
            is_changed = true;
            if let Some(ticket) = member.awaited_join {
                step.reply(ticket, Response::Join(join_refusal(id, ErrorCode::UnknownMemberId)));
            }
            if let Some(ticket) = member.awaited_sync {
                step.reply(ticket, Response::Sync(sync_refusal(ErrorCode::UnknownMemberId)));
            }
        }
        if is_changed {
            self.prepare_rebalance_if_possible(step);
            self.complete_if_all_joined(step);
        }
    }
}
