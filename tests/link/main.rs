//! Members of the metadata quorum that talk over real sockets, and what comes to their cluster ports besides.
//!
//! Time is real here, as the system's sockets are. Nothing is expected within a time: a test waits until what must
//! happen has happened, and gives up after two minutes.

mod member;
mod questions;
mod strangers;

use corelane::quorum::{Change, Rejection, Role};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use member::{Machine, Running, Seen};

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build().expect("a runtime");
    runtime.block_on(LocalSet::new().run_until(test));
}

fn put(key: &str, bytes: usize) -> Vec<Change> {
    vec![Change::Put { key: key.to_owned(), value: vec![7; bytes] }]
}

/// Which member leads. It waits until one does.
async fn leader(members: &mut [Running]) -> usize {
    loop {
        let is_leader = |member: &Running| member.seen.borrow().status.role == Role::Leader;
        if let Some(leader) = members.iter().position(is_leader) {
            return leader;
        }
        members[0].seen.changed().await.expect("it runs");
    }
}

/// Has something decided by whoever leads.
async fn decide(members: &mut [Running], changes: Vec<Change>) {
    loop {
        let leader = leader(members).await;
        let (sender, answer) = oneshot::channel();
        members[leader].proposals.send((changes.clone(), sender)).await.expect("it runs");
        match answer.await.expect("it runs") {
            Ok(()) => return,
            Err(Rejection::NotLeader(_) | Rejection::Busy | Rejection::Uncertain) => {
                members[leader].seen.changed().await.expect("it runs");
            }
            Err(why) => panic!("{why:?}"),
        }
    }
}

fn has(key: &str) -> impl Fn(&Seen) -> bool {
    move |seen| seen.records.records().any(|(found, _)| found == key)
}

fn start_all(machines: &mut [Machine]) -> Vec<Running> {
    machines.iter_mut().map(Machine::start).collect()
}

#[test]
fn three_members_elect_a_leader_and_agree() {
    run(async {
        let mut members = start_all(&mut Machine::all(3));
        for number in 0..200 {
            // From hardly anything to a frame of some MiB.
            let bytes = if number % 50 == 0 { 3 << 20 } else { number };
            decide(&mut members, put(&format!("key {number}"), bytes)).await;
        }
        let mut checksums = Vec::new();
        for member in &mut members {
            checksums.push(member.until("all is known", has("key 199")).await.records.checksum());
        }
        assert!(checksums.iter().all(|checksum| *checksum == checksums[0]), "{checksums:?}");
    });
}

#[test]
fn a_leader_is_lost_and_comes_back() {
    run(async {
        let mut machines = Machine::all(3);
        let mut members = start_all(&mut machines);
        decide(&mut members, put("first", 1)).await;
        for round in 0..2 {
            let leader = leader(&mut members).await;
            members.remove(leader).kill().await;
            let key = format!("without it, {round}");
            decide(&mut members, put(&key, 100)).await;
            members.insert(leader, machines[leader].start());
            members[leader].until("it has learnt what it missed", has(&key)).await;
        }
        decide(&mut members, put("last", 1)).await;
        for member in &mut members {
            member.until("all is known", has("last")).await;
        }
    });
}

#[test]
fn without_a_majority_nothing_is_decided() {
    run(async {
        let mut machines = Machine::all(3);
        let mut members = start_all(&mut machines);
        decide(&mut members, put("first", 1)).await;
        for member in &mut members {
            member.until("it is known", has("first")).await;
        }
        members.remove(2).kill().await;
        members.remove(1).kill().await;
        members[0].until("it leads nobody", |seen| seen.status.leader.is_none()).await;
        let (sender, answer) = oneshot::channel();
        members[0].proposals.send((put("second", 1), sender)).await.expect("it runs");
        assert!(answer.await.expect("it runs").is_err());
        members.push(machines[1].start());
        decide(&mut members, put("third", 1)).await;
        let seen = members[1].until("they are two again", has("third")).await;
        assert!(!has("second")(&seen));
    });
}
