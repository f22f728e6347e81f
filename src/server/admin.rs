//! The admin port's place in the order of start and stop: it is there before anything is recovered, and until all is
//! stopped.

use super::error::ServeError;
use crate::admin::{AdminConfig, AdminPort, AdminThread};
use crate::config::Config;
use crate::config::address::HostPort;
use crate::runtime::glommio::wall_clock_ms;

/// Opens and serves the port, if there is to be one. `cpu` is one that no shard has.
pub fn open(config: &Config, cpu: Option<usize>) -> Result<Option<AdminThread>, ServeError> {
    let Some(bind) = &config.admin else { return Ok(None) };
    let started_ms = wall_clock_ms();
    let admin = AdminConfig { memory_bytes: config.memory_bytes, started_ms, cpu };
    let thread = listen(bind)?.serve(admin);
    let thread = thread.map_err(|source| ServeError::Thread { what: "the admin port".to_owned(), source })?;
    tracing::info!(address = %thread.address(), "the admin port is open");
    Ok(Some(thread))
}

fn listen(bind: &HostPort) -> Result<AdminPort, ServeError> {
    let port = bind.resolve().and_then(AdminPort::bind);
    port.map_err(|source| ServeError::Admin { bind: bind.clone(), source })
}
