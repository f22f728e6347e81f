//! Lines on their way to stdout, and how far what is there has come: only what was printed may be committed.

use std::collections::BTreeMap;
use std::io::{self, Write};

/// Collects lines, and prints them together.
pub struct Printer<W> {
    out: W,
    buffer: Vec<u8>,
    full_bytes: usize,
    /// By partition, the offset behind the last record in the buffer.
    next_offsets: BTreeMap<i32, i64>,
}

impl<W: Write> Printer<W> {
    /// Prints to `out`; is full at so many bytes.
    pub fn new(out: W, full_bytes: usize) -> Self {
        Self { out, buffer: Vec::new(), full_bytes, next_offsets: BTreeMap::new() }
    }

    /// Adds a record, whose line `append` makes.
    pub fn add(&mut self, partition: i32, offset: i64, append: impl FnOnce(&mut Vec<u8>)) {
        append(&mut self.buffer);
        self.next_offsets.insert(partition, offset + 1);
    }

    /// Whether it is time to print.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= self.full_bytes
    }

    /// Prints what was added. Returns, by partition, the offset behind what has been printed by this.
    pub fn flush(&mut self) -> io::Result<BTreeMap<i32, i64>> {
        let next_offsets = std::mem::take(&mut self.next_offsets);
        let printed = self.out.write_all(&self.buffer).and_then(|()| self.out.flush());
        self.buffer.clear();
        printed.map(|()| next_offsets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_is_reported() {
        let mut printer = Printer::new(Vec::new(), 4);
        printer.add(0, 7, |line| line.extend(b"a\n"));
        assert!(!printer.is_full());
        printer.add(1, 3, |line| line.extend(b"b\n"));
        printer.add(0, 9, |line| line.extend(b"c\n"));
        assert!(printer.is_full());
        assert_eq!(printer.flush().unwrap(), BTreeMap::from([(0, 10), (1, 4)]));
        assert_eq!(printer.flush().unwrap(), BTreeMap::new());
        assert_eq!(printer.out, b"a\nb\nc\n");
    }

    #[test]
    fn what_could_not_be_printed_is_not() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut printer = Printer::new(Gone, 4);
        printer.add(0, 7, |line| line.extend(b"a\n"));
        assert_eq!(printer.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(printer.flush().unwrap().is_empty());
    }
}
