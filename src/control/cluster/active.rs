//! The active controller: what the leader of the quorum decides, on the committed image, one change at a time. Pure:
//! questions and time go in, changes to be proposed and replies come out. Whoever drives it makes a new one for each
//! term, and proposes what a draft holds before it asks for the next decision.

use super::super::client::ControlError;
use super::super::decide::Decider;
use super::message::{Ask, Reply};
use crate::cluster::{Draft, METADATA_FORMAT_OF_CLUSTERS, Membership};

/// A controller in its term.
pub struct Active {
    membership: Membership,
}

impl Active {
    /// Begins its term: the draft has what its predecessor left half done.
    pub fn begin(draft: &mut Draft, session_timeout_ms: u64, now_ms: u64) -> Self {
        draft.raise_format(METADATA_FORMAT_OF_CLUSTERS);
        Active { membership: Membership::begin(draft, session_timeout_ms, now_ms) }
    }

    /// Whether a session has ended, so that [`Active::expire`] has something to do.
    pub fn is_expiry_due(&self, now_ms: u64) -> bool {
        self.membership.next_expiry_ms().is_some_and(|expiry_ms| expiry_ms <= now_ms)
    }

    /// Fences those who are silent.
    pub fn expire(&mut self, draft: &mut Draft, now_ms: u64) {
        for node in self.membership.expire(draft, now_ms) {
            tracing::warn!(%node, "a node is silent and fenced: others lead what it led, where they can");
        }
    }

    /// Decides on a question. The reply holds once the draft's changes are committed; the index in it is the driver's to
    /// fill in.
    pub fn decide(&mut self, draft: &mut Draft, ask: &Ask, decider: &mut Decider, now_ms: u64) -> Reply {
        match ask {
            Ask::Register(registration) => match self.membership.register(draft, registration, now_ms) {
                Ok(epoch) => {
                    tracing::info!(node = %registration.node, epoch, "a start of a node is registered");
                    Reply::Registered(epoch)
                }
                Err(refused) => {
                    tracing::warn!(node = %registration.node, "a start of a node is refused: {refused}");
                    Reply::RegistrationRefused(refused.to_string())
                }
            },
            Ask::Heartbeat(heartbeat) => match self.membership.heartbeat(draft, heartbeat, now_ms) {
                Ok(answer) => Reply::Heard(answer),
                Err(stale) => Reply::Stale(stale.to_string()),
            },
            Ask::Command(request) => Reply::Done { index: 0, answer: decider.evaluate(request, draft) },
            Ask::Seek => Reply::Refused(ControlError::NoController),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::super::client::{Answer, Request};
    use super::*;
    use crate::base::ids::NodeId;
    use crate::cluster::{
        AlterPartition, AlterPartitions, ClusterRecord, DiskId, Heartbeat, HeartbeatAnswer, Image,
        InSyncReplica, KafkaUuid, METADATA_FORMAT_VERSION, NewTopic, Placing, Registration, TopicDefaults,
    };
    use crate::config::Advertise;
    use crate::control::Environment;

    const SESSION_MS: u64 = 2000;

    struct Term {
        active: Active,
        image: Image,
        decider: Decider,
    }

    impl Term {
        fn begin() -> Self {
            let cluster_id = KafkaUuid(Uuid::from_u128(1));
            let cluster = ClusterRecord { format_version: METADATA_FORMAT_VERSION, cluster_id };
            let mut draft = Draft::of(&Image::new(cluster));
            let active = Active::begin(&mut draft, SESSION_MS, 0);
            let placing = Placing {
                node: NodeId(1),
                disk: DiskId(Uuid::from_u128(1)),
                shards: 2,
                advertise: Advertise::Shard,
                num_partitions: 2,
                default_replication_factor: 1,
                replicas_max: crate::base::limits::REPLICAS_PER_PARTITION_MAX,
                defaults: TopicDefaults::default(),
            };
            let mut next = 0;
            let random_u64 = move || {
                next += 1;
                next
            };
            let environment = Environment { random_u64: Box::new(random_u64), wall_clock_ms: Box::new(|| 0) };
            Term { active, image: draft.finish(), decider: Decider::new(placing, environment) }
        }

        fn ask(&mut self, now_ms: u64, ask: &Ask) -> Reply {
            let mut draft = Draft::of(&self.image);
            let reply = self.active.decide(&mut draft, ask, &mut self.decider, now_ms);
            self.image = draft.finish();
            reply
        }
    }

    fn registration(node: u32) -> Ask {
        Ask::Register(Registration {
            node: NodeId(node),
            disk: DiskId(Uuid::from_u128(node.into())),
            incarnation: 1,
            start: Uuid::from_u128(9),
            shards: 2,
            rack: None,
            listeners: Vec::new(),
            cluster_address: None,
        })
    }

    #[test]
    fn a_node_takes_part_from_its_first_knowing_heartbeat_until_it_is_silent() {
        let mut term = Term::begin();
        assert_eq!(term.image.cluster().format_version, METADATA_FORMAT_OF_CLUSTERS);
        assert_eq!(term.ask(0, &registration(1)), Reply::Registered(1));
        let record_epoch = term.image.node(NodeId(1)).expect("registered").record_epoch;
        let beat = |applied_record_epoch| {
            let (node, registration_epoch) = (NodeId(1), 1);
            Ask::Heartbeat(Heartbeat {
                node,
                registration_epoch,
                applied_record_epoch,
                wants_shutdown: false,
                failed_shards: Default::default(),
            })
        };
        let heard = |fenced| Reply::Heard(HeartbeatAnswer { fenced, may_stop: false });
        assert_eq!(term.ask(100, &beat(record_epoch - 1)), heard(true));
        assert_eq!(term.ask(200, &beat(record_epoch)), heard(false));
        assert!(!term.active.is_expiry_due(200 + SESSION_MS - 1));
        assert!(term.active.is_expiry_due(200 + SESSION_MS));
        let mut draft = Draft::of(&term.image);
        term.active.expire(&mut draft, 200 + SESSION_MS);
        assert!(draft.image().node(NodeId(1)).expect("there").fenced);
    }

    #[test]
    fn a_leader_changes_the_in_sync_set_of_its_partition_and_nobody_else_does() {
        let mut term = Term::begin();
        for node in [1, 2] {
            term.ask(0, &registration(node));
            let applied_record_epoch = term.image.node(NodeId(node)).expect("registered").record_epoch;
            term.ask(
                0,
                &Ask::Heartbeat(Heartbeat {
                    node: NodeId(node),
                    registration_epoch: 1,
                    applied_record_epoch,
                    wants_shutdown: false,
                    failed_shards: Default::default(),
                }),
            );
        }
        let topic = NewTopic { replication_factor: 2, num_partitions: 1, ..NewTopic::with_defaults("t") };
        let create = Request::CreateTopics { topics: vec![topic], validate_only: false };
        term.ask(0, &Ask::Command(create));
        let partition = term.image.partitions().next().expect("created").clone();
        assert_eq!(partition.in_sync_replicas.len(), 2);
        let leader = partition.leader.expect("it has one");
        let alteration = AlterPartition {
            partition: partition.id(),
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            in_sync_replicas: vec![InSyncReplica {
                node: leader,
                disk: DiskId(Uuid::from_u128(leader.0.into())),
                incarnation: 1,
            }],
        };
        let command = |registration_epoch| {
            let alterations = vec![alteration.clone()];
            Ask::Command(Request::AlterPartitions(AlterPartitions {
                leader,
                registration_epoch,
                alterations,
            }))
        };
        let stale = term.ask(0, &command(9));
        assert!(matches!(stale, Reply::Done { answer: Answer::Altered(Err(_)), .. }), "{stale:?}");
        let reply = term.ask(0, &command(1));
        let Reply::Done { answer: Answer::Altered(Ok(outcomes)), .. } = reply else { panic!("{reply:?}") };
        let altered = outcomes[0].as_ref().expect("it leads");
        assert_eq!(altered.in_sync_replicas, [leader]);
        assert_eq!(term.image.partition(partition.id()), Some(altered));
    }
}
