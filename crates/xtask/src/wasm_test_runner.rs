//! What cargo runs wasm tests with, in Node or a browser: wasm-bindgen's own runner, out of its library.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    match wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wasm tests: {error:#}");
            ExitCode::FAILURE
        }
    }
}
