//! What control needs of the world besides its files.

/// Clock and randomness, given by the runtime layer.
pub struct Environment {
    /// Unpredictable bits, for ids.
    pub random_u64: Box<dyn FnMut() -> u64 + Send>,
    /// Milliseconds since 1970 UTC, for what people read.
    pub wall_clock_ms: Box<dyn FnMut() -> i64 + Send>,
}

impl Environment {
    /// 128 unpredictable bits.
    pub(super) fn random_u128(&mut self) -> u128 {
        u128::from((self.random_u64)()) << 64 | u128::from((self.random_u64)())
    }
}
