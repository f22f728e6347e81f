//! Names of directories and files, Kafka's with the topic id added.

use std::path::{Path, PathBuf};

use crate::base::ids::{Offset, PartitionId};

/// The directory of all partitions.
pub fn topics_directory(data_directory: &Path) -> PathBuf {
    data_directory.join("topics")
}

/// A partition's directory below the data directory. Topic names are safe as file names by Kafka's rules; the
/// id keeps a topic apart from its namesakes before and after.
pub fn partition_directory(data_directory: &Path, topic_name: &str, id: PartitionId) -> PathBuf {
    topics_directory(data_directory).join(format!("{topic_name}-{}.{}", id.index, id.topic))
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
