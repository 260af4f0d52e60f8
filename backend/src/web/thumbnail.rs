//! Live pictures of rooms, for lists and for link previews.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use shared::room::RoomState;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use super::Web;
use super::api::Key;
use super::problem::Problem;
use crate::media::thumbnail::{Drawing, Thumbnail};
use crate::rooms::room::Room;

/// Shorter than a picture lives, so that a cache never holds one for long that is over.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=5");
/// Spares the server those who ask again and again for what is not there yet.
const ABSENT: HeaderValue = HeaderValue::from_static("public, max-age=2");
/// How long somebody waits for a new picture before an old one has to do.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/live/{key}/thumbnail.jpg", get(show))
}

/// Makes pictures, for the whole server one at a time: they are no reason to take the processor from those
/// who are live.
#[derive(Debug)]
pub struct Easel(Arc<Semaphore>);

impl Default for Easel {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Easel {
    /// Waits for the picture, but no longer than [`PATIENCE`]. What has been begun is finished even if
    /// nobody waits for it; what has not is left to the next one who asks.
    async fn draw(&self, room: &Arc<Room>, drawing: Drawing) {
        let begin = async {
            let Ok(place) = Arc::clone(&self.0).acquire_owned().await else {
                return;
            };
            let room = Arc::clone(room);
            let drawn = spawn_blocking(move || {
                if let Err(error) = drawing.finish() {
                    tracing::debug!(room = %room.key(), "no live picture: {error}");
                }
                drop(place);
            });
            // Errors are in the log, and there is no other way for it to end.
            let _ = drawn.await;
        };
        if timeout(PATIENCE, begin).await.is_err() {
            tracing::debug!(room = %room.key(), "the live picture comes late");
        }
    }
}

async fn show(State(web): State<Web>, key: Key, headers: HeaderMap) -> Response {
    match newest(&web, key).await {
        Ok(picture) => answer(&picture, &headers),
        Err(problem) => ([(header::CACHE_CONTROL, ABSENT)], problem).into_response(),
    }
}

async fn newest(web: &Web, key: Key) -> Result<Arc<Thumbnail>, Problem> {
    let room = web.room(key)?;
    if room.state() != RoomState::Live {
        return Err(Problem::NoPicture);
    }
    if let Some(drawing) = room.stage().draw_thumbnail(Instant::now()) {
        web.easel.draw(&room, drawing).await;
    }
    room.stage().thumbnail().ok_or(Problem::NoPicture)
}

fn answer(picture: &Thumbnail, request: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", picture.hash);
    let known = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|tags| names(tags, &tag));
    let caching = [
        // Hexadecimal digits only.
        (
            header::ETAG,
            HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
        ),
        (header::CACHE_CONTROL, CACHED),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "image/jpeg")];
    (caching, kind, picture.jpeg.clone()).into_response()
}

/// Whether a list of entity tags has this one in it, compared weakly (RFC 9110 section 13.1.2).
fn names(tags: &HeaderValue, tag: &str) -> bool {
    let tags = tags.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.map(|named| named.strip_prefix("W/").unwrap_or(named))
        .any(|named| named == tag || named == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_found_in_a_list() {
        let names = |tags| names(&HeaderValue::from_static(tags), "\"ab12\"");
        for tags in ["\"ab12\"", "W/\"ab12\"", "\"x\", \"ab12\"", "*"] {
            assert!(names(tags), "{tags}");
        }
        for tags in ["", "ab12", "\"ab1\"", "\"x\",\"y\""] {
            assert!(!names(tags), "{tags}");
        }
    }
}
