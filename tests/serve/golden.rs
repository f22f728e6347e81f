//! Data directories that released versions wrote, kept below tests/golden/ for ever: every later version must open
//! them and find every record.
//!
//! ```text
//! tests/golden/VERSION/data.tar.gz       the data directory as kill -9 left it
//! tests/golden/VERSION/records.json.gz   what must be in it
//! ```
//!
//! `cargo test --test serve golden::write -- --ignored` writes those of the present version. Once a version is
//! released, its directory stays as it is: a format that cannot be read any more needs a migration, not a new archive.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use corelane::protocol::batch::BatchBuilder;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::broker::{Broker, Place};
use crate::client::Client;

const DATA: &str = "data.tar.gz";
const RECORDS: &str = "records.json.gz";
/// The topic that is written by an idempotent producer, in one partition.
const IDEMPOTENT: &str = "idempotent";
/// The topic that was deleted.
const GONE: &str = "gone";
/// Repositories grow for ever: the archive of a version is at most this long.
const ARCHIVE_BYTES_MAX: u64 = 300 << 10;

/// What must be found.
#[derive(Serialize, Deserialize, Default)]
struct Records {
    /// By topic, for each partition the values of all records in their order.
    topics: BTreeMap<String, Vec<Vec<String>>>,
    /// The producer of [`IDEMPOTENT`], its epoch, and the sequence number of its last batch, of one record.
    producer: (i64, i16, i32),
}

#[test]
fn what_earlier_versions_wrote_is_opened_and_complete() {
    let golden: Vec<_> =
        fs::read_dir(golden_directory()).expect("kept in the repository").flatten().collect();
    assert!(!golden.is_empty());
    for version in golden {
        let place = Place::new();
        unpack(&version.path().join(DATA), &place.path(""));
        let records: Records =
            serde_json::from_reader(GzDecoder::new(File::open(version.path().join(RECORDS)).unwrap()))
                .unwrap();
        // As it was written; then with its journal replayed and its partitions dealt to other shards.
        for shards in ["1", "2"] {
            let broker = Broker::start(&place, &["--shards", shards]);
            let mut client = Client::connect(broker.bootstrap());
            check(&mut client, &records, &format!("{version:?} with {shards} shards"));
            let exit = broker.terminate();
            assert_eq!(exit.code, Some(0), "{}", exit.log);
            assert!(!exit.log.contains("ERROR"), "{}", exit.log);
        }
        let directories = fs::read_dir(place.path("topics")).unwrap().flatten();
        let names: Vec<_> = directories.map(|it| it.file_name().into_string().unwrap()).collect();
        assert!(!names.iter().any(|name| name.starts_with(GONE)), "{names:?}");
    }
}

fn check(client: &mut Client, records: &Records, context: &str) {
    // Whether the producer is still known shows before anything else is looked at: nothing is appended.
    let last = records.topics[IDEMPOTENT][0].len() as i64 - 1;
    let (_, _, sequence) = records.producer;
    let repeated = client.produce_batch(IDEMPOTENT, 0, idempotent_batch(records, sequence));
    assert_eq!(repeated, last, "{context}: a retry is recognised");
    for (topic, partitions) in &records.topics {
        for (partition, values) in partitions.iter().enumerate() {
            let found = client.fetch_all(topic, partition as i32);
            assert!(found == *values, "{context}: {topic}-{partition} has {} records", found.len());
        }
    }
}

/// Writes the archive of this version: sealed segments, active ones with and without a part on disk, and a journal
/// with groups of three starts.
#[test]
#[ignore = "writes tests/golden/VERSION, once for each version"]
fn write() {
    let directory = golden_directory().join(env!("CARGO_PKG_VERSION"));
    fs::create_dir(&directory).expect("an archive that exists is removed by hand, if at all");
    let place = Place::new();
    let mut records = Records::default();
    for boot in 0..3 {
        let broker = Broker::start(&place, &["--shards", "1"]);
        let mut client = Client::connect(broker.bootstrap());
        if boot == 0 {
            create(&mut client, &mut records);
        }
        fill(&mut client, &mut records, boot);
        if boot == 0 {
            client.delete_topic(GONE);
            assert_eq!(broker.terminate().code, Some(0));
        } else {
            broker.kill();
        }
    }
    for transient in ["lock", "endpoints.json"] {
        let _ = fs::remove_file(place.path(transient));
    }
    pack(&place.path(""), &directory.join(DATA));
    let file = File::create_new(directory.join(RECORDS)).unwrap();
    let mut encoder = GzEncoder::new(file, Compression::best());
    serde_json::to_writer(&mut encoder, &records).unwrap();
    encoder.finish().unwrap();
    let length: u64 =
        [DATA, RECORDS].map(|name| fs::metadata(directory.join(name)).unwrap().len()).iter().sum();
    assert!(length <= ARCHIVE_BYTES_MAX, "{length} bytes are too many for a repository");
}

fn create(client: &mut Client, records: &mut Records) {
    // The records of an old version are old.
    let for_ever = ("retention.ms", "-1");
    client.create_topic_with("sealed", 2, &[("segment.bytes", "1048576"), for_ever]);
    for (topic, partitions) in [("numbers", 3), (IDEMPOTENT, 1), (GONE, 1)] {
        client.create_topic_with(topic, partitions, &[for_ever]);
    }
    for (topic, partitions) in [("sealed", 2), ("numbers", 3), (IDEMPOTENT, 1)] {
        records.topics.insert(topic.to_owned(), vec![Vec::new(); partitions]);
    }
    client.produce(GONE, 0, "deleted");
    let (producer_id, epoch) = client.init_producer_id();
    records.producer = (producer_id, epoch, -1);
}

fn fill(client: &mut Client, records: &mut Records, boot: usize) {
    let mut produce = |records: &mut Records, topic: &str, partition: usize, value: String| {
        client.produce(topic, partition as i32, &value);
        records.topics.get_mut(topic).unwrap()[partition].push(value);
    };
    // One partition fills a segment and a half in each life; the other stays below a block.
    for number in 0..25 {
        produce(records, "sealed", 0, format!("{boot} {number} {}", "s".repeat(60_000)));
    }
    produce(records, "sealed", 1, format!("{boot}"));
    for number in 0..40 {
        let filler = "n".repeat(number * 37 % 3000);
        produce(records, "numbers", number % 3, format!("{boot} {number} {filler}"));
    }
    for number in 0..7 {
        records.producer.2 += 1;
        records.topics.get_mut(IDEMPOTENT).unwrap()[0].push(format!("{boot} {number}"));
        client.produce_batch(IDEMPOTENT, 0, idempotent_batch(records, records.producer.2));
    }
}

/// The idempotent producer's batch with a sequence number: one record, the value at that offset.
fn idempotent_batch(records: &Records, sequence: i32) -> BatchBuilder {
    let (producer_id, epoch, _) = records.producer;
    let value = &records.topics[IDEMPOTENT][0][sequence as usize];
    BatchBuilder::new().producer(producer_id, epoch, sequence).record(1, None, Some(value.as_bytes()))
}

fn golden_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn pack(data: &Path, archive: &Path) {
    let plain = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    let mut tar = Command::new("tar");
    tar.args(plain)
        .arg("--use-compress-program=gzip -9n")
        .arg("-cf")
        .arg(archive)
        .arg("-C")
        .arg(data)
        .arg(".");
    assert!(tar.status().expect("tar is installed").success());
}

fn unpack(archive: &Path, data: &Path) {
    fs::create_dir_all(data).unwrap();
    let status = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(data).status();
    assert!(status.expect("tar is installed").success());
}
