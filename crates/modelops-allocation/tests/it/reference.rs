//! Values from the literature; see tests/data/README.md.

use modelops_allocation::{Item, SolverOptions, Status, knapsack};

/// The worked example of the book by Martello and Toth (example 2.1): optimum 107 with items 1 and 4 (from 1).
#[test]
fn martello_toth_example() {
    let values = [70, 20, 39, 37, 7, 5, 10];
    let weights = [31, 10, 20, 19, 4, 3, 6];
    let items: Vec<Item> = values
        .iter()
        .zip(weights)
        .map(|(v, w)| Item::new(*v, w))
        .collect();
    let best = knapsack(&items, 50, &SolverOptions::default()).unwrap();
    assert_eq!((best.value, best.status), (107, Status::Optimal));
    assert_eq!(best.chosen, [0, 3]);
}
