//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How to call the example.
pub(crate) const USAGE: &str = "usage: operate [--data FILE.csv --target COLUMN] [--out DIR]

  --data FILE.csv   a table of your own, with a header; by default the raw Palmer penguins
  --target COLUMN   the column to predict, of at most 100 different values
  --out DIR         where everything lands, by default target/operate";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// The reader's own table and its target.
    pub(crate) own: Option<(PathBuf, String)>,
    /// Where everything lands.
    pub(crate) out: PathBuf,
}

impl Arguments {
    /// Reads the command line; `None` where it asks for help.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Self>, String> {
        let (mut data, mut target, mut out) = (None, None, None);
        while let Some(name) = arguments.next() {
            let slot = match name.to_str() {
                Some("--data") => &mut data,
                Some("--target") => &mut target,
                Some("--out") => &mut out,
                Some("--help" | "-h") => return Ok(None),
                _ => return Err(format!("unknown argument {}", name.display())),
            };
            let value = arguments
                .next()
                .ok_or(format!("{} needs a value", name.display()))?;
            if slot.replace(value).is_some() {
                return Err(format!("{} is given twice", name.display()));
            }
        }
        let own = match (data, target) {
            (None, None) => None,
            (Some(data), Some(target)) => {
                let target = target.into_string().map_err(|_| "the target is not Unicode")?;
                Some((PathBuf::from(data), target))
            }
            (Some(_), None) => return Err("--data needs --target, the column to predict".to_owned()),
            (None, Some(_)) => return Err("--target needs --data, the table it is in".to_owned()),
        };
        let out = out.map_or_else(|| Path::new("target").join("operate"), PathBuf::from);
        Ok(Some(Self { own, out }))
    }
}
