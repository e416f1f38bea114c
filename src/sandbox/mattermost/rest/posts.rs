//! Posts, threads, reactions and presses.

use super::channels::readable;
use super::{Caller, body, id};
use crate::sandbox::mattermost::clock::now_ms;
use crate::sandbox::mattermost::faults::PostFailure;
use crate::sandbox::mattermost::gate::Line;
use crate::sandbox::mattermost::id::is_id;
use crate::sandbox::mattermost::model::Post;
use crate::sandbox::mattermost::posting::{Draft, Patch};
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use crate::sandbox::mattermost::timeline::Window;
use crate::sandbox::mattermost::world::World;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Deserialize)]
struct NewPost {
    #[serde(default)]
    channel_id: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    root_id: String,
    #[serde(default)]
    file_ids: Option<Vec<String>>,
    #[serde(default)]
    props: Option<Map<String, Value>>,
    #[serde(default)]
    pending_post_id: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    edit_at: i64,
    #[serde(default)]
    remote_id: String,
}

fn ordered_failure() -> Refusal {
    Refusal::new(500, "app.post.save.app_error", "Unable to save the Post.")
}

pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    caller: Caller,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewPost = match body(&bytes, "post") {
        // Older releases take what they cannot read for a post without a channel.
        Err(_) if !shared.world().limits.release.is_recent() => return Err(Refusal::forbidden("create_post")),
        wanted => wanted?,
    };
    let failure = shared.plan().post_failures.pop_front();
    match failure {
        Some(PostFailure::ErrorBefore) => return Err(ordered_failure()),
        Some(PostFailure::DeadBefore) => {
            line.0.cut();
            return Err(ordered_failure());
        }
        Some(PostFailure::ErrorAfter | PostFailure::DeadAfter) | None => {}
    }
    let made = save(&shared, &caller, wanted)?;
    match failure {
        Some(PostFailure::ErrorAfter) => Err(ordered_failure()),
        Some(PostFailure::DeadAfter) => {
            line.0.cut();
            Err(ordered_failure())
        }
        Some(PostFailure::ErrorBefore | PostFailure::DeadBefore) | None => Ok((StatusCode::CREATED, Json(made))),
    }
}

fn save(shared: &Shared, caller: &Caller, wanted: NewPost) -> Result<Value, Refusal> {
    let mut world = shared.world();
    // An unknown channel is as forbidden as a foreign one.
    if !world.in_channel(&wanted.channel_id, &caller.user_id) {
        return Err(Refusal::forbidden("create_post"));
    }
    if wanted.kind.starts_with("system_") {
        return Err(Refusal::new(
            400,
            "api.context.invalid_param.app_error",
            "Invalid or missing post.type parameter.",
        ));
    }
    if !["", "me", "slack_attachment"].contains(&wanted.kind.as_str()) && !wanted.kind.starts_with("custom_") {
        return Err(Refusal::new(400, "model.post.is_valid.type.app_error", "Invalid type."));
    }
    if let Some(post) = world.pending_post(&wanted.pending_post_id, now_ms()) {
        let mut plan = shared.plan();
        if plan.pending_answers > 0 {
            plan.pending_answers -= 1;
            return Err(Refusal::new(
                500,
                "api.post.deduplicate_create_post.pending",
                "Rejected post since another client is making the same request.",
            ));
        }
        return Ok(world.post_json(post));
    }
    // Older releases believe whatever is sent.
    let believed = !world.limits.release.is_recent();
    let post = world.create_post(Draft {
        edit_at: if believed { wanted.edit_at } else { 0 },
        remote_id: if believed { wanted.remote_id } else { String::new() },
        user: caller.user_id.clone(),
        channel: wanted.channel_id,
        message: wanted.message,
        root_id: wanted.root_id,
        props: wanted.props.unwrap_or_default(),
        file_ids: wanted.file_ids.unwrap_or_default(),
        pending_post_id: wanted.pending_post_id,
        kind: wanted.kind,
        ..Draft::default()
    })?;
    let shown = world.new_post_json(&post);
    // Whoever writes has seen what is there; a bot looks at nothing.
    if world.users.get(&caller.user_id).is_some_and(|user| !user.is_bot) {
        world.look_at(&post.channel_id, &caller.user_id);
    }
    Ok(shown)
}

pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(post): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let post = world.readable_post(id(&post, "post_id")?, &caller.user_id)?;
    let mut shown = world.post_json(post);
    if !world.limits.release.is_recent() {
        // Replies are counted in lists only.
        shown["reply_count"] = json!(0);
    }
    Ok(Json(shown))
}

/// One's own post, which may still be edited.
fn editable<'a>(world: &'a World, post: &str, caller: &Caller, text: bool) -> Result<&'a Post, Refusal> {
    let post = world.live_post(id(post, "post_id")?).ok_or_else(|| Refusal::forbidden("edit_post"))?;
    if !world.in_channel(&post.channel_id, &caller.user_id) {
        return Err(Refusal::forbidden("edit_post"));
    }
    if post.user_id != caller.user_id && !world.is_admin(&caller.user_id) {
        return Err(Refusal::forbidden("edit_others_posts"));
    }
    let age = (now_ms() - post.create_at) / 1000;
    if text && world.limits.post_edit_seconds.is_some_and(|limit| age >= limit) {
        return Err(Refusal::new(
            400,
            "api.post.update_post.permissions_time_limit.app_error",
            "Post edit is only allowed for a limited time.",
        ));
    }
    Ok(post)
}

#[derive(Deserialize)]
struct Change {
    message: Option<String>,
    props: Option<Map<String, Value>>,
    is_pinned: Option<bool>,
    file_ids: Option<Vec<String>>,
}

/// What is given is replaced as a whole; so are the props.
pub(super) async fn patch(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(post): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    id(&post, "post_id")?;
    let change: Change = body(&bytes, "post")?;
    let mut world = shared.world();
    editable(&world, &post, &caller, change.message.is_some())?;
    let patch =
        Patch { message: change.message, props: change.props, is_pinned: change.is_pinned, file_ids: change.file_ids };
    let post = world.change_post(&post, patch)?;
    Ok(Json(world.post_json(&post)))
}

#[derive(Deserialize)]
struct Replacement {
    #[serde(default)]
    id: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    props: Option<Map<String, Value>>,
    #[serde(default)]
    is_pinned: bool,
}

/// Everything is replaced: props that are missing are gone.
pub(super) async fn replace(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(post): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    id(&post, "post_id")?;
    let wanted: Replacement = body(&bytes, "post")?;
    if wanted.id != post {
        return Err(Refusal::bad_body("id"));
    }
    let mut world = shared.world();
    editable(&world, &post, &caller, true)?;
    let patch = Patch {
        message: Some(wanted.message),
        props: Some(wanted.props.unwrap_or_default()),
        is_pinned: Some(wanted.is_pinned),
        file_ids: None,
    };
    let post = world.change_post(&post, patch)?;
    Ok(Json(world.post_json(&post)))
}

pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(post): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let mut world = shared.world();
    let unknown = || Refusal::forbidden("delete_post");
    let post = world.live_post(id(&post, "post_id")?).ok_or_else(unknown)?.clone();
    if !world.in_channel(&post.channel_id, &caller.user_id) {
        return Err(unknown());
    }
    if post.user_id != caller.user_id && !world.is_admin(&caller.user_id) {
        return Err(Refusal::forbidden("delete_others_posts"));
    }
    world.delete_post(&post.id, &caller.user_id);
    Ok(Json(json!({ "status": "OK" })))
}

fn set_pinned(shared: &Shared, caller: &Caller, post: &str, pinned: bool) -> Result<Json<Value>, Refusal> {
    let post = id(post, "post_id")?;
    let mut world = shared.world();
    world.readable_post(post, &caller.user_id).map_err(|_| Refusal::forbidden("read_channel_content"))?;
    world.change_post(post, Patch { is_pinned: Some(pinned), ..Patch::default() })?;
    Ok(Json(json!({ "status": "OK" })))
}

pub(super) async fn pin(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(post): Path<String>,
) -> Result<Json<Value>, Refusal> {
    set_pinned(&shared, &caller, &post, true)
}

pub(super) async fn unpin(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(post): Path<String>,
) -> Result<Json<Value>, Refusal> {
    set_pinned(&shared, &caller, &post, false)
}

pub(super) async fn pinned(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let channel = readable(&world, &channel, &caller)?;
    let pinned = world.posts.iter().rev().filter(|p| p.channel_id == channel.id && p.is_pinned && p.delete_at == 0);
    let posts: Vec<&Post> = pinned.collect();
    let order: Vec<&str> = posts.iter().map(|post| post.id.as_str()).collect();
    let by_id: Map<String, Value> = posts.iter().map(|post| (post.id.clone(), world.post_json(post))).collect();
    Ok(Json(json!({ "order": order, "posts": by_id, "next_post_id": "", "prev_post_id": "" })))
}

pub(super) async fn timeline(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(channel): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, Refusal> {
    let text = |name: &str| query.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let cursor = |name: &'static str| match text(name) {
        Some(value) if !is_id(value) => Err(Refusal::bad_body(name)),
        value => Ok(value.map(str::to_owned)),
    };
    let (after, before) = (cursor("after")?, cursor("before")?);
    let since = match text("since") {
        Some(value) => value.parse::<i64>().map_err(|_| Refusal::bad_body("since"))?,
        None => 0,
    };
    let number = |name: &str| text(name).and_then(|value| value.parse::<usize>().ok());
    let holes = shared.plan().holes_in_since;
    let world = shared.world();
    let members_only = || Refusal::forbidden("read_channel");
    if !world.limits.release.is_recent() && !world.in_channel(&channel, &caller.user_id) {
        return Err(members_only());
    }
    let channel = readable(&world, &channel, &caller)?;
    let window = if since > 0 {
        Window::Since(since)
    } else if let Some(after) = after {
        Window::After(after)
    } else if let Some(before) = before {
        Window::Before(before)
    } else {
        Window::Newest
    };
    let per_page = number("per_page").unwrap_or(60).min(200);
    Ok(Json(world.timeline(&channel.id, &window, number("page").unwrap_or(0), per_page, holes)))
}

pub(super) async fn thread(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(post): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let post = world.readable_post(id(&post, "post_id")?, &caller.user_id)?;
    let root = if post.root_id.is_empty() { &post.id } else { &post.root_id };
    let mut thread = world.thread(root);
    if let Some(order) =
        thread["order"].as_array_mut().filter(|_| !world.limits.release.is_recent() && root != &post.id)
    {
        // The reply that the thread was asked for by comes twice.
        order.insert(0, json!(post.id));
    }
    Ok(Json(thread))
}

pub(super) async fn by_ids(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let ids: Vec<String> = body(&bytes, "post_ids")?;
    if ids.is_empty() {
        return Err(Refusal::bad_body("post_ids"));
    }
    let world = shared.world();
    let posts = ids.iter().filter_map(|id| world.readable_post(id, &caller.user_id).ok());
    Ok(Json(posts.map(|post| world.post_json(post)).collect()))
}

#[derive(Deserialize)]
struct EphemeralPost {
    #[serde(default)]
    user_id: String,
    post: Option<NewPost>,
}

/// Only system administrators may: the permission is in no other default role.
pub(super) async fn ephemeral(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: EphemeralPost = body(&bytes, "body")?;
    let post = wanted.post.ok_or_else(|| Refusal::bad_body("post"))?;
    if wanted.user_id.is_empty() {
        return Err(Refusal::bad_body("user_id"));
    }
    let mut world = shared.world();
    if !world.is_admin(&caller.user_id) {
        return Err(Refusal::forbidden("create_post_ephemeral"));
    }
    world.whisper(&wanted.user_id, &post.channel_id, &post.root_id, &post.message);
    Ok((StatusCode::CREATED, Json(json!({ "message": post.message, "channel_id": post.channel_id }))))
}

#[derive(Deserialize)]
struct NewReaction {
    #[serde(default)]
    user_id: String,
    #[serde(default)]
    post_id: String,
    #[serde(default)]
    emoji_name: String,
}

pub(super) async fn react(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewReaction = body(&bytes, "reaction")?;
    if !is_id(&wanted.user_id) || !is_id(&wanted.post_id) || wanted.emoji_name.is_empty() {
        return Err(Refusal::new(400, "api.reaction.save_reaction.invalid.app_error", "Reaction is not valid."));
    }
    if wanted.user_id != caller.user_id {
        return Err(Refusal::new(
            403,
            "api.reaction.save_reaction.user_id.app_error",
            "You cannot save reaction for the other user.",
        ));
    }
    let mut world = shared.world();
    may_react(&world, &wanted.post_id, &caller, "add_reaction")?;
    let reaction = world.react(&caller.user_id, &wanted.post_id, &wanted.emoji_name)?;
    Ok((StatusCode::OK, Json(world.reaction_json(&reaction))))
}

/// An unknown post is as forbidden as one in a foreign channel.
fn may_react(world: &World, post: &str, caller: &Caller, permission: &str) -> Result<(), Refusal> {
    let inside = world.live_post(post).is_some_and(|post| world.in_channel(&post.channel_id, &caller.user_id));
    if inside { Ok(()) } else { Err(Refusal::forbidden(permission)) }
}

pub(super) async fn unreact(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((user, post, emoji)): Path<(String, String, String)>,
) -> Result<Json<Value>, Refusal> {
    let user = caller.subject(&user)?;
    let post = id(&post, "post_id")?;
    let mut world = shared.world();
    may_react(&world, post, &caller, "remove_reaction")?;
    if user != caller.user_id {
        return Err(Refusal::forbidden("remove_others_reactions"));
    }
    world.unreact(&user, post, &emoji)?;
    Ok(Json(json!({ "status": "OK" })))
}

pub(super) async fn reactions(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(post): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let post = world
        .readable_post(id(&post, "post_id")?, &caller.user_id)
        .map_err(|_| Refusal::forbidden("read_channel_content"))?;
    Ok(Json(world.reactions.iter().filter(|r| r.post_id == post.id).map(|r| world.reaction_json(r)).collect()))
}

pub(super) async fn files(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(post): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let post = world.readable_post(id(&post, "post_id")?, &caller.user_id)?;
    Ok(Json(post.file_ids.iter().filter_map(|id| world.files.get(id)).map(|file| world.file_json(file)).collect()))
}

#[derive(Deserialize, Default)]
struct Press {
    #[serde(default)]
    selected_option: String,
}

/// Only letters and digits make an action id; anything else is a path that does not exist.
pub(super) async fn press(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((post, action)): Path<(String, String)>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let post = id(&post, "post_id")?;
    if !action.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::no_route());
    }
    let press: Press = if bytes.is_empty() { Press::default() } else { body(&bytes, "body")? };
    Ok(Json(shared.press(&caller.user_id, post, &action, &press.selected_option).await?))
}
