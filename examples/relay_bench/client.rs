//! HTTP/1.1 with as little work as possible: what is measured shares the processor with it.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{Failure, more};

/// The bytes of a POST.
pub fn post(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// One connection, and what was read of it and not used.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(addr: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(256) })
    }

    pub async fn send(&mut self, request: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(request).await?)
    }

    /// Sends a request and reads its whole answer, which must be a success.
    pub async fn call(&mut self, request: &[u8]) -> Result<(), Failure> {
        self.send(request).await?;
        let (end, length) = self.head().await?;
        let length = length.ok_or("an answer without a length")?;
        while self.buffer.len() < end + length {
            more(&mut self.stream, &mut self.buffer).await?;
        }
        self.buffer.drain(..end + length);
        Ok(())
    }

    /// Reads a success's head: where it ends, and the length of what follows when it is told.
    pub async fn head(&mut self) -> Result<(usize, Option<usize>), Failure> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            more(&mut self.stream, &mut self.buffer).await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_lowercase();
        if !head.starts_with("http/1.1 200") {
            return Err(head.lines().next().unwrap_or_default().to_owned().into());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        Ok((end, length))
    }

    /// Reads until these bytes came.
    pub async fn until(&mut self, wanted: &[u8]) -> Result<(), Failure> {
        while !self.buffer.windows(wanted.len()).any(|window| window == wanted) {
            if self.buffer.len() > 4_096 {
                let keep = self.buffer.len() - wanted.len();
                self.buffer.drain(..keep);
            }
            more(&mut self.stream, &mut self.buffer).await?;
        }
        Ok(())
    }
}
