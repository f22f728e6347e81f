//! Listing the groups of all brokers. It is no admin call: librdkafka asks every broker and blocks until all have answered
//! or the timeout is over. The `rdkafka` crate has it too, but takes a list that lacks some brokers' groups for none, and
//! never frees it.

use std::ffi::c_int;
use std::ptr;

use rdkafka::bindings::{rd_kafka_group_info, rd_kafka_group_list, rd_kafka_group_list_destroy};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;

use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::codes;
use super::memory::{Owned, text};

/// Groups as brokers list them.
#[derive(Clone, Default, Debug)]
pub struct GroupList {
    /// In no order.
    pub groups: Vec<ListedGroup>,
    /// Whether some brokers did not answer in time, whose groups are missing.
    pub is_partial: bool,
}

/// A group in the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedGroup {
    /// Its name.
    pub name: String,
    /// Such as `Stable`.
    pub state: String,
    /// `consumer`, or what other programs use groups for; empty if it never had members.
    pub protocol_type: String,
    /// The assignor that its members have agreed on; empty without members.
    pub protocol: String,
    /// How many members it has.
    pub members: usize,
}

/// Asks all brokers for their groups. Fails if none has told any in time, or one refuses.
pub fn list_groups(cluster: &Cluster) -> Result<GroupList, ClientError> {
    // At most an hour, as the arguments are checked for.
    let timeout_ms = c_int::try_from(cluster.timeout.as_millis()).unwrap_or(c_int::MAX);
    let mut list: *const rd_kafka_group_list = ptr::null();
    // SAFETY: the client is alive, a null name asks for all groups, and the list is written only where it becomes ours.
    let (code, list) = unsafe {
        let client = cluster.client.client().native_ptr();
        let code = codes::rd_kafka_list_groups(client, ptr::null(), &mut list, timeout_ms);
        (code, Owned::new(list.cast_mut(), destroy))
    };
    // SAFETY: no message goes with the code.
    let is_partial = match unsafe { codes::outcome(code, ptr::null()) } {
        Ok(()) => false,
        Err(error) if error.code == RDKafkaErrorCode::Partial => true,
        Err(error) => return Err(cluster.answered("the groups", error)),
    };
    // SAFETY: the list is alive while it is read.
    let groups = list.map(|list| unsafe { read(list.pointer()) }).unwrap_or_default();
    Ok(GroupList { groups, is_partial })
}

/// # Safety
/// `list` is ours and is not used afterwards.
unsafe extern "C" fn destroy(list: *mut rd_kafka_group_list) {
    // SAFETY: as demanded.
    unsafe { rd_kafka_group_list_destroy(list) }
}

/// # Safety
/// `list` is alive.
unsafe fn read(list: *const rd_kafka_group_list) -> Vec<ListedGroup> {
    // SAFETY: a list has `group_cnt` groups, whose strings end with 0 or are null. Codes in it are not read: see `codes`.
    unsafe {
        let count = usize::try_from((*list).group_cnt).expect("a count");
        (0..count).map(|index| read_group((*list).groups.add(index))).collect()
    }
}

/// # Safety
/// `group` is alive.
unsafe fn read_group(group: *const rd_kafka_group_info) -> ListedGroup {
    // SAFETY: as demanded.
    unsafe {
        ListedGroup {
            name: text((*group).group),
            state: text((*group).state),
            protocol_type: text((*group).protocol_type),
            protocol: text((*group).protocol),
            members: usize::try_from((*group).member_cnt).expect("a count"),
        }
    }
}
