//! Accepts connections and speaks HTTP/1.1 on them, until told to stop.
//!
//! Not `axum::serve`: that lets in whoever comes, for as long as they like; and it looks for HTTP/2 first, so that hyper
//! gets each head in two pieces and takes a buffer of 16 KiB instead of 8 for it, as long as the connection lives.
//! Thousands of them wait (`tests/server_memory.rs`).

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Request},
    http::HeaderMap,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use super::{
    connections::{Asking, Connections, Room, Seat},
    flow::Watched,
};

/// Largest head of a request, and what is written at a time, bytes.
const BUFFER: usize = 16 * 1024;
/// The pause after the system let nobody in: it has no descriptor left, say.
const BREATH: Duration = Duration::from_millis(50);
/// That is logged no more often than this.
const LOGGED: Duration = Duration::from_secs(60);

/// Who has a connection: told by the peer alone when it is opened, then by each request. `None`: a proxy that is
/// trusted, which speaks for others.
pub type OwnerOf = Arc<dyn Fn(SocketAddr, Option<&HeaderMap>) -> Option<IpAddr> + Send + Sync>;

/// Serves `router` within `room` until `stopping` is cancelled; ends when the last connection has ended.
pub async fn serve(listener: TcpListener, router: Router, room: Room, owner_of: OwnerOf, stopping: CancellationToken) {
    let connections = Connections::new(room);
    let open = TaskTracker::new();
    // What the routes share is made now, not for each request.
    let router = router.with_state::<()>(());
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = stopping.cancelled() => break,
        };
        // Nobody has more, and all of them are being answered: closed at once.
        let Some(seat) = connections.admit(owner_of(peer, None)) else { continue };
        open.spawn(connection(stream, peer, Arc::new(seat), router.clone(), owner_of.clone(), stopping.clone()));
    }
    // Whoever comes now is refused at once, and goes elsewhere.
    drop(listener);
    open.close();
    open.wait().await;
}

/// The next connection. When the system has no room for one, a silent one is closed.
pub async fn accept(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // It was gone before it was taken.
            Err(error) if is_the_callers(&error) => {}
            Err(error) => {
                log(&error, connections.count());
                connections.make_room();
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

fn is_the_callers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn log(error: &io::Error, open: usize) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|last| last.elapsed() > LOGGED) {
        *last = Some(Instant::now());
        tracing::error!(%error, open, "no connection can be accepted (ulimit -n, LimitNOFILE)");
    }
}

/// One connection, to its end: when the server stops, the request that is under way is the last one.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    seat: Arc<Seat>,
    router: Router,
    owner_of: OwnerOf,
    stopping: CancellationToken,
) {
    // Without it every small answer waits 40 ms for an acknowledgement (Nagle's algorithm).
    let _ = stream.set_nodelay(true);
    let asked = seat.clone();
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let asking = asked.asks(owner_of(peer, Some(request.headers())));
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answering = router.clone().call(request);
        async move { answering.await.map(|response| response.map(|body| Answer { body, _asking: asking })) }
    });
    let stream = TokioIo::new(Watched { stream, seat: seat.clone() });
    let mut connection = pin!(http1::Builder::new().max_buf_size(BUFFER).serve_connection(stream, answer));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = seat.is_over() => return,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = seat.is_over() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, %peer, "a connection was cut");
    }
}

/// An answer that knows when it is over.
struct Answer {
    body: Body,
    _asking: Asking,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    fn by_peer() -> OwnerOf {
        Arc::new(|peer, _| Some(peer.ip()))
    }

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
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, router, Room::default(), by_peer(), stop.clone()));
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
        stop.cancel();
        assert_eq!(read(&mut idle).await, "", "closed: it asked for nothing");
        assert!(!server.is_finished());
        go_on.notify_one();
        assert!(read(&mut busy).await.starts_with("HTTP/1.1 200"));
        assert_eq!(read(&mut busy).await, "", "closed after the answer");
        tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
        assert!(TcpStream::connect(addr).await.is_err());
    }

    /// A server within `room` that answers `/` at once and `/large` with more than any buffer holds.
    async fn served(room: Room) -> SocketAddr {
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/large", get(async || Bytes::from(vec![b'x'; 32 * 1024 * 1024])));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, room, by_peer(), CancellationToken::new()));
        addr
    }

    async fn is_cut(stream: &mut TcpStream) -> bool {
        matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_silent_are_closed_in_time_and_at_once_when_there_is_no_room() {
        let head = Duration::from_millis(1_500);
        let addr = served(Room { connections: 50, head, ..Room::default() }).await;
        let begun = Instant::now();
        let mut silent = Vec::new();
        for number in 0..300 {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            // A head that never ends is no more than silence.
            if number % 2 == 0 {
                let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: ").await;
            }
            silent.push(stream);
        }
        let mut honest = TcpStream::connect(addr).await.unwrap();
        honest.write_all(ASK).await.unwrap();
        assert!(read(&mut honest).await.ends_with("here") && begun.elapsed() < head);
        for stream in &mut silent {
            assert!(is_cut(stream).await);
        }
        assert!(begun.elapsed() < head * 3, "{:?}", begun.elapsed());
        // The honest one is kept for another request.
        honest.write_all(ASK).await.unwrap();
        assert!(read(&mut honest).await.ends_with("here"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_takes_nothing_in_is_cut_and_who_is_slow_is_not() {
        let stall = Duration::from_millis(600);
        let addr = served(Room { stall, ..Room::default() }).await;
        let ask = async || {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
            stream
        };
        let (mut stalled, mut slow) = (ask().await, ask().await);
        let mut taken = 0;
        let mut bytes = vec![0; 1024 * 1024];
        loop {
            match slow.read(&mut bytes).await.unwrap() {
                0 => break,
                length => taken += length,
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        assert!(taken > 32 * 1024 * 1024, "{taken}");
        tokio::time::sleep(stall * 2).await;
        let mut rest = Vec::new();
        let ended = stalled.read_to_end(&mut rest).await;
        assert!(ended.is_err() || rest.len() < taken, "cut: {}", rest.len());
    }
}
