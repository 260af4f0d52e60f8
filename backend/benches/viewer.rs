//! What one picture costs for one viewer: its packets copied and encrypted, then handed to the kernel.
#![expect(missing_docs, reason = "criterion_group! makes a public function")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use golive::webrtc::Lane;
use tokio::runtime;

/// Bytes of a picture: of 2 Mbit/s and 30 pictures a second, and of a keyframe.
const SIZES: [usize; 2] = [8_000, 60_000];

fn viewer(criterion: &mut Criterion) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    let mut group = criterion.benchmark_group("viewer");
    for size in SIZES {
        let lane = runtime.block_on(Lane::open(size));
        let mut lane = lane.expect("there are sockets");
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("encrypt", size), |bencher| {
            bencher.iter(|| black_box(lane.encrypt().expect("the keys last")));
        });
        group.bench_function(BenchmarkId::new("encrypt and send", size), |bencher| {
            bencher.iter(|| {
                lane.encrypt().expect("the keys last");
                runtime.block_on(lane.send()).expect("the socket is there");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, viewer);
criterion_main!(benches);
