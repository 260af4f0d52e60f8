//! What all connections over TCP have in common.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

/// How long a peer may take nothing of what is sent to it.
pub(crate) const STUCK: Duration = Duration::from_secs(15);

/// Has the system cut the connection when the peer takes nothing for as long as [`STUCK`], be it gone or
/// merely not reading (RFC 5482). Nothing needs a timer of its own for that.
pub(crate) fn give_up_on_stuck_peers(stream: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_user_timeout(Some(STUCK))?;
    Ok(())
}
