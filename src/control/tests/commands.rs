//! Commands: durable before they are published, published before they are answered, refused when they must be.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::client::{Answer, Command, ControlError, Request};
use super::super::controller::Controller;
use super::super::progress::AppliedReporter;
use super::super::store::{MetadataStore, Space, StoreError};
use super::super::thread::block_on;
use super::{NODE, environment, start, topic};
use crate::base::ids::ShardId;
use crate::base::limits::{CONTROL_COMMANDS_PER_COMMIT_MAX, CONTROL_REPLIES_WAITING_MAX};
use crate::cluster::{
    Change, ClusterError, ClusterRecord, ConfigAlteration, ConfigChange, ConfigResource, Delta, DiskId,
    Image, KafkaUuid, METADATA_FORMAT_VERSION, NewPartitions, Owner, Placing, ProducerIdBlock, Record,
    TopicDefaults, TopicRef,
};
use crate::config::Advertise;

/// What the planted store does with the next commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    Good,
    Full,
    /// More than one topic is too much.
    Narrow,
    Broken,
}

/// A store that keeps nothing but a count of its commits.
struct MoodyStore {
    mood: Arc<Mutex<Mood>>,
    commits: Arc<AtomicU32>,
}

impl MetadataStore for MoodyStore {
    fn load(&self) -> Result<Image, StoreError> {
        unreachable!("the image is given")
    }

    fn commit(&mut self, changes: &[Change], space: Space) -> Result<(), StoreError> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let path = "moody".into();
        match *self.mood.lock().unwrap() {
            Mood::Full if space == Space::Spend => {
                Err(StoreError::DiskFull { path, free_bytes: 1, needed_bytes: 2 })
            }
            Mood::Narrow if changes.iter().filter(|change| is_topic(change)).count() > 1 => {
                Err(StoreError::TooLong { bytes: 3 })
            }
            Mood::Good | Mood::Full | Mood::Narrow => Ok(()),
            Mood::Broken => Err(StoreError::Io { path, source: io::ErrorKind::Other.into() }),
        }
    }
}

fn is_topic(change: &Change) -> bool {
    matches!(change, Change::Put(Record::Topic(_)))
}

struct World {
    controller: Controller,
    shards: Vec<AppliedReporter>,
    mood: Arc<Mutex<Mood>>,
    commits: Arc<AtomicU32>,
}

type Reply = oneshot::Receiver<Result<Answer, ControlError>>;

impl World {
    /// A controller of two shards, which have applied the first image.
    fn new() -> Self {
        let (mood, commits) = (Arc::new(Mutex::new(Mood::Good)), Arc::new(AtomicU32::new(0)));
        let store = MoodyStore { mood: Arc::clone(&mood), commits: Arc::clone(&commits) };
        let placing = Placing {
            node: NODE,
            disk: DiskId(Uuid::nil()),
            shards: 2,
            advertise: Advertise::Shard,
            num_partitions: 2,
            default_replication_factor: 1,
            replicas_max: crate::base::limits::REPLICAS_PER_PARTITION_MAX,
            defaults: TopicDefaults::default(),
        };
        let cluster_id = KafkaUuid(Uuid::from_u128(1));
        let image = Image::new(ClusterRecord { format_version: METADATA_FORMAT_VERSION, cluster_id });
        let controller = Controller::new(Box::new(store), Arc::new(image), placing, environment());
        let shards =
            (0..2).map(|shard| AppliedReporter::new(Arc::clone(controller.progress()), ShardId(shard)));
        World { shards: shards.collect(), controller, mood, commits }
    }

    fn process(&mut self, requests: Vec<Request>) -> Vec<Reply> {
        let (commands, replies): (Vec<_>, Vec<_>) = requests
            .into_iter()
            .map(|request| {
                let (reply, answer) = oneshot::channel();
                (Command { request, reply }, answer)
            })
            .unzip();
        self.controller.process(commands);
        replies
    }

    fn applied(&mut self, shard: usize) {
        self.shards[shard].report(self.controller.image().version());
        self.controller.reply_to_applied();
    }
}

fn create(name: &str) -> Request {
    Request::CreateTopics { topics: vec![topic(name, -1)], validate_only: false }
}

fn delete(name: &str) -> Request {
    Request::DeleteTopics(vec![TopicRef::Name(name.into())])
}

fn retention(topic: &str, ms: &str) -> Request {
    let alteration = ConfigAlteration {
        resource: ConfigResource::Topic(topic.into()),
        replaces_all: false,
        changes: vec![("retention.ms".to_owned(), ConfigChange::Set(ms.to_owned()))],
    };
    Request::AlterConfigs { alterations: vec![alteration], validate_only: false }
}

fn is_created(reply: &mut Reply) -> bool {
    matches!(reply.try_recv(), Ok(Ok(Answer::Created(results))) if results.iter().all(Result::is_ok))
}

#[test]
fn a_reply_waits_until_every_shard_has_applied_the_change() {
    let mut world = World::new();
    let mut created = world.process(vec![create("a")]).remove(0);
    assert!(created.try_recv().is_err());
    world.applied(0);
    assert!(created.try_recv().is_err(), "one shard does not know the topic yet");

    // What changes nothing waits too, if it tells of a change that waits.
    let mut exists = world.process(vec![create("a")]).remove(0);
    assert!(exists.try_recv().is_err());
    world.applied(1);
    assert!(is_created(&mut created));
    let answer = exists.try_recv().unwrap().unwrap();
    assert_eq!(answer, Answer::Created(vec![Err(ClusterError::TopicExists("a".into()))]));
    assert_eq!(world.commits.load(Ordering::Relaxed), 1, "nothing to commit the second time");
    assert!(world.process(vec![delete("x")]).remove(0).try_recv().is_ok(), "nothing to wait for");
}

#[test]
fn commands_that_come_together_are_one_transaction_in_order() {
    let mut world = World::new();
    let validate = Request::CreateTopics { topics: vec![topic("v", 1)], validate_only: true };
    let mut replies =
        world.process(vec![create("a"), validate, delete("a"), create("a"), Request::AllocateProducerIds]);
    assert_eq!(world.commits.load(Ordering::Relaxed), 1);
    assert_eq!(world.controller.image().version(), 1);
    world.applied(0);
    world.applied(1);
    assert!(is_created(&mut replies[0]) && is_created(&mut replies[1]) && is_created(&mut replies[3]));
    assert!(matches!(replies[2].try_recv(), Ok(Ok(Answer::Deleted(results))) if results[0].is_ok()));
    let block = Some(ProducerIdBlock { first: 0, count: 1000 });
    assert_eq!(replies[4].try_recv(), Ok(Ok(Answer::ProducerIds(block))));
    let image = world.controller.image();
    let names: Vec<&str> = image.topics().map(|topic| topic.record.name.as_str()).collect();
    assert_eq!(names, ["a"], "what was only validated is not there");
}

#[test]
fn on_a_full_disk_what_needs_space_is_refused_and_what_gives_it_is_done() {
    let mut world = World::new();
    world.process(vec![create("a"), create("b")]);
    *world.mood.lock().unwrap() = Mood::Full;
    let mut replies =
        world.process(vec![create("c"), delete("a"), Request::AllocateProducerIds, create("d")]);
    world.applied(0);
    world.applied(1);
    for refused in [0, 3] {
        let reply = replies[refused].try_recv().unwrap();
        assert!(matches!(reply, Err(ControlError::DiskFull(why)) if why.contains("delete topics")));
    }
    assert!(matches!(replies[1].try_recv(), Ok(Ok(Answer::Deleted(results))) if results[0].is_ok()));
    assert!(matches!(replies[2].try_recv(), Ok(Ok(Answer::ProducerIds(Some(_))))));

    *world.mood.lock().unwrap() = Mood::Good;
    let mut created = world.process(vec![create("c")]).remove(0);
    world.applied(0);
    world.applied(1);
    assert!(is_created(&mut created), "a full disk is a state, not an end");
}

#[test]
fn what_is_too_long_together_is_done_one_by_one() {
    let mut world = World::new();
    *world.mood.lock().unwrap() = Mood::Narrow;
    let both = Request::CreateTopics { topics: vec![topic("c", 1), topic("d", 1)], validate_only: false };
    let mut replies = world.process(vec![create("a"), both, create("b")]);
    world.applied(0);
    world.applied(1);
    assert!(is_created(&mut replies[0]) && is_created(&mut replies[2]));
    let refused = replies[1].try_recv().unwrap();
    assert!(matches!(refused, Err(ControlError::TooLong(why)) if why.contains("ask for less")));
    assert_eq!(world.controller.image().topics().len(), 2);
}

#[test]
fn configs_are_altered_on_a_full_disk_and_partitions_are_not_added() {
    let mut world = World::new();
    world.process(vec![create("a")]);
    *world.mood.lock().unwrap() = Mood::Full;
    let extend = |validate_only| {
        let new = NewPartitions { topic: "a".into(), count: 5, assignments: None };
        Request::CreatePartitions { topics: vec![new], validate_only }
    };
    let mut replies = world.process(vec![retention("a", "1"), extend(false), extend(true)]);
    world.applied(0);
    world.applied(1);
    let done = Ok(Ok(Answer::Done(vec![Ok(())])));
    assert_eq!(replies[0].try_recv(), done, "shorter retention is what empties the disk");
    assert!(matches!(replies[1].try_recv(), Ok(Err(ControlError::DiskFull(_)))));
    assert_eq!(replies[2].try_recv(), done);
    let image = world.controller.image();
    let topic = image.topic_named("a").unwrap();
    assert_eq!((topic.partitions.len(), topic.record.configs["retention.ms"].as_str()), (2, "1"));
}

#[test]
fn what_was_altered_and_added_is_there_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let broker = |broker| ConfigAlteration {
        resource: ConfigResource::Broker(broker),
        replaces_all: false,
        changes: vec![("log.roll.ms".to_owned(), ConfigChange::Set("7".to_owned()))],
    };
    let control = start(dir.path(), 1).unwrap();
    let link = control.link(ShardId(0));
    // A shard that follows at once.
    link.applied.report(u64::MAX);
    let thread = control.spawn().unwrap();
    block_on(async {
        link.client.create_topics(vec![topic("a", 1)], false).await.unwrap();
        let Request::AlterConfigs { mut alterations, .. } = retention("a", "1") else { unreachable!() };
        alterations.extend([broker(Some(1000)), broker(None), broker(Some(1001))]);
        let outcomes = link.client.alter_configs(alterations, false).await.unwrap();
        assert_eq!(outcomes, [Ok(()), Ok(()), Ok(()), Err(ClusterError::UnknownBroker(1001))]);
        let new = NewPartitions { topic: "a".into(), count: 3, assignments: None };
        assert_eq!(link.client.create_partitions(vec![new], false).await.unwrap(), [Ok(())]);
    });
    thread.stop();
    let image = start(dir.path(), 1).unwrap().image();
    let topic = image.topic_named("a").unwrap();
    assert_eq!((topic.partitions.len(), topic.record.configs["retention.ms"].as_str()), (3, "1"));
    assert_eq!(
        (image.broker_configs(None)["log.roll.ms"].as_str(), image.broker_configs(Some(1001)).len()),
        ("7", 0)
    );
    assert_eq!(image.broker_configs(Some(1000))["log.roll.ms"], "7");
}

#[test]
fn after_a_failed_commit_nothing_is_committed_or_published_any_more() {
    let mut world = World::new();
    let mut early = world.process(vec![create("a")]).remove(0);
    *world.mood.lock().unwrap() = Mood::Broken;
    let mut replies = world.process(vec![create("b"), delete("a")]);
    *world.mood.lock().unwrap() = Mood::Good;
    replies.extend(world.process(vec![create("c"), Request::AllocateProducerIds]));
    for reply in &mut replies {
        assert!(matches!(reply.try_recv(), Ok(Err(ControlError::OutOfService(_)))));
    }
    assert_eq!(world.commits.load(Ordering::Relaxed), 2, "nothing was tried again");
    assert_eq!(world.controller.image().version(), 1);
    world.applied(0);
    world.applied(1);
    assert!(is_created(&mut early), "what was committed before is answered");
}

#[test]
fn replies_that_wait_are_bounded() {
    let mut world = World::new();
    let mut replies = Vec::new();
    let mut name = 0;
    while world.controller.capacity() > 0 {
        let requests = (0..world.controller.capacity()).map(|_| {
            name += 1;
            create(&format!("t{name}"))
        });
        let requests = requests.collect();
        replies.extend(world.process(requests));
    }
    assert_eq!(replies.len(), CONTROL_REPLIES_WAITING_MAX);
    world.applied(0);
    assert_eq!(world.controller.capacity(), 0);
    world.applied(1);
    assert_eq!(world.controller.capacity(), CONTROL_COMMANDS_PER_COMMIT_MAX);
    assert!(replies.iter_mut().all(is_created));
}

#[test]
fn a_topic_is_on_its_shards_before_its_creator_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(dir.path(), 2).unwrap();
    let client = control.link(ShardId(0)).client;
    // What each shard has open, as its own thread follows the images.
    let open: [Arc<Mutex<Vec<String>>>; 2] = Default::default();
    let shards: Vec<_> = (0..2u16)
        .map(|shard| {
            let mut link = control.link(ShardId(shard));
            let open = Arc::clone(&open[usize::from(shard)]);
            let owner = Owner { node: NODE, shard: ShardId(shard) };
            // The shards hold no client, so that dropping the last one ends control.
            drop(link.client);
            // The first image is the one before all topics, however late the thread gets to run.
            let mut image = Arc::clone(&link.images.borrow_and_update());
            thread::spawn(move || {
                link.applied.report(image.version());
                while block_on(link.images.changed()).is_ok() {
                    let next = Arc::clone(&link.images.borrow_and_update());
                    let delta = Delta::between(&image, &next, owner);
                    open.lock()
                        .unwrap()
                        .extend(delta.open.iter().map(|owned| owned.topic.record.name.clone()));
                    image = next;
                    link.applied.report(image.version());
                }
            })
        })
        .collect();
    let thread = control.spawn().unwrap();
    for round in 0..20 {
        let name = format!("t{round}");
        let created = block_on(client.create_topics(vec![topic(&name, 2)], false)).unwrap();
        assert_eq!(created[0].as_ref().unwrap().num_partitions, 2);
        assert!(open.iter().all(|open| open.lock().unwrap().contains(&name)));
    }
    let first = block_on(client.allocate_producer_ids()).unwrap();
    let second = block_on(client.allocate_producer_ids()).unwrap();
    assert_eq!((first.first, second.first), (0, 1000));
    let deleted = block_on(client.delete_topics(vec![TopicRef::Name("t3".into())])).unwrap();
    assert_eq!(deleted[0].as_ref().unwrap().name, "t3");
    thread.stop();
    assert_eq!(block_on(client.allocate_producer_ids()), Err(ControlError::Stopped));
    for shard in shards {
        shard.join().expect("ends when control does");
    }
    let control = start(dir.path(), 2).unwrap();
    assert_eq!(control.image().topics().len(), 19);
    assert_eq!(control.image().next_producer_id(), 2000);
}

#[test]
fn stopping_does_not_wait_for_shards_that_no_longer_answer() {
    let dir = tempfile::tempdir().unwrap();
    let control = start(dir.path(), 1).unwrap();
    let mut link = control.link(ShardId(0));
    let thread = control.spawn().unwrap();
    let caller = thread::spawn({
        let client = link.client.clone();
        move || block_on(client.create_topics(vec![topic("a", 1)], false))
    });
    // The change is published, and so durable; the shard never applies it.
    block_on(link.images.changed()).unwrap();
    thread.stop();
    assert_eq!(caller.join().unwrap(), Err(ControlError::Stopped));
    assert!(start(dir.path(), 1).unwrap().image().topic_named("a").is_some());
}
