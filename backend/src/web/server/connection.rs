//! One connection.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderName, HeaderValue, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::idle::Idle;
use super::{Server, redirect};
use crate::limits::Place;
use crate::tls::{ACME_TLS_1, H2};

/// Time for the first byte and for the TLS handshake, each.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time for the first byte.
const FIRST_BYTE: Duration = Duration::from_secs(30);
/// Time for the next request, until its head is whole. Proxies keep a connection for a minute to use it again
/// (nginx's `keepalive_timeout`): one that ends before that may take a request with it.
const NEXT_REQUEST: Duration = Duration::from_secs(75);
/// After so long without a byte either way a connection is over. What lives longer moves more often: a
/// WebSocket's pings come every 25 s.
const IDLE: Duration = Duration::from_secs(90);
/// Requests at once on one HTTP/2 connection: a page with its parts and its streams.
const STREAMS: u32 = 100;
/// Largest head of a request.
const HEAD_BYTES: usize = 32 * 1024;
/// The first byte of TLS: a handshake record (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// A connection before it is served.
pub(super) struct Connection {
    pub(super) server: Arc<Server>,
    pub(super) peer: SocketAddr,
    pub(super) stopping: CancellationToken,
}

impl Connection {
    pub(super) async fn serve(self, stream: TcpStream, place: Place) {
        let peer = self.peer;
        let served = match self.server.tls.clone() {
            Some(tls) => self.serve_tls(&tls, stream, place).await,
            None => self.serve_plain(stream, place).await,
        };
        if let Err(error) = served {
            tracing::debug!(%peer, "HTTP connection: {error}");
        }
    }

    async fn serve_plain(self, stream: TcpStream, place: Place) -> Outcome {
        // The time of a head is measured from its first byte on.
        match timeout(FIRST_BYTE, stream.peek(&mut [0])).await?? {
            0 => Ok(()),
            _ => self.serve_http(held(stream, place), false).await,
        }
    }

    async fn serve_tls(self, tls: &TlsAcceptor, stream: TcpStream, place: Place) -> Outcome {
        let mut first = [0];
        match timeout(HANDSHAKE, stream.peek(&mut first)).await?? {
            0 => return Ok(()),
            _ if first == [TLS_HANDSHAKE] => {}
            // Somebody typed http:// or left the scheme away.
            _ => return redirect::serve(held(stream, place)).await,
        }
        let stream = held(stream, place);
        let stream = timeout(HANDSHAKE, tls.accept(stream)).await??;
        match stream.get_ref().1.alpn_protocol() {
            // The authority has seen what it wanted (RFC 8737 section 3).
            Some(ACME_TLS_1) => Ok(()),
            Some(H2) => self.serve_http(stream, true).await,
            _ => self.serve_http(stream, false).await,
        }
    }

    async fn serve_http<S>(self, stream: S, http2: bool) -> Outcome
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self {
            server,
            peer,
            stopping,
        } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let request = server.told(peer, request.map(Body::new));
            let mut routes: Router = server.routes.clone();
            async move { routes.call(request).await }
        });
        let builder = builder(http2);
        let mut connection =
            pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        tokio::select! {
            served = connection.as_mut() => served,
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    }
}

pub(super) type Held = Idle<TcpStream, Place>;
pub(super) type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn builder(http2: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(NEXT_REQUEST)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES as u32);
    // Not found out from the first bytes: there would be no time-out for those.
    if http2 {
        builder.http2_only()
    } else {
        builder.http1_only()
    }
}

impl Server {
    /// A request as the handlers see it: it says whom it is from and where it went to, and nothing about
    /// that comes from somebody who is not to be believed.
    fn told(&self, peer: SocketAddr, mut request: Request) -> Request {
        const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
        const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
        let client = self.proxies.client(peer, request.headers());
        let is_https = self.tls.is_some() || self.proxies.is_https(peer, request.headers());
        // In HTTP/2 it is a part of the address (RFC 9113 section 8.3.1).
        let authority = request.uri().authority().map(ToString::to_string);
        let authority = authority.and_then(|text| HeaderValue::from_str(&text).ok());
        let headers = request.headers_mut();
        if let Some(authority) = authority {
            headers.insert(header::HOST, authority);
        }
        headers.remove(FORWARDED_PROTO);
        if !self.proxies.trusts(peer.ip()) {
            headers.remove(FORWARDED_HOST);
        }
        if is_https {
            headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        }
        request.extensions_mut().insert(ConnectInfo(client));
        request
    }
}

/// A connection that has its place for as long as it is there, as a WebSocket too.
fn held(stream: TcpStream, place: Place) -> Held {
    Idle::new(stream, place, IDLE)
}
