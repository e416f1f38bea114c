//! Where everything stands: boxes in rows, rows in columns, and the ways of the arrows.
//!
//! Every box wants to stand in the middle of what it is tied to; where they are in each other's way, they stand as near to that as all of them
//! together can. What is much higher than wide is cut into columns, to be read like a page: down, then on to the next.

use super::layers::layers;
use super::rows::{Rows, rows};
use super::{Node, Picture};
use std::fmt::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The sizes of letters, and how wide one of them is for each unit of that: all are equally wide.
pub(super) const NAME_SIZE: f64 = 13.0;
pub(super) const NOTE_SIZE: f64 = 11.0;
const ADVANCE: f64 = 0.602_05;
/// How many letters of a name and of a note are shown.
const NAME_CELLS: usize = 28;
const NOTE_CELLS: usize = 36;
/// Room within a box, beside and for its sign.
pub(super) const PADDING: f64 = 12.0;
pub(super) const SIGN: f64 = 24.0;
const NARROWEST: f64 = 96.0;
const LOW: f64 = 32.0;
const HIGH: f64 = 50.0;
/// How far a box that stands for several shows what is behind it.
pub(super) const BEHIND: f64 = 6.0;
/// How far the arrow from a box to itself reaches out.
const LOOP: f64 = 18.0;
/// Room between boxes, rows and columns.
const BESIDE: f64 = 18.0;
const BELOW: f64 = 38.0;
const GUTTER: f64 = 26.0;
/// Room between arrows that lie side by side.
const LANE: f64 = 7.0;
/// How long an arrow's head is.
const HEAD: f64 = 7.0;
/// How wide the drawing of a long workflow is for its height.
const SHAPE: f64 = 1.2;
/// How many arrows may go on in the next column.
const MOST_TURNS: usize = 3;
/// How often all is moved towards the middle.
const ROUNDS: usize = 12;

/// The place of a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// Its left edge.
    pub(super) x: f64,
    /// Its upper edge.
    pub(super) y: f64,
    /// How wide it is.
    pub(super) width: f64,
    /// How high.
    pub(super) height: f64,
}

/// An arrow.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    /// The edge's place.
    pub(super) edge: usize,
    /// Its way, as SVG writes ways.
    pub(super) path: String,
    /// The point of its head.
    pub(super) head: (f64, f64),
    /// Where the head points to.
    pub(super) to: Heading,
    /// It leads back.
    pub(super) back: bool,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heading {
    Down,
    Up,
    Left,
}

/// Everything.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Places {
    pub(super) boxes: Vec<Frame>,
    pub(super) ways: Vec<Way>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// How wide a text is.
pub(super) fn width_of(text: &str, size: f64) -> f64 {
    text.width() as f64 * ADVANCE * size
}

/// As much of a text as so many letters hold.
pub(super) fn cut(text: &str, cells: usize) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let (mut kept, mut room) = (String::new(), cells.saturating_sub(1));
    for character in text.chars() {
        let width = character.width().unwrap_or(0);
        if width > room {
            break;
        }
        room -= width;
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// How many letters of this size there is room for.
pub(super) fn cells_in(width: f64, size: f64) -> usize {
    // Both are small and not negative.
    (width / (ADVANCE * size)).max(0.0) as usize
}

/// What is shown of a name and of a note.
pub(super) fn shown(node: &Node) -> (String, String) {
    (cut(&node.name, NAME_CELLS), cut(&node.note, NOTE_CELLS))
}

fn size_of(node: &Node) -> (f64, f64) {
    let (name, note) = shown(node);
    let wide = (width_of(&name, NAME_SIZE) + SIGN).max(width_of(&note, NOTE_SIZE));
    ((wide + 2.0 * PADDING).max(NARROWEST), if note.is_empty() { LOW } else { HIGH })
}

/// Places everything within a drawing that begins at 0, 0.
pub(super) fn places(picture: &Picture) -> Places {
    let count = picture.nodes.len();
    if count == 0 {
        return Places { boxes: Vec::new(), ways: Vec::new(), width: 0.0, height: 0.0 };
    }
    let sound = |edge: &&super::Edge| (edge.from as usize) < count && (edge.to as usize) < count;
    let edges: Vec<(usize, usize)> =
        picture.edges.iter().filter(sound).map(|edge| (edge.from as usize, edge.to as usize)).collect();
    let rows = rows(count, &edges, &layers(count, &edges));
    let sizes: Vec<(f64, f64)> = picture.nodes.iter().map(size_of).collect();
    let loops: Vec<bool> = (0..count).map(|node| edges.contains(&(node, node))).collect();
    let widths: Vec<f64> = (rows.spots.iter())
        .map(|spot| match spot.node {
            Some(node) => sizes[node].0 + BEHIND + if loops[node] { 2.0 * LOOP } else { 0.0 },
            None => LANE,
        })
        .collect();
    let xs = across(&rows, &widths);
    let columns = Columns::new(&rows, &sizes, &widths, &xs);
    columns.draw(&rows, &sizes, &edges, &loops)
}

/// The middle of every spot, row by row.
fn across(rows: &Rows, widths: &[f64]) -> Vec<f64> {
    let mut xs = vec![0.0; rows.spots.len()];
    for row in &rows.rows {
        let mut x = 0.0;
        for spot in row {
            xs[*spot] = x + widths[*spot] / 2.0;
            x += widths[*spot] + BESIDE;
        }
        // All rows have one middle to begin with.
        for spot in row {
            xs[*spot] -= x / 2.0;
        }
    }
    for round in 0..=ROUNDS {
        for at in 0..rows.rows.len() {
            let row = if round % 2 == 0 { &rows.rows[at] } else { &rows.rows[rows.rows.len() - 1 - at] };
            let wanted: Vec<f64> = row
                .iter()
                .map(|spot| {
                    let spot_of = &rows.spots[*spot];
                    let (above, below) = (&spot_of.above, &spot_of.below);
                    let tied = above.iter().filter(|_| round % 2 == 0 || round == ROUNDS);
                    let tied: Vec<usize> =
                        tied.chain(below.iter().filter(|_| round % 2 == 1 || round == ROUNDS)).copied().collect();
                    if tied.is_empty() {
                        return xs[*spot];
                    }
                    tied.iter().map(|other| xs[*other]).sum::<f64>() / tied.len() as f64
                })
                .collect();
            let least: Vec<f64> = (0..row.len())
                .map(|at| match at.checked_sub(1) {
                    Some(before) => (widths[row[before]] + widths[row[at]]) / 2.0 + BESIDE,
                    None => 0.0,
                })
                .collect();
            // An arrow that passes is to be straight.
            let weights: Vec<f64> =
                row.iter().map(|spot| if rows.spots[*spot].node.is_some() { 1.0 } else { 3.0 }).collect();
            for (spot, x) in row.iter().zip(settle(&wanted, &least, &weights)) {
                xs[*spot] = x;
            }
        }
    }
    xs
}

/// The places nearest to those that are wanted (by least squares) where each is so far behind the one before.
fn settle(wanted: &[f64], least: &[f64], weights: &[f64]) -> Vec<f64> {
    // Without the distances it is a row that must not fall; blocks that would are put together.
    let mut offset = 0.0;
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for ((wanted, least), weight) in wanted.iter().zip(least).zip(weights) {
        offset += least;
        blocks.push(((wanted - offset) * weight, *weight, 1));
        while let [.., before, last] = blocks.as_slice()
            && before.0 / before.1 > last.0 / last.1
        {
            let together = (before.0 + last.0, before.1 + last.1, before.2 + last.2);
            blocks.truncate(blocks.len() - 2);
            blocks.push(together);
        }
    }
    let mut offset = 0.0;
    let even = blocks.into_iter().flat_map(|(sum, weight, count)| std::iter::repeat_n(sum / weight, count));
    let placed = even.zip(least).map(|(place, least)| {
        offset += least;
        place + offset
    });
    placed.collect()
}

/// The rows, cut into columns.
struct Columns {
    /// The column of each row.
    of: Vec<usize>,
    /// The middle of each spot, in its column.
    xs: Vec<f64>,
    /// The upper edge of each row.
    tops: Vec<f64>,
    heights: Vec<f64>,
    /// The right edge of each column, without the gutter.
    rights: Vec<f64>,
    /// The lower edge of each column.
    bottoms: Vec<f64>,
    /// Where all begin.
    top: f64,
    height: f64,
}

impl Columns {
    fn new(rows: &Rows, sizes: &[(f64, f64)], widths: &[f64], xs: &[f64]) -> Self {
        let heights: Vec<f64> = (rows.rows.iter())
            .map(|row| {
                let boxes = row.iter().filter_map(|spot| rows.spots[*spot].node);
                boxes.map(|node| sizes[node].1).fold(LOW, f64::max)
            })
            .collect();
        let bounds = |range: std::ops::Range<usize>| {
            let spots = rows.rows[range].iter().flatten();
            let sides = spots.map(|spot| (xs[*spot] - widths[*spot] / 2.0, xs[*spot] + widths[*spot] / 2.0));
            sides.fold((f64::MAX, f64::MIN), |all, one| (all.0.min(one.0), all.1.max(one.1)))
        };
        let all = bounds(0..rows.rows.len());
        let wide = (all.1 - all.0).max(NARROWEST);
        let high: f64 = heights.iter().map(|height| height + BELOW).sum();
        let shape = |columns: usize| {
            let columns = columns as f64;
            (columns * (wide + GUTTER) * columns / high / SHAPE).ln().abs()
        };
        let most = (rows.rows.len() / 3).clamp(1, 8);
        let count = (1..=most).min_by(|one, other| shape(*one).total_cmp(&shape(*other))).unwrap_or(1);
        let mut cuts = cuts(rows, &heights, count);
        // A column that begins with many arrows from the one before is hard to follow.
        cuts.retain(|cut| ties_below(rows, cut - 1) <= MOST_TURNS);
        let mut of = Vec::with_capacity(rows.rows.len());
        let (mut placed, mut tops) = (vec![0.0; xs.len()], Vec::new());
        let (mut rights, mut bottoms) = (Vec::new(), Vec::new());
        let passing: Vec<usize> = cuts.iter().map(|cut| ties_below(rows, cut - 1)).collect();
        let lanes = passing.iter().copied().max().unwrap_or_default() as f64 * LANE;
        let top = if cuts.is_empty() { 0.0 } else { lanes + LANE * 2.0 };
        let (mut left, mut first) = (0.0, 0);
        for (column, last) in cuts.iter().copied().chain([rows.rows.len()]).enumerate() {
            let (least, most) = bounds(first..last);
            let mut y = top;
            for (row, height) in rows.rows[first..last].iter().zip(&heights[first..last]) {
                of.push(column);
                tops.push(y);
                y += height + BELOW;
                for spot in row {
                    placed[*spot] = xs[*spot] - least + left;
                }
            }
            rights.push(left + most - least);
            bottoms.push(y - BELOW);
            left += most - least + GUTTER + passing.get(column).map_or(0.0, |count| *count as f64 * LANE);
            first = last;
        }
        let lowest = bottoms.iter().copied().fold(0.0, f64::max);
        let height = lowest + BEHIND + if cuts.is_empty() { 0.0 } else { lanes + LANE * 2.0 };
        Self { of, xs: placed, tops, heights, rights, bottoms, top, height }
    }

    fn draw(&self, rows: &Rows, sizes: &[(f64, f64)], edges: &[(usize, usize)], loops: &[bool]) -> Places {
        let row_of = {
            let mut row_of = vec![0; rows.spots.len()];
            for (at, row) in rows.rows.iter().enumerate() {
                row.iter().for_each(|spot| row_of[*spot] = at);
            }
            row_of
        };
        let boxes: Vec<Frame> = (sizes.iter().enumerate())
            .map(|(node, (width, height))| {
                let room = self.heights[row_of[node]] - height;
                let (x, y) = (self.xs[node] - width / 2.0, self.tops[row_of[node]] + room / 2.0);
                Frame { x, y, width: *width, height: *height }
            })
            .collect();
        // Where arrows leave and arrive: side by side, in the order of where they come from.
        let column = |spot: usize| self.of[row_of[spot]];
        let port = |node: usize, spots: &dyn Fn(usize) -> Option<usize>| -> Vec<(usize, f64)> {
            let mut all: Vec<(f64, usize)> = (0..rows.lines.len())
                .filter_map(|line| {
                    let next = spots(line)?;
                    let x = match column(next).cmp(&column(node)) {
                        std::cmp::Ordering::Less => f64::MIN,
                        std::cmp::Ordering::Equal => self.xs[next],
                        std::cmp::Ordering::Greater => f64::MAX,
                    };
                    Some((x, line))
                })
                .collect();
            all.sort_by(|one, other| one.0.total_cmp(&other.0));
            let apart = ((boxes[node].width - 2.0 * PADDING) / all.len() as f64).min(14.0);
            let first = self.xs[node] - apart * (all.len() as f64 - 1.0) / 2.0;
            (0..).zip(all).map(|(at, (_, line))| (line, first + apart * f64::from(at))).collect()
        };
        let (mut begins, mut ends) = (vec![0.0; rows.lines.len()], vec![0.0; rows.lines.len()]);
        for node in 0..boxes.len() {
            let leaving = |line: usize| {
                rows.lines[line].spots.first().filter(|spot| **spot == node).map(|_| rows.lines[line].spots[1])
            };
            let arriving = |line: usize| {
                let spots = &rows.lines[line].spots;
                spots.last().filter(|spot| **spot == node).map(|_| spots[spots.len() - 2])
            };
            port(node, &leaving).into_iter().for_each(|(line, x)| begins[line] = x);
            port(node, &arriving).into_iter().for_each(|(line, x)| ends[line] = x);
        }
        // Which of the arrows that go on in the next column lies how far outside.
        let mut lanes: Vec<(usize, usize, f64)> = Vec::new();
        for (at, line) in rows.lines.iter().enumerate() {
            for pair in line.spots.windows(2).filter(|pair| column(pair[0]) != column(pair[1])) {
                let x = if pair[0] == line.spots[0] { begins[at] } else { self.xs[pair[0]] };
                lanes.push((column(pair[0]), at, x));
            }
        }
        lanes.sort_by(|one, other| one.0.cmp(&other.0).then(other.2.total_cmp(&one.2)));
        let lane = |of: usize, line: usize| {
            let (at, all) = lanes
                .iter()
                .filter(|known| known.0 == of)
                .enumerate()
                .fold((0, 0), |(found, all), (at, known)| (if known.1 == line { at } else { found }, all + 1));
            (at as f64 * LANE, f64::from(all) * LANE)
        };
        let mut ways = Vec::new();
        for (at, line) in rows.lines.iter().enumerate() {
            let (first, last) = (line.spots[0], line.spots[line.spots.len() - 1]);
            let from = boxes[first].y + boxes[first].height;
            let to = boxes[last].y;
            let (begin, end) = if line.back { (from + HEAD, to) } else { (from, to - HEAD) };
            let mut way = Path::begin(begins[at], begin);
            for pair in line.spots.windows(2) {
                let (x, y) =
                    if pair[1] == last { (ends[at], end) } else { (self.xs[pair[1]], self.tops[row_of[pair[1]]]) };
                let of = column(pair[0]);
                if of == column(pair[1]) {
                    way.curve(x, y);
                } else {
                    let (lane, all) = lane(of, at);
                    let low = self.bottoms[of] + LANE * 2.0 + lane;
                    let aside = self.rights[of] + GUTTER / 2.0 + lane;
                    way.around(low, aside, self.top - LANE * 2.0 - (all - LANE - lane), x, y);
                }
                if pair[1] != last {
                    way.straight(self.tops[row_of[pair[1]]] + self.heights[row_of[pair[1]]]);
                }
            }
            let (head, heading) =
                if line.back { ((begins[at], from), Heading::Up) } else { ((ends[at], to), Heading::Down) };
            ways.push(Way { edge: line.edge, path: way.text, head, to: heading, back: line.back });
        }
        for (edge, (node, _)) in edges.iter().enumerate().filter(|(_, (from, to))| from == to) {
            let it = boxes[*node];
            let (right, upper, lower) = (it.x + it.width, it.y + it.height * 0.3, it.y + it.height * 0.7);
            let mut way = Path::begin(right, upper);
            way.bow(right + LOOP, (right + HEAD, lower));
            ways.push(Way { edge, path: way.text, head: (right, lower), to: Heading::Left, back: loops[*node] });
        }
        let width = self.rights.last().copied().unwrap_or_default();
        Places { boxes, ways, width, height: self.height }
    }
}

/// How many arrows go from a row to the next.
fn ties_below(rows: &Rows, row: usize) -> usize {
    rows.rows[row].iter().map(|spot| rows.spots[*spot].below.len()).sum()
}

/// The rows at which the columns after the first begin: near to equal heights, and where few arrows go on.
fn cuts(rows: &Rows, heights: &[f64], columns: usize) -> Vec<usize> {
    let high: f64 = heights.iter().map(|height| height + BELOW).sum();
    let mut cuts = Vec::new();
    for column in 1..columns {
        let wanted = high * column as f64 / columns as f64;
        let first = cuts.last().copied().unwrap_or(0) + 1;
        let mut y = 0.0;
        let far = heights.iter().map(|height| {
            y += height + BELOW;
            (y - wanted).abs() / (LOW + BELOW)
        });
        let far: Vec<f64> = far.collect();
        // A row further away costs as much as an arrow.
        let costs = (first..rows.rows.len()).map(|row| (ties_below(rows, row - 1) as f64 + far[row - 1], row));
        if let Some((_, row)) = costs.min_by(|one, other| one.0.total_cmp(&other.0)) {
            cuts.push(row);
        }
    }
    cuts
}

/// A way as it is being written.
struct Path {
    text: String,
    x: f64,
    y: f64,
}

impl Path {
    fn begin(x: f64, y: f64) -> Self {
        Self { text: format!("M{x:.1} {y:.1}"), x, y }
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>, x: f64, y: f64) {
        // Writing into a String cannot fail.
        let _ = self.text.write_fmt(text);
        (self.x, self.y) = (x, y);
    }

    fn straight(&mut self, y: f64) {
        self.put(format_args!("V{y:.1}"), self.x, y);
    }

    fn curve(&mut self, x: f64, y: f64) {
        if (x - self.x).abs() < 0.5 {
            return self.straight(y);
        }
        let middle = (self.y + y) / 2.0;
        let begin = self.x;
        self.put(format_args!("C{begin:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}"), x, y);
    }

    fn bow(&mut self, out: f64, (x, y): (f64, f64)) {
        let begin = self.y;
        self.put(format_args!("C{out:.1} {begin:.1} {out:.1} {y:.1} {x:.1} {y:.1}"), x, y);
    }

    /// Down to `low`, aside to `aside`, up to `high`, on to `x` and down to `y`, with round corners.
    fn around(&mut self, low: f64, aside: f64, high: f64, x: f64, y: f64) {
        const ROUND: f64 = 5.0;
        let begin = self.x;
        let over = if x > aside { ROUND } else { -ROUND };
        self.put(format_args!("V{:.1}Q{begin:.1} {low:.1} {:.1} {low:.1}", low - ROUND, begin + ROUND), begin, low);
        self.put(format_args!("H{:.1}Q{aside:.1} {low:.1} {aside:.1} {:.1}", aside - ROUND, low - ROUND), aside, low);
        self.put(format_args!("V{:.1}Q{aside:.1} {high:.1} {:.1} {high:.1}", high + ROUND, aside + over), aside, high);
        self.put(format_args!("H{:.1}Q{x:.1} {high:.1} {x:.1} {:.1}V{y:.1}", x - over, high + ROUND), x, y);
    }
}
