//! Back-translation: a text said anew by way of another language.

use super::augment::Augmented;

/// Whatever translates: a model in the process, a service, a table in a test.
pub trait Translator {
    /// Why a text could not be translated.
    type Error;

    /// Translates `text` between two languages, by their codes.
    ///
    /// # Errors
    /// Its own.
    fn translate(&self, text: &str, from: &str, to: &str) -> Result<String, Self::Error>;
}

/// A variant of a text for each pivot language: there and back. A variant that comes back as it was, but for white space, is left
/// out. Each names its parent; its seed is the position of the pivot, which makes it again if the translator repeats itself.
///
/// # Errors
/// The first error of the translator.
///
/// # Example
/// ```
/// use modelops_cleaning::text::{Translator, back_translate};
///
/// struct Table;
/// impl Translator for Table {
///     type Error = String;
///     fn translate(&self, text: &str, from: &str, to: &str) -> Result<String, String> {
///         Ok(match (text, from, to) {
///             ("a quick walk", "en", "de") => "ein schneller Gang".into(),
///             ("ein schneller Gang", "de", "en") => "a fast walk".into(),
///             _ => return Err(format!("{from} to {to}")),
///         })
///     }
/// }
/// let made = back_translate(&Table, &["a quick walk"], "en", &["de"])?;
/// assert_eq!((made[0].text.as_str(), made[0].parent), ("a fast walk", 0));
/// # Ok::<(), String>(())
/// ```
///
/// # References
/// R. Sennrich, B. Haddow and A. Birch, "Improving Neural Machine Translation Models with Monolingual Data", 2016,
/// arXiv:1511.06709.
pub fn back_translate<T: Translator>(
    translator: &T,
    texts: &[&str],
    language: &str,
    pivots: &[&str],
) -> Result<Vec<Augmented>, T::Error> {
    let mut made = Vec::new();
    for (parent, text) in texts.iter().enumerate() {
        for (seed, pivot) in pivots.iter().enumerate() {
            let there = translator.translate(text, language, pivot)?;
            let back = translator.translate(&there, pivot, language)?;
            if !back.split_whitespace().eq(text.split_whitespace()) {
                made.push(Augmented {
                    text: back,
                    parent,
                    seed: seed as u64,
                });
            }
        }
    }
    Ok(made)
}
