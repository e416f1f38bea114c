//! Lists of posts: newest first, with the threads they belong to beside them.

use super::model::Post;
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
        self.post_list(&chosen, next, previous)
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
        json!({
            "order": order, "posts": posts, "next_post_id": next, "prev_post_id": previous, "has_next": !next.is_empty(),
            "first_inaccessible_post_time": 0,
        })
    }
}
