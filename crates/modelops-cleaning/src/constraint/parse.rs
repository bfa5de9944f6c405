//! Reads the notation of `HoloClean`.

use std::str::FromStr;

use super::{Comparison, Condition, ConstraintError, DenialConstraint, Operand};

impl FromStr for DenialConstraint {
    type Err = ConstraintError;

    fn from_str(text: &str) -> Result<Self, ConstraintError> {
        let mut conditions = Vec::new();
        for part in text.trim().split('&') {
            if part != "t1" && part != "t2" {
                conditions.push(condition(part).ok_or_else(|| ConstraintError::Syntax {
                    part: part.to_owned(),
                })?);
            }
        }
        if conditions.is_empty() {
            let part = text.to_owned();
            return Err(ConstraintError::Syntax { part });
        }
        Ok(Self { conditions })
    }
}

fn condition(part: &str) -> Option<Condition> {
    let (name, rest) = part.split_once('(')?;
    let (left, right) = rest.strip_suffix(')')?.split_once(',')?;
    Some(Condition {
        comparison: match name {
            "EQ" => Comparison::Equal,
            "IQ" => Comparison::Different,
            "LT" => Comparison::Less,
            "GT" => Comparison::Greater,
            "LTE" => Comparison::LessOrEqual,
            "GTE" => Comparison::GreaterOrEqual,
            _ => return None,
        },
        left: operand(left)?,
        right: operand(right)?,
    })
}

fn operand(text: &str) -> Option<Operand> {
    let text = text.trim();
    if let Some(column) = text.strip_prefix("t1.") {
        return Some(Operand::First(column.to_owned()));
    }
    if let Some(column) = text.strip_prefix("t2.") {
        return Some(Operand::Second(column.to_owned()));
    }
    let quoted = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    let constant: Option<&str> = quoted('"').or_else(|| quoted('\''));
    constant.map(|text| Operand::Constant(text.to_owned()))
}
