//! A connection that stays open: HTTP/1.1, as light as can be.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest head of a response, in bytes.
const HEAD: usize = 16 * 1024;

/// A connection on which requests follow each other.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: SocketAddr,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// What came with it, as it was sent.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn open(host: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host,
            buffer: Vec::new(),
        })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// The connection broke, or the response has no length.
    pub async fn get(&mut self, path: &str) -> Result<Reply> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head_end = loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if self.buffer.len() > HEAD || self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("no answer to {path}");
            }
        };
        let body = self.buffer.split_off(head_end);
        let (status, length) = read_head(&self.buffer).context("not an answer of HTTP/1.1")?;
        self.read_body(status, length, body).await
    }

    async fn read_body(&mut self, status: u16, length: usize, mut body: Vec<u8>) -> Result<Reply> {
        let begun = body.len();
        body.resize(length.max(begun), 0);
        let rest = body.get_mut(begun..).unwrap_or_default();
        self.stream.read_exact(rest).await?;
        Ok(Reply { status, body })
    }
}

/// Status code and length.
fn read_head(head: &[u8]) -> Option<(u16, usize)> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    })?;
    Some((status, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_read() {
        let head = b"HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\ncontent-length: 12\r\n\r\n";
        assert_eq!(read_head(head), Some((206, 12)));
        assert_eq!(read_head(b"HTTP/1.1 200 OK\r\n\r\n"), None);
    }
}
