//! Laws that hold for every message, cut and range.

use std::io::{Read, Write};
use std::num::NonZeroUsize;

use modelops_security::auth::Scope;
use modelops_security::chunked::{self, InputKey, Suite};
use modelops_security::sealed::{
    OpenOptions, OpenReader, SealOptions, SealWriter, SealedFile, open_file, seal_file,
};
use modelops_testkit::security::{cut_by_hand, interesting_len};
use proptest::prelude::*;

use crate::{content, keyring, seeded};

fn suite() -> impl Strategy<Value = Suite> {
    prop_oneof![Just(Suite::Cobblestone256), Just(Suite::Cobblestone128)]
}

fn key(suite: Suite) -> InputKey {
    InputKey::new(suite, &[9; 32][..suite.key_len()]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_sealed_opens(suite in suite(), len in interesting_len(), context: Vec<u8>, seed: u64) {
        let message = content(len);
        let sealed = chunked::seal(&key(suite), &context, &message, &mut seeded(seed)).unwrap();
        prop_assert_eq!(sealed.len() as u64, chunked::sealed_len(len as u64).unwrap());
        prop_assert_eq!(chunked::open(&key(suite), &context, &sealed).unwrap(), message);
    }

    #[test]
    fn in_place_gives_the_same_message_with_its_tags_apart(len in interesting_len(), seed: u64, at: prop::sample::Index) {
        let key = key(Suite::Cobblestone256);
        let whole = chunked::seal(&key, b"c", &content(len), &mut seeded(seed)).unwrap();
        let mut data = content(len);
        let mut detached = chunked::seal_in_place(&key, b"c", &mut data, &mut seeded(seed)).unwrap();
        let mut joined = detached.prefix.to_vec();
        let chunks = data.chunks(16_384).chain(len.is_multiple_of(16_384).then_some(&[][..]));
        for (chunk, tag) in chunks.zip(&detached.tags) {
            joined.extend_from_slice(chunk);
            joined.extend_from_slice(tag);
        }
        prop_assert_eq!(joined, whole);
        let mut back = data.clone();
        chunked::open_in_place(&key, b"c", &mut back, &detached).unwrap();
        prop_assert_eq!(back, content(len));
        let tag = at.index(detached.tags.len());
        detached.tags[tag][3] ^= 1;
        prop_assert!(chunked::open_in_place(&key, b"c", &mut data, &detached).is_err());
        prop_assert!(data.iter().all(|b| *b == 0));
    }

    #[test]
    fn the_cut_is_the_one_of_the_specification(len in 0_u64..(1 << 42)) {
        let lengths = cut_by_hand(len.min(1 << 24));
        let by_hand: u64 = 56 + lengths.iter().map(|chunk| chunk + 16).sum::<u64>();
        prop_assert_eq!(chunked::sealed_len(len.min(1 << 24)), Some(by_hand));
        let sealed = chunked::sealed_len(len).unwrap();
        prop_assert_eq!(chunked::message_len(sealed), Some(len));
    }

    #[test]
    fn a_stream_gives_the_bytes_of_the_whole_however_it_is_written(
        len in interesting_len(), pieces in prop::collection::vec(1_usize..40_000, 1..20), seed: u64,
    ) {
        let message = content(len);
        let whole = chunked::seal(&key(Suite::Cobblestone256), b"c", &message, &mut seeded(seed)).unwrap();
        let mut writer =
            chunked::SealWriter::new(Vec::new(), &key(Suite::Cobblestone256), b"c", &mut seeded(seed)).unwrap();
        let mut rest = message.as_slice();
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*piece));
            writer.write_all(now).unwrap();
            rest = later;
            if rest.is_empty() { break }
        }
        prop_assert_eq!(&writer.finish().unwrap(), &whole);
        let mut reader =
            chunked::OpenReader::new(whole.as_slice(), &key(Suite::Cobblestone256), b"c").unwrap();
        let mut back = Vec::new();
        for piece in pieces.iter().cycle() {
            let mut buffer = vec![0; *piece];
            let n = reader.read(&mut buffer).unwrap();
            back.extend_from_slice(&buffer[..n]);
            if n == 0 { break }
        }
        prop_assert_eq!(back, message);
    }

    #[test]
    fn one_changed_byte_anywhere_is_refused(len in interesting_len(), at: prop::sample::Index, flip in 1_u8..=255) {
        let mut sealed =
            chunked::seal(&key(Suite::Cobblestone256), b"", &content(len), &mut seeded(1)).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= flip;
        prop_assert!(chunked::open(&key(Suite::Cobblestone256), b"", &sealed).is_err());
    }

    #[test]
    fn one_cut_or_one_added_byte_anywhere_is_refused(len in interesting_len(), at: prop::sample::Index, added: u8) {
        let sealed = chunked::seal(&key(Suite::Cobblestone256), b"", &content(len), &mut seeded(1)).unwrap();
        let at = at.index(sealed.len());
        prop_assert!(chunked::open(&key(Suite::Cobblestone256), b"", &sealed[..at]).is_err());
        let mut longer = sealed.clone();
        longer.insert(at, added);
        prop_assert!(chunked::open(&key(Suite::Cobblestone256), b"", &longer).is_err());
        let mut longer = sealed;
        longer.push(added);
        prop_assert!(chunked::open(&key(Suite::Cobblestone256), b"", &longer).is_err());
    }

    #[test]
    fn any_range_of_a_file_is_that_range_of_its_content(
        len in interesting_len(), ranges in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (plain, sealed) = (dir.path().join("plain"), dir.path().join("sealed"));
        let message = content(len);
        std::fs::write(&plain, &message).unwrap();
        seal_file(&plain, &sealed, &keyring(1), &SealOptions::default(), &mut seeded(2)).unwrap();
        let file = SealedFile::open(&sealed, &keyring(1), &OpenOptions::default()).unwrap();
        prop_assert_eq!(file.len(), len as u64);
        for (a, b) in ranges {
            let (a, b) = (a.index(len + 1), b.index(len + 1));
            let (a, b) = (a.min(b), a.max(b));
            let mut out = vec![0; b - a];
            file.read_at(&mut out, a as u64).unwrap();
            prop_assert_eq!(&out, &message[a..b]);
            let mut again = vec![1; b - a];
            file.read_at_parallel(&mut again, a as u64, NonZeroUsize::new(3)).unwrap();
            prop_assert_eq!(&again, &out);
            let mut beyond = vec![0; len - a + 1];
            prop_assert!(file.read_at(&mut beyond, a as u64).is_err());
        }
    }

    #[test]
    fn the_number_of_threads_and_the_way_in_do_not_change_a_byte(
        len in interesting_len(), seed: u64, threads in 1_usize..5, direct: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (plain, sealed) = (dir.path().join("plain"), dir.path().join("sealed"));
        let message = content(len);
        std::fs::write(&plain, &message).unwrap();
        let options = SealOptions::default().with_context(b"a model").with_threads(NonZeroUsize::new(threads).unwrap())
            .with_direct_writes(direct);
        seal_file(&plain, &sealed, &keyring(1), &options, &mut seeded(seed)).unwrap();
        let mut writer = SealWriter::new(Vec::new(), &keyring(1), &options, &mut seeded(seed)).unwrap();
        writer.write_all(&message).unwrap();
        let stream = writer.finish().unwrap();
        prop_assert_eq!(&std::fs::read(&sealed).unwrap(), &stream);
        let demand = OpenOptions::default().with_threads(NonZeroUsize::new(threads).unwrap()).with_direct_writes(direct);
        open_file(&sealed, &plain, &keyring(1), &demand).unwrap();
        prop_assert_eq!(&std::fs::read(&plain).unwrap(), &message);
        let mut back = Vec::new();
        OpenReader::new(stream.as_slice(), &keyring(1), &OpenOptions::default()).unwrap().read_to_end(&mut back).unwrap();
        prop_assert_eq!(back, message);
    }

    #[test]
    fn a_scope_grants_itself_and_what_its_stars_cover(parts in prop::collection::vec("[a-z0-9._-]{1,8}", 1..8), star: prop::sample::Index) {
        let scope = Scope::new(parts.join(":")).unwrap();
        prop_assert!(scope.grants(&scope));
        let mut wide = parts.clone();
        wide[star.index(parts.len())] = "*".to_owned();
        let wide = Scope::new(wide.join(":")).unwrap();
        prop_assert!(wide.grants(&scope));
        prop_assert!(!scope.grants(&wide) || scope == wide);
        let mut longer = parts;
        longer.push("x".to_owned());
        if let Ok(longer) = Scope::new(longer.join(":")) {
            prop_assert!(!scope.grants(&longer) && !longer.grants(&scope));
        }
    }
}
