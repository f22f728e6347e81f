//! The binary as an operator meets it: start, stop, start again on the same data, with other shards, what it
//! refuses, under a service manager, and what it says of the machine.

mod admin;
mod broker;
mod check;
mod client;
mod golden;
mod log_loss;
mod log_tools;
mod service;

use std::fs;

use broker::{Broker, Exit, Place};
use client::Client;

#[test]
fn it_says_where_it_serves_stops_cleanly_and_starts_again_as_the_same_cluster() {
    let place = Place::new();
    let mut cluster_ids = Vec::new();
    for boot_count in 1..=2 {
        let broker = Broker::start(&place, &[]);
        let endpoints = place.json("endpoints.json");
        assert_eq!(endpoints["pid"], broker.pid());
        assert_eq!(endpoints["listeners"][0]["bootstrap"], *broker.bootstrap());
        let brokers = endpoints["listeners"][0]["brokers"].as_array().unwrap();
        assert_eq!(brokers.len(), 2);
        let addresses = brokers.iter().map(|broker| broker["address"].as_str().unwrap());
        for address in addresses.chain([broker.bootstrap().as_str()]) {
            Client::connect(address).api_versions();
        }
        let exit = broker.terminate();
        assert_eq!(exit.code, Some(0), "{}", exit.log);
        assert_eq!(exit.log.matches("shard stopped").count(), 2, "{}", exit.log);
        assert!(!place.path("endpoints.json").exists());
        let node = place.json("node.json");
        assert_eq!(node["boot_count"], boot_count);
        cluster_ids.push(node["cluster_id"].clone());
    }
    assert_eq!(cluster_ids[0], cluster_ids[1]);
}

#[test]
fn a_second_broker_on_the_same_data_or_the_same_port_is_refused_by_name() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let broker = Broker::start(&place, &[]);
    let exit = Broker::refused(&place, &[]);
    assert_eq!(exit.code, Some(1));
    assert!(
        exit.log.contains(&format!("in use by another broker (process {})", broker.pid())),
        "{}",
        exit.log
    );
    // The bootstrap port is shared by the shards, and must not be by brokers.
    let bootstrap = broker.bootstrap().clone();
    let exit = Broker::refused(&elsewhere, &["--listen", &bootstrap, "--shard-ports", "0"]);
    assert_eq!(exit.code, Some(1));
    assert!(exit.log.contains(&bootstrap) && exit.log.contains("in use"), "{}", exit.log);
    assert!(!elsewhere.path("node.json").exists(), "nothing is made before the checks");
    assert_eq!(broker.terminate().code, Some(0));
}

/// Everything in the topic's partitions.
fn contents(client: &mut Client, partitions: i32) -> Vec<Vec<String>> {
    (0..partitions).map(|partition| client.fetch_all("numbers", partition)).collect()
}

#[test]
fn records_outlive_kills_and_every_change_of_the_number_of_shards() {
    const PARTITIONS: i32 = 5;
    let place = Place::new();
    let mut expected = vec![Vec::new(); PARTITIONS as usize];
    let mut number = 0;
    for (round, shards) in ["2", "3", "3", "1", "2"].into_iter().enumerate() {
        let memory = if shards == "3" { "900MiB" } else { "640MiB" };
        let broker = Broker::start(&place, &["--shards", shards, "--memory", memory]);
        let mut client = Client::connect(broker.bootstrap());
        if round == 0 {
            client.create_topic("numbers", PARTITIONS);
        }
        assert_eq!(contents(&mut client, PARTITIONS), expected, "round {round}");
        for _ in 0..40 {
            let partition = number % PARTITIONS;
            let value = format!("{number} {}", "x".repeat(number as usize * 37 % 3000));
            client.produce("numbers", partition, &value);
            expected[partition as usize].push(value);
            number += 1;
        }
        assert_eq!(contents(&mut client, PARTITIONS), expected, "round {round}, from memory");
        if round % 2 == 0 {
            broker.kill();
        } else {
            assert_eq!(broker.terminate().code, Some(0));
        }
        let layouts = fs::read_dir(place.path(""))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("layout-"));
        assert_eq!(layouts.count(), 1);
        assert_eq!(place.json("node.json")["layout"]["shards"].to_string(), shards);
    }
}

#[test]
fn a_change_of_the_number_of_shards_that_is_cut_off_can_be_taken_back() {
    const PARTITIONS: i32 = 6;
    let place = Place::new();
    let three = ["--shards", "3", "--memory", "900MiB"];
    let mut expected = Vec::new();
    {
        let broker = Broker::start(&place, &three);
        let mut client = Client::connect(broker.bootstrap());
        client.create_topic("numbers", PARTITIONS);
        for partition in 0..PARTITIONS {
            let value = format!("of {partition}");
            client.produce("numbers", partition, &value);
            expected.push(vec![value]);
        }
        assert_eq!(broker.terminate().code, Some(0));
    }
    // The metadata deals the partitions to two shards, and then the files cannot be made.
    let obstacle = place.path("layout-2");
    fs::write(&obstacle, "").unwrap();
    let Exit { code, log } = Broker::refused(&place, &["--shards", "2"]);
    assert_eq!(code, Some(1));
    assert!(log.contains("layout-2"), "{log}");
    assert_eq!(place.json("node.json")["layout"]["generation"], 1);
    fs::remove_file(obstacle).unwrap();
    // Dealt to three again, not all partitions belong where they are.
    let broker = Broker::start(&place, &three);
    assert_eq!(contents(&mut Client::connect(broker.bootstrap()), PARTITIONS), expected);
    let exit = broker.terminate();
    assert_eq!(exit.code, Some(0));
    assert!(exit.log.contains("are moved"), "{}", exit.log);
    assert_eq!(place.json("node.json")["layout"]["generation"], 2);
}

#[test]
fn a_missing_part_of_the_data_is_refused_with_the_remedy() {
    let place = Place::new();
    assert_eq!(Broker::start(&place, &[]).terminate().code, Some(0));
    let journal = place.path("layout-1/shard-1/journal/0001.journal");
    let kept = place.path("kept");
    fs::rename(&journal, &kept).unwrap();
    let Exit { code, log } = Broker::refused(&place, &[]);
    assert_eq!(code, Some(1));
    let error = log.lines().find(|line| line.contains("ERROR")).expect("an error");
    assert!(
        error.contains("shard 1") && error.contains("0001.journal") && error.contains("missing"),
        "{log}"
    );
    assert!(!journal.exists(), "never made anew");
    fs::rename(&kept, &journal).unwrap();
    // Longer journals are for new ones.
    let broker = Broker::start(&place, &["--set", "journal.bytes=96MiB"]);
    let exit = broker.terminate();
    assert_eq!(exit.code, Some(0));
    assert!(exit.log.contains("keeps the length"), "{}", exit.log);
    fs::rename(place.path("layout-1"), kept).unwrap();
    let Exit { code, log } = Broker::refused(&place, &[]);
    assert_eq!(code, Some(1));
    assert!(log.contains("layout-1/shard-") && log.contains("empty data directory"), "{log}");
}
