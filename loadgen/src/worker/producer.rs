//! A producer: what it sends, and through which connection.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::context::Context;
use super::link::Link;
use super::thread::ProducerPlan;
use super::ticket::{Records, Ticket};
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
    gathering: RefCell<Gathering>,
}

/// Batches that wait for more records (linger).
#[derive(Default)]
struct Gathering {
    /// When each record was due, by partition.
    open: BTreeMap<usize, Vec<u64>>,
    /// Without keys, records fill one batch after the other, as in Kafka's clients (KIP-480).
    filling: Option<usize>,
}

/// When a batch is sent although it is not full.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Deadline {
    /// The time.
    pub at_ns: u64,
    partition: usize,
    /// The batch, by the time of its first record.
    first_ns: u64,
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
        Ok(Producer { maker, links, link_of, gathering: RefCell::default() })
    }

    /// The connections.
    pub fn links(&self) -> &[Rc<Link>] {
        &self.links
    }

    /// Puts a request into the queue of the next partition's leader.
    pub fn emit(&self, intended_ns: u64, context: &Context) {
        let partition = self.maker.borrow_mut().next_partition();
        let records = Records::Together(context.shared.supplies.workload.batch);
        self.push(Ticket { intended_ns, partition, records });
    }

    /// Linger: a record is due. It waits in its partition's batch, which is sent when it is full, or else at the time
    /// returned.
    pub fn gather(&self, due_ns: u64, context: &Context) -> Option<Deadline> {
        let workload = &context.shared.supplies.workload;
        let mut gathering = self.gathering.borrow_mut();
        let partition = {
            let mut maker = self.maker.borrow_mut();
            match gathering.filling.filter(|_| !maker.has_keys()) {
                Some(partition) => partition,
                None => maker.next_partition(),
            }
        };
        gathering.filling = Some(partition);
        let batch = gathering.open.entry(partition).or_default();
        batch.push(due_ns);
        let (length, first_ns) = (batch.len(), batch[0]);
        drop(gathering);
        if length as u32 == workload.batch {
            self.send_gathered(partition, due_ns, context);
            return None;
        }
        (length == 1).then(|| Deadline {
            at_ns: first_ns + workload.linger.as_nanos() as u64,
            partition,
            first_ns,
        })
    }

    /// The time of a batch is over; it is sent unless it was before.
    pub fn linger_over(&self, deadline: Deadline, context: &Context) {
        let Deadline { at_ns, partition, first_ns } = deadline;
        let is_open = self.gathering.borrow().open.get(&partition).is_some_and(|batch| batch[0] == first_ns);
        if is_open {
            self.send_gathered(partition, at_ns, context);
        }
    }

    /// Sends all batches as they are.
    pub fn send_all_gathered(&self, now_ns: u64, context: &Context) {
        let open: Vec<usize> = self.gathering.borrow().open.keys().copied().collect();
        open.into_iter().for_each(|partition| self.send_gathered(partition, now_ns, context));
    }

    fn send_gathered(&self, partition: usize, due_ns: u64, context: &Context) {
        let mut gathering = self.gathering.borrow_mut();
        let Some(times) = gathering.open.remove(&partition) else { return };
        if gathering.filling == Some(partition) {
            gathering.filling = None;
        }
        drop(gathering);
        context.recorder.count(|tally| tally.counts.offered_requests += 1);
        let records = Records::Each(times.into());
        self.push(Ticket { intended_ns: due_ns, partition, records });
    }

    fn push(&self, ticket: Ticket) {
        self.links[self.link_of[ticket.partition]].push(ticket);
    }

    /// Counts a request whose time came while there was no room for it, and that the run has no time for any more.
    pub fn give_up(&self, intended_ns: u64, now_ns: u64, context: &Context) {
        context.recorder.count(|tally| tally.counts.unsent_requests += 1);
        context.recorder.given_up(intended_ns, now_ns);
    }

    /// Closed loop: a request was answered, so the next one is due now, unless the window is over.
    pub fn go_on(&self, context: &Context) {
        let now_ns = context.clock.now_ns();
        if now_ns < context.recorder.timeline().end_ns && !context.is_stopped() {
            let records = u64::from(context.shared.supplies.workload.batch);
            context.recorder.count(|tally| {
                tally.counts.offered_requests += 1;
                tally.counts.offered_records += records;
            });
            self.emit(now_ns, context);
        }
    }

    /// The batch of a request.
    pub fn make(&self, ticket: &Ticket, now_ms: i64) -> MadeBatch {
        let intended_ns = |number| ticket.record_ns(number);
        self.maker.borrow_mut().make(ticket.partition, ticket.count(), intended_ns, now_ms)
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
