//! What is counted of replication.

use super::host::Replication;
use super::role::Role;
use crate::base::meter::Counter;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ReplicationMeters {
    /// Logs that were cut to agree with their leaders'.
    pub(super) cuts: Counter,
    /// Bytes that were read of logs for those who catch up.
    pub(super) catch_up_bytes: Counter,
    /// Sessions that have begun, as leader or as follower.
    pub(super) sessions: Counter,
}

/// A copy of what is counted, for other threads.
#[derive(Clone, Debug, Default)]
pub struct ReplicationReport {
    /// Replicas that lead others.
    pub leaders: u64,
    /// Replicas that follow others, or wait for a leader.
    pub followers: u64,
    /// Partitions that are led here, some of whose replicas are not in sync.
    pub under_replicated: u64,
    /// Those with fewer in-sync replicas than `min.insync.replicas` asks for.
    pub under_min_in_sync: u64,
    /// Records that the follower who is furthest behind has not synced, of any partition that is led here.
    pub lag_records_max: u64,
    /// Bytes on their way to peer shards that these have not answered, of the connection with most of them.
    pub window_bytes_max: u64,
    /// Logs that were cut to agree with their leaders'.
    pub cuts: u64,
    /// Bytes that were read of logs for those who catch up.
    pub catch_up_bytes: u64,
    /// Bytes of batches that were appended as follower.
    pub followed_bytes: u64,
    /// Sessions with peer shards that have begun.
    pub sessions: u64,
}

impl Replication {
    pub(in crate::shard) fn report(&self) -> ReplicationReport {
        let window_bytes_max = self.all_outgoing().iter().map(|it| it.live.borrow().window_bytes()).max();
        let mut report = ReplicationReport {
            leaders: self.led.borrow().len() as u64,
            followers: self.followed.borrow().len() as u64,
            window_bytes_max: window_bytes_max.unwrap_or(0) as u64,
            cuts: self.meters.cuts.get(),
            catch_up_bytes: self.meters.catch_up_bytes.get(),
            followed_bytes: self.storage.meters.followed_bytes.get(),
            sessions: self.meters.sessions.get(),
            ..ReplicationReport::default()
        };
        for replica in self.led.borrow().values() {
            let Role::Leads(leading) = &*replica.role.borrow() else { continue };
            let leader = &leading.leader;
            let is_under = leader.in_sync().committed().len() <= leading.followers.len();
            report.under_replicated += u64::from(is_under);
            report.under_min_in_sync += u64::from(!leader.is_enough_in_sync());
            report.lag_records_max = report.lag_records_max.max(leader.behind() as u64);
        }
        report
    }
}
