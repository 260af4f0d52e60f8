//! WHEP: watching (draft-ietf-wish-whep).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{patch, post};
use shared::room::RoomState;
use tracing::Instrument;

use super::Web;
use super::api::Key;
use super::exchange::{self, Body, SessionPath};
use super::problem::Problem;
use super::sessions::{Entry, Place, Role};
use crate::rooms::room::{Room, over};
use crate::rooms::viewers::{Protocol, Seat};
use crate::session_span;
use crate::webrtc::{End, Session};

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/whep/{key}", post(watch))
        .route("/whep/{key}/{session}", patch(trickle).delete(stop))
}

async fn watch(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    key: Key,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let room = web.room(key)?;
    let offer = exchange::read_offer(&headers, body)?;
    if room.state() != RoomState::Live {
        return Err(Problem::NotLive);
    }
    let seat = room.viewers().admit()?.by(Protocol::Whep);
    let span = session_span::session("whep", Some(peer));
    let answer = web.webrtc.watch(&offer, room.stage());
    let answer = answer.instrument(span.clone()).await?;
    let place = web.sessions.enter(Entry {
        role: Role::Viewer,
        room: room.key().clone(),
        etag: answer.etag.clone(),
        client_ufrag: exchange::ufrag(&offer).map(str::to_owned),
        closer: answer.session.closer(),
    });
    let address = format!("/whep/{}/{}", room.key(), place.id());
    span.in_scope(|| tracing::debug!(room = %room.key(), "a viewer is connecting"));
    tokio::spawn(tend(answer.session, room, peer, seat, place).instrument(span));
    Ok(exchange::created(&address, &answer.etag, answer.sdp))
}

async fn stop(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: SessionPath,
) -> Result<StatusCode, Problem> {
    exchange::session(&web.sessions, Role::Viewer, path, peer)?
        .closer
        .close();
    Ok(StatusCode::OK)
}

async fn trickle(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: SessionPath,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let entry = exchange::session(&web.sessions, Role::Viewer, path, peer)?;
    exchange::patch(&entry, &headers, body)
}

/// Keeps a viewer's session until it ends or the broadcast does, and counts the viewer meanwhile. The
/// session ends when this returns.
async fn tend(mut session: Session, room: Arc<Room>, peer: SocketAddr, seat: Seat, place: Place) {
    let mut changes = room.changes();
    let connected = tokio::select! {
        connected = session.connected() => connected.is_ok(),
        () = over(&mut changes) => false,
    };
    if !connected {
        return;
    }
    let _viewer = seat.watching();
    tokio::select! {
        end = session.ended() => match end {
            End::Unshowable(obstacle) => tracing::info!(
                room = %room.key(), %peer,
                "a viewer's session ends, because {obstacle}"
            ),
            End::Unfit => place.mark_unfit(),
            end => tracing::debug!(room = %room.key(), %peer, ?end, "a viewer's session ends"),
        },
        () = over(&mut changes) => {}
    }
}
