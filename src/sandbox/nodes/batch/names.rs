//! Lists of nodes as Slurm writes them: `wn[001-003,007],se01`.

/// No list may name more.
const MOST: usize = 10_000;

/// The names of a list, in its order; an error is the part that is none.
pub(crate) fn expand(list: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for part in parts(list)? {
        let Some(open) = part.find('[') else {
            if part.contains(']') {
                return Err(part.to_owned());
            }
            names.push(part.to_owned());
            continue;
        };
        let (before, rest) = part.split_at(open);
        let Some((inside, after)) = rest[1..].split_once(']') else { return Err(part.to_owned()) };
        if inside.is_empty() || after.contains(['[', ']']) {
            return Err(part.to_owned());
        }
        for range in inside.split(',') {
            let (low, high) = range.split_once('-').unwrap_or((range, range));
            let (Ok(from), Ok(to)) = (low.parse::<usize>(), high.parse::<usize>()) else {
                return Err(part.to_owned());
            };
            if from > to || names.len() + (to - from) > MOST {
                return Err(part.to_owned());
            }
            let width = low.len();
            names.extend((from..=to).map(|number| format!("{before}{number:0width$}{after}")));
        }
    }
    Ok(names)
}

/// What stands between the commas outside of brackets.
fn parts(list: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut from, mut inside) = (Vec::new(), 0, false);
    for (at, character) in list.char_indices() {
        match character {
            '[' if inside => return Err(list.to_owned()),
            '[' => inside = true,
            ']' => inside = false,
            ',' if !inside => {
                parts.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(list.to_owned());
    }
    parts.push(&list[from..]);
    parts.retain(|part| !part.is_empty());
    Ok(parts)
}

/// The shortest list of these names, which are in order.
pub(crate) fn compress<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    /// Names that differ in the number at their end, which is equally long in all.
    struct Stem<'a> {
        before: &'a str,
        width: usize,
        ranges: Vec<(usize, usize)>,
    }
    let mut stems: Vec<Stem<'_>> = Vec::new();
    for name in names {
        let digits = name.len() - name.trim_end_matches(|last: char| last.is_ascii_digit()).len();
        let (before, number) = name.split_at(name.len() - digits);
        let parsed = number.parse::<usize>();
        match (stems.last_mut(), parsed) {
            (Some(stem), Ok(number)) if stem.before == before && stem.width == digits => match stem.ranges.last_mut() {
                Some((_, high)) if *high + 1 == number => *high = number,
                _ => stem.ranges.push((number, number)),
            },
            (_, Ok(number)) => stems.push(Stem { before, width: digits, ranges: vec![(number, number)] }),
            (_, Err(_)) => stems.push(Stem { before: name, width: 0, ranges: Vec::new() }),
        }
    }
    let shown = stems.iter().map(|Stem { before, width, ranges }| match ranges.as_slice() {
        [] => (*before).to_owned(),
        [(low, high)] if low == high => format!("{before}{low:0width$}"),
        ranges => {
            let inside: Vec<String> = ranges
                .iter()
                .map(|(low, high)| match low == high {
                    true => format!("{low:0width$}"),
                    false => format!("{low:0width$}-{high:0width$}"),
                })
                .collect();
            format!("{before}[{}]", inside.join(","))
        }
    });
    shown.collect::<Vec<_>>().join(",")
}
