//! From video's samples to colours.

use h264_reader::nal::sps::VideoSignalType;

/// Lines from which on pictures that do not say so are taken for BT.709, as browsers take them.
const HIGH_DEFINITION: usize = 720;

/// How samples stand for colours (ITU-T H.264 annex E.2.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours {
    /// Share of red and of blue in luma.
    red: f32,
    blue: f32,
    /// Luma of black, and what luma and chroma are multiplied with.
    black: f32,
    luma: f32,
    chroma: f32,
}

impl Colours {
    /// By what a stream says of itself, and where it says nothing, by the picture's height in lines.
    pub(super) fn new(signal: Option<&VideoSignalType>, height: usize) -> Self {
        let description = signal.and_then(|signal| signal.colour_description.as_ref());
        // Table E-5.
        let (red, blue) = match description.map(|it| it.matrix_coefficients) {
            Some(1) => BT_709,
            Some(4..=6) => BT_601,
            Some(9 | 10) => BT_2020,
            _ if height >= HIGH_DEFINITION => BT_709,
            _ => BT_601,
        };
        let full_range = signal.is_some_and(|signal| signal.video_full_range_flag);
        let (black, luma, chroma) = if full_range {
            (0.0, 1.0, 1.0)
        } else {
            (16.0, 255.0 / 219.0, 255.0 / 224.0)
        };
        Self {
            red,
            blue,
            black,
            luma,
            chroma,
        }
    }

    /// Red, green and blue of each pixel, of planes of the same size.
    pub(super) fn rgb(&self, luma: &[u8], cb: &[u8], cr: &[u8]) -> Vec<u8> {
        let samples = luma.iter().zip(cb).zip(cr);
        samples
            .flat_map(|((&luma, &cb), &cr)| self.pixel(luma, cb, cr))
            .collect()
    }

    fn pixel(&self, luma: u8, cb: u8, cr: u8) -> [u8; 3] {
        let chroma = |sample: u8| (f32::from(sample) - 128.0) * self.chroma;
        let luma = (f32::from(luma) - self.black) * self.luma;
        let red = luma + 2.0 * (1.0 - self.red) * chroma(cr);
        let blue = luma + 2.0 * (1.0 - self.blue) * chroma(cb);
        let green = (luma - self.red * red - self.blue * blue) / (1.0 - self.red - self.blue);
        // `as` saturates.
        [red, green, blue].map(|level| level.round() as u8)
    }
}

const BT_601: (f32, f32) = (0.299, 0.114);
const BT_709: (f32, f32) = (0.2126, 0.0722);
const BT_2020: (f32, f32) = (0.2627, 0.0593);

#[cfg(test)]
mod tests {
    use h264_reader::nal::sps::ColourDescription;

    use super::*;

    fn signal(matrix_coefficients: u8, video_full_range_flag: bool) -> VideoSignalType {
        VideoSignalType {
            video_full_range_flag,
            colour_description: Some(ColourDescription {
                colour_primaries: 2,
                transfer_characteristics: 2,
                matrix_coefficients,
            }),
            ..VideoSignalType::default()
        }
    }

    #[test]
    fn black_and_white_of_video_become_those_of_pictures() {
        let colours = Colours::new(None, 480);
        assert_eq!(
            colours.rgb(&[16, 235], &[128; 2], &[128; 2]),
            [0, 0, 0, 255, 255, 255]
        );
        let full = Colours::new(Some(&signal(1, true)), 480);
        assert_eq!(
            full.rgb(&[16, 255], &[128; 2], &[128; 2]),
            [16, 16, 16, 255, 255, 255]
        );
    }

    #[test]
    fn red_is_red_whatever_the_matrix() {
        // Pure red by the definition of each (BT.601, BT.709 and BT.2020 in 8 bits).
        for (matrix, sample) in [(6, [81, 90, 240]), (1, [63, 102, 240]), (9, [74, 97, 240])] {
            let [red, green, blue] = Colours::new(Some(&signal(matrix, false)), 480)
                .rgb(&sample[..1], &sample[1..2], &sample[2..])
                .try_into()
                .unwrap();
            assert!(
                red >= 252 && green <= 3 && blue <= 3,
                "{matrix}: {red} {green} {blue}"
            );
        }
    }

    #[test]
    fn high_definition_is_taken_for_bt_709() {
        let (sd, hd) = (Colours::new(None, 576), Colours::new(None, 720));
        assert_eq!((sd.red, hd.red), (BT_601.0, BT_709.0));
    }
}
