//! One terse line for each event, folded into a hash that proves two runs alike.
//!
//! ```text
//!   time in us  event        number
//!      153.021  poll         4        task 4 was polled
//!      153.980  submit write 17       operation 17 went to the disk
//!      201.400  finish write 17       it completed (`fail`: with an error)
//!      300.000  timer        18       a sleep ended
//!      350.000  plan   fault 0        a fault was planned
//!      350.000  limit  space 65536    a directory has so many bytes
//!      350.000  slow   disk  5000     operations below a path take up to so many us longer
//!      350.000  clock  ms    -9       the wall clock was moved by so many ms (as an unsigned number)
//!      350.000  note   full  2        the test says something: what, and about which part of it
//!      412.000  crash        1        power was lost; the boot that follows is number 1
//!      413.000  rot    byte  4711     a bit of the byte at this position of some file flipped
//!      413.000  swap   device 0       a device is gone, or is an older image of itself
//! ```

use std::time::Duration;

use crate::base::splitmix::mix;

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
