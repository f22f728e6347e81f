//! `corelane serve`: everything between a configuration and the server.

use rustix::system::uname;
use thiserror::Error;
use tracing::{error, info, warn};

use super::logging;
use crate::config::{Config, Machine};
use crate::server::{self, ServeError};
use crate::startup::{self, Passed, Problem, Problems, endpoints, notify};

/// Why serving ended other than by a signal.
#[derive(Debug, Error)]
pub enum Failure {
    /// The machine, the directories or the ports do not allow it.
    #[error("{0}")]
    StartUp(#[from] Problems),
    /// The server failed.
    #[error("{0}")]
    Server(#[from] ServeError),
}

/// Runs the broker until it is told to stop. What is wrong is logged here.
pub fn serve(config: Config, machine: &Machine) -> Result<(), Failure> {
    logging::start(&config.log_filter, config.log_format);
    logging::end_at_panics();
    let result = start_and_run(config, machine);
    if let Err(failure) = &result {
        notify::doing(&format!("failed: {failure}"));
    }
    match &result {
        Ok(()) => {}
        Err(Failure::StartUp(Problems(problems))) => {
            problems.iter().for_each(|problem| error!("cannot start: {problem}"));
        }
        Err(Failure::Server(failure)) => error!("{failure}"),
    }
    result
}

fn start_and_run(config: Config, machine: &Machine) -> Result<(), Failure> {
    let Passed { warnings, locks: _held_while_serving } = startup::check(&config, machine)?;
    for warning in warnings {
        warn!("{warning}");
    }
    endpoints::withdraw(&config.data_dir).map_err(|source| unwritable(&config, source))?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        kernel = %uname().release().to_string_lossy(),
        node_id = config.node_id.0,
        shards = config.shards(),
        memory_bytes = config.memory_bytes,
        data_dir = %config.data_dir.display(),
        "starting"
    );
    info!(journal_bytes = config.journal_bytes, budgets = ?config.budgets, "each shard");
    Ok(server::run(config, machine)?)
}

fn unwritable(config: &Config, source: std::io::Error) -> Problems {
    Problems(vec![Problem::Directory { key: "data.dir", path: config.data_dir.clone(), source }])
}
