//! Laws, reference values and bad input.
//!
//! The contract of a placement, law by law, and the tests that hold it:
//!
//! | law | tests |
//! | --- | --- |
//! | L1 nothing is overbooked, by an independent sum | `every_plan_is_sound` (`check.rs`), `every_prefix_is_feasible` |
//! | L2 a replica is bound at most once, a gang entirely or not | `every_plan_is_sound`, `a_gang_tries_every_domain` |
//! | L3 bound and rejected are what was asked for | `every_plan_is_sound` |
//! | L4 the same input gives the same plan | `plans_repeat`, `replicas_change_places_by_way_of_a_third_node` |
//! | L5 nothing that is left out fits | `plans_are_maximal`, `every_prefix_is_feasible` |
//! | L6 the unit of a resource does not matter | `units_do_not_matter`, `order_and_units_do_not_matter` |
//! | L7 no plan exceeds the bound, and the best does not | `bound_holds_the_best`, `certificates_bound_every_plan` |
//! | L8 exact ≥ greedy ≥ half of it | `best_is_at_most_twice_the_greedy`, `bins_are_close_to_the_fewest`, `offline_plans_are_sound_and_best` |
//! | L9 the reason is true, and what would let it in does | `reasons_are_true`, `named_rules_are_true`, `changes_are_enough_and_least` |
//! | L10 moves keep their budget, and every prefix is feasible | `every_prefix_is_feasible` |
//! | L11 release and rollback restore every bit | `release_restores`, `rollback_restores` |
//! | L12 fairness: no loss, no envy, no waste, no use in lying | `sharing_is_no_loss`, `nobody_envies`, `everyone_has_a_bottleneck`, `lying_never_helps` |
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod assignment;
mod check;
mod cohorts;
mod data;
mod errors;
mod fairness;
mod faults;
mod ledger;
mod outside;
mod packing;
mod partition;
mod pipeline;
mod properties;
mod reference;
mod replan;
mod rules;
mod solvers;
