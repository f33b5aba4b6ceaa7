//! The mesh: every node dials every other and sends on the connection it dialled; what it receives comes on those that
//! others dialled. Nobody but the two ends can read, change or speak on a connection.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, interval, sleep, timeout},
};

use use_aa_listener::{Connections, Room, Seat, accept};

use super::{
    identity::{Identity, PublicIdentity},
    message::Message,
    noise,
    run::{Losses, Network},
    share::SecretBytes,
};

/// Messages that may wait for one peer.
const QUEUE: usize = 512;
/// Bytes of them: one that takes nothing in fills no memory.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;
/// How often a peer is asked whether it is there.
const PING: Duration = Duration::from_secs(5);
/// Without a sign of life for so long, a connection is given up.
const SILENCE: Duration = Duration::from_secs(15);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long whoever connects may take to prove that it is a peer.
const PROOF: Duration = Duration::from_secs(10);
/// First pause before dialling again; doubled up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// Strangers that may be connected at the same time: whoever has not yet proven to be a peer. When there are more, the
/// oldest of whoever has most goes.
const STRANGERS: usize = 256;

/// Another node.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its id, from 1.
    pub id: u8,
    /// Where its mesh listener is: host and port.
    pub address: String,
    /// Who it must be.
    pub identity: PublicIdentity,
}

/// A message that waits, and the room that it takes.
type Waiting = (SecretBytes, OwnedSemaphorePermit);

struct Link {
    peer: Peer,
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    connected: AtomicBool,
    /// The connection that it dialled; a newer one replaces it.
    incoming: Mutex<Option<(u64, AbortHandle)>>,
}

/// This node's end of the mesh.
pub struct Mesh {
    me: u8,
    identity: Identity,
    links: BTreeMap<u8, Link>,
    losses: watch::Sender<Losses>,
    connections: AtomicU64,
    sent: AtomicU64,
}

impl Network for Mesh {
    fn send(&self, to: u8, message: &Message) -> bool {
        let Some(link) = self.links.get(&to).filter(|link| link.connected.load(Ordering::Acquire)) else {
            return false;
        };
        let bytes = message.encode();
        let Ok(size) = u32::try_from(bytes.len()) else { return false };
        let Ok(room) = link.room.clone().try_acquire_many_owned(size) else { return false };
        self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        link.queue.try_send((bytes, room)).is_ok()
    }

    fn is_connected(&self, node: u8) -> bool {
        self.links.get(&node).is_some_and(|link| link.connected.load(Ordering::Acquire))
    }

    fn losses(&self) -> watch::Receiver<Losses> {
        self.losses.subscribe()
    }
}

impl Mesh {
    /// Starts dialling and listening; `on_message` gets what comes, from whom. Must run inside a runtime; dropping the
    /// returned tasks ends the mesh.
    pub fn start(
        me: u8,
        identity: Identity,
        peers: Vec<Peer>,
        listener: TcpListener,
        on_message: impl Fn(&Arc<Mesh>, u8, Message) + Send + Sync + 'static,
    ) -> (Arc<Self>, JoinSet<()>) {
        let mut queues = Vec::new();
        let links = peers.into_iter().map(|peer| {
            let (queue, receiver) = mpsc::channel(QUEUE);
            queues.push((peer.id, receiver));
            let (room, connected) = (Arc::new(Semaphore::new(QUEUE_BYTES)), AtomicBool::new(false));
            (peer.id, Link { peer, queue, room, connected, incoming: Mutex::default() })
        });
        let links = links.collect();
        let (connections, sent) = (AtomicU64::new(0), AtomicU64::new(0));
        let losses = watch::Sender::new([0; 17]);
        let mesh = Arc::new(Self { me, identity, links, losses, connections, sent });
        let mut tasks = JoinSet::new();
        for (id, queue) in queues {
            tasks.spawn(mesh.clone().keep_dialling(id, queue));
        }
        tasks.spawn(mesh.clone().listen(listener, Arc::new(on_message)));
        (mesh, tasks)
    }

    /// Bytes of messages sent since the start.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The other nodes and whether they can be reached, in order of their ids.
    pub fn peers(&self) -> impl Iterator<Item = (u8, bool)> + '_ {
        self.links.iter().map(|(id, link)| (*id, link.connected.load(Ordering::Acquire)))
    }

    async fn keep_dialling(self: Arc<Self>, id: u8, mut queue: mpsc::Receiver<Waiting>) {
        let Some(link) = self.links.get(&id) else { return };
        let mut pause = FIRST_PAUSE;
        loop {
            if let Ok(Ok(stream)) = timeout(CONNECT, TcpStream::connect(&link.peer.address)).await {
                match noise::dial(stream, &self.identity, self.me, id, link.peer.identity).await {
                    Ok((sender, receiver)) => {
                        pause = FIRST_PAUSE;
                        // What waits was meant for a connection that is gone.
                        while queue.try_recv().is_ok() {}
                        link.connected.store(true, Ordering::Release);
                        tracing::debug!(node = self.me, peer = id, "connected");
                        let ended = keep_sending(sender, receiver, &mut queue).await;
                        link.connected.store(false, Ordering::Release);
                        self.lost(id);
                        tracing::debug!(node = self.me, peer = id, reason = %ended, "the connection ended");
                    }
                    Err(error) => tracing::warn!(node = self.me, peer = id, %error, "no handshake with a peer"),
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    async fn listen(
        self: Arc<Self>,
        listener: TcpListener,
        on_message: Arc<impl Fn(&Arc<Mesh>, u8, Message) + Send + Sync + 'static>,
    ) {
        let room = Room { connections: STRANGERS, head: PROOF, ..Room::default() };
        let strangers = Connections::new(room);
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let (stream, from) = accept(&listener, &strangers).await;
            let Some(seat) = strangers.admit(Some(from.ip().to_canonical())) else { continue };
            let (mesh, on_message) = (self.clone(), on_message.clone());
            connections.spawn(async move {
                if let Some((peer, sender, receiver, first)) = mesh.proven(stream, from, seat).await {
                    mesh.keep_receiving(peer, from, sender, receiver, first, &*on_message).await;
                }
            });
        }
    }

    /// Who has connected, once that is proven; nobody when it takes too long, or when others need the place.
    async fn proven(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        seat: Seat,
    ) -> Option<(u8, noise::Sender, noise::Receiver, SecretBytes)> {
        let peer_of = |id| self.links.get(&id).map(|link| link.peer.identity);
        let proof = async {
            let answered = noise::answer(stream, &self.identity, self.me, peer_of).await;
            let (peer, sender, mut receiver) = answered
                .inspect_err(|error| tracing::debug!(node = self.me, %from, %error, "a stranger at the mesh"))
                .ok()?;
            // The peer says something at once; until then this may be a recording of it.
            let first = receiver.receive().await.ok()?;
            Some((peer, sender, receiver, first))
        };
        tokio::select! {
            proven = proof => proven,
            () = seat.is_over() => None,
        }
    }

    async fn keep_receiving(
        self: &Arc<Self>,
        peer: u8,
        from: SocketAddr,
        mut sender: noise::Sender,
        mut receiver: noise::Receiver,
        first: SecretBytes,
        on_message: &(impl Fn(&Arc<Mesh>, u8, Message) + Send + Sync),
    ) {
        let mut next = Some(first);
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let (mine, replaced) = tokio::sync::oneshot::channel::<()>();
        // An abortable stand-in: the newer connection aborts it, which drops `mine`.
        let holder = tokio::spawn(async move {
            let _mine = mine;
            std::future::pending::<()>().await;
        });
        self.adopt(peer, number, Some(holder.abort_handle()));
        let receiving = async {
            loop {
                let bytes = match next.take() {
                    Some(bytes) => bytes,
                    None => match timeout(SILENCE, receiver.receive()).await {
                        Ok(Ok(bytes)) => bytes,
                        Ok(Err(error)) => return error.to_string(),
                        Err(_) => return "silence".into(),
                    },
                };
                match Message::decode(&bytes) {
                    Ok(Message::Ping) => {
                        if let Err(reason) = send(&mut sender, &Message::Pong.encode()).await {
                            return reason;
                        }
                    }
                    Ok(message) => on_message(self, peer, message),
                    Err(error) => return error.to_string(),
                }
            }
        };
        let reason = tokio::select! {
            reason = receiving => reason,
            _ = replaced => "a newer connection".into(),
        };
        holder.abort();
        tracing::debug!(node = self.me, peer, %from, %reason, "a peer's connection ended");
        self.adopt(peer, number, None);
        self.lost(peer);
    }

    /// Takes note of a peer's connection (a newer one ends the older), or of its end.
    fn adopt(&self, peer: u8, number: u64, connection: Option<AbortHandle>) {
        let Some(link) = self.links.get(&peer) else { return };
        let mut incoming = link.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        match connection {
            Some(handle) => {
                if let Some((_, older)) = incoming.replace((number, handle)) {
                    older.abort();
                }
            }
            None if incoming.as_ref().is_some_and(|(current, _)| *current == number) => *incoming = None,
            None => {}
        }
    }

    fn lost(&self, peer: u8) {
        self.losses.send_modify(|losses| {
            if let Some(count) = losses.get_mut(usize::from(peer)) {
                *count += 1;
            }
        });
    }
}

/// Sends what is queued, asks now and then whether the peer is there; ends with the reason.
async fn keep_sending(
    mut sender: noise::Sender,
    mut receiver: noise::Receiver,
    queue: &mut mpsc::Receiver<Waiting>,
) -> String {
    let heard = Mutex::new(Instant::now());
    let since = || heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
    let listening = async {
        loop {
            match receiver.receive().await.map(|bytes| Message::decode(&bytes)) {
                Ok(Ok(Message::Pong)) => *heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now(),
                Ok(_) => return "something else than a sign of life".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
    };
    let sending = async {
        let mut ping = interval(PING);
        loop {
            let sent = tokio::select! {
                // Its first tick comes at once: the other side waits for it.
                biased;
                _ = ping.tick() => {
                    if since() > SILENCE {
                        return "silence".to_owned();
                    }
                    send(&mut sender, &Message::Ping.encode()).await
                }
                message = queue.recv() => match message {
                    Some((message, _room)) => send(&mut sender, &message).await,
                    None => return "the end".to_owned(),
                },
            };
            if let Err(reason) = sent {
                return reason;
            }
        }
    };
    tokio::select! {
        reason = listening => reason,
        reason = sending => reason,
    }
}

/// Sends one message. A peer that hangs takes in nothing once its buffers are full: that is silence, too.
async fn send(sender: &mut noise::Sender, message: &[u8]) -> Result<(), String> {
    match timeout(SILENCE, sender.send(message)).await {
        Ok(sent) => sent.map_err(|error| error.to_string()),
        Err(_) => Err("silence".to_owned()),
    }
}
