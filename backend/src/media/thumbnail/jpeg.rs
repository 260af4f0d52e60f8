//! Writing pictures.

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::scaling::Size;
use super::{MAX_BYTES, ThumbnailError};

/// Qualities, from the one that looks like the original to those that noise needs.
const QUALITIES: [u8; 6] = [80, 65, 50, 35, 20, 8];

/// A picture of red, green and blue as a JPEG file, in the best quality that fits in [`MAX_BYTES`].
///
/// # Errors
/// [`ThumbnailError::Jpeg`] where there are not as many pixels as the size says.
pub(super) fn encode(rgb: &[u8], (width, height): Size) -> Result<Bytes, ThumbnailError> {
    let side = |pixels| u16::try_from(pixels).unwrap_or(u16::MAX);
    let mut file = Vec::with_capacity(MAX_BYTES / 2);
    for quality in QUALITIES {
        file.clear();
        let mut encoder = Encoder::new(&mut file, quality);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.set_optimized_huffman_tables(true);
        encoder.encode(rgb, side(width), side(height), ColorType::Rgb)?;
        if file.len() <= MAX_BYTES {
            break;
        }
    }
    file.shrink_to_fit();
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::thumbnail::MAX_SIZE;

    #[test]
    fn even_noise_fits() {
        let size = (MAX_SIZE.0 as usize, MAX_SIZE.1 as usize);
        let mut state = 1_u32;
        let noise: Vec<u8> = (0..size.0 * size.1 * 3)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let file = encode(&noise, size).unwrap();
        assert!(file.len() <= MAX_BYTES, "{} bytes", file.len());
    }

    #[test]
    fn too_few_pixels_are_an_error() {
        assert!(matches!(
            encode(&[0; 3], (2, 2)),
            Err(ThumbnailError::Jpeg(_))
        ));
    }
}
