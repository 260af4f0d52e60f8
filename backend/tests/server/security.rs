//! What pages of other sites can do here, and what browsers are told.

use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, http};

use crate::support::{Server, refused};

const ELSEWHERE: &str = "https://elsewhere.example";

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn pages_run_their_own_scripts_alone_and_only_the_player_may_be_framed() {
    let server = Server::start().await;
    for path in ["/", "/live", "/live/abc", "/room/abc", "/embed/abc"] {
        let response = server.get(path).await;
        let headers = response.headers();
        let policy = text(headers, "content-security-policy");
        assert!(
            policy.contains("script-src 'self' 'wasm-unsafe-eval'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe-inline"), "{policy}");
        let anybody = path.starts_with("/embed/");
        assert_eq!(
            policy.ends_with("frame-ancestors *"),
            anybody,
            "{path} {policy}"
        );
        assert_eq!(text(headers, "x-content-type-options"), "nosniff");
        assert_eq!(text(headers, "referrer-policy"), "same-origin");
        assert_eq!(text(headers, "cross-origin-opener-policy"), "same-origin");
        assert!(text(headers, "permissions-policy").contains("camera=(self)"));
    }
}

#[tokio::test]
async fn what_is_no_page_is_nothing_to_run_or_to_frame() {
    let server = Server::start().await;
    for path in [
        "/api/rooms",
        "/rooms",
        "/healthz",
        "/nonsense",
        "/socket.io/?EIO=4&transport=polling",
    ] {
        let response = server.get(path).await;
        let headers = response.headers();
        assert_eq!(text(headers, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(
            text(headers, "content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'"
        );
    }
}

async fn asks(server: &Server, method: &str, path: &str, origin: &str) -> Response {
    let preflight = server.request(Method::OPTIONS, path);
    let preflight = preflight.header("origin", origin);
    let preflight = preflight.header("access-control-request-method", method);
    preflight.send().await.unwrap()
}

#[tokio::test]
async fn pages_of_other_sites_may_publish_watch_and_read_but_make_no_rooms() {
    let server = Server::start_with(&["--allowed-origin", "https://friend.example"]).await;
    let own = format!("http://{}", server.authority());
    let may = async |method: &str, path: &str, origin: &str| {
        let answer = asks(&server, method, path, origin).await;
        let allowed = text(answer.headers(), "access-control-allow-origin").to_owned();
        allowed == "*" || allowed == origin
    };
    assert!(may("POST", "/whip/abc", ELSEWHERE).await);
    assert!(may("POST", "/whep/abc", ELSEWHERE).await);
    assert!(may("GET", "/api/rooms", ELSEWHERE).await);
    assert!(!may("POST", "/api/rooms", ELSEWHERE).await);
    assert!(!may("DELETE", "/api/rooms/abc", ELSEWHERE).await);
    assert!(may("POST", "/api/rooms", "https://friend.example").await);
    assert!(may("POST", "/api/rooms", &own).await);
}

/// What a form or a script of another site can send without asking first: no header of its own choice, and
/// one of three content types. If there were cookies, they would be sent along.
#[tokio::test]
async fn no_request_that_needs_no_permission_changes_anything() {
    let server = Server::start().await;
    let room = server.create_room("r").await;
    let key = &room.room.key;
    let body = json!({"title": "forged"}).to_string();
    let stream_key = format!("/api/rooms/{key}/stream-key");
    let (whip, whep) = (format!("/whip/{key}"), format!("/whep/{key}"));
    for path in ["/api/rooms", &stream_key, &whip, &whep] {
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
        ] {
            let request = server
                .request(Method::POST, path)
                .header("content-type", kind);
            let request = request
                .header("origin", ELSEWHERE)
                .header("cookie", format!("host_token={}", room.host_token));
            let response = request.body(body.clone()).send().await.unwrap();
            assert!(response.status().is_client_error(), "{path} {kind}");
            assert!(response.headers().get("set-cookie").is_none());
        }
    }
    assert_eq!(server.json("/api/rooms").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_answer_sets_a_cookie() {
    let server = Server::start().await;
    for path in [
        "/",
        "/live",
        "/api/rooms",
        "/socket.io/?EIO=4&transport=polling",
    ] {
        let response = server.get(path).await;
        assert!(response.headers().get("set-cookie").is_none(), "{path}");
    }
}

async fn socket_from(server: &Server, origin: Option<&str>) -> Result<(), http::StatusCode> {
    let url = format!(
        "ws://{}/socket.io/?EIO=4&transport=websocket",
        server.authority()
    );
    let mut request = url.into_client_request().unwrap();
    if let Some(origin) = origin {
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
    }
    match connect_async(request).await {
        Ok(_) => Ok(()),
        Err(tungstenite::Error::Http(response)) => Err(response.status()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn sockets_are_for_our_own_pages_and_for_programs() {
    let server = Server::start().await;
    let own = format!("http://{}", server.authority());
    assert_eq!(socket_from(&server, Some(&own)).await, Ok(()));
    assert_eq!(socket_from(&server, None).await, Ok(()));
    for other in [ELSEWHERE, "null"] {
        let refused = socket_from(&server, Some(other)).await.unwrap_err();
        assert_eq!(refused, 403);
    }
    let polling = server.request(Method::GET, "/socket.io/?EIO=4&transport=polling");
    let polling = polling.header("origin", ELSEWHERE).send().await.unwrap();
    let sentence = refused(polling, 403).await;
    assert!(sentence.contains("--allowed-origin"), "{sentence}");
}

#[tokio::test]
async fn the_operator_may_let_pages_of_other_sites_use_sockets() {
    let server = Server::start_with(&["--allowed-origin", ELSEWHERE]).await;
    assert_eq!(socket_from(&server, Some(ELSEWHERE)).await, Ok(()));
    assert!(
        socket_from(&server, Some("https://evil.example"))
            .await
            .is_err()
    );
}
