//! What language a text is in.
//!
//! Trigrams and scripts, 69 languages (crate `whatlang`), without a model file. Short texts and near relatives (Bokmål and Danish, Croatian and
//! Serbian) are told apart badly: ask for a confidence, or give a list of languages that may occur.
//!
//! ```
//! use modelops_cleaning::text::language::{Languages, identify};
//!
//! let language = identify("This is a sentence that everybody can read without any trouble.").expect("it has words");
//! assert_eq!(language.code, "eng");
//! let german = Languages::new(["deu"], 0.5);
//! assert!(german.keep("Das ist ein Satz, den jeder ohne Mühe lesen kann und der lang genug ist."));
//! assert!(!german.keep("This is a sentence that everybody can read without any trouble."));
//! ```

/// A language, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Language {
    /// The three letters of ISO 639-3.
    pub code: &'static str,
    /// From 0 to 1: how far ahead of the next candidate.
    pub confidence: f64,
}

/// The likeliest language; `None` for a text without letters.
///
/// # Complexity
/// O(characters).
#[doc(alias = "detect_language")]
#[must_use]
pub fn identify(text: &str) -> Option<Language> {
    let found = whatlang::detect(text)?;
    Some(Language {
        code: found.lang().code(),
        confidence: found.confidence(),
    })
}

/// Keeps texts in some languages.
#[derive(Debug, Clone, PartialEq)]
pub struct Languages {
    codes: Vec<String>,
    confidence: f64,
}

impl Languages {
    /// Keeps texts in the languages `codes` (ISO 639-3) that are identified with at least `confidence`; FineWeb keeps English from
    /// 0.65 on, by another model whose numbers do not compare.
    #[must_use]
    pub fn new<S: Into<String>>(codes: impl IntoIterator<Item = S>, confidence: f64) -> Self {
        Self {
            codes: codes.into_iter().map(Into::into).collect(),
            confidence,
        }
    }

    /// Whether to keep a text; one without letters is not kept.
    #[must_use]
    pub fn keep(&self, text: &str) -> bool {
        identify(text).is_some_and(|found| {
            found.confidence >= self.confidence && self.codes.iter().any(|code| code == found.code)
        })
    }
}
