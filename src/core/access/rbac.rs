//! StackStorm's RBAC files: `roles/*.yaml`, `assignments/*.yaml`, `mappings/*.yaml`, as `st2-apply-rbac-definitions` of st2 3.9 reads them.
//!
//! What they grant there is turned into grants of ours; what has no counterpart is told, and grants nothing.
//!
//! | StackStorm | here |
//! |---|---|
//! | `action_execute`, `action_all` on `action:P:N` or `pack:P` | `run` on `P.N` or `P.*` (with it `view`, repeating and stopping, as there) |
//! | `action_view`, `_create`, `_modify`, `_delete` on the same | `view`: packs are changed as files |
//! | `pack_view`, `pack_all` on `pack:P` | `view` on `P.*`: there too they let nobody run anything |
//! | `key_value_pair_view`, `_list`, `_set`, `_delete`, `_all` on `key_value_pair:SCOPE:NAME` | `view` of that value; setting one takes `admin`, which would open secrets too |
//! | `system_admin`, `admin` | `admin:*` |
//! | `observer` | `view:*` and `view:key.system.*` |
//! | `username` | the chat user of this name |
//! | `group` | the chat server's group of this name; see `docs/access.md` |
//!
//! **A file that StackStorm refuses grants nothing here**, and the others stand. **What is `enabled: false` is not there.**

use crate::core::content::diagnostic::Diagnostic;
use crate::core::content::fields::{Report, Table, not_among, shorten, wrong_kind};
use crate::core::content::yaml::{self, Node, Value};
use crate::core::settings::{Grant, Role, Verb};
use std::collections::{BTreeMap, BTreeSet};

/// What a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// What roles grant.
    Roles,
    /// Which roles users have.
    Assignments,
    /// Which roles the members of groups have.
    Mappings,
}

impl Folder {
    /// All of them, with their names.
    pub const ALL: [(Folder, &str); 3] =
        [(Folder::Roles, "roles"), (Folder::Assignments, "assignments"), (Folder::Mappings, "mappings")];
}

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct RbacFile {
    /// Its folder.
    pub folder: Folder,
    /// Its path as the user would name it.
    pub shown: String,
    /// Its text, or why there is none.
    pub text: Result<String, String>,
}

/// Permissions by the resource that they are about.
const PERMISSIONS: [(&str, &[&str]); 18] = [
    ("runner_type", &["list", "view", "modify", "all"]),
    (
        "pack",
        &[
            "list",
            "view",
            "create",
            "modify",
            "delete",
            "install",
            "uninstall",
            "register",
            "config",
            "search",
            "views_index_health",
            "all",
        ],
    ),
    ("sensor_type", &["list", "view", "modify", "all"]),
    ("action", &["list", "view", "create", "modify", "delete", "execute", "all"]),
    ("action_alias", &["list", "view", "create", "modify", "match", "help", "delete", "all"]),
    ("execution", &["list", "view", "rerun", "stop", "all", "views_filters_list"]),
    ("rule", &["list", "view", "create", "modify", "delete", "all"]),
    ("rule_enforcement", &["list", "view"]),
    ("key_value_pair", &["list", "view", "set", "delete", "all"]),
    ("webhook", &["list", "view", "create", "send", "delete", "all"]),
    ("timer", &["list", "view", "all"]),
    ("api_key", &["list", "view", "create", "modify", "delete", "all"]),
    ("trace", &["list", "view", "all"]),
    ("trigger", &["list", "view", "all"]),
    ("policy_type", &["list", "view", "all"]),
    ("policy", &["list", "view", "create", "modify", "delete", "all"]),
    ("stream", &["view"]),
    ("inquiry", &["list", "view", "respond", "all"]),
];

/// What may be granted without a resource, besides every `list`.
const GLOBAL: [&str; 15] = [
    "pack_install",
    "pack_uninstall",
    "pack_create",
    "pack_register",
    "pack_config",
    "pack_search",
    "pack_views_index_health",
    "action_alias_match",
    "action_alias_help",
    "api_key_create",
    "policy_create",
    "execution_views_filters_list",
    "stream_view",
    "inquiry_respond",
    "inquiry_view",
];

/// What may be granted on a pack, besides its own: resources of packs, without `list`.
const IN_PACKS: [&str; 4] = ["sensor_type", "action", "action_alias", "rule"];

const SYSTEM_ROLES: [&str; 3] = ["system_admin", "admin", "observer"];

/// Reads all files together: roles with who has them, and what is wrong or not done.
pub fn read(files: &[RbacFile]) -> (Vec<Role>, Vec<Diagnostic>) {
    let mut reader = Reader::default();
    for (folder, _) in Folder::ALL {
        for file in files.iter().filter(|file| file.folder == folder) {
            reader.file(file);
        }
    }
    let Reader { roles, disabled: _, users: _, mut diagnostics } = reader;
    diagnostics.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    (roles.into_values().filter(|role| !(role.users.is_empty() && role.groups.is_empty())).collect(), diagnostics)
}

#[derive(Default)]
struct Reader {
    roles: BTreeMap<String, Role>,
    disabled: BTreeSet<String>,
    /// Users with an assignment, and its file.
    users: BTreeMap<String, String>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn file(&mut self, file: &RbacFile) {
        let mut report = Report::new(&file.shown);
        match &file.text {
            Err(why) => drop(report.error(None, "", format!("cannot be read: {why}"))),
            Ok(text) => {
                let (root, problems) = yaml::read(&file.shown, text);
                report.diagnostics.extend(problems);
                if !report.has_errors()
                    && let Some(root) = &root
                    && let Some(table) = Table::document(root, &mut report)
                {
                    match file.folder {
                        Folder::Roles => self.role(&table, &mut report),
                        Folder::Assignments => self.assignment(&table, &mut report),
                        Folder::Mappings => self.mapping(&table, &mut report),
                    }
                } else if root.is_none() && !report.has_errors() {
                    report.error(None, "", "the file is empty");
                }
            }
        }
        self.diagnostics.append(&mut report.diagnostics);
    }

    fn role(&mut self, table: &Table<'_>, report: &mut Report<'_>) {
        table.only(&["name", "description", "enabled", "permission_grants"], report);
        table.text("description", report);
        let name = table.required_text("name", report);
        let enabled = table.boolean("enabled", report).unwrap_or(true);
        let mut grants = Vec::new();
        for (index, item) in table.list("permission_grants", report).unwrap_or_default().iter().enumerate() {
            let path = format!("permission_grants[{index}]");
            if let Some(grant) = Table::nested(item, item.line, path, report) {
                grants.extend(permission_grant(&grant, report));
            }
        }
        let Some(name) = name.filter(|_| !report.has_errors()) else { return };
        let line = table.entry("name").map(|entry| entry.line);
        if !enabled {
            // Nothing of it is wanted, so nothing of it is missing.
            report.diagnostics.clear();
            self.disabled.insert(name.to_owned());
        } else if SYSTEM_ROLES.contains(&name) {
            report.error(line, "name", format!("`{name}` is a role of StackStorm's own"));
        } else if let Some(first) = self.roles.get(name) {
            let first = first.grants.first().map_or("another file", |grant| grant.written.as_str());
            report.error(line, "name", format!("there is a role `{}` already, in {first}", shorten(name)));
        } else {
            self.roles.insert(name.to_owned(), Role { name: name.to_owned(), grants, ..Role::default() });
        }
    }

    fn assignment(&mut self, table: &Table<'_>, report: &mut Report<'_>) {
        table.only(&["username", "description", "enabled", "roles", "file_path"], report);
        table.text("description", report);
        let user = table.required_text("username", report);
        let enabled = table.boolean("enabled", report).unwrap_or(true);
        let roles = wanted_roles(table, report);
        let Some(user) = user.filter(|_| enabled && !report.has_errors()) else { return };
        let user = user.trim_start_matches('@').to_lowercase();
        if let Some(first) = self.users.get(&user) {
            let line = table.entry("username").map(|entry| entry.line);
            report.error(line, "username", format!("`{}` has an assignment already, in {first}", shorten(&user)));
            return;
        }
        self.users.insert(user.clone(), report.file().to_owned());
        for (role, line) in roles {
            let disabled = self.disabled.contains(&role);
            match self.find(&role, report.file()) {
                Some(found) => found.users.push(user.clone()),
                None if disabled => {}
                None => drop(report.error(Some(line), "roles", format!("there is no role `{}`", shorten(&role)))),
            }
        }
    }

    fn mapping(&mut self, table: &Table<'_>, report: &mut Report<'_>) {
        table.only(&["group", "description", "enabled", "roles", "file_path"], report);
        table.text("description", report);
        let group = table.required_text("group", report);
        let enabled = table.boolean("enabled", report).unwrap_or(true);
        let roles = wanted_roles(table, report);
        let Some(group) = group.filter(|_| enabled && !report.has_errors()) else { return };
        for (role, line) in roles {
            let disabled = self.disabled.contains(&role);
            match self.find(&role, report.file()) {
                Some(found) => found.groups.push(group.to_owned()),
                None if disabled => {}
                // StackStorm notices it when somebody logs in, and goes on.
                None => {
                    let message = format!("there is no role `{}`; the group gets nothing by it", shorten(&role));
                    report.warning(Some(line), "roles", message);
                }
            }
        }
    }

    /// A role of a file, or one of StackStorm's own.
    fn find(&mut self, name: &str, written: &str) -> Option<&mut Role> {
        if !self.roles.contains_key(name) && SYSTEM_ROLES.contains(&name) {
            let grant = |verb, on: &str| Grant { written: written.to_owned(), ..Grant::new(verb, on) };
            let grants = match name {
                "observer" => vec![grant(Verb::View, "*"), grant(Verb::View, "key.system.*")],
                _ => vec![grant(Verb::Admin, "*")],
            };
            self.roles.insert(name.to_owned(), Role { name: name.to_owned(), grants, ..Role::default() });
        }
        self.roles.get_mut(name)
    }
}

/// The roles of an assignment or a mapping, with their lines.
fn wanted_roles(table: &Table<'_>, report: &mut Report<'_>) -> Vec<(String, usize)> {
    if table.entry("roles").is_none() {
        table.missing("roles", report);
    }
    let mut roles: Vec<(String, usize)> = Vec::new();
    for (index, item) in table.list("roles", report).unwrap_or_default().iter().enumerate() {
        match &item.value {
            Value::Text(name) if roles.iter().any(|(known, _)| known == name) => {
                report.error(Some(item.line), "roles", format!("names `{}` twice", shorten(name)));
            }
            Value::Text(name) => roles.push((name.clone(), item.line)),
            _ => drop(wrong_kind(item, item.line, &format!("roles[{index}]"), "text", report)),
        }
    }
    roles
}

/// One entry of `permission_grants`.
fn permission_grant(table: &Table<'_>, report: &mut Report<'_>) -> Vec<Grant> {
    table.only(&["resource_uid", "permission_types"], report);
    let resource = table.text("resource_uid", report).map(|uid| (uid, uid.split_once(':')));
    let line = table.entry("resource_uid").map(|entry| entry.line);
    let resource = match resource {
        Some((uid, None)) => {
            let message = format!("`{}` is no uid such as pack:core or action:core:local", shorten(uid));
            report.error(line, &table.path_of("resource_uid"), message);
            return Vec::new();
        }
        Some((_, Some((kind, rest)))) => {
            if !PERMISSIONS.iter().any(|(known, _)| *known == kind) {
                let kinds: Vec<&str> = PERMISSIONS.iter().map(|(known, _)| *known).collect();
                not_among(line, &table.path_of("resource_uid"), kind, &kinds, report);
                return Vec::new();
            }
            Some((kind, rest))
        }
        None => None,
    };
    let path = table.path_of("permission_types");
    let mut grants: Vec<Grant> = Vec::new();
    for item in table.list("permission_types", report).unwrap_or_default() {
        let Some(permission) = permission(item, &path, resource, report) else { continue };
        let (granted, note) = meaning(permission, resource);
        if let Some(note) = note {
            report.not_supported(Some(item.line), &path, format!("{}: {note}", permission.whole));
        }
        if let Some((verb, on)) = granted {
            let grant = Grant { written: format!("{}:{}", report.file(), item.line), ..Grant::new(verb, on) };
            grants.push(grant);
        }
    }
    grants
}

/// A permission type taken apart.
#[derive(Clone, Copy)]
struct Permission<'n> {
    whole: &'n str,
    resource: &'static str,
    does: &'static str,
}

/// A permission type that there is, and that may be granted there.
fn permission<'n>(
    item: &'n Node,
    path: &str,
    resource: Option<(&str, &str)>,
    report: &mut Report<'_>,
) -> Option<Permission<'n>> {
    let Value::Text(whole) = &item.value else {
        wrong_kind(item, item.line, path, "text", report);
        return None;
    };
    let all = PERMISSIONS.iter().flat_map(|(resource, does)| does.iter().map(move |does| (*resource, *does)));
    let Some((of, does)) = all.clone().find(|(resource, does)| *whole == format!("{resource}_{does}")) else {
        let names: Vec<String> = all.map(|(resource, does)| format!("{resource}_{does}")).collect();
        let near = crate::core::alias::suggest::nearest(whole, names.iter().map(String::as_str));
        let suggestion = near.map(|near| format!("did you mean `{near}`?"));
        let message = format!("StackStorm has no permission type `{}`", shorten(whole));
        report.error(Some(item.line), path, message).suggestion = suggestion;
        return None;
    };
    let fits = match resource {
        None => does == "list" || GLOBAL.contains(&whole.as_str()),
        Some((kind, _)) => of == kind || (kind == "pack" && does != "list" && IN_PACKS.contains(&of)),
    };
    if !fits {
        let message = match resource {
            None => format!("`{whole}` needs a resource_uid"),
            Some((kind, _)) => format!("`{whole}` cannot be granted on a resource of the type {kind}"),
        };
        report.error(Some(item.line), path, message);
        return None;
    }
    Some(Permission { whole, resource: of, does })
}

const FILES: &str = "packs are changed as files here";

/// What a permission lets somebody do here, and what of it is not done.
fn meaning(
    permission: Permission<'_>,
    resource: Option<(&str, &str)>,
) -> (Option<(Verb, String)>, Option<&'static str>) {
    let on = match resource {
        Some(("pack", pack)) => Some(format!("{pack}.*")),
        Some(("action", rest)) => rest.split_once(':').map(|(pack, name)| format!("{pack}.{name}")),
        Some(("key_value_pair", rest)) => key(rest),
        _ => None,
    };
    // No part of a uid means several things, as a star would here.
    let plain = |(_, rest): (&str, &str)| rest.chars().all(|c| c.is_ascii_alphanumeric() || "._-:".contains(c));
    let on = on.filter(|_| resource.is_some_and(plain));
    let Some(on) = on else {
        let why = match (permission.resource, permission.does) {
            ("action" | "execution" | "key_value_pair", "list") => {
                "lists show whatever somebody may see, and need no permission"
            }
            ("action_alias", _) => "whoever may run an action may use its aliases and gets help about them",
            ("execution", _) => "what may be done with executions follows from the action",
            ("inquiry" | "stream" | "rule" | "rule_enforcement" | "webhook" | "timer" | "api_key", _) => {
                "has no counterpart in this version and grants nothing"
            }
            ("action" | "key_value_pair", _) => "its resource cannot be read, and it grants nothing",
            _ => "has no counterpart and grants nothing",
        };
        return (None, Some(why));
    };
    match (permission.resource, permission.does) {
        ("action", "execute" | "all") => (Some((Verb::Run, on)), None),
        ("action" | "pack", "view") => (Some((Verb::View, on)), None),
        ("action", "create" | "modify" | "delete") => (Some((Verb::View, on)), Some(FILES)),
        ("pack", "all") => {
            let why = "lets see the pack's actions; to let run them, StackStorm wants action_execute or action_all too";
            (Some((Verb::View, on)), Some(why))
        }
        ("pack", _) => (None, Some(FILES)),
        ("key_value_pair", "view" | "list") => (Some((Verb::View, on)), None),
        ("key_value_pair", _) => {
            let why = "lets see the value; to let set it, write a grant of admin:key.… into access.roles, which opens secrets too";
            (Some((Verb::View, on)), Some(why))
        }
        ("action_alias", _) => (None, Some("whoever may run an action may use its aliases and gets help about them")),
        _ => (None, Some("has no counterpart in this version and grants nothing")),
    }
}

/// `st2kv.system:name` as grants name values.
fn key(rest: &str) -> Option<String> {
    let (scope, name) = rest.split_once(':')?;
    matches!(scope, "system" | "st2kv.system").then(|| format!("key.system.{name}"))
}
