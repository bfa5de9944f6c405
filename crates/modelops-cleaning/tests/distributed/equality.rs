//! A distributed run is a local one.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use modelops_cleaning::Read;
use modelops_cleaning::distributed::{NearShards, References, RowId, SqlEngine, Threads};
use modelops_cleaning::text::near::{NearDuplicates, Shingle};
use proptest::prelude::*;

use crate::oracle::Oracle;
use crate::shards;

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
pub(crate) fn documents() -> impl Strategy<Value = Vec<Vec<String>>> {
    let word = prop_oneof![Just("a"), Just("b"), Just("c"), Just("d"), Just("e")];
    let document = proptest::collection::vec(word, 0..9).prop_map(|words| words.join(" "));
    proptest::collection::vec(proptest::collection::vec(document, 0..8), 1..4)
}

/// Compares the links among shards with those of an index over all documents.
pub(crate) fn assert_links(folder: &Path, engine: &dyn SqlEngine, shards: &[Vec<String>]) {
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
pub(crate) fn assert_references(
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

pub(crate) fn tables() -> impl Strategy<Value = Tables> {
    let row = (proptest::option::weighted(0.8, 0u8..4), 0u8..4);
    let shards = proptest::collection::vec(proptest::collection::vec(row, 0..9), 1..4);
    (shards, proptest::collection::vec((0u8..4, 0u8..4), 0..9))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
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
