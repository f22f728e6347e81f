//! A group: its members, their generation, and the offsets that it has committed.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;

use super::events::{AppendId, Ticket};
use super::member::Member;
use super::offsets::Offsets;
use super::protocols::Protocols;
use crate::base::limits::GROUP_COST_BYTES;
use crate::protocol::ErrorCode;
use crate::protocol::group_records::{GroupMetadataKey, GroupMetadataValue, GroupRecord, MemberMetadata};
use crate::protocol::messages::join_group::JoinGroupRequestProtocol;

/// The states of a group, Kafka's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No members; perhaps offsets.
    Empty,
    /// The members are asked to join again.
    PreparingRebalance,
    /// All have joined, and the leader assigns.
    CompletingRebalance,
    /// Everybody can have its share.
    Stable,
    /// It is being forgotten.
    Dead,
}

impl State {
    /// All of them.
    pub const ALL: [State; 5] =
        [State::Empty, State::PreparingRebalance, State::CompletingRebalance, State::Stable, State::Dead];

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
            State::Dead => "Dead",
        }
    }
}

/// How a rebalance goes on.
#[derive(Clone, Copy, Debug)]
pub struct Rebalance {
    /// When it goes on although some have not joined.
    pub deadline_ms: u64,
    /// The first one of an empty group waits in any case, so that members that start together join together.
    pub initial: Option<InitialDelay>,
}

/// The wait of an empty group for more members.
#[derive(Clone, Copy, Debug)]
pub struct InitialDelay {
    /// By how much it may still grow, in ms.
    pub remaining_ms: u64,
    /// Whether a member came since it last grew.
    pub has_new_member: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Group {
    /// Its id.
    pub id: Rc<str>,
    /// The partition of `__consumer_offsets` that keeps it.
    pub partition: i32,
    /// Its state.
    pub state: State,
    /// Since when, in ms since 1970.
    pub state_since_ms: i64,
    /// Counts how often members were put together.
    pub generation: i32,
    /// The family of protocols of the members, and of those that last were.
    pub protocol_type: Option<String>,
    /// The protocol that all members speak.
    pub protocol: Option<String>,
    /// The member that assigns.
    pub leader: Option<String>,
    /// Members by their ids.
    pub members: BTreeMap<String, Member>,
    /// What they speak.
    protocols: Protocols,
    /// Ids of static members by the ids that the user gave them.
    pub static_members: BTreeMap<String, String>,
    /// Ids that were given out, and until when they may be used to join.
    pub pending_members: BTreeMap<String, u64>,
    /// The rebalance that is being prepared.
    pub rebalance: Option<Rebalance>,
    /// When members began to be without shares, by the moments' clock, until they have them.
    pub rebalancing_since_ms: Option<u64>,
    /// When members that have not asked for their share are taken for gone.
    pub sync_deadline_ms: Option<u64>,
    /// The assignment on its way to the log.
    pub assigning: Option<AppendId>,
    /// What was committed.
    pub offsets: Offsets,
    /// Commits and deletions on their way to the log.
    pub pending_offset_appends: usize,
    /// Joins that wait.
    pub awaited_joins: usize,
    /// Memory that it takes, about.
    pub bytes: usize,
    /// When it is to be looked at.
    pub timer_ms: Option<u64>,
    /// When it stands in the coordinator's queue for that.
    pub queued_ms: Option<u64>,
}

impl Group {
    /// A group without members.
    pub fn new(id: &str, partition: i32, wall_clock_ms: i64) -> Self {
        Group {
            id: id.into(),
            partition,
            state: State::Empty,
            state_since_ms: wall_clock_ms,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            protocols: Protocols::default(),
            static_members: BTreeMap::new(),
            pending_members: BTreeMap::new(),
            rebalance: None,
            rebalancing_since_ms: None,
            sync_deadline_ms: None,
            assigning: None,
            offsets: Offsets::default(),
            pending_offset_appends: 0,
            awaited_joins: 0,
            bytes: GROUP_COST_BYTES + id.len(),
            timer_ms: None,
            queued_ms: None,
        }
    }

    /// Whether nothing would be lost with it: it has no members, no offsets, and no record.
    pub fn is_trivial(&self) -> bool {
        self.is_idle() && self.generation == 0 && self.protocol_type.is_none()
    }

    /// Whether nobody and nothing belongs to it.
    pub fn is_idle(&self) -> bool {
        self.state == State::Empty
            && self.members.is_empty()
            && self.pending_members.is_empty()
            && self.offsets.is_empty()
            && self.pending_offset_appends == 0
    }

    /// Enters a state.
    pub fn enter(&mut self, state: State, wall_clock_ms: i64) {
        self.state = state;
        self.state_since_ms = wall_clock_ms;
    }

    /// Has the group looked at then, or earlier.
    pub fn look_at(&mut self, deadline_ms: u64) {
        self.timer_ms = Some(self.timer_ms.map_or(deadline_ms, |timer| timer.min(deadline_ms)));
    }

    /// When something is due next.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let expiring = self.members.values().filter(|member| member.can_expire());
        let members = expiring.map(|member| member.deadline_ms);
        let rebalance = self.rebalance.map(|rebalance| rebalance.deadline_ms);
        let pending = self.pending_members.values().copied();
        members.chain(pending).chain(rebalance).chain(self.sync_deadline_ms).min()
    }

    /// Adds a member.
    pub fn add(&mut self, id: &str, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if self.leader.is_none() {
            self.leader = Some(id.to_owned());
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), id.to_owned());
        }
        self.awaited_joins += usize::from(member.awaited_join.is_some());
        self.bytes += member.bytes(id);
        self.protocols.add(&member);
        let replaced = self.members.insert(id.to_owned(), member);
        assert!(replaced.is_none(), "a new id");
    }

    /// Removes a member. Whoever waits for it must be answered by the caller.
    pub fn remove(&mut self, id: &str) -> Option<Member> {
        let member = self.members.remove(id)?;
        if let Some(instance_id) = &member.instance_id {
            self.static_members.remove(instance_id);
        }
        self.awaited_joins -= usize::from(member.awaited_join.is_some());
        self.bytes -= member.bytes(id);
        self.protocols.remove(&member);
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Changes a member and keeps the sums right.
    pub fn change_member<T>(&mut self, id: &str, change: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let member = self.members.get_mut(id)?;
        let before = (member.bytes(id), usize::from(member.awaited_join.is_some()));
        let result = change(member);
        self.bytes = self.bytes - before.0 + member.bytes(id);
        self.awaited_joins = self.awaited_joins - before.1 + usize::from(member.awaited_join.is_some());
        Some(result)
    }

    /// The same for what it speaks.
    pub fn change_protocols<T>(&mut self, id: &str, change: impl FnOnce(&mut Member) -> T) -> Option<T> {
        self.protocols.remove(self.members.get(id)?);
        let result = self.change_member(id, change);
        self.protocols.add(&self.members[id]);
        result
    }

    /// Whether this is a member, and the one that its static id now means.
    pub fn check_member(&self, id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(current) if current != id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Whether a member that speaks this could belong to the group.
    pub fn supports(&self, protocol_type: &str, protocols: &[JoinGroupRequestProtocol]) -> bool {
        if self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|protocol| self.is_common(&protocol.name))
    }

    /// Whether all members speak it.
    fn is_common(&self, protocol: &str) -> bool {
        self.protocols.speakers(protocol) == self.members.len()
    }

    /// The protocol that all members speak and most prefer. There is one as long as nobody joins who shares none.
    pub fn elected_protocol(&self) -> Option<String> {
        let first = self.members.values().next()?;
        let common = first.protocols.iter().map(|(name, _)| &**name).filter(|name| self.is_common(name));
        let mut votes: BTreeMap<&str, usize> = common.map(|name| (name, 0)).collect();
        if votes.len() == 1 {
            return votes.into_keys().next().map(str::to_owned);
        }
        for member in self.members.values() {
            let preferred = member.protocols.iter().find(|(name, _)| votes.contains_key(&**name));
            let (preferred, _) = preferred?;
            *votes.get_mut(&**preferred).expect("just found") += 1;
        }
        // Of equals the one that the first member prefers.
        let place = |name: &str| first.protocols.iter().position(|(other, _)| other == name);
        let best = votes.into_iter().max_by_key(|(name, votes)| (*votes, std::cmp::Reverse(place(name))));
        best.map(|(name, _)| name.to_owned())
    }

    /// How long a rebalance waits, in ms: as long as the most patient member.
    pub fn rebalance_timeout_ms(&self) -> u64 {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max();
        u64::try_from(longest.unwrap_or(0)).unwrap_or(0)
    }

    /// Who waits for a share, not waiting any more.
    pub fn take_awaited_syncs(&mut self) -> Vec<(String, Ticket)> {
        let take = |(id, member): (&String, &mut Member)| Some((id.clone(), member.awaited_sync.take()?));
        self.members.iter_mut().filter_map(take).collect()
    }

    /// The group as a record, where members have these shares.
    pub fn record(&self, assignments: &BTreeMap<String, Bytes>) -> GroupRecord {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| MemberMetadata {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(protocol),
            assignment: assignments.get(id).unwrap_or(&member.assignment).clone(),
        });
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_since_ms,
            members: members.collect(),
        };
        GroupRecord::Group(self.key(), Some(value))
    }

    /// The record that forgets the group.
    pub fn tombstone(&self) -> GroupRecord {
        GroupRecord::Group(self.key(), None)
    }

    fn key(&self) -> GroupMetadataKey {
        GroupMetadataKey { group: self.id.to_string() }
    }

    /// The topics that members of a consumer group are subscribed to; `None` if that cannot be known.
    pub fn subscribed_topics(&self) -> Option<std::collections::BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(super::subscription::CONSUMER) {
            return None;
        }
        let protocol = self.protocol.as_deref()?;
        let mut topics = std::collections::BTreeSet::new();
        for member in self.members.values() {
            topics.extend(super::subscription::topics(member.metadata(protocol))?);
        }
        Some(topics)
    }
}
