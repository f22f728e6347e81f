//! Arbitrary messages for tests. Every struct of the `api!` macro is a [`Sample`]; the choices come from bytes, so
//! that proptest can shrink them and a seed can replay them.

use bytes::Bytes;

use crate::base::ids::TopicId;

use super::ErrorCode;

/// A source of choices. When it runs dry, every further choice is the smallest one.
pub struct Dice {
    bytes: std::vec::IntoIter<u8>,
}

impl Dice {
    pub fn new(bytes: Vec<u8>) -> Self {
        Dice { bytes: bytes.into_iter() }
    }

    fn byte(&mut self) -> u8 {
        self.bytes.next().unwrap_or(0)
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }
}

/// A type with arbitrary values.
pub trait Sample {
    fn sample(dice: &mut Dice) -> Self;
}

macro_rules! sample_integers {
    ($($ty:ty),*) => {
        $(
            impl Sample for $ty {
                fn sample(dice: &mut Dice) -> Self {
                    match dice.below(8) {
                        0 => 0,
                        1 => -1,
                        2 => <$ty>::MAX,
                        3 => <$ty>::MIN,
                        4 => <$ty>::from(dice.byte() as i8),
                        _ => <$ty>::from_be_bytes(dice.array()),
                    }
                }
            }
        )*
    };
}

sample_integers! { i8, i16, i32, i64 }

impl Sample for bool {
    fn sample(dice: &mut Dice) -> Self {
        dice.below(2) == 1
    }
}

impl Sample for TopicId {
    fn sample(dice: &mut Dice) -> Self {
        if dice.below(4) == 0 { TopicId::ZERO } else { TopicId::from_bytes(dice.array()) }
    }
}

impl Sample for ErrorCode {
    fn sample(dice: &mut Dice) -> Self {
        ErrorCode::ALL[usize::from(dice.byte()) % ErrorCode::ALL.len()]
    }
}

impl Sample for String {
    fn sample(dice: &mut Dice) -> Self {
        // 140 bytes take a compact length of two bytes.
        let length = if dice.below(16) == 15 { 140 } else { dice.below(12) };
        (0..length).map(|_| char::from(b'a' + dice.below(26))).collect()
    }
}

impl Sample for Bytes {
    fn sample(dice: &mut Dice) -> Self {
        let (length, fill) = (usize::from(dice.byte()) * usize::from(dice.below(8)), dice.byte());
        vec![fill; length].into()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(dice: &mut Dice) -> Self {
        (dice.below(4) != 0).then(|| T::sample(dice))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(dice: &mut Dice) -> Self {
        (0..dice.below(4)).map(|_| T::sample(dice)).collect()
    }
}
