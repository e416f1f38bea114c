//! Names in roles and in policies for approvals, and whom they mean.
//!
//! Names can be given away: a user is renamed and another takes the old name, a channel is renamed and somebody makes a new one. **A name that
//! gives rights is tied to the id that it had when it was first seen**, as a fact, and whoever takes it later gains nothing by it. It is free
//! again once it stands in no role and no policy any more.
//!
//! - **A user who was renamed keeps the role**: the id still is theirs.
//! - **A channel or a group of another id than the tied one gives nothing to anybody**, and neither does the old one under a new name: who is in
//!   it is then no longer what the name promised. The administrators are told.

use crate::core::access::MEMBERSHIP_HOLDS;
use crate::core::access::approvers::Approvers;
use crate::core::alias::spec::DIRECT;
use crate::core::id::{ChannelId, UserId};
use crate::core::input::{Directory, Identity};
use crate::core::settings::Role;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a name that gives rights is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// A user.
    User,
    /// A channel.
    Channel,
    /// A group.
    Group,
}

impl Named {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Named::User => "user",
            Named::Channel => "channel",
            Named::Group => "group",
        }
    }
}

/// A name of a kind.
pub type Name = (Named, String);

/// The ids that names are tied to.
pub type Ties = BTreeMap<Name, String>;

/// What becomes of the ties when names were resolved anew.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Retied {
    /// Names that are tied now, with their ids.
    pub tied: Vec<(Name, String)>,
    /// Names that give no rights any more.
    pub freed: Vec<Name>,
    /// Names that mean somebody else by now, and whom.
    pub moved: Vec<(Name, String)>,
}

/// Every name that gives rights: those in roles, and those whom policies ask.
pub fn giving_rights(roles: &[Role], deciders: &Approvers) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    names.extend(deciders.users.iter().map(|name| (Named::User, name.clone())));
    names.extend(deciders.channels.iter().map(|name| (Named::Channel, name.clone())));
    for role in roles {
        names.extend(role.users.iter().map(|name| (Named::User, name.clone())));
        names.extend(role.groups.iter().map(|name| (Named::Group, name.clone())));
        let conditions = role.grants.iter().flat_map(|grant| &grant.channels).filter(|name| *name != DIRECT);
        names.extend(role.channels.iter().chain(conditions).map(|name| (Named::Channel, name.clone())));
    }
    names
}

/// Compares names as they were resolved with the ties that there are.
pub fn retie(names: &BTreeSet<Name>, resolved: &Directory, ties: &Ties) -> Retied {
    let mut retied = Retied::default();
    for name in names {
        let Some(id) = id_of(name, resolved) else { continue };
        match ties.get(name) {
            None => retied.tied.push((name.clone(), id)),
            Some(tied) if *tied != id => retied.moved.push((name.clone(), id)),
            Some(_) => {}
        }
    }
    retied.freed = ties.keys().filter(|name| !names.contains(*name)).cloned().collect();
    retied
}

/// The directory as far as it gives rights.
pub fn tied(mut resolved: Directory, ties: &Ties) -> Directory {
    let tied_to = |kind: Named, name: &str| ties.get(&(kind, name.to_owned())).map(String::as_str);
    resolved.channels.retain(|name, id| tied_to(Named::Channel, name).is_none_or(|tied| tied == id.as_str()));
    resolved.groups.retain(|name, group| tied_to(Named::Group, name).is_none_or(|tied| tied == group.id));
    for ((kind, name), id) in ties {
        if *kind == Named::User {
            resolved.users.insert(name.clone(), UserId::new(id.as_str()));
        }
    }
    resolved
}

fn id_of((kind, name): &Name, resolved: &Directory) -> Option<String> {
    match kind {
        Named::User => resolved.users.get(name).map(ToString::to_string),
        Named::Channel => resolved.channels.get(name).map(ToString::to_string),
        Named::Group => resolved.groups.get(name).map(|group| group.id.clone()),
    }
}

impl Directory {
    /// Whether somebody is a member of the channel of this name.
    pub fn has_member(&self, channel: &str, identity: &Identity) -> bool {
        self.channels.get(channel).is_some_and(|id| identity.member_of.contains(id))
    }

    /// Whether somebody was a member of the group of this name lately.
    pub fn in_group(&self, group: &str, user: &UserId, at: Timestamp) -> bool {
        let group = self.groups.get(group).filter(|group| at.duration_since(group.as_of) <= MEMBERSHIP_HOLDS);
        group.is_some_and(|group| group.members.contains(user))
    }

    /// The names of a channel.
    pub fn names_of(&self, channel: &ChannelId) -> impl Iterator<Item = &str> {
        self.channels.iter().filter(move |(_, id)| *id == channel).map(|(name, _)| name.as_str())
    }
}
