//! How values become bytes: one byte of format version, then an rkyv archive, little-endian. Bytes are validated before
//! anything is made of them, and nothing is allocated beyond a small multiple of their length.

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Error;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize};

/// The bytes of a value.
pub(super) fn seal<T>(version: u8, value: &T) -> Vec<u8>
where
    T: for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, Error>>,
{
    let archive = rkyv::to_bytes::<Error>(value).expect("memory is the only limit");
    let mut bytes = Vec::with_capacity(1 + archive.len());
    bytes.push(version);
    bytes.extend_from_slice(&archive);
    bytes
}

/// The value of [`seal`]ed bytes; `None` if they are of another version, or damaged.
pub(super) fn open<T>(version: u8, bytes: &[u8]) -> Option<T>
where
    T: Archive,
    T::Archived: for<'a> CheckBytes<HighValidator<'a, Error>> + Deserialize<T, HighDeserializer<Error>>,
{
    let (found, archive) = bytes.split_first()?;
    if *found != version {
        return None;
    }
    // Archives are read at an alignment that bytes from a socket or a database do not have.
    let mut aligned = AlignedVec::<16>::with_capacity(archive.len());
    aligned.extend_from_slice(archive);
    rkyv::from_bytes::<T, Error>(&aligned).ok()
}
