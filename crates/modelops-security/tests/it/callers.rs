//! API keys.

use std::collections::{BTreeMap, HashMap};

use modelops_security::auth::{
    ApiKeyGrant, ApiKeyId, ApiKeyRecord, ApiKeys, Pepper, Remembered, Scope, UnixSeconds,
};
use modelops_security::{ApiKeyError, IssueError};
use proptest::prelude::*;

use crate::seeded;

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

fn keys() -> ApiKeys {
    ApiKeys::new("live", &Pepper::from_bytes([3; 32])).unwrap()
}

#[test]
fn a_key_has_its_published_form() {
    let issued = keys().issue(&ApiKeyGrant::new("p"), NOW, &mut seeded(1)).unwrap();
    let token = issued.token.expose();
    let parts: Vec<&str> = token.split('_').collect();
    assert_eq!(parts.len(), 4);
    assert_eq!((parts[0], parts[1]), ("mo", "live"));
    assert_eq!(parts[2], issued.id.to_string());
    assert_eq!((parts[2].len(), parts[3].len()), (12, 49));
}

#[test]
fn a_wrong_character_anywhere_is_malformed_and_a_wrong_secret_invalid() {
    let keys = keys();
    let issued = keys.issue(&ApiKeyGrant::new("p"), NOW, &mut seeded(1)).unwrap();
    let token = issued.token.expose().clone();
    assert!(keys.authenticate(&token, NOW).is_ok());
    for at in 0..token.len() {
        for with in ['0', 'z', '_', ' ', 'é'] {
            let mut bad = token.clone();
            bad.replace_range(at..=at, &with.to_string());
            if bad != token {
                assert_eq!(
                    keys.authenticate(&bad, NOW),
                    Err(ApiKeyError::Malformed),
                    "{with:?} at {at}"
                );
            }
        }
        assert_eq!(keys.authenticate(&token[..at], NOW), Err(ApiKeyError::Malformed));
    }
    // The name of a known key with the secret of another one, checksum made right; and a name nobody has.
    let mut other = seeded(2);
    let stranger = ApiKeys::new("live", &Pepper::from_bytes([4; 32])).unwrap();
    let foreign = stranger.issue(&ApiKeyGrant::new("p"), NOW, &mut other).unwrap();
    assert_eq!(
        keys.authenticate(foreign.token.expose(), NOW),
        Err(ApiKeyError::Invalid)
    );
    let mut record = stranger.records().remove(0);
    record.hash = [0; 32];
    keys.insert(record);
    assert_eq!(
        keys.authenticate(foreign.token.expose(), NOW),
        Err(ApiKeyError::Invalid)
    );
    let test = ApiKeys::new("test", &Pepper::from_bytes([3; 32])).unwrap();
    assert_eq!(
        test.authenticate(&token, NOW),
        Err(ApiKeyError::Malformed),
        "another environment"
    );
}

#[test]
fn keys_expire_to_the_second_and_revocation_is_at_once() {
    let keys = keys();
    let grant = ApiKeyGrant::new("p").with_expiry(NOW.plus(60));
    let issued = keys.issue(&grant, NOW, &mut seeded(1)).unwrap();
    let token = issued.token.expose();
    assert!(keys.authenticate(token, NOW.plus(59)).is_ok());
    assert_eq!(keys.authenticate(token, NOW.plus(60)), Err(ApiKeyError::Expired));
    keys.revoke(issued.id).unwrap();
    assert_eq!(keys.authenticate(token, NOW), Err(ApiKeyError::Revoked));
    assert_eq!(
        keys.issue(&grant, NOW.plus(60), &mut seeded(2)).unwrap_err(),
        IssueError::AlreadyExpired
    );
}

#[test]
fn rotation_keeps_the_principal_and_grants_grace() {
    let keys = keys();
    let scope = Scope::new("model:m:infer").unwrap();
    let grant = ApiKeyGrant::new("team").with_scope(scope.clone());
    let old = keys.issue(&grant, NOW, &mut seeded(1)).unwrap();
    let new = keys.rotate(old.id, 300, NOW, &mut seeded(2)).unwrap();
    for token in [&old.token, &new.token] {
        let caller = keys.authenticate(token.expose(), NOW.plus(299)).unwrap();
        assert_eq!(&*caller.principal, "team");
        assert!(caller.allows(&scope));
    }
    assert_eq!(
        keys.authenticate(old.token.expose(), NOW.plus(300)),
        Err(ApiKeyError::Expired)
    );
    assert!(keys.authenticate(new.token.expose(), NOW.plus(300)).is_ok());
    keys.revoke(new.id).unwrap();
    assert_eq!(
        keys.rotate(new.id, 0, NOW, &mut seeded(3)).unwrap_err(),
        IssueError::Revoked
    );
}

#[test]
fn records_hold_no_secret_and_restore_the_store() {
    let keys = keys();
    let issued = keys
        .issue(&ApiKeyGrant::new("team"), NOW, &mut seeded(1))
        .unwrap();
    let json = serde_json::to_string(&keys.records()).unwrap();
    let secret = &issued.token.expose()[issued.token.expose().len() - 49..];
    assert!(!json.contains(&secret[..8]));
    let restored = ApiKeys::new("live", &Pepper::from_bytes([3; 32])).unwrap();
    let records: Vec<ApiKeyRecord> = serde_json::from_str(&json).unwrap();
    records.into_iter().for_each(|record| restored.insert(record));
    assert!(restored.authenticate(issued.token.expose(), NOW).is_ok());
    let other = ApiKeys::new("live", &Pepper::from_bytes([5; 32])).unwrap();
    keys.records().into_iter().for_each(|record| other.insert(record));
    assert_eq!(
        other.authenticate(issued.token.expose(), NOW),
        Err(ApiKeyError::Invalid),
        "another pepper"
    );
}

#[test]
fn a_newer_pepper_hashes_new_keys_and_old_ones_go_on() {
    let keys = keys().with_newer_pepper(&Pepper::from_bytes([9; 32])).unwrap();
    let first = ApiKeys::new("live", &Pepper::from_bytes([3; 32])).unwrap();
    let old = first
        .issue(&ApiKeyGrant::new("old"), NOW, &mut seeded(1))
        .unwrap();
    first.records().into_iter().for_each(|record| keys.insert(record));
    let new = keys.issue(&ApiKeyGrant::new("new"), NOW, &mut seeded(2)).unwrap();
    assert!(keys.authenticate(old.token.expose(), NOW).is_ok());
    assert!(keys.authenticate(new.token.expose(), NOW).is_ok());
    assert_eq!(keys.records().iter().map(|r| u32::from(r.pepper)).sum::<u32>(), 1);
}

#[test]
fn bad_environments_and_scopes_are_refused() {
    for bad in ["", "LIVE", "li ve", "toolongname", "a_b"] {
        assert_eq!(
            ApiKeys::new(bad, &Pepper::from_bytes([3; 32])).unwrap_err(),
            IssueError::Environment
        );
    }
    for bad in ["", ":", "a:", "a b", "a:**", "a:b:c:d:e:f:g:h:i", "ä"] {
        assert!(Scope::new(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happens to the keys: who is recalled would be let in, as the same caller.
    #[test]
    fn what_is_recalled_would_be_authenticated(steps in prop::collection::vec((0_usize..4, 0_usize..6, 0_u64..40), 0..60)) {
        let keys = keys();
        let mut tokens = Vec::new();
        for i in 0..4 {
            let mut grant = ApiKeyGrant::new(format!("p{i}"));
            if i % 2 == 1 {
                grant = grant.with_expiry(NOW.plus(200 * i));
            }
            tokens.push(keys.issue(&grant, NOW, &mut seeded(i)).unwrap());
        }
        let first = keys.records();
        let mut now = NOW;
        let mut seen: [Option<Remembered<_>>; 4] = std::array::from_fn(|_| None);
        for (n, (key, what, seconds)) in steps.into_iter().enumerate() {
            now = now.plus(seconds);
            let id = tokens[key].id;
            match what {
                0 => keys.revoke(id).unwrap(),
                1 => drop(keys.rotate(id, seconds, now, &mut seeded(100 + n as u64))),
                2 => keys.insert(first.iter().find(|record| record.id == id).unwrap().clone()),
                _ => {}
            }
            for (issued, seen) in tokens.iter().zip(&mut seen) {
                let token = issued.token.expose();
                let changes = keys.changes();
                let truth = keys.authenticate(token, now);
                let recalled = seen.as_ref().and_then(|seen| seen.recall(token.as_bytes(), now, changes));
                if let Some(recalled) = recalled {
                    prop_assert_eq!(Ok(recalled), truth.as_ref());
                } else if let Ok(caller) = truth {
                    let new = Remembered::new(token.as_bytes(), caller.expires, changes, caller);
                    prop_assert!(new.recall(token.as_bytes(), now, keys.changes()).is_some());
                    prop_assert!(new.recall(&token.as_bytes()[1..], now, changes).is_none());
                    *seen = Some(new);
                }
            }
        }
    }

    /// The table grows, replaces and revokes as a plain map would.
    #[test]
    fn the_store_is_a_map_from_names_to_records(steps in prop::collection::vec((0_u64..600, any::<bool>(), any::<bool>()), 0..900)) {
        let source = keys();
        let tokens: Vec<_> = (0..600).map(|i| {
            let grant = ApiKeyGrant::new(format!("p{}", i % 7));
            source.issue(&grant, NOW, &mut seeded(i)).unwrap()
        }).collect();
        let records: HashMap<ApiKeyId, ApiKeyRecord> = source.records().into_iter().map(|r| (r.id, r)).collect();
        prop_assert_eq!(records.len(), 600);
        let (store, mut expected) = (keys(), BTreeMap::new());
        for (which, revoke, ends) in steps {
            let id = tokens[which as usize].id;
            if revoke {
                let known = expected.get_mut(&id).map(|record: &mut ApiKeyRecord| record.revoked = true);
                prop_assert_eq!(store.revoke(id).is_ok(), known.is_some());
                continue;
            }
            let mut record = records[&id].clone();
            record.expires = ends.then_some(UnixSeconds(u64::MAX));
            store.insert(record.clone());
            expected.insert(id, record);
        }
        prop_assert_eq!(store.records(), expected.values().cloned().collect::<Vec<_>>());
        for issued in &tokens {
            let answer = store.authenticate(issued.token.expose(), NOW).map(|caller| caller.key);
            let right = match expected.get(&issued.id) {
                None => Err(ApiKeyError::Invalid),
                Some(record) if record.revoked => Err(ApiKeyError::Revoked),
                Some(_) => Ok(issued.id),
            };
            prop_assert_eq!(answer, right);
        }
    }
}
