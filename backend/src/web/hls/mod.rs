//! LL-HLS over HTTP: playlists, segments and parts of a room's [`Channel`].
//!
//! Names of files say all there is to know about them and never mean anything else, so whatever stands
//! between a player and this server may keep them.

mod file;
mod reply;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use shared::room::{RoomKey, RoomState};

use self::file::File;
use self::reply::{Keep, Reply};
use super::Web;
use super::problem::Problem;
use crate::hls::channel::{Channel, Wanted};
use crate::rooms::audience::Client;
use crate::rooms::room::Room;

/// Longest name that a player may give itself, in bytes.
const ID_BYTES: usize = 64;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/live/{key}/index.m3u8", get(multivariant))
        .route("/live/{key}/heartbeat", post(beat))
        .route("/live/{key}/{presentation}/{file}", get(file))
}

type KeyPath = Result<Path<RoomKey>, PathRejection>;
type FilePath = Result<Path<(RoomKey, String, String)>, PathRejection>;
type Directives = Result<Query<Delivery>, QueryRejection>;

/// What a player may ask of a playlist (section 6.2.5).
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Delivery {
    /// Wait for this segment ...
    #[serde(rename = "_HLS_msn")]
    segment: Option<u64>,
    /// ... or for this part of it.
    #[serde(rename = "_HLS_part")]
    part: Option<usize>,
    /// Leave out what the player has.
    #[serde(rename = "_HLS_skip")]
    skip: Option<Skip>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Skip {
    #[serde(rename = "YES")]
    Yes,
    /// Date ranges too; there are none.
    #[serde(rename = "v2")]
    V2,
}

impl Delivery {
    fn wanted(self) -> Result<Option<Wanted>, Problem> {
        match (self.segment, self.part) {
            (None, Some(_)) => Err(Problem::PartWithoutSegment),
            (segment, part) => Ok(segment.map(|segment| Wanted { segment, part })),
        }
    }
}

/// A player says that it plays. The name is its own choice; it has to be the same each time.
#[derive(Debug, Deserialize)]
struct Beat {
    id: String,
}

async fn multivariant(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    path: KeyPath,
) -> Result<Response, Problem> {
    let (room, channel) = channel(&web, &path?.0)?;
    if !plays(&room) {
        return Err(Problem::NotLive);
    }
    channel.asked(&room, client(peer, &headers))?;
    let playlist = channel.multivariant().await?;
    Ok(Reply::playlist(&playlist, Keep::Moment).to(&headers))
}

async fn file(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    path: FilePath,
    query: Directives,
) -> Result<Response, Problem> {
    let Path((key, name, file)) = path?;
    let (room, channel) = channel(&web, &key)?;
    let wanted: File = file.parse().map_err(|()| Problem::NoSuchPage)?;
    let data = match wanted {
        File::Playlist(kind) => {
            let Query(delivery) = query?;
            let wanted = delivery.wanted()?;
            channel.asked(&room, client(peer, &headers))?;
            let skip = delivery.skip.is_some();
            let playlist = channel.media(&name, kind, wanted, skip).await?;
            // What was waited for has an address of its own.
            let keep = wanted.map_or(Keep::Moment, |_| Keep::Short);
            return Ok(Reply::playlist(&playlist, keep).to(&headers));
        }
        File::Init(kind, number) => channel.init(&name, kind, number)?,
        File::Segment(kind, number) => channel.segment(&name, kind, number)?,
        File::Part(kind, next) => channel.part(&name, kind, next).await?,
    };
    Ok(Reply::media(data, wanted.kind(), &format!("{name}-{file}")).to(&headers))
}

async fn beat(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    path: KeyPath,
    body: Result<Json<Beat>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Beat { id }) = body?;
    if id.is_empty() || id.len() > ID_BYTES {
        return Err(Problem::BadId);
    }
    let (room, channel) = channel(&web, &path?.0)?;
    channel.beat(&room, client(peer, &headers), &id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The room's channel. Asking for it is what keeps it going.
fn channel(web: &Web, key: &RoomKey) -> Result<(Arc<Room>, Arc<Channel>), Problem> {
    let room = web.rooms.find(key).ok_or(Problem::NoSuchRoom)?;
    let channel = web.hls.of(&room);
    Ok((room, channel))
}

fn plays(room: &Room) -> bool {
    matches!(room.state(), RoomState::Live | RoomState::Reconnecting)
}

fn client(peer: SocketAddr, headers: &HeaderMap) -> Client<'_> {
    let agent = headers.get(header::USER_AGENT);
    Client {
        address: peer.ip(),
        agent: agent.map_or(&[], header::HeaderValue::as_bytes),
    }
}
