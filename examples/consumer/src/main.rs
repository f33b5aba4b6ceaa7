//! The server: this app's pages, and the functions that the hooks call. Configured as use-aa is (`USE_AA_…`): outside of
//! the lab its pages are sponsored only where `USE_AA_PAGE_SPONSORSHIP` is `on`.

use consumer::{App, shell};
use use_aa::server::{
    config::{Config, ServeArgs},
    http::{Pages, serve},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_args(&ServeArgs::default())?;
    let stop = async {
        // Without a way to hear Ctrl-C the server runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    serve(config, Pages { app: App, shell }, stop).await?;
    Ok(())
}
