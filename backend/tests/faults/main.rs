//! What goes wrong in the world, done to the whole server over real sockets.
//!
//! Loss and delay come from a relay in this process ([`relay`]) rather than from the kernel's netem, which not
//! every machine lets one use.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "../rtmp/client.rs"]
#[allow(dead_code, reason = "shared with the tests of RTMP")]
mod client;
mod half_open;
mod lossy;
mod relay;
mod stuck;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "shared with the tests of everything else")]
mod support;
#[path = "../webrtc/client.rs"]
#[allow(dead_code, reason = "shared with the tests of WebRTC")]
mod webrtc_client;

use reqwest::Method;
use shared::api::CreatedRoom;
use support::Server;
use webrtc_client::Client;

/// OBS's field "Stream Key" of a room.
fn stream_key(made: &CreatedRoom) -> &str {
    made.links.rtmp_stream_key.as_deref().unwrap()
}

/// Watches, or with the stream key publishes; the answer is changed on its way, so that it leads through a
/// relay.
async fn connect(
    server: &Server,
    path: &str,
    secret: &str,
    mut client: Client,
    change: impl Fn(String) -> String,
) -> Client {
    let offer = client.offer().await;
    let request = server
        .request(Method::POST, path)
        .header("content-type", "application/sdp")
        .bearer_auth(secret)
        .body(offer);
    let response = request.send().await.unwrap().error_for_status().unwrap();
    client.accept(change(response.text().await.unwrap())).await;
    client.connected().await;
    client
}
