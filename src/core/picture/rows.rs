//! Who stands beside whom: few crossings, by moving everything to the middle of what it is tied to, row by row, down and up.

use super::layers::Layers;

/// How often the rows are gone through.
const ROUNDS: usize = 24;

/// A place in a row: a box, or where an arrow passes through.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spot {
    /// The box; none where an arrow passes.
    pub(super) node: Option<usize>,
    /// The spots that it is tied to in the row above.
    pub(super) above: Vec<usize>,
    /// And in the row below.
    pub(super) below: Vec<usize>,
}

/// An arrow, from the row where it begins to the one where it ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// The edge's place.
    pub(super) edge: usize,
    /// Its spots from above, the boxes at both ends among them.
    pub(super) spots: Vec<usize>,
    /// It leads upwards.
    pub(super) back: bool,
}

/// All rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rows {
    /// All places; those of the boxes come first and have their numbers.
    pub(super) spots: Vec<Spot>,
    /// The spots of each row, from the left.
    pub(super) rows: Vec<Vec<usize>>,
    /// The arrows.
    pub(super) lines: Vec<Line>,
}

/// Puts the boxes of each layer in an order.
pub(super) fn rows(count: usize, edges: &[(usize, usize)], layers: &Layers) -> Rows {
    let spot = |node| Spot { node, above: Vec::new(), below: Vec::new() };
    let mut spots: Vec<Spot> = (0..count).map(|node| spot(Some(node))).collect();
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); layers.count()];
    for node in 0..count {
        rows[layers.of[node]].push(node);
    }
    let mut lines = Vec::new();
    for (edge, (from, to)) in edges.iter().enumerate().filter(|(_, (from, to))| from != to) {
        let back = layers.back[edge];
        let (top, bottom) = if back { (*to, *from) } else { (*from, *to) };
        let mut through = vec![top];
        for row in &mut rows[layers.of[top] + 1..layers.of[bottom]] {
            row.push(spots.len());
            through.push(spots.len());
            spots.push(spot(None));
        }
        through.push(bottom);
        for pair in through.windows(2) {
            spots[pair[0]].below.push(pair[1]);
            spots[pair[1]].above.push(pair[0]);
        }
        lines.push(Line { edge, spots: through, back });
    }
    let mut place = vec![0; spots.len()];
    note(&rows, &mut place);
    let mut best = (crossings(&rows, &spots, &place), rows.clone());
    for round in 0..ROUNDS {
        let down = round % 2 == 0;
        for at in 0..rows.len() {
            let row = if down {
                &mut rows[at]
            } else {
                let last = rows.len() - 1;
                &mut rows[last - at]
            };
            let middle = |spot: usize| {
                let tied = if down { &spots[spot].above } else { &spots[spot].below };
                if tied.is_empty() {
                    return place[spot] as f64;
                }
                tied.iter().map(|other| place[*other] as f64).sum::<f64>() / tied.len() as f64
            };
            let mut ordered: Vec<(f64, usize)> = row.iter().map(|spot| (middle(*spot), *spot)).collect();
            ordered.sort_by(|one, other| one.0.total_cmp(&other.0));
            *row = ordered.into_iter().map(|(_, spot)| spot).collect();
            for (at, spot) in row.iter().enumerate() {
                place[*spot] = at;
            }
        }
        let now = crossings(&rows, &spots, &place);
        if now < best.0 {
            best = (now, rows.clone());
        }
    }
    Rows { spots, rows: best.1, lines }
}

fn note(rows: &[Vec<usize>], place: &mut [usize]) {
    for row in rows {
        for (at, spot) in row.iter().enumerate() {
            place[*spot] = at;
        }
    }
}

/// How many pairs of arrows cross.
fn crossings(rows: &[Vec<usize>], spots: &[Spot], place: &[usize]) -> usize {
    let mut count = 0;
    for row in rows {
        let tied = row.iter().flat_map(|spot| spots[*spot].below.iter().map(|below| (place[*spot], place[*below])));
        let ties: Vec<(usize, usize)> = tied.collect();
        for (at, one) in ties.iter().enumerate() {
            count += ties[at + 1..].iter().filter(|other| one.0 < other.0 && one.1 > other.1).count();
        }
    }
    count
}
