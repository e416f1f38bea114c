//! Finding people: lists, searches and completions. All are in the order of names.

use super::channels::{Pages, readable, visible_team};
use super::{Caller, body, id};
use crate::sandbox::mattermost::model::User;
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use crate::sandbox::mattermost::world::World;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The most that a search finds.
const SEARCH_LIMIT: usize = 1000;
/// What a search finds that does not say how much it wants.
const USUAL_LIMIT: usize = 100;

fn by_name(world: &World) -> Vec<&User> {
    let mut users: Vec<&User> = world.users.values().collect();
    users.sort_by(|one, other| one.username.cmp(&other.username));
    users
}

fn shown<'a>(world: &World, users: impl Iterator<Item = &'a User>) -> Value {
    users.map(|user| world.user_json(user)).collect()
}

/// Every word of the term is the beginning of the name.
fn matches(user: &User, term: &str) -> bool {
    let name = user.username.to_lowercase();
    term.split_whitespace().all(|word| name.starts_with(&word.trim_start_matches('@').to_lowercase()))
}

#[derive(Deserialize)]
pub(super) struct Among {
    #[serde(default)]
    in_channel: String,
    #[serde(default)]
    in_team: String,
    #[serde(default)]
    not_in_channel: String,
    #[serde(default)]
    not_in_team: String,
}

/// All users, or those who are in a channel or a team, or are not.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Query(among): Query<Among>,
    Query(pages): Query<Pages>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    if !among.not_in_channel.is_empty() && among.in_team.is_empty() {
        return Err(Refusal::bad_url("team_id"));
    }
    for channel in [&among.in_channel, &among.not_in_channel].into_iter().filter(|channel| !channel.is_empty()) {
        readable(&world, channel, &caller)?;
    }
    for team in [&among.in_team, &among.not_in_team].into_iter().filter(|team| !team.is_empty()) {
        visible_team(&world, world.teams.get(team), &caller)?;
    }
    let (skip, take) = pages.window();
    let users = by_name(&world).into_iter().filter(|user| {
        (among.in_channel.is_empty() || world.in_channel(&among.in_channel, &user.id))
            && (among.in_team.is_empty() || world.in_team(&among.in_team, &user.id))
            && (among.not_in_channel.is_empty() || !world.in_channel(&among.not_in_channel, &user.id))
            && (among.not_in_team.is_empty() || !world.in_team(&among.not_in_team, &user.id))
    });
    Ok(Json(shown(&world, users.skip(skip).take(take))))
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    term: String,
    #[serde(default)]
    team_id: String,
    #[serde(default)]
    not_in_team_id: String,
    #[serde(default)]
    in_channel_id: String,
    #[serde(default)]
    not_in_channel_id: String,
    #[serde(default)]
    allow_inactive: bool,
    #[serde(default)]
    limit: usize,
}

/// The first of what is said where counts: a channel, not a channel, not a team, a team.
pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let wanted: Search = body(&bytes, "")?;
    if wanted.term.is_empty() {
        return Err(Refusal::bad_body("term"));
    }
    if wanted.team_id.is_empty() && !wanted.not_in_channel_id.is_empty() {
        return Err(Refusal::bad_body("team_id"));
    }
    if wanted.limit > SEARCH_LIMIT {
        return Err(Refusal::bad_body("limit"));
    }
    let world = shared.world();
    for channel in [&wanted.in_channel_id, &wanted.not_in_channel_id].into_iter().filter(|one| !one.is_empty()) {
        readable(&world, channel, &caller)?;
    }
    for team in [&wanted.team_id, &wanted.not_in_team_id].into_iter().filter(|one| !one.is_empty()) {
        visible_team(&world, world.teams.get(team), &caller)?;
    }
    let among = |user: &User| {
        let in_team = wanted.team_id.is_empty() || world.in_team(&wanted.team_id, &user.id);
        if !wanted.in_channel_id.is_empty() {
            world.in_channel(&wanted.in_channel_id, &user.id)
        } else if !wanted.not_in_channel_id.is_empty() {
            in_team && !world.in_channel(&wanted.not_in_channel_id, &user.id)
        } else if !wanted.not_in_team_id.is_empty() {
            !world.in_team(&wanted.not_in_team_id, &user.id)
        } else {
            in_team
        }
    };
    let limit = if wanted.limit == 0 { USUAL_LIMIT } else { wanted.limit };
    let users = by_name(&world).into_iter().filter(|user| wanted.allow_inactive || user.delete_at == 0);
    Ok(Json(shown(&world, users.filter(|user| among(user) && matches(user, &wanted.term)).take(limit))))
}

#[derive(Deserialize)]
pub(super) struct Beginning {
    #[serde(default)]
    name: String,
    #[serde(default)]
    in_team: String,
    #[serde(default)]
    in_channel: String,
    limit: Option<usize>,
}

/// Whom a name that is being written may mean: those in the channel, and apart from them those who are in the team only.
pub(super) async fn autocomplete(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Query(wanted): Query<Beginning>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    if !wanted.in_channel.is_empty() {
        readable(&world, &wanted.in_channel, &caller)?;
    }
    if !wanted.in_team.is_empty() {
        visible_team(&world, world.teams.get(&wanted.in_team), &caller)?;
    } else if !wanted.in_channel.is_empty() {
        return Err(Refusal::new(
            500,
            "api.user.autocomplete_users.missing_team_id.app_error",
            "Team id parameter is required to autocomplete by channel.",
        ));
    }
    let limit = wanted.limit.unwrap_or(USUAL_LIMIT).min(SEARCH_LIMIT);
    let meant = || by_name(&world).into_iter().filter(|user| user.delete_at == 0 && matches(user, &wanted.name));
    let in_team = |user: &&User| wanted.in_team.is_empty() || world.in_team(&wanted.in_team, &user.id);
    if wanted.in_channel.is_empty() {
        return Ok(Json(json!({ "users": shown(&world, meant().filter(in_team).take(limit)) })));
    }
    let inside = |user: &&User| world.in_channel(&wanted.in_channel, &user.id);
    let mut found = json!({ "users": shown(&world, meant().filter(inside).take(limit)) });
    let outside = shown(&world, meant().filter(in_team).filter(|user| !inside(user)).take(limit));
    if outside.as_array().is_some_and(|list| !list.is_empty()) {
        found["out_of_channel"] = outside;
    }
    Ok(Json(found))
}

pub(super) async fn stats(State(shared): State<Arc<Shared>>, _: Caller) -> Json<Value> {
    Json(json!({ "total_users_count": shared.world().users.len() }))
}

pub(super) async fn team_stats(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(team): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let team = id(&team, "team_id")?;
    let world = shared.world();
    visible_team(&world, world.teams.get(team), &caller)?;
    let members = || world.users.values().filter(|user| world.in_team(team, &user.id));
    let active = members().filter(|user| user.delete_at == 0).count();
    Ok(Json(json!({ "team_id": team, "total_member_count": members().count(), "active_member_count": active })))
}

/// Those of these users who are in the team, or all who are.
pub(super) async fn team_members(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(team): Path<String>,
    Query(pages): Query<Pages>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let team = id(&team, "team_id")?;
    let wanted: Option<Vec<String>> = if bytes.is_empty() { None } else { Some(body(&bytes, "user_ids")?) };
    if wanted.as_ref().is_some_and(Vec::is_empty) {
        return Err(Refusal::bad_body("user_ids"));
    }
    let world = shared.world();
    visible_team(&world, world.teams.get(team), &caller)?;
    let members = world.users.keys().filter(|user| world.in_team(team, user));
    let members = members.filter(|user| wanted.as_ref().is_none_or(|wanted| wanted.contains(user)));
    let (skip, take) = if wanted.is_some() { (0, usize::MAX) } else { pages.window() };
    Ok(Json(members.skip(skip).take(take).map(|user| world.team_member_json(team, user)).collect()))
}

/// A bot account, for those who may manage it; others are told that there is none.
pub(super) async fn bot(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(bot): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let bot = id(&bot, "bot_user_id")?;
    let world = shared.world();
    let bot = world.users.get(bot).filter(|user| user.is_bot && world.is_admin(&caller.user_id));
    let bot = bot.ok_or_else(|| Refusal::new(404, "store.sql_bot.get.missing.app_error", "Bot does not exist."))?;
    Ok(Json(json!({
        "user_id": bot.id, "username": bot.username, "owner_id": caller.user_id, "create_at": bot.create_at,
        "update_at": bot.create_at, "delete_at": bot.delete_at,
    })))
}
