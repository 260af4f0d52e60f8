//! What one access unit costs: published once, read by N subscribers.
//!
//! Times are per unit for all subscribers together; divide by N for one. Allocations are counted first
//! and printed, since they do not depend on the machine.
#![expect(missing_docs, reason = "criterion_group! makes a public function")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use golive::media::access_unit::{AccessUnit, AudioFormat, Format};
use golive::media::fanout::{Start, Subscription};
use golive::media::stage::{NewUnit, Publication, Stage, Tracks};
use golive::media::time::MediaTime;

const SUBSCRIBERS: [usize; 4] = [1, 10, 100, 1_000];

/// A stage with a publisher and subscribers that have read everything.
struct Room {
    publication: Publication,
    viewers: Vec<Subscription<AccessUnit>>,
    at: i64,
}

impl Room {
    fn new(viewers: usize) -> Self {
        let stage = Arc::new(Stage::default());
        // Kept alive by nobody else.
        let stage = Box::leak(Box::new(stage));
        let publication = stage.publish(Tracks {
            video: false,
            audio: true,
        });
        let start = Start::Newest {
            max_age: Duration::MAX,
        };
        let viewers = (0..viewers).map(|_| stage.subscribe(start)).collect();
        Self {
            publication,
            viewers,
            at: 0,
        }
    }

    /// Publishes one unit and has every subscriber read it.
    fn one_unit(&mut self, data: &Bytes) {
        self.at += 20_000;
        let at = MediaTime::from_micros(self.at);
        let format = Format::Audio(AudioFormat::Opus { channels: 2 });
        let unit = NewUnit {
            format,
            dts: at,
            pts: at,
            keyframe: false,
            data: data.clone(),
        };
        self.publication.write(unit).expect("nobody takes over");
        for viewer in &mut self.viewers {
            black_box(viewer.try_next().expect("every unit arrives"));
        }
    }
}

fn publish(c: &mut Criterion) {
    let data = Bytes::from(vec![7; 8_000]);
    for viewers in SUBSCRIBERS {
        let mut room = Room::new(viewers);
        // The ring grows until its limits are reached; count behind that.
        (0..5_000).for_each(|_| room.one_unit(&data));
        let counted = allocation_counter::measure(|| (0..100).for_each(|_| room.one_unit(&data)));
        println!(
            "{viewers} subscribers: {} allocations in 100 units, {} bytes",
            counted.count_total, counted.bytes_total
        );
    }
    let mut group = c.benchmark_group("publish and read one unit");
    for viewers in SUBSCRIBERS {
        group.throughput(Throughput::Elements(viewers as u64));
        group.bench_function(BenchmarkId::from_parameter(viewers), |bencher| {
            let mut room = Room::new(viewers);
            bencher.iter(|| room.one_unit(&data));
        });
    }
    group.finish();
}

criterion_group!(benches, publish);
criterion_main!(benches);
