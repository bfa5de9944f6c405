//! Whole files, sealed, opened and verified, by one thread and by two.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use modelops_benches::{Comparison, workspace_root};
use modelops_security::keys::Keyring;
use modelops_security::sealed::{OpenOptions, SealOptions, open_file, seal_file, verify_file};
use modelops_security::{InsecureSeededRandom, SystemRandom};

use crate::{MIB, bytes, folder, keep_only};

fn copy(from: &Path, to: &Path, mut each: impl FnMut(&[u8], &mut dyn Write)) -> File {
    let (mut input, mut output) = (File::open(from).unwrap(), File::create(to).unwrap());
    let mut buffer = vec![0; MIB];
    loop {
        let n = input.read(&mut buffer).unwrap();
        if n == 0 {
            return output;
        }
        each(&buffer[..n], &mut output);
    }
}

pub(crate) fn files(run: &mut Comparison) {
    let len = 256 * MIB;
    let (seal, open, two, written, check) = (
        "seal a file of 256 MiB",
        "open a file of 256 MiB",
        "seal a file of 256 MiB with two threads",
        "only write 256 MiB into one file with two threads",
        "verify a file of 256 MiB with two threads",
    );
    if ![seal, open, two, written, check]
        .iter()
        .any(|name| run.wants(name))
    {
        return;
    }
    let dir = folder();
    let path = |name: &str| -> PathBuf { dir.path().join(name) };
    let (plain, sealed, stone, aged) = (path("plain"), path("ours"), path("stone"), path("age"));
    fs::write(&plain, bytes(len)).unwrap();
    let keyring = Keyring::generate(&mut InsecureSeededRandom::new(1)).unwrap();
    let one = SealOptions::default().with_threads(NonZeroUsize::MIN);
    let stone_key = cobblestone::Key256::from_bytes(&[7; 32]);
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    let seal_ours = || drop(seal_file(&plain, &sealed, &keyring, &one, &mut SystemRandom::new()).unwrap());
    let seal_stone = || {
        let output = File::create(&stone).unwrap();
        let mut writer = cobblestone::EncryptWriter::new(&stone_key, b"", output);
        let mut input = File::open(&plain).unwrap();
        let mut buffer = vec![0; MIB];
        while let n @ 1.. = input.read(&mut buffer).unwrap() {
            writer.write_all(&buffer[..n]).unwrap();
        }
        writer.finish().unwrap();
    };
    let seal_age = || {
        let output = File::create(&aged).unwrap();
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        let mut writer = age::Encryptor::with_recipients(recipients)
            .unwrap()
            .wrap_output(output)
            .unwrap();
        let mut input = File::open(&plain).unwrap();
        let mut buffer = vec![0; MIB];
        while let n @ 1.. = input.read(&mut buffer).unwrap() {
            writer.write_all(&buffer[..n]).unwrap();
        }
        writer.finish().unwrap();
    };
    let clear = || keep_only(dir.path(), &["plain"]);
    run.case(seal)
        .ours_with(clear, |()| seal_ours())
        .peer_with("copy, 1 MiB reads and writes", clear, |()| {
            drop(copy(&plain, &path("copy"), |part, out| {
                out.write_all(part).unwrap();
            }));
        })
        .peer_with("cobblestone 0.2", clear, |()| seal_stone())
        .peer_with("age 0.12", clear, |()| seal_age())
        .per("byte", len)
        .run();
    clear();
    seal_ours();
    seal_stone();
    seal_age();
    let clear_copies = || keep_only(dir.path(), &["plain", "ours", "stone", "age"]);
    let demand = OpenOptions::default().with_threads(NonZeroUsize::MIN);
    run.case(open)
        .ours_with(clear_copies, |()| {
            drop(open_file(&sealed, &path("back"), &keyring, &demand).unwrap());
        })
        .peer_with("copy, 1 MiB reads and writes", clear_copies, |()| {
            drop(copy(&plain, &path("copy"), |part, out| {
                out.write_all(part).unwrap();
            }));
        })
        .peer_with("cobblestone 0.2", clear_copies, |()| {
            let input = File::open(&stone).unwrap();
            let mut reader = cobblestone::DecryptReader::new(&stone_key, b"", input);
            let mut output = File::create(path("back-stone")).unwrap();
            let mut buffer = vec![0; MIB];
            while let n @ 1.. = reader.read(&mut buffer).unwrap() {
                output.write_all(&buffer[..n]).unwrap();
            }
        })
        .peer_with("age 0.12", clear_copies, |()| {
            let decryptor = age::Decryptor::new(File::open(&aged).unwrap()).unwrap();
            let mut reader = decryptor
                .decrypt(std::iter::once(&identity as &dyn age::Identity))
                .unwrap();
            let mut output = File::create(path("back-age")).unwrap();
            let mut buffer = vec![0; MIB];
            while let n @ 1.. = reader.read(&mut buffer).unwrap() {
                output.write_all(&buffer[..n]).unwrap();
            }
        })
        .per("byte", len)
        .run();
    let both = SealOptions::default().with_threads(NonZeroUsize::new(2).unwrap());
    run.case(two)
        .ours_with(clear, |()| {
            drop(seal_file(&plain, &sealed, &keyring, &both, &mut SystemRandom::new()).unwrap());
        })
        .peer_with("ours with one thread", clear, |()| seal_ours())
        .per("byte", len)
        .run();
    // Without sealing: what the system makes of two threads that write into one file.
    let block = bytes(MIB / 4);
    let write = |threads: usize| {
        let output = File::create(path("written")).unwrap();
        let next = AtomicU64::new(0);
        let work = || {
            while let at @ 0..1024 = next.fetch_add(1, Ordering::Relaxed) {
                output.write_all_at(&block, at * block.len() as u64).unwrap();
            }
        };
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
    };
    run.case(written)
        .ours_with(clear, |()| write(2))
        .peer_with("with one thread", clear, |()| write(1))
        .per("byte", len)
        .run();
    // Without writes: what the threads do by themselves.
    seal_ours();
    let demand_two = OpenOptions::default().with_threads(NonZeroUsize::new(2).unwrap());
    let verify = |demand| verify_file(&sealed, &keyring, demand).unwrap().content_len;
    run.case(check)
        .ours(|| verify(&demand_two))
        .peer("ours with one thread", || verify(&demand))
        .agree(|ours, theirs| ours == theirs)
        .per("byte", len)
        .run();
}

/// On the disk that this workspace lies on, to the end: what is measured is on the disk, not in memory on its way there.
pub(crate) fn disk(run: &mut Comparison) {
    let name = "seal a file of 256 MiB onto a disk, past the page cache";
    if !run.wants(name) {
        return;
    }
    let len = 256 * MIB;
    let target = workspace_root().join("target");
    fs::create_dir_all(&target).unwrap();
    let dir = tempfile::tempdir_in(target).unwrap();
    let (plain, sealed, copied) = (
        dir.path().join("plain"),
        dir.path().join("ours"),
        dir.path().join("copy"),
    );
    fs::write(&plain, bytes(len)).unwrap();
    let keyring = Keyring::generate(&mut InsecureSeededRandom::new(1)).unwrap();
    let seal = |direct, threads| {
        let options = SealOptions::default()
            .with_direct_writes(direct)
            .with_threads(NonZeroUsize::new(threads).unwrap());
        drop(seal_file(&plain, &sealed, &keyring, &options, &mut SystemRandom::new()).unwrap());
    };
    let clear = || {
        keep_only(dir.path(), &["plain"]);
        File::open(dir.path()).unwrap().sync_all().unwrap();
    };
    run.case(name)
        .ours_with(clear, |()| seal(true, 1))
        .peer_with("ours with two threads", clear, |()| seal(true, 2))
        .peer_with("ours through the page cache", clear, |()| seal(false, 1))
        .peer_with("copy, 1 MiB reads and writes, then synced", clear, |()| {
            let output = copy(&plain, &copied, |part, out| out.write_all(part).unwrap());
            output.sync_all().unwrap();
        })
        .per("byte", len)
        .run();
}
