use modelops_cleaning::text::near::{Damage, IndexFileError, NearDuplicates, NearError, NearIndex, Shingle};
use std::io::ErrorKind;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

#[test]
fn parameters_are_refused() {
    let new = |threshold, recall| NearDuplicates::new(threshold, recall).map(|_| ());
    for threshold in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(new(threshold, 0.9), Err(NearError::Threshold { .. })));
    }
    for recall in [0.0, 1.0, -1.0, f64::NAN] {
        assert!(matches!(new(0.8, recall), Err(NearError::Recall { .. })));
    }
    let search = NearDuplicates::new(0.8, 0.99).unwrap();
    for size in [0, Shingle::MAX_SIZE + 1] {
        let error = search.clone().with_shingle(Shingle::Chars(size)).unwrap_err();
        assert_eq!(error, NearError::ShingleSize { size });
    }
    let Err(NearError::Hashes { needed, .. }) = search.clone().with_max_hashes(2) else {
        panic!("two hashes cannot promise 0.99");
    };
    // 1 − 0.2² = 0.96 and 1 − 0.2³ = 0.992.
    assert_eq!(needed, 3);
    search.with_max_hashes(needed).unwrap();
}

fn saved() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let texts = ["a b c d e f", "a b c d e f", "", "g h i j k l m"];
    NearDuplicates::new(0.5, 0.9)
        .unwrap()
        .find(&texts)
        .unwrap()
        .save(&path)
        .unwrap();
    std::fs::read(path).unwrap()
}

fn open(bytes: &[u8]) -> Result<NearIndex, IndexFileError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    std::fs::write(&path, bytes).unwrap();
    NearIndex::open(path)
}

fn damage(bytes: &[u8]) -> Damage {
    match open(bytes) {
        Err(IndexFileError::Damaged { damage, .. }) => damage,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_flipped_bit_and_every_missing_byte_is_refused() {
    let bytes = saved();
    open(&bytes).unwrap();
    for at in 0..bytes.len() {
        assert!(open(&bytes[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << bit;
            assert!(open(&wrong).is_err(), "bit {bit} of byte {at}");
        }
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(damage(&longer), Damage::Trailing);
}

/// Files made on purpose, with a checksum that fits.
#[test]
fn hostile_files_are_refused_or_harmless() {
    let good = saved();
    let forge = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good[..good.len() - 16].to_vec();
        edit(&mut bytes);
        bytes.extend(xxh3_128(&bytes).to_le_bytes());
        damage(&bytes)
    };
    let set = |at: usize, value: &[u8], bytes: &mut Vec<u8>| {
        bytes[at..at + value.len()].copy_from_slice(value);
    };
    let parameters = |at: usize, value: &[u8]| forge(&|bytes| set(at, value, bytes));
    assert_eq!(parameters(0, b"X"), Damage::Magic);
    assert_eq!(parameters(8, &9u32.to_le_bytes()), Damage::Version { found: 9 });
    assert_eq!(parameters(12, &f64::NAN.to_le_bytes()), Damage::Parameters);
    assert_eq!(parameters(20, &1.5f64.to_le_bytes()), Damage::Parameters);
    assert_eq!(parameters(28, &u64::MAX.to_le_bytes()), Damage::Parameters);
    assert_eq!(parameters(44, &7u32.to_le_bytes()), Damage::Parameters);
    assert_eq!(parameters(48, &0u32.to_le_bytes()), Damage::Parameters);
    // More documents than there are, and a count of shingles that would need 32 GiB.
    assert_eq!(parameters(52, &u32::MAX.to_le_bytes()), Damage::Truncated);
    assert_eq!(parameters(56, &(u32::MAX - 1).to_le_bytes()), Damage::Truncated);
    // The first document has two shingles, then comes the repetition of document 0.
    assert_eq!(good[56..60], 2u32.to_le_bytes());
    let swapped: Vec<u8> = [&good[68..76], &good[60..68]].concat();
    assert_eq!(parameters(60, &swapped), Damage::Order { document: 0 });
    for original in [1, 2, u32::MAX] {
        let expected = Damage::Original {
            document: 1,
            original: original as usize,
        };
        assert_eq!(parameters(80, &original.to_le_bytes()), expected);
    }
}

#[test]
fn files_that_cannot_be_read_or_written() {
    let kind = |result: Result<(), IndexFileError>| match result {
        Err(IndexFileError::Io { kind, .. }) => kind,
        other => panic!("{other:?}"),
    };
    let index = NearIndex::new(NearDuplicates::new(0.5, 0.9).unwrap());
    let nowhere = Path::new("/nonexistent/folder/index");
    assert_eq!(kind(index.save(nowhere)), ErrorKind::NotFound);
    assert_eq!(kind(NearIndex::open(nowhere).map(|_| ())), ErrorKind::NotFound);
    let folder = tempfile::tempdir().unwrap();
    assert!(index.save(folder.path()).is_err());
    // Nothing half-written is left behind.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
