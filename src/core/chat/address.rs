//! Whether a post is meant for the bot, and the line that is.

use crate::core::settings::{Address, Settings};

/// How a line was found to be meant for the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// Said so: a mention, the prefix, or a direct message. Whatever it says, it gets an answer.
    Surely,
    /// It may be: the settings allow bare lines. Answered only when it matches something.
    Perhaps,
}

/// Takes the address off a message.
///
/// Returns the line without its address and how sure it is, or nothing when the message is not for the bot.
pub fn addressed<'a>(message: &'a str, username: &str, direct: bool, settings: &Settings) -> Option<(Meant, &'a str)> {
    let message = message.trim();
    let mentioned = strip_mention(message, username);
    let prefixed = strip_prefix(message, &settings.prefix);
    if direct {
        return Some((Meant::Surely, mentioned.or(prefixed).unwrap_or(message)));
    }
    for way in &settings.address {
        let found = match way {
            Address::Mention => mentioned,
            Address::Prefix => prefixed,
            Address::Bare => None,
        };
        if let Some(line) = found {
            return Some((Meant::Surely, line));
        }
    }
    // The shells' way to say it once more: the prefix and a `!`. It is also an exclamation between people.
    let repeated = settings.address.contains(&Address::Prefix)
        && message
            .strip_prefix(&*settings.prefix)
            .is_some_and(|rest| matches!((rest, &*settings.prefix), ("!", "!") | ("!!", _)));
    if repeated {
        return Some((Meant::Perhaps, "!!"));
    }
    let bare = settings.address.contains(&Address::Bare) && !message.is_empty();
    bare.then_some((Meant::Perhaps, message))
}

/// `@name: line` gives `line`. The name ends where a user name can end, so `@halcyon2` is somebody else; trailing dots belong to the
/// sentence, as the server reads them too.
fn strip_mention<'a>(message: &'a str, username: &str) -> Option<&'a str> {
    let rest = message.strip_prefix('@')?;
    let name = rest.get(..username.len())?;
    if !name.eq_ignore_ascii_case(username) {
        return None;
    }
    let rest = rest.get(username.len()..)?;
    let after = rest.trim_start_matches([':', ',', '.']);
    let ends = after.is_empty() || after.starts_with(char::is_whitespace);
    ends.then(|| after.trim())
}

fn strip_prefix<'a>(message: &'a str, prefix: &str) -> Option<&'a str> {
    let line = message.strip_prefix(prefix).filter(|_| !prefix.is_empty())?.trim();
    // "!!" or "!" alone and "!?" are exclamations between people unless a word follows.
    line.starts_with(char::is_alphanumeric).then_some(line)
}
