//! Who may publish and play by RTMP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use shared::room::{InvalidRoomKey, RoomKey, RoomState};
use tokio::time::{Instant, sleep};

use super::Server;
use crate::rooms::publishing::{Admission, NotAllowed};
use crate::rooms::room::Room;
use crate::rooms::viewers::{Full, Protocol, Viewer};
use crate::rtmp::session::{PlayRequest, PublishRequest};

/// The application that rooms are in.
const APP: &str = "live";
/// The 2016 app pushes before it creates its room.
const ROOM_COMES: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Why somebody may not publish. `Display` is what OBS shows.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishRefused {
    #[error("please set the server to rtmp://…/{APP}")]
    App,
    #[error("there is no room {0}: please copy the stream key anew")]
    NoRoom(String),
    #[error("wrong stream key for room {0}: please copy it anew")]
    WrongKey(RoomKey),
    #[error("the stream key of room {0} is incomplete: it has the form {0}?key=…")]
    NoKey(RoomKey),
    #[error("too many wrong stream keys from your address: please try again in {} s", .0.as_secs() + 1)]
    TooMany(Duration),
    #[error("{0}")]
    Other(NotAllowed),
}

/// Why somebody may not play. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayRefused {
    #[error("rooms are played from rtmp://…/{APP}/ROOM")]
    App,
    #[error(transparent)]
    Key(#[from] InvalidRoomKey),
    #[error("There is no room with this key: please check the link.")]
    NoRoom,
    #[error("Nobody is live in this room: please wait for the broadcast.")]
    NotLive,
    #[error(transparent)]
    Full(#[from] Full),
}

/// A room and a place in it.
pub(super) struct Audience {
    pub(super) room: Arc<Room>,
    pub(super) viewer: Viewer,
}

pub(super) async fn admit_publisher(
    server: &Server,
    request: &PublishRequest,
    peer: SocketAddr,
) -> Result<Admission, PublishRefused> {
    if request.app != APP {
        return Err(PublishRefused::App);
    }
    let no_room = || PublishRefused::NoRoom(request.key.clone());
    let key: RoomKey = request.key.parse().map_err(|_| no_room())?;
    let admitted = match &request.secret {
        Some(secret) => {
            let room = server.rooms.find(&key).ok_or_else(no_room)?;
            let with_key = || match Admission::with_key(&room, secret.reveal()) {
                Err(NotAllowed::WrongKey) => None,
                other => Some(other),
            };
            let wrong = &server.strangers.wrong_secrets;
            let checked = wrong.present(peer.ip(), StdInstant::now(), with_key);
            let checked = checked.map_err(PublishRefused::TooMany)?;
            checked.unwrap_or(Err(NotAllowed::WrongKey))
        }
        None => {
            let room = room_that_may_come(server, &key).await.ok_or_else(no_room)?;
            Admission::to_open_room(&room, peer.ip())
        }
    };
    admitted.map_err(|refusal| match refusal {
        NotAllowed::WrongKey => PublishRefused::WrongKey(key),
        NotAllowed::NoKey => PublishRefused::NoKey(key),
        other => PublishRefused::Other(other),
    })
}

/// The room with this key; where there is none, one that a 2016 client makes soon.
async fn room_that_may_come(server: &Server, key: &RoomKey) -> Option<Arc<Room>> {
    let deadline = Instant::now() + ROOM_COMES;
    loop {
        let room = server.rooms.find(key);
        if room.is_some() || !server.legacy || Instant::now() >= deadline {
            return room;
        }
        sleep(LOOK_AGAIN).await;
    }
}

pub(super) fn admit_player(
    server: &Server,
    request: &PlayRequest,
) -> Result<Audience, PlayRefused> {
    if request.app != APP {
        return Err(PlayRefused::App);
    }
    let key: RoomKey = request.key.parse()?;
    let room = server.rooms.find(&key).ok_or(PlayRefused::NoRoom)?;
    if room.state() != RoomState::Live {
        return Err(PlayRefused::NotLive);
    }
    let viewer = room.viewers().admit()?.by(Protocol::Rtmp).watching();
    Ok(Audience { room, viewer })
}
