//! `cargo xtask dev`: lab and page, built anew at each change while the lab goes on.
//!
//! Two threads build: one the style, which takes an instant, one the code. What changes meanwhile is built next.

mod changes;
mod code;
mod events;
mod programs;
mod site;
mod watch;

use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use self::{
    changes::Change,
    code::Code,
    events::{Event, Events, Part},
    programs::{Lab, Server},
};

/// How often it is looked whether lab and server still run.
const LOOK: Duration = Duration::from_millis(500);
/// As in the server's own configuration.
const DEFAULT_ADDRESS: &str = "127.0.0.1:3000";

/// What pages are told of a program that was built and does not run, or not any more.
const NOT_RUNNING: &str = "This does not run";

/// Runs until the lab ends, or somebody ends it.
pub fn run() -> Result<()> {
    let address = address()?;
    // Now, not after minutes of compiling; and whoever else answers there would pass for ours.
    TcpListener::bind(address).with_context(|| format!("USE_AA_ADDR: {address} is taken"))?;
    let events = Events::start(address)?;
    let (style_changes, changed_style) = mpsc::channel();
    let (code_changes, changed_code) = mpsc::channel();
    // Kept: what it watches is watched as long as it lives.
    let _watcher = watch::start(move |change| {
        let channel = if change == Change::Style { &style_changes } else { &code_changes };
        // Nobody receives any more: we are ending.
        let _ = channel.send(change);
    })?;
    timed(Part::Style, || site::style().map(drop), &events);
    let of_style = events.clone();
    std::thread::spawn(move || {
        while changed_style.recv().is_ok() {
            watch::settle(&changed_style);
            timed(Part::Style, || site::style().map(|href| of_style.tell(Event::Style { href })), &of_style);
        }
    });

    let mut code = Code::default();
    let mut running: Option<(Lab, Server)> = None;
    let mut broken = false;
    let mut wanted = Some(vec![Change::Code, Change::Public]);
    loop {
        if let Some(mut changes) = wanted.take() {
            if changes.contains(&Change::Tool) {
                println!("dev: the build tool itself has changed: start `make dev` anew to use it");
            }
            if changes.iter().any(|change| *change != Change::Tool) {
                if broken {
                    // Or an image that is new would have it look mended.
                    changes.push(Change::Code);
                }
                broken = !timed(Part::Page, || build(&changes, &mut code, &mut running, &events), &events);
            }
        }
        match changed_code.recv_timeout(LOOK) {
            Ok(first) => {
                let mut changes = watch::settle(&changed_code);
                changes.push(first);
                wanted = Some(changes);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("nothing is watched any more"),
        }
        if let Some((lab, server)) = &mut running {
            if let Some(status) = lab.ended()? {
                bail!("the lab ended ({status})");
            }
            if let Some(status) = server.ended()? {
                println!("dev: the server ended ({status}); it is started again after the next change");
                let text = format!("The server ended ({status}). The terminal says why.");
                events.tell(Event::Error { part: Part::Page, heading: NOT_RUNNING, text });
            }
        }
    }
}

/// Builds what the changes ask for, and has pages reload.
fn build(changes: &[Change], code: &mut Code, running: &mut Option<(Lab, Server)>, events: &Events) -> Result<()> {
    events.tell(Event::Building);
    if changes.contains(&Change::Public) {
        site::public()?;
    }
    let mut new_server = false;
    if changes.contains(&Change::Code) {
        let built = code.build()?;
        new_server = built.server;
        let runs = running.as_ref().is_some_and(|(_, server)| server.runs());
        if runs && !built.page && !built.server && !changes.contains(&Change::Public) {
            events.tell(Event::Idle);
            return Ok(());
        }
    }
    match running {
        Some((lab, server)) => {
            if new_server || !server.runs() {
                server.restart(lab, events.origin()).context(NOT_RUNNING)?;
            }
        }
        None => {
            let lab = Lab::start().context(NOT_RUNNING)?;
            let server = Server::start(&lab, address()?, events.origin()).context(NOT_RUNNING)?;
            println!("dev: http://{}  (Ctrl-C ends it; the lab lives as long as this program)", server.address());
            *running = Some((lab, server));
        }
    }
    events.tell(Event::Page);
    Ok(())
}

/// Says how long it took, or shows pages what was wrong. Returns whether it was done.
fn timed(part: Part, work: impl FnOnce() -> Result<()>, events: &Events) -> bool {
    let start = Instant::now();
    match work() {
        Ok(()) => {
            println!("dev: {part:?} in {:.1} s", start.elapsed().as_secs_f32());
            true
        }
        Err(error) => {
            eprintln!("dev: {error:#}");
            let heading = if error.to_string() == NOT_RUNNING { NOT_RUNNING } else { "This does not build" };
            events.tell(Event::Error { part, heading, text: format!("{error:#}") });
            false
        }
    }
}

/// Where the server listens: on this machine only.
fn address() -> Result<SocketAddr> {
    let text = env::var("USE_AA_ADDR").ok().or_else(|| in_file(Path::new(".env")));
    let text = text.filter(|text| !text.trim().is_empty());
    let text = text.as_deref().unwrap_or(DEFAULT_ADDRESS).trim().replace("localhost:", "127.0.0.1:");
    let address: SocketAddr = text.parse().with_context(|| format!("USE_AA_ADDR: {text}"))?;
    if !address.ip().is_loopback() || address.port() == 0 {
        bail!("USE_AA_ADDR: expected a port of this machine, such as {DEFAULT_ADDRESS}, got {address}");
    }
    Ok(address)
}

/// The server's address in the file that the server reads, too. What is wrong in it the server says itself.
fn in_file(file: &Path) -> Option<String> {
    let mut lines = dotenvy::from_path_iter(file).ok()?.flatten();
    lines.find_map(|(name, value)| (name == "USE_AA_ADDR").then_some(value))
}

/// What is only for this run.
fn work_folder() -> Result<std::path::PathBuf> {
    let folder = std::path::absolute("target/dev")?;
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_address_may_stand_in_the_file_that_the_server_reads() {
        let file = env::temp_dir().join(format!("use-aa-dev-{}.env", std::process::id()));
        fs::write(&file, "# mine\nUSE_AA_RPC_URL=https://a.example\nUSE_AA_ADDR='127.0.0.1:3456'\n").unwrap();
        assert_eq!(in_file(&file).as_deref(), Some("127.0.0.1:3456"));
        fs::remove_file(&file).unwrap();
        assert_eq!(in_file(&file), None);
    }
}
