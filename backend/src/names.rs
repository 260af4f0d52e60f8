//! What this machine is called, and where it is reached.

use std::net::IpAddr;

/// This machine's addresses, loopback last, and without those that mean something on one cable only.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let interfaces = local_ip_address::list_afinet_netifas().unwrap_or_default();
    let mut addresses: Vec<_> = interfaces
        .into_iter()
        .map(|(_, ip)| ip)
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    addresses.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    addresses.dedup();
    addresses
}

/// Every name and address under which somebody may reach this machine: its own, and what the operator says.
pub(crate) fn of_this_machine(public: &[String], public_url: Option<&str>) -> Vec<String> {
    let host = gethostname::gethostname()
        .to_string_lossy()
        .to_ascii_lowercase();
    let mut names = vec!["localhost".to_owned()];
    if is_name(&host) {
        // How other devices of the network find it (RFC 6762).
        let local = (!host.contains('.')).then(|| format!("{host}.local"));
        names.push(host);
        names.extend(local);
    }
    names.extend(public_url.and_then(host_of));
    names.extend(public.iter().cloned());
    names.extend(addresses().iter().map(ToString::to_string));
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

/// Whether a certificate can be for this host name.
fn is_name(host: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !host.is_empty() && host.chars().all(allowed)
}

/// The host in an address, without its port and without the brackets of IPv6.
fn host_of(url: &str) -> Option<String> {
    let authority = url.split("://").nth(1)?.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address_has_no_port() {
        assert_eq!(
            host_of("https://Live.example:8443/x").unwrap(),
            "live.example"
        );
        assert_eq!(
            host_of("https://[2001:db8::1]:8443").unwrap(),
            "2001:db8::1"
        );
    }

    #[test]
    fn each_name_is_there_once() {
        let public = ["live.example".to_owned(), "127.0.0.1".to_owned()];
        let names = of_this_machine(&public, Some("https://live.example"));
        for name in ["localhost", "live.example", "127.0.0.1"] {
            assert_eq!(
                names.iter().filter(|it| *it == name).count(),
                1,
                "{names:?}"
            );
        }
    }
}
