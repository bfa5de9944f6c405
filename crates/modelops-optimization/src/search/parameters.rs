//! The values of one trial.

use std::fmt;

use super::error::ParameterError;
use super::space::{Domain, SearchSpace};
use super::value::Value;

/// The values of one trial's parameters.
///
/// A parameter whose condition does not hold is missing.
#[derive(Debug, Clone)]
pub struct Parameters {
    space: SearchSpace,
    /// One number a parameter: its value, or the index of its choice; NaN where it is missing.
    numbers: Box<[f64]>,
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
        self.space == other.space && self.numbers.iter().zip(&other.numbers).all(same)
    }
}

impl Parameters {
    /// Keeps the numbers whose conditions hold.
    pub(crate) fn from_numbers(space: &SearchSpace, mut numbers: Box<[f64]>) -> Self {
        for place in 0..numbers.len() {
            if !space.is_active(place, &numbers) {
                numbers[place] = f64::NAN;
            }
        }
        Self {
            space: space.clone(),
            numbers,
        }
    }

    /// Keeps the numbers as they were stored.
    pub(crate) fn from_stored(space: &SearchSpace, numbers: Box<[f64]>) -> Self {
        Self {
            space: space.clone(),
            numbers,
        }
    }

    /// The values given by name; every parameter whose condition holds must be among them.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] for a name that is missing or not in the space and for a value out of range.
    pub fn from_values<'a>(
        space: &SearchSpace,
        values: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Self, ParameterError> {
        let mut numbers = vec![f64::NAN; space.len()].into_boxed_slice();
        for (name, value) in values {
            let place = space.position(name).ok_or_else(|| ParameterError::Missing {
                name: name.to_owned(),
            })?;
            numbers[place] = space.parameters()[place].domain.encode(&value).ok_or_else(|| {
                ParameterError::OutOfRange {
                    name: name.to_owned(),
                }
            })?;
        }
        for (place, parameter) in space.parameters().iter().enumerate() {
            if space.is_active(place, &numbers) && numbers[place].is_nan() {
                return Err(ParameterError::Missing {
                    name: parameter.name.clone(),
                });
            }
        }
        Ok(Self::from_numbers(space, numbers))
    }

    /// The value of a real parameter; a whole one is converted.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] where there is no such parameter or it is a choice.
    pub fn float(&self, name: &str) -> Result<f64, ParameterError> {
        match self.find(name)? {
            (Domain::Categorical { .. }, _) => Err(wrong_kind(name, "number")),
            (_, number) => Ok(number),
        }
    }

    /// The value of a whole parameter.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] where there is no such parameter or it is of another kind.
    pub fn int(&self, name: &str) -> Result<i64, ParameterError> {
        match self.find(name)? {
            (Domain::Int { .. }, number) => Ok(number as i64),
            _ => Err(wrong_kind(name, "whole number")),
        }
    }

    /// The value of a choice between names.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] where there is no such parameter or it is of another kind.
    pub fn text(&self, name: &str) -> Result<&str, ParameterError> {
        if let (Domain::Categorical { choices }, number) = self.find(name)?
            && let Some(Value::Text(text)) = choices.get(number as usize)
        {
            return Ok(text);
        }
        Err(wrong_kind(name, "text"))
    }

    /// The value of a choice between false and true.
    ///
    /// # Errors
    ///
    /// [`ParameterError`] where there is no such parameter or it is of another kind.
    pub fn boolean(&self, name: &str) -> Result<bool, ParameterError> {
        match self.value(name)? {
            Value::Bool(value) => Ok(value),
            _ => Err(wrong_kind(name, "boolean")),
        }
    }

    /// The value of any parameter.
    ///
    /// # Errors
    ///
    /// [`ParameterError::Missing`] where there is no such parameter in this trial.
    pub fn value(&self, name: &str) -> Result<Value, ParameterError> {
        self.find(name).map(|(domain, number)| domain.decode(number))
    }

    /// Names and values in the order of declaration, without the missing ones.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value)> {
        self.space
            .parameters()
            .iter()
            .zip(&self.numbers)
            .filter(|(_, n)| !n.is_nan())
            .map(|(p, n)| (p.name.as_str(), p.domain.decode(*n)))
    }

    /// One number a parameter: its value or the index of its choice, NaN where it is missing. What samplers work on.
    #[must_use]
    pub fn numbers(&self) -> &[f64] {
        &self.numbers
    }

    fn find(&self, name: &str) -> Result<(&Domain, f64), ParameterError> {
        let place = self
            .space
            .position(name)
            .filter(|place| !self.numbers[*place].is_nan());
        place
            .map(|place| (&self.space.parameters()[place].domain, self.numbers[place]))
            .ok_or_else(|| ParameterError::Missing {
                name: name.to_owned(),
            })
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name} = {value}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

fn wrong_kind(name: &str, expected: &'static str) -> ParameterError {
    ParameterError::WrongKind {
        name: name.to_owned(),
        expected,
    }
}
