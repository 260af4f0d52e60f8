//! What browsers are told not to do with what they get from here.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// Hashes of the scripts that Trunk writes into the page.
const SCRIPTS: &str = env!("GOLIVE_PAGE_SCRIPTS");

/// For all that is not a page: whatever it is, it is no place for scripts, and in nobody's frame.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// A page may use camera, microphone and screen; what it never asks for, nobody can ask for in its name.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "autoplay=(self), camera=(self), display-capture=(self), fullscreen=(self), microphone=(self), \
     picture-in-picture=(self), screen-wake-lock=(self), geolocation=(), payment=(), usb=(), serial=(), \
     midi=()",
);

/// Adds the headers.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let embed = request.uri().path().starts_with("/embed/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let is_page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    let policy = if is_page { page_policy(embed) } else { NO_PAGE };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if is_page {
        const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
        const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
        headers.insert(PERMISSIONS_POLICY, PERMISSIONS);
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    }
    response
}

/// The page's Content-Security-Policy (W3C CSP Level 3). The player for HLS makes its worker and its media
/// out of blobs.
fn page_policy(embed: bool) -> HeaderValue {
    let ancestors = if embed { "*" } else { "'none'" };
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{SCRIPTS}; style-src 'self'; \
         img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; media-src 'self' blob:; \
         worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors {ancestors}"
    );
    // Letters, digits and signs only.
    HeaderValue::from_str(&policy).unwrap_or(NO_PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_runs_its_own_scripts_alone_and_only_the_player_is_framed() {
        let policy = |embed| page_policy(embed).to_str().unwrap().to_owned();
        assert!(policy(false).ends_with("frame-ancestors 'none'"));
        assert!(policy(true).ends_with("frame-ancestors *"));
        assert!(!policy(true).contains("unsafe-inline"));
        assert!(!policy(true).contains("'unsafe-eval'"));
    }
}
