//! The studio on another device: a link that makes it a host of the room, once.

use std::net::SocketAddr;

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use shared::UnixMillis;
use shared::api::{HostLink, NewHost, RedeemHostLink};
use tokio::time::Instant;

use super::api::Key;
use super::links::Base;
use super::problem::Problem;
use super::{Web, auth};
use crate::clock::unix_millis;
use crate::rooms::hosts::{LINK_LIFETIME, StaleLink};
use crate::rooms::lifecycle::RoomClosed;

type Peer = ConnectInfo<SocketAddr>;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/api/rooms/{key}/host-link", post(make))
        .route("/api/rooms/{key}/host-link/redeem", post(redeem))
}

async fn make(
    State(web): State<Web>,
    ConnectInfo(peer): Peer,
    key: Key,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let room = web.room(key)?;
    auth::host(&room, &headers, peer)?;
    if room.is_closed() {
        return Err(RoomClosed.into());
    }
    // An open room has no host who could get here.
    let hosts = room.hosts().ok_or(StaleLink)?;
    let secret = hosts.invite(Instant::now()).reveal();
    tracing::info!(room = %room.key(), %peer, "link to another device made");
    let lifetime = UnixMillis::try_from(LINK_LIFETIME.as_millis()).unwrap_or_default();
    let base = Base::new(&headers, web.public_url.as_deref(), web.rtmp_port);
    Ok(unstored(HostLink {
        url: base.host_link(room.key(), &secret),
        expires_at: unix_millis() + lifetime,
    }))
}

async fn redeem(
    State(web): State<Web>,
    ConnectInfo(peer): Peer,
    key: Key,
    headers: HeaderMap,
    secret: Result<Json<RedeemHostLink>, JsonRejection>,
) -> Result<Response, Problem> {
    let room = web.room(key)?;
    let Json(RedeemHostLink { secret }) = secret?;
    if room.is_closed() {
        return Err(RoomClosed.into());
    }
    let hosts = room.hosts().ok_or(StaleLink)?;
    let now = Instant::now();
    let redeemed = web
        .strangers
        .wrong_secrets
        .present(peer.ip(), now.into(), || hosts.redeem(&secret, now).ok())
        .map_err(|wait| Problem::TooMany {
            what: "wrong secrets",
            wait,
        })?;
    let token = redeemed.ok_or(StaleLink).inspect_err(|refused| {
        tracing::warn!(room = %room.key(), %peer, "refused: {refused}");
    })?;
    // It holds already; it is written as soon as that can be.
    let _ = room.keep().kept().await;
    tracing::info!(room = %room.key(), %peer, "another device is a host");
    let base = Base::new(&headers, web.public_url.as_deref(), web.rtmp_port);
    let mut links = base.links(room.key(), "");
    // Of the stream key there is only a hash.
    links.rtmp_stream_key = None;
    Ok(unstored(NewHost {
        room: room.view(),
        host_token: token.reveal(),
        links,
    }))
}

/// An answer with a secret in it, which no cache should keep.
fn unstored(body: impl serde::Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
