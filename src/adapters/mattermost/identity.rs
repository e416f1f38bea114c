//! Who a user is: looked up by id, kept for a minute, forgotten when the server says that something changed.
//!
//! **A server that is in a storm is not asked once a post**: these look-ups hear its `Retry-After`.
//!
//! **Rights hang on this, so it errs on the side of less**: a membership that the server will not confirm is none. Callers who ask for the
//! same user at the same time share one look-up, because the second waits for the first and finds it kept.

use super::rest::{Rest, lock, segment};
use super::wire::{Named, User};
use crate::core::id::{ChannelId, UserId};
use crate::core::input::Identity;
use crate::runtime::ports::ChatError;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// How long a look-up is good.
const FRESH: Duration = Duration::from_secs(60);
/// How many users are kept.
const MANY: usize = 1024;

/// The users that were looked up lately.
#[derive(Default)]
pub(crate) struct Identities {
    slots: Mutex<BTreeMap<UserId, Arc<Slot>>>,
}

struct Slot {
    made: Instant,
    known: tokio::sync::Mutex<Option<Known>>,
}

struct Known {
    since: Instant,
    as_of: Timestamp,
    user: User,
    member: BTreeMap<ChannelId, bool>,
}

impl Identities {
    pub(crate) async fn look_up(
        &self,
        rest: &Rest,
        now: fn() -> Timestamp,
        user: &UserId,
        channels: &[ChannelId],
    ) -> Result<Identity, ChatError> {
        let slot = self.slot(user);
        let mut known = slot.known.lock().await;
        if known.as_ref().is_none_or(|known| known.since.elapsed() >= FRESH) {
            let (since, as_of) = (Instant::now(), now());
            let user: User = rest.read(&format!("users/{}", segment(user.as_str())?), &[]).await?;
            *known = Some(Known { since, as_of, user, member: BTreeMap::new() });
        }
        let known = known.as_mut().expect("it was looked up just above");
        let unknown: Vec<&ChannelId> = channels.iter().filter(|channel| !known.member.contains_key(channel)).collect();
        let answers = try_join_all(unknown.iter().map(|channel| is_member(rest, channel, user))).await?;
        for (channel, member) in unknown.into_iter().zip(answers) {
            known.member.insert(channel.clone(), member);
        }
        Ok(Identity {
            id: user.clone(),
            username: known.user.username.clone(),
            is_bot: known.user.is_bot,
            active: known.user.delete_at == 0,
            member_of: channels.iter().filter(|channel| known.member.get(channel) == Some(&true)).cloned().collect(),
            zone: known.user.zone().to_owned(),
            as_of: known.as_of,
        })
    }

    pub(crate) fn forget(&self, user: &UserId) {
        lock(&self.slots).remove(user);
    }

    pub(crate) fn forget_all(&self) {
        lock(&self.slots).clear();
    }

    fn slot(&self, user: &UserId) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if slots.len() >= MANY && !slots.contains_key(user) {
            slots.retain(|_, slot| slot.made.elapsed() < FRESH);
            if slots.len() >= MANY {
                let oldest = slots.iter().min_by_key(|(_, slot)| slot.made).map(|(user, _)| user.clone());
                oldest.and_then(|user| slots.remove(&user));
            }
        }
        let new = || Arc::new(Slot { made: Instant::now(), known: tokio::sync::Mutex::new(None) });
        slots.entry(user.clone()).or_insert_with(new).clone()
    }
}

async fn is_member(rest: &Rest, channel: &ChannelId, user: &UserId) -> Result<bool, ChatError> {
    #[derive(serde::Deserialize)]
    struct Member {
        user_id: String,
    }
    let path = format!("channels/{}/members/{}", segment(channel.as_str())?, segment(user.as_str())?);
    match rest.read::<Member>(&path, &[]).await {
        Ok(member) => Ok(member.user_id == user.as_str()),
        Err(ChatError::Unknown { .. }) => Ok(false),
        Err(ChatError::Refused { why }) => {
            tracing::warn!(%channel, why, "the server does not say who is in the channel; nobody counts as a member of it");
            Ok(false)
        }
        Err(problem) => Err(problem),
    }
}

/// Resolves one name of a channel in a team.
pub(crate) async fn channel_by_name(rest: &Rest, team: &str, name: &str) -> Result<Option<ChannelId>, ChatError> {
    let path = match (segment(team), segment(name)) {
        (Ok(team), Ok(name)) => format!("teams/name/{team}/channels/name/{name}"),
        _ => return Ok(None),
    };
    match rest.look_up::<Named>(&path, &[]).await {
        Ok(channel) => Ok(Some(ChannelId::new(channel.id))),
        Err(ChatError::Unknown { why } | ChatError::Refused { why }) => {
            tracing::warn!(team, name, why, "the channel is not known, or the bot is not a member of it");
            Ok(None)
        }
        Err(problem) => Err(problem),
    }
}

/// How many members, or users, one page has.
const PAGE: usize = 200;
/// How many members of a channel are looked at: where there are more, somebody will be there.
const MOST_MEMBERS: usize = 2_000;

/// Who is in a channel; nothing where the server does not say so, or where they are very many.
pub(crate) async fn members_of(rest: &Rest, channel: &ChannelId) -> Result<Option<BTreeSet<UserId>>, ChatError> {
    #[derive(serde::Deserialize)]
    struct Member {
        user_id: String,
    }
    let path = format!("channels/{}/members", segment(channel.as_str())?);
    let (mut members, size) = (BTreeSet::new(), PAGE.to_string());
    for page in 0..=MOST_MEMBERS / PAGE {
        let query = [("page", page.to_string()), ("per_page", size.clone())];
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let found: Vec<Member> = match rest.look_up(&path, &query).await {
            Ok(found) => found,
            Err(ChatError::Unknown { .. } | ChatError::Refused { .. }) => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let whole = found.len() < PAGE;
        members.extend(found.into_iter().map(|member| UserId::new(member.user_id)));
        if whole {
            return Ok(Some(members));
        }
    }
    Ok(None)
}

/// Those of these users who are deactivated, or bots.
pub(crate) async fn inactive_of(rest: &Rest, users: &BTreeSet<UserId>) -> Result<Vec<UserId>, ChatError> {
    let users: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let mut inactive = Vec::new();
    for some in users.chunks(PAGE) {
        let found: Vec<User> = rest.ask("users/ids", &some).await?;
        inactive.extend(found.into_iter().filter(User::is_inactive).map(|user| UserId::new(user.id)));
    }
    Ok(inactive)
}
