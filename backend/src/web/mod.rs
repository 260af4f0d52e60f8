//! Everything over HTTP: the API, WHIP and WHEP, LL-HLS, HTTP-FLV, the page, the list of rooms for 2016 clients.

mod api;
mod auth;
mod exchange;
mod flv;
mod health;
mod hls;
mod host_link;
mod legacy;
mod links;
mod metrics;
pub mod origins;
mod page;
pub mod problem;
mod readiness;
mod security;
pub mod server;
pub mod sessions;
mod strangers;
pub mod thumbnail;
mod whep;
mod whip;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::config::Token;
use crate::flv::mux::TagMuxer;
use crate::hls::channels::Channels;
use crate::limits::{People, Strangers};
use crate::media::feed::Feeds;
use crate::rooms::registry::Registry;
use crate::store::journal::Journal;
use crate::webrtc::Server;
use origins::Origins;
use problem::Problem;
use sessions::Sessions;
use thumbnail::Easel;

/// What the handlers share.
#[derive(Clone)]
pub struct Web {
    /// All rooms.
    pub rooms: Arc<Registry>,
    /// Carries the media.
    pub webrtc: Arc<Server>,
    /// What HTTP-FLV players are sent.
    pub flv: Arc<Feeds<TagMuxer>>,
    /// What HLS players are sent.
    pub hls: Arc<Channels>,
    /// Makes live pictures.
    pub easel: Arc<Easel>,
    /// WHIP and WHEP sessions.
    pub sessions: Arc<Sessions>,
    /// Keeps what survives a restart.
    pub journal: Journal,
    /// Cancelled as soon as the server is about to stop.
    pub draining: CancellationToken,
    /// What is counted for each address.
    pub strangers: Arc<Strangers>,
    /// What one person may do.
    pub people: People,
    /// Whose pages may do what.
    pub origins: Origins,
    /// Who may create rooms; everybody, if there is none.
    pub create_token: Option<Token>,
    /// Where people reach this server, if it is not where their requests say.
    pub public_url: Option<String>,
    /// The port that RTMP is served on.
    pub rtmp_port: u16,
    /// Whether 2016 clients are served.
    pub legacy: bool,
}

impl Web {
    /// All routes, with those of Socket.IO among them.
    pub fn routes(self, socket_io: Router) -> Router {
        let legacy = if self.legacy {
            legacy::routes()
        } else {
            Router::new()
        };
        let people = self.people;
        // RFC 9725 section 4.2: OPTIONS says what may be posted. CORS answers it, so this lies around it.
        let accept_post =
            SetResponseHeaderLayer::if_not_present(exchange::ACCEPT_POST, exchange::SDP);
        let sessions = refuse_other_methods(whip::routes().merge(whep::routes()))
            .layer(from_fn_with_state(self.clone(), strangers::sessions))
            .layer(from_fn_with_state(self.clone(), strangers::secrets));
        let others = api::routes()
            .merge(health::routes())
            .merge(host_link::routes())
            .merge(metrics::routes())
            .merge(legacy)
            .merge(readiness::routes());
        Router::new()
            .merge(sessions.layer(cors(Any)).layer(accept_post))
            .merge(
                refuse_other_methods(others)
                    .layer(from_fn_with_state(self.clone(), strangers::secrets))
                    .layer(cors(self.origins.clone().may_read())),
            )
            .merge(refuse_other_methods(hls::routes().merge(thumbnail::routes())).layer(cors(Any)))
            .with_state(self.clone())
            .merge(
                socket_io
                    .layer(from_fn_with_state(self.clone(), origins::only_welcome))
                    .layer(cors(self.origins.clone().may_connect())),
            )
            .merge(refuse_other_methods(page::routes()))
            .layer(from_fn_with_state(self, flv::intercept))
            .fallback(page::nothing_here)
            .layer(DefaultBodyLimit::max(people.body_bytes))
            .layer(from_fn_with_state(people.request, strangers::in_time))
            .layer(from_fn(security::headers))
            .layer(from_fn(metrics::count))
    }
}

/// To be called before layers are added: they lie around these refusals, too.
fn refuse_other_methods<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.method_not_allowed_fallback(async || Problem::MethodNotAllowed)
}

/// Pages of other sites may publish and watch: there are no cookies, only secrets that they have to be
/// given. What else they may do, [`origins`] says.
fn cors(origins: impl Into<AllowOrigin>) -> CorsLayer {
    const IF_MATCH: HeaderName = header::IF_MATCH;
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::RANGE,
            IF_MATCH,
        ])
        .expose_headers([LOCATION, ETAG, RETRY_AFTER, WWW_AUTHENTICATE, header::LINK])
}
