//! The server is stopped and started again.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::json;
use shared::api::{CreatedRoom, HostLink, RotatedStreamKey};
use shared::room::RoomState;

use crate::folder::Folder;
use crate::process::Process;
use crate::support::{Server, Socket, refused};
use crate::webrtc_client::Client;

async fn start(folder: &Folder) -> Server {
    Server::start_with(&["--data", folder.text()]).await
}

async fn offer(server: &Server, room: &CreatedRoom, secret: &str, sdp: String) -> Response {
    let path = format!("/whip/{}", room.room.key);
    let request = server.request(Method::POST, &path).bearer_auth(secret);
    let request = request.header("content-type", "application/sdp").body(sdp);
    request.send().await.unwrap()
}

/// A publisher whose keyframes make the room live.
async fn publish(server: &Server, room: &CreatedRoom, secret: &str) -> Client {
    let mut client = Client::publisher().await;
    let sdp = client.offer().await;
    let response = offer(server, room, secret, sdp).await;
    assert_eq!(response.status(), 201);
    client.accept(response.text().await.unwrap()).await;
    client.connected().await;
    client.send(1, true).await;
    server.state_becomes(room, RoomState::Live).await;
    client
}

async fn say(socket: &mut Socket, room: &CreatedRoom, text: &str) -> u64 {
    let comment = json!({"roomKey": room.room.key, "text": text, "colour": "red"});
    let answer = socket.call("comment", comment).await;
    answer["id"].as_u64().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn rooms_secrets_comments_and_likes_are_still_there() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let room = server.create_room("Cooking").await;
    let path = format!("/api/rooms/{}", room.room.key);
    let mut socket = Socket::connect(&server).await;
    socket.join(&room).await;
    for text in ["first", "grüß 🌹", "third"] {
        say(&mut socket, &room, text).await;
    }
    let likes = json!({"roomKey": room.room.key, "count": 7});
    assert_eq!(socket.call("upvote", likes).await["ok"], true);
    let rotate = server.request(Method::POST, &format!("{path}/stream-key"));
    let rotated = rotate.bearer_auth(&room.host_token).send().await.unwrap();
    let new_key: RotatedStreamKey = rotated.json().await.unwrap();
    let rename = server
        .request(Method::PATCH, &path)
        .bearer_auth(&room.host_token);
    rename
        .json(&json!({"title": "Baking"}))
        .send()
        .await
        .unwrap();
    let (before, comments) = (
        server.room(&room).await,
        server.json(&format!("{path}/comments")).await,
    );
    server.stop().await;

    let server = start(&folder).await;
    assert_eq!(server.room(&room).await, before);
    assert_eq!((before.likes, before.title.as_str()), (7, "Baking"));
    assert_eq!(server.json(&format!("{path}/comments")).await, comments);
    // A wrong key is refused before the offer is read.
    refused(
        offer(&server, &room, &room.stream_key, String::new()).await,
        403,
    )
    .await;
    refused(
        offer(&server, &room, &new_key.stream_key, String::new()).await,
        400,
    )
    .await;
    let rename = server
        .request(Method::PATCH, &path)
        .bearer_auth(&room.host_token);
    let renamed = rename
        .json(&json!({"title": "Eating"}))
        .send()
        .await
        .unwrap();
    assert_eq!(renamed.status(), 200);
    let mut socket = Socket::connect(&server).await;
    let joined = socket.join(&room).await;
    assert_eq!(joined["comments"][1]["text"], "grüß 🌹");
    assert_eq!(say(&mut socket, &room, "fourth").await, 4);
    let like = json!({"roomKey": room.room.key, "count": 1});
    socket.call("upvote", like).await;
    let likes = socket.next("likes").await;
    assert_eq!((&likes["total"], &likes["delta"]), (&json!(8), &json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_waits_for_its_publisher_and_goes_on() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let room = server.create_room("r").await;
    let mut viewer = Socket::connect(&server).await;
    viewer.join(&room).await;
    let publisher = publish(&server, &room, &room.stream_key).await;
    let started = server.room(&room).await.started_at;
    server.stop().await;
    publisher.close().await;
    let mut told = Vec::new();
    while let Some(event) = viewer.receive().await {
        told.push(event);
    }
    let told = told.join("\n");
    assert!(
        told.contains(r#"42["restarting",{"notice":"The server is"#),
        "{told}"
    );
    assert!(
        !told.contains("offline") && !told.contains("ended"),
        "{told}"
    );
    // Clients do not come back by themselves when they are sent away by a packet.
    assert!(!told.lines().any(|event| event.starts_with("41")), "{told}");

    let server = start(&folder).await;
    assert_eq!(server.room(&room).await.state, RoomState::Reconnecting);
    let _publisher = publish(&server, &room, &room.stream_key).await;
    assert_eq!(server.room(&room).await.started_at, started);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grace_time_of_a_broadcast_begins_with_the_restart() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let room = server.create_room("r").await;
    let publisher = publish(&server, &room, &room.stream_key).await;
    server.stop().await;
    publisher.close().await;
    let flags = ["--data", folder.text(), "--grace-seconds", "1"];
    let server = Server::start_with(&flags).await;
    server.state_becomes(&room, RoomState::Ended).await;
}

/// Sessions, and where they come from.
const ANN: (&str, &str) = ("the-session-of-ann", "192.0.2.7");
const BEN: (&str, &str) = ("the-session-of-ben", "192.0.2.8");

async fn person(server: &Server, room: &CreatedRoom, (session, from): (&str, &str)) -> Socket {
    let mut socket = Socket::connect_from(server, from).await;
    let join = json!({"key": room.room.key, "session": session});
    assert_eq!(socket.call("join_room", join).await["ok"], true);
    socket
}

#[tokio::test]
async fn what_the_host_decided_still_holds() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let room = server.create_room("r").await;
    let key = &room.room.key;
    let mut host = Socket::connect(&server).await;
    let join = json!({"key": key, "host_token": room.host_token});
    assert_eq!(host.call("join_room", join).await["ok"], true);
    let (mut ann, mut ben) = (
        person(&server, &room, ANN).await,
        person(&server, &room, BEN).await,
    );
    say(&mut ann, &room, "rude").await;
    say(&mut host, &room, "pinned").await;
    say(&mut host, &room, "deleted").await;
    say(&mut ben, &room, "ruder").await;
    let ann_id = host.next("comment").await["author"].clone();
    for _ in 0..2 {
        host.next("comment").await;
    }
    let ben_id = host.next("comment").await["author"].clone();
    for action in [
        json!({"roomKey": key, "action": "delete", "id": 3}),
        json!({"roomKey": key, "action": "pin", "id": 2}),
        json!({"roomKey": key, "action": "slow_mode", "seconds": 30}),
        json!({"roomKey": key, "action": "words", "words": ["Spam", "eggs"]}),
        json!({"roomKey": key, "action": "ban", "author": ann_id}),
        json!({"roomKey": key, "action": "timeout", "author": ben_id, "seconds": 6000}),
    ] {
        assert_eq!(
            host.call("moderate", action.clone()).await["ok"],
            true,
            "{action}"
        );
    }
    server.stop().await;

    let server = start(&folder).await;
    let mut guest = Socket::connect(&server).await;
    let joined = guest.join(&room).await;
    assert_eq!(joined["comments"].as_array().unwrap().len(), 1, "{joined}");
    assert_eq!(joined["pinned"]["text"], "pinned", "{joined}");
    assert_eq!(joined["slowMode"], 30, "{joined}");
    let comment = |text| json!({"roomKey": key, "text": text});
    let refusal = guest.refusal("comment", comment("cheap SPAM")).await;
    assert!(refusal.contains("words"), "{refusal}");
    let answer = guest.call("comment", comment("first")).await;
    assert_eq!(answer["ok"], true, "{answer}");
    let refusal = guest.refusal("comment", comment("second")).await;
    assert!(refusal.contains("Slow mode"), "{refusal}");
    // By session, by address, and whoever else is where somebody was only timed out.
    for (session, from, expected) in [
        (ANN.0, "192.0.2.200", Some("banned")),
        ("a-new-session-of-ann", ANN.1, Some("banned")),
        (BEN.0, BEN.1, Some("timed you out")),
        ("somebody-else-at-bens", BEN.1, None),
    ] {
        let mut socket = person(&server, &room, (session, from)).await;
        let answer = socket.call("comment", comment("again")).await;
        let refusal = answer["error"].as_str();
        let is_right = match (refusal, expected) {
            (Some(refusal), Some(expected)) => refusal.contains(expected),
            (refusal, expected) => refusal == expected,
        };
        assert!(is_right, "{session} {from}: {answer}");
    }
    let mut host = Socket::connect(&server).await;
    let join = json!({"key": key, "host_token": room.host_token});
    let joined = host.call("join_room", join).await;
    assert_eq!(joined["moderation"]["words"], json!(["Spam", "eggs"]));
    let bans = joined["moderation"]["bans"].as_array().unwrap();
    let authors: Vec<_> = bans.iter().map(|ban| &ban["author"]).collect();
    assert_eq!(authors, [&ann_id, &ben_id]);
    // Numbers of deleted comments are not given again: four before the restart, two after it.
    assert_eq!(say(&mut host, &room, "after").await, 7);

    let unban = json!({"roomKey": key, "action": "unban", "author": ann_id});
    assert_eq!(host.call("moderate", unban).await["ok"], true);
    let unpin = json!({"roomKey": key, "action": "unpin"});
    assert_eq!(host.call("moderate", unpin).await["ok"], true);
    server.stop().await;
    let server = start(&folder).await;
    let mut ann = person(&server, &room, ANN).await;
    assert_eq!(ann.call("comment", comment("sorry")).await["ok"], true);
    let mut guest = Socket::connect(&server).await;
    assert_eq!(guest.join(&room).await["pinned"], serde_json::Value::Null);
}

#[tokio::test]
async fn open_rooms_end_with_the_server() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let mut socket = Socket::connect_2016(&server).await;
    let made = socket
        .call("create_room", json!({"key": "open", "title": "o"}))
        .await;
    assert_eq!(made["ok"], true, "{made}");
    socket
        .call("comment", json!({"roomKey": "open", "text": "hi"}))
        .await;
    server.stop().await;
    let server = start(&folder).await;
    refused(server.get("/api/rooms/open").await, 404).await;
}

#[tokio::test]
async fn a_room_that_its_host_ended_stays_ended() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let room = server.create_room("r").await;
    let path = format!("/api/rooms/{}", room.room.key);
    let end = server.request(Method::DELETE, &path);
    end.bearer_auth(&room.host_token).send().await.unwrap();
    server.stop().await;
    let server = start(&folder).await;
    assert_eq!(server.room(&room).await.state, RoomState::Ended);
    refused(
        offer(&server, &room, &room.stream_key, String::new()).await,
        410,
    )
    .await;
}

#[tokio::test]
async fn without_a_data_folder_nothing_is_kept_and_it_is_said() {
    let folder = Folder::new();
    let server = Process::start(std::path::Path::new("none")).await;
    assert!(server.log().contains("--data is none") || said_soon(&server, "--data is none").await);
    let kept = Process::start(folder.path()).await;
    assert!(said_soon(&kept, &format!("kept in {}", folder.text())).await);
}

async fn said_soon(server: &Process, words: &str) -> bool {
    for _ in 0..500 {
        if server.log().contains(words) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn a_signal_stops_it_in_order_and_a_second_one_at_once() {
    let folder = Folder::new();
    let mut server = Process::start(folder.path()).await;
    let room = server.create_room().await;
    let _socket = server.join(&room, 1).await;
    server.signal("-INT");
    assert_eq!(server.ended().await, Some(0));
    // In order: the log of the database is gone.
    assert!(!folder.path().join("golive.db-wal").exists());
    let mut server = Process::start(folder.path()).await;
    server.signal("-TERM");
    server.signal("-INT");
    // 0 where it was done before it heard the second.
    assert!(matches!(server.ended().await, Some(0 | 1)));
    let server = Process::start(folder.path()).await;
    assert_eq!(
        server.get("/api/rooms").await[0]["key"],
        room.room.key.as_str()
    );
}

#[tokio::test]
async fn a_link_to_another_device_ends_with_the_server_and_says_how_to_get_a_new_one() {
    let folder = Folder::new();
    let server = start(&folder).await;
    let room = server.create_room("r").await;
    let path = format!("/api/rooms/{}/host-link", room.room.key);
    let make = async |server: &Server| -> String {
        let request = server.request(Method::POST, &path);
        let made = request.bearer_auth(&room.host_token).send().await.unwrap();
        let made: HostLink = made.json().await.unwrap();
        made.url.split_once("#host=").unwrap().1.to_owned()
    };
    let redeem = async |server: &Server, secret: &str| {
        let request = server.request(Method::POST, &format!("{path}/redeem"));
        let request = request.json(&json!({"secret": secret}));
        request.send().await.unwrap()
    };
    let link = make(&server).await;
    server.stop().await;
    let server = start(&folder).await;
    let sentence = refused(redeem(&server, &link).await, 410).await;
    assert!(sentence.contains("please make a new one"), "{sentence}");
    let link = make(&server).await;
    assert_eq!(redeem(&server, &link).await.status(), 200);
}
