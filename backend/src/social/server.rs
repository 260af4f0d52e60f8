//! The Socket.IO server.

use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::Uri;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler;
use socketioxide::{ProtocolVersion, SocketIo};
use tower::ServiceBuilder;

use super::Social;
use super::broadcast::Broadcast;
use super::client::Client;
use super::dispatch::Dispatch;
use crate::limits::{People, Strangers};
use crate::metrics::METRICS;
use crate::rooms::registry::Registry;
use crate::session_span::session;

/// A message over the limit is refused and its sender told; for one over so many times the limit the library
/// ends the connection before the message is in memory.
const HARD_LIMIT: usize = 4;
/// Events that wait for a socket that reads slowly; it misses those that come when they are this many.
const QUEUED_EVENTS: usize = 256;
/// How long a client has from opening a connection to entering the namespace.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The Socket.IO server before it has handlers: what it sends with is needed to make the rooms, which
/// the handlers need.
pub struct SocketServer {
    routes: Router,
    io: SocketIo,
    legacy: bool,
    people: People,
}

impl SocketServer {
    /// A server that accepts nobody yet. `legacy` tells whether it serves clients of 2016.
    #[must_use]
    pub fn new(legacy: bool, people: People) -> Self {
        let most = people.message_bytes.saturating_mul(HARD_LIMIT);
        let (service, io) = SocketIo::builder()
            .max_payload(most as u64)
            .ws_max_message_size(most)
            .ws_max_frame_size(most)
            .max_buffer_size(QUEUED_EVENTS)
            .connect_timeout(CONNECT_TIMEOUT)
            .build_svc();
        let service = ServiceBuilder::new()
            .map_request(move |request| if legacy { as_eio_3(request) } else { request })
            .service(service);
        // As routes of their own: the library's layer breaks polling behind a fallback.
        let routes = Router::new()
            .route_service("/socket.io/", service.clone())
            .route_service("/socket.io", service);
        Self {
            routes,
            io,
            legacy,
            people,
        }
    }

    /// Sends to the sockets of this server.
    #[must_use]
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.io.clone())
    }

    /// Starts accepting sockets: the routes, and the handle that ends all connections.
    pub fn serve(self, rooms: Arc<Registry>, strangers: Arc<Strangers>) -> (Router, SocketIo) {
        let social = Arc::new(Social {
            rooms,
            strangers,
            people: self.people,
            out: self.broadcast(),
            legacy: self.legacy,
        });
        let count = Arc::new(AtomicU64::new(0));
        // Handlers are attached before the client hears that it is connected: no event is missed.
        let attach = move |socket: SocketRef| {
            ready(social.attach(&socket, count.fetch_add(1, Ordering::Relaxed)))
        };
        self.io.ns("/", (|| ready(())).with(attach));
        (self.routes, self.io)
    }
}

impl Social {
    /// Takes in a socket, unless there are too many from its address.
    fn attach(self: &Arc<Self>, socket: &SocketRef, number: u64) -> Result<(), TooManySockets> {
        let peer = client_address(socket);
        let is_from_2016 = socket.protocol() == ProtocolVersion::V4;
        let neighbour = peer.and_then(|peer| self.strangers.neighbour(peer.ip()));
        let client = Arc::new(Client::new(
            number,
            peer,
            neighbour,
            is_from_2016,
            &self.people,
        ));
        let place = self.strangers.sockets.take(client.stranger());
        *client.place.lock() = Some(place.map_err(|_| {
            let refused = TooManySockets(self.strangers.sockets.per_address());
            tracing::warn!(peer = peer.map(display), "socket refused: {refused}");
            refused
        })?);
        socket.extensions.insert(Arc::clone(&client));
        socket.on_fallback(Dispatch {
            social: Arc::clone(self),
            client: Arc::clone(&client),
            span: session("socket", client.peer),
        });
        let social = Arc::clone(self);
        METRICS.sockets.inc();
        socket.on_disconnect(move || {
            METRICS.sockets.dec();
            social.disconnected(&client);
            ready(())
        });
        Ok(())
    }
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("There are {0} connections from your address already: please close some of them.")]
struct TooManySockets(usize);

/// Where a socket comes from, as far as proxies in between are believed.
fn client_address(socket: &SocketRef) -> Option<SocketAddr> {
    let peer = socket
        .req_parts()
        .extensions
        .get::<ConnectInfo<SocketAddr>>();
    peer.map(|peer| peer.0)
}

/// A request that does not say its Engine.IO version comes from a client of 2016, which spoke version 3.
fn as_eio_3(mut request: Request) -> Request {
    let query = request.uri().query().unwrap_or_default();
    if !query.split('&').any(|pair| pair.starts_with("EIO=")) {
        let with_version = format!("{}?{query}&EIO=3", request.uri().path());
        if let Ok(uri) = with_version.parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn uri_after(uri: &str) -> String {
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        as_eio_3(request).uri().to_string()
    }

    #[test]
    fn a_request_without_a_version_is_read_as_version_3() {
        assert_eq!(
            uri_after("/socket.io/?transport=polling&b64=1"),
            "/socket.io/?transport=polling&b64=1&EIO=3"
        );
    }

    #[test]
    fn a_request_with_a_version_is_left_alone() {
        let uri = "/socket.io/?EIO=4&transport=polling";
        assert_eq!(uri_after(uri), uri);
    }
}
