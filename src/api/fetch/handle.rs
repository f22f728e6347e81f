//! From a request to its response: looks at what may have changed until that is enough, or time is up.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::select;

use crate::base::ids::TopicId;
use crate::base::limits::FETCH_WAIT_MS_MAX;
use crate::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::{OpenFetch, Phase, SessionRequest, TopicKey, Wanted, Watched};

use super::super::errors::session_error;
use super::super::reply::{Reply, respond};
use super::super::router::Caller;
use super::response::respond_with;
use super::round::{Round, walk};

/// The first version that names topics by their ids.
const TOPIC_ID_VERSION: i16 = 13;

/// The terms of one request, as it and the broker's configuration set them.
pub(super) struct Limits {
    pub(super) bytes_min: usize,
    pub(super) bytes_max: usize,
    pub(super) deadline: Duration,
    pub(super) isolation_level: i8,
}

pub(in crate::api) async fn handle(caller: &Caller, header: &RequestHeader, request: FetchRequest) -> Reply {
    let mut fetch = match open(caller, header.version, &request) {
        Ok(fetch) => fetch,
        Err(error_code) => return respond(header, &FetchResponse { error_code, ..Default::default() }),
    };
    let limits = Limits::of(caller, &request);
    drop(request);
    let round = look_until_enough(caller, &mut fetch, &limits).await;
    if fetch.has_session() {
        watch_what_is_quiet(caller, &mut fetch).await;
    }
    respond_with(caller, header, fetch, round, &limits)
}

fn open(caller: &Caller, version: i16, request: &FetchRequest) -> Result<OpenFetch, ErrorCode> {
    let uses_topic_ids = version >= TOPIC_ID_VERSION;
    let key = |name: &str, id: TopicId| match uses_topic_ids {
        true => TopicKey::Id(id),
        false => TopicKey::Name(Rc::from(name)),
    };
    let wanted = request.topics.iter().flat_map(|topic| {
        let key = key(&topic.topic, topic.topic_id);
        topic.partitions.iter().map(move |partition| (key.clone(), partition.partition, wanted(partition)))
    });
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        let key = key(&topic.topic, topic.topic_id);
        topic.partitions.iter().map(move |index| (key.clone(), *index))
    });
    let session = SessionRequest { id: request.session_id, epoch: request.session_epoch, uses_topic_ids };
    let shard = &caller.shard;
    shard.fetch_sessions.open(session, shard.runtime.now(), wanted, forgotten).map_err(session_error)
}

fn wanted(partition: &FetchPartition) -> Wanted {
    Wanted {
        offset: partition.fetch_offset,
        bytes_max: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
    }
}

impl Limits {
    fn of(caller: &Caller, request: &FetchRequest) -> Self {
        let bytes = |wanted: i32| usize::try_from(wanted).unwrap_or(0);
        let bytes_max = bytes(request.max_bytes).min(caller.shard.config.fetch_max_bytes);
        let bytes_max = bytes_max.min(caller.pace.bytes_max());
        let wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0).min(FETCH_WAIT_MS_MAX);
        Limits {
            bytes_min: bytes(request.min_bytes).min(bytes_max),
            bytes_max,
            deadline: caller.shard.runtime.now() + Duration::from_millis(wait_ms),
            isolation_level: request.isolation_level,
        }
    }
}

async fn look_until_enough(caller: &Caller, fetch: &mut OpenFetch, limits: &Limits) -> Round {
    let mut is_last = fetch.partitions.is_empty();
    loop {
        for slot in fetch.watch.take() {
            fetch.partitions.mark(slot);
        }
        let round = walk(caller, fetch, limits).await;
        if round.is_enough(limits) || is_last || !may_wait(caller, limits) {
            return round;
        }
        // What was read is read again with what comes: it must not take memory meanwhile.
        drop(round);
        watch_what_is_quiet(caller, fetch).await;
        is_last = !wait(caller, fetch, limits).await;
    }
}

fn may_wait(caller: &Caller, limits: &Limits) -> bool {
    caller.shard.runtime.now() < limits.deadline && caller.shard.phases.current() < Phase::Draining
}

/// Waits until something is marked; `false` if time is up, or the shard drains: then what there is has to do.
async fn wait(caller: &Caller, fetch: &OpenFetch, limits: &Limits) -> bool {
    let shard = &caller.shard;
    let marked = std::pin::pin!(fetch.watch.marked());
    let draining = std::pin::pin!(shard.phases.reached(Phase::Draining));
    let left = limits.deadline.saturating_sub(shard.runtime.now());
    select(marked, select(draining, shard.runtime.sleep(left))).await;
    may_wait(caller, limits)
}

/// Has the partitions reported that are not looked at again before they change.
async fn watch_what_is_quiet(caller: &Caller, fetch: &mut OpenFetch) {
    let unwatched = fetch.partitions.take_unwatched();
    if unwatched.is_empty() {
        return;
    }
    let watched = unwatched.into_iter().map(|(slot, id, seen)| Watched { slot, id, seen });
    caller.shard.watch(&fetch.watch, watched.collect()).await;
}
