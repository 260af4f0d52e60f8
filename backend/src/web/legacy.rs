//! What clients of 2016 ask for over HTTP.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use shared::room::Room as View;

use super::Web;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/rooms", get(rooms))
}

/// A JSON array of objects with at least `key` and `title`.
async fn rooms(State(web): State<Web>) -> Json<Vec<View>> {
    Json(web.rooms.list_for_2016())
}
