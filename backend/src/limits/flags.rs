//! What the program is told about limits per address and per person.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;
use shared::limits::{COMMENT_RATE, GIFT_RATE, LIKE_RATE, SOCKET_MESSAGE_BYTES};

use super::people::{People, per_minute};
use super::{Places, Rates, Strangers};

/// Flags about limits for strangers.
#[derive(Args, Clone, Debug)]
pub struct LimitFlags {
    /// A proxy in front of this server, or a network of them, whose X-Forwarded-For and X-Forwarded-Proto
    /// are believed; may be repeated
    #[arg(
        long = "trusted-proxy",
        env = "GOLIVE_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ',',
        value_parser = network,
        default_value = "127.0.0.0/8,::1/128"
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// Most HTTP connections
    #[arg(
        long,
        env = "GOLIVE_MAX_CONNECTIONS",
        value_name = "COUNT",
        default_value_t = 10_000
    )]
    pub max_connections: usize,

    /// Most HTTP connections from one address; trusted proxies may have any number
    #[arg(
        long,
        env = "GOLIVE_MAX_CONNECTIONS_PER_ADDRESS",
        value_name = "COUNT",
        default_value_t = 256
    )]
    pub max_connections_per_address: usize,

    /// Most RTMP connections
    #[arg(
        long,
        env = "GOLIVE_MAX_RTMP_CONNECTIONS",
        value_name = "COUNT",
        default_value_t = 4_000
    )]
    pub max_rtmp_connections: usize,

    /// Most RTMP connections from one address
    #[arg(
        long,
        env = "GOLIVE_MAX_RTMP_CONNECTIONS_PER_ADDRESS",
        value_name = "COUNT",
        default_value_t = 1_000
    )]
    pub max_rtmp_connections_per_address: usize,

    /// Rooms that one address may make in a minute; 0 is any number, here and below
    #[arg(
        long,
        env = "GOLIVE_ROOMS_PER_MINUTE",
        value_name = "COUNT",
        default_value_t = 60
    )]
    pub rooms_per_minute: u32,

    /// Times that one address may try to publish or to watch by WebRTC in a minute
    #[arg(
        long,
        env = "GOLIVE_SESSIONS_PER_MINUTE",
        value_name = "COUNT",
        default_value_t = 600
    )]
    pub sessions_per_minute: u32,

    /// Wrong secrets that one address may present in a minute
    #[arg(
        long,
        env = "GOLIVE_WRONG_SECRETS_PER_MINUTE",
        value_name = "COUNT",
        default_value_t = 30
    )]
    pub wrong_secrets_per_minute: u32,

    /// Comments that one address may write in a minute, in all rooms together
    #[arg(
        long,
        env = "GOLIVE_COMMENTS_PER_MINUTE",
        value_name = "COUNT",
        default_value_t = 300
    )]
    pub comments_per_minute: u32,

    /// Most pages that one address may have open at once, as far as they need a connection for the chat
    #[arg(
        long,
        env = "GOLIVE_MAX_SOCKETS_PER_ADDRESS",
        value_name = "COUNT",
        default_value_t = 200
    )]
    pub max_sockets_per_address: usize,

    /// Comments that one person may write in a minute, five of them at once
    #[arg(
        long,
        env = "GOLIVE_PERSON_COMMENTS_PER_MINUTE",
        value_name = "COUNT",
        default_value_t = 30
    )]
    pub person_comments_per_minute: u32,

    /// Likes that one person may give in a minute
    #[arg(
        long,
        env = "GOLIVE_PERSON_LIKES_PER_MINUTE",
        value_name = "COUNT",
        default_value_t = 900
    )]
    pub person_likes_per_minute: u32,

    /// Times that one person may give something in a minute
    #[arg(
        long,
        env = "GOLIVE_PERSON_GIFTS_PER_MINUTE",
        value_name = "COUNT",
        default_value_t = 120
    )]
    pub person_gifts_per_minute: u32,

    /// Largest message that a page may send over its socket
    #[arg(
        long,
        env = "GOLIVE_MAX_MESSAGE_BYTES",
        value_name = "BYTES",
        default_value_t = SOCKET_MESSAGE_BYTES
    )]
    pub max_message_bytes: usize,

    /// Largest body of an HTTP request; offers of WebRTC have some 10000 bytes
    #[arg(
        long,
        env = "GOLIVE_MAX_BODY_BYTES",
        value_name = "BYTES",
        default_value_t = 65_536
    )]
    pub max_body_bytes: usize,

    /// How long an HTTP request may take to arrive and to be answered. Players of HLS and pages that poll wait
    /// half a minute on purpose
    #[arg(
        long,
        env = "GOLIVE_REQUEST_SECONDS",
        value_name = "SECONDS",
        default_value_t = 60
    )]
    pub request_seconds: u32,

    /// After how long without picture and sound an RTMP publisher is lost
    #[arg(
        long,
        env = "GOLIVE_SILENCE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 10
    )]
    pub silence_seconds: u32,
}

impl LimitFlags {
    /// What one person may do.
    #[must_use]
    pub fn people(&self) -> People {
        let seconds = |count: u32| Duration::from_secs(count.into());
        People {
            comments: per_minute(self.person_comments_per_minute, COMMENT_RATE),
            likes: per_minute(self.person_likes_per_minute, LIKE_RATE),
            gifts: per_minute(self.person_gifts_per_minute, GIFT_RATE),
            message_bytes: self.max_message_bytes,
            body_bytes: self.max_body_bytes,
            request: seconds(self.request_seconds),
            silence: seconds(self.silence_seconds),
        }
    }

    /// What is counted for each address, nothing yet.
    #[must_use]
    pub fn strangers(&self) -> Strangers {
        Strangers {
            rooms: Rates::per_minute(self.rooms_per_minute),
            sessions: Rates::per_minute(self.sessions_per_minute),
            wrong_secrets: Rates::per_minute(self.wrong_secrets_per_minute),
            // In all there are no more than HTTP connections, or polls of them.
            sockets: Places::new(usize::MAX, self.max_sockets_per_address),
            comments: Rates::per_minute(self.comments_per_minute),
            proxies: self.trusted_proxies.clone(),
        }
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.ok_or("it has to be an address such as 10.0.0.1 or a network such as 10.0.0.0/8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        limits: LimitFlags,
    }

    #[test]
    fn addresses_of_this_machine_and_of_proxies_tell_nobody_apart() {
        use clap::Parser;

        let program = Program::parse_from(["golive", "--trusted-proxy", "10.0.0.0/8"]);
        let strangers = program.limits.strangers();
        let tells = |ip: &str| strangers.neighbour(ip.parse().unwrap()).is_some();
        assert!(tells("192.0.2.7") && tells("2001:db8::7"));
        for shared in [
            "127.0.0.1",
            "127.3.2.1",
            "::1",
            "10.1.2.3",
            "::ffff:10.1.2.3",
        ] {
            assert!(!tells(shared), "{shared}");
        }
    }

    #[test]
    fn an_address_is_a_network_of_one() {
        assert_eq!(network("10.0.0.1").unwrap().to_string(), "10.0.0.1/32");
        assert_eq!(
            network("2001:db8::/32").unwrap().to_string(),
            "2001:db8::/32"
        );
        assert!(network("proxy.example").is_err());
    }
}
