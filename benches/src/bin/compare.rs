//! Dispatch of the side-by-side runs: `compare [CRATE|all] [CASE] [--rounds N] [--render]`.

use std::process::{Command, ExitCode};

use modelops_benches::{CRATES, render, results_dir, workspace_root};

const USAGE: &str = "usage: compare CRATE|all [CASE] [--rounds N] [--render]   (or --render alone)";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let rendered = arguments.iter().position(|argument| argument == "--render");
    if let Some(at) = rendered {
        arguments.remove(at);
    }
    let crates: Vec<&str> = match arguments.first().map(String::as_str) {
        None if rendered.is_some() => Vec::new(),
        Some("all") => CRATES.to_vec(),
        Some(name) if CRATES.contains(&name) => vec![name],
        _ => {
            eprintln!("{USAGE}\ncrates: {}", CRATES.join(", "));
            return ExitCode::from(2);
        }
    };
    for name in crates {
        if let Err(reason) = run(name, &arguments[1..]) {
            eprintln!("compare-{name}: {reason}");
            return ExitCode::FAILURE;
        }
    }
    if rendered.is_some()
        && let Err(error) = rewrite_page()
    {
        eprintln!("docs/COMPARE.md: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Builds and runs the binary of one crate, with its feature alone, so that nobody else's peers are compiled.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo says by a variable which cargo runs this"
)]
fn run(name: &str, arguments: &[String]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(workspace_root())
        .args([
            "run",
            "--quiet",
            "--release",
            "-p",
            "modelops-benches",
            "--features",
            name,
        ])
        .args(["--bin", &format!("compare-{name}"), "--"])
        .args(arguments)
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(status.to_string())
    }
}

/// Keeps the results in docs/compare and rewrites docs/COMPARE.md and its plots from there.
fn rewrite_page() -> std::io::Result<()> {
    render(&workspace_root().join("docs"), &results_dir())
}
