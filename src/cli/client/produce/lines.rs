//! Lines of a stream, as many at a time as are there: a person at a terminal sees every line sent, and a file is
//! read in large pieces.

use std::io::{self, BufRead};

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The stream failed.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// More than the bound without an end.
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
}

/// Takes a stream apart at `\n`.
pub struct Lines<R> {
    reader: R,
    /// The beginning of a line whose end was not read yet.
    begun: Vec<u8>,
    line_bytes_max: usize,
}

impl<R: BufRead> Lines<R> {
    /// Lines of `reader` without their end, of at most so many bytes.
    pub fn new(reader: R, line_bytes_max: usize) -> Self {
        Self { reader, begun: Vec::new(), line_bytes_max }
    }

    /// The next lines, at least one, as far as one read gave them; none at the end. The last line may lack its end.
    pub fn next_lines(&mut self) -> Result<Option<Vec<Vec<u8>>>, LineError> {
        let mut lines = Vec::new();
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            };
            if buffer.is_empty() {
                let last = std::mem::take(&mut self.begun);
                return Ok((!last.is_empty()).then(|| vec![last]));
            }
            let mut taken = 0;
            for piece in buffer.split_inclusive(|byte| *byte == b'\n') {
                let text = piece.strip_suffix(b"\n").unwrap_or(piece);
                if self.begun.len() + text.len() > self.line_bytes_max {
                    break;
                }
                taken += piece.len();
                self.begun.extend_from_slice(text);
                if text.len() < piece.len() {
                    lines.push(std::mem::take(&mut self.begun));
                }
            }
            let is_too_long = taken < buffer.len();
            self.reader.consume(taken);
            // Lines before one that is too long are given out first: it is met again by the next call.
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
            if is_too_long {
                return Err(LineError::TooLong(self.line_bytes_max));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;

    use super::*;

    fn lines(text: &[u8], buffer_bytes: usize, line_bytes_max: usize) -> (Vec<Vec<u8>>, Option<LineError>) {
        let reader = BufReader::with_capacity(buffer_bytes, Cursor::new(text.to_vec()));
        let mut lines = Lines::new(reader, line_bytes_max);
        let mut found = Vec::new();
        loop {
            match lines.next_lines() {
                Ok(Some(more)) => found.extend(more),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error)),
            }
        }
    }

    proptest! {
        #[test]
        fn however_it_is_read(text in "[ab\n]{0,40}", buffer_bytes in 1..20_usize) {
            let expected: Vec<Vec<u8>> = text.split_terminator('\n').map(|line| line.as_bytes().to_vec()).collect();
            let (found, error) = lines(text.as_bytes(), buffer_bytes, 40);
            prop_assert!(error.is_none());
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn too_long_a_line_comes_after_those_before_it() {
        for buffer_bytes in [1, 3, 100] {
            let (found, error) = lines(b"a\nbcd\nefgh\ni\n", buffer_bytes, 3);
            assert_eq!(found, [b"a".to_vec(), b"bcd".to_vec()]);
            assert!(matches!(error, Some(LineError::TooLong(3))), "{buffer_bytes}: {error:?}");
        }
    }
}
