//! What control asks of whatever keeps the metadata.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::cluster::{Change, Image, METADATA_FORMAT_OF_CLUSTERS};
use crate::quorum::Rejection;

/// What a commit may do to a disk that is nearly full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Space {
    /// It is refused: it would make things worse.
    Spend,
    /// It may use the ballast: without it space never comes back.
    Essential,
}

/// A durable set of records.
pub trait MetadataStore: Send {
    /// The image that the records make.
    fn load(&self) -> Result<Image, StoreError>;

    /// Makes all of `changes` durable, or none. After any error but [`StoreError::DiskFull`] and
    /// [`StoreError::TooLong`] nobody knows which, until the store is opened anew.
    fn commit(&mut self, changes: &[Change], space: Space) -> Result<(), StoreError>;
}

/// Why the metadata cannot be read or changed.
#[derive(Error, Debug)]
pub enum StoreError {
    /// It was there and is not.
    #[error(
        "the metadata store {} is missing, and without it the topics' data has no names: restore the whole data \
         directory from one backup, or remove it whole to start empty",
        path.display()
    )]
    Missing {
        /// The store.
        path: PathBuf,
    },
    /// It is not what was written.
    #[error(
        "the metadata store {} is damaged ({detail}): restore the whole data directory from one backup",
        path.display()
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Its node belongs to a quorum of several, and is started as if it was alone.
    #[error(
        "the metadata store {} is that of a node among others: start with the `voters` and the `cluster.listen` of its \
         cluster",
        path.display()
    )]
    OfSeveral {
        /// The store.
        path: PathBuf,
    },
    /// Other software wrote it.
    #[error(
        "the metadata store {} has format {found}, and this corelane reads up to {METADATA_FORMAT_OF_CLUSTERS}: start the \
         version that wrote it, or a later one",
        path.display()
    )]
    OtherFormat {
        /// The store.
        path: PathBuf,
        /// The format that it says it has.
        found: u32,
    },
    /// The disk has no room; nothing was changed.
    #[error(
        "the disk of {} has {free_bytes} bytes left and this change may need {needed_bytes}: delete topics, or \
         make room",
        path.display()
    )]
    DiskFull {
        /// The store.
        path: PathBuf,
        /// Bytes left.
        free_bytes: u64,
        /// Bytes that the change may need.
        needed_bytes: u64,
    },
    /// It is too much for one proposal; nothing was changed.
    #[error("this changes {bytes} bytes of metadata at once, which is too much: ask for less in one request")]
    TooLong {
        /// Bytes of the changed records.
        bytes: u64,
    },
    /// The quorum did not take the change.
    #[error("the quorum of the metadata store {} did not take a change: {why:?}", path.display())]
    Rejected {
        /// The store.
        path: PathBuf,
        /// What it says.
        why: Rejection,
    },
    /// The system refused.
    #[error("cannot use the metadata store {}: {source}", path.display())]
    Io {
        /// The store.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database refused.
    #[error("the metadata store {} failed: {source}", path.display())]
    Database {
        /// The store.
        path: PathBuf,
        /// What it says.
        source: Box<redb::Error>,
    },
}
