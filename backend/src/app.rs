//! Composes the server from its parts. Nothing else knows all of them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use shared::events::{Restarting, to_client};
use socketioxide::SocketIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Switch, UnknownAddress};
use crate::hls::channels::Channels;
use crate::limits::Places;
use crate::names;
use crate::rooms::registry::Registry;
use crate::rtmp;
use crate::social::announce::announce;
use crate::social::broadcast::Broadcast;
use crate::social::server::SocketServer;
use crate::store::StoredRoom;
use crate::store::data::Data;
use crate::store::error::OpenError;
use crate::store::journal::{Journal, Writer};
use crate::store::sqlite::Sqlite;
use crate::tcp;
use crate::tls::{Tls, TlsError};
use crate::web::origins::Origins;
use crate::web::sessions::Sessions;
use crate::web::{self, Web};
use crate::webrtc::{self, Server};

/// What everybody is told when the server stops.
const RESTARTING: &str = "The server is restarting: this page comes back by itself.";
/// How long a request that is being answered may take when the server stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// A running server. Dropping it stops it at once.
pub struct App {
    http: SocketAddr,
    is_https: bool,
    rtmp: SocketAddr,
    webrtc: Arc<Server>,
    rooms: Arc<Registry>,
    sessions: Arc<Sessions>,
    out: Broadcast,
    sockets: SocketIo,
    /// Cancelled when nobody new should come any more.
    draining: CancellationToken,
    /// For how long it goes on so.
    drain: Duration,
    stopping: CancellationToken,
    tasks: JoinSet<()>,
    data: Data,
    /// There if something is kept.
    writer: Option<Writer>,
}

/// Why the server does not start. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be opened.
    #[error("{flag} {address} cannot be opened ({source}): is another program using it?")]
    Listen {
        /// The flag that names it.
        flag: &'static str,
        /// What it says.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// See [`UnknownAddress`].
    #[error(transparent)]
    UnknownAddress(#[from] UnknownAddress),
    /// See [`OpenError`].
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The system has no thread for the store.
    #[error("the store cannot be written: there are no more threads ({0})")]
    Thread(#[source] io::Error),
    /// See [`TlsError`].
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl App {
    /// Opens the ports and starts to serve.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let store = open_store(&config.data)?;
        let tls = start_tls(&config)?;
        let is_https = tls.is_some();
        let (listener, http) = listen("--http", config.http)?;
        let (rtmp_listener, rtmp) = listen("--rtmp", config.rtmp)?;
        let webrtc = serve_webrtc(&config).await?;
        let legacy = config.legacy == Switch::On;
        let people = config.strangers.people();
        let socket_server = SocketServer::new(legacy, people);
        let out = socket_server.broadcast();
        let hls = Arc::<Channels>::default();
        let rooms = Registry::new(config.limits(), {
            let (out, hls) = (out.clone(), Arc::clone(&hls));
            move |room| {
                // Both end with their room.
                tokio::spawn(announce(room, out.clone()));
                tokio::spawn(Arc::clone(&hls).follow(room));
            }
        });
        let rooms = Arc::new(rooms.kept_by(store.journal.clone(), store.rooms));
        let strangers = Arc::new(config.strangers.strangers());
        let (socket_routes, sockets) =
            socket_server.serve(Arc::clone(&rooms), Arc::clone(&strangers));
        let sessions = Arc::<Sessions>::default();
        let draining = CancellationToken::new();
        let web = Web {
            rooms: Arc::clone(&rooms),
            webrtc: Arc::clone(&webrtc),
            flv: Arc::default(),
            hls,
            easel: Arc::default(),
            sessions: Arc::clone(&sessions),
            journal: store.journal,
            draining: draining.clone(),
            strangers: Arc::clone(&strangers),
            people,
            origins: Origins::new(&config.allowed_origins, config.public_url.as_deref()),
            create_token: config.create_token,
            public_url: config.public_url,
            rtmp_port: rtmp.port(),
            legacy,
        };

        let stopping = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let rooms = Arc::clone(&rooms);
            async move { rooms.tend().await }
        });
        tasks.spawn(
            rtmp::server::Server::new(
                Arc::clone(&rooms),
                legacy,
                Places::new(
                    config.strangers.max_rtmp_connections,
                    config.strangers.max_rtmp_connections_per_address,
                ),
                strangers,
                people.silence,
            )
            .serve(rtmp_listener, stopping.clone()),
        );
        let limits = config.strangers;
        let server = web::server::Server {
            routes: web.routes(socket_routes),
            tls: tls.as_ref().map(Tls::acceptor),
            places: Places::new(limits.max_connections, limits.max_connections_per_address),
            proxies: limits.trusted_proxies.into(),
        };
        tasks.spawn(server.serve(listener, stopping.clone()));
        if let Some(tls) = tls {
            let stopping = stopping.clone();
            tasks.spawn(async move {
                stopping.run_until_cancelled(tls.tend()).await;
            });
        }
        Ok(Self {
            http,
            is_https,
            rtmp,
            webrtc,
            rooms,
            sessions,
            out,
            sockets,
            draining,
            drain: Duration::from_secs(config.drain_seconds.into()),
            stopping,
            tasks,
            data: config.data,
            writer: store.writer,
        })
    }

    /// Where it serves HTTP.
    #[must_use]
    pub const fn http(&self) -> SocketAddr {
        self.http
    }

    /// Whether it serves HTTP over TLS.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// Where it serves RTMP.
    #[must_use]
    pub const fn rtmp(&self) -> SocketAddr {
        self.rtmp
    }

    /// The rooms there are.
    #[must_use]
    pub const fn rooms(&self) -> &Arc<Registry> {
        &self.rooms
    }

    /// Carries the media.
    #[must_use]
    pub const fn webrtc(&self) -> &Arc<Server> {
        &self.webrtc
    }

    /// Where it keeps what survives a restart.
    #[must_use]
    pub const fn data(&self) -> &Data {
        &self.data
    }

    /// Goes on for as long as it is to drain, telling load balancers so; then keeps the rooms for the next
    /// start and ends every connection; answers what is being asked.
    pub async fn stop(mut self) {
        self.draining.cancel();
        if !self.drain.is_zero() {
            tracing::info!("serving for {} s more", self.drain.as_secs());
            sleep(self.drain).await;
        }
        let notice = RESTARTING.to_owned();
        self.out
            .everybody(to_client::RESTARTING, &Restarting { notice });
        self.rooms.suspend();
        self.sessions.end_viewers();
        self.stopping.cancel();
        // Waits for sockets to hear of it, but not for those that do not listen.
        let farewell = async {
            self.sockets.close().await;
            while self.tasks.len() > 1 {
                self.tasks.join_next().await;
            }
        };
        if timeout(FAREWELL, farewell).await.is_err() {
            tracing::debug!("some connections did not end in time");
        }
        self.tasks.shutdown().await;
        if let Some(writer) = self.writer {
            writer.close().await;
        }
    }
}

/// What keeps the rooms, and those that were kept before.
#[derive(Default)]
struct Opened {
    rooms: Vec<StoredRoom>,
    journal: Journal,
    writer: Option<Writer>,
}

fn open_store(data: &Data) -> Result<Opened, StartError> {
    let Some(folder) = data.folder() else {
        return Ok(Opened::default());
    };
    let (store, rooms) = Sqlite::open(folder)?;
    let (writer, journal) = Writer::start(store).map_err(StartError::Thread)?;
    Ok(Opened {
        rooms,
        journal,
        writer: Some(writer),
    })
}

fn listen(
    flag: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = tcp::listen(tcp::all_there_are(address));
    let listening = listener.and_then(|listener| {
        let local = listener.local_addr()?;
        Ok((listener, local))
    });
    listening.map_err(|source| StartError::Listen {
        flag,
        address,
        source,
    })
}

async fn serve_webrtc(config: &Config) -> Result<Arc<Server>, StartError> {
    let public_addresses = config.resolve_public_addresses().await?;
    let address = config.webrtc;
    let server = Server::bind(&webrtc::Config {
        listen: tcp::all_there_are(address),
        public_addresses,
    });
    server.map_err(|source| StartError::Listen {
        flag: "--webrtc",
        address,
        source,
    })
}

fn start_tls(config: &Config) -> Result<Option<Tls>, TlsError> {
    let names = || names::of_this_machine(&config.public_addresses, config.public_url.as_deref());
    let source = config.tls.source(config.data.folder(), names)?;
    source.map(Tls::start).transpose()
}
