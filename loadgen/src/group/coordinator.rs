//! What a member asks its group's coordinator, in whatever version that has.

use std::collections::BTreeMap;

use bytes::Bytes;
use corelane::protocol::messages::find_coordinator::FindCoordinatorRequest;
use corelane::protocol::messages::heartbeat::HeartbeatRequest;
use corelane::protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use corelane::protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use corelane::protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use corelane::protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use corelane::protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use corelane::protocol::{ErrorCode, Message};

use super::range::{CONSUMER, Partitions, RANGE};
use crate::client::{BlockingClient, ClientError, address, when_ready};

/// Silence after which a member counts as gone.
const SESSION_TIMEOUT_MS: i32 = 30_000;
/// How long the coordinator waits for members when the group rebalances; a connection gives up only later.
const REBALANCE_TIMEOUT_MS: i32 = 10_000;
/// The first versions that ask for several groups, or name several members.
const FIND_SEVERAL: i16 = 4;
const FETCH_SEVERAL: i16 = 8;
const LEAVE_SEVERAL: i16 = 3;
/// The last versions that name topics.
const OFFSETS_WITH_NAMES: i16 = 9;

/// A connection to a group's coordinator.
pub struct Coordinator {
    client: BlockingClient,
    group: String,
}

impl Coordinator {
    /// Asks `bootstrap` for the group's coordinator and connects to it.
    pub fn find(bootstrap: &str, group: &str) -> Result<Coordinator, ClientError> {
        let address = when_ready(|| find(bootstrap, group))?;
        Ok(Coordinator { client: BlockingClient::connect(&address)?, group: group.to_owned() })
    }

    /// Joins; the id of a new member is empty.
    pub fn join(&mut self, member_id: &str, metadata: Bytes) -> Result<JoinGroupResponse, ClientError> {
        let request = JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
            member_id: member_id.to_owned(),
            protocol_type: CONSUMER.to_owned(),
            protocols: vec![JoinGroupRequestProtocol { name: RANGE.to_owned(), metadata }],
            ..Default::default()
        };
        self.client.call(&request, i16::MAX)
    }

    /// Asks for the member's share, and as the leader gives everybody theirs.
    pub fn sync(
        &mut self,
        (member_id, generation_id): (&str, i32),
        shares: Vec<(String, Bytes)>,
    ) -> Result<(ErrorCode, Bytes), ClientError> {
        let assignments = shares
            .into_iter()
            .map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment });
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id,
            member_id: member_id.to_owned(),
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name: Some(RANGE.to_owned()),
            assignments: assignments.collect(),
            ..Default::default()
        };
        let response = self.client.call(&request, i16::MAX)?;
        Ok((response.error_code, response.assignment))
    }

    /// Says that the member lives.
    pub fn heartbeat(&mut self, (member_id, generation_id): (&str, i32)) -> Result<ErrorCode, ClientError> {
        let (group_id, member_id) = (self.group.clone(), member_id.to_owned());
        let request = HeartbeatRequest { group_id, generation_id, member_id, ..Default::default() };
        Ok(self.client.call(&request, i16::MAX)?.error_code)
    }

    /// Leaves. Whether the coordinator likes it does not matter any more.
    pub fn leave(&mut self, member_id: &str) -> Result<(), ClientError> {
        let version = self.client.versions().pick(LeaveGroupRequest::API, i16::MAX, self.client.address())?;
        let (group_id, member_id) = (self.group.clone(), member_id.to_owned());
        let request = match version {
            LEAVE_SEVERAL.. => {
                let members = vec![MemberIdentity { member_id, ..Default::default() }];
                LeaveGroupRequest { group_id, members, ..Default::default() }
            }
            _ => LeaveGroupRequest { group_id, member_id, ..Default::default() },
        };
        self.client.call_version(&request, version).map(|_| ())
    }

    /// Commits offsets by topic and partition; the first error, if there is any.
    pub fn commit(
        &mut self,
        (member_id, generation_id): (&str, i32),
        offsets: &BTreeMap<&str, Vec<(i32, i64)>>,
    ) -> Result<ErrorCode, ClientError> {
        let partition = |(partition_index, committed_offset): &(i32, i64)| OffsetCommitRequestPartition {
            partition_index: *partition_index,
            committed_offset: *committed_offset,
            ..Default::default()
        };
        let topic = |(name, offsets): (&&str, &Vec<(i32, i64)>)| OffsetCommitRequestTopic {
            name: (*name).to_owned(),
            partitions: offsets.iter().map(partition).collect(),
            ..Default::default()
        };
        let request = OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: generation_id,
            member_id: member_id.to_owned(),
            topics: offsets.iter().map(topic).collect(),
            ..Default::default()
        };
        let response = self.client.call(&request, OFFSETS_WITH_NAMES)?;
        let mut codes = response.topics.iter().flat_map(|it| &it.partitions).map(|it| it.error_code);
        Ok(codes.find(|code| *code != ErrorCode::None).unwrap_or(ErrorCode::None))
    }

    /// What the group has committed of these partitions; those of which it has nothing are left out.
    pub fn committed(&mut self, wanted: &Partitions) -> Result<BTreeMap<(String, i32), i64>, ClientError> {
        let address = self.client.address().to_owned();
        let version = self.client.versions().pick(OffsetFetchRequest::API, OFFSETS_WITH_NAMES, &address)?;
        let wanted = wanted.iter().map(|(name, partitions)| (name.clone(), partitions.clone()));
        let request = if version >= FETCH_SEVERAL {
            let topics = wanted.map(|(name, partition_indexes)| OffsetFetchRequestTopics {
                name,
                partition_indexes,
                ..Default::default()
            });
            let topics = Some(topics.collect());
            let group =
                OffsetFetchRequestGroup { group_id: self.group.clone(), topics, ..Default::default() };
            OffsetFetchRequest { groups: vec![group], ..Default::default() }
        } else {
            let topics =
                wanted.map(|(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes });
            let topics = Some(topics.collect());
            OffsetFetchRequest { group_id: self.group.clone(), topics, ..Default::default() }
        };
        let response = self.client.call_version(&request, version)?;
        refused("asking for committed offsets", response.error_code)?;
        let mut found = Vec::new();
        for topic in response.topics {
            let partitions = topic.partitions.iter();
            found.extend(
                partitions
                    .map(|it| (topic.name.clone(), it.partition_index, it.committed_offset, it.error_code)),
            );
        }
        for group in response.groups {
            refused("asking for committed offsets", group.error_code)?;
            for topic in group.topics {
                let partitions = topic.partitions.iter();
                found.extend(
                    partitions.map(|it| {
                        (topic.name.clone(), it.partition_index, it.committed_offset, it.error_code)
                    }),
                );
            }
        }
        let mut offsets = BTreeMap::new();
        for (topic, partition, offset, code) in found {
            refused("asking for a committed offset", code)?;
            if offset >= 0 {
                offsets.insert((topic, partition), offset);
            }
        }
        Ok(offsets)
    }
}

/// An error unless the code says that there is none.
pub fn refused(what: &str, code: ErrorCode) -> Result<(), ClientError> {
    match code {
        ErrorCode::None => Ok(()),
        code => Err(ClientError::Refused { what: what.to_owned(), code }),
    }
}

fn find(bootstrap: &str, group: &str) -> Result<String, ClientError> {
    let mut client = BlockingClient::connect(bootstrap)?;
    let version = client.versions().pick(FindCoordinatorRequest::API, i16::MAX, bootstrap)?;
    let what = format!("asking for the coordinator of group `{group}`");
    let several = FindCoordinatorRequest { coordinator_keys: vec![group.to_owned()], ..Default::default() };
    let one = FindCoordinatorRequest { key: group.to_owned(), ..Default::default() };
    let request = if version >= FIND_SEVERAL { several } else { one };
    let response = client.call_version(&request, version)?;
    refused(&what, response.error_code)?;
    let (host, port) = match response.coordinators.into_iter().next() {
        Some(found) => {
            refused(&what, found.error_code)?;
            (found.host, found.port)
        }
        None => (response.host, response.port),
    };
    Ok(address(&host, port))
}
