//! Accepts connections and speaks HTTP/1.1 on them, until told to stop.
//!
//! Not `axum::serve`: that looks for HTTP/2 first, so that hyper gets each head in two pieces and takes a buffer of 16
//! KiB instead of 8 for it, as long as the connection lives. Thousands of them wait here (`tests/server_memory.rs`).

use std::{net::SocketAddr, pin::pin};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tower::Service;

/// Serves `router` until `stopping` holds true; ends when the last connection has ended.
pub(super) async fn until(mut listener: TcpListener, router: Router, mut stopping: watch::Receiver<bool>) {
    // Each connection holds one end; the other one knows when there is none left.
    let open = watch::Sender::new(());
    // What the routes share is made now, not for each request.
    let router = router.with_state::<()>(());
    loop {
        let (stream, peer) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = told(&mut stopping) => break,
        };
        let (router, stopping, open) = (router.clone(), stopping.clone(), open.subscribe());
        tokio::spawn(async move {
            connection(stream, peer, router, stopping).await;
            drop(open);
        });
    }
    // Whoever comes now is refused at once, and goes elsewhere.
    drop(listener);
    open.closed().await;
}

async fn told(stopping: &mut watch::Receiver<bool>) {
    // The sender being gone comes to the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// One connection, to its end: when the server stops, the request that is under way is the last one.
async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, mut stopping: watch::Receiver<bool>) {
    // Without it every small answer waits 40 ms for an acknowledgement (Nagle's algorithm).
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, %peer, "a connection was cut");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::{sync::Arc, time::Duration};

    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    async fn read(stream: &mut TcpStream) -> String {
        let mut bytes = vec![0; 1_024];
        let length = stream.read(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[tokio::test]
    async fn what_is_under_way_ends_and_nothing_new_begins() {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let router = Router::new().route("/", {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            get(async move |ConnectInfo(peer): ConnectInfo<SocketAddr>| {
                begun.notify_one();
                go_on.notified().await;
                peer.to_string()
            })
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = watch::Sender::new(false);
        let server = tokio::spawn(until(listener, router, stop.subscribe()));
        let mut idle = TcpStream::connect(addr).await.unwrap();
        let mut busy = TcpStream::connect(addr).await.unwrap();
        // Two requests on one connection; the peer's address is known in both.
        for _ in 0..2 {
            busy.write_all(ASK).await.unwrap();
            begun.notified().await;
            go_on.notify_one();
            assert!(read(&mut busy).await.ends_with(&busy.local_addr().unwrap().to_string()));
        }
        busy.write_all(ASK).await.unwrap();
        begun.notified().await;
        stop.send_replace(true);
        assert_eq!(read(&mut idle).await, "", "closed: it asked for nothing");
        assert!(!server.is_finished());
        go_on.notify_one();
        assert!(read(&mut busy).await.starts_with("HTTP/1.1 200"));
        assert_eq!(read(&mut busy).await, "", "closed after the answer");
        tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
        assert!(TcpStream::connect(addr).await.is_err());
    }
}
