//! From a frame to the file that knows the request.

use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;

use crate::protocol::messages::{
    alter_client_quotas::AlterClientQuotasRequest, alter_configs::AlterConfigsRequest,
    alter_partition_reassignments::AlterPartitionReassignmentsRequest,
    alter_replica_log_dirs::AlterReplicaLogDirsRequest,
    alter_user_scram_credentials::AlterUserScramCredentialsRequest, api_versions::ApiVersionsRequest,
    create_acls::CreateAclsRequest, create_partitions::CreatePartitionsRequest,
    create_topics::CreateTopicsRequest, delete_acls::DeleteAclsRequest, delete_groups::DeleteGroupsRequest,
    delete_records::DeleteRecordsRequest, delete_topics::DeleteTopicsRequest,
    describe_acls::DescribeAclsRequest, describe_client_quotas::DescribeClientQuotasRequest,
    describe_cluster::DescribeClusterRequest, describe_configs::DescribeConfigsRequest,
    describe_groups::DescribeGroupsRequest, describe_log_dirs::DescribeLogDirsRequest,
    describe_producers::DescribeProducersRequest, describe_topic_partitions::DescribeTopicPartitionsRequest,
    describe_user_scram_credentials::DescribeUserScramCredentialsRequest, elect_leaders::ElectLeadersRequest,
    fetch::FetchRequest, find_coordinator::FindCoordinatorRequest, heartbeat::HeartbeatRequest,
    incremental_alter_configs::IncrementalAlterConfigsRequest, init_producer_id::InitProducerIdRequest,
    join_group::JoinGroupRequest, leave_group::LeaveGroupRequest,
    list_config_resources::ListConfigResourcesRequest, list_groups::ListGroupsRequest,
    list_offsets::ListOffsetsRequest, list_partition_reassignments::ListPartitionReassignmentsRequest,
    list_transactions::ListTransactionsRequest, metadata::MetadataRequest,
    offset_commit::OffsetCommitRequest, offset_delete::OffsetDeleteRequest, offset_fetch::OffsetFetchRequest,
    offset_for_leader_epoch::OffsetForLeaderEpochRequest, produce::ProduceRequest,
    sync_group::SyncGroupRequest,
};
use crate::protocol::{ApiKey, DecodeError, Message, Reader, RequestHeader};
use crate::shard::{Charge, ListenerIndex, Shard};

use super::reply::{Refused, Reply};
use super::{
    Pace, PendingProduce, acls, alter_configs, alter_partition_reassignments, alter_replica_log_dirs,
    api_versions, cost, create_partitions, create_topics, delete_groups, delete_records, delete_topics,
    describe_cluster, describe_configs, describe_groups, describe_log_dirs, describe_producers,
    describe_topic_partitions, elect_leaders, fetch, find_coordinator, heartbeat, init_producer_id,
    join_group, leave_group, list_config_resources, list_groups, list_offsets, list_partition_reassignments,
    list_transactions, metadata, offset_commit, offset_delete, offset_fetch, offset_for_leader_epoch,
    oversized, produce, quotas, scram_credentials, sync_group,
};
use crate::base::guard::guarded;

/// Who executes requests, and for whom.
#[derive(Clone)]
pub struct Caller {
    /// The shard that the connection is on.
    pub shard: Rc<Shard>,
    /// The listener that it came in by.
    pub listener: ListenerIndex,
    /// How fast its client takes responses.
    pub pace: Rc<Pace>,
    /// Where its client connects from, if that is known.
    pub client_address: Option<IpAddr>,
}

/// A request that was read.
pub enum Call {
    /// One whose records are appended without waiting for those of the ones before it.
    Produce(ProduceCall),
    /// Any other; it is executed when all before it are answered.
    Other(OtherCall),
}

impl Call {
    /// Which API is called.
    pub fn api(&self) -> ApiKey {
        match self {
            Call::Produce(call) => call.header.api.key,
            Call::Other(call) => call.header.api.key,
        }
    }
}

impl OtherCall {
    /// Takes the memory that is counted for the request where it is to be given back before the answer: JoinGroup and
    /// SyncGroup wait for others of their kind. What they take is counted in their group once that has them, and members
    /// must not keep those for whom they wait from being read.
    pub fn charged(mut self, charge: &mut Option<Charge>) -> Self {
        if matches!(self.body, Body::JoinGroup(_) | Body::SyncGroup(_)) {
            self.charge = charge.take();
        }
        self
    }
}

/// A produce request.
pub struct ProduceCall {
    pub(super) header: RequestHeader,
    pub(super) request: ProduceRequest,
}

/// Any other request.
pub struct OtherCall {
    header: RequestHeader,
    body: Body,
    /// See [`OtherCall::charged`].
    charge: Option<Charge>,
}

enum Body {
    Fetch(FetchRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    FindCoordinator(FindCoordinatorRequest),
    DeleteGroups(DeleteGroupsRequest),
    DescribeGroups(DescribeGroupsRequest),
    Heartbeat(HeartbeatRequest),
    JoinGroup(JoinGroupRequest),
    LeaveGroup(LeaveGroupRequest),
    ListGroups(ListGroupsRequest),
    OffsetCommit(OffsetCommitRequest),
    OffsetDelete(OffsetDeleteRequest),
    OffsetFetch(OffsetFetchRequest),
    SyncGroup(SyncGroupRequest),
    ApiVersions,
    /// ApiVersions of a version that we do not know.
    NewerApiVersions,
    CreateTopics(CreateTopicsRequest),
    DeleteTopics(DeleteTopicsRequest),
    DeleteRecords(DeleteRecordsRequest),
    InitProducerId(InitProducerIdRequest),
    DescribeConfigs(DescribeConfigsRequest),
    AlterConfigs(AlterConfigsRequest),
    CreatePartitions(CreatePartitionsRequest),
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    DescribeCluster(DescribeClusterRequest),
    DescribeLogDirs(DescribeLogDirsRequest),
    DescribeProducers(DescribeProducersRequest),
    DescribeTopicPartitions(DescribeTopicPartitionsRequest),
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest),
    AlterClientQuotas(AlterClientQuotasRequest),
    AlterPartitionReassignments(AlterPartitionReassignmentsRequest),
    AlterReplicaLogDirs(AlterReplicaLogDirsRequest),
    AlterUserScramCredentials(AlterUserScramCredentialsRequest),
    CreateAcls(CreateAclsRequest),
    DeleteAcls(DeleteAclsRequest),
    DescribeAcls,
    DescribeClientQuotas,
    DescribeUserScramCredentials(DescribeUserScramCredentialsRequest),
    ElectLeaders(ElectLeadersRequest),
    ListConfigResources(ListConfigResourcesRequest),
    ListPartitionReassignments,
    ListTransactions(ListTransactionsRequest),
    /// A request of which only the header is there: memory does not hold the rest.
    Oversized,
}

/// Takes a request's frame (the bytes behind its length) apart. Record batches stay views of it.
pub fn decode(frame: Bytes) -> Result<Call, Refused> {
    guarded(|| read_call(&mut cost::reader(frame))).ok_or(Refused::Defect)?.map_err(Refused::Malformed)
}

/// The same for the beginning of a frame that memory does not hold: what can be answered without the rest.
pub fn decode_head(head: Bytes) -> Result<Call, Refused> {
    let read = guarded(|| RequestHeader::decode(&mut Reader::new(head))).ok_or(Refused::Defect)?;
    let header = read.map_err(Refused::Malformed)?;
    if !header.is_version_supported() {
        let (api, version) = (header.api.key, header.version);
        return Err(Refused::Malformed(DecodeError::Version { api, version }));
    }
    Ok(Call::Other(OtherCall { header, body: Body::Oversized, charge: None }))
}

fn read_call(reader: &mut Reader) -> Result<Call, DecodeError> {
    let header = RequestHeader::decode(reader)?;
    let version = header.version;
    let body = match header.api.key {
        ApiKey::Produce => {
            let request = ProduceRequest::decode(reader, version)?;
            return Ok(Call::Produce(ProduceCall { header, request }));
        }
        ApiKey::Fetch => Body::Fetch(Message::decode(reader, version)?),
        ApiKey::ListOffsets => Body::ListOffsets(Message::decode(reader, version)?),
        ApiKey::Metadata => Body::Metadata(Message::decode(reader, version)?),
        ApiKey::FindCoordinator => Body::FindCoordinator(Message::decode(reader, version)?),
        ApiKey::DeleteGroups => Body::DeleteGroups(Message::decode(reader, version)?),
        ApiKey::DescribeGroups => Body::DescribeGroups(Message::decode(reader, version)?),
        ApiKey::Heartbeat => Body::Heartbeat(Message::decode(reader, version)?),
        ApiKey::JoinGroup => Body::JoinGroup(Message::decode(reader, version)?),
        ApiKey::LeaveGroup => Body::LeaveGroup(Message::decode(reader, version)?),
        ApiKey::ListGroups => Body::ListGroups(Message::decode(reader, version)?),
        ApiKey::OffsetCommit => Body::OffsetCommit(Message::decode(reader, version)?),
        ApiKey::OffsetDelete => Body::OffsetDelete(Message::decode(reader, version)?),
        ApiKey::OffsetFetch => Body::OffsetFetch(Message::decode(reader, version)?),
        ApiKey::SyncGroup => Body::SyncGroup(Message::decode(reader, version)?),
        ApiKey::ApiVersions if !header.is_version_supported() => Body::NewerApiVersions,
        ApiKey::ApiVersions => {
            ApiVersionsRequest::decode(reader, version)?;
            Body::ApiVersions
        }
        ApiKey::CreateTopics => Body::CreateTopics(Message::decode(reader, version)?),
        ApiKey::DeleteTopics => Body::DeleteTopics(Message::decode(reader, version)?),
        ApiKey::DeleteRecords => Body::DeleteRecords(Message::decode(reader, version)?),
        ApiKey::InitProducerId => Body::InitProducerId(Message::decode(reader, version)?),
        ApiKey::DescribeConfigs => Body::DescribeConfigs(Message::decode(reader, version)?),
        ApiKey::AlterConfigs => Body::AlterConfigs(Message::decode(reader, version)?),
        ApiKey::CreatePartitions => Body::CreatePartitions(Message::decode(reader, version)?),
        ApiKey::IncrementalAlterConfigs => Body::IncrementalAlterConfigs(Message::decode(reader, version)?),
        ApiKey::DescribeTopicPartitions => Body::DescribeTopicPartitions(Message::decode(reader, version)?),
        ApiKey::DescribeCluster => Body::DescribeCluster(Message::decode(reader, version)?),
        ApiKey::OffsetForLeaderEpoch => Body::OffsetForLeaderEpoch(Message::decode(reader, version)?),
        ApiKey::DescribeLogDirs => Body::DescribeLogDirs(Message::decode(reader, version)?),
        ApiKey::DescribeProducers => Body::DescribeProducers(Message::decode(reader, version)?),
        ApiKey::AlterClientQuotas => Body::AlterClientQuotas(Message::decode(reader, version)?),
        ApiKey::AlterPartitionReassignments => {
            Body::AlterPartitionReassignments(Message::decode(reader, version)?)
        }
        ApiKey::AlterReplicaLogDirs => Body::AlterReplicaLogDirs(Message::decode(reader, version)?),
        ApiKey::AlterUserScramCredentials => {
            Body::AlterUserScramCredentials(Message::decode(reader, version)?)
        }
        ApiKey::CreateAcls => Body::CreateAcls(Message::decode(reader, version)?),
        ApiKey::DeleteAcls => Body::DeleteAcls(Message::decode(reader, version)?),
        ApiKey::DescribeAcls => {
            DescribeAclsRequest::decode(reader, version)?;
            Body::DescribeAcls
        }
        ApiKey::DescribeClientQuotas => {
            DescribeClientQuotasRequest::decode(reader, version)?;
            Body::DescribeClientQuotas
        }
        ApiKey::DescribeUserScramCredentials => {
            Body::DescribeUserScramCredentials(Message::decode(reader, version)?)
        }
        ApiKey::ElectLeaders => Body::ElectLeaders(Message::decode(reader, version)?),
        ApiKey::ListConfigResources => Body::ListConfigResources(Message::decode(reader, version)?),
        ApiKey::ListPartitionReassignments => {
            ListPartitionReassignmentsRequest::decode(reader, version)?;
            Body::ListPartitionReassignments
        }
        ApiKey::ListTransactions => Body::ListTransactions(Message::decode(reader, version)?),
        other => return Err(DecodeError::ApiKey(other as i16)),
    };
    Ok(Call::Other(OtherCall { header, body, charge: None }))
}

impl Caller {
    /// A connection whose client has taken nothing yet.
    pub fn new(shard: Rc<Shard>, listener: ListenerIndex) -> Self {
        Caller { shard, listener, pace: Rc::default(), client_address: None }
    }

    /// The same from a known address.
    pub fn from(self, client_address: Option<IpAddr>) -> Self {
        Caller { client_address, ..self }
    }

    /// The client's address as Kafka writes it.
    pub(super) fn client_host(&self) -> String {
        self.client_address.map(|address| format!("/{}", address.to_canonical())).unwrap_or_default()
    }

    /// Appends the records of a produce request. Completes when they have their places in their partitions;
    /// what it returns, when they are durable.
    pub async fn produce(&self, call: ProduceCall) -> PendingProduce {
        produce::begin(self, call).await
    }

    /// Executes any other request to its end.
    pub async fn execute(&self, call: OtherCall) -> Reply {
        let OtherCall { header, body, charge } = call;
        let (caller, header) = (self, &header);
        // Boxed, so that a connection that does nothing has no room for the largest of them.
        match body {
            Body::Fetch(request) => Box::pin(fetch::handle(caller, header, request)).await,
            Body::ListOffsets(request) => Box::pin(list_offsets::handle(caller, header, request)).await,
            Body::Metadata(request) => Box::pin(metadata::handle(caller, header, request)).await,
            Body::FindCoordinator(request) => {
                Box::pin(find_coordinator::handle(caller, header, request)).await
            }
            Body::DeleteGroups(request) => Box::pin(delete_groups::handle(caller, header, request)).await,
            Body::DescribeGroups(request) => Box::pin(describe_groups::handle(caller, header, request)).await,
            Body::Heartbeat(request) => Box::pin(heartbeat::handle(caller, header, request)).await,
            Body::JoinGroup(request) => Box::pin(join_group::handle(caller, header, request, charge)).await,
            Body::LeaveGroup(request) => Box::pin(leave_group::handle(caller, header, request)).await,
            Body::ListGroups(request) => Box::pin(list_groups::handle(caller, header, request)).await,
            Body::OffsetCommit(request) => Box::pin(offset_commit::handle(caller, header, request)).await,
            Body::OffsetDelete(request) => Box::pin(offset_delete::handle(caller, header, request)).await,
            Body::OffsetFetch(request) => Box::pin(offset_fetch::handle(caller, header, request)).await,
            Body::SyncGroup(request) => Box::pin(sync_group::handle(caller, header, request, charge)).await,
            Body::ApiVersions => api_versions::handle(header),
            Body::NewerApiVersions => api_versions::refuse(header),
            Body::CreateTopics(request) => Box::pin(create_topics::handle(caller, header, request)).await,
            Body::DeleteTopics(request) => Box::pin(delete_topics::handle(caller, header, request)).await,
            Body::DeleteRecords(request) => Box::pin(delete_records::handle(caller, header, request)).await,
            Body::InitProducerId(request) => {
                Box::pin(init_producer_id::handle(caller, header, request)).await
            }
            Body::DescribeConfigs(request) => {
                Box::pin(describe_configs::handle(caller, header, &request)).await
            }
            Body::AlterConfigs(request) => Box::pin(alter_configs::handle(caller, header, request)).await,
            Body::CreatePartitions(request) => {
                Box::pin(create_partitions::handle(caller, header, request)).await
            }
            Body::IncrementalAlterConfigs(request) => {
                Box::pin(alter_configs::handle_incremental(caller, header, request)).await
            }
            Body::DescribeTopicPartitions(request) => {
                describe_topic_partitions::handle(caller, header, &request)
            }
            Body::DescribeCluster(request) => describe_cluster::handle(caller, header, &request),
            Body::OffsetForLeaderEpoch(request) => {
                Box::pin(offset_for_leader_epoch::handle(caller, header, request)).await
            }
            Body::DescribeLogDirs(request) => {
                Box::pin(describe_log_dirs::handle(caller, header, request)).await
            }
            Body::DescribeProducers(request) => {
                Box::pin(describe_producers::handle(caller, header, request)).await
            }
            Body::AlterClientQuotas(request) => Box::pin(quotas::alter(caller, header, request)).await,
            Body::AlterPartitionReassignments(request) => {
                Box::pin(alter_partition_reassignments::handle(caller, header, request)).await
            }
            Body::AlterReplicaLogDirs(request) => alter_replica_log_dirs::handle(caller, header, request),
            Body::AlterUserScramCredentials(request) => {
                Box::pin(scram_credentials::alter(caller, header, request)).await
            }
            Body::CreateAcls(request) => Box::pin(acls::create(caller, header, request)).await,
            Body::DeleteAcls(request) => Box::pin(acls::delete(caller, header, request)).await,
            Body::DescribeAcls => acls::describe(header),
            Body::DescribeClientQuotas => quotas::describe(header),
            Body::DescribeUserScramCredentials(request) => {
                Box::pin(scram_credentials::describe(caller, header, request)).await
            }
            Body::ElectLeaders(request) => Box::pin(elect_leaders::handle(caller, header, request)).await,
            Body::ListConfigResources(request) => {
                Box::pin(list_config_resources::handle(caller, header, request)).await
            }
            Body::ListPartitionReassignments => list_partition_reassignments::handle(header),
            Body::ListTransactions(request) => list_transactions::handle(header, request),
            Body::Oversized => oversized::refuse(header),
        }
    }
}
