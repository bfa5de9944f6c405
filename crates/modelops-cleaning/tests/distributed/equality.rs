//! A distributed run is a local one.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use modelops_cleaning::Read;
use modelops_cleaning::distributed::{GroupMeans, NearShards, References, RowId, SqlEngine, Threads};
use modelops_cleaning::text::near::{NearDuplicates, Shingle};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::oracle::Oracle;
use crate::shards;

const FOUR: Threads = Threads(NonZeroUsize::new(4).unwrap());

/// Draws from a strategy, the same on every run.
struct Drawn(TestRunner);

impl Drawn {
    fn new(seed: u8) -> Self {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        Self(TestRunner::new_with_rng(Config::default(), rng))
    }

    fn next<T: std::fmt::Debug>(&mut self, strategy: impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.0).unwrap().current()
    }
}

/// Whole pipelines over hostile shards, on a real engine.
pub(crate) fn assert_pipelines(engine: &dyn SqlEngine, seed: u8) {
    let mut drawn = Drawn::new(seed);
    for _ in 0..12 {
        let (records, steps) = (drawn.next(shards::hostile()), drawn.next(shards::steps()));
        let folder = tempfile::tempdir().unwrap();
        shards::write(folder.path(), &records);
        let report = shards::distributed(folder.path(), &steps, engine, &FOUR).unwrap();
        shards::assert_as_local(folder.path(), &steps, &report);
    }
}

/// Near duplicates, foreign keys and means of groups, on a real engine.
pub(crate) fn assert_questions(engine: &dyn SqlEngine, seed: u8) {
    let mut drawn = Drawn::new(seed);
    for _ in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        assert_links(folder.path(), engine, &drawn.next(documents()));
        let (shards, keys) = drawn.next(tables());
        assert_references(folder.path(), engine, &shards, &keys);
        assert_means(folder.path(), engine, &drawn.next(values()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_rows_and_the_same_ledger(
        records in shards::hostile(), steps in shards::steps(), workers in 1usize..5,
    ) {
        let folder = tempfile::tempdir().unwrap();
        shards::write(folder.path(), &records);
        let threads = Threads(NonZeroUsize::new(workers).unwrap());
        let report = shards::distributed(folder.path(), &steps, &Oracle::default(), &threads).unwrap();
        shards::assert_as_local(folder.path(), &steps, &report);
        // Asked again, it has the answer.
        let again = shards::distributed(folder.path(), &steps, &Oracle::default(), &threads).unwrap();
        prop_assert_eq!(again, report);
    }
}

/// Shards of short documents from few words, so that many are near to one another.
fn documents() -> impl Strategy<Value = Vec<Vec<String>>> {
    let word = prop_oneof![Just("a"), Just("b"), Just("c"), Just("d"), Just("e")];
    let document = proptest::collection::vec(word, 0..9).prop_map(|words| words.join(" "));
    proptest::collection::vec(proptest::collection::vec(document, 0..8), 1..4)
}

/// Compares the links among shards with those of an index over all documents.
fn assert_links(folder: &Path, engine: &dyn SqlEngine, shards: &[Vec<String>]) {
    let search = NearDuplicates::new(0.5, 0.9)
        .unwrap()
        .with_shingle(Shingle::Words(2))
        .unwrap();
    let near = NearShards::try_new(search.clone(), folder.join("near")).unwrap();
    let mut ids = Vec::new();
    for (shard, documents) in (0u32..).zip(shards) {
        near.sketch(shard, documents).unwrap();
        near.sketch(shard, documents).unwrap();
        ids.extend((0..documents.len() as u64).map(|ordinal| RowId { shard, ordinal }));
    }
    let links = near.links(engine).unwrap();
    let found: Vec<_> = links
        .iter()
        .map(|link| (link.earlier, link.later, link.jaccard))
        .collect();
    let index = search.find(&shards.concat()).unwrap();
    let expected: Vec<_> = index
        .links()
        .iter()
        .map(|link| (ids[link.earlier], ids[link.later], link.jaccard))
        .collect();
    assert_eq!(found, expected);
}

/// Two tables of hostile shards: the rows that refer to nothing are those whose key no row of the other has.
fn assert_references(
    folder: &Path,
    engine: &dyn SqlEngine,
    shards: &[Vec<(Option<u8>, u8)>],
    keys: &[(u8, u8)],
) {
    let references = References::try_new(&["a\nb", "`c`"], &["x", "y"], folder.join("references")).unwrap();
    let mut expected = Vec::new();
    for (shard, rows) in (0u32..).zip(shards) {
        let cell = |a: &Option<u8>| a.map(|a| a.to_string()).unwrap_or_default();
        let text: String = rows.iter().map(|(a, c)| format!("{},{c}\n", cell(a))).collect();
        let path = folder.join(format!("referring-{shard}.csv"));
        fs::write(&path, format!("\"a\nb\",`c`\n{text}")).unwrap();
        references.referring(shard, &Read::csv(path)).unwrap();
        for (ordinal, (a, c)) in (0u64..).zip(rows) {
            if a.is_some_and(|a| !keys.contains(&(a, *c))) {
                expected.push(RowId { shard, ordinal });
            }
        }
    }
    let text: String = keys.iter().map(|(x, y)| format!("{y},{x}\n")).collect();
    fs::write(folder.join("referred.csv"), format!("y,x\n{text}")).unwrap();
    references
        .referred(0, &Read::csv(folder.join("referred.csv")))
        .unwrap();
    assert_eq!(references.orphans(engine).unwrap(), expected);
}

/// Rows that refer, in shards, and the keys that there are.
type Tables = (Vec<Vec<(Option<u8>, u8)>>, Vec<(u8, u8)>);

fn tables() -> impl Strategy<Value = Tables> {
    let row = (proptest::option::weighted(0.8, 0u8..4), 0u8..4);
    let shards = proptest::collection::vec(proptest::collection::vec(row, 0..9), 1..4);
    (shards, proptest::collection::vec((0u8..4, 0u8..4), 0..9))
}

/// Records in shards: two cells that group, and a value whose decimals no double holds.
type Values = Vec<Vec<(Option<u8>, u8, Option<i16>)>>;

fn values() -> impl Strategy<Value = Values> {
    let cell = proptest::option::weighted(0.8, 0u8..3);
    let row = (cell, 0u8..2, proptest::option::weighted(0.8, any::<i16>()));
    proptest::collection::vec(proptest::collection::vec(row, 0..12), 1..4)
}

/// The means of groups are those of the tenths added as whole numbers, and the same bits for another cut into shards.
fn assert_means(folder: &Path, engine: &dyn SqlEngine, shards: &Values) {
    let means = |name: &str, shards: &Values| {
        let means = GroupMeans::try_new(&["`a`", "b\"\n"], "v", folder.join(name)).unwrap();
        for (shard, rows) in (0u32..).zip(shards) {
            let cell = |cell: Option<String>| cell.unwrap_or_default();
            let row = |&(a, b, v): &(Option<u8>, u8, Option<i16>)| {
                let tenths = v.map(|v| format!("{}e-1", i32::from(v)));
                format!("{},{},\"g,{b}\"\n", cell(tenths), cell(a.map(|a| a.to_string())))
            };
            let path = folder.join("shard.csv");
            fs::write(
                &path,
                "v,`a`,\"b\"\"\n\"\n".to_owned() + &rows.iter().map(row).collect::<String>(),
            )
            .unwrap();
            means.shard(shard, &Read::csv(&path)).unwrap();
            means.shard(shard, &Read::csv(path)).unwrap();
        }
        means.means(engine).unwrap()
    };
    let found = means("cut", shards);
    let mut expected: BTreeMap<Vec<String>, (u64, i64)> = BTreeMap::new();
    for &(a, b, v) in shards.iter().flatten() {
        if let Some((a, v)) = a.zip(v) {
            let (values, tenths) = expected.entry(vec![a.to_string(), format!("g,{b}")]).or_default();
            *values += 1;
            *tenths += i64::from(v);
        }
    }
    let keys: Vec<_> = found.iter().map(|group| (&group.key, group.values)).collect();
    assert_eq!(
        keys,
        expected
            .iter()
            .map(|(key, (values, _))| (key, *values))
            .collect::<Vec<_>>()
    );
    for (group, (values, tenths)) in found.iter().zip(expected.values()) {
        let exact = *tenths as f64 / (10 * values) as f64;
        // Each value is off by half a unit in its last place at most, whatever cancels.
        assert!(
            (group.mean - exact).abs() <= 3276.8 * f64::EPSILON,
            "{group:?}, {exact}"
        );
    }
    assert_eq!(found, means("whole", &vec![shards.concat()]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_means(shards in values()) {
        let folder = tempfile::tempdir().unwrap();
        assert_means(folder.path(), &Oracle::default(), &shards);
    }

    #[test]
    fn the_same_links(shards in documents()) {
        let folder = tempfile::tempdir().unwrap();
        assert_links(folder.path(), &Oracle::default(), &shards);
    }

    #[test]
    fn the_same_orphans((shards, keys) in tables()) {
        let folder = tempfile::tempdir().unwrap();
        assert_references(folder.path(), &Oracle::default(), &shards, &keys);
    }
}
