//! Shell patterns: `*`, `?`, `[…]`, and `\` before a character that stands for itself.

/// Whether a pattern has a character that stands for more than itself.
pub(super) fn is_pattern(pattern: &str) -> bool {
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// The text that a pattern without special characters stands for.
pub(super) fn plain(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

/// The text with every special character made to stand for itself.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

/// Pattern times text up to which a match is tried.
const EFFORT: usize = 50_000_000;

/// Whether the whole text fits. Takes time proportional to pattern times text, whatever the pattern.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    if pattern.len().saturating_mul(text.len()) > EFFORT {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            retry = Some((p + 1, t));
            p += 1;
            continue;
        }
        if let Some(next) = one(&pattern, p, text[t]) {
            p = next;
            t += 1;
            continue;
        }
        let Some((after, taken)) = retry else { return false };
        retry = Some((after, taken + 1));
        p = after;
        t = taken + 1;
    }
    pattern[p..].iter().all(|character| *character == '*')
}

/// Where the pattern goes on when its next element fits the character.
fn one(pattern: &[char], at: usize, character: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(at + 1),
        '\\' => {
            let literal = pattern.get(at + 1).unwrap_or(&'\\');
            (*literal == character).then_some((at + 2).min(pattern.len()))
        }
        '[' => match set(pattern, at, character) {
            Some((true, next)) => Some(next),
            Some((false, _)) => None,
            None => (character == '[').then_some(at + 1),
        },
        literal => (*literal == character).then_some(at + 1),
    }
}

/// Whether a bracket expression holds the character, and where it ends; none when it does not end.
fn set(pattern: &[char], at: usize, character: char) -> Option<(bool, usize)> {
    let mut here = at + 1;
    let negated = matches!(pattern.get(here), Some('!' | '^'));
    if negated {
        here += 1;
    }
    let first = here;
    let mut found = false;
    loop {
        let low = *pattern.get(here)?;
        if low == ']' && here > first {
            return Some((found != negated, here + 1));
        }
        if low == '[' && pattern.get(here + 1) == Some(&':') {
            let rest: String = pattern[here + 2..].iter().take(12).collect();
            if let Some((class, _)) = rest.split_once(":]") {
                found |= in_class(class, character);
                here += class.chars().count() + 4;
                continue;
            }
        }
        if pattern.get(here + 1) == Some(&'-') && pattern.get(here + 2).is_some_and(|high| *high != ']') {
            found |= low <= character && character <= pattern[here + 2];
            here += 3;
        } else {
            found |= low == character;
            here += 1;
        }
    }
}

/// Whether a character is of a class like `alpha`.
fn in_class(class: &str, character: char) -> bool {
    match class {
        "alpha" => character.is_alphabetic(),
        "digit" => character.is_ascii_digit(),
        "alnum" => character.is_alphanumeric(),
        "space" => character.is_whitespace(),
        "upper" => character.is_uppercase(),
        "lower" => character.is_lowercase(),
        "punct" => character.is_ascii_punctuation(),
        "xdigit" => character.is_ascii_hexdigit(),
        _ => false,
    }
}
