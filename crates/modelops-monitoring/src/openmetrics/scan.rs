//! From lines to families.

use std::collections::HashSet;

use super::check::{self, Groups};
use super::{FamilyKind, Fault, ParseError, ParsedExemplar, ParsedFamily, ParsedSample};

/// Parses a whole OpenMetrics 1.0 exposition, strictly: what the specification forbids is refused.
///
/// Use it to test an exporter, or to read one; it takes everything that
/// [`Registry::to_openmetrics`](crate::Registry::to_openmetrics) writes. Of samples repeated with one timestamp the first counts.
///
/// **Complexity**: O(length of the text).
///
/// # Errors
/// [`ParseError`] with the first line that is wrong, or the line after the family that is.
///
/// ```
/// use modelops_monitoring::openmetrics::{Fault, parse};
/// let families = parse("# TYPE orders counter\norders_total{shop=\"a\"} 3\n# EOF\n")?;
/// assert_eq!(families[0].samples[0].value, 3.0);
/// assert_eq!(parse("orders 1").unwrap_err().fault, Fault::NoEnd);
/// # Ok::<(), modelops_monitoring::openmetrics::ParseError>(())
/// ```
///
/// **References**: OpenMetrics 1.0, "A standard for transmitting cloud-native metrics at scale".
pub fn parse(text: &str) -> Result<Vec<ParsedFamily>, ParseError> {
    let mut parser = Parser::default();
    let mut number = 0;
    let mut lines = text.split('\n');
    while let Some(line) = lines.next() {
        number += 1;
        let at = |fault| ParseError { line: number, fault };
        if line == "# EOF" {
            parser.end_family().map_err(at)?;
            // One line break may follow.
            let rest = (lines.next(), lines.next());
            return match rest {
                (None | Some(""), None) => Ok(parser.families),
                _ => Err(ParseError {
                    line: number + 1,
                    fault: Fault::AfterEnd,
                }),
            };
        }
        parser.line(line).map_err(at)?;
    }
    Err(ParseError {
        line: number,
        fault: Fault::NoEnd,
    })
}

#[derive(Default)]
struct Parser {
    families: Vec<ParsedFamily>,
    /// Every name that a family has used, its samples' included.
    taken: HashSet<String>,
    current: Option<Open>,
}

/// The family being read.
struct Open {
    family: ParsedFamily,
    /// A type line was seen.
    typed: bool,
    unit_given: bool,
    groups: Groups,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), Fault> {
        if line.is_empty() {
            return Err(Fault::Blank);
        }
        if line.starts_with('#') {
            self.metadata(line)
        } else {
            self.sample(line)
        }
    }

    fn metadata(&mut self, line: &str) -> Result<(), Fault> {
        let mut parts = line.splitn(4, ' ');
        let (Some("#"), Some(keyword), Some(name), Some(rest)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Fault::Metadata);
        };
        if !is_name(name) {
            return Err(Fault::Name);
        }
        let open = match &mut self.current {
            Some(open) if open.family.name == name => {
                if !open.family.samples.is_empty() {
                    return Err(Fault::MetadataOrder);
                }
                open
            }
            _ => self.begin(name)?,
        };
        match keyword {
            "HELP" if open.family.help.is_none() => open.family.help = Some(unescape(rest)),
            "UNIT" if !open.unit_given => {
                open.unit_given = true;
                if !rest.is_empty() {
                    if !name.strip_suffix(rest).is_some_and(|stem| stem.ends_with('_')) {
                        return Err(Fault::Unit);
                    }
                    open.family.unit = Some(rest.to_owned());
                }
            }
            "TYPE" if !open.typed => {
                open.typed = true;
                open.family.kind = kind(rest).ok_or(Fault::Type)?;
            }
            "HELP" | "UNIT" | "TYPE" => return Err(Fault::MetadataOrder),
            _ => return Err(Fault::Metadata),
        }
        let no_unit = matches!(open.family.kind, FamilyKind::Info | FamilyKind::StateSet);
        if no_unit && open.family.unit.is_some() {
            return Err(Fault::Unit);
        }
        Ok(())
    }

    fn sample(&mut self, line: &str) -> Result<(), Fault> {
        let sample = sample(line)?;
        let open = match &mut self.current {
            Some(open) if check::belongs(open.family.kind, &open.family.name, &sample.name) => open,
            _ => self.begin(&sample.name)?,
        };
        check::sample(&open.family, &sample)?;
        if open.groups.admit(&open.family, &sample)? {
            open.family.samples.push(sample);
        }
        Ok(())
    }

    fn begin(&mut self, name: &str) -> Result<&mut Open, Fault> {
        self.end_family()?;
        Ok(self.current.insert(Open {
            family: ParsedFamily {
                name: name.to_owned(),
                ..ParsedFamily::default()
            },
            typed: false,
            unit_given: false,
            groups: Groups::default(),
        }))
    }

    fn end_family(&mut self) -> Result<(), Fault> {
        let Some(open) = self.current.take() else {
            return Ok(());
        };
        check::family(&open.family)?;
        for suffix in check::suffixes(open.family.kind) {
            if !self.taken.insert(format!("{}{suffix}", open.family.name)) {
                return Err(Fault::Clash);
            }
        }
        self.families.push(open.family);
        Ok(())
    }
}

pub(super) fn kind(text: &str) -> Option<FamilyKind> {
    Some(match text {
        "unknown" => FamilyKind::Unknown,
        "gauge" => FamilyKind::Gauge,
        "counter" => FamilyKind::Counter,
        "stateset" => FamilyKind::StateSet,
        "info" => FamilyKind::Info,
        "histogram" => FamilyKind::Histogram,
        "gaugehistogram" => FamilyKind::GaugeHistogram,
        "summary" => FamilyKind::Summary,
        _ => return None,
    })
}

/// `name{labels} value timestamp # {labels} value timestamp`
fn sample(line: &str) -> Result<ParsedSample, Fault> {
    let end = line.find(['{', ' ']).ok_or(Fault::Number)?;
    let (name, rest) = line.split_at(end);
    if !is_name(name) {
        return Err(Fault::Name);
    }
    let (labels, rest) = if rest.starts_with('{') {
        labels(rest)?
    } else {
        (Vec::new(), rest)
    };
    let (numbers, exemplar) = match rest.split_once(" # ") {
        Some((numbers, text)) => (numbers, Some(exemplar(text)?)),
        None => (rest, None),
    };
    let (value, timestamp) = value_and_timestamp(numbers)?;
    Ok(ParsedSample {
        name: name.to_owned(),
        labels,
        value,
        timestamp,
        exemplar,
    })
}

fn exemplar(text: &str) -> Result<ParsedExemplar, Fault> {
    let (labels, rest) = labels(text).map_err(|_| Fault::Exemplar)?;
    let (value, timestamp) = value_and_timestamp(rest).map_err(|_| Fault::Exemplar)?;
    let length: usize = labels
        .iter()
        .map(|(name, text)| name.chars().count() + text.chars().count())
        .sum();
    if length > 128 {
        return Err(Fault::Exemplar);
    }
    Ok(ParsedExemplar {
        labels,
        value,
        timestamp,
    })
}

/// ` value` or ` value timestamp`
fn value_and_timestamp(text: &str) -> Result<(f64, Option<f64>), Fault> {
    let text = text.strip_prefix(' ').ok_or(Fault::Number)?;
    let (value, timestamp) = match text.split_once(' ') {
        Some((value, timestamp)) => (value, Some(timestamp)),
        None => (text, None),
    };
    let value = number(value).ok_or(Fault::Number)?;
    let timestamp = match timestamp {
        Some(text) => Some(real(text).ok_or(Fault::Timestamp)?),
        None => None,
    };
    Ok((value, timestamp))
}

/// Names and unescaped texts.
type Labels = Vec<(String, String)>;

/// The labels from `{` to `}`, and what follows.
fn labels(text: &str) -> Result<(Labels, &str), Fault> {
    let mut rest = text.strip_prefix('{').ok_or(Fault::Labels)?;
    let mut labels = Labels::new();
    if let Some(after) = rest.strip_prefix('}') {
        return Ok((labels, after));
    }
    loop {
        let (name, after) = rest.split_once("=\"").ok_or(Fault::Labels)?;
        if !is_label_name(name) || labels.iter().any(|(known, _)| known == name) {
            return Err(Fault::Labels);
        }
        let close = closing_quote(after).ok_or(Fault::Labels)?;
        labels.push((name.to_owned(), unescape(&after[..close])));
        rest = &after[close + 1..];
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        rest = rest.strip_prefix(',').ok_or(Fault::Labels)?;
    }
}

pub(super) fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

/// `\\`, `\"` and `\n`; any other backslash stands for itself.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let replaced = match (c, chars.peek()) {
            ('\\', Some('\\')) => Some('\\'),
            ('\\', Some('"')) => Some('"'),
            ('\\', Some('n')) => Some('\n'),
            _ => None,
        };
        if let Some(replaced) = replaced {
            chars.next();
            out.push(replaced);
        } else {
            out.push(c);
        }
    }
    out
}

pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let starts = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b':';
    bytes.next().is_some_and(starts) && bytes.all(|b| starts(b) || b.is_ascii_digit())
}

pub(super) fn is_label_name(text: &str) -> bool {
    is_name(text) && !text.contains(':')
}

/// A real number, an infinity or NaN.
pub(super) fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let named = unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity");
    if named || text.eq_ignore_ascii_case("nan") {
        return text.parse().ok();
    }
    real(text)
}

/// A finite decimal number: `[+-] digits [. digits] [e [+-] digits]`.
pub(super) fn real(text: &str) -> Option<f64> {
    // What the standard parser takes beyond that is spelled with letters.
    let decimal = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    decimal.then(|| text.parse().ok()).flatten()
}
