//! An SDP offer that is answered: our code and the `webrtc` crate behind it. Anybody may send one to watch.
#![no_main]

use std::cell::LazyCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use golive::media::access_unit::{AudioFormat, Format};
use golive::media::h264::VideoFormat;
use golive::media::stage::{Publication, Stage, Tracks};
use golive::webrtc::{Config, Server};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0x8c, 0x8d, 0x40, 0x50, 0x17, 0xfc, 0xb0, 0x0f, 0x08, 0x84, 0x6a,
];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

struct Fixture {
    runtime: Runtime,
    server: Arc<Server>,
    /// A room that is live.
    live: Arc<Stage>,
    /// A room to publish to.
    idle: Arc<Stage>,
    _publication: Publication,
}

impl Fixture {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be built");
        let config = Config {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            public_addresses: Vec::new(),
        };
        let server = runtime
            .block_on(async { Server::bind(&config) })
            .expect("a port is free");
        let [live, idle] = [(); 2].map(|()| Arc::new(Stage::default()));
        let publication = live.publish(Tracks {
            video: true,
            audio: true,
        });
        let video = VideoFormat::parse(Bytes::from_static(SPS), Bytes::from_static(PPS));
        let video = Format::Video(Arc::new(video.expect("the parameter sets are valid")));
        let audio = Format::Audio(AudioFormat::Opus { channels: 2 });
        for format in [video, audio] {
            publication.announce(&format).expect("nobody takes over");
        }
        Self {
            runtime,
            server,
            live,
            idle,
            _publication: publication,
        }
    }
}

thread_local! {
    static FIXTURE: LazyCell<Fixture> = LazyCell::new(Fixture::new);
}

fuzz_target!(|offer: &str| {
    FIXTURE.with(|fixture| {
        let Fixture { server, .. } = &**fixture;
        fixture.runtime.block_on(async {
            for answer in [
                server.watch(offer, &fixture.live).await,
                server.publish(offer, &fixture.idle).await,
            ] {
                if let Ok(answer) = answer {
                    assert!(!answer.sdp.is_empty());
                    drop(answer.session);
                }
            }
            // Sessions that were dropped have to go: the next offer finds an empty server.
            while server.peers() > 0 {
                tokio::task::yield_now().await;
            }
        });
    });
});
