//! Making outside text harmless in Mattermost's Markdown.

/// Invisible, and enough to keep an at sign from mentioning and backticks from closing a fence.
const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// Shows where something stood that cannot be shown.
const REPLACEMENT: char = '\u{fffd}';

/// Whether a character steers and is not seen. Those that turn the direction of writing would let a command look on a card like another one,
/// and the two separators would let it go on in a line of its own.
fn is_unshown(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || character.is_control()
}

/// Escapes text for the running text of a post: it shows as it is, on one line, formats nothing and mentions nobody.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' | '~' | '<' | '>'
            | '$' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '@' => {
                escaped.push('@');
                escaped.push(ZERO_WIDTH_SPACE);
            }
            // A colon before a letter could be an emoji and before a slash a link; times and host:port stay as they are.
            ':' => {
                escaped.push(':');
                let next = characters.peek().is_some_and(|next| next.is_alphabetic() || "/+-_".contains(*next));
                if next || names_emoji(characters.clone()) {
                    escaped.push(ZERO_WIDTH_SPACE);
                }
            }
            '\n' | '\r' | '\t' => escaped.push(' '),
            character if is_unshown(character) => escaped.push(REPLACEMENT),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Whether what follows a colon is a name and another colon: `:100:` and `:8ball:` are emojis. Two digits are the minutes of a time.
fn names_emoji(behind: impl Iterator<Item = char>) -> bool {
    let mut length = 0;
    let mut digits = true;
    for character in behind {
        match character {
            ':' => return length > 2 || (length > 0 && !digits),
            character if character.is_ascii_alphanumeric() || "+-_".contains(character) => {
                length += 1;
                digits &= character.is_ascii_digit();
            }
            _ => return false,
        }
    }
    false
}

/// Text as inline code, a line break shown as ⏎. Backticks inside become a look-alike, since Mattermost's parsers disagree about longer delimiters.
pub fn code(text: &str) -> String {
    let inner: String = text
        .chars()
        .map(|character| match character {
            '`' => '\u{2cb}',
            '\n' => '⏎',
            '\r' | '\t' => ' ',
            character if is_unshown(character) => REPLACEMENT,
            character => character,
        })
        .collect();
    let inner = inner.trim();
    if inner.is_empty() { String::new() } else { format!("`{inner}`") }
}

/// Text cut to so many characters, an ellipsis saying so.
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most).collect();
    format!("{kept}…")
}

/// Text as a fenced block that it cannot leave. Control characters and colour sequences are taken out.
pub fn fence(text: &str) -> String {
    let mut inner = String::with_capacity(text.len() + 16);
    let mut ticks = 0;
    for character in plain(text).chars() {
        ticks = if character == '`' { ticks + 1 } else { 0 };
        if ticks == 3 {
            inner.push(ZERO_WIDTH_SPACE);
            ticks = 1;
        }
        inner.push(character);
    }
    let inner = inner.trim_end_matches('\n');
    format!("```text\n{inner}\n```")
}

/// Terminal output as plain text: escape sequences removed, what a carriage return overwrote left out, tabs kept, other control characters
/// replaced.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut line_start = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_sequence(&mut characters),
            '\n' => {
                out.push('\n');
                line_start = out.len();
            }
            '\r' => {
                if characters.peek() != Some(&'\n') && characters.peek().is_some() {
                    out.truncate(line_start);
                }
            }
            '\t' => out.push('\t'),
            '\u{8}' => {
                if out.len() > line_start {
                    out.pop();
                }
            }
            character if is_unshown(character) => out.push(REPLACEMENT),
            character => out.push(character),
        }
    }
    out
}

/// Takes away the rest of an escape sequence. One that is cut off takes no line along.
fn skip_sequence(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let last = match characters.peek() {
        Some('[') => {
            characters.next();
            while characters.next_if(|character| ('\u{20}'..='\u{3f}').contains(character)).is_some() {}
            '\u{40}'..='\u{7e}'
        }
        Some(']') => {
            // An operating system command ends with BEL or ESC \.
            while characters.next_if(|character| !matches!(character, '\u{7}' | '\u{1b}' | '\n')).is_some() {}
            if characters.next_if_eq(&'\u{1b}').is_some() { '\\'..='\\' } else { '\u{7}'..='\u{7}' }
        }
        _ => {
            while characters.next_if(|character| ('\u{20}'..='\u{2f}').contains(character)).is_some() {}
            '\u{30}'..='\u{7e}'
        }
    };
    characters.next_if(|character| last.contains(character));
}

/// A user name as a mention that does notify; anything that is not a user name is escaped instead.
pub fn mention(username: &str) -> String {
    let sound = !username.is_empty()
        && username.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
        && !matches!(username, "all" | "channel" | "here");
    if sound { format!("@{username}") } else { escape(username) }
}

/// A sentence of ours that quotes outside text in backticks: the quotes become inline code, the rest is escaped.
pub fn prose(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len() + 16);
    for (place, piece) in sentence.split('`').enumerate() {
        if place % 2 == 0 { text.push_str(&escape(piece)) } else { text.push_str(&code(piece)) }
    }
    text
}

/// What a terminal shows of a post: escapes and invisible characters taken away. For callers that are not a chat.
pub fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut characters = text.chars().filter(|character| *character != ZERO_WIDTH_SPACE);
    while let Some(character) = characters.next() {
        match character {
            '\\' => bare.extend(characters.next()),
            character => bare.push(character),
        }
    }
    bare
}
