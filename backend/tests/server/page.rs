//! What is a page, and what is not.

use reqwest::Method;

use crate::support::{Server, refused};

#[tokio::test]
async fn every_page_is_served_with_an_etag_and_asked_for_again() {
    let server = Server::start().await;
    for path in ["/", "/live", "/live/abc", "/room/abc", "/embed/abc"] {
        let response = server.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "text/html");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        let etag = response.headers()["etag"].to_str().unwrap().to_owned();
        let again = server
            .request(Method::GET, path)
            .header("if-none-match", etag);
        assert_eq!(again.send().await.unwrap().status(), 304, "{path}");
    }
}

#[tokio::test]
async fn a_page_is_sent_compressed() {
    let server = Server::start().await;
    for encoding in ["br", "gzip"] {
        let request = server
            .request(Method::GET, "/")
            .header("accept-encoding", encoding);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
    }
}

#[tokio::test]
async fn a_missing_file_is_no_page() {
    let server = Server::start().await;
    for path in [
        "/x.js",
        "/live/x.wasm",
        "/room/x.css",
        "/embed/a%20b",
        "/room/",
        "/nonsense",
    ] {
        refused(server.get(path).await, 404).await;
    }
}
