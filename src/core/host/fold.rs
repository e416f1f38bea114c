//! From machines back to a short expression.

use crate::core::id::Host;
use std::collections::BTreeMap;

/// Numbers longer than this are text.
const LONGEST_NUMBER: usize = 18;

/// Writes names the short way, `wn[001-024],se01`: consecutive numbers of equal width become ranges, in natural order. Expanding it
/// gives the same names.
pub fn fold(hosts: &[Host]) -> String {
    let mut names: Vec<Name> = hosts.iter().map(|host| Name::of(host.as_str())).collect();
    names.sort();
    names.dedup();
    // The last number of a name counts fastest, so it is folded first: r1n01, r1n02, r2n01, r2n02 -> r1n[01-02], r2n[01-02] -> r[1-2]n[01-02].
    let most_numbers = names.iter().map(|name| name.numbers().count()).max().unwrap_or(0);
    for axis in 0..most_numbers {
        names = fold_axis(names, axis);
    }
    names.sort();
    names.iter().map(Name::written).collect::<Vec<_>>().join(",")
}

/// Names before others in the order in which people count: `wn2` before `wn10`.
pub(super) fn natural(name: &str) -> impl Ord + use<> {
    Name::of(name)
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    /// A number, or several after folding: the first one decides on the order.
    Numbers { first: u64, written: String, several: bool },
    /// Anything else.
    Text(String),
}

impl Name {
    fn of(name: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = name;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let length =
                if digits > 0 { digits } else { rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()) };
            let (piece, behind) = rest.split_at(length);
            pieces.push(match piece.parse() {
                Ok(first) if digits > 0 && digits <= LONGEST_NUMBER => {
                    Piece::Numbers { first, written: piece.to_owned(), several: false }
                }
                _ => Piece::Text(piece.to_owned()),
            });
            rest = behind;
        }
        Self(pieces)
    }

    fn numbers(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.0.iter().enumerate().filter(|(_, piece)| matches!(piece, Piece::Numbers { .. })).map(|(at, _)| at)
    }

    fn written(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Numbers { written, .. } => written.as_str(),
                Piece::Text(text) => text,
            })
            .collect()
    }
}

/// Joins names that differ only in their `axis`-th number from the end.
fn fold_axis(names: Vec<Name>, axis: usize) -> Vec<Name> {
    let mut folded = Vec::new();
    // The key is the name with that number taken out, and the width in which its numbers are written.
    let mut alike: BTreeMap<(Name, usize), Vec<(u64, String)>> = BTreeMap::new();
    for name in names {
        let Some(at) = name.numbers().rev().nth(axis) else {
            folded.push(name);
            continue;
        };
        match &name.0[at] {
            Piece::Numbers { first, written, several: false } => {
                let mut rest = name.clone();
                rest.0[at] = Piece::Numbers { first: 0, written: String::new(), several: false };
                alike.entry((rest, written.len())).or_default().push((*first, written.clone()));
            }
            Piece::Numbers { .. } | Piece::Text(_) => folded.push(name),
        }
    }
    // Numbers without leading zeros count on from one width to the next: 8, 9, 10 is one range.
    let mut groups: BTreeMap<Name, Vec<Vec<(u64, String)>>> = BTreeMap::new();
    for ((rest, _), numbers) in alike {
        let sets = groups.entry(rest).or_default();
        match sets.last_mut() {
            Some(before) if !is_padded(before) && !is_padded(&numbers) => before.extend(numbers),
            _ => sets.push(numbers),
        }
    }
    for (rest, sets) in groups {
        for mut numbers in sets {
            numbers.sort();
            let Some((first, _)) = numbers.first().cloned() else { continue };
            let several = numbers.len() > 1;
            let written = ranges(&numbers);
            let written = if several { format!("[{written}]") } else { written };
            let mut name = rest.clone();
            if let Some(hole) =
                name.0.iter_mut().find(|piece| matches!(piece, Piece::Numbers { written, .. } if written.is_empty()))
            {
                *hole = Piece::Numbers { first, written, several };
            }
            folded.push(name);
        }
    }
    folded
}

fn is_padded(numbers: &[(u64, String)]) -> bool {
    numbers.iter().any(|(_, written)| written.len() > 1 && written.starts_with('0'))
}

/// `001-003,007`
fn ranges(numbers: &[(u64, String)]) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut rest = numbers;
    while let Some((first, written)) = rest.first() {
        let mut length = 1;
        while rest.get(length).is_some_and(|(number, _)| Some(*number) == first.checked_add(length as u64)) {
            length += 1;
        }
        match rest.get(length - 1) {
            Some((_, last)) if length > 1 => out.push(format!("{written}-{last}")),
            _ => out.push(written.clone()),
        }
        rest = &rest[length..];
    }
    out.join(",")
}
