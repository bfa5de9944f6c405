//! Text kernels at three sizes of document: 100, 1,000 and 10,000 words (about 1, 7 and 70 kB, so one page of chat, one
//! article and one book chapter; sets of 0.8, 8 and 80 kB). A naive baseline stands beside ours.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use modelops_cleaning::text::near::{Linkage, NearDuplicates};
use modelops_testkit::cleaning_text::{jaccard, shingles, word};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

const WORDS: [usize; 3] = [100, 1_000, 10_000];

/// Twenty documents; every second repeats the one before it but for its first tenth.
fn documents(words: usize) -> Vec<String> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(words as u64);
    let mut texts = Vec::new();
    for _ in 0..10 {
        let original: Vec<String> = (0..words).map(|_| word(&mut rng)).collect();
        let mut edited = original.clone();
        for text in &mut edited[..words / 10] {
            *text = word(&mut rng);
        }
        texts.extend([original.join(" "), edited.join(" ")]);
    }
    texts
}

fn near_duplicates(criterion: &mut Criterion) {
    let one_thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("one thread is to be had");
    let search = NearDuplicates::new(0.8, 0.99).expect("the promise can be kept");
    for words in WORDS {
        let texts = documents(words);
        let bytes: usize = texts.iter().map(String::len).sum();
        let mut group = criterion.benchmark_group("near duplicates of 20 documents");
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new("find and cluster", words), |bench| {
            bench.iter(|| {
                one_thread.install(|| {
                    let index = search.find(&texts).expect("few documents");
                    index.clusters(Linkage::Closure)
                })
            });
        });
        group.bench_function(BenchmarkId::new("naive, all pairs", words), |bench| {
            bench.iter(|| {
                let sets: Vec<_> = texts.iter().map(|text| shingles(text, 5, true)).collect();
                let mut near = 0;
                for (later, set) in sets.iter().enumerate() {
                    near += sets[..later]
                        .iter()
                        .filter(|&earlier| jaccard(earlier, set) >= 0.8)
                        .count();
                }
                near
            });
        });
    }
}

criterion_group!(benches, near_duplicates);
criterion_main!(benches);
