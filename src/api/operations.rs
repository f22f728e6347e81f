//! The operations that a client may perform, as sets of bits (KIP-430). Nobody is refused anything yet, so each is
//! all that there is for its kind of resource.

use crate::protocol::messages::metadata::OPERATIONS_NOT_REQUESTED;

/// Kafka's codes (org.apache.kafka.common.acl.AclOperation): read, write, create, delete, alter, describe, describe
/// configs, alter configs.
const TOPIC: [u8; 8] = [3, 4, 5, 6, 7, 8, 10, 11];
/// Read, delete, describe, describe configs, alter configs.
const GROUP: [u8; 5] = [3, 6, 8, 10, 11];
/// Create, alter, describe, cluster action, describe configs, alter configs, idempotent write.
const CLUSTER: [u8; 7] = [5, 7, 8, 9, 10, 11, 12];

/// On a topic, if asked for.
pub(super) fn on_topic(is_asked: bool) -> i32 {
    if is_asked { bits(&TOPIC) } else { OPERATIONS_NOT_REQUESTED }
}

/// On a group, if asked for.
pub(super) fn on_group(is_asked: bool) -> i32 {
    if is_asked { bits(&GROUP) } else { OPERATIONS_NOT_REQUESTED }
}

/// On the cluster, if asked for.
pub(super) fn on_cluster(is_asked: bool) -> i32 {
    if is_asked { bits(&CLUSTER) } else { OPERATIONS_NOT_REQUESTED }
}

fn bits(codes: &[u8]) -> i32 {
    codes.iter().fold(0, |bits, code| bits | 1 << code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_are_those_that_kafka_answers_without_an_authorizer() {
        assert_eq!((on_topic(true), on_cluster(true), on_group(true)), (3576, 8096, 3400));
        assert_eq!(on_topic(false), i32::MIN);
    }
}
