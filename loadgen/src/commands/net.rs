//! `loadgen net`: what loopback costs on this machine, between two threads on two CPUs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::CommandError;
use crate::measure::histogram;
use crate::report::{LatencySummary, NetLimits, utc_now, write_json};
use crate::settings::format_bytes;

/// Bytes of one write while bandwidth is measured.
const STREAM_BYTES: usize = 256 << 10;
/// Most bytes that go to and fro.
pub const ROUND_TRIP_BYTES_MAX: u64 = 64 << 20;

/// Measures and prints; writes `net.json` into `report`.
pub fn net(
    bytes: u64,
    duration: Duration,
    cpus: (usize, usize),
    report: Option<&Path>,
) -> Result<(), CommandError> {
    let round_trip_ms = round_trips(bytes as usize, duration, cpus).map_err(CommandError::Net)?;
    let bytes_per_s = bandwidth(duration, cpus).map_err(CommandError::Net)?;
    say!("loopback between CPU {} and CPU {}, one connection", cpus.0, cpus.1);
    let LatencySummary { count, p50, p99, p999, max, .. } = round_trip_ms;
    say!(
        "  round trip of {bytes} bytes, ms: p50 {p50:.3}  p99 {p99:.3}  p99.9 {p999:.3}  max {max:.3}  ({count} of them)"
    );
    say!("  bandwidth: {}/s", format_bytes(bytes_per_s));
    if let Some(directory) = report {
        let limits = NetLimits { measured_at: utc_now(), cpus, bytes, round_trip_ms, bytes_per_s };
        write_json(directory, "net.json", &limits)?;
    }
    Ok(())
}

fn pin(cpu: usize) {
    // A thread that cannot be pinned is measured wherever it runs.
    core_affinity::set_for_current(core_affinity::CoreId { id: cpu });
}

/// Connects to a thread that runs `peer` on the other CPU.
fn connect(
    cpus: (usize, usize),
    peer: impl FnOnce(TcpStream) -> std::io::Result<()> + Send + 'static,
) -> std::io::Result<(TcpStream, std::thread::JoinHandle<std::io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let thread = std::thread::spawn(move || {
        pin(cpus.1);
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        peer(stream)
    });
    pin(cpus.0);
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok((stream, thread))
}

fn joined(thread: std::thread::JoinHandle<std::io::Result<()>>) -> std::io::Result<()> {
    thread.join().map_err(|_| std::io::Error::other("the other end panicked"))?
}

fn round_trips(bytes: usize, duration: Duration, cpus: (usize, usize)) -> std::io::Result<LatencySummary> {
    let (mut stream, thread) = connect(cpus, move |mut stream| {
        let mut buffer = vec![0; bytes];
        loop {
            match stream.read_exact(&mut buffer) {
                Ok(()) => stream.write_all(&buffer)?,
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    })?;
    let (mut buffer, mut latencies, started) = (vec![7; bytes], histogram(), Instant::now());
    while started.elapsed() < duration {
        let before = Instant::now();
        stream.write_all(&buffer)?;
        stream.read_exact(&mut buffer)?;
        latencies.saturating_record(before.elapsed().as_nanos() as u64);
    }
    drop(stream);
    joined(thread)?;
    Ok(LatencySummary::of(&latencies))
}

fn bandwidth(duration: Duration, cpus: (usize, usize)) -> std::io::Result<f64> {
    let (mut stream, thread) = connect(cpus, move |mut stream| {
        let mut buffer = vec![0; STREAM_BYTES];
        while stream.read(&mut buffer)? > 0 {}
        Ok(())
    })?;
    let (buffer, mut bytes, started) = (vec![7; STREAM_BYTES], 0, Instant::now());
    while started.elapsed() < duration {
        stream.write_all(&buffer)?;
        bytes += buffer.len();
    }
    drop(stream);
    // All of it has arrived only when the other end has read it.
    joined(thread)?;
    Ok(bytes as f64 / started.elapsed().as_secs_f64())
}
