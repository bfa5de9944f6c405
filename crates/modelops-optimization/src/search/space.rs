//! What is searched: named parameters with their ranges.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::error::SpaceError;
use super::value::Value;

/// The range of one parameter.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Domain {
    /// Real numbers from `low` to `high`, both included.
    #[non_exhaustive]
    Float {
        /// Lower end.
        low: f64,
        /// Upper end; with a step, the last multiple in the range.
        high: f64,
        /// Whether the logarithm is uniform rather than the value.
        log: bool,
        /// Distance of the values from each other, where they are not continuous.
        step: Option<f64>,
    },
    /// Whole numbers from `low` to `high`, both included.
    #[non_exhaustive]
    Int {
        /// Lower end.
        low: i64,
        /// Upper end; with a step, the last multiple in the range.
        high: i64,
        /// Whether the logarithm is uniform rather than the value.
        log: bool,
        /// Distance of the values from each other; 1 for all.
        step: i64,
    },
    /// One of several choices, in no order.
    #[non_exhaustive]
    Categorical {
        /// The choices.
        choices: Vec<Value>,
    },
}

impl Domain {
    /// The value at a quantile `u` in [0, 1) of the domain, as a number: categories by their index.
    pub(crate) fn at_quantile(&self, u: f64) -> f64 {
        match self {
            Self::Float {
                low, high, log: true, ..
            } => (low.ln() + u * (high.ln() - low.ln())).exp().clamp(*low, *high),
            Self::Float {
                low,
                high,
                step: Some(step),
                ..
            } => {
                let count = ((high - low) / step).round() + 1.0;
                (low + (u * count).floor().min(count - 1.0) * step).clamp(*low, *high)
            }
            // Halves first: high − low overflows for ranges near the largest numbers.
            Self::Float { low, high, .. } => (low * (1.0 - u) + high * u).clamp(*low, *high),
            Self::Int {
                low, high, log: true, ..
            } => {
                let (low, high) = (*low as f64, *high as f64);
                let (from, to) = ((low - 0.5).ln(), (high + 0.5).ln());
                (from + u * (to - from)).exp().round().clamp(low, high)
            }
            Self::Int { low, high, step, .. } => {
                let count = ((high - low) / step + 1) as f64;
                *low as f64 + (u * count).floor().min(count - 1.0) * *step as f64
            }
            Self::Categorical { choices } => {
                let count = choices.len() as f64;
                (u * count).floor().min(count - 1.0)
            }
        }
    }

    /// Whether it holds every real number of a range.
    pub(crate) fn is_continuous(&self) -> bool {
        matches!(self, Self::Float { step: None, low, high, .. } if low < high)
    }

    /// How many values it has; `None` for a continuous range.
    pub(crate) fn values(&self) -> Option<u64> {
        match self {
            Self::Float { low, high, .. } if low == high => Some(1),
            Self::Float { step: None, .. } => None,
            Self::Float {
                low,
                high,
                step: Some(step),
                ..
            } => Some(((high - low) / step).round() as u64 + 1),
            Self::Int { low, high, step, .. } => Some(((high - low) / step) as u64 + 1),
            Self::Categorical { choices } => Some(choices.len() as u64),
        }
    }

    /// Value `k`, from 0, of those that a domain has which is not continuous.
    pub(crate) fn nth_value(&self, k: u64) -> f64 {
        match self {
            Self::Float { low, high, step, .. } => (low + k as f64 * step.unwrap_or(0.0)).min(*high),
            Self::Int { low, step, .. } => *low as f64 + k as f64 * *step as f64,
            Self::Categorical { .. } => k as f64,
        }
    }

    /// The place of a value between the ends of the domain, from 0 to 1 on its scale; values of a discrete domain are in the middle
    /// of their cells.
    pub(crate) fn place_of(&self, number: f64) -> f64 {
        let part = |low: f64, high: f64, x: f64| if high > low { (x - low) / (high - low) } else { 0.5 };
        match self {
            Self::Float {
                low, high, log: true, ..
            } => part(low.ln(), high.ln(), number.ln()),
            // Halves first: the difference of the ends may overflow.
            Self::Float {
                low,
                high,
                step: None,
                ..
            } => part(low / 2.0, high / 2.0, number / 2.0),
            Self::Int {
                low, high, log: true, ..
            } => part((*low as f64 - 0.5).ln(), (*high as f64 + 0.5).ln(), number.ln()),
            Self::Float {
                low,
                high,
                step: Some(step),
                ..
            } => part(low - step / 2.0, high + step / 2.0, number),
            Self::Int { low, high, step, .. } => {
                let half = *step as f64 / 2.0;
                part(*low as f64 - half, *high as f64 + half, number)
            }
            Self::Categorical { choices } => (number + 0.5) / choices.len() as f64,
        }
    }

    /// The value at a place from 0 to 1 between the ends, both included.
    pub(crate) fn between_ends(&self, place: f64) -> f64 {
        match self {
            Self::Int {
                low, high, log: true, ..
            } => {
                let (low, high) = (*low as f64, *high as f64);
                (low.ln() + place * (high.ln() - low.ln()))
                    .exp()
                    .round()
                    .clamp(low, high)
            }
            Self::Int { .. } | Self::Categorical { .. } | Self::Float { step: Some(_), .. } => {
                let last = self.values().unwrap_or(1) - 1;
                self.nth_value((place * last as f64).round() as u64)
            }
            Self::Float { .. } => self.at_quantile(place),
        }
    }

    /// Whether the values have no order.
    pub(crate) fn is_choice(&self) -> bool {
        matches!(self, Self::Categorical { .. })
    }

    /// Whether the scale is logarithmic.
    pub(crate) fn is_log(&self) -> bool {
        matches!(self, Self::Float { log: true, .. } | Self::Int { log: true, .. })
    }

    /// The first and the last value as text.
    pub(crate) fn ends(&self) -> (String, String) {
        let last = match self {
            Self::Float { high, .. } => *high,
            Self::Int { high, .. } => *high as f64,
            Self::Categorical { choices } => choices.len() as f64 - 1.0,
        };
        let first = match self {
            Self::Float { low, .. } => *low,
            Self::Int { low, .. } => *low as f64,
            Self::Categorical { .. } => 0.0,
        };
        (self.decode(first).to_string(), self.decode(last).to_string())
    }

    /// The value that `number` stands for.
    pub(crate) fn decode(&self, number: f64) -> Value {
        match self {
            Self::Float { .. } => Value::Float(number),
            Self::Int { .. } => Value::Int(number as i64),
            Self::Categorical { choices } => choices.get(number as usize).cloned().unwrap_or(Value::Null),
        }
    }

    /// Whether `number` stands for one of its values; the steps of a float, which others may round otherwise, are not looked at.
    pub(crate) fn contains(&self, number: f64) -> bool {
        match self {
            Self::Float { low, high, .. } => (*low..=*high).contains(&number),
            Self::Int { .. } => {
                let whole = number as i64;
                whole as f64 == number && self.encode(&Value::Int(whole)).is_some()
            }
            Self::Categorical { choices } => {
                number >= 0.0 && number.fract() == 0.0 && number < choices.len() as f64
            }
        }
    }

    /// The number that stands for `value`; `None` where it is outside the domain.
    pub(crate) fn encode(&self, value: &Value) -> Option<f64> {
        match (self, value) {
            (Self::Float { low, high, .. }, Value::Float(v)) => (low <= v && v <= high).then_some(*v),
            (Self::Float { .. }, Value::Int(v)) => self.encode(&Value::Float(*v as f64)),
            (Self::Int { low, high, step, .. }, Value::Int(v)) => {
                (low <= v && v <= high && (v - low) % step == 0).then_some(*v as f64)
            }
            (Self::Categorical { choices }, value) => {
                choices.iter().position(|c| c == value).map(|index| index as f64)
            }
            _ => None,
        }
    }
}

/// One parameter of a [`SearchSpace`].
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub(crate) name: String,
    pub(crate) domain: Domain,
    /// The parameter (by place) and the encoded value that it must have for this one to exist.
    pub(crate) condition: Option<(usize, f64)>,
}

impl Parameter {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its range.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }
}

/// The parameters that a study searches, in the order of their declaration.
///
/// Every method checks its range and fails with a [`SpaceError`] that names the parameter.
///
/// # Example
///
/// ```
/// use modelops_optimization::SearchSpace;
///
/// let space = SearchSpace::new()
///     .log_float("learning_rate", 1e-4..=1.0)?
///     .int("layers", 1..=4)?
///     .stepped_int("batch", 32..=256, 32)?
///     .categorical("kind", ["plain", "quantised"])?
///     .when("kind", "quantised", |space| space.float("clip", 0.9..=1.0))?;
/// assert_eq!(space.len(), 5);
///
/// // A logarithm of zero is no range.
/// assert!(SearchSpace::new().log_float("learning_rate", 0.0..=1.0).is_err());
/// # Ok::<(), modelops_optimization::SpaceError>(())
/// ```
#[doc(alias = "hyperparameter")]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchSpace {
    pub(crate) parameters: Arc<Vec<Parameter>>,
    /// The condition on parameters being added, inside [`when`](Self::when).
    pending: Option<(usize, f64)>,
}

/// 2⁵³: the largest range of integers that floating point holds exactly.
const EXACT: i64 = 1 << 53;

impl SearchSpace {
    /// A space without parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a real parameter, uniform over `range`.
    ///
    /// # Errors
    ///
    /// A range that is empty or not finite, or a name declared before.
    pub fn float(self, name: &str, range: RangeInclusive<f64>) -> Result<Self, SpaceError> {
        let (low, high) = real_range(name, &range)?;
        self.push(
            name,
            Domain::Float {
                low,
                high,
                log: false,
                step: None,
            },
        )
    }

    /// Adds a real parameter whose logarithm is uniform over `range`: for scales such as learning rates.
    ///
    /// # Errors
    ///
    /// As [`float`](Self::float), or a range that does not start above 0.
    pub fn log_float(self, name: &str, range: RangeInclusive<f64>) -> Result<Self, SpaceError> {
        let (low, high) = real_range(name, &range)?;
        if low <= 0.0 {
            return Err(SpaceError::LogOfNonPositive {
                name: name.to_owned(),
                low,
            });
        }
        self.push(
            name,
            Domain::Float {
                low,
                high,
                log: true,
                step: None,
            },
        )
    }

    /// Adds a real parameter that takes the values low, low + step, … in `range`. An upper end that is not one of them is lowered to
    /// the last that is.
    ///
    /// # Errors
    ///
    /// As [`float`](Self::float), or a step that is not above 0.
    pub fn stepped_float(
        self,
        name: &str,
        range: RangeInclusive<f64>,
        step: f64,
    ) -> Result<Self, SpaceError> {
        let (low, high) = real_range(name, &range)?;
        if !(step.is_finite() && step > 0.0) {
            return Err(SpaceError::BadStep {
                name: name.to_owned(),
                step,
            });
        }
        let steps = (high - low) / step;
        // (0.3 − 0) / 0.1 is a little less than 3: a quotient this near to a whole number is meant to be it.
        let whole = if (steps - steps.round()).abs() < 1e-8 {
            steps.round()
        } else {
            steps.floor()
        };
        let high = if whole == steps {
            high
        } else {
            (low + whole * step).min(high)
        };
        self.push(
            name,
            Domain::Float {
                low,
                high,
                log: false,
                step: Some(step),
            },
        )
    }

    /// Adds a whole parameter, uniform over `range`.
    ///
    /// # Errors
    ///
    /// An empty range, one beyond ±2⁵³, or a name declared before.
    pub fn int(self, name: &str, range: RangeInclusive<i64>) -> Result<Self, SpaceError> {
        self.stepped_int(name, range, 1)
    }

    /// Adds a whole parameter whose logarithm is uniform over `range`: for sizes.
    ///
    /// # Errors
    ///
    /// As [`int`](Self::int), or a range that starts below 1.
    pub fn log_int(self, name: &str, range: RangeInclusive<i64>) -> Result<Self, SpaceError> {
        let (low, high) = whole_range(name, &range)?;
        if low < 1 {
            return Err(SpaceError::LogOfNonPositive {
                name: name.to_owned(),
                low: low as f64,
            });
        }
        self.push(
            name,
            Domain::Int {
                low,
                high,
                log: true,
                step: 1,
            },
        )
    }

    /// Adds a whole parameter that takes the values low, low + step, … in `range`.
    ///
    /// # Errors
    ///
    /// As [`int`](Self::int), or a step below 1.
    pub fn stepped_int(self, name: &str, range: RangeInclusive<i64>, step: i64) -> Result<Self, SpaceError> {
        let (low, high) = whole_range(name, &range)?;
        if step < 1 {
            return Err(SpaceError::BadStep {
                name: name.to_owned(),
                step: step as f64,
            });
        }
        let high = low + (high - low) / step * step;
        self.push(
            name,
            Domain::Int {
                low,
                high,
                log: false,
                step,
            },
        )
    }

    /// Adds a choice of one of `choices`.
    ///
    /// # Errors
    ///
    /// No choices, two equal ones, or a name declared before.
    pub fn categorical<V: Into<Value>>(
        self,
        name: &str,
        choices: impl IntoIterator<Item = V>,
    ) -> Result<Self, SpaceError> {
        let choices: Vec<Value> = choices.into_iter().map(Into::into).collect();
        if choices.is_empty() {
            return Err(SpaceError::NoChoices {
                name: name.to_owned(),
            });
        }
        if choices.iter().enumerate().any(|(i, c)| choices[..i].contains(c)) {
            return Err(SpaceError::DuplicateChoice {
                name: name.to_owned(),
            });
        }
        self.push(name, Domain::Categorical { choices })
    }

    /// Adds a choice of false or true.
    ///
    /// # Errors
    ///
    /// A name declared before.
    pub fn boolean(self, name: &str) -> Result<Self, SpaceError> {
        self.categorical(name, [false, true])
    }

    /// Adds parameters that exist only in trials where the parameter `name`, declared before, has `value`.
    ///
    /// # Errors
    ///
    /// A parameter or value that is not declared, or whatever `inner` fails with.
    pub fn when(
        mut self,
        name: &str,
        value: impl Into<Value>,
        inner: impl FnOnce(Self) -> Result<Self, SpaceError>,
    ) -> Result<Self, SpaceError> {
        let unknown = || SpaceError::UnknownCondition {
            name: name.to_owned(),
        };
        let place = self.position(name).ok_or_else(unknown)?;
        let number = self.parameters[place]
            .domain
            .encode(&value.into())
            .ok_or_else(unknown)?;
        let outer = self.pending.replace((place, number));
        let mut space = inner(self)?;
        space.pending = outer;
        Ok(space)
    }

    /// The number of parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// Whether there are no parameters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// The parameters in the order of their declaration.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|p| p.name == name)
    }

    /// Whether the parameter at `place` exists beside the numbers before it.
    pub(crate) fn is_active(&self, place: usize, numbers: &[f64]) -> bool {
        match self.parameters[place].condition {
            Some((parent, number)) => numbers[parent] == number,
            None => true,
        }
    }

    pub(crate) fn push(mut self, name: &str, domain: Domain) -> Result<Self, SpaceError> {
        if self.position(name).is_some() {
            return Err(SpaceError::Duplicate {
                name: name.to_owned(),
            });
        }
        let condition = self.pending;
        Arc::make_mut(&mut self.parameters).push(Parameter {
            name: name.to_owned(),
            domain,
            condition,
        });
        Ok(self)
    }
}

fn real_range(name: &str, range: &RangeInclusive<f64>) -> Result<(f64, f64), SpaceError> {
    let (low, high) = (*range.start(), *range.end());
    if low.is_finite() && high.is_finite() && low <= high {
        return Ok((low, high));
    }
    Err(SpaceError::EmptyRange {
        name: name.to_owned(),
        low,
        high,
    })
}

fn whole_range(name: &str, range: &RangeInclusive<i64>) -> Result<(i64, i64), SpaceError> {
    let (low, high) = (*range.start(), *range.end());
    if low > high {
        return Err(SpaceError::EmptyRange {
            name: name.to_owned(),
            low: low as f64,
            high: high as f64,
        });
    }
    if low < -EXACT || high > EXACT {
        return Err(SpaceError::TooLarge {
            name: name.to_owned(),
        });
    }
    Ok((low, high))
}
