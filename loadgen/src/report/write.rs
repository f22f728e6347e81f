//! The files of a report.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;
use thiserror::Error;

use super::Report;
use super::distribution::hgrm;
use super::html::page;
use super::model::FORMAT;
use crate::measure::Latencies;

/// A report that cannot be written or read.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A file or directory that cannot be written.
    #[error("cannot write {}: {source}; give --report a directory that can be written", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A report that cannot be read.
    #[error("cannot read {}: {source}; give a directory that --report wrote", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is no report.
    #[error("{} is no report: {source}", path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A report of another version.
    #[error("{} has format {found}, this program reads {FORMAT}; read it with the version that wrote it", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// Makes sure that a directory for a report is there and can be written to.
pub fn make_directory(directory: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(directory)
        .and_then(|()| Ok(rustix::fs::access(directory, rustix::fs::Access::WRITE_OK)?))
        .map_err(|source| ReportError::Write { path: directory.to_owned(), source })
}

/// Writes all files of a report into `directory`, which is created if it is not there.
pub fn write_report(directory: &Path, report: &Report, latencies: &Latencies) -> Result<(), ReportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReportError::Write { path, source }
    };
    make_directory(directory)?;
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        fs::write(&path, text).map_err(failed(&path))
    };
    let json = serde_json::to_string_pretty(report).expect("a report has text keys only");
    write("report.json", json + "\n")?;
    write("report.html", page(report))?;
    let histograms: [(&str, &Histogram<u64>); 4] = [
        ("response", &latencies.response),
        ("service", &latencies.service),
        ("send_delay", &latencies.send_delay),
        ("end_to_end", &latencies.end_to_end),
    ];
    for (name, histogram) in histograms.into_iter().filter(|(_, histogram)| !histogram.is_empty()) {
        write(&format!("{name}.hgrm"), hgrm(histogram))?;
    }
    Ok(())
}

/// Reads the report in a directory, or the file itself.
pub fn read_report(path: &Path) -> Result<Report, ReportError> {
    let path = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ReportError::Read { path, source }),
    };
    match serde_json::from_str::<Report>(&text) {
        Ok(report) if report.format == FORMAT => Ok(report),
        Ok(Report { format: found, .. }) => Err(ReportError::Format { path, found }),
        Err(source) => Err(ReportError::NotAReport { path, source }),
    }
}
