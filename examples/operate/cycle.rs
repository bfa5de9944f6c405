//! What the stages share: a folder each, lines or bars on the screen, facts for the summary, the closing table.

use std::error::Error;
use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

/// The stages of one run, in order.
pub(crate) struct Cycle {
    out: PathBuf,
    rows: Vec<Row>,
    facts: Map<String, Value>,
}

/// A row of the closing table.
struct Row {
    stage: String,
    time: Duration,
    result: String,
    file: String,
}

/// One stage at work.
pub(crate) struct Stage<'a> {
    /// Where its files go.
    pub(crate) folder: PathBuf,
    facts: Map<String, Value>,
    name: &'a str,
    result: String,
    file: String,
}

const SUMMARY: &str = "summary.json";

impl Cycle {
    /// Makes the folder; one that holds something else than an earlier run is refused.
    pub(crate) fn begin(out: &Path) -> Result<Self, Box<dyn Error>> {
        let say = |error: std::io::Error| format!("{}: {error}", out.display());
        fs::create_dir_all(out).map_err(say)?;
        let earlier = out.join(SUMMARY).exists();
        if !earlier && fs::read_dir(out).map_err(say)?.next().is_some() {
            let hint = "is not empty and holds no earlier run; choose another --out";
            return Err(format!("{} {hint}", out.display()).into());
        }
        write_whole(
            &out.join(SUMMARY),
            b"{}
",
        )?;
        Ok(Self {
            out: out.to_owned(),
            rows: Vec::new(),
            facts: Map::new(),
        })
    }

    /// Runs one stage in a fresh folder of its name.
    pub(crate) fn stage<T>(
        &mut self,
        name: &str,
        run: impl FnOnce(&mut Stage<'_>) -> Result<T, Box<dyn Error>>,
    ) -> Result<T, Box<dyn Error>> {
        let folder = self.out.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        println!("\n== {name}");
        let mut stage = Stage {
            folder,
            facts: Map::new(),
            name,
            result: String::new(),
            file: String::new(),
        };
        let (time, output) = timed(|| run(&mut stage));
        let output = output.map_err(|error| format!("{name}: {error}"))?;
        self.rows.push(Row {
            stage: name.to_owned(),
            time,
            result: stage.result,
            file: format!("{name}/{}", stage.file),
        });
        self.facts.insert(name.to_owned(), Value::Object(stage.facts));
        Ok(output)
    }

    /// Writes the summary and the times, and prints the closing table.
    pub(crate) fn finish(self) -> Result<(), Box<dyn Error>> {
        let results: Vec<Value> = self
            .rows
            .iter()
            .map(|row| json!({"stage": row.stage, "result": row.result, "file": row.file}))
            .collect();
        let summary = json!({"facts": self.facts, "stages": results});
        write_json(&self.out.join(SUMMARY), &summary)?;
        let times: Map<String, Value> = self
            .rows
            .iter()
            .map(|row| (row.stage.clone(), json!(row.time.as_secs_f64())))
            .collect();
        write_json(&self.out.join("times.json"), &Value::Object(times))?;

        let width = |f: fn(&Row) -> &String| {
            self.rows
                .iter()
                .map(|row| f(row).chars().count())
                .max()
                .unwrap_or(0)
        };
        let (stage, result) = (width(|row| &row.stage), width(|row| &row.result));
        println!(
            "\n{:<stage$}  {:>8}  {:<result$}  file",
            "stage", "time", "result"
        );
        for row in &self.rows {
            let seconds = format!("{:.2} s", row.time.as_secs_f64());
            println!(
                "{:<stage$}  {seconds:>8}  {:<result$}  {}",
                row.stage, row.result, row.file
            );
        }
        println!(
            "\neverything is under {}; only times.json differs from run to run",
            self.out.display()
        );
        Ok(())
    }
}

impl Stage<'_> {
    /// A file of this stage.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file of this stage: whole under its name, or not at all.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<(), Box<dyn Error>> {
        write_whole(&self.path(name), content.as_ref())
    }

    /// Keeps a fact for summary.json.
    pub(crate) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// Says what goes into the closing table.
    pub(crate) fn result(&mut self, result: impl Into<String>, file: &str) {
        self.result = result.into();
        file.clone_into(&mut self.file);
    }

    /// A bar on a terminal; elsewhere one line when it is done.
    pub(crate) fn bar(&self, length: usize, what: &'static str) -> Bar {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:32} {pos}/{len} {msg}");
            let bar = ProgressBar::new(length as u64);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(self.name.to_owned());
            bar.set_message(what);
            bar
        });
        Bar { bar, length, what }
    }
}

/// Progress of one loop.
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    length: usize,
    what: &'static str,
}

impl Bar {
    /// One more is done.
    pub(crate) fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// All are done.
    pub(crate) fn done(self) {
        match self.bar {
            Some(bar) => bar.finish_and_clear(),
            None => println!("{} {}", self.length, self.what),
        }
    }
}

/// Writes beside the final name and moves the whole file there; a full disk leaves nothing under either name.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    fs::write(&part, content)
        .and_then(|()| fs::rename(&part, path))
        .map_err(|error| {
            // What could be written of it is of no use to anybody.
            let _ = fs::remove_file(&part);
            format!("{}: {error}", path.display()).into()
        })
}

/// Writes indented JSON, whole or not at all.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<(), Box<dyn Error>> {
    write_whole(path, (serde_json::to_string_pretty(value)? + "\n").as_bytes())
}

/// Runs `f` and says how long it took. The times end on the screen and in times.json, and nowhere else.
#[expect(clippy::disallowed_methods, reason = "the one clock of the example")]
fn timed<T>(f: impl FnOnce() -> T) -> (Duration, T) {
    let begin = Instant::now();
    let output = f();
    (begin.elapsed(), output)
}

/// `numerator` of `denominator` as a percentage; 0 of 0 is 0.
pub(crate) fn percent(numerator: usize, denominator: usize) -> f64 {
    100.0 * numerator as f64 / denominator.max(1) as f64
}
