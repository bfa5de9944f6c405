//! Python peers: pinned scripts under `benches/peers/CRATE`, run as children that answer in JSON lines.
//!
//! The child imports and prepares once; each line on its standard input asks for one round, each line on its standard
//! output is the answer: `{"wall": seconds, "cpu": seconds, "output": anything}`. `benches/peers/harness.py` does that
//! for a script, which calls `serve(function)`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Sample;

/// A running child.
pub(crate) struct Python {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Answer<T> {
    wall: f64,
    cpu: f64,
    output: T,
}

impl Python {
    /// Starts `script` of `krate` and waits until it says that it is ready; the reason where that fails.
    pub(crate) fn start(krate: &str, script: &str, arguments: &[&str]) -> Result<Self, String> {
        let peers = crate::workspace_root().join("benches").join("peers");
        let interpreter = interpreter(krate)?;
        Self::spawn(&interpreter, &peers, &peers.join(krate).join(script), arguments)
    }

    fn spawn(interpreter: &Path, harness: &Path, script: &Path, arguments: &[&str]) -> Result<Self, String> {
        let mut child = Command::new(interpreter)
            .arg(script)
            .args(arguments)
            .env("PYTHONPATH", harness)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", interpreter.display()))?;
        let ask = child.stdin.take().expect("the input is piped");
        let answers = BufReader::new(child.stdout.take().expect("the output is piped"));
        let mut python = Self { child, ask, answers };
        match python.line()?.trim() {
            "ready" => Ok(python),
            other => Err(format!("expected the line `ready`, got `{other}`")),
        }
    }

    /// One round.
    pub(crate) fn round<T: DeserializeOwned>(&mut self) -> Result<(T, Sample), String> {
        self.ask.write_all(b"go\n").map_err(|error| error.to_string())?;
        let line = self.line()?;
        let Answer { wall, cpu, output } =
            serde_json::from_str(&line).map_err(|error| format!("{error} in {}", line.trim()))?;
        Ok((output, Sample { wall, cpu }))
    }

    /// The next line that the child prints.
    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => {
                let status = self
                    .child
                    .wait()
                    .map_or_else(|e| e.to_string(), |s| s.to_string());
                Err(format!("the script ended: {status}"))
            }
            Ok(_) => Ok(line),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // A child that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter of the virtual environment of `krate`: `$MODELOPS_VENVS/CRATE`, or `target/venv/CRATE`.
///
/// # Errors
///
/// How to make it, where it is not there.
#[expect(
    clippy::disallowed_methods,
    reason = "where the peers are installed is a fact of the machine"
)]
pub fn interpreter(krate: &str) -> Result<PathBuf, String> {
    let venvs = std::env::var_os("MODELOPS_VENVS").map_or_else(
        || crate::workspace_root().join("target").join("venv"),
        PathBuf::from,
    );
    let python = venvs.join(krate).join("bin").join("python");
    if python.exists() {
        Ok(python)
    } else {
        Err(format!(
            "no virtual environment: python -m venv target/venv/{krate} && \
             target/venv/{krate}/bin/pip install -r benches/peers/{krate}/requirements.txt"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(body: &str) -> Result<Python, String> {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("peer.py");
        std::fs::write(&script, body).unwrap();
        let harness = crate::workspace_root().join("benches").join("peers");
        Python::spawn(Path::new("python3"), &harness, &script, &["21"])
    }

    #[test]
    fn a_script_answers_every_round() {
        let script = "import sys\nfrom harness import serve\nserve(lambda: 2 * int(sys.argv[1]))\n";
        let Ok(mut python) = start(script) else { return };
        for _ in 0..2 {
            let (output, sample): (u32, _) = python.round().unwrap();
            assert_eq!(output, 42);
            assert!(sample.wall >= 0.0 && sample.cpu >= 0.0);
        }
        assert!(python.round::<String>().is_err());
    }

    #[test]
    fn a_script_that_fails_says_so() {
        assert!(start("import sys; sys.exit(3)\n").is_err());
        assert!(start("print('hello')\n").is_err());
    }
}
