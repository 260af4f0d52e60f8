//! A thin Socket.IO client: Engine.IO 4 over WebSocket, the default namespace, text events.
//!
//! It does as little as it can for each event, so that one program can be many clients.

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Engine.IO 4 packets that are used.
const OPEN: &str = "0";
const PING: &str = "2";
const PONG: &str = "3";
/// Engine.IO messages with Socket.IO packets that are used.
const CONNECT: &str = "40";
const EVENT: &str = "42";
const ACK: &str = "43";
/// A client has room for a few events; that of a browser is larger, but there is only one of it.
const READ_BUFFER: usize = 16 * 1024;

/// A connected socket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// An event that came, or the acknowledgement of one of ours, as it came.
#[derive(Clone, Debug)]
pub struct Incoming(Utf8Bytes);

impl Incoming {
    /// Its name, and its arguments as JSON, separated by commas.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, &str)> {
        parts(&self.0)
    }

    /// If it is an acknowledgement, the number of what it is for, and what it says, as JSON.
    #[must_use]
    pub fn acknowledgement(&self) -> Option<(u64, &str)> {
        acknowledgement(&self.0)
    }
}

/// `43number[arguments]`.
fn acknowledgement(packet: &str) -> Option<(u64, &str)> {
    let packet = packet.strip_prefix(ACK)?;
    let (number, _) = packet.split_once('[')?;
    Some((number.parse().ok()?, &packet[number.len()..]))
}

/// `42["name",arguments]`. Names of ours contain nothing that JSON escapes.
fn parts(packet: &str) -> Option<(&str, &str)> {
    let packet = packet.strip_prefix(EVENT)?;
    let inside = packet.strip_prefix("[\"")?.strip_suffix(']')?;
    let (name, arguments) = inside.split_once('"')?;
    Some((name, arguments.strip_prefix(',').unwrap_or_default()))
}

impl Socket {
    /// Connects to the server at this host and port.
    ///
    /// # Errors
    /// Nobody there, or nobody who speaks Socket.IO.
    pub async fn connect(authority: &str) -> Result<Self> {
        let url = format!("ws://{authority}/socket.io/?EIO=4&transport=websocket");
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let (stream, _) = connect_async_with_config(url, Some(config), true).await?;
        let mut socket = Self { stream };
        let open = socket.packet().await?;
        ensure!(open.starts_with(OPEN), "unexpected greeting: {open}");
        socket.send(CONNECT.into()).await?;
        let connected = socket.packet().await?;
        ensure!(connected.starts_with(CONNECT), "refused: {connected}");
        Ok(socket)
    }

    /// Sends an event and waits for its acknowledgement; events that come meanwhile are dropped.
    ///
    /// # Errors
    /// The server refused.
    pub async fn ask(&mut self, event: &str, payload: &impl Serialize) -> Result<Value> {
        let id = 0;
        let packet = format!("{EVENT}{id}{}", json!([event, payload]));
        self.send(packet.into()).await?;
        let prefix = format!("{ACK}{id}");
        loop {
            let packet = self.packet().await?;
            let Some(arguments) = packet.strip_prefix(&prefix) else {
                continue;
            };
            let (answer,): (Value,) = serde_json::from_str(arguments)?;
            if let Some(error) = answer.get("error") {
                return Err(anyhow!("{event} is refused: {error}"));
            }
            return Ok(answer);
        }
    }

    /// Sends an event without asking for an acknowledgement.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn emit(&mut self, event: &str, payload: &impl Serialize) -> Result<()> {
        let packet = format!("{EVENT}{}", json!([event, payload]));
        self.send(packet.into()).await
    }

    /// Sends an event and asks for an acknowledgement with this number, which comes as an [`Incoming`].
    ///
    /// # Errors
    /// The connection is over.
    pub async fn emit_numbered(
        &mut self,
        event: &str,
        number: u64,
        payload: &impl Serialize,
    ) -> Result<()> {
        let packet = format!("{EVENT}{number}{}", json!([event, payload]));
        self.send(packet.into()).await
    }

    /// Waits for the next event or acknowledgement. Cancel safe.
    ///
    /// # Errors
    /// The connection is over.
    pub async fn event(&mut self) -> Result<Incoming> {
        loop {
            let packet = self.packet().await?;
            if packet.starts_with(EVENT) || packet.starts_with(ACK) {
                return Ok(Incoming(packet));
            }
        }
    }

    /// The next packet that is not a ping.
    async fn packet(&mut self) -> Result<Utf8Bytes> {
        loop {
            let message = self.stream.next().await;
            match message.context("the server closed the connection")?? {
                Message::Text(packet) if packet == PING => self.send(PONG.into()).await?,
                Message::Text(packet) => return Ok(packet),
                Message::Close(reason) => bail!("the server closed the connection: {reason:?}"),
                _ => {}
            }
        }
    }

    async fn send(&mut self, packet: Utf8Bytes) -> Result<()> {
        Ok(self.stream.send(Message::Text(packet)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_taken_apart() {
        let packet = r#"42["comment",{"text":"a \"b\", c]"}]"#;
        assert_eq!(
            parts(packet),
            Some(("comment", r#"{"text":"a \"b\", c]"}"#))
        );
    }

    #[test]
    fn an_acknowledgement_has_its_number() {
        let packet = r#"434711[{"ok":true,"id":3}]"#;
        let expected = (4_711, r#"[{"ok":true,"id":3}]"#);
        assert_eq!(acknowledgement(packet), Some(expected));
        assert_eq!(acknowledgement(r#"42["likes",{}]"#), None);
    }

    #[test]
    fn an_event_may_have_no_arguments() {
        assert_eq!(parts(r#"42["upvote"]"#), Some(("upvote", "")));
    }

    #[test]
    fn other_packets_are_no_events() {
        for packet in ["2", "40{\"sid\":\"x\"}", "430[{}]", "42", "42[]", ""] {
            assert_eq!(parts(packet), None, "{packet}");
        }
    }
}
