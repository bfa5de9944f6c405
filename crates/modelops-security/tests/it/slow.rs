//! What takes long, or needs something from outside.

use std::fs;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use modelops_security::sealed::{OpenOptions, OpenReader, SealOptions, SealWriter, rewrap_file, verify_file};

use crate::sealed::folder;
use crate::{content, keyring, seeded};

/// Most memory this process ever held, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "streams 20 GB through memory"]
fn twenty_gigabytes_stream_in_little_memory() {
    let (reader, writer) = io::pipe().unwrap();
    let before = peak();
    let block = content(1 << 20);
    let blocks = 20_000_000_000 / block.len();
    std::thread::scope(|scope| {
        let sealing = scope.spawn(|| {
            let mut out =
                SealWriter::new(writer, &keyring(1), &SealOptions::default(), &mut seeded(1)).unwrap();
            (0..blocks).for_each(|_| out.write_all(&block).unwrap());
            drop(out.finish().unwrap());
        });
        let mut opened = OpenReader::new(reader, &keyring(1), &OpenOptions::default()).unwrap();
        let read = io::copy(&mut opened, &mut io::sink()).unwrap();
        assert_eq!(read, (blocks * block.len()) as u64);
        sealing.join().unwrap();
    });
    let grown = peak() - before;
    println!("memory grew by {grown} KiB");
    assert!(grown < 64 * 1024, "{grown} KiB");
}

/// The child of the next test: rotates one file for ever.
#[test]
#[ignore = "only run by a_killed_rotation_leaves_a_file_that_opens"]
fn rotates_until_it_is_killed() {
    let path = fs::read_to_string(std::env::temp_dir().join("modelops-rotate-path")).unwrap();
    loop {
        let _ = rewrap_file(path.as_ref(), &keyring(1), &keyring(1), &mut seeded(1));
    }
}

#[test]
#[ignore = "kills a child process a hundred times"]
fn a_killed_rotation_leaves_a_file_that_opens() {
    let f = folder(&content(40_000));
    f.seal(&keyring(1));
    fs::write(
        std::env::temp_dir().join("modelops-rotate-path"),
        f.sealed.to_str().unwrap(),
    )
    .unwrap();
    let mut last = 0;
    for round in 0..100_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "slow::rotates_until_it_is_killed"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_micros(8_000 + round * 331));
        child.kill().unwrap();
        child.wait().unwrap();
        let report = verify_file(
            &f.sealed,
            &keyring(1),
            &OpenOptions::default().with_min_generation(last),
        )
        .unwrap();
        last = report.header.generation;
    }
    println!("{last} generations");
    assert!(last > 100, "the child did rotate: {last}");
}
