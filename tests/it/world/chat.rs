//! The chat server of a world: the sandbox's, or a real one that the environment names.

use crate::real_mattermost::server::{Client, RealServer};
use halcyon::sandbox::mattermost::{Draft, FileInfo, NotSeen, Options, Post, Reaction, Refusal, Server};
use serde_json::{Value, json};
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// What people do in a test, and what they see. Everything else is the sandbox's alone: a test that needs it cannot be run on a real server.
pub(crate) enum Chat {
    Sandbox(Box<Server>),
    Real(Box<Mutex<RealServer>>),
}

impl Deref for Chat {
    type Target = Server;

    fn deref(&self) -> &Server {
        match self {
            Self::Sandbox(server) => server,
            Self::Real(_) => panic!("only the sandbox can do this"),
        }
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

/// What was made, or why it was not.
fn made(client: &Client, method: &str, path: &str, body: Value) -> Result<Value, Refusal> {
    let answer = wait(client.patient(method, path, &body));
    let json = answer.json();
    if answer.status < 300 {
        return Ok(json);
    }
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    Err(Refusal {
        status: answer.status,
        id: Box::leak(text("id").into_boxed_str()),
        message: text("message"),
        detail: text("detailed_error"),
    })
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn post_of(value: &Value) -> Post {
    let number = |name: &str| value[name].as_i64().unwrap_or_default();
    let text = |name: &str| text(value, name);
    let ids = value["file_ids"].as_array().into_iter().flatten();
    Post {
        id: text("id"),
        create_at: number("create_at"),
        update_at: number("update_at"),
        edit_at: number("edit_at"),
        delete_at: number("delete_at"),
        is_pinned: value["is_pinned"] == true,
        user_id: text("user_id"),
        channel_id: text("channel_id"),
        root_id: text("root_id"),
        message: text("message"),
        kind: text("type"),
        props: value["props"].as_object().cloned().unwrap_or_default(),
        file_ids: ids.filter_map(Value::as_str).map(str::to_owned).collect(),
        ..Post::default()
    }
}

impl Chat {
    pub(crate) async fn start(options: Options) -> Self {
        if RealServer::is_named() {
            Self::Real(Box::new(Mutex::new(RealServer::start().await)))
        } else {
            Self::Sandbox(Box::new(Server::start(options).await.unwrap()))
        }
    }

    pub(crate) fn real(&self) -> Option<MutexGuard<'_, RealServer>> {
        match self {
            Self::Sandbox(_) => None,
            Self::Real(server) => Some(server.lock().unwrap()),
        }
    }

    /// Where the bot connects to.
    pub(crate) fn url(&self) -> String {
        self.real().map_or_else(|| self.deref().url(), |real| real.line.url())
    }

    pub(crate) fn team_name(&self) -> String {
        self.real().map_or_else(|| "ops".to_owned(), |real| real.team_name.clone())
    }

    pub(crate) fn bot_token(&self) -> String {
        self.real().map_or_else(|| self.deref().bot_token(), |real| real.client("halcyon").token.clone())
    }

    pub(crate) fn user_id(&self, name: &str) -> Result<String, Refusal> {
        self.real().map_or_else(|| self.deref().user_id(name), |real| Ok(real.user(name)))
    }

    pub(crate) fn channel_id(&self, name: &str) -> Result<String, Refusal> {
        self.real().map_or_else(|| self.deref().channel_id(name), |real| Ok(real.channel(name)))
    }

    pub(crate) fn add_bot(&self, name: &str) -> String {
        match self.real() {
            None => self.deref().add_bot(name),
            Some(mut real) => wait(real.add_bot(name)),
        }
    }

    pub(crate) fn join(&self, user: &str, channel: &str) -> Result<(), Refusal> {
        let Some(real) = self.real() else { return self.deref().join(user, channel) };
        wait(real.join(user, channel));
        Ok(())
    }

    pub(crate) fn direct_channel(&self, one: &str, other: &str) -> Result<String, Refusal> {
        let Some(real) = self.real() else { return self.deref().direct_channel(one, other) };
        let both = json!([real.user(one), real.user(other)]);
        Ok(text(&made(real.client(one), "POST", "/channels/direct", both)?, "id"))
    }

    pub(crate) fn post_as(&self, user: &str, channel: &str, line: &str, root: Option<&str>) -> Result<String, Refusal> {
        let Some(real) = self.real() else { return self.deref().post_as(user, channel, line, root) };
        let post = json!({ "channel_id": real.channel(channel), "message": line, "root_id": root.unwrap_or_default() });
        Ok(text(&made(real.client(user), "POST", "/posts", post)?, "id"))
    }

    pub(crate) fn post_as_webhook(
        &self,
        owner: &str,
        channel: &str,
        line: &str,
        shown_as: &str,
    ) -> Result<String, Refusal> {
        let Some(real) = self.real() else { return self.deref().post_as_webhook(owner, channel, line, shown_as) };
        wait(real.webhook(owner, channel, line, shown_as));
        Ok(String::new())
    }

    /// A post as odd as the server lets anybody make it. A line of the server's own cannot be chosen; one is caused.
    pub(crate) fn inject(&self, draft: Draft) -> Result<String, Refusal> {
        let Some(real) = self.real() else { return self.deref().inject(draft) };
        if draft.kind.starts_with("system_") {
            wait(real.leave(&draft.user, &draft.channel));
            wait(real.join(&draft.user, &draft.channel));
            return Ok(String::new());
        }
        let post = json!({
            "channel_id": real.channel(&draft.channel), "message": draft.message, "root_id": draft.root_id,
            "props": draft.props, "file_ids": draft.file_ids, "pending_post_id": draft.pending_post_id,
            "type": draft.kind, "remote_id": draft.remote_id, "edit_at": i64::from(draft.edited),
        });
        Ok(text(&made(real.client(&draft.user), "POST", "/posts", post)?, "id"))
    }

    pub(crate) fn edit_as(&self, user: &str, post: &str, line: &str) -> Result<(), Refusal> {
        let Some(real) = self.real() else { return self.deref().edit_as(user, post, line) };
        made(real.client(user), "PUT", &format!("/posts/{post}/patch"), json!({ "message": line })).map(drop)
    }

    // ---- what there is to see

    /// The posts of a channel that are not deleted, oldest first.
    pub(crate) fn posts(&self, channel: &str) -> Vec<Post> {
        let Some(real) = self.real() else { return self.deref().posts(channel) };
        let path = format!("/channels/{}/posts?per_page=200", real.channel(channel));
        let page = made(&real.admin, "GET", &path, Value::Null).unwrap();
        let order = page["order"].as_array().unwrap().iter().rev().filter_map(Value::as_str);
        order.map(|id| post_of(&page["posts"][id])).collect()
    }

    pub(crate) fn post(&self, id: &str) -> Option<Post> {
        let Some(real) = self.real() else { return self.deref().post(id) };
        made(&real.admin, "GET", &format!("/posts/{id}"), Value::Null).ok().map(|post| post_of(&post))
    }

    pub(crate) fn reactions(&self, post: &str) -> Vec<Reaction> {
        let Some(real) = self.real() else { return self.deref().reactions(post) };
        let found = made(&real.admin, "GET", &format!("/posts/{post}/reactions"), Value::Null).unwrap();
        let reaction = |one: &Value| Reaction {
            user_id: text(one, "user_id"),
            post_id: text(one, "post_id"),
            emoji_name: text(one, "emoji_name"),
            create_at: one["create_at"].as_i64().unwrap_or_default(),
        };
        found.as_array().into_iter().flatten().map(reaction).collect()
    }

    pub(crate) fn files(&self, post: &str) -> Vec<FileInfo> {
        let Some(real) = self.real() else { return self.deref().files(post) };
        let found = made(&real.admin, "GET", &format!("/posts/{post}"), Value::Null).unwrap();
        // One by one: a list that the server makes while it still saves the post is empty, and it keeps that list.
        let file = |id: String| {
            let one = made(&real.admin, "GET", &format!("/files/{id}/info"), Value::Null).unwrap();
            let content = wait(async {
                let answer = real.admin.request("GET", &format!("/files/{id}")).send().await.unwrap();
                answer.bytes().await.unwrap().to_vec()
            });
            let mut file = FileInfo::default();
            (file.id, file.name, file.content) = (id, text(&one, "name"), content);
            file
        };
        post_of(&found).file_ids.into_iter().map(file).collect()
    }

    /// Waits until a post of the channel is as wished.
    pub(crate) async fn wait_for(
        &self,
        channel: &str,
        wished: impl Fn(&Post) -> bool,
        within: Duration,
    ) -> Result<Post, NotSeen> {
        if let Self::Sandbox(server) = self {
            return server.wait_for(channel, wished, within).await;
        }
        let end = tokio::time::Instant::now() + within;
        loop {
            let posts = self.posts(channel);
            if let Some(post) = posts.iter().find(|post| wished(post)) {
                return Ok(post.clone());
            }
            assert!(tokio::time::Instant::now() < end, "no such post in {channel}; there is:\n{posts:#?}");
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }
}
