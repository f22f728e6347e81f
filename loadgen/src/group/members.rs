//! The members of a group, each on a thread of its own.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use corelane::protocol::ErrorCode;

use super::coordinator::{Coordinator, refused};
use super::range::{self, Partitions};
use super::share::Share;
use crate::client::{ClientError, Cluster};

/// How often a member says that it lives, and commits.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long all members may take to be in one generation.
const GATHERING_TIMEOUT: Duration = Duration::from_secs(60);
/// Rebalances in a row that a member goes through before it gives up.
const JOINS_MAX: u32 = 50;

/// All members that this process has in a group.
pub struct Members {
    shares: Vec<Arc<Share>>,
    threads: Vec<JoinHandle<Result<(), ClientError>>>,
    end: Arc<End>,
}

/// Tells members to leave.
#[derive(Default)]
struct End {
    has_come: Mutex<bool>,
    changed: Condvar,
}

impl End {
    fn call(&self) {
        *self.has_come.lock().expect("nobody panics with it") = true;
        self.changed.notify_all();
    }

    /// Waits for so long; whether the end has come.
    fn wait(&self, duration: Duration) -> bool {
        let has_come = self.has_come.lock().expect("nobody panics with it");
        *self.changed.wait_timeout_while(has_come, duration, |it| !*it).expect("nobody panics with it").0
    }
}

impl Members {
    /// Makes `count` members join and waits until they share one generation, blocking. Where the group has committed
    /// nothing it begins at `ends`, by the partition's place in the cluster's list.
    pub fn join(
        group: &str,
        count: usize,
        bootstrap: &str,
        cluster: &Arc<Cluster>,
        ends: &[i64],
    ) -> Result<Members, ClientError> {
        let mut members = Members { shares: Vec::new(), threads: Vec::new(), end: Arc::new(End::default()) };
        let (sender, joined) = channel();
        for number in 0..count {
            let share = Arc::new(Share::default());
            let member = Member {
                number,
                group: group.to_owned(),
                bootstrap: bootstrap.to_owned(),
                cluster: Arc::clone(cluster),
                ends: ends.to_vec(),
                share: Arc::clone(&share),
                end: Arc::clone(&members.end),
                joined: sender.clone(),
                id: String::new(),
                generation: -1,
            };
            members.shares.push(share);
            members.threads.push(std::thread::spawn(move || member.live()));
        }
        drop(sender);
        match gathered(&joined, count) {
            true => Ok(members),
            // Whoever has failed knows why.
            false => Err(members.leave().err().unwrap_or_else(|| ClientError::Refused {
                what: format!(
                    "joining group `{group}`, which does not come to rest in {GATHERING_TIMEOUT:?}"
                ),
                code: ErrorCode::RebalanceInProgress,
            })),
        }
    }

    /// The members' shares.
    pub fn shares(&self) -> &[Arc<Share>] {
        &self.shares
    }

    /// Commits and leaves; the first failure that any member met since it joined.
    pub fn leave(self) -> Result<(), ClientError> {
        self.end.call();
        let ended = self.threads.into_iter().map(|thread| thread.join().expect("a member does not panic"));
        ended.collect::<Vec<_>>().into_iter().collect()
    }
}

/// Waits until all members are in the same generation; `false` if one fails or time is up.
fn gathered(joined: &Receiver<(usize, i32)>, count: usize) -> bool {
    let deadline = Instant::now() + GATHERING_TIMEOUT;
    let mut generations = BTreeMap::new();
    loop {
        match joined.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((number, generation)) => generations.insert(number, generation),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
        };
        let first = generations.values().next();
        if generations.len() == count && generations.values().all(|it| Some(it) == first) {
            return true;
        }
    }
}

struct Member {
    number: usize,
    group: String,
    bootstrap: String,
    cluster: Arc<Cluster>,
    ends: Vec<i64>,
    share: Arc<Share>,
    end: Arc<End>,
    joined: Sender<(usize, i32)>,
    id: String,
    generation: i32,
}

impl Member {
    fn live(mut self) -> Result<(), ClientError> {
        let mut coordinator = Coordinator::find(&self.bootstrap, &self.group)?;
        loop {
            self.join(&mut coordinator)?;
            // Nobody listens any more once all have gathered.
            let _ = self.joined.send((self.number, self.generation));
            let is_over = loop {
                let is_over = self.end.wait(HEARTBEAT);
                self.commit(&mut coordinator)?;
                if is_over {
                    break true;
                }
                match coordinator.heartbeat((&self.id, self.generation))? {
                    ErrorCode::None => {}
                    code => {
                        self.rejoins_after("heartbeat", code)?;
                        break false;
                    }
                }
            };
            if is_over {
                return coordinator.leave(&self.id);
            }
            // What is read from now on would be read by somebody else too.
            self.share.assign(BTreeMap::new());
        }
    }

    /// Joins until there is a share.
    fn join(&mut self, coordinator: &mut Coordinator) -> Result<(), ClientError> {
        let topics: Vec<String> = self.counts().into_keys().collect();
        for _ in 0..JOINS_MAX {
            if self.end.wait(Duration::ZERO) {
                return Ok(());
            }
            let answer = coordinator.join(&self.id, range::subscription(&topics))?;
            match answer.error_code {
                ErrorCode::None => {}
                ErrorCode::MemberIdRequired => {
                    self.id = answer.member_id;
                    continue;
                }
                code => {
                    self.rejoins_after("joining", code)?;
                    continue;
                }
            }
            (self.id, self.generation) = (answer.member_id, answer.generation_id);
            let shares = if answer.leader == self.id && !answer.skip_assignment {
                let wants = |member: &[u8]| range::topics_of(member).unwrap_or_default();
                let members = answer.members.iter().map(|it| (it.member_id.clone(), wants(&it.metadata)));
                let shares = range::assign(&members.collect(), &self.counts());
                shares.into_iter().map(|(member, share)| (member, range::assignment(&share))).collect()
            } else {
                Vec::new()
            };
            match coordinator.sync((&self.id, self.generation), shares)? {
                (ErrorCode::None, assignment) => {
                    let share = range::share_of(&assignment).ok_or_else(|| ClientError::Refused {
                        what: format!("reading what the leader of group `{}` assigned", self.group),
                        code: ErrorCode::InconsistentGroupProtocol,
                    })?;
                    return self.take(coordinator, &share);
                }
                (code, _) => self.rejoins_after("asking for a share", code)?,
            }
        }
        refused(&format!("joining group `{}` again and again", self.group), ErrorCode::RebalanceInProgress)
    }

    /// Whether an error means that the member has to join again.
    fn rejoins_after(&mut self, what: &str, code: ErrorCode) -> Result<(), ClientError> {
        match code {
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => Ok(()),
            ErrorCode::UnknownMemberId => {
                self.id.clear();
                Ok(())
            }
            code => refused(&format!("{what} in group `{}`", self.group), code),
        }
    }

    /// Goes on where the group was.
    fn take(&self, coordinator: &mut Coordinator, share: &Partitions) -> Result<(), ClientError> {
        let committed = coordinator.committed(share)?;
        let partitions = self.cluster.partitions.iter().enumerate();
        let own = partitions
            .filter(|(_, it)| share.get(&it.topic).is_some_and(|indexes| indexes.contains(&it.index)));
        let position = |(at, it): (usize, &crate::client::Partition)| {
            let committed = committed.get(&(it.topic.clone(), it.index));
            (at, committed.copied().unwrap_or(self.ends[at]))
        };
        self.share.assign(own.map(position).collect());
        Ok(())
    }

    fn commit(&self, coordinator: &mut Coordinator) -> Result<(), ClientError> {
        let (_, positions) = self.share.read();
        let mut offsets: BTreeMap<&str, Vec<(i32, i64)>> = BTreeMap::new();
        for (at, offset) in positions {
            let partition = &self.cluster.partitions[at];
            offsets.entry(&partition.topic).or_default().push((partition.index, offset));
        }
        if offsets.is_empty() {
            return Ok(());
        }
        match coordinator.commit((&self.id, self.generation), &offsets)? {
            // The next heartbeat says the same.
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration | ErrorCode::UnknownMemberId => {
                Ok(())
            }
            code => refused(&format!("committing offsets of group `{}`", self.group), code),
        }
    }

    /// The topics with their numbers of partitions.
    fn counts(&self) -> BTreeMap<String, i32> {
        let mut counts = BTreeMap::new();
        for partition in &self.cluster.partitions {
            *counts.entry(partition.topic.clone()).or_default() += 1;
        }
        counts
    }
}
