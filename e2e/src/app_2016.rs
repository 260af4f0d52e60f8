//! The socket of the 2016 iPhone app: Socket.IO-Client-Swift 8, which speaks Engine.IO 3 and does not
//! say so (its addresses have no `EIO` parameter). The broadcaster used WebSocket only, the audience
//! long-polling only.

use std::collections::VecDeque;

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::{SOON, Server};

/// How far an Engine.IO packet is from here.
enum Transport {
    WebSocket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Polling { http: reqwest::Client, url: String },
}

/// A connected socket of the app.
pub struct AppSocket {
    transport: Transport,
    /// Engine.IO packets that were received and not looked at yet.
    inbox: VecDeque<String>,
}

impl AppSocket {
    /// As the app's broadcaster connects.
    pub async fn broadcaster(server: &Server) -> Result<Self> {
        let url = format!("ws://{}/socket.io/?transport=websocket", server.authority());
        let (socket, _) = connect_async_with_config(url, None, true).await?;
        let transport = Transport::WebSocket(Box::new(socket));
        Self {
            transport,
            inbox: VecDeque::new(),
        }
        .opened()
        .await
    }

    /// As the app's audience connects.
    pub async fn audience(server: &Server) -> Result<Self> {
        let http = reqwest::Client::new();
        let url = server.url("/socket.io/?transport=polling&b64=1");
        let transport = Transport::Polling { http, url };
        Self {
            transport,
            inbox: VecDeque::new(),
        }
        .opened()
        .await
    }

    /// Waits for Engine.IO's `open` and Socket.IO's `connect`.
    async fn opened(mut self) -> Result<Self> {
        let open = self.packet().await?;
        let handshake: Value = serde_json::from_str(
            open.strip_prefix('0')
                .with_context(|| format!("{open:?} is no open packet"))?,
        )?;
        if let Transport::Polling { url, .. } = &mut self.transport {
            let id = handshake["sid"].as_str().context("no session id")?;
            url.push_str(&format!("&sid={id}"));
        }
        let connect = self.packet().await?;
        ensure!(connect == "40", "{connect:?} is no connect packet");
        Ok(self)
    }

    /// Sends an event.
    pub async fn emit(&mut self, event: &str, argument: Value) -> Result<()> {
        self.send(format!("42{}", json!([event, argument]))).await
    }

    /// Waits for the next event of this name and returns its arguments. Others are forgotten.
    pub async fn next(&mut self, event: &str) -> Result<Vec<Value>> {
        let next = async {
            loop {
                let packet = self.packet().await?;
                let Some(event_and_arguments) = packet.strip_prefix("42") else {
                    continue;
                };
                let mut arguments: Vec<Value> = serde_json::from_str(event_and_arguments)?;
                if arguments.first().is_some_and(|name| name == event) {
                    arguments.remove(0);
                    return Ok(arguments);
                }
            }
        };
        timeout(SOON, next)
            .await
            .with_context(|| format!("no event {event:?} within {SOON:?}"))?
    }

    async fn send(&mut self, packet: String) -> Result<()> {
        match &mut self.transport {
            Transport::WebSocket(socket) => socket.send(Message::text(packet)).await?,
            Transport::Polling { http, url } => {
                let body = format!("{}:{packet}", packet.encode_utf16().count());
                let request = http.post(url.as_str()).header("Content-Type", "text/plain");
                request.body(body).send().await?.error_for_status()?;
            }
        }
        Ok(())
    }

    async fn packet(&mut self) -> Result<String> {
        loop {
            if let Some(packet) = self.inbox.pop_front() {
                return Ok(packet);
            }
            match &mut self.transport {
                Transport::WebSocket(socket) => match socket.next().await {
                    Some(Ok(Message::Text(text))) => self.inbox.push_back(text.to_string()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => bail!("the server closed the WebSocket"),
                },
                Transport::Polling { http, url } => {
                    let answer = http.get(url.as_str()).send().await?.error_for_status()?;
                    self.inbox.extend(split_payload(&answer.text().await?)?);
                }
            }
        }
    }
}

/// Splits an Engine.IO 3 payload, `<length>:<packet><length>:<packet>...`. JavaScript counts a
/// string's length in UTF-16 units.
fn split_payload(payload: &str) -> Result<Vec<String>> {
    let units: Vec<u16> = payload.encode_utf16().collect();
    let mut rest = units.as_slice();
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let colon = rest.iter().position(|&unit| unit == u16::from(b':'));
        let colon = colon.with_context(|| format!("no length in {payload:?}"))?;
        let length: usize = String::from_utf16(&rest[..colon])?.parse()?;
        let packet = rest.get(colon + 1..colon + 1 + length);
        let packet = packet.ok_or_else(|| anyhow!("the payload {payload:?} is cut off"))?;
        packets.push(String::from_utf16(packet)?);
        rest = &rest[colon + 1 + length..];
    }
    Ok(packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_split_by_utf_16_lengths() {
        assert!(split_payload("9:40").is_err());
        assert_eq!(
            split_payload("2:404:2\u{1f339}x").unwrap(),
            ["40", "2\u{1f339}x"]
        );
    }
}
