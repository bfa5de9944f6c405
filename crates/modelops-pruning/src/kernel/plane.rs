//! Nearest neighbours in the plane under the maximum norm, by a k-d tree.

/// Points in a leaf at most.
const LEAF: usize = 12;

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
    /// Maximum-norm distance from a point to the box.
    fn distance(&self, p: [f64; 2]) -> f64 {
        let apart = |d: usize| (self.low[d] - p[d]).max(p[d] - self.high[d]);
        apart(0).max(apart(1)).max(0.0)
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
        let mut nodes = Vec::with_capacity(4 * (x.len() / LEAF + 1));
        if !tagged.is_empty() {
            split(&mut tagged, 0, &mut nodes);
        }
        Self {
            points: tagged.iter().map(|(p, _)| *p).collect(),
            order: tagged.iter().map(|(_, i)| *i).collect(),
            nodes,
        }
    }

    /// Calls `visit` for every point with its place in the input, the distance to its k-th nearest other point, and how many
    /// others lie within that: k, or where the distance is 0 all that coincide with it. `k` is at least 1 and less than the
    /// number of points.
    pub(crate) fn each_kth(&self, k: usize, mut visit: impl FnMut(usize, f64, usize)) {
        let mut nearest = vec![0.0; k];
        let mut stack = Vec::new();
        for leaf in self.nodes.iter().filter(|node| node.second == 0) {
            for at in leaf.start as usize..leaf.end as usize {
                nearest.fill(f64::INFINITY);
                let p = self.points[at];
                self.scan(leaf, at, p, &mut nearest);
                self.search(leaf.start, at, p, &mut nearest, &mut stack);
                let distance = nearest[k - 1];
                let reached = if distance == 0.0 {
                    self.coincident(p, &mut stack) - 1
                } else {
                    k
                };
                visit(self.order[at] as usize, distance, reached);
            }
        }
    }

    fn search(&self, own: u32, at: usize, p: [f64; 2], nearest: &mut [f64], stack: &mut Vec<u32>) {
        let last = nearest.len() - 1;
        stack.push(0);
        while let Some(index) = stack.pop() {
            let node = &self.nodes[index as usize];
            if node.distance(p) >= nearest[last] {
                continue;
            }
            if node.second == 0 {
                if node.start != own {
                    self.scan(node, at, p, nearest);
                }
                continue;
            }
            let (first, second) = (index + 1, node.second);
            let nearer = self.nodes[first as usize].distance(p) <= self.nodes[second as usize].distance(p);
            stack.extend(if nearer { [second, first] } else { [first, second] });
        }
    }

    fn scan(&self, leaf: &Node, at: usize, p: [f64; 2], nearest: &mut [f64]) {
        let last = nearest.len() - 1;
        for i in leaf.start as usize..leaf.end as usize {
            let q = self.points[i];
            let distance = (p[0] - q[0]).abs().max((p[1] - q[1]).abs());
            if distance < nearest[last] && i != at {
                let mut place = last;
                while place > 0 && nearest[place - 1] > distance {
                    nearest[place] = nearest[place - 1];
                    place -= 1;
                }
                nearest[place] = distance;
            }
        }
    }

    fn coincident(&self, p: [f64; 2], stack: &mut Vec<u32>) -> usize {
        let mut count = 0;
        stack.push(0);
        while let Some(index) = stack.pop() {
            let node = &self.nodes[index as usize];
            if node.distance(p) > 0.0 {
                continue;
            }
            if node.second == 0 {
                let points = &self.points[node.start as usize..node.end as usize];
                count += points.iter().filter(|q| p[0] == q[0] && p[1] == q[1]).count();
            } else {
                stack.extend([index + 1, node.second]);
            }
        }
        count
    }
}

/// Splits at the median of the wider side, down to leaves.
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
    let half = points.len() / 2;
    points.select_nth_unstable_by(half, |a, b| a.0[side].total_cmp(&b.0[side]));
    let (first, second) = points.split_at_mut(half);
    split(first, start, nodes);
    nodes[index].second = nodes.len() as u32;
    split(second, start + half, nodes);
}
