//! Arbitrary messages for tests. Every struct of the `api!` macro is a [`Sample`]; the choices come from bytes, so
//! that proptest can shrink them and a seed can replay them.

use std::rc::Rc;

use bytes::Bytes;

use crate::base::ids::TopicId;

use super::{ErrorCode, Float64};

/// Values that mean something to whoever the messages are for. Of a kind of which there are some, most samples are
/// among them, and with any at all, most numbers are small: so messages get further than the first look-up.
#[derive(Debug, Default)]
pub struct Vocabulary {
    /// Names and values.
    pub strings: Vec<String>,
    /// Topics.
    pub topic_ids: Vec<TopicId>,
    /// Record batches.
    pub payloads: Vec<Bytes>,
}

impl Vocabulary {
    fn is_empty(&self) -> bool {
        self.strings.is_empty() && self.topic_ids.is_empty() && self.payloads.is_empty()
    }
}

/// A source of choices. When it runs dry, every further choice is the smallest one.
pub struct Dice {
    bytes: std::vec::IntoIter<u8>,
    vocabulary: Rc<Vocabulary>,
}

impl Dice {
    /// These choices; values are arbitrary.
    pub fn new(bytes: Vec<u8>) -> Self {
        Dice::speaking(bytes, Rc::default())
    }

    /// These choices, with values that mean something.
    pub fn speaking(bytes: Vec<u8>, vocabulary: Rc<Vocabulary>) -> Self {
        Dice { bytes: bytes.into_iter(), vocabulary }
    }

    /// Three times out of four one of `known`, if there are any.
    fn known<T: Clone>(&mut self, known: impl FnOnce(&Vocabulary) -> &[T]) -> Option<T> {
        let vocabulary = Rc::clone(&self.vocabulary);
        let known = known(&vocabulary);
        if known.is_empty() || self.below(4) == 0 {
            return None;
        }
        Some(known[usize::from(self.byte()) % known.len()].clone())
    }

    /// A number from 0 to 2, three times out of four, if there is a vocabulary.
    fn small(&mut self) -> Option<i8> {
        let is_small = !self.vocabulary.is_empty() && self.below(4) != 0;
        is_small.then(|| self.below(3) as i8)
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
    /// One of them.
    fn sample(dice: &mut Dice) -> Self;
}

macro_rules! sample_integers {
    ($($ty:ty),*) => {
        $(
            impl Sample for $ty {
                fn sample(dice: &mut Dice) -> Self {
                    if let Some(small) = dice.small() {
                        return <$ty>::from(small);
                    }
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

impl Sample for Float64 {
    fn sample(dice: &mut Dice) -> Self {
        Float64::from_bits(i64::sample(dice) as u64)
    }
}

impl Sample for bool {
    fn sample(dice: &mut Dice) -> Self {
        dice.below(2) == 1
    }
}

impl Sample for TopicId {
    fn sample(dice: &mut Dice) -> Self {
        if let Some(known) = dice.known(|vocabulary| &vocabulary.topic_ids) {
            return known;
        }
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
        if let Some(known) = dice.known(|vocabulary| &vocabulary.strings) {
            return known;
        }
        // 140 bytes take a compact length of two bytes.
        let length = if dice.below(16) == 15 { 140 } else { dice.below(12) };
        (0..length).map(|_| char::from(b'a' + dice.below(26))).collect()
    }
}

impl Sample for Bytes {
    fn sample(dice: &mut Dice) -> Self {
        if let Some(known) = dice.known(|vocabulary| &vocabulary.payloads) {
            return known;
        }
        let (length, fill) = (usize::from(dice.byte()) * usize::from(dice.below(8)), dice.byte());
        vec![fill; length].into()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(dice: &mut Dice) -> Self {
        let nulls_of_four = if dice.vocabulary.is_empty() { 1 } else { 2 };
        (dice.below(4) >= nulls_of_four).then(|| T::sample(dice))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(dice: &mut Dice) -> Self {
        (0..dice.below(4)).map(|_| T::sample(dice)).collect()
    }
}
