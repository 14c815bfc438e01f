//! Stage bench: whole objects of a generated trail through the decoder, on one thread. Throughput is gzip in.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use trailweave_decode::DecodeOptions;
use trailweave_decode::Decoder;
use trailweave_decode::Selection;

/// The shapes of `peers.py` in small, which differ in what most of the time is spent on.
fn shapes() -> [(&'static str, trailweave_corpus::CorpusOptions); 3] {
    let of = |records_per_object| trailweave_corpus::CorpusOptions { records_per_object, ..Default::default() };
    let one_object =
        trailweave_corpus::CorpusOptions { accounts: 1, regions: 1, days: 1, late: 0.0, doubled: 0.0, ..of(20_000) };
    [("busy", of(1_500)), ("quiet", of(3)), ("giant", one_object)]
}

fn decode(bench: &mut Criterion) {
    for (shape, corpus) in shapes() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        trailweave_corpus::generate(&corpus, folder.path()).expect("a trail can be generated");
        let mut objects = Vec::new();
        collect(folder.path(), &mut objects);

        let mut group = bench.benchmark_group(format!("decode/{}_records_{shape}", corpus.records));
        group.throughput(Throughput::Bytes(objects.iter().map(|object| object.len() as u64).sum()));
        group.sample_size(10);
        for selection in [Selection::Relevant, Selection::All] {
            let mut decoder = Decoder::new(DecodeOptions { selection, ..DecodeOptions::default() });
            group.bench_function(selection.to_string(), |bencher| {
                bencher.iter(|| {
                    for object in &objects {
                        black_box(decoder.decode("object", object).expect("a generated object is sound"));
                    }
                });
            });
        }
        group.finish();
    }
}

fn collect(folder: &Path, objects: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("the trail can be listed") {
        let path = entry.expect("the trail can be listed").path();
        if path.is_dir() {
            collect(&path, objects);
        } else if path.extension().is_some_and(|extension| extension == "gz") {
            objects.push(fs::read(path).expect("the trail can be read"));
        }
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
