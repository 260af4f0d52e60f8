//! WHIP: publishing (RFC 9725).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{patch, post};
use shared::room::Ingest;
use tracing::Instrument;

use super::api::Key;
use super::exchange::{self, Body, SessionPath};
use super::problem::Problem;
use super::sessions::{Entry, Place, Role};
use super::{Web, auth};
use crate::rooms::publishing::Admission;
use crate::session_span;
use crate::webrtc::{End, Session};

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/whip/{key}", post(publish))
        .route("/whip/{key}/{session}", patch(trickle).delete(stop))
}

async fn publish(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    key: Key,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let room = web.room(key)?;
    let admission = auth::publisher(&room, &headers, peer)?;
    let offer = exchange::read_offer(&headers, body)?;
    let span = session_span::session("whip", Some(peer));
    let answer = web.webrtc.publish(&offer, room.stage());
    let answer = answer.instrument(span.clone()).await?;
    let answer = answer.limited_to(room.bitrate());
    let place = web.sessions.enter(Entry {
        role: Role::Publisher,
        room: room.key().clone(),
        etag: answer.etag.clone(),
        client_ufrag: exchange::ufrag(&offer).map(str::to_owned),
        closer: answer.session.closer(),
    });
    let address = format!("/whip/{}/{}", room.key(), place.id());
    span.in_scope(|| tracing::info!(room = %room.key(), "a publisher is connecting"));
    tokio::spawn(tend(answer.session, admission, place).instrument(span));
    Ok(exchange::created(&address, &answer.etag, answer.sdp))
}

async fn stop(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: SessionPath,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let session = session(&web, path, &headers, peer)?;
    session.closer.close();
    Ok(StatusCode::OK)
}

async fn trickle(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: SessionPath,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    exchange::patch(&session(&web, path, &headers, peer)?, &headers, body)
}

/// The session that a path names, for whoever may publish to the room.
fn session(
    web: &Web,
    path: SessionPath,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<Entry, Problem> {
    let Path((key, id)) = path?;
    let room = web.room(Ok(Path(key.clone())))?;
    auth::may_publish(&room, headers, peer)?;
    exchange::session(&web.sessions, Role::Publisher, Ok(Path((key, id))), peer)
}

/// Keeps a publisher's session until it ends or it is no longer welcome; tells the room how it goes. The
/// session ends when this returns.
async fn tend(mut session: Session, mut admission: Admission, _place: Place) {
    let room = Arc::clone(admission.room());
    let connected = tokio::select! {
        connected = session.connected() => connected,
        () = admission.revoked() => return,
    };
    if let Err(end) = connected {
        tracing::info!(room = %room.key(), ?end, "the publisher did not connect");
        return;
    }
    let Ok(on_air) = admission.go_live(Ingest::Whip) else {
        return;
    };
    tracing::info!(room = %room.key(), "live by WHIP");
    let mut ceiling = admission.ceiling();
    let end = tokio::select! {
        end = session.ended() => Some(end),
        too_much = ceiling.exceeded() => {
            tracing::warn!(room = %room.key(), "a WHIP publisher is ended: {too_much}");
            room.tell_cut_off(&too_much);
            None
        }
        () = admission.revoked() => None,
    };
    tracing::info!(room = %room.key(), ?end, "no longer live by this publisher");
    match end {
        Some(End::Closed) => on_air.stop(),
        Some(End::TakenOver) => on_air.hand_over(),
        // Whoever has the new stream key may resume.
        Some(End::Lost | End::Unfit | End::Unshowable(_)) | None => drop(on_air),
    }
}
