//! What goes wrong, and its end.

use corelane::base::ids::ShardId;
use corelane::cluster::{DiskId, Replica};
use corelane::quorum::Node;

use super::machine::{Disk, Machine};
use super::world::{Event, World};

/// How long a machine waits until its disk can be spared.
const DOOM_MS: u64 = 8_000;

impl World {
    pub(super) fn trouble(&mut self) {
        if self.is_calm() {
            return;
        }
        if self.mourns() || self.waits_for_disk() {
            self.after(300, Event::Trouble);
            return;
        }
        let pause_ms = 200 + self.random.below(2_500);
        self.after(pause_ms, Event::Trouble);
        let at = self.random.below(self.machines.len() as u64) as usize;
        let other = self.random.below(self.machines.len() as u64) as usize;
        let kind = self.random.below(28);
        self.note(|| format!("trouble {kind} of {} with {}", at + 1, other + 1));
        match kind {
            0..3 => self.crash(at),
            3 => (0..self.machines.len()).for_each(|at| self.crash(at)),
            4..8 => self.doomed = Some((at, self.now_ms + DOOM_MS)),
            8..14 => self.machines[at].copy_disk(),
            14 => self.machines[at].paused_until_ms = self.now_ms + self.random.below(4_000),
            15 => self.network.cut(at, other),
            16 => (0..self.machines.len()).for_each(|peer| {
                self.network.cut(at, peer);
                self.network.cut(peer, at);
            }),
            17 | 18 => self.say_again(),
            19 | 20 => self.fail_writer(at),
            21 | 22 => self.machines[at].wants_shutdown = self.machines[at].is_up(),
            _ => self.network.mend(),
        }
    }

    /// A shard's writes fail from now on. Some time later somebody starts the node anew.
    fn fail_writer(&mut self, at: usize) {
        if !self.machines[at].is_up() {
            return;
        }
        self.counts.failed_writers += 1;
        let shard = ShardId(self.random.below(self.machines[at].shards.into()) as u16);
        self.machines[at].failed.insert(shard);
        self.tell_failure(at, shard);
        let (starts, given_up_ms) = (self.machines[at].starts, self.random.below(4_000));
        self.after(given_up_ms, Event::GiveUp(at, starts));
    }

    /// The machine loses what was not durable, and is back some time later.
    pub(super) fn crash(&mut self, at: usize) {
        if !self.machines[at].is_up() {
            return;
        }
        self.counts.crashes += 1;
        self.note(|| format!("{} crashes", at + 1));
        self.drop_controller(at);
        let is_durable = self.random.one_in(2);
        self.machines[at].crash(is_durable);
        self.waiting.retain(|(machine, _), _| *machine != at);
        // Now and then with another number of cores.
        if self.random.one_in(6) {
            self.machines[at].shards = 1 + self.random.below(3) as u16;
        }
        let down_ms = self.random.below(3_000);
        self.after(down_ms, Event::Start(at));
    }

    /// Whether the machine's disk can be lost without a loss: all copies are in sync, on disks that are there, and the
    /// quorum is whole. Less is too much at once: it would be more disks than `min.insync.replicas` less one.
    fn is_spare(&self, at: usize) -> bool {
        let Some(leader) = self.newest_leader() else { return false };
        if self.has_proposed_for(leader, at) || !self.is_peaceful() {
            return false;
        }
        let image = &self.machines[leader].image;
        let is_present = |disk: DiskId| self.machines.iter().any(|machine| machine.disk.id == disk);
        let node = self.machines[at].node;
        let are_whole = image.partitions().filter(|it| it.replica(node).is_some()).all(|partition| {
            let in_sync = partition.in_sync_replicas.len();
            in_sync == partition.replicas.len() && partition.in_sync().all(|it| is_present(it.disk))
        });
        are_whole && image.nodes().all(|record| record.is_active()) && self.is_quorum_whole(1)
    }

    /// Whether all machines are there and reach each other: none is about to lose its lease.
    fn is_peaceful(&self) -> bool {
        let is_well = |machine: &Machine| {
            let is_stuck = machine.paused_until_ms > self.now_ms || !machine.failed.is_empty();
            machine.is_up() && machine.knows_itself() && !is_stuck && !machine.wants_shutdown
        };
        let all = 0..self.machines.len();
        let reaches = |from: usize| all.clone().all(|to| self.network.reaches(from, to));
        self.machines.iter().all(is_well) && all.clone().all(reaches)
    }

    /// Whether some in-sync set still has the disk that is gone. If the others of such a set went one after the other, it
    /// alone would be left: who could take its place, nobody would know.
    fn mourns(&mut self) -> bool {
        let Some((node, disk)) = self.mourned else { return false };
        let Some(leader) = self.newest_leader() else { return true };
        let has_it = |it: &Replica| (it.node, it.disk) == (node, disk);
        let image = &self.machines[leader].image;
        // While the node counts as there, new partitions get copies on that disk.
        let is_known_gone = image.node(node).is_none_or(|record| record.disk != disk || record.fenced);
        let is_over = is_known_gone && !image.partitions().any(|partition| partition.in_sync().any(has_it));
        if is_over {
            self.mourned = None;
        }
        !is_over
    }

    /// Who leads the quorum in the newest term that there is.
    fn newest_leader(&self) -> Option<usize> {
        let terms = self.machines.iter().filter_map(|machine| machine.member.as_ref());
        let newest = terms.map(|member| member.status().term).max()?;
        let leads = |member: &Node| member.is_settled_leader() && member.status().term == newest;
        self.machines.iter().position(|machine| machine.member.as_ref().is_some_and(leads))
    }

    /// What a machine asked for before it lost its disk does not come late: a leader that is alone in the in-sync set
    /// when its disk goes takes with it what only it had.
    fn forget_asked(&mut self, at: usize) {
        let starts = self.machines[at].starts;
        self.alters.retain(|(machine, start, _), _| (*machine, *start) != (at, starts));
        self.drop_asked(at);
        self.drop_waiting(at);
    }

    /// Whether a machine is about to lose its disk. It does when it can be spared; until then nothing else happens.
    fn waits_for_disk(&mut self) -> bool {
        let Some((at, until_ms)) = self.doomed else { return false };
        self.network.mend();
        let is_spare = self.is_spare(at);
        if is_spare {
            self.take_disk(at);
        }
        if is_spare || self.now_ms >= until_ms {
            self.doomed = None;
        }
        true
    }

    /// The data directory's device is lost, or put back to what it once was. (A quorum's member that is put back has
    /// forgotten what it promised: the metadata's device is another one, which is lost as well half of the time.)
    fn take_disk(&mut self, at: usize) {
        self.note(|| format!("{} loses its disk", at + 1));
        self.mourned = Some((self.machines[at].node, self.machines[at].disk.id));
        self.crash(at);
        self.forget_asked(at);
        let disk = &self.machines[at].disk;
        // A copy of the same start cannot be told from the device itself.
        let is_older = |old: &Disk| old.id != disk.id || old.boots < disk.boots;
        let has_older = self.machines[at].old_disk.as_ref().is_some_and(is_older);
        if has_older && !self.random.one_in(3) {
            self.machines[at].disk = self.machines[at].old_disk.take().expect("just seen");
            return;
        }
        self.counts.lost_disks += 1;
        let number = self.number();
        self.machines[at].replace_disk(number);
        if self.random.one_in(2) {
            self.machines[at].replace_member();
        }
    }

    /// Frames of some time come again.
    fn say_again(&mut self) {
        for _ in 0..self.random.below(30) {
            let delay_ms = self.random.below(500);
            if let Some((to, frame)) = self.network.again(&mut self.random) {
                self.after(delay_ms, Event::QuorumFrame(to, frame));
            }
            let at = self.random.next();
            if let Some((to, frame)) = self.links.again(at) {
                self.after(delay_ms, Event::Frame(to, frame));
            }
        }
    }

    pub(super) fn mend(&mut self) {
        self.network.mend();
        self.network.is_rough = false;
    }
}
