//! The command line: `serve` (default), `lab`, `dan-node`, `dan-refresh`, `dan-repair`, `dan-bans`, `dan-unban` and `key`;
//! nothing else.
//!
//! All of it is compiled here, and nothing but the page is left to `main.rs`: a new page is linked in within seconds.

use std::{io::IsTerminal, process::ExitCode};

use crate::{
    app::{App, BuiltPage, BuiltPageError, shell, shell_with},
    dan::{
        config::{NodeArgs, NodeConfig},
        program,
    },
    http::{self, PageFiles, Pages},
    lab::{Lab, LabOptions},
    server::{
        api_keys::{self, KeyArgs},
        config::{Config, LabArgs, LabConfig, ServeArgs},
        dan::{
            bans::{self, BansArgs, UnbanArgs},
            operator::{self, RefreshArgs, RepairArgs},
        },
        lab_links::LabLinks,
        state::ServerState,
    },
};
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Sessions for smart accounts: the page, the server that relays for it, and a local network to try it on.
#[derive(Debug, Parser)]
#[command(name = "use-aa", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "A .env file in the current folder is read. RUST_LOG sets the log level (default: info), \
                       USE_AA_LOG_FORMAT its form (text or json).")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the page and relay for it (the default); starts the lab when no networks are given
    Serve(Box<ServeArgs>),
    /// Start only the local networks and print their addresses
    Lab {
        /// How they run.
        #[command(flatten)]
        options: LabArgs,
        /// Print the addresses as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Run one of the nodes that share distributed session keys; prints its address as one line of JSON
    DanNode(Box<NodeArgs>),
    /// Give all nodes new shares of distributed keys; the old ones are worthless then
    DanRefresh(RefreshArgs),
    /// Give a node that lost its vault its shares back
    DanRepair(RepairArgs),
    /// List which nodes do not work with which others, since when and why
    DanBans(BansArgs),
    /// Have the nodes that banned another one work with it again
    DanUnban(UnbanArgs),
    /// Issue, list and revoke the keys of the JSON-RPC paths
    Key(KeyArgs),
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the program. `page` is what `cargo xtask page` made, the archive of the page's files; nothing when it did not run.
pub fn main(page: &'static [u8]) -> ExitCode {
    // Before anything else: it changes the environment, which only a single thread may do.
    let env_file = dotenvy::dotenv();
    let cli = Cli::parse();
    match run(cli, env_file, page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("use-aa: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, env_file: Result<std::path::PathBuf, dotenvy::Error>, page: &'static [u8]) -> Result<(), Failure> {
    match env_file {
        // The line may hold a secret: do not show it.
        Err(dotenvy::Error::LineParse(..)) => return Err(".env: expected lines such as NAME=value".into()),
        Err(error) if !error.not_found() => return Err(format!(".env: {error}").into()),
        _ => {}
    }
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.trim().is_empty() => {
            EnvFilter::try_new(&text).map_err(|error| format!("RUST_LOG: expected a filter such as info, {error}"))?
        }
        _ => EnvFilter::new("info"),
    };
    log_with(filter)?;
    if let Some(Command::DanNode(args)) = &cli.command {
        return dan_node(NodeConfig::from_args(args)?, args.end_with_stdin);
    }
    let runtime = tokio::runtime::Runtime::new()?;
    match cli.command {
        Some(Command::DanNode(_)) => Ok(()),
        Some(Command::Lab { options, json }) => runtime.block_on(lab(LabConfig::from_args(&options)?, json)),
        Some(Command::Serve(args)) => runtime.block_on(serve_or_check(&args, page)),
        Some(Command::DanRefresh(args)) => Ok(runtime.block_on(operator::refresh(args, |line| println!("{line}")))?),
        Some(Command::DanRepair(args)) => Ok(runtime.block_on(operator::repair(args, |line| println!("{line}")))?),
        Some(Command::DanBans(args)) => Ok(runtime.block_on(bans::list(args, |line| println!("{line}")))?),
        Some(Command::DanUnban(args)) => Ok(runtime.block_on(bans::lift(args, |line| println!("{line}")))?),
        Some(Command::Key(args)) => {
            println!("{}", runtime.block_on(api_keys::run(args))?);
            Ok(())
        }
        None => runtime.block_on(serve_or_check(&cli.serve, page)),
    }
}

/// Logs to standard error: lines for people, or JSON (USE_AA_LOG_FORMAT=json) for machines.
fn log_with(filter: EnvFilter) -> Result<(), Failure> {
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match std::env::var("USE_AA_LOG_FORMAT").unwrap_or_default().trim() {
        "" | "text" => log.with_ansi(std::io::stderr().is_terminal()).init(),
        "json" => log.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
        other => return Err(format!("USE_AA_LOG_FORMAT: expected text or json, got {other}").into()),
    }
    Ok(())
}

/// Says whether a server with this configuration would work; a failure is the program's.
async fn check(mut config: Config, page: &'static [u8]) -> Result<(), Failure> {
    if let Some(file) = config.lab_json.clone() {
        LabLinks::read(&file)?.fill(&mut config);
        println!("ok    configuration (the lab of {})", file.display());
    } else if config.lab {
        println!("ok    configuration (the lab would be started)");
    }
    let page = check_page(page);
    let (findings, good) = http::check(config).await;
    for finding in findings {
        println!("{finding}");
    }
    if good && page { Ok(()) } else { Err("the configuration cannot be used as it is".into()) }
}

/// Says whether there is a page, and whether that is as it should be: a relay may do without, unless one is named.
fn check_page(page: &'static [u8]) -> bool {
    match PageFiles::find(page).map_err(Failure::from).and_then(|files| Ok((built_page(&files)?, files))) {
        Ok((page, files)) if page.is_some() || files.have_page() => println!("ok    page {files}"),
        Ok((_, files)) if !files.are_named() => println!("none  page: make front builds it, then build the program"),
        Ok((_, files)) => {
            println!("WRONG page: none is {files}, where LEPTOS_SITE_ROOT says");
            return false;
        }
        Err(error) => {
            println!("WRONG page: {error}");
            return false;
        }
    }
    true
}

/// Keeps the local networks until told to end.
async fn lab(config: LabConfig, json: bool) -> Result<(), Failure> {
    let mut stop = Box::pin(stop_signal()?);
    let lab = tokio::select! {
        lab = Lab::start(lab_options(config)?) => lab?,
        () = &mut stop => return Ok(()),
    };
    match json {
        true => println!("{}", lab.info().to_json()),
        false => println!("{}\nready; Ctrl-C ends it", lab.info()),
    }
    tokio::select! {
        error = lab.failed() => return Err(error.into()),
        () = &mut stop => {}
    }
    lab.stop().await;
    Ok(())
}

/// Runs a node until told to end. Its computations have threads of their own: two for everything else are plenty.
fn dan_node(config: NodeConfig, end_with_stdin: bool) -> Result<(), Failure> {
    // Neither a core dump nor another process of this user may see the shares.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_dumpable(false)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let signal = stop_signal()?;
        let (closed, mut input_ended) = tokio::sync::watch::channel(());
        if end_with_stdin {
            let closed = closed.clone();
            // A thread, not a task: reading standard input cannot be cancelled.
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                closed.send_replace(());
            });
        }
        let stop = async move {
            // Kept, so that no end is seen where none is waited for.
            let _closed = closed;
            tokio::select! {
                () = signal => {}
                _ = input_ended.changed() => {}
            }
        };
        let (id, identity) = (config.id, config.identity.public().to_string());
        let ready = move |address: std::net::SocketAddr| {
            println!(r#"{{"node":{id},"url":"http://{address}","identity":"{identity}"}}"#);
        };
        Ok(program::run(config, ready, stop).await?)
    })
}

async fn serve_or_check(args: &ServeArgs, page: &'static [u8]) -> Result<(), Failure> {
    let config = Config::from_args(args)?;
    if args.check { check(config, page).await } else { serve(config, page).await }
}

/// The pages with their files.
fn pages(page: &'static [u8]) -> Result<impl http::Site, Failure> {
    let files = PageFiles::find(page)?;
    Ok(Pages { app: App, shell: shell_with(built_page(&files)?, shell) }.with_files(files))
}

/// What the build says of the page; nothing when cargo-leptos built it, or nobody did.
fn built_page(files: &PageFiles) -> Result<Option<BuiltPage>, BuiltPageError> {
    let Some(description) = files.description() else { return Ok(None) };
    BuiltPage::read(&description, files.highlighted().as_deref()).map(Some)
}

/// Serves until told to end, on the lab when no networks are given.
async fn serve(mut config: Config, page: &'static [u8]) -> Result<(), Failure> {
    let mut stop = Box::pin(stop_signal()?);
    let pages = pages(page)?;
    if !config.lab {
        return Ok(http::serve(config, pages, stop).await?);
    }
    if let Some(file) = config.lab_json.clone() {
        // Somebody else's: it lives on when this server ends.
        LabLinks::read(&file)?.fill(&mut config);
        return Ok(http::serve(config, pages, stop).await?);
    }
    // Before the lab is started: a taken address is known at once.
    let listener = http::bind(config.addr).await?;
    let started = std::time::Instant::now();
    let lab = tokio::select! {
        lab = Lab::start(lab_options(config.lab_options.clone())?) => lab?,
        () = &mut stop => return Ok(()),
    };
    lab.fill(&mut config);
    let info = lab.info();
    tracing::info!(rpc = %info.rpc_url, bundler = %info.bundler_url, took = ?started.elapsed(), "the lab is ready");
    let state = ServerState::new(config)?;
    tokio::select! {
        served = http::serve_on(listener, state, pages, stop) => served?,
        error = lab.failed() => return Err(error.into()),
    }
    lab.stop().await;
    Ok(())
}

/// The lab with all it has: its nodes are this very program.
fn lab_options(config: LabConfig) -> Result<LabOptions, Failure> {
    Ok(LabOptions { dan_program: Some(std::env::current_exe()?), ..LabOptions::from(config) })
}

/// Ctrl-C (SIGINT), SIGTERM or SIGHUP, listened for from now on.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
