//! What stands in for a picture that is not there yet.

use std::ops::Range;

use shared::room::RoomKey;

/// The calm part of the colour circle, from teal to purple, in degrees.
pub const COOL: Range<u32> = 175..310;
/// All of the colour circle but what looks like red, which means "live" here, in degrees.
pub const ANY: Range<u32> = 40..320;

/// A hue out of `hues` for `text`, always the same one.
#[must_use]
pub fn hue(text: &str, hues: Range<u32>) -> u32 {
    // FNV-1a, with a last stir: small, and spreads similar texts apart.
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let stirred = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    hues.start + (stirred >> 8) % hues.len() as u32
}

/// The letter on the poster of a room.
#[must_use]
pub fn initial(title: &str, key: &RoomKey) -> String {
    let letter = title.chars().find(|c| c.is_alphanumeric());
    letter
        .or_else(|| key.as_str().chars().next())
        .map_or_else(String::new, |c| c.to_uppercase().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_stay_in_their_range_and_use_it() {
        let hues: Vec<_> = (0..1_000).map(|n| hue(&n.to_string(), COOL)).collect();
        assert!(hues.iter().all(|hue| COOL.contains(hue)));
        assert_eq!(hues.iter().min(), Some(&COOL.start));
        assert_eq!(hues.iter().max(), Some(&(COOL.end - 1)));
    }

    #[test]
    fn the_letter_is_the_titles_first() {
        let key = "k9".parse().unwrap();
        assert_eq!(initial("  “élan”", &key), "É");
        assert_eq!(initial("…", &key), "K");
    }
}
