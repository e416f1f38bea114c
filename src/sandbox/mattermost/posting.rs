//! Making, changing and deleting posts, and reacting to them, with the rules of the real server.

use super::attachment;
use super::event::{Audience, Event, Happening};
use super::id::{is_id, new_id};
use super::mention;
use super::model::{Channel, ChannelKind, FileInfo, Post, Reaction, Revision};
use super::refusal::Refusal;
use super::world::{Pending, World};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A post to be made. Tests use it to inject what no client could send: webhook posts, system posts, posts of other servers.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Who writes; id or name.
    pub user: String,
    /// Where; id or name.
    pub channel: String,
    /// The text.
    pub message: String,
    /// The thread; empty for none.
    pub root_id: String,
    /// Attachments and marks such as `from_webhook`.
    pub props: Map<String, Value>,
    /// Uploaded files.
    pub file_ids: Vec<String>,
    /// The key against duplicates.
    pub pending_post_id: String,
    /// Empty, `me`, `system_join_channel`, …
    pub kind: String,
    /// The server it comes from, for shared channels.
    pub remote_id: String,
    /// Whether it was edited before anybody saw it.
    pub edited: bool,
    /// When it was edited, as a client of an older release may pretend; 0 for never.
    pub edit_at: i64,
}

/// The system's lines about members.
const COMING_AND_GOING: [&str; 4] =
    ["system_join_channel", "system_leave_channel", "system_add_to_channel", "system_remove_from_channel"];

/// What changes in a post; what is absent stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patch {
    pub(crate) message: Option<String>,
    pub(crate) props: Option<Map<String, Value>>,
    pub(crate) is_pinned: Option<bool>,
    pub(crate) file_ids: Option<Vec<String>>,
}

impl World {
    pub(crate) fn post(&self, id: &str) -> Option<&Post> {
        self.posts.get(*self.post_places.get(id)?)
    }

    /// A post that exists and is not deleted.
    pub(crate) fn live_post(&self, id: &str) -> Option<&Post> {
        self.post(id).filter(|post| post.delete_at == 0)
    }

    /// A post that this user may read.
    pub(crate) fn readable_post(&self, id: &str, user_id: &str) -> Result<&Post, Refusal> {
        let post = self.live_post(id).ok_or_else(Refusal::no_post)?;
        let channel = self.channels.get(&post.channel_id).ok_or_else(Refusal::no_channel)?;
        if self.may_read(channel, user_id) { Ok(post) } else { Err(Refusal::forbidden("read_channel_content")) }
    }

    /// The post that was already made with this key, if it is young enough.
    pub(crate) fn pending_post(&self, key: &str, now: i64) -> Option<&Post> {
        let pending = self.pending.get(key)?;
        (now - pending.at < self.limits.pending_ms).then(|| self.post(&pending.post_id)).flatten()
    }

    /// Makes a post. The caller has checked that the author may write there.
    pub(crate) fn create_post(&mut self, draft: Draft) -> Result<Post, Refusal> {
        let author = self.find_user(&draft.user)?.clone();
        let channel = self.find_channel(&draft.channel)?.clone();
        if channel.delete_at != 0 {
            return Err(Refusal::new(
                400,
                "api.post.create_post.can_not_post_to_deleted.error",
                "Can not post to deleted channel.",
            ));
        }
        let mut props = draft.props;
        if author.is_bot {
            props.insert("from_bot".into(), json!("true"));
        }
        self.check_root(&draft.root_id, &channel)?;
        self.check_size(&draft.message, &props, &draft.file_ids)?;
        attachment::complete(&mut props);
        let file_ids = self.claimable_files(&draft.file_ids, &author.id);
        let now = self.tick() + std::mem::take(&mut self.postdate_ms);
        let post = Post {
            id: new_id(),
            create_at: now,
            update_at: now,
            edit_at: if draft.edited { now } else { draft.edit_at },
            user_id: author.id.clone(),
            channel_id: channel.id.clone(),
            root_id: draft.root_id,
            message: draft.message,
            kind: draft.kind,
            props,
            file_ids,
            pending_post_id: draft.pending_post_id,
            remote_id: draft.remote_id,
            ..Post::default()
        };
        for id in &post.file_ids {
            if let Some(file) = self.files.get_mut(id) {
                file.post_id.clone_from(&post.id);
            }
        }
        if !post.pending_post_id.is_empty() {
            self.pending.insert(post.pending_post_id.clone(), Pending { post_id: post.id.clone(), at: now });
        }
        if !post.root_id.is_empty() {
            // A thread has changed with its last reply, so `since` tells of its first post again.
            self.touch(&post.root_id, now);
        }
        if let Some(channel) = self.channels.get_mut(&channel.id) {
            channel.last_post_at = now;
            // Who comes and goes is not counted among what is said.
            channel.total_msg_count += u64::from(!COMING_AND_GOING.contains(&post.kind.as_str()));
        }
        self.post_places.insert(post.id.clone(), self.posts.len());
        self.posts.push(post.clone());
        self.announce_post(&post, &channel, &author.username);
        Ok(post)
    }

    fn check_root(&self, root_id: &str, channel: &Channel) -> Result<(), Refusal> {
        const ROOT: &str = "api.post.create_post.root_id.app_error";
        const ROOT_CHANNEL: &str = "api.post.create_post.channel_root_id.app_error";
        if root_id.is_empty() {
            return Ok(());
        }
        let Some(root) = self.live_post(root_id) else {
            return Err(Refusal::new(400, ROOT, "Invalid RootId parameter."));
        };
        if root.channel_id != channel.id {
            return Err(Refusal::new(400, ROOT_CHANNEL, "Invalid ChannelId for RootId parameter."));
        }
        if !root.root_id.is_empty() {
            return Err(Refusal::new(400, ROOT, "Invalid RootId parameter."));
        }
        Ok(())
    }

    fn check_size(&self, message: &str, props: &Map<String, Value>, files: &[String]) -> Result<(), Refusal> {
        if message.chars().count() > self.limits.max_post_size {
            return Err(Refusal::new(
                400,
                self.limits.release.too_long(),
                "Post Message property is longer than the maximum permitted length.",
            ));
        }
        if json!(props).to_string().chars().count() > self.limits.max_props_size {
            return Err(Refusal::new(400, "model.post.is_valid.props.app_error", "Invalid props."));
        }
        if json!(files).to_string().chars().count() > 300 {
            return Err(Refusal::new(
                400,
                "model.post.is_valid.file_ids.app_error",
                "Invalid file ids. Note that uploads are limited to 10 files maximum. Please use additional posts for more files.",
            ));
        }
        Ok(())
    }

    /// Only one's own files that no post has yet are attached; others are left out without a word.
    fn claimable_files(&self, ids: &[String], user_id: &str) -> Vec<String> {
        let mut seen = BTreeSet::new();
        ids.iter()
            .filter(|id| self.files.get(*id).is_some_and(|f| f.user_id == user_id && f.post_id.is_empty()))
            .filter(|id| seen.insert((*id).clone()))
            .cloned()
            .collect()
    }

    fn announce_post(&mut self, post: &Post, channel: &Channel, author: &str) {
        let sender = match post.props.get("override_username").and_then(Value::as_str) {
            Some(name) if post.props.contains_key("from_webhook") => name.to_owned(),
            _ if post.kind.starts_with("system_") => "System".to_owned(),
            _ => format!("@{author}"),
        };
        let display_name =
            if channel.kind == ChannelKind::Direct { sender.clone() } else { channel.display_name.clone() };
        let data = json!({
            "channel_display_name": display_name, "channel_name": channel.name, "channel_type": channel.kind.letter(),
            "post": self.new_post_json(post).to_string(), "sender_name": sender, "set_online": true,
            "team_id": channel.team_id,
        });
        let mut event = Event::new("posted", Audience::Channel(channel.id.clone()), data);
        if !post.file_ids.is_empty() {
            event.data.insert("otherFile".into(), json!("true"));
        }
        event.mentioned = self.mentioned(post, channel);
        self.publish(&event);
        self.tell(Happening::Posted(post.clone()));
    }

    fn mentioned(&self, post: &Post, channel: &Channel) -> BTreeSet<String> {
        let names = mention::names(&post.message);
        let all = ["all", "channel", "here"].iter().any(|name| names.contains(*name));
        // A line about somebody who was added mentions them.
        let added = post.props.get("addedUserId").and_then(Value::as_str).unwrap_or_default();
        let members = self.channel_members.get(&channel.id).into_iter().flatten();
        members
            .filter(|id| **id != post.user_id)
            .filter(|id| {
                all || *id == added
                    || channel.kind == ChannelKind::Direct
                    || self.users.get(*id).is_some_and(|user| names.contains(&user.username.to_lowercase()))
            })
            .cloned()
            .collect()
    }

    /// Changes a post. The caller has checked who may. Props are replaced as they are given: even `from_bot` is lost when it is not among them.
    pub(crate) fn change_post(&mut self, id: &str, patch: Patch) -> Result<Post, Refusal> {
        let old = self.live_post(id).ok_or_else(Refusal::no_post)?.clone();
        let message = patch.message.unwrap_or_else(|| old.message.clone());
        let mut props = patch.props.unwrap_or_else(|| old.props.clone());
        let file_ids = patch.file_ids.unwrap_or_else(|| old.file_ids.clone());
        self.check_size(&message, &props, &file_ids)?;
        attachment::complete(&mut props);
        let edited = message != old.message
            || file_ids != old.file_ids
            || props.get("attachments") != old.props.get("attachments");
        let now = self.tick();
        let Some(post) = self.post_places.get(id).and_then(|place| self.posts.get_mut(*place)) else {
            return Err(Refusal::no_post());
        };
        if message != old.message || props != old.props {
            post.revisions.push(Revision {
                message: old.message.clone(),
                props: old.props,
                replaced_at: now,
                id: new_id(),
                edit_at: old.edit_at,
            });
        }
        if edited {
            post.edit_at = now;
        }
        post.update_at = now;
        post.message = message;
        post.props = props;
        post.is_pinned = patch.is_pinned.unwrap_or(post.is_pinned);
        post.file_ids = file_ids;
        let post = post.clone();
        let data = json!({ "post": self.post_json(&post).to_string() });
        self.publish(&Event::new("post_edited", Audience::Channel(post.channel_id.clone()), data));
        self.tell(Happening::Edited(post.clone()));
        Ok(post)
    }

    /// Deletes a post and, if it is the first of a thread, its replies.
    pub(crate) fn delete_post(&mut self, id: &str, deleter: &str) {
        let now = self.tick();
        let Some(post) = self.post_places.get(id).and_then(|place| self.posts.get_mut(*place)) else { return };
        // What is told is the post as it was.
        let mut told = post.clone();
        told.update_at = now;
        post.delete_at = now;
        post.update_at = now;
        let post = post.clone();
        for reply in self.posts.iter_mut().filter(|reply| reply.root_id == id && reply.delete_at == 0) {
            reply.delete_at = now;
            reply.update_at = now;
        }
        let mut data = json!({ "post": self.post_json(&told).to_string() });
        if self.limits.release.is_recent() {
            data["delete_by"] = json!(deleter);
        }
        self.publish(&Event::new("post_deleted", Audience::Channel(post.channel_id.clone()), data));
        self.tell(Happening::Deleted(post));
    }

    /// Removes a post as if it had never been, as an administrator's tools do. Nobody is told.
    pub(crate) fn erase_post(&mut self, id: &str) {
        self.posts.retain(|post| post.id != id);
        self.post_places = self.posts.iter().enumerate().map(|(place, post)| (post.id.clone(), place)).collect();
    }

    /// Puts an emoji on a post; a second time changes nothing.
    pub(crate) fn react(&mut self, user_id: &str, post_id: &str, emoji: &str) -> Result<Reaction, Refusal> {
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
        if !is_id(post_id) || emoji.is_empty() || emoji.len() > 64 {
            return Err(Refusal::new(400, "api.reaction.save_reaction.invalid.app_error", "Reaction is not valid."));
        }
        if !emoji.chars().all(valid) {
            return Err(Refusal::new(400, "model.reaction.is_valid.emoji_name.app_error", "Invalid emoji name."));
        }
        let post = self.live_post(post_id).ok_or_else(Refusal::no_post)?;
        let channel_id = post.channel_id.clone();
        let found = self
            .reactions
            .iter()
            .find(|r| r.user_id == user_id && r.post_id == post_id && r.emoji_name == emoji)
            .cloned();
        if let Some(found) = found {
            return Ok(found);
        }
        let now = self.tick();
        let reaction = Reaction {
            user_id: user_id.to_owned(),
            post_id: post_id.to_owned(),
            emoji_name: emoji.to_owned(),
            create_at: now,
        };
        self.reactions.push(reaction.clone());
        self.touch(post_id, now);
        let data = json!({ "reaction": self.reaction_json(&reaction).to_string() });
        self.publish(&Event::new("reaction_added", Audience::Channel(channel_id), data));
        self.tell(Happening::Reacted(reaction.clone()));
        Ok(reaction)
    }

    /// Takes an emoji away again.
    pub(crate) fn unreact(&mut self, user_id: &str, post_id: &str, emoji: &str) -> Result<(), Refusal> {
        let channel_id = self.live_post(post_id).ok_or_else(Refusal::no_post)?.channel_id.clone();
        let place =
            self.reactions.iter().position(|r| r.user_id == user_id && r.post_id == post_id && r.emoji_name == emoji);
        let Some(place) = place else { return Ok(()) };
        let reaction = self.reactions.remove(place);
        let now = self.tick();
        self.touch(post_id, now);
        let mut shown = self.reaction_json(&reaction);
        if !self.limits.release.is_recent() {
            shown["create_at"] = json!(0);
        }
        let data = json!({ "reaction": shown.to_string() });
        self.publish(&Event::new("reaction_removed", Audience::Channel(channel_id), data));
        self.tell(Happening::Unreacted(reaction));
        Ok(())
    }

    fn touch(&mut self, post_id: &str, now: i64) {
        if let Some(post) = self.post_places.get(post_id).and_then(|place| self.posts.get_mut(*place)) {
            post.update_at = now;
        }
    }

    /// Shows a post to one user only; it is kept nowhere.
    pub(crate) fn whisper(&mut self, user_id: &str, channel_id: &str, root_id: &str, text: &str) {
        let now = self.tick();
        let post = Post {
            id: new_id(),
            create_at: now,
            user_id: user_id.to_owned(),
            channel_id: channel_id.to_owned(),
            root_id: root_id.to_owned(),
            message: text.to_owned(),
            kind: "system_ephemeral".into(),
            ..Post::default()
        };
        let mut shown = self.post_json(&post);
        if shown.get("parent_id").is_some() {
            shown["parent_id"] = json!("");
        }
        let data = json!({ "post": shown.to_string() });
        let audience = Audience::UserIn(user_id.to_owned(), channel_id.to_owned());
        self.publish(&Event::new("ephemeral_message", audience, data));
        self.tell(Happening::Whispered { user_id: user_id.to_owned(), post });
    }

    /// Keeps a file for a later post.
    pub(crate) fn store_file(&mut self, user_id: &str, channel_id: &str, name: &str, content: Vec<u8>) -> FileInfo {
        let file = FileInfo {
            id: new_id(),
            user_id: user_id.to_owned(),
            channel_id: channel_id.to_owned(),
            post_id: String::new(),
            name: name.to_owned(),
            content,
            create_at: self.tick(),
        };
        self.files.insert(file.id.clone(), file.clone());
        file
    }
}
