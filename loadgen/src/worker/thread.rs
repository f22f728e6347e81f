//! One thread from start to end.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use glommio::{LocalExecutorBuilder, Placement, PoolPlacement};

use super::consumer::Reader;
use super::context::{Context, Message, Shared};
use super::pacer::Pacer;
use super::producer::Producer;
use crate::client::ClientError;
use crate::group::Share;
use crate::measure::{Clock, Recorder};
use crate::schedule::Schedule;
use crate::settings::{Offered, Workload};
use crate::workload::Identity;

/// A busy executor notices its timers this late at most.
const PREEMPT_TIMER: Duration = Duration::from_millis(1);
/// An executor may park although tasks can run; the next timer wakes it. Several, because the task of one may be the
/// one that was left behind.
const HEARTBEATS_MS: [u64; 4] = [10, 50, 100, 400];

/// Requests that are due for each that may be in flight, so that every connection always has one.
const SATURATION: u32 = 4;

/// What a thread is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The CPU that it stays on.
    pub cpu: usize,
    /// Its producers.
    pub producers: Vec<ProducerPlan>,
    /// Its consumers.
    pub consumers: Vec<ConsumerPlan>,
}

/// A producer.
#[derive(Clone, Copy, Debug)]
pub struct ProducerPlan {
    /// Its number among all producers.
    pub number: u32,
    /// Its identity, if it is idempotent.
    pub identity: Option<Identity>,
}

/// A consumer.
#[derive(Clone, Debug)]
pub enum ConsumerPlan {
    /// It has these partitions: their place in the cluster's list, with the offset to start from.
    Fixed(Vec<(usize, i64)>),
    /// It is a member of a group, and has what that gives it.
    Shared(Arc<Share>),
}

/// Starts a thread. It tells [`Message::Ready`], waits for the start, and ends with [`Message::Done`].
pub fn spawn(
    plan: Plan,
    shared: Shared,
    messages: Sender<Message>,
) -> std::io::Result<glommio::ExecutorJoinHandle<()>> {
    let name = format!("load-{}", plan.cpu);
    let handle = LocalExecutorBuilder::new(Placement::Fixed(plan.cpu))
        .name(&name)
        .preempt_timer(PREEMPT_TIMER)
        .spin_before_park(Duration::ZERO)
        .io_memory(0)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(1))
        .spawn(move || async move {
            let heartbeats: Vec<_> = HEARTBEATS_MS.into_iter().map(spawn_heartbeat).collect();
            let result = run(plan, shared, &messages).await;
            for heartbeat in heartbeats {
                heartbeat.cancel().await;
            }
            // Nobody waits any more if the whole run has failed.
            let _ = messages.send(Message::Done(result));
        })?;
    Ok(handle)
}

fn spawn_heartbeat(period_ms: u64) -> glommio::Task<()> {
    glommio::spawn_local(async move {
        loop {
            glommio::timer::sleep(Duration::from_millis(period_ms)).await;
        }
    })
}

async fn run(plan: Plan, shared: Shared, messages: &Sender<Message>) -> Result<(), ClientError> {
    let cluster = &shared.cluster;
    let producers = plan
        .producers
        .iter()
        .map(|producer| Producer::connect(producer, &shared.supplies, cluster).map(Rc::new))
        .collect::<Result<Vec<_>, _>>()?;
    let readers = connect_readers(&plan.consumers, &shared)?;
    let _ = messages.send(Message::Ready);
    let Some(clock) = wait_for_start(&shared).await else { return Ok(()) };

    let sender = messages.clone();
    let recorder = Recorder::new(shared.timeline, move |interval, tally| {
        let _ = sender.send(Message::Interval(interval, Box::new(tally)));
    });
    let context = Rc::new(Context { shared: shared.clone(), clock, recorder, failure: None.into() });
    let mut tasks = Vec::new();
    for producer in &producers {
        for link in producer.links() {
            let (link, producer, context) = (Rc::clone(link), Rc::clone(producer), Rc::clone(&context));
            let (link_too, producer_too, context_too) =
                (Rc::clone(&link), Rc::clone(&producer), Rc::clone(&context));
            tasks.push(glommio::spawn_local(async move { link.send(producer, context).await }));
            tasks
                .push(glommio::spawn_local(async move { link_too.receive(producer_too, context_too).await }));
        }
    }
    for reader in &readers {
        tasks.push(glommio::spawn_local(Rc::clone(reader).run(Rc::clone(&context))));
    }
    offer(&plan, producers, &readers, &context).await;
    for task in tasks {
        task.await;
    }
    context.failure.take().map_or(Ok(()), Err)
}

/// Makes the load, waits for what is outstanding, and ends all tasks.
async fn offer(plan: &Plan, producers: Vec<Rc<Producer>>, readers: &[Rc<Reader>], context: &Context) {
    let workload = &context.shared.supplies.workload;
    for producer in &producers {
        let connections = producer.links().len() as u32;
        let outstanding = match workload.offered {
            Offered::Closed => workload.in_flight,
            // More than all connections together may send: partitions take turns, and none may run dry meanwhile.
            Offered::Saturated => workload.in_flight * connections * SATURATION,
            Offered::Open { .. } | Offered::Overload(_) => 0,
        };
        (0..outstanding).for_each(|_| producer.go_on(context));
    }
    let overload_end_ns = match workload.offered {
        Offered::Overload(overload) => Some((workload.warmup + overload.end()).as_nanos() as u64),
        _ => None,
    };
    let mut pacer = Pacer::new(producers.clone(), schedules(plan, context), overload_end_ns);
    pacer.run(context).await;
    let deadline_ns = context.recorder.timeline().end_ns + workload.drain.as_nanos() as u64;
    pacer.drain(context, deadline_ns).await;
    producers.iter().flat_map(|producer| producer.links()).for_each(|link| link.close(context));

    let progress = &context.shared.progress;
    progress.producing_threads.fetch_sub(1, Ordering::AcqRel);
    if workload.producers > 0 {
        while !readers.is_empty()
            && !progress.is_everything_consumed()
            && !context.is_stopped()
            && context.clock.now_ns() < deadline_ns
        {
            pacer.tick(context).await;
        }
    }
    readers.iter().for_each(|reader| reader.close());
    context.recorder.finish(context.clock.now_ns(), |tally| pacer.at_end(tally));
}

fn schedules(plan: &Plan, context: &Context) -> Vec<Schedule> {
    let workload = &context.shared.supplies.workload;
    let Workload { producers, seed, warmup, offered, batch, linger, .. } = **workload;
    let of = |ProducerPlan { number, .. }: &ProducerPlan| match offered {
        Offered::Closed | Offered::Saturated => None,
        Offered::Overload(overload) => Some(Schedule::overload(overload, warmup, *number, producers)),
        Offered::Open { requests_per_s, schedule, burst } => {
            // With linger the schedule is of records, which gather into requests.
            let of_each = if linger.is_zero() { 1.0 } else { f64::from(batch) };
            Some(Schedule::new(schedule, requests_per_s * of_each, burst, *number, producers, seed))
        }
    };
    plan.producers.iter().filter_map(of).collect()
}

/// One reader for each consumer and leader; a member of a group may come to have partitions of any leader.
fn connect_readers(consumers: &[ConsumerPlan], shared: &Shared) -> Result<Vec<Rc<Reader>>, ClientError> {
    let cluster = &shared.cluster;
    let mut readers = Vec::new();
    for consumer in consumers {
        let mut by_leader: BTreeMap<i32, Vec<(usize, i64)>> = BTreeMap::new();
        let share = match consumer {
            ConsumerPlan::Fixed(positions) => {
                for (at, offset) in positions {
                    by_leader.entry(cluster.partitions[*at].leader).or_default().push((*at, *offset));
                }
                None
            }
            ConsumerPlan::Shared(share) => {
                by_leader.extend(cluster.partitions.iter().map(|partition| (partition.leader, Vec::new())));
                Some(share)
            }
        };
        for (leader, positions) in by_leader {
            let reader = Reader::connect(leader, cluster, positions, share.cloned());
            readers.push(Rc::new(reader.map_err(|error| error.of_advertised(leader))?));
        }
    }
    Ok(readers)
}

/// Waits for the moment that all threads start at. The clock stands at 0 until then: requests that are due at 0 would
/// go out early.
async fn wait_for_start(shared: &Shared) -> Option<Clock> {
    loop {
        if let Some(start) = shared.start.get() {
            glommio::timer::sleep(start.saturating_duration_since(Instant::now())).await;
            return Some(Clock::starting(*start));
        }
        if shared.stop.load(Ordering::Relaxed) {
            return None;
        }
        glommio::timer::sleep(Duration::from_millis(1)).await;
    }
}
