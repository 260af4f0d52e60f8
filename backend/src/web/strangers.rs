//! Holds up whoever asks too often.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::Web;
use super::problem::Problem;

/// Bounds the time of a request, so that no body comes for ever. Streams go on after their first byte.
pub(super) async fn in_time(
    State(most): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    timeout(most, next.run(request))
        .await
        .unwrap_or_else(|_| Problem::TooSlow.into_response())
}

/// Bounds how often one address may try to publish or to watch.
pub(super) async fn sessions(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::POST {
        let taken = web.strangers.sessions.take(peer.ip(), Instant::now());
        if let Err(wait) = taken {
            tracing::warn!(%peer, "refused: too many sessions from this address");
            return Problem::TooMany {
                what: "sessions",
                wait,
            }
            .into_response();
        }
    }
    next.run(request).await
}

/// Bounds how often one address may present wrong secrets. Whoever has reached that is not told any more
/// whether a secret is right.
pub(super) async fn secrets(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if !request.headers().contains_key(header::AUTHORIZATION) {
        return next.run(request).await;
    }
    let wrong = &web.strangers.wrong_secrets;
    if let Err(wait) = wrong.peek(peer.ip(), Instant::now()) {
        return Problem::TooMany {
            what: "wrong secrets",
            wait,
        }
        .into_response();
    }
    let response = next.run(request).await;
    if response.status() == StatusCode::FORBIDDEN && wrong.take(peer.ip(), Instant::now()).is_err()
    {
        tracing::warn!(%peer, "too many wrong secrets from this address");
    }
    response
}
