//! Whose pages may do what here.
//!
//! A browser says in `Origin` which site a page is of. Programs send none, and are not held up: what they
//! may do depends on secrets alone, as it does for pages, since there are no cookies that a browser would
//! add to a request by itself. What is kept from pages of other sites is to act *from their visitors'
//! addresses*: to open sockets and to make rooms.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::AllowOrigin;

use super::Web;
use super::problem::Problem;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Origins that are welcome beside our own.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// In lower case; `*` is any.
    allowed: Vec<String>,
    public_host: Option<String>,
}

impl Origins {
    /// What the operator allows; and where people reach this server, if it is not where requests say.
    #[must_use]
    pub fn new(allowed: &[String], public_url: Option<&str>) -> Self {
        let allowed = allowed
            .iter()
            .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase());
        Self {
            allowed: allowed.collect(),
            public_host: public_url.and_then(host).map(str::to_ascii_lowercase),
        }
    }

    /// Whether pages of the origin in these headers may do everything: ours, and those that are allowed.
    fn welcome(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        if self.allowed.iter().any(|it| it == "*" || *it == origin) {
            return true;
        }
        let Some(theirs) = host(&origin) else {
            // `null`: a file, or a frame without an origin.
            return false;
        };
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let ours = [
            text(header::HOST),
            text(FORWARDED_HOST),
            self.public_host.as_deref(),
        ];
        ours.into_iter().flatten().any(|ours| same(ours, theirs))
    }

    /// For the API: pages of all sites may read what is public, and only welcome ones may change something.
    pub(super) fn may_read(self) -> AllowOrigin {
        AllowOrigin::predicate(move |_, request: &Parts| {
            let wanted = request.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
            let wanted = wanted.map_or(request.method.as_str().as_bytes(), HeaderValue::as_bytes);
            let reads = [Method::GET, Method::HEAD]
                .iter()
                .any(|method| method.as_str().as_bytes() == wanted);
            reads || self.welcome(&request.headers)
        })
    }

    /// For sockets.
    pub(super) fn may_connect(self) -> AllowOrigin {
        AllowOrigin::predicate(move |_, request: &Parts| self.welcome(&request.headers))
    }
}

/// Refuses requests of pages that are not welcome. WebSockets know no CORS: a browser lets every page open
/// one and leaves the decision to the server (RFC 6455 section 10.2).
pub(super) async fn only_welcome(State(web): State<Web>, request: Request, next: Next) -> Response {
    if web.origins.welcome(request.headers()) {
        return next.run(request).await;
    }
    let origin = request.headers().get(header::ORIGIN);
    let origin = String::from_utf8_lossy(origin.map_or(b"", HeaderValue::as_bytes)).into_owned();
    tracing::warn!(origin, "refused: a socket of a page of another site");
    Problem::ForeignOrigin(origin).into_response()
}

/// Host and port in an origin.
fn host(origin: &str) -> Option<&str> {
    let (_, rest) = origin.split_once("://")?;
    rest.split('/').next().filter(|host| !host.is_empty())
}

/// Whether two are the same host. On one's own machine the port does not matter: a development server
/// passes requests on.
fn same(ours: &str, theirs: &str) -> bool {
    ours.eq_ignore_ascii_case(theirs) || (is_loopback(ours) && is_loopback(theirs))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(allowed: &[&str], public_url: Option<&str>, host: &str, origin: &str) -> bool {
        let allowed: Vec<_> = allowed.iter().map(|&origin| origin.to_owned()).collect();
        let headers = [(header::HOST, host), (header::ORIGIN, origin)];
        let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
        Origins::new(&allowed, public_url).welcome(&headers.into_iter().collect())
    }

    #[test]
    fn our_own_pages_are_welcome_and_others_are_not() {
        assert!(welcome(&[], None, "live.example", "https://live.example"));
        assert!(welcome(&[], None, "10.0.0.1:3000", "http://10.0.0.1:3000"));
        for other in [
            "https://evil.example",
            "https://live.example.evil",
            "null",
            "",
        ] {
            assert!(!welcome(&[], None, "live.example", other), "{other}");
        }
        assert!(!welcome(
            &[],
            None,
            "live.example",
            "https://live.example:8443"
        ));
    }

    #[test]
    fn programs_send_no_origin_and_are_welcome() {
        assert!(Origins::default().welcome(&HeaderMap::new()));
    }

    #[test]
    fn the_operator_may_allow_others() {
        let other = "https://friend.example";
        assert!(welcome(&[other], None, "live.example", other));
        assert!(welcome(
            &["https://Friend.example/"],
            None,
            "live.example",
            other
        ));
        assert!(welcome(&["*"], None, "live.example", "null"));
    }

    #[test]
    fn behind_a_proxy_the_public_url_is_ours() {
        let public_url = Some("https://live.example");
        assert!(welcome(
            &[],
            public_url,
            "127.0.0.1:3000",
            "https://live.example"
        ));
    }

    #[test]
    fn a_development_server_on_this_machine_is_ours() {
        assert!(welcome(
            &[],
            None,
            "127.0.0.1:3000",
            "http://localhost:8081"
        ));
        assert!(!welcome(
            &[],
            None,
            "127.0.0.1:3000",
            "http://localhost.evil:8081"
        ));
    }
}
