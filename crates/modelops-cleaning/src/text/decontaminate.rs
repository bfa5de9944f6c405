//! Training text that repeats an evaluation set.

use super::fold::each_word;
use super::hash::TextMap;
use std::num::NonZeroUsize;
use std::ops::Range;

/// Finds runs of n words that a text shares with evaluation items.
///
/// Words are compared as in [`near`](super::near): composed, in lower case, letters and digits only. Runs are compared as
/// text, not by a fingerprint alone, so nothing is reported that is not there; and every shared run is found. An item with
/// fewer than n words is one run of its own, so that short questions are covered. Use n of about 13, as GPT-3 did; a small
/// n finds idioms.
///
/// **Complexity**: O(words) expected time; memory of each distinct run of the evaluation items.
///
/// **Reference**: T. Brown et al., Language models are few-shot learners, 2020, appendix C, arXiv:2005.14165.
///
/// # Example
///
/// ```
/// use modelops_cleaning::text::decontaminate::Decontaminator;
/// use std::num::NonZeroUsize;
///
/// let mut evaluation = Decontaminator::new(NonZeroUsize::new(4).expect("not zero"));
/// let question = evaluation.add("What is the capital of France?");
/// let overlap = evaluation.first_overlap("Quiz: what is THE capital of Italy").expect("five words are shared");
/// assert_eq!((overlap.item, overlap.words), (question, 1..5)); // "what is the capital"
/// assert_eq!(evaluation.first_overlap("the capital of Spain"), None);
/// ```
#[doc(alias("contamination", "leakage"))]
#[derive(Debug, Clone)]
pub struct Decontaminator {
    size: NonZeroUsize,
    /// Each run, joined by spaces, and the first item that has it.
    runs: TextMap<Box<str>, usize>,
    /// Lengths below `size` of whole items.
    short: Vec<usize>,
    items: usize,
}

/// A run of words that a text shares with an evaluation item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The first evaluation item with this run, counted as they were added.
    pub item: usize,
    /// Which words of the text, counted from zero.
    pub words: Range<usize>,
}

impl Decontaminator {
    /// Looks for runs of `size` words.
    #[must_use]
    pub fn new(size: NonZeroUsize) -> Self {
        Self {
            size,
            runs: TextMap::default(),
            short: Vec::new(),
            items: 0,
        }
    }

    /// Adds an evaluation item and returns its number; the first is 0. An item without a word never overlaps.
    pub fn add(&mut self, text: &str) -> usize {
        let item = self.items;
        self.items += 1;
        let folded = Folded::of(text);
        let count = folded.ends.len();
        let size = self.size.get().min(count);
        if size == 0 {
            return item;
        }
        if size < self.size.get() && !self.short.contains(&size) {
            self.short.push(size);
            self.short.sort_unstable();
        }
        for begin in 0..=count - size {
            self.runs
                .entry(folded.run(begin..begin + size).into())
                .or_insert(item);
        }
        item
    }

    /// Number of evaluation items.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items
    }

    /// The first shared run, if any: enough to drop a document.
    #[must_use]
    pub fn first_overlap(&self, text: &str) -> Option<Overlap> {
        let folded = Folded::of(text);
        (0..folded.ends.len()).find_map(|begin| self.overlap_at(&folded, begin))
    }

    /// All shared runs, by their first words: what to cut out.
    #[must_use]
    pub fn overlaps(&self, text: &str) -> Vec<Overlap> {
        let folded = Folded::of(text);
        (0..folded.ends.len())
            .filter_map(|begin| self.overlap_at(&folded, begin))
            .collect()
    }

    /// The longest shared run that begins at a word.
    fn overlap_at(&self, folded: &Folded, begin: usize) -> Option<Overlap> {
        let sizes = std::iter::once(self.size.get()).chain(self.short.iter().rev().copied());
        for size in sizes.filter(|size| begin + size <= folded.ends.len()) {
            let words = begin..begin + size;
            if let Some(&item) = self.runs.get(folded.run(words.clone())) {
                return Some(Overlap { item, words });
            }
        }
        None
    }
}

/// The words of a text, joined by spaces.
struct Folded {
    joined: String,
    ends: Vec<usize>,
}

impl Folded {
    fn of(text: &str) -> Self {
        let mut joined = Vec::with_capacity(text.len());
        let mut ends = Vec::new();
        each_word(text, &mut Vec::new(), |word| {
            if !joined.is_empty() {
                joined.push(b' ');
            }
            joined.extend_from_slice(word);
            ends.push(joined.len());
        });
        let joined = String::from_utf8(joined).expect("words are cut between characters");
        Self { joined, ends }
    }

    fn run(&self, words: Range<usize>) -> &str {
        let begin = match words.start {
            0 => 0,
            start => self.ends[start - 1] + 1,
        };
        &self.joined[begin..self.ends[words.end - 1]]
    }
}
