//! What is drawn as one box, so that a large workflow can be read.
//!
//! Folded are, in this order, each only while there is still too much:
//! 1. tasks side by side, with the same before and behind them, and tasks in a row, where three or more stand the same way and nobody has to look at them;
//! 2. the same of those that somebody has to look at;
//! 3. all that stand the same way in one layer;
//! 4. the same in two layers at once, again and again.

use super::layers::layers;
use super::{Edge, MOST_NODES, State};
use std::collections::{BTreeMap, BTreeSet};

/// How many boxes stand side by side at most, where folding can help that.
const WIDEST: usize = 8;
/// How many layers the arrows may pass through on their way, all taken together.
const MOST_PASSED: usize = 400;
/// How many are folded at least.
const FEWEST: usize = 3;

/// Boxes that stand for one task each, or for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The tasks of each box by their numbers, in the order of the first of each.
    pub groups: Vec<Vec<u32>>,
    /// The arrows between boxes.
    pub edges: Vec<Edge>,
}

/// Says which tasks are drawn as one.
pub fn fold(states: &[State], edges: &[Edge]) -> Folded {
    let mut folding = Folding::new(states, edges);
    for all in [false, true] {
        let mut boxes = usize::MAX;
        while !folding.is_readable() && folding.states.len() < boxes {
            boxes = folding.states.len();
            folding.fold_beside(all);
            if !folding.is_readable() {
                folding.fold_rows(all);
            }
        }
    }
    if !folding.is_readable() {
        folding.fold_layers(1);
        // All in one layer are as many boxes as there are states, and that can be read.
        while !folding.is_readable() && folding.layer_count() > 1 {
            folding.fold_layers(2);
        }
    }
    folding.folded(edges)
}

/// Boxes that become fewer.
struct Folding {
    /// The box of each task.
    of: Vec<usize>,
    /// How each box stands.
    states: Vec<State>,
    /// How many tasks each is.
    sizes: Vec<usize>,
    edges: BTreeSet<(usize, usize)>,
}

impl Folding {
    fn new(states: &[State], edges: &[Edge]) -> Self {
        let known = |edge: &&Edge| (edge.from as usize) < states.len() && (edge.to as usize) < states.len();
        let edges = edges.iter().filter(known).map(|edge| (edge.from as usize, edge.to as usize)).collect();
        Self { of: (0..states.len()).collect(), states: states.to_vec(), sizes: vec![1; states.len()], edges }
    }

    fn folded(&self, edges: &[Edge]) -> Folded {
        let mut groups: Vec<Vec<u32>> = vec![Vec::new(); self.states.len()];
        for (task, group) in (0..).zip(&self.of) {
            groups[*group].push(task);
        }
        let mut between: BTreeMap<(usize, usize), bool> = BTreeMap::new();
        for edge in edges {
            let (Some(from), Some(to)) = (self.of.get(edge.from as usize), self.of.get(edge.to as usize)) else {
                continue;
            };
            // What several tasks of one box have among themselves is left out.
            if self.edges.contains(&(*from, *to)) && (from != to || groups[*from].len() == 1) {
                *between.entry((*from, *to)).or_default() |= edge.taken;
            }
        }
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let edge = |((from, to), taken): ((usize, usize), bool)| Edge { from: number(from), to: number(to), taken };
        Folded { groups, edges: between.into_iter().map(edge).collect() }
    }

    fn listed(&self) -> Vec<(usize, usize)> {
        self.edges.iter().copied().collect()
    }

    fn layer_count(&self) -> usize {
        layers(self.states.len(), &self.listed()).count()
    }

    fn is_readable(&self) -> bool {
        if self.states.len() > MOST_NODES {
            return false;
        }
        let edges = self.listed();
        let layers = layers(self.states.len(), &edges);
        let mut widths = vec![0; layers.count()];
        for layer in &layers.of {
            widths[*layer] += 1;
        }
        let passed = edges.iter().map(|(from, to)| layers.of[*from].abs_diff(layers.of[*to]).saturating_sub(1));
        widths.into_iter().all(|width| width <= WIDEST) && passed.sum::<usize>() <= MOST_PASSED
    }

    /// Folds what stands alike side by side, with the same before and behind it.
    fn fold_beside(&mut self, all: bool) {
        let (mut above, mut below) = self.neighbours();
        let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (node, state) in self.states.iter().enumerate().filter(|(_, state)| all || !state.matters()) {
            let key = (*state, std::mem::take(&mut above[node]), std::mem::take(&mut below[node]));
            alike.entry(key).or_default().push(node);
        }
        self.merge(alike.into_values());
    }

    /// Folds what stands alike one after another, where nothing else leads in or out.
    fn fold_rows(&mut self, all: bool) {
        let (above, below) = self.neighbours();
        let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut head: Vec<usize> = (0..self.states.len()).collect();
        let layers = layers(self.states.len(), &self.listed());
        let mut order: Vec<usize> = (0..self.states.len()).collect();
        order.sort_by_key(|node| layers.of[*node]);
        for node in order.into_iter().filter(|node| all || !self.states[*node].matters()) {
            if let [only] = above[node].as_slice()
                && below[*only].len() == 1
                && layers.of[*only] < layers.of[node]
                && self.states[*only] == self.states[node]
            {
                head[node] = head[*only];
            }
            rows.entry(head[node]).or_default().push(node);
        }
        self.merge(rows.into_values());
    }

    /// Folds all that stand alike in so many layers, one below another.
    fn fold_layers(&mut self, together: usize) {
        let layers = layers(self.states.len(), &self.listed());
        let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (node, state) in self.states.iter().enumerate() {
            alike.entry((layers.of[node] / together, *state)).or_default().push(node);
        }
        let bundles: Vec<usize> = layers.of.iter().map(|layer| layer / together).collect();
        // What leads from one to another within a bundle of layers says nothing any more of what comes first.
        self.edges.retain(|(from, to)| bundles[*from] != bundles[*to]);
        self.merge_all(alike.into_values().collect());
    }

    /// The boxes that lead to each, and those that each leads to.
    fn neighbours(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let mut above = vec![Vec::new(); self.states.len()];
        let mut below = vec![Vec::new(); self.states.len()];
        for (from, to) in &self.edges {
            above[*to].push(*from);
            below[*from].push(*to);
        }
        (above, below)
    }

    /// Makes one of those that are many enough.
    fn merge(&mut self, candidates: impl Iterator<Item = Vec<usize>>) {
        let enough = candidates
            .filter(|nodes| nodes.len() > 1 && nodes.iter().map(|node| self.sizes[*node]).sum::<usize>() >= FEWEST);
        let enough: Vec<Vec<usize>> = enough.collect();
        self.merge_all(enough);
    }

    fn merge_all(&mut self, groups: Vec<Vec<usize>>) {
        let mut first: Vec<usize> = (0..self.states.len()).collect();
        for group in groups {
            let head = group.iter().copied().min().unwrap_or_default();
            for node in group {
                first[node] = head;
            }
        }
        // New numbers, in the old order.
        let mut number = vec![0; self.states.len()];
        let (mut states, mut sizes) = (Vec::new(), Vec::new());
        for node in 0..self.states.len() {
            if first[node] == node {
                number[node] = states.len();
                states.push(self.states[node]);
                sizes.push(self.sizes[node]);
            } else {
                number[node] = number[first[node]];
                sizes[number[node]] += self.sizes[node];
            }
        }
        for box_of in &mut self.of {
            *box_of = number[*box_of];
        }
        let moved = self.edges.iter().map(|(from, to)| (from, to, number[*from], number[*to]));
        // A circle of one box is kept only where it was one before.
        let kept = moved.filter(|(from, to, new_from, new_to)| new_from != new_to || from == to);
        self.edges = kept.map(|(_, _, from, to)| (from, to)).collect();
        (self.states, self.sizes) = (states, sizes);
    }
}
