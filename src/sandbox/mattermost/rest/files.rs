//! Uploading and downloading.

use super::{Caller, id};
use crate::sandbox::mattermost::model::FileInfo;
use crate::sandbox::mattermost::refusal::Refusal;
use crate::sandbox::mattermost::shared::Shared;
use crate::sandbox::mattermost::world::World;
use axum::Json;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Multipart, Path, Query, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// What multipart adds around the files.
const ENVELOPE: usize = 64 * 1024;

fn too_large() -> Refusal {
    Refusal::new(413, "api.file.upload_file.too_large_detailed.app_error", "Unable to upload file. File is too large.")
}

/// A raw body with `channel_id` and `filename` in the query, or a form with `channel_id` and `files`.
pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let (limit, recent) = {
        let limits = &shared.world().limits;
        (limits.max_file_size, limits.release.is_recent())
    };
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Form { channel_id, files, client_ids } = if kind.starts_with("multipart/form-data") {
        read_form(request, limit, recent).await?
    } else {
        let name = query.get("filename").filter(|name| !name.is_empty()).ok_or_else(|| Refusal::bad_url("filename"))?;
        let content = to_bytes(request.into_body(), limit).await.map_err(|_| too_large())?;
        if content.is_empty() {
            return Err(Refusal::new(
                400,
                "api.file.upload_file.read_request.app_error",
                "Unable to upload file(s). Error reading or parsing request data.",
            ));
        }
        Form { files: vec![(name.clone(), content.to_vec())], ..Form::default() }
    };
    let channel_id =
        if channel_id.is_empty() { query.get("channel_id").cloned().unwrap_or_default() } else { channel_id };
    if !crate::sandbox::mattermost::id::is_id(&channel_id) {
        return Err(Refusal::bad_url("channel_id"));
    }
    let mut world = shared.world();
    if !world.in_channel(&channel_id, &caller.user_id) {
        return Err(Refusal::forbidden("upload_file"));
    }
    if files.iter().any(|(_, content)| content.len() > limit) {
        return Err(too_large());
    }
    let mut infos = Vec::new();
    for (name, content) in files {
        let file = world.store_file(&caller.user_id, &channel_id, &name, content);
        infos.push(world.file_json(&file));
    }
    Ok((StatusCode::CREATED, Json(json!({ "file_infos": infos, "client_ids": client_ids }))))
}

/// What an upload brings.
#[derive(Default)]
struct Form {
    channel_id: String,
    files: Vec<(String, Vec<u8>)>,
    /// A raw body has none.
    client_ids: Option<Vec<String>>,
}

async fn read_form(request: Request, limit: usize, recent: bool) -> Result<Form, Refusal> {
    let broken = || {
        Refusal::new(400, "api.file.upload_file.read_form_value.app_error", "Error reading the value for a form field.")
    };
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, limit.saturating_mul(10).saturating_add(ENVELOPE)).await.map_err(|_| too_large())?;
    let request = Request::from_parts(parts, bytes.into());
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| broken())?;
    let mut client_ids = Vec::new();
    let mut read = Form::default();
    while let Some(field) = form.next_field().await.map_err(|_| broken())? {
        let (name, file_name) = (field.name().map(str::to_owned), field.file_name().map(str::to_owned));
        let content = field.bytes().await.map_err(|_| broken())?;
        match (name.as_deref(), file_name) {
            (Some("files"), Some(file_name)) => read.files.push((file_name, content.to_vec())),
            (Some("channel_id"), None) => read.channel_id = String::from_utf8_lossy(&content).into_owned(),
            (Some("client_ids"), None) => client_ids.push(String::from_utf8_lossy(&content).into_owned()),
            _ => {}
        }
    }
    read.client_ids = Some(client_ids);
    // Older releases take a form without files for one with none.
    if read.files.is_empty() && recent {
        return Err(Refusal::new(
            400,
            "api.file.upload_file.incorrect_number_of_files.app_error",
            "Unable to upload files. Incorrect number of files specified.",
        ));
    }
    Ok(read)
}

/// One's own file, or one in a channel that one reads.
fn readable<'a>(world: &'a World, file: &str, caller: &Caller) -> Result<&'a FileInfo, Refusal> {
    let unknown = || Refusal::new(404, "app.file_info.get.app_error", "Unable to get the file info.");
    let file = world.files.get(id(file, "file_id")?).ok_or_else(unknown)?;
    let channel = world.channels.get(&file.channel_id);
    let shown = !file.post_id.is_empty() && channel.is_some_and(|channel| world.may_read(channel, &caller.user_id));
    if file.user_id == caller.user_id || shown { Ok(file) } else { Err(Refusal::forbidden("read_channel_content")) }
}

pub(super) async fn info(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(file): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let file = readable(&world, &file, &caller)?;
    Ok(Json(world.file_json(file)))
}

pub(super) async fn download(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(file): Path<String>,
) -> Result<Response, Refusal> {
    let world = shared.world();
    let file = readable(&world, &file, &caller)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.mime_type()));
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    let way = if file.mime_type().starts_with("image/") { "inline" } else { "attachment" };
    let name = escaped(&file.name);
    if let Ok(value) = HeaderValue::from_str(&format!("{way};filename=\"{name}\"; filename*=UTF-8''{name}")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok((headers, file.content.clone()).into_response())
}

/// As a part of a path is escaped.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+=:@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
