//! One measured run: starts the threads together, merges what they tell, ends them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::CommandError;
use super::plan::{ends, plans};
use super::progress::ProgressLine;
use crate::client::{describe_broker, prepare};
use crate::group::Members;
use crate::measure::{Merger, Point, Timeline, Totals};
use crate::report::ClusterInfo;
use crate::settings::{Offered, Workload};
use crate::worker::{Message, Progress, Shared, spawn};
use crate::workload::Supplies;

/// The start lies so far ahead of the moment when all are ready.
const LEAD: Duration = Duration::from_millis(20);

/// How fast a broker recovers is told to this.
const OVERLOAD_INTERVAL_NS: u64 = 250_000_000;

/// What a run gave.
#[derive(Debug)]
pub struct Measured {
    /// Everything measured.
    pub totals: Totals,
    /// Why it is not everything that was asked for.
    pub partial: Option<String>,
    /// The brokers.
    pub cluster: ClusterInfo,
    /// Records of each request.
    pub batch: u32,
}

/// Runs a workload. `stop` ends it early; `watch` sees each point. Errors: nothing was measured.
pub fn measure(
    workload: Workload,
    stop: Arc<AtomicBool>,
    mut watch: impl FnMut(&Point),
) -> Result<Measured, CommandError> {
    let (mut client, cluster) = prepare(&workload.brokers, &workload.topics)?;
    let info = ClusterInfo {
        id: cluster.id.clone(),
        brokers: cluster.brokers.clone(),
        partitions: cluster.partitions.len(),
        settings: describe_broker(&mut client, &cluster),
    };
    let ends = ends(&cluster)?;
    let cluster = Arc::new(cluster);
    let members = match &workload.group {
        Some(group) => {
            Some(Members::join(group, workload.consumers as usize, client.address(), &cluster, &ends)?)
        }
        None => None,
    };
    let shares = members.as_ref().map_or(&[][..], Members::shares);
    let plans = plans(&workload, &mut client, &ends, shares)?;
    let mut timeline = Timeline::new(workload.warmup, workload.duration);
    if matches!(workload.offered, Offered::Overload(_)) {
        timeline.interval_ns = OVERLOAD_INTERVAL_NS;
    }
    let (line, batch) = (ProgressLine::new(&workload), workload.batch);
    let shared = Shared {
        supplies: Supplies::new(Arc::new(workload), run_number(), cluster.partitions.len()),
        timeline,
        cluster,
        start: Arc::new(OnceLock::new()),
        stop: Arc::clone(&stop),
        progress: Arc::new(Progress::default()),
    };
    let threads = plans.len();
    shared.progress.producing_threads.store(threads, Ordering::Release);
    let (sender, messages) = channel();
    let mut handles = Vec::new();
    for plan in plans {
        let cpu = plan.cpu;
        let handle = spawn(plan, shared.clone(), sender.clone())
            .map_err(|source| CommandError::Thread { cpu, source })
            .inspect_err(|_| stop.store(true, Ordering::Release))?;
        handles.push(handle);
    }
    drop(sender);
    let mut collector =
        Collector { merger: Merger::new(timeline, threads), partial: None, is_started: false };
    let result = collector.collect(&messages, &shared, threads, |point| {
        line.show(point);
        watch(point);
    });
    for handle in handles {
        handle.join().map_err(|_| CommandError::Panicked)?;
    }
    let left = members.map_or(Ok(()), Members::leave);
    result?;
    if let Err(error) = left {
        collector.partial.get_or_insert(error.to_string());
    }
    if collector.partial.is_none() && stop.load(Ordering::Acquire) {
        collector.partial = Some("interrupted".to_owned());
    }
    Ok(Measured { totals: collector.merger.finish(), partial: collector.partial, cluster: info, batch })
}

struct Collector {
    merger: Merger,
    partial: Option<String>,
    is_started: bool,
}

impl Collector {
    /// Starts the run when all threads are ready, and takes what they tell until all are done.
    fn collect(
        &mut self,
        messages: &Receiver<Message>,
        shared: &Shared,
        threads: usize,
        mut show: impl FnMut(&Point),
    ) -> Result<(), CommandError> {
        let (mut ready, mut done, mut failure) = (0, 0, None);
        while done < threads {
            match messages.recv().map_err(|_| CommandError::Panicked)? {
                Message::Ready => {
                    ready += 1;
                    if ready == threads {
                        self.is_started = true;
                        shared.start.get_or_init(|| Instant::now() + LEAD);
                    }
                }
                Message::Interval(interval, tally) => {
                    if let Some(point) = self.merger.add(interval, &tally) {
                        show(point);
                    }
                }
                Message::Done(Ok(())) => done += 1,
                Message::Done(Err(error)) => {
                    done += 1;
                    // What the others measure without it would not be what was asked for.
                    shared.stop.store(true, Ordering::Release);
                    failure.get_or_insert(error);
                }
            }
        }
        match failure {
            Some(error) if !self.is_started => Err(error.into()),
            failure => {
                self.partial = failure.map(|error| error.to_string());
                Ok(())
            }
        }
    }
}

/// Tells this run's records from those of others in the same topic.
pub fn run_number() -> u32 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since_1970.as_nanos() as u64 ^ (u64::from(std::process::id()) << 40)) as u32
}
