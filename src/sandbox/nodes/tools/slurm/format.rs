//! Formats as `--format` takes them: `%[.][width]letter`, and text between.

/// How wide a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// As wide as what is in it.
    Own,
    /// Cut and filled to it.
    Is(usize),
    /// As wide as the widest of its column, and so wide at the least.
    Widest(usize),
}

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Field { letter: char, width: Width, right: bool },
}

/// The pieces of a format. A `#` before the width is the commands' own, for columns as wide as their widest value.
pub(super) fn read(format: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = format.chars().peekable();
    while let Some(character) = rest.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let right = rest.next_if_eq(&'.').is_some();
        let mut digits = String::new();
        while let Some(digit) = rest.next_if(|next| next.is_ascii_digit() || *next == '#') {
            digits.push(digit);
        }
        let Some(letter) = rest.next() else { break };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        let width = match (digits.as_str(), digits.strip_prefix('#')) {
            ("", _) => Width::Own,
            (_, Some(least)) => Width::Widest(least.parse().unwrap_or(0)),
            (digits, None) => Width::Is(digits.parse().unwrap_or(0)),
        };
        pieces.push(Piece::Field { letter, width, right });
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

/// The letters of a format, in their order.
pub(super) fn letters(pieces: &[Piece]) -> Vec<char> {
    pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Field { letter, .. } => Some(*letter),
            Piece::Text(_) => None,
        })
        .collect()
}

/// Writes rows, whose cells are those of the format's letters in their order.
pub(super) fn write(pieces: &[Piece], rows: &[Vec<String>]) -> String {
    let widest: Vec<usize> = (0..letters(pieces).len())
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut said = String::new();
    for row in rows {
        let mut at = 0;
        for piece in pieces {
            match piece {
                Piece::Text(text) => said.push_str(text),
                Piece::Field { width, right, .. } => {
                    let cell = row.get(at).map(String::as_str).unwrap_or_default();
                    let width = match *width {
                        Width::Own => cell.chars().count(),
                        Width::Is(width) => width,
                        Width::Widest(least) => widest[at].max(least),
                    };
                    let cut: String = cell.chars().take(width).collect();
                    said.push_str(&match right {
                        true => format!("{cut:>width$}"),
                        false => format!("{cut:<width$}"),
                    });
                    at += 1;
                }
            }
        }
        said.push('\n');
    }
    said
}
