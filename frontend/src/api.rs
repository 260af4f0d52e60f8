//! The server's HTTP API.

use gloo_net::http::{Request, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use shared::api::{
    CreatedRoom, HostLink, NewHost, Problem, RedeemHostLink, RoomTitle, RotatedStreamKey,
};
use shared::health::Health;
use shared::room::{Room, RoomKey};

use crate::clock;

/// Why a request did not succeed. `Display` is a sentence for the person.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// The server said no.
    #[error("{detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's sentence.
        detail: String,
        /// `Retry-After`, in milliseconds.
        retry_after_ms: Option<u32>,
    },
    /// There was no answer.
    #[error("The server cannot be reached: please check your connection and try again.")]
    Unreachable,
    /// The answer makes no sense to this version of the page.
    #[error("The server's answer is not understood: please reload the page.")]
    Unexpected,
    /// The browser cannot do its part.
    #[error("This browser could not set up the connection ({0}): please try another one.")]
    Browser(String),
    /// The browser's offer has no H.264.
    #[error(
        "This browser cannot send H.264, which viewers need. A Firefox that is new fetches it within minutes: \
         please try again then, or take another browser."
    )]
    NoH264,
}

/// `POST /api/rooms`; some servers ask for a token.
///
/// # Errors
/// See [`ApiError`]; 401 without the token, 403 with a wrong one.
pub async fn create_room(title: &str, token: Option<&str>) -> Result<CreatedRoom, ApiError> {
    let mut request = Request::post("/api/rooms");
    if let Some(token) = token {
        request = request.header("Authorization", &format!("Bearer {token}"));
    }
    let title = title.to_owned();
    let request = request
        .json(&RoomTitle { title })
        .map_err(|_| ApiError::Unexpected)?;
    json(accept(send(request).await?).await?).await
}

/// `GET /api/rooms`.
///
/// # Errors
/// See [`ApiError`].
pub async fn rooms() -> Result<Vec<Room>, ApiError> {
    json(accept(send(build(Request::get("/api/rooms"))?).await?).await?).await
}

/// `GET /api/rooms/{key}`.
///
/// # Errors
/// See [`ApiError`].
pub async fn room(key: &RoomKey) -> Result<Room, ApiError> {
    let request = build(Request::get(&format!("/api/rooms/{key}")))?;
    json(accept(send(request).await?).await?).await
}

/// `DELETE /api/rooms/{key}`: ends the room.
///
/// # Errors
/// See [`ApiError`].
pub async fn end_room(key: &RoomKey, host_token: &str) -> Result<(), ApiError> {
    let request = Request::delete(&format!("/api/rooms/{key}"))
        .header("Authorization", &format!("Bearer {host_token}"));
    accept(send(build(request)?).await?).await.map(|_| ())
}

/// `GET /api/rooms/{key}/health`: how the broadcast does.
///
/// # Errors
/// See [`ApiError`].
pub async fn health(key: &RoomKey, host_token: &str) -> Result<Health, ApiError> {
    let request = Request::get(&format!("/api/rooms/{key}/health"))
        .header("Authorization", &format!("Bearer {host_token}"));
    json(accept(send(build(request)?).await?).await?).await
}

/// `POST /api/rooms/{key}/stream-key`: voids the stream key and makes a new one.
///
/// # Errors
/// See [`ApiError`].
pub async fn rotate_stream_key(
    key: &RoomKey,
    host_token: &str,
) -> Result<RotatedStreamKey, ApiError> {
    let request = Request::post(&format!("/api/rooms/{key}/stream-key"))
        .header("Authorization", &format!("Bearer {host_token}"));
    json(accept(send(build(request)?).await?).await?).await
}

/// `POST /api/rooms/{key}/host-link`: makes a link that makes another device a host, once.
///
/// # Errors
/// See [`ApiError`].
pub async fn host_link(key: &RoomKey, host_token: &str) -> Result<HostLink, ApiError> {
    let request = Request::post(&format!("/api/rooms/{key}/host-link"))
        .header("Authorization", &format!("Bearer {host_token}"));
    json(accept(send(build(request)?).await?).await?).await
}

/// `POST /api/rooms/{key}/host-link/redeem`: makes this device a host.
///
/// # Errors
/// See [`ApiError`]; 410 when the link is used up.
pub async fn redeem_host_link(key: &RoomKey, secret: String) -> Result<NewHost, ApiError> {
    let request = Request::post(&format!("/api/rooms/{key}/host-link/redeem"))
        .json(&RedeemHostLink { secret })
        .map_err(|_| ApiError::Unexpected)?;
    json(accept(send(request).await?).await?).await
}

fn build(request: RequestBuilder) -> Result<Request, ApiError> {
    request.build().map_err(|_| ApiError::Unexpected)
}

/// Sends a request; an answer of any status is a success here.
///
/// # Errors
/// [`ApiError::Unreachable`].
pub async fn send(request: Request) -> Result<Response, ApiError> {
    let response = request.send().await.map_err(|_| ApiError::Unreachable)?;
    if let Some(date) = response.headers().get("date") {
        clock::learn(&date);
    }
    Ok(response)
}

/// Passes a success on and turns everything else into the server's sentence.
///
/// # Errors
/// [`ApiError::Refused`].
pub async fn accept(response: Response) -> Result<Response, ApiError> {
    if response.ok() {
        return Ok(response);
    }
    let status = response.status();
    // Seconds; the other form, a date, is for caches (RFC 9110 section 10.2.3).
    let retry_after_ms = response
        .headers()
        .get("retry-after")
        .and_then(|seconds| seconds.trim().parse::<u32>().ok())
        .map(|seconds| seconds.saturating_mul(1_000));
    let detail = match response.json::<Problem>().await {
        Ok(problem) => problem.detail,
        // A proxy in between answered, or the server itself is gone.
        Err(_) => format!("The server answered with status {status}: please try again later."),
    };
    Err(ApiError::Refused {
        status,
        detail,
        retry_after_ms,
    })
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, ApiError> {
    response.json().await.map_err(|_| ApiError::Unexpected)
}
