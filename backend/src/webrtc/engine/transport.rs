//! One viewer's transport without its sockets: ICE, DTLS, SRTP on one five-tuple (RFC 7983).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc::shared::error::Result;

use super::dtls::{self, Dtls, Fingerprint, Identity};
use super::ice::{Credentials, IceLite};
use super::srtp::Srtp;

/// Time a viewer has from its offer to the end of the DTLS handshake.
pub(super) const CONNECT: Duration = Duration::from_secs(15);
/// A client renews its consent to be sent media every 5 s or so (RFC 7675 section 5.1), by checks or by
/// reports; after three times that nothing more is sent. The section allows 30 s.
pub(super) const CONSENT: Duration = Duration::from_secs(15);
/// Paths that have passed a check and are remembered; the oldest is forgotten first.
const MAX_PATHS: usize = 8;

/// A way to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Path {
    /// Datagrams to this address.
    Udp(SocketAddr),
    /// The connection from this address (RFC 6544).
    Tcp(SocketAddr),
}

impl Path {
    pub(super) const fn remote(self) -> SocketAddr {
        match self {
            Self::Udp(remote) | Self::Tcp(remote) => remote,
        }
    }
}

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    /// Media can flow.
    Connected,
    /// A compound RTCP packet came.
    Rtcp(BytesMut),
    /// Nothing more comes or goes.
    Ended(Ended),
}

/// Why a transport ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The client said so.
    Closed,
    /// The client is silent.
    Silent,
    /// The client is not who its offer said.
    Refused,
}

/// Whether a datagram is DTLS (RFC 7983 section 7).
pub(super) const fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram, [20..=63, ..])
}

/// Bytes and time go in, bytes and events come out.
pub(super) struct Transport {
    ice: IceLite,
    dtls: Dtls,
    srtp: Option<Box<Srtp>>,
    valid: VecDeque<Path>,
    selected: Option<Path>,
    made: Instant,
    /// When the client last proved that it is there.
    heard: Instant,
    transmits: VecDeque<(Path, Bytes)>,
}

impl Transport {
    pub(super) fn new(
        credentials: Credentials,
        identity: &Identity,
        client: Fingerprint,
        now: Instant,
    ) -> Result<Self> {
        Ok(Self {
            ice: IceLite::new(credentials, identity.crypto.clone()),
            dtls: Dtls::new(identity, client)?,
            srtp: None,
            valid: VecDeque::new(),
            selected: None,
            made: now,
            heard: now,
            transmits: VecDeque::new(),
        })
    }

    /// Takes a datagram that came along `path`.
    pub(super) fn handle(&mut self, now: Instant, path: Path, datagram: &[u8]) -> Option<Event> {
        match datagram {
            [0..=3, ..] => {
                self.check(now, path, datagram);
                None
            }
            // Whoever has not passed a check is not listened to.
            _ if !self.valid.contains(&path) => None,
            _ if is_dtls(datagram) => self.read_dtls(now, datagram),
            // RFC 5761 section 4: RTCP has packet types 192 to 223. Viewers send no RTP.
            [128..=191, 192..=223, ..] => {
                let opened = self.srtp.as_mut()?.open_rtcp(datagram)?;
                self.heard = now;
                Some(Event::Rtcp(opened))
            }
            _ => None,
        }
    }

    /// A datagram to send and the way it has to take, until there is none.
    pub(super) fn poll_transmit(&mut self) -> Option<(Path, Bytes)> {
        self.transmits.pop_front()
    }

    /// Where media goes.
    pub(super) const fn path(&self) -> Option<Path> {
        self.selected
    }

    /// The keys, once connected.
    pub(super) fn srtp(&mut self) -> Option<&mut Srtp> {
        self.srtp.as_deref_mut()
    }

    /// When [`Transport::handle_timeout`] has to be called.
    pub(super) fn timeout(&self) -> Instant {
        let deadline = self.deadline();
        match self.srtp {
            // After the handshake DTLS waits for nothing: what is lost of it then the client asks for.
            Some(_) => deadline,
            None => self
                .dtls
                .timeout()
                .map_or(deadline, |timer| timer.min(deadline)),
        }
    }

    /// Lets time pass.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Event> {
        if now >= self.deadline() {
            return Some(Event::Ended(Ended::Silent));
        }
        self.dtls.handle_timeout(now);
        self.flush_dtls();
        None
    }

    /// The way is gone: a connection was closed.
    pub(super) fn forget(&mut self, path: Path) {
        self.valid.retain(|&known| known != path);
        if self.selected == Some(path) {
            self.selected = self.valid.back().copied();
        }
    }

    /// Says goodbye to the client.
    pub(super) fn close(&mut self, now: Instant) {
        self.dtls.close(now);
        self.flush_dtls();
    }

    /// Media can flow, with these keys.
    pub(super) fn connect(&mut self, now: Instant, srtp: Box<Srtp>) {
        self.heard = now;
        self.srtp = Some(srtp);
    }

    /// Until when the client has to be heard, or to be connected.
    fn deadline(&self) -> Instant {
        match self.srtp {
            Some(_) => self.heard + CONSENT,
            None => self.made + CONNECT,
        }
    }

    fn check(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        let Some(checked) = self.ice.check(datagram, path.remote()) else {
            return;
        };
        self.transmits.push_back((path, checked.response.into()));
        if !checked.valid {
            return;
        }
        self.heard = now;
        if !self.valid.contains(&path) {
            if self.valid.len() >= MAX_PATHS {
                let unused = |known: &Path| Some(*known) != self.selected;
                let oldest = self.valid.iter().position(unused);
                self.valid.remove(oldest.unwrap_or_default());
            }
            self.valid.push_back(path);
        }
        // RFC 8445 section 7.3.1.5. Until the client has chosen, its first path will do.
        if checked.nominated || self.selected.is_none() {
            self.selected = Some(path);
        }
    }

    fn read_dtls(&mut self, now: Instant, datagram: &[u8]) -> Option<Event> {
        let event = self.dtls.read(now, datagram);
        self.flush_dtls();
        match event? {
            dtls::Event::Connected(srtp) => {
                self.connect(now, srtp);
                Some(Event::Connected)
            }
            dtls::Event::Closed => Some(Event::Ended(Ended::Closed)),
            dtls::Event::Refused => Some(Event::Ended(Ended::Refused)),
        }
    }

    fn flush_dtls(&mut self) {
        while let Some(datagram) = self.dtls.poll_transmit() {
            if let Some(path) = self.selected {
                self.transmits.push_back((path, datagram));
            }
        }
    }
}
