//! What both disks check and say in the same words: the rules of direct I/O, and errors that name the file.

use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::base::limits::BLOCK_BYTES;

/// Refuses a write that direct I/O cannot do: unaligned position, length or memory, or no bytes at all.
pub(super) fn check_write(position: u64, bytes: &Bytes) -> io::Result<()> {
    let memory = bytes.as_ptr() as usize;
    check("write", position, bytes.len())?;
    if !memory.is_multiple_of(BLOCK_BYTES) {
        return Err(invalid(format!(
            "write from memory at {memory:#x} that is not aligned to {BLOCK_BYTES}"
        )));
    }
    Ok(())
}

/// Refuses a read that direct I/O cannot do: unaligned position or length, or no bytes at all.
pub(super) fn check_read(position: u64, length: usize) -> io::Result<()> {
    check("read", position, length)
}

fn check(what: &str, position: u64, length: usize) -> io::Result<()> {
    let aligned = position.is_multiple_of(BLOCK_BYTES as u64) && length.is_multiple_of(BLOCK_BYTES);
    if !aligned || length == 0 {
        return Err(invalid(format!(
            "{what} of {length} bytes at {position}: not whole blocks of {BLOCK_BYTES}"
        )));
    }
    if position.checked_add(length as u64).is_none_or(|end| end > i64::MAX as u64) {
        return Err(invalid(format!("{what} of {length} bytes at {position}: beyond the largest file")));
    }
    Ok(())
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// The error with what was tried and on which path. Keeps the kind, so that callers can still match on it.
pub(super) fn name_path(what: &str, path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::buffer::AlignedBuf;

    #[test]
    fn only_whole_aligned_blocks_pass() {
        let mut buffer = AlignedBuf::with_capacity(2 * BLOCK_BYTES);
        buffer.append_zeros(2 * BLOCK_BYTES);
        let block = BLOCK_BYTES as u64;
        assert!(check_write(3 * block, &buffer.view(0..BLOCK_BYTES)).is_ok());
        for (position, range) in [
            (1, 0..BLOCK_BYTES),
            (0, 0..BLOCK_BYTES - 1),
            (0, 1..1 + BLOCK_BYTES),
            (0, 0..0),
            (u64::MAX - block + 1, 0..BLOCK_BYTES),
        ] {
            let error = check_write(position, &buffer.view(range)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        assert!(check_read(0, BLOCK_BYTES).is_ok());
        assert!(check_read(0, 0).is_err());
        assert!(check_read(512, BLOCK_BYTES).is_err());
    }
}
