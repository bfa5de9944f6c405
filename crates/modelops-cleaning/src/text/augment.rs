//! Easy data augmentation: small random edits of a sentence, word by word.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;

use crate::error::ResampleError;
use crate::kernel::random::{below, derive, generator, uniform};

/// Words and what may stand in their place. Keys are looked up in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SynonymTable(BTreeMap<String, Vec<String>>);

impl SynonymTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds synonyms of `word`.
    #[must_use]
    pub fn with<S: Into<String>>(mut self, word: &str, synonyms: impl IntoIterator<Item = S>) -> Self {
        self.0
            .entry(word.to_lowercase())
            .or_default()
            .extend(synonyms.into_iter().map(Into::into));
        self
    }

    /// Reads a table: on each line a word and its synonyms, all separated by tabs; blank lines are passed over.
    #[must_use]
    pub fn from_tsv(text: &str) -> Self {
        text.lines()
            .map(|line| line.split('\t').map(str::trim).filter(|w| !w.is_empty()))
            .fold(Self::new(), |table, mut words| match words.next() {
                Some(word) => table.with(word, words),
                None => table,
            })
    }

    fn of(&self, word: &str) -> Option<&[String]> {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        self.0
            .get(&bare.to_lowercase())
            .map(Vec::as_slice)
            .filter(|synonyms| !synonyms.is_empty())
    }
}

/// One kind of edit.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum TextOp {
    /// Puts a synonym in the place of up to so many words.
    Synonyms(usize),
    /// Inserts a synonym of some word of the text at a random place, so many times.
    Insert(usize),
    /// Exchanges two words, so many times.
    Swap(usize),
    /// Deletes each word with this probability; one word always stays.
    Delete(f64),
    /// Doubles, drops or exchanges letters, each letter with this probability.
    Noise(f64),
}

/// A text made from another one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Augmented {
    /// The new text; words are separated by single spaces.
    pub text: String,
    /// The position of the text it was made from.
    pub parent: usize,
    /// The seed that makes it again from its parent.
    pub seed: u64,
}

/// Makes variants of texts by small random edits.
///
/// Keep the edits small: a deleted "not" turns a label around, and no table of synonyms knows the domain. Augment the
/// training part only.
///
/// # Example
/// ```
/// use modelops_cleaning::{SynonymTable, TextAugmenter, TextOp};
///
/// let table = SynonymTable::new().with("quick", ["fast"]);
/// let augmenter = TextAugmenter::new(table, vec![TextOp::Synonyms(1)])?;
/// let made = augmenter.augment_all(&["the quick fox"], 2, 7);
/// assert_eq!(made.len(), 2);
/// assert_eq!((made[0].text.as_str(), made[0].parent), ("the fast fox", 0));
/// # Ok::<(), modelops_cleaning::ResampleError>(())
/// ```
///
/// # References
/// Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks", 2019,
/// arXiv:1901.11196.
#[doc(alias = "augmentation")]
#[derive(Debug, Clone, PartialEq)]
pub struct TextAugmenter {
    table: SynonymTable,
    ops: Vec<TextOp>,
}

impl TextAugmenter {
    /// An augmenter that does `ops` in order, with the words of `table`.
    ///
    /// # Errors
    /// [`ResampleError::Parameter`] for a probability outside [0, 1].
    pub fn new(table: SynonymTable, ops: Vec<TextOp>) -> Result<Self, ResampleError> {
        for op in &ops {
            if let TextOp::Delete(p) | TextOp::Noise(p) = *op
                && !(0.0..=1.0).contains(&p)
            {
                return Err(ResampleError::Parameter { value: p });
            }
        }
        Ok(Self { table, ops })
    }

    /// One variant of `text`; the same seed makes the same variant.
    #[must_use]
    pub fn augment(&self, text: &str, seed: u64) -> String {
        let mut generator = generator(seed);
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        for op in &self.ops {
            if words.is_empty() {
                break;
            }
            self.apply(*op, &mut words, &mut generator);
        }
        words.join(" ")
    }

    /// `copies` variants of every text: all of the first text, then of the second, and so on.
    #[must_use]
    pub fn augment_all(&self, texts: &[&str], copies: usize, seed: u64) -> Vec<Augmented> {
        let mut out = Vec::with_capacity(texts.len() * copies);
        for (parent, text) in texts.iter().enumerate() {
            for copy in 0..copies {
                let seed = derive(seed, (parent * copies + copy) as u64);
                out.push(Augmented {
                    text: self.augment(text, seed),
                    parent,
                    seed,
                });
            }
        }
        out
    }

    fn apply(&self, op: TextOp, words: &mut Vec<String>, generator: &mut Xoshiro256PlusPlus) {
        match op {
            TextOp::Synonyms(count) => {
                let mut places: Vec<usize> = (0..words.len())
                    .filter(|&i| self.table.of(&words[i]).is_some())
                    .collect();
                for i in 0..count.min(places.len()) {
                    let j = i + below(generator, places.len() - i);
                    places.swap(i, j);
                    let word = &mut words[places[i]];
                    let synonyms = self.table.of(word).expect("only such places were taken");
                    let synonym = &synonyms[below(generator, synonyms.len())];
                    *word = replace_core(word, synonym);
                }
            }
            TextOp::Insert(count) => {
                for _ in 0..count {
                    let known: Vec<&[String]> = words.iter().filter_map(|w| self.table.of(w)).collect();
                    if known.is_empty() {
                        return;
                    }
                    let synonyms = known[below(generator, known.len())];
                    let word = synonyms[below(generator, synonyms.len())].clone();
                    words.insert(below(generator, words.len() + 1), word);
                }
            }
            TextOp::Swap(count) => {
                for _ in 0..count {
                    let (a, b) = (below(generator, words.len()), below(generator, words.len()));
                    words.swap(a, b);
                }
            }
            TextOp::Delete(probability) => {
                let spared = below(generator, words.len());
                let mut at = 0;
                words.retain(|_| {
                    let stays = uniform(generator) >= probability || at == spared;
                    at += 1;
                    stays
                });
            }
            TextOp::Noise(probability) => {
                for word in words.iter_mut() {
                    *word = noise(word, probability, generator);
                }
                words.retain(|word| !word.is_empty());
            }
        }
    }
}

/// `word` with its letters replaced and the punctuation around them kept; a capital stays a capital.
fn replace_core(word: &str, core: &str) -> String {
    let letter = |c: char| c.is_alphanumeric();
    let start = word.find(letter).unwrap_or(0);
    let end = word
        .char_indices()
        .rev()
        .find(|(_, c)| letter(*c))
        .map_or(word.len(), |(at, c)| at + c.len_utf8());
    let capital = word[start..].chars().next().is_some_and(char::is_uppercase);
    let core = if capital {
        let mut letters = core.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect())
            .unwrap_or_default()
    } else {
        core.to_owned()
    };
    format!("{}{core}{}", &word[..start], &word[end..])
}

fn noise(word: &str, probability: f64, generator: &mut Xoshiro256PlusPlus) -> String {
    let letters: Vec<char> = word.chars().collect();
    let mut out = String::with_capacity(word.len());
    let mut i = 0;
    while i < letters.len() {
        if uniform(generator) >= probability {
            out.push(letters[i]);
            i += 1;
            continue;
        }
        match below(generator, 3) {
            0 => out.extend([letters[i], letters[i]]),
            1 => {}
            _ => {
                if let Some(&next) = letters.get(i + 1) {
                    out.extend([next, letters[i]]);
                    i += 1;
                } else {
                    out.push(letters[i]);
                }
            }
        }
        i += 1;
    }
    out
}
