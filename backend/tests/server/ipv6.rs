//! Every port speaks IPv4 and IPv6.

use reqwest::{Client as Http, Method};
use shared::api::CreatedRoom;
use shared::room::RoomState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{SOON, Server};
use crate::webrtc_client::Client;

#[tokio::test]
async fn all_addresses_are_those_of_both() {
    let server = Server::start_at("[::]").await;
    for ip in ["127.0.0.1", "[::1]"] {
        let url = format!("http://{ip}:{}/healthz", server.http().port());
        let response = Http::new().get(url).send().await.unwrap();
        assert_eq!(response.status(), 200, "{ip}");
        let address = format!("{ip}:{}", server.rtmp().port());
        let mut rtmp = TcpStream::connect(address).await.unwrap();
        // C0 and C1 of the simple handshake are answered with S0, S1 and S2 (Adobe RTMP 1.0 section 5.2).
        let mut hello = [0; 1 + 1_536];
        hello[0] = 3;
        rtmp.write_all(&hello).await.unwrap();
        let mut answer = [0; 1 + 2 * 1_536];
        timeout(SOON, rtmp.read_exact(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer[0], 3, "{ip}");
        let ice_tcp = format!("{ip}:{}", server.webrtc().port());
        assert!(TcpStream::connect(ice_tcp).await.is_ok(), "{ip}");
    }
}

#[tokio::test]
async fn all_addresses_of_ipv4_are_taken_as_said() {
    let server = Server::start_at("0.0.0.0").await;
    let port = server.http().port();
    let url = format!("http://127.0.0.1:{port}/healthz");
    assert_eq!(Http::new().get(url).send().await.unwrap().status(), 200);
    assert!(TcpStream::connect(format!("[::1]:{port}")).await.is_err());
}

/// An answer with the candidates of one address alone.
fn only(answer: &str, ip: &str) -> String {
    let other = |line: &&str| line.starts_with("a=candidate") && !line.contains(&format!(" {ip} "));
    let lines = answer.lines().filter(|line| !other(line));
    lines.map(|line| format!("{line}\r\n")).collect()
}

async fn connect(
    server: &Server,
    path: &str,
    made: &CreatedRoom,
    mut client: Client,
    ip: &str,
) -> Client {
    let offer = client.offer().await;
    let request = server
        .request(Method::POST, path)
        .header("content-type", "application/sdp")
        .bearer_auth(&made.stream_key)
        .body(offer);
    let response = request.send().await.unwrap().error_for_status().unwrap();
    let answer = only(&response.text().await.unwrap(), ip);
    assert!(answer.contains("a=candidate"), "{answer}");
    client.accept(answer).await;
    client.connected().await;
    client
}

#[tokio::test]
async fn media_comes_and_goes_by_either() {
    let server = Server::start_at("[::]").await;
    for (from, to) in [("127.0.0.1", "::1"), ("::1", "127.0.0.1")] {
        let made = server.create_room("r").await;
        let client = async |ip: &str, publishes: bool| match (ip, publishes) {
            ("::1", true) => Client::publisher_at("[::1]:0").await,
            ("::1", false) => Client::viewer_at("[::1]:0").await,
            (_, true) => Client::publisher().await,
            (_, false) => Client::viewer().await,
        };
        let (whip, whep) = (
            format!("/whip/{}", made.room.key),
            format!("/whep/{}", made.room.key),
        );
        let mut publisher = connect(&server, &whip, &made, client(from, true).await, from).await;
        publisher.send(1, true).await;
        server.state_becomes(&made, RoomState::Live).await;
        let mut viewer = connect(&server, &whep, &made, client(to, false).await, to).await;
        publisher.send(2, true).await;
        viewer.next_video().await;
    }
}
