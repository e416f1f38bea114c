//! Which box stands above which.

/// How many of so many boxes lie how deep, and which edges lead back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layers {
    /// The layer of each box, from 0.
    pub(super) of: Vec<usize>,
    /// Whether an edge leads back to where it came from, by the edge's place.
    pub(super) back: Vec<bool>,
}

impl Layers {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.of.iter().max().map_or(0, |deepest| deepest + 1)
    }
}

/// Puts every box below all that lead to it. Edges that close a circle, those that are met last on the way from the beginnings, lead back and
/// count the other way round; one from a box to itself counts for nothing.
pub(super) fn layers(count: usize, edges: &[(usize, usize)]) -> Layers {
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut entered = vec![false; count];
    for (at, (from, to)) in edges.iter().enumerate() {
        if from != to {
            leaving[*from].push(at);
            entered[*to] = true;
        }
    }
    let mut back = vec![false; edges.len()];
    let mut left: Vec<usize> = Vec::with_capacity(count);
    let mut seen = vec![Seen::Never; count];
    let beginnings = (0..count).filter(|node| !entered[*node]);
    for begin in beginnings.chain(0..count) {
        if seen[begin] != Seen::Never {
            continue;
        }
        seen[begin] = Seen::Entered;
        // The way that is being gone, with the next edge of each box on it: no recursion, for a chain can be as long as a file.
        let mut way = vec![(begin, 0)];
        while let Some((node, next)) = way.last_mut() {
            let Some(edge) = leaving[*node].get(*next).copied() else {
                seen[*node] = Seen::Left;
                left.push(*node);
                way.pop();
                continue;
            };
            *next += 1;
            let to = edges[edge].1;
            match seen[to] {
                Seen::Never => {
                    seen[to] = Seen::Entered;
                    way.push((to, 0));
                }
                Seen::Entered => back[edge] = true,
                Seen::Left => {}
            }
        }
    }
    let mut follows: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (at, (from, to)) in edges.iter().enumerate().filter(|(_, (from, to))| from != to) {
        let (from, to) = if back[at] { (*to, *from) } else { (*from, *to) };
        follows[from].push(to);
    }
    let mut of = vec![0; count];
    // What was left last comes first.
    for node in left.into_iter().rev() {
        for to in &follows[node] {
            of[*to] = of[*to].max(of[node] + 1);
        }
    }
    Layers { of, back }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Never,
    Entered,
    Left,
}
