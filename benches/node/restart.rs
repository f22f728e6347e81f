//! A broker that goes on with other settings.

use crate::setup::{Node, arguments};

/// Stops it, and starts it again on the same data with other settings of the benchmark's own.
pub fn restart_with(node: &mut Node, own: &[(&str, String)]) {
    node.stop();
    node.own = arguments(own);
    node.start();
}
