//! The last steps of a quasi-Newton method and the changes of the gradient along them.

use crate::kernel::vector::{axpy, dot, norm};
use crate::line_descent::At;

/// Steps and changes of gradient, in a ring.
pub(crate) struct Pairs {
    capacity: usize,
    n: usize,
    steps: Vec<f64>,
    changes: Vec<f64>,
    /// 1 / (step · change) of each pair.
    inverses: Vec<f64>,
    alphas: Vec<f64>,
    /// Pairs stored since the last clear; the newest is at (count − 1) modulo capacity.
    count: usize,
}

impl Pairs {
    pub(crate) fn new(capacity: usize, n: usize) -> Self {
        Self {
            capacity,
            n,
            steps: vec![0.0; capacity * n],
            changes: vec![0.0; capacity * n],
            inverses: vec![0.0; capacity],
            alphas: vec![0.0; capacity],
            count: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn pair(&self, slot: usize) -> (&[f64], &[f64]) {
        let at = slot * self.n..(slot + 1) * self.n;
        (&self.steps[at.clone()], &self.changes[at])
    }

    fn slots(&self) -> impl DoubleEndedIterator<Item = usize> + Clone + use<> {
        let (count, capacity) = (self.count, self.capacity);
        (count - count.min(capacity)..count).map(move |k| k % capacity)
    }

    /// The newest pairs, at most as many as variables: more of them are dependent. The oldest first.
    pub(crate) fn independent(&self) -> impl Iterator<Item = (&[f64], &[f64])> {
        let extra = self.slots().count().saturating_sub(self.n);
        self.slots().skip(extra).map(|slot| self.pair(slot))
    }

    /// Keeps the pair if its curvature is positive beyond rounding, and says whether it did.
    pub(crate) fn remember(&mut self, old: &At<'_>, new: &At<'_>) -> bool {
        let slot = self.count % self.capacity;
        let at = slot * self.n..(slot + 1) * self.n;
        for ((s, new), old) in self.steps[at.clone()].iter_mut().zip(new.x).zip(old.x) {
            *s = new - old;
        }
        for ((y, new), old) in self.changes[at].iter_mut().zip(new.gradient).zip(old.gradient) {
            *y = new - old;
        }
        let (step, change) = self.pair(slot);
        let curvature = dot(step, change);
        let keep = curvature > f64::EPSILON * norm(step) * norm(change);
        if keep {
            self.inverses[slot] = 1.0 / curvature;
            self.count += 1;
        }
        keep
    }

    /// The curvature along the newest step: y · y / s · y; 1 without a pair.
    pub(crate) fn curvature(&self) -> f64 {
        if self.count == 0 {
            return 1.0;
        }
        let newest = (self.count - 1) % self.capacity;
        let (_, change) = self.pair(newest);
        self.inverses[newest] * dot(change, change)
    }

    /// direction = −H gradient, by the two loops over the pairs.
    pub(crate) fn direction(&mut self, gradient: &[f64], direction: &mut [f64]) {
        for (d, g) in direction.iter_mut().zip(gradient) {
            *d = -g;
        }
        if self.count == 0 {
            return;
        }
        for slot in self.slots().rev() {
            let (step, change) = self.pair(slot);
            let alpha = self.inverses[slot] * dot(step, direction);
            axpy(-alpha, change, direction);
            self.alphas[slot] = alpha;
        }
        let scale = 1.0 / self.curvature();
        direction.iter_mut().for_each(|d| *d *= scale);
        for slot in self.slots() {
            let (step, change) = self.pair(slot);
            let beta = self.inverses[slot] * dot(change, direction);
            axpy(self.alphas[slot] - beta, step, direction);
        }
    }
}
