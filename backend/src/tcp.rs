//! What all ports have in common, and all connections over TCP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// How long a peer may take nothing of what is sent to it.
pub(crate) const STUCK: Duration = Duration::from_secs(15);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// A socket for this address that does not block. `[::]` takes IPv4 too, whatever the system's default is.
pub(crate) fn socket(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Opens a TCP port.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM)?;
    // A restart need not wait for the last connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What `[::]`, all addresses, means on this machine: without IPv6, all of IPv4.
pub(crate) fn all_there_are(address: SocketAddr) -> SocketAddr {
    let has_ipv6 = || Socket::new(Domain::IPV6, Type::STREAM, None).is_ok();
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !has_ipv6() {
        SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port())
    } else {
        address
    }
}

/// On a port for both, IPv4 addresses come as IPv6 addresses (RFC 4291 section 2.5.5.2).
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Has the system cut the connection when the peer takes nothing for as long as [`STUCK`], be it gone or
/// merely not reading (RFC 5482). Nothing needs a timer of its own for that.
pub(crate) fn give_up_on_stuck_peers(stream: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_user_timeout(Some(STUCK))?;
    Ok(())
}
