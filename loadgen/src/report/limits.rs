//! What the machine can do at most, measured by `loadgen disk`, `loadgen net` and `loadgen cpu`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{LatencySummary, ReportError};

/// `disk.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DiskLimits {
    /// The directory that was written to.
    pub directory: String,
    /// When, in UTC.
    pub measured_at: String,
    /// One for each size and depth.
    pub cells: Vec<DiskCell>,
}

/// Direct writes with O_DSYNC of one size and depth, on extents that were written before.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DiskCell {
    /// Bytes of each write.
    pub bytes: u64,
    /// Writes outstanding.
    pub depth: u32,
    /// Writes a second.
    pub writes_per_s: f64,
    /// Bytes a second.
    pub bytes_per_s: f64,
    /// How long writes took, in ms.
    pub latency_ms: LatencySummary,
}

/// `net.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NetLimits {
    /// When, in UTC.
    pub measured_at: String,
    /// The CPUs of the two ends.
    pub cpus: (usize, usize),
    /// Bytes that went to and fro.
    pub bytes: u64,
    /// Round trips on one connection over loopback, in ms.
    pub round_trip_ms: LatencySummary,
    /// Bytes a second in one direction on one connection.
    pub bytes_per_s: f64,
}

/// `cpu.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CpuLimits {
    /// When, in UTC.
    pub measured_at: String,
    /// One for each CPU; all were busy at the same time.
    pub cells: Vec<CpuCell>,
}

/// What a machine takes of one busy CPU.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CpuCell {
    /// Its number.
    pub cpu: usize,
    /// By how much whoever is due at some moment is late, in ms.
    pub delay_ms: LatencySummary,
    /// Times of 1 ms and more that the CPU was away, a second.
    pub long_gaps_per_s: f64,
}

/// The limits known when a report was written.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// The disk's.
    pub disk: Option<DiskLimits>,
    /// The network's.
    pub net: Option<NetLimits>,
    /// The CPUs'.
    pub cpu: Option<CpuLimits>,
}

impl Limits {
    /// What `disk`, `net` and `cpu` have left in a directory.
    pub fn read(directory: &Path) -> Limits {
        Limits {
            disk: read(&directory.join("disk.json")),
            net: read(&directory.join("net.json")),
            cpu: read(&directory.join("cpu.json")),
        }
    }

    /// Sentences on how far figures are from the limits.
    pub fn distances(&self, service_p50_ms: f64, achieved_bytes_per_s: f64) -> Vec<String> {
        let mut sentences = Vec::new();
        let smallest = self
            .disk
            .as_ref()
            .and_then(|disk| disk.cells.iter().filter(|cell| cell.depth == 1).min_by_key(|cell| cell.bytes));
        if let (Some(cell), Some(net)) = (smallest, &self.net) {
            let (write, trip) = (cell.latency_ms.p50, net.round_trip_ms.p50);
            sentences.push(format!(
                "one synchronous write of {} bytes takes {write:.3} ms here and one round trip {trip:.3} ms (medians): \
                 service p50 is {:.1} times their sum",
                cell.bytes,
                service_p50_ms / (write + trip)
            ));
        }
        let best =
            self.disk.iter().flat_map(|disk| &disk.cells).map(|cell| cell.bytes_per_s).reduce(f64::max);
        if let Some(best) = best {
            sentences.push(format!(
                "synchronous writes reach {:.0} MB/s here: the throughput achieved is {:.1} % of it",
                best / 1e6,
                achieved_bytes_per_s / best * 100.0
            ));
        }
        let worst = self
            .cpu
            .iter()
            .flat_map(|cpu| &cpu.cells)
            .max_by(|a, b| a.delay_ms.p99.total_cmp(&b.delay_ms.p99));
        if let Some(CpuCell { cpu, delay_ms, .. }) = worst {
            sentences.push(format!(
                "this machine keeps whoever is due on a busy CPU waiting for {:.3} ms at p99 and {:.3} ms at p99.9 \
                 (CPU {cpu}): the broker cannot be blamed for as much",
                delay_ms.p99, delay_ms.p999
            ));
        }
        sentences
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

/// Writes something as JSON into a directory, which is created if it is not there.
pub fn write_json(directory: &Path, name: &str, value: &impl Serialize) -> Result<(), ReportError> {
    let path = directory.join(name);
    let json = serde_json::to_string_pretty(value).expect("what is reported has text keys only");
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&path, json + "\n"))
        .map_err(|source| ReportError::Write { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_stated_for_what_is_known() {
        let latency = |p50| LatencySummary { p50, count: 1, ..Default::default() };
        let cell = |bytes, depth, p50, bytes_per_s| DiskCell {
            bytes,
            depth,
            writes_per_s: 0.0,
            bytes_per_s,
            latency_ms: latency(p50),
        };
        let cells = vec![cell(65_536, 1, 0.5, 1e8), cell(4096, 1, 0.1, 4e7), cell(4096, 16, 9.0, 2e8)];
        let disk = DiskLimits { directory: "d".into(), measured_at: String::new(), cells };
        let net = NetLimits {
            measured_at: String::new(),
            cpus: (0, 1),
            bytes: 64,
            round_trip_ms: latency(0.05),
            bytes_per_s: 1e9,
        };
        let cell = |cpu, p99| CpuCell {
            cpu,
            delay_ms: LatencySummary { p99, ..latency(0.0) },
            long_gaps_per_s: 1.0,
        };
        let cpu = CpuLimits { measured_at: String::new(), cells: vec![cell(0, 2.0), cell(3, 4.5)] };
        let limits = Limits { disk: Some(disk), net: Some(net), cpu: Some(cpu) };
        let sentences = limits.distances(0.3, 5e7);
        assert!(sentences[0].contains("service p50 is 2.0 times"), "{sentences:?}");
        assert!(sentences[1].contains("200 MB/s") && sentences[1].contains("25.0 %"), "{sentences:?}");
        assert!(sentences[2].contains("4.500 ms at p99 ") && sentences[2].contains("CPU 3"), "{sentences:?}");
        assert!(Limits::default().distances(1.0, 1.0).is_empty());

        let directory = tempfile::tempdir().unwrap();
        write_json(directory.path(), "disk.json", &limits.disk).unwrap();
        assert_eq!(Limits::read(directory.path()).disk, limits.disk);
        assert_eq!(Limits::read(directory.path()).net, None);
    }
}
