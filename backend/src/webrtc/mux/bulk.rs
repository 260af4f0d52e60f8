//! Several peers' packets in one call (`sendmmsg`).

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};
use socket2::Socket;

/// What the kernel is told, kept from one call to the next.
pub(in super::super) struct Bulk {
    headers: MultiHeaders<SockaddrStorage>,
}

impl fmt::Debug for Bulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bulk")
    }
}

impl Bulk {
    /// For so many peers at a time.
    pub(in super::super) fn new(peers: usize) -> Self {
        Self {
            headers: MultiHeaders::preallocate(peers, Some(cmsg_space!(u16))),
        }
    }

    /// Sends to each peer its run of packets, all of them `segment` bytes long but the last of each, which may
    /// be shorter (`UDP_SEGMENT`). Says how many peers' were taken: the first ones'.
    ///
    /// # Errors
    /// Why not even the first one's were.
    pub(super) fn send(
        &mut self,
        socket: &Socket,
        segment: u16,
        runs: &[(&[u8], SocketAddr)],
    ) -> io::Result<usize> {
        let slices: Vec<_> = runs.iter().map(|(run, _)| [IoSlice::new(run)]).collect();
        let to: Vec<_> = runs.iter().map(|(_, to)| Some((*to).into())).collect();
        let control = [ControlMessage::UdpGsoSegments(&segment)];
        let sent = sendmmsg(
            socket.as_raw_fd(),
            &mut self.headers,
            &slices,
            to,
            control,
            MsgFlags::empty(),
        )?;
        Ok(sent.count())
    }
}
