//! Single decisions of leaders and followers, each for the rule that it keeps.

mod deletions;

use crate::base::ids::{NodeId, PartitionId, ShardId, TopicId};
use crate::base::limits::{REPLICATION_PROPOSAL_AGAIN_MS, REPLICATION_REFUSED_BACK_OFF_MS};
use crate::cluster::DiskId;
use crate::log::snapshot::EpochStart;
use crate::partition::EpochHistory;
use crate::replication::{
    Ack, AckError, Action, Entry, Follower, FollowerEffect, FollowerLog, InSync, Incoming, Leader,
    LeaderEffect, LeaderLog, LeaderSettings, Mark, Reconcile, Replica, Resume, Stream,
};

const PARTITION: PartitionId = PartitionId { topic: TopicId::ZERO, index: 0 };
const TOPIC: [u8; 16] = [0; 16];

fn replica(node: u32) -> Replica {
    Replica {
        node: NodeId(node),
        shard: ShardId(0),
        disk: DiskId(TopicId::from_bytes([1; 16]).0),
        incarnation: 1,
    }
}

fn history(starts: &[(i32, i64)]) -> EpochHistory {
    let start = |&(leader_epoch, start_offset): &(i32, i64)| EpochStart { leader_epoch, start_offset };
    EpochHistory::restore(&starts.iter().map(start).collect::<Vec<_>>()).expect("in order")
}

/// A leader of term 5 whose log holds 0 to 10; nodes 1 to 3 are in sync, and two must be.
fn leader() -> Leader {
    let settings = LeaderSettings {
        partition: PARTITION,
        leader_epoch: 5,
        own: replica(1),
        min_in_sync: 2,
        lag_max_ms: 100,
    };
    let log = LeaderLog { log_start: 0, high_watermark: 4, durable_end: 10, log_end: 10 };
    let in_sync = InSync::new(7, vec![NodeId(1), NodeId(2), NodeId(3)]);
    Leader::new(settings, log, &[replica(2), replica(3)], in_sync, 0, &mut Vec::new())
}

fn resume(last_epoch: i32, log_end: i64) -> Resume {
    let durable_end = log_end;
    Resume { topic: TOPIC, index: 0, leader_epoch: 5, round: 1, last_epoch, log_end, durable_end }
}

fn ack(durable_end: i64) -> Ack {
    Ack { topic: TOPIC, index: 0, leader_epoch: 5, durable_end, durable_start: 0 }
}

/// The leader when both followers have said that they have all of its log.
fn agreed() -> Leader {
    let mut leader = leader();
    let history = history(&[(3, 0), (5, 10)]);
    for node in [2, 3] {
        leader.resumed(replica(node), &resume(3, 10), &history, &mut Vec::new()).expect("a follower");
    }
    leader
}

fn committed(effects: &[LeaderEffect]) -> Option<i64> {
    effects.iter().find_map(|it| if let LeaderEffect::Committed(end) = it { Some(*end) } else { None })
}

#[test]
fn nothing_is_committed_before_all_in_sync_replicas_have_spoken_in_this_term() {
    let mut leader = leader();
    let history = history(&[(3, 0), (5, 10)]);
    let mut effects = Vec::new();
    leader.resumed(replica(2), &resume(3, 10), &history, &mut effects).expect("a follower");
    assert_eq!((committed(&effects), leader.log().high_watermark), (None, 4));
    leader.resumed(replica(3), &resume(3, 8), &history, &mut effects).expect("a follower");
    assert_eq!(committed(&effects), Some(8));
    assert!(effects.contains(&LeaderEffect::Read(NodeId(3))));
    assert_eq!(leader.read_from(NodeId(3)), Some((Stream::CatchUp, 8)));
}

/// Who is to start anew leaves the in-sync set first, and is asked again then.
fn two_leaves_the_set(leader: &mut Leader, effects: &mut Vec<LeaderEffect>) {
    assert!(matches!(effects[..], [LeaderEffect::Propose(_)]), "{effects:?}");
    effects.clear();
    leader.learned(5, 8, vec![NodeId(1), NodeId(3)], effects);
    assert!(matches!(effects[..], [LeaderEffect::Reconcile(NodeId(2), _, _)]), "{effects:?}");
    effects.clear();
}

#[test]
fn the_end_of_a_term_decides_what_a_follower_does() {
    let history = history(&[(2, 0), (4, 6), (5, 10)]);
    let cases = [
        (resume(4, 10), Action::Follow, 10),
        (resume(4, 8), Action::Follow, 8),
        (resume(4, 12), Action::Truncate, 10),
        (resume(2, 8), Action::Truncate, 6),
        (resume(3, 9), Action::Truncate, 6),
        (resume(-1, 0), Action::Follow, 0),
        (resume(-1, 11), Action::Restart, 0),
        (resume(-2, 5), Action::Restart, 0),
    ];
    for (resume, action, offset) in cases {
        let (mut leader, mut effects) = (leader(), Vec::new());
        leader.resumed(replica(2), &resume, &history, &mut effects).expect("a follower");
        if action == Action::Restart {
            two_leaves_the_set(&mut leader, &mut effects);
            leader.resumed(replica(2), &resume, &history, &mut effects).expect("a follower");
        }
        let LeaderEffect::Reconcile(_, _, told) = &effects[0] else { panic!("{effects:?}") };
        assert_eq!((told.action, told.offset), (action.code(), offset), "{resume:?}");
    }
}

#[test]
fn answers_of_others_do_not_count() {
    let mut leader = agreed();
    let mut effects = Vec::new();
    let other_start = Replica { incarnation: 2, ..replica(2) };
    let other_disk = Replica { disk: DiskId(TopicId::from_bytes([2; 16]).0), ..replica(2) };
    for other in [other_start, other_disk, replica(4)] {
        assert_eq!(leader.acknowledged(other, &ack(10), &mut effects), Err(AckError::OtherReplica));
    }
    let old = Ack { leader_epoch: 4, ..ack(10) };
    let is_old = Err(AckError::OldEpoch { found: 4, current: 5 });
    assert_eq!(leader.acknowledged(replica(2), &old, &mut effects), is_old);
    let never_sent = Err(AckError::NeverSent { found: 11, sent: 10 });
    assert_eq!(leader.acknowledged(replica(2), &ack(11), &mut effects), never_sent);
    assert_eq!(effects, []);
    let newer = Ack { leader_epoch: 6, ..ack(10) };
    leader.acknowledged(replica(2), &newer, &mut effects).expect_err("of another term");
    assert_eq!(effects, [LeaderEffect::Deposed(6)]);
    assert!(!leader.is_enough_in_sync());
}

#[test]
fn who_is_to_leave_the_set_counts_until_it_has_left() {
    let mut leader = agreed();
    leader.appended(12);
    assert!(leader.push_live(NodeId(2), 10, 12) && leader.push_live(NodeId(3), 10, 12));
    let mut effects = Vec::new();
    leader.synced(12, &mut effects);
    leader.acknowledged(replica(2), &ack(12), &mut effects).expect("a follower");
    leader.set_eligible(NodeId(3), false, &mut effects);
    let proposal =
        effects.iter().find_map(|it| if let LeaderEffect::Propose(it) = it { Some(it) } else { None });
    let proposal = proposal.expect("to shrink");
    assert_eq!(
        (proposal.partition_epoch, proposal.in_sync.as_slice()),
        (7, [replica(1), replica(2)].as_slice())
    );
    assert_eq!(committed(&effects), None);
    leader.learned(5, 8, vec![NodeId(1), NodeId(2)], &mut effects);
    assert_eq!(committed(&effects), Some(12));
}

#[test]
fn fewer_than_the_minimum_commit_nothing() {
    let mut leader = agreed();
    let mut effects = Vec::new();
    leader.learned(5, 8, vec![NodeId(1)], &mut effects);
    leader.appended(12);
    leader.synced(12, &mut effects);
    assert_eq!((committed(&effects), leader.is_enough_in_sync()), (None, false));
}

fn follower(log_end: i64, history: &EpochHistory, effects: &mut Vec<FollowerEffect>) -> Follower {
    let log =
        FollowerLog { log_start: 0, durable_start: 0, high_watermark: 4, durable_end: log_end, log_end };
    Follower::new(PARTITION, 5, log, 1, history, effects)
}

fn told(round: u32, action: Action, epoch: i32, offset: i64) -> Reconcile {
    Reconcile { topic: TOPIC, index: 0, leader_epoch: 5, round, action: action.code(), epoch, offset }
}

fn entry(previous_epoch: i32, base_offset: i64, end_offset: i64) -> Entry {
    let (leader_epoch, records_epoch) = (5, 5);
    let (topic, index, bytes, checksum) = (TOPIC, 0, 1, 0);
    Entry {
        topic,
        index,
        leader_epoch,
        records_epoch,
        previous_epoch,
        bytes,
        checksum,
        base_offset,
        end_offset,
    }
}

#[test]
fn equal_ends_prove_nothing() {
    let history = history(&[(3, 0)]);
    let mut follower = follower(10, &history, &mut Vec::new());
    let mut effects = Vec::new();
    assert_eq!(
        follower.pushed(&entry(3, 10, 12), &history, &mut effects),
        Ok(Incoming::Ignored),
        "not compared yet"
    );
    follower.reconcile(&told(1, Action::Follow, 3, 10), &history, &mut effects).expect("an answer");
    effects.clear();
    assert_eq!(follower.pushed(&entry(4, 10, 12), &history, &mut effects), Ok(Incoming::Ignored));
    assert!(
        matches!(effects[..], [FollowerEffect::Resume(Resume { round: 2, log_end: 10, .. })]),
        "{effects:?}"
    );
}

#[test]
fn only_what_is_synced_is_acknowledged() {
    let history = history(&[(3, 0)]);
    let mut follower = follower(10, &history, &mut Vec::new());
    let mut effects = Vec::new();
    follower.reconcile(&told(1, Action::Follow, 3, 10), &history, &mut effects).expect("an answer");
    effects.clear();
    assert_eq!(follower.pushed(&entry(3, 10, 12), &history, &mut effects), Ok(Incoming::Taken));
    assert_eq!(effects, [FollowerEffect::Append { ticket: 1 }]);
    effects.clear();
    follower.synced(1, &mut effects);
    assert_eq!(effects, [FollowerEffect::Acknowledge(ack(12))]);
}

#[test]
fn a_late_word_of_what_was_cut_off_does_not_count_for_what_took_its_place() {
    let history = history(&[(3, 0), (4, 8)]);
    let log = FollowerLog { log_start: 0, durable_start: 0, high_watermark: 4, durable_end: 6, log_end: 10 };
    let mut effects = Vec::new();
    // The write up to 10 is ticket 20, of an earlier term.
    let mut follower = Follower::new(PARTITION, 5, log, 21, &history, &mut effects);
    follower.reconcile(&told(1, Action::Truncate, 3, 8), &history, &mut effects).expect("an answer");
    let cut = FollowerEffect::Truncate { ticket: 21, log_end: 8, is_below_high_watermark: false };
    assert!(effects.contains(&cut), "{effects:?}");
    let mut history = history;
    history.truncate_from_end(8);
    follower.reconcile(&told(2, Action::Follow, 3, 8), &history, &mut effects).expect("an answer");
    follower.pushed(&entry(3, 8, 11), &history, &mut effects).expect("records");
    follower.synced(20, &mut effects);
    assert_eq!(follower.log().durable_end, 8);
    follower.synced(22, &mut effects);
    assert_eq!(follower.log().durable_end, 11);
}

/// A leader whose follower 2 has caught up to 12 while the log grew to 14.
fn changing() -> Leader {
    let mut leader = leader();
    let history = history(&[(3, 0), (5, 10)]);
    leader.resumed(replica(2), &resume(3, 4), &history, &mut Vec::new()).expect("a follower");
    leader.appended(14);
    assert!(!leader.push_live(NodeId(2), 10, 14), "it is not there yet");
    assert!(leader.push_from_log(NodeId(2), Stream::CatchUp, 4, 6));
    assert_eq!(leader.read_from(NodeId(2)), Some((Stream::CatchUp, 6)), "much is left");
    assert!(!leader.push_from_log(NodeId(2), Stream::CatchUp, 4, 12), "read before");
    assert!(leader.push_from_log(NodeId(2), Stream::CatchUp, 6, 12));
    leader
}

#[test]
fn the_stream_changes_when_nothing_is_under_way() {
    let mut leader = changing();
    let mut effects = Vec::new();
    leader.acknowledged(replica(2), &ack(8), &mut effects).expect("a follower");
    assert_eq!(
        (leader.read_from(NodeId(2)), effects.as_slice()),
        (None, [].as_slice()),
        "it holds its breath"
    );
    leader.acknowledged(replica(2), &ack(12), &mut effects).expect("a follower");
    assert_eq!(effects, [LeaderEffect::Read(NodeId(2))]);
    assert_eq!(leader.read_from(NodeId(2)), Some((Stream::Live, 12)));
    leader.appended(16);
    assert!(!leader.push_live(NodeId(2), 14, 16), "what is before it goes first");
    assert!(leader.push_from_log(NodeId(2), Stream::Live, 12, 16));
    assert_eq!(leader.read_from(NodeId(2)), None);
    leader.appended(17);
    assert!(leader.push_live(NodeId(2), 16, 17));
}

#[test]
fn a_full_window_changes_the_stream_back() {
    let mut leader = agreed();
    let mut effects = Vec::new();
    leader.appended(12);
    assert!(leader.push_live(NodeId(2), 10, 12));
    leader.appended(13);
    leader.fell_behind(NodeId(2), &mut effects);
    assert_eq!((leader.read_from(NodeId(2)), effects.as_slice()), (None, [].as_slice()));
    leader.acknowledged(replica(2), &ack(12), &mut effects).expect("a follower");
    assert_eq!(leader.read_from(NodeId(2)), Some((Stream::CatchUp, 12)));
    assert_eq!(effects, [LeaderEffect::Read(NodeId(2))]);
}

#[test]
fn who_is_behind_the_log_start_is_asked_again() {
    let mut leader = agreed();
    let mut effects = Vec::new();
    leader
        .resumed(replica(2), &resume(3, 4), &history(&[(3, 0), (5, 10)]), &mut effects)
        .expect("a follower");
    effects.clear();
    leader.starts_at(6, &mut effects);
    assert!(matches!(effects[..], [LeaderEffect::Reconcile(NodeId(2), Stream::Live, _)]), "{effects:?}");
    assert_eq!(leader.read_from(NodeId(2)), None);
    effects.clear();
    leader
        .resumed(replica(2), &resume(3, 4), &history(&[(3, 6), (5, 10)]), &mut effects)
        .expect("a follower");
    two_leaves_the_set(&mut leader, &mut effects);
    leader
        .resumed(replica(2), &resume(3, 4), &history(&[(3, 6), (5, 10)]), &mut effects)
        .expect("a follower");
    let LeaderEffect::Reconcile(_, _, told) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!((told.action, told.offset), (Action::Restart.code(), 6));
}

#[test]
fn deletions_are_answered_when_all_that_live_have_synced_them() {
    let mut leader = agreed();
    let mut effects = Vec::new();
    leader.starts_at(3, &mut effects);
    assert_eq!(leader.low_watermark(3), None, "nobody has said");
    for (node, durable_start) in [(2, 3), (3, 1)] {
        let ack = Ack { durable_start, ..ack(10) };
        leader.acknowledged(replica(node), &ack, &mut effects).expect("a follower");
    }
    assert_eq!((leader.low_watermark(3), leader.low_watermark(0)), (Some(1), Some(0)));
    leader.set_eligible(NodeId(3), false, &mut effects);
    assert_eq!(leader.low_watermark(3), Some(3));
}

#[test]
fn a_follower_that_cannot_write_leaves_for_good() {
    let mut leader = agreed();
    let mut effects = Vec::new();
    leader.writer_failed(replica(2), &mut effects);
    let [LeaderEffect::Propose(proposal)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(proposal.in_sync, [replica(1), replica(3)]);
    effects.clear();
    leader.learned(5, 8, vec![NodeId(1), NodeId(3)], &mut effects);
    leader.set_eligible(NodeId(2), true, &mut effects);
    let history = history(&[(3, 0), (5, 10)]);
    leader.resumed(replica(2), &resume(3, 10), &history, &mut effects).expect("a follower");
    assert!(!effects.iter().any(|it| matches!(it, LeaderEffect::Propose(_))), "{effects:?}");
    let anew = Replica { incarnation: 2, ..replica(2) };
    leader.meets(anew, &mut effects);
    leader.resumed(anew, &resume(3, 10), &history, &mut effects).expect("a follower");
    assert!(effects.iter().any(|it| matches!(it, LeaderEffect::Propose(_))), "{effects:?}");
}

fn proposals(effects: &[LeaderEffect]) -> usize {
    effects.iter().filter(|it| matches!(it, LeaderEffect::Propose(_))).count()
}

#[test]
fn a_proposal_without_an_outcome_is_sent_again() {
    let (mut leader, mut effects) = (agreed(), Vec::new());
    leader.set_eligible(NodeId(3), false, &mut effects);
    let first = effects.clone();
    assert_eq!(proposals(&first), 1);
    effects.clear();
    leader.tick(REPLICATION_PROPOSAL_AGAIN_MS - 1, &mut effects);
    assert_eq!(proposals(&effects), 0);
    leader.tick(REPLICATION_PROPOSAL_AGAIN_MS, &mut effects);
    assert_eq!(effects, first, "as it was");
    leader.learned(5, 8, vec![NodeId(1), NodeId(2)], &mut effects);
    effects.clear();
    leader.tick(2 * REPLICATION_PROPOSAL_AGAIN_MS, &mut effects);
    assert_eq!(proposals(&effects), 0, "it was carried out");
}

#[test]
fn what_was_refused_is_not_asked_for_again_at_once() {
    let (mut leader, mut effects) = (agreed(), Vec::new());
    leader.set_eligible(NodeId(3), false, &mut effects);
    leader.refused(7, &mut effects);
    effects.clear();
    leader.synced(10, &mut effects);
    assert_eq!(proposals(&effects), 0);
    let mut other = (leader.clone(), Vec::new());
    other.0.set_eligible(NodeId(2), false, &mut other.1);
    assert_eq!(proposals(&other.1), 1, "another set may pass");
    leader.tick(REPLICATION_REFUSED_BACK_OFF_MS, &mut effects);
    assert_eq!(proposals(&effects), 1);
}

#[test]
fn a_set_of_another_term_is_not_the_leaders() {
    let (mut leader, mut effects) = (agreed(), Vec::new());
    leader.learned(4, 9, vec![NodeId(1)], &mut effects);
    assert_eq!((leader.in_sync().partition_epoch(), effects.len()), (7, 0));
    leader.learned(6, 9, vec![NodeId(1), NodeId(2)], &mut effects);
    assert_eq!(effects, [LeaderEffect::Deposed(6)]);
    assert_eq!((leader.in_sync().partition_epoch(), leader.is_enough_in_sync()), (7, false));
}

#[test]
fn a_pause_of_the_leader_is_not_held_against_followers_that_have_everything() {
    let mut leader = agreed();
    let mut effects = Vec::new();
    leader.tick(10, &mut effects);
    leader.tick(10_000, &mut effects);
    assert!(!leader.in_sync().is_changing());
    leader.appended(11);
    leader.tick(10_050, &mut effects);
    assert!(!leader.in_sync().is_changing());
    leader.tick(10_101, &mut effects);
    assert!(leader.in_sync().is_changing(), "behind for longer than allowed");
}

#[test]
fn a_restart_counts_when_it_is_durable() {
    let mut effects = Vec::new();
    let mut follower = follower(10, &history(&[(3, 0)]), &mut effects);
    effects.clear();
    follower
        .reconcile(&told(1, Action::Restart, -1, 50), &history(&[(3, 0)]), &mut effects)
        .expect("an answer");
    let [
        FollowerEffect::Restart { ticket: 1, at: 50, drops_committed: false },
        FollowerEffect::Resume(asked),
    ] = effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(
        (asked.last_epoch, asked.log_end, asked.durable_end),
        (-1, 50, 0),
        "a crash brings the old log back"
    );
    follower
        .reconcile(&told(2, Action::Follow, -1, 50), &EpochHistory::default(), &mut effects)
        .expect("an answer");
    effects.clear();
    follower.synced(1, &mut effects);
    let durable = Ack { durable_start: 50, ..ack(50) };
    assert_eq!(effects, [FollowerEffect::Acknowledge(durable)]);
}

#[test]
fn a_restart_that_drops_what_was_committed_says_so() {
    let (history, mut effects) = (history(&[(3, 0)]), Vec::new());
    let mut follower = follower(10, &history, &mut effects);
    follower.reconcile(&told(1, Action::Restart, -1, 3), &history, &mut effects).expect("an answer");
    let is_told = |it: &FollowerEffect| matches!(it, FollowerEffect::Restart { drops_committed: true, .. });
    assert!(effects.iter().any(is_told), "the high watermark was 4: {effects:?}");
}

#[test]
fn who_counts_leaves_the_set_before_it_starts_anew() {
    let (mut leader, mut effects) = (agreed(), Vec::new());
    let history = history(&[(3, 0), (5, 10)]);
    leader.meets(replica(2), &mut effects);
    effects.clear();
    leader.resumed(replica(2), &resume(-2, 10), &history, &mut effects).expect("a follower");
    let [LeaderEffect::Propose(proposal)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(proposal.in_sync, [replica(1), replica(3)]);
    effects.clear();
    leader.learned(5, 8, vec![NodeId(1), NodeId(3)], &mut effects);
    let is_told = |effects: &[LeaderEffect], action: Action| {
        let is = |it: &LeaderEffect| matches!(it, LeaderEffect::Reconcile(NodeId(2), _, told) if told.action == action.code());
        effects.iter().any(is)
    };
    assert!(is_told(&effects, Action::Ask), "{effects:?}");
    leader.resumed(replica(2), &resume(-2, 10), &history, &mut effects).expect("a follower");
    assert!(is_told(&effects, Action::Restart), "{effects:?}");
}

#[test]
fn a_log_start_is_acknowledged_when_it_is_durable() {
    let history = history(&[(3, 0)]);
    let mut effects = Vec::new();
    let mut follower = follower(10, &history, &mut effects);
    follower.reconcile(&told(1, Action::Follow, 3, 10), &history, &mut effects).expect("an answer");
    effects.clear();
    let (topic, index, leader_epoch) = (TOPIC, 0, 5);
    let mark = Mark { topic, index, leader_epoch, high_watermark: 8, log_start_offset: 9 };
    assert_eq!(follower.marked(&mark, &mut effects), Ok(Incoming::Taken));
    let starts = FollowerEffect::StartAt { ticket: 1, log_start: 8 };
    assert_eq!(effects, [FollowerEffect::Committed(8), starts], "not beyond what is committed");
    effects.clear();
    follower.synced(1, &mut effects);
    assert_eq!(effects, [FollowerEffect::Acknowledge(Ack { durable_start: 8, ..ack(10) })]);
}

#[test]
fn a_term_is_of_one_start_of_a_node() {
    assert!(replica(1).may_lead(&replica(1)));
    assert!(!Replica { incarnation: 2, ..replica(1) }.may_lead(&replica(1)));
    assert!(!Replica { disk: DiskId(TopicId::from_bytes([2; 16]).0), ..replica(1) }.may_lead(&replica(1)));
}
