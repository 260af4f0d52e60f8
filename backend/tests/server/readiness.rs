//! What a load balancer is told. That the store fails is told, too: see the tests of the store.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::support::{SOON, Server, refused};

#[tokio::test]
async fn a_server_that_serves_is_ok() {
    let server = Server::start().await;
    let answer = server.get("/healthz").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.text().await.unwrap(), "ok");
}

#[tokio::test]
async fn a_server_that_drains_says_so_and_serves_on() {
    let server = Server::start_with(&["--drain-seconds", "600"]).await;
    let room = server.create_room("r").await;
    let site = format!("http://{}", server.authority());
    let stopping = tokio::spawn(server.stop());
    let told = async {
        loop {
            let answer = reqwest::get(format!("{site}/healthz")).await.unwrap();
            if answer.status() != 200 {
                return answer;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = timeout(SOON, told).await.unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    let sentence = refused(answer, 503).await;
    assert!(sentence.contains("about to stop"), "{sentence}");
    let room = format!("{site}/api/rooms/{}", room.room.key);
    assert_eq!(reqwest::get(room).await.unwrap().status(), 200);
    assert!(!stopping.is_finished());
    stopping.abort();
}

#[tokio::test]
async fn without_a_time_to_drain_it_stops_at_once() {
    let server = Server::start().await;
    timeout(SOON, server.stop()).await.unwrap();
}
