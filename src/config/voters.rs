//! The voters of the metadata quorum, as one text that all nodes are given: `1@host:port,2@host:port,3@host:port`.

use thiserror::Error;

use super::address::HostPort;
use super::error::ValueError;
use crate::base::ids::NodeId;
use crate::base::limits::QUORUM_VOTERS_MAX;

/// A voter and where its cluster port is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voter {
    /// The node.
    pub node: NodeId,
    /// Its cluster port, as other nodes reach it.
    pub address: HostPort,
}

/// What is wrong with a list of voters.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum VotersError {
    /// Not of the form.
    #[error("`{0}` is not NODE@HOST:PORT, such as 1@10.0.0.1:9191")]
    NotAVoter(String),
    /// The id is not a node id.
    #[error("`{0}` is not a node id: expected 0 to {max}", max = NodeId::MAX)]
    NotANode(String),
    /// The address is not one.
    #[error("the address of voter {node}: {source}")]
    Address {
        /// The voter.
        node: NodeId,
        /// What is wrong.
        source: ValueError,
    },
    /// Nobody can connect to it.
    #[error("the address of voter {0} has port 0: the others must know the port, so give it one")]
    NoPort(NodeId),
    /// A number of voters that does not make sense.
    #[error(
        "{0} voters: expected 1, 3 or 5; with an even number one failure less is survived than with one voter fewer"
    )]
    Count(usize),
    /// One id for two.
    #[error("node {0} is named twice: each voter needs its own node id")]
    Twice(NodeId),
    /// One address for two.
    #[error("voters {0} and {1} have the same address: each needs its own")]
    SameAddress(NodeId, NodeId),
}

/// Reads a list of voters, in order of their ids.
pub fn parse(text: &str) -> Result<Vec<Voter>, VotersError> {
    let mut voters = text.split(',').map(|voter| parse_one(voter.trim())).collect::<Result<Vec<_>, _>>()?;
    if voters.len() > QUORUM_VOTERS_MAX || voters.len().is_multiple_of(2) {
        return Err(VotersError::Count(voters.len()));
    }
    voters.sort_by_key(|voter| voter.node);
    for (at, voter) in voters.iter().enumerate() {
        for other in &voters[..at] {
            if other.node == voter.node {
                return Err(VotersError::Twice(voter.node));
            }
            if other.address == voter.address {
                return Err(VotersError::SameAddress(other.node, voter.node));
            }
        }
    }
    Ok(voters)
}

fn parse_one(text: &str) -> Result<Voter, VotersError> {
    let (node, address) = text.split_once('@').ok_or_else(|| VotersError::NotAVoter(text.to_owned()))?;
    let is_digits = !node.is_empty() && node.bytes().all(|byte| byte.is_ascii_digit());
    let id = node.parse().ok().filter(|id| is_digits && *id <= NodeId::MAX.0).map(NodeId);
    let node = id.ok_or_else(|| VotersError::NotANode(node.to_owned()))?;
    let address = HostPort::parse(address).map_err(|source| VotersError::Address { node, source })?;
    if address.port == 0 {
        return Err(VotersError::NoPort(node));
    }
    if address.is_wildcard() {
        return Err(VotersError::Address { node, source: ValueError::WildcardHost });
    }
    Ok(Voter { node, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_are_read_in_any_order() {
        let voters = parse("3@c:9193, 1@a.example.com:9191,2@[::1]:9192").expect("voters");
        let text: Vec<String> =
            voters.iter().map(|voter| format!("{}@{}", voter.node, voter.address)).collect();
        assert_eq!(text, ["1@a.example.com:9191", "2@[::1]:9192", "3@c:9193"]);
        assert_eq!(parse("1@h:1").expect("one").len(), 1);
        assert_eq!(parse("0@h:1,2@h:2,3@h:3,4@h:4,5@h:5").expect("five").len(), 5);
    }

    #[test]
    fn what_is_wrong_with_voters_is_said() {
        let cases: [(&str, &str); 11] = [
            ("", "`` is not NODE@HOST:PORT"),
            ("h:1", "`h:1` is not NODE@HOST:PORT"),
            ("1@h:1,", "`` is not NODE@HOST:PORT"),
            ("x@h:1", "`x` is not a node id"),
            ("+1@h:1", "`+1` is not a node id"),
            ("2147483@h:1", "`2147483` is not a node id: expected 0 to 2147482"),
            ("1@h", "the address of voter 1: expected HOST:PORT"),
            ("1@h:0", "voter 1 has port 0"),
            ("1@0.0.0.0:1", "the address of voter 1: no client can connect to a wildcard"),
            ("1@h:1,1@h:2,2@h:3", "node 1 is named twice"),
            ("1@h:1,2@h:1,3@h:3", "voters 1 and 2 have the same address"),
        ];
        for (text, problem) in cases {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
        for count in [2, 4, 6, 7] {
            let list: Vec<String> = (1..=count).map(|node| format!("{node}@h:{node}")).collect();
            assert_eq!(parse(&list.join(",")), Err(VotersError::Count(count)));
        }
    }
}
