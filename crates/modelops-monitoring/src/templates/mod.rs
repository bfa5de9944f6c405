//! Which lines of a log are alike.

mod words;

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use words::{BREAK, Splitter, WILD};

use crate::counter::Counter;
use crate::error::RegisterError;
use crate::family::Family;
use crate::registry::Registry;

/// Different words at one place that make the place vary.
const ENOUGH_WORDS: usize = 6;
/// The same where one of the lines has a mark there already.
const ENOUGH_BESIDE_A_MARK: usize = 2;
/// Fixed words that a template has at least.
const LEAST_FIXED: usize = 2;

/// Settings of a [`TemplateMiner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateMinerOptions {
    /// Different skeletons that are remembered; lines of further ones that fit no template are counted as unmatched.
    /// Default 10,000. A skeleton takes about 1 KiB.
    pub max_skeletons: usize,
    /// Bytes of a line that are looked at. Default 4,096.
    pub max_line_bytes: usize,
}

impl Default for TemplateMinerOptions {
    fn default() -> Self {
        Self {
            max_skeletons: 10_000,
            max_line_bytes: 4_096,
        }
    }
}

impl TemplateMinerOptions {
    /// The same with another number of skeletons.
    #[must_use]
    pub fn with_max_skeletons(mut self, skeletons: usize) -> Self {
        self.max_skeletons = skeletons.min(u32::MAX as usize);
        self
    }
}

/// One group of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Template {
    /// Its number; the least of those it was merged from.
    pub id: u32,
    /// The words that stay, `<*>` for each run of words that vary.
    pub text: String,
    /// Lines seen.
    pub lines: u64,
}

/// Finds, online and with one configuration for all systems, which lines of a log come from one statement.
///
/// A line is reduced to its skeleton: numbers, paths, addresses, hosts, dates, units after numbers and brackets that hold
/// nothing else become marks, and neighbouring marks one. Lines of one skeleton are one template. Skeletons that differ in
/// one word become one template once six different words were seen at that place (two, where it is marked in one of them). So the
/// templates depend on which lines were seen and not on their order, and two templates may be merged later: numbers that
/// [`add`](Self::add) gave stay valid through [`current`](Self::current).
///
/// Drop the timestamp and the level from a line before it is added: they are fields, not words.
///
/// **Complexity**: `add` O(length) for a skeleton that is known, O(words²) for a new one.
///
/// ```
/// use modelops_monitoring::TemplateMiner;
/// let mut miner = TemplateMiner::default();
/// let a = miner.add("open /data/a.bin took 12 ms");
/// let b = miner.add("open /data/b/c.bin took 3 ms");
/// let c = miner.add("cannot open /data/a.bin");
/// assert!(a == b && a != c);
/// assert_eq!(miner.templates()[0].text, "open <*> took <*>");
/// ```
///
/// **References**: J. Zhu, S. He et al., "Tools and Benchmarks for Automated Log Parsing", ICSE-SEIP 2019,
/// doi:10.1109/ICSE-SEIP.2019.00021 (grouping accuracy).
#[doc(alias("Drain", "log_parser"))]
#[derive(Debug, Clone)]
pub struct TemplateMiner {
    options: TemplateMinerOptions,
    splitter: Splitter,
    hasher: FixedState,
    skeletons: Vec<Skeleton>,
    by_text: HashTable<u32>,
    /// For each skeleton with one place left out: what was seen there.
    places: HashTable<Place>,
    unmatched: u64,
    rates: Option<Family<TemplateLabels<'static>, Counter>>,
}

crate::label_set! { struct TemplateLabels<'a> { template: &'a str } }

#[derive(Debug, Clone)]
struct Skeleton {
    text: Box<[u8]>,
    /// A skeleton of the same template, itself where it is the first.
    parent: u32,
    lines: u64,
    counter: Option<Counter>,
}

/// Skeletons that are equal but for one place.
#[derive(Debug, Clone)]
struct Place {
    hash: u64,
    /// Those seen while they are not one template; one of them once they are.
    members: Vec<u32>,
    marked: bool,
    merged: bool,
}

impl Default for TemplateMiner {
    fn default() -> Self {
        Self::new(TemplateMinerOptions::default())
    }
}

impl TemplateMiner {
    /// A miner that has seen nothing.
    #[must_use]
    pub fn new(options: TemplateMinerOptions) -> Self {
        Self {
            options,
            splitter: Splitter::default(),
            hasher: FixedState::with_seed(0x74_656d_706c),
            skeletons: Vec::new(),
            by_text: HashTable::new(),
            places: HashTable::new(),
            unmatched: 0,
            rates: None,
        }
    }

    /// Counts every line from now on in `log_lines_total{template}` of `registry`, so that rates of templates can be
    /// watched. The label is the template's text when it was first seen.
    ///
    /// # Errors
    /// [`RegisterError`] where the name is taken.
    pub fn with_rates(mut self, registry: &Registry) -> Result<Self, RegisterError> {
        self.rates = Some(registry.counter_family("log_lines", "Lines of the log by template.")?);
        Ok(self)
    }

    /// Takes a line and gives the number of its template; `None` where it fits none and there is no room for one more.
    pub fn add(&mut self, line: &str) -> Option<u32> {
        self.add_n(line, 1)
    }

    /// As [`add`](Self::add), for a line that occurred `n` times.
    pub fn add_n(&mut self, line: &str, n: u64) -> Option<u32> {
        self.split(line);
        let hash = self.hash(&self.splitter.skeleton);
        let id = match self.known(hash) {
            Some(id) => id,
            None if self.skeletons.len() < self.options.max_skeletons => self.learn(hash),
            None => {
                let Some(id) = self.fitting() else {
                    self.unmatched += n;
                    return None;
                };
                id
            }
        };
        let root = self.root(id);
        self.skeletons[id as usize].lines += n;
        if let Some(rates) = &self.rates {
            if self.skeletons[root as usize].counter.is_none() {
                let template = readable(&self.skeletons[root as usize].text);
                let counter = rates.bind(&TemplateLabels { template: &template });
                self.skeletons[root as usize].counter = Some(counter);
            }
            if let Some(counter) = &self.skeletons[root as usize].counter {
                counter.inc_by(n);
            }
        }
        Some(root)
    }

    /// The number of the template that `line` belongs to, without learning from it.
    #[must_use]
    pub fn match_only(&mut self, line: &str) -> Option<u32> {
        self.split(line);
        let hash = self.hash(&self.splitter.skeleton);
        let id = self.known(hash).or_else(|| self.fitting())?;
        Some(self.root(id))
    }

    /// What varies in `line`, in order: the texts that its template has marks for, neighbouring ones as one.
    ///
    /// Words that vary only by comparison with other lines are not among them.
    #[must_use]
    pub fn parameters<'a>(&mut self, line: &'a str) -> Vec<&'a str> {
        self.split(line);
        let places = self.splitter.varying.iter();
        places
            .map(|(start, end)| line.get(*start as usize..*end as usize).unwrap_or_default())
            .collect()
    }

    /// The number that a template has now, after all that was merged; `None` for a number never given.
    #[must_use]
    pub fn current(&self, id: u32) -> Option<u32> {
        ((id as usize) < self.skeletons.len()).then(|| self.root(id))
    }

    /// Lines that no template was found or made for.
    #[must_use]
    pub fn unmatched(&self) -> u64 {
        self.unmatched
    }

    /// All templates by rising number.
    ///
    /// **Complexity**: O(skeletons).
    #[must_use]
    pub fn templates(&self) -> Vec<Template> {
        let mut templates: Vec<Option<Template>> = vec![None; self.skeletons.len()];
        for (id, skeleton) in self.skeletons.iter().enumerate() {
            let root = self.root(id as u32);
            match &mut templates[root as usize] {
                Some(template) => {
                    template.lines += skeleton.lines;
                    template.text = common(&template.text, &readable(&skeleton.text));
                }
                none => {
                    *none = Some(Template {
                        id: root,
                        text: readable(&skeleton.text),
                        lines: skeleton.lines,
                    });
                }
            }
        }
        templates.into_iter().flatten().collect()
    }

    fn split(&mut self, line: &str) {
        let most = line.len().min(self.options.max_line_bytes);
        self.splitter.split(&line.as_bytes()[..most]);
    }

    fn hash(&self, text: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(text);
        hasher.finish()
    }

    fn known(&self, hash: u64) -> Option<u32> {
        let text = &*self.splitter.skeleton;
        let same = |id: &u32| *self.skeletons[*id as usize].text == *text;
        self.by_text.find(hash, same).copied()
    }

    fn root(&self, mut id: u32) -> u32 {
        while self.skeletons[id as usize].parent != id {
            id = self.skeletons[id as usize].parent;
        }
        id
    }

    fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.skeletons[a.max(b) as usize].parent = a.min(b);
    }

    /// Remembers the skeleton in the buffer, and merges what it completes.
    fn learn(&mut self, hash: u64) -> u32 {
        let id = self.skeletons.len() as u32;
        self.skeletons.push(Skeleton {
            text: self.splitter.skeleton.as_slice().into(),
            parent: id,
            lines: 0,
            counter: None,
        });
        let (skeletons, hasher) = (&self.skeletons, &self.hasher);
        self.by_text.insert_unique(hash, id, |id| {
            let mut state = hasher.build_hasher();
            state.write(&skeletons[*id as usize].text);
            state.finish()
        });
        let mut alike = Vec::new();
        for (hash, marked) in self.openings() {
            let entry = self
                .places
                .entry(hash, |place| place.hash == hash, |place| place.hash);
            let place = entry
                .or_insert_with(|| Place {
                    hash,
                    members: Vec::with_capacity(1),
                    marked: false,
                    merged: false,
                })
                .into_mut();
            place.members.push(id);
            place.marked |= marked;
            let enough = if place.marked {
                ENOUGH_BESIDE_A_MARK
            } else {
                ENOUGH_WORDS
            };
            if place.merged || place.members.len() >= enough {
                place.merged = true;
                alike.extend(place.members[1..].iter().map(|other| (place.members[0], *other)));
                place.members.truncate(1);
            }
        }
        for (a, b) in &alike {
            self.unite(*a, *b);
        }
        if !alike.is_empty() {
            // Chains are kept short, so that a known line costs no more than a step or two.
            for other in 0..self.skeletons.len() {
                self.skeletons[other].parent = self.root(other as u32);
            }
        }
        id
    }

    /// A template that the skeleton in the buffer belongs to, though it is not remembered.
    fn fitting(&self) -> Option<u32> {
        self.openings().into_iter().find_map(|(hash, _)| {
            let place = self.places.find(hash, |place| place.hash == hash)?;
            place.merged.then(|| place.members[0])
        })
    }

    /// For each place of the skeleton in the buffer that may vary: the hash of all the rest, and whether it is marked.
    fn openings(&self) -> Vec<(u64, bool)> {
        let words: Vec<&[u8]> = self
            .splitter
            .skeleton
            .split(|b| *b == BREAK)
            .filter(|word| !word.is_empty())
            .collect();
        let fixed = words.iter().filter(|word| **word != [WILD]).count();
        if fixed < LEAST_FIXED {
            return Vec::new();
        }
        let openings = words.iter().enumerate().filter_map(|(place, word)| {
            let marked = **word == [WILD];
            // The first word says most of what a line is about.
            if place == 0 && words.len() > 1 && !marked && fixed < 3 {
                return None;
            }
            let mut hasher = self.hasher.build_hasher();
            hasher.write_usize(words.len());
            hasher.write_usize(place);
            for (other, word) in words.iter().enumerate() {
                if other != place {
                    hasher.write(word);
                    hasher.write_u8(BREAK);
                }
            }
            Some((hasher.finish(), marked))
        });
        openings.collect()
    }
}

/// The skeleton with blanks between the words and `<*>` for a mark.
fn readable(skeleton: &[u8]) -> String {
    let words = skeleton.split(|b| *b == BREAK).filter(|word| !word.is_empty());
    let words: Vec<_> = words
        .map(|word| {
            if *word == [WILD] {
                "<*>".into()
            } else {
                String::from_utf8_lossy(word)
            }
        })
        .collect();
    words.join(" ")
}

/// What two readable skeletons of one template have in common.
fn common(a: &str, b: &str) -> String {
    let words: Vec<_> = a
        .split(' ')
        .zip(b.split(' '))
        .map(|(a, b)| if a == b { a } else { "<*>" })
        .collect();
    words.join(" ")
}
