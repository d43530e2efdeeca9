//! Products of arrays whose axes are numbered, contracted in pairs.

use std::collections::HashMap;

use super::diagonals::diagonal_of;
use crate::op::Var;

/// An array with a number for each of its axes: axes of one number run together.
pub(super) struct Labeled {
    x: Var,
    labels: Vec<usize>,
}

impl Labeled {
    pub fn new(x: Var, labels: Vec<usize>) -> Labeled {
        Labeled { x, labels }
    }

    fn set(&self) -> u128 {
        set(&self.labels)
    }

    /// Without the axes whose number has a greater extent elsewhere: what has one element there is the same for all.
    fn without_broadcast_axes(mut self, extents: &[usize]) -> Labeled {
        let shape = self.x.shape();
        let kept = |axis: &usize| shape[*axis] != 1 || extents[self.labels[*axis]] == 1;
        let axes: Vec<usize> = (0..self.labels.len()).filter(kept).collect();
        if axes.len() < self.labels.len() {
            self.x = self.x.reshape(&axes.iter().map(|&axis| shape[axis]).collect::<Vec<usize>>());
            self.labels = axes.iter().map(|&axis| self.labels[axis]).collect();
        }
        self
    }

    /// With diagonals in place of axes of one number. The diagonal is the last axis.
    fn with_diagonals(mut self) -> Labeled {
        while let Some((a, b)) = repeated(&self.labels) {
            self.x = diagonal_of(self.x, 0, a, b);
            let label = self.labels[a];
            self.labels = (0..self.labels.len()).filter(|&k| k != a && k != b).map(|k| self.labels[k]).collect();
            self.labels.push(label);
        }
        self
    }

    /// Summed over the axes whose number is not in the set.
    fn summed(mut self, kept: u128) -> Labeled {
        let (stay, go): (Vec<usize>, Vec<usize>) =
            (0..self.labels.len()).partition(|&axis| kept & bit(self.labels[axis]) != 0);
        if !go.is_empty() {
            self.x = self.x.sum_axes(&go);
            self.labels = stay.into_iter().map(|axis| self.labels[axis]).collect();
        }
        self
    }

    /// With its axes in that order, of which it has all and no others.
    fn in_order(&self, labels: &[usize]) -> Var {
        let perm: Vec<usize> = labels.iter().map(|&label| self.axis(label)).collect();
        if perm.iter().enumerate().all(|(k, &axis)| k == axis) { self.x } else { self.x.transpose(&perm) }
    }

    /// With its axes in that order, and axes of extent 1 for those that it has not.
    fn spread(&self, labels: &[usize]) -> Var {
        let own: Vec<usize> = labels.iter().copied().filter(|label| self.labels.contains(label)).collect();
        let x = self.in_order(&own);
        if own.len() == labels.len() {
            return x;
        }
        let shape = x.shape();
        let extent = |label: &usize| own.iter().position(|other| other == label).map_or(1, |position| shape[position]);
        x.reshape(&labels.iter().map(extent).collect::<Vec<usize>>())
    }

    fn axis(&self, label: usize) -> usize {
        self.labels.iter().position(|&other| other == label).expect("bug: an axis that the array does not have")
    }

    fn axes(&self, labels: &[usize]) -> Vec<usize> {
        labels.iter().map(|&label| self.axis(label)).collect()
    }
}

/// The first two places of one number.
fn repeated(labels: &[usize]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|b| labels[..b].iter().position(|&label| label == labels[b]).map(|a| (a, b)))
}

fn bit(label: usize) -> u128 {
    1 << label
}

fn set(labels: &[usize]) -> u128 {
    labels.iter().fold(0, |set, &label| set | bit(label))
}

/// The product of arrays, summed over all numbers but those of the output.
pub(super) struct Contraction<'a> {
    /// The extent of each number.
    pub extents: &'a [usize],
    /// The output's axes.
    pub output: &'a [usize],
}

/// Up to how many operands the best order is searched for: 3⁸ ways to split subsets are 6561.
const MAX_SEARCHED: usize = 8;

impl Contraction<'_> {
    pub fn run(&self, operands: Vec<Labeled>) -> Var {
        let mut operands: Vec<Labeled> =
            operands.into_iter().map(|x| x.with_diagonals().without_broadcast_axes(self.extents)).collect();
        for slot in 0..operands.len() {
            let kept = self.needed(&operands, &[slot]);
            let x = std::mem::replace(&mut operands[slot], Labeled::new(Var::poisoned(), Vec::new()));
            operands[slot] = x.summed(kept);
        }
        for (a, b) in self.order(&operands) {
            let kept = self.needed(&operands, &[a, b]);
            let y = operands.remove(b);
            let x = std::mem::replace(&mut operands[a], Labeled::new(Var::poisoned(), Vec::new()));
            operands[a] = self.product(&x, &y, kept);
        }
        let result = operands.remove(0);
        // Numbers that have extent 1 everywhere may have been dropped nowhere, so the result has all of the output's.
        result.in_order(self.output)
    }

    /// The numbers that the output or operands other than these have.
    fn needed(&self, operands: &[Labeled], but: &[usize]) -> u128 {
        let others = operands.iter().enumerate().filter(|(slot, _)| !but.contains(slot));
        others.fold(set(self.output), |set, (_, x)| set | x.set())
    }

    /// The product of two arrays, summed over what is not kept, which both have.
    fn product(&self, x: &Labeled, y: &Labeled, kept: u128) -> Labeled {
        let (in_x, in_y) = (x.set(), y.set());
        let pick = |labels: &[usize], wanted: &dyn Fn(u128) -> bool| -> Vec<usize> {
            labels.iter().copied().filter(|&label| wanted(bit(label))).collect()
        };
        let contracted = pick(&x.labels, &|label| in_y & label != 0 && kept & label == 0);
        let batch = pick(&x.labels, &|label| in_y & label != 0 && kept & label != 0);
        let own_x = pick(&x.labels, &|label| in_y & label == 0);
        let own_y = pick(&y.labels, &|label| in_x & label == 0);
        let labels = [batch.clone(), own_x.clone(), own_y.clone()].concat();
        if contracted.is_empty() {
            return Labeled::new(x.spread(&labels) * y.spread(&labels), labels);
        }
        // Dot products side by side are no products of matrices: one loop multiplies and sums.
        if own_x.is_empty() && own_y.is_empty() && !batch.is_empty() {
            let order = [batch.clone(), contracted].concat();
            let axes: Vec<usize> = (batch.len()..order.len()).collect();
            return Labeled::new((x.in_order(&order) * y.in_order(&order)).sum_axes(&axes), batch);
        }
        let contract = [&x.axes(&contracted)[..], &y.axes(&contracted)[..]];
        let side_by_side = [&x.axes(&batch)[..], &y.axes(&batch)[..]];
        Labeled::new(x.x.dot_general(y.x, contract, side_by_side), labels)
    }

    /// Which two operands are multiplied in each step: the first takes the place of the result, the second leaves.
    fn order(&self, operands: &[Labeled]) -> Vec<(usize, usize)> {
        let sets: Vec<u128> = operands.iter().map(Labeled::set).collect();
        match sets.len() {
            0 | 1 => Vec::new(),
            2 => vec![(0, 1)],
            n if n <= MAX_SEARCHED => self.best_order(&sets),
            _ => self.greedy_order(sets),
        }
    }

    /// The product of the extents of a set of numbers.
    fn size(&self, set: u128) -> f64 {
        let members = (0..self.extents.len()).filter(|&label| set & bit(label) != 0);
        members.map(|label| self.extents[label] as f64).product()
    }

    /// The order of the fewest multiplications: for each subset of the operands, the best way to split it in two.
    fn best_order(&self, sets: &[u128]) -> Vec<(usize, usize)> {
        let n = sets.len();
        let all = (1usize << n) - 1;
        let union = |subset: usize| (0..n).filter(|k| subset >> k & 1 == 1).fold(0, |set, k| set | sets[k]);
        // What the product of a subset has: what the output or an operand outside of it needs.
        let result = |subset: usize| union(subset) & (set(self.output) | union(all & !subset));
        let results: Vec<u128> = (0..=all).map(result).collect();
        let mut best: Vec<(f64, usize)> = vec![(0.0, 0); all + 1];
        for subset in (1..=all).filter(|subset| subset.count_ones() > 1) {
            let mut found = (f64::INFINITY, 0);
            let mut part = (subset - 1) & subset;
            while part > 0 {
                let other = subset & !part;
                // Each split is met twice.
                if part < other {
                    let cost = best[part].0 + best[other].0 + self.size(results[part] | results[other]);
                    if found.1 == 0 || cost < found.0 {
                        found = (cost, part);
                    }
                }
                part = (part - 1) & subset;
            }
            best[subset] = found;
        }
        let mut steps = Vec::new();
        splits(&best, all, &mut steps);
        in_places(&steps, n)
    }

    /// The pair whose product is smallest, compared to its factors, first. There are as many steps as operands, each of
    /// which looks at all pairs.
    fn greedy_order(&self, mut sets: Vec<u128>) -> Vec<(usize, usize)> {
        let mut order = Vec::new();
        while sets.len() > 1 {
            let mut found: Option<([f64; 2], usize, usize, u128)> = None;
            for b in 1..sets.len() {
                for a in 0..b {
                    let others = (0..sets.len()).filter(|&k| k != a && k != b);
                    let needed = others.fold(set(self.output), |needed, k| needed | sets[k]);
                    let result = (sets[a] | sets[b]) & needed;
                    let growth = self.size(result) - self.size(sets[a]) - self.size(sets[b]);
                    // Of products that shrink the operands by as much, that of fewer multiplications.
                    let cost = [growth, self.size(sets[a] | sets[b])];
                    if found.is_none_or(|(least, ..)| cost < least) {
                        found = Some((cost, a, b, result));
                    }
                }
            }
            let Some((_, a, b, result)) = found else { break };
            sets[a] = result;
            sets.remove(b);
            order.push((a, b));
        }
        order
    }
}

/// The splits of a subset, those of its parts first, as pairs of parts.
fn splits(best: &[(f64, usize)], subset: usize, steps: &mut Vec<(usize, usize)>) {
    let part = best[subset].1;
    if part == 0 {
        return;
    }
    splits(best, part, steps);
    splits(best, subset & !part, steps);
    steps.push((part, subset & !part));
}

/// The places of subsets in a list from which the second of each pair is removed.
fn in_places(steps: &[(usize, usize)], n: usize) -> Vec<(usize, usize)> {
    let mut list: Vec<usize> = (0..n).map(|k| 1 << k).collect();
    let mut places: HashMap<usize, usize> = HashMap::new();
    let mut order = Vec::new();
    for &(x, y) in steps {
        places.clear();
        places.extend(list.iter().enumerate().map(|(place, &subset)| (subset, place)));
        let (a, b) = (places[&x].min(places[&y]), places[&x].max(places[&y]));
        list[a] = x | y;
        list.remove(b);
        order.push((a, b));
    }
    order
}
