//! What is refused of moderation, and what may come from one address.

use serde_json::{Value, json};
use shared::api::CreatedRoom;
use shared::limits;

use crate::support::{Server, Socket};

async fn as_host(server: &Server, made: &CreatedRoom) -> Socket {
    let mut host = Socket::connect(server).await;
    let join = json!({"key": made.room.key, "host_token": made.host_token});
    assert_eq!(host.call("join_room", join).await["ok"], true);
    host
}

fn actions() -> [Value; 8] {
    [
        json!({"action": "delete", "id": 1}),
        json!({"action": "timeout", "author": "abc", "seconds": 60}),
        json!({"action": "ban", "author": "abc"}),
        json!({"action": "unban", "author": "abc"}),
        json!({"action": "pin", "id": 1}),
        json!({"action": "unpin"}),
        json!({"action": "slow_mode", "seconds": 30}),
        json!({"action": "words", "words": ["spam"]}),
    ]
}

fn in_room(made: &CreatedRoom, mut action: Value) -> Value {
    action["roomKey"] = json!(made.room.key);
    action
}

#[tokio::test]
async fn nobody_but_the_host_moderates() {
    let server = Server::start().await;
    let (made, other) = (
        server.create_room("r").await,
        server.create_room("another").await,
    );
    let mut host = as_host(&server, &made).await;
    let comment = json!({"roomKey": made.room.key, "text": "mine"});
    host.call("comment", comment).await;
    let mut guest = Socket::connect(&server).await;
    guest.join(&made).await;
    // The host of one room is a guest in the other.
    let mut stranger = as_host(&server, &other).await;
    stranger.join(&made).await;
    let mut outside = as_host(&server, &other).await;
    for action in actions() {
        let moderate = in_room(&made, action);
        for socket in [&mut guest, &mut stranger] {
            let sentence = socket.refusal("moderate", moderate.clone()).await;
            assert!(sentence.contains("host"), "{moderate}: {sentence}");
        }
        let sentence = outside.refusal("moderate", moderate).await;
        assert!(sentence.contains("join"), "{sentence}");
    }
    let page = server
        .json(&format!("/api/rooms/{}/comments", made.room.key))
        .await;
    assert_eq!(page["comments"][0]["text"], "mine");
    assert_eq!(guest.all_within_a_moment("removed").await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_forged_token_makes_nobody_the_host() {
    let server = Server::start().await;
    let (made, other) = (
        server.create_room("r").await,
        server.create_room("another").await,
    );
    for forged in ["", "x", &made.stream_key, &other.host_token] {
        let mut socket = Socket::connect(&server).await;
        let join = json!({"key": made.room.key, "host_token": forged});
        socket.refusal("join_room", join).await;
        let moderate = in_room(&made, json!({"action": "unpin"}));
        socket.refusal("moderate", moderate.clone()).await;
        // Nor does a token in the event itself.
        socket.join(&made).await;
        let mut moderate = moderate;
        moderate["host_token"] = json!(made.host_token);
        assert!(socket.refusal("moderate", moderate).await.contains("host"));
    }
}

#[tokio::test]
async fn what_is_no_action_or_out_of_bounds_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut host = as_host(&server, &made).await;
    let comment = json!({"roomKey": made.room.key, "text": "mine"});
    host.call("comment", comment).await;
    let author = host.next("comment").await["author"].clone();
    let long = "w".repeat(limits::WORD_CHARS + 1);
    let many: Vec<_> = (0..=limits::WORDS).map(|n| format!("word{n}")).collect();
    for action in [
        json!({}),
        json!({"action": "explode"}),
        json!({"action": "delete"}),
        json!({"action": "delete", "id": -1}),
        json!({"action": "delete", "id": 99}),
        json!({"action": "pin", "id": 99}),
        json!({"action": "ban", "author": "../etc"}),
        json!({"action": "ban", "author": "nobody"}),
        json!({"action": "ban", "author": author}),
        json!({"action": "timeout", "author": "nobody", "seconds": 0}),
        json!({"action": "timeout", "author": "nobody", "seconds": limits::TIMEOUT_SECONDS + 1}),
        json!({"action": "unban", "author": "nobody"}),
        json!({"action": "slow_mode", "seconds": limits::SLOW_MODE_SECONDS + 1}),
        json!({"action": "slow_mode", "seconds": -1}),
        json!({"action": "words", "words": "spam"}),
        json!({"action": "words", "words": [long]}),
        json!({"action": "words", "words": [""]}),
        json!({"action": "words", "words": many}),
    ] {
        let moderate = in_room(&made, action);
        let sentence = host.refusal("moderate", moderate.clone()).await;
        assert!(sentence.contains(' '), "{moderate}: {sentence}");
    }
    for payload in [json!(5), Value::Null, json!([1])] {
        host.refusal("moderate", payload).await;
    }
    let mut guest = Socket::connect(&server).await;
    let joined = guest.join(&made).await;
    assert_eq!(joined["comments"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&joined["slowMode"], &joined["pinned"]),
        (&json!(0), &Value::Null)
    );
    for event in ["removed", "pinned", "slow_mode"] {
        assert_eq!(guest.all_within_a_moment(event).await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn a_session_that_is_none_is_refused() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut socket = Socket::connect(&server).await;
    for session in [json!(""), json!("short"), json!("x".repeat(65)), json!(7)] {
        let join = json!({"key": made.room.key, "session": session});
        let sentence = socket.refusal("join_room", join).await;
        assert!(sentence.contains("session"), "{sentence}");
    }
    socket.join(&made).await;
}

#[tokio::test]
async fn sockets_from_one_address_are_limited_and_those_that_close_make_room() {
    let server = Server::start_with(&["--max-sockets-per-address", "2"]).await;
    let mut first = Socket::connect_from(&server, "127.0.0.2").await;
    let second = Socket::connect_from(&server, "127.0.0.2").await;
    let mut third = Socket::dial(&server, "127.0.0.2").await;
    let refused = loop {
        let text = third.receive().await.expect("told why");
        // Socket.IO's CONNECT_ERROR.
        if let Some(refused) = text.strip_prefix("44") {
            break refused.to_owned();
        }
    };
    assert!(refused.contains("2 connections"), "{refused}");
    first.lives().await;
    Socket::connect_from(&server, "127.0.0.3")
        .await
        .lives()
        .await;
    drop(second);
    // How soon the server notices is up to the system.
    let comes_in = async {
        loop {
            let mut socket = Socket::dial(&server, "127.0.0.2").await;
            while let Some(text) = socket.receive().await {
                if text.starts_with("40") {
                    return;
                }
                if text.starts_with("44") {
                    break;
                }
            }
        }
    };
    tokio::time::timeout(crate::support::SOON, comes_in)
        .await
        .unwrap();
}

#[tokio::test]
async fn comments_from_one_address_are_limited_however_many_sockets_send_them() {
    let server = Server::start_with(&["--comments-per-minute", "4"]).await;
    let made = server.create_room("r").await;
    let comment = json!({"roomKey": made.room.key, "text": "hi"});
    let mut refused = None;
    for _ in 0..5 {
        let mut socket = Socket::connect_from(&server, "127.0.0.2").await;
        socket.join(&made).await;
        for _ in 0..2 {
            let answer = socket.call("comment", comment.clone()).await;
            if answer["ok"] != true {
                refused = Some(answer);
            }
        }
    }
    let refused = refused.expect("ten comments are more than four a minute");
    assert!(refused["retry_after_ms"].as_u64().unwrap() > 0, "{refused}");
    let mut other = Socket::connect_from(&server, "127.0.0.3").await;
    other.join(&made).await;
    assert_eq!(other.call("comment", comment).await["ok"], true);
}
