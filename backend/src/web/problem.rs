//! Refusals over HTTP: typed values with a status and a sentence (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::api;
use shared::room::InvalidRoomKey;
use shared::text::TextError;

use crate::hls::channel::Unavailable;
use crate::rooms::hosts::StaleLink;
use crate::rooms::lifecycle::RoomClosed;
use crate::rooms::publishing::NotAllowed;
use crate::rooms::registry::NoRoom;
use crate::rooms::viewers::Full;
use crate::store::error::NotKept;
use crate::webrtc::OfferError;

/// Why a request is refused. `Display` is a sentence for whoever made it.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// 404.
    #[error("There is nothing at this address: please check the link.")]
    NoSuchPage,
    /// 404.
    #[error("There is no room with this key: please check the link.")]
    NoSuchRoom,
    /// 404.
    #[error(transparent)]
    NoSuchKey(#[from] InvalidRoomKey),
    /// 405.
    #[error("This address does not take this method.")]
    MethodNotAllowed,
    /// 401.
    #[error("The header 'Authorization: Bearer <{0}>' is missing.")]
    Unauthorized(&'static str),
    /// 403.
    #[error("This is not the right {0}.")]
    Forbidden(&'static str),
    /// 400.
    #[error(transparent)]
    Text(#[from] TextError),
    /// As the rejection says.
    #[error("{0}")]
    Json(#[from] JsonRejection),
    /// As the rejection says.
    #[error("{0}")]
    Body(#[from] BytesRejection),
    /// 400.
    #[error("{0}")]
    Query(#[from] QueryRejection),
    /// 404.
    #[error("{0}")]
    Path(#[from] PathRejection),
    /// 503, or 409 for a taken key.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// 503.
    #[error(transparent)]
    Full(#[from] Full),
    /// 503.
    #[error(transparent)]
    NotKept(#[from] NotKept),
    /// 503.
    #[error("This server is about to stop: please go to another one, or come back in a minute.")]
    Draining,
    /// 410.
    #[error(transparent)]
    StaleLink(#[from] StaleLink),
    /// 410.
    #[error(transparent)]
    Closed(#[from] RoomClosed),
    /// 400, 406, 500 or 503.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// 415.
    #[error("The header 'Content-Type' has to be '{0}'.")]
    WrongType(&'static str),
    /// 400.
    #[error("The body has to be text in UTF-8.")]
    NotText,
    /// 409.
    #[error("Nobody is live in this room: please wait for the broadcast.")]
    NotLive,
    /// 400, 404 or 503.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// 400.
    #[error("_HLS_part says nothing without _HLS_msn.")]
    PartWithoutSegment,
    /// 400.
    #[error("A player's id has 1 to 64 bytes.")]
    BadId,
    /// 404.
    #[error("There is no picture of this room: there is one while somebody is live in it.")]
    NoPicture,
    /// 403, 410 or 503.
    #[error(transparent)]
    NotAllowed(NotAllowed),
    /// 404.
    #[error("There is no such session: it has ended, or is not yours.")]
    NoSuchSession,
    /// 410.
    #[error(
        "The session has ended: too much of the stream was lost on the way. HLS may come through where \
         WebRTC does not."
    )]
    Unfit,
    /// 428.
    #[error("The header 'If-Match' is missing: please send the session's ETag.")]
    PreconditionRequired,
    /// 412.
    #[error("The ETag in 'If-Match' is not the session's.")]
    PreconditionFailed,
    /// 429.
    #[error("Too many {what} from your address: please try again in {} s.", whole_seconds(*wait))]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// When there may be one more.
        wait: Duration,
    },
    /// 403.
    #[error(
        "Pages of {0} may not do this: the operator of this server can allow it with --allowed-origin."
    )]
    ForeignOrigin(String),
    /// 408.
    #[error("The request took too long.")]
    TooSlow,
    /// 422.
    #[error("ICE restarts are not supported: please end this session and begin a new one.")]
    IceRestart,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPage | Self::NoSuchRoom | Self::NoSuchKey(_) | Self::Path(_) => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Text(_)
            | Self::PartWithoutSegment
            | Self::BadId
            | Self::Unavailable(Unavailable::TooFar) => StatusCode::BAD_REQUEST,
            Self::Unavailable(Unavailable::Gone) => StatusCode::NOT_FOUND,
            Self::Unavailable(Unavailable::Late | Unavailable::Crowded) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Json(rejection) => rejection.status(),
            Self::Body(rejection) => rejection.status(),
            Self::Query(rejection) => rejection.status(),
            Self::NoRoom(NoRoom::Taken) => StatusCode::CONFLICT,
            Self::NoRoom(NoRoom::TooMany)
            | Self::Full(_)
            | Self::NotKept(_)
            | Self::Draining
            | Self::Offer(OfferError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Closed(_) | Self::StaleLink(_) => StatusCode::GONE,
            Self::Offer(OfferError::NoCommonCodec(_) | OfferError::Unshowable(_)) => {
                StatusCode::NOT_ACCEPTABLE
            }
            Self::Offer(OfferError::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Offer(_) | Self::NotText => StatusCode::BAD_REQUEST,
            Self::WrongType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotLive => StatusCode::CONFLICT,
            Self::NotAllowed(NotAllowed::TooMany | NotAllowed::ServerFull) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NotAllowed(NotAllowed::Closed(_)) | Self::Unfit => StatusCode::GONE,
            Self::NotAllowed(_) => StatusCode::FORBIDDEN,
            Self::NoSuchSession | Self::NoPicture => StatusCode::NOT_FOUND,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::ForeignOrigin(_) => StatusCode::FORBIDDEN,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::IceRestart => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    /// When it is worth trying again, if it is.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoRoom(NoRoom::TooMany) => Some(Duration::from_secs(60)),
            Self::Full(_)
            | Self::NotAllowed(NotAllowed::TooMany)
            // The broadcaster may change a setting.
            | Self::Offer(OfferError::Busy | OfferError::Unshowable(_)) => Some(Duration::from_secs(5)),
            Self::NotKept(_) | Self::Draining => Some(Duration::from_secs(10)),
            Self::TooMany { wait, .. } => Some(Duration::from_secs(whole_seconds(*wait))),
            Self::NotAllowed(NotAllowed::ServerFull) => Some(Duration::from_secs(60)),
            Self::NotLive | Self::Unavailable(Unavailable::Late | Unavailable::Crowded) => {
                Some(Duration::from_secs(2))
            }
            _ => None,
        }
    }
}

/// Rounded up: whoever waits that long is not refused again.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1_000)
        .try_into()
        .unwrap_or(u64::MAX)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = api::Problem {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            detail: self.to_string(),
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        let problem_json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, problem_json);
        // A cache in front shields us from players that ask for what is gone, and nothing else.
        let keep = match self {
            Self::Unavailable(Unavailable::Gone) => "public, max-age=1",
            _ => "no-store",
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, wait.as_secs().into());
        }
        if matches!(self, Self::Unauthorized(_)) {
            // RFC 9110 section 11.6.1: a 401 names the scheme.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
