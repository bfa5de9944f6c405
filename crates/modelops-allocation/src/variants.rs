//! One variant of each model under one budget.

use crate::error::SolveError;
use crate::kernel::choice_dp;
use crate::knapsack::{MAX_ITEMS, check_sums};
use crate::solver::{Item, SolverOptions, Status};

/// The answer of [`choose_variants`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantPlan {
    /// The chosen variant of each class.
    pub chosen: Vec<usize>,
    /// Their value together.
    pub value: u64,
    /// Their weight together.
    pub weight: u64,
    /// What no choice can exceed; equal to `value` when [`Status::Optimal`].
    pub bound: u64,
    /// Whether the value is proven.
    pub status: Status,
}

/// Chooses exactly one variant of each class, of the largest total value within `budget`: the multiple-choice knapsack problem.
///
/// Use it to decide which model is served in which precision or size under a budget of memory, money or power. A class that may
/// be left out has a variant of value 0 and weight 0.
///
/// **Formula**: max Σᵢ v(i, jᵢ) subject to Σᵢ w(i, jᵢ) ≤ budget, one jᵢ for each class i.
///
/// # Errors
/// [`SolveError::EmptyClass`], [`SolveError::BudgetTooSmall`] where not even the lightest variants fit,
/// [`SolveError::Overflow`] where all values or all weights sum to 2⁶² or more.
///
/// **Complexity**: O(n log n) plus the states of a few classes; exponential in the worst case, therefore the limit in
/// [`SolverOptions`].
///
/// # Example
/// ```
/// use modelops_allocation::{Item, SolverOptions, choose_variants};
/// // Two models as bf16, fp8 or int4: quality against GiB.
/// let a = vec![Item::new(100, 16), Item::new(97, 8), Item::new(90, 5)];
/// let b = vec![Item::new(200, 140), Item::new(198, 70), Item::new(185, 40)];
/// let plan = choose_variants(&[a, b], 80, &SolverOptions::default())?;
/// assert_eq!((plan.chosen, plan.value, plan.weight), (vec![1, 1], 295, 78));
/// # Ok::<(), modelops_allocation::SolveError>(())
/// ```
///
/// **References**: E. Zemel, *An O(n) algorithm for the linear multiple choice knapsack problem*, 1984,
/// doi:10.1016/0020-0190(84)90014-0; D. Pisinger, *A minimal algorithm for the multiple-choice knapsack problem*, 1995,
/// doi:10.1016/0377-2217(95)00015-I.
#[doc(alias("multiple_choice_knapsack", "MCKP"))]
pub fn choose_variants(
    classes: &[Vec<Item>],
    budget: u64,
    options: &SolverOptions,
) -> Result<VariantPlan, SolveError> {
    if let Some(class) = classes.iter().position(Vec::is_empty) {
        return Err(SolveError::EmptyClass { class });
    }
    check_sums(classes.iter().flatten())?;
    let items: usize = classes.iter().map(Vec::len).sum();
    if items > MAX_ITEMS {
        return Err(SolveError::TooManyItems {
            items,
            limit: MAX_ITEMS,
        });
    }
    let lightest = classes
        .iter()
        .map(|class| class.iter().map(|item| item.weight).min().unwrap_or(0))
        .sum::<u64>();
    if lightest > budget {
        return Err(SolveError::BudgetTooSmall { lightest, budget });
    }
    let outcome = choice_dp::solve(classes, budget.min(1 << 62) as i64, options.max_states);
    let chosen_items = || outcome.chosen.iter().zip(classes).map(|(j, class)| class[*j]);
    let value: u64 = chosen_items().map(|item| item.value).sum();
    let weight: u64 = chosen_items().map(|item| item.weight).sum();
    let status = if outcome.proven {
        Status::Optimal
    } else {
        Status::StateLimit
    };
    let bound = if outcome.proven {
        value
    } else {
        outcome.bound.max(value)
    };
    Ok(VariantPlan {
        value,
        weight,
        bound,
        status,
        chosen: outcome.chosen,
    })
}
