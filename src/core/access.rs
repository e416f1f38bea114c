//! # Access
//!
//! The one authoriser. Whoever wants to know whether somebody may do something asks here: running, showing, help, suggestions.
//!
//! A user has a role by being named in it or by being a member of one of its channels; a local user by name, and the account that the
//! bot runs as (and root) has everything, since it can read the store anyway.
//!
//! - **Default deny**: no role, no grant; a name that the chat server could not resolve grants nothing.
//! - **Rights hang on user ids**, never on names: a name in the settings is resolved once by the directory.
//! - **Bots and deactivated users have no role**, whatever the settings say.

use crate::core::content::glob::covers;
use crate::core::datastore::key::Key;
use crate::core::id::ActionRef;
use crate::core::input::{Directory, Identity};
use crate::core::settings::{Grant, Role, Settings, Verb};

/// Somebody, as far as rights go: who is asking, and what is known of them now.
#[derive(Debug, Clone, Copy)]
pub enum Asker<'a> {
    /// A chat user as looked up.
    Chat(&'a Identity),
    /// A user of the bot's own machine, as the kernel reports them.
    Local {
        /// The numeric id.
        uid: u32,
        /// The name.
        name: &'a str,
    },
}

/// What somebody may do: the grants of all their roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Names of the roles, in the settings' order.
    pub roles: Vec<String>,
    /// What they grant together.
    pub grants: Vec<Grant>,
}

impl Rights {
    /// Collects what somebody may do.
    pub fn of(asker: Asker<'_>, settings: &Settings, directory: &Directory) -> Self {
        let mut rights = Rights { roles: Vec::new(), grants: Vec::new() };
        for role in &settings.roles {
            if has_role(asker, role, directory) {
                rights.roles.push(role.name.clone());
                rights.grants.extend(role.grants.iter().cloned());
            }
        }
        if let Asker::Local { uid, .. } = asker
            && (uid == settings.own_uid || uid == 0)
        {
            rights.roles.push("owner of this process".to_owned());
            rights.grants.push(Grant { verb: Verb::Admin, on: "*".to_owned() });
        }
        rights
    }

    /// Whether there is any role at all.
    pub fn any(&self) -> bool {
        !self.roles.is_empty()
    }

    /// Whether the bot itself may be told what to do: `admin` on everything.
    pub fn administers(&self) -> bool {
        self.grants.iter().any(|grant| grant.verb == Verb::Admin && grant.on == "*")
    }

    /// Globs over those actions on which `verb` is granted.
    pub fn globs(&self, verb: Verb) -> Vec<String> {
        self.grants.iter().filter(|grant| includes(grant.verb, verb)).map(|grant| grant.on.clone()).collect()
    }

    /// Whether `verb` is granted on a value of the datastore: by a glob that speaks of values (`key.…`), or by `admin:*`. What is granted on all
    /// actions says nothing about values.
    pub fn may_with_value(&self, verb: Verb, key: &Key) -> bool {
        let reference = key.reference();
        let speaks = |on: &str| on.starts_with("key.") && covers(on, &reference);
        self.administers() || self.grants.iter().any(|grant| includes(grant.verb, verb) && speaks(&grant.on))
    }

    /// Whether `verb` is granted on the action. `admin` includes every verb, `run` and `approve` include `view`.
    pub fn may(&self, verb: Verb, action: &ActionRef) -> bool {
        self.grants.iter().any(|grant| includes(grant.verb, verb) && covers(&grant.on, action.as_str()))
    }
}

fn has_role(asker: Asker<'_>, role: &Role, directory: &Directory) -> bool {
    match asker {
        Asker::Chat(identity) => {
            if identity.is_bot || !identity.active {
                return false;
            }
            let named = role.users.iter().any(|name| directory.users.get(name) == Some(&identity.id));
            let member = role
                .channels
                .iter()
                .filter_map(|name| directory.channels.get(name))
                .any(|id| identity.member_of.contains(id));
            named || member
        }
        Asker::Local { name, .. } => role.unix_users.iter().any(|user| user == name),
    }
}

fn includes(granted: Verb, wanted: Verb) -> bool {
    match granted {
        Verb::Admin => true,
        Verb::Run | Verb::Approve => wanted == granted || wanted == Verb::View,
        Verb::View => wanted == Verb::View,
    }
}
