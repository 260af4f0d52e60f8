//! Packets of one burst for several viewers, for which the kernel is asked once.

use std::net::SocketAddr;

use super::batch::{Appended, Batch, Mark, Parcel};
use crate::webrtc::mux::Bulk;

/// Viewers that are written for before the kernel is asked.
const TOGETHER: usize = 8;
/// And bytes, beyond which what was written first would have left the core's nearest caches.
const ENOUGH: usize = 96 * 1024;

/// Written for some viewers, and not sent yet.
pub(super) struct Volley {
    batch: Batch,
    letters: Vec<Letter>,
    bulk: Bulk,
}

/// Of one viewer.
#[derive(Clone, Copy, Debug)]
struct Letter {
    from: Mark,
    end: Mark,
    to: SocketAddr,
}

impl Volley {
    /// With nothing in it.
    pub(super) fn new() -> Self {
        Self {
            batch: Batch::default(),
            letters: Vec::with_capacity(TOGETHER),
            bulk: Bulk::new(TOGETHER),
        }
    }

    pub(super) fn clear(&mut self) {
        self.batch.clear();
        self.letters.clear();
    }

    /// Whether it should be sent before more is written.
    pub(super) fn is_full(&self) -> bool {
        self.letters.len() >= TOGETHER || self.batch.all().size().1 >= ENOUGH
    }

    /// Takes what `write` appends behind a mark for one viewer, if it says where that has to be sent to.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn add<E>(
        &mut self,
        write: impl FnOnce(&mut Batch, Mark) -> Result<Option<SocketAddr>, E>,
    ) -> Result<(), E> {
        let from = self.batch.mark();
        let written = write(&mut self.batch, from);
        let end = self.batch.mark();
        match written {
            Ok(Some(to)) => self.letters.push(Letter { from, end, to }),
            _ => self.batch.take_back(from),
        }
        written.map(drop)
    }

    /// Each viewer's packets and where they go, and what they can be sent with.
    pub(super) fn letters(&mut self) -> (Vec<(Parcel<'_>, SocketAddr)>, &mut Bulk) {
        let parcel = |letter: &Letter| (self.batch.between(letter.from, letter.end), letter.to);
        let letters = self.letters.iter().map(parcel).collect();
        (letters, &mut self.bulk)
    }

    /// What was appended since this was last asked.
    pub(super) fn take_appended(&mut self) -> Appended {
        self.batch.take_appended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: SocketAddr = SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
        9,
    );

    fn add(volley: &mut Volley, length: usize, to: Option<SocketAddr>) -> Result<(), ()> {
        volley.add(|batch, _| {
            batch.push(|bytes, start| {
                bytes.resize(start + length, 0);
                Ok(())
            })?;
            Ok(to)
        })
    }

    fn lengths(volley: &mut Volley) -> Vec<usize> {
        let (letters, _) = volley.letters();
        letters.iter().map(|(parcel, _)| parcel.size().1).collect()
    }

    #[test]
    fn each_viewer_has_its_own_packets() {
        let mut volley = Volley::new();
        for length in [10, 20] {
            add(&mut volley, length, Some(ANN)).unwrap();
        }
        assert_eq!(lengths(&mut volley), [10, 20]);
    }

    #[test]
    fn what_goes_nowhere_or_fails_is_not_kept() {
        let mut volley = Volley::new();
        add(&mut volley, 10, None).unwrap();
        let fails = volley.add(|_, _| Err("no"));
        assert_eq!(fails, Err("no"));
        add(&mut volley, 30, Some(ANN)).unwrap();
        assert_eq!(lengths(&mut volley), [30]);
    }

    #[test]
    fn it_is_full_of_viewers_or_of_bytes() {
        let mut volley = Volley::new();
        for _ in 0..TOGETHER {
            assert!(!volley.is_full());
            add(&mut volley, 10, Some(ANN)).unwrap();
        }
        assert!(volley.is_full());
        volley.clear();
        add(&mut volley, ENOUGH, Some(ANN)).unwrap();
        assert!(volley.is_full());
    }
}
