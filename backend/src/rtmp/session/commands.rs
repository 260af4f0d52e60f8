//! Commands of a client (section 7.2), and those of Adobe's servers that the specification leaves out.

use super::event::{Event, PlayRequest, ProtocolError, PublishRequest};
use super::names::Connection;
use super::{Role, Session, WINDOW};
use crate::flv::amf0::{self, Value};
use crate::rtmp::message_type;
use crate::rtmp::play::STREAM;

/// `capsEx`: modifiers in front of packets are understood (Enhanced RTMP v2, "Enhancing NetConnection
/// connect Command").
const CAPS_MOD_EX: u32 = 4;
/// `FourCcInfoMask`: the codec is handed on.
const CAN_FORWARD: u32 = 4;

/// A command taken apart.
struct Command<'a> {
    name: &'a str,
    transaction: f64,
    object: &'a Value,
    arguments: &'a [Value],
}

impl<'a> Command<'a> {
    fn new(values: &'a [Value]) -> Option<Self> {
        let (name, rest) = values.split_first()?;
        let transaction = rest.first().and_then(Value::as_number);
        Some(Self {
            name: name.as_str()?,
            transaction: transaction.unwrap_or(0.0),
            object: rest.get(1).unwrap_or(&Value::Null),
            arguments: rest.get(2..).unwrap_or_default(),
        })
    }

    /// The first argument: a stream's name.
    fn stream_name(&self) -> &'a str {
        let name = self.arguments.first();
        name.and_then(Value::as_str).unwrap_or_default()
    }
}

impl Session {
    pub(super) fn command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        let values = amf0::read(body)?;
        let Some(command) = Command::new(&values) else {
            return Ok(());
        };
        if command.name == "connect" {
            self.connect(&command);
            return Ok(());
        }
        if self.connection.is_none() {
            return Err(ProtocolError::NotConnected);
        }
        match command.name {
            "createStream" => self.outbox.result(command.transaction, STREAM.into()),
            "publish" => self.publish(&command),
            "play" | "play2" => self.play(&command),
            "FCUnpublish" | "FCUnsubscribe" | "deleteStream" | "closeStream" => {
                self.leave();
                self.outbox.result(command.transaction, Value::Null);
            }
            // A live stream has none.
            "getStreamLength" => self.outbox.result(command.transaction, 0.0.into()),
            "FCSubscribe" => {
                self.outbox.result(command.transaction, Value::Null);
                self.on_fc("onFCSubscribe", "NetStream.Play.Start");
            }
            // Answers to what we said.
            "_result" | "_error" => {}
            other => {
                // releaseStream, FCPublish, _checkbw, seek, pause, receiveAudio, … and what nobody knows.
                let shown: String = other
                    .chars()
                    .take(32)
                    .filter(char::is_ascii_graphic)
                    .collect();
                tracing::trace!(command = shown, "answered without doing anything");
                self.outbox.result(command.transaction, Value::Null);
            }
        }
        Ok(())
    }

    /// Section 7.2.1.1.
    fn connect(&mut self, command: &Command<'_>) {
        if self.connection.is_some() {
            let information = information(
                "error",
                "NetConnection.Connect.Rejected",
                "connected already",
            );
            let values = [
                "_error".into(),
                command.transaction.into(),
                Value::Null,
                information,
            ];
            self.outbox.command(&values);
            return;
        }
        let text = |name| {
            command
                .object
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        self.connection = Some(Connection::new(text("app"), text("tcUrl")));
        self.outbox
            .control(message_type::WINDOW_ACKNOWLEDGEMENT_SIZE, WINDOW);
        self.outbox.set_peer_bandwidth(WINDOW);
        self.outbox.set_chunk_size();
        let mut properties = amf0::named([
            ("fmsVer", "FMS/3,5,7,7009".into()),
            ("capabilities", 31.0.into()),
        ]);
        let mut information = amf0::named([
            ("level", "status".into()),
            ("code", "NetConnection.Connect.Success".into()),
            ("description", "Connection succeeded.".into()),
            ("objectEncoding", 0.0.into()),
        ]);
        // Servers differ in where they say what they can; clients look in either place.
        properties.extend(capabilities());
        information.extend(capabilities());
        self.outbox.command(&[
            "_result".into(),
            command.transaction.into(),
            Value::Object(properties),
            Value::Object(information),
        ]);
    }

    /// Section 7.2.2.6; the type (live, record, append) is often missing and never matters.
    fn publish(&mut self, command: &Command<'_>) {
        if let Some(why) = self.busy() {
            self.outbox
                .status("error", "NetStream.Publish.BadName", why);
            return;
        }
        let Some(connection) = &self.connection else {
            return;
        };
        let target = connection.target(command.stream_name());
        self.role = Role::AskedToPublish;
        self.events.push_back(Event::Publish(PublishRequest {
            app: target.app,
            key: target.key,
            secret: target.secret,
            tc_url: connection.tc_url.clone(),
        }));
    }

    /// Section 7.2.2.1. Start (-2, -1, -1000, …), duration and reset do not matter to a live stream.
    fn play(&mut self, command: &Command<'_>) {
        if let Some(why) = self.busy() {
            self.outbox.status("error", "NetStream.Play.Failed", why);
            return;
        }
        let Some(connection) = &self.connection else {
            return;
        };
        let target = connection.target(command.stream_name());
        self.role = Role::AskedToPlay;
        let request = PlayRequest {
            app: target.app,
            key: target.key,
        };
        self.events.push_back(Event::Play(request));
    }

    /// Why the connection cannot be put to another use.
    fn busy(&self) -> Option<&'static str> {
        match self.role {
            Role::Idle | Role::Done => None,
            Role::AskedToPublish | Role::Publishing => {
                Some("this connection already publishes a stream")
            }
            Role::AskedToPlay | Role::Playing => Some("this connection already plays a stream"),
        }
    }

    fn leave(&mut self) {
        match self.role {
            Role::Publishing => {
                self.outbox.status(
                    "status",
                    "NetStream.Unpublish.Success",
                    "The stream has ended.",
                );
                self.events.push_back(Event::Unpublish);
            }
            Role::Playing => self.events.push_back(Event::StopPlay),
            _ => return,
        }
        self.role = Role::Done;
    }

    pub(super) fn on_fc(&mut self, name: &str, code: &str) {
        let information = information("status", code, "");
        self.outbox
            .command(&[name.into(), 0.0.into(), Value::Null, information]);
    }
}

fn information(level: &str, code: &str, description: &str) -> Value {
    amf0::object([
        ("level", level.into()),
        ("code", code.into()),
        ("description", description.into()),
    ])
}

/// Which codecs are carried, in Enhanced RTMP's words.
fn capabilities() -> [(String, Value); 4] {
    let map = |codec| amf0::object([(codec, CAN_FORWARD.into())]);
    [
        (
            "fourCcList",
            Value::StrictArray(vec!["avc1".into(), "mp4a".into()]),
        ),
        ("videoFourCcInfoMap", map("avc1")),
        ("audioFourCcInfoMap", map("mp4a")),
        ("capsEx", CAPS_MOD_EX.into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}
