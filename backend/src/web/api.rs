//! The API: rooms and their comments.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use shared::api::{CommentPage, CreatedRoom, RoomTitle, RotatedStreamKey};
use shared::room::{Room as View, RoomKey};
use shared::text::{self, Field};

use super::links::{Base, rtmp_stream_key};
use super::problem::Problem;
use super::{Web, auth};
use crate::rooms::room::Room;
use crate::store::error::NotKept;

type Peer = ConnectInfo<SocketAddr>;
type Title = Result<Json<RoomTitle>, JsonRejection>;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/api/rooms", get(list).post(create))
        .route("/api/rooms/{key}", get(show).patch(rename).delete(end))
        .route("/api/rooms/{key}/stream-key", post(rotate_stream_key))
        .route("/api/rooms/{key}/comments", get(comments))
}

async fn create(
    State(web): State<Web>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    title: Title,
) -> Result<(StatusCode, Json<CreatedRoom>), Problem> {
    auth::creator(web.create_token.as_ref(), &headers, peer)?;
    let Json(RoomTitle { title }) = title?;
    let title = text::check(Field::Title, &title)?;
    let taken = web.strangers.rooms.take(peer.ip(), Instant::now());
    taken.map_err(|wait| {
        tracing::warn!(%peer, "refused: too many rooms from this address");
        Problem::TooMany {
            what: "rooms",
            wait,
        }
    })?;
    let (room, secrets) = web.rooms.create(title)?;
    if room.keep().kept().await.is_err() {
        // Its secrets would not survive a restart, and nobody has been told of them.
        web.rooms.close_open(&room);
        return Err(NotKept::Failing.into());
    }
    tracing::info!(room = %room.key(), %peer, "room created");
    let stream_key = secrets.stream_key.reveal();
    let base = Base::new(&headers, web.public_url.as_deref(), web.rtmp_port);
    let created = CreatedRoom {
        room: room.view(),
        host_token: secrets.host_token.reveal(),
        links: base.links(room.key(), &stream_key),
        stream_key,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

async fn list(State(web): State<Web>) -> Json<Vec<View>> {
    Json(web.rooms.list())
}

async fn show(State(web): State<Web>, key: Key) -> Result<Json<View>, Problem> {
    Ok(Json(web.room(key)?.view()))
}

async fn rename(
    State(web): State<Web>,
    ConnectInfo(peer): Peer,
    key: Key,
    headers: HeaderMap,
    title: Title,
) -> Result<Json<View>, Problem> {
    let room = web.room(key)?;
    auth::host(&room, &headers, peer)?;
    room.rename(text::check(Field::Title, &title?.title)?);
    Ok(Json(room.view()))
}

async fn end(
    State(web): State<Web>,
    ConnectInfo(peer): Peer,
    key: Key,
    headers: HeaderMap,
) -> Result<Json<View>, Problem> {
    let room = web.room(key)?;
    auth::host(&room, &headers, peer)?;
    room.close();
    tracing::info!(room = %room.key(), %peer, "room ended by its host");
    Ok(Json(room.view()))
}

async fn rotate_stream_key(
    State(web): State<Web>,
    ConnectInfo(peer): Peer,
    key: Key,
    headers: HeaderMap,
) -> Result<Json<RotatedStreamKey>, Problem> {
    let room = web.room(key)?;
    auth::host(&room, &headers, peer)?;
    if room.is_closed() {
        return Err(crate::rooms::lifecycle::RoomClosed.into());
    }
    tracing::info!(room = %room.key(), %peer, "stream key rotated");
    let stream_key = room.rotate_stream_key().reveal();
    // It holds already; whether it is on the disk now or soon changes nothing for whoever asked.
    let _ = room.keep().kept().await;
    Ok(Json(RotatedStreamKey {
        rtmp_stream_key: Some(rtmp_stream_key(room.key(), &stream_key)),
        stream_key,
    }))
}

/// Which comments.
#[derive(Deserialize)]
struct Before {
    before: Option<u64>,
}

async fn comments(
    State(web): State<Web>,
    key: Key,
    query: Result<Query<Before>, QueryRejection>,
) -> Result<Json<CommentPage>, Problem> {
    let room = web.room(key)?;
    let page = room.chat().lock().comments.page(query?.before);
    Ok(Json(page))
}

/// The room key in the path, as it was sent.
pub(super) type Key = Result<Path<String>, PathRejection>;

impl Web {
    /// The room that a path names.
    pub(super) fn room(&self, key: Key) -> Result<Arc<Room>, Problem> {
        let Path(key) = key?;
        self.rooms
            .find(&RoomKey::try_from(key)?)
            .ok_or(Problem::NoSuchRoom)
    }
}
