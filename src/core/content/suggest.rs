//! Did you mean.

/// `did you mean "formats"?` when one of the words is close to what was written. Case, dashes and underscores do not count.
pub(crate) fn did_you_mean<'w>(written: &str, words: impl IntoIterator<Item = &'w str>) -> Option<String> {
    let written = plain(written);
    let bound = (written.chars().count() / 4).clamp(1, 3);
    words
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, &plain(word)), word))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, word)| format!("did you mean \"{word}\"?"))
}

fn plain(word: &str) -> String {
    // Nobody's word is longer, and the comparison takes the square of the length.
    word.chars().take(100).map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect()
}
