//! How the server writes what it knows.

use super::attachment;
use super::model::{Channel, FileInfo, Post, Reaction, Team, User};
use super::world::World;
use serde_json::{Map, Value, json};

impl World {
    pub(crate) fn user_json(&self, user: &User) -> Value {
        let mut shown = json!({
            "id": user.id, "create_at": user.create_at, "update_at": user.create_at, "delete_at": user.delete_at,
            "username": user.username, "auth_data": "", "auth_service": "",
            "email": format!("{}@sandbox.invalid", user.username), "nickname": "", "first_name": "", "last_name": "",
            "position": "", "roles": user.roles, "locale": "en", "disable_welcome_email": false,
            "timezone": {
                "automaticTimezone": user.timezone.0, "manualTimezone": user.timezone.1,
                "useAutomaticTimezone": if user.timezone.1.is_empty() { "true" } else { "false" },
            },
        });
        if user.is_bot
            && let Some(shown) = shown.as_object_mut()
        {
            shown.insert("is_bot".into(), json!(true));
        }
        shown
    }

    pub(crate) fn team_json(&self, team: &Team) -> Value {
        json!({
            "id": team.id, "create_at": team.create_at, "update_at": team.create_at, "delete_at": 0,
            "display_name": team.display_name, "name": team.name, "description": "", "email": "", "type": "O",
            "company_name": "", "allowed_domains": "", "invite_id": "", "allow_open_invite": false,
            "scheme_id": Value::Null, "group_constrained": Value::Null, "policy_id": Value::Null,
        })
    }

    pub(crate) fn channel_json(&self, channel: &Channel) -> Value {
        json!({
            "id": channel.id, "create_at": channel.create_at, "update_at": channel.create_at, "delete_at": 0,
            "team_id": channel.team_id, "type": channel.kind.letter(), "display_name": channel.display_name,
            "name": channel.name, "header": "", "purpose": "", "last_post_at": channel.last_post_at,
            "total_msg_count": channel.total_msg_count, "extra_update_at": 0, "creator_id": channel.creator_id,
            "scheme_id": Value::Null, "props": Value::Null, "group_constrained": Value::Null, "shared": Value::Null,
            "total_msg_count_root": channel.total_msg_count, "policy_id": Value::Null,
            "last_root_post_at": channel.last_post_at,
        })
    }

    pub(crate) fn team_member_json(&self, team_id: &str, user_id: &str) -> Value {
        json!({
            "team_id": team_id, "user_id": user_id, "roles": "team_user", "delete_at": 0, "scheme_guest": false,
            "scheme_user": true, "scheme_admin": false, "explicit_roles": "",
        })
    }

    pub(crate) fn member_json(&self, channel_id: &str, user_id: &str) -> Value {
        json!({
            "channel_id": channel_id, "user_id": user_id, "roles": "channel_user", "last_viewed_at": 0, "msg_count": 0,
            "mention_count": 0, "mention_count_root": 0, "msg_count_root": 0, "urgent_mention_count": 0,
            "notify_props": { "desktop": "default", "email": "default", "mark_unread": "all", "push": "default" },
            "last_update_at": 0, "scheme_guest": false, "scheme_user": true, "scheme_admin": false, "explicit_roles": "",
        })
    }

    pub(crate) fn reaction_json(&self, reaction: &Reaction) -> Value {
        let mut shown = json!({
            "user_id": reaction.user_id, "post_id": reaction.post_id, "emoji_name": reaction.emoji_name,
            "create_at": reaction.create_at, "update_at": reaction.create_at, "delete_at": 0, "remote_id": "",
        });
        if self.limits.release.is_recent() {
            shown["channel_id"] = json!(self.post(&reaction.post_id).map_or("", |post| post.channel_id.as_str()));
        }
        shown
    }

    pub(crate) fn file_json(&self, file: &FileInfo) -> Value {
        let recent = self.limits.release.is_recent();
        let mut shown = json!({
            "id": file.id, "user_id": file.user_id, "channel_id": if recent { file.channel_id.as_str() } else { "" },
            "create_at": file.create_at, "update_at": file.create_at, "delete_at": 0, "name": file.name,
            "extension": file.extension(), "size": file.content.len(), "mime_type": file.mime_type(),
            "mini_preview": Value::Null, "remote_id": "",
        });
        if recent {
            shown["archived"] = json!(false);
        }
        if !file.post_id.is_empty() {
            shown["post_id"] = json!(file.post_id);
        }
        shown
    }

    /// The post as its author's client and the event show it: with the key against duplicates, which is not kept.
    pub(crate) fn new_post_json(&self, post: &Post) -> Value {
        let mut shown = self.post_json(post);
        shown["pending_post_id"] = json!(post.pending_post_id);
        shown
    }

    /// The post as clients see it: without revisions and without the `integration` of its buttons.
    pub(crate) fn post_json(&self, post: &Post) -> Value {
        let root = if post.root_id.is_empty() { &post.id } else { &post.root_id };
        let replies = self.posts.iter().filter(|reply| reply.root_id == *root && reply.delete_at == 0);
        let reply_count = replies.count();
        let reactions: Vec<Value> =
            self.reactions.iter().filter(|r| r.post_id == post.id).map(|r| self.reaction_json(r)).collect();
        let files: Vec<Value> =
            post.file_ids.iter().filter_map(|id| self.files.get(id)).map(|file| self.file_json(file)).collect();
        let mut metadata = Map::new();
        let props = attachment::shown(&post.props);
        if props.contains_key("attachments") {
            metadata.insert("embeds".into(), json!([{ "type": "message_attachment" }]));
        }
        if !files.is_empty() {
            metadata.insert("files".into(), json!(files));
        }
        if !reactions.is_empty() {
            metadata.insert("reactions".into(), json!(reactions));
        }
        let mut shown = json!({
            "id": post.id, "create_at": post.create_at, "update_at": post.update_at, "edit_at": post.edit_at,
            "delete_at": post.delete_at, "is_pinned": post.is_pinned, "user_id": post.user_id,
            "channel_id": post.channel_id, "root_id": post.root_id, "original_id": "", "message": post.message,
            "type": post.kind, "props": props, "hashtags": "", "pending_post_id": "",
            "reply_count": reply_count, "last_reply_at": 0, "participants": Value::Null,
            "metadata": metadata,
        });
        if let Some(shown) = shown.as_object_mut() {
            if !self.limits.release.is_recent() {
                shown.insert("parent_id".into(), json!(post.root_id));
            }
            if !post.file_ids.is_empty() {
                shown.insert("file_ids".into(), json!(post.file_ids));
            }
            if !reactions.is_empty() {
                shown.insert("has_reactions".into(), json!(true));
            }
            if !post.remote_id.is_empty() {
                shown.insert("remote_id".into(), json!(post.remote_id));
            }
        }
        shown
    }
}

impl FileInfo {
    pub(crate) fn extension(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub(crate) fn mime_type(&self) -> &'static str {
        match self.extension().to_ascii_lowercase().as_str() {
            "txt" | "log" => "text/plain",
            "json" => "application/json",
            "csv" => "text/csv",
            "md" => "text/markdown",
            "yaml" | "yml" => "application/yaml",
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "gz" => "application/gzip",
            _ => "application/octet-stream",
        }
    }
}
