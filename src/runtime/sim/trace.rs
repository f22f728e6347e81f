//! One terse line for each event, folded into a hash that proves two runs alike.
//!
//! ```text
//!   time in us  event        number
//!      153.021  poll         4        task 4 was polled
//!      153.980  submit write 17       operation 17 went to the disk
//!      201.400  finish write 17       it completed (`fail`: with a planted error)
//!      300.000  timer        18       a sleep ended
//!      412.000  crash        1        power was lost; the boot that follows is number 1
//! ```

use std::time::Duration;

use super::rng::mix;

#[derive(Default)]
pub(super) struct Trace {
    hash: u64,
    echo: bool,
}

impl Trace {
    pub(super) fn record(&mut self, now: Duration, event: &str, detail: &str, number: u64) {
        let time = now.as_nanos() as u64;
        for part in [time, number, text(event), text(detail)] {
            self.hash = mix(self.hash.rotate_left(5) ^ part);
        }
        if self.echo {
            eprintln!("{:>12.3}  {event:<6} {detail:<8} {number}", time as f64 / 1000.0);
        }
    }

    pub(super) fn set_echo(&mut self, echo: bool) {
        self.echo = echo;
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }
}

fn text(text: &str) -> u64 {
    text.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
