//! What a socket may not do: each is refused in words, and the connection lives on.

use serde_json::{Value, json};
use shared::limits;

use crate::support::{Server, Socket};

async fn in_a_room(server: &Server) -> (Socket, String) {
    let made = server.create_room("r").await;
    let mut socket = Socket::connect(server).await;
    socket.join(&made).await;
    (socket, made.room.key.to_string())
}

#[tokio::test]
async fn a_wrong_shape_is_refused_and_the_connection_lives() {
    let server = Server::start().await;
    let (mut socket, key) = in_a_room(&server).await;
    for (event, payload) in [
        ("join_room", json!(5)),
        ("join_room", json!({"key": "no such key!"})),
        ("leave_room", json!({})),
        ("upvote", json!({"roomKey": key, "count": 21})),
        ("upvote", json!({"roomKey": key, "count": -1})),
        ("comment", json!([1, 2])),
        (
            "gift",
            json!({"roomKey": key, "giftId": "rose", "giftCount": 1}),
        ),
        ("create_room", Value::Null),
        ("no_such_event", Value::Null),
    ] {
        let sentence = socket.refusal(event, payload).await;
        assert!(sentence.contains(' '), "{event}: {sentence}");
    }
    socket.lives().await;
}

#[tokio::test]
async fn a_refusal_comes_as_a_notice_where_no_acknowledgement_was_asked_for() {
    let server = Server::start().await;
    let mut socket = Socket::connect(&server).await;
    socket.emit("comment", json!(5)).await;
    let notice = socket.next("notice").await;
    assert_eq!(notice["event"], "comment");
    assert!(
        notice["error"]
            .as_str()
            .unwrap()
            .contains("{roomKey, text}")
    );
    socket.lives().await;
}

#[tokio::test]
async fn who_is_not_in_a_room_cannot_speak_there() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let key = &made.room.key;
    let mut socket = Socket::connect(&server).await;
    let comment = json!({"roomKey": key, "text": "hi"});
    let gift = json!({"roomKey": key, "giftId": 1, "giftCount": 1});
    for (event, payload) in [("comment", comment), ("gift", gift), ("upvote", json!(key))] {
        assert!(
            socket.refusal(event, payload).await.contains("join"),
            "{event}"
        );
    }
    assert_eq!(server.room(&made).await.likes, 0);
    assert!(
        socket
            .refusal("join_room", "nowhere")
            .await
            .contains("no room")
    );
}

#[tokio::test]
async fn text_over_its_length_or_with_control_characters_is_refused() {
    let server = Server::start().await;
    let (mut socket, key) = in_a_room(&server).await;
    let long = "x".repeat(limits::COMMENT_CHARS + 1);
    for text in ["", "a\u{0}b", "\u{202e}x", &long] {
        let sentence = socket
            .refusal("comment", json!({"roomKey": key, "text": text}))
            .await;
        assert!(sentence.contains("comment"), "{sentence}");
    }
    let (mut socket, key) = in_a_room(&server).await;
    let name = "n".repeat(limits::NAME_CHARS + 1);
    let comment = json!({"roomKey": key, "text": "hi", "name": name});
    assert!(socket.refusal("comment", comment).await.contains("name"));
    assert!(
        socket
            .refusal("join_room", json!({"key": key, "name": "a\tb"}))
            .await
            .contains("name")
    );
    let extra = json!({"roomKey": key, "text": "hi", "x": "y".repeat(limits::EXTRA_BYTES)});
    assert!(socket.refusal("comment", extra).await.contains("extra"));
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_the_connection_lives() {
    let server = Server::start().await;
    let (mut socket, key) = in_a_room(&server).await;
    let text = "x".repeat(limits::SOCKET_MESSAGE_BYTES);
    let sentence = socket
        .refusal("comment", json!({"roomKey": key, "text": text}))
        .await;
    assert!(sentence.contains("too large"), "{sentence}");
    socket.lives().await;
}

#[tokio::test]
async fn a_message_far_over_the_limit_ends_its_connection_and_no_other() {
    let server = Server::start().await;
    let (mut socket, key) = in_a_room(&server).await;
    let (mut other, _) = in_a_room(&server).await;
    let text = "x".repeat(5 * limits::SOCKET_MESSAGE_BYTES);
    socket
        .emit("comment", json!({"roomKey": key, "text": text}))
        .await;
    while socket.receive().await.is_some() {}
    other.lives().await;
}

#[tokio::test]
async fn a_flood_of_likes_is_refused_with_a_few_notices_and_disturbs_nobody() {
    let server = Server::start().await;
    let (mut flooder, key) = in_a_room(&server).await;
    let (mut other, elsewhere) = in_a_room(&server).await;
    for _ in 0..10_000 {
        flooder.emit("upvote", key.as_str()).await;
    }
    let comment = json!({"roomKey": elsewhere, "text": "undisturbed"});
    // Right behind the flood, before tokens have flowed back.
    let (refusal, commented) = tokio::join!(
        flooder.call("upvote", key.as_str()),
        other.call("comment", comment)
    );
    assert_eq!(commented["ok"], true);
    assert!(refusal["retry_after_ms"].is_u64(), "{refusal}");
    let notices = flooder.all_within_a_moment("notice").await;
    assert!(
        (1..20).contains(&notices.len()),
        "{} notices",
        notices.len()
    );
    assert_eq!(notices[0]["event"], "upvote");
    let likes = server.json(&format!("/api/rooms/{key}")).await["likes"]
        .as_u64()
        .unwrap();
    assert!((60..600).contains(&likes), "{likes} likes");
}

#[tokio::test]
async fn comments_and_gifts_come_in_bursts_no_longer_than_they_may() {
    let server = Server::start().await;
    let (mut socket, key) = in_a_room(&server).await;
    let comment = json!({"roomKey": key, "text": "hi"});
    let gift = json!({"roomKey": key, "giftId": 1, "giftCount": 1});
    for (event, payload, burst) in [
        ("comment", comment, limits::COMMENT_RATE.burst),
        ("gift", gift, limits::GIFT_RATE.burst),
    ] {
        for _ in 0..burst {
            assert_eq!(
                socket.call(event, payload.clone()).await["ok"],
                true,
                "{event}"
            );
        }
        let refusal = socket.call(event, payload).await;
        assert!(
            refusal["retry_after_ms"].as_u64().unwrap() > 0,
            "{event}: {refusal}"
        );
    }
}

#[tokio::test]
async fn a_socket_that_joins_a_thousand_rooms_is_refused() {
    let server = Server::start().await;
    let mut socket = Socket::connect(&server).await;
    for _ in 0..limits::ROOMS_PER_SOCKET {
        let made = server.create_room("r").await;
        socket.join(&made).await;
    }
    let more = server.create_room("one more").await;
    let sentence = socket.refusal("join_room", more.room.key.as_str()).await;
    assert!(sentence.contains("leave one"), "{sentence}");
    for _ in 0..1_000 {
        socket.emit("join_room", more.room.key.as_str()).await;
    }
    let refusal = socket.call("join_room", more.room.key.as_str()).await;
    assert!(refusal["retry_after_ms"].as_u64().unwrap() > 0, "{refusal}");
}
