//! Checks that hold for every message at every version: agreement with an independent implementation, and
//! composure in the face of hostile bytes.

/// A message of the `kafka-protocol` crate that stands for one of ours.
trait Counterpart {
    type Theirs;
}

macro_rules! messages {
    ($($file:ident: $request:ident $response:ident,)*) => {
        $(
            impl Counterpart for crate::protocol::messages::$file::$request {
                type Theirs = kafka_protocol::messages::$request;
            }
            impl Counterpart for crate::protocol::messages::$file::$response {
                type Theirs = kafka_protocol::messages::$response;
            }
        )*

        /// `[function::<Request>, ..]` for every request.
        macro_rules! every_request {
            ($function:ident) => {
                [$( $function::<crate::protocol::messages::$file::$request>, )*]
            };
        }

        /// Calls `check::<Message>(arguments)` for every request and response.
        macro_rules! for_every_message {
            ($check:ident $arguments:tt) => {
                $(
                    $check::<crate::protocol::messages::$file::$request> $arguments;
                    $check::<crate::protocol::messages::$file::$response> $arguments;
                )*
            };
        }
    };
}

messages! {
    alter_client_quotas: AlterClientQuotasRequest AlterClientQuotasResponse,
    alter_configs: AlterConfigsRequest AlterConfigsResponse,
    alter_partition_reassignments: AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse,
    alter_replica_log_dirs: AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse,
    alter_user_scram_credentials: AlterUserScramCredentialsRequest AlterUserScramCredentialsResponse,
    api_versions: ApiVersionsRequest ApiVersionsResponse,
    create_acls: CreateAclsRequest CreateAclsResponse,
    create_partitions: CreatePartitionsRequest CreatePartitionsResponse,
    create_topics: CreateTopicsRequest CreateTopicsResponse,
    delete_acls: DeleteAclsRequest DeleteAclsResponse,
    delete_groups: DeleteGroupsRequest DeleteGroupsResponse,
    delete_records: DeleteRecordsRequest DeleteRecordsResponse,
    delete_topics: DeleteTopicsRequest DeleteTopicsResponse,
    describe_acls: DescribeAclsRequest DescribeAclsResponse,
    describe_client_quotas: DescribeClientQuotasRequest DescribeClientQuotasResponse,
    describe_cluster: DescribeClusterRequest DescribeClusterResponse,
    describe_configs: DescribeConfigsRequest DescribeConfigsResponse,
    describe_groups: DescribeGroupsRequest DescribeGroupsResponse,
    describe_log_dirs: DescribeLogDirsRequest DescribeLogDirsResponse,
    describe_producers: DescribeProducersRequest DescribeProducersResponse,
    describe_topic_partitions: DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse,
    describe_user_scram_credentials: DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse,
    elect_leaders: ElectLeadersRequest ElectLeadersResponse,
    fetch: FetchRequest FetchResponse,
    find_coordinator: FindCoordinatorRequest FindCoordinatorResponse,
    heartbeat: HeartbeatRequest HeartbeatResponse,
    incremental_alter_configs: IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse,
    init_producer_id: InitProducerIdRequest InitProducerIdResponse,
    join_group: JoinGroupRequest JoinGroupResponse,
    leave_group: LeaveGroupRequest LeaveGroupResponse,
    list_config_resources: ListConfigResourcesRequest ListConfigResourcesResponse,
    list_groups: ListGroupsRequest ListGroupsResponse,
    list_offsets: ListOffsetsRequest ListOffsetsResponse,
    list_partition_reassignments: ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse,
    list_transactions: ListTransactionsRequest ListTransactionsResponse,
    metadata: MetadataRequest MetadataResponse,
    offset_commit: OffsetCommitRequest OffsetCommitResponse,
    offset_delete: OffsetDeleteRequest OffsetDeleteResponse,
    offset_fetch: OffsetFetchRequest OffsetFetchResponse,
    offset_for_leader_epoch: OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse,
    produce: ProduceRequest ProduceResponse,
    sync_group: SyncGroupRequest SyncGroupResponse,
}

mod differential;
mod frames;
mod hostile;

use crate::base::splitmix::SplitMix;
use bytes::Bytes;

use super::super::{DecodeError, Message, Reader, Writer};

fn encode<M: Message>(message: &M, version: i16) -> Bytes {
    let mut writer = Writer::default();
    message.encode(&mut writer, version);
    writer.into_chain().into_bytes()
}

/// Decodes a body and says how many bytes it left.
fn decode<M: Message>(body: &Bytes, version: i16) -> Result<(M, usize), DecodeError> {
    let mut reader = Reader::new(body.clone());
    let message = M::decode(&mut reader, version)?;
    Ok((message, reader.remaining()))
}

/// A small generator of test bytes, the same for the same seed on every run.
struct Random(SplitMix);

impl Random {
    fn new(seed: u64) -> Self {
        Random(SplitMix::new(seed))
    }

    fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// Damages `bytes` in one to four places: flipped, overwritten with lengths, cut, doubled.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const LENGTHS: &[&[u8]] = &[
            &[0xff, 0xff, 0xff, 0xff],
            &[0x7f, 0xff, 0xff, 0xff],
            &[0x80, 0, 0, 0],
            &[0, 0, 0xff, 0xff],
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x7f, 0xff],
            &[0, 0],
            &[0],
        ];
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => bytes.truncate(at),
                2 => {
                    let random = self.bytes(3);
                    bytes.splice(at..at, random);
                }
                3 => bytes.extend_from_within(at..),
                _ => {
                    let length = LENGTHS[self.below(LENGTHS.len())];
                    let end = (at + length.len()).min(bytes.len());
                    bytes.splice(at..end, length.iter().copied());
                }
            }
            bytes.truncate(1 << 16);
        }
    }
}
