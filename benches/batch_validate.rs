//! What it costs to judge a produced batch: CRC and header for all, and a walk over the records where they are not
//! compressed. Batches of 1 KiB, 16 KiB and 1 MiB, of records with values of 100 bytes and of 1,000.

use std::hint::black_box;

use corelane::protocol::batch::{BatchBuilder, validate};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// A batch of about `batch_bytes` whose attributes say that it is LZ4 or not compressed.
fn batch(batch_bytes: usize, value_bytes: usize, is_compressed: bool) -> Vec<u8> {
    let value = vec![b'v'; value_bytes];
    let mut builder = BatchBuilder::new().producer(1, 0, 0).attributes(if is_compressed { 3 } else { 0 });
    for n in 0..(batch_bytes / (value_bytes + 10)).max(1) {
        builder = builder.record(1_700_000_000_000 + n as i64, None, Some(&value));
    }
    builder.build()
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch_validate");
    for (size, batch_bytes) in [("1KiB", 1 << 10), ("16KiB", 1 << 14), ("1MiB", 1 << 20)] {
        for (kind, value_bytes, is_compressed) in
            [("records_of_100", 100, false), ("records_of_1000", 1_000, false), ("compressed", 1_000, true)]
        {
            let bytes = batch(batch_bytes, value_bytes, is_compressed);
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_with_input(BenchmarkId::new(kind, size), &bytes, |bencher, bytes| {
                bencher.iter(|| validate(black_box(bytes), 2 << 20));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
