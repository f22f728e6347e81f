//! Groups as the log tells of them.

use super::events::Moment;
use super::group::{Group, State};
use super::member::Member;
use super::offsets::Committed;
use crate::protocol::group_records::{GroupMetadataValue, GroupRecord, MemberMetadata};

impl Group {
    /// Takes a record in. The last one of a key counts.
    pub fn load(&mut self, record: GroupRecord) {
        match record {
            GroupRecord::Offset(key, value) => {
                let change = match value {
                    Some(value) => self.offsets.put(&key.topic, key.partition, Committed::of_record(value)),
                    None => self.offsets.remove(&key.topic, key.partition),
                };
                self.bytes = self.bytes.saturating_add_signed(change);
            }
            GroupRecord::Group(_, value) => self.load_members(value.unwrap_or_default()),
        }
    }

    fn load_members(&mut self, value: GroupMetadataValue) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        ids.iter().for_each(|id| drop(self.remove(id)));
        let GroupMetadataValue { protocol_type, generation, protocol, leader, members, .. } = value;
        (self.generation, self.protocol) = (generation, protocol);
        self.protocol_type = Some(protocol_type).filter(|name| !name.is_empty());
        self.state_since_ms = value.current_state_timestamp;
        let (name, kind) = (self.protocol.clone().unwrap_or_default(), self.protocol_type.clone());
        for metadata in members {
            let id = metadata.member_id.clone();
            if !self.members.contains_key(&id) {
                self.add(&id, member(metadata, &name), kind.as_deref().unwrap_or_default());
            }
        }
        self.leader = leader.filter(|id| self.members.contains_key(id));
        self.state = if self.members.is_empty() { State::Empty } else { State::Stable };
    }

    /// All records are taken in: members have until now and their session's length to show up.
    pub fn finish_load(&mut self, moment: Moment) {
        for member in self.members.values_mut() {
            let session_ms = u64::try_from(member.session_timeout_ms).unwrap_or(0);
            member.deadline_ms = moment.now_ms.saturating_add(session_ms);
        }
        self.timer_ms = self.next_deadline_ms();
    }
}

fn member(metadata: MemberMetadata, protocol: &str) -> Member {
    Member {
        instance_id: metadata.group_instance_id,
        client_id: metadata.client_id,
        client_host: metadata.client_host,
        session_timeout_ms: metadata.session_timeout,
        rebalance_timeout_ms: match metadata.rebalance_timeout {
            ..0 => metadata.session_timeout,
            timeout_ms => timeout_ms,
        },
        protocols: vec![(protocol.to_owned(), super::events::owned(&metadata.subscription))],
        assignment: super::events::owned(&metadata.assignment),
        awaited_join: None,
        awaited_sync: None,
        has_synced: true,
        is_new: false,
        deadline_ms: 0,
    }
}
