//! Text and controls stand out from what they lie on, as WCAG 2.2 asks in success criteria 1.4.3 and 1.4.11:
//! computed from the tokens of the style sheet.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::HashMap;

const STYLE: &str = include_str!("../style.css");
const DARK: &str = ":root,\n:root[data-theme=\"dark\"] {";
const LIGHT: &str = ":root[data-theme=\"light\"] {";
const LIGHT_BY_SYSTEM: &str = ":root:not([data-theme]) {";

/// For text, and for what only has to be seen.
const TEXT: f64 = 4.5;
const SEEN: f64 = 3.0;
/// What text lies on.
const GROUNDS: [&str; 4] = ["--bg", "--surface", "--raised", "--hover"];

/// Red, green, blue and alpha, 0 to 1.
type Colour = [f64; 4];

/// Declarations of the block that begins with `selector`.
fn block(selector: &str) -> HashMap<&'static str, &'static str> {
    let (_, after) = STYLE.split_once(selector).unwrap();
    let (inside, _) = after.split_once('}').unwrap();
    let declarations = inside.split(';').filter_map(|line| line.split_once(':'));
    declarations
        .map(|(name, value)| {
            let name = name.trim();
            let name = name.rsplit_once("*/").map_or(name, |(_, name)| name.trim());
            (name, value.trim())
        })
        .collect()
}

/// A theme: its name and its tokens.
struct Theme(&'static str, HashMap<&'static str, &'static str>);

fn themes() -> [Theme; 2] {
    let with_common = |selector| {
        let mut tokens = block(":root {");
        tokens.extend(block(selector));
        tokens
    };
    [
        Theme("dark", with_common(DARK)),
        Theme("light", with_common(LIGHT)),
    ]
}

/// `#rrggbb` or `rgb(r g b / a)`.
fn colour(text: &str) -> Colour {
    if let Some(hex) = text.strip_prefix('#') {
        let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        return [part(0), part(2), part(4), 1.0];
    }
    let inside = text
        .strip_prefix("rgb(")
        .unwrap()
        .strip_suffix(')')
        .unwrap();
    let (parts, alpha) = inside.split_once('/').unwrap();
    let parts: Vec<f64> = parts
        .split_whitespace()
        .map(|part| part.parse::<f64>().unwrap() / 255.0)
        .collect();
    [parts[0], parts[1], parts[2], alpha.trim().parse().unwrap()]
}

/// CSS Color 4, section 7.1.
fn hsl(hue: f64, saturation: f64, lightness: f64) -> Colour {
    let channel = |n: f64| {
        let k = (n + hue / 30.0) % 12.0;
        let a = saturation * lightness.min(1.0 - lightness);
        lightness - a * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
    };
    [channel(0.0), channel(8.0), channel(4.0), 1.0]
}

fn over(above: Colour, below: Colour) -> Colour {
    let mix = |i: usize| above[i] * above[3] + below[i] * (1.0 - above[3]);
    [mix(0), mix(1), mix(2), 1.0]
}

/// Relative luminance, as WCAG defines it.
fn luminance(colour: Colour) -> f64 {
    let linear = |part: f64| {
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2])
}

fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

impl Theme {
    fn token(&self, name: &str) -> Colour {
        colour(self.1[name])
    }

    fn share(&self, name: &str) -> f64 {
        self.1[name]
            .strip_suffix('%')
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 100.0
    }

    /// `above` stands out from `below`, both by their names.
    fn stands_out(&self, above: &str, below: &str, least: f64) {
        let ground = self.token(below);
        let found = contrast(over(self.token(above), ground), ground);
        assert!(found >= least, "{above} on {below}, {}: {found:.2}", self.0);
    }
}

#[test]
fn black_on_white_is_21_to_1() {
    let found = contrast(colour("#000000"), colour("#ffffff"));
    assert!((found - 21.0).abs() < 1e-9, "{found}");
    assert!((hsl(120.0, 1.0, 0.25)[1] - 0.5).abs() < 1e-9);
}

#[test]
fn text_can_be_read() {
    for theme in themes() {
        for ground in GROUNDS {
            for text in ["--text", "--muted", "--accent-text"] {
                theme.stands_out(text, ground, TEXT);
            }
        }
        for text in ["--caution", "--good"] {
            theme.stands_out(text, "--surface", TEXT);
            theme.stands_out(text, "--bg", TEXT);
        }
        for (text, ground) in [
            ("--on-accent", "--accent"),
            ("--on-accent", "--accent-hover"),
            ("--on-live", "--live"),
            ("--on-strong", "--strong"),
        ] {
            theme.stands_out(text, ground, TEXT);
        }
        for ground in ["--bg", "--surface"] {
            let warning = over(theme.token("--caution-bg"), theme.token(ground));
            for text in ["--caution", "--text"] {
                let found = contrast(theme.token(text), warning);
                assert!(
                    found >= TEXT,
                    "{text} in a warning, {}: {found:.2}",
                    theme.0
                );
            }
        }
    }
}

#[test]
fn edges_of_controls_can_be_seen() {
    for theme in themes() {
        for ground in ["--bg", "--surface", "--raised"] {
            theme.stands_out("--line-strong", ground, SEEN);
        }
    }
}

#[test]
fn names_can_be_read_whatever_their_hue() {
    for theme in themes() {
        let (saturation, lightness) = (
            theme.share("--name-saturation"),
            theme.share("--name-lightness"),
        );
        for hue in 0..360 {
            let name = hsl(f64::from(hue), saturation, lightness);
            for ground in ["--bg", "--surface"] {
                let found = contrast(name, theme.token(ground));
                assert!(
                    found >= TEXT,
                    "hue {hue} on {ground}, {}: {found:.2}",
                    theme.0
                );
            }
        }
    }
}

#[test]
fn what_lies_on_a_picture_can_be_read_even_on_white() {
    for theme in themes() {
        let ground = over(theme.token("--scrim"), colour("#ffffff"));
        let found = contrast(theme.token("--on-scrim"), ground);
        assert!(found >= TEXT, "{}: {found:.2}", theme.0);
    }
}

#[test]
fn the_light_theme_is_the_same_whoever_asks_for_it() {
    assert_eq!(block(LIGHT), block(LIGHT_BY_SYSTEM));
}
