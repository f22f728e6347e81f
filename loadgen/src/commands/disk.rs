//! `loadgen disk`: direct writes with O_DSYNC, by size and depth, on extents that were written before. It is what a
//! durable write costs on this machine when nothing else is done.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::fs::{Mode, OFlags};

use super::CommandError;
use crate::measure::histogram;
use crate::report::{DiskCell, DiskLimits, LatencySummary, utc_now, write_json};
use crate::settings::{format_bytes, format_count};

/// What direct I/O has to be aligned to.
const ALIGNMENT: u64 = 4096;
/// Bytes of one write while the file is filled.
const FILL_BYTES: u64 = 1 << 20;

/// What to measure.
#[derive(Clone, Debug)]
pub struct DiskPlan {
    /// Directory on the device.
    pub directory: PathBuf,
    /// Length of the file.
    pub file_bytes: u64,
    /// Lengths of writes.
    pub sizes: Vec<u64>,
    /// Writes outstanding.
    pub depths: Vec<u32>,
    /// Time for each size and depth.
    pub duration: Duration,
}

/// Removes the file when everything is done.
struct TestFile(PathBuf);

impl Drop for TestFile {
    fn drop(&mut self) {
        // It lies in a directory that the user named, under a name of ours; nothing more can be done about it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Measures and prints; writes `disk.json` into `report`.
pub fn disk(plan: &DiskPlan, report: Option<&Path>) -> Result<(), CommandError> {
    check(plan)?;
    let path = plan.directory.join(format!("loadgen-disk-{}", std::process::id()));
    let failed = |source| CommandError::Disk { path: path.clone(), source };
    let file = TestFile(path.clone());
    let descriptor = Arc::new(fill(&file.0, plan.file_bytes).map_err(failed)?);
    say!("direct O_DSYNC writes on written extents in {}", plan.directory.display());
    say!(
        "{:>10} {:>6} {:>12} {:>12} {:>10} {:>10} {:>10} {:>10}",
        "bytes",
        "depth",
        "writes/s",
        "throughput",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms"
    );
    let mut cells = Vec::new();
    for (size, depth) in plan.sizes.iter().flat_map(|size| plan.depths.iter().map(|depth| (*size, *depth))) {
        let cell = cell(&descriptor, plan, size, depth).map_err(failed)?;
        let latency = &cell.latency_ms;
        say!(
            "{size:>10} {depth:>6} {:>12} {:>12} {:>10.3} {:>10.3} {:>10.3} {:>10.3}",
            format_count(cell.writes_per_s),
            format!("{}/s", format_bytes(cell.bytes_per_s)),
            latency.p50,
            latency.p99,
            latency.p999,
            latency.max
        );
        cells.push(cell);
    }
    if let Some(directory) = report {
        let limits =
            DiskLimits { directory: plan.directory.display().to_string(), measured_at: utc_now(), cells };
        write_json(directory, "disk.json", &limits)?;
    }
    Ok(())
}

fn check(plan: &DiskPlan) -> Result<(), CommandError> {
    let most = plan.sizes.iter().copied().max().unwrap_or(0)
        * u64::from(plan.depths.iter().copied().max().unwrap_or(1));
    if plan.sizes.iter().any(|size| *size == 0 || size % ALIGNMENT != 0) {
        return Err(CommandError::DiskPlan(
            "--sizes must be multiples of 4KiB: direct I/O takes no others".into(),
        ));
    }
    if most > plan.file_bytes {
        return Err(CommandError::DiskPlan(format!(
            "a file of {} bytes is too short for the largest size at the largest depth; give --file-size {most} or more",
            plan.file_bytes
        )));
    }
    Ok(())
}

/// A file of zeros, all of it written: writing to an extent for the first time costs twice as much.
fn fill(path: &Path, bytes: u64) -> std::io::Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?;
    let buffer = Aligned::new(FILL_BYTES as usize);
    let mut at = 0;
    while at < bytes {
        at += rustix::io::pwrite(&file, buffer.bytes(), at)? as u64;
    }
    rustix::fs::fsync(&file)?;
    drop(file);
    let flags = OFlags::WRONLY | OFlags::DIRECT | OFlags::DSYNC | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Memory that is aligned for direct I/O.
struct Aligned {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    fn new(length: usize) -> Self {
        let mut memory = vec![0xa5; length + ALIGNMENT as usize];
        let start = memory.as_ptr().align_offset(ALIGNMENT as usize);
        // Not all alike, in case that the device compresses.
        crate::random::Random::new(1, 1).fill(&mut memory[start..start + length]);
        Aligned { memory, start, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }
}

/// One size and depth: a thread for each write that is outstanding, each in its own part of the file.
fn cell(file: &Arc<OwnedFd>, plan: &DiskPlan, size: u64, depth: u32) -> std::io::Result<DiskCell> {
    let part = plan.file_bytes / u64::from(depth) / size * size;
    let started = Instant::now();
    let threads: Vec<_> = (0..u64::from(depth))
        .map(|number| {
            let (file, end) = (Arc::clone(file), started + plan.duration);
            std::thread::spawn(move || write_until(&file, number * part, part, size, end))
        })
        .collect();
    let mut latencies = histogram();
    for thread in threads {
        let own = thread.join().map_err(|_| std::io::Error::other("a writing thread panicked"))??;
        latencies.add(&own).expect("all histograms have the same bounds");
    }
    let writes_per_s = latencies.len() as f64 / started.elapsed().as_secs_f64();
    let (bytes_per_s, latency_ms) = (writes_per_s * size as f64, LatencySummary::of(&latencies));
    Ok(DiskCell { bytes: size, depth, writes_per_s, bytes_per_s, latency_ms })
}

fn write_until(
    file: &OwnedFd,
    start: u64,
    length: u64,
    size: u64,
    end: Instant,
) -> std::io::Result<Histogram<u64>> {
    let (buffer, mut latencies, mut at) = (Aligned::new(size as usize), histogram(), 0);
    loop {
        let before = Instant::now();
        // The first write may take longer than there is time.
        if before >= end && !latencies.is_empty() {
            return Ok(latencies);
        }
        let written = rustix::io::pwrite(file.as_fd(), buffer.bytes(), start + at)?;
        if written as u64 != size {
            return Err(std::io::Error::other("a write was cut short"));
        }
        latencies.saturating_record(before.elapsed().as_nanos() as u64);
        at = (at + size) % length;
    }
}
