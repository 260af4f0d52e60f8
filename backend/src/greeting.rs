//! What the program says when it starts: what is reachable where.

use std::net::{IpAddr, SocketAddr};

use qrcodegen::{QrCode, QrCodeEcc};

use crate::app::App;
use crate::names::addresses;
use crate::store::data::Data;

/// One line for each listener, and one for what is kept. `public_url` is where people are told to go.
pub fn greet(app: &App, public_url: Option<&str>) {
    let here = clickable(app.http(), app.is_https());
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

/// What people on the same network type, and for their phones a code to scan. For the terminal rather than
/// the log.
pub fn invite(app: &App) -> String {
    let bound = app.http();
    let ips = if bound.ip().is_unspecified() {
        addresses()
    } else {
        vec![bound.ip()]
    };
    let urls: Vec<_> = ips
        .iter()
        .filter(|ip| !ip.is_loopback() || ips.len() == 1)
        .map(|ip| format!("https://{}", SocketAddr::new(*ip, bound.port())))
        .collect();
    let mut out =
        String::from("\nOn this network, after a warning that the browser does not know us:\n\n");
    for url in &urls {
        out.push_str(&format!("  {url}\n"));
    }
    if let Some(code) = urls.first().and_then(|url| code(url)) {
        out.push_str(&format!("\n{code}"));
    }
    out
}

/// A QR code of half blocks, light on dark as terminals are; two modules in each character.
fn code(text: &str) -> Option<String> {
    /// What readers need around it (ISO/IEC 18004 section 6.3.8 has 4; they take 2 on a dark screen).
    const QUIET: i32 = 2;
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let range = -QUIET..code.size() + QUIET;
    let mut out = String::new();
    for y in range.clone().step_by(2) {
        out.push_str("  ");
        for x in range.clone() {
            // What lies outside the code is light.
            out.push(match (code.get_module(x, y), code.get_module(x, y + 1)) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            });
        }
        out.push('\n');
    }
    Some(out)
}

/// An address that a person can click.
fn clickable(address: SocketAddr, is_https: bool) -> String {
    let scheme = if is_https { "https" } else { "http" };
    format!("{scheme}://{}", reachable(address))
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
            let any = any.parse().unwrap();
            assert_eq!(clickable(any, false), "http://localhost:3000");
        }
        assert_eq!(
            clickable("192.0.2.1:443".parse().unwrap(), true),
            "https://192.0.2.1:443"
        );
    }

    #[test]
    fn a_code_is_two_modules_high_in_each_line() {
        let code = code("https://192.0.2.1:3000").unwrap();
        let widths: Vec<_> = code.lines().map(|line| line.chars().count()).collect();
        // 25 modules and 2 light ones at each side, behind 2 spaces.
        assert_eq!(widths, [2 + 29; 15]);
    }
}
