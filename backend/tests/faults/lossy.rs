//! Ten of a hundred datagrams are lost, and each is up to 300 ms late.

use std::collections::BTreeSet;
use std::time::Duration;

use golive::rtmp::message_type;
use shared::room::RoomState;
use tokio::time::{Instant, sleep, timeout};

use crate::client::RtmpClient;
use crate::connect;
use crate::relay::{Path, Relay};
use crate::support::{SOON, Server};
use crate::webrtc_client::Client;

const BAD: Path = Path {
    lost: 10,
    jitter: Duration::from_millis(300),
};
/// Between two pictures.
const PICTURE: Duration = Duration::from_millis(40);

/// An answer that leads to the relay, by UDP alone.
fn through(relay: &Relay, port: u16) -> impl Fn(String) -> String {
    let (real, relayed) = (
        format!(" {port} typ"),
        format!(" {} typ", relay.address.port()),
    );
    move |answer| {
        let lines = answer.lines().filter(|line| !line.contains(" tcp "));
        let lines = lines.map(|line| line.replace(&real, &relayed) + "\r\n");
        lines.collect()
    }
}

#[tokio::test]
async fn a_publisher_on_a_bad_path_goes_live_and_most_of_its_pictures_arrive() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let port = server.webrtc().port();
    let relay = Relay::start(server.webrtc(), BAD).await;
    let path = format!("/whip/{}", made.room.key);
    let client = Client::publisher().await;
    let change = through(&relay, port);
    let mut publisher = connect(&server, &path, &made.stream_key, client, change).await;
    let key = made.room.key.clone();
    let sending = async {
        for number in 0.. {
            // Nobody can be sure that one keyframe arrives.
            publisher.send(number, number % 25 == 0).await;
            sleep(PICTURE).await;
        }
    };
    let watching = async {
        server.state_becomes(&made, RoomState::Live).await;
        let mut player = RtmpClient::play(&server, key.as_str()).await;
        let first = player.next_media(message_type::VIDEO).await.timestamp;
        let (mut pictures, mut newest) = (0_u32, first);
        while newest < first + 6_000 {
            newest = player.next_media(message_type::VIDEO).await.timestamp;
            pictures += 1;
        }
        pictures
    };
    let pictures = tokio::select! {
        () = sending => unreachable!("it goes on for ever"),
        pictures = timeout(SOON * 6, watching) => pictures.expect("it plays"),
    };
    // Retransmission makes good what is lost; what comes too late costs up to a second.
    assert!(pictures > 50, "{pictures} of 150 pictures");
    assert_eq!(server.room(&made).await.state, RoomState::Live);
}

#[tokio::test]
async fn a_viewer_on_a_bad_path_sees_most_and_the_others_see_all() {
    let server = Server::start().await;
    let made = server.create_room("r").await;
    let port = server.webrtc().port();
    let relay = Relay::start(server.webrtc(), BAD).await;
    let path = format!("/whip/{}", made.room.key);
    let publisher = Client::publisher().await;
    let mut publisher = connect(&server, &path, &made.stream_key, publisher, |sdp| sdp).await;
    publisher.send(0, true).await;
    server.state_becomes(&made, RoomState::Live).await;
    let watch = format!("/whep/{}", made.room.key);
    let mut good = connect(&server, &watch, "", Client::viewer().await, |sdp| sdp).await;
    let change = through(&relay, port);
    let mut bad = connect(&server, &watch, "", Client::viewer().await, change).await;
    let sending = async {
        for number in 1.. {
            publisher.send(number, number % 25 == 1).await;
            sleep(PICTURE).await;
        }
    };
    let watching = async {
        let seen = async |client: &mut Client| {
            let (until, mut seen) = (Instant::now() + Duration::from_secs(6), BTreeSet::new());
            while Instant::now() < until {
                seen.insert(client.next_video().await.header.timestamp);
            }
            seen.len()
        };
        tokio::join!(seen(&mut good), seen(&mut bad))
    };
    let (by_good, by_bad) = tokio::select! {
        () = sending => unreachable!("it goes on for ever"),
        seen = timeout(SOON * 6, watching) => seen.expect("both see something"),
    };
    assert!(
        by_good > 0 && by_bad * 10 > by_good * 6,
        "{by_bad} of {by_good} pictures"
    );
    assert_eq!(server.room(&made).await.viewers, 2);
}
