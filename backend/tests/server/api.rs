//! Rooms over the API.

use reqwest::Method;
use serde_json::{Value, json};
use shared::limits;

use crate::support::{Server, Socket, refused};

#[tokio::test]
async fn a_new_room_comes_with_its_secrets_and_links() {
    let server = Server::start().await;
    let request = server.request(Method::POST, "/api/rooms");
    let response = request
        .json(&json!({"title": "  Cooking "}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201);
    let made: Value = response.json().await.unwrap();
    assert_eq!(made["room"]["title"], "Cooking");
    assert_eq!(made["room"]["state"], "offline");
    let key = made["room"]["key"].as_str().unwrap();
    let base = format!("http://{}", server.authority());
    let links = json!({
        "watch": format!("{base}/room/{key}"),
        "whip": format!("{base}/whip/{key}"),
        "whep": format!("{base}/whep/{key}"),
        "hls": format!("{base}/live/{key}/index.m3u8"),
        "flv": format!("{base}/live/{key}.flv"),
        "rtmp_server": server.rtmp_app(),
        "rtmp_stream_key": format!("{key}?key={}", made["stream_key"].as_str().unwrap()),
        "rtmp_play": format!("{}/{key}", server.rtmp_app()),
    });
    assert_eq!(made["links"], links);
    let secrets = [&made["stream_key"], &made["host_token"]];
    assert!(
        secrets
            .iter()
            .all(|secret| secret.as_str().unwrap().len() == 32)
    );
    assert_eq!(
        server.json(&format!("/api/rooms/{key}")).await,
        made["room"]
    );
}

#[tokio::test]
async fn a_title_that_nobody_could_read_is_refused() {
    let server = Server::start().await;
    let long = "x".repeat(limits::TITLE_CHARS + 1);
    for title in ["", "   ", "tab\there", "\u{202e}backwards", &long] {
        let request = server
            .request(Method::POST, "/api/rooms")
            .json(&json!({"title": title}));
        refused(request.send().await.unwrap(), 400).await;
    }
}

#[tokio::test]
async fn a_body_that_is_no_title_is_refused() {
    let server = Server::start().await;
    let post = || server.request(Method::POST, "/api/rooms");
    let json = |body: &str| {
        post()
            .header("content-type", "application/json")
            .body(body.to_owned())
    };
    refused(json("{").send().await.unwrap(), 400).await;
    refused(json("{\"title\": 5}").send().await.unwrap(), 422).await;
    refused(post().body("title=x").send().await.unwrap(), 415).await;
    let large = json!({"title": "x".repeat(70_000)});
    refused(post().json(&large).send().await.unwrap(), 413).await;
}

#[tokio::test]
async fn an_address_of_the_api_that_does_not_exist_is_refused_in_json() {
    let server = Server::start().await;
    for path in [
        "/api/nothing",
        "/api/rooms/unknown",
        "/api/rooms/a.b/comments",
        "/whip",
        "/x/y",
    ] {
        refused(server.get(path).await, 404).await;
    }
    let put = server
        .request(Method::PUT, "/api/rooms")
        .send()
        .await
        .unwrap();
    refused(put, 405).await;
}

#[tokio::test]
async fn only_the_host_renames_ends_or_rotates() {
    let server = Server::start().await;
    let made = server.create_room("Mine").await;
    let path = format!("/api/rooms/{}", made.room.key);
    let rotate = format!("{path}/stream-key");
    for (method, path) in [
        (Method::PATCH, &path),
        (Method::DELETE, &path),
        (Method::POST, &rotate),
    ] {
        let request = || {
            server
                .request(method.clone(), path)
                .json(&json!({"title": "Yours"}))
        };
        let response = request().send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        refused(response, 401).await;
        let with_other = request()
            .bearer_auth(&made.stream_key)
            .send()
            .await
            .unwrap();
        refused(with_other, 403).await;
    }
    assert_eq!(server.room(&made).await, made.room);
}

#[tokio::test]
async fn the_host_renames_a_room() {
    let server = Server::start().await;
    let made = server.create_room("Old").await;
    let path = format!("/api/rooms/{}", made.room.key);
    let rename = server
        .request(Method::PATCH, &path)
        .bearer_auth(&made.host_token);
    let renamed = rename.json(&json!({"title": "New"})).send().await.unwrap();
    assert_eq!(renamed.status(), 200);
    assert_eq!(server.room(&made).await.title, "New");
}

#[tokio::test]
async fn a_room_that_its_host_ended_takes_no_publisher() {
    let server = Server::start().await;
    let made = server.create_room("Over").await;
    let path = format!("/api/rooms/{}", made.room.key);
    let end = server
        .request(Method::DELETE, &path)
        .bearer_auth(&made.host_token);
    assert_eq!(end.send().await.unwrap().status(), 200);
    assert_eq!(server.json(&path).await["state"], "ended");
    assert_eq!(server.json("/api/rooms").await, json!([]));
    let whip = server.request(Method::POST, &format!("/whip/{}", made.room.key));
    refused(
        whip.bearer_auth(&made.stream_key).send().await.unwrap(),
        410,
    )
    .await;
}

#[tokio::test]
async fn a_server_with_a_create_token_lets_only_its_bearer_create() {
    let server = Server::start_with(&["--create-token", "open sesame"]).await;
    let post = || {
        server
            .request(Method::POST, "/api/rooms")
            .json(&json!({"title": "x"}))
    };
    refused(post().send().await.unwrap(), 401).await;
    refused(post().bearer_auth("open").send().await.unwrap(), 403).await;
    assert_eq!(
        post()
            .bearer_auth("open sesame")
            .send()
            .await
            .unwrap()
            .status(),
        201
    );
}

#[tokio::test]
async fn no_more_rooms_are_made_than_there_may_be() {
    let server = Server::start_with(&["--max-rooms", "1"]).await;
    server.create_room("One").await;
    let request = server
        .request(Method::POST, "/api/rooms")
        .json(&json!({"title": "Two"}));
    let response = request.send().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    refused(response, 503).await;
}

#[tokio::test]
async fn older_comments_are_found_page_by_page() {
    let server = Server::start().await;
    let made = server.create_room("Chatty").await;
    let mut socket = Socket::connect(&server).await;
    socket.join(&made).await;
    for text in ["one", "two", "three"] {
        let comment = json!({"roomKey": made.room.key, "text": text});
        assert_eq!(socket.call("comment", comment).await["ok"], true);
    }
    let path = format!("/api/rooms/{}/comments", made.room.key);
    let texts = |page: Value| -> Vec<String> {
        let comments = page["comments"].as_array().unwrap().clone();
        comments
            .iter()
            .map(|comment| comment["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(texts(server.json(&path).await), ["one", "two", "three"]);
    assert_eq!(
        texts(server.json(&format!("{path}?before=3")).await),
        ["one", "two"]
    );
    refused(server.get(&format!("{path}?before=yesterday")).await, 400).await;
}

#[tokio::test]
async fn secrets_leave_the_server_once_and_never_again() {
    let server = Server::start().await;
    let made = server.create_room("Secretive").await;
    let key = &made.room.key;
    let mut socket = Socket::connect(&server).await;
    let lobby = socket.call("join_lobby", Value::Null).await;
    let join = json!({"key": key, "name": "Host", "host_token": made.host_token});
    let joined = socket.call("join_room", join).await;
    let commented = socket
        .call("comment", json!({"roomKey": key, "text": "hi"}))
        .await;
    let event = socket.next("comment").await;
    let mut answers = [lobby, joined, commented, event]
        .map(|answer| answer.to_string())
        .to_vec();
    let paths = [
        "/api/rooms",
        "/rooms",
        "/healthz",
        &format!("/api/rooms/{key}"),
    ]
    .map(str::to_owned);
    for path in paths
        .into_iter()
        .chain([format!("/api/rooms/{key}/comments")])
    {
        answers.push(server.get(&path).await.text().await.unwrap());
    }
    for path in ["/whip", "/whep", "/api/rooms"] {
        let request = server.request(Method::POST, &format!("{path}/{key}"));
        let response = request.bearer_auth(&made.stream_key).send().await.unwrap();
        answers.push(format!("{:?}", response.headers()));
        answers.push(response.text().await.unwrap());
    }
    for answer in answers {
        for secret in [&made.host_token, &made.stream_key] {
            assert!(!answer.contains(secret.as_str()), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_ends_its_rooms_and_connections() {
    let server = Server::start().await;
    let made = server.create_room("Short").await;
    let mut socket = Socket::connect(&server).await;
    socket.join(&made).await;
    let stopped = tokio::time::timeout(crate::support::SOON, server.stop());
    stopped.await.expect("stops in time");
    while socket.receive().await.is_some() {}
}
