//! What stands in a channel, read backwards from its newest post.
//!
//! **Pages are cut by posts, not by numbers**: the next page begins before a post of this one, so posts written meanwhile shift nothing. That
//! post is the oldest with a younger neighbour below it, which reads the last millisecond of a page twice, because the server leaves out
//! what has the same time as the post it is asked by. A post that was deleted for good gives an empty page; reading starts from the top then.
//! The server's `since` is not used: it loses rows.

use super::rest::{Rest, segment};
use super::wire::{Member, Posts};
use super::wire::{Post, Team};
use crate::runtime::ports::ChatError;
use std::collections::BTreeSet;

/// The most posts that the server gives at once.
const PAGE: usize = 200;
/// How often reading starts from the top again.
const RESTARTS: u32 = 5;

/// A part of a channel.
pub(crate) struct Stretch {
    /// The newest first, none deleted, none older than asked for.
    pub(crate) posts: Vec<Post>,
    /// Nothing that was asked for is missing.
    pub(crate) complete: bool,
}

/// Reads posts made at `floor` (in the server's milliseconds) or later: the newest `most`, or fewer when one of them is `enough`.
pub(crate) async fn read_back(
    rest: &Rest,
    channel: &str,
    floor: i64,
    most: usize,
    enough: impl Fn(&Post) -> bool + Send,
) -> Result<Stretch, ChatError> {
    let path = format!("channels/{}/posts", segment(channel)?);
    let (mut posts, mut seen) = (Vec::new(), BTreeSet::new());
    let (mut before, mut number, mut restarts): (Option<String>, usize, u32) = (None, 0, 0);
    let complete = loop {
        let (page, size) = (number.to_string(), PAGE.to_string());
        let mut query = vec![("page", page.as_str()), ("per_page", size.as_str())];
        if let Some(before) = &before {
            query.push(("before", before));
        }
        let listed = rest.read::<Posts>(&path, &query).await?.in_order();
        if listed.is_empty() {
            // There is always something below a post that was chosen so, unless that post is gone.
            if before.is_some() && number == 0 && restarts < RESTARTS {
                (before, restarts) = (None, restarts + 1);
                continue;
            }
            break before.is_none() || number > 0;
        }
        let oldest = listed.iter().map(|post| post.create_at).min().unwrap_or(i64::MAX);
        let younger = listed.iter().filter(|post| post.create_at > oldest).min_by_key(|post| post.create_at);
        let next = younger.map(|post| post.id.clone());
        let (whole, found) = (listed.len() >= PAGE, listed.iter().any(&enough));
        posts.extend(listed.into_iter().filter(|post| seen.insert(post.id.clone())));
        if oldest < floor || !whole || found {
            break true;
        }
        if posts.len() >= most {
            break false;
        }
        match next {
            Some(post) => (before, number) = (Some(post), 0),
            None => number += 1,
        }
    };
    posts.retain(|post| post.create_at >= floor && post.delete_at == 0);
    posts.sort_by_key(|post| std::cmp::Reverse(post.create_at));
    Ok(Stretch { posts, complete })
}

/// The channels that the bot is in. Servers before 6.1 tell them by team only.
pub(crate) async fn channels(rest: &Rest) -> Result<Vec<Member>, ChatError> {
    let all = rest.read::<Vec<Member>>("users/me/channels", &[]).await;
    let mut channels = match all {
        Err(ChatError::Unknown { .. }) => {
            let mut channels = Vec::new();
            for team in rest.read::<Vec<Team>>("users/me/teams", &[]).await? {
                let path = format!("users/me/teams/{}/channels", segment(&team.id)?);
                channels.extend(rest.read::<Vec<Member>>(&path, &[]).await?);
            }
            channels
        }
        all => all?,
    };
    // Direct channels belong to every team.
    channels.sort_by(|one, other| one.id.cmp(&other.id));
    channels.dedup_by(|one, other| one.id == other.id);
    Ok(channels)
}
