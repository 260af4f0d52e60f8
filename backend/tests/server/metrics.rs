//! What an operator sees.

use std::time::Duration;

use serde_json::json;

use crate::support::{SOON, Server, Socket};

/// The value of one line.
async fn value(server: &Server, line: &str) -> Option<f64> {
    let text = server.get("/metrics").await.text().await.unwrap();
    let found = text.lines().find_map(|found| found.strip_prefix(line));
    found.and_then(|value| value.trim().parse().ok())
}

#[tokio::test]
async fn metrics_are_in_the_text_format_of_prometheus() {
    let server = Server::start().await;
    let response = server.get("/metrics").await;
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = response.text().await.unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(
            name.starts_with("golive_") || name.starts_with("process_"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn rooms_requests_and_the_process_are_told() {
    let server = Server::start().await;
    server.create_room("r").await;
    assert_eq!(
        value(&server, "golive_rooms{state=\"offline\"}").await,
        Some(1.0)
    );
    assert_eq!(
        value(&server, "golive_rooms{state=\"live\"}").await,
        Some(0.0)
    );
    assert_eq!(
        value(&server, "golive_publishers{protocol=\"rtmp\"}").await,
        Some(0.0)
    );
    let requests = "golive_http_requests_total{kind=\"api\",status=\"2xx\"}";
    let before = value(&server, requests).await.unwrap();
    server.json("/api/rooms").await;
    // Other tests run in this process.
    assert!(value(&server, requests).await.unwrap() > before);
    let sent = "golive_network_bytes_total{port=\"http\",direction=\"out\"}";
    assert!(value(&server, sent).await.unwrap() > 0.0);
    assert!(
        value(&server, "process_resident_memory_bytes")
            .await
            .unwrap()
            > 1e6
    );
    assert!(value(&server, "process_open_fds").await.unwrap() > 3.0);
}

#[tokio::test]
async fn sockets_and_their_events_are_counted_by_known_names() {
    let server = Server::start().await;
    let mut socket = Socket::connect(&server).await;
    socket.emit("made-up", json!(1)).await;
    socket.lives().await;
    let text = server.get("/metrics").await.text().await.unwrap();
    assert!(!text.contains("made-up"), "{text}");
    let counted = async {
        loop {
            let other = value(&server, "golive_socket_events_total{event=\"other\"}").await;
            let lobby = value(&server, "golive_socket_events_total{event=\"leave_lobby\"}").await;
            if other >= Some(1.0) && lobby >= Some(1.0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, counted).await.unwrap();
    assert!(value(&server, "golive_sockets").await >= Some(1.0));
}
