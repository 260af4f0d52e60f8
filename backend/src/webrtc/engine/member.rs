//! One viewer in a hall: where it is in the feed, and how what it is sent leaves.

use std::net::SocketAddr;

use tracing::Span;

use super::batch::Parcel;
use super::connection::Connection;
use super::load::Share;
use super::outlet::Outlet;
use super::starting::Starting;
use super::transport::Path;
use super::viewer::Viewer;
use crate::media::formats::Formats;
use crate::media::stage::Tracks;
use crate::webrtc::feed::Feed;
use crate::webrtc::mux::Registration;
use crate::webrtc::seats::Seat;
use crate::webrtc::session::{End, Reporter};

/// Somebody who comes.
pub(super) struct Join {
    pub(super) id: u64,
    pub(super) viewer: Viewer,
    /// Tracks that the viewer would take but the room did not have when it came.
    pub(super) missing: Tracks,
    pub(super) reporter: Reporter,
    pub(super) registration: Registration,
    /// The session's, for the log.
    pub(super) span: Span,
}

/// A viewer with its place in the feed and its ways out.
pub(super) struct Member {
    pub(super) viewer: Viewer,
    pub(super) play: Play,
    /// Number of the newest burst it was sent.
    pub(super) last: u64,
    pub(super) connections: Vec<Connection>,
    missing: Tracks,
    pub(super) reporter: Reporter,
    /// The session's, for the log.
    pub(super) span: Span,
    _registration: Registration,
    _share: Share,
    _seat: Seat,
}

/// How a viewer reads the feed.
pub(super) enum Play {
    /// It shakes hands.
    Connecting,
    /// At its own place, which comes nearer to the newest.
    Starting(Box<Starting>),
    /// It is sent what is sent to all.
    Live,
}

/// A connection is too far behind to take more.
#[derive(Debug)]
pub(super) struct Behind;

impl Member {
    pub(super) fn new(join: Join, share: Share, feed: &Feed) -> Self {
        let seat = feed.seats().take(join.viewer.takes_pairs());
        Self {
            viewer: join.viewer,
            play: Play::Connecting,
            last: 0,
            connections: Vec::new(),
            missing: join.missing,
            reporter: join.reporter,
            span: join.span,
            _registration: join.registration,
            _share: share,
            _seat: seat,
        }
    }

    /// Whether the room has become what this session cannot show.
    pub(super) fn outgrown(&self, formats: &Formats) -> Option<End> {
        let missing = self.missing;
        if let Some(obstacle) = formats.obstacle()
            && self.viewer.has_video()
        {
            return Some(End::Unshowable(obstacle));
        }
        let appears = (missing.video && formats.video.is_some())
            || (missing.audio && formats.audio.is_some());
        appears.then(|| {
            self.span.in_scope(|| {
                tracing::debug!("the room has a new track: the viewer has to come again");
            });
            End::Lost
        })
    }

    /// Sends what the viewer's transport has to say.
    pub(super) fn flush(&mut self, outlet: &Outlet) {
        while let Some((path, datagram)) = self.viewer.poll_transmit() {
            self.send_along(path, &datagram, outlet);
        }
    }

    /// Sends one datagram to where media goes.
    pub(super) fn send_one(&self, datagram: &[u8], outlet: &Outlet) {
        if let Some(path) = self.viewer.path() {
            self.send_along(path, datagram, outlet);
        }
    }

    fn send_along(&self, path: Path, datagram: &[u8], outlet: &Outlet) {
        match path {
            Path::Udp(remote) => outlet.send_one(datagram, remote),
            Path::Tcp(remote) => {
                if let Some(connection) = self.connection(remote) {
                    connection.send_one(datagram);
                }
            }
        }
    }

    /// Sends packets if its way is a connection; else says where they have to be sent to, if anywhere.
    pub(super) fn address(&self, parcel: Parcel<'_>) -> Result<Option<SocketAddr>, Behind> {
        match self.viewer.path().filter(|_| !parcel.is_empty()) {
            Some(Path::Udp(remote)) => Ok(Some(remote)),
            Some(Path::Tcp(remote)) => match self.connection(remote) {
                Some(connection) if !connection.send(parcel) => Err(Behind),
                _ => Ok(None),
            },
            None => Ok(None),
        }
    }

    fn connection(&self, remote: SocketAddr) -> Option<&Connection> {
        self.connections
            .iter()
            .find(|connection| connection.remote == remote)
    }
}
