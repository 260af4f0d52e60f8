//! Strangers open connections and say nothing, or half of something.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use shared::room::RoomState;

use crate::client::RtmpClient;
use crate::support::{Server, Socket};
use crate::webrtc_client::Client;
use crate::{connect, stream_key};

/// On each port; half of them have begun to say something.
const STRANGERS: usize = 500;

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
