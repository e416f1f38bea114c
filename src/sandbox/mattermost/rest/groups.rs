//! Groups: who is in one. A server without a licence has none, and says so.

use super::channels::Pages;
use super::{Caller, id};
use crate::sandbox::mattermost::model::Group;
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use crate::sandbox::mattermost::world::World;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};
use std::sync::Arc;

/// What lets somebody read the members of a group of the directory service.
const READ: &str = "sysconsole_read_user_management_groups";

fn licensed(world: &World) -> Result<(), Refusal> {
    if world.groups_licensed {
        return Ok(());
    }
    if world.limits.release.is_recent() {
        return Err(Refusal::new(403, "api.license_error", "Your license does not support this feature."));
    }
    Err(Refusal::new(501, "api.ldap_groups.license_error", "Your license does not support LDAP groups."))
}

fn group_json(group: &Group) -> Value {
    json!({
        "id": group.id, "name": group.name, "display_name": group.display_name, "description": "",
        "source": group.source, "remote_id": group.remote_id, "create_at": group.create_at,
        "update_at": group.create_at, "delete_at": 0, "has_syncables": false, "allow_reference": true,
    })
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Query(pages): Query<Pages>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    licensed(&world)?;
    let mut groups: Vec<&Group> = world.groups.values().collect();
    groups.sort_by(|one, other| one.display_name.cmp(&other.display_name));
    let (skip, take) = pages.window();
    Ok(Json(groups.into_iter().skip(skip).take(take).map(group_json).collect()))
}

pub(super) async fn members(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(group): Path<String>,
    Query(pages): Query<Pages>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    licensed(&world)?;
    let unknown = || Refusal::new(404, "app.group.no_rows", "no matching group found");
    let group = world.groups.get(id(&group, "group_id")?).ok_or_else(unknown)?;
    let may_read = world.is_admin(&caller.user_id) || world.group_readers.contains(&caller.user_id);
    if group.source == "ldap" && !may_read {
        return Err(Refusal::forbidden(READ));
    }
    let active = group.members.iter().filter_map(|member| world.users.get(member)).filter(|user| user.delete_at == 0);
    let shown: Vec<Value> = active.map(|user| world.user_json(user)).collect();
    let count = shown.len();
    let (skip, take) = pages.window();
    let shown: Vec<Value> = shown.into_iter().skip(skip).take(take).collect();
    Ok(Json(json!({ "members": shown, "total_member_count": count })))
}
