//! Likes, comments, gifts and the lobby.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Server, Socket, refused};

#[tokio::test]
async fn a_comment_reaches_everybody_in_the_room_and_its_sender() {
    let server = Server::start().await;
    let (made, other) = (
        server.create_room("Here").await,
        server.create_room("There").await,
    );
    let (mut ann, mut ben) = (
        Socket::connect(&server).await,
        Socket::connect(&server).await,
    );
    let mut stranger = Socket::connect(&server).await;
    let join = json!({"key": made.room.key, "name": "Ann"});
    assert_eq!(ann.call("join_room", join).await["ok"], true);
    ben.join(&made).await;
    stranger.join(&other).await;
    let text = "<b>grüß</b> 🌹";
    let ack = ann
        .call(
            "comment",
            json!({"roomKey": made.room.key, "text": text, "colour": 7}),
        )
        .await;
    assert_eq!(ack, json!({"ok": true, "id": 1}));
    for socket in [&mut ann, &mut ben] {
        let comment = socket.next("comment").await;
        assert_eq!(
            (&comment["text"], &comment["name"]),
            (&json!(text), &json!("Ann"))
        );
        assert_eq!(
            (&comment["colour"], &comment["host"]),
            (&json!(7), &Value::Null)
        );
    }
    assert_eq!(
        stranger.all_within_a_moment("comment").await,
        [] as [Value; 0]
    );
}

#[tokio::test]
async fn a_late_joiner_gets_what_was_said_before() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut early = Socket::connect(&server).await;
    assert_eq!(early.join(&made).await["comments"], json!([]));
    early
        .call(
            "comment",
            json!({"roomKey": made.room.key, "text": "first"}),
        )
        .await;
    let joined = Socket::connect(&server).await.join(&made).await;
    assert_eq!(joined["comments"][0]["text"], "first");
    assert!(joined["senderId"].is_u64());
    assert_eq!(joined["room"]["key"], json!(made.room.key));
}

#[tokio::test]
async fn what_follows_a_join_at_once_finds_the_room_joined() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    for _ in 0..20 {
        let mut socket = Socket::connect(&server).await;
        socket.emit("join_room", made.room.key.as_str()).await;
        socket
            .emit("comment", json!({"roomKey": made.room.key, "text": "hi"}))
            .await;
        socket.next("comment").await;
    }
}

#[tokio::test]
async fn a_guest_keeps_one_name() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut socket = Socket::connect(&server).await;
    socket.join(&made).await;
    for _ in 0..2 {
        socket
            .emit("comment", json!({"roomKey": made.room.key, "text": "hi"}))
            .await;
    }
    let (first, second) = (socket.next("comment").await, socket.next("comment").await);
    assert!(first["name"].as_str().unwrap().starts_with("Guest-"));
    assert_eq!(first["name"], second["name"]);
}

#[tokio::test]
async fn the_hosts_comments_are_marked_and_nobody_elses() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let key = &made.room.key;
    let (mut host, mut guest) = (
        Socket::connect(&server).await,
        Socket::connect(&server).await,
    );
    let wrong = json!({"key": key, "host_token": made.stream_key});
    assert!(
        guest
            .refusal("join_room", wrong)
            .await
            .contains("host token")
    );
    guest.join(&made).await;
    host.call(
        "join_room",
        json!({"key": key, "host_token": made.host_token}),
    )
    .await;
    host.emit("comment", json!({"roomKey": key, "text": "welcome"}))
        .await;
    assert_eq!(guest.next("comment").await["host"], true);
    let pretence = json!({"roomKey": key, "text": "me too", "host": true, "id": 99});
    assert_eq!(guest.call("comment", pretence).await["id"], 2);
    let pretence = guest.next("comment").await;
    assert_eq!(
        (&pretence["host"], &pretence["id"]),
        (&Value::Null, &json!(2))
    );
}

#[tokio::test]
async fn likes_are_told_together_and_at_most_ten_times_a_second() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let (mut fan, mut viewer) = (
        Socket::connect(&server).await,
        Socket::connect(&server).await,
    );
    fan.join(&made).await;
    viewer.join(&made).await;
    let begun = Instant::now();
    for _ in 0..50 {
        fan.emit("upvote", made.room.key.as_str()).await;
    }
    let (mut total, mut events) = (0, 0);
    while total < 50 {
        let likes = viewer.next("likes").await;
        assert_eq!(likes["roomKey"], json!(made.room.key));
        total += likes["delta"].as_u64().unwrap();
        events += 1;
        assert_eq!(likes["total"], total);
    }
    let tenths = u32::try_from(begun.elapsed().as_millis() / 100).unwrap();
    assert!(
        events <= tenths + 1,
        "{events} events in {tenths} tenths of a second"
    );
    assert_eq!(server.room(&made).await.likes, 50);
}

#[tokio::test]
async fn gifts_carry_their_sender_and_their_combo() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let key = &made.room.key;
    let mut socket = Socket::connect(&server).await;
    let sender = socket.join(&made).await["senderId"].clone();
    let gift = json!({"roomKey": key, "giftId": 1, "giftCount": 2, "name": "Ann"});
    for combo in [2, 4] {
        assert_eq!(socket.call("gift", gift.clone()).await, json!({"ok": true}));
        let gift = socket.next("gift").await;
        assert_eq!(
            (&gift["combo"], &gift["giftCount"]),
            (&json!(combo), &json!(2))
        );
        assert_eq!((&gift["senderId"], &gift["name"]), (&sender, &json!("Ann")));
    }
    for (id, count) in [(99, 1), (1, 0), (1, 100)] {
        socket
            .refusal(
                "gift",
                json!({"roomKey": key, "giftId": id, "giftCount": count}),
            )
            .await;
    }
}

#[tokio::test]
async fn the_lobby_hears_of_new_rooms_and_of_their_end() {
    let server = Server::start().await;
    let mut socket = Socket::connect(&server).await;
    assert_eq!(
        socket.call("join_lobby", Value::Null).await,
        json!({"ok": true, "rooms": []})
    );
    let made = server.create_room("New").await;
    assert_eq!(socket.next("room").await["key"], json!(made.room.key));
    let path = format!("/api/rooms/{}", made.room.key);
    let end = server
        .request(Method::DELETE, &path)
        .bearer_auth(&made.host_token);
    end.send().await.unwrap().error_for_status().unwrap();
    assert_eq!(socket.next("room").await["state"], "ended");
    socket.call("leave_lobby", Value::Null).await;
    server.create_room("Unheard").await;
    assert_eq!(socket.all_within_a_moment("room").await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_room_hears_of_its_end_at_once_and_takes_no_more() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut socket = Socket::connect(&server).await;
    socket.join(&made).await;
    let path = format!("/api/rooms/{}", made.room.key);
    let end = server
        .request(Method::DELETE, &path)
        .bearer_auth(&made.host_token);
    end.send().await.unwrap().error_for_status().unwrap();
    let told = tokio::time::timeout(Duration::from_millis(200), socket.next("room"));
    assert_eq!(told.await.expect("at once")["state"], "ended");
    let comment = json!({"roomKey": made.room.key, "text": "too late"});
    assert!(socket.refusal("comment", comment).await.contains("ended"));
}

#[tokio::test]
async fn who_left_a_room_hears_no_more_of_it() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let (mut stays, mut leaves) = (
        Socket::connect(&server).await,
        Socket::connect(&server).await,
    );
    stays.join(&made).await;
    leaves.join(&made).await;
    leaves.call("leave_room", made.room.key.as_str()).await;
    stays
        .call(
            "comment",
            json!({"roomKey": made.room.key, "text": "alone"}),
        )
        .await;
    assert_eq!(
        leaves.all_within_a_moment("comment").await,
        [] as [Value; 0]
    );
}

#[tokio::test]
async fn a_client_of_2016_makes_a_room_that_lives_as_long_as_its_socket() {
    let server = Server::start().await;
    let mut creator = Socket::connect_2016(&server).await;
    let mut guest = Socket::connect_2016(&server).await;
    let create = json!({"key": "r1", "title": "Hello"});
    assert_eq!(
        creator.call("create_room", create.clone()).await["ok"],
        true
    );
    assert!(
        guest
            .refusal("create_room", create)
            .await
            .contains("already")
    );
    let rooms = server.json("/rooms").await;
    assert_eq!(
        (&rooms[0]["key"], &rooms[0]["title"]),
        (&json!("r1"), &json!("Hello"))
    );
    guest.emit("join_room", "r1").await;
    guest.emit("upvote", "r1").await;
    assert_eq!(creator.next("upvote").await, Value::Null);
    let gift = json!({"roomKey": "r1", "senderId": 7, "giftId": 1, "giftCount": 3});
    guest.emit("gift", gift.clone()).await;
    let seen = creator.next("gift").await;
    for member in ["roomKey", "senderId", "giftId", "giftCount"] {
        assert_eq!(seen[member], gift[member]);
    }
    assert!(guest.refusal("close_room", "r1").await.contains("host"));
    drop(creator);
    assert_eq!(guest.next("room").await["state"], "ended");
    assert_eq!(server.json("/rooms").await, json!([]));
}

#[tokio::test]
async fn a_client_of_today_gets_no_upvote_events() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let mut socket = Socket::connect(&server).await;
    socket.join(&made).await;
    socket.emit("upvote", made.room.key.as_str()).await;
    socket.next("likes").await;
    assert_eq!(socket.all_within_a_moment("upvote").await, [] as [Value; 0]);
}

#[tokio::test]
async fn an_open_room_that_was_closed_frees_its_key() {
    let server = Server::start().await;
    let mut socket = Socket::connect_2016(&server).await;
    for _ in 0..2 {
        assert_eq!(
            socket.call("create_room", json!({"key": "r1"})).await["room"]["title"],
            "r1"
        );
        assert_eq!(socket.call("close_room", "r1").await, json!({"ok": true}));
    }
}

#[tokio::test]
async fn nothing_of_2016_is_there_when_it_is_switched_off() {
    let server = Server::start_with(&["--legacy", "off"]).await;
    let mut socket = Socket::connect(&server).await;
    socket
        .refusal("create_room", json!({"key": "r1", "title": "x"}))
        .await;
    socket.refusal("close_room", "r1").await;
    refused(server.get("/rooms").await, 404).await;
    assert_eq!(
        server.get("/socket.io/?transport=polling").await.status(),
        400
    );
}
