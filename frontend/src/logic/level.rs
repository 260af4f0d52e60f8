//! Loudness on a meter.

/// Quietest level that moves the meter, in dBFS.
const FLOOR_DB: f32 = -60.0;

/// The loudness of `samples` (`-1.0..=1.0`) on a scale of 0 (silence) to 100 (full scale).
///
/// The scale is in decibels, as ears are.
#[must_use]
pub fn percent(samples: &[f32]) -> u8 {
    if samples.is_empty() {
        return 0;
    }
    let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32;
    // A sine at full scale has a mean power of one half: that is 0 dBFS (AES17).
    let decibels = 10.0 * (2.0 * power).max(f32::MIN_POSITIVE).log10();
    (100.0 * (1.0 - decibels / FLOOR_DB)).clamp(0.0, 100.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(amplitude: f32) -> Vec<f32> {
        let turn = std::f32::consts::TAU / 48.0;
        (0..480)
            .map(|n| amplitude * (n as f32 * turn).sin())
            .collect()
    }

    #[test]
    fn silence_and_full_scale_are_the_ends() {
        assert_eq!(percent(&[]), 0);
        assert_eq!(percent(&[0.0; 480]), 0);
        assert!(percent(&sine(1.0)) >= 99);
        assert_eq!(percent(&[1.0; 480]), 100);
    }

    #[test]
    fn the_scale_is_in_decibels() {
        // A tenth of the amplitude is 20 dB less: a third of the 60 dB scale.
        let difference = percent(&sine(1.0)) - percent(&sine(0.1));
        assert!((32..=34).contains(&difference), "{difference}");
    }
}
