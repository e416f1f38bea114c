//! Secrets in lines. A line that is repeated or remembered has stars where they stood.

use crate::core::action::params::MASK;

/// The line with stars in the place of these values.
pub fn hide(line: &str, values: impl IntoIterator<Item = String>) -> String {
    let mut values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
    // The longest first: one that is part of another would leave the rest of it.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.iter().fold(line.to_owned(), |line, value| line.replace(value.as_str(), MASK))
}

/// The line with stars in the place of the value of each `name=value` whose name is that of a secret, wherever it stands. For lines that no
/// format has read.
pub fn hide_pairs(line: &str, is_secret: &dyn Fn(&str) -> bool) -> String {
    let mut hidden = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('=') {
        let (before, value) = (&rest[..at], &rest[at + 1..]);
        let start = before
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .map_or(0, |place| place + before[place..].chars().next().map_or(0, char::len_utf8));
        hidden.push_str(&rest[..=at]);
        rest = value;
        let name = before[start..].to_lowercase();
        if name.is_empty() || !(is_secret(&name) || sounds_secret(&name)) {
            continue;
        }
        let length = match value.chars().next() {
            // An open quote hides all that follows.
            Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
            _ => value.find(char::is_whitespace).unwrap_or(value.len()),
        };
        if length > 0 {
            hidden.push_str(MASK);
        }
        rest = &value[length..];
    }
    hidden.push_str(rest);
    hidden
}

/// Names that mean a secret in everybody's language.
fn sounds_secret(name: &str) -> bool {
    ["password", "passwd", "passphrase", "secret", "token", "private_key", "api_key"]
        .iter()
        .any(|word| name.contains(word))
}
