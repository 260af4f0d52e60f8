//! `GET /metrics`, in Prometheus' text format.

mod process;

use std::fmt;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use shared::room::{Ingest, RoomState};

use super::Web;
use crate::metrics::{Label, METRICS};
use crate::webrtc::Counts;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(web): State<Web>) -> Response {
    web.webrtc.count_traffic();
    let mut text = String::new();
    let written = encode(&mut text, &METRICS.registry)
        .and_then(|()| encode(&mut text, &rooms(&web)))
        .and_then(|()| encode(&mut text, &process::measured()));
    match written {
        Ok(()) => {
            let headers = [
                (header::CONTENT_TYPE, CONTENT_TYPE),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, text).into_response()
        }
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Rooms, their publishers and what waits to be kept, as it is now.
fn rooms(web: &Web) -> Registry {
    let (rooms, publishers) = (
        Family::<[Label; 1], Gauge>::default(),
        Family::<[Label; 1], Gauge>::default(),
    );
    let room = |state| rooms.get_or_create(&[("state", state)]).clone();
    let publisher = |protocol| publishers.get_or_create(&[("protocol", protocol)]).clone();
    let states = ["offline", "live", "reconnecting", "ended"].map(room);
    let protocols = ["whip", "rtmp"].map(publisher);
    for view in web.rooms.views() {
        let [offline, live, reconnecting, ended] = &states;
        match view.state {
            RoomState::Offline => offline.inc(),
            RoomState::Live => live.inc(),
            RoomState::Reconnecting => reconnecting.inc(),
            RoomState::Ended => ended.inc(),
        };
        let [whip, rtmp] = &protocols;
        if view.state == RoomState::Live {
            match view.ingest {
                Some(Ingest::Whip) => drop(whip.inc()),
                Some(Ingest::Rtmp) => drop(rtmp.inc()),
                None => {}
            }
        }
    }
    let mut registry = Registry::with_prefix("golive");
    registry.register("rooms", "Rooms", rooms);
    registry.register("publishers", "Publishers that are on the air", publishers);
    let peers: Gauge = Gauge::default();
    peers.set(i64::try_from(web.webrtc.peers()).unwrap_or(i64::MAX));
    registry.register("webrtc_peers", "WebRTC peer connections", peers);
    whep(&web.webrtc.metrics().snapshot(), &mut registry);
    let waiting: Gauge = Gauge::default();
    waiting.set(i64::try_from(web.journal.waiting()).unwrap_or(i64::MAX));
    let help = "Changes that wait to be written to the store";
    registry.register("store_waiting", help, waiting);
    registry
}

/// What viewers by WebRTC were sent, and how it arrived.
fn whep(counts: &Counts, registry: &mut Registry) {
    for (name, help, count) in [
        (
            "whep_packets",
            "RTP packets sent to viewers",
            counts.packets,
        ),
        (
            "whep_retransmissions",
            "RTP packets sent again to viewers",
            counts.retransmissions,
        ),
        (
            "whep_queue_jumps",
            "Times that a viewer who fell behind went on at a newer keyframe",
            counts.jumps,
        ),
        (
            "whep_keyframe_requests",
            "Wishes of viewers by WebRTC for a keyframe, before they are joined",
            counts.keyframe_requests,
        ),
        (
            "whep_unsent",
            "Datagrams to viewers that the kernel had no room for",
            counts.unsent,
        ),
        (
            "whep_hopeless",
            "Viewers whose path could not carry the stream",
            counts.hopeless,
        ),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
    let round_trip = counts.paths.and_then(|paths| paths.round_trip);
    let round_trip = round_trip.unwrap_or_default();
    for (name, help, value) in [
        (
            "whep_loss_ratio",
            "Share of packets that viewers missed at first in the last 5 s, on average",
            counts.paths.map_or(0.0, |paths| paths.lost),
        ),
        (
            "whep_round_trip_seconds",
            "Time to a viewer and back in the last 5 s, on average",
            round_trip.as_secs_f64(),
        ),
    ] {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
}

/// Counts requests.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let kind = kind(request.uri().path());
    let response = next.run(request).await;
    let status = status(response.status());
    let labels = [("kind", kind), ("status", status)];
    METRICS.requests.get_or_create(&labels).inc();
    response
}

/// What a path is for: few answers, whatever is asked.
fn kind(path: &str) -> &'static str {
    let first = path.split('/').nth(1).unwrap_or_default();
    match first {
        "api" | "rooms" => "api",
        "whip" => "whip",
        "whep" => "whep",
        "socket.io" => "socket",
        "metrics" | "healthz" => "operator",
        "live" if path.ends_with(".flv") => "flv",
        "live" if path.ends_with("/thumbnail.jpg") => "thumbnail",
        "live" if path.matches('/').count() > 2 => "hls",
        "" | "live" | "room" | "embed" => "page",
        _ => "other",
    }
}

/// A status by itself where it says something, else its class.
fn status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "401",
        StatusCode::FORBIDDEN => "403",
        StatusCode::NOT_FOUND => "404",
        StatusCode::CONFLICT => "409",
        StatusCode::TOO_MANY_REQUESTS => "429",
        StatusCode::SERVICE_UNAVAILABLE => "503",
        _ if status.is_informational() => "1xx",
        _ if status.is_success() => "2xx",
        _ if status.is_redirection() => "3xx",
        _ if status.is_client_error() => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_of_few_kinds() {
        for (path, expected) in [
            ("/", "page"),
            ("/live", "page"),
            ("/live/abc", "page"),
            ("/live/abc.flv", "flv"),
            ("/live/abc/thumbnail.jpg", "thumbnail"),
            ("/live/abc/index.m3u8", "hls"),
            ("/api/rooms/abc", "api"),
            ("/whip/abc/def", "whip"),
            ("/socket.io/", "socket"),
            ("/style-123.css", "other"),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
    }
}
