//! Names of directories and files, Kafka's with the topic id added.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::base::ids::{Offset, PartitionId, TopicId};

/// The directory of all partitions.
pub fn topics_directory(data_directory: &Path) -> PathBuf {
    data_directory.join("topics")
}

/// A partition's directory below the data directory. Topic names are safe as file names by Kafka's rules; the
/// id keeps a topic apart from its namesakes before and after.
pub fn partition_directory(data_directory: &Path, topic_name: &str, id: PartitionId) -> PathBuf {
    topics_directory(data_directory).join(format!("{topic_name}-{}.{}", id.index, id.topic))
}

/// The partition whose directory has this path; `None` if it is no partition's.
pub fn partition_of(directory: &Path) -> Option<PartitionId> {
    let (name_and_index, topic) = directory.file_name()?.to_str()?.rsplit_once('.')?;
    let (_, index) = name_and_index.rsplit_once('-')?;
    Some(PartitionId { topic: TopicId(Uuid::try_parse(topic).ok()?), index: index.parse().ok()? })
}

/// The base offset in the name of a segment's file, of whichever of the three kinds; `None` for other names.
pub fn base_offset_of(file: &Path) -> Option<Offset> {
    let name = file.file_name()?.to_str()?;
    let (number, kind) = name.split_once('.')?;
    let is_ours = number.len() == 20 && ["log", "index", "timeindex"].contains(&kind);
    number.parse().ok().filter(|_| is_ours)
}

/// A segment's record batches.
pub fn log_file(directory: &Path, base_offset: Offset) -> PathBuf {
    directory.join(format!("{base_offset:020}.log"))
}

/// A sealed segment's index by offset.
pub fn index_file(directory: &Path, base_offset: Offset) -> PathBuf {
    directory.join(format!("{base_offset:020}.index"))
}

/// A sealed segment's index by time.
pub fn time_index_file(directory: &Path, base_offset: Offset) -> PathBuf {
    directory.join(format!("{base_offset:020}.timeindex"))
}
