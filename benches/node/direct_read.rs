//! What reading the same files costs without a broker.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use corelane::base::buffer::AlignedBuf;

/// The segment files of a topic's partitions, by partition.
pub fn segments(data: &Path, topic: &str, partitions: i32) -> Vec<Vec<PathBuf>> {
    let entries = |path: &Path| fs::read_dir(path).expect("a directory").flatten().map(|entry| entry.path());
    let of_partition = |partition| {
        let prefix = format!("{topic}-{partition}.");
        let is_it =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
        let directory = entries(&data.join("topics")).find(is_it).expect("the partition was written");
        let mut files: Vec<_> =
            entries(&directory).filter(|path| path.extension().is_some_and(|it| it == "log")).collect();
        files.sort();
        files
    };
    (0..partitions).map(of_partition).collect()
}

/// Reads files one after the other, past the page cache; the number of bytes.
pub fn read_all(files: &[PathBuf], read_bytes: usize) -> u64 {
    let parts: Vec<_> = files.iter().map(|path| (path.clone(), u64::MAX)).collect();
    read_parts(&parts, read_bytes)
}

/// The same up to some position in each, or a little beyond.
pub fn read_parts(parts: &[(PathBuf, u64)], read_bytes: usize) -> u64 {
    let mut memory = AlignedBuf::with_capacity(read_bytes);
    memory.append_zeros(read_bytes);
    let memory = memory.as_mut_slice().expect("nobody else has it");
    let mut total = 0;
    for (path, end) in parts {
        let file =
            OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path).expect("it is there");
        let mut position = 0;
        while position < *end {
            let count = file.read_at(memory, position).expect("the disk works");
            position += count as u64;
            if count < read_bytes {
                break;
            }
        }
        total += position;
    }
    total
}
