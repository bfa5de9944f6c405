//! Nearest neighbours in the plane under the maximum norm, by a k-d tree that is searched for a whole leaf at once.

use multiversion::multiversion;

/// Points in a leaf: all of them but the last are full. Two vectors of the widest registers.
const LEAF: usize = 16;

/// One number for each point of a leaf.
type Lanes = [f64; LEAF];

/// A tree over points, which lie leaf by leaf in one array.
pub(crate) struct Plane {
    points: Vec<[f64; 2]>,
    /// Where each point stood in the input.
    order: Vec<u32>,
    nodes: Vec<Node>,
}

/// A stretch of the points and the box around them.
#[derive(Clone, Copy)]
struct Node {
    low: [f64; 2],
    high: [f64; 2],
    start: u32,
    end: u32,
    /// The second child; the first follows the node. 0 for a leaf.
    second: u32,
}

impl Node {
    /// Maximum-norm distance between two boxes.
    fn distance(&self, other: &Self) -> f64 {
        let apart = |d: usize| (self.low[d] - other.high[d]).max(other.low[d] - self.high[d]);
        apart(0).max(apart(1)).max(0.0)
    }

    fn holds(&self, p: [f64; 2]) -> bool {
        (0..2).all(|d| self.low[d] <= p[d] && p[d] <= self.high[d])
    }

    fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Plane {
    pub(crate) fn new(x: &[f64], y: &[f64]) -> Self {
        let mut tagged: Vec<([f64; 2], u32)> = x
            .iter()
            .zip(y)
            .enumerate()
            .map(|(i, (x, y))| ([*x, *y], i as u32))
            .collect();
        let mut nodes = Vec::with_capacity(2 * (x.len() / LEAF + 1));
        if !tagged.is_empty() {
            split(&mut tagged, 0, &mut nodes);
        }
        Self {
            points: tagged.iter().map(|(p, _)| *p).collect(),
            order: tagged.iter().map(|(_, i)| *i).collect(),
            nodes,
        }
    }

    /// Calls `visit` for every point, those close to each other one after the other, with its place in the input, where it
    /// is, the distance to its k-th nearest other point, and how many others lie within that: k, or where the distance is 0
    /// all that coincide with it. `k` is at least 1 and less than the number of points.
    pub(crate) fn each_kth(&self, k: usize, mut visit: impl FnMut(usize, [f64; 2], f64, usize)) {
        let mut nearest = vec![[0.0; LEAF]; k];
        let mut stack = Vec::new();
        // Points that coincide mostly lie side by side: the last that were counted.
        let mut counted = ([f64::NAN; 2], 0);
        for own in 0..self.nodes.len() {
            if self.nodes[own].second > 0 {
                continue;
            }
            self.search(own, &mut nearest, &mut stack);
            for (lane, at) in self.nodes[own].range().enumerate() {
                let (p, distance) = (self.points[at], nearest[k - 1][lane]);
                let reached = if distance == 0.0 {
                    if counted.0 != p {
                        counted = (p, self.coincident(p) - 1);
                    }
                    counted.1
                } else {
                    k
                };
                visit(self.order[at] as usize, p, distance, reached);
            }
        }
    }

    /// The distances, in ascending order, from each point of leaf `own` to its nearest others.
    fn search(&self, own: usize, nearest: &mut [Lanes], stack: &mut Vec<(u32, f64)>) {
        let leaf = &self.nodes[own];
        let points = &self.points[leaf.range()];
        let centres = [0, 1].map(|d| {
            let mut lanes = [points[0][d]; LEAF];
            lanes.iter_mut().zip(points).for_each(|(lane, p)| *lane = p[d]);
            lanes
        });
        nearest.fill([f64::INFINITY; LEAF]);
        let mut radius = near_each_other(&centres, points.len(), nearest);
        stack.push((0, 0.0));
        while let Some((index, distance)) = stack.pop() {
            let node = &self.nodes[index as usize];
            if distance >= radius || index as usize == own {
                continue;
            }
            if node.second == 0 {
                radius = near(&centres, &self.points[node.range()], leaf, radius, nearest);
                continue;
            }
            let child = |index: u32| (index, self.nodes[index as usize].distance(leaf));
            let (first, second) = (child(index + 1), child(node.second));
            let (nearer, farther) = if first.1 <= second.1 {
                (first, second)
            } else {
                (second, first)
            };
            stack.push(farther);
            stack.push(nearer);
        }
    }

    fn coincident(&self, p: [f64; 2]) -> usize {
        let mut count = 0;
        let mut stack = vec![0];
        while let Some(index) = stack.pop() {
            let node = &self.nodes[index as usize];
            if !node.holds(p) {
                continue;
            }
            if node.second == 0 {
                count += self.points[node.range()].iter().filter(|q| p == **q).count();
            } else {
                stack.extend([index + 1, node.second]);
            }
        }
        count
    }
}

/// Takes a distance for each lane into the ascending `nearest`, and drops the longest.
#[inline(always)]
fn insert(mut distance: Lanes, nearest: &mut [Lanes]) {
    for kept in nearest {
        for lane in 0..LEAF {
            let (a, b) = (kept[lane], distance[lane]);
            (kept[lane], distance[lane]) = if b < a { (b, a) } else { (a, b) };
        }
    }
}

#[inline(always)]
fn distances(centres: &[Lanes; 2], q: [f64; 2]) -> Lanes {
    let mut distances = [0.0; LEAF];
    for (lane, distance) in distances.iter_mut().enumerate() {
        let (x, y) = ((centres[0][lane] - q[0]).abs(), (centres[1][lane] - q[1]).abs());
        *distance = if x < y { y } else { x };
    }
    distances
}

/// The greatest of the distances to the k-th nearest.
#[inline(always)]
fn widest(nearest: &[Lanes]) -> f64 {
    let mut lanes = nearest[nearest.len() - 1];
    let mut width = LEAF / 2;
    while width > 0 {
        for lane in 0..width {
            let (a, b) = (lanes[lane], lanes[lane + width]);
            lanes[lane] = if a < b { b } else { a };
        }
        width /= 2;
    }
    lanes[0]
}

/// Takes the distances of the first `count` lanes to each other into `nearest`, and gives the greatest that it keeps. The
/// lanes behind them stand where the first does.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn near_each_other(centres: &[Lanes; 2], count: usize, nearest: &mut [Lanes]) -> f64 {
    for at in 0..count {
        let mut distance = distances(centres, [centres[0][at], centres[1][at]]);
        distance[at] = f64::INFINITY;
        insert(distance, nearest);
    }
    widest(nearest)
}

/// Takes the distances of all lanes to those of `points` that lie within `radius` of their box into `nearest`, and gives
/// the greatest that it keeps.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn near(centres: &[Lanes; 2], points: &[[f64; 2]], around: &Node, radius: f64, nearest: &mut [Lanes]) -> f64 {
    for q in points {
        let apart = |d: usize| (around.low[d] - q[d]).max(q[d] - around.high[d]);
        if apart(0).max(apart(1)) < radius {
            insert(distances(centres, *q), nearest);
        }
    }
    widest(nearest)
}

/// Splits across the wider side, near the median, down to leaves.
fn split(points: &mut [([f64; 2], u32)], start: usize, nodes: &mut Vec<Node>) {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for (p, _) in points.iter() {
        for d in 0..2 {
            low[d] = low[d].min(p[d]);
            high[d] = high[d].max(p[d]);
        }
    }
    let index = nodes.len();
    nodes.push(Node {
        low,
        high,
        start: start as u32,
        end: (start + points.len()) as u32,
        second: 0,
    });
    if points.len() <= LEAF {
        return;
    }
    let side = usize::from(high[1] - low[1] > high[0] - low[0]);
    let half = (points.len() / 2).next_multiple_of(LEAF);
    points.select_nth_unstable_by(half, |a, b| a.0[side].total_cmp(&b.0[side]));
    let (first, second) = points.split_at_mut(half);
    split(first, start, nodes);
    nodes[index].second = nodes.len() as u32;
    split(second, start + half, nodes);
}
