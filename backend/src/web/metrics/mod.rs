//! `GET /metrics`, in Prometheus' text format.

use std::fmt;
use std::fs;
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
use prometheus_client::registry::{Registry, Unit};
use shared::room::{Ingest, RoomState};

use super::Web;
use crate::metrics::{Label, METRICS};
use crate::webrtc::Counts;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(web): State<Web>) -> Response {
    let mut text = String::new();
    let written = encode(&mut text, &METRICS.registry)
        .and_then(|()| encode(&mut text, &rooms(&web)))
        .and_then(|()| encode(&mut text, &process()));
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

/// Rooms and their publishers, as they are now.
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
    for (name, help, value) in [
        (
            "whep_loss_ratio",
            "Mean share of packets that viewers reported lost",
            counts.loss,
        ),
        (
            "whep_round_trip_seconds",
            "Mean time to a viewer and back",
            counts.round_trip.as_secs_f64(),
        ),
    ] {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
}

/// What the system says about this process; nothing where it is not Linux.
fn process() -> Registry {
    let mut registry = Registry::with_prefix("process");
    if let Some(seconds) = cpu_seconds() {
        let cpu = Gauge::<f64, AtomicU64>::default();
        cpu.set(seconds);
        let help = "Time on processors";
        registry.register_with_unit("cpu", help, Unit::Seconds, cpu);
    }
    if let Some(bytes) = resident() {
        let memory: Gauge = Gauge::default();
        memory.set(bytes);
        let help = "Resident memory";
        registry.register_with_unit("resident_memory", help, Unit::Bytes, memory);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        let open: Gauge = Gauge::default();
        open.set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        registry.register("open_fds", "Open file descriptors", open);
    }
    registry
}

/// See proc_pid_stat(5): fields 14 and 15, in hundredths of a second on every Linux there is.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may have spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

/// See proc_pid_status(5).
fn resident() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
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

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_tells_what_the_process_costs() {
        let burnt = (0..20_000_000_u64).fold(0, |a, b| std::hint::black_box(a ^ b));
        std::hint::black_box(burnt);
        assert!(cpu_seconds().unwrap() > 0.0);
        assert!(resident().unwrap() > 1 << 20);
    }
}
