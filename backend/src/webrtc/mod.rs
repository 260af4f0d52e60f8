//! WebRTC: WHIP in (RFC 9725), WHEP out (draft-ietf-wish-whep), all of it on one UDP and one TCP port.
//!
//! [`Server::publish`] and [`Server::watch`] take an offer and give an answer and a [`Session`]; who may
//! do either is decided before. Between the two lies nothing but the room's
//! [`Stage`](crate::media::stage::Stage).

mod answer;
mod bandwidth;
mod burst;
mod candidates;
mod codecs;
mod engine;
mod feed;
mod ingest;
mod mux;
mod packetizer;
mod paths;
mod peer;
mod sdp;
mod seats;
mod session;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::codecs::ViewerCodecs;
pub use self::engine::{Counts, Metrics};
use self::engine::{Credentials, Engine, Identity, View};
#[doc(hidden)]
pub use self::engine::{Ear, Lane};
use self::mux::Mux;
pub use self::paths::Paths;
use self::peer::{Ground, Peer, internal, random_text};
use self::sdp::Offer;
pub use self::sdp::OfferError;
pub use self::session::{Closer, End, Session};
use crate::media::access_unit::AudioCodec;
use crate::media::formats::Formats;
use crate::media::rendition::formats_in;
use crate::media::stage::{Stage, Tracks};
use crate::roaming;

/// Where the server listens and where it says it does.
#[derive(Clone, Debug)]
pub struct Config {
    /// UDP and TCP. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The addresses clients are told. If there are none, this machine's own.
    pub public_addresses: Vec<IpAddr>,
}

/// An answer to an offer, and the session that it begins.
#[derive(Debug)]
pub struct Answer {
    /// `application/sdp`.
    pub sdp: String,
    /// Names the ICE session, for `ETag` (RFC 9725 section 4.3.1); without quotes.
    pub etag: String,
    /// The session.
    pub session: Session,
}

impl Answer {
    /// Asks the publisher to send no more than `most` bits per second, if there is a limit.
    #[must_use]
    pub fn limited_to(self, most: Option<u64>) -> Self {
        let sdp = match most {
            Some(most) => bandwidth::limit(&self.sdp, most),
            None => self.sdp,
        };
        Self { sdp, ..self }
    }
}

/// Serves publishers and viewers by WebRTC. Dropping it ends all their sessions.
pub struct Server {
    ground: Ground,
    engine: Engine,
    /// Of our certificate, for answers to viewers.
    fingerprint: String,
    /// Its children end the sessions.
    alive: CancellationToken,
    /// Serve the ports; aborted when dropped.
    _tasks: JoinSet<()>,
}

impl Server {
    /// Opens the ports.
    ///
    /// # Errors
    /// When a port cannot be bound, a thread not be started, or there is no way to make a certificate.
    pub fn bind(config: &Config) -> io::Result<Arc<Self>> {
        let crypto = rtc::crypto::default_provider().map_err(io::Error::other)?;
        let certificate = peer::certificate(&*crypto).map_err(io::Error::other)?;
        let alive = CancellationToken::new();
        let failed = alive.clone().drop_guard();
        let (mux, tasks) = Mux::bind(config.listen, Arc::clone(&crypto), Engine::sockets())?;
        let advertised = advertised(mux.local(), &config.public_addresses).into();
        let fingerprint = certificate
            .get_fingerprints(crypto.crypto())
            .ok()
            .and_then(|mut all| all.pop())
            .ok_or_else(|| io::Error::other("the certificate has no fingerprint"))?
            .value
            .to_ascii_uppercase();
        let identity = Identity {
            certificate: certificate.dtls_certificate.clone(),
            crypto: Arc::clone(&crypto),
        };
        let engine = Engine::start(Arc::clone(&mux), identity, &alive)?;
        failed.disarm();
        let ground = Ground {
            mux,
            crypto,
            certificate,
            advertised,
        };
        Ok(Arc::new(Self {
            ground,
            engine,
            fingerprint,
            alive,
            _tasks: tasks,
        }))
    }

    /// The addresses clients are told, best first.
    #[must_use]
    pub fn advertised(&self) -> &[SocketAddr] {
        &self.ground.advertised
    }

    /// The address the ports are bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.ground.mux.local()
    }

    /// What is counted of viewers.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.engine.metrics()
    }

    /// Adds what the ports have sent to the server's counters; to be called before these are read.
    pub fn count_traffic(&self) {
        self.ground.mux.count();
    }

    /// What the viewers of this stage reported in the last seconds; `None` if nobody did.
    #[must_use]
    pub fn paths(&self, stage: &Arc<Stage>) -> Option<Paths> {
        self.engine.paths(stage)
    }

    /// Publishers and viewers there are now, connected or connecting.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.ground.mux.peers()
    }

    /// Answers a WHIP offer. The stage is taken once media flows, not before: an attempt that fails
    /// disturbs nobody.
    ///
    /// # Errors
    /// [`OfferError`] says what is wrong with the offer; nothing is left behind.
    pub async fn publish(&self, offer: &str, stage: &Arc<Stage>) -> Result<Answer, OfferError> {
        let offer = Offer::parse(offer)?;
        let tracks = offer.publishes()?;
        let ground = self.ground.clone();
        let (session, reporter) = session::new(&self.alive);
        let audience = ingest::Audience::new(Arc::clone(stage), self.engine.feeds());
        let begin = async move {
            let (engine, registry) =
                codecs::for_publisher(&offer).map_err(|error| internal(&error))?;
            let (registry, intake) = ingest::tap(registry);
            let mut peer = Peer::new(&ground, engine, registry).await?;
            match peer.negotiate(&offer).await {
                Ok(sdp) => {
                    let etag = peer.ufrag.clone();
                    let sound = offer.opus().map(|opus| opus.payload_type);
                    let publisher = ingest::Publisher {
                        peer,
                        intake,
                        promised: tracks,
                        sound,
                    };
                    let serving = ingest::serve(publisher, audience, reporter);
                    roaming::spawn(serving.in_current_span()).detach();
                    Ok((sdp, etag))
                }
                Err(error) => {
                    peer.close().await;
                    Err(error)
                }
            }
        };
        // Goes on even if whoever asked does not wait for it.
        let begun = tokio::spawn(begin.in_current_span());
        let (sdp, etag) = begun.await.map_err(|error| internal(&error))??;
        Ok(Answer { sdp, etag, session })
    }

    /// Answers a WHEP offer with what is on the stage now.
    ///
    /// # Errors
    /// [`OfferError`] says what is wrong with the offer; nothing is left behind.
    pub async fn watch(&self, offer: &str, stage: &Arc<Stage>) -> Result<Answer, OfferError> {
        let offer = Offer::parse(offer)?;
        offer.check_setup()?;
        let formats = formats_in(AudioCodec::Opus, &stage.formats().borrow());
        let tracks = offer.watches(&formats)?;
        let mut codecs = ViewerCodecs::choose(&offer, formats.video.as_deref());
        codecs.h264 = codecs.h264.filter(|_| tracks.video);
        codecs.opus = codecs.opus.filter(|_| tracks.audio);
        let credentials = Credentials {
            ufrag: random_text(8),
            password: random_text(24),
            remote_ufrag: offer.ufrag().unwrap_or_default().to_owned(),
        };
        let etag = credentials.ufrag.clone();
        let transport = answer::Transport {
            credentials: &credentials,
            fingerprint: &self.fingerprint,
            advertised: &self.ground.advertised,
        };
        let sdp = answer::write(&offer, &codecs, &transport);
        let view = View {
            stage: Arc::clone(stage),
            client: offer.fingerprint()?,
            missing: offer.wants_beyond(tracks),
            codecs,
            credentials,
        };
        let (session, reporter) = session::new(&self.alive);
        self.engine.join(view, reporter)?;
        Ok(Answer { sdp, etag, session })
    }
}

/// Reads an offer as [`Server::publish`] and [`Server::watch`] do, without a connection: for fuzzing.
#[doc(hidden)]
pub fn read_offer(sdp: &str, formats: &Formats) -> (Option<Tracks>, Option<Tracks>) {
    let Ok(offer) = Offer::parse(sdp) else {
        return (None, None);
    };
    let published = offer.publishes().ok();
    if published.is_some() {
        let _ = codecs::for_publisher(&offer);
    }
    let watched = offer.watches(formats).ok();
    if watched.is_some() {
        let _ = ViewerCodecs::choose(&offer, formats.video.as_deref());
        let _ = offer.fingerprint();
    }
    (published, watched)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.alive.cancel();
    }
}

/// Where clients reach us: what the operator says, else the bound address, else every address of this
/// machine, loopback last.
fn advertised(local: SocketAddr, public: &[IpAddr]) -> Vec<SocketAddr> {
    let mut ips = if !public.is_empty() {
        public.to_vec()
    } else if !local.ip().is_unspecified() {
        vec![local.ip()]
    } else {
        let interfaces = local_ip_address::list_afinet_netifas().unwrap_or_default();
        let reachable = |ip: &IpAddr| ip.is_ipv4() || (local.is_ipv6() && !is_link_local(ip));
        interfaces
            .into_iter()
            .map(|(_, ip)| ip)
            .filter(reachable)
            .collect()
    };
    if ips.is_empty() {
        ips.push(Ipv4Addr::LOCALHOST.into());
    }
    ips.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    ips.dedup();
    ips.into_iter()
        .map(|ip| SocketAddr::new(ip, local.port()))
        .collect()
}

fn is_link_local(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_says_is_advertised() {
        let local = "0.0.0.0:8189".parse().unwrap();
        let public = ["203.0.113.7".parse().unwrap()];
        assert_eq!(
            advertised(local, &public),
            [SocketAddr::new(public[0], 8189)]
        );
    }

    #[test]
    fn a_bound_address_is_advertised_as_it_is() {
        let local = "127.0.0.1:8189".parse().unwrap();
        assert_eq!(advertised(local, &[]), [local]);
    }

    #[test]
    fn otherwise_all_addresses_are_advertised_loopback_last() {
        let advertised = advertised("0.0.0.0:8189".parse().unwrap(), &[]);
        assert!(advertised.last().unwrap().ip().is_loopback());
        assert!(advertised.iter().all(SocketAddr::is_ipv4));
    }
}
