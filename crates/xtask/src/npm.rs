//! Programs out of npm packages, which `tools/install.sh npm` installs.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};

const FOLDER: &str = "end2end/node_modules/.bin";

/// One of them.
pub fn program(name: &str) -> Result<Command> {
    let path = Path::new(FOLDER).join(name);
    ensure!(path.exists(), "{} is not there: run tools/install.sh npm", path.display());
    Ok(Command::new(path))
}

/// A script in fewer bytes that does the same.
pub fn minify(script: &str) -> Result<String> {
    let mut terser = program("terser")?;
    terser.args(["--module", "--compress", "--mangle"]);
    let mut child = terser
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting terser")?;
    // It reads everything before it writes; dropping the pipe ends its input.
    child.stdin.take().context("terser's input")?.write_all(script.as_bytes()).context("writing to terser")?;
    let output = good("terser", child.wait_with_output().context("reading from terser")?)?;
    String::from_utf8(output.stdout).context("terser wrote no text")
}

/// The output of a program that succeeded.
pub fn good(name: &str, output: Output) -> Result<Output> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed ({}): {}", output.status, said.trim());
    Ok(output)
}
