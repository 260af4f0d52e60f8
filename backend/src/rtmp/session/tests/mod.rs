//! What a session does.

mod hostile;
mod library;
mod support;

use super::*;
use crate::flv::amf0::{Value, named, object};
use support::{Client, SECRET};

#[test]
fn a_connection_is_answered_with_what_the_server_can_do() {
    let mut client = Client::greeted();
    let connect = object([("app", "live".into()), ("tcUrl", "rtmp://h/live".into())]);
    client.command(&["connect".into(), 1.0.into(), connect]);
    let messages = client.messages();
    let types: Vec<_> = messages
        .iter()
        .map(|message| message.message_type)
        .collect();
    // The chunk size comes between the second and the third, and is obeyed by the reader.
    assert_eq!(types, [5, 6, 20]);
    assert_eq!(&messages[0].body[..], WINDOW.to_be_bytes());
    let answer = amf0::read(&messages[2].body).unwrap();
    assert_eq!(answer[..2], ["_result".into(), 1.0.into()]);
    for place in [&answer[2], &answer[3]] {
        assert!(place.get("capsEx").is_some());
        let codecs = Value::StrictArray(vec!["avc1".into(), "mp4a".into()]);
        assert_eq!(place.get("fourCcList"), Some(&codecs));
    }
    let code = answer[3].get("code").and_then(Value::as_str);
    assert_eq!(code, Some("NetConnection.Connect.Success"));
    assert_eq!(answer[3].get("objectEncoding"), Some(&Value::Number(0.0)));
}

#[test]
fn what_obs_says_before_it_publishes_is_answered() {
    let mut client = Client::connected();
    for (name, transaction) in [
        ("releaseStream", 2.0),
        ("FCPublish", 3.0),
        ("createStream", 4.0),
    ] {
        client.command(&[name.into(), transaction.into(), Value::Null, "room".into()]);
        assert_eq!(client.said(), [format!("_result {transaction}")]);
    }
}

#[test]
fn a_publish_asks_first_and_then_starts() {
    let mut client = Client::connected();
    client.publish("room?key=hunter2");
    let Some(Event::Publish(request)) = client.session.poll_event() else {
        panic!("no request");
    };
    assert_eq!(
        (request.app.as_str(), request.key.as_str()),
        ("live", "room")
    );
    assert_eq!(request.tc_url, "rtmp://h/live");
    assert_eq!(request.secret.as_ref().map(Presented::reveal), Some(SECRET));
    assert!(client.said().is_empty());
    client.session.accept_publish().unwrap();
    assert_eq!(
        client.said(),
        [
            "onFCPublish NetStream.Publish.Start",
            "begin 1",
            "onStatus NetStream.Publish.Start"
        ]
    );
    client.send(9, b"\x17\x01picture");
    client.send(8, b"\xaf\x01sound");
    let events = client.events();
    assert!(
        matches!(&events[0], Event::Video { timestamp: 7, body } if body.ends_with(b"picture"))
    );
    assert!(matches!(&events[1], Event::Audio { timestamp: 7, body } if body.ends_with(b"sound")));
}

#[test]
fn a_secret_is_never_shown() {
    let mut client = Client::connected();
    client.publish("room?key=hunter2");
    let shown = format!("{:?} {:?}", client.events(), client.session);
    assert!(shown.contains("room") && !shown.contains(SECRET), "{shown}");
}

#[test]
fn a_refused_publish_says_why() {
    let mut client = Client::connected();
    client.publish("room");
    client.events();
    client.session.refuse_publish("wrong stream key for room");
    let messages = client.messages();
    let status = amf0::read(&messages[0].body).unwrap();
    let text = |name| status[3].get(name).and_then(Value::as_str);
    assert_eq!(text("level"), Some("error"));
    assert_eq!(text("code"), Some("NetStream.Publish.BadName"));
    assert_eq!(text("description"), Some("wrong stream key for room"));
    assert_eq!(client.session.receive(&[0]), Err(ProtocolError::Ended));
}

#[test]
fn a_broadcast_refused_midway_is_told_once_and_heard_no_more() {
    let mut client = Client::publishing();
    client.send(9, b"\x90hvc1");
    client.send(9, b"\x91hvc1");
    assert!(client.session.poll_event().is_some());
    client.session.refuse_publish("the picture is HEVC");
    client.session.refuse_publish("the picture is HEVC");
    assert_eq!(client.said(), ["onStatus NetStream.Publish.BadName"]);
    assert!(client.events().is_empty());
    assert_eq!(client.try_send(9, b"\x91hvc1"), Err(ProtocolError::Ended));
}

#[test]
fn a_publish_without_a_type_is_enough() {
    let mut client = Client::connected();
    client.command(&["publish".into(), 5.0.into(), Value::Null, "room".into()]);
    assert!(matches!(client.events()[..], [Event::Publish(_)]));
}

#[test]
fn commands_and_data_may_come_as_amf3() {
    let mut client = Client::connected();
    let publish = support::written(&["publish".into(), 5.0.into(), Value::Null, "room".into()]);
    client.send(17, &[&[0], &publish[..]].concat());
    assert!(matches!(client.events()[..], [Event::Publish(_)]));
    client.session.accept_publish().unwrap();
    let data = support::written(&["onMetaData".into(), object([("width", 640.0.into())])]);
    client.send(15, &[&[0], &data[..]].concat());
    assert!(matches!(&client.events()[..], [Event::Metadata(said)] if said.width == Some(640)));
}

#[test]
fn metadata_is_told_and_nonsense_is_not() {
    let mut client = Client::publishing();
    let said = Value::EcmaArray(named([
        ("width", 1280.0.into()),
        ("framerate", 30.0.into()),
    ]));
    client.data(&["@setDataFrame".into(), "onMetaData".into(), said]);
    client.data(&["@setDataFrame".into()]);
    client.data(&["@setDataFrame".into(), "onMetaData".into()]);
    client.send(18, b"\xff\xff");
    let events = client.events();
    assert!(matches!(&events[..], [Event::Metadata(said)] if said.frame_rate == Some(30.0)));
}

#[test]
fn every_way_to_end_a_publish_is_told_once() {
    for name in ["FCUnpublish", "deleteStream", "closeStream"] {
        let mut client = Client::publishing();
        client.command(&[name.into(), 6.0.into(), Value::Null, 1.0.into()]);
        client.command(&["deleteStream".into(), 7.0.into(), Value::Null, 1.0.into()]);
        // What was on its way is dropped.
        client.send(9, b"\x27\x01picture");
        assert_eq!(client.events(), [Event::Unpublish], "{name}");
        assert!(
            client
                .said()
                .contains(&"onStatus NetStream.Unpublish.Success".to_owned())
        );
    }
}

#[test]
fn a_stream_may_be_published_again_after_it_ended() {
    let mut client = Client::publishing();
    client.command(&["deleteStream".into(), 0.0.into(), Value::Null, 1.0.into()]);
    client.publish("room");
    assert!(matches!(
        client.events()[..],
        [Event::Unpublish, Event::Publish(_)]
    ));
}

#[test]
fn a_second_publish_is_refused_and_the_first_goes_on() {
    let mut client = Client::publishing();
    client.publish("other");
    assert_eq!(client.said(), ["onStatus NetStream.Publish.BadName"]);
    client.command(&["play".into(), 0.0.into(), Value::Null, "other".into()]);
    assert_eq!(client.said(), ["onStatus NetStream.Play.Failed"]);
    client.send(9, b"\x27\x01picture");
    assert!(matches!(client.events()[..], [Event::Video { .. }]));
}

#[test]
fn play_starts_whatever_its_arguments() {
    let null = || Value::Null;
    for arguments in [
        vec![],
        vec![-2.0],
        vec![-1.0],
        vec![-1_000.0],
        vec![-2_000.0, 0.0],
        vec![0.0, -1.0, 1.0],
    ] {
        let mut client = Client::connected();
        let mut play = vec!["play".into(), 4.0.into(), null(), "room?x=y".into()];
        play.extend(arguments.into_iter().map(Value::Number));
        client.command(&play);
        let request = PlayRequest {
            app: "live".to_owned(),
            key: "room".to_owned(),
        };
        assert_eq!(client.events(), [Event::Play(request)]);
        client.session.accept_play().unwrap();
        assert_eq!(
            client.said(),
            [
                "begin 1",
                "onStatus NetStream.Play.Reset",
                "onStatus NetStream.Play.Start",
                "|RtmpSampleAccess"
            ]
        );
    }
}

#[test]
fn a_player_is_told_that_there_is_nothing_or_that_it_is_over() {
    let mut client = Client::connected();
    client.play("room");
    client.session.refuse_play("no such room");
    assert_eq!(client.said(), ["onStatus NetStream.Play.StreamNotFound"]);

    let mut client = Client::connected();
    client.play("room");
    client.session.accept_play().unwrap();
    client.said();
    client.session.end_play();
    assert_eq!(
        client.said(),
        ["onStatus NetStream.Play.UnpublishNotify", "end 1"]
    );
    client.session.end_play();
    assert!(client.said().is_empty());
}

#[test]
fn a_player_that_leaves_is_told_of() {
    let mut client = Client::connected();
    client.play("room");
    client.session.accept_play().unwrap();
    client.events();
    client.command(&["deleteStream".into(), 0.0.into(), Value::Null, 1.0.into()]);
    assert_eq!(client.events(), [Event::StopPlay]);
}

#[test]
fn other_commands_are_tolerated() {
    let mut client = Client::connected();
    for name in [
        "_checkbw",
        "seek",
        "pause",
        "receiveAudio",
        "receiveVideo",
        "FCSubscribe",
        "getStreamLength",
        "whatever",
    ] {
        client.command(&[name.into(), 9.0.into(), Value::Null, "room".into()]);
        assert_eq!(client.said()[0], "_result 9", "{name}");
        client.command(&[name.into(), 0.0.into(), Value::Null, "room".into()]);
        assert!(
            !client.said().iter().any(|said| said.starts_with("_result")),
            "{name}"
        );
    }
    // SetBufferLength.
    client.send(4, &[0, 3, 0, 0, 0, 1, 0, 0, 0x0b, 0xb8]);
    client.command(&["onStatus".into()]);
    client.command(&[1.0.into()]);
    client.command(&[]);
    assert!(client.events().is_empty());
}

#[test]
fn pings_go_both_ways() {
    let mut client = Client::connected();
    client.session.ping(1_234);
    assert_eq!(client.said(), ["ping 1234"]);
    client.send(4, &[0, 7, 0, 0, 4, 0xd2]);
    assert_eq!(client.events(), [Event::Pong { sent_ms: 1_234 }]);
    client.send(4, &[0, 6, 0, 0, 0, 9]);
    assert_eq!(client.said(), ["pong 9"]);
}

#[test]
fn what_is_received_is_acknowledged() {
    let mut client = Client::publishing();
    client.send(5, &10_000_u32.to_be_bytes());
    client.said();
    let mut acknowledged = Vec::new();
    for _ in 0..4 {
        client.send(9, &[0x27; 4_000]);
        acknowledged.extend(
            client
                .messages()
                .into_iter()
                .filter(|m| m.message_type == 3),
        );
    }
    assert_eq!(acknowledged.len(), 1);
}

#[test]
fn what_comes_while_an_answer_is_owed_is_kept() {
    let mut client = Client::connected();
    client.publish("room");
    client.send(9, b"\x17\x01picture");
    assert!(matches!(client.events()[..], [Event::Publish(_)]));
    client.session.accept_publish().unwrap();
    assert!(matches!(client.events()[..], [Event::Video { .. }]));
}

#[test]
fn bytes_one_by_one_mean_the_same_as_all_at_once() {
    let bytes = support::a_whole_broadcast();
    let play = |piece: usize| {
        let mut session = Session::new();
        let (mut events, mut output) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            session.receive(piece).unwrap();
            while let Some(event) = session.poll_event() {
                let is_publish = matches!(event, Event::Publish(_));
                events.push(event);
                if is_publish {
                    session.accept_publish().unwrap();
                }
            }
            output.extend_from_slice(&session.take_output());
        }
        // The handshake is random.
        (events, output.split_off(3_073))
    };
    let whole = play(usize::MAX);
    assert_eq!(whole.0.len(), 5);
    for piece in [1, 2, 13, 1_536] {
        assert!(play(piece) == whole, "pieces of {piece}");
    }
}
