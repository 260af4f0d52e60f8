//! What stands in for a picture that is not there yet.

use shared::room::RoomKey;

/// A hue in degrees for `text`, always the same one; never near red, which means "live" here.
#[must_use]
pub fn hue(text: &str) -> u32 {
    // FNV-1a: small, and spreads similar texts apart.
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    40 + hash % 280
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
    fn no_hue_is_near_red() {
        for n in 0..1_000 {
            assert!((40..320).contains(&hue(&n.to_string())));
        }
    }

    #[test]
    fn the_letter_is_the_titles_first() {
        let key = "k9".parse().unwrap();
        assert_eq!(initial("  “élan”", &key), "É");
        assert_eq!(initial("…", &key), "K");
    }
}
