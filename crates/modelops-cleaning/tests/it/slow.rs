//! Long runs, on demand: `cargo test -p modelops-cleaning --test it -- --ignored slow::`.

use modelops_cleaning::{DropDuplicates, Format, Mode, PipelineSpec, Read};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{Files, run};

const CSV: [&[u8]; 12] = [
    b"1,2,3\n",
    b"4,\"5,\n5\",6\r\n",
    b"\"",
    b",",
    b"\n",
    b"\r",
    b"\xff",
    b"\"\"\"x\"\"\"",
    b"7,8\n",
    b"\0",
    b" , ,\n",
    b"NA,NA,NA\n",
];
const JSON: [&[u8]; 8] = [
    b"{\"a\":1}\n",
    b"{\"a\":\"x\",\"b\":[1,{}]}\r\n",
    b"{\"a\":",
    b"\n",
    b"}\n",
    b"{\"a\":null,\"c\":true}\n",
    b"\xff\n",
    b"\"",
];

fn hostile(pieces: &[&[u8]], head: &[u8], wanted: usize) -> Vec<u8> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(20);
    let mut text = head.to_vec();
    let mut lines = 0;
    while lines < wanted {
        // Whole records half of the time, so that quotes do not swallow the file.
        let pick = generator.next_u64();
        let piece = if pick % 2 == 0 {
            pieces[(pick >> 8) as usize % 2]
        } else {
            pieces[(pick >> 8) as usize % pieces.len()]
        };
        lines += usize::from(piece.ends_with(b"\n"));
        text.extend_from_slice(piece);
    }
    text
}

#[test]
#[ignore = "slow: a million hostile records"]
fn a_million_hostile_records_are_all_accounted_for() {
    let files = Files::with(hostile(&CSV, b"a,b,c\n", 2_800_000));
    let mut ledgers = Vec::new();
    for mode in [Mode::Textual, Mode::Typed] {
        let report = run(PipelineSpec::new(Read::csv(files.input()))
            .mode(mode)
            .write_csv(files.at("clean"))
            .quarantine(files.at("quarantine")));
        assert!(report.ledger.records_in() > 1_000_000, "{}", report.ledger);
        ledgers.push(report.ledger);
    }
    assert_eq!(ledgers[0].to_string(), ledgers[1].to_string());
    for row in 0..ledgers[0].records_in() {
        assert_eq!(ledgers[0].outcome(row), ledgers[1].outcome(row));
    }
    println!("{}", ledgers[0]);

    let files = Files::with(hostile(&JSON, b"", 1_000_001));
    let report = run(PipelineSpec::new(Read::new(files.input(), Format::JsonLines))
        .step(DropDuplicates::default())
        .write(files.at("clean"), Format::JsonLines)
        .quarantine(files.at("quarantine")));
    let lines = |name: &str| {
        std::fs::read(files.at(name))
            .unwrap()
            .iter()
            .filter(|b| **b == b'\n')
            .count() as u64
    };
    assert!(report.ledger.records_in() > 1_000_000, "{}", report.ledger);
    assert_eq!(report.ledger.kept(), lines("clean"));
    assert_eq!(report.ledger.quarantined(), lines("quarantine"));
    println!("{}", report.ledger);
}
