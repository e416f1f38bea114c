//! Everything the server knows, behind one owner. People, teams, channels and sessions are here; posts, connections and their rules are in
//! the sibling files.

use super::clock::now_ms;
use super::connection::Connection;
use super::event::{Audience, Event, Happening};
use super::id::new_id;
use super::model::{Channel, ChannelKind, FileInfo, Group, Post, Reaction, Team, User};
use super::refusal::Refusal;
use super::release::Release;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::broadcast;

/// A session, a personal access token or a bot token: who speaks.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) user_id: String,
    /// Whether it began with a password; such a one ends when its owner is deactivated, a token only rests.
    pub(crate) by_password: bool,
}

/// The limits and times of this server.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) release: Release,
    pub(crate) max_post_size: usize,
    pub(crate) max_props_size: usize,
    pub(crate) max_file_size: usize,
    pub(crate) post_edit_seconds: Option<i64>,
    pub(crate) pending_ms: i64,
    pub(crate) resume_ms: i64,
    pub(crate) trigger_ms: i64,
}

/// A creation that carried a key against duplicates.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) post_id: String,
    pub(crate) at: i64,
}

/// The state of the server.
pub(crate) struct World {
    pub(crate) limits: Limits,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) teams: BTreeMap<String, Team>,
    pub(crate) team_members: BTreeMap<String, BTreeSet<String>>,
    pub(crate) channels: BTreeMap<String, Channel>,
    pub(crate) channel_members: BTreeMap<String, BTreeSet<String>>,
    /// Whether there are groups at all; otherwise the server says that its licence has none.
    pub(crate) groups_licensed: bool,
    pub(crate) groups: BTreeMap<String, Group>,
    /// Users who may read the members of groups of the directory service.
    pub(crate) group_readers: BTreeSet<String>,
    /// Users cannot change custom groups.
    pub(crate) custom_groups_kept: bool,
    pub(crate) posts: Vec<Post>,
    pub(crate) post_places: BTreeMap<String, usize>,
    pub(crate) reactions: Vec<Reaction>,
    pub(crate) files: BTreeMap<String, FileInfo>,
    pub(crate) sessions: BTreeMap<String, Session>,
    /// By user: what they have set, by category and name.
    pub(crate) preferences: BTreeMap<String, BTreeMap<(String, String), String>>,
    /// By channel and user: the time of the newest post that they have seen.
    pub(crate) seen: BTreeMap<(String, String), i64>,
    pub(crate) pending: BTreeMap<String, Pending>,
    pub(crate) triggers: BTreeMap<String, (String, i64)>,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) connection_count: u64,
    pub(crate) clock_stopped: bool,
    pub(crate) skew_ms: i64,
    pub(crate) postdate_ms: i64,
    pub(crate) lag_ms: i64,
    last_tick: i64,
    happenings: broadcast::Sender<Happening>,
}

impl World {
    pub(crate) fn new(limits: Limits, happenings: broadcast::Sender<Happening>) -> Self {
        Self {
            limits,
            users: BTreeMap::new(),
            teams: BTreeMap::new(),
            team_members: BTreeMap::new(),
            channels: BTreeMap::new(),
            channel_members: BTreeMap::new(),
            groups_licensed: false,
            groups: BTreeMap::new(),
            group_readers: BTreeSet::new(),
            custom_groups_kept: false,
            posts: Vec::new(),
            post_places: BTreeMap::new(),
            reactions: Vec::new(),
            files: BTreeMap::new(),
            sessions: BTreeMap::new(),
            preferences: BTreeMap::new(),
            seen: BTreeMap::new(),
            pending: BTreeMap::new(),
            triggers: BTreeMap::new(),
            connections: BTreeMap::new(),
            connection_count: 0,
            clock_stopped: false,
            skew_ms: 0,
            postdate_ms: 0,
            lag_ms: 0,
            last_tick: 0,
            happenings,
        }
    }

    /// The time for a change: strictly rising, unless a test stopped the clock.
    pub(crate) fn tick(&mut self) -> i64 {
        if !self.clock_stopped || self.last_tick == 0 {
            self.last_tick = self.now().max(self.last_tick + 1);
        }
        self.last_tick
    }

    /// What the server takes the time to be.
    pub(crate) fn now(&self) -> i64 {
        now_ms() + self.skew_ms
    }

    /// Tells tests. Nobody listening is fine.
    pub(crate) fn tell(&self, happening: Happening) {
        let _ = self.happenings.send(happening);
    }

    // ---- people

    pub(crate) fn add_user(&mut self, username: &str, password: Option<&str>, is_bot: bool) -> String {
        if let Some(user) = self.user_by_name(username) {
            return user.id.clone();
        }
        let id = new_id();
        let user = User {
            id: id.clone(),
            username: username.to_owned(),
            is_bot,
            roles: "system_user".into(),
            password: password.map(str::to_owned),
            delete_at: 0,
            timezone: Default::default(),
            status: "offline".into(),
            status_manual: false,
            failed_attempts: 0,
            create_at: self.tick(),
        };
        self.users.insert(id.clone(), user);
        id
    }

    pub(crate) fn user_by_name(&self, username: &str) -> Option<&User> {
        self.users.values().find(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// A user by id or by name.
    pub(crate) fn find_user(&self, who: &str) -> Result<&User, Refusal> {
        self.users.get(who).or_else(|| self.user_by_name(who)).ok_or_else(Refusal::no_user)
    }

    pub(crate) fn open_session(&mut self, user_id: &str, by_password: bool) -> String {
        let token = new_id();
        self.sessions.insert(token.clone(), Session { user_id: user_id.to_owned(), by_password });
        token
    }

    /// Whose token this is, if it is still good and its owner active.
    pub(crate) fn session(&self, token: &str) -> Option<&Session> {
        let session = self.sessions.get(token)?;
        (self.users.get(&session.user_id)?.delete_at == 0).then_some(session)
    }

    pub(crate) fn set_status(&mut self, user_id: &str, status: &str) {
        let Some(user) = self.users.get_mut(user_id) else { return };
        if user.status != status {
            status.clone_into(&mut user.status);
            let data = json!({ "user_id": user_id, "status": status });
            self.publish(&Event::new("status_change", Audience::User(user_id.to_owned()), data));
        }
    }

    /// Takes a user out of service or back into it.
    pub(crate) fn set_active(&mut self, user_id: &str, active: bool) {
        let now = self.tick();
        if let Some(user) = self.users.get_mut(user_id) {
            user.delete_at = if active { 0 } else { now };
        }
        if !active {
            self.sessions.retain(|_, session| session.user_id != user_id || !session.by_password);
        }
        let Some(shown) = self.users.get(user_id).map(|user| self.user_json(user)) else { return };
        self.publish(&Event::new("user_updated", Audience::Everybody, json!({ "user": shown })));
    }

    /// Gives a user another name.
    pub(crate) fn rename_user(&mut self, user_id: &str, name: &str) {
        if let Some(user) = self.users.get_mut(user_id) {
            name.clone_into(&mut user.username);
        }
        self.tell_of_user(user_id);
    }

    /// Turns a user into a bot account or back.
    pub(crate) fn set_bot(&mut self, user_id: &str, is_bot: bool) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.is_bot = is_bot;
        }
        self.tell_of_user(user_id);
    }

    fn tell_of_user(&mut self, user_id: &str) {
        let Some(shown) = self.users.get(user_id).map(|user| self.user_json(user)) else { return };
        self.publish(&Event::new("user_updated", Audience::Everybody, json!({ "user": shown })));
    }

    // ---- groups

    /// Makes a group; `ldap` when it is one of the directory service, `custom` otherwise.
    pub(crate) fn add_group(&mut self, name: &str, source: &str) -> String {
        let id = new_id();
        let remote_id = if source == "custom" { String::new() } else { format!("remote-{name}") };
        let (source, create_at) = (source.to_owned(), self.tick());
        let (name, display_name) = (name.to_owned(), name.to_owned());
        let members = BTreeSet::new();
        self.groups
            .insert(id.clone(), Group { id: id.clone(), name, display_name, source, remote_id, members, create_at });
        id
    }

    /// A group by id or by name.
    pub(crate) fn find_group(&mut self, which: &str) -> Result<&mut Group, Refusal> {
        let found = self.groups.values_mut().find(|group| group.id == which || group.name == which);
        found.ok_or_else(|| Refusal::new(404, "app.group.no_rows", "no matching group found"))
    }

    // ---- teams and channels

    pub(crate) fn add_team(&mut self, name: &str) -> String {
        if let Some(team) = self.team_by_name(name) {
            return team.id.clone();
        }
        let id = new_id();
        let create_at = self.tick();
        self.teams
            .insert(id.clone(), Team { id: id.clone(), name: name.to_owned(), display_name: title(name), create_at });
        self.team_members.insert(id.clone(), BTreeSet::new());
        id
    }

    pub(crate) fn team_by_name(&self, name: &str) -> Option<&Team> {
        self.teams.values().find(|team| team.name == name)
    }

    pub(crate) fn in_team(&self, team_id: &str, user_id: &str) -> bool {
        self.team_members.get(team_id).is_some_and(|members| members.contains(user_id))
    }

    pub(crate) fn join_team(&mut self, team_id: &str, user_id: &str) {
        self.team_members.entry(team_id.to_owned()).or_default().insert(user_id.to_owned());
    }

    pub(crate) fn add_channel(&mut self, team_id: &str, name: &str, kind: ChannelKind, creator_id: &str) -> String {
        if let Some(channel) = self.channel_by_name(team_id, name) {
            return channel.id.clone();
        }
        let id = new_id();
        let channel = Channel {
            id: id.clone(),
            team_id: team_id.to_owned(),
            name: name.to_owned(),
            display_name: if kind == ChannelKind::Direct { String::new() } else { title(name) },
            kind,
            header: String::new(),
            purpose: String::new(),
            delete_at: 0,
            create_at: self.tick(),
            creator_id: creator_id.to_owned(),
            last_post_at: 0,
            total_msg_count: 0,
        };
        self.channels.insert(id.clone(), channel);
        self.channel_members.insert(id.clone(), BTreeSet::new());
        id
    }

    /// Makes a channel with its first member and tells them.
    pub(crate) fn create_channel(&mut self, team_id: &str, name: &str, kind: ChannelKind, creator_id: &str) -> String {
        let id = self.add_channel(team_id, name, kind, creator_id);
        self.channel_members.entry(id.clone()).or_default().insert(creator_id.to_owned());
        let data = json!({ "channel_id": id, "team_id": team_id });
        self.publish(&Event::new("channel_created", Audience::User(creator_id.to_owned()), data));
        id
    }

    pub(crate) fn channel_by_name(&self, team_id: &str, name: &str) -> Option<&Channel> {
        self.channels.values().find(|channel| channel.team_id == team_id && channel.name == name)
    }

    /// A channel by id, or by name in any team.
    pub(crate) fn find_channel(&self, which: &str) -> Result<&Channel, Refusal> {
        self.channels
            .get(which)
            .or_else(|| self.channels.values().find(|channel| channel.name == which))
            .ok_or_else(Refusal::no_channel)
    }

    pub(crate) fn in_channel(&self, channel_id: &str, user_id: &str) -> bool {
        self.channel_members.get(channel_id).is_some_and(|members| members.contains(user_id))
    }

    /// Members read; everybody in the team reads an open channel.
    pub(crate) fn may_read(&self, channel: &Channel, user_id: &str) -> bool {
        self.in_channel(&channel.id, user_id)
            || (channel.kind == ChannelKind::Open && self.in_team(&channel.team_id, user_id))
            || self.is_admin(user_id)
    }

    pub(crate) fn is_admin(&self, user_id: &str) -> bool {
        self.users.get(user_id).is_some_and(|user| user.roles.split(' ').any(|role| role == "system_admin"))
    }

    /// Puts a user into a channel (and its team) and tells its members.
    pub(crate) fn join_channel(&mut self, channel_id: &str, user_id: &str) {
        let Some(team_id) = self.channels.get(channel_id).map(|channel| channel.team_id.clone()) else { return };
        if !team_id.is_empty() {
            self.join_team(&team_id, user_id);
        }
        if self.channel_members.entry(channel_id.to_owned()).or_default().insert(user_id.to_owned()) {
            let data = json!({ "user_id": user_id, "team_id": team_id });
            self.publish(&Event::new("user_added", Audience::Channel(channel_id.to_owned()), data));
        }
    }

    /// Takes a user out of a channel; the channel and the user are told.
    pub(crate) fn leave_channel(&mut self, channel_id: &str, user_id: &str, remover_id: &str) {
        if self.channel_members.entry(channel_id.to_owned()).or_default().remove(user_id) {
            let data = json!({ "user_id": user_id, "remover_id": remover_id });
            self.publish(&Event::new("user_removed", Audience::Channel(channel_id.to_owned()), data));
            let data = json!({ "channel_id": channel_id, "remover_id": remover_id });
            self.publish(&Event::new("user_removed", Audience::User(user_id.to_owned()), data));
        }
    }

    /// Somebody looks at a channel: all that is in it is seen. Gives the time of the newest post.
    pub(crate) fn look_at(&mut self, channel_id: &str, user_id: &str) -> i64 {
        let newest = self.channels.get(channel_id).map_or(0, |channel| channel.last_post_at);
        self.seen.insert((channel_id.to_owned(), user_id.to_owned()), newest);
        let (name, data) = if self.limits.release.is_recent() {
            ("multiple_channels_viewed", json!({ "channel_times": { channel_id: newest } }))
        } else {
            ("channel_viewed", json!({ "channel_id": channel_id }))
        };
        self.publish(&Event::new(name, Audience::User(user_id.to_owned()), data));
        newest
    }

    /// The time of the newest post of a channel that somebody has seen; 0 when they have seen none.
    pub(crate) fn seen_until(&self, channel_id: &str, user_id: &str) -> i64 {
        self.seen.get(&(channel_id.to_owned(), user_id.to_owned())).copied().unwrap_or_default()
    }

    /// How many posts of one of their channels somebody has not seen.
    pub(crate) fn unread(&self, channel_id: &str, user_id: &str) -> usize {
        if !self.in_channel(channel_id, user_id) {
            return 0;
        }
        let seen = self.seen_until(channel_id, user_id);
        self.posts
            .iter()
            .filter(|post| post.channel_id == channel_id && post.delete_at == 0 && post.create_at > seen)
            .count()
    }

    /// The direct channel of two users, made if there is none yet.
    pub(crate) fn direct_channel(&mut self, one: &str, other: &str) -> String {
        let (low, high) = if one < other { (one, other) } else { (other, one) };
        let name = format!("{low}__{high}");
        if let Some(channel) = self.channel_by_name("", &name) {
            return channel.id.clone();
        }
        let id = self.add_channel("", &name, ChannelKind::Direct, one);
        self.channel_members.insert(id.clone(), BTreeSet::from([low.to_owned(), high.to_owned()]));
        let data = json!({ "creator_id": one, "teammate_id": other });
        self.publish(&Event::new("direct_added", Audience::Channel(id.clone()), data));
        id
    }
}

/// The channel that everybody is in has two capitals; `wn-alerts` is shown as `Wn alerts`.
fn title(name: &str) -> String {
    if name == "town-square" {
        return "Town Square".to_owned();
    }
    let spaced = name.replace('-', " ");
    let mut characters = spaced.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
