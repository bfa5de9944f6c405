//! Features in the order of their choice.

/// Features in the order in which they were picked.
#[derive(Debug, Clone, PartialEq)]
pub struct Picks {
    order: Vec<usize>,
    criteria: Vec<f64>,
}

impl Picks {
    pub(super) fn new(order: Vec<usize>, criteria: Vec<f64>) -> Self {
        Self { order, criteria }
    }

    /// Columns, the first pick first.
    #[must_use]
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The value for which each was picked, in the same order.
    #[must_use]
    pub fn criteria(&self) -> &[f64] {
        &self.criteria
    }

    /// Columns, ascending.
    #[must_use]
    pub fn selected(&self) -> Vec<usize> {
        let mut selected = self.order.clone();
        selected.sort_unstable();
        selected
    }
}
