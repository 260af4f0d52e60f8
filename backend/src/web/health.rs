//! How a broadcast does, for its host.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use shared::health::{AudioHealth, Health, Verdict, VideoHealth, ViewersHealth};
use shared::room::Ingest;

use super::api::Key;
use super::problem::Problem;
use super::{Web, auth};
use crate::media::access_unit::AudioFormat;
use crate::media::formats::Formats;
use crate::media::health::{Circumstances, Snapshot, advise, profile_name};
use crate::rooms::room::Room;
use crate::webrtc::Paths;

/// Opus is always clocked so (RFC 7587 section 4.1), in Hz.
const OPUS_RATE: u32 = 48_000;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/api/rooms/{key}/health", get(show))
}

async fn show(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    key: Key,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    let room = web.room(key)?;
    auth::host(&room, &headers, peer)?;
    Ok((
        [(header::CACHE_CONTROL, "no-store")],
        Json(health(&room, web.webrtc.paths(room.stage()))),
    ))
}

fn health(room: &Room, viewers: Option<Paths>) -> Health {
    let Some(measured) = room.stage().measured() else {
        return Health::waiting();
    };
    let formats = room.stage().formats().borrow().clone();
    let ingest = room.view().ingest;
    let advice = advise(
        &measured,
        Circumstances {
            b_frames: formats.b_frames,
            rare_colours: formats.has_rare_colours(),
            keyframes_on_request: ingest == Some(Ingest::Whip),
        },
    );
    Health {
        verdict: Verdict::of(&advice),
        advice,
        ingest,
        uptime_ms: Some(u64::try_from(measured.uptime.as_millis()).unwrap_or(u64::MAX)),
        video: video(&measured, &formats),
        audio: formats
            .audio
            .as_ref()
            .map(|format| audio(&measured, format)),
        round_trip_ms: measured.round_trip.map(millis),
        viewers: viewers.map(|paths| ViewersHealth {
            lost: paths.lost,
            round_trip_ms: paths.round_trip.map(millis),
        }),
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn video(measured: &Snapshot, formats: &Formats) -> Option<VideoHealth> {
    let format = formats.video.as_ref()?;
    Some(VideoHealth {
        codec: "H.264".to_owned(),
        profile: profile_name(format).to_owned(),
        width: format.width,
        height: format.height,
        fps: measured.fps,
        bitrate: measured.video_bitrate,
        keyframe_interval: measured
            .keyframe_interval
            .as_ref()
            .map(Duration::as_secs_f64),
        b_frames: formats.b_frames,
        dropped: measured.dropped,
    })
}

fn audio(measured: &Snapshot, format: &AudioFormat) -> AudioHealth {
    let (sample_rate, channels) = match format {
        AudioFormat::Opus { channels } => (OPUS_RATE, *channels),
        AudioFormat::Aac(aac) => (aac.sample_rate, aac.channels),
    };
    AudioHealth {
        codec: format.codec_name().to_owned(),
        sample_rate,
        channels,
        bitrate: measured.audio_bitrate,
    }
}
