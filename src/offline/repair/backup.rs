//! Copies what a repair will change.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::limits::{BLOCK_BYTES, OFFLINE_READ_BYTES};
use crate::log::LogError;
use crate::log::journal::files;
use crate::log::recovery::{ShardPaths, recoveries_path};
use crate::log::{checkpoint, journal::ring::RingShape};
use crate::offline::error::OfflineError;
use crate::offline::progress::Progress;
use crate::offline::site::Site;
use crate::runtime::{File, OpenMode};

/// The directory of all repairs, below the data directory.
pub(super) const REPAIRS: &str = "repairs";

/// A directory for one repair that is not there yet: named by the time, in ms since 1970.
pub(super) fn directory(site: &Site) -> PathBuf {
    site.data.join(REPAIRS).join(format!("{}", site.runtime.wall_clock_ms()))
}

/// The checkpoints and journal files of a shard, and what is noted of the journal.
pub(super) fn shard_files(paths: &ShardPaths, shape: RingShape) -> Vec<PathBuf> {
    let checkpoints = (0..2).map(|generation| checkpoint::path(&paths.directory, generation));
    let journal = (0..shape.file_count).map(|slot| files::path(&paths.journal_directory, slot));
    let noted = std::iter::once(recoveries_path(&paths.directory));
    checkpoints.chain(noted).chain(journal).collect()
}

/// Copies the files that exist into a new directory, durably, each with the name of its directory before its own.
pub(super) async fn copy_all(
    site: &Site,
    sources: &[PathBuf],
    to: &Path,
    progress: &dyn Progress,
) -> Result<(), OfflineError> {
    let runtime = &site.runtime;
    runtime.create_dir(to).await.map_err(LogError::io(to))?;
    let mut open = Vec::new();
    for source in sources {
        match runtime.open(source, OpenMode::Read).await {
            Ok(file) => {
                let length = file.length().await.map_err(LogError::io(source))?;
                open.push((source, file, length));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(LogError::io(source)(error).into()),
        }
    }
    progress.begin("backup", open.iter().map(|(_, _, length)| length).sum());
    for (source, file, length) in open {
        let target = to.join(name_of(source));
        let copied = runtime.open(&target, OpenMode::Write).await.map_err(LogError::io(&target))?;
        copy(&*file, source, length, &*copied, &target, progress).await?;
    }
    progress.end();
    let repairs = site.data.join(REPAIRS);
    for directory in [to, &repairs, &site.data] {
        runtime.sync_dir(directory).await.map_err(LogError::io(directory))?;
    }
    Ok(())
}

/// The file's name with those of the directory that it is in: both are needed to put it back.
fn name_of(source: &Path) -> String {
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    };
    format!("{}__{}", name(source.parent()), name(Some(source)))
}

async fn copy(
    file: &dyn File,
    source: &Path,
    length: u64,
    copied: &dyn File,
    target: &Path,
    progress: &dyn Progress,
) -> Result<(), OfflineError> {
    let mut position = 0;
    while position < length {
        let want = (length - position).min(OFFLINE_READ_BYTES as u64) as usize;
        let read = file.read_at(position, want.next_multiple_of(BLOCK_BYTES)).await;
        let mut bytes = read.map_err(LogError::io(source))?;
        let got = bytes.len();
        if got == 0 {
            break;
        }
        bytes.pad_to_block();
        let padded = bytes.len();
        copied.write_at(position, bytes.view(0..padded)).await.map_err(LogError::io(target))?;
        position += got as u64;
        progress.advance(got as u64);
    }
    copied.set_length(length).await.map_err(LogError::io(target))?;
    copied.sync().await.map_err(LogError::io(target))?;
    Ok(())
}
