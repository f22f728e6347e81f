//! What waits to be sent, and how long one waits to connect.

use proptest::prelude::*;

use crate::base::limits::{LINK_BACK_OFF_MAX_MS, LINK_BACK_OFF_MIN_MS};
use crate::link::{Outbox, Overflow, Pushed, back_off_ms};

fn frame(number: u8, bytes: usize) -> Vec<u8> {
    vec![number; bytes]
}

#[test]
fn the_oldest_frames_make_room() {
    let mut outbox = Outbox::new(3, 100, Overflow::DropOldest);
    for number in 0..3 {
        assert_eq!(outbox.push(frame(number, 10)), Pushed::Queued);
    }
    assert_eq!(outbox.push(frame(3, 10)), Pushed::Dropped(1), "three frames");
    assert_eq!(outbox.push(frame(4, 85)), Pushed::Dropped(2), "100 bytes");
    assert_eq!(outbox.push(frame(5, 1_000)), Pushed::Dropped(2), "a long one waits alone");
    assert_eq!((outbox.len(), outbox.bytes()), (1, 1_000));
    assert_eq!(outbox.pop().expect("one")[0], 5);
    assert!(outbox.is_empty() && outbox.bytes() == 0);
}

#[test]
fn a_stream_without_gaps_ends() {
    let mut outbox = Outbox::new(9, 100, Overflow::GiveUp);
    assert_eq!(outbox.push(frame(0, 1_000)), Pushed::Queued, "a long one waits alone");
    assert_eq!(outbox.push(frame(1, 1)), Pushed::GaveUp);
    assert!(outbox.pop().is_none());
    assert_eq!(outbox.push(frame(2, 1)), Pushed::GaveUp, "what follows would leave a gap");
    outbox.clear();
    assert_eq!(outbox.push(frame(3, 1)), Pushed::Queued);
}

proptest! {
    #[test]
    fn what_is_left_is_the_newest_in_order_and_bounded(
        lengths in prop::collection::vec((0..60_usize, any::<bool>()), 0..60)
    ) {
        let mut outbox = Outbox::new(5, 100, Overflow::DropOldest);
        let mut expected = std::collections::VecDeque::new();
        for (number, (bytes, pops)) in lengths.into_iter().enumerate() {
            let frame = frame(number as u8, bytes + 1);
            if let Pushed::Dropped(count) = outbox.push(frame.clone()) {
                expected.drain(..count);
            }
            expected.push_back(frame);
            prop_assert!(outbox.len() <= 5 && outbox.bytes() <= 100);
            prop_assert_eq!(outbox.bytes(), expected.iter().map(Vec::len).sum::<usize>());
            if pops {
                prop_assert_eq!(outbox.pop(), expected.pop_front());
            }
        }
        while let Some(frame) = outbox.pop() {
            prop_assert_eq!(Some(frame), expected.pop_front());
        }
        prop_assert!(expected.is_empty());
    }

    #[test]
    fn waits_double_up_to_a_bound_and_half_of_them_is_chance(attempts in 0..u32::MAX, random in any::<u64>()) {
        let ms = back_off_ms(attempts, random);
        let most = (LINK_BACK_OFF_MIN_MS << attempts.saturating_sub(1).min(10)).min(LINK_BACK_OFF_MAX_MS);
        prop_assert!(ms >= most / 2 && ms <= most, "{} of {}", ms, most);
    }
}

#[test]
fn peers_do_not_come_at_once() {
    let waits: std::collections::BTreeSet<u64> = (0..1_000).map(|random| back_off_ms(99, random)).collect();
    assert_eq!(waits.len(), LINK_BACK_OFF_MAX_MS as usize / 2 + 1);
}
