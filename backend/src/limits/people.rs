//! What one person may do, as far as a connection tells them from others.

use std::time::Duration;

use shared::limits::Rate;

/// Limits of one connection.
#[derive(Clone, Copy, Debug)]
pub struct People {
    /// Comments from one socket.
    pub comments: Rate,
    /// Likes from one socket, counted singly.
    pub likes: Rate,
    /// `gift` events from one socket.
    pub gifts: Rate,
    /// Largest Socket.IO message, in bytes.
    pub message_bytes: usize,
    /// Largest body of an HTTP request, in bytes.
    pub body_bytes: usize,
    /// How long an HTTP request may take to arrive and to be answered.
    pub request: Duration,
    /// How long an RTMP publisher may send nothing.
    pub silence: Duration,
}

#[cfg(test)]
impl People {
    /// What there is without flags.
    pub(crate) fn usual() -> Self {
        use clap::Parser;

        #[derive(Parser)]
        struct Program {
            #[command(flatten)]
            limits: super::flags::LimitFlags,
        }
        Program::parse_from(["golive"]).limits.people()
    }
}

/// So many a minute, at once no more than `usual` has. 0 means any number.
pub(super) fn per_minute(count: u32, usual: Rate) -> Rate {
    match count {
        0 => Rate {
            burst: u32::MAX,
            per_second: f64::from(u32::MAX),
        },
        count => Rate {
            burst: usual.burst.min(count),
            per_second: f64::from(count) / 60.0,
        },
    }
}

#[cfg(test)]
mod tests {
    use shared::limits::COMMENT_RATE;

    use super::*;

    #[test]
    fn a_burst_is_no_more_than_what_comes_in_a_minute() {
        assert_eq!(per_minute(30, COMMENT_RATE), COMMENT_RATE);
        let rate = per_minute(3, COMMENT_RATE);
        assert_eq!((rate.burst, rate.per_second), (3, 0.05));
        assert!(per_minute(0, COMMENT_RATE).burst > 1_000_000);
    }
}
