//! The assembly of a broker, its ordered start and stop.

mod layout;
#[cfg(test)]
mod layout_tests;

use thiserror::Error;

use crate::config::Config;

/// Why a broker stopped other than by a signal.
#[derive(Debug, Error)]
pub enum ServeError {
    /// This build has no layers to assemble yet.
    #[error("this build cannot serve node {0} yet")]
    NotAssembled(crate::base::ids::NodeId),
}

/// Runs a broker until SIGTERM or SIGINT.
pub fn run(config: Config) -> Result<(), ServeError> {
    Err(ServeError::NotAssembled(config.node_id))
}
