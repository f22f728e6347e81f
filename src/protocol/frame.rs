//! The frame around every request and response: its length in four bytes, big-endian and signed, then that many
//! bytes.

use thiserror::Error;

/// Bytes of the length in front of a frame.
pub const LENGTH_BYTES: usize = 4;

/// The shortest request: API key, version and correlation id.
pub const REQUEST_BYTES_MIN: usize = 8;

/// The shortest response: a correlation id.
pub const RESPONSE_BYTES_MIN: usize = 4;

/// A frame's length that is refused before a byte of the frame is read. The connection must close: where the
/// next frame starts is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FrameError {
    /// The length is negative.
    #[error("frame of negative length {0}")]
    Negative(i32),
    /// The frame cannot hold a header.
    #[error("frame of {length} bytes, at least {min} make a header")]
    TooShort {
        /// Bytes announced.
        length: usize,
        /// Bytes of the shortest header.
        min: usize,
    },
    /// The frame exceeds the limit for frames.
    #[error("frame of {length} bytes exceeds the limit of {max}")]
    TooLong {
        /// Bytes announced.
        length: usize,
        /// Bytes allowed.
        max: usize,
    },
}

/// The number of bytes that follow `prefix`, if it lies between `min` ([`REQUEST_BYTES_MIN`] or
/// [`RESPONSE_BYTES_MIN`]) and `max`.
pub fn frame_length(prefix: [u8; LENGTH_BYTES], min: usize, max: usize) -> Result<usize, FrameError> {
    let announced = i32::from_be_bytes(prefix);
    let length = usize::try_from(announced).map_err(|_| FrameError::Negative(announced))?;
    if length < min {
        return Err(FrameError::TooShort { length, min });
    }
    if length > max {
        return Err(FrameError::TooLong { length, max });
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_out_of_bounds_are_refused() {
        let length = |announced: i32| frame_length(announced.to_be_bytes(), REQUEST_BYTES_MIN, 1000);
        assert_eq!(length(8), Ok(8));
        assert_eq!(length(1000), Ok(1000));
        assert_eq!(length(0), Err(FrameError::TooShort { length: 0, min: 8 }));
        assert_eq!(length(7), Err(FrameError::TooShort { length: 7, min: 8 }));
        assert_eq!(length(1001), Err(FrameError::TooLong { length: 1001, max: 1000 }));
        assert_eq!(length(-1), Err(FrameError::Negative(-1)));
        assert_eq!(length(i32::MIN), Err(FrameError::Negative(i32::MIN)));
        // A browser that speaks HTTP to the port announces over a gigabyte.
        assert!(matches!(frame_length(*b"GET ", 8, 1 << 20), Err(FrameError::TooLong { .. })));
    }
}
