//! Where the cluster ports of other nodes are, for the shards, which must not wait for a resolver.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::watch;

use crate::base::ids::NodeId;
use crate::base::limits::PEER_NAMES_AGAIN_MS;
use crate::cluster::{ClusterAddress, Image};
use crate::runtime::tokio::sleep;

/// What the shards look at.
pub type FoundAddresses = BTreeMap<NodeId, SocketAddr>;

/// Looks up where the other nodes of the image are, when that changes and from time to time, until control ends.
pub async fn look_up(
    own: NodeId,
    mut known: watch::Receiver<Option<Arc<Image>>>,
    found: watch::Sender<Arc<FoundAddresses>>,
) {
    loop {
        let wanted = wanted_of(known.borrow_and_update().as_deref(), own);
        let before = Arc::clone(&found.borrow());
        let addresses = find(&wanted, &before).await;
        if *before != addresses {
            found.send_replace(Arc::new(addresses));
        }
        let again = sleep(Duration::from_millis(PEER_NAMES_AGAIN_MS));
        let changed = known.wait_for(|image| wanted_of(image.as_deref(), own) != wanted);
        if let Either::Left((Err(_), _)) = select(std::pin::pin!(changed), std::pin::pin!(again)).await {
            return;
        }
    }
}

fn wanted_of(image: Option<&Image>, own: NodeId) -> BTreeMap<NodeId, ClusterAddress> {
    let nodes = image.into_iter().flat_map(Image::nodes);
    let others = nodes.filter(|node| node.node != own);
    others.filter_map(|node| Some((node.node, node.cluster_address.clone()?))).collect()
}

/// Where a name is not known now, what it was before counts.
async fn find(wanted: &BTreeMap<NodeId, ClusterAddress>, before: &FoundAddresses) -> FoundAddresses {
    let mut found = FoundAddresses::new();
    for (node, ClusterAddress { host, port }) in wanted {
        let address = match tokio::net::lookup_host((host.as_str(), *port)).await {
            Ok(mut addresses) => addresses.next(),
            Err(error) => {
                tracing::warn!(%node, host, %error, "a node's cluster address cannot be looked up");
                None
            }
        };
        if let Some(address) = address.or_else(|| before.get(node).copied()) {
            found.insert(*node, address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::tokio::run_in_virtual_time;

    #[test]
    fn a_name_that_is_not_found_now_is_where_it_was() {
        let address = |host: &str| ClusterAddress { host: host.to_owned(), port: 7 };
        // No name of a host has such a character in it.
        let wanted = BTreeMap::from([
            (NodeId(1), address("127.0.0.1")),
            (NodeId(2), address("\0")),
            (NodeId(3), address("\0")),
        ]);
        let before = FoundAddresses::from([(NodeId(2), SocketAddr::from(([127, 0, 0, 2], 9)))]);
        let found = run_in_virtual_time(find(&wanted, &before));
        let expected = [(1, ([127, 0, 0, 1], 7)), (2, ([127, 0, 0, 2], 9))];
        assert_eq!(found, expected.map(|(node, address)| (NodeId(node), address.into())).into());
    }
}
