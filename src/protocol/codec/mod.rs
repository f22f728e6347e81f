//! Kafka's codecs, one step of bounded work at a time, so that who calls can let others run in between.
//!
//! What comes out is bounded before it is made: a few bytes can unpack to gigabytes.

mod pack;
#[cfg(test)]
mod tests;
mod unpack;
mod xerial;

pub use pack::Packer;
pub use unpack::{UnpackError, Unpacker, unpack};
