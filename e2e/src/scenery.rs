//! A picture for the fake camera that is nicer than a test card: mountains at dusk, seen from a train.

use std::f32::consts::TAU;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;

use crate::target_dir;

const WIDTH: usize = 960;
const HEIGHT: usize = 540;
const FRAMES_PER_SECOND: usize = 20;
const SECONDS: usize = 1;

/// Top and bottom of the sky, red, green, blue.
const SKY: [[f32; 3]; 2] = [[28.0, 24.0, 66.0], [255.0, 150.0, 92.0]];
/// The farthest and the nearest ridge.
const RIDGES: [[f32; 3]; 2] = [[148.0, 84.0, 118.0], [16.0, 14.0, 36.0]];
const RIDGE_COUNT: usize = 5;

/// Writes the film, an endless loop, and returns where it is. For Chromium's
/// `--use-file-for-fake-video-capture`.
pub fn film() -> Result<PathBuf> {
    let path = target_dir().join("e2e/scenery.y4m");
    let mut file = BufWriter::new(File::create(&path)?);
    writeln!(
        file,
        "YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg"
    )?;
    let frames = FRAMES_PER_SECOND * SECONDS;
    for number in 0..frames {
        file.write_all(b"FRAME\n")?;
        file.write_all(&frame(number as f32 / frames as f32))?;
    }
    file.flush()?;
    Ok(path)
}

/// One picture in YUV 4:2:0; `time` goes from 0 to 1.
fn frame(time: f32) -> Vec<u8> {
    let ridges: Vec<Vec<f32>> = (0..RIDGE_COUNT).map(|ridge| skyline(ridge, time)).collect();
    let colours: Vec<[f32; 3]> = (0..RIDGE_COUNT)
        .map(|ridge| mix(RIDGES, part(ridge, RIDGE_COUNT - 1)))
        .collect();
    let pixel = |x: usize, y: usize| {
        let nearest = ridges.iter().rposition(|skyline| y as f32 > skyline[x]);
        nearest.map_or_else(|| sky(x, y), |ridge| colours[ridge])
    };
    let every = |step: usize| {
        (0..HEIGHT)
            .step_by(step)
            .flat_map(move |y| (0..WIDTH).step_by(step).map(move |x| (x, y)))
    };
    let mut planes: Vec<u8> = every(1).map(|(x, y)| luma(pixel(x, y))).collect();
    planes.extend(every(2).map(|(x, y)| chroma(pixel(x, y), [-0.169, -0.331, 0.5])));
    planes.extend(every(2).map(|(x, y)| chroma(pixel(x, y), [0.5, -0.419, -0.081])));
    planes
}

/// Height of a ridge in every column, in pixels from the top. Near ones are lower and move more.
fn skyline(ridge: usize, time: f32) -> Vec<f32> {
    let (near, number) = (part(ridge, RIDGE_COUNT - 1), ridge as f32);
    (0..WIDTH)
        .map(|x| {
            let x = TAU * (x as f32 / WIDTH as f32);
            let drift = TAU * time;
            let rough = (x * 2.0 + number * 1.7 + 0.05 * near * drift.sin()).sin() * 34.0
                + (x * 5.0 + number * 4.1 + 0.12 * near * drift.sin()).sin() * 16.0
                + (x * 13.0 + number * 2.3 + 0.3 * near * drift.sin()).sin() * 5.0;
            HEIGHT as f32 * (0.5 + 0.42 * near) + rough * (1.1 - 0.5 * near)
        })
        .collect()
}

/// The sky, with the sun low on the right.
fn sky(x: usize, y: usize) -> [f32; 3] {
    let height = (part(y, HEIGHT) * 1.7).min(1.0);
    let colour = mix(SKY, height * height);
    let (dx, dy) = (x as f32 - 660.0, y as f32 - 225.0);
    let distance = dx.hypot(dy);
    let glow = (1.0 - distance / 315.0).max(0.0).powi(2) * 0.7;
    let disc = (35.0 - distance).clamp(0.0, 1.0);
    mix([colour, [255.0, 226.0, 170.0]], glow.max(disc))
}

fn part(index: usize, of: usize) -> f32 {
    index as f32 / of as f32
}

fn mix([from, to]: [[f32; 3]; 2], part: f32) -> [f32; 3] {
    std::array::from_fn(|i| from[i] + (to[i] - from[i]) * part)
}

/// Full-range BT.601, as the `jpeg` in the film's header says.
fn luma([red, green, blue]: [f32; 3]) -> u8 {
    (0.299 * red + 0.587 * green + 0.114 * blue) as u8
}

fn chroma(colour: [f32; 3], weights: [f32; 3]) -> u8 {
    let weighted: f32 = colour
        .iter()
        .zip(weights)
        .map(|(part, weight)| part * weight)
        .sum();
    (weighted + 128.0) as u8
}
