//! Records that lie in several pieces of memory, and are sent from there.

use std::fmt;

use bytes::Bytes;

use super::wire::{Format, Wire};
use super::{DecodeError, Reader, Writer};

/// One value of bytes or records in pieces. Read from the wire, it is one piece.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Pieces(pub Vec<Bytes>);

/// Shows the bytes, not how they are cut.
impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Bytes::from(self.0.concat()).fmt(f)
    }
}

impl Pieces {
    /// Length of all pieces.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        Pieces(vec![bytes])
    }
}

impl Wire for Option<Pieces> {
    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        Ok(Option::<Bytes>::read(reader, format)?.map(Pieces::from))
    }
    fn write(&self, writer: &mut Writer, format: Format) {
        match self {
            Some(pieces) => writer.pieces(&pieces.0, format.is_flexible()),
            None => None::<Bytes>.write(writer, format),
        }
    }
}

#[cfg(any(test, feature = "test-support"))]
impl super::sample::Sample for Pieces {
    fn sample(dice: &mut super::sample::Dice) -> Self {
        Pieces(Vec::sample(dice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_one_value_on_the_wire() {
        for flexible_from in [0, 1] {
            let format = Format::new(0, flexible_from);
            let pieces = Pieces(vec![vec![1; 600].into(), Bytes::from_static(&[2, 3]), vec![4; 700].into()]);
            let encode = |value: &dyn Fn(&mut Writer)| {
                let mut writer = Writer::default();
                value(&mut writer);
                writer.into_chain()
            };
            let sent = encode(&|writer| Some(pieces.clone()).write(writer, format));
            assert_eq!(sent.parts().filter(|part| part.as_ptr() == pieces.0[2].as_ptr()).count(), 1);
            let whole = Bytes::from(pieces.0.concat());
            assert_eq!(
                sent.into_bytes(),
                encode(&|writer| Some(whole.clone()).write(writer, format)).into_bytes()
            );
            assert_eq!((pieces.len(), pieces.is_empty()), (1302, false));
        }
    }
}
