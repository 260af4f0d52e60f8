//! One who watches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use parking_lot::Mutex;
use shared::sdp::with_ptime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::gaps::Gaps;
use super::peer::{AUDIO, Event, Identity, Peer, VIDEO};
use super::session::{Endpoint, Session};

/// Time until the first packet has to be there.
const JOIN: Duration = Duration::from_secs(20);

/// What a viewer has received.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    /// Decrypted media packets, without those that came twice.
    pub packets: u64,
    /// Pictures whose last packet came.
    pub pictures: u64,
    video: Gaps,
    audio: Gaps,
}

impl Reception {
    fn receive(&mut self, packet: &rtc::rtp::Packet) {
        let header = &packet.header;
        let (gaps, is_video) = match header.payload_type {
            payload_type if payload_type == VIDEO.payload_type => (&mut self.video, true),
            payload_type if payload_type == AUDIO.payload_type => (&mut self.audio, false),
            _ => return,
        };
        if gaps.receive(header.sequence_number) {
            self.packets += 1;
            self.pictures += u64::from(is_video && header.marker);
        }
    }

    /// Packets that were sent to this viewer and never came, not even after it asked again.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.video.missing() + self.audio.missing()
    }
}

/// A viewer by WHEP.
pub struct Viewer {
    /// From the offer to the first packet of media.
    pub join_time: Duration,
    session: Session,
    reception: Arc<Mutex<Reception>>,
    task: JoinHandle<()>,
}

impl Viewer {
    /// Watches the room of the endpoint. One that skims only reads the headers after its first packet.
    ///
    /// # Errors
    /// The server refused, or no media came.
    pub async fn join(endpoint: &Endpoint, identity: &Identity, skims: bool) -> Result<Self> {
        let mut peer = Peer::viewer(identity).await?;
        let offer = with_ptime(&peer.offer()?);
        let posted = Instant::now();
        let (session, answer) = endpoint.open(offer).await?;
        peer.accept(answer)?;
        let reception = Arc::<Mutex<Reception>>::default();
        let first = timeout(JOIN, first_packet(&mut peer)).await;
        match first.context("no media came in time").flatten() {
            Ok(packet) => reception.lock().receive(&packet),
            Err(error) => {
                session.close().await?;
                return Err(error);
            }
        }
        let join_time = posted.elapsed();
        if skims {
            peer.skim();
        }
        let task = tokio::spawn(watch(peer, Arc::clone(&reception)));
        Ok(Self {
            join_time,
            session,
            reception,
            task,
        })
    }

    /// What has come so far.
    #[must_use]
    pub fn reception(&self) -> Reception {
        self.reception.lock().clone()
    }

    /// Goes, and says so. Answers whether the server thought that the viewer was still there.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn leave(self) -> Result<bool> {
        let closed = self.session.close().await;
        self.task.abort();
        closed
    }
}

async fn first_packet(peer: &mut Peer) -> Result<rtc::rtp::Packet> {
    loop {
        if let Event::Media(packet) = peer.event().await? {
            return Ok(packet);
        }
    }
}

/// Counts until the connection is over.
async fn watch(mut peer: Peer, reception: Arc<Mutex<Reception>>) {
    while let Ok(event) = peer.event().await {
        if let Event::Media(packet) = event {
            reception.lock().receive(&packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use rtc::rtp::{Header, Packet};

    use super::*;

    fn packet(payload_type: u8, sequence_number: u16, marker: bool) -> Packet {
        let header = Header {
            payload_type,
            sequence_number,
            marker,
            ..Default::default()
        };
        Packet {
            header,
            ..Default::default()
        }
    }

    #[test]
    fn pictures_are_counted_by_their_last_packet() {
        let mut reception = Reception::default();
        for (sequence, marker) in [(1, false), (2, true), (3, true)] {
            reception.receive(&packet(VIDEO.payload_type, sequence, marker));
        }
        reception.receive(&packet(AUDIO.payload_type, 1, true));
        assert_eq!((reception.packets, reception.pictures), (4, 2));
    }

    #[test]
    fn a_packet_that_comes_twice_counts_once() {
        let mut reception = Reception::default();
        for sequence in [1, 2, 2, 3] {
            reception.receive(&packet(VIDEO.payload_type, sequence, true));
        }
        assert_eq!((reception.packets, reception.pictures), (3, 3));
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn each_stream_has_its_own_gaps() {
        let mut reception = Reception::default();
        for sequence in [1, 3] {
            reception.receive(&packet(VIDEO.payload_type, sequence, true));
        }
        for sequence in [100, 101, 104] {
            reception.receive(&packet(AUDIO.payload_type, sequence, false));
        }
        assert_eq!(reception.lost(), 3);
    }
}
