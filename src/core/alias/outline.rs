//! A format seen as rows of words: what the index, the search for ambiguities and the suggestions go by.
//!
//! Groups of plain words are written out, `(start|stop) {{unit}}( now)?` as four rows. What only the expression itself can tell is a place of
//! its own. **Every line that a format matches fits one of its rows**; the reverse is not promised, so whoever takes a row for a line tries it.

/// One place between white space in a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A word that has to stand there, as [`folded`] writes it.
    Word(String),
    /// A parameter: one word or more.
    Parameter {
        /// Its name.
        name: String,
        /// It has a default and may be left out.
        optional: bool,
    },
    /// Something that only the expression itself can tell.
    Other,
}

/// A word with its letters told apart only as far as expressions without case do: every letter that some capital has in common becomes one,
/// so `ſ` is `s` and every sigma is `σ`. Lower case alone would keep those apart.
pub(crate) fn folded(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for character in word.chars() {
        // Of these the large tables of letters tell nothing else.
        if character.is_ascii() {
            folded.push(character.to_ascii_lowercase());
            continue;
        }
        let mut capitals = character.to_uppercase();
        match (capitals.next(), capitals.next()) {
            (Some(capital), None) => folded.extend(capital.to_lowercase()),
            _ => folded.extend(character.to_lowercase()),
        }
    }
    folded
}

/// A row of places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// From left to right.
    pub(crate) places: Vec<Place>,
}

impl Outline {
    /// The row of words and parameters that help shows of a format. It may be another than what the format matches.
    pub(crate) fn shown(display: &str) -> Self {
        let place = |chunk: &str| {
            let inside = chunk.trim_matches('"').strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
            match inside {
                Some(inside) => {
                    let (name, optional) = inside.split_once('=').map_or((inside, false), |(name, _)| (name, true));
                    Place::Parameter { name: name.trim().to_owned(), optional }
                }
                None if chunk.contains("{{") => Place::Other,
                None => Place::Word(folded(chunk)),
            }
        };
        Self { places: display.split_whitespace().map(place).collect() }
    }

    /// Whether the places say all that the expression says.
    pub(crate) fn plain(&self) -> bool {
        !self.places.contains(&Place::Other)
    }

    /// The words that every matching line begins with.
    pub(crate) fn prefix(&self) -> Vec<&str> {
        self.places
            .iter()
            .map_while(|place| match place {
                Place::Word(word) => Some(word.as_str()),
                Place::Parameter { .. } | Place::Other => None,
            })
            .collect()
    }

    /// The words that stand in every matching line, wherever.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.places.iter().filter_map(|place| match place {
            Place::Word(word) => Some(word.as_str()),
            Place::Parameter { .. } | Place::Other => None,
        })
    }

    fn of(pieces: &[Piece]) -> Self {
        let mut places: Vec<Place> = Vec::new();
        for chunk in pieces.split(|piece| matches!(piece, Piece::Space)) {
            match chunk {
                [] => {}
                [Piece::Parameter { name, optional }] => {
                    places.push(Place::Parameter { name: name.clone(), optional: *optional });
                }
                [Piece::Parameter { optional: true, .. }, ..] => {
                    // Left out, it takes the white space before it along, and what follows touches what went before.
                    while matches!(places.last(), Some(Place::Parameter { optional: true, .. })) {
                        places.pop();
                    }
                    places.pop();
                    places.push(Place::Other);
                }
                characters => {
                    let word: Option<String> = characters
                        .iter()
                        .map(|piece| match piece {
                            Piece::Character(character) => Some(*character),
                            _ => None,
                        })
                        .collect();
                    places.push(word.map_or(Place::Other, |word| Place::Word(folded(&word))));
                }
            }
        }
        Self { places }
    }
}

/// The most rows that one format is written out as; with more, its groups stay closed.
const MOST_ROWS: usize = 64;

/// What the outlines are drawn from while the format is read.
#[derive(Debug)]
pub(crate) struct Sketch {
    open: Vec<Group>,
}

#[derive(Debug, Default)]
struct Group {
    finished: Vec<Vec<Piece>>,
    current: Vec<Piece>,
    closed: bool,
}

impl Group {
    fn alternatives(self) -> Vec<Vec<Piece>> {
        let mut alternatives = self.finished;
        alternatives.push(self.current);
        alternatives
    }
}

#[derive(Debug, Clone)]
enum Piece {
    Character(char),
    Space,
    Parameter { name: String, optional: bool },
    Expression,
    Choice(Vec<Vec<Piece>>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self { open: vec![Group::default()] }
    }
}

impl Sketch {
    fn push(&mut self, piece: Piece) {
        if let Some(group) = self.open.last_mut() {
            group.current.push(piece);
        }
    }

    fn last(&mut self) -> Option<&mut Piece> {
        self.open.last_mut()?.current.last_mut()
    }

    /// A character that stands for itself.
    pub(crate) fn character(&mut self, character: char) {
        self.push(Piece::Character(character));
    }

    /// White space.
    pub(crate) fn space(&mut self) {
        self.push(Piece::Space);
    }

    /// A parameter.
    pub(crate) fn parameter(&mut self, name: &str, optional: bool) {
        self.push(Piece::Parameter { name: name.to_owned(), optional });
    }

    /// Something of the expression language that takes characters.
    pub(crate) fn expression(&mut self) {
        self.push(Piece::Expression);
    }

    /// `?` behind the last piece.
    pub(crate) fn optional(&mut self) {
        if let Some(last) = self.last() {
            *last = Piece::Choice(vec![vec![last.clone()], Vec::new()]);
        }
    }

    /// Another repeat behind the last piece; it may allow none of it.
    pub(crate) fn repeated(&mut self, or_none: bool) {
        match self.last() {
            None => {}
            Some(Piece::Space) if or_none => self.optional(),
            Some(Piece::Space) => {}
            Some(last) => *last = Piece::Expression,
        }
    }

    /// A group begins. A closed one is never looked into.
    pub(crate) fn open(&mut self, closed: bool) {
        self.open.push(Group { closed, ..Group::default() });
    }

    /// `|`
    pub(crate) fn alternative(&mut self) {
        if let Some(group) = self.open.last_mut() {
            let current = std::mem::take(&mut group.current);
            group.finished.push(current);
        }
    }

    /// The innermost group ends.
    pub(crate) fn close(&mut self) {
        if self.open.len() > 1
            && let Some(group) = self.open.pop()
        {
            let piece = if group.closed { Piece::Expression } else { Piece::Choice(group.alternatives()) };
            self.push(piece);
        }
    }

    /// The finished outlines, at least one.
    pub(crate) fn finish(mut self) -> Vec<Outline> {
        while self.open.len() > 1 {
            self.close();
        }
        let alternatives = self.open.pop().map(Group::alternatives).unwrap_or_default();
        match written_out(&alternatives) {
            Some(rows) => rows.iter().map(|row| Outline::of(row)).collect(),
            None => vec![Outline { places: vec![Place::Other] }],
        }
    }
}

/// All rows that a choice stands for; none when they are too many.
fn written_out(alternatives: &[Vec<Piece>]) -> Option<Vec<Vec<Piece>>> {
    let mut all = Vec::new();
    for alternative in alternatives {
        let mut rows: Vec<Vec<Piece>> = vec![Vec::new()];
        for piece in alternative {
            let endings = match piece {
                // A group with too many rows is left closed, the rest of its format is not.
                Piece::Choice(inner) => written_out(inner).unwrap_or_else(|| vec![vec![Piece::Expression]]),
                other => vec![vec![other.clone()]],
            };
            if rows.len() * endings.len() > MOST_ROWS {
                return None;
            }
            rows = rows
                .iter()
                .flat_map(|row| endings.iter().map(|ending| row.iter().chain(ending).cloned().collect()))
                .collect();
        }
        all.append(&mut rows);
    }
    (all.len() <= MOST_ROWS).then_some(all)
}
