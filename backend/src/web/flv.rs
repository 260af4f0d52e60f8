//! HTTP-FLV: watching with players that know neither WebRTC nor HLS.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream};
use shared::room::{Room as View, RoomKey, RoomState};
use tokio::sync::watch;

use super::Web;
use super::problem::Problem;
use crate::flv::file;
use crate::flv::mux::{Player, Tags};
use crate::media::access_unit::AudioCodec;
use crate::media::fanout::Subscription;
use crate::media::feed::{Feed, Run};
use crate::media::stage::Tracks;
use crate::rooms::room::{Room, over};
use crate::rooms::viewers::{Protocol, Viewer};

/// What comes behind a room's key in a path.
const SUFFIX: &str = ".flv";

/// The room key in the path `/live/{key}.flv`; `None` for all other paths.
fn key_in(path: &str) -> Option<&str> {
    path.strip_prefix("/live/")?.strip_suffix(SUFFIX)
}

/// Answers requests for streams, whose paths lie among those of the studio's page.
pub(super) async fn intercept(State(web): State<Web>, request: Request, next: Next) -> Response {
    match key_in(request.uri().path()) {
        Some(key) => play(&web, request.method(), key).into_response(),
        None => next.run(request).await,
    }
}

/// Answers a request for the stream of the room with this key.
fn play(web: &Web, method: &Method, key: &str) -> Result<Response, Problem> {
    if method != Method::GET && method != Method::HEAD {
        return Err(Problem::MethodNotAllowed);
    }
    let key = key.parse::<RoomKey>()?;
    let room = web.rooms.find(&key).ok_or(Problem::NoSuchRoom)?;
    if room.state() != RoomState::Live {
        return Err(Problem::NotLive);
    }
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let viewer = room.viewers().admit()?.by(Protocol::Flv).watching();
        Body::from_stream(Playing::new(web, room, viewer).stream())
    };
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("video/x-flv"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Players in pages of other sites fetch it.
        (
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        ),
    ];
    Ok((headers, body).into_response())
}

/// A player. When its connection takes no more, nothing is asked of it, and once it does again it goes on
/// at the newest keyframe; a connection that stays stuck is cut by the listener.
struct Playing {
    runs: Subscription<Run<Tags>>,
    player: Option<Player>,
    /// What of the newest run is still to be sent.
    waiting: VecDeque<Bytes>,
    changes: watch::Receiver<View>,
    room: Arc<Room>,
    _feed: Arc<Feed<Tags>>,
    _viewer: Viewer,
}

impl Playing {
    fn new(web: &Web, room: Arc<Room>, viewer: Viewer) -> Self {
        let feed = web.flv.of(room.stage());
        Self {
            runs: feed.subscribe(),
            player: None,
            waiting: VecDeque::new(),
            changes: room.changes(),
            room,
            _feed: feed,
            _viewer: viewer,
        }
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        stream::unfold(self, |mut playing| async {
            let bytes = playing.next().await?;
            Some((Ok(bytes), playing))
        })
    }

    /// The next bytes to send; `None` once the broadcast is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return Some(bytes);
            }
            let delivery = tokio::select! {
                delivery = self.runs.next() => delivery?,
                () = over(&mut self.changes) => return None,
            };
            let run = &delivery.unit;
            // Behind a gap the decoder may need other parameters.
            let opens = self.player.is_none() || delivery.skipped > 0;
            let opening = run.opening.as_deref().filter(|_| opens);
            let player = self.player.get_or_insert_with(|| {
                let formats = self.room.stage().rendition(AudioCodec::Aac).formats();
                let formats = formats.borrow();
                self.waiting.push_back(file::header(Tracks {
                    video: formats.video.is_some(),
                    audio: formats.audio.is_some(),
                }));
                Player::new(&run.batch)
            });
            if let Some(opening) = opening {
                player.open(opening, &run.batch, &mut self.waiting);
            }
            player.write(&run.batch, &mut self.waiting);
        }
    }
}
