//! How a publication does: a [`Meter`] counts what arrives, [`advise`] says what its sender should change.
//!
//! Both know neither sockets nor clocks, and nothing of the protocol that the media came by.

mod advice;
mod meter;

pub use advice::{Circumstances, advise};
pub use meter::{Meter, Snapshot};

use super::h264::VideoFormat;

/// What people call the profile of an H.264 track (ITU-T H.264 annex A.2).
#[must_use]
pub fn profile_name(format: &VideoFormat) -> &'static str {
    /// `constraint_set1_flag`: the stream keeps to what Baseline and Main have in common.
    const CONSTRAINT_SET1: u8 = 0x40;
    let (profile, constraints) = match *format.sps {
        [_, profile, constraints, ..] => (profile, constraints),
        _ => (0, 0),
    };
    match profile {
        66 if constraints & CONSTRAINT_SET1 != 0 => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 => "High 10",
        122 => "High 4:2:2",
        244 => "High 4:4:4",
        _ => "unknown profile",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::h264::tests::{PPS, SPS_BASELINE, SPS_HIGH_720P};
    use super::*;

    #[test]
    fn profiles_have_their_names() {
        let name = |sps: &'static [u8]| {
            let format = VideoFormat::parse(Bytes::from_static(sps), Bytes::from_static(PPS));
            profile_name(&format.unwrap())
        };
        assert_eq!(name(SPS_BASELINE), "Constrained Baseline");
        assert_eq!(name(SPS_HIGH_720P), "High");
    }
}
