//! Quotas and the audit log.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use modelops_security::audit::{
    AuditLog, Checkpoint, leaf_hash, verify_consistency, verify_inclusion, verify_subtree_consistency,
    verify_subtree_inclusion,
};
use modelops_security::auth::UnixSeconds;
use modelops_security::quota::{Limit, QuotaLedger};
use modelops_security::sign::SigningKey;
use modelops_security::{AuditError, QuotaError};
use modelops_testkit::security::merkle_root_by_hand;
use proptest::prelude::*;

use crate::seeded;

const NOW: UnixSeconds = UnixSeconds(600);

#[test]
fn sixty_four_threads_are_never_let_through_beyond_the_limit() {
    let ledger = QuotaLedger::new();
    ledger.set_limit("team", Limit::new(1_000_000, 60).unwrap());
    let (admitted, in_flight) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..64_u64 {
            let (ledger, admitted, in_flight) = (&ledger, &admitted, &in_flight);
            scope.spawn(move || {
                for i in 0..2_000_u64 {
                    let cost = 1 + (i * 31 + thread * 17) % 97;
                    let Ok(held) = ledger.reserve("team", cost, NOW) else {
                        continue;
                    };
                    in_flight.fetch_add(cost, Ordering::SeqCst);
                    assert!(in_flight.load(Ordering::SeqCst) <= 1_000_000);
                    in_flight.fetch_sub(cost, Ordering::SeqCst);
                    if i % 5 == 0 {
                        drop(held);
                    } else {
                        admitted.fetch_add(cost, Ordering::SeqCst);
                        held.settle(cost, NOW);
                    }
                }
            });
        }
    });
    let usage = ledger.usage("team", NOW).unwrap();
    assert_eq!((usage.used, usage.reserved), (admitted.load(Ordering::SeqCst), 0));
    assert!(usage.used <= 1_000_000 && usage.used > 990_000);
}

#[test]
fn a_panic_gives_the_tokens_back() {
    let ledger = QuotaLedger::new();
    ledger.set_limit("team", Limit::new(10, 60).unwrap());
    let crashed = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let _held = ledger.reserve("team", 10, NOW).unwrap();
            std::panic::resume_unwind(Box::new("the model crashed"));
        });
        worker.join().is_err()
    });
    assert!(crashed);
    assert!(ledger.reserve("team", 10, NOW).is_ok());
}

#[test]
fn windows_begin_anew_and_refusals_say_when() {
    let ledger = QuotaLedger::new();
    assert_eq!(ledger.reserve("nobody", 1, NOW).unwrap_err(), QuotaError::Unknown);
    ledger.set_limit("team", Limit::new(10, 60).unwrap());
    assert_eq!(
        ledger.reserve("team", 11, NOW).unwrap_err(),
        QuotaError::TooLarge { limit: 10 }
    );
    ledger.reserve("team", 6, NOW).unwrap().settle(6, NOW);
    let late = UnixSeconds(659);
    assert_eq!(
        ledger.reserve("team", 5, late).unwrap_err(),
        QuotaError::Exhausted { retry_after: 1 }
    );
    assert!(ledger.reserve("team", 4, late).is_ok());
    let across = ledger.reserve("team", 4, late).unwrap();
    let next = UnixSeconds(660);
    assert_eq!(
        ledger.usage("team", next).map(|u| (u.used, u.reserved)),
        Some((0, 4)),
        "still held"
    );
    across.settle(9, next);
    assert_eq!(ledger.usage("team", next).map(|u| (u.used, u.left)), Some((9, 1)));
    // A clock that goes back finds what was used, not a fresh window.
    assert_eq!(ledger.usage("team", NOW).map(|u| u.used), Some(9));
    ledger.set_limit("team", Limit::new(20, 30).unwrap());
    assert_eq!(
        ledger.usage("team", next).map(|u| (u.used, u.left)),
        Some((9, 11)),
        "a new limit forgets nothing"
    );
}

fn log(entries: u64) -> AuditLog {
    let mut log = AuditLog::in_memory("example.org/log");
    for i in 0..entries {
        log.append(format!("event {i}").as_bytes()).unwrap();
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proofs_hold_for_what_is_there_and_for_nothing_else(size in 1_u64..200, a: prop::sample::Index, b: prop::sample::Index) {
        let log = log(size);
        let root = log.checkpoint().root;
        let leaves: Vec<[u8; 32]> = (0..size).map(|i| leaf_hash(format!("event {i}").as_bytes())).collect();
        let node = |l: &[u8; 32], r: &[u8; 32]| {
            let bytes = [&[1], l.as_slice(), r.as_slice()].concat();
            ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref().try_into().unwrap()
        };
        prop_assert_eq!(root, merkle_root_by_hand(&leaves, &node));
        let (index, old) = (a.index(size as usize) as u64, 1 + b.index(size as usize) as u64);
        let proof = log.inclusion_proof(index, size).unwrap();
        let leaf = leaves[index as usize];
        prop_assert!(verify_inclusion(&leaf, index, size, &proof, &root));
        prop_assert!(!verify_inclusion(&leaf_hash(b"other"), index, size, &proof, &root));
        prop_assert!(!verify_inclusion(&leaf, index + 1, size, &proof, &root));
        prop_assert!(proof.len() as u32 <= 64 - (size - 1).leading_zeros());
        let before = merkle_root_by_hand(&leaves[..old as usize], &node);
        let mut proof = log.consistency_proof(old, size).unwrap();
        prop_assert!(verify_consistency(old, size, &proof, &before, &root));
        prop_assert!(old == size || !verify_consistency(old, size, &proof, &root, &root));
        proof.push([0; 32]);
        prop_assert!(!verify_consistency(old, size, &proof, &before, &root));
    }
}

/// Every subtree of every small log, against roots made by hand; and no proof serves another question.
#[test]
fn proofs_about_parts_hold_for_every_part_of_every_small_log() {
    let log = log(21);
    let leaves: Vec<[u8; 32]> = (0..21)
        .map(|i| leaf_hash(format!("event {i}").as_bytes()))
        .collect();
    let node = |l: &[u8; 32], r: &[u8; 32]| {
        let bytes = [&[1], l.as_slice(), r.as_slice()].concat();
        ring::digest::digest(&ring::digest::SHA256, &bytes)
            .as_ref()
            .try_into()
            .unwrap()
    };
    let mut parts = 0;
    for size in 1..=21_u64 {
        let root = merkle_root_by_hand(&leaves[..size as usize], &node);
        for (start, end) in (0..size).flat_map(|start| (start + 1..=size).map(move |end| (start, end))) {
            let range = start..end;
            if !start.is_multiple_of((end - start).next_power_of_two()) {
                assert_eq!(log.subtree_root(range), Err(AuditError::OutOfRange));
                continue;
            }
            parts += 1;
            let part = merkle_root_by_hand(&leaves[start as usize..end as usize], &node);
            assert_eq!(log.subtree_root(range.clone()), Ok(part));
            let proof = log.subtree_consistency_proof(range.clone(), size).unwrap();
            assert!(
                verify_subtree_consistency(&range, size, &proof, &part, &root),
                "{range:?} of {size}"
            );
            assert!(!verify_subtree_consistency(&range, size, &proof, &[9; 32], &root));
            assert!(!verify_subtree_consistency(&range, size, &proof, &part, &[9; 32]));
            let longer = [proof.as_slice(), &[[0; 32]]].concat();
            assert!(!verify_subtree_consistency(&range, size, &longer, &part, &root));
            assert!(!verify_subtree_consistency(
                &(start..end + 1),
                size,
                &proof,
                &part,
                &root
            ));
            if start == 0 {
                assert_eq!(
                    Ok(proof),
                    log.consistency_proof(end, size),
                    "RFC 6962 is the case from 0"
                );
            }
            for index in range.clone() {
                let path = log.subtree_inclusion_proof(index, range.clone()).unwrap();
                assert!(verify_subtree_inclusion(
                    &leaves[index as usize],
                    index,
                    &range,
                    &path,
                    &part
                ));
                assert!(!verify_subtree_inclusion(
                    &leaves[index as usize],
                    index ^ 1,
                    &range,
                    &path,
                    &part
                ));
            }
        }
    }
    assert!(parts > 500, "{parts}");
    for (range, size) in [(0..22, 22), (1..3, 21), (0..9, 8), (0..u64::MAX, 21)] {
        assert_eq!(
            log.subtree_consistency_proof(range.clone(), size),
            Err(AuditError::OutOfRange)
        );
        assert!(!verify_subtree_consistency(
            &range,
            size.min(20),
            &[],
            &[0; 32],
            &[0; 32]
        ));
    }
    assert_eq!(log.subtree_consistency_proof(3..3, 21), Ok(Vec::new()));
}

#[test]
fn a_cut_or_rewritten_log_contradicts_its_checkpoint() {
    let checkpoint = log(100).checkpoint();
    assert_eq!(log(100).check(&checkpoint), Ok(()));
    assert_eq!(log(150).check(&checkpoint), Ok(()));
    assert_eq!(
        log(99).check(&checkpoint),
        Err(AuditError::Truncated {
            expected: 100,
            found: 99
        })
    );
    let mut other = log(50);
    (50..100).for_each(|_| assert!(other.append(b"rewritten").is_ok()));
    assert_eq!(other.check(&checkpoint), Err(AuditError::Rewritten));
}

#[test]
fn a_checkpoint_is_signed_under_the_name_of_its_log() {
    let key = SigningKey::generate_ed25519(&mut seeded(1)).unwrap();
    let checkpoint = log(7).checkpoint();
    let note = checkpoint.sign(&key).unwrap();
    let public = key.verifying_key();
    assert!(note.starts_with("example.org/log\n7\n"));
    assert_eq!(
        Checkpoint::verify(&note, "example.org/log", &public).unwrap(),
        checkpoint
    );
    let other = SigningKey::generate_ed25519(&mut seeded(2))
        .unwrap()
        .verifying_key();
    assert_eq!(
        Checkpoint::verify(&note, "example.org/log", &other),
        Err(AuditError::Checkpoint)
    );
    assert_eq!(
        Checkpoint::verify(&note, "example.org", &public),
        Err(AuditError::Checkpoint)
    );
    let cosigned = format!("{note}\u{2014} witness.example AAAAAAAA\n");
    assert!(Checkpoint::verify(&cosigned, "example.org/log", &public).is_ok());
    for bad in [
        note.replace("\n7\n", "\n8\n"),
        note.replace("\n7\n", "\n07\n"),
        note.trim_end().to_owned(),
        String::new(),
    ] {
        assert_eq!(
            Checkpoint::verify(&bad, "example.org/log", &public),
            Err(AuditError::Checkpoint)
        );
    }
}

#[test]
fn a_file_survives_a_stop_in_the_middle_of_any_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let mut log = AuditLog::open(&path, "o").unwrap();
    let mut whole = vec![log.checkpoint()];
    let mut ends = vec![0];
    for entry in ["first", "", "third entry"] {
        log.append(entry.as_bytes()).unwrap();
        whole.push(log.checkpoint());
        ends.push(fs::metadata(&path).unwrap().len());
    }
    log.sync().unwrap();
    drop(log);
    let bytes = fs::read(&path).unwrap();
    for cut in 0..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let mut log = AuditLog::open(&path, "o").unwrap();
        let sound = ends.iter().rposition(|end| *end <= cut as u64).unwrap();
        assert_eq!(log.checkpoint(), whole[sound], "cut at {cut}");
        log.append(b"later").unwrap();
        drop(log);
        assert_eq!(AuditLog::open(&path, "o").unwrap().len(), sound as u64 + 1);
    }
    let mut damaged = bytes;
    damaged[9] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert_eq!(
        AuditLog::open(&path, "o").map(|_| ()),
        Err(AuditError::Damaged { entry: 0 })
    );
    assert_eq!(
        AuditLog::in_memory("o").append(&vec![0; 1 << 21]),
        Err(AuditError::TooLong)
    );
}
