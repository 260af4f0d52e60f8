//! A client that says what it is told to.

use bytes::{Bytes, BytesMut};

use super::super::*;
use crate::flv::amf0::{Value, named, object};
use crate::rtmp::chunk::writer::{Header, put_message};

pub(super) const SECRET: &str = "hunter2";

pub(super) struct Client {
    pub(super) session: Session,
    reader: ChunkReader,
}

impl Client {
    /// Behind the handshake, with a chunk size that fits everything.
    pub(super) fn greeted() -> Self {
        let mut session = Session::new();
        session.receive(&greeting()).unwrap();
        assert_eq!(session.take_output().len(), 1 + 2 * 1_536);
        Self {
            session,
            reader: ChunkReader::default(),
        }
    }

    pub(super) fn connected() -> Self {
        let mut client = Self::greeted();
        client.command(&connect());
        client.said();
        client
    }

    pub(super) fn publishing() -> Self {
        let mut client = Self::connected();
        client.publish("room");
        client.session.accept_publish().unwrap();
        client.events();
        client.said();
        client
    }

    pub(super) fn command(&mut self, values: &[Value]) {
        self.send(20, &written(values));
    }

    pub(super) fn data(&mut self, values: &[Value]) {
        self.send(18, &written(values));
    }

    pub(super) fn publish(&mut self, name: &str) {
        self.command(&[
            "publish".into(),
            5.0.into(),
            Value::Null,
            name.into(),
            "live".into(),
        ]);
    }

    pub(super) fn play(&mut self, name: &str) {
        self.command(&["play".into(), 0.0.into(), Value::Null, name.into()]);
    }

    pub(super) fn send(&mut self, message_type: u8, body: &[u8]) {
        self.try_send(message_type, body).unwrap();
    }

    pub(super) fn try_send(&mut self, message_type: u8, body: &[u8]) -> Result<(), ProtocolError> {
        self.session.receive(&chunks(message_type, body))
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// What the server has sent since the last time.
    pub(super) fn messages(&mut self) -> Vec<Message> {
        let output = self.session.take_output();
        let mut rest = &output[..];
        std::iter::from_fn(|| self.reader.next(&mut rest).unwrap()).collect()
    }

    /// The same, in short.
    pub(super) fn said(&mut self) -> Vec<String> {
        let messages = self.messages();
        messages
            .iter()
            .map(|message| in_short(message.message_type, &message.body))
            .collect()
    }
}

fn in_short(message_type: u8, body: &Bytes) -> String {
    if let (4, [0, kind, a, b, c, d]) = (message_type, &body[..]) {
        let name = ["begin", "end", "", "", "", "", "ping", "pong"][usize::from(*kind)];
        return format!("{name} {}", u32::from_be_bytes([*a, *b, *c, *d]));
    }
    if !matches!(message_type, 18 | 20) {
        return format!("type {message_type}");
    }
    let values = amf0::read(body).unwrap();
    let name = values[0].as_str().unwrap().to_owned();
    match (
        name.as_str(),
        values.last().and_then(|last| last.get("code")),
    ) {
        ("_result", _) => format!("_result {}", values[1].as_number().unwrap()),
        (_, Some(code)) => format!("{name} {}", code.as_str().unwrap()),
        _ => name,
    }
}

/// C0, C1 and C2 of the simple handshake.
pub(super) fn greeting() -> Vec<u8> {
    [&[3][..], &[0; 2 * 1_536]].concat()
}

pub(super) fn connect() -> [Value; 3] {
    let object = object([("app", "live".into()), ("tcUrl", "rtmp://h/live".into())]);
    ["connect".into(), 1.0.into(), object]
}

pub(super) fn written(values: &[Value]) -> BytesMut {
    let mut out = BytesMut::new();
    for value in values {
        value.put(&mut out);
    }
    out
}

/// A message in chunks of 128 bytes, with the time stamp 7.
pub(super) fn chunks(message_type: u8, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    let header = Header {
        chunk_stream: 4,
        timestamp: 7,
        message_type,
        stream_id: 1,
    };
    put_message(&mut out, header, &[body], 128);
    out
}

/// From the first byte to the last: five events.
pub(super) fn a_whole_broadcast() -> Vec<u8> {
    let publish = [
        "publish".into(),
        5.0.into(),
        Value::Null,
        "room?key=hunter2".into(),
    ];
    let metadata = Value::EcmaArray(named([("width", 1280.0.into())]));
    let metadata = ["@setDataFrame".into(), "onMetaData".into(), metadata];
    let delete = ["deleteStream".into(), 0.0.into(), Value::Null, 1.0.into()];
    [
        greeting(),
        chunks(20, &written(&connect())).to_vec(),
        chunks(20, &written(&publish)).to_vec(),
        chunks(18, &written(&metadata)).to_vec(),
        chunks(9, &[0x17; 5_000]).to_vec(),
        chunks(8, &[0xaf; 300]).to_vec(),
        chunks(20, &written(&delete)).to_vec(),
    ]
    .concat()
}
