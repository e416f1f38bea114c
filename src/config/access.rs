//! `[access]`: roles, who has them and what they grant.

use super::document::{self, Document, Section, Spot};
use super::file::{Text, Texts};
use super::judge::Judge;
use super::validated::Config;
use crate::core::access::arguments::Patterns;
use crate::core::access::hours::Hours;
use crate::core::access::rbac::{self, Folder, RbacFile};
use crate::core::alias::spec::DIRECT;
use crate::core::content::diagnostic::Severity;
use crate::core::settings::{Grant, Role, Verb};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use toml::de::DeValue;

const VERBS: [(&str, Verb); 4] =
    [("view", Verb::View), ("run", Verb::Run), ("approve", Verb::Approve), ("admin", Verb::Admin)];

/// As it is written.
#[derive(Debug, Default)]
pub(super) struct Access {
    pub(super) roles: Vec<WrittenRole>,
    /// The folder of StackStorm's RBAC files.
    pub(super) rbac: Text,
    /// Which chat user a user of the bot's machine stands for.
    pub(super) chat_users: Vec<(String, Spot<String>)>,
}

#[derive(Debug)]
pub(super) struct WrittenRole {
    place: Spot<()>,
    name: Text,
    users: Texts,
    channels: Texts,
    groups: Texts,
    unix_users: Texts,
    rules: Texts,
    /// Absent when there is no such key, or an empty list.
    grants: Option<Vec<WrittenGrant>>,
}

#[derive(Debug)]
enum WrittenGrant {
    /// `"run:site.*"`
    Short(Spot<String>),
    /// `{ verb = "run", on = "site.*", … }`
    Table(Box<GrantTable>),
}

#[derive(Debug)]
struct GrantTable {
    place: Spot<()>,
    verb: Text,
    on: Text,
    arguments: Vec<(String, Spot<Vec<Spot<String>>>)>,
    channels: Texts,
    hours: Text,
    days: Text,
}

/// Reads every key.
pub(super) fn read(section: Section<'_, '_>) -> Access {
    let access = Access {
        roles: section.sections("roles").into_iter().map(role).collect(),
        rbac: section.string("rbac"),
        chat_users: section.section("unix_users").map(|users| chat_users(&users)).unwrap_or_default(),
    };
    section.close();
    access
}

fn chat_users(section: &Section<'_, '_>) -> Vec<(String, Spot<String>)> {
    let named = section.named().into_iter();
    named.filter_map(|(name, value)| Some((name, document::text(section.document(), &value)?))).collect()
}

fn role(section: Section<'_, '_>) -> WrittenRole {
    let role = WrittenRole {
        place: section.place.clone(),
        name: section.string("name"),
        users: section.strings("users"),
        channels: section.strings("channels"),
        groups: section.strings("groups"),
        unix_users: section.strings("unix_users"),
        rules: section.strings("rules"),
        grants: grants(&section),
    };
    section.close();
    role
}

fn grants(section: &Section<'_, '_>) -> Option<Vec<WrittenGrant>> {
    let document = section.document();
    let items = section.items("grants");
    if items.is_empty() {
        return None;
    }
    let read = items.into_iter().filter_map(|item| match item.value {
        DeValue::Table(_) => {
            let table = document::table(document, &item)?;
            let grant = GrantTable {
                place: table.place.clone(),
                verb: table.string("verb"),
                on: table.string("on"),
                arguments: table.section("arguments").map(|arguments| patterns(&arguments)).unwrap_or_default(),
                channels: table.strings("channels"),
                hours: table.string("hours"),
                days: table.string("days"),
            };
            table.close();
            Some(WrittenGrant::Table(Box::new(grant)))
        }
        _ => document::text(document, &item).map(WrittenGrant::Short),
    });
    Some(read.collect())
}

/// What is written for each argument: a text, or several.
fn patterns(section: &Section<'_, '_>) -> Vec<(String, Spot<Vec<Spot<String>>>)> {
    let document = section.document();
    let mut patterns = Vec::new();
    for (name, value) in section.named() {
        let texts = match value.value {
            DeValue::String(_) => document::text(document, &value).into_iter().collect(),
            DeValue::Array(_) => document::texts(document, &value),
            _ => {
                let hint = Some(format!("write {name} = \"wn*\" or {name} = [\"wn*\", \"se01\"]"));
                document.problem(&value, "must be a pattern or a list of patterns", hint);
                continue;
            }
        };
        patterns.push((name, value.with(texts)));
    }
    patterns
}

impl Judge<'_, '_, '_> {
    /// Which chat user a user of the bot's machine stands for.
    pub(super) fn chat_users(&self, written: Vec<(String, Spot<String>)>) -> BTreeMap<String, String> {
        let mut chat_users = BTreeMap::new();
        for (name, spot) in written {
            let chat_user = spot.value.trim().trim_start_matches('@').to_lowercase();
            if chat_user.is_empty() {
                let hint = Some(format!("write {name} = \"the name of a chat user\""));
                self.document.problem(&spot, format!("`{name}` stands for nobody"), hint);
                continue;
            }
            chat_users.insert(name, chat_user);
        }
        chat_users
    }

    /// What is written of roles, and what is meant by it. `groups` are those of the inventory.
    pub(super) fn roles(&self, written: Vec<WrittenRole>, groups: &BTreeSet<String>) -> Vec<Role> {
        let mut seen = BTreeSet::new();
        let mut roles = Vec::new();
        for role in written {
            let Some(name) = self.required(&role.place, role.name.as_ref(), "name", "operator") else { continue };
            if !seen.insert(name.value.clone()) {
                self.document.problem(&name, format!("there are two roles `{}`", name.value), None);
            }
            let users = self.words(role.users);
            let users: Vec<_> = users.iter().map(|user| user.trim_start_matches('@').to_lowercase()).collect();
            let (channels, unix_users) = (self.names(role.channels), self.words(role.unix_users));
            let (chat_groups, rules) = (self.words(role.groups), self.words(role.rules));
            let people = [&users, &channels, &chat_groups, &unix_users];
            if rules.is_empty() && people.iter().all(|names| names.is_empty()) {
                let hint = Some("give it `users`, `channels`, `groups`, `unix_users` or `rules`".to_owned());
                self.document.warning(&name, format!("nobody has the role `{}`", name.value), hint);
            }
            if role.grants.is_none() {
                let hint = Some("give it `grants`, such as [\"view:*\", \"run:site.*\"]".to_owned());
                self.document.warning(&name, format!("the role `{}` grants nothing", name.value), hint);
            }
            let grants = role.grants.into_iter().flatten().filter_map(|grant| match grant {
                WrittenGrant::Short(spot) => self.short_grant(&spot),
                WrittenGrant::Table(table) => self.grant(*table, groups),
            });
            let grants = grants.collect();
            roles.push(Role { name: name.value, users, channels, groups: chat_groups, unix_users, rules, grants });
        }
        roles
    }

    /// Adds the roles of StackStorm's files to those of this file, and what is wrong with those files to the warnings.
    pub(super) fn rbac(&self, written: Option<&Spot<String>>, config: &mut Config) {
        let (Some(spot), Some(folder)) = (written, self.path(written)) else { return };
        if !folder.is_dir() {
            let hint = Some("name the directory that holds `roles`, `assignments` and `mappings`".to_owned());
            let message = format!("{} is not a directory; nobody has a role by it", folder.display());
            self.document.warning(spot, message, hint);
            return;
        }
        let (roles, mut problems) = rbac::read(&rbac_files(&folder));
        for role in roles {
            if config.roles.iter().any(|known| known.name == role.name) {
                let message = format!("StackStorm's files have a role `{}` too; theirs grants nothing", role.name);
                let hint = Some("give one of the two another name".to_owned());
                problems.push(self.document.diagnostic(Severity::Error, spot, message, hint));
            } else {
                config.roles.push(role);
            }
        }
        config.warnings.extend(problems);
    }

    fn short_grant(&self, spot: &Spot<String>) -> Option<Grant> {
        let Some((verb, on)) = spot.value.split_once(':') else {
            let hint = Some("write \"verb:glob\", such as \"run:site.*\"".to_owned());
            self.document.problem(spot, format!("`{}` is not a grant", spot.value), hint);
            return None;
        };
        let verb = self.word(&spot.with(verb.trim().to_owned()), &VERBS)?;
        let on = self.actions(&spot.with(on.to_owned()))?;
        Some(Grant { written: self.document.place(spot), ..Grant::new(verb, on) })
    }

    /// **A condition that cannot be understood leaves no grant without it**: then there is none.
    fn grant(&self, table: GrantTable, groups: &BTreeSet<String>) -> Option<Grant> {
        let verb = self.required(&table.place, table.verb.as_ref(), "verb", "run");
        let on = self.required(&table.place, table.on.as_ref(), "on", "site.*");
        let verb = verb.and_then(|spot| self.word(&spot, &VERBS));
        let on = on.and_then(|spot| Some(spot.with(self.actions(&spot)?)));
        let mut arguments = BTreeMap::new();
        let mut sound = true;
        for (name, spot) in table.arguments {
            match Patterns::read(spot.value.iter().map(|text| text.value.as_str())) {
                Ok(patterns) => {
                    for group in patterns.groups().filter(|group| !groups.contains(*group)) {
                        let hint =
                            Some("name it in [inventory.groups]; without, the pattern holds for nothing".to_owned());
                        self.document.warning(&spot, format!("there is no group `@{group}`"), hint);
                    }
                    arguments.insert(name, patterns);
                }
                Err(why) => {
                    sound = false;
                    self.document.problem(&spot, why, Some("write it like \"wn*\" or \"wn[001-050]\"".to_owned()));
                }
            }
        }
        if let Some(on) = on.as_ref().filter(|on| on.value.starts_with("key.") && !arguments.is_empty()) {
            sound = false;
            self.document.problem(
                on,
                "a value of the datastore has no arguments",
                Some("leave `arguments` out".to_owned()),
            );
        }
        let written = table.channels.iter().flat_map(|list| &list.value);
        let channels: Vec<Option<String>> = written
            .map(|spot| if spot.value.trim() == DIRECT { Some(DIRECT.to_owned()) } else { self.name(spot) })
            .collect();
        if table.channels.as_ref().is_some_and(|list| list.value.is_empty()) {
            sound = false;
            let hint = Some("name channels, or leave `channels` out for all of them".to_owned());
            self.document.problem(&table.place, "its list of channels is empty", hint);
        }
        let channels: Vec<String> = channels.into_iter().collect::<Option<_>>()?;
        let spoken = table.hours.as_ref().or(table.days.as_ref());
        let words = [&table.days, &table.hours].map(|text| text.as_ref().map_or("", |spot| spot.value.trim()));
        let hours = match spoken {
            None => None,
            Some(spot) => match Hours::read(words.join(" ").trim()) {
                Ok(hours) => Some(hours),
                Err(why) => {
                    sound = false;
                    self.document.problem(spot, why, None);
                    None
                }
            },
        };
        let written = self.document.place(&table.place);
        sound.then_some(Grant { verb: verb?, on: on?.value, arguments, channels, hours, written })
    }

    /// A glob over the names of actions.
    fn actions(&self, spot: &Spot<String>) -> Option<String> {
        let on = spot.value.trim();
        if on.is_empty() || !on.chars().all(|c| c.is_ascii_alphanumeric() || "._-*:".contains(c)) {
            let hint = Some("use letters, digits, `.`, `_`, `-` and `*` for any text: \"site.*\"".to_owned());
            self.document.problem(spot, format!("`{on}` is not a glob over the names of actions"), hint);
            return None;
        }
        Some(on.to_owned())
    }
}

/// The files that StackStorm would read: `*.yaml` of the three folders, by name.
fn rbac_files(folder: &Path) -> Vec<RbacFile> {
    let mut files = Vec::new();
    for (kind, name) in Folder::ALL {
        let inside = folder.join(name);
        if !inside.exists() {
            continue;
        }
        let listed = std::fs::read_dir(&inside).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut paths: Vec<PathBuf> = match listed {
            Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
            Err(error) => {
                let text = Err(error.to_string());
                files.push(RbacFile { folder: kind, shown: inside.display().to_string(), text });
                continue;
            }
        };
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        files.extend(paths.into_iter().map(|path| RbacFile {
            folder: kind,
            shown: path.display().to_string(),
            text: std::fs::read_to_string(&path).map_err(|error| error.to_string()),
        }));
    }
    files
}

/// Where something is written, for people.
impl Document<'_> {
    pub(super) fn place<T>(&self, spot: &Spot<T>) -> String {
        match spot.line {
            Some(line) => format!("{}:{line}", self.file()),
            None => self.file().to_owned(),
        }
    }
}
