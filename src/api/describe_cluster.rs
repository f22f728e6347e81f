//! DescribeCluster: the brokers, for administrative clients.

use crate::protocol::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::brokers::{all_brokers, controller};
use super::operations::on_cluster;
use super::reply::{Reply, respond};
use super::router::Caller;

/// The only type of endpoint that this listener has; the other one is controllers.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) fn handle(caller: &Caller, header: &RequestHeader, request: &DescribeClusterRequest) -> Reply {
    let refused = match request.endpoint_type {
        BROKERS => None,
        CONTROLLERS => Some((ErrorCode::MismatchedEndpointType, "This is a broker's endpoint.")),
        _ => Some((ErrorCode::UnsupportedEndpointType, "Unknown type of endpoint.")),
    };
    if let Some((error_code, message)) = refused {
        let error_message = Some(message.to_owned());
        return respond(header, &DescribeClusterResponse { error_code, error_message, ..Default::default() });
    }
    let shard = &caller.shard;
    let listed = all_brokers(shard, caller.listener)
        .filter(|broker| !broker.is_fenced || request.include_fenced_brokers);
    let brokers = listed.map(|broker| DescribeClusterBroker {
        broker_id: broker.id,
        host: broker.address.host.clone(),
        port: broker.address.port.into(),
        rack: Some(broker.rack),
        is_fenced: broker.is_fenced,
    });
    let response = DescribeClusterResponse {
        cluster_id: shard.image().cluster().cluster_id.to_string(),
        controller_id: controller(shard),
        brokers: brokers.collect(),
        cluster_authorized_operations: on_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    };
    respond(header, &response)
}
