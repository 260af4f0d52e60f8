//! Absolute addresses of a room.

use axum::http::{HeaderMap, header};
use shared::api::Links;
use shared::room::RoomKey;

/// RTMP's own port (Adobe RTMP 1.0 section 3), which an address need not name.
const RTMP_PORT: u16 = 1935;

/// Where this server is to be found, for whoever made a request.
pub(super) struct Base {
    /// Scheme, host and port of everything over HTTP.
    http: String,
    /// The same of RTMP, with the application that rooms are in.
    rtmp: String,
}

impl Base {
    /// `public_url` is what the operator says; without it, it is where the request with these headers
    /// went to.
    pub(super) fn new(headers: &HeaderMap, public_url: Option<&str>, rtmp_port: u16) -> Self {
        let http = public_url.map_or_else(|| asked(headers), str::to_owned);
        let authority = http.split("://").nth(1).unwrap_or_default();
        let host = without_port(authority.split('/').next().unwrap_or_default());
        let rtmp = match rtmp_port {
            RTMP_PORT => format!("rtmp://{host}/live"),
            port => format!("rtmp://{host}:{port}/live"),
        };
        Self { http, rtmp }
    }

    /// The studio of the room with this key; `secret` makes whoever opens it a host, and stays in their
    /// browser.
    pub(super) fn host_link(&self, key: &RoomKey, secret: &str) -> String {
        format!("{}/live/{key}#host={secret}", self.http)
    }

    /// The addresses of the room with this key; `stream_key` for its owner alone.
    pub(super) fn links(&self, key: &RoomKey, stream_key: &str) -> Links {
        let Self { http, rtmp } = self;
        Links {
            watch: format!("{http}/room/{key}"),
            whip: format!("{http}/whip/{key}"),
            whep: format!("{http}/whep/{key}"),
            hls: Some(format!("{http}/live/{key}/index.m3u8")),
            flv: Some(format!("{http}/live/{key}.flv")),
            rtmp_server: Some(rtmp.clone()),
            rtmp_stream_key: Some(rtmp_stream_key(key, stream_key)),
            rtmp_play: Some(format!("{rtmp}/{key}")),
        }
    }
}

/// OBS's field "Stream Key".
pub(super) fn rtmp_stream_key(key: &RoomKey, stream_key: &str) -> String {
    format!("{key}?key={stream_key}")
}

/// Where the request went to. A proxy that ends TLS says so in `X-Forwarded-Proto`.
fn asked(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or("localhost");
    let is_https = text(header::HeaderName::from_static("x-forwarded-proto")) == Some("https");
    format!("{}://{host}", if is_https { "https" } else { "http" })
}

/// An IPv6 address is in brackets and has colons of its own (RFC 3986 section 3.2.2).
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(headers: &[(&'static str, &str)], public_url: Option<&str>, rtmp_port: u16) -> Links {
        let headers = headers.iter().map(|(name, value)| {
            (
                header::HeaderName::from_static(name),
                value.parse().unwrap(),
            )
        });
        Base::new(&headers.collect(), public_url, rtmp_port)
            .links(&"abc".parse().unwrap(), "secret")
    }

    #[test]
    fn links_lead_where_the_request_went() {
        let links = links(&[("host", "h:3000")], None, 1935);
        assert_eq!(links.watch, "http://h:3000/room/abc");
        assert_eq!(links.flv.unwrap(), "http://h:3000/live/abc.flv");
        assert_eq!(links.rtmp_play.unwrap(), "rtmp://h/live/abc");
    }

    #[test]
    fn links_are_secure_behind_a_proxy_that_says_so() {
        let headers = [("host", "live.example"), ("x-forwarded-proto", "https")];
        let links = links(&headers, None, 1935);
        assert_eq!(links.watch, "https://live.example/room/abc");
        assert_eq!(links.rtmp_server.unwrap(), "rtmp://live.example/live");
    }

    #[test]
    fn a_public_url_comes_before_what_the_request_says() {
        let public_url = Some("https://live.example");
        let links = links(&[("host", "10.0.0.1")], public_url, 1936);
        assert_eq!(links.watch, "https://live.example/room/abc");
        assert_eq!(links.rtmp_server.unwrap(), "rtmp://live.example:1936/live");
    }

    #[test]
    fn an_encoder_is_told_room_and_secret_in_one_field() {
        let links = links(&[("host", "h")], None, 1935);
        assert_eq!(links.rtmp_stream_key.unwrap(), "abc?key=secret");
    }

    #[test]
    fn an_ipv6_address_keeps_its_brackets() {
        let links = links(&[("host", "[::1]:3000")], None, 1935);
        assert_eq!(links.rtmp_server.unwrap(), "rtmp://[::1]/live");
        assert_eq!(without_port("[::1]"), "[::1]");
    }
}
