//! Bands and rows solved from a promised recall.

use super::NearError;

/// How a MinHash signature is cut: `bands` bands of `rows` hashes; two documents that agree on a whole band are compared.
///
/// **Formula**: a pair of Jaccard similarity s becomes a candidate with probability P(s) = 1 − (1 − s^rows)^bands, which
/// grows with s; so P(t) ≥ recall holds for every pair at or above the threshold t.
///
/// **Reference**: J. Leskovec, A. Rajaraman and J. Ullman, Mining of Massive Datasets, 2014, section 3.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Banding {
    bands: usize,
    rows: usize,
}

impl Banding {
    /// Solves the banding with the longest bands (fewest false candidates) that keeps `recall` at `threshold` within
    /// `max_hashes` hashes, and with no more bands than that takes.
    ///
    /// # Errors
    ///
    /// [`NearError::Threshold`], [`NearError::Recall`], or [`NearError::Hashes`] with the fewest hashes that would do.
    ///
    /// # Example
    ///
    /// ```
    /// use modelops_cleaning::text::near::Banding;
    /// let banding = Banding::solve(0.5, 0.75, 4)?;
    /// // One row: 1 − (1 − 0.5)² = 0.75 with two bands. Two rows would need five bands.
    /// assert_eq!((banding.bands(), banding.rows()), (2, 1));
    /// assert_eq!(banding.recall_at(0.5), 0.75);
    /// # Ok::<(), modelops_cleaning::text::near::NearError>(())
    /// ```
    pub fn solve(threshold: f64, recall: f64, max_hashes: usize) -> Result<Self, NearError> {
        if !(threshold > 0.0 && threshold <= 1.0) {
            return Err(NearError::Threshold { threshold });
        }
        if !(recall > 0.0 && recall < 1.0) {
            return Err(NearError::Recall { recall });
        }
        let mut best = None;
        for rows in 1..=max_hashes {
            match fewest_bands(threshold, recall, rows, max_hashes / rows) {
                Some(bands) => best = Some(Self { bands, rows }),
                // Longer bands need more of them, so nothing further fits either.
                None => break,
            }
        }
        best.ok_or_else(|| NearError::Hashes {
            threshold,
            recall,
            needed: fewest_bands(threshold, recall, 1, usize::MAX).unwrap_or(usize::MAX),
            max_hashes,
        })
    }

    /// Number of bands.
    #[must_use]
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// Hashes in a band.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Hashes in a signature, bands × rows.
    #[must_use]
    pub fn hashes(&self) -> usize {
        self.bands * self.rows
    }

    /// The probability that a pair of this Jaccard similarity, in \[0, 1\], becomes a candidate.
    #[must_use]
    pub fn recall_at(&self, jaccard: f64) -> f64 {
        recall_of(jaccard, self.bands as f64, self.rows)
    }
}

fn recall_of(jaccard: f64, bands: f64, rows: usize) -> f64 {
    1.0 - (1.0 - jaccard.powi(rows as i32)).powf(bands)
}

/// The least number of bands of `rows` rows that keeps the promise; none above `limit`.
fn fewest_bands(threshold: f64, recall: f64, rows: usize, limit: usize) -> Option<usize> {
    if limit == 0 {
        return None;
    }
    let miss = 1.0 - threshold.powi(rows as i32);
    // The logarithm lands within one of the answer; the loop settles it with the formula that `recall_at` shows.
    let guess = if miss > 0.0 {
        ((1.0 - recall).ln() / miss.ln()).ceil()
    } else {
        1.0
    };
    let mut bands = (guess - 1.0).max(1.0);
    while recall_of(threshold, bands, rows) < recall {
        bands += 1.0;
        if bands > guess + 2.0 || bands > limit as f64 {
            return None;
        }
    }
    (bands <= limit as f64).then_some(bands as usize)
}
