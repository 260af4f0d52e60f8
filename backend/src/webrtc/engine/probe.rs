//! One viewer behind its handshake, for what sees no private parts: a benchmark and a fuzz target.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc::crypto::RTCCryptoProvider;
use rtc::dtls::crypto::Certificate;
use rtc::shared::error::{Error, Result};
use rtc::srtp::config::{Config, SessionKeys};
use rtc::srtp::protection_profile::ProtectionProfile;
use tokio::task::JoinSet;

use super::batch::Batch;
use super::dtls::{Fingerprint, Identity};
use super::ice::{Credentials, IceLite};
use super::outlet::Outlet;
use super::rtcp::NtpClock;
use super::srtp::Srtp;
use super::transport::Transport;
use super::viewer::Viewer;
use crate::media::access_unit::{AccessUnit, Epoch, Format};
use crate::media::h264::{VideoFormat, put_nal};
use crate::media::time::MediaTime;
use crate::webrtc::burst::{Burst, RtpUnit};
use crate::webrtc::codecs::ViewerCodecs;
use crate::webrtc::feed::History;
use crate::webrtc::mux::{Mux, addressee};
use crate::webrtc::sdp::H264Payload;

/// Pictures that a viewer may have sent again.
const PICTURES: u64 = 10;
/// What it says takes this long.
const TURN: Duration = Duration::from_secs(1);

/// The way of pictures to a viewer: copied, encrypted, sent.
pub struct Lane {
    viewer: Viewer,
    picture: Burst,
    batch: Batch,
    outlet: Outlet,
    /// Receives and is never read.
    sink: UdpSocket,
    _tasks: JoinSet<()>,
}

impl Lane {
    /// For pictures of this size, in bytes.
    ///
    /// # Errors
    /// When there are no sockets or no cryptography.
    pub async fn open(size: usize) -> io::Result<Self> {
        let crypto = rtc::crypto::default_provider().map_err(io::Error::other)?;
        let localhost = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let (mux, tasks) = Mux::bind(localhost, Arc::clone(&crypto), 1)?;
        Ok(Self {
            viewer: viewer(&crypto, Instant::now()).map_err(io::Error::other)?,
            picture: picture(0, size),
            batch: Batch::default(),
            outlet: Outlet {
                mux,
                socket: 0,
                metrics: Arc::default(),
            },
            sink: UdpSocket::bind(localhost)?,
            _tasks: tasks,
        })
    }

    /// Copies and encrypts the next picture; says how many bytes that makes.
    ///
    /// # Errors
    /// When the cipher refuses.
    pub fn encrypt(&mut self) -> Result<usize> {
        self.batch.clear();
        self.viewer.write(&self.picture, &mut self.batch)?;
        for unit in &mut self.picture.units {
            unit.first = unit.end();
        }
        Ok(self.batch.all().size().1)
    }

    /// Sends what was encrypted last.
    ///
    /// # Errors
    /// When the socket has no address.
    pub async fn send(&self) -> io::Result<()> {
        self.outlet
            .send(self.batch.all(), self.sink.local_addr()?)
            .await;
        Ok(())
    }
}

/// What strangers and viewers say to us: connectivity checks, and RTCP behind its encryption.
pub struct Ear {
    viewer: Viewer,
    ice: IceLite,
    history: History,
    batch: Batch,
    now: Instant,
}

impl Ear {
    /// # Errors
    /// When there is no cryptography.
    pub fn new() -> Result<Self> {
        let crypto =
            rtc::crypto::default_provider().map_err(|error| Error::Crypto(error.to_string()))?;
        let now = Instant::now();
        let mut viewer = viewer(&crypto, now)?;
        let (mut history, mut batch, mut first) = (History::default(), Batch::default(), 0);
        for _ in 0..PICTURES {
            let picture = Arc::new(picture(first, 5_000));
            viewer.write(&picture, &mut batch)?;
            first += picture.packets() as u64;
            history.push(&picture);
        }
        Ok(Self {
            viewer,
            ice: IceLite::new(credentials(), crypto),
            history,
            batch,
            now,
        })
    }

    /// Takes it as each of them; says how many packets are sent again.
    pub fn hear(&mut self, datagram: &[u8]) -> usize {
        let _ = addressee(datagram);
        let from = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
        let _ = self.ice.check(datagram, from);
        self.now += TURN;
        self.viewer.read(self.now, datagram, |_| {});
        self.batch.clear();
        self.viewer.retransmit(&self.history, &mut self.batch)
    }
}

pub(super) fn credentials() -> Credentials {
    Credentials {
        ufrag: "ours".to_owned(),
        password: "secret".to_owned(),
        remote_ufrag: "theirs".to_owned(),
    }
}

/// A viewer of pictures whose keys are known.
fn viewer(crypto: &Arc<dyn RTCCryptoProvider>, now: Instant) -> Result<Viewer> {
    let identity = Identity {
        certificate: Certificate::generate_self_signed(vec!["golive".to_owned()], crypto.crypto())?,
        crypto: Arc::clone(crypto),
    };
    let config = Config {
        profile: ProtectionProfile::AeadAes128Gcm,
        keys: SessionKeys {
            local_master_key: vec![1; 16],
            local_master_salt: vec![2; 12],
            remote_master_key: vec![3; 16],
            remote_master_salt: vec![4; 12],
        },
        ..Config::default()
    };
    let mut transport = Transport::new(credentials(), &identity, Fingerprint([0; 32]), now)?;
    transport.connect(now, Box::new(Srtp::keyed(&config, crypto.crypto())?));
    let codecs = ViewerCodecs {
        h264: Some(H264Payload {
            payload_type: 98,
            fmtp: String::new(),
            rtx: Some(99),
        }),
        opus: None,
    };
    Ok(Viewer::new(transport, &codecs, NtpClock::new(), now))
}

/// A picture whose first packet has this number, in one NAL unit of this size.
pub(super) fn picture(first: u64, size: usize) -> Burst {
    let mut data = BytesMut::new();
    put_nal(&mut data, &vec![0x41; size]);
    burst(data, 1, first, false)
}

/// The burst of this number: a picture of these NAL units.
pub(super) fn burst(data: BytesMut, number: u64, first: u64, random_access: bool) -> Burst {
    let unit = access_unit(data, MediaTime::ZERO, random_access);
    let units = vec![RtpUnit::new(&unit, first)];
    Burst::new(Instant::now(), number, units, &unit)
}

/// A picture of these NAL units.
pub(in crate::webrtc) fn access_unit(
    data: BytesMut,
    at: MediaTime,
    random_access: bool,
) -> AccessUnit {
    let format = VideoFormat {
        sps: Bytes::from_static(&[0x67]),
        pps: vec![Bytes::from_static(&[0x68])],
        width: 16,
        height: 16,
        reorder_frames: None,
        has_rare_colours: false,
    };
    AccessUnit {
        epoch: Epoch(1),
        format: Format::Video(Arc::new(format)),
        dts: at,
        pts: at,
        random_access,
        data: data.freeze(),
    }
}
