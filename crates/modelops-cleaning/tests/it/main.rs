//! The tests of modelops-cleaning as one binary.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod constraint;
mod data;
mod errors;
mod properties;
mod reference;
mod schema;
mod slow;
mod threads;
mod validation;

use std::path::{Path, PathBuf};

use modelops_cleaning::{Pipeline, PipelineSpec, RunReport};

/// A folder for the files of one test.
struct Files(tempfile::TempDir);

impl Files {
    fn with(input: impl AsRef<[u8]>) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        std::fs::write(files.input(), input).unwrap();
        files
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn input(&self) -> PathBuf {
        self.at("in")
    }

    fn clean(&self) -> String {
        read(&self.at("clean"))
    }

    fn quarantine(&self) -> String {
        read(&self.at("quarantine"))
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn run(spec: PipelineSpec) -> RunReport {
    Pipeline::try_new(spec).unwrap().run().unwrap()
}
