//! Strangers open connections and say nothing, or half of something.

use std::time::Duration;

use shared::room::RoomState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::client::RtmpClient;
use crate::support::{Server, Socket};
use crate::webrtc_client::Client;
use crate::{connect, stream_key};

/// On each port; half of them have begun to say something.
const STRANGERS: usize = 500;
/// Longer than anything half is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for the head of a request, which has the time of a connection that is used again.
const HEAD_PATIENCE: Duration = Duration::from_secs(90);
/// For so long a proxy keeps a connection to use it again.
const KEPT: Duration = Duration::from_secs(62);

#[tokio::test]
async fn five_hundred_half_open_connections_on_every_port_keep_nobody_out() {
    let server = Server::start().await;
    let http = server.authority().parse().unwrap();
    let mut strangers = Vec::new();
    for (address, beginning) in [
        (http, &b"GET / HTTP/1.1\r\nHost: x\r\n"[..]),
        (server.rtmp(), &[3, 0, 0, 0, 0]),
        (server.webrtc(), &[0, 100, 0, 1]),
    ] {
        for number in 0..STRANGERS {
            let mut stranger = TcpStream::connect(address).await.unwrap();
            if number % 2 == 0 {
                // Whoever is refused at once cannot be written to.
                let _ = stranger.write_all(beginning).await;
            }
            strangers.push(stranger);
        }
    }

    let made = server.create_room("r").await;
    let mut socket = Socket::connect(&server).await;
    socket.join(&made).await;
    let mut encoder = RtmpClient::on_air(&server, stream_key(&made)).await;
    encoder.second(0).await;
    server.state_becomes(&made, RoomState::Live).await;
    let watch = format!("/whep/{}", made.room.key);
    let mut viewer = connect(&server, &watch, "", Client::viewer().await, |sdp| sdp).await;
    encoder.second(1_000).await;
    viewer.next_video().await;
    drop(strangers);
    server.stop().await;
}

/// What does not come in time is not waited for.
#[tokio::test]
async fn half_a_request_is_given_up() {
    let server = Server::start().await;
    let https = Server::start_with(&["--tls", "self-signed"]).await;
    let (http, https_port) = (server.authority(), https.authority());
    let (rtmp, webrtc) = (server.rtmp().to_string(), server.webrtc().to_string());
    let given_up_in = async |patience, address: &str, said: &[u8]| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(patience, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{address} waits for the rest of {said:?}");
    };
    let given_up = async |address: &str, said: &[u8]| given_up_in(PATIENCE, address, said).await;
    tokio::join!(
        given_up(&http, b""),
        given_up_in(HEAD_PATIENCE, &http, b"GET / HTTP/1.1\r\nHost: x\r\n"),
        given_up(&https_port, b""),
        given_up(&https_port, &[22, 3, 1, 2, 0]),
        given_up(&rtmp, &[3, 0, 0]),
        given_up(&webrtc, &[0, 100]),
    );
}

/// It would otherwise send a request into a connection that has just ended.
#[tokio::test]
async fn a_connection_is_kept_for_as_long_as_a_proxy_wants_to_use_it_again() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.http()).await.unwrap();
    let mut answered = async || {
        let request = b"GET /api/rooms HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = [0; 1024];
        let count = stream.read(&mut answer).await.unwrap();
        assert!(answer[..count].starts_with(b"HTTP/1.1 200 OK\r\n"));
    };
    answered().await;
    sleep(KEPT).await;
    answered().await;
}
