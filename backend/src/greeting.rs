//! What the program says when it starts: what is reachable where.

use std::net::{IpAddr, SocketAddr};

use crate::app::App;
use crate::store::data::Data;

/// One line for each listener, and one for what is kept. `public_url` is where people are told to go.
pub fn greet(app: &App, public_url: Option<&str>) {
    let here = clickable(app.http());
    let elsewhere = public_url.map_or_else(String::new, |url| format!(", {url} from elsewhere"));
    tracing::info!(
        "page, API, WHIP, WHEP, HTTP-FLV, Socket.IO: {here} from this machine{elsewhere}"
    );

    tracing::info!(
        "RTMP to publish and play: rtmp://{}/live",
        reachable(app.rtmp())
    );

    match app.data() {
        Data::Folder(folder) => {
            let folder = folder.display();
            tracing::info!("rooms, comments and likes are kept in {folder}");
        }
        Data::Memory => {
            tracing::info!("rooms, comments and likes end with this program: --data is none");
        }
    }

    let (local, advertised) = (app.webrtc().local_addr(), app.webrtc().advertised());
    let addresses: Vec<_> = advertised.iter().map(SocketAddr::to_string).collect();
    let addresses = addresses.join(", ");
    tracing::info!("WebRTC over UDP and TCP: {local}, advertised as {addresses}");
    if advertised.iter().all(|address| is_local(address.ip())) {
        tracing::info!(
            "viewers outside this network need an address they can reach: --public-address"
        );
    }
}

/// Whether only this machine or its network reaches an address (RFC 1918, RFC 4193, RFC 3927).
const fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// An address that a person can click.
fn clickable(address: SocketAddr) -> String {
    format!("http://{}", reachable(address))
}

/// How this machine reaches a port of its own.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_open_network_is_not_local() {
        for local in [
            "127.0.0.1",
            "192.168.1.5",
            "10.0.0.1",
            "169.254.0.1",
            "::1",
            "fd00::1",
        ] {
            assert!(is_local(local.parse().unwrap()), "{local}");
        }
        for open in ["203.0.113.7", "2001:db8::1"] {
            assert!(!is_local(open.parse().unwrap()), "{open}");
        }
    }

    #[test]
    fn any_address_of_this_machine_can_be_clicked_as_localhost() {
        for any in ["0.0.0.0:3000", "[::]:3000", "127.0.0.1:3000"] {
            assert_eq!(clickable(any.parse().unwrap()), "http://localhost:3000");
        }
        assert_eq!(
            clickable("192.0.2.1:80".parse().unwrap()),
            "http://192.0.2.1:80"
        );
    }
}
