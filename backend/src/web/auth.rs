//! Bearer secrets (RFC 6750).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};

use super::problem::Problem;
use crate::config::Token;
use crate::rooms::publishing::{Admission, NotAllowed};
use crate::rooms::room::Room;

const HOST_TOKEN: &str = "host_token";
const STREAM_KEY: &str = "stream_key";
const CREATE_TOKEN: &str = "token for creating rooms";

/// Lets the host of a room pass.
///
/// # Errors
/// 401 without a token, 403 with another one.
pub(super) fn host(room: &Room, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Problem> {
    let presented = bearer(headers).ok_or(Problem::Unauthorized(HOST_TOKEN))?;
    if room.is_host(presented) {
        Ok(())
    } else {
        Err(forbidden(HOST_TOKEN, Some(room), peer))
    }
}

/// Admits a publisher with the right stream key, or a host.
///
/// # Errors
/// 401 without a key, 403 with another one; else as [`NotAllowed`] says.
pub(super) fn publisher(
    room: &Arc<Room>,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<Admission, Problem> {
    let presented = bearer(headers).ok_or(Problem::Unauthorized(STREAM_KEY))?;
    let admission = if room.is_host(presented) {
        Admission::with_host_token(room, presented)
    } else {
        Admission::with_key(room, presented)
    };
    admission.map_err(|refusal| match refusal {
        NotAllowed::WrongKey => forbidden(STREAM_KEY, Some(room), peer),
        refusal => Problem::NotAllowed(refusal),
    })
}

/// Lets whoever may publish to the room pass.
///
/// # Errors
/// 401 without a key, 403 with another one.
pub(super) fn may_publish(
    room: &Room,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<(), Problem> {
    let presented = bearer(headers).ok_or(Problem::Unauthorized(STREAM_KEY))?;
    if room.is_host(presented) || room.check_stream_key(presented).is_some() {
        Ok(())
    } else {
        Err(forbidden(STREAM_KEY, Some(room), peer))
    }
}

/// Lets whoever may create rooms pass.
///
/// # Errors
/// 401 without the token, 403 with another one.
pub(super) fn creator(
    expected: Option<&Token>,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<(), Problem> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let presented = bearer(headers).ok_or(Problem::Unauthorized(CREATE_TOKEN))?;
    if expected.is(presented) {
        Ok(())
    } else {
        Err(forbidden(CREATE_TOKEN, None, peer))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| secret.trim())
}

fn forbidden(what: &'static str, room: Option<&Room>, peer: SocketAddr) -> Problem {
    let room = room.map(|room| room.key().as_str());
    tracing::warn!(%peer, room, "refused: wrong {what}");
    Problem::Forbidden(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer_in(value: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        assert_eq!(bearer_in("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(bearer_in("bearer abc").as_deref(), Some("abc"));
    }

    #[test]
    fn other_schemes_are_no_secret() {
        for other in ["Basic abc", "abc", "Bearer", ""] {
            assert_eq!(bearer_in(other), None, "{other:?}");
        }
    }
}
