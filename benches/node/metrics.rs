//! What a running broker counts, read from its admin port.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::setup::Node;

/// The setting with which a broker has an admin port.
pub const ADMIN_LISTEN: (&str, &str) = ("admin.listen", "127.0.0.1:0");

/// The sum of a metric over all lines that begin so.
pub fn sum(node: &Node, beginning: &str) -> f64 {
    let text = scrape(&address(node));
    let lines = text.lines().filter(|line| line.starts_with(beginning));
    lines.map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")).sum()
}

fn address(node: &Node) -> String {
    let file = File::open(node.data().join("endpoints.json")).expect("the broker serves");
    let endpoints: Value = serde_json::from_reader(file).expect("README.md names the file");
    endpoints["admin"].as_str().expect("it has an admin port").to_owned()
}

fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the admin port listens");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the broker lives");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the broker answers");
    text
}
