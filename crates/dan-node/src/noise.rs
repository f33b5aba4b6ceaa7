//! One mesh connection: Noise KK over TCP. Each side knows the other's static key before the first byte.
//!
//! The dialling node says `use-aa\0\x01 ‖ its id ‖ the id it wants` in clear (bound to the handshake as prologue), so
//! that the other knows which key to expect; whoever has not that key gets no further.

use std::{io, time::Duration};

use snow::{Builder, HandshakeState, StatelessTransportState};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use zeroize::Zeroizing;

use super::{
    frame::{self, Assembler, MAX_PACKET},
    identity::{Identity, PublicIdentity},
    share::SecretBytes,
};

/// Both know the other's key; X25519, ChaCha20-Poly1305, BLAKE2s.
const PATTERN: &str = "Noise_KK_25519_ChaChaPoly_BLAKE2s";
/// First bytes of a connection; the last one is the version.
const MAGIC: [u8; 8] = *b"use-aa\0\x01";
/// Longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Longest handshake message, bytes (KK's have 48).
const MAX_HANDSHAKE: usize = 128;

fn failed(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

fn builder<'a>(secret: &'a [u8; 32], peer: &'a [u8; 32], prologue: &'a [u8]) -> Result<Builder<'a>, snow::Error> {
    Builder::new(PATTERN.parse()?).local_private_key(secret)?.remote_public_key(peer)?.prologue(prologue)
}

/// Opens a connection to `peer`, whose id is `to`.
pub async fn dial(
    mut stream: TcpStream,
    identity: &Identity,
    me: u8,
    to: u8,
    peer: PublicIdentity,
) -> io::Result<(Sender, Receiver)> {
    let handshake = async {
        stream.set_nodelay(true)?;
        let hello = [&MAGIC[..], &[me, to]].concat();
        let (secret, public) = (identity.mesh_secret(), peer.mesh_public());
        let mut state = builder(&secret, &public, &hello).and_then(Builder::build_initiator).map_err(failed)?;
        stream.write_all(&hello).await?;
        write_handshake(&mut stream, &mut state).await?;
        read_handshake(&mut stream, &mut state).await?;
        split(stream, state)
    };
    timeout(HANDSHAKE, handshake).await?
}

/// Answers a connection; `peer_of` knows the nodes. Gives the id of the node that dialled.
///
/// Somebody may have recorded the first message and sent it again: only a packet that decrypts proves the peer.
pub async fn answer(
    mut stream: TcpStream,
    identity: &Identity,
    me: u8,
    peer_of: impl Fn(u8) -> Option<PublicIdentity>,
) -> io::Result<(u8, Sender, Receiver)> {
    let handshake = async {
        stream.set_nodelay(true)?;
        let mut hello = [0; 10];
        stream.read_exact(&mut hello).await?;
        let [magic @ .., from, to] = hello;
        let peer = peer_of(from).filter(|_| magic == MAGIC && to == me && from != me);
        let peer = peer.ok_or_else(|| failed("no node that is known here"))?;
        let (secret, public) = (identity.mesh_secret(), peer.mesh_public());
        let mut state = builder(&secret, &public, &hello).and_then(Builder::build_responder).map_err(failed)?;
        read_handshake(&mut stream, &mut state).await?;
        write_handshake(&mut stream, &mut state).await?;
        let (sender, receiver) = split(stream, state)?;
        Ok((from, sender, receiver))
    };
    timeout(HANDSHAKE, handshake).await?
}

async fn write_handshake(stream: &mut TcpStream, state: &mut HandshakeState) -> io::Result<()> {
    let mut packet = [0; 2 + MAX_HANDSHAKE];
    let length = state.write_message(&[], &mut packet[2..]).map_err(failed)?;
    packet[..2].copy_from_slice(&u16::try_from(length).map_err(failed)?.to_be_bytes());
    stream.write_all(&packet[..2 + length]).await
}

async fn read_handshake(stream: &mut TcpStream, state: &mut HandshakeState) -> io::Result<()> {
    let length = usize::from(stream.read_u16().await?);
    let mut packet = [0; MAX_HANDSHAKE];
    let packet = packet.get_mut(..length).ok_or_else(|| failed("an oversized handshake"))?;
    stream.read_exact(packet).await?;
    let read = state.read_message(packet, &mut [0; MAX_HANDSHAKE]).map_err(failed)?;
    if read == 0 { Ok(()) } else { Err(failed("a payload in the handshake")) }
}

fn split(stream: TcpStream, state: HandshakeState) -> io::Result<(Sender, Receiver)> {
    let state = std::sync::Arc::new(state.into_stateless_transport_mode().map_err(failed)?);
    let (read, write) = stream.into_split();
    let sender = Sender { write, state: state.clone(), nonce: 0 };
    Ok((sender, Receiver { read, state, nonce: 0, assembler: Assembler::default() }))
}

/// The half that sends.
pub struct Sender {
    write: tokio::net::tcp::OwnedWriteHalf,
    state: std::sync::Arc<StatelessTransportState>,
    nonce: u64,
}

impl Sender {
    /// Sends one message.
    pub async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        for part in frame::parts(message) {
            let mut packet = vec![0; 2 + part.len() + 16];
            let length = self.state.write_message(self.nonce, &part, &mut packet[2..]).map_err(failed)?;
            self.nonce += 1;
            packet[..2].copy_from_slice(&u16::try_from(length).map_err(failed)?.to_be_bytes());
            self.write.write_all(&packet[..2 + length]).await?;
        }
        Ok(())
    }
}

/// The half that receives.
pub struct Receiver {
    read: tokio::net::tcp::OwnedReadHalf,
    state: std::sync::Arc<StatelessTransportState>,
    nonce: u64,
    assembler: Assembler,
}

impl Receiver {
    /// The next message. Not cancellation-safe: a receiver whose call was dropped is of no use any more.
    pub async fn receive(&mut self) -> io::Result<SecretBytes> {
        loop {
            let length = usize::from(self.read.read_u16().await?);
            let mut packet = vec![0; length];
            self.read.read_exact(&mut packet).await?;
            let mut plain = Zeroizing::new(vec![0; length.min(MAX_PACKET)]);
            let length = self.state.read_message(self.nonce, &packet, &mut plain).map_err(failed)?;
            self.nonce += 1;
            if let Some(message) = self.assembler.push(&plain[..length]).map_err(failed)? {
                return Ok(message);
            }
        }
    }
}
