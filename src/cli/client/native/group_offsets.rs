//! Committed offsets of consumer groups.

use std::ffi::c_int;
use std::ptr;

use rdkafka::bindings::{
    rd_kafka_AlterConsumerGroupOffsets, rd_kafka_AlterConsumerGroupOffsets_destroy,
    rd_kafka_AlterConsumerGroupOffsets_new, rd_kafka_AlterConsumerGroupOffsets_result_groups,
    rd_kafka_ListConsumerGroupOffsets, rd_kafka_ListConsumerGroupOffsets_destroy,
    rd_kafka_ListConsumerGroupOffsets_new, rd_kafka_ListConsumerGroupOffsets_result_groups,
    rd_kafka_admin_op_t, rd_kafka_error_string, rd_kafka_event_AlterConsumerGroupOffsets_result,
    rd_kafka_event_ListConsumerGroupOffsets_result, rd_kafka_group_result_error,
    rd_kafka_group_result_partitions, rd_kafka_group_result_t, rd_kafka_topic_partition_list_t,
};
use rdkafka::{Offset, TopicPartitionList};

use super::super::cluster::Cluster;
use super::super::error::{BrokerError, ClientError};
use super::call::{Call, call};
use super::codes;
use super::memory::{Owned, c_text, items, text};

/// An element of a list of partitions.
#[derive(Clone, Debug)]
pub struct Element {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset; negative if there is none.
    pub offset: i64,
    /// What is wrong with it, if something is.
    pub outcome: Result<(), BrokerError>,
}

/// All offsets that a group has committed; none if there is no such group.
pub fn committed_offsets(cluster: &Cluster, group: &str) -> Result<Vec<Element>, ClientError> {
    let name = c_text(group)?;
    // SAFETY: the name lives during the call, a null list asks for all partitions, and the object is ours.
    let request = unsafe {
        let request = rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), ptr::null());
        Owned::new(request, rd_kafka_ListConsumerGroupOffsets_destroy)
    };
    let request = request.expect("librdkafka aborts rather than to return none");
    let mut requests = [request.pointer()];
    let what = format!("the offsets of group {group}");
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
    let submit = Call { what: &what, operation, validate_only: false };
    let answer = call(
        cluster,
        &submit,
        // SAFETY: the object lives beyond the call, which copies it.
        |to| unsafe {
            rd_kafka_ListConsumerGroupOffsets(to.client, requests.as_mut_ptr(), 1, to.options, to.queue);
        },
        // SAFETY: the event is alive and of this kind.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_ListConsumerGroupOffsets_result(event);
            read(items(rd_kafka_ListConsumerGroupOffsets_result_groups(result, &mut count), count))
        },
    )?;
    answer.map_err(|error| cluster.answered(what, error))
}

/// Commits offsets for a group that has no members, which is made if there is none. What is wrong with one partition
/// does not touch the others.
pub fn alter_offsets(
    cluster: &Cluster,
    group: &str,
    offsets: &[(&str, i32, i64)],
) -> Result<Vec<Element>, ClientError> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (topic, partition, offset) in offsets {
        let mut element = list.add_partition(topic, *partition);
        element.set_offset(Offset::Offset(*offset)).expect("offsets that can be committed are not negative");
    }
    let name = c_text(group)?;
    // SAFETY: name and list live during the call, which copies them; the object is ours.
    let request = unsafe {
        let request = rd_kafka_AlterConsumerGroupOffsets_new(name.as_ptr(), list.ptr());
        Owned::new(request, rd_kafka_AlterConsumerGroupOffsets_destroy)
    };
    let request = request.expect("librdkafka aborts rather than to return none");
    let mut requests = [request.pointer()];
    let what = format!("the offsets of group {group}");
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS;
    let submit = Call { what: &what, operation, validate_only: false };
    let answer = call(
        cluster,
        &submit,
        // SAFETY: the object lives beyond the call, which copies it.
        |to| unsafe {
            rd_kafka_AlterConsumerGroupOffsets(to.client, requests.as_mut_ptr(), 1, to.options, to.queue);
        },
        // SAFETY: the event is alive and of this kind.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_AlterConsumerGroupOffsets_result(event);
            read(items(rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &mut count), count))
        },
    )?;
    answer.map_err(|error| cluster.answered(what, error))
}

/// The elements of the one group that was asked about.
///
/// # Safety
/// The results live as long as their event.
unsafe fn read(groups: &[*const rd_kafka_group_result_t]) -> Result<Vec<Element>, BrokerError> {
    let Some(group) = groups.first() else { return Ok(Vec::new()) };
    // SAFETY: as demanded; a null error means none, to all of its accessors.
    unsafe {
        let error = rd_kafka_group_result_error(*group);
        codes::outcome(codes::rd_kafka_error_code(error), rd_kafka_error_string(error))?;
        Ok(elements(rd_kafka_group_result_partitions(*group)))
    }
}

/// The elements of a list.
///
/// # Safety
/// `list` is null or alive.
pub(super) unsafe fn elements(list: *const rd_kafka_topic_partition_list_t) -> Vec<Element> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: as demanded; a list has `cnt` elements. The code is read as a number: see `codes`.
    let read = |index: usize| unsafe {
        let element = (*list).elems.add(index);
        let code = ptr::addr_of!((*element).err).cast::<c_int>().read();
        Element {
            topic: text((*element).topic),
            partition: (*element).partition,
            offset: (*element).offset,
            outcome: codes::outcome(code, ptr::null()),
        }
    };
    // SAFETY: as demanded.
    let count = unsafe { usize::try_from((*list).cnt) }.expect("a count");
    (0..count).map(read).collect()
}
