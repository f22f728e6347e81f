//! Progress of what may take a second or more, on stderr if that is a terminal; nothing otherwise.

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{msg} [{bar:30}] {pos}/{len} {per_sec} {eta}";

/// A bar that counts things. It disappears when it is dropped.
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins a bar for `total` things, such as "reading offsets" of so many partitions.
    pub fn begin(what: impl Into<String>, total: u64) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).expect("a valid template");
        let bar = ProgressBar::new(total).with_style(style.progress_chars("=> "));
        bar.set_message(what.into());
        Self(bar)
    }

    /// So many more are done.
    pub fn advance(&self, count: u64) {
        self.0.inc(count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
