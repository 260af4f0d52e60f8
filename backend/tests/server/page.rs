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

#[tokio::test]
async fn people_are_shown_a_page_that_says_that_there_is_nothing() {
    let server = Server::start().await;
    let index = server.get("/").await;
    let etag = index.headers()["etag"].clone();
    let index = index.text().await.unwrap();
    for path in ["/nonsense", "/room/a%20b", "/a/b/c"] {
        let request = server.request(Method::GET, path);
        let request = request
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("if-none-match", &etag);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        let policy = response.headers()["content-security-policy"].to_str();
        assert!(policy.unwrap().contains("script-src 'self'"), "{path}");
        assert_eq!(response.text().await.unwrap(), index, "{path}");
    }
    // A program's request, and one of a page's script.
    for accept in ["*/*", "application/json"] {
        let request = server.request(Method::GET, "/nonsense");
        let response = request.header("accept", accept).send().await.unwrap();
        refused(response, 404).await;
    }
}
