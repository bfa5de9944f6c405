//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How to call the example.
pub const USAGE: &str = "usage: serve [OPTION VALUE]…

  --address ADDRESS    where to listen, by default 127.0.0.1:8080; port 0 takes a free one
  --model DIR          what `operate` published, by default target/operate/5-protect
  --out DIR            keys, request log, audit log; by default target/serve
  --quota TOKENS       tokens a minute of each caller but the guest, by default 60000
  --pace FACTOR        how long a token takes on its simulated device: 1 as computed (default), 0 no time at all
  --queue REQUESTS     how many may wait for a replica, by default 256
  --drain SECONDS      how long a shutdown waits for requests under way, by default 10
  --without WHAT       `guard` (keys, quotas, admission), `quotas`, `admission`, `metrics` (metrics, log) or `log`, for
                       measuring what they cost; may be given again";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where to listen.
    pub address: SocketAddr,
    /// The folder that `operate` published.
    pub model: PathBuf,
    /// Where keys and logs land.
    pub out: PathBuf,
    /// Tokens a minute of each caller but the guest.
    pub quota: u64,
    /// The factor on the time of a token.
    pub pace: f64,
    /// Requests that may wait for a replica.
    pub queue: usize,
    /// How long a shutdown waits.
    pub drain: Duration,
    /// Whether callers are checked; without, there are neither quotas nor admission.
    pub guard: bool,
    /// Whether callers have quotas.
    pub quotas: bool,
    /// Whether requests wait for a replica.
    pub admission: bool,
    /// Whether anything is measured and logged.
    pub metrics: bool,
    /// Whether requests are logged.
    pub log: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            model: PathBuf::from("target/operate/5-protect"),
            out: PathBuf::from("target/serve"),
            quota: 60_000,
            pace: 1.0,
            queue: 256,
            drain: Duration::from_secs(10),
            guard: true,
            quotas: true,
            admission: true,
            metrics: true,
            log: true,
        }
    }
}

impl Settings {
    /// Reads the command line; `None` where it asks for help.
    ///
    /// # Errors
    /// A sentence for the terminal.
    pub fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Self>, String> {
        let mut settings = Self::default();
        while let Some(name) = arguments.next() {
            let name = name.to_string_lossy().into_owned();
            if name == "--help" || name == "-h" {
                return Ok(None);
            }
            let known = [
                "--address",
                "--model",
                "--out",
                "--quota",
                "--pace",
                "--queue",
                "--drain",
                "--without",
            ];
            if !known.contains(&name.as_str()) {
                return Err(format!("unknown argument {name}"));
            }
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            let text = value.to_string_lossy();
            let wrong = || format!("{name} {text}: not a value it takes");
            match name.as_str() {
                "--address" => settings.address = text.parse().map_err(|_| wrong())?,
                "--model" => settings.model = PathBuf::from(&value),
                "--out" => settings.out = PathBuf::from(&value),
                "--quota" => settings.quota = text.parse().map_err(|_| wrong())?,
                "--queue" => settings.queue = text.parse().map_err(|_| wrong())?,
                "--drain" => settings.drain = Duration::from_secs(text.parse().map_err(|_| wrong())?),
                "--pace" => {
                    let pace: f64 = text.parse().map_err(|_| wrong())?;
                    settings.pace = if (0.0..=1000.0).contains(&pace) {
                        pace
                    } else {
                        return Err(wrong());
                    };
                }
                _ if text == "guard" => settings.guard = false,
                _ if text == "quotas" => settings.quotas = false,
                _ if text == "admission" => settings.admission = false,
                _ if text == "metrics" => settings.metrics = false,
                _ if text == "log" => settings.log = false,
                _ => return Err(wrong()),
            }
        }
        Ok(Some(settings))
    }

    /// Whether only this machine can reach the service: pages for operators are open then.
    pub(crate) fn is_local(&self) -> bool {
        self.address.ip().is_loopback()
    }
}
