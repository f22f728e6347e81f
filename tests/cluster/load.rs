//! Records by librdkafka, as applications send and read them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// After this much time without what is waited for, a test has failed.
const PATIENCE: Duration = Duration::from_secs(180);
/// Records on their way at once.
const IN_FLIGHT_MAX: i32 = 50;

/// The records that were acknowledged, and that were not.
#[derive(Default)]
struct Delivered {
    acknowledged: Vec<u64>,
    failed: Vec<String>,
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Delivered>>);

impl ClientContext for Notes {}

impl ProducerContext for Notes {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<u64>) {
        let mut delivered = self.0.lock().expect("nobody panics with it");
        match result {
            Ok(_) => delivered.acknowledged.push(*number),
            Err((error, _)) => delivered.failed.push(format!("{number}: {error}")),
        }
    }
}

/// An idempotent producer with `acks=all` that sends numbers to partition 0 of a topic, in order, until it is stopped.
pub struct Load {
    notes: Notes,
    /// Whether it is to stop, and whether what is on its way does not matter.
    stops: Arc<[AtomicBool; 2]>,
    thread: JoinHandle<()>,
}

impl Load {
    /// Starts it, with these nodes to begin from.
    pub fn start(bootstrap: &str, topic: &str) -> Self {
        let notes = Notes::default();
        let producer: BaseProducer<Notes> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "0")
            .set("linger.ms", "1")
            .create_with_context(notes.clone())
            .expect("a producer");
        let stops = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let (topic, is_over) = (topic.to_owned(), Arc::clone(&stops));
        let thread = thread::spawn(move || send(&producer, &topic, &is_over));
        Load { notes, stops, thread }
    }

    /// How many were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.notes.0.lock().expect("nobody panics with it").acknowledged.len()
    }

    /// Waits until so many more are acknowledged.
    pub fn until_more(&self, more: usize) {
        let (wanted, start) = (self.acknowledged() + more, Instant::now());
        while self.acknowledged() < wanted {
            let failed = self.notes.0.lock().expect("nobody panics with it").failed.first().cloned();
            assert_eq!(failed, None, "no record is refused for good");
            assert!(start.elapsed() < PATIENCE, "{} of {wanted} are acknowledged", self.acknowledged());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it when everything sent is acknowledged; all of it.
    pub fn stop(self) -> Vec<u64> {
        let delivered = self.end(0);
        assert!(delivered.failed.is_empty(), "{:?}", delivered.failed);
        delivered.acknowledged
    }

    /// Stops it where it is; what was acknowledged. The rest may be there too.
    pub fn abandon(self) -> Vec<u64> {
        self.end(1).acknowledged
    }

    fn end(self, how: usize) -> Delivered {
        self.stops[how].store(true, Ordering::Relaxed);
        self.thread.join().expect("it sends everything");
        std::mem::take(&mut *self.notes.0.lock().expect("nobody panics with it"))
    }
}

fn send(producer: &BaseProducer<Notes>, topic: &str, [is_over, gives_up]: &[AtomicBool; 2]) {
    let ends = || [is_over, gives_up].into_iter().any(|it| it.load(Ordering::Relaxed));
    let mut number = 0;
    while !ends() {
        producer.poll(Duration::from_millis(if producer.in_flight_count() >= IN_FLIGHT_MAX {
            10
        } else {
            0
        }));
        if producer.in_flight_count() >= IN_FLIGHT_MAX {
            continue;
        }
        let value = number.to_string();
        let record = BaseRecord::<(), str, Box<u64>>::with_opaque_to(topic, Box::new(number));
        producer.send(record.partition(0).payload(value.as_str())).map_err(|(error, _)| error).expect("room");
        number += 1;
    }
    if !gives_up.load(Ordering::Relaxed) {
        producer.flush(PATIENCE).expect("everything is acknowledged in the end");
    }
}

/// Everything that consumers see of partition 0 of a topic.
pub fn read_all(bootstrap: &str, topic: &str) -> Vec<u64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        .create()
        .expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning).expect("a partition");
    consumer.assign(&assignment).expect("an assignment");
    let (mut found, start) = (Vec::new(), Instant::now());
    loop {
        assert!(start.elapsed() < PATIENCE, "{} records were read", found.len());
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                let text = std::str::from_utf8(message.payload().expect("a value")).expect("a number");
                found.push(text.parse().expect("a number"));
            }
            Some(Err(KafkaError::PartitionEOF(0))) => return found,
            // A broker that is gone.
            Some(Err(_)) => {}
        }
    }
}

/// Everything acknowledged is there, and everything that is there in order and once.
pub fn check(acknowledged: &[u64], found: &[u64]) {
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once");
    let there: BTreeSet<u64> = found.iter().copied().collect();
    let lost: Vec<&u64> = acknowledged.iter().filter(|number| !there.contains(number)).collect();
    assert!(lost.is_empty(), "of {} acknowledged records these are lost: {lost:?}", acknowledged.len());
}
