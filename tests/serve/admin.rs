//! The admin port of a running broker.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::broker::{Broker, Place};
use crate::client::Client;

/// Sends bytes and reads what comes until the other side closes, as far as it sends anything.
fn exchange(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    // The other side may have answered and closed before it has read all of it.
    let _ = stream.write_all(request);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8(response).expect("text")
}

/// Status and body.
fn get(address: &str, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n");
    let response = exchange(address, request.as_bytes());
    let (head, body) =
        response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("a response, not {response:?}"));
    let status = head.split(' ').nth(1).expect("a status line").parse().expect("a number");
    (status, body.to_owned())
}

fn admin_of(place: &Place) -> String {
    place.json("endpoints.json")["admin"].as_str().expect("an address").to_owned()
}

/// The sum of a metric over all lines that begin so and contain `part`.
fn sum(metrics: &str, name: &str, part: &str) -> f64 {
    let is_meant = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(part);
    let lines = metrics.lines().filter(is_meant);
    lines.map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")).sum()
}

#[test]
fn metrics_and_health_of_a_running_broker() {
    const RECORDS: usize = 20;
    let place = Place::new();
    let broker = Broker::start(&place, &[]);
    let admin = admin_of(&place);
    assert_eq!(get(&admin, "/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&admin, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&admin, "/other").0, 404);

    let mut client = Client::connect(broker.bootstrap());
    client.create_topic("numbers", 2);
    for number in 0..RECORDS {
        client.produce("numbers", (number % 2) as i32, &format!("{number}"));
    }
    for partition in 0..2 {
        assert_eq!(client.fetch_all("numbers", partition).len(), RECORDS / 2);
    }
    let (status, metrics) = get(&admin, "/metrics");
    assert_eq!(status, 200);
    let requests = |api| sum(&metrics, "corelane_requests_total", &format!("api=\"{api}\""));
    assert_eq!((requests("Produce"), requests("CreateTopics")), (RECORDS as f64, 1.0));
    assert_eq!(sum(&metrics, "corelane_request_seconds_count", "api=\"Produce\""), RECORDS as f64);
    assert_eq!(sum(&metrics, "corelane_appended_records_total", ""), RECORDS as f64);
    // One client, so each of its batches is a group of its own.
    let stage = |stage| sum(&metrics, "corelane_stage_seconds_count", &format!("stage=\"{stage}\""));
    for of_produce in ["append", "queue", "journal"] {
        assert_eq!(stage(of_produce), RECORDS as f64, "{of_produce}");
    }
    assert_eq!(stage("decode"), stage("append") + stage("execute"));
    assert_eq!(stage("respond"), stage("decode"));
    // Half of the partitions are the other shard's.
    assert!(sum(&metrics, "corelane_forwarded_operations_total", "") >= RECORDS as f64 / 2.0);
    assert!(sum(&metrics, "corelane_received_bytes_total", "") > 1000.0);
    assert!(sum(&metrics, "corelane_sent_bytes_total", "") > 1000.0);
    assert!(sum(&metrics, "corelane_read_bytes_total", "") > 1000.0);
    assert!(sum(&metrics, "corelane_cache_hits_total", "cache=\"tails\"") >= 2.0);
    let written = sum(&metrics, "corelane_disk_bytes_total", "operation=\"write\"");
    assert!(written >= 4096.0 * RECORDS as f64, "{written}");
    assert_eq!(sum(&metrics, "corelane_connections", ""), 1.0);
    assert_eq!(sum(&metrics, "corelane_partitions", "state=\"online\""), 2.0);
    assert_eq!(sum(&metrics, "corelane_disk_errors_total", ""), 0.0);
    for budget in ["requests", "undurable"] {
        assert_eq!(sum(&metrics, "corelane_budget_used_bytes", &format!("\"{budget}\"")), 0.0, "{budget}");
        assert!(sum(&metrics, "corelane_budget_limit_bytes", &format!("\"{budget}\"")) > 1e6, "{budget}");
    }
    let exit = broker.terminate();
    assert_eq!(exit.code, Some(0), "{}", exit.log);
    assert!(TcpStream::connect(&admin).is_err(), "closed with the broker");
}

#[test]
fn a_hostile_client_of_the_admin_port_harms_nobody() {
    let place = Place::new();
    let broker = Broker::start(&place, &[]);
    let admin = admin_of(&place);
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    assert!(exchange(&admin, long.as_bytes()).starts_with("HTTP/1.1 431"), "a long header");
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000));
    assert!(exchange(&admin, many.as_bytes()).starts_with("HTTP/1.1 431"), "many headers");
    assert!(exchange(&admin, b"\x16\x03\x01 what\r\n\r\n").starts_with("HTTP/1.1 400"), "no HTTP");
    let posted = b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n";
    assert!(exchange(&admin, posted).starts_with("HTTP/1.1 405"), "a body that never comes");
    let pipelined = exchange(&admin, &b"GET /readyz HTTP/1.1\r\n\r\n".repeat(100));
    assert_eq!(pipelined.matches("HTTP/1.1 200").count(), 1, "one request for each connection");

    // More connections than are served at a time, in the middle of a request, silent, and without a reader.
    let mut crowd: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(&admin).unwrap()).collect();
    for (number, stream) in crowd.iter_mut().enumerate() {
        let beginning: &[u8] = [&b"GET /met"[..], b"", b"GET /metrics HTTP/1.1\r\n\r\n"][number % 3];
        stream.write_all(beginning).unwrap();
        if number % 2 == 0 {
            let _ = stream.shutdown(Shutdown::Read);
        }
    }
    // Clients do not notice, and whoever comes to the port is served when those before have run out of time.
    let mut client = Client::connect(broker.bootstrap());
    client.create_topic("numbers", 2);
    client.produce("numbers", 0, "a");
    assert_eq!(client.fetch_all("numbers", 0), ["a"]);
    assert_eq!(get(&admin, "/healthz").0, 200);
    drop(crowd);
    let exit = broker.terminate();
    assert_eq!(exit.code, Some(0), "{}", exit.log);
    assert!(!exit.log.contains("ERROR"), "{}", exit.log);
}

#[test]
fn the_port_can_be_left_out_and_one_in_use_is_refused_by_name() {
    let place = Place::new();
    let broker = Broker::start(&place, &["--admin", "none"]);
    assert_eq!(place.json("endpoints.json")["admin"], serde_json::Value::Null);
    assert_eq!(broker.terminate().code, Some(0));

    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let exit = Broker::refused(&place, &["--admin", &address]);
    assert_eq!(exit.code, Some(1));
    let refusal = format!("the admin port needs {address}, which is in use");
    assert!(exit.log.contains(&refusal) && exit.log.contains("--admin none"), "{}", exit.log);
}
