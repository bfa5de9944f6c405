//! Gives the template of every line: reads lines from standard input and, once all are read, writes the number of each
//! line's template. With `--time N` it reads the lines N times over and writes the lines a second instead.

use std::io::{BufWriter, Read, Write};
use std::time::Instant;

use modelops_monitoring::TemplateMiner;

#[expect(clippy::disallowed_methods, reason = "an application reads the clock")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let arguments: Vec<String> = std::env::args().collect();
    let mut miner = TemplateMiner::default();
    if let [_, flag, rounds] = &arguments[..]
        && flag == "--time"
    {
        let rounds: usize = rounds.parse()?;
        let begin = Instant::now();
        let mut lines = 0u64;
        for _ in 0..rounds {
            for line in text.lines() {
                lines += u64::from(miner.add(line).is_some());
            }
        }
        println!("{:.0}", lines as f64 / begin.elapsed().as_secs_f64());
        return Ok(());
    }
    let ids: Vec<_> = text.lines().map(|line| miner.add(line)).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for id in ids {
        // What was merged later counts for the lines before it too.
        match id.and_then(|id| miner.current(id)) {
            Some(id) => writeln!(out, "{id}")?,
            None => writeln!(out, "-")?,
        }
    }
    Ok(())
}
