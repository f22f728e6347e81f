//! Who is who among nodes, disks and members, by the image.

use crate::base::ids::NodeId;
use crate::cluster::{DiskId, Image, NodeRecord};
use crate::config::address::HostPort;
use crate::config::voters::Voter;
use crate::link::Start;
use crate::quorum::RaftId;
use crate::transport::LinkPeer;

/// The start that a node's record is of.
pub fn start_of(node: &NodeRecord) -> Start {
    Start { node: node.node, disk: node.disk.0, incarnation: node.incarnation }
}

/// The node whose present disk a member is.
pub fn leader_of(image: &Image, leader: RaftId, member_of: fn(DiskId) -> RaftId) -> Option<NodeId> {
    image.nodes().find(|node| member_of(node.disk) == leader).map(|node| node.node)
}

/// With whom a node keeps up the quorum's connections that knows nothing yet: with the voters.
pub fn other_voters(voters: &[Voter], own: NodeId) -> Vec<LinkPeer> {
    let to_voter = |voter: &Voter| LinkPeer { node: voter.node, address: voter.address.clone() };
    voters.iter().filter(|voter| voter.node != own).map(to_voter).collect()
}

/// With whom a node keeps up the quorum's connections: with all voters, and a voter with those that only follow, too.
pub fn peers_of(image: &Image, voters: &[Voter], own: NodeId) -> Vec<LinkPeer> {
    let is_voter = |node: NodeId| voters.iter().any(|voter| voter.node == node);
    let mut peers = other_voters(voters, own);
    if is_voter(own) {
        let others = image.nodes().filter(|node| node.node != own && !is_voter(node.node));
        peers.extend(others.filter_map(|node| {
            let address = node.cluster_address.as_ref()?;
            let address = HostPort { host: address.host.clone(), port: address.port };
            Some(LinkPeer { node: node.node, address })
        }));
    }
    peers
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::cluster::{
        Change, ClusterAddress, ClusterRecord, Draft, KafkaUuid, METADATA_FORMAT_OF_CLUSTERS, Record,
    };
    use crate::config::voters;

    #[test]
    fn voters_speak_with_all_and_the_others_with_voters() {
        let voters = voters::parse("1@a:1,2@b:1,3@c:1").expect("voters");
        let cluster_id = KafkaUuid(Uuid::from_u128(1));
        let cluster = ClusterRecord { format_version: METADATA_FORMAT_OF_CLUSTERS, cluster_id };
        let mut draft = Draft::of(&Image::new(cluster));
        for id in [1, 2, 7, 8] {
            let record = NodeRecord::of_lone_node(NodeId(id), DiskId(Uuid::from_u128(id.into())), 1, 1);
            let address = ClusterAddress { host: format!("h{id}"), port: 1 };
            let record = NodeRecord { cluster_address: Some(address).filter(|_| id != 8), ..record };
            draft.follow(Change::Put(Record::Node(record)));
        }
        let image = draft.finish();
        let texts = |own| {
            let peers = peers_of(&image, &voters, NodeId(own));
            peers.iter().map(|peer| format!("{}@{}", peer.node, peer.address)).collect::<Vec<_>>()
        };
        assert_eq!(texts(1), ["2@b:1", "3@c:1", "7@h7:1"]);
        assert_eq!(texts(7), ["1@a:1", "2@b:1", "3@c:1"]);
        let member_of = |disk: DiskId| disk.0.as_u128() as RaftId;
        assert_eq!(leader_of(&image, 7, member_of), Some(NodeId(7)));
        assert_eq!(leader_of(&image, 9, member_of), None);
    }
}
