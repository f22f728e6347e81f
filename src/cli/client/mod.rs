//! The client half of the command line: commands that talk to a cluster, this one or any other that speaks Kafka's
//! protocol, by librdkafka. Nothing outside of this folder knows of librdkafka.
//!
//! To add a command: a file with its arguments, which flatten [`arguments::Connection`], and a `run` that takes them
//! and returns a [`Result`](error::ClientError); a variant of [`commands::ClientCommand`] with an arm in
//! [`commands::run`]. In `run`:
//!
//! - [`cluster::Cluster::connect`] for admin calls: it fails fast, with the reason, if no broker answers. Its methods
//!   are in `native/`, the one place with unsafe code; a call that is missing there is a function like the others.
//! - [`arguments::Connection::client_config`] with [`watch::Watch`] as the context for producers and consumers.
//! - [`output::print`] for the result: a table for people, or the same as JSON. stdout has nothing else.
//! - [`outcomes::Outcomes`] if the command does the same to several things that may fail one by one.
//! - [`confirm::confirm`] before anything is destroyed, [`progress::Progress`] for what may take a second or more.
//! - [`interrupt::Interrupt`] if Ctrl-C should end it in order.
//! - Errors are [`error::ClientError`]: the variant decides the exit status, the text names the remedy.

pub(super) mod arguments;
pub(super) mod cluster;
mod cluster_status;
pub(super) mod commands;
pub(super) mod config;
pub(super) mod confirm;
mod consume;
pub(super) mod error;
mod group;
pub(super) mod interrupt;
pub(super) mod native;
pub(super) mod outcomes;
pub(super) mod output;
mod partitions;
mod position;
mod produce;
pub(super) mod progress;
mod record_json;
mod settings;
mod top;
mod topic;
pub(super) mod watch;
