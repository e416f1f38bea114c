//! Reading: what somebody has seen of a channel, what is new to them, and what they search for.

use super::channels::{readable, visible_team};
use super::{Caller, body, id};
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use crate::sandbox::mattermost::timeline::Window;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
struct View {
    #[serde(default)]
    channel_id: String,
}

/// Somebody looks at a channel, or at none any more.
pub(super) async fn view(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let view: View = body(&bytes, "channel_view")?;
    let mut world = shared.world();
    let mut times = json!({});
    if world.in_channel(&view.channel_id, &user) {
        times[&view.channel_id] = json!(world.look_at(&view.channel_id, &user));
    }
    Ok(Json(json!({ "status": "OK", "last_viewed_at_times": times })))
}

pub(super) async fn unread_teams(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let world = shared.world();
    let teams = world.teams.keys().filter(|team| world.in_team(team, &user));
    let shown = |team: &String| {
        let here = world.channels.values().filter(|channel| channel.team_id == *team && channel.delete_at == 0);
        let unread: usize = here.map(|channel| world.unread(&channel.id, &user)).sum();
        json!({ "team_id": team, "msg_count": unread, "mention_count": 0, "mention_count_root": 0, "msg_count_root": unread })
    };
    Ok(Json(teams.map(shown).collect()))
}

#[derive(Deserialize)]
pub(super) struct Around {
    #[serde(default)]
    limit_before: Option<usize>,
    #[serde(default)]
    limit_after: Option<usize>,
}

/// The first post that somebody has not seen, with those about it; the newest when there is none.
pub(super) async fn unread_posts(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((user, channel)): Path<(String, String)>,
    Query(around): Query<Around>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let world = shared.world();
    let channel = readable(&world, &channel, &caller)?;
    let (before, after) = (around.limit_before.unwrap_or(60).min(200), around.limit_after.unwrap_or(60).min(200));
    if after == 0 {
        return Err(Refusal::bad_url("limit_after"));
    }
    let seen = world.seen_until(&channel.id, &user);
    let live = world.posts.iter().filter(|post| post.channel_id == channel.id && post.delete_at == 0);
    let first = live.clone().find(|post| seen > 0 && post.create_at > seen);
    let Some(first) = first else { return Ok(Json(world.timeline(&channel.id, &Window::Newest, 0, before, false))) };
    let newer = live.clone().filter(|post| post.create_at >= first.create_at).take(after);
    let older: Vec<_> = live.filter(|post| post.create_at < first.create_at).collect();
    let older = older[older.len().saturating_sub(before)..].iter().copied();
    let mut chosen: Vec<_> = older.chain(newer).collect();
    chosen.reverse();
    Ok(Json(world.chosen(&channel.id, &chosen)))
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    terms: String,
    #[serde(default)]
    is_or_search: bool,
}

/// Posts of one's channels that have these words, or one of them. Phrases and operators such as `from:` are words like others.
pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(team): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let team = id(&team, "team_id")?;
    let wanted: Search = body(&bytes, "search")?;
    if wanted.terms.is_empty() {
        return Err(Refusal::bad_body("terms"));
    }
    let world = shared.world();
    visible_team(&world, world.teams.get(team), &caller)?;
    let words: Vec<String> = wanted.terms.split_whitespace().map(str::to_lowercase).collect();
    let found: Vec<_> = world
        .posts
        .iter()
        .rev()
        .filter(|post| post.delete_at == 0 && !post.kind.starts_with("system_"))
        .filter(|post| world.in_channel(&post.channel_id, &caller.user_id))
        .filter(|post| {
            world.channels.get(&post.channel_id).is_some_and(|one| one.team_id == team || one.team_id.is_empty())
        })
        .filter(|post| {
            let text = post.message.to_lowercase();
            let has = |word: &String| text.split(|c: char| !c.is_alphanumeric()).any(|one| one == word);
            if wanted.is_or_search { words.iter().any(has) } else { words.iter().all(has) }
        })
        .collect();
    let mut list = world.found(&found);
    list["matches"] = Value::Null;
    Ok(Json(list))
}
