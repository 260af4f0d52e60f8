//! Numbers short enough for a badge.

/// `999`, `1.2K`, `12K`, `3.4M`: rounded down, so that nothing is claimed too early.
#[must_use]
pub fn compact(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => scaled(number, 1_000, "K"),
        1_000_000..1_000_000_000 => scaled(number, 1_000_000, "M"),
        _ => scaled(number, 1_000_000_000, "B"),
    }
}

fn scaled(number: u64, unit: u64, suffix: &str) -> String {
    let (whole, tenth) = (number / unit, number % unit * 10 / unit);
    if whole < 10 && tenth > 0 {
        format!("{whole}.{tenth}{suffix}")
    } else {
        format!("{whole}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_exact() {
        assert_eq!(compact(0), "0");
        assert_eq!(compact(999), "999");
    }

    #[test]
    fn large_numbers_are_short_and_rounded_down() {
        assert_eq!(compact(1_000), "1K");
        assert_eq!(compact(1_299), "1.2K");
        assert_eq!(compact(12_900), "12K");
        assert_eq!(compact(3_450_000), "3.4M");
        assert_eq!(compact(u64::MAX), "18446744073B");
    }
}
