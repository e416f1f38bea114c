//! Lists of posts: newest first, with the threads they belong to beside them.

use super::model::{Post, Revision};
use super::world::World;
use serde_json::{Map, Value, json};

/// Which part of a channel is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Window {
    /// The newest.
    Newest,
    /// What was made after this post.
    After(String),
    /// What was made before this post.
    Before(String),
    /// What changed after this time: hints, not a list.
    Since(i64),
}

/// `since` knows no pages and stops here.
const SINCE_LIMIT: usize = 1000;

impl World {
    /// A page of a channel. With `holes` the answer to `since` loses rows, as the real one does.
    pub(crate) fn timeline(
        &self,
        channel_id: &str,
        window: &Window,
        page: usize,
        per_page: usize,
        holes: bool,
    ) -> Value {
        let here = || self.posts.iter().rev().filter(|post| post.channel_id == channel_id);
        let shown = if self.lag_ms > 0 { self.now() - self.lag_ms } else { i64::MAX };
        let live = || here().filter(|post| post.delete_at == 0 && post.create_at <= shown);
        let chosen: Vec<&Post> = match window {
            Window::Newest => live().skip(page * per_page).take(per_page).collect(),
            Window::Before(id) => match self.post(id) {
                Some(cursor) => {
                    live().filter(|p| p.create_at < cursor.create_at).skip(page * per_page).take(per_page).collect()
                }
                None => Vec::new(),
            },
            Window::After(id) => match self.post(id) {
                Some(cursor) => {
                    let mut newer: Vec<&Post> = live().filter(|p| p.create_at > cursor.create_at).collect();
                    newer.reverse();
                    let mut part: Vec<&Post> = newer.into_iter().skip(page * per_page).take(per_page).collect();
                    part.reverse();
                    part
                }
                None => Vec::new(),
            },
            Window::Since(time) => here()
                .filter(|post| post.update_at > *time)
                .enumerate()
                .filter(|(number, _)| !holes || number % 2 == 0)
                .map(|(_, post)| post)
                .take(SINCE_LIMIT)
                .collect(),
        };
        let next = chosen.first().and_then(|newest| live().rfind(|p| p.create_at > newest.create_at));
        let previous = chosen.last().and_then(|oldest| live().find(|p| p.create_at < oldest.create_at));
        let next = next.map_or("", |post| post.id.as_str());
        let previous = previous.map_or("", |post| post.id.as_str());
        // The first page after or before a post names that post, whatever there is of it.
        let (next, previous) = match window {
            Window::Since(_) => ("", ""),
            Window::After(id) if page == 0 => (next, id.as_str()),
            Window::Before(id) if page == 0 => (id.as_str(), previous),
            _ => (next, previous),
        };
        let mut list = self.post_list(&chosen, next, previous);
        if let Window::Since(time) = window {
            for post in &chosen {
                self.add_history(post, *time, &mut list);
            }
        }
        list
    }

    /// What a post was before its edits since this time: told as posts of their own, deleted and without their text.
    fn add_history(&self, post: &Post, since: i64, list: &mut Value) {
        let Some(order) = list["order"].as_array_mut() else { return };
        let Some(place) = order.iter().position(|id| *id == post.id) else { return };
        let new: Vec<&Revision> = post.revisions.iter().filter(|old| old.replaced_at > since).collect();
        for old in &new {
            order.insert(place + 1, json!(old.id));
        }
        for old in new {
            let mut shown = self.post_json(&Post {
                id: old.id.clone(),
                edit_at: old.edit_at,
                update_at: old.replaced_at,
                delete_at: old.replaced_at,
                message: String::new(),
                props: Map::new(),
                file_ids: Vec::new(),
                is_pinned: false,
                ..post.clone()
            });
            shown["original_id"] = json!(post.id);
            list["posts"][&old.id] = shown;
        }
    }

    /// A thread: its first post and all replies.
    pub(crate) fn thread(&self, root_id: &str) -> Value {
        let posts: Vec<&Post> = self
            .posts
            .iter()
            .rev()
            .filter(|post| (post.id == root_id || post.root_id == root_id) && post.delete_at == 0)
            .collect();
        self.post_list(&posts, "", "")
    }

    fn post_list(&self, chosen: &[&Post], next: &str, previous: &str) -> Value {
        let order: Vec<&str> = chosen.iter().map(|post| post.id.as_str()).collect();
        let mut posts: Map<String, Value> = chosen.iter().map(|post| (post.id.clone(), self.post_json(post))).collect();
        // The rest of every thread comes along in `posts`, so that nobody may take `posts` for the answer.
        for root in chosen.iter().map(|post| &post.root_id).filter(|root| !root.is_empty()) {
            let thread = self.posts.iter().filter(|p| p.delete_at == 0 && (p.id == *root || p.root_id == *root));
            for post in thread {
                posts.entry(post.id.clone()).or_insert_with(|| self.post_json(post));
            }
        }
        let mut list = json!({ "order": order, "posts": posts, "next_post_id": next, "prev_post_id": previous });
        if self.limits.release.is_recent() {
            list["has_next"] = json!(!next.is_empty());
            list["first_inaccessible_post_time"] = json!(0);
        }
        list
    }

    /// These posts of one channel, newest first, and what is about them.
    pub(crate) fn chosen(&self, channel_id: &str, posts: &[&Post]) -> Value {
        let live = || self.posts.iter().filter(|post| post.channel_id == channel_id && post.delete_at == 0);
        let next = posts.first().and_then(|newest| live().find(|post| post.create_at > newest.create_at));
        let previous = posts.last().and_then(|oldest| live().rfind(|post| post.create_at < oldest.create_at));
        self.post_list(posts, next.map_or("", |post| &post.id), previous.map_or("", |post| &post.id))
    }

    /// These posts of whatever channel, without the rest of their threads.
    pub(crate) fn found(&self, posts: &[&Post]) -> Value {
        let order: Vec<&str> = posts.iter().map(|post| post.id.as_str()).collect();
        let posts: Map<String, Value> = posts.iter().map(|post| (post.id.clone(), self.post_json(post))).collect();
        json!({ "order": order, "posts": posts, "next_post_id": "", "prev_post_id": "" })
    }
}
