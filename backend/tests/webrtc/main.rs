//! WHIP and WHEP with a real client over real sockets: what unit tests of the parts cannot show.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod client;
mod relay;
mod tcp;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use golive::media::access_unit::{AccessUnit, AudioCodec, AudioFormat, Epoch, Format, TrackKind};
use golive::media::audio::Transcoder;
use golive::media::fanout::{Start, Subscription};
use golive::media::formats::Obstacle;
use golive::media::h264::VideoFormat;
use golive::media::stage::{NewUnit, Stage, Tracks};
use golive::media::time::MediaTime;
use golive::webrtc::{Config, End, OfferError, Server, Session};
use rtc::rtp;
use tokio::time::timeout;

use self::client::Client;

const SOON: Duration = Duration::from_secs(10);

async fn server() -> Arc<Server> {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_addresses: Vec::new(),
    };
    Server::bind(&config).unwrap()
}

/// Everything that is published, from the first keyframe on.
fn watch(stage: &Stage) -> Subscription<AccessUnit> {
    stage.subscribe(Start::Next)
}

async fn publish(server: &Arc<Server>, stage: &Arc<Stage>) -> (Client, Session) {
    let mut client = Client::publisher().await;
    let offer = client.offer().await;
    let answer = server.publish(&offer, stage).await.unwrap();
    client.accept(answer.sdp).await;
    client.connected().await;
    (client, answer.session)
}

async fn view(server: &Arc<Server>, stage: &Arc<Stage>) -> (Client, Session) {
    let mut client = Client::viewer().await;
    let offer = client.offer().await;
    let answer = server.watch(&offer, stage).await.unwrap();
    client.accept(answer.sdp).await;
    client.connected().await;
    (client, answer.session)
}

/// Sends a keyframe and waits until it is on the stage.
async fn go_live(client: &mut Client, session: &mut Session) {
    client.send(1, true).await;
    timeout(SOON, session.connected()).await.unwrap().unwrap();
}

async fn next_picture(units: &mut Subscription<AccessUnit>) -> Arc<AccessUnit> {
    loop {
        let unit = timeout(SOON, units.next())
            .await
            .expect("arrives in time")
            .unwrap()
            .unit;
        if unit.format.kind() == TrackKind::Video {
            return unit;
        }
    }
}

/// All peers' state is freed soon.
async fn is_empty(server: &Server) {
    let freed = async {
        while server.peers() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, freed).await.expect("every peer is freed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_seen_by_a_viewer() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let (mut publisher, mut publishing) = publish(&server, &stage).await;
    go_live(&mut publisher, &mut publishing).await;
    let (mut viewer, mut viewing) = view(&server, &stage).await;
    timeout(SOON, viewing.connected()).await.unwrap().unwrap();
    let broadcast = tokio::spawn(async move {
        for number in 2..=40 {
            publisher.send(number, number % 10 == 0).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        publisher
    });
    // From the second keyframe on: the first may come before the viewer is ready to decrypt it.
    let is = |packet: &rtp::Packet, kind| packet.payload[0] & 0x1f == kind;
    while !is(&viewer.next_video().await, 24) {}
    while !is(&viewer.next_video().await, 24) {}
    let keyframe = viewer.next_video().await;
    assert!(
        is(&keyframe, 5),
        "the parameter sets come with their keyframe"
    );
    assert_eq!(keyframe.payload[1..4], [0, 0, 0]);
    for number in keyframe.payload[4] + 1..=keyframe.payload[4] + 9 {
        let picture = viewer.next_video().await;
        assert_eq!(picture.payload[1..], [0, 0, 0, number]);
        assert!(picture.header.marker);
    }
    let publisher = broadcast.await.unwrap();
    drop((publishing, viewing));
    is_empty(&server).await;
    publisher.close().await;
    viewer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_wish_for_a_keyframe_reaches_the_publisher() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let (mut publisher, mut publishing) = publish(&server, &stage).await;
    go_live(&mut publisher, &mut publishing).await;
    // Long enough that the keyframe is too old to start from.
    for number in 2..50 {
        publisher.send(number, false).await;
        tokio::time::sleep(Duration::from_millis(33)).await;
    }
    let (mut viewer, _viewing) = view(&server, &stage).await;
    let waiting = timeout(Duration::from_millis(300), viewer.packets.recv()).await;
    assert!(waiting.is_err(), "nothing is sent before a keyframe");
    publisher.send(50, true).await;
    assert_eq!(viewer.next_video().await.payload[0] & 0x1f, 24, "STAP-A");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_publisher_takes_over_once_its_media_flows() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let mut units = watch(&stage);
    let (mut first, mut first_session) = publish(&server, &stage).await;
    go_live(&mut first, &mut first_session).await;
    let (mut second, mut second_session) = publish(&server, &stage).await;
    // Connected alone disturbs nobody.
    let still = timeout(Duration::from_millis(300), first_session.ended()).await;
    assert!(still.is_err(), "the first is undisturbed");
    let before = next_picture(&mut units).await.epoch;
    go_live(&mut second, &mut second_session).await;
    assert_eq!(
        timeout(SOON, first_session.ended()).await.unwrap(),
        End::TakenOver
    );
    assert!(before < next_picture(&mut units).await.epoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_comes_again_when_the_room_gets_a_picture() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let sound_only = stage.publish(Tracks {
        video: false,
        audio: true,
    });
    let opus = Format::Audio(AudioFormat::Opus { channels: 2 });
    sound_only.announce(&opus).unwrap();
    let (_viewer, mut viewing) = view(&server, &stage).await;
    timeout(SOON, viewing.connected()).await.unwrap().unwrap();
    let (mut publisher, mut publishing) = publish(&server, &stage).await;
    let still = timeout(Duration::from_millis(300), viewing.ended()).await;
    assert!(still.is_err(), "the viewer listens on");
    go_live(&mut publisher, &mut publishing).await;
    assert_eq!(
        timeout(SOON, viewing.ended()).await.unwrap(),
        End::Lost,
        "only a new session can carry the picture"
    );
}

/// So much silence in AAC, as an encoder would send it.
fn aac(seconds: i64) -> Vec<AccessUnit> {
    let mut encoder = Transcoder::new(AudioCodec::Aac);
    let packet = |at: i64| AccessUnit {
        epoch: Epoch(1),
        format: Format::Audio(AudioFormat::Opus { channels: 2 }),
        dts: MediaTime::from_micros(at * 20_000),
        pts: MediaTime::from_micros(at * 20_000),
        random_access: true,
        // 20 ms of silence in stereo (RFC 6716 section 3.1).
        data: Bytes::from_static(&[0xfc, 0xff, 0xfe]),
    };
    (0..seconds * 50)
        .flat_map(|at| encoder.push(&packet(at)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_of_a_broadcast_with_aac_are_sent_opus() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let publication = stage.publish(Tracks {
        video: false,
        audio: true,
    });
    let mut sound = aac(30).into_iter();
    publication.announce(&sound.next().unwrap().format).unwrap();
    let (mut viewer, _viewing) = view(&server, &stage).await;
    let broadcast = tokio::spawn(async move {
        for unit in sound {
            publication
                .write(NewUnit {
                    format: unit.format,
                    dts: unit.dts,
                    pts: unit.pts,
                    keyframe: false,
                    data: unit.data,
                })
                .unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut timestamps = Vec::new();
    while timestamps.len() < 10 {
        let packet = timeout(SOON, viewer.packets.recv())
            .await
            .unwrap()
            .unwrap()
            .1;
        // One frame a packet (RFC 6716 section 3.1).
        assert_eq!(packet.payload[0] & 3, 0, "{:02x?}", &packet.payload[..]);
        timestamps.push((packet.header.sequence_number, packet.header.timestamp));
    }
    timestamps.sort_unstable();
    for pair in timestamps.windows(2) {
        let (packets, ticks) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        assert_eq!(ticks, u32::from(packets) * 960, "20 ms each");
    }
    broadcast.abort();
}

fn picture(at_ms: i64, shown_after_ms: i64, keyframe: bool) -> NewUnit {
    let (sps, pps) = (
        Bytes::from_static(client::SPS),
        Bytes::from_static(client::PPS),
    );
    let dts = MediaTime::from_micros(at_ms * 1_000);
    NewUnit {
        format: Format::Video(Arc::new(VideoFormat::parse(sps, pps).unwrap())),
        dts,
        pts: dts + MediaTime::from_micros(shown_after_ms * 1_000),
        keyframe,
        data: Bytes::from_static(&[0, 0, 0, 1, 0x65]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b_frames_end_the_sessions_of_viewers_and_refuse_new_ones() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let publication = stage.publish(Tracks {
        video: true,
        audio: false,
    });
    publication.write(picture(0, 0, true)).unwrap();
    let (_viewer, mut viewing) = view(&server, &stage).await;
    timeout(SOON, viewing.connected()).await.unwrap().unwrap();
    publication.write(picture(33, 66, false)).unwrap();
    assert_eq!(
        timeout(SOON, viewing.ended()).await.unwrap(),
        End::Unshowable(Obstacle::BFrames)
    );
    let offer = Client::viewer().await.offer().await;
    let refused = server.watch(&offer, &stage).await.unwrap_err();
    assert_eq!(refused, OfferError::Unshowable(Obstacle::BFrames));
    is_empty(&server).await;
    let publication = stage.publish(Tracks {
        video: true,
        audio: false,
    });
    publication.write(picture(0, 0, true)).unwrap();
    assert!(server.watch(&offer, &stage).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_a_session_frees_everything() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let (mut publisher, mut session) = publish(&server, &stage).await;
    go_live(&mut publisher, &mut session).await;
    session.closer().close();
    assert_eq!(timeout(SOON, session.ended()).await.unwrap(), End::Closed);
    assert_eq!(
        stage.formats().borrow().video,
        None,
        "the stage is left at once"
    );
    is_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_vanishes_is_noticed() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let (mut publisher, mut session) = publish(&server, &stage).await;
    go_live(&mut publisher, &mut session).await;
    publisher.close().await;
    assert_eq!(timeout(SOON, session.ended()).await.unwrap(), End::Lost);
    is_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_recvonly_for_a_publisher_and_sendonly_for_a_viewer() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let mut client = Client::publisher().await;
    let offer = client.offer().await;
    let answer = server.publish(&offer, &stage).await.unwrap();
    assert_eq!(
        answer.sdp.matches("a=recvonly").count(),
        2,
        "{}",
        answer.sdp
    );
    client.accept(answer.sdp).await;
    client.connected().await;
    let mut session = answer.session;
    go_live(&mut client, &mut session).await;
    let offer = Client::viewer().await.offer().await;
    let answer = server.watch(&offer, &stage).await.unwrap();
    assert_eq!(
        answer.sdp.matches("a=sendonly").count(),
        2,
        "{}",
        answer.sdp
    );
    let local = server.local_addr().port().to_string();
    for line in answer
        .sdp
        .lines()
        .filter(|line| line.starts_with("a=candidate:"))
    {
        assert!(line.contains(&local), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_offer_leaves_nothing_behind() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let viewer = Client::viewer().await.offer().await;
    let publisher = Client::publisher().await.offer().await;
    let refused = [
        server.publish("", &stage).await.err(),
        server.publish(&viewer, &stage).await.err(),
        server
            .publish(&publisher.replace("H264", "VP8"), &stage)
            .await
            .err(),
        server
            .publish(
                &publisher.replace("a=fingerprint:sha-256 ", "a=fingerprint:"),
                &stage,
            )
            .await
            .err(),
    ];
    assert!(matches!(refused[0], Some(OfferError::Invalid(_))));
    assert!(matches!(refused[1], Some(OfferError::Direction(_))));
    assert!(matches!(refused[2], Some(OfferError::NoCommonCodec(_))));
    assert!(
        matches!(refused[3], Some(OfferError::Invalid(_))),
        "{:?}",
        refused[3]
    );
    is_empty(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_cannot_be_resolved_is_ignored() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let mut client = Client::publisher().await;
    let offer = client.offer().await;
    let mdns = "a=candidate:9 1 udp 2113937151 0c2f4a66-9f5c-4b7c-8f3a-3d2f0a1b2c3d.local 50000 \
        typ host\r\na=end-of-candidates";
    let offer = offer.replace("a=end-of-candidates", mdns);
    let answer = server.publish(&offer, &stage).await.unwrap();
    client.accept(answer.sdp).await;
    client.connected().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulcast_offer_is_answered() {
    let (server, stage) = (server().await, Arc::new(Stage::default()));
    let offer = Client::publisher().await.offer().await;
    let (audio, video) = if offer.find("m=video") < offer.find("m=audio") {
        offer
            .split_once("m=audio")
            .map(|(v, a)| (format!("m=audio{a}"), v.to_owned()))
            .unwrap()
    } else {
        offer
            .split_once("m=video")
            .map(|(a, v)| (a.to_owned(), format!("m=video{v}")))
            .unwrap()
    };
    let layers = "a=rid:h send\r\na=rid:l send\r\na=simulcast:send h;l\r\n";
    let offer = if video.starts_with("m=") {
        format!("{audio}{video}{layers}")
    } else {
        format!("{video}{layers}{audio}")
    };
    let answer = server.publish(&offer, &stage).await.unwrap();
    assert_eq!(
        answer.sdp.matches("a=recvonly").count(),
        2,
        "{}",
        answer.sdp
    );
}
