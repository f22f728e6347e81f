//! Every API that is served: how to make a request of it, and how to read the response.

use std::rc::Rc;

use bytes::Bytes;
use corelane::protocol::messages::{
    SERVED, alter_client_quotas, alter_configs, alter_partition_reassignments, alter_replica_log_dirs,
    alter_user_scram_credentials, api_versions, create_acls, create_partitions, create_topics, delete_acls,
    delete_groups, delete_records, delete_topics, describe_acls, describe_client_quotas, describe_cluster,
    describe_configs, describe_groups, describe_log_dirs, describe_producers, describe_topic_partitions,
    describe_user_scram_credentials, elect_leaders, fetch, find_coordinator, heartbeat,
    incremental_alter_configs, init_producer_id, join_group, leave_group, list_config_resources, list_groups,
    list_offsets, list_partition_reassignments, list_transactions, metadata, offset_commit, offset_delete,
    offset_fetch, offset_for_leader_epoch, produce, sync_group,
};
use corelane::protocol::sample::{Dice, Sample, Vocabulary};
use corelane::protocol::{Api, ApiKey, DecodeError, LENGTH_BYTES, Request, decode_response, encode_request};

use super::random::Random;

/// One API.
pub struct Kind {
    pub api: Api,
    sample: fn(&mut Dice, i16) -> Bytes,
    check: fn(Bytes, i16) -> Result<i32, DecodeError>,
}

impl Kind {
    const fn of<R: Request + Sample>() -> Kind {
        Kind { api: R::API, sample: sample::<R>, check: check::<R> }
    }

    /// The contents of a valid frame of any version, with values that mean something to the node.
    pub fn request(&self, random: &mut Random, vocabulary: &Rc<Vocabulary>) -> Vec<u8> {
        let versions = self.api.versions;
        let version = versions.min + random.below((versions.max - versions.min + 1) as usize) as i16;
        let choices = random.bytes(400);
        (self.sample)(&mut Dice::speaking(choices, Rc::clone(vocabulary)), version).to_vec()
    }

    /// Reads a response whole and gives its correlation id.
    pub fn check_response(&self, frame: Bytes, version: i16) -> Result<i32, DecodeError> {
        (self.check)(frame, version)
    }
}

fn sample<R: Request + Sample>(dice: &mut Dice, version: i16) -> Bytes {
    let request = R::sample(dice);
    encode_request(&request, version, 77, Some("fuzz")).into_bytes().slice(LENGTH_BYTES..)
}

fn check<R: Request>(frame: Bytes, version: i16) -> Result<i32, DecodeError> {
    decode_response::<R::Response>(frame, version).map(|(header, _)| header.correlation_id)
}

const KINDS: &[Kind] = &[
    Kind::of::<alter_client_quotas::AlterClientQuotasRequest>(),
    Kind::of::<alter_configs::AlterConfigsRequest>(),
    Kind::of::<alter_partition_reassignments::AlterPartitionReassignmentsRequest>(),
    Kind::of::<alter_replica_log_dirs::AlterReplicaLogDirsRequest>(),
    Kind::of::<alter_user_scram_credentials::AlterUserScramCredentialsRequest>(),
    Kind::of::<api_versions::ApiVersionsRequest>(),
    Kind::of::<create_acls::CreateAclsRequest>(),
    Kind::of::<create_partitions::CreatePartitionsRequest>(),
    Kind::of::<create_topics::CreateTopicsRequest>(),
    Kind::of::<delete_acls::DeleteAclsRequest>(),
    Kind::of::<delete_groups::DeleteGroupsRequest>(),
    Kind::of::<delete_records::DeleteRecordsRequest>(),
    Kind::of::<delete_topics::DeleteTopicsRequest>(),
    Kind::of::<describe_acls::DescribeAclsRequest>(),
    Kind::of::<describe_client_quotas::DescribeClientQuotasRequest>(),
    Kind::of::<describe_cluster::DescribeClusterRequest>(),
    Kind::of::<describe_configs::DescribeConfigsRequest>(),
    Kind::of::<describe_groups::DescribeGroupsRequest>(),
    Kind::of::<describe_log_dirs::DescribeLogDirsRequest>(),
    Kind::of::<describe_producers::DescribeProducersRequest>(),
    Kind::of::<describe_topic_partitions::DescribeTopicPartitionsRequest>(),
    Kind::of::<describe_user_scram_credentials::DescribeUserScramCredentialsRequest>(),
    Kind::of::<elect_leaders::ElectLeadersRequest>(),
    Kind::of::<fetch::FetchRequest>(),
    Kind::of::<find_coordinator::FindCoordinatorRequest>(),
    Kind::of::<heartbeat::HeartbeatRequest>(),
    Kind::of::<incremental_alter_configs::IncrementalAlterConfigsRequest>(),
    Kind::of::<init_producer_id::InitProducerIdRequest>(),
    Kind::of::<join_group::JoinGroupRequest>(),
    Kind::of::<leave_group::LeaveGroupRequest>(),
    Kind::of::<list_config_resources::ListConfigResourcesRequest>(),
    Kind::of::<list_groups::ListGroupsRequest>(),
    Kind::of::<list_offsets::ListOffsetsRequest>(),
    Kind::of::<list_partition_reassignments::ListPartitionReassignmentsRequest>(),
    Kind::of::<list_transactions::ListTransactionsRequest>(),
    Kind::of::<metadata::MetadataRequest>(),
    Kind::of::<offset_commit::OffsetCommitRequest>(),
    Kind::of::<offset_delete::OffsetDeleteRequest>(),
    Kind::of::<offset_fetch::OffsetFetchRequest>(),
    Kind::of::<offset_for_leader_epoch::OffsetForLeaderEpochRequest>(),
    Kind::of::<produce::ProduceRequest>(),
    Kind::of::<sync_group::SyncGroupRequest>(),
];

/// The kind with this key.
pub fn find(key: ApiKey) -> &'static Kind {
    KINDS.iter().find(|kind| kind.api.key == key).expect("every API that is served is a kind")
}

/// Any kind; those with the most to go wrong come more often.
pub fn any(random: &mut Random) -> &'static Kind {
    match random.below(6) {
        0 => find(ApiKey::Produce),
        1 => find(ApiKey::Fetch),
        _ => random.pick(KINDS),
    }
}

#[test]
fn every_served_api_is_fuzzed() {
    for api in SERVED {
        assert!(KINDS.iter().any(|kind| kind.api == *api), "{:?} is missing in tests/fuzz/kinds.rs", api.key);
    }
}
