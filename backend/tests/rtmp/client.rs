//! An RTMP client that does what it is told, wrong things included.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use golive::flv::amf0::{self, Value, object};
use golive::flv::body::Body;
use golive::media::aac::AacFormat;
use golive::media::h264::VideoFormat;
use golive::rtmp::chunk::reader::{ChunkReader, Message};
use golive::rtmp::chunk::writer::{Header, put_message};
use golive::rtmp::message_type;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::support::{SOON, Server};
use crate::webrtc_client::{PPS, SPS};

/// AAC-LC, 48 kHz, stereo, as OBS writes it.
const AAC: &[u8] = &[0x11, 0x90, 0x56, 0xe5, 0x00];
/// High profile, 1280x720, output in decoding order.
pub(crate) const SPS_720P: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80,
    0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x07, 0x8c, 0x18, 0xcb,
];
/// A slice of an IDR picture, behind its length.
const IDR: &[u8] = &[0, 0, 0, 3, 0x65, 0x88, 0x84];
/// A slice of another picture, behind its length.
const SLICE: &[u8] = &[0, 0, 0, 3, 0x41, 0x9a, 0x24];
/// RTMP's handshake: C0, C1 (section 5.2).
const C1: usize = 1 + 1_536;

pub(crate) struct RtmpClient {
    pub(crate) stream: TcpStream,
    reader: ChunkReader,
    unread: Vec<u8>,
    messages: VecDeque<Message>,
}

impl RtmpClient {
    /// A connection on which nothing was said yet.
    pub(crate) async fn dial(server: &Server) -> Self {
        Self::dial_from(server, "127.0.0.1:0").await
    }

    /// The same, from an address of the client's choice.
    pub(crate) async fn dial_from(server: &Server, from: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(from.parse::<SocketAddr>().unwrap()).unwrap();
        let stream = socket.connect(server.rtmp()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut reader = ChunkReader::default();
        reader.allow_media();
        Self {
            stream,
            reader,
            unread: Vec::new(),
            messages: VecDeque::new(),
        }
    }

    /// A connection that has shaken hands and connected to the application of rooms.
    pub(crate) async fn connect(server: &Server) -> Self {
        Self::dial(server).await.connected().await
    }

    pub(crate) async fn connected(mut self) -> Self {
        self.shake_hands().await;
        self.command("connect", [object([("app", Value::String("live".into()))])])
            .await;
        while self.next().await.unwrap().message_type != message_type::COMMAND {}
        self.command("createStream", [Value::Null]).await;
        while self.next().await.unwrap().message_type != message_type::COMMAND {}
        self
    }

    pub(crate) async fn shake_hands(&mut self) {
        let mut hello = vec![0; C1];
        hello[0] = 3;
        self.write(&hello).await;
        let mut answer = vec![0; C1 + 1_536];
        timeout(SOON, self.stream.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        self.write(&answer[1..C1]).await;
    }

    /// Connects and asks to publish; `name` is OBS's field "Stream Key".
    pub(crate) async fn publish(server: &Server, name: &str) -> Self {
        let mut client = Self::connect(server).await;
        client.ask_to_publish(name).await;
        client
    }

    pub(crate) async fn ask_to_publish(&mut self, name: &str) {
        let name = Value::String(name.to_owned());
        self.command("publish", [Value::Null, name, Value::String("live".into())])
            .await;
    }

    /// Publishes, is let in, and says what it is going to send.
    pub(crate) async fn on_air(server: &Server, name: &str) -> Self {
        let mut client = Self::publish(server, name).await;
        assert_eq!(client.status().await.0, "NetStream.Publish.Start");
        client.announce().await;
        client
    }

    /// Connects and asks to play.
    pub(crate) async fn play(server: &Server, key: &str) -> Self {
        let mut client = Self::connect(server).await;
        let key = Value::String(key.to_owned());
        client
            .command("play", [Value::Null, key, Value::Number(-2_000.0)])
            .await;
        client
    }

    pub(crate) async fn command<const N: usize>(&mut self, name: &str, arguments: [Value; N]) {
        let mut body = BytesMut::new();
        Value::String(name.to_owned()).put(&mut body);
        Value::Number(1.0).put(&mut body);
        arguments.iter().for_each(|value| value.put(&mut body));
        self.message(message_type::COMMAND, 0, &body).await;
    }

    /// Sends a message in chunks of 128 bytes.
    pub(crate) async fn message(&mut self, message_type: u8, timestamp: u32, body: &[u8]) {
        let mut out = BytesMut::new();
        let header = Header {
            chunk_stream: 3,
            timestamp,
            message_type,
            stream_id: 1,
        };
        put_message(&mut out, header, &[body], 128);
        self.write(&out).await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sequence headers.
    pub(crate) async fn announce(&mut self) {
        self.announce_picture(0, SPS).await;
        let aac = AacFormat::parse(Bytes::from_static(AAC)).unwrap();
        self.body(0, &Body::aac_sequence_header(&aac)).await;
    }

    /// The sequence header of a picture with this SPS.
    pub(crate) async fn announce_picture(&mut self, timestamp: u32, sps: &'static [u8]) {
        let (sps, pps) = (Bytes::from_static(sps), Bytes::from_static(PPS));
        let format = VideoFormat::parse(sps, pps).unwrap();
        let header = Body::avc_sequence_header(&format);
        self.body(timestamp, &header).await;
    }

    pub(crate) async fn body(&mut self, timestamp: u32, body: &Body) {
        let bytes = body.parts().concat();
        self.message(body.tag_type as u8, timestamp, &bytes).await;
    }

    pub(crate) async fn picture(&mut self, timestamp: u32, keyframe: bool) {
        let data = Bytes::from_static(if keyframe { IDR } else { SLICE });
        self.body(timestamp, &Body::picture(keyframe, 0, data))
            .await;
    }

    pub(crate) async fn sound(&mut self, timestamp: u32) {
        self.body(
            timestamp,
            &Body::aac(Bytes::from_static(&[0x21, 0x10, 0x05])),
        )
        .await;
    }

    /// Sends a second of pictures and sound, the first picture a keyframe.
    pub(crate) async fn second(&mut self, from_ms: u32) {
        for at in (0..1_000).step_by(40) {
            let now = from_ms.wrapping_add(at);
            self.picture(now, at == 0).await;
            self.sound(now).await;
        }
        // Whoever is more than 1.5 s late jumps to the newest keyframe.
        sleep(Duration::from_millis(50)).await;
    }

    /// The next message; `None` once the server has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.next_within(SOON)
            .await
            .expect("something comes in time")
    }

    /// As [`next`](Self::next); an error when nothing comes for so long.
    pub(crate) async fn next_within(&mut self, patience: Duration) -> Result<Option<Message>, ()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Ok(Some(message));
            }
            let read = timeout(patience, self.stream.read(&mut buffer));
            let count = read.await.map_err(drop)?.unwrap_or(0);
            if count == 0 {
                return Ok(None);
            }
            self.unread.extend_from_slice(&buffer[..count]);
            let mut rest = &self.unread[..];
            while let Some(message) = self.reader.next(&mut rest).unwrap() {
                self.messages.push_back(message);
            }
            let used = self.unread.len() - rest.len();
            self.unread.drain(..used);
        }
    }

    /// The next media message of this type whose body is not a sequence header.
    pub(crate) async fn next_media(&mut self, message_type: u8) -> Message {
        loop {
            let message = self.next().await.expect("the server goes on");
            if message.message_type == message_type && message.body.get(1) == Some(&1) {
                return message;
            }
        }
    }

    /// Code and description of the next `onStatus`.
    pub(crate) async fn status(&mut self) -> (String, String) {
        loop {
            let message = self.next().await.expect("the server says something");
            if message.message_type != message_type::COMMAND {
                continue;
            }
            let values = amf0::read(&message.body).unwrap();
            if values[0].as_str() != Some("onStatus") {
                continue;
            }
            let said = |name| {
                let value = values.last().unwrap().get(name);
                value.and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            return (said("code"), said("description"));
        }
    }

    /// The server closes the connection.
    pub(crate) async fn is_cut(&mut self) {
        while self.next().await.is_some() {}
    }

    /// Leaves as encoders do.
    pub(crate) async fn unpublish(mut self) {
        self.command("FCUnpublish", [Value::Null]).await;
        self.command("deleteStream", [Value::Null, Value::Number(1.0)])
            .await;
    }
}

/// A `connect` whose object holds objects that hold objects.
pub(crate) fn nested_connect(depth: usize) -> BytesMut {
    let mut body = BytesMut::new();
    Value::String("connect".into()).put(&mut body);
    Value::Number(1.0).put(&mut body);
    for _ in 0..depth {
        body.put_slice(&[0x03, 0x00, 0x01, b'a']);
    }
    body
}
