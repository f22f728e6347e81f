//! Incremental fetch sessions (KIP-227), as a client goes through them.

use std::time::Duration;

use futures_util::FutureExt;

use super::fetch::{offsets, request};
use super::*;
use crate::base::ids::PartitionId;
use crate::cluster::TopicRef;
use crate::protocol::ErrorCode;
use crate::protocol::messages::fetch::{FetchRequest, FetchResponse, ForgottenTopic};
use crate::shard::testing::owner_and_other;

/// What a response says: its error, and by partition the error and the base offsets of the batches.
type Said = (ErrorCode, Vec<(i32, ErrorCode, Vec<i64>)>);

fn said(response: &FetchResponse) -> Said {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    let partitions = partitions.map(|data| (data.partition_index, data.error_code, offsets(data)));
    (response.error_code, partitions.collect())
}

fn nothing() -> Said {
    (ErrorCode::None, Vec::new())
}

fn records(index: i32, offsets: &[i64]) -> Said {
    (ErrorCode::None, vec![(index, ErrorCode::None, offsets.to_vec())])
}

/// A client in a session.
struct Client {
    caller: Caller,
    version: i16,
    topic_id: TopicId,
    session_id: i32,
    epoch: i32,
}

impl Client {
    fn new(shard: &Rc<Shard>, version: i16, topic_id: TopicId) -> Self {
        Client { caller: caller(shard), version, topic_id, session_id: 0, epoch: 0 }
    }

    fn request(&self, partitions: &[(i32, i64)], forgotten: &[i32], max_wait_ms: i32) -> FetchRequest {
        let mut request = request(partitions);
        request.topics[0].topic_id = self.topic_id;
        if partitions.is_empty() {
            request.topics.clear();
        }
        let (topic, topic_id, partitions) = ("t".to_owned(), self.topic_id, forgotten.to_vec());
        request.forgotten_topics_data = vec![ForgottenTopic { topic, topic_id, partitions }];
        let (session_id, session_epoch) = (self.session_id, self.epoch);
        FetchRequest { max_wait_ms, session_id, session_epoch, ..request }
    }

    /// The next request of the session with what the client changes.
    async fn fetch(&mut self, partitions: &[(i32, i64)], forgotten: &[i32], max_wait_ms: i32) -> Said {
        let request = self.request(partitions, forgotten, max_wait_ms);
        let response = call(&self.caller, &request, self.version).await;
        if response.error_code == ErrorCode::None {
            assert!(self.session_id == 0 || response.session_id == self.session_id);
            self.session_id = response.session_id;
            self.epoch += 1;
        }
        said(&response)
    }
}

const THREE: (&str, &str) = ("num.partitions", "3");

#[test]
fn a_session_tells_what_changed() {
    on_node(&[THREE], |node| async move {
        let topic_id = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic_id, 1);
        for (round, version) in [7, 12, 13, 18].into_iter().enumerate() {
            for (half, shard) in [&owner, &other].into_iter().enumerate() {
                let base = (round * 2 + half) as i64;
                let mut client = Client::new(shard, version, topic_id);
                let full = client.fetch(&[(2, 0), (1, base), (0, 0)], &[], 0).await;
                assert_eq!(full.1.iter().map(|it| it.0).collect::<Vec<_>>(), [2, 1, 0], "all, in order");
                assert_ne!(client.session_id, 0);
                assert_eq!(client.fetch(&[], &[], 0).await, nothing());
                produce(&caller(&owner), "t", 1, batch(&[b"a"])).await;
                assert_eq!(client.fetch(&[], &[], 500).await, records(1, &[base]));
                assert_eq!(client.fetch(&[], &[], 500).await, records(1, &[base]), "not taken yet");
                assert_eq!(client.fetch(&[(1, base + 1)], &[], 0).await, nothing());
                assert_eq!(client.fetch(&[(1, base)], &[1], 0).await, nothing(), "forgotten");
                assert_eq!(client.fetch(&[(1, base)], &[], 0).await, records(1, &[base]), "back again");
            }
        }
        assert_eq!((owner.budgets.fetches.used(), other.budgets.fetches.used()), (0, 0));
    });
}

#[test]
fn a_session_waits_and_is_woken() {
    on_node(&[THREE], |node| async move {
        let topic_id = node.create_topic("t").await;
        let (owner, other) = owner_and_other(&node, topic_id, 1);
        for (offset, shard) in [(0, &owner), (1, &other)] {
            let mut client = Client::new(shard, 18, topic_id);
            client.fetch(&[(0, 0), (1, offset), (2, 0)], &[], 0).await;
            let started = owner.runtime.now();
            let append = async {
                owner.runtime.sleep(Duration::from_millis(100)).await;
                produce(&caller(&owner), "t", 1, batch(&[b"a"])).await
            };
            let (told, _) = futures_util::future::join(client.fetch(&[], &[], 20_000), append).await;
            assert_eq!(told, records(1, &[offset]));
            let waited = owner.runtime.now() - started;
            assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(1), "{waited:?}");
            let started = owner.runtime.now();
            assert_eq!(client.fetch(&[(1, offset + 1)], &[], 300).await, nothing());
            assert!(owner.runtime.now() - started >= Duration::from_millis(300));
        }
    });
}

#[test]
fn what_does_not_go_on_is_refused_with_the_code_that_clients_know() {
    on_node(&[THREE], |node| async move {
        let topic_id = node.create_topic("t").await;
        let mut client = Client::new(&node.shards[0], 12, topic_id);
        client.fetch(&[(0, 0)], &[], 0).await;
        let refused = async |change: &dyn Fn(&mut Client)| {
            let mut client = Client { caller: client.caller.clone(), ..client };
            change(&mut client);
            client.fetch(&[], &[], 0).await
        };
        let only = |code| (code, Vec::new());
        assert_eq!(refused(&|it| it.session_id ^= 1).await, only(ErrorCode::FetchSessionIdNotFound));
        assert_eq!(refused(&|it| it.epoch += 1).await, only(ErrorCode::InvalidFetchSessionEpoch));
        assert_eq!(refused(&|it| it.version = 13).await, only(ErrorCode::FetchSessionTopicIdError));
        assert_eq!(client.fetch(&[], &[], 0).await, nothing(), "none of that ended it");
        let mut last = Client { caller: client.caller.clone(), epoch: -1, ..client };
        let request = last.request(&[(0, 0)], &[], 0);
        assert_eq!(call(&last.caller, &request, 12).await.session_id, 0);
        (last.session_id, last.epoch) = (client.session_id, client.epoch);
        assert_eq!(last.fetch(&[], &[], 0).await, only(ErrorCode::FetchSessionIdNotFound));
    });
}

#[test]
fn a_session_without_partitions_ends_and_one_that_is_left_too() {
    on_node(&[THREE], |node| async move {
        let topic_id = node.create_topic("t").await;
        let mut client = Client::new(&node.shards[0], 18, topic_id);
        client.fetch(&[(0, 0)], &[], 0).await;
        let request = client.request(&[], &[0], 10_000);
        assert_eq!(call(&client.caller, &request, 18).await.session_id, 0);
        assert_eq!(client.request(&[], &[], 0).session_id, client.session_id);
        assert_eq!(client.fetch(&[], &[], 0).await.0, ErrorCode::FetchSessionIdNotFound);

        let mut client = Client::new(&node.shards[0], 18, topic_id);
        client.fetch(&[(0, 0)], &[], 0).await;
        let parked = client.request(&[], &[], 10_000);
        let parked = Box::pin(call(&client.caller, &parked, 18)).now_or_never();
        assert!(parked.is_none(), "it waits, and its connection goes");
        client.epoch += 1;
        assert_eq!(client.fetch(&[], &[], 0).await.0, ErrorCode::FetchSessionIdNotFound);
        let full = Client::new(&node.shards[0], 18, topic_id).request(&[], &[], 10_000);
        assert_eq!(call(&client.caller, &full, 18).await.session_id, 0, "nothing to fetch, no session");
    });
}

#[test]
fn a_topic_that_goes_and_comes_back_is_told_of() {
    on_node(&[THREE], |node| async move {
        let old = node.create_topic("t").await;
        let shard = &node.shards[0];
        let (mut by_name, mut by_id) = (Client::new(shard, 12, old), Client::new(shard, 13, old));
        for client in [&mut by_name, &mut by_id] {
            client.fetch(&[(0, 0), (1, 0), (2, 0)], &[], 0).await;
            assert_eq!(client.fetch(&[], &[], 0).await, nothing());
        }
        shard.metadata.delete_topics(vec![TopicRef::Id(old)]).await.expect("metadata works");
        let new = node.create_topic("t").await;
        produce(&caller(shard), "t", 1, batch(&[b"a"])).await;
        assert_eq!(by_name.fetch(&[], &[], 500).await, records(1, &[0]));
        produce(&caller(shard), "t", 2, batch(&[b"a"])).await;
        assert_eq!(by_name.fetch(&[(1, 1)], &[], 500).await, records(2, &[0]), "the new one is watched");
        let unknown = |index| (index, ErrorCode::UnknownTopicId, vec![]);
        for _ in 0..2 {
            let told = by_id.fetch(&[], &[], 10_000).await;
            assert_eq!(told, (ErrorCode::None, [0, 1, 2].map(unknown).to_vec()));
        }
        by_id.topic_id = new;
        by_id.fetch(&[(0, 0)], &[], 0).await;
    });
}

#[test]
fn a_move_of_the_logs_start_is_told() {
    on_node(&[THREE], |node| async move {
        let topic = node.create_topic("t").await;
        let (owner, _) = owner_and_other(&node, topic, 0);
        produce(&caller(&owner), "t", 0, batch(&[b"a"])).await;
        let mut client = Client::new(&owner, 18, topic);
        client.fetch(&[(0, 1), (1, 0)], &[], 0).await;
        let replica = owner.storage.replica(PartitionId { topic, index: 0 }).expect("its own");
        owner.storage.advance_log_start(&replica, 1).await.expect("committed");
        let response = call(&client.caller, &client.request(&[], &[], 0), 18).await;
        let told: Vec<_> = response.responses[0]
            .partitions
            .iter()
            .map(|it| (it.partition_index, it.log_start_offset))
            .collect();
        assert_eq!(told, [(0, 1)]);
    });
}

#[test]
fn without_room_for_sessions_clients_go_on_without() {
    on_node(&[("max.incremental.fetch.session.cache.slots", "1")], |node| async move {
        let topic = node.create_topic("t").await;
        let mut first = Client::new(&node.shards[0], 18, topic);
        first.fetch(&[(0, 0)], &[], 0).await;
        let second = Client::new(&node.shards[0], 18, topic).request(&[(0, 0), (1, 0)], &[], 0);
        let response = call(&first.caller, &second, 18).await;
        assert_eq!((response.session_id, response.responses[0].partitions.len()), (0, 2));
        assert_eq!(first.fetch(&[], &[], 0).await, nothing());
    });
}
