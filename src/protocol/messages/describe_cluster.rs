//! DescribeCluster: the brokers, for administrative clients.

use crate::base::ids::BrokerId;
use crate::protocol::ErrorCode;

use super::metadata::OPERATIONS_NOT_REQUESTED;

api! {
    DescribeCluster: DescribeClusterRequest => DescribeClusterResponse, versions 0..=2, flexible 0..;

    /// What the client asks.
    pub struct DescribeClusterRequest {
        /// Whether the operations on the cluster that the client may perform are asked for.
        include_cluster_authorized_operations: bool [0..],
        /// 1 for brokers, 2 for controllers.
        endpoint_type: i8 [1..] = 1,
        /// Whether fenced brokers are asked for too (KIP-1073).
        include_fenced_brokers: bool [2..],
    }

    /// The cluster.
    pub struct DescribeClusterResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// Why the cluster cannot be described.
        error_code: ErrorCode [0..],
        /// What is wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// 1 for brokers, 2 for controllers.
        endpoint_type: i8 [1..] = 1,
        /// The cluster's id.
        cluster_id: String [0..],
        /// The broker to send administrative requests to, -1 if unknown.
        controller_id: BrokerId [0..] = -1,
        /// The brokers.
        brokers: Vec<DescribeClusterBroker> [0..],
        /// Bits of the operations on the cluster that the client may perform.
        cluster_authorized_operations: i32 [0..] = OPERATIONS_NOT_REQUESTED,
    }

    /// A broker and where to reach it.
    pub struct DescribeClusterBroker {
        /// The broker's id.
        broker_id: BrokerId [0..],
        /// The advertised host.
        host: String [0..],
        /// The advertised port.
        port: i32 [0..],
        /// The broker's rack.
        rack: Option<String> [0.., null 0..],
        /// Whether the broker is fenced.
        is_fenced: bool [2..],
    }
}
