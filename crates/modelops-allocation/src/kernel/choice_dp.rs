//! The multiple-choice knapsack by dynamic programming over few classes, in the order of their loss against the relaxation.
//!
//! A price λ of the budget makes one variant of each class the best, v − λ w; any other loses loss ≥ 0 against it, and every
//! choice is worth at most U − Σ losses. Classes are decided in the order of their smallest loss, partial choices are dropped by
//! bound and dominance, and once the next loss exhausts the distance all other classes are proven fixed.

use crate::solver::Item;

pub(crate) struct Outcome {
    pub(crate) chosen: Vec<usize>,
    pub(crate) bound: u64,
    pub(crate) proven: bool,
}

#[derive(Clone, Copy)]
struct State {
    weight: i64,
    value: i64,
    trace: u32,
}

const ROOT: u32 = u32::MAX;

/// A class was decided for another variant than its best.
struct Turn {
    class: u32,
    variant: u32,
    before: u32,
}

/// A variant that nothing lighter matches in value, and where it stood.
#[derive(Clone, Copy)]
struct Point {
    weight: i64,
    value: i64,
    variant: u32,
}

/// The price of the budget as an exact fraction.
struct Price {
    value: i128,
    weight: i128,
}

impl Price {
    /// The price that balances the relaxation: the slope at which the budget runs out.
    fn reduced(&self, point: &Point) -> i128 {
        i128::from(point.value) * self.weight - self.value * i128::from(point.weight)
    }
}

pub(crate) fn solve(classes: &[Vec<Item>], budget: i64, max_states: u64) -> Outcome {
    let (points, starts) = undominated(classes);
    let class = |i: usize| &points[starts[i]..starts[i + 1]];
    let count = classes.len();
    let price = balance((0..count).map(class), budget);
    // The best variant of each class at this price, the lightest of equals: together within the budget. Then heavier equals
    // while they fit, so that little of the budget is left.
    let best_of = |i: usize| {
        let points = class(i);
        let mut best = 0;
        for j in 1..points.len() {
            if price.reduced(&points[j]) > price.reduced(&points[best]) {
                best = j;
            }
        }
        best
    };
    let mut base: Vec<usize> = (0..count).map(best_of).collect();
    let mut room = budget - (0..count).map(|i| class(i)[base[i]].weight).sum::<i64>();
    for (i, kept) in base.iter_mut().enumerate() {
        let (points, now) = (class(i), class(i)[*kept]);
        let equal = |j: &usize| {
            points[*j].weight - now.weight <= room && price.reduced(&points[*j]) == price.reduced(&now)
        };
        if let Some(j) = (*kept + 1..points.len()).rev().find(equal) {
            room -= points[j].weight - now.weight;
            *kept = j;
        }
    }
    let sum = |part: fn(&Point) -> i64| (0..count).map(|i| part(&class(i)[base[i]])).sum::<i64>();
    let (weight, value) = (sum(|p| p.weight), sum(|p| p.value));
    let mut chosen: Vec<usize> = (0..count).map(|i| class(i)[base[i]].variant as usize).collect();
    let key = |weight: i64, value: i64| {
        i128::from(value) * price.weight + price.value * i128::from(budget - weight)
    };
    let top = key(weight, value);
    let steps = Steps::new(&points, &starts, &price, budget, value - weight);
    let bound = steps.whole(top, &price).max(value.into()) as u64;
    let loss = |i: usize, j: usize| price.reduced(&class(i)[base[i]]) - price.reduced(&class(i)[j]);

    let mut best = Best {
        value,
        turns: Vec::new(),
    };
    best.improve(class, &base, weight, value, budget);
    if i128::from(best.value) < bound.into() {
        let exchanges = exchanges(class, &base, |i, j| {
            steps.whole(top - loss(i, j), &price) > best.value.into()
        });
        best.pair(&exchanges, weight, value, budget);
    }

    let mut order: Vec<(i128, u32)> = Vec::new();
    for (i, kept) in base.iter().enumerate() {
        let least = (0..class(i).len())
            .filter(|j| j != kept)
            .map(|j| loss(i, j))
            .min();
        if let Some(least) = least
            && steps.whole(top - least, &price) > best.value.into()
        {
            order.push((least, i as u32));
        }
    }
    order.sort_unstable();

    let mut trace: Vec<Turn> = Vec::new();
    let mut states = vec![State {
        weight,
        value,
        trace: ROOT,
    }];
    let mut merged: Vec<State> = Vec::new();
    let mut seen = 0_u64;
    let mut proven = true;
    for (at, (least, index)) in order.iter().enumerate() {
        let reach = |s: &State, next: i128, best: i64| {
            steps.whole(key(s.weight, s.value) - next, &price) > best.into()
        };
        if !states.iter().any(|s| reach(s, *least, best.value)) {
            break;
        }
        let i = *index as usize;
        seen += (states.len() * class(i).len()) as u64;
        if seen > max_states || trace.len() >= (ROOT / 2) as usize {
            proven = false;
            break;
        }
        let next = order.get(at + 1).map_or(i128::MAX >> 1, |(loss, _)| *loss);
        let kept = class(i)[base[i]];
        merged.clear();
        for (j, point) in class(i).iter().enumerate() {
            let turned = j != base[i];
            if turned && steps.whole(top - loss(i, j), &price) <= best.value.into() {
                continue;
            }
            let (dw, dv) = (point.weight - kept.weight, point.value - kept.value);
            for s in &states {
                let mut state = State {
                    weight: s.weight + dw,
                    value: s.value + dv,
                    trace: s.trace,
                };
                if turned && state.weight <= budget && state.value > best.value {
                    best.value = state.value;
                    best.turns = turns(&trace, s.trace);
                    best.turns.push((*index, point.variant));
                }
                if reach(&state, next, best.value) {
                    if turned {
                        trace.push(Turn {
                            class: *index,
                            variant: point.variant,
                            before: s.trace,
                        });
                        state.trace = trace.len() as u32 - 1;
                    }
                    merged.push(state);
                }
            }
        }
        merged.sort_unstable_by_key(|s| (s.weight, -s.value, s.trace));
        states.clear();
        let mut most = i64::MIN;
        for state in &merged {
            if state.value > most {
                most = state.value;
                states.push(*state);
            }
        }
    }
    for (class, variant) in &best.turns {
        chosen[*class as usize] = *variant as usize;
    }
    Outcome {
        chosen,
        bound,
        proven,
    }
}

/// The values that can occur: where value less weight changes in steps of d only, the bound falls to the next such value.
struct Steps {
    step: i128,
    /// What a choice that fills the budget could be worth.
    full: i128,
}

impl Steps {
    fn new(points: &[Point], starts: &[usize], price: &Price, budget: i64, surplus: i64) -> Self {
        let mut step = 0_u64;
        // With a price below 1 a choice that leaves budget over may be worth more than a full one.
        if price.value >= price.weight {
            for pair in starts.windows(2) {
                let class = &points[pair[0]..pair[1]];
                for point in &class[1..] {
                    let change = (point.value - point.weight) - (class[0].value - class[0].weight);
                    step = gcd(step, change.unsigned_abs());
                    if step == 1 {
                        break;
                    }
                }
            }
        }
        Self {
            step: step.max(1).into(),
            full: i128::from(budget) + i128::from(surplus),
        }
    }

    /// The largest value at most this bound, which is scaled by the price's weight.
    fn whole(&self, key: i128, price: &Price) -> i128 {
        let floor = key.div_euclid(price.weight);
        if self.step == 1 {
            return floor;
        }
        self.full + (floor - self.full).div_euclid(self.step) * self.step
    }
}

/// A class decided for another variant than its best: what that changes.
#[derive(Clone, Copy)]
struct Exchange {
    weight: i64,
    value: i64,
    class: u32,
    variant: u32,
}

fn exchanges<'a>(
    class: impl Fn(usize) -> &'a [Point],
    base: &[usize],
    worth: impl Fn(usize, usize) -> bool,
) -> Vec<Exchange> {
    let mut exchanges = Vec::new();
    for (i, kept) in base.iter().enumerate() {
        let now = class(i)[*kept];
        for (j, point) in class(i).iter().enumerate() {
            if j != *kept && worth(i, j) {
                exchanges.push(Exchange {
                    weight: point.weight - now.weight,
                    value: point.value - now.value,
                    class: i as u32,
                    variant: point.variant,
                });
            }
        }
    }
    exchanges.sort_unstable_by_key(|e| (e.weight, -e.value, e.class));
    exchanges
}

/// Each class without what something lighter or equal matches in value, by ascending weight.
fn undominated(classes: &[Vec<Item>]) -> (Vec<Point>, Vec<usize>) {
    let mut points: Vec<Point> = Vec::with_capacity(classes.iter().map(Vec::len).sum());
    let mut starts = Vec::with_capacity(classes.len() + 1);
    let mut sorted: Vec<Point> = Vec::new();
    for class in classes {
        starts.push(points.len());
        sorted.clear();
        sorted.extend((0_u32..).zip(class).map(|(variant, item)| Point {
            weight: item.weight as i64,
            value: item.value as i64,
            variant,
        }));
        sorted.sort_unstable_by_key(|p| (p.weight, -p.value, p.variant));
        let mut most = i64::MIN;
        for point in &sorted {
            if point.value > most {
                most = point.value;
                points.push(*point);
            }
        }
    }
    starts.push(points.len());
    (points, starts)
}

/// The slope at which the relaxation exhausts the budget; 0 where everything fits.
fn balance<'a>(classes: impl Iterator<Item = &'a [Point]>, budget: i64) -> Price {
    let mut left = budget;
    let mut steps: Vec<(f64, i64, i64)> = Vec::new();
    let mut hull: Vec<Point> = Vec::new();
    for class in classes {
        hull.clear();
        for point in class {
            while let [.., a, b] = hull[..] {
                let before = i128::from(b.value - a.value) * i128::from(point.weight - b.weight);
                let after = i128::from(point.value - b.value) * i128::from(b.weight - a.weight);
                if before > after {
                    break;
                }
                hull.pop();
            }
            hull.push(*point);
        }
        left -= hull[0].weight;
        steps.extend(hull.windows(2).map(|pair| {
            let (dv, dw) = (pair[1].value - pair[0].value, pair[1].weight - pair[0].weight);
            (dv as f64 / dw as f64, dv, dw)
        }));
    }
    steps.sort_unstable_by(|a, b| {
        // Quotients this far apart are in the order of the exact fractions; closer ones are compared exactly.
        if (a.0 - b.0).abs() > 1e-14 * a.0.max(b.0) {
            return b.0.total_cmp(&a.0);
        }
        (i128::from(b.1) * i128::from(a.2)).cmp(&(i128::from(a.1) * i128::from(b.2)))
    });
    for (_, dv, dw) in &steps {
        if *dw > left {
            return Price {
                value: i128::from(*dv),
                weight: i128::from(*dw),
            };
        }
        left -= dw;
    }
    Price { value: 0, weight: 1 }
}

/// The best choice so far, as differences from the base.
struct Best {
    value: i64,
    turns: Vec<(u32, u32)>,
}

impl Best {
    /// Fills the budget greedily with single exchanges, and tries each exchange alone.
    fn improve<'a>(
        &mut self,
        class: impl Fn(usize) -> &'a [Point],
        base: &[usize],
        weight: i64,
        value: i64,
        budget: i64,
    ) {
        let (mut filled, mut worth, mut turns) = (weight, value, Vec::new());
        for (i, kept) in base.iter().enumerate() {
            let now = class(i)[*kept];
            let exchange = |left: i64| {
                class(i)[kept + 1..]
                    .iter()
                    .take_while(|p| p.weight - now.weight <= left)
                    .last()
            };
            if let Some(point) = exchange(budget - weight)
                && value + point.value - now.value > self.value
            {
                *self = Self {
                    value: value + point.value - now.value,
                    turns: vec![(i as u32, point.variant)],
                };
            }
            if let Some(point) = exchange(budget - filled) {
                filled += point.weight - now.weight;
                worth += point.value - now.value;
                turns.push((i as u32, point.variant));
            }
        }
        if worth > self.value {
            *self = Self { value: worth, turns };
        }
    }
}

impl Best {
    /// The best two exchanges of different classes; they come by weight.
    fn pair(&mut self, exchanges: &[Exchange], weight: i64, value: i64, budget: i64) {
        let room = budget - weight;
        let mut light = exchanges.iter().peekable();
        // The most valuable exchange that is light enough, and that of another class.
        let mut most: [Option<&Exchange>; 2] = [None, None];
        for heavy in exchanges.iter().rev() {
            while let Some(next) = light.next_if(|e| e.weight + heavy.weight <= room) {
                if most[0].is_none_or(|first| next.value > first.value) {
                    if most[0].is_some_and(|first| first.class != next.class) {
                        most[1] = most[0];
                    }
                    most[0] = Some(next);
                } else if most[0].is_some_and(|first| first.class != next.class)
                    && most[1].is_none_or(|second| next.value > second.value)
                {
                    most[1] = Some(next);
                }
            }
            let other = most.into_iter().flatten().find(|e| e.class != heavy.class);
            if let Some(other) = other
                && value + heavy.value + other.value > self.value
            {
                self.value = value + heavy.value + other.value;
                self.turns = vec![(heavy.class, heavy.variant), (other.class, other.variant)];
            }
        }
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn turns(trace: &[Turn], mut at: u32) -> Vec<(u32, u32)> {
    let mut turns = Vec::new();
    while at != ROOT {
        let turn = &trace[at as usize];
        turns.push((turn.class, turn.variant));
        at = turn.before;
    }
    turns
}
