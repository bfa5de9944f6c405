//! Instances as the OR-Library publishes them: numbers with white space between them.
//!
//! J. Beasley, *OR-Library: distributing test problems by electronic mail*, 1990, doi:10.1057/jors.1990.166.

use crate::assignment::Offer;
use crate::error::OrlibError;
use crate::vectors::VectorItem;

/// A bin packing instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinInstance {
    /// Its name.
    pub name: String,
    /// The capacity of a bin.
    pub capacity: u64,
    /// The fewest bins known.
    pub best: u64,
    /// The sizes of the items.
    pub sizes: Vec<u64>,
}

/// A multi-dimensional knapsack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorInstance {
    /// The items.
    pub items: Vec<VectorItem>,
    /// The capacity of each resource.
    pub capacities: Vec<u64>,
}

/// Reads a generalised assignment instance, agents in rows: what [`crate::assign`] takes, jobs in rows.
///
/// # Errors
/// [`OrlibError::Number`] where a number is missing or is not whole.
///
/// # Example
/// ```
/// // Two agents and three jobs: costs, weights, capacities.
/// let text = "2 3\n 1 2 3\n 4 5 6\n 1 1 1\n 2 2 2\n 3 4\n";
/// let (offers, capacities) = modelops_allocation::orlib::assignment(text)?;
/// assert_eq!((offers[2][1].cost, offers[2][1].weight, capacities), (6, 2, vec![3, 4]));
/// # Ok::<(), modelops_allocation::OrlibError>(())
/// ```
pub fn assignment(text: &str) -> Result<(Vec<Vec<Offer>>, Vec<u64>), OrlibError> {
    let mut numbers = Numbers::new(text);
    let (agents, jobs) = (numbers.count()?, numbers.count()?);
    let costs = numbers.take(agents, jobs)?;
    let weights = numbers.take(agents, jobs)?;
    let capacities = numbers.take(1, agents)?;
    let offer = |job: usize, agent: usize| Offer::new(costs[agent * jobs + job], weights[agent * jobs + job]);
    let offers = (0..jobs).map(|job| (0..agents).map(|agent| offer(job, agent)).collect());
    Ok((offers.collect(), capacities))
}

/// Reads a file of multi-dimensional knapsacks, as [`crate::vector_knapsack`] takes them.
///
/// # Errors
/// As [`assignment`].
pub fn vector_knapsacks(text: &str) -> Result<Vec<VectorInstance>, OrlibError> {
    let mut numbers = Numbers::new(text);
    let mut instances = Vec::new();
    for _ in 0..numbers.count()? {
        let (items, dims) = (numbers.count()?, numbers.count()?);
        let _best = numbers.next()?;
        let values = numbers.take(1, items)?;
        let weights = numbers.take(dims, items)?;
        let capacities = numbers.take(1, dims)?;
        let of = |item: usize| (0..dims).map(|k| weights[k * items + item]).collect::<Vec<u64>>();
        let list = values
            .iter()
            .enumerate()
            .map(|(item, value)| VectorItem::new(*value, of(item)));
        instances.push(VectorInstance {
            items: list.collect(),
            capacities,
        });
    }
    Ok(instances)
}

/// Reads a file of bin packing instances. Sizes with one decimal, as the triplets have them, are given in tenths.
///
/// # Errors
/// As [`assignment`].
pub fn bins(text: &str) -> Result<Vec<BinInstance>, OrlibError> {
    let mut numbers = Numbers::new(text);
    numbers.tenths = text
        .split_whitespace()
        .any(|word| word.parse::<u64>().is_err() && word.contains('.'));
    let mut instances = Vec::new();
    for _ in 0..numbers.count()? {
        let name = numbers.word()?.to_owned();
        let capacity = numbers.next()?;
        let (items, best) = (numbers.count()?, numbers.count()? as u64);
        instances.push(BinInstance {
            name,
            capacity,
            best,
            sizes: numbers.take(1, items)?,
        });
    }
    Ok(instances)
}

struct Numbers<'a> {
    words: std::str::SplitWhitespace<'a>,
    at: usize,
    left: usize,
    tenths: bool,
}

impl<'a> Numbers<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            words: text.split_whitespace(),
            at: 0,
            left: text.split_whitespace().count(),
            tenths: false,
        }
    }

    fn word(&mut self) -> Result<&'a str, OrlibError> {
        self.at += 1;
        self.left = self.left.saturating_sub(1);
        self.words.next().ok_or(OrlibError::Number { at: self.at })
    }

    fn count(&mut self) -> Result<usize, OrlibError> {
        let error = OrlibError::Number { at: self.at + 1 };
        let count: u64 = self.word()?.parse().map_err(|_| error)?;
        Ok(count as usize)
    }

    fn next(&mut self) -> Result<u64, OrlibError> {
        let error = OrlibError::Number { at: self.at + 1 };
        let word = self.word()?;
        let (whole, part) = word.split_once('.').unwrap_or((word, ""));
        let whole: u64 = whole.parse().map_err(|_| error.clone())?;
        match (self.tenths, part) {
            (false, "") => Ok(whole),
            (true, "") => whole.checked_mul(10).ok_or(error),
            (true, part) if part.len() == 1 => {
                let part: u64 = part.parse().map_err(|_| error.clone())?;
                whole
                    .checked_mul(10)
                    .and_then(|tenths| tenths.checked_add(part))
                    .ok_or(error)
            }
            // A best value that is written with decimals is read past.
            (_, part) if part.bytes().all(|b| b == b'0') => Ok(whole),
            _ => Err(error),
        }
    }

    /// A table of numbers; a size beyond the end of the text is refused before anything is kept for it.
    fn take(&mut self, rows: usize, columns: usize) -> Result<Vec<u64>, OrlibError> {
        let end = OrlibError::Number {
            at: self.at + self.left + 1,
        };
        let count = rows
            .checked_mul(columns)
            .filter(|count| *count <= self.left)
            .ok_or(end)?;
        (0..count).map(|_| self.next()).collect()
    }
}
