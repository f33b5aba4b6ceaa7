//! The server: this app's page, and the functions that the hooks call. `USE_AA_…` in the environment says on which chain.

use starter::{App, shell};
use use_aa::server::{
    config::Config,
    http::{Pages, serve},
};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt::init();
    if let Err(error) = run().await {
        eprintln!("starter: {error}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let stop = async {
        // Without a way to hear Ctrl-C the server runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    serve(Config::from_env()?, Pages { app: App, shell }, stop).await?;
    Ok(())
}
