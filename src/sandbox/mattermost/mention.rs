//! Who is mentioned by a text.

use std::collections::BTreeSet;

/// The names after an `@` in the text, in lower case, without trailing punctuation. An `@` inside a word is an address, not a mention, and
/// nothing in code is one.
pub(crate) fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (number, piece) in text.split("```").enumerate() {
        if number % 2 == 1 {
            continue;
        }
        for (number, piece) in piece.split('`').enumerate() {
            if number % 2 == 0 {
                collect(piece, &mut names);
            }
        }
    }
    names
}

fn collect(text: &str, names: &mut BTreeSet<String>) {
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        if character == '@' && !before.is_alphanumeric() {
            let name: String = text[at + 1..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
                .collect::<String>()
                .to_lowercase();
            names.insert(name.trim_end_matches(['.', '-', '_']).to_owned());
            names.insert(name);
        }
        before = character;
    }
    names.remove("");
}
