//! Viewers over ICE-TCP.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::relay::Relay;
use super::*;

/// A picture that is shown at once, in one NAL unit of this size.
fn large(at_ms: i64, keyframe: bool, size: usize) -> NewUnit {
    let mut data = BytesMut::new();
    data.put_u32(size.try_into().unwrap());
    data.put_u8(if keyframe { 0x65 } else { 0x41 });
    data.put_bytes(1, size - 1);
    NewUnit {
        data: data.freeze(),
        ..picture(at_ms, 0, keyframe)
    }
}

async fn view_through(server: &Arc<Server>, stage: &Arc<Stage>) -> (Client, Session, Relay) {
    let relay = Relay::to(server.local_addr()).await;
    let mut client = Client::viewer().await;
    let offer = client.offer().await;
    let answer = server.watch(&offer, stage).await.unwrap();
    let sdp = relay.instead_of(server.local_addr(), &answer.sdp);
    client.accept(sdp).await;
    client.connected().await;
    (client, answer.session, relay)
}

/// Waits for the next keyframe and the picture behind it, which has to follow it without a gap.
async fn plays(viewer: &mut Client) {
    let keyframe = loop {
        let packet = viewer.next_video().await;
        if packet.payload[0] & 0x1f == 24 {
            break packet.header.sequence_number;
        }
    };
    for step in 1..=2 {
        let next = viewer.next_video().await.header.sequence_number;
        assert_eq!(next, keyframe.wrapping_add(step));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_watches_over_tcp() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let publication = stage.publish(Tracks {
        video: true,
        audio: false,
    });
    publication.write(large(0, true, 100)).unwrap();
    let (mut viewer, viewing, relay) = view_through(&server, &stage).await;
    let broadcast = tokio::spawn(async move {
        for number in 1.. {
            let unit = large(33 * number, number % 10 == 0, 100);
            publication.write(unit).unwrap();
            tokio::time::sleep(Duration::from_millis(33)).await;
        }
    });
    plays(&mut viewer).await;
    assert!(relay.received() > 0);
    broadcast.abort();
    drop(viewing);
    is_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_whose_connection_is_behind_goes_on_at_a_newer_keyframe() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let publication = stage.publish(Tracks {
        video: true,
        audio: false,
    });
    publication.write(large(0, true, 100)).unwrap();
    let (mut viewer, _viewing, relay) = view_through(&server, &stage).await;
    let mut number = 0;
    let mut broadcast = async |size| {
        number += 1;
        publication
            .write(large(33 * number, number % 10 == 0, size))
            .unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    while server.metrics().snapshot().packets == 0 {
        broadcast(100).await;
    }
    relay.let_flow(false);
    // As much as the kernel holds for the connection, and more.
    while server.metrics().snapshot().jumps == 0 {
        broadcast(200_000).await;
    }
    relay.let_flow(true);
    // What was held up comes first; resent packets may trickle on after it.
    let mut before = 0;
    for _ in 0..25 {
        if before == relay.received() {
            break;
        }
        before = relay.received();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    while viewer.packets.try_recv().is_ok() {}
    tokio::select! {
        () = plays(&mut viewer) => {}
        () = async { loop { broadcast(100).await } } => {}
    }
}
