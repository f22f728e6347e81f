//! ListPartitionReassignments: none is ever under way, since partitions are not moved while a node runs.

use crate::protocol::RequestHeader;
use crate::protocol::messages::list_partition_reassignments::ListPartitionReassignmentsResponse;

use super::reply::{Reply, respond};

pub(super) fn handle(header: &RequestHeader) -> Reply {
    respond(header, &ListPartitionReassignmentsResponse::default())
}
