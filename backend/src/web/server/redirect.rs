//! The answer to who speaks http to a port of https.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::connection::{Held, Outcome};

/// Time for the head of the request.
const HEAD: Duration = Duration::from_secs(30);

/// Answers one request.
pub(super) async fn serve(stream: Held) -> Outcome {
    let service = service_fn(|request: Request<Incoming>| {
        ready(Ok::<_, Infallible>(to_https(&request.map(Body::new))))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

/// Where to find the same over https. Not for ever: the port may speak http again one day.
fn to_https(request: &Request) -> Response {
    let host = request.headers().get(header::HOST);
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let location = host
        .and_then(|host| host.to_str().ok())
        .and_then(|host| HeaderValue::from_str(&format!("https://{host}{path}")).ok());
    match location {
        Some(location) => (
            StatusCode::TEMPORARY_REDIRECT,
            [(header::LOCATION, location)],
            "This port speaks https: please use https:// in the address.\n",
        )
            .into_response(),
        None => (
            StatusCode::BAD_REQUEST,
            "This port speaks https: please use https:// in the address.\n",
        )
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_path_is_pointed_to_with_https() {
        let request = Request::get("/room/abc?x=1").header(header::HOST, "10.0.0.1:3000");
        let response = to_https(&request.body(Body::empty()).unwrap());
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(
            response.headers()[header::LOCATION],
            "https://10.0.0.1:3000/room/abc?x=1"
        );
    }

    #[test]
    fn without_a_host_there_is_a_sentence() {
        let request = Request::get("/").body(Body::empty()).unwrap();
        assert_eq!(to_https(&request).status(), StatusCode::BAD_REQUEST);
    }
}
