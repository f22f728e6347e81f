//! DATA_DIR/repairs/repairs.log: a JSON object on a line for every repair when it begins and when it has ended. Replaced
//! as a whole, so that it is whole after a crash.

use std::io;

use serde::Serialize;

use super::Repair;
use super::backup::REPAIRS;
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{BLOCK_BYTES, REPAIR_LOG_BYTES_MAX};
use crate::log::LogError;
use crate::offline::error::OfflineError;
use crate::offline::site::Site;
use crate::runtime::OpenMode;

const NAME: &str = "repairs.log";

#[derive(Serialize)]
struct Line<'a> {
    time_ms: i64,
    version: &'static str,
    step: &'static str,
    #[serde(flatten)]
    repair: &'a Repair,
}

/// Notes a step of a repair, durably.
pub(super) async fn note(site: &Site, step: &'static str, repair: &Repair) -> Result<(), OfflineError> {
    let time_ms = site.runtime.wall_clock_ms();
    let line = Line { time_ms, version: env!("CARGO_PKG_VERSION"), step, repair };
    let mut line = serde_json::to_vec(&line).expect("plain data");
    line.push(b'\n');
    let mut content = read(site).await?;
    content.extend(line);
    // The oldest lines go.
    while content.len() > REPAIR_LOG_BYTES_MAX {
        let first = content.iter().position(|byte| *byte == b'\n').map_or(content.len(), |at| at + 1);
        if first == content.len() {
            break;
        }
        content.drain(..first);
    }
    replace(site, &content).await
}

async fn read(site: &Site) -> Result<Vec<u8>, OfflineError> {
    let path = site.data.join(REPAIRS).join(NAME);
    let file = match site.runtime.open(&path, OpenMode::Read).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LogError::io(&path)(error).into()),
    };
    let length = file.length().await.map_err(LogError::io(&path))?;
    let length = (length as usize).clamp(1, 2 * REPAIR_LOG_BYTES_MAX).next_multiple_of(BLOCK_BYTES);
    Ok(file.read_at(0, length).await.map_err(LogError::io(&path))?.as_slice().to_vec())
}

async fn replace(site: &Site, content: &[u8]) -> Result<(), OfflineError> {
    let runtime = &site.runtime;
    let directory = site.data.join(REPAIRS);
    let (path, new) = (directory.join(NAME), directory.join("repairs.tmp"));
    let mut blocks = AlignedBuf::with_capacity(content.len());
    blocks.append(content);
    blocks.pad_to_block();
    let file = runtime.open(&new, OpenMode::Write).await.map_err(LogError::io(&new))?;
    file.write_at(0, blocks.view(0..blocks.len())).await.map_err(LogError::io(&new))?;
    file.set_length(content.len() as u64).await.map_err(LogError::io(&new))?;
    file.sync().await.map_err(LogError::io(&new))?;
    runtime.rename(&new, &path).await.map_err(LogError::io(&path))?;
    runtime.sync_dir(&directory).await.map_err(LogError::io(&directory))?;
    Ok(())
}
