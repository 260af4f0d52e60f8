//! What the program is told about limits per address.

use std::net::IpAddr;

use clap::Args;
use ipnet::IpNet;

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

    #[test]
    fn an_address_is_a_network_of_one() {
        assert_eq!(network("10.0.0.1").unwrap().to_string(), "10.0.0.1/32");
        assert_eq!(network("2001:db8::/32").unwrap().to_string(), "2001:db8::/32");
        assert!(network("proxy.example").is_err());
    }
}
