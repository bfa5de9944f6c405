//! Which tensors are pruned, and how.

use std::collections::HashMap;

use regex::Regex;

use super::Pattern;
use crate::error::PatternError;

/// Names that the default rule leaves alone: embeddings (whose rows are looked up, not multiplied, and often shared with
/// the output), the output head, and routers of experts.
const SENSITIVE: &str = r"(^|\.)([a-z_]*embeddings?|embed_tokens|wte|wpe|lm_head|router|gate)(\.|$)";

/// Says for every tensor whether it is pruned and by which pattern.
///
/// Only floating-point tensors of two or more dimensions are pruned (the last one is the row), so that biases and norms
/// always stay. Rules are tried in the order they were added, the first whose regular expression matches anywhere in the
/// name decides; without one the default pattern applies, except to embeddings, output heads and routers.
///
/// # Example
/// ```
/// use modelops_pruning::weights::{Pattern, Recipe, Scope, Sparsity};
///
/// let half = Pattern::Unstructured { sparsity: Sparsity::try_new(0.5)?, scope: Scope::Row };
/// let recipe = Recipe::new(half)
///     .with_ignored(r"\.0\.")?
///     .with_rule(r"mlp", Pattern::NM { keep: 2, group: 4 })?;
/// assert_eq!(recipe.pattern("layers.1.mlp.weight"), Some(Pattern::NM { keep: 2, group: 4 }));
/// assert_eq!(recipe.pattern("layers.0.mlp.weight"), None);
/// assert_eq!(recipe.pattern("model.embed_tokens.weight"), None);
/// # Ok::<(), modelops_pruning::PatternError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Recipe {
    default: Pattern,
    named: HashMap<String, Pattern>,
    rules: Vec<(Regex, Option<Pattern>)>,
    sensitive: Regex,
}

impl Recipe {
    /// Prunes by `default` what no rule decides.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the expression is a constant")]
    pub fn new(default: Pattern) -> Self {
        let sensitive = Regex::new(SENSITIVE).expect("a constant that compiles");
        Self {
            default,
            named: HashMap::new(),
            rules: Vec::new(),
            sensitive,
        }
    }

    /// Prunes tensors whose name matches by `pattern`, sensitive ones included.
    ///
    /// # Errors
    /// [`PatternError::InvalidExpression`].
    pub fn with_rule(mut self, expression: &str, pattern: Pattern) -> Result<Self, PatternError> {
        self.rules.push((compile(expression)?, Some(pattern)));
        Ok(self)
    }

    /// Leaves tensors whose name matches as they are.
    ///
    /// # Errors
    /// [`PatternError::InvalidExpression`].
    pub fn with_ignored(mut self, expression: &str) -> Result<Self, PatternError> {
        self.rules.push((compile(expression)?, None));
        Ok(self)
    }

    /// Prunes the tensor of exactly this name by `pattern`, before any rule: this is how an
    /// [`Allocation`](crate::weights::allocate::Allocation) is carried out.
    #[must_use]
    pub fn with_tensor(mut self, name: &str, pattern: Pattern) -> Self {
        self.named.insert(name.to_owned(), pattern);
        self
    }

    /// The pattern for a tensor of this name, `None` where it stays as it is.
    #[must_use]
    pub fn pattern(&self, tensor: &str) -> Option<Pattern> {
        if let Some(pattern) = self.named.get(tensor) {
            return Some(*pattern);
        }
        match self
            .rules
            .iter()
            .find(|(expression, _)| expression.is_match(tensor))
        {
            Some((_, decision)) => *decision,
            None => (!self.sensitive.is_match(tensor)).then_some(self.default),
        }
    }
}

fn compile(expression: &str) -> Result<Regex, PatternError> {
    Regex::new(expression).map_err(|_| PatternError::InvalidExpression {
        expression: expression.to_owned(),
    })
}
