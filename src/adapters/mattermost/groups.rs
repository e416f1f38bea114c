//! Who is in a group of the server: groups of its directory service (LDAP), of plugins, and custom ones.
//!
//! The server lists groups to whoever is logged in where its licence has them, and members of a group of the directory service only to who may
//! read groups in the system console (`sysconsole_read_user_management_groups`). What it will not tell is told with its reason, and whoever asked
//! counts nobody as a member.
//!
//! - **A custom group that everybody may change is none**: by the server's usual permissions any user can put themselves into one. It counts when
//!   users have no permission to make, change, restore or fill custom groups.
//! - **A name that several groups have means none of them.**
//! - What was told last stands, with its date, for as long as the server is in trouble; how long it is good is for others to say.

use super::rest::{Rest, lock, segment};
use crate::core::id::UserId;
use crate::core::input::GroupMembers;
use crate::runtime::ports::ChatError;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// The most that the server gives at once.
const PAGE: usize = 200;
/// How many pages are read at most.
const PAGES: usize = 100;
/// The source of groups that users make.
const CUSTOM: &str = "custom";
/// Roles that everybody has, or every user.
const EVERYBODY: [&str; 2] = ["system_user", "custom_group_user"];
/// What would let their holders put themselves into a custom group.
const CHANGES: [&str; 4] =
    ["manage_custom_group_members", "edit_custom_group", "create_custom_group", "restore_custom_group"];

#[derive(Debug, Clone, Deserialize)]
struct Group {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    remote_id: Option<String>,
    #[serde(default)]
    source: String,
    #[serde(default)]
    delete_at: i64,
}

#[derive(Deserialize)]
struct Members {
    #[serde(default)]
    members: Option<Vec<Member>>,
}

#[derive(Deserialize)]
struct Member {
    id: String,
}

#[derive(Deserialize)]
struct RoleGrants {
    #[serde(default)]
    permissions: Vec<String>,
}

/// Groups as they were told last.
#[derive(Default)]
pub(crate) struct Groups {
    last: Mutex<BTreeMap<String, GroupMembers>>,
}

/// What was found out about groups.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) groups: BTreeMap<String, GroupMembers>,
    /// Those of which nothing is known, and why.
    pub(crate) untold: BTreeMap<String, String>,
}

impl Groups {
    /// The groups of these names.
    pub(crate) async fn look_up(&self, rest: &Rest, now: fn() -> Timestamp, names: &[String]) -> Told {
        let mut told = Told::default();
        if names.is_empty() {
            return told;
        }
        let listed = list(rest).await;
        let mut open = None;
        for name in names {
            let found = match &listed {
                Ok(groups) => pick(groups, name).map_err(Trouble::Lasting),
                Err(problem) => Err(Trouble::of(problem)),
            };
            let asked = match found {
                Ok(group) => members(rest, now, group, &mut open).await,
                Err(trouble) => Err(trouble),
            };
            match asked {
                Ok(group) => drop(told.groups.insert(name.clone(), group)),
                Err(Trouble::Lasting(why)) => drop(told.untold.insert(name.clone(), why)),
                Err(Trouble::Passing(why)) => {
                    let before = lock(&self.last).get(name).cloned();
                    match before {
                        Some(before) => drop(told.groups.insert(name.clone(), before)),
                        None => drop(told.untold.insert(name.clone(), why)),
                    }
                }
            }
        }
        lock(&self.last).clone_from(&told.groups);
        told
    }
}

enum Trouble {
    /// The server will not say it.
    Lasting(String),
    /// It may say it later.
    Passing(String),
}

impl Trouble {
    fn of(problem: &ChatError) -> Self {
        match problem {
            ChatError::Later { .. } | ChatError::Token { .. } => Self::Passing(problem.to_string()),
            ChatError::Refused { .. } | ChatError::Unknown { .. } => Self::Lasting(problem.to_string()),
        }
    }
}

/// Every group that the server shows us.
async fn list(rest: &Rest) -> Result<Vec<Group>, ChatError> {
    let mut groups: Vec<Group> = Vec::new();
    for page in 0..PAGES {
        let (page, size) = (page.to_string(), PAGE.to_string());
        let listed: Vec<Group> =
            rest.look_up("groups", &[("page", page.as_str()), ("per_page", size.as_str())]).await?;
        let whole = listed.len() >= PAGE;
        groups.extend(listed);
        if !whole {
            break;
        }
    }
    groups.retain(|group| group.delete_at == 0);
    Ok(groups)
}

/// The group that a name means: its own name, the one that is shown, or its id in the directory service. Of a distinguished name, the first part
/// is what a group of the directory service is shown as.
fn pick<'g>(groups: &'g [Group], name: &str) -> Result<&'g Group, String> {
    let own = name.trim_start_matches('@');
    let exact = groups.iter().filter(|group| {
        group.name.as_deref() == Some(own) || group.display_name == own || group.remote_id.as_deref() == Some(own)
    });
    let mut found: Vec<&Group> = exact.collect();
    if found.is_empty()
        && let Some(first) = common_name(own)
    {
        let shown = |group: &&Group| group.source != CUSTOM && group.display_name.eq_ignore_ascii_case(first);
        found = groups.iter().filter(shown).collect();
    }
    match found.as_slice() {
        [group] => Ok(group),
        [] => Err("the server shows no group of this name".to_owned()),
        _ => Err("the server has several groups of this name".to_owned()),
    }
}

/// `stormers` of `CN=stormers,OU=groups,DC=example,DC=org`.
fn common_name(name: &str) -> Option<&str> {
    let (first, _) = name.split_once(',')?;
    let (attribute, value) = first.split_once('=')?;
    attribute.trim().eq_ignore_ascii_case("cn").then_some(value.trim())
}

/// Who is in a group. `open` remembers whether everybody may change custom ones.
async fn members(
    rest: &Rest,
    now: fn() -> Timestamp,
    group: &Group,
    open: &mut Option<bool>,
) -> Result<GroupMembers, Trouble> {
    if group.source == CUSTOM {
        let everybody = match open {
            Some(known) => *known,
            None => *open.insert(everybody_changes(rest).await.map_err(|problem| Trouble::of(&problem))?),
        };
        if everybody {
            return Err(Trouble::Lasting(
                "it is a custom group, and every user of the server may change those; take the permissions for custom groups away from all \
                 members in the system console"
                    .to_owned(),
            ));
        }
    }
    let as_of = now();
    let path = segment(&group.id).map(|id| format!("groups/{id}/members")).map_err(|problem| Trouble::of(&problem))?;
    let mut members = BTreeSet::new();
    for page in 0..PAGES {
        let (page, size) = (page.to_string(), PAGE.to_string());
        let query = [("page", page.as_str()), ("per_page", size.as_str())];
        let listed: Members = rest.look_up(&path, &query).await.map_err(|problem| Trouble::of(&problem))?;
        let listed = listed.members.unwrap_or_default();
        let whole = listed.len() >= PAGE;
        members.extend(listed.into_iter().map(|member| UserId::new(member.id)));
        if !whole {
            break;
        }
    }
    Ok(GroupMembers { id: group.id.clone(), members, as_of })
}

/// Whether every user may change custom groups. A server that does not say so counts as one where they may.
async fn everybody_changes(rest: &Rest) -> Result<bool, ChatError> {
    let asked: Result<Vec<RoleGrants>, ChatError> = rest.ask("roles/names", &EVERYBODY).await;
    match asked {
        Ok(roles) if roles.is_empty() => Ok(true),
        Ok(roles) => Ok(roles.iter().flat_map(|role| &role.permissions).any(|held| CHANGES.contains(&held.as_str()))),
        Err(problem @ (ChatError::Later { .. } | ChatError::Token { .. })) => Err(problem),
        Err(ChatError::Refused { .. } | ChatError::Unknown { .. }) => Ok(true),
    }
}
