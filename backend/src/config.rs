//! What the program is told when it starts: flags, each of them an environment variable too.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::limits::flags::LimitFlags;
use crate::rooms::registry::Limits;
use crate::rooms::secret;
use crate::store::data::Data;
use crate::tls::flags::TlsFlags;

/// A live broadcast server: go live from a browser tab, watch in another.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub struct Config {
    /// Where to serve the page, the API, WHIP, WHEP, HTTP-FLV and Socket.IO
    #[arg(
        long,
        env = "GOLIVE_HTTP",
        value_name = "ADDRESS:PORT",
        default_value = "[::]:3000"
    )]
    pub http: SocketAddr,

    /// Where encoders such as OBS publish by RTMP, and players such as VLC play
    #[arg(
        long,
        env = "GOLIVE_RTMP",
        value_name = "ADDRESS:PORT",
        default_value = "[::]:1935"
    )]
    pub rtmp: SocketAddr,

    /// Where media comes and goes by WebRTC, over UDP and, where UDP is blocked, over TCP
    #[arg(
        long,
        env = "GOLIVE_WEBRTC",
        value_name = "ADDRESS:PORT",
        default_value = "[::]:8189"
    )]
    pub webrtc: SocketAddr,

    /// An address or name under which browsers reach the WebRTC port; may be repeated [default: this
    /// machine's own addresses]
    #[arg(
        long = "public-address",
        env = "GOLIVE_PUBLIC_ADDRESS",
        value_name = "IP_OR_NAME",
        value_delimiter = ','
    )]
    pub public_addresses: Vec<String>,

    /// Where people reach the page, for the links they are given [default: where they came from]
    #[arg(long, env = "GOLIVE_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub public_url: Option<String>,

    /// Where to keep what survives a restart: a folder, or `none` to keep everything in memory
    #[arg(
        long,
        env = "GOLIVE_DATA",
        value_name = "FOLDER|none",
        default_value = "golive-data"
    )]
    pub data: Data,

    /// Only who presents this secret may create rooms [default: everybody may]
    #[arg(
        long,
        env = "GOLIVE_CREATE_TOKEN",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub create_token: Option<Token>,

    /// Whether to serve clients of 2016
    #[arg(
        long,
        env = "GOLIVE_LEGACY",
        value_name = "SWITCH",
        default_value = "on"
    )]
    pub legacy: Switch,

    /// How long a room waits for a publisher that was lost
    #[arg(
        long,
        env = "GOLIVE_GRACE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 15
    )]
    pub grace_seconds: u32,

    /// How long to go on serving after the signal to stop, while /healthz answers 503: time for a load
    /// balancer to notice
    #[arg(
        long,
        env = "GOLIVE_DRAIN_SECONDS",
        value_name = "SECONDS",
        default_value_t = 0
    )]
    pub drain_seconds: u32,

    /// Most rooms
    #[arg(
        long,
        env = "GOLIVE_MAX_ROOMS",
        value_name = "COUNT",
        default_value_t = 1_000
    )]
    pub max_rooms: usize,

    /// Most viewers in all rooms
    #[arg(
        long,
        env = "GOLIVE_MAX_VIEWERS",
        value_name = "COUNT",
        default_value_t = 2_000
    )]
    pub max_viewers: usize,

    /// Most viewers in one room
    #[arg(
        long,
        env = "GOLIVE_MAX_VIEWERS_PER_ROOM",
        value_name = "COUNT",
        default_value_t = 1_000
    )]
    pub max_viewers_per_room: usize,

    /// An origin whose pages may use the sockets and the API as our own do, such as https://friend.example,
    /// or * for all; may be repeated
    #[arg(
        long = "allowed-origin",
        env = "GOLIVE_ALLOWED_ORIGIN",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub allowed_origins: Vec<String>,

    /// Most publishers in all rooms
    #[arg(
        long,
        env = "GOLIVE_MAX_PUBLISHERS",
        value_name = "COUNT",
        default_value_t = 200
    )]
    pub max_publishers: usize,

    /// Most that a publisher may send, in kbit/s; one that sends more for several seconds is ended. 0 is any
    #[arg(
        long,
        env = "GOLIVE_MAX_BITRATE",
        value_name = "KBIT",
        default_value_t = 50_000
    )]
    pub max_bitrate: u64,

    /// TLS.
    #[command(flatten)]
    pub tls: TlsFlags,

    /// Limits for strangers.
    #[command(flatten)]
    pub strangers: LimitFlags,

    /// What to log: a level, or levels per part (`info,golive::web=debug`); libraries say no more than debug
    #[arg(
        long,
        env = "GOLIVE_LOG",
        value_name = "FILTER",
        default_value = "info,memory_serve=warn,webrtc=off,rtc=off,rtc_ice=off"
    )]
    pub log: String,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// A secret that was given to the program. `Debug` does not tell it.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Whether `presented` is the secret; takes equally long whatever it is.
    #[must_use]
    pub fn is(&self, presented: &str) -> bool {
        secret::same(&self.0, presented)
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// A public address is neither an IP address nor a name that can be looked up.
#[derive(Debug, thiserror::Error)]
#[error("--public-address {name} could not be looked up ({source}): please check the name.")]
pub struct UnknownAddress {
    name: String,
    source: io::Error,
}

impl Config {
    /// What the registry of rooms needs to know.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            rooms: self.max_rooms,
            viewers: self.max_viewers,
            viewers_per_room: self.max_viewers_per_room,
            publishers: self.max_publishers,
            bitrate: (self.max_bitrate > 0).then_some(self.max_bitrate * 1_000),
            grace: Duration::from_secs(self.grace_seconds.into()),
        }
    }

    /// Looks up the names among the public addresses.
    ///
    /// # Errors
    /// [`UnknownAddress`].
    pub async fn resolve_public_addresses(&self) -> Result<Vec<IpAddr>, UnknownAddress> {
        let mut addresses = Vec::new();
        for name in &self.public_addresses {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found = found.map_err(|source| UnknownAddress {
                name: name.clone(),
                source,
            })?;
            for address in found.map(|address| address.ip()) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Ok(addresses)
    }
}

fn public_url(text: &str) -> Result<String, &'static str> {
    let is_http = ["http://", "https://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    if !is_http {
        return Err("it has to begin with http:// or https://");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Config {
        Config::try_parse_from([&["golive"], flags].concat()).unwrap()
    }

    #[test]
    fn without_flags_everything_has_its_default() {
        let config = parse(&[]);
        assert_eq!(config.http.to_string(), "[::]:3000");
        assert_eq!(config.rtmp.to_string(), "[::]:1935");
        assert_eq!(config.webrtc.to_string(), "[::]:8189");
        assert_eq!(config.legacy, Switch::On);
        assert_eq!(config.limits().grace, Duration::from_secs(15));
    }

    #[test]
    fn debug_output_does_not_tell_the_token() {
        let config = parse(&["--create-token", "hunter2"]);
        assert!(
            config
                .create_token
                .as_ref()
                .is_some_and(|token| token.is("hunter2"))
        );
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_public_url_is_kept_without_the_slash_at_its_end() {
        let config = parse(&["--public-url", "https://live.example/"]);
        assert_eq!(config.public_url.as_deref(), Some("https://live.example"));
        assert!(Config::try_parse_from(["golive", "--public-url", "live.example"]).is_err());
    }

    #[tokio::test]
    async fn public_addresses_are_looked_up_and_joined() {
        let flags = [
            "--public-address",
            "192.0.2.1",
            "--public-address",
            "192.0.2.1,2001:db8::1",
        ];
        let addresses = parse(&flags).resolve_public_addresses().await.unwrap();
        let expected: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        assert_eq!(addresses, expected);
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_named() {
        let config = parse(&["--public-address", "no such name"]);
        let error = config.resolve_public_addresses().await.unwrap_err();
        assert!(error.to_string().contains("no such name"));
    }
}
