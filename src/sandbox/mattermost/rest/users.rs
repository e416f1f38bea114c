//! Users and what belongs to them.

use super::{Caller, body, id};
use crate::sandbox::mattermost::event::{Audience, Event, Happening};
use crate::sandbox::mattermost::model::{Channel, User};
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use crate::sandbox::mattermost::world::World;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    login_id: String,
    #[serde(default)]
    password: String,
}

/// The token comes in the header `Token`. Bots cannot log in.
pub(super) async fn login(
    State(shared): State<Arc<Shared>>,
    bytes: Bytes,
) -> Result<(HeaderMap, Json<Value>), Refusal> {
    let login: Login = body(&bytes, "login")?;
    let mut world = shared.world();
    let wrong = || {
        Refusal::new(
            401,
            "api.user.login.invalid_credentials_email_username",
            "Enter a valid email or username and/or password.",
        )
    };
    let user = world.user_by_name(&login.login_id).cloned().ok_or_else(wrong)?;
    if user.is_bot {
        return Err(Refusal::new(401, "api.user.login.bot_login_forbidden.app_error", "Bot login is forbidden."));
    }
    if user.delete_at != 0 {
        return Err(Refusal::new(
            401,
            "api.user.login.inactive.app_error",
            "Login failed because your account has been deactivated.",
        ));
    }
    let right = user.password.as_deref() == Some(login.password.as_str());
    if let Some(known) = world.users.get_mut(&user.id) {
        known.failed_attempts = if right { 0 } else { known.failed_attempts + 1 };
    }
    if !right {
        return Err(wrong());
    }
    let token = world.open_session(&user.id, true);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&token) {
        headers.insert(HeaderName::from_static("token"), value);
    }
    // As it was before: with the failures that this login forgives.
    Ok((headers, Json(world.own_user_json(&user))))
}

/// The token is not valid any more.
pub(super) async fn logout(State(shared): State<Arc<Shared>>, caller: Caller) -> Json<Value> {
    shared.world().sessions.remove(&caller.token);
    Json(json!({ "status": "OK" }))
}

pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.subject(&user)?;
    let world = shared.world();
    let user = world.users.get(&user).ok_or_else(Refusal::no_user)?;
    let shown = if user.id == caller.user_id { world.own_user_json(user) } else { world.user_json(user) };
    Ok(Json(shown))
}

pub(super) async fn by_name(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || ".-_".contains(letter);
    if !name.chars().all(letters) {
        return Err(Refusal::bad_body("username"));
    }
    let world = shared.world();
    let unknown = || {
        Refusal::new(
            404,
            "app.user.get_by_username.app_error",
            "Unable to find an existing account matching your username for this team.",
        )
    };
    let user = world.user_by_name(&name).ok_or_else(unknown)?;
    Ok(Json(world.user_json(user)))
}

fn many<'a>(world: &World, users: impl Iterator<Item = &'a User>) -> Json<Value> {
    Json(users.map(|user| world.user_json(user)).collect())
}

pub(super) async fn by_ids(State(shared): State<Arc<Shared>>, _: Caller, bytes: Bytes) -> Result<Json<Value>, Refusal> {
    let ids: Vec<String> = body(&bytes, "user_ids")?;
    if ids.is_empty() {
        return Err(Refusal::bad_body("user_ids"));
    }
    let world = shared.world();
    Ok(many(&world, world.users.values().filter(|user| ids.contains(&user.id))))
}

pub(super) async fn by_names(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let names: Vec<String> = body(&bytes, "usernames")?;
    if names.is_empty() {
        return Err(Refusal::bad_body("usernames"));
    }
    let world = shared.world();
    Ok(many(&world, world.users.values().filter(|user| names.contains(&user.username))))
}

fn status_json(user: &User) -> Value {
    json!({ "user_id": user.id, "status": user.status, "manual": user.status_manual, "last_activity_at": 0, "active_channel": "" })
}

pub(super) async fn status(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.subject(&user)?;
    let world = shared.world();
    let unknown = || Refusal::new(404, "app.status.get.missing.app_error", "No entry for that status exists.");
    Ok(Json(status_json(world.users.get(&user).ok_or_else(unknown)?)))
}

pub(super) async fn statuses(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let ids: Vec<String> = body(&bytes, "user_ids")?;
    let world = shared.world();
    Ok(Json(world.users.values().filter(|user| ids.contains(&user.id)).map(status_json).collect()))
}

#[derive(Deserialize)]
struct NewStatus {
    user_id: String,
    status: String,
}

pub(super) async fn put_status(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let wanted: NewStatus = body(&bytes, "status")?;
    if wanted.user_id != user {
        return Err(Refusal::bad_body("user_id"));
    }
    if !["online", "away", "dnd", "offline"].contains(&wanted.status.as_str()) {
        return Err(Refusal::bad_body("status"));
    }
    let mut world = shared.world();
    world.set_status(&user, &wanted.status);
    if let Some(user) = world.users.get_mut(&user) {
        // Nobody is online by decision.
        user.status_manual = wanted.status != "online";
    }
    Ok(Json(world.users.get(&user).map(status_json).unwrap_or_default()))
}

#[derive(Deserialize)]
struct Typing {
    #[serde(default)]
    channel_id: String,
    #[serde(default)]
    parent_id: String,
}

pub(super) async fn typing(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let user_id = caller.own(&user)?;
    let typing: Typing = body(&bytes, "typing")?;
    let mut world = shared.world();
    if !world.in_channel(&typing.channel_id, &user_id) {
        return Err(Refusal::forbidden("create_post"));
    }
    let data = json!({ "parent_id": typing.parent_id, "user_id": user_id });
    world.publish(&Event::new("typing", Audience::ChannelExcept(typing.channel_id.clone(), user_id.clone()), data));
    world.tell(Happening::Typing { user_id, channel_id: typing.channel_id });
    Ok(Json(json!({ "status": "OK" })))
}

pub(super) async fn teams(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let world = shared.world();
    let teams = world.teams.values().filter(|team| world.in_team(&team.id, &user));
    Ok(Json(teams.map(|team| world.team_json(team)).collect()))
}

pub(super) async fn team_memberships(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let world = shared.world();
    let teams = world.teams.keys().filter(|team| world.in_team(team, &user));
    Ok(Json(teams.map(|team| world.team_member_json(team, &user)).collect()))
}

pub(super) async fn channels(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let world = shared.world();
    let channels =
        world.channels.values().filter(|channel| channel.delete_at == 0 && world.in_channel(&channel.id, &user));
    Ok(Json(channels.map(|channel| world.channel_json(channel)).collect()))
}

/// Direct channels belong to every team.
pub(super) async fn team_channels(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((user, team)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let team = id(&team, "team_id")?;
    let world = shared.world();
    if !world.in_team(team, &user) {
        return Err(Refusal::forbidden("view_team"));
    }
    let mut channels: Vec<&Channel> = world
        .channels
        .values()
        .filter(|channel| channel.team_id == team || channel.team_id.is_empty())
        .filter(|channel| channel.delete_at == 0 && world.in_channel(&channel.id, &user))
        .collect();
    channels.sort_by_key(|channel| channel.display_name.to_lowercase());
    Ok(Json(channels.into_iter().map(|channel| world.channel_json(channel)).collect()))
}

pub(super) async fn channel_memberships(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((user, team)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let team = id(&team, "team_id")?;
    let world = shared.world();
    let channels = world
        .channels
        .values()
        .filter(|channel| channel.team_id == team || channel.team_id.is_empty())
        .filter(|channel| world.in_channel(&channel.id, &user));
    Ok(Json(channels.map(|channel| world.member_json(&channel.id, &user)).collect()))
}
