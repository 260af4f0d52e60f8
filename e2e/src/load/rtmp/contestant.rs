//! A server to be measured.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::client::Place;
use super::nginx;
use super::player::Source;
use crate::Server;
use crate::load::process::Process;
use crate::nginx::Nginx;
use crate::server::FOR_LOAD;

/// A running server with a place to publish to.
pub struct Contestant {
    running: Running,
    /// What is measured.
    pub process: Process,
    /// Where to publish.
    pub publish: Place,
    /// Where to play by RTMP.
    pub rtmp: Source,
    /// Where to play by HTTP-FLV, if it can do that.
    pub flv: Option<Source>,
    /// Where it serves HTTP, if it does.
    pub http: Option<SocketAddr>,
}

enum Running {
    Golive(Server),
    Nginx(Nginx),
}

impl Contestant {
    /// Golive, with a room.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn golive() -> Result<Self> {
        let server = Server::start_with(&FOR_LOAD).await?;
        let process = Process::new(server.pid().context("the server ended by itself")?)?;
        let created = server.create_room("Load").await?;
        let key = created.room.key.to_string();
        let place = Place {
            server: ([127, 0, 0, 1], server.rtmp_port()).into(),
            app: "live".to_owned(),
            name: key.clone(),
        };
        Ok(Self {
            process,
            publish: Place {
                name: format!("{key}?key={}", created.stream_key),
                ..place.clone()
            },
            rtmp: Source::Rtmp(place),
            flv: Some(Source::Flv {
                server: server.authority().parse()?,
                path: format!("/live/{key}.flv"),
            }),
            http: Some(server.authority().parse()?),
            running: Running::Golive(server),
        })
    }

    /// nginx with its RTMP module, where it is installed.
    ///
    /// # Errors
    /// It is installed and does not start.
    pub async fn nginx() -> Result<Option<Self>> {
        let Some(nginx) = nginx::start().await? else {
            return Ok(None);
        };
        let place = Place {
            server: nginx.address,
            app: "live".to_owned(),
            name: "load".to_owned(),
        };
        Ok(Some(Self {
            process: nginx.worker,
            publish: place.clone(),
            rtmp: Source::Rtmp(place),
            flv: None,
            http: None,
            running: Running::Nginx(nginx),
        }))
    }

    /// The key of the room, or what else a player asks for.
    #[must_use]
    pub fn room(&self) -> &str {
        self.publish.name.split('?').next().unwrap_or_default()
    }

    /// Ends it.
    ///
    /// # Errors
    /// It did not end well.
    pub async fn stop(self) -> Result<()> {
        match self.running {
            Running::Golive(server) => server.stop().await,
            Running::Nginx(nginx) => nginx.stop().await,
        }
    }
}
