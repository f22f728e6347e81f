//! The `corelane` binary; see `corelane::cli`.

/// Buffers are often freed on another core than the one that made them, which glibc's allocator does ten times
/// slower.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    corelane::cli::run()
}
