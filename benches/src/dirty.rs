//! The dirty table of the comparisons and of the cluster: a CSV file of 450 MB that never changes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// How many records make 450 MB.
pub const RECORDS: usize = 4_800_000;
/// The names of the columns, as the first line has them.
pub const HEADER: &str = "id,user,amount,score,category,day,comment\n";

/// Writes a file of `count` records, and those that are repeated.
///
/// # Errors
/// Of the file system.
pub fn write_file(path: &Path, count: usize) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    out.write_all(HEADER.as_bytes())?;
    records(count, |record| out.write_all(record.as_bytes()))?;
    out.flush()
}

/// Records as the shop of a training log has them: 2 % missing in each of three columns, one in ten repeated nearby,
/// 2 % of the comments with a line end inside quotes, 8 % with a comma.
///
/// # Errors
/// What `take` gives, at once.
pub fn records(records: usize, mut take: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    const WORDS: [&str; 26] = [
        "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo",
        "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform",
        "victor", "whiskey", "xray", "yankee", "zulu",
    ];
    let mut state = 42u64;
    let mut next = |below: u64| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * u128::from(below)) >> 64) as u64
    };
    let mut recent: Vec<String> = Vec::new();
    for id in 0..records {
        let amount = if next(50) == 0 {
            String::new()
        } else {
            format!("{}.{:04}", next(200), next(10_000))
        };
        let score = if next(50) == 0 {
            String::new()
        } else {
            format!("0.{:06}", next(1_000_000))
        };
        let category = if next(50) == 0 {
            ""
        } else {
            ["A", "B", "C", "D", "E", "F", "G", "H"][next(8) as usize]
        };
        let mut comment: Vec<&str> = (0..6).map(|_| WORDS[next(26) as usize]).collect();
        let first = match next(50) {
            0 => "\n",
            1..=4 => ", ",
            _ => " ",
        };
        let head = comment.remove(0);
        let rest = comment.join(" ");
        let comment = if first == " " {
            format!("{head} {rest}")
        } else {
            format!("\"{head}{first}{rest}\"")
        };
        let (user, day) = (next(1_000_000), next(365));
        let record = format!(
            "{id},u{user:07},{amount},{score},{category},2025-{:02}-{:02},{comment}\n",
            day / 31 + 1,
            day % 28 + 1
        );
        take(&record)?;
        if recent.len() < 1000 {
            recent.push(record);
        } else {
            let at = next(1000) as usize;
            if next(10) == 0 {
                take(&recent[at])?;
            }
            recent[at] = record;
        }
    }
    Ok(())
}
