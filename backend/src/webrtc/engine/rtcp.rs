//! The RTCP that viewers and we exchange (RFC 3550 section 6, RFC 4585 section 6, RFC 5104 section 4.3.1).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const VERSION: u8 = 2 << 6;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const NACK: u8 = 1;
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA: u8 = 4;
const BLOCK: usize = 24;
/// Seconds from NTP's beginning to Unix's.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// What a viewer has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Feedback {
    /// How a track of ours arrives (RFC 3550 section 6.4.1).
    Report {
        /// Whose.
        ssrc: u32,
        /// Packets lost so far, less those that came twice.
        lost: i32,
        /// Sequence number of the newest packet that arrived, with its rollovers.
        newest: u32,
        /// Which of our sender reports was the last to arrive; 0 if none did.
        last_report: u32,
        /// How long ago that was, in 65,536ths of a second.
        delay: u32,
    },
    /// These packets are missing (RFC 4585 section 6.2.1): a sequence number, and a bit for each of the 16
    /// after it.
    Missing {
        /// Whose.
        ssrc: u32,
        /// The first.
        first: u16,
        /// The others.
        following: u16,
    },
    /// It needs a keyframe (RFC 4585 section 6.3.1, RFC 5104 section 4.3.1).
    NeedsKeyframe,
}

/// Reads a decrypted compound packet; stops at what is damaged.
pub(super) fn read(compound: &[u8], mut take: impl FnMut(Feedback)) {
    let mut rest = compound;
    while let Some((&[first, kind, high, low], _)) = rest.split_first_chunk::<4>() {
        let length = 4 * (1 + usize::from(u16::from_be_bytes([high, low])));
        let Some((packet, following)) = rest.split_at_checked(length) else {
            return;
        };
        rest = following;
        if first & 0xc0 != VERSION {
            return;
        }
        let count = first & 0x1f;
        match (kind, count) {
            (SENDER_REPORT, count) => read_blocks(packet.get(28..), count, &mut take),
            (RECEIVER_REPORT, count) => read_blocks(packet.get(8..), count, &mut take),
            (TRANSPORT_FEEDBACK, NACK) => read_nack(packet, &mut take),
            (PAYLOAD_FEEDBACK, PICTURE_LOSS | FULL_INTRA) => take(Feedback::NeedsKeyframe),
            _ => {}
        }
    }
}

fn read_blocks(blocks: Option<&[u8]>, count: u8, take: &mut impl FnMut(Feedback)) {
    let blocks = blocks.unwrap_or_default().chunks_exact(BLOCK);
    for block in blocks.take(usize::from(count)) {
        let [ssrc, lost, newest, _, last_report, delay] = words(block);
        take(Feedback::Report {
            ssrc,
            // The upper byte is the loss since the last report, which may have covered two packets.
            lost: lost.cast_signed() << 8 >> 8,
            newest,
            last_report,
            delay,
        });
    }
}

fn read_nack(packet: &[u8], take: &mut impl FnMut(Feedback)) {
    let Some((header, pairs)) = packet.split_first_chunk::<12>() else {
        return;
    };
    let [_, _, ssrc] = words(header);
    for pair in pairs.chunks_exact(4) {
        take(Feedback::Missing {
            ssrc,
            first: u16::from_be_bytes([pair[0], pair[1]]),
            following: u16::from_be_bytes([pair[2], pair[3]]),
        });
    }
}

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    words
}

/// What a sender report says of one track.
#[derive(Clone, Copy, Debug)]
pub(super) struct SenderReport {
    pub(super) ssrc: u32,
    /// NTP's time, and the track's at the same moment.
    pub(super) ntp: u64,
    pub(super) timestamp: u32,
    /// Sent since the beginning, modulo 2^32.
    pub(super) packets: u32,
    pub(super) octets: u32,
}

impl SenderReport {
    /// Appends it, with the name that says which tracks belong together (RFC 3550 sections 6.4.1, 6.5.1).
    pub(super) fn write(&self, cname: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION, SENDER_REPORT, 0, 6]);
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&self.ntp.to_be_bytes());
        for word in [self.timestamp, self.packets, self.octets] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        // SSRC, one item, and at least one zero up to the next word.
        let length = (4 + 2 + cname.len() + 1).next_multiple_of(4);
        let words = u8::try_from(length / 4).unwrap_or(u8::MAX);
        out.extend_from_slice(&[VERSION | 1, DESCRIPTION, 0, words]);
        let end = out.len() + length;
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(&[1, u8::try_from(cname.len()).unwrap_or(u8::MAX)]);
        out.extend_from_slice(cname.as_bytes());
        out.resize(end, 0);
    }
}

/// Wall-clock time, as reports tell it, from a clock that never steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct NtpClock {
    at: Instant,
    unix: Duration,
}

impl NtpClock {
    /// Looks at both clocks.
    pub(super) fn new() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            at: Instant::now(),
            unix: unix.unwrap_or_default(),
        }
    }

    /// Seconds since 1900 in 32.32 bits (RFC 3550 section 4).
    pub(super) fn ntp(&self, now: Instant) -> u64 {
        let unix = self.unix + now.saturating_duration_since(self.at);
        let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
        ((unix.as_secs() + NTP_TO_UNIX) << 32) | fraction
    }
}

/// The way there and back (RFC 3550 section 6.4.1), if the report tells it.
pub(super) fn round_trip(now: u64, last_report: u32, delay: u32) -> Option<Duration> {
    #[expect(clippy::cast_possible_truncation, reason = "the middle 32 bits")]
    let now = (now >> 16) as u32;
    let trip = now.wrapping_sub(last_report).wrapping_sub(delay);
    // More than half of the range is a clock of the client's that runs fast.
    let plausible = last_report != 0 && trip < u32::MAX / 2;
    plausible.then(|| Duration::from_secs(trip.into()) / 65_536)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(compound: &[u8]) -> Vec<Feedback> {
        let mut all = Vec::new();
        read(compound, |feedback| all.push(feedback));
        all
    }

    const REPORT: [u8; 32] = [
        0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0x10, 0, 64, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 2, 1, 2, 3,
        4, 0, 1, 0, 0,
    ];
    const NACKS: [u8; 20] = [
        0x81, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0x10, 0, 0, 7, 0, 5, 0xff, 0xff, 0, 0,
    ];
    const PLI: [u8; 12] = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0x10, 0];

    #[test]
    fn everything_in_a_compound_packet_is_read() {
        let compound = [&REPORT[..], &NACKS, &PLI].concat();
        let report = Feedback::Report {
            ssrc: 0x1000,
            lost: 5,
            newest: 9,
            last_report: 0x0102_0304,
            delay: 0x1_0000,
        };
        let missing = |first, following| Feedback::Missing {
            ssrc: 0x1000,
            first,
            following,
        };
        let expected = [
            report,
            missing(7, 5),
            missing(0xffff, 0),
            Feedback::NeedsKeyframe,
        ];
        assert_eq!(all(&compound), expected);
    }

    #[test]
    fn what_is_cut_off_anywhere_does_no_harm() {
        let compound = [&REPORT[..], &NACKS, &PLI].concat();
        for length in 0..compound.len() {
            all(&compound[..length]);
        }
        assert_eq!(all(&NACKS[..19]), []);
    }

    #[test]
    fn a_count_beyond_the_packet_is_not_believed() {
        let mut report = REPORT;
        report[0] = 0x9f;
        assert_eq!(all(&report).len(), 1);
    }

    #[test]
    fn a_sender_report_is_a_compound_packet() {
        let mut out = Vec::new();
        let report = SenderReport {
            ssrc: 1,
            ntp: 2,
            timestamp: 3,
            packets: 4,
            octets: 5,
        };
        report.write("golive", &mut out);
        assert_eq!(out.len(), 28 + 20);
        use rtc::shared::marshal::Unmarshal;
        let packets = rtc::rtcp::packet::unmarshal(&mut &out[..]).unwrap();
        assert_eq!(packets.len(), 2);
        let mut description = &out[28..];
        let description =
            rtc::rtcp::source_description::SourceDescription::unmarshal(&mut description).unwrap();
        assert_eq!(description.chunks[0].items[0].text, "golive");
    }

    #[test]
    fn a_round_trip_is_what_the_client_did_not_wait() {
        let now = 0x0000_0010_0000_0000;
        let second = 0x1_0000;
        assert_eq!(
            round_trip(now, 0xd * second, 2 * second),
            Some(Duration::from_secs(1))
        );
        assert_eq!(round_trip(now, 0, 0), None);
        assert_eq!(round_trip(now, 15 * second, 2 * second), None);
    }
}
