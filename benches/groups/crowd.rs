//! Many members of one group, each on a thread of its own, which heartbeat and join again as clients do.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::member::{Entry, Member, Subscription};

/// They do little.
const STACK_BYTES: usize = 256 << 10;
/// A group that has not settled by then never will.
const PATIENCE: Duration = Duration::from_secs(120);
/// The least that setpriority(2) knows.
const LEAST_PRIORITY: i32 = 19;

pub struct Crowd {
    threads: Vec<JoinHandle<Member>>,
    entries: Receiver<Entry>,
    is_over: Arc<AtomicBool>,
}

impl Crowd {
    /// Members begin to join.
    pub fn start(
        address: &str,
        group: &str,
        subscription: &Subscription,
        count: usize,
        heartbeat_interval: Duration,
    ) -> Self {
        let (sender, entries) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let members: Vec<_> = (0..count).map(|_| Member::connect(address, group, subscription)).collect();
        let start = |member: Member| {
            let (sender, is_over) = (sender.clone(), Arc::clone(&is_over));
            let live = move || live(member, heartbeat_interval, &sender, &is_over);
            Builder::new().stack_size(STACK_BYTES).spawn(live).expect("a thread")
        };
        let threads = members.into_iter().map(start).collect();
        Crowd { threads, entries, is_over }
    }

    /// Waits until all have their shares in one generation; how they came into it.
    pub fn settled(&self) -> Vec<Entry> {
        let mut generations: HashMap<i32, Vec<Entry>> = HashMap::new();
        loop {
            let entry = self.entries.recv_timeout(PATIENCE).expect("the group settles");
            let entries = generations.entry(entry.generation).or_default();
            entries.push(entry);
            if entries.len() == self.threads.len() {
                return std::mem::take(entries);
            }
        }
    }

    /// Ends the threads of a group that has settled; its members stay as they are.
    pub fn stop(self) -> Vec<Member> {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().expect("no member fails")).collect()
    }
}

fn live(
    mut member: Member,
    heartbeat_interval: Duration,
    entries: &Sender<Entry>,
    is_over: &AtomicBool,
) -> Member {
    give_way();
    loop {
        // Nobody may look any more.
        let _ = entries.send(member.enter());
        loop {
            if is_over.load(Ordering::Relaxed) {
                return member;
            }
            std::thread::sleep(heartbeat_interval);
            if !member.heartbeat() {
                break;
            }
        }
    }
}

/// Lets what is measured go first where this thread shares a CPU with it.
fn give_way() {
    // On Linux it concerns this thread only.
    rustix::process::setpriority_process(None, LEAST_PRIORITY).expect("less is always allowed");
}
