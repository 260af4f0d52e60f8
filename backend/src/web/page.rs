//! The page: embedded in the program, compressed, served with an ETag.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use memory_serve::CacheControl;
use shared::room::RoomKey;

use super::problem::Problem;

const INDEX: &str = "/index.html";

pub(super) fn routes() -> Router {
    // `no-cache` asks back with the ETag each time: the names of the files are hashes of what they were
    // before they were optimised, so a name does not stand for one content.
    embedded()
        .index_file(Some(INDEX))
        .html_cache_control(CacheControl::NoCache)
        .cache_control(CacheControl::NoCache)
        .enable_brotli(true)
        .enable_gzip(true)
        .add_alias("/live", INDEX)
        .add_alias("/live/{key}", INDEX)
        .add_alias("/room/{key}", INDEX)
        .add_alias("/embed/{key}", INDEX)
        .into_router()
        .layer(from_fn(only_for_room_keys))
}

#[allow(unused_qualifications, reason = "in what the macro expands to")]
fn embedded() -> memory_serve::MemoryServe {
    memory_serve::load!()
}

/// `/live/abc` is a page, `/live/abc.js` is a missing file.
async fn only_for_room_keys(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let key = ["/live/", "/room/", "/embed/"]
        .iter()
        .find_map(|page| path.strip_prefix(page));
    match key.map(str::parse::<RoomKey>) {
        Some(Err(_)) => Problem::NoSuchPage.into_response(),
        Some(Ok(_)) | None => next.run(request).await,
    }
}
