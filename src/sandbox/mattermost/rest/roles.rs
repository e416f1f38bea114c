//! Roles: what their holders may do, as clients ask before they show a thing. The sandbox itself decides by membership.

use super::{Caller, body};
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use std::sync::Arc;

/// When the roles of an installation were made.
const INSTALLED: i64 = 1_625_097_600_000;

/// A role's name, its id, the word in its texts, and its permissions.
const ROLES: [(&str, &str, &str, &[&str]); 6] = [
    (
        "system_user",
        "sandboxroleofasystemuser11",
        "global_user",
        &[
            "list_public_teams",
            "join_public_teams",
            "create_direct_channel",
            "create_group_channel",
            "view_members",
            "create_team",
            "create_emojis",
            "edit_post",
        ],
    ),
    (
        "system_admin",
        "sandboxroleofanadmin111111",
        "global_admin",
        &[
            "manage_system",
            "create_post",
            "create_post_public",
            "create_post_ephemeral",
            "edit_post",
            "edit_others_posts",
        ],
    ),
    (
        "team_user",
        "sandboxroleofateamuser1111",
        "team_user",
        &[
            "list_team_channels",
            "join_public_channels",
            "read_public_channel",
            "view_team",
            "create_public_channel",
            "create_private_channel",
            "invite_user",
            "add_user_to_team",
        ],
    ),
    (
        "team_admin",
        "sandboxroleofateamadmin111",
        "team_admin",
        &["manage_team", "manage_team_roles", "remove_user_from_team"],
    ),
    (
        "channel_user",
        "sandboxroleofachanneluser1",
        "channel_user",
        &[
            "read_channel",
            "add_reaction",
            "remove_reaction",
            "manage_public_channel_members",
            "manage_private_channel_members",
            "manage_public_channel_properties",
            "manage_private_channel_properties",
            "delete_public_channel",
            "delete_private_channel",
            "upload_file",
            "get_public_link",
            "create_post",
            "edit_post",
            "delete_post",
            "use_channel_mentions",
            "use_slash_commands",
        ],
    ),
    ("channel_admin", "sandboxroleofachanneladmin", "channel_admin", &["manage_channel_roles", "use_group_mentions"]),
];

/// What every user may do with custom groups, unless that was taken away.
const CUSTOM_GROUPS: [&str; 5] = [
    "create_custom_group",
    "edit_custom_group",
    "delete_custom_group",
    "restore_custom_group",
    "manage_custom_group_members",
];

fn role_json((name, id, word, permissions): &(&str, &str, &str, &[&str]), shared: &Shared) -> Value {
    let open = *name == "system_user" && !shared.world().custom_groups_kept;
    let more: &[&str] = if open { &CUSTOM_GROUPS } else { &[] };
    let permissions = [permissions, more].concat();
    json!({
        "id": id, "name": name, "display_name": format!("authentication.roles.{word}.name"),
        "description": format!("authentication.roles.{word}.description"), "create_at": INSTALLED, "update_at": INSTALLED,
        "delete_at": 0, "permissions": permissions, "scheme_managed": true, "built_in": true,
    })
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Unknown names are left out.
pub(super) async fn by_names(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let names: Vec<String> = body(&bytes, "rolenames")?;
    if names.is_empty() {
        return Err(Refusal::bad_body("rolenames"));
    }
    if !names.iter().all(|name| is_name(name)) {
        return Err(Refusal::bad_body("rolename"));
    }
    let found = ROLES.iter().filter(|(name, ..)| names.iter().any(|one| one == name));
    Ok(Json(found.map(|role| role_json(role, &shared)).collect()))
}

pub(super) async fn by_name(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let found = ROLES.iter().find(|(one, ..)| *one == name);
    let unknown = || Refusal::new(404, "app.role.get_by_name.app_error", "Unable to get role.");
    found.map(|role| Json(role_json(role, &shared))).ok_or_else(unknown)
}
