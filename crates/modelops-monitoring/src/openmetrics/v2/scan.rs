//! From lines to families.

use std::collections::HashSet;

use super::check::{self, Order};
use super::{Family, Histogram, Native, Sample, Summary, Value};
use crate::openmetrics::scan::{
    closing_quote, is_label_name, is_name, kind, number as number_of, real, unescape,
};
use crate::openmetrics::{FamilyKind, Fault, ParseError, ParsedExemplar};

/// Parses a whole OpenMetrics 2.0 exposition, strictly: what the specification forbids is refused.
///
/// A malformed exemplar, which a scraper may skip, is refused too: this parser is there to find mistakes.
///
/// **Complexity**: O(length of the text).
///
/// # Errors
/// [`ParseError`] with the first line that is wrong.
///
/// ```
/// use modelops_monitoring::openmetrics::v2::{Value, parse};
/// let families = parse("# TYPE wait histogram\nwait {count:2,sum:3.5,bucket:[1:1,+Inf:2]} st@1.5\n# EOF\n")?;
/// let Value::Histogram(wait) = &families[0].samples[0].value else { panic!("it is a histogram") };
/// assert_eq!((wait.sum, wait.classic[0]), (3.5, (1.0, 1.0)));
/// # Ok::<(), modelops_monitoring::openmetrics::ParseError>(())
/// ```
///
/// **References**: OpenMetrics 2.0.0-rc0, March 2026.
pub fn parse(text: &str) -> Result<Vec<Family>, ParseError> {
    let mut parser = Parser::default();
    let mut line_number = 0;
    let mut lines = text.split('\n');
    while let Some(line) = lines.next() {
        line_number += 1;
        let at = |fault| ParseError {
            line: line_number,
            fault,
        };
        if line == "# EOF" {
            parser.end_family();
            let rest = (lines.next(), lines.next());
            return match rest {
                (None | Some(""), None) => Ok(parser.families),
                _ => Err(ParseError {
                    line: line_number + 1,
                    fault: Fault::AfterEnd,
                }),
            };
        }
        parser.line(line).map_err(at)?;
    }
    Err(ParseError {
        line: line_number,
        fault: Fault::NoEnd,
    })
}

#[derive(Default)]
struct Parser {
    families: Vec<Family>,
    taken: HashSet<String>,
    current: Option<Open>,
}

/// The family being read.
struct Open {
    family: Family,
    quoted: bool,
    /// Which of type, unit and help were given.
    given: [bool; 3],
    order: Order,
}

impl Parser {
    fn line(&mut self, line: &str) -> Result<(), Fault> {
        if line.is_empty() {
            return Err(Fault::Blank);
        }
        match line.strip_prefix("# ") {
            Some(rest) => self.metadata(rest),
            None if line.starts_with('#') => Err(Fault::Metadata),
            None => self.sample(line),
        }
    }

    fn metadata(&mut self, line: &str) -> Result<(), Fault> {
        let (keyword, rest) = line.split_once(' ').ok_or(Fault::Metadata)?;
        let mut cursor = Cursor(rest);
        let quoted = rest.starts_with('"');
        let name = if quoted {
            cursor
                .quoted()
                .filter(|name| !name.is_empty())
                .ok_or(Fault::Name)?
        } else {
            let name = cursor.until(" ");
            if !is_name(name) {
                return Err(Fault::Name);
            }
            name.to_owned()
        };
        let text = cursor.0.strip_prefix(' ').ok_or(Fault::Metadata)?;
        let open = self.open(&name, quoted)?;
        if !open.family.samples.is_empty() {
            return Err(Fault::MetadataOrder);
        }
        let place = match keyword {
            "TYPE" => 0,
            "UNIT" => 1,
            "HELP" => 2,
            _ => return Err(Fault::Metadata),
        };
        if std::mem::replace(&mut open.given[place], true) {
            return Err(Fault::MetadataOrder);
        }
        let family = &mut open.family;
        match place {
            0 => family.kind = kind(text).ok_or(Fault::Type)?,
            1 if !text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':') =>
            {
                return Err(Fault::Unit);
            }
            1 => family.unit = Some(text.to_owned()).filter(|unit| !unit.is_empty()),
            _ => family.help = Some(unescape(text)).filter(|help| !help.is_empty()),
        }
        if matches!(family.kind, FamilyKind::Info | FamilyKind::StateSet) && family.unit.is_some() {
            return Err(Fault::Unit);
        }
        if family.kind == FamilyKind::Info && !family.name.ends_with("_info") {
            return Err(Fault::Name);
        }
        Ok(())
    }

    fn sample(&mut self, line: &str) -> Result<(), Fault> {
        let mut cursor = Cursor(line);
        let (name, quoted, labels) = cursor.name_and_labels()?;
        cursor.expect(' ').ok_or(Fault::Number)?;
        let value = cursor.value()?;
        let (mut timestamp, mut start, mut exemplars) = (None, None, Vec::new());
        while let Some(rest) = cursor.0.strip_prefix(' ') {
            cursor = Cursor(rest);
            if let Some(rest) = rest.strip_prefix("# ") {
                cursor = Cursor(rest);
                exemplars.push(cursor.exemplar().ok_or(Fault::Exemplar)?);
            } else if !exemplars.is_empty() || start.is_some() {
                return Err(Fault::Exemplar);
            } else if let Some(rest) = rest.strip_prefix("st@") {
                cursor = Cursor(rest);
                start = Some(real(cursor.until(" ")).ok_or(Fault::Start)?);
            } else if timestamp.is_some() {
                return Err(Fault::Timestamp);
            } else {
                timestamp = Some(real(cursor.until(" ")).ok_or(Fault::Timestamp)?);
            }
        }
        if !cursor.0.is_empty() {
            return Err(Fault::Number);
        }
        let sample = Sample {
            labels,
            value,
            timestamp,
            start,
            exemplars,
        };
        let open = self.open(&name, quoted)?;
        check::sample(&open.family, &sample)?;
        open.order.admit(&open.family, &sample)?;
        open.family.samples.push(sample);
        Ok(())
    }

    /// The family of that name: the one being read, or a new one.
    fn open(&mut self, name: &str, quoted: bool) -> Result<&mut Open, Fault> {
        let same = self.current.as_ref().is_some_and(|open| open.family.name == name);
        if !same {
            self.end_family();
            if !self.taken.insert(name.to_owned()) {
                return Err(Fault::Clash);
            }
        }
        let open = self.current.get_or_insert_with(|| Open {
            family: Family {
                name: name.to_owned(),
                ..Family::default()
            },
            quoted,
            given: [false; 3],
            order: Order::default(),
        });
        if open.quoted == quoted {
            Ok(open)
        } else {
            Err(Fault::Quoting)
        }
    }

    fn end_family(&mut self) {
        self.families.extend(self.current.take().map(|open| open.family));
    }
}

/// What is left of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn expect(&mut self, c: char) -> Option<()> {
        self.0 = self.0.strip_prefix(c)?;
        Some(())
    }

    /// Takes what lies before any of `ends`, or all.
    fn until(&mut self, ends: &str) -> &'a str {
        let end = self.0.find(|c| ends.contains(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    /// A text in quotes.
    fn quoted(&mut self) -> Option<String> {
        let inside = self.0.strip_prefix('"')?;
        let close = closing_quote(inside)?;
        self.0 = &inside[close + 1..];
        Some(unescape(&inside[..close]))
    }

    /// `name{labels}` or `{"name",labels}`; whether the name was quoted.
    fn name_and_labels(&mut self) -> Result<(String, bool, Labels), Fault> {
        if let Some(rest) = self.0.strip_prefix('{') {
            self.0 = rest;
            let name = self.quoted().filter(|name| !name.is_empty()).ok_or(Fault::Name)?;
            let mut labels = Labels::new();
            while self.expect(',').is_some() {
                self.label(&mut labels)?;
            }
            self.expect('}').ok_or(Fault::Labels)?;
            return Ok((name, true, labels));
        }
        let name = self.until("{ ");
        if !is_name(name) {
            return Err(Fault::Name);
        }
        let labels = if self.0.starts_with('{') {
            self.labels()?
        } else {
            Labels::new()
        };
        Ok((name.to_owned(), false, labels))
    }

    fn labels(&mut self) -> Result<Labels, Fault> {
        let mut labels = Labels::new();
        self.expect('{').ok_or(Fault::Labels)?;
        if self.expect('}').is_some() {
            return Ok(labels);
        }
        loop {
            self.label(&mut labels)?;
            if self.expect('}').is_some() {
                return Ok(labels);
            }
            self.expect(',').ok_or(Fault::Labels)?;
        }
    }

    fn label(&mut self, labels: &mut Labels) -> Result<(), Fault> {
        let name = if self.0.starts_with('"') {
            self.quoted()
                .filter(|name| !name.is_empty())
                .ok_or(Fault::Labels)?
        } else {
            let name = self.until("=");
            if !is_label_name(name) {
                return Err(Fault::Labels);
            }
            name.to_owned()
        };
        self.expect('=').ok_or(Fault::Labels)?;
        let text = self.quoted().ok_or(Fault::Labels)?;
        if labels.iter().any(|(known, _)| *known == name) {
            return Err(Fault::Labels);
        }
        labels.push((name, text));
        Ok(())
    }

    /// `{labels} value timestamp`
    fn exemplar(&mut self) -> Option<ParsedExemplar> {
        let labels = self.labels().ok()?;
        self.expect(' ')?;
        let value = number_of(self.until(" "))?;
        self.expect(' ')?;
        let timestamp = Some(real(self.until(" "))?);
        Some(ParsedExemplar {
            labels,
            value,
            timestamp,
        })
    }

    fn value(&mut self) -> Result<Value, Fault> {
        if self.0.starts_with('{') {
            return self.composite().ok_or(Fault::Composite);
        }
        number_of(self.until(" ")).map(Value::Number).ok_or(Fault::Number)
    }

    /// `key:`, where it comes next.
    fn key(&mut self, key: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(key)?.strip_prefix(':')?;
        Some(())
    }

    fn number(&mut self) -> Option<f64> {
        number_of(self.until(",]}"))
    }

    fn composite(&mut self) -> Option<Value> {
        self.expect('{')?;
        let gauge = self.0.starts_with('g');
        self.key(if gauge { "gcount" } else { "count" })?;
        let count = self.number()?;
        self.expect(',')?;
        self.key(if gauge { "gsum" } else { "sum" })?;
        let sum = self.number()?;
        self.expect(',')?;
        if !gauge && self.key("quantile").is_some() {
            let quantiles = self.pairs(real)?;
            self.expect('}')?;
            return Some(Value::Summary(Summary {
                count,
                sum,
                quantiles,
            }));
        }
        let mut value = Histogram {
            gauge,
            count,
            sum,
            native: None,
            classic: Vec::new(),
        };
        let mut more = true;
        if self.key("schema").is_some() {
            value.native = Some(self.native()?);
            more = self.expect(',').is_some();
        }
        if more {
            self.key("bucket")?;
            value.classic = self.pairs(bound)?;
        }
        self.expect('}')?;
        Some(Value::Histogram(value))
    }

    fn native(&mut self) -> Option<Native> {
        let schema = integer(self.until(","))?;
        self.expect(',')?;
        self.key("zero_threshold")?;
        let zero_threshold = real(self.until(","))?;
        self.expect(',')?;
        self.key("zero_count")?;
        let mut native = Native {
            schema: i8::try_from(schema).ok()?,
            zero_threshold,
            zero_count: self.number()?,
            negative: Vec::new(),
            positive: Vec::new(),
        };
        if self.0.starts_with(",negative_spans") {
            native.negative = self.side("negative_spans", "negative_buckets")?;
        }
        if self.0.starts_with(",positive_spans") {
            native.positive = self.side("positive_spans", "positive_buckets")?;
        }
        Some(native)
    }

    /// The buckets of one side, their indices worked out.
    fn side(&mut self, spans: &str, buckets: &str) -> Option<Vec<(i32, f64)>> {
        self.expect(',')?;
        self.key(spans)?;
        let mut indices = Vec::new();
        let mut next = 0i64;
        for (i, (offset, length)) in self.list(|item| item.split_once(':'))?.into_iter().enumerate() {
            let (offset, length) = (integer(offset)?, integer(length)?);
            if (i > 0 && offset < 0) || length < 0 {
                return None;
            }
            next = next.checked_add(offset)?;
            // A length beyond the list of counts would only fill memory.
            if length > self.0.len() as i64 {
                return None;
            }
            indices.extend(next..next.checked_add(length)?);
            next += length;
        }
        self.expect(',')?;
        self.key(buckets)?;
        let counts = self.list(number_of)?;
        if counts.len() != indices.len() {
            return None;
        }
        let indices = indices.into_iter().map(i32::try_from);
        indices
            .zip(counts)
            .map(|(index, count)| Some((index.ok()?, count)))
            .collect()
    }

    /// `[key:number,…]`
    fn pairs(&mut self, key: fn(&str) -> Option<f64>) -> Option<Vec<(f64, f64)>> {
        self.list(|item| {
            let (left, right) = item.split_once(':')?;
            Some((key(left)?, number_of(right)?))
        })
    }

    /// `[item,…]`
    fn list<T>(&mut self, item: impl Fn(&'a str) -> Option<T>) -> Option<Vec<T>> {
        self.expect('[')?;
        let inside = self.until("]");
        self.expect(']')?;
        if inside.is_empty() {
            return Some(Vec::new());
        }
        inside.split(',').map(item).collect()
    }
}

/// Names and unescaped texts.
type Labels = Vec<(String, String)>;

/// The bound of a classic bucket; infinities are spelled `+Inf` and `-Inf`.
fn bound(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        text => real(text),
    }
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}
