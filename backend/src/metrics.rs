//! What is counted while the server runs, for `GET /metrics`. Counting is one atomic addition; what can be
//! counted when somebody asks, is counted then, in `web::metrics`.

use std::sync::LazyLock;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// A label and its value, of which there are few.
pub(crate) type Label = (&'static str, &'static str);

/// Everything that is counted, of the whole process.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// See [`METRICS`].
pub(crate) struct Metrics {
    pub(crate) registry: Registry,
    pub(crate) http: Traffic,
    pub(crate) rtmp: Traffic,
    pub(crate) webrtc: Traffic,
    /// Bytes of pictures that publishers sent.
    pub(crate) video: Counter,
    /// Bytes of sound that publishers sent.
    pub(crate) audio: Counter,
    /// Pictures that were lost or could not be used.
    pub(crate) pictures_dropped: Counter,
    /// Times that somebody who fell behind went on at a newer keyframe.
    pub(crate) queue_jumps: Counter,
    /// Viewers' wishes for a keyframe.
    pub(crate) keyframes_wanted: Counter,
    /// Keyframes that publishers were asked for.
    pub(crate) keyframes_asked: Counter,
    /// Viewers by protocol.
    pub(crate) viewers: Family<[Label; 1], Gauge>,
    /// Requests by what they are for and how they were answered.
    pub(crate) requests: Family<[Label; 2], Counter>,
    /// Sockets that are open.
    pub(crate) sockets: Gauge,
    /// Events that sockets sent, by name.
    pub(crate) events: Family<[Label; 1], Counter>,
    /// Changes that were written to the store.
    pub(crate) store_changes: Counter,
    /// Batches of changes that could not be written.
    pub(crate) store_failures: Counter,
    /// How long it takes to write a batch, in seconds.
    pub(crate) store_commits: Histogram,
}

/// Bytes on one port.
pub(crate) struct Traffic {
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("golive");
        let network = Family::<[Label; 2], Counter>::default();
        registry.register("network_bytes", "Bytes on each port", network.clone());
        let traffic = |port| {
            let counter = |direction| {
                let labels = [("port", port), ("direction", direction)];
                network.get_or_create(&labels).clone()
            };
            Traffic {
                received: counter("in"),
                sent: counter("out"),
            }
        };
        let media = Family::<[Label; 1], Counter>::default();
        registry.register("media_bytes", "Bytes that publishers sent", media.clone());
        let media = |track| media.get_or_create(&[("track", track)]).clone();
        let metrics = Self {
            http: traffic("http"),
            rtmp: traffic("rtmp"),
            webrtc: traffic("webrtc"),
            video: media("video"),
            audio: media("audio"),
            pictures_dropped: Counter::default(),
            queue_jumps: Counter::default(),
            keyframes_wanted: Counter::default(),
            keyframes_asked: Counter::default(),
            viewers: Family::default(),
            requests: Family::default(),
            sockets: Gauge::default(),
            events: Family::default(),
            store_changes: Counter::default(),
            store_failures: Counter::default(),
            // Half a millisecond to sixteen seconds.
            store_commits: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
            registry: Registry::default(),
        };
        for protocol in ["whep", "hls", "rtmp", "flv"] {
            // There from the start, so that a graph begins at nobody.
            drop(metrics.viewers.get_or_create(&[("protocol", protocol)]));
        }
        for (name, help, counter) in [
            (
                "pictures_dropped",
                "Pictures of publishers that were lost or could not be used",
                &metrics.pictures_dropped,
            ),
            (
                "queue_jumps",
                "Times that a slow reader went on at a newer keyframe",
                &metrics.queue_jumps,
            ),
            (
                "keyframes_wanted",
                "Wishes of viewers for a keyframe",
                &metrics.keyframes_wanted,
            ),
            (
                "keyframes_asked",
                "Keyframes that publishers were asked for",
                &metrics.keyframes_asked,
            ),
            (
                "store_changes",
                "Changes that were written to the store",
                &metrics.store_changes,
            ),
            (
                "store_failures",
                "Batches that could not be written to the store",
                &metrics.store_failures,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register("viewers", "Viewers", metrics.viewers.clone());
        registry.register("http_requests", "HTTP requests", metrics.requests.clone());
        registry.register("sockets", "Open sockets", metrics.sockets.clone());
        registry.register(
            "socket_events",
            "Events that sockets sent",
            metrics.events.clone(),
        );
        registry.register_with_unit(
            "store_commit",
            "How long it takes to write a batch of changes",
            Unit::Seconds,
            metrics.store_commits.clone(),
        );
        Self {
            registry,
            ..metrics
        }
    }
}
