//! A progress bar on stderr, if that is a terminal.

use std::cell::RefCell;

use indicatif::{ProgressBar, ProgressStyle};

use crate::offline::Progress;

const TEMPLATE: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// See the module.
#[derive(Default)]
pub(super) struct Bar(RefCell<Option<ProgressBar>>);

impl Progress for Bar {
    fn begin(&self, what: &str, bytes: u64) {
        let style = ProgressStyle::with_template(TEMPLATE).expect("a valid template");
        let bar = ProgressBar::new(bytes).with_style(style.progress_chars("=> "));
        bar.set_message(what.to_owned());
        self.0.replace(Some(bar));
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &*self.0.borrow() {
            bar.inc(bytes);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
