//! The sockets of the shared port.

use std::io;
use std::net::SocketAddr;

use socket2::{Socket, Type};
use tokio::net::TcpListener;

use crate::tcp::{listen as listen_tcp, socket as open_socket};

/// What the kernel may hold for us; a burst of keyframes to many viewers has to fit.
const SOCKET_BUFFER: usize = 8 << 20;

/// A UDP socket and a TCP listener on the same port. With port 0 the kernel picks one for UDP that may be
/// taken for TCP: then it picks again.
pub(super) fn bind_pair(listen: SocketAddr) -> io::Result<(Socket, TcpListener)> {
    let mut attempts = if listen.port() == 0 { 16 } else { 1 };
    loop {
        attempts -= 1;
        let socket = udp_socket(listen)?;
        socket.bind(&listen.into())?;
        match listen_tcp(address(&socket)?) {
            Ok(listener) => {
                check_buffers(&socket);
                return Ok((socket, listener));
            }
            Err(error) if attempts == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// More sockets on the port of the first one, `count` with it. The first one had the port for itself: no
/// other program can have it.
#[cfg(target_os = "linux")]
pub(super) fn bind_beside(first: &Socket, count: usize) -> io::Result<Vec<Socket>> {
    first.set_reuse_port(true)?;
    let listen = address(first)?;
    let bind = |_| {
        let socket = udp_socket(listen)?;
        socket.set_reuse_port(true)?;
        socket.bind(&listen.into())?;
        Ok(socket)
    };
    (1..count).map(bind).collect()
}

/// Elsewhere all that comes would come to one of them.
#[cfg(not(target_os = "linux"))]
pub(super) fn bind_beside(_: &Socket, _: usize) -> io::Result<Vec<Socket>> {
    Ok(Vec::new())
}

fn udp_socket(listen: SocketAddr) -> io::Result<Socket> {
    let socket = open_socket(listen, Type::DGRAM)?;
    // The kernel grants what its limits allow: see `check_buffers`.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    Ok(socket)
}

fn address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    address.ok_or_else(|| io::Error::other("the socket has no internet address"))
}

/// Small buffers are no reason not to start, but to say so.
fn check_buffers(socket: &Socket) {
    for (granted, sysctl) in [
        (socket.recv_buffer_size(), "net.core.rmem_max"),
        (socket.send_buffer_size(), "net.core.wmem_max"),
    ] {
        // Linux tells twice what is usable.
        let granted = granted.unwrap_or_default() / 2;
        if granted < SOCKET_BUFFER {
            tracing::warn!(
                granted,
                wanted = SOCKET_BUFFER,
                "small buffers for WebRTC: with many viewers raise {sysctl} to {SOCKET_BUFFER}"
            );
        }
    }
}

/// Has the kernel tell nothing of a datagram that is not asked here: when it came, what it was sent to, how it
/// was marked. For the first it would look at its clock with every packet of the machine.
#[cfg(target_os = "linux")]
pub(super) fn tell_less(socket: &Socket) {
    use nix::sys::socket::setsockopt;
    use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo, ReceiveTimestampns};

    // Whatever is refused costs a little.
    let _ = setsockopt(socket, ReceiveTimestampns, &false);
    let _ = setsockopt(socket, Ipv4PacketInfo, &false);
    let _ = setsockopt(socket, Ipv6RecvPacketInfo, &false);
    let _ = socket.set_recv_tos_v4(false);
    let _ = socket.set_recv_tclass_v6(false);
}

/// See the one for Linux.
#[cfg(not(target_os = "linux"))]
pub(super) const fn tell_less(_: &Socket) {}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use nix::sys::socket::getsockopt;
    use nix::sys::socket::sockopt::{Ipv4PacketInfo, ReceiveTimestampns};

    use super::super::Mux;

    #[tokio::test]
    async fn the_kernel_looks_at_no_clock_for_us() {
        let listen = "127.0.0.1:0".parse().unwrap();
        let crypto = rtc::crypto::default_provider().unwrap();
        let (mux, _) = Mux::bind(listen, crypto, 1).unwrap();
        let socket = &*mux.socket(0).socket;
        assert_eq!(getsockopt(socket, ReceiveTimestampns), Ok(false));
        assert_eq!(getsockopt(socket, Ipv4PacketInfo), Ok(false));
    }
}
