//! The registry of watching sessions, whatever their protocol. Viewer counts come from it alone.

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use shared::room::Room;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::metrics::METRICS;

/// The viewers of one room.
#[derive(Debug)]
pub struct Viewers {
    view: Arc<watch::Sender<Room>>,
    everywhere: Arc<Semaphore>,
    here: Arc<Semaphore>,
}

/// No more viewers are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The room has as many as it may have.
    #[error("This room is full: please try again in a moment.")]
    Room,
    /// The server has as many as it may have.
    #[error("This server has as many viewers as it can serve: please try again in a moment.")]
    Server,
}

/// A place for a viewer that is still connecting; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    view: Arc<watch::Sender<Room>>,
    protocol: Protocol,
    _everywhere: OwnedSemaphorePermit,
    _here: OwnedSemaphorePermit,
}

/// Somebody who watches; counted until dropped.
#[derive(Debug)]
pub struct Viewer(Seat);

impl Viewers {
    /// Nobody yet. Counts are kept in `view`; `everywhere` is shared by all rooms.
    #[must_use]
    pub fn new(view: Arc<watch::Sender<Room>>, everywhere: Arc<Semaphore>, here: usize) -> Self {
        Self {
            view,
            everywhere,
            here: Arc::new(Semaphore::new(here)),
        }
    }

    /// Takes a seat.
    ///
    /// # Errors
    /// [`Full`].
    pub fn admit(&self) -> Result<Seat, Full> {
        let here = Arc::clone(&self.here)
            .try_acquire_owned()
            .map_err(|_| Full::Room)?;
        let everywhere = Arc::clone(&self.everywhere)
            .try_acquire_owned()
            .map_err(|_| Full::Server)?;
        Ok(Seat {
            view: Arc::clone(&self.view),
            protocol: Protocol::Other,
            _everywhere: everywhere,
            _here: here,
        })
    }
}

/// What a viewer watches by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// WebRTC.
    Whep,
    /// Low-latency HLS.
    Hls,
    /// RTMP.
    Rtmp,
    /// HTTP-FLV.
    Flv,
    /// Nobody has said.
    Other,
}

impl Protocol {
    const fn name(self) -> &'static str {
        match self {
            Self::Whep => "whep",
            Self::Hls => "hls",
            Self::Rtmp => "rtmp",
            Self::Flv => "flv",
            Self::Other => "other",
        }
    }

    fn gauge(self) -> Gauge {
        METRICS
            .viewers
            .get_or_create(&[("protocol", self.name())])
            .clone()
    }
}

impl Seat {
    /// Says what the viewer watches by.
    #[must_use]
    pub fn by(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// The viewer has arrived: counts from now on.
    #[must_use]
    pub fn watching(self) -> Viewer {
        self.view.send_modify(|room| {
            room.viewers += 1;
            room.peak_viewers = room.peak_viewers.max(room.viewers);
        });
        self.protocol.gauge().inc();
        Viewer(self)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.protocol.gauge().dec();
        self.0
            .view
            .send_modify(|room| room.viewers = room.viewers.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use shared::room::RoomState;

    use super::*;

    fn viewers(everywhere: &Arc<Semaphore>, here: usize) -> Viewers {
        let room = Room {
            key: "r".parse().unwrap(),
            title: "r".into(),
            state: RoomState::Live,
            viewers: 0,
            peak_viewers: 0,
            likes: 0,
            created_at: 0,
            started_at: None,
            ingest: None,
            webrtc: true,
        };
        Viewers::new(
            Arc::new(watch::Sender::new(room)),
            Arc::clone(everywhere),
            here,
        )
    }

    fn counts(viewers: &Viewers) -> (u32, u32) {
        let room = viewers.view.borrow();
        (room.viewers, room.peak_viewers)
    }

    #[test]
    fn a_viewer_counts_from_arrival_to_departure_and_the_peak_stays() {
        let viewers = viewers(&Arc::new(Semaphore::new(9)), 9);
        let seat = viewers.admit().unwrap();
        assert_eq!(counts(&viewers), (0, 0));
        let (one, two) = (seat.watching(), viewers.admit().unwrap().watching());
        assert_eq!(counts(&viewers), (2, 2));
        drop((one, two));
        assert_eq!(counts(&viewers), (0, 2));
    }

    #[test]
    fn a_full_room_takes_nobody_until_somebody_leaves() {
        let viewers = viewers(&Arc::new(Semaphore::new(9)), 1);
        let seat = viewers.admit().unwrap();
        assert_eq!(viewers.admit().unwrap_err(), Full::Room);
        drop(seat);
        assert!(viewers.admit().is_ok());
    }

    #[test]
    fn a_full_server_takes_nobody_in_any_room() {
        let everywhere = Arc::new(Semaphore::new(1));
        let (a, b) = (viewers(&everywhere, 9), viewers(&everywhere, 9));
        let _viewer = a.admit().unwrap().watching();
        assert_eq!(b.admit().unwrap_err(), Full::Server);
    }
}
