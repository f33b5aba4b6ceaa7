//! The program: what the library compiled, with the built page inside.

use std::process::ExitCode;

/// Rendering a page makes hundreds of short-lived allocations, on every core at once: with this one it takes a quarter
/// less processor time than with that of glibc, and as much memory (without huge pages; with them, 30 MB more).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The page's files, as `cargo xtask page` left them; nothing when it did not run (`build.rs`).
static PAGE: &[u8] = include_bytes!("../target/site.tar");

fn main() -> ExitCode {
    use_aa::program::main(PAGE)
}
