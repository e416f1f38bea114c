//! What a user has set for themselves, and the side bar, which clients make of it.

use super::{Caller, body, id};
use crate::sandbox::mattermost::event::{Audience, Event};
use crate::sandbox::mattermost::model::{Channel, ChannelKind};
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize, Serialize)]
struct Preference {
    user_id: String,
    category: String,
    name: String,
    #[serde(default)]
    value: String,
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.own(&user)?;
    let world = shared.world();
    let set = world.preferences.get(&user).into_iter().flatten();
    let shown = |((category, name), value): (&(String, String), &String)| json!({ "user_id": user, "category": category, "name": name, "value": value });
    Ok(Json(set.map(shown).collect()))
}

fn given(caller: &Caller, user: &str, bytes: &Bytes, refusal: &'static str) -> Result<Vec<Preference>, Refusal> {
    let user = caller.own(user)?;
    let preferences: Vec<Preference> = body(bytes, "preferences")?;
    if preferences.iter().any(|one| one.user_id != user) {
        return Err(Refusal::new(403, refusal, "Unable to set user preferences."));
    }
    Ok(preferences)
}

fn tell(shared: &Shared, user: &str, event: &'static str, preferences: &[Preference]) {
    let audience = || Audience::User(user.to_owned());
    let mut world = shared.world();
    world.publish(&Event::new("sidebar_category_updated", audience(), json!({})));
    world.publish(&Event::new(event, audience(), json!({ "preferences": json!(preferences).to_string() })));
}

pub(super) async fn save(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let preferences = given(&caller, &user, &bytes, "api.preference.update_preferences.set.app_error")?;
    for one in &preferences {
        let key = (one.category.clone(), one.name.clone());
        shared.world().preferences.entry(caller.user_id.clone()).or_default().insert(key, one.value.clone());
    }
    tell(&shared, &caller.user_id, "preferences_changed", &preferences);
    Ok(Json(json!({ "status": "OK" })))
}

pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(user): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let preferences = given(&caller, &user, &bytes, "api.preference.delete_preferences.delete.app_error")?;
    for one in &preferences {
        let key = (one.category.clone(), one.name.clone());
        shared.world().preferences.entry(caller.user_id.clone()).or_default().remove(&key);
    }
    tell(&shared, &caller.user_id, "preferences_deleted", &preferences);
    Ok(Json(json!({ "status": "OK" })))
}

/// The three categories that every user has. Nobody has made others.
pub(super) async fn categories(
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
    let mut channels: Vec<&Channel> = world.channels.values().filter(|one| one.delete_at == 0).collect();
    channels.retain(|channel| world.in_channel(&channel.id, &user));
    channels.sort_by_key(|channel| channel.display_name.to_lowercase());
    let ids = |direct: bool| -> Vec<&str> {
        let of_kind = channels.iter().filter(|channel| (channel.kind == ChannelKind::Direct) == direct);
        of_kind.filter(|channel| direct || channel.team_id == team).map(|channel| channel.id.as_str()).collect()
    };
    let category = |kind: &str, display_name: &str, sorting: &str, channel_ids: Vec<&str>| {
        json!({
            "id": format!("{kind}_{user}_{team}"), "user_id": user, "team_id": team, "sorting": sorting, "type": kind,
            "display_name": display_name, "muted": false, "collapsed": false, "channel_ids": channel_ids,
        })
    };
    let categories = [
        category("favorites", "Favorites", "", Vec::new()),
        category("channels", "Channels", "", ids(false)),
        category("direct_messages", "Direct Messages", "recent", ids(true)),
    ];
    let order: Vec<&Value> = categories.iter().map(|category| &category["id"]).collect();
    Ok(Json(json!({ "order": order, "categories": categories })))
}
