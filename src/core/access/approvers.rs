//! Who may decide about the runs of an action.
//!
//! Two things have to come together: **the policy names whom it asks** (roles, users, channels), and **a grant of `approve` says who may**, for
//! this action with these arguments, here and now. A policy in a pack can therefore ask nobody whom the site has not trusted with that, and a
//! site's grant does not make anybody an approver of what a policy keeps for others. `admin` includes `approve`.

use crate::core::access::arguments::Arguments;
use crate::core::access::{Rights, includes};
use crate::core::content::glob::covers;
use crate::core::host::Inventory;
use crate::core::id::{ActionRef, UserId};
use crate::core::input::{Directory, Identity};
use crate::core::settings::{Grant, Role, Settings, Verb};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Whom a policy asks, as it says it: `approvers: {roles: [lead], users: [], channels: []}`. User names are compared without the at sign and in
/// lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Approvers {
    /// Whoever has one of these roles.
    pub roles: Vec<String>,
    /// These users.
    pub users: Vec<String>,
    /// Whoever is a member of one of these channels.
    pub channels: Vec<String>,
}

impl Approvers {
    /// Whether nobody could ever decide.
    pub fn names_nobody(&self) -> bool {
        self.roles.is_empty() && self.users.is_empty() && self.channels.is_empty()
    }
}

/// What is known, and from where: the same for every question about one moment.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The settings in force.
    pub settings: &'a Settings,
    /// Names and whom they mean, as far as they give rights.
    pub directory: &'a Directory,
    /// The machines.
    pub inventory: &'a Inventory,
}

/// What has to be decided about.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// The action.
    pub action: &'a ActionRef,
    /// With what, resolved; `hosts` are the machines that it would run on.
    pub arguments: Arguments<'a>,
}

/// Whether somebody is there to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anybody {
    /// These may. `perhaps` says that members of channels may as well of whom the chat server has not told who they are.
    Known {
        /// They, the requester left out where that was asked for.
        users: BTreeSet<UserId>,
        /// There may be others.
        perhaps: bool,
    },
    /// Nobody may: whom the policy names has no `approve` on the action with these arguments, is deactivated or is a bot, or is the requester.
    Nobody,
}

/// The names of users and channels that have to be resolved so that approvers are known ([`Settings`] do not name them): for
/// `Chat::directory` and `Chat::identify`.
pub fn names(approvers: &[Approvers]) -> (BTreeSet<String>, BTreeSet<String>) {
    let users = approvers.iter().flat_map(|one| one.users.iter().map(|name| plain(name)));
    let channels = approvers.iter().flat_map(|one| one.channels.iter().cloned());
    (users.collect(), channels.collect())
}

/// Whether somebody may approve a deed: the policy names them, and `approve` is granted to them on it. Takes them as they were looked up just
/// now, and what they may where and when they say it; a bot and a deactivated user may not.
pub fn may_approve(voter: &Identity, rights: &Rights, approvers: &Approvers, deed: Deed<'_>, known: Known<'_>) -> bool {
    if voter.is_bot || !voter.active {
        return false;
    }
    let by_role = rights.roles.iter().any(|role| approvers.roles.contains(role));
    let by_name = approvers.users.iter().any(|name| known.directory.users.get(&plain(name)) == Some(&voter.id));
    let by_channel = approvers.channels.iter().any(|name| known.directory.has_member(name, voter));
    (by_role || by_name || by_channel) && rights.may_with(Verb::Approve, deed.action, &deed.arguments, known.inventory)
}

/// Whether anybody could approve a deed, asked before people are. Channels and hours of grants are passed over: who may not decide here and now
/// may elsewhere or later. `but` are those who do not count: the bot, and the requester where they may not decide themselves.
pub fn anybody(approvers: &Approvers, deed: Deed<'_>, known: Known<'_>, at: Timestamp, but: &[&UserId]) -> Anybody {
    let grants = |grant: &Grant| {
        let alone = Rights {
            roles: Vec::new(),
            grants: vec![super::Held { role: String::new(), grant: grant.clone() }],
            resting: Vec::new(),
        };
        includes(grant.verb, Verb::Approve)
            && covers(&grant.on, deed.action.as_str())
            && alone.may_with(Verb::Approve, deed.action, &deed.arguments, known.inventory)
    };
    let granting: Vec<&Role> = known.settings.roles.iter().filter(|role| role.grants.iter().any(&grants)).collect();
    let named = approvers.users.iter().filter_map(|name| known.directory.users.get(&plain(name)));
    let named: BTreeSet<UserId> = named.cloned().collect();
    let asked = |role: &Role| approvers.roles.contains(&role.name);
    let seen = |names: &[String]| -> BTreeSet<UserId> {
        let channels = names.iter().filter_map(|name| known.directory.channels.get(name));
        channels.filter_map(|channel| known.directory.members.get(channel)).flatten().cloned().collect()
    };
    let of_role = |role: &Role| -> BTreeSet<UserId> {
        let users = role.users.iter().filter_map(|name| known.directory.users.get(name).cloned());
        let groups = role.groups.iter().filter_map(|name| known.directory.groups.get(name));
        let fresh = groups.filter(|group| at.duration_since(group.as_of) <= super::MEMBERSHIP_HOLDS);
        users.chain(fresh.flat_map(|group| group.members.iter().cloned())).chain(seen(&role.channels)).collect()
    };
    let mut asked_ones = named;
    asked_ones.extend(seen(&approvers.channels));
    asked_ones.extend(known.settings.roles.iter().filter(|role| asked(role)).flat_map(of_role));
    let granted: BTreeSet<UserId> = granting.iter().flat_map(|role| of_role(role)).collect();
    let mut users: BTreeSet<UserId> = asked_ones.intersection(&granted).cloned().collect();
    let counts = |user: &UserId| !but.contains(&user) && !known.directory.inactive.contains(user);
    users.retain(&counts);
    // Members of a channel who are not known: of those that are asked, or of those to whom it is granted.
    let unseen = |names: &[String]| {
        let mut channels = names.iter().filter_map(|name| known.directory.channels.get(name));
        channels.any(|channel| !known.directory.members.contains_key(channel))
    };
    let asked_unseen =
        unseen(&approvers.channels) || known.settings.roles.iter().any(|role| asked(role) && unseen(&role.channels));
    let granted_unseen = granting.iter().any(|role| unseen(&role.channels));
    let others = |users: &BTreeSet<UserId>| users.iter().any(&counts);
    let perhaps = (asked_unseen && (granted_unseen || others(&granted))) || (granted_unseen && others(&asked_ones));
    if users.is_empty() && !perhaps { Anybody::Nobody } else { Anybody::Known { users, perhaps } }
}

fn plain(name: &str) -> String {
    name.trim().trim_start_matches('@').to_lowercase()
}
