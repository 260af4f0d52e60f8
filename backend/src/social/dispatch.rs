//! Reads what a socket sends, has it carried out, and answers.
//!
//! Events are handled in the task that reads the socket, one after the other: a comment that follows a
//! `join_room` finds the room joined.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::events::{Ack, Nothing, Notice, Refusal, to_client, to_server};
use socketioxide::TransportType;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, Event, SocketRef};
use socketioxide::handler::{FromMessageParts, MessageHandler};
use socketioxide::socket::Socket;
use tracing::Span;

use super::Social;
use super::client::Client;
use super::encoding::{decode_twice_encoded, to_ascii_json};
use super::refusal::Refused;
use crate::metrics::METRICS;
use crate::store::journal::Receipt;

/// The handler of all events of one socket.
pub(super) struct Dispatch {
    pub(super) social: Arc<Social>,
    pub(super) client: Arc<Client>,
    pub(super) span: Span,
}

/// Tells this handler apart from those that socketioxide makes from closures, which run in tasks of
/// their own and overtake each other.
pub(super) enum InOrder {}

impl MessageHandler<LocalAdapter, InOrder> for Dispatch {
    fn call(&self, socket: Arc<Socket>, mut value: socketioxide_core::Value, ack: Option<i64>) {
        let _in_session = self.span.enter();
        // The library reads the name before it calls: this cannot fail.
        let Ok(Event(event)) = Event::from_message_parts(&socket, &mut value, &ack) else {
            return;
        };
        METRICS
            .events
            .get_or_create(&[("event", known(&event))])
            .inc();
        let Ok(sender) = AckSender::from_message_parts(&socket, &mut value, &ack);
        let reply = Reply {
            client: &self.client,
            event: &event,
            ack: ack.map(|_| sender),
            socket: SocketRef::from(socket),
        };
        let may_be_encoded_twice =
            self.client.is_from_2016 && reply.socket.transport_type() == TransportType::Polling;
        match read_payload(
            &value,
            may_be_encoded_twice,
            self.social.people.message_bytes,
        ) {
            Ok(payload) => self.handle(reply, Payload(payload)),
            Err(refused) => reply.refuse(refused),
        }
    }
}

impl Dispatch {
    fn handle(&self, reply: Reply<'_>, payload: Payload) {
        let (social, client) = (&self.social, &self.client);
        let socket = reply.socket.clone();
        match reply.event {
            to_server::CREATE_ROOM => reply.send(social.create_room(client, &socket, payload)),
            to_server::JOIN_ROOM => reply.send(social.join_room(client, &socket, payload)),
            to_server::LEAVE_ROOM => reply.send(social.leave_room(client, &socket, payload)),
            to_server::CLOSE_ROOM => reply.send(social.close_room(client, payload)),
            to_server::JOIN_LOBBY => reply.send(social.join_lobby(client, &socket)),
            to_server::LEAVE_LOBBY => reply.send(social.leave_lobby(client, &socket)),
            to_server::UPVOTE => reply.send(social.upvote(client, payload)),
            to_server::COMMENT => reply.send_once_kept(social.comment(client, payload)),
            to_server::GIFT => reply.send(social.gift(client, payload)),
            to_server::MODERATE => reply.send_once_kept(social.moderate(client, payload)),
            _ => reply.refuse(Refused::UnknownEvent),
        }
    }
}

/// The name of an event, if it is one of ours: strangers name none in our numbers.
fn known(event: &str) -> &'static str {
    const EVENTS: [&str; 10] = [
        to_server::CREATE_ROOM,
        to_server::JOIN_ROOM,
        to_server::LEAVE_ROOM,
        to_server::CLOSE_ROOM,
        to_server::JOIN_LOBBY,
        to_server::LEAVE_LOBBY,
        to_server::UPVOTE,
        to_server::COMMENT,
        to_server::GIFT,
        to_server::MODERATE,
    ];
    let known = EVENTS.into_iter().find(|&known| known == event);
    known.unwrap_or("other")
}

/// The first argument of an event; `null` if there is none.
pub(super) struct Payload(Value);

impl Payload {
    /// Reads it as a `T`.
    ///
    /// # Errors
    /// `expected`, in words, when it is something else.
    pub(super) fn read<T: DeserializeOwned>(self, expected: &'static str) -> Result<T, Refused> {
        serde_json::from_value(self.0).map_err(|_| Refused::Shape(expected))
    }
}

/// Reads `["event", payload, ...]`. Nesting is bounded by serde_json (128 levels).
fn read_payload(
    value: &socketioxide_core::Value,
    may_be_encoded_twice: bool,
    most: usize,
) -> Result<Value, Refused> {
    const TEXT: &str = "it has to be JSON without binary attachments";
    let socketioxide_core::Value::Str(text, attachments) = value else {
        return Err(Refused::Shape(TEXT));
    };
    if text.len() > most {
        return Err(Refused::TooLarge(most));
    }
    if attachments
        .as_ref()
        .is_some_and(|attachments| !attachments.is_empty())
    {
        return Err(Refused::Shape(TEXT));
    }
    let text = if may_be_encoded_twice {
        decode_twice_encoded(text)
    } else {
        text.as_str().into()
    };
    let arguments: Vec<Value> = serde_json::from_str(&text).map_err(|_| Refused::Shape(TEXT))?;
    Ok(arguments.into_iter().nth(1).unwrap_or_default())
}

/// The way back to whoever sent an event.
struct Reply<'a> {
    client: &'a Client,
    event: &'a str,
    /// There if an acknowledgement was asked for.
    ack: Option<AckSender>,
    socket: SocketRef,
}

impl Reply<'_> {
    fn send<T: Serialize>(self, result: Result<T, Refused>) {
        match result {
            Ok(value) => self.acknowledge(&Ack::done(value)),
            Err(refused) => self.refuse(refused),
        }
    }

    /// Answers when what was done is on the disk. What follows does not wait for it.
    fn send_once_kept<T>(self, result: Result<(T, Receipt), Refused>)
    where
        T: Serialize + Send + 'static,
    {
        let (value, receipt) = match result {
            Ok(done) => done,
            Err(refused) => return self.refuse(refused),
        };
        match receipt.now() {
            Some(outcome) => self.send(outcome.map(|()| value).map_err(Refused::from)),
            None if self.ack.is_none() => {}
            None => {
                let ack = self.ack;
                // Ends with the batch that the receipt waits for.
                tokio::spawn(async move {
                    let answer = match receipt.kept().await {
                        Ok(()) => Ack::done(value),
                        Err(not_kept) => Ack::Refused(Refused::from(not_kept).into()),
                    };
                    acknowledge(ack, &answer);
                });
            }
        }
    }

    fn refuse(self, refused: Refused) {
        let now = Instant::now();
        let mut state = self.client.state.lock();
        if refused.is_abuse() && state.may_log(now) {
            tracing::warn!(socket = %self.socket.id, event = self.event, "refused: {refused}");
        }
        let refusal = Refusal::from(refused);
        if self.ack.is_some() {
            self.acknowledge(&Ack::<Nothing>::Refused(refusal));
        } else if state.may_notice(now) {
            let Refusal {
                error,
                retry_after_ms,
            } = refusal;
            let event = (refused != Refused::UnknownEvent).then(|| self.event.to_owned());
            let notice = to_ascii_json(&Notice {
                event,
                error,
                retry_after_ms,
            });
            // A socket whose queue is full does not get it: it is not reading.
            let _ = notice.map(|notice| self.socket.emit(to_client::NOTICE, &notice));
        }
    }

    /// Answers, if that was asked for.
    fn acknowledge<T: Serialize>(self, answer: &Ack<T>) {
        acknowledge(self.ack, answer);
    }
}

fn acknowledge<T: Serialize>(ack: Option<AckSender>, answer: &Ack<T>) {
    if let Some(ack) = ack {
        // A socket whose queue is full does not get it: it is not reading.
        let _ = to_ascii_json(answer).map(|answer| ack.send(&answer));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MOST: usize = 1_024;

    fn message(text: &str) -> socketioxide_core::Value {
        socketioxide_core::Value::Str(text.to_owned().into(), None)
    }

    #[test]
    fn the_payload_is_the_first_argument() {
        let read = |text: &str| read_payload(&message(text), false, MOST);
        assert_eq!(read(r#"["upvote","r1"]"#), Ok(json!("r1")));
        assert_eq!(read(r#"["join_lobby"]"#), Ok(Value::Null));
        assert_eq!(read(r#"["comment",{"a":1},2]"#), Ok(json!({"a": 1})));
    }

    #[test]
    fn a_2016_client_that_polls_is_understood() {
        let twice: String = r#"["comment","grüß 🌹"]"#.bytes().map(char::from).collect();
        assert_eq!(
            read_payload(&message(&twice), true, MOST),
            Ok(json!("grüß 🌹"))
        );
    }

    #[test]
    fn a_message_over_the_limit_is_refused_by_name() {
        let long = format!(r#"["comment","{}"]"#, "x".repeat(MOST));
        let read = read_payload(&message(&long), false, MOST);
        assert_eq!(read, Err(Refused::TooLarge(MOST)));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!(r#"["comment",{}{}]"#, "[".repeat(5_000), "]".repeat(5_000));
        assert!(matches!(
            read_payload(&message(&deep), false, deep.len()),
            Err(Refused::Shape(_))
        ));
    }

    #[test]
    fn binary_attachments_are_refused() {
        let text = r#"["comment",{"_placeholder":true,"num":0}]"#.to_owned();
        let attachments = Some([vec![1_u8].into()].into());
        let value = socketioxide_core::Value::Str(text.into(), attachments);
        assert!(matches!(
            read_payload(&value, false, MOST),
            Err(Refused::Shape(_))
        ));
    }
}
