//! Names of directories and files, Kafka's with the topic id added.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::base::ids::{Offset, PartitionId, TopicId};

/// What the files of a segment are called by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SegmentName {
    /// The segment's base offset.
    pub base: Offset,
    /// How often compaction has written anew what stands there: 0 is the segment as it was filled. A file is never
    /// changed into the next generation, which is made beside it.
    pub generation: u32,
}

impl SegmentName {
    /// A segment that no compaction has written.
    pub fn filled(base: Offset) -> Self {
        SegmentName { base, generation: 0 }
    }

    /// A file of it: `BASE.KIND`, or `BASE.GENERATION.KIND` where compaction has written it.
    fn file(self, directory: &Path, kind: &str) -> PathBuf {
        let SegmentName { base, generation } = self;
        directory.join(match generation {
            0 => format!("{base:020}.{kind}"),
            _ => format!("{base:020}.{generation}.{kind}"),
        })
    }
}

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

/// The segment to which a file belongs by its name, whichever of the three kinds it is; `None` for other names.
pub fn segment_of(file: &Path) -> Option<SegmentName> {
    let name = file.file_name()?.to_str()?;
    let (stem, kind) = name.rsplit_once('.')?;
    let (number, generation) = match stem.split_once('.') {
        Some((number, generation)) => (number, generation.parse().ok().filter(|number| *number > 0)?),
        None => (stem, 0),
    };
    let is_ours = number.len() == 20 && ["log", "index", "timeindex"].contains(&kind);
    number.parse().ok().filter(|_| is_ours).map(|base| SegmentName { base, generation })
}

/// A segment's record batches.
pub fn log_file(directory: &Path, segment: SegmentName) -> PathBuf {
    segment.file(directory, "log")
}

/// A sealed segment's index by offset.
pub fn index_file(directory: &Path, segment: SegmentName) -> PathBuf {
    segment.file(directory, "index")
}

/// A sealed segment's index by time.
pub fn time_index_file(directory: &Path, segment: SegmentName) -> PathBuf {
    segment.file(directory, "timeindex")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        let directory = Path::new("/topics/t-0");
        for (name, file) in [
            (SegmentName::filled(7), "00000000000000000007.log"),
            (SegmentName { base: 7, generation: 3 }, "00000000000000000007.3.log"),
        ] {
            assert_eq!(log_file(directory, name), directory.join(file));
            for path in [log_file, index_file, time_index_file].map(|path| path(directory, name)) {
                assert_eq!(segment_of(&path), Some(name));
            }
        }
        for other in
            ["7.log", "00000000000000000007.0.log", "00000000000000000007.log.bak", "partition.metadata"]
        {
            assert_eq!(segment_of(&directory.join(other)), None, "{other}");
        }
    }
}
