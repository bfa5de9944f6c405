//! Binds a checked specification to the columns of an input.

use std::collections::BTreeSet;

use regex::Regex;

use super::check::bounds;
use super::{Bounds, Keys, Node, Plan, Predicate, Reading, RelOp, Test, Value};
use crate::constraint::{Constraints, DenialConstraint};
use crate::error::RunError;
use crate::ledger::{Cause, Disposition, Reasons};
use crate::spec::{
    Action, Check, Compare, Deny, DropDuplicates, DropMissing, How, Isolate, Outliers, PipelineSpec,
    References, Rule, Step, Unique,
};

impl Plan {
    /// Binds a checked specification to the columns of the input.
    pub(crate) fn bind(spec: &PipelineSpec, mut columns: Vec<String>) -> Result<Self, RunError> {
        let inputs = columns.len();
        let mut reasons = Reasons::default();
        let mut early = |cause, disposition| reasons.add(cause, None, None, disposition);
        let reading = Reading {
            blank: early(Cause::BlankLine, Disposition::Dropped),
            fields: early(Cause::FieldCount, Disposition::Quarantined),
            utf8: early(Cause::NotUtf8, Disposition::Quarantined),
            after_quote: early(Cause::TextAfterQuote, Disposition::Quarantined),
            unclosed: early(Cause::UnclosedQuote, Disposition::Quarantined),
            not_object: early(Cause::NotAnObject, Disposition::Quarantined),
        };
        let mut binder = Binder {
            inputs,
            columns: &mut columns,
            reasons,
            nodes: Vec::with_capacity(spec.steps.len()),
            step: 0,
        };
        let mut casts = vec![None; inputs];
        for (name, &kind) in &spec.read.types {
            let at = binder.find(name)?;
            let reason = binder
                .reasons
                .add(Cause::Type, None, Some(name), Disposition::Quarantined);
            casts[at] = Some((kind, reason));
        }
        let mut sentinels = vec![spec.read.sentinels.everywhere.clone(); inputs];
        for (name, texts) in &spec.read.sentinels.columns {
            sentinels[binder.find(name)?].extend(texts.iter().cloned());
        }
        for (index, step) in spec.steps.iter().enumerate() {
            binder.step = index;
            match step {
                Step::DropMissing(step) => binder.drop_missing(step)?,
                Step::DropDuplicates(step) => binder.drop_duplicates(step)?,
                Step::Check(step) => binder.check(step)?,
                Step::Fill(fill) => {
                    let column = binder.find(&fill.column)?;
                    let value = Value::Fill(fill.value.clone());
                    binder.push(RelOp::Project { column, value });
                }
                Step::Outliers(step) => binder.outliers(step)?,
                Step::Unique(step) => binder.unique(step)?,
                Step::Compare(step) => binder.compare(step)?,
                Step::References(step) => binder.references(step)?,
                Step::Deny(step) => binder.deny(step)?,
                Step::Isolate(step) => binder.isolate(step)?,
            }
        }
        let Binder { reasons, nodes, .. } = binder;
        Ok(Self {
            nodes,
            reasons,
            reading,
            casts,
            sentinels,
            trim: spec.read.trim,
            steps: spec.steps.len(),
            columns,
            inputs,
        })
    }
}

struct Binder<'a> {
    columns: &'a mut Vec<String>,
    inputs: usize,
    reasons: Reasons,
    nodes: Vec<Node>,
    step: usize,
}

impl Binder<'_> {
    fn find(&self, name: &str) -> Result<usize, RunError> {
        let mut found = self.columns.iter().enumerate().filter(|(_, c)| *c == name);
        match (found.next(), found.next()) {
            (Some((at, _)), None) => Ok(at),
            (Some(_), Some(_)) => Err(RunError::DuplicateColumn {
                column: name.to_owned(),
            }),
            (None, _) => Err(RunError::UnknownColumn {
                column: name.to_owned(),
            }),
        }
    }

    /// The columns named; all of them where none is.
    fn find_all(&self, names: &[String]) -> Result<Vec<usize>, RunError> {
        if names.is_empty() {
            return Ok((0..self.inputs).collect());
        }
        names.iter().map(|name| self.find(name)).collect()
    }

    fn push(&mut self, op: RelOp) {
        self.nodes.push(Node { step: self.step, op });
    }

    fn reason(&mut self, cause: Cause, column: Option<usize>, action: Action) -> u16 {
        let disposition = match action {
            Action::Drop => Disposition::Dropped,
            _ => Disposition::Quarantined,
        };
        let name = column.map(|at| self.columns[at].as_str());
        self.reasons.add(cause, Some(self.step), name, disposition)
    }

    fn select(&mut self, column: usize, test: Test, reason: u16) {
        let predicate = Predicate::Cell { column, test };
        self.push(RelOp::Select { predicate, reason });
    }

    fn drop_missing(&mut self, step: &DropMissing) -> Result<(), RunError> {
        let columns = self.find_all(&step.columns)?;
        if step.how == How::All {
            let reason = self.reason(Cause::Missing, None, Action::Drop);
            let predicate = Predicate::AnyPresent { columns };
            self.push(RelOp::Select { predicate, reason });
            return Ok(());
        }
        for column in columns {
            let reason = self.reason(Cause::Missing, Some(column), Action::Drop);
            self.select(column, Test::NotNull, reason);
        }
        Ok(())
    }

    fn drop_duplicates(&mut self, step: &DropDuplicates) -> Result<(), RunError> {
        let columns = match step.columns.as_slice() {
            [] => None,
            names => Some(self.find_all(names)?),
        };
        let reason = self.reason(Cause::Duplicate, None, Action::Drop);
        self.push(RelOp::Distinct {
            keys: Keys {
                columns,
                equality: step.equality,
            },
            keep: step.keep,
            reason,
        });
        Ok(())
    }

    fn check(&mut self, check: &Check) -> Result<(), RunError> {
        let column = self.find(&check.column)?;
        let (cause, test) = compile(&check.rule);
        if check.on_fail == Action::Flag {
            return self.flag(column, test, cause);
        }
        let reason = self.reason(cause, Some(column), check.on_fail);
        match test {
            Test::Range(bounds) => self.within(column, bounds, reason, check.on_fail),
            test => self.select(column, test, reason),
        }
        Ok(())
    }

    fn outliers(&mut self, step: &Outliers) -> Result<(), RunError> {
        let columns = self.find_all(&step.columns)?;
        let node = self.nodes.len();
        self.push(RelOp::Aggregate {
            columns: columns.clone(),
            statistic: step.method,
        });
        for (index, column) in columns.into_iter().enumerate() {
            let bounds = Bounds::Learned { node, index };
            if step.action == Action::Flag {
                self.flag(column, Test::Range(bounds), Cause::Outlier)?;
                continue;
            }
            let reason = self.reason(Cause::Outlier, Some(column), step.action);
            self.within(column, bounds, reason, step.action);
        }
        Ok(())
    }

    fn unique(&mut self, step: &Unique) -> Result<(), RunError> {
        let columns = self.find_all(&step.columns)?;
        let reason = self.reason(Cause::NotUnique, None, step.on_fail);
        self.push(RelOp::Distinct {
            keys: Keys {
                columns: Some(columns),
                equality: step.equality,
            },
            keep: step.keep,
            reason,
        });
        Ok(())
    }

    fn compare(&mut self, step: &Compare) -> Result<(), RunError> {
        let (left, right) = (self.find(&step.left)?, self.find(&step.right)?);
        let reason = self.reason(Cause::Comparison, Some(left), step.on_fail);
        let predicate = Predicate::Compare {
            left,
            comparison: step.is,
            right,
        };
        self.push(RelOp::Select { predicate, reason });
        Ok(())
    }

    fn references(&mut self, step: &References) -> Result<(), RunError> {
        let columns = self.find_all(&step.columns)?;
        let reason = self.reason(Cause::NoReference, Some(columns[0]), step.on_fail);
        let keys = if step.keys.is_empty() {
            &step.columns
        } else {
            &step.keys
        };
        let predicate = Predicate::Referenced {
            columns,
            path: step.path.clone(),
            keys: keys.clone(),
        };
        self.push(RelOp::Select { predicate, reason });
        Ok(())
    }

    fn deny(&mut self, step: &Deny) -> Result<(), RunError> {
        let constraint: DenialConstraint = step
            .constraint
            .parse()
            .expect("checked when the pipeline was made");
        let names: BTreeSet<&str> = constraint.columns().collect();
        let columns = names
            .iter()
            .map(|name| self.find(name))
            .collect::<Result<_, _>>()?;
        let names: Vec<&str> = names.into_iter().collect();
        let bound = Constraints::try_new(vec![constraint.clone()], &names)
            .expect("its own columns, each once, and a condition at least");
        let reason = self.reason(Cause::Denied, None, step.on_fail);
        self.push(RelOp::Deny {
            columns,
            constraint: bound,
            blame: step.blame,
            reason,
        });
        Ok(())
    }

    fn isolate(&mut self, step: &Isolate) -> Result<(), RunError> {
        let columns = self.find_all(&step.columns)?;
        let reason = self.reason(Cause::Outlier, None, step.on_fail);
        self.push(RelOp::Isolate {
            columns,
            forest: step.forest,
            seed: step.seed,
            reason,
        });
        Ok(())
    }

    /// Adds a column that says where `test` fails.
    fn flag(&mut self, column: usize, test: Test, cause: Cause) -> Result<(), RunError> {
        let name = format!("{} {cause}", self.columns[column]);
        if self.columns.contains(&name) {
            return Err(RunError::DuplicateColumn { column: name });
        }
        let value = Value::Fails { column, test };
        let column = self.columns.len();
        self.columns.push(name);
        self.push(RelOp::Project { column, value });
        Ok(())
    }

    /// Refuses a number outside the bounds or moves it to the nearest one inside; NaN has no nearest number.
    fn within(&mut self, column: usize, bounds: Bounds, reason: u16, action: Action) {
        if action == Action::Clip {
            self.select(column, Test::NotNan, reason);
            let value = Value::Clamp(bounds);
            self.push(RelOp::Project { column, value });
        } else {
            self.select(column, Test::Range(bounds), reason);
        }
    }
}

fn compile(rule: &Rule) -> (Cause, Test) {
    match rule {
        Rule::NotNull => (Cause::Missing, Test::NotNull),
        Rule::Range { min, max } => {
            let (min, max) = bounds(*min, *max);
            (Cause::Range, Test::Range(Bounds::Fixed { min, max }))
        }
        Rule::InSet(values) => (
            Cause::NotInSet,
            Test::InSet {
                texts: values.iter().cloned().collect(),
                ordered: values.clone(),
            },
        ),
        Rule::Regex(pattern) => (
            Cause::NoMatch,
            Test::Regex(Regex::new(pattern).expect("checked when the pipeline was made")),
        ),
        Rule::Length { min, max } => (Cause::Length, Test::Length { min: *min, max: *max }),
    }
}
