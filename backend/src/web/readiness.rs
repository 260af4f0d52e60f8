//! `GET /healthz`: whether people should be sent to this server, for load balancers and supervisors.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::Web;
use super::problem::Problem;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/healthz", get(tell))
}

/// 200 and `ok`, or 503 and why not. Where only the store fails, who is here already can still publish and
/// watch.
async fn tell(State(web): State<Web>) -> Result<impl IntoResponse, Problem> {
    if web.draining.is_cancelled() {
        return Err(Problem::Draining);
    }
    web.journal.takes_comments()?;
    Ok(([(header::CACHE_CONTROL, "no-store")], "ok"))
}
