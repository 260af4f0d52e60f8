//! Text on the wire, as clients of 2016 need it.
//!
//! Socket.IO 1.x and the app's Swift library encode text twice as UTF-8 when they poll, and the former
//! gives up its connection when it receives text that is not. ASCII is the same however often it is
//! encoded, so what is sent is ASCII: JSON can escape all else. What arrives is decoded once more.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Serialize;
use serde_json::value::RawValue;

/// `value` as JSON in ASCII, which every client understands.
///
/// # Errors
/// Those of [`serde_json::to_string`].
pub(super) fn to_ascii_json<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Box<RawValue>> {
    let json = serde_json::to_string(value)?;
    RawValue::from_string(if json.is_ascii() { json } else { escape(&json) })
}

/// Beyond ASCII there is nothing in JSON but the contents of strings: all of it may be escaped
/// (RFC 8259 section 7).
fn escape(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len() * 2);
    for char in json.chars() {
        if char.is_ascii() {
            ascii.push(char);
            continue;
        }
        for unit in char.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    ascii
}

/// Undoes the second of two encodings as UTF-8; leaves text alone that was encoded once.
pub(super) fn decode_twice_encoded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(char).ok()).collect();
    let decoded = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map_or_else(|| text.into(), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_sent_is_ascii_and_means_the_same() {
        let value = json!({"text": "grüß dich 🌹 \"<b>\" \\u00fc"});
        let ascii = to_ascii_json(&value).unwrap();
        assert!(ascii.get().is_ascii());
        assert_eq!(serde_json::from_str::<Value>(ascii.get()).unwrap(), value);
    }

    #[test]
    fn twice_encoded_text_is_understood() {
        let text = "[\"comment\",\"grüß 🌹\"]";
        let twice: String = text.bytes().map(char::from).collect();
        assert_eq!(decode_twice_encoded(&twice), text);
    }

    #[test]
    fn text_that_was_encoded_once_stays_as_it_is() {
        for text in ["plain", "grüß dich", "🌹", "日本語 é"] {
            assert_eq!(decode_twice_encoded(text), text);
        }
    }
}
