//! From arguments to a checked workload.

use std::path::Path;
use std::time::Duration;

use super::arguments::{
    BackpressureArguments, LoadArguments, RunArguments, SAMPLE_BYTES_MAX, SweepArguments, VerifyArguments,
};
use crate::settings::{
    Acks, ConsumerMode, CpuList, Keys, Offered, Overload, ScheduleKind, SettingsError, SizeSpec, Topics,
    Workload, mean_bytes, requests_per_s,
};

/// The workload of `loadgen run`.
pub fn run(arguments: &RunArguments) -> Result<Workload, SettingsError> {
    let duration = arguments.duration.0;
    let workload = workload(&arguments.load, duration, ConsumerMode::Normal, |mean_bytes| {
        match (arguments.rate, arguments.closed) {
            (_, true) if !arguments.linger.0.is_zero() => Err(SettingsError::ClosedAndLinger),
            (_, true) => Ok(Offered::Closed),
            (Some(rate), false) => {
                let requests_per_s = requests_per_s(rate, arguments.load.batch, mean_bytes);
                Ok(Offered::Open { requests_per_s, schedule: arguments.schedule, burst: arguments.burst })
            }
            // Nothing is sent, so nothing has to be said about it.
            (None, false) if arguments.load.producers == 0 => Ok(Offered::Closed),
            // Encoded as fast as it goes.
            (None, false) if arguments.null => Ok(Offered::Closed),
            (None, false) => Err(SettingsError::NoRate),
        }
    })?;
    Ok(Workload { linger: arguments.linger.0, ..workload })
}

/// The workload of `loadgen sweep` at its first rate.
pub fn sweep(arguments: &SweepArguments) -> Result<Workload, SettingsError> {
    need_producers(&arguments.load)?;
    let workload = workload(&arguments.load, arguments.duration.0, ConsumerMode::Normal, |mean_bytes| {
        let requests_per_s = requests_per_s(arguments.from, arguments.load.batch, mean_bytes);
        Ok(Offered::Open { requests_per_s, schedule: arguments.schedule, burst: 1 })
    })?;
    Ok(Workload { linger: arguments.linger.0, ..workload })
}

/// The workload of `loadgen backpressure`, for a broker that takes one request a second: [`at_capacity`] makes it one
/// for another; and the capacity in requests a second, if it was given.
pub fn backpressure(arguments: &BackpressureArguments) -> Result<(Workload, Option<f64>), SettingsError> {
    need_producers(&arguments.load)?;
    let overload = Overload {
        normal_per_s: arguments.normal,
        peak_per_s: arguments.multiple,
        before: arguments.before.0,
        ramp: arguments.ramp.0.max(Duration::from_millis(1)),
        hold: arguments.hold.0,
        after: arguments.after.0,
    };
    let (duration, mode) = (overload.end() + overload.after, arguments.consumer_mode);
    let mut mean_bytes = 0.0;
    let workload = workload(&arguments.load, duration, mode, |mean| {
        mean_bytes = mean;
        Ok(Offered::Overload(overload))
    })?;
    if workload.acks == Acks::None {
        return Err(SettingsError::OverloadWithoutAcks);
    }
    let capacity = arguments.capacity.map(|rate| requests_per_s(rate, arguments.load.batch, mean_bytes));
    if let Some(capacity) = capacity {
        at_capacity(&workload, capacity).check()?;
    }
    Ok((workload, capacity))
}

/// The same overload for a broker that takes so many requests a second.
pub fn at_capacity(workload: &Workload, requests_per_s: f64) -> Workload {
    let mut workload = workload.clone();
    if let Offered::Overload(overload) = &mut workload.offered {
        overload.normal_per_s *= requests_per_s;
        overload.peak_per_s *= requests_per_s;
    }
    workload
}

fn need_producers(arguments: &LoadArguments) -> Result<(), SettingsError> {
    if arguments.producers == 0 { Err(SettingsError::NoProducers) } else { Ok(()) }
}

/// What all commands that put load on a broker have in common. `offered` is given the mean length of values.
fn workload(
    arguments: &LoadArguments,
    duration: Duration,
    consumer_mode: ConsumerMode,
    offered: impl FnOnce(f64) -> Result<Offered, SettingsError>,
) -> Result<Workload, SettingsError> {
    let sample = match &arguments.size {
        SizeSpec::Sample(path) => read_sample(path)?,
        _ => Vec::new(),
    };
    let offered = offered(mean_bytes(&arguments.size, &sample))?;
    let workload = Workload {
        brokers: arguments.brokers.clone(),
        topics: Topics {
            name: arguments.topic.clone(),
            count: arguments.topics,
            partitions: arguments.partitions,
            replication_factor: arguments.replication_factor,
        },
        producers: arguments.producers,
        consumers: arguments.consumers,
        group: arguments.group.clone().filter(|_| arguments.consumers > 0),
        consumer_mode,
        is_stamped: arguments.consumers > 0,
        offered,
        size: arguments.size.clone(),
        sample,
        randomness: arguments.randomness,
        keys: arguments.keys,
        batch: arguments.batch,
        linger: Duration::ZERO,
        acks: arguments.acks,
        idempotence: arguments.idempotence,
        compression: arguments.compression,
        in_flight: arguments.in_flight,
        warmup: arguments.warmup.0,
        duration,
        drain: arguments.drain.0,
        seed: arguments.seed,
        cpus: cpus(arguments)?,
    };
    workload.check()?;
    Ok(workload)
}

/// The workload of `loadgen verify`: idempotent, acknowledged by all, and stamped.
pub fn verification(arguments: &VerifyArguments) -> Result<Workload, SettingsError> {
    let offered = match arguments.rate {
        None => Offered::Closed,
        Some(rate) => {
            let requests_per_s = requests_per_s(rate, arguments.batch, mean_bytes(&arguments.size, &[]));
            Offered::Open { requests_per_s, schedule: ScheduleKind::Constant, burst: 1 }
        }
    };
    let workload = Workload {
        brokers: arguments.brokers.clone(),
        topics: Topics {
            name: arguments.topic.clone(),
            count: 1,
            partitions: arguments.partitions,
            replication_factor: arguments.replication_factor,
        },
        producers: arguments.producers,
        consumers: 0,
        group: None,
        consumer_mode: ConsumerMode::Normal,
        is_stamped: true,
        offered,
        size: arguments.size.clone(),
        sample: Vec::new(),
        randomness: 1.0,
        keys: Keys::None,
        batch: arguments.batch,
        linger: Duration::ZERO,
        acks: Acks::All,
        idempotence: true,
        compression: arguments.compression,
        in_flight: 5,
        warmup: Duration::ZERO,
        duration: arguments.duration.0,
        drain: Duration::ZERO,
        seed: arguments.seed,
        cpus: Vec::new(),
    };
    workload.check()?;
    Ok(workload)
}

fn cpus(arguments: &LoadArguments) -> Result<Vec<usize>, SettingsError> {
    let allowed: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    match (&arguments.cpus, arguments.threads) {
        (Some(CpuList(cpus)), _) => match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
            Some(cpu) => Err(SettingsError::CpuNotAllowed { cpu: *cpu, allowed }),
            None => Ok(cpus.clone()),
        },
        (None, Some(threads)) if usize::from(threads) > allowed.len() => {
            Err(SettingsError::TooManyThreads { threads, allowed: allowed.len() })
        }
        (None, Some(threads)) => Ok(allowed[..usize::from(threads)].to_vec()),
        (None, None) => Ok(allowed),
    }
}

fn read_sample(path: &Path) -> Result<Vec<Vec<u8>>, SettingsError> {
    let unreadable = |source| SettingsError::SampleUnreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > SAMPLE_BYTES_MAX.0 {
        return Err(unreadable(std::io::Error::other("it is longer than 1 GiB")));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
    match lines.is_empty() {
        true => Err(SettingsError::SampleEmpty { path: path.to_owned() }),
        false => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::arguments::{Arguments, Command};

    fn resolved(arguments: &[&str]) -> Result<Workload, SettingsError> {
        let arguments = ["loadgen", "run"].iter().chain(arguments);
        let Command::Run(arguments) = Arguments::try_parse_from(arguments).unwrap().command else {
            panic!("run")
        };
        run(&arguments)
    }

    #[test]
    fn rates_become_requests() {
        let requests = |arguments: &[&str]| match resolved(arguments).unwrap().offered {
            Offered::Open { requests_per_s, .. } => requests_per_s,
            _ => 0.0,
        };
        assert_eq!(requests(&["--rate", "50k", "--batch", "100"]), 500.0);
        assert_eq!(requests(&["--rate", "10MB/s", "--size", "1000", "--batch", "10"]), 1000.0);
        assert_eq!(requests(&["--rate", "10MB/s", "--size", "500..1500"]), 10_000.0);
        assert_eq!(requests(&["--closed"]), 0.0);
    }

    #[test]
    fn contradictions_are_refused_with_a_remedy() {
        let error = |arguments: &[&str]| resolved(arguments).unwrap_err().to_string();
        assert!(error(&[]).contains("--rate"));
        assert!(error(&["--rate", "1k", "--producers", "0"]).contains("at least 1"));
        assert!(error(&["--rate", "1k", "--consumers", "1", "--size", "10"]).contains("--size 32 or more"));
        assert!(error(&["--rate", "1k", "--idempotence", "--acks", "1"]).contains("--acks all"));
        assert!(error(&["--rate", "1k", "--idempotence", "--in-flight", "6"]).contains("at most 5"));
        assert!(error(&["--closed", "--acks", "0"]).contains("--closed waits"));
        assert!(error(&["--rate", "999M"]).contains("more than any client sends"));
        assert!(error(&["--rate", "1", "--size", "1GiB"]).contains("limit"));
        assert!(error(&["--rate", "1", "--size", "1MiB", "--batch", "1000"]).contains("lower one of them"));
        assert!(error(&["--rate", "1", "--cpus", "4000"]).contains("CPU 4000"));
        assert!(error(&["--rate", "1", "--size", "file:/nowhere"]).contains("/nowhere"));
        assert!(Arguments::try_parse_from(["loadgen", "run", "--rate", "1", "--closed"]).is_err());
    }

    #[test]
    fn lines_of_a_sample_file_are_values() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sample");
        std::fs::write(&path, "one\n\nthree\n").unwrap();
        let size = format!("file:{}", path.display());
        let workload = resolved(&["--rate", "1", "--size", &size]).unwrap();
        assert_eq!(workload.sample, [b"one".to_vec(), b"three".to_vec()]);
        std::fs::write(&path, "\n").unwrap();
        assert!(resolved(&["--rate", "1", "--size", &size]).unwrap_err().to_string().contains("no lines"));
    }
}
