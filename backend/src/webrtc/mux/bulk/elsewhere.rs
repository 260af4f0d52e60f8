//! Where each peer takes a call of its own.

use std::io;
use std::net::SocketAddr;

use socket2::Socket;

/// See the one for Linux.
#[derive(Debug)]
pub(in super::super) struct Bulk;

impl Bulk {
    /// For so many peers at a time.
    pub(in super::super) const fn new(_: usize) -> Self {
        Self
    }

    /// Takes nothing.
    ///
    /// # Errors
    /// Always.
    pub(super) fn send(
        &mut self,
        _: &Socket,
        _: u16,
        _: &[(&[u8], SocketAddr)],
    ) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
