//! Marks in the pictures that survive every server on the way.

use memchr::memmem::Finder;

/// Not to be found in the noise around it. No byte of a stamp is less than 4, so none could be taken for a
/// start code (ITU-T H.264 section 7.4.1).
const MAGIC: &[u8] = b"golive-load-stamp:";
/// Digits of a picture's number, and of its time.
const NUMBER: usize = 8;
const TIME: usize = 16;

/// What a picture says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the pictures of a broadcast.
    pub number: u32,
    /// When it was sent, by [`now`](super::window::now).
    pub sent: u64,
}

impl Stamp {
    /// Length of a written stamp.
    pub const LENGTH: usize = MAGIC.len() + NUMBER + TIME;

    /// As it is written into a picture.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let digits = format!("{:0NUMBER$x}{:0TIME$x}", self.number, self.sent);
        [MAGIC, digits.as_bytes()].concat()
    }

    fn decode(digits: &[u8]) -> Option<Self> {
        let digits = str::from_utf8(digits).ok()?;
        let (number, sent) = digits.split_at_checked(NUMBER)?;
        Some(Self {
            number: u32::from_str_radix(number, 16).ok()?,
            sent: u64::from_str_radix(sent, 16).ok()?,
        })
    }
}

/// Finds stamps in a stream of bytes that arrives in pieces.
#[derive(Debug)]
pub struct Scanner {
    finder: Finder<'static>,
    /// The end of what came before: a stamp may have begun there.
    tail: Vec<u8>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            finder: Finder::new(MAGIC),
            tail: Vec::with_capacity(Stamp::LENGTH),
        }
    }
}

impl Scanner {
    /// Calls `found` for each stamp that ends in the next piece of the stream.
    pub fn scan(&mut self, piece: &[u8], mut found: impl FnMut(Stamp)) {
        // First what lies across the border, then the piece as it is: it is not copied.
        let reach = piece.len().min(Stamp::LENGTH - 1);
        let border = self.tail.len();
        self.tail.extend_from_slice(&piece[..reach]);
        self.search(&self.tail, &mut found);
        self.search(piece, &mut found);
        if piece.len() >= Stamp::LENGTH - 1 {
            self.tail.clear();
            let rest = &piece[piece.len() - (Stamp::LENGTH - 1)..];
            self.tail.extend_from_slice(rest);
        } else {
            let surplus = (border + reach).saturating_sub(Stamp::LENGTH - 1);
            self.tail.drain(..surplus);
        }
    }

    fn search(&self, bytes: &[u8], found: &mut impl FnMut(Stamp)) {
        for at in self.finder.find_iter(bytes) {
            let digits = bytes.get(at + MAGIC.len()..at + Stamp::LENGTH);
            digits
                .and_then(Stamp::decode)
                .into_iter()
                .for_each(&mut *found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn stamp(number: u32) -> Stamp {
        Stamp {
            number,
            sent: 0x1234_5678_9abc,
        }
    }

    fn found(pieces: &[&[u8]]) -> Vec<Stamp> {
        let (mut scanner, mut found) = (Scanner::default(), Vec::new());
        for piece in pieces {
            scanner.scan(piece, |stamp| found.push(stamp));
        }
        found
    }

    #[test]
    fn a_stamp_is_found_between_noise() {
        let bytes = [&[0x55; 100][..], &stamp(7).encode(), &[0x55; 100]].concat();
        assert_eq!(found(&[&bytes]), [stamp(7)]);
    }

    #[test]
    fn a_stamp_is_found_once_wherever_the_stream_is_cut() {
        let bytes = [
            &b"go"[..],
            &stamp(1).encode(),
            b"golive",
            &stamp(2).encode(),
        ]
        .concat();
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(found(&pieces), [stamp(1), stamp(2)], "{first} {second}");
            }
        }
    }

    #[test]
    fn a_stamp_is_found_byte_by_byte() {
        let bytes = [stamp(1).encode(), stamp(2).encode()].concat();
        let pieces: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(found(&pieces), [stamp(1), stamp(2)]);
    }

    #[test]
    fn what_only_begins_like_a_stamp_is_not_one() {
        let bytes = [MAGIC, &[b'x'; 40]].concat();
        assert_eq!(found(&[&bytes, MAGIC]), []);
    }
}
