//! Outside text in a post.

use halcyon::core::message::markdown::{bare, code, escape, fence, mention, plain, prose, shorten};

const INVISIBLE: char = '\u{200b}';

pub(crate) fn check(data: &[u8]) {
    let text = super::text(data);
    escaped(&text, &escape(&text));
    inline(&code(&text));
    fenced(&fence(&text));
    printed(&text);
    sentence(&prose(&text));
    let named = mention(&text);
    if named.len() != text.len() + 1 || named.strip_prefix('@') != Some(&text) {
        assert_eq!(named, escape(&text));
    } else {
        assert!(!matches!(&*text, "all" | "channel" | "here"), "a mention of everybody");
        assert!(!text.contains(|character: char| !character.is_ascii() || character.is_whitespace()));
    }
    assert!(shorten(&text, 20).chars().count() <= 21);
}

fn escaped(text: &str, escaped: &str) {
    let mut before = None;
    let mut hidden = false;
    let mut characters = escaped.chars().peekable();
    while let Some(character) = characters.next() {
        assert!(!character.is_control(), "{escaped:?}");
        if hidden {
            hidden = false;
        } else {
            assert!(!"`*_{}[]()#+!|~<>$".contains(character), "{character} is alive in {escaped:?}");
            hidden = character == '\\';
        }
        if character == '@' {
            assert_eq!(characters.peek(), Some(&INVISIBLE), "a live mention in {escaped:?}");
        }
        if before == Some(':') {
            assert!(character != '/', "a live link in {escaped:?}");
        }
        before = Some(character);
    }
    assert!(!hidden, "{escaped:?} takes what follows along");
    emoji(escaped);
    if !text.contains(INVISIBLE) {
        let shown: String = text
            .chars()
            .map(|character| match character {
                '\n' | '\r' | '\t' => ' ',
                // They turn the direction of writing, or begin a line.
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
                character if character.is_control() => '\u{fffd}',
                character => character,
            })
            .collect();
        assert_eq!(bare(escaped), shown, "it shows as it is");
    }
}

/// A name between colons is an emoji. Two digits are the minutes of a time, and no emoji has such a name.
fn emoji(text: &str) {
    for (at, _) in text.match_indices(':') {
        let Some((name, _)) = text[at + 1..].split_once(':') else { return };
        // Escapes are taken away before emojis are looked for.
        let name = name.replace('\\', "");
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
        let short = name.len() <= 2 && name.bytes().all(|byte| byte.is_ascii_digit());
        assert!(name.is_empty() || short || !name.bytes().all(sound), "an emoji in {text:?}");
    }
}

fn inline(code: &str) {
    if code.is_empty() {
        return;
    }
    let inner = code.strip_prefix('`').and_then(|code| code.strip_suffix('`')).unwrap();
    assert!(!inner.contains('`') && !inner.contains(char::is_control) && !inner.is_empty(), "{code:?}");
}

fn fenced(block: &str) {
    let inner = block.strip_prefix("```text\n").and_then(|block| block.strip_suffix("\n```")).unwrap();
    assert!(!inner.contains("```"), "the fence is closed inside of {block:?}");
    assert!(!inner.contains(|character: char| character.is_control() && !matches!(character, '\n' | '\t')));
}

fn printed(text: &str) {
    let shown = plain(text);
    assert!(!shown.contains(|character: char| character.is_control() && !matches!(character, '\n' | '\t')));
    assert_eq!(plain(&shown), shown, "plain text is plain");
    // What a return overwrote is left out, a line of it never.
    assert_eq!(shown.matches('\n').count(), text.matches('\n').count(), "no line is lost: {text:?}");
}

/// Outside the code of a sentence everything is escaped, so that the ticks that are not come in pairs.
fn sentence(said: &str) {
    let mut open = false;
    let mut characters = said.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if !open => drop(characters.next()),
            '`' => open = !open,
            '@' if !open => assert_eq!(characters.clone().next(), Some(INVISIBLE), "{said:?}"),
            character => assert!(!character.is_control(), "{said:?}"),
        }
    }
    assert!(!open, "{said:?}");
}
