//! Clients that produce, with acks=1 or all, idempotent or not, and those who administer topics.

use corelane::base::ids::PartitionId;
use corelane::partition::Verdict;
use corelane::replication::LeaderLog;

use super::controller::Request;
use super::copy::{Role, header_of};
use super::frames::Record;
use super::groups_part::GROUPS;
use super::links::place_of;
use super::world::{Event, World};

/// When a client that has heard nothing sends again, or gives up.
const PATIENCE_MS: u64 = 1_200;
const TOPICS: u64 = 4;
const PARTITIONS_MAX: u64 = 3;
const COPIES: i16 = 3;

/// A producer of one partition of one name, whichever topic has that name.
pub struct Client {
    topic: String,
    index: i32,
    needs_all: bool,
    is_idempotent: bool,
    /// Where it produces now, and as whom.
    partition: Option<PartitionId>,
    producer: u64,
    sequence: i32,
    /// What it has sent, and when.
    sent: Option<(Record, u64)>,
}

/// A record that a leader has appended and that was not answered.
pub struct Waiting {
    client: usize,
    offset: i64,
    record: Record,
    needs_all: bool,
}

/// Only these have their oldest records deleted: what is known of idempotent producers may go with their records.
fn is_trimmed(topic: &str) -> bool {
    topic.starts_with("plain")
}

fn topic_name(at: u64) -> String {
    let kind = if at.is_multiple_of(2) { "plain" } else { "once" };
    format!("{kind}-{at}")
}

impl Client {
    pub fn all() -> Vec<Client> {
        let client = |topic: String, index: u64, needs_all: bool| Client {
            is_idempotent: needs_all && !is_trimmed(&topic),
            topic,
            index: index as i32,
            needs_all,
            partition: None,
            producer: 0,
            sequence: 0,
            sent: None,
        };
        let partitions = (0..TOPICS).flat_map(|at| (0..PARTITIONS_MAX).map(move |index| (at, index)));
        partitions
            .flat_map(|(at, index)| [(at, index, true), (at, index, true), (at, index, false)])
            .map(|(at, index, needs_all)| client(topic_name(at), index, needs_all))
            .collect()
    }
}

impl World {
    pub(super) fn work(&mut self) {
        let pause_ms = 1 + self.random.below(20);
        self.after(pause_ms, Event::Work);
        if self.random.one_in(100) {
            self.delete_records();
        }
        if self.random.one_in(5) {
            self.commit_offsets();
        }
        self.ask_latest();
        let client = self.random.below(self.clients.len() as u64) as usize;
        // Whose metadata the client has may be old.
        let at = self.random.below(self.machines.len() as u64) as usize;
        let (image, wanted) = (&self.machines[at].image, &self.clients[client]);
        let topic = image.topic_named(&wanted.topic);
        let partition = topic.and_then(|topic| topic.partition(wanted.index));
        let Some((id, leader)) = partition.map(|partition| (partition.id(), partition.leader)) else {
            return;
        };
        if let Some(record) = self.next_record(client, id)
            && let Some(leader) = leader
        {
            self.produce(place_of(leader), client, id, record);
        }
    }

    /// Clients ask a machine where the partitions end that it believes to lead.
    fn ask_latest(&mut self) {
        let at = self.random.below(self.machines.len() as u64) as usize;
        let machine = &self.machines[at];
        if machine.is_up() && machine.paused_until_ms <= self.now_ms {
            let led = machine.copies.values().filter(|copy| matches!(copy.role, Role::Leads(_)));
            led.for_each(|copy| self.checks.tells_latest(copy));
        }
    }

    /// What a client sends now; nothing while it waits.
    fn next_record(&mut self, client: usize, id: PartitionId) -> Option<Record> {
        let (now_ms, number) = (self.now_ms, self.number());
        let client = &mut self.clients[client];
        if client.partition != Some(id) {
            // A topic of that name that is new to it, or one of before: it begins as somebody else.
            let producer = if client.is_idempotent { number } else { 0 };
            (client.partition, client.producer, client.sequence, client.sent) = (Some(id), producer, 0, None);
        }
        match client.sent {
            Some((_, sent_ms)) if sent_ms + PATIENCE_MS > now_ms => return None,
            // The same again.
            Some((record, _)) if client.is_idempotent => {
                client.sent = Some((record, now_ms));
                return Some(record);
            }
            _ => {}
        }
        let record = Record { epoch: 0, sequence: client.sequence, producer: client.producer, value: number };
        client.sent = Some((record, now_ms));
        Some(record)
    }

    /// A machine that believes that it leads takes a record.
    fn produce(&mut self, at: usize, client: usize, id: PartitionId, record: Record) {
        let needs_all = self.clients[client].needs_all;
        let machine = &mut self.machines[at];
        if !machine.is_up() || machine.paused_until_ms > self.now_ms {
            return;
        }
        let Some(copy) = machine.copies.get_mut(&id) else { return };
        let (base, epoch) = (copy.log_end(), copy.epoch);
        let record = Record { epoch, ..record };
        let header = header_of(&record, base);
        let Role::Leads(leader) = &mut copy.role else { return };
        if needs_all && !leader.is_enough_in_sync() {
            return;
        }
        let (offset, is_new) = match copy.producers.check(&header) {
            Ok(Verdict::New) => (base, true),
            Ok(Verdict::Duplicate(original)) => (original.last_offset, false),
            // Who leads no more lacks what came before.
            Err(_) => return,
        };
        if is_new {
            leader.appended(base + 1);
            copy.append(record);
        }
        self.waiting.entry((at, id)).or_default().push(Waiting { client, offset, record, needs_all });
        if is_new {
            self.sync_later(at, id);
            self.replicate(at, id, base);
        } else {
            self.counts.duplicates += 1;
        }
        self.answer(at, id);
    }

    /// Answers whoever waits for what is committed, or with acks=1 durable, now.
    pub(super) fn answer(&mut self, at: usize, id: PartitionId) {
        let Some(copy) = self.machines[at].copies.get(&id) else { return };
        let Role::Leads(leader) = &copy.role else { return };
        let LeaderLog { high_watermark, durable_end, .. } = leader.log();
        let is_enough = leader.is_enough_in_sync();
        let Some(waiting) = self.waiting.get_mut(&(at, id)) else { return };
        let is_done = |it: &mut Waiting| match it.needs_all {
            true => it.offset < high_watermark && is_enough,
            false => it.offset < durable_end,
        };
        let done: Vec<Waiting> = waiting.extract_if(.., is_done).collect();
        for it in done {
            if it.needs_all {
                self.checks.acknowledged(id, it.offset, &it.record);
                self.counts.acknowledged += 1;
                if self.is_calm() {
                    *self.checks.calm.entry(id).or_default() += 1;
                }
            } else {
                self.counts.acknowledged_by_leader += 1;
            }
            // Answers are lost like everything else.
            if !self.random.one_in(10) {
                self.hear_answer(id, &it);
            }
        }
    }

    fn hear_answer(&mut self, id: PartitionId, answered: &Waiting) {
        let client = &mut self.clients[answered.client];
        let is_it = client.sent.is_some_and(|(record, _)| record.value == answered.record.value);
        if client.partition == Some(id) && is_it {
            client.sent = None;
            client.sequence += 1;
        }
    }

    /// A client wants some of the oldest records of a partition gone.
    fn delete_records(&mut self) {
        let at = self.random.below(self.machines.len() as u64) as usize;
        let part = 1 + self.random.below(4) as i64;
        let is_trimmed = |id: &PartitionId| {
            let topic = self.machines[at].image.topic(id.topic);
            topic.is_some_and(|topic| is_trimmed(&topic.record.name))
        };
        let ids: Vec<PartitionId> = self.machines[at].copies.keys().copied().filter(is_trimmed).collect();
        for id in ids {
            let copy = self.machines[at].copies.get_mut(&id).expect("just seen");
            let Role::Leads(leader) = &mut copy.role else { continue };
            let LeaderLog { log_start, high_watermark, .. } = leader.log();
            let wanted = log_start + (high_watermark - log_start) / part;
            if wanted > log_start {
                copy.delete_below(wanted);
                self.with_leader(at, id, |leader, effects| leader.starts_at(wanted, effects));
                self.sync_later(at, id);
            }
        }
    }

    /// Topics are made, and deleted, and made again under their names; leaders go back where they belong.
    pub(super) fn administer(&mut self) {
        let pause_ms = 100 + self.random.below(1_500);
        self.after(pause_ms, Event::Administer);
        let at = self.random.below(self.machines.len() as u64) as usize;
        let name = match self.random.below(TOPICS + 1) {
            TOPICS => GROUPS.to_owned(),
            at => topic_name(at),
        };
        let request = match self.random.below(10) {
            0 if !self.is_calm() && name != GROUPS => Request::Delete(name),
            1..4 => Request::Elect,
            // No topic is so young in the end that nobody has written to it.
            _ if self.is_calm() => return,
            _ => {
                self.counts.topics += 1;
                let (partitions, id) = (1 + self.random.below(PARTITIONS_MAX) as i32, self.number());
                Request::Create { name, partitions, copies: COPIES, id }
            }
        };
        if self.now_ms > 2_500 {
            self.ask(at, request);
        }
    }
}
