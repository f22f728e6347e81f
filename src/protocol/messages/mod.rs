//! The APIs that this broker speaks, one file each, and the table of them.
//!
//! Fields carry Kafka's names; their versions were checked against Kafka's schemas of 4.1 (and of 4.2 for
//! ListOffsets 11).

pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod alter_user_scram_credentials;
pub mod api_versions;
pub mod create_acls;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod sync_group;
#[cfg(test)]
mod tests;

use super::{Api, Message};

/// Every API that is served, in the order of their keys; what ApiVersions advertises.
pub const SERVED: &[Api] = &[
    produce::ProduceRequest::API,
    fetch::FetchRequest::API,
    list_offsets::ListOffsetsRequest::API,
    metadata::MetadataRequest::API,
    offset_commit::OffsetCommitRequest::API,
    offset_fetch::OffsetFetchRequest::API,
    find_coordinator::FindCoordinatorRequest::API,
    join_group::JoinGroupRequest::API,
    heartbeat::HeartbeatRequest::API,
    leave_group::LeaveGroupRequest::API,
    sync_group::SyncGroupRequest::API,
    describe_groups::DescribeGroupsRequest::API,
    list_groups::ListGroupsRequest::API,
    api_versions::ApiVersionsRequest::API,
    create_topics::CreateTopicsRequest::API,
    delete_topics::DeleteTopicsRequest::API,
    delete_records::DeleteRecordsRequest::API,
    init_producer_id::InitProducerIdRequest::API,
    offset_for_leader_epoch::OffsetForLeaderEpochRequest::API,
    describe_acls::DescribeAclsRequest::API,
    create_acls::CreateAclsRequest::API,
    delete_acls::DeleteAclsRequest::API,
    describe_configs::DescribeConfigsRequest::API,
    alter_configs::AlterConfigsRequest::API,
    alter_replica_log_dirs::AlterReplicaLogDirsRequest::API,
    describe_log_dirs::DescribeLogDirsRequest::API,
    create_partitions::CreatePartitionsRequest::API,
    delete_groups::DeleteGroupsRequest::API,
    elect_leaders::ElectLeadersRequest::API,
    incremental_alter_configs::IncrementalAlterConfigsRequest::API,
    alter_partition_reassignments::AlterPartitionReassignmentsRequest::API,
    list_partition_reassignments::ListPartitionReassignmentsRequest::API,
    offset_delete::OffsetDeleteRequest::API,
    describe_client_quotas::DescribeClientQuotasRequest::API,
    alter_client_quotas::AlterClientQuotasRequest::API,
    describe_user_scram_credentials::DescribeUserScramCredentialsRequest::API,
    alter_user_scram_credentials::AlterUserScramCredentialsRequest::API,
    describe_cluster::DescribeClusterRequest::API,
    describe_producers::DescribeProducersRequest::API,
    list_transactions::ListTransactionsRequest::API,
    list_config_resources::ListConfigResourcesRequest::API,
    describe_topic_partitions::DescribeTopicPartitionsRequest::API,
];

/// The served API that has `key` on the wire.
pub fn find(key: i16) -> Option<Api> {
    SERVED.iter().find(|api| api.key as i16 == key).copied()
}
