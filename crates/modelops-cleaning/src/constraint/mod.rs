//! Denial constraints: what no two rows of a table may say together, and which cells say it.
//!
//! Works on a table of texts in memory, without labels and without a model. [`Constraints::violations`] finds the pairs of
//! rows that break a constraint; [`Constraints::suspects`] finds the cells to blame, with a suggestion, where a
//! constraint says that some columns determine another.
//!
//! # Example
//! ```
//! use modelops_cleaning::constraint::{Constraints, DenialConstraint};
//!
//! let one_city: DenialConstraint = "t1&t2&EQ(t1.zip,t2.zip)&IQ(t1.city,t2.city)".parse()?;
//! let columns = ["zip", "city"].map(String::from);
//! let rows = [["10115", "Berlin"], ["10115", "Berxin"], ["10115", "Berlin"], ["80331", "Munich"]]
//!     .map(|row| row.map(String::from));
//! let constraints = Constraints::try_new(vec![one_city], &columns)?;
//! assert_eq!(constraints.violations(&rows, 10), [(0, 0, 1), (0, 1, 2)]);
//! let suspects = constraints.suspects(&rows);
//! assert_eq!((suspects[0].row, suspects[0].column), (1, 1));
//! assert_eq!(suspects[0].suggestion, "Berlin");
//! # Ok::<(), modelops_cleaning::constraint::ConstraintError>(())
//! ```
//!
//! # References
//! Chu, Ilyas, Papotti, "Holistic data cleaning: putting violations into context", ICDE 2013,
//! doi:10.1109/ICDE.2013.6544847.

mod parse;
mod suspects;
mod violations;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub use suspects::Suspect;

/// How two cells are compared: as numbers where both are numbers, as text otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Comparison {
    /// Equal (`EQ`).
    Equal,
    /// Different (`IQ`).
    Different,
    /// The first is less (`LT`).
    Less,
    /// The first is greater (`GT`).
    Greater,
    /// The first is less or equal (`LTE`).
    LessOrEqual,
    /// The first is greater or equal (`GTE`).
    GreaterOrEqual,
}

impl Comparison {
    /// Whether `left` stands in this relation to `right`; two NaN are different.
    pub(crate) fn holds(self, left: &str, right: &str) -> bool {
        let order = match (left.parse::<f64>(), right.parse::<f64>()) {
            (Ok(left), Ok(right)) => left.partial_cmp(&right),
            _ => Some(left.cmp(right)),
        };
        self.allows(order)
    }

    /// Whether two things in this order, or in none, stand in the relation.
    pub(crate) fn allows(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Different => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::Greater => order == Some(Ordering::Greater),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal to",
            Self::Different => "different from",
            Self::Less => "less than",
            Self::Greater => "greater than",
            Self::LessOrEqual => "at most",
            Self::GreaterOrEqual => "at least",
        }
    }
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operand {
    /// A cell of the first row.
    First(String),
    /// A cell of the second row.
    Second(String),
    /// A constant.
    Constant(String),
}

/// A condition of a denial constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How the two sides are compared.
    pub comparison: Comparison,
    /// The left side.
    pub left: Operand,
    /// The right side.
    pub right: Operand,
}

/// What no two different rows may meet all at once, or, where only the first row is named, what no row may.
///
/// Parses from the notation of `HoloClean`: `t1&t2&EQ(t1.zip,t2.zip)&IQ(t1.city,t2.city)`; a text in quotation marks is a
/// constant. A missing (empty) cell meets no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenialConstraint {
    /// The conditions, at least one.
    pub conditions: Vec<Condition>,
}

impl DenialConstraint {
    fn operands(&self) -> impl Iterator<Item = &Operand> {
        self.conditions.iter().flat_map(|c| [&c.left, &c.right])
    }

    /// The columns named, as often as they are.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.operands().filter_map(|operand| match operand {
            Operand::First(column) | Operand::Second(column) => Some(column.as_str()),
            Operand::Constant(_) => None,
        })
    }

    /// Whether it is about two rows rather than one.
    pub(crate) fn is_over_pairs(&self) -> bool {
        self.operands()
            .any(|operand| matches!(operand, Operand::Second(_)))
    }

    /// Whether some column of the first row must equal one of the second.
    pub(crate) fn equates(&self) -> bool {
        self.conditions.iter().any(|c| {
            let sides = (&c.left, &c.right);
            let both = matches!(
                sides,
                (Operand::First(_), Operand::Second(_)) | (Operand::Second(_), Operand::First(_))
            );
            c.comparison == Comparison::Equal && both
        })
    }
}

/// Why a constraint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConstraintError {
    /// The text is no constraint.
    #[error("{part:?} is no part of a denial constraint; write t1&t2&EQ(t1.a,t2.a)&IQ(t1.b,t2.b)")]
    Syntax {
        /// The part that is not understood.
        part: String,
    },
    /// The table has no such column, or has it twice.
    #[error("constraint {constraint}: there is no single column {column:?}")]
    Column {
        /// The constraint, from 0.
        constraint: usize,
        /// The name.
        column: String,
    },
    /// A constraint without conditions forbids everything.
    #[error("constraint {constraint} has no condition")]
    Empty {
        /// The constraint, from 0.
        constraint: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Side {
    First(usize),
    Second(usize),
    Constant(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    comparison: Comparison,
    left: Side,
    right: Side,
}

/// Constraints bound to the columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraints {
    bound: Vec<Vec<Bound>>,
}

impl Constraints {
    /// Binds constraints to the columns of a table.
    ///
    /// # Errors
    /// [`ConstraintError::Column`] for a name that is not exactly one of `columns`; [`ConstraintError::Empty`].
    pub fn try_new(
        constraints: Vec<DenialConstraint>,
        columns: &[impl AsRef<str>],
    ) -> Result<Self, ConstraintError> {
        let mut bound = Vec::with_capacity(constraints.len());
        for (constraint, denial) in constraints.into_iter().enumerate() {
            if denial.conditions.is_empty() {
                return Err(ConstraintError::Empty { constraint });
            }
            let find = |column: String| {
                let mut found = (0..columns.len()).filter(|&at| columns[at].as_ref() == column);
                match (found.next(), found.next()) {
                    (Some(at), None) => Ok(at),
                    _ => Err(ConstraintError::Column { constraint, column }),
                }
            };
            let side = |operand| {
                Ok(match operand {
                    Operand::First(name) => Side::First(find(name)?),
                    Operand::Second(name) => Side::Second(find(name)?),
                    Operand::Constant(text) => Side::Constant(text),
                })
            };
            let conditions = denial.conditions.into_iter().map(|condition| {
                Ok(Bound {
                    comparison: condition.comparison,
                    left: side(condition.left)?,
                    right: side(condition.right)?,
                })
            });
            bound.push(conditions.collect::<Result<_, _>>()?);
        }
        Ok(Self { bound })
    }
}
