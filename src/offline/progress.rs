//! How far a long work has come.

/// Whoever shows it. Nothing depends on it.
pub trait Progress {
    /// A work of so many bytes begins.
    fn begin(&self, what: &str, bytes: u64);
    /// So many more bytes are done.
    fn advance(&self, bytes: u64);
    /// It is done.
    fn end(&self);
}

/// Nobody looks.
impl Progress for () {
    fn begin(&self, _what: &str, _bytes: u64) {}
    fn advance(&self, _bytes: u64) {}
    fn end(&self) {}
}
