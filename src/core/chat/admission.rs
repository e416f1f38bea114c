//! Whether a post may speak to the bot: the loop and spoof rules.

use crate::core::id::UserId;
use crate::core::input::HeardPost;

/// Why a post is not listened to. Such a post is never answered either, or two bots would talk for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// The bot's own.
    Own,
    /// A system message or a custom type.
    NotOrdinary,
    /// An edit; what was said counts when it is said.
    Edited,
    /// It carries the mark of a bot, a webhook, a plugin or an application.
    Automatic,
    /// It came from another server.
    Remote,
    /// The author is a bot account.
    Bot,
    /// The author's account is deactivated.
    Deactivated,
}

/// Checks the rules in an order in which the cheapest comes first.
///
/// # Errors
/// The first rule that the post breaks.
pub fn admit(post: &HeardPost, me: &UserId) -> Result<(), Ignored> {
    if &post.author == me {
        return Err(Ignored::Own);
    }
    if !matches!(post.marks.kind.as_str(), "" | "me") {
        return Err(Ignored::NotOrdinary);
    }
    if post.marks.edited {
        return Err(Ignored::Edited);
    }
    if !post.marks.props.is_empty() {
        return Err(Ignored::Automatic);
    }
    if post.marks.remote {
        return Err(Ignored::Remote);
    }
    match &post.identity {
        Some(identity) if identity.is_bot => Err(Ignored::Bot),
        Some(identity) if !identity.active => Err(Ignored::Deactivated),
        _ => Ok(()),
    }
}
