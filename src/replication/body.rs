//! What follows the header of a frame. Written into one buffer, to be sent with the records beside it; read where it
//! lies, without a copy and without memory of its own.

use rkyv::api::high::{HighSerializer, HighValidator, to_bytes_in};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Error;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Portable, Serialize};

use super::frame::{ARCHIVE_ALIGN_BYTES, Address, FRAME_HEADER_BYTES, FrameError, FrameHeader, FrameKind};
use super::wire::{Answers, ArchivedAnswers, ArchivedPush, Entry, Push};
use crate::base::limits::{
    REPLICATION_ARCHIVE_BYTES_MAX, REPLICATION_ENTRIES_MAX, REPLICATION_RECORDS_BYTES_MAX,
};

/// Writes header and archive of a push into `buffer`, in place of what it held. The entries' records are to be sent
/// behind it, in order, as they are.
pub fn encode_push(address: Address, push: &Push, buffer: AlignedVec) -> AlignedVec {
    let most = push.entries.len().max(push.reconciles.len()).max(push.marks.len());
    assert!(most <= REPLICATION_ENTRIES_MAX, "frames are cut before they are that full");
    let records_bytes: usize = push.entries.iter().map(|entry| entry.bytes as usize).sum();
    assert!(records_bytes <= REPLICATION_RECORDS_BYTES_MAX, "frames are cut before they are that long");
    encode(address, FrameKind::Push, push, records_bytes, buffer)
}

/// Writes a frame with answers into `buffer`, in place of what it held.
pub fn encode_answers(address: Address, answers: &Answers, buffer: AlignedVec) -> AlignedVec {
    let most = answers.acks.len().max(answers.resumes.len());
    assert!(most <= REPLICATION_ENTRIES_MAX, "frames are cut before they are that full");
    encode(address, FrameKind::Answers, answers, 0, buffer)
}

fn encode<T>(
    address: Address,
    kind: FrameKind,
    value: &T,
    records_bytes: usize,
    mut buffer: AlignedVec,
) -> AlignedVec
where
    T: for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, Error>>,
{
    buffer.clear();
    buffer.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    let mut frame = to_bytes_in::<AlignedVec, Error>(value, buffer).expect("memory is the only limit");
    let archive = &frame[FRAME_HEADER_BYTES..];
    let archive_bytes = archive.len();
    assert!(archive_bytes <= REPLICATION_ARCHIVE_BYTES_MAX, "bounded by the number of entries");
    let archive_checksum = crc32fast::hash(archive);
    let header = FrameHeader { address, kind, archive_bytes, records_bytes, archive_checksum };
    frame[..FRAME_HEADER_BYTES].copy_from_slice(&header.encode());
    frame
}

/// A push where it lies.
#[derive(Clone, Copy)]
pub struct PushView<'a> {
    archive: &'a ArchivedPush,
    records: &'a [u8],
}

impl<'a> PushView<'a> {
    /// Reads the body of this header's frame. All of it is checked here, records included.
    pub fn open(header: &FrameHeader, body: &'a [u8]) -> Result<Self, FrameError> {
        let (archive, records) = open::<ArchivedPush>(header, FrameKind::Push, body)?;
        let most = archive.entries.len().max(archive.reconciles.len()).max(archive.marks.len());
        if most > REPLICATION_ENTRIES_MAX {
            return Err(FrameError::TooMany);
        }
        let view = PushView { archive, records };
        view.check_entries()?;
        Ok(view)
    }

    fn check_entries(&self) -> Result<(), FrameError> {
        let mut rest = self.records;
        for entry in self.archive.entries.iter() {
            let entry = entry.to_entry();
            let (records, behind) = rest.split_at_checked(entry.bytes as usize).ok_or(FrameError::Invalid)?;
            if records.is_empty() || entry.base_offset < 0 || entry.end_offset <= entry.base_offset {
                return Err(FrameError::Invalid);
            }
            if crc32fast::hash(records) != entry.checksum {
                return Err(FrameError::Damaged);
            }
            rest = behind;
        }
        if rest.is_empty() { Ok(()) } else { Err(FrameError::Invalid) }
    }

    /// The archive, for its reconciles and marks.
    pub fn archive(&self) -> &'a ArchivedPush {
        self.archive
    }

    /// The entries, each with its records.
    pub fn entries(&self) -> impl Iterator<Item = (Entry, &'a [u8])> + use<'a> {
        let mut rest = self.records;
        self.archive.entries.iter().map(move |entry| {
            let entry = entry.to_entry();
            let (records, behind) = rest.split_at(entry.bytes as usize);
            rest = behind;
            (entry, records)
        })
    }
}

/// Answers where they lie.
#[derive(Clone, Copy)]
pub struct AnswersView<'a> {
    archive: &'a ArchivedAnswers,
}

impl<'a> AnswersView<'a> {
    /// Reads the body of this header's frame.
    pub fn open(header: &FrameHeader, body: &'a [u8]) -> Result<Self, FrameError> {
        let (archive, records) = open::<ArchivedAnswers>(header, FrameKind::Answers, body)?;
        if !records.is_empty() {
            return Err(FrameError::Invalid);
        }
        if archive.acks.len().max(archive.resumes.len()) > REPLICATION_ENTRIES_MAX {
            return Err(FrameError::TooMany);
        }
        Ok(AnswersView { archive })
    }

    /// The archive.
    pub fn archive(&self) -> &'a ArchivedAnswers {
        self.archive
    }
}

/// The archive of a body, validated, and the records behind it.
fn open<'a, T>(header: &FrameHeader, kind: FrameKind, body: &'a [u8]) -> Result<(&'a T, &'a [u8]), FrameError>
where
    T: Portable + for<'b> CheckBytes<HighValidator<'b, Error>>,
{
    if header.kind != kind {
        return Err(FrameError::OtherKind(header.kind.code()));
    }
    if body.len() != header.body_bytes() {
        return Err(FrameError::Damaged);
    }
    if !body.as_ptr().addr().is_multiple_of(ARCHIVE_ALIGN_BYTES) {
        return Err(FrameError::Misaligned);
    }
    let (archive, records) = body.split_at(header.archive_bytes);
    if crc32fast::hash(archive) != header.archive_checksum {
        return Err(FrameError::Damaged);
    }
    let value = rkyv::access::<T, Error>(archive).map_err(|_| FrameError::Invalid)?;
    Ok((value, records))
}
