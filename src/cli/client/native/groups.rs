//! Describing and deleting consumer groups.

use rdkafka::bindings::{
    rd_kafka_ConsumerGroupDescription_coordinator, rd_kafka_ConsumerGroupDescription_error,
    rd_kafka_ConsumerGroupDescription_member, rd_kafka_ConsumerGroupDescription_member_count,
    rd_kafka_ConsumerGroupDescription_partition_assignor, rd_kafka_ConsumerGroupDescription_state,
    rd_kafka_ConsumerGroupDescription_t, rd_kafka_DeleteGroup_destroy, rd_kafka_DeleteGroup_new,
    rd_kafka_DeleteGroups, rd_kafka_DeleteGroups_result_groups, rd_kafka_DescribeConsumerGroups,
    rd_kafka_DescribeConsumerGroups_result_groups, rd_kafka_MemberAssignment_partitions,
    rd_kafka_MemberDescription_assignment, rd_kafka_MemberDescription_client_id,
    rd_kafka_MemberDescription_consumer_id, rd_kafka_MemberDescription_group_instance_id,
    rd_kafka_MemberDescription_host, rd_kafka_MemberDescription_t, rd_kafka_admin_op_t,
    rd_kafka_consumer_group_state_name, rd_kafka_error_string, rd_kafka_event_DeleteGroups_result,
    rd_kafka_event_DescribeConsumerGroups_result, rd_kafka_group_result_error, rd_kafka_group_result_name,
};
use serde::Serialize;

use super::super::cluster::Cluster;
use super::super::error::{BrokerError, ClientError};
use super::call::{Call, call};
use super::cluster::{Node, read_node};
use super::codes;
use super::group_offsets::elements;
use super::memory::{Owned, c_text, items, pointers, text};

/// A group.
#[derive(Clone, Debug)]
pub struct GroupDescription {
    /// Such as `Stable`; `Dead` if there is no such group.
    pub state: String,
    /// The assignor that its members have agreed on; empty without members.
    pub assignor: String,
    /// The broker that coordinates it.
    pub coordinator: Option<Node>,
    /// Its members.
    pub members: Vec<Member>,
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Member {
    /// The id that the coordinator has given it.
    pub member_id: String,
    /// The id that it has given itself, if it is static.
    pub instance_id: Option<String>,
    /// What it calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// Topics and partitions that it has.
    #[serde(skip)]
    pub partitions: Vec<(String, i32)>,
}

/// Asks a group's coordinator for it.
pub fn describe_group(cluster: &Cluster, name: &str) -> Result<GroupDescription, ClientError> {
    let c_name = c_text(name)?;
    let mut names = [c_name.as_ptr()];
    let what = format!("group {name}");
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    let submit = Call { what: &what, operation, validate_only: false };
    let described = call(
        cluster,
        &submit,
        // SAFETY: the name lives beyond the call, which copies it.
        |to| unsafe {
            rd_kafka_DescribeConsumerGroups(to.client, names.as_mut_ptr(), names.len(), to.options, to.queue);
        },
        // SAFETY: the event is alive and of this kind.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_DescribeConsumerGroups_result(event);
            let groups = items(rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count), count);
            groups.iter().map(|group| read_group(*group)).next()
        },
    )?;
    let described =
        described.ok_or_else(|| ClientError::Library(format!("the broker says nothing of {what}")))?;
    described.map_err(|error| cluster.answered(what, error))
}

/// # Safety
/// `group` lives as long as its event.
unsafe fn read_group(
    group: *const rd_kafka_ConsumerGroupDescription_t,
) -> Result<GroupDescription, BrokerError> {
    // SAFETY: what the accessors return lives as long as the event; a null error means none, to all of its accessors.
    unsafe {
        let error = rd_kafka_ConsumerGroupDescription_error(group);
        codes::outcome(codes::rd_kafka_error_code(error), rd_kafka_error_string(error))?;
        let state = rd_kafka_ConsumerGroupDescription_state(group);
        let coordinator = rd_kafka_ConsumerGroupDescription_coordinator(group);
        let count = rd_kafka_ConsumerGroupDescription_member_count(group);
        let member = |index| read_member(rd_kafka_ConsumerGroupDescription_member(group, index));
        Ok(GroupDescription {
            state: text(rd_kafka_consumer_group_state_name(state)),
            assignor: text(rd_kafka_ConsumerGroupDescription_partition_assignor(group)),
            coordinator: (!coordinator.is_null()).then(|| read_node(coordinator)),
            members: (0..count).map(member).collect(),
        })
    }
}

/// # Safety
/// `member` lives as long as its event.
unsafe fn read_member(member: *const rd_kafka_MemberDescription_t) -> Member {
    // SAFETY: what the accessors return lives as long as the event.
    unsafe {
        let assignment = rd_kafka_MemberDescription_assignment(member);
        let instance_id = rd_kafka_MemberDescription_group_instance_id(member);
        let list =
            if assignment.is_null() { None } else { Some(rd_kafka_MemberAssignment_partitions(assignment)) };
        let partitions = list.map(|list| elements(list)).unwrap_or_default();
        Member {
            member_id: text(rd_kafka_MemberDescription_consumer_id(member)),
            instance_id: (!instance_id.is_null()).then(|| text(instance_id)),
            client_id: text(rd_kafka_MemberDescription_client_id(member)),
            host: text(rd_kafka_MemberDescription_host(member)),
            partitions: partitions.into_iter().map(|element| (element.topic, element.partition)).collect(),
        }
    }
}

/// What came of each group.
pub type GroupResults = Vec<(String, Result<(), BrokerError>)>;

/// Deletes groups with their committed offsets.
pub fn delete_groups(cluster: &Cluster, names: &[&str]) -> Result<GroupResults, ClientError> {
    let mut objects = Vec::new();
    for name in names {
        let name = c_text(name)?;
        // SAFETY: the name lives during the call; the object is ours.
        let object =
            unsafe { Owned::new(rd_kafka_DeleteGroup_new(name.as_ptr()), rd_kafka_DeleteGroup_destroy) };
        objects.push(object.expect("librdkafka aborts rather than to return none"));
    }
    let mut groups = pointers(&objects);
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEGROUPS;
    let submit = Call { what: "deleting groups", operation, validate_only: false };
    call(
        cluster,
        &submit,
        // SAFETY: the objects live beyond the call, which copies them.
        |to| unsafe {
            rd_kafka_DeleteGroups(to.client, groups.as_mut_ptr(), groups.len(), to.options, to.queue)
        },
        // SAFETY: the event is alive and of this kind; a null error means none.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_DeleteGroups_result(event);
            let results = items(rd_kafka_DeleteGroups_result_groups(result, &mut count), count);
            let read = |result: &*const _| {
                let error = rd_kafka_group_result_error(*result);
                let outcome = codes::outcome(codes::rd_kafka_error_code(error), rd_kafka_error_string(error));
                (text(rd_kafka_group_result_name(*result)), outcome)
            };
            results.iter().map(read).collect()
        },
    )
}
