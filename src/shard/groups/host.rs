//! The coordinator's host: who waits for which answer, what is on its way to the log, and the clock.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{Notify, oneshot};

use super::ask::OFFSETS_TOPIC;
use crate::base::ids::{LeaderEpoch, TopicId};
use crate::coordinator::{
    AppendId, Coordinator, Effect, ListFilter, Listing, Moment, Request, Response, Settings, Ticket,
};
use crate::protocol::group_records::GroupRecord;
use crate::runtime::Runtime;
use crate::shard::budget::Charge;
use crate::shard::meters::{GroupHostMeters, GroupReport};
use crate::shard::pending_append::PendingAppend;
use crate::shard::phase::Phase;
use crate::shard::shard::Shard;

/// Records that the coordinator wants appended.
pub struct WantedAppend {
    pub id: AppendId,
    pub partition: i32,
    pub records: Vec<GroupRecord>,
}

/// Records that have their place in the log, or were refused.
pub struct PlacedAppend {
    pub id: AppendId,
    pub pending: PendingAppend,
    /// Their memory, until they are durable.
    pub charge: Charge,
}

/// Who waits for an answer.
struct Waiting {
    reply: oneshot::Sender<Response>,
    /// Since when, by the runtime's clock, if it is a commit.
    commits_since: Option<Duration>,
}

/// A reading of a partition, in the term in which the shard leads it.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// Tells it from every other one.
    pub number: u64,
    /// What other leaders have appended between two terms is known to neither.
    pub leader_epoch: LeaderEpoch,
}

/// See the module.
pub struct Groups {
    runtime: Rc<dyn Runtime>,
    core: RefCell<Coordinator>,
    waiting: RefCell<HashMap<Ticket, Waiting>>,
    next_ticket: Cell<u64>,
    /// In the order in which the coordinator wants them. Bounded by the requests that wait for them.
    pub(super) wanted: RefCell<VecDeque<WantedAppend>>,
    pub(super) wanted_came: Notify,
    /// In the order of the log.
    pub(super) placed: RefCell<VecDeque<PlacedAppend>>,
    pub(super) placed_came: Notify,
    /// Partitions that are to be read again.
    pub(super) wanted_loads: RefCell<Vec<i32>>,
    /// The newest reading of each partition that is known or being read.
    pub(super) loads: RefCell<BTreeMap<i32, Load>>,
    next_load: Cell<u64>,
    /// The next deadline may be another one.
    deadline_moved: Notify,
    /// The topic that the known partitions are of.
    pub(super) topic: Cell<TopicId>,
    /// Why partitions of it cannot be read.
    pub(super) unreadable: RefCell<BTreeMap<i32, String>>,
    pub(super) meters: GroupHostMeters,
}

impl Groups {
    /// No groups yet.
    pub fn new(runtime: Rc<dyn Runtime>, settings: Settings) -> Self {
        Groups {
            runtime,
            core: RefCell::new(Coordinator::new(settings)),
            waiting: RefCell::default(),
            next_ticket: Cell::new(0),
            wanted: RefCell::default(),
            wanted_came: Notify::new(),
            placed: RefCell::default(),
            placed_came: Notify::new(),
            wanted_loads: RefCell::default(),
            loads: RefCell::default(),
            next_load: Cell::new(0),
            deadline_moved: Notify::new(),
            topic: Cell::new(TopicId::ZERO),
            unreadable: RefCell::default(),
            meters: GroupHostMeters::default(),
        }
    }

    /// A reading of a partition begins: an older one, which may still wait for the disk, counts no more.
    pub(super) fn new_load(&self, partition: i32, leader_epoch: LeaderEpoch) -> Load {
        let load = Load { number: self.next_load.get(), leader_epoch };
        self.next_load.set(load.number + 1);
        self.loads.borrow_mut().insert(partition, load);
        load
    }

    /// Whether that reading is the partition's newest.
    pub(super) fn is_newest(&self, partition: i32, load: Load) -> bool {
        self.loads.borrow().get(&partition).is_some_and(|newest| newest.number == load.number)
    }

    /// The partition is none of ours any more, or not in the term in which it was read.
    pub(super) fn forget_partition(&self, partition: i32) {
        self.loads.borrow_mut().remove(&partition);
        self.unreadable.borrow_mut().remove(&partition);
        self.wanted.borrow_mut().retain(|append| append.partition != partition);
    }

    /// Puts a request to the group's coordinator, which has it then. The answer comes when there is one; its sender is
    /// dropped if none comes.
    pub fn ask(&self, partition: i32, request: Request) -> oneshot::Receiver<Response> {
        let (reply, answer) = oneshot::channel();
        let ticket = Ticket(self.next_ticket.get());
        self.next_ticket.set(ticket.0 + 1);
        let commits_since = matches!(request, Request::Commit(_)).then(|| self.runtime.now());
        self.waiting.borrow_mut().insert(ticket, Waiting { reply, commits_since });
        self.step(|core, moment| core.request(moment, partition, ticket, request));
        answer
    }

    /// The groups that are coordinated here.
    pub fn list(&self, filter: &ListFilter) -> Listing {
        self.core.borrow().list(filter)
    }

    /// Which groups cannot be served and why, for the operator: one line for each of their partitions.
    pub fn unreadable_in_words(&self) -> Vec<String> {
        let in_words = |(partition, reason): (&i32, &String)| {
            format!(
                "the groups of {OFFSETS_TOPIC}, partition {partition}, are refused: it cannot be read: {reason}"
            )
        };
        self.unreadable.borrow().iter().map(in_words).collect()
    }

    /// Has the coordinator do something, and then does what it wants done.
    pub(super) fn step<T>(&self, work: impl FnOnce(&mut Coordinator, Moment) -> T) -> T {
        let (result, effects) = {
            let mut core = self.core.borrow_mut();
            let result = work(&mut core, self.moment());
            (result, core.take_effects())
        };
        for effect in effects {
            match effect {
                Effect::Reply(ticket, response) => self.answer(ticket, response),
                Effect::Append { id, partition, records } => {
                    self.wanted.borrow_mut().push_back(WantedAppend { id, partition, records });
                    self.wanted_came.notify_one();
                }
                Effect::Load { partition } => self.wanted_loads.borrow_mut().push(partition),
            }
        }
        self.deadline_moved.notify_one();
        result
    }

    fn answer(&self, ticket: Ticket, response: Response) {
        let Some(Waiting { reply, commits_since }) = self.waiting.borrow_mut().remove(&ticket) else {
            return;
        };
        if let Some(since) = commits_since {
            self.meters.commits.record_duration(self.runtime.now().saturating_sub(since));
        }
        // Who asked may have left with its connection.
        let _ = reply.send(response);
    }

    /// Memory that the groups take, in bytes.
    pub fn bytes(&self) -> u64 {
        self.core.borrow().bytes() as u64
    }

    /// What is counted of them.
    pub fn report(&self) -> GroupReport {
        GroupReport::of(&self.core.borrow(), &self.meters)
    }

    fn moment(&self) -> Moment {
        let (high, low) = (self.runtime.random_u64(), self.runtime.random_u64());
        Moment {
            now_ms: self.now_ms(),
            wall_clock_ms: self.runtime.wall_clock_ms(),
            random: u128::from(high) << 64 | u128::from(low),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.runtime.now().as_millis()).unwrap_or(u64::MAX)
    }

    /// Completes when the coordinator has something to do by its clock.
    async fn due(&self) {
        loop {
            let moved = std::pin::pin!(self.deadline_moved.notified());
            let deadline_ms = self.core.borrow().next_deadline_ms();
            match deadline_ms {
                None => moved.await,
                Some(deadline_ms) => {
                    let left_ms = deadline_ms.saturating_sub(self.now_ms());
                    if left_ms == 0 {
                        return;
                    }
                    // A sleep may end a little early.
                    let sleep = self.runtime.sleep(Duration::from_millis(left_ms));
                    select(sleep, moved).await;
                }
            }
        }
    }
}

impl Shard {
    /// Takes the groups up that the shard coordinates, and keeps their time.
    pub(in crate::shard) fn start_groups(self: &Rc<Self>) {
        self.spawn(Rc::clone(self).keep_group_time());
        self.spawn(Rc::clone(self).append_for_groups());
        self.spawn(Rc::clone(self).tell_groups());
        self.spawn(Rc::clone(self).resign_groups());
        self.take_up_groups();
    }

    async fn keep_group_time(self: Rc<Self>) {
        loop {
            let due = std::pin::pin!(self.groups.due());
            let stopped = std::pin::pin!(self.phases.reached(Phase::Stopped));
            if let Either::Right(_) = select(due, stopped).await {
                return;
            }
            self.groups.step(|core, moment| core.advance(moment));
            self.load_again();
            self.runtime.yield_now().await;
        }
    }

    async fn resign_groups(self: Rc<Self>) {
        self.phases.reached(Phase::Draining).await;
        self.groups.step(|core, _| core.resign());
    }
}
