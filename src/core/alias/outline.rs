//! A format seen as a row of words: what the index, the search for ambiguities and the suggestions go by.

/// One place between white space in a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A word that has to stand there, in lower case.
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

/// The row of places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// From left to right.
    pub(crate) places: Vec<Place>,
    /// An alternation outside all groups: no place is certain.
    pub(crate) alternation: bool,
}

impl Outline {
    /// Whether the places say all that the expression says.
    pub(crate) fn plain(&self) -> bool {
        !self.alternation && !self.places.contains(&Place::Other)
    }

    /// The words that every matching line begins with.
    pub(crate) fn prefix(&self) -> Vec<&str> {
        if self.alternation {
            return Vec::new();
        }
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
        let places: &[Place] = if self.alternation { &[] } else { &self.places };
        places.iter().filter_map(|place| match place {
            Place::Word(word) => Some(word.as_str()),
            Place::Parameter { .. } | Place::Other => None,
        })
    }
}

/// What the outline is drawn from while the format is read.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    outline: Outline,
    chunk: Vec<Piece>,
}

/// A piece of a place.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Parameter { name: String, optional: bool },
    Expression,
}

impl Sketch {
    /// A character that stands for itself.
    pub(crate) fn character(&mut self, character: char) {
        if let Some(Piece::Text(text)) = self.chunk.last_mut() {
            text.push(character);
        } else {
            self.chunk.push(Piece::Text(character.to_string()));
        }
    }

    /// A parameter.
    pub(crate) fn parameter(&mut self, name: &str, optional: bool) {
        self.chunk.push(Piece::Parameter { name: name.to_owned(), optional });
    }

    /// Something of the expression language.
    pub(crate) fn expression(&mut self) {
        self.chunk.push(Piece::Expression);
    }

    /// `|` outside all groups.
    pub(crate) fn alternation(&mut self) {
        self.outline.alternation = true;
    }

    /// White space, or the end.
    pub(crate) fn space(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        let mut pieces = chunk.into_iter();
        let place = match (pieces.next(), pieces.next()) {
            (None, _) => return,
            (Some(Piece::Text(text)), None) => Place::Word(text.to_lowercase()),
            (Some(Piece::Parameter { name, optional }), None) => Place::Parameter { name, optional },
            (Some(_), _) => Place::Other,
        };
        self.outline.places.push(place);
    }

    /// The finished outline.
    pub(crate) fn finish(mut self) -> Outline {
        self.space();
        self.outline
    }
}
