//! Making pictures smaller.

use std::ops::Range;

use super::MAX_SIZE;

/// Width and height.
pub(super) type Size = (usize, usize);

/// The size of a live picture of a picture of this size: no larger, fitting in [`MAX_SIZE`], and with square
/// pixels where those of the original are `sample_aspect` wide and high.
pub(super) fn fit((width, height): Size, sample_aspect: Option<(u16, u16)>) -> Size {
    let (across, down) = sample_aspect.unwrap_or((1, 1));
    let (across, down) = (f64::from(across.max(1)), f64::from(down.max(1)));
    // What it looks like, in any unit.
    let (wide, high) = (width as f64 * across, height as f64 * down);
    let most = |side: usize, most: u32| (side as f64).min(f64::from(most));
    let scale = (most(width, MAX_SIZE.0) / wide).min(most(height, MAX_SIZE.1) / high);
    let pixels = |side: f64| ((side * scale).round() as usize).max(1);
    (pixels(wide), pixels(high))
}

/// A plane of samples in another size: each sample is the mean of those whose place it takes. Where there
/// are less of them than wanted, they are repeated.
pub(super) fn shrink(plane: &[u8], from: Size, to: Size) -> Vec<u8> {
    let mut shrunk = Vec::with_capacity(to.0 * to.1);
    for y in 0..to.1 {
        let rows = covered(y, from.1, to.1);
        for x in 0..to.0 {
            let columns = covered(x, from.0, to.0);
            shrunk.push(mean(plane, from.0, rows.clone(), &columns));
        }
    }
    shrunk
}

fn mean(plane: &[u8], width: usize, rows: Range<usize>, columns: &Range<usize>) -> u8 {
    let (mut sum, mut count) = (0, 0);
    for row in rows {
        let line = plane.get(row * width + columns.start..row * width + columns.end);
        let line = line.unwrap_or_default();
        sum += line.iter().map(|&sample| u64::from(sample)).sum::<u64>();
        count += line.len() as u64;
    }
    u8::try_from((sum + count / 2).checked_div(count).unwrap_or(0)).unwrap_or(u8::MAX)
}

/// Which of `from` samples lie where sample `n` of `to` samples is going to be; at least one.
fn covered(n: usize, from: usize, to: usize) -> Range<usize> {
    let start = n * from / to;
    start..((n + 1) * from / to).max(start + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_aspect_and_never_grow() {
        assert_eq!(fit((1920, 1080), None), (480, 270));
        assert_eq!(fit((1080, 1920), None), (480, 853));
        assert_eq!(fit((640, 480), None), (480, 360));
        assert_eq!(fit((320, 240), None), (320, 240));
        assert_eq!(fit((16, 4096), None), (4, 960));
        assert_eq!(fit((4096, 2), None), (480, 1));
    }

    #[test]
    fn pixels_that_are_not_square_become_square() {
        assert_eq!(fit((720, 576), Some((64, 45))), (480, 270));
        assert_eq!(fit((1440, 1080), Some((4, 3))), (480, 270));
        assert_eq!(fit((352, 288), Some((1, 2))), (176, 288));
        assert_eq!(fit((352, 288), Some((0, 0))), (352, 288));
        assert_eq!(fit((352, 288), Some((u16::MAX, 1))), (352, 1));
    }

    #[test]
    fn samples_become_the_mean_of_those_they_stand_for() {
        let plane = [10, 20, 30, 40, 30, 40, 50, 60];
        assert_eq!(shrink(&plane, (4, 2), (2, 1)), [25, 45]);
        assert_eq!(shrink(&plane, (4, 2), (4, 2)), plane);
        assert_eq!(shrink(&plane, (4, 2), (3, 1)), [20, 30, 45]);
    }

    #[test]
    fn samples_are_repeated_where_there_are_too_few() {
        assert_eq!(shrink(&[1, 2], (2, 1), (4, 2)), [1, 1, 2, 2, 1, 1, 2, 2]);
    }

    #[test]
    fn a_plane_that_is_too_short_is_black_where_it_ends() {
        assert_eq!(shrink(&[9], (1, 2), (1, 2)), [9, 0]);
        assert_eq!(shrink(&[], (0, 0), (1, 1)), [0]);
    }
}
