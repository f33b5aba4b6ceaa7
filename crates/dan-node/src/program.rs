//! A node as a program: its two listeners, until it is told to end.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::{
    config::NodeConfig,
    http,
    node::{Node, NodeError},
};

/// Starts a node and serves until `stop`. `on_ready` gets the address of its HTTP interface.
pub async fn run(
    config: NodeConfig,
    on_ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), NodeError> {
    let listen = |address: SocketAddr| async move {
        TcpListener::bind(address).await.map_err(|source| NodeError::Listen { address, source })
    };
    let (http, mesh) = (listen(config.listen).await?, listen(config.mesh_listen).await?);
    let address = http.local_addr().map_err(|source| NodeError::Listen { address: config.listen, source })?;
    let node = Node::start(config, mesh)?;
    on_ready(address);
    http::serve(http, node, http::room(), stop).await;
    Ok(())
}
