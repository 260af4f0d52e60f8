//! How playlists and media are sent: what may be kept how long, what a client has already, a range of it.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::hls::rendered::Rendered;
use crate::media::access_unit::TrackKind;

const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");

/// How long caches may keep something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// It changes with each part.
    Moment,
    /// It is out of date after a few seconds, but not wrong.
    Short,
    /// It never changes.
    Forever,
}

impl Keep {
    const fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Moment => "public, max-age=1",
            Self::Short => "public, max-age=6",
            Self::Forever => "public, max-age=86400, immutable",
        })
    }
}

/// What is sent, in the form that depends on the request.
#[derive(Debug)]
pub(super) struct Reply {
    data: Bytes,
    gzip: Option<Bytes>,
    kind: HeaderValue,
    keep: Keep,
    tag: String,
}

impl Reply {
    pub(super) fn playlist(playlist: &Rendered, keep: Keep) -> Self {
        Self {
            data: playlist.text.clone(),
            gzip: Some(playlist.gzip.clone()),
            kind: PLAYLIST,
            keep,
            tag: format!("{:016x}", playlist.tag),
        }
    }

    /// `tag` is the media's name, which is never used again.
    pub(super) fn media(data: Bytes, kind: TrackKind, tag: &str) -> Self {
        Self {
            data,
            gzip: None,
            kind: HeaderValue::from_static(match kind {
                TrackKind::Video => "video/mp4",
                TrackKind::Audio => "audio/mp4",
            }),
            keep: Keep::Forever,
            tag: tag.to_owned(),
        }
    }

    /// The answer to a request with these headers.
    pub(super) fn to(self, request: &HeaderMap) -> Response {
        let varies = self.gzip.is_some();
        let (data, is_compressed) = match self.gzip.filter(|_| takes_gzip(request)) {
            Some(gzip) => (gzip, true),
            None => (self.data, false),
        };
        // Strong: every form has its own (RFC 9110 section 8.8.1).
        let form = if is_compressed { "-gzip" } else { "" };
        let tag = format!("\"{}{form}\"", self.tag);
        let mut response = if has_already(request, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else if varies {
            data.into_response()
        } else {
            part_of(data, request)
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.kind);
        headers.insert(header::CACHE_CONTROL, self.keep.header());
        // Names are made of letters, digits and signs.
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        if varies {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        } else {
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if is_compressed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

fn text<'a>(request: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    let value = request.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// Whether gzip is among what the client takes (RFC 9110 section 12.5.3).
fn takes_gzip(request: &HeaderMap) -> bool {
    text(request, &header::ACCEPT_ENCODING)
        .split(',')
        .any(|coding| {
            let mut pieces = coding.split(';').map(str::trim);
            let is_gzip = pieces.next() == Some("gzip");
            is_gzip && !pieces.any(|weight| matches!(weight, "q=0" | "q=0.0"))
        })
}

/// Whether the client has this form already (RFC 9110 section 13.1.2).
fn has_already(request: &HeaderMap, tag: &str) -> bool {
    let known = text(request, &header::IF_NONE_MATCH).split(',');
    known
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}

/// All of it, or the one range that is asked for (RFC 9110 section 14.2). Several ranges at once are
/// answered with all of it, which is allowed.
fn part_of(data: Bytes, request: &HeaderMap) -> Response {
    let size = data.len();
    let asked = text(request, &header::RANGE);
    let Some(range) = asked
        .strip_prefix("bytes=")
        .and_then(|range| read_range(range, size))
    else {
        return data.into_response();
    };
    let (status, content_range, body) = match range {
        Some((first, last)) => (
            StatusCode::PARTIAL_CONTENT,
            format!("bytes {first}-{last}/{size}"),
            Body::from(data.slice(first..=last)),
        ),
        None => (
            StatusCode::RANGE_NOT_SATISFIABLE,
            format!("bytes */{size}"),
            Body::empty(),
        ),
    };
    (status, [(header::CONTENT_RANGE, content_range)], body).into_response()
}

/// First and last byte of a range within `size` bytes. `None` is no range that we know, `Some(None)` one
/// that lies outside.
fn read_range(text: &str, size: usize) -> Option<Option<(usize, usize)>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let end = size.checked_sub(1);
    if first.is_empty() {
        let count: usize = last.parse().ok()?;
        let begin = size.saturating_sub(count);
        return Some(end.filter(|_| count > 0).map(|end| (begin, end)));
    }
    let first: usize = first.parse().ok()?;
    let last = if last.is_empty() {
        usize::MAX
    } else {
        last.parse().ok().filter(|&last| last >= first)?
    };
    Some(
        end.filter(|&end| first <= end)
            .map(|end| (first, last.min(end))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    fn media() -> Reply {
        Reply::media(Bytes::from_static(b"0123456789"), TrackKind::Video, "a-b")
    }

    #[test]
    fn a_range_is_sent_alone() {
        assert_eq!(read_range("2-4", 10), Some(Some((2, 4))));
        assert_eq!(read_range("2-", 10), Some(Some((2, 9))));
        assert_eq!(read_range("-3", 10), Some(Some((7, 9))));
        assert_eq!(read_range("-30", 10), Some(Some((0, 9))));
        assert_eq!(read_range("2-99", 10), Some(Some((2, 9))));
        let response = media().to(&request(header::RANGE, "bytes=2-4"));
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(response.headers()[header::CONTENT_RANGE], "bytes 2-4/10");
    }

    #[test]
    fn a_range_outside_is_refused_and_what_is_no_range_is_ignored() {
        assert_eq!(read_range("10-", 10), Some(None));
        assert_eq!(read_range("-0", 10), Some(None));
        assert_eq!(read_range("0-", 0), Some(None));
        for text in ["", "4-2", "a-b", "1-2,4-5", "--"] {
            assert_eq!(read_range(text, 10), None, "{text}");
        }
        let response = media().to(&request(header::RANGE, "bytes=10-"));
        assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let response = media().to(&request(header::IF_NONE_MATCH, "\"x\", \"a-b\""));
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        let response = media().to(&request(header::IF_NONE_MATCH, "\"x\""));
        assert_eq!(response.status(), StatusCode::OK);
    }

    #[test]
    fn playlists_are_compressed_for_those_who_take_it() {
        let takes = |value| takes_gzip(&request(header::ACCEPT_ENCODING, value));
        assert!(takes("gzip") && takes("br, gzip;q=0.5"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes(""));
    }
}
