//! What the log calls a session.

use std::net::SocketAddr;

use tracing::{Span, info_span};

use crate::random;

/// Whatever is logged in it says which session it is about. The name is made for the log: it gives no access
/// to anything, as those in addresses do.
pub(crate) fn session(protocol: &'static str, peer: Option<SocketAddr>) -> Span {
    let peer = peer.map(tracing::field::display);
    info_span!("session", id = random::text::<8>(), protocol, peer)
}
