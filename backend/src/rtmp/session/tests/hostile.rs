//! Clients that mean harm, or are broken.

use super::super::*;
use super::support::{Client, a_whole_broadcast, chunks, connect, greeting, written};
use crate::flv::amf0::{AmfError, Value};
use crate::rtmp::chunk::reader::{ChunkError, MAX_COMMAND};

#[test]
fn twenty_thousand_nested_objects_in_connect_are_refused() {
    let mut client = Client::greeted();
    // As much as fits a command: deep enough to exhaust a stack.
    let bomb = [3, 0, 1, b'a'].repeat(16_000);
    let body = [&written(&["connect".into(), 1.0.into()])[..], &bomb].concat();
    let refused = client.try_send(20, &body);
    assert_eq!(refused, Err(ProtocolError::Command(AmfError::TooDeep)));

    let mut client = Client::greeted();
    let bomb = [3, 0, 1, b'a'].repeat(20_000);
    let refused = client.try_send(20, &bomb);
    assert!(matches!(
        refused,
        Err(ProtocolError::Chunk(ChunkError::TooLong { .. }))
    ));
}

#[test]
fn garbage_instead_of_a_handshake_is_refused() {
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[6; 2_000],
        &[0x16, 3, 1, 2, 0],
    ] {
        let mut session = Session::new();
        assert_eq!(session.receive(garbage), Err(ProtocolError::Handshake));
        assert!(
            session.take_output().is_empty(),
            "nothing is sent to strangers"
        );
        assert_eq!(session.receive(garbage), Err(ProtocolError::Ended));
    }
}

#[test]
fn half_a_handshake_is_no_event() {
    let mut session = Session::new();
    for &byte in &greeting()[..3_000] {
        session.receive(&[byte]).unwrap();
    }
    assert_eq!(session.poll_event(), None);
}

#[test]
fn nothing_is_done_before_connect() {
    for name in ["createStream", "publish", "play", "whatever"] {
        let mut client = Client::greeted();
        let body = written(&[name.into(), 1.0.into(), Value::Null, "room".into()]);
        assert_eq!(client.try_send(20, &body), Err(ProtocolError::NotConnected));
    }
}

#[test]
fn media_before_publish_is_refused_with_a_reason() {
    for message_type in [8, 9] {
        let mut client = Client::connected();
        let refused = client.try_send(message_type, b"\x17\x01picture");
        assert_eq!(refused, Err(ProtocolError::MediaBeforePublish));
        assert_eq!(client.said(), ["onStatus NetStream.Publish.BadName"]);
    }
}

#[test]
fn metadata_of_megabytes_is_refused() {
    let mut client = Client::publishing();
    let body = written(&["onMetaData".into(), Value::String("x".repeat(3 << 20))]);
    let refused = client.try_send(18, &body);
    let length = body.len();
    let limit = MAX_COMMAND;
    assert_eq!(
        refused,
        Err(ProtocolError::Chunk(ChunkError::TooLong { length, limit }))
    );
}

#[test]
fn who_does_not_wait_for_an_answer_is_not_listened_to_for_ever() {
    let mut client = Client::connected();
    client.publish("room");
    let mut refused = Ok(());
    for _ in 0..MAX_HELD {
        refused = client.try_send(9, &[0x27; 100]);
        if refused.is_err() {
            break;
        }
    }
    assert_eq!(refused, Err(ProtocolError::Impatient));
}

#[test]
fn an_answer_that_nobody_asked_for_changes_nothing() {
    let mut client = Client::connected();
    client.session.accept_publish().unwrap();
    client.session.accept_play().unwrap();
    client.session.end_play();
    assert!(client.said().is_empty());
    assert_eq!(
        client.try_send(9, b"\x17\x01"),
        Err(ProtocolError::MediaBeforePublish)
    );
}

#[test]
fn connecting_twice_is_refused_without_harm() {
    let mut client = Client::connected();
    client.command(&connect());
    assert_eq!(client.said(), ["_error NetConnection.Connect.Rejected"]);
    client.publish("room");
    assert!(matches!(client.events()[..], [Event::Publish(_)]));
}

/// A seeded sequence that is the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// Answers whatever is asked, until there is nothing more.
fn drive(session: &mut Session, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        let received = session.receive(piece);
        while let Some(event) = session.poll_event() {
            let answered = match event {
                Event::Publish(_) => session.accept_publish(),
                Event::Play(_) => session.accept_play(),
                _ => Ok(()),
            };
            if answered.is_err() {
                return;
            }
        }
        session.take_output();
        if received.is_err() {
            return;
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut noise = Noise(1);
    for _ in 0..3_000 {
        let mut bytes = greeting();
        let length = noise.next(400);
        bytes.extend((0..length).map(|_| noise.next(256) as u8));
        drive(&mut Session::new(), &bytes, 5_000);
    }
}

#[test]
fn damaged_broadcasts_never_panic() {
    let whole = a_whole_broadcast();
    let mut noise = Noise(2);
    for _ in 0..2_000 {
        let mut bytes = whole.clone();
        for _ in 0..=noise.next(8) {
            // Most of it in the commands, where it does most harm.
            let span = if noise.next(4) == 0 {
                bytes.len() - 3_073
            } else {
                400
            };
            let at = 3_073 + noise.next(span);
            bytes[at] = noise.next(256) as u8;
        }
        drive(&mut Session::new(), &bytes, 1 + noise.next(4_000));
    }
}

#[test]
fn commands_of_random_values_never_panic() {
    let names = [
        "connect",
        "publish",
        "play",
        "deleteStream",
        "FCPublish",
        "getStreamLength",
        "createStream",
    ];
    let mut noise = Noise(3);
    for _ in 0..3_000 {
        let mut session = Session::new();
        let mut bytes = greeting();
        bytes.extend(chunks(20, &written(&connect())));
        for _ in 0..3 {
            let mut body = written(&[names[noise.next(names.len())].into()]).to_vec();
            let length = noise.next(30);
            body.extend((0..length).map(|_| noise.next(18) as u8));
            bytes.extend(chunks([20, 17, 18][noise.next(3)], &body));
        }
        drive(&mut session, &bytes, usize::MAX);
    }
}
