//! Teams, channels and their members.

use super::{Caller, body, id};
use crate::sandbox::mattermost::event::{Audience, Event};
use crate::sandbox::mattermost::id::is_id;
use crate::sandbox::mattermost::model::{Channel, ChannelKind, Team};
use crate::sandbox::mattermost::posting::Draft;
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use crate::sandbox::mattermost::world::World;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn visible_team<'a>(world: &World, team: Option<&'a Team>, caller: &Caller) -> Result<&'a Team, Refusal> {
    let unknown = || Refusal::new(404, "app.team.get_by_name.missing.app_error", "Unable to find the existing team.");
    let team = team.ok_or_else(unknown)?;
    if world.in_team(&team.id, &caller.user_id) || world.is_admin(&caller.user_id) {
        Ok(team)
    } else {
        Err(Refusal::forbidden("view_team"))
    }
}

pub(super) async fn team_by_name(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let team = visible_team(&world, world.team_by_name(&name), &caller)?;
    Ok(Json(world.team_json(team)))
}

pub(super) async fn team_exists(State(shared): State<Arc<Shared>>, _: Caller, Path(name): Path<String>) -> Json<Value> {
    Json(json!({ "exists": shared.world().team_by_name(&name).is_some() }))
}

pub(super) async fn team(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(team): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let team = id(&team, "team_id")?;
    let world = shared.world();
    let team = world
        .teams
        .get(team)
        .ok_or_else(|| Refusal::new(404, "app.team.get.find.app_error", "Unable to find the existing team."))?;
    let team = visible_team(&world, Some(team), &caller)?;
    Ok(Json(world.team_json(team)))
}

pub(super) async fn team_member(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((team, user)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let team = id(&team, "team_id")?;
    let user = caller.subject(&user)?;
    let world = shared.world();
    visible_team(&world, world.teams.get(team), &caller)?;
    if !world.in_team(team, &user) {
        return Err(Refusal::new(404, "app.team.get_member.missing.app_error", "No team member found."));
    }
    Ok(Json(world.team_member_json(team, &user)))
}

/// A private channel of others is not known to exist.
fn named<'a>(world: &'a World, team: &str, name: &str, caller: &Caller) -> Result<&'a Channel, Refusal> {
    let unknown = || Refusal::new(404, "app.channel.get_by_name.missing.app_error", "Channel does not exist.");
    let channel = world.channel_by_name(team, &name.to_lowercase()).filter(|channel| channel.delete_at == 0);
    let channel = channel.ok_or_else(unknown)?;
    if world.may_read(channel, &caller.user_id) {
        Ok(channel)
    } else if channel.kind == ChannelKind::Open {
        Err(Refusal::forbidden("read_channel"))
    } else {
        Err(unknown())
    }
}

pub(super) async fn by_names(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((team, channel)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let unknown = || Refusal::new(404, "app.team.get_by_name.missing.app_error", "Unable to find the existing team.");
    let team = world.team_by_name(&team).ok_or_else(unknown)?;
    let channel = named(&world, &team.id, &channel, &caller)?;
    Ok(Json(world.channel_json(channel)))
}

pub(super) async fn by_name(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((team, channel)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let team = id(&team, "team_id")?;
    let world = shared.world();
    let channel = named(&world, team, &channel, &caller)?;
    Ok(Json(world.channel_json(channel)))
}

/// A channel that the caller may read.
pub(super) fn readable<'a>(world: &'a World, channel: &str, caller: &Caller) -> Result<&'a Channel, Refusal> {
    let channel = world.channels.get(id(channel, "channel_id")?).ok_or_else(Refusal::no_channel)?;
    if world.may_read(channel, &caller.user_id) { Ok(channel) } else { Err(Refusal::forbidden("read_channel")) }
}

pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let channel = readable(&world, &channel, &caller)?;
    Ok(Json(world.channel_json(channel)))
}

pub(super) async fn stats(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let channel = readable(&world, &channel, &caller)?;
    let members = world.channel_members.get(&channel.id).map_or(0, BTreeSet::len);
    let pinned = world.posts.iter().filter(|p| p.channel_id == channel.id && p.is_pinned && p.delete_at == 0).count();
    let files = world.files.values().filter(|file| file.channel_id == channel.id && !file.post_id.is_empty()).count();
    let mut stats =
        json!({ "channel_id": channel.id, "member_count": members, "guest_count": 0, "pinnedpost_count": pinned });
    if world.limits.release.is_recent() {
        stats["files_count"] = json!(files);
    }
    Ok(Json(stats))
}

#[derive(Deserialize)]
pub(super) struct Pages {
    #[serde(default)]
    page: usize,
    per_page: Option<usize>,
}

impl Pages {
    pub(super) fn window(&self) -> (usize, usize) {
        let per_page = self.per_page.unwrap_or(60).clamp(1, 200);
        (self.page.saturating_mul(per_page), per_page)
    }
}

pub(super) async fn members(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
    Query(pages): Query<Pages>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let channel = readable(&world, &channel, &caller)?;
    let (skip, take) = pages.window();
    let members = world.channel_members.get(&channel.id).into_iter().flatten().skip(skip).take(take);
    Ok(Json(members.map(|user| world.member_json(&channel.id, user)).collect()))
}

pub(super) async fn member(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((channel, user)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.subject(&user)?;
    let world = shared.world();
    // Who is in a channel is told to its members only, and an unknown channel has none.
    let channel = id(&channel, "channel_id")?;
    if !world.in_channel(channel, &caller.user_id) && !world.is_admin(&caller.user_id) {
        return Err(Refusal::forbidden("read_channel"));
    }
    if !world.in_channel(channel, &user) {
        return Err(Refusal::new(
            404,
            "app.channel.get_member.missing.app_error",
            "No channel member found for that user ID and channel ID.",
        ));
    }
    Ok(Json(world.member_json(channel, &user)))
}

#[derive(Deserialize)]
struct NewMember {
    #[serde(default)]
    user_id: String,
}

fn write_as_system(world: &mut World, kind: &str, user_id: &str, channel_id: &str, props: Value, message: String) {
    let draft = Draft {
        user: user_id.to_owned(),
        channel: channel_id.to_owned(),
        message,
        props: props.as_object().cloned().unwrap_or_default(),
        kind: kind.to_owned(),
        ..Draft::default()
    };
    // A line about the change is a courtesy; the change itself has happened.
    let _ = world.create_post(draft);
}

pub(super) async fn add_member(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewMember = body(&bytes, "channel_member")?;
    if !is_id(&wanted.user_id) {
        return Err(Refusal::bad_body("user_id"));
    }
    let mut world = shared.world();
    let channel = readable(&world, &channel, &caller)?.clone();
    let user = world.users.get(&wanted.user_id).ok_or_else(Refusal::no_user)?.clone();
    if channel.kind == ChannelKind::Direct
        || !world.in_channel(&channel.id, &caller.user_id) && user.id != caller.user_id
    {
        return Err(Refusal::forbidden("manage_public_channel_members"));
    }
    if !world.in_team(&channel.team_id, &user.id) {
        return Err(Refusal::new(404, "app.team.get_member.missing.app_error", "No team member found."));
    }
    world.join_channel(&channel.id, &user.id);
    let own = world.find_user(&caller.user_id)?.username.clone();
    let (kind, props, line) = if user.id == caller.user_id {
        ("system_join_channel", json!({ "username": own }), format!("{own} joined the channel."))
    } else {
        let props = json!({
            "userId": caller.user_id, "username": own, "addedUserId": user.id, "addedUsername": user.username,
        });
        ("system_add_to_channel", props, format!("{} added to the channel by {own}.", user.username))
    };
    write_as_system(&mut world, kind, &caller.user_id, &channel.id, props, line);
    Ok((StatusCode::CREATED, Json(world.member_json(&channel.id, &user.id))))
}

pub(super) async fn remove_member(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((channel, user)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.subject(&user)?;
    let mut world = shared.world();
    let channel = readable(&world, &channel, &caller)?.clone();
    if !world.in_channel(&channel.id, &caller.user_id) {
        return Err(Refusal::forbidden("manage_public_channel_members"));
    }
    if !world.in_channel(&channel.id, &user) {
        return Err(Refusal::new(
            404,
            "app.channel.get_member.missing.app_error",
            "No channel member found for that user ID and channel ID.",
        ));
    }
    let name = world.find_user(&user)?.username.clone();
    world.leave_channel(&channel.id, &user, &caller.user_id);
    let (kind, props, line) = if user == caller.user_id {
        ("system_leave_channel", json!({ "username": name }), format!("{name} has left the channel."))
    } else {
        let props = json!({ "removedUserId": user, "removedUsername": name });
        ("system_remove_from_channel", props, format!("{name} was removed from the channel."))
    };
    write_as_system(&mut world, kind, &caller.user_id, &channel.id, props, line);
    Ok(Json(json!({ "status": "OK" })))
}

#[derive(Deserialize)]
struct NewChannel {
    #[serde(default)]
    team_id: String,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    header: String,
    #[serde(default)]
    purpose: String,
}

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewChannel = body(&bytes, "channel")?;
    let kind = match wanted.kind.as_str() {
        "O" => ChannelKind::Open,
        "P" => ChannelKind::Private,
        _ => return Err(Refusal::bad_body("type")),
    };
    let mut world = shared.world();
    if !world.in_team(&wanted.team_id, &caller.user_id) {
        return Err(Refusal::forbidden("create_public_channel"));
    }
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if wanted.name.is_empty() || wanted.name.len() > 64 || !wanted.name.chars().all(letters) {
        return Err(Refusal::new(400, "model.channel.is_valid.1_or_more.app_error", "Invalid channel name."));
    }
    if world.channel_by_name(&wanted.team_id, &wanted.name).is_some() {
        return Err(Refusal::new(
            400,
            "store.sql_channel.save_channel.exists.app_error",
            "A channel with that name already exists on the same team.",
        ));
    }
    let id = world.create_channel(&wanted.team_id, &wanted.name, kind, &caller.user_id);
    if let Some(channel) = world.channels.get_mut(&id) {
        channel.header = wanted.header;
        channel.purpose = wanted.purpose;
        if !wanted.display_name.is_empty() {
            channel.display_name = wanted.display_name;
        }
    }
    let channel = world.channels.get(&id).ok_or_else(Refusal::no_channel)?;
    Ok((StatusCode::CREATED, Json(world.channel_json(channel))))
}

pub(super) async fn direct(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let users: Vec<String> = body(&bytes, "user_ids")?;
    let [one, other] = users.as_slice() else { return Err(Refusal::bad_body("user_ids")) };
    if !is_id(one) || !is_id(other) {
        return Err(Refusal::bad_body("user_ids"));
    }
    let mut world = shared.world();
    if *one != caller.user_id && *other != caller.user_id && !world.is_admin(&caller.user_id) {
        return Err(Refusal::forbidden("create_direct_channel"));
    }
    if !world.users.contains_key(one) || !world.users.contains_key(other) {
        return Err(Refusal::new(
            400,
            "api.channel.create_direct_channel.invalid_user.app_error",
            "Invalid user ID for direct channel creation.",
        ));
    }
    let id = world.direct_channel(one, other);
    let channel = world.channels.get(&id).ok_or_else(Refusal::no_channel)?;
    Ok((StatusCode::CREATED, Json(world.channel_json(channel))))
}

#[derive(Deserialize)]
struct ChannelPatch {
    display_name: Option<String>,
    header: Option<String>,
    purpose: Option<String>,
}

/// Each change is told by a line of the system, and all of them by one event.
pub(super) async fn patch(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let wanted: ChannelPatch = body(&bytes, "channel")?;
    let mut world = shared.world();
    let old = readable(&world, &channel, &caller)?.clone();
    if !world.in_channel(&old.id, &caller.user_id) && !world.is_admin(&caller.user_id) {
        return Err(Refusal::forbidden("manage_public_channel_properties"));
    }
    let name = world.find_user(&caller.user_id)?.username.clone();
    let channel = world.channels.get_mut(&old.id).ok_or_else(Refusal::no_channel)?;
    let mut lines = Vec::new();
    for (kind, what, field, new) in [
        ("system_displayname_change", "display name", &mut channel.display_name, wanted.display_name),
        ("system_header_change", "header", &mut channel.header, wanted.header),
        ("system_purpose_change", "purpose", &mut channel.purpose, wanted.purpose),
    ] {
        if let Some(new) = new.filter(|new| new != field) {
            let old = std::mem::replace(field, new.clone());
            let word = what.replace(' ', "");
            let props = json!({ "username": name, format!("old_{word}"): old, format!("new_{word}"): new });
            lines.push((kind, props, format!("{name} updated the channel {what} from: {old} to: {new}")));
        }
    }
    let shown = world.channels.get(&old.id).map(|channel| world.channel_json(channel)).unwrap_or_default();
    let data = json!({ "channel": shown.to_string() });
    world.publish(&Event::new("channel_updated", Audience::Channel(old.id.clone()), data));
    for (kind, props, line) in lines {
        write_as_system(&mut world, kind, &caller.user_id, &old.id, props, line);
    }
    Ok(Json(shown))
}

/// The channel is put away; its posts stay, and nobody writes there any more.
pub(super) async fn archive(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let mut world = shared.world();
    let channel = readable(&world, &channel, &caller)?.clone();
    if channel.kind == ChannelKind::Direct {
        return Err(Refusal::new(
            400,
            "api.channel.delete_channel.type.invalid",
            "Unable to delete direct or group message channels.",
        ));
    }
    if !world.in_channel(&channel.id, &caller.user_id) && !world.is_admin(&caller.user_id) {
        return Err(Refusal::forbidden("delete_public_channel"));
    }
    if channel.delete_at != 0 {
        return Err(Refusal::new(
            400,
            "api.channel.delete_channel.deleted.app_error",
            "The channel has been archived or deleted.",
        ));
    }
    if channel.name == "town-square" {
        return Err(Refusal::new(
            400,
            "api.channel.delete_channel.cannot.app_error",
            "Unable to delete the default channel town-square.",
        ));
    }
    let name = world.find_user(&caller.user_id)?.username.clone();
    let line = format!("{name} archived the channel.");
    let props = json!({ "username": name });
    write_as_system(&mut world, "system_channel_deleted", &caller.user_id, &channel.id, props, line);
    let now = world.tick();
    if let Some(channel) = world.channels.get_mut(&channel.id) {
        channel.delete_at = now;
    }
    let data = json!({ "channel_id": channel.id, "delete_at": now });
    world.publish(&Event::new("channel_deleted", Audience::Team(channel.team_id), data));
    Ok(Json(json!({ "status": "OK" })))
}

/// Those of these users who are in the channel.
pub(super) async fn members_by_ids(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let wanted: Vec<String> = body(&bytes, "user_ids")?;
    if wanted.is_empty() {
        return Err(Refusal::bad_body("user_ids"));
    }
    let world = shared.world();
    let channel = readable(&world, &channel, &caller)?;
    let members = world.channel_members.get(&channel.id).into_iter().flatten().filter(|user| wanted.contains(user));
    Ok(Json(members.map(|user| world.member_json(&channel.id, user)).collect()))
}

/// Nobody here has told theirs.
pub(super) async fn timezones(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
) -> Result<Json<Value>, Refusal> {
    readable(&shared.world(), &channel, &caller)?;
    Ok(Json(json!([])))
}

/// The open channels of a team that are in use, in the order of their names.
fn open_channels<'a>(world: &'a World, team: &str, caller: &Caller) -> Result<Vec<&'a Channel>, Refusal> {
    let team = id(team, "team_id")?;
    if !world.in_team(team, &caller.user_id) && !world.is_admin(&caller.user_id) {
        return Err(Refusal::forbidden("list_team_channels"));
    }
    let all = world.channels.values();
    let mut channels: Vec<&Channel> =
        all.filter(|one| one.team_id == team && one.kind == ChannelKind::Open && one.delete_at == 0).collect();
    channels.sort_by_key(|channel| channel.display_name.to_lowercase());
    Ok(channels)
}

fn begins(channel: &Channel, term: &str) -> bool {
    let term = term.to_lowercase();
    [&channel.name, &channel.display_name, &channel.purpose].iter().any(|text| text.to_lowercase().starts_with(&term))
}

pub(super) async fn of_team(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(team): Path<String>,
    Query(pages): Query<Pages>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let (skip, take) = pages.window();
    let channels = open_channels(&world, &team, &caller)?;
    Ok(Json(channels.into_iter().skip(skip).take(take).map(|channel| world.channel_json(channel)).collect()))
}

#[derive(Deserialize)]
pub(super) struct Beginning {
    #[serde(default, alias = "term")]
    name: String,
}

fn found(shared: &Shared, team: &str, caller: &Caller, beginning: &str) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let channels = open_channels(&world, team, caller)?.into_iter().filter(|channel| begins(channel, beginning));
    Ok(Json(channels.map(|channel| world.channel_json(channel)).collect()))
}

pub(super) async fn autocomplete(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(team): Path<String>,
    Query(beginning): Query<Beginning>,
) -> Result<Json<Value>, Refusal> {
    found(&shared, &team, &caller, &beginning.name)
}

pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(team): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let beginning: Beginning = body(&bytes, "channel_search")?;
    found(&shared, &team, &caller, &beginning.name)
}
