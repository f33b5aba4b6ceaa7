//! Page and server, compiled side by side: each is one long compilation, and there is more than one core.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    thread::{self, ScopedJoinHandle},
    time::SystemTime,
};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::site;
use crate::wasm;

const PAGE_PROFILE: &str = "page-dev";
const SERVER_PROFILE: &str = "server-dev";

/// What was built last.
#[derive(Default)]
pub struct Code {
    wasm: Option<String>,
    server: Option<SystemTime>,
}

/// What is new.
pub struct Built {
    /// Script and wasm.
    pub page: bool,
    /// The server's program, or something that it reads when it starts.
    pub server: bool,
}

impl Code {
    /// Builds both. An error is what the compiler said, once when it said the same of both.
    pub fn build(&mut self) -> Result<Built> {
        let known = &mut self.wasm;
        let (page, server, texts) = thread::scope(|scope| {
            let page = scope.spawn(move || page(known));
            let server = scope.spawn(|| cargo(&mut server_command()));
            let texts = scope.spawn(site::highlighted);
            (ended(page), ended(server), ended(texts))
        });
        let page = match (page, server) {
            (Ok(new), Ok(())) => new,
            (Err(error), Err(other)) if same_errors(&error.to_string(), &other.to_string()) => return Err(error),
            (Err(error), Err(other)) => bail!("{error:#}\n\n{other:#}"),
            (Err(error), Ok(())) | (Ok(_), Err(error)) => {
                // The page that was built is not shown before its server: let it be taken for new next time.
                self.wasm = None;
                return Err(error);
            }
        };
        texts?;
        let time =
            fs::metadata(server_program()).and_then(|program| program.modified()).context("the server's time")?;
        let server = self.server.replace(time) != Some(time);
        Ok(Built { page, server })
    }
}

/// Whether both compilers complained of the same: they say it in other words only where the page's code differs.
fn same_errors(one: &str, other: &str) -> bool {
    let errors = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("error") && !line.contains("could not compile"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    // Of a failure without such a line, as of the linker, nothing is known to be the same.
    !errors(one).is_empty() && errors(one) == errors(other)
}

fn page(known: &mut Option<String>) -> Result<bool> {
    let mut command = wasm::command(PAGE_PROFILE, "hydrate,app");
    cargo(&mut command)?;
    match site::new_wasm(&wasm::path(PAGE_PROFILE), known)? {
        Some(wasm) => site::page(wasm).map(|()| true),
        None => Ok(false),
    }
}

/// Where cargo puts the server.
pub fn server_program() -> PathBuf {
    wasm::target_folder().join(SERVER_PROFILE).join("use-aa")
}

fn server_command() -> Command {
    let mut command = wasm::cargo();
    command.args(["build", "--package", "use-aa", "--bin", "use-aa", "--profile", SERVER_PROFILE]);
    command.args(["--no-default-features", "--features", "ssr,app"]);
    command
}

/// Runs it; what it said is the error when it fails. All of it is shown as it comes: the first build takes minutes.
fn cargo(command: &mut Command) -> Result<()> {
    // Colours would be shown as digits in the page, and hide what is progress.
    command.env("CARGO_INCREMENTAL", "1").env("CARGO_TERM_COLOR", "never");
    let mut child = command.stderr(Stdio::piped()).spawn().context("starting cargo")?;
    let output = BufReader::new(child.stderr.take().context("cargo's output")?);
    let mut said = String::new();
    for line in output.split(b'\n') {
        let line = line.context("reading what cargo says")?;
        let line = String::from_utf8_lossy(&line);
        eprintln!("{line}");
        if !is_progress(&line) {
            said += &line;
            said.push('\n');
        }
    }
    let status = child.wait().context("waiting for cargo")?;
    ensure!(status.success(), "{}", said.trim());
    Ok(())
}

/// Such as `   Compiling use-aa v0.1.0`: a word that ends in the twelfth column.
fn is_progress(line: &str) -> bool {
    let word = line.get(..13).and_then(|start| start.strip_suffix(' ')).map(str::trim_start);
    word.is_some_and(|word| {
        !word.is_empty() && word.chars().all(char::is_alphabetic) && word.starts_with(char::is_uppercase)
    })
}

fn ended<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(anyhow!("a part of the build tool panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_not_part_of_an_error() {
        for line in
            ["   Compiling use-aa v0.1.0 (/work)", "    Finished `page-dev` profile in 1 s", "    Blocking waiting for"]
        {
            assert!(is_progress(line), "{line}");
        }
        for line in [
            "error[E0425]: cannot find value `x`",
            "   --> src/a.rs:1:1",
            "12 |   Compiling(x)",
            "",
            "    |        x é",
        ] {
            assert!(!is_progress(line), "{line}");
        }
    }

    #[test]
    fn the_same_errors_are_said_once() {
        let one = "error[E0425]: cannot find value `x`\n --> a.rs\nwarning: 1 of the page";
        assert!(same_errors(one, "error[E0425]: cannot find value `x`\n --> a.rs\nerror: could not compile"));
        assert!(!same_errors(one, "error[E0425]: cannot find value `y`"));
        assert!(!same_errors("ld: no space left", "killed"), "nothing that both said");
    }

    #[test]
    fn what_pages_show_of_cargo_has_no_colours() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo colour=$CARGO_TERM_COLOR >&2; exit 1"]).env("CARGO_TERM_COLOR", "always");
        assert_eq!(cargo(&mut command).map_err(|error| error.to_string()), Err("colour=never".to_owned()));
    }
}
