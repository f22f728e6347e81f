//! A producer: what it sends, and through which connection.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::context::Context;
use super::link::{Link, Ticket};
use super::thread::ProducerPlan;
use crate::client::{ClientError, Cluster};
use crate::workload::{BatchMaker, MadeBatch, Supplies};

/// Requests that may wait in a producer's queues. Beyond it the schedule waits, which loses no request and no time:
/// the next one is still counted from when it was meant to be sent.
pub const WAITING_MAX: usize = 1 << 20;

/// One producer.
pub struct Producer {
    maker: RefCell<BatchMaker>,
    links: Vec<Rc<Link>>,
    /// The link of each partition's leader.
    link_of: Vec<usize>,
}

impl Producer {
    /// Connects to every leader, blocking.
    pub fn connect(
        plan: &ProducerPlan,
        supplies: &Supplies,
        cluster: &Cluster,
    ) -> Result<Producer, ClientError> {
        let mut by_leader = BTreeMap::new();
        let mut links = Vec::new();
        let mut link_of = Vec::new();
        for partition in &cluster.partitions {
            let leader = partition.leader;
            let link = match by_leader.get(&leader) {
                Some(link) => *link,
                None => {
                    let link = connect(leader, cluster)?;
                    links.push(Rc::new(link));
                    by_leader.insert(leader, links.len() - 1);
                    links.len() - 1
                }
            };
            link_of.push(link);
        }
        let maker = RefCell::new(BatchMaker::new(supplies, plan.number, plan.identity));
        Ok(Producer { maker, links, link_of })
    }

    /// The connections.
    pub fn links(&self) -> &[Rc<Link>] {
        &self.links
    }

    /// Puts a request into the queue of the next partition's leader.
    pub fn emit(&self, intended_ns: u64, context: &Context) {
        let partition = self.maker.borrow_mut().next_partition();
        let records = u64::from(context.shared.supplies.workload.batch);
        context.recorder.count(|tally| {
            tally.counts.offered_requests += 1;
            tally.counts.offered_records += records;
        });
        self.links[self.link_of[partition]].push(Ticket { intended_ns, partition });
    }

    /// Counts a request that was due in an overload and is dropped before it is in any queue.
    pub fn drop_unsent(&self, context: &Context) {
        let records = u64::from(context.shared.supplies.workload.batch);
        context.recorder.count(|tally| {
            tally.counts.offered_requests += 1;
            tally.counts.offered_records += records;
            tally.counts.dropped_requests += 1;
        });
    }

    /// Closed loop: a request was answered, so the next one is due now, unless the window is over.
    pub fn go_on(&self, context: &Context) {
        let now_ns = context.clock.now_ns();
        if now_ns < context.recorder.timeline().end_ns && !context.is_stopped() {
            self.emit(now_ns, context);
        }
    }

    /// The next batch of a partition.
    pub fn make(&self, partition: usize, intended_ns: u64, now_ms: i64) -> MadeBatch {
        self.maker.borrow_mut().make(partition, intended_ns, now_ms)
    }

    /// Whether its queues take more.
    pub fn has_room(&self) -> bool {
        self.links.iter().map(|link| link.waiting()).sum::<usize>() < WAITING_MAX
    }
}

/// A connection to the leader of some partitions.
fn connect(leader: i32, cluster: &Cluster) -> Result<Link, ClientError> {
    let address = &cluster.brokers[&leader];
    Link::connect(address, cluster.has_topic_ids).map_err(|error| error.of_advertised(leader))
}
