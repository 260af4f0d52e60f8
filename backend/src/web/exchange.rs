//! What WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) have in common: an offer comes, an answer goes,
//! the session has an address that takes PATCH and DELETE.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::room::RoomKey;

use super::problem::Problem;
use super::sessions::{Entry, Role, Sessions};

pub(super) const SDP: HeaderValue = HeaderValue::from_static("application/sdp");
pub(super) const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Room key and session name in the path.
pub(super) type SessionPath = Result<Path<(String, String)>, PathRejection>;
pub(super) type Body = Result<Bytes, BytesRejection>;

/// The SDP offer in a request (RFC 9725 section 4.2).
pub(super) fn read_offer(headers: &HeaderMap, body: Body) -> Result<String, Problem> {
    expect_type(headers, "application/sdp")?;
    text(body)
}

/// 201 with the answer, and the session's address (RFC 9725 section 4.2). All our candidates are in the
/// answer: there is nothing to trickle from our side.
pub(super) fn created(address: &str, etag: &str, sdp: String) -> Response {
    let mut response = (StatusCode::CREATED, sdp).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, SDP);
    headers.insert(ACCEPT_PATCH, HeaderValue::from_static(SDP_FRAGMENT));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [
        (header::LOCATION, address),
        (header::ETAG, &format!("\"{etag}\"")),
    ] {
        // Both are made of letters and digits.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// The session that a path names.
pub(super) fn session(
    sessions: &Sessions,
    role: Role,
    path: SessionPath,
    peer: SocketAddr,
) -> Result<Entry, Problem> {
    let Path((key, id)) = path?;
    let key = RoomKey::try_from(key)?;
    sessions.find(role, &key, &id).ok_or_else(|| {
        if sessions.was_unfit(&id) {
            return Problem::Unfit;
        }
        tracing::warn!(%peer, room = %key, "refused: no such {role:?} session");
        Problem::NoSuchSession
    })
}

/// PATCH: 204 to trickled candidates, which an ICE-lite agent does not need, as it is the client that
/// checks (RFC 8445 section 6.1.1). An ICE restart is refused, and the session goes on as it was
/// (RFC 9725 sections 4.3.2 and 4.3.3).
pub(super) fn patch(entry: &Entry, headers: &HeaderMap, body: Body) -> Result<StatusCode, Problem> {
    let if_match = headers
        .get(header::IF_MATCH)
        .ok_or(Problem::PreconditionRequired)?;
    expect_type(headers, SDP_FRAGMENT)?;
    let if_match = if_match.to_str().unwrap_or_default().trim();
    if if_match == "*" {
        return Err(Problem::IceRestart);
    }
    if if_match.trim_matches('"') != entry.etag {
        return Err(Problem::PreconditionFailed);
    }
    let fragment = text(body)?;
    let restarts = ufrag(&fragment).is_some_and(|new| entry.client_ufrag.as_deref() != Some(new));
    if restarts {
        Err(Problem::IceRestart)
    } else {
        Ok(StatusCode::NO_CONTENT)
    }
}

/// The first `ice-ufrag` (RFC 8839 section 5.4).
pub(super) fn ufrag(sdp: &str) -> Option<&str> {
    sdp.lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
        .map(str::trim)
}

fn expect_type(headers: &HeaderMap, expected: &'static str) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    // Parameters such as a charset may follow.
    let essence = given
        .and_then(|given| given.split(';').next())
        .unwrap_or_default()
        .trim();
    if essence.eq_ignore_ascii_case(expected) {
        Ok(())
    } else {
        Err(Problem::WrongType(expected))
    }
}

fn text(body: Body) -> Result<String, Problem> {
    String::from_utf8(body?.into()).map_err(|_| Problem::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_compared_without_case_and_parameters() {
        let expect = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, value)]);
            expect_type(&headers, "application/sdp").is_ok()
        };
        assert!(expect("application/sdp"));
        assert!(expect("Application/SDP; charset=utf-8"));
        assert!(!expect("text/plain"));
        assert!(!expect(""));
        assert!(expect_type(&HeaderMap::new(), "application/sdp").is_err());
    }

    #[test]
    fn the_ufrag_is_found() {
        assert_eq!(
            ufrag("v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:x\r\n"),
            Some("abcd")
        );
        assert_eq!(ufrag("v=0\r\n"), None);
    }
}
