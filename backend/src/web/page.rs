//! The page: embedded in the program, compressed, served with an ETag.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use memory_serve::CacheControl;
use shared::room::RoomKey;
use tower::ServiceExt;

use super::problem::Problem;

const INDEX: &str = "/index.html";
/// The files of the page.
static FILES: LazyLock<Router> = LazyLock::new(files);

pub(super) fn routes() -> Router {
    FILES.clone().layer(from_fn(only_for_room_keys))
}

fn files() -> Router {
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
        Some(Err(_)) => nothing_here(request).await,
        Some(Ok(_)) | None => next.run(request).await,
    }
}

/// Where there is nothing, people are shown the page, which says so; programs get a [`Problem`].
pub(super) async fn nothing_here(mut request: Request) -> Response {
    if !is_a_persons(&request) {
        return Problem::NoSuchPage.into_response();
    }
    *request.uri_mut() = Uri::from_static("/");
    // It has not been there before.
    request.headers_mut().remove(header::IF_NONE_MATCH);
    let Ok(mut response) = FILES.clone().oneshot(request).await;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// Whether a browser goes there, rather than a program or a page's script.
fn is_a_persons(request: &Request<Body>) -> bool {
    let accepted = request.headers().get(header::ACCEPT);
    let accepts_pages = accepted.is_some_and(|kinds| {
        let kinds = kinds.to_str().unwrap_or_default();
        kinds
            .split(',')
            .any(|kind| kind.trim().starts_with("text/html"))
    });
    accepts_pages && matches!(*request.method(), Method::GET | Method::HEAD)
}
