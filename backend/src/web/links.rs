//! Absolute addresses of a room.

use axum::http::{HeaderMap, header};
use shared::api::Links;
use shared::room::RoomKey;

/// Where a room is to be found, for whoever made a request with these headers.
pub(super) fn links(key: &RoomKey, headers: &HeaderMap, public_url: Option<&str>) -> Links {
    let base = public_url.map_or_else(|| base(headers), str::to_owned);
    Links {
        watch: format!("{base}/room/{key}"),
        whip: format!("{base}/whip/{key}"),
        whep: format!("{base}/whep/{key}"),
        hls: None,
        flv: None,
        rtmp_server: None,
        rtmp_stream_key: None,
        rtmp_play: None,
    }
}

/// Where the request went to. A proxy that ends TLS says so in `X-Forwarded-Proto`.
fn base(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or("localhost");
    let is_https = text(header::HeaderName::from_static("x-forwarded-proto")) == Some("https");
    format!("{}://{host}", if is_https { "https" } else { "http" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(headers: &[(&'static str, &str)], public_url: Option<&str>) -> String {
        let headers = headers.iter().map(|(name, value)| {
            (
                header::HeaderName::from_static(name),
                value.parse().unwrap(),
            )
        });
        links(&"abc".parse().unwrap(), &headers.collect(), public_url).watch
    }

    #[test]
    fn links_lead_where_the_request_went() {
        assert_eq!(watch(&[("host", "h:3000")], None), "http://h:3000/room/abc");
    }

    #[test]
    fn links_are_secure_behind_a_proxy_that_says_so() {
        let headers = [("host", "live.example"), ("x-forwarded-proto", "https")];
        assert_eq!(watch(&headers, None), "https://live.example/room/abc");
    }

    #[test]
    fn a_public_url_comes_before_what_the_request_says() {
        let public_url = Some("https://live.example");
        assert_eq!(
            watch(&[("host", "10.0.0.1")], public_url),
            "https://live.example/room/abc"
        );
    }
}
