//! # Access
//!
//! The one authoriser. Whoever wants to know whether somebody may do something asks here: running, showing, help, suggestions, corrections,
//! plans, lists, values, approvals. What sites write, and what it comes to, is in `docs/access.md`.
//!
//! ## From a person to a decision
//! 1. **Who**: an [`Asker`], with what was looked up of them. A chat user has a role by being named in it, by being a member of one of its
//!    channels or of one of its groups; a local user by name, and the account that the bot runs as (and root) has everything, since it can
//!    read the store anyway. A rule has a role by a glob over its name, and else may do nothing.
//! 2. **Here and now**: [`Rights::of`] collects the grants of all their roles and keeps apart those that do not hold in this [`Place`] or at
//!    this moment (`channels`, `hours`). Rights are made anew for each line, each call and each line that comes due.
//! 3. **What**: before the arguments are known, [`Rights::may_somehow`] says whether there is anything for which the answer could be yes: what
//!    is matched, helped with and suggested. With the resolved arguments, [`Rights::sight`] says which machines there are for this deed, and
//!    [`Rights::may_with`] decides about what has machines already, such as an execution.
//!
//! [`approvers`] says who may decide about the runs of an action, [`explain`] why a decision falls as it does, [`rbac`] reads StackStorm's files.
//!
//! ## Invariants
//! - **Default deny**: no role, no grant; a name that the chat server could not resolve grants nothing, and neither does a membership that it
//!   does not confirm or that was confirmed too long ago ([`MEMBERSHIP_HOLDS`]).
//! - **A condition that cannot be judged does not hold**: an argument that is not there, a value that is kept secret, a group of hosts whose
//!   list cannot be had, a channel without a name.
//! - **Rights hang on ids**, never on names. A name in the settings is tied to the id that it had when it was first seen, and stays tied for as
//!   long as it stands there ([`names`]).
//! - **Bots and deactivated users have no role**, whatever the settings say; being active again gives back what was theirs.
//! - **A direct message adds nothing**: a grant with `channels` does not hold there unless `@direct` is among them.
//! - **What is forbidden does not exist**: the answer to it is made by the same code, of the same things, as the answer to what is not there.
//!   For that a deed is planned over the [`Sight`] of its asker, never over the whole inventory.

pub mod approvers;
pub mod arguments;
pub mod explain;
pub mod hours;
pub mod names;
pub mod rbac;

use crate::core::access::arguments::{Arguments, Patterns};
use crate::core::action::execution::Execution;
use crate::core::action::spec::Action;
use crate::core::content::glob::covers;
use crate::core::datastore::key::Key;
use crate::core::host::Inventory;
use crate::core::id::{ActionRef, Host, RuleRef};
use crate::core::input::{Directory, Identity};
use crate::core::settings::{Grant, Role, Settings, Verb};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How long a membership in a group holds after the server has confirmed it. It is asked every minute; when the server does not answer for
/// longer than this, nobody counts as a member.
pub const MEMBERSHIP_HOLDS: SignedDuration = SignedDuration::from_mins(5);

/// The name of the role that the bot's own account and root have.
const OWNER: &str = "owner of this process";

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
    /// A rule.
    Rule {
        /// Its ref.
        name: &'a RuleRef,
    },
}

/// Where and when something is asked.
#[derive(Debug, Clone)]
pub struct Place {
    /// The names of the channel, `@direct` for a direct message; none where it is asked outside of the chat.
    pub here: Vec<String>,
    /// The moment of asking, as of which memberships have to be known.
    pub at: Timestamp,
    /// The moment of doing, which the hours of grants are about.
    pub then: Timestamp,
}

impl Place {
    /// Outside of the chat, now.
    pub fn outside(at: Timestamp) -> Self {
        Self { here: Vec::new(), at, then: at }
    }
}

/// A grant with the role that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The role's name.
    pub role: String,
    /// What it grants.
    pub grant: Grant,
}

/// Why a grant does not hold here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rests {
    /// It holds in other channels.
    Elsewhere,
    /// It holds at other times.
    AtOtherTimes,
}

/// What somebody may do here and now: the grants of all their roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Names of the roles, in the settings' order.
    pub roles: Vec<String>,
    /// What they grant together here and now.
    pub grants: Vec<Held>,
    /// What they grant elsewhere or at other times.
    pub resting: Vec<(Held, Rests)>,
}

/// The machines that there are for a deed, as far as its asker is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// All of them.
    All,
    /// Those that one of these covers.
    Within(Vec<Patterns>),
}

impl Rights {
    /// Collects what somebody may do.
    pub fn of(asker: Asker<'_>, settings: &Settings, directory: &Directory, place: &Place) -> Self {
        let mut rights = Rights::default();
        for role in &settings.roles {
            if !has_role(asker, role, directory, place.at) {
                continue;
            }
            rights.roles.push(role.name.clone());
            for grant in &role.grants {
                let held = Held { role: role.name.clone(), grant: grant.clone() };
                match rests(grant, place) {
                    None => rights.grants.push(held),
                    Some(why) => rights.resting.push((held, why)),
                }
            }
        }
        if let Asker::Local { uid, .. } = asker
            && (uid == settings.own_uid || uid == 0)
        {
            rights.roles.push(OWNER.to_owned());
            rights.grants.push(Held { role: OWNER.to_owned(), grant: Grant::new(Verb::Admin, "*") });
        }
        rights
    }

    /// Whether there is any role at all.
    pub fn any(&self) -> bool {
        !self.roles.is_empty()
    }

    /// Whether the bot itself may be told what to do: `admin` on everything, with no condition on arguments.
    pub fn administers(&self) -> bool {
        self.grants.iter().any(|held| is_all(&held.grant))
    }

    /// Globs over those actions on which `verb` is granted, for some arguments at least.
    pub fn globs(&self, verb: Verb) -> Vec<String> {
        let granted = self.grants.iter().filter(|held| includes(held.grant.verb, verb));
        granted.map(|held| held.grant.on.clone()).collect()
    }

    /// The same, of grants alone that hold whatever the arguments are.
    pub fn unconditional_globs(&self, verb: Verb) -> Vec<String> {
        let granted =
            self.grants.iter().filter(|held| includes(held.grant.verb, verb) && held.grant.arguments.is_empty());
        granted.map(|held| held.grant.on.clone()).collect()
    }

    /// Whether `verb` is granted on a value of the datastore: by a glob that speaks of values (`key.…`), or by `admin:*`. What is granted on all
    /// actions says nothing about values.
    pub fn may_with_value(&self, verb: Verb, key: &Key) -> bool {
        let reference = key.reference();
        let speaks = |grant: &Grant| grant.on.starts_with("key.") && covers(&grant.on, &reference);
        let granted = |grant: &Grant| includes(grant.verb, verb) && grant.arguments.is_empty() && speaks(grant);
        self.administers() || self.grants.iter().any(|held| granted(&held.grant))
    }

    /// Whether `verb` is granted on the action for some arguments, as far as its name tells. `admin` includes every verb, `run` and `approve`
    /// include `view`. Nothing may be done on the strength of this alone.
    pub fn may(&self, verb: Verb, action: &ActionRef) -> bool {
        self.granting(verb, action).next().is_some()
    }

    /// The same as if every grant held, wherever and whenever.
    pub fn everywhere(&self) -> Self {
        let resting = self.resting.iter().map(|(held, _)| held.clone());
        Self {
            roles: self.roles.clone(),
            grants: self.grants.iter().cloned().chain(resting).collect(),
            resting: Vec::new(),
        }
    }

    /// Whether any grant hangs on arguments.
    pub fn have_conditions(&self) -> bool {
        self.grants.iter().any(|held| !held.grant.arguments.is_empty())
    }

    /// The grants as people write them, those that do not hold here and now among them.
    pub fn in_words(&self) -> Vec<String> {
        let resting = self.resting.iter().map(|(held, _)| held);
        self.grants.iter().chain(resting).map(|held| held.grant.to_string()).collect()
    }

    /// Whether `verb` is granted on the action whatever the arguments.
    pub fn unconditionally(&self, verb: Verb, action: &ActionRef) -> bool {
        self.granting(verb, action).any(|grant| grant.arguments.is_empty())
    }

    /// Whether there are arguments with which `verb` is granted on the action, where those in `known` are given already and cannot be others.
    pub fn may_somehow(
        &self,
        verb: Verb,
        action: &Action,
        known: &BTreeMap<String, Value>,
        inventory: &Inventory,
    ) -> bool {
        self.granting(verb, &action.reference)
            .any(|grant| grant.arguments.iter().all(|(name, wanted)| wanted.could_hold(name, action, known, inventory)))
    }

    /// Whether `verb` is granted on the action with these arguments.
    pub fn may_with(&self, verb: Verb, action: &ActionRef, arguments: &Arguments<'_>, inventory: &Inventory) -> bool {
        match self.sight(verb, action, arguments, inventory) {
            None => false,
            Some(sight) => arguments.hosts.iter().all(|host| sight.holds(host, inventory)),
        }
    }

    /// Whether `verb` is granted on what an execution is: its action, with its arguments, on all of its machines.
    pub fn may_with_execution(&self, verb: Verb, execution: &Execution, inventory: &Inventory) -> bool {
        self.may_with(verb, &execution.request.action, &Arguments::of_execution(execution), inventory)
    }

    /// The machines on which `verb` is granted on the action with these arguments; nothing where it is granted on none, whatever the machines.
    /// What stands in `arguments.hosts` is not looked at.
    pub fn sight(
        &self,
        verb: Verb,
        action: &ActionRef,
        arguments: &Arguments<'_>,
        inventory: &Inventory,
    ) -> Option<Sight> {
        let mut within = Vec::new();
        let mut any = false;
        for grant in self.granting(verb, action) {
            let others = grant.arguments.iter().filter(|(name, _)| !arguments.runs_on(name));
            if !others.into_iter().all(|(name, wanted)| arguments.matches(name, wanted, inventory)) {
                continue;
            }
            any = true;
            match grant.arguments.iter().find(|(name, _)| arguments.runs_on(name)) {
                None => return Some(Sight::All),
                Some((_, wanted)) => within.push(wanted.clone()),
            }
        }
        any.then_some(Sight::Within(within))
    }

    /// The machines on which `verb` could be granted on the action, whatever its other arguments.
    pub fn widest_sight(&self, verb: Verb, action: &ActionRef) -> Sight {
        let wanted: Option<Vec<Patterns>> =
            self.granting(verb, action).map(|grant| grant.arguments.get(arguments::HOSTS).cloned()).collect();
        wanted.map_or(Sight::All, Sight::Within)
    }

    fn granting(&self, verb: Verb, action: &ActionRef) -> impl Iterator<Item = &Grant> {
        self.grants
            .iter()
            .map(|held| &held.grant)
            .filter(move |grant| includes(grant.verb, verb) && covers(&grant.on, action.as_str()))
    }
}

impl Sight {
    /// Whether this machine is there.
    pub fn holds(&self, host: &Host, inventory: &Inventory) -> bool {
        match self {
            Sight::All => true,
            Sight::Within(patterns) => patterns.iter().any(|wanted| wanted.holds_host(host, inventory)),
        }
    }

    /// The inventory as it would be if there were no other machines.
    pub fn of<'i>(&self, inventory: &'i Inventory) -> Cow<'i, Inventory> {
        match self {
            Sight::All => Cow::Borrowed(inventory),
            Sight::Within(_) => Cow::Owned(inventory.with_only(&|host| self.holds(host, inventory))),
        }
    }
}

/// Whether a granted verb includes the one that is wanted.
pub fn includes(granted: Verb, wanted: Verb) -> bool {
    match granted {
        Verb::Admin => true,
        Verb::Run | Verb::Approve => wanted == granted || wanted == Verb::View,
        Verb::View => wanted == Verb::View,
    }
}

/// Whether somebody has a role at a moment.
pub fn has_role(asker: Asker<'_>, role: &Role, directory: &Directory, at: Timestamp) -> bool {
    match asker {
        Asker::Chat(identity) => {
            if identity.is_bot || !identity.active {
                return false;
            }
            let named = role.users.iter().any(|name| directory.users.get(name) == Some(&identity.id));
            named
                || role.channels.iter().any(|name| directory.has_member(name, identity))
                || role.groups.iter().any(|name| directory.in_group(name, &identity.id, at))
        }
        Asker::Local { name, .. } => role.unix_users.iter().any(|user| user == name),
        Asker::Rule { name } => role.rules.iter().any(|glob| covers(glob, name.as_str())),
    }
}

fn is_all(grant: &Grant) -> bool {
    grant.verb == Verb::Admin && grant.on == "*" && grant.arguments.is_empty()
}

/// Why a grant does not hold here and now, if it does not.
fn rests(grant: &Grant, place: &Place) -> Option<Rests> {
    let here = |name: &String| place.here.contains(name);
    if !grant.channels.is_empty() && !grant.channels.iter().any(here) {
        return Some(Rests::Elsewhere);
    }
    let hours = grant.hours.as_ref().is_some_and(|hours| !hours.hold(place.then));
    hours.then_some(Rests::AtOtherTimes)
}
