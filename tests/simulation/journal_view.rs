//! A look at journal files from outside, by the bytes that docs/journal-format.md describes.

const MAGIC: &[u8] = b"CLJ1";

/// A group in a journal file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    pub position: u64,
    pub is_start: bool,
    pub recovery_count: u64,
    pub sequence: u64,
    pub durable_through: u64,
}

/// Everything in a journal file that begins as a group does.
pub fn groups(file: &[u8]) -> Vec<Found> {
    let u64_at = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().expect("8 bytes"));
    let starts = (0..file.len()).step_by(4096).filter(|&at| file[at..].starts_with(MAGIC));
    starts
        .map(|at| Found {
            position: at as u64,
            is_start: file[at + 6] == 1,
            recovery_count: u64_at(at + 24),
            sequence: u64_at(at + 32),
            durable_through: u64_at(at + 40),
        })
        .collect()
}

/// Whether a recovery has cut off what was known to be durable: it began its count behind a group that an earlier one
/// had named as durable. `before` and `after` are the groups of one journal, before and after the recovery.
pub fn has_cut_durable(before: &[Found], after: &[Found]) -> bool {
    let start = after.iter().find(|group| group.is_start && !before.contains(group));
    // Groups of an older count may be what an earlier recovery has cut off.
    start.is_some_and(|start| {
        let speaks = |group: &&Found| group.recovery_count + 1 >= start.recovery_count;
        before.iter().filter(speaks).any(|group| group.durable_through >= start.sequence)
    })
}
