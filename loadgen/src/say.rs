//! Printing to people.

/// Prints a line. A pipe that was closed (`| head`) is no reason to lose results: what cannot be printed is left out.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($text)*);
    }};
}
