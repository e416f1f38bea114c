//! What is played on both servers, and written down in such a way that two transcripts can be compared.

use super::server::{Answer, Client};
use super::stage::Stage;
use futures_util::{SinkExt, StreamExt};
use regex::Regex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// What is not said by then is noted as silence.
const PATIENCE: Duration = Duration::from_secs(12);
/// Events that come when they like, about things that no script is about.
const NOISE: [&str; 7] = [
    "status_change",
    "channel_viewed",
    "multiple_channels_viewed",
    "preferences_changed",
    "preference_changed",
    "sidebar_category_updated",
    "sidebar_category_created",
];

static ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[a-z0-9]{26}\b").unwrap());
static DIRECT: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[a-z]+>__<[a-z]+>").unwrap());
static LONG: LazyLock<Regex> = LazyLock::new(|| Regex::new("x{100,}").unwrap());

/// A script under way.
pub(crate) struct Script<'a> {
    pub(crate) stage: &'a Stage,
    names: BTreeMap<String, String>,
    team: Regex,
    pub(crate) lines: Vec<String>,
}

impl<'a> Script<'a> {
    pub(crate) fn new(stage: &'a Stage) -> Self {
        let mut names = BTreeMap::new();
        for user in ["operator", "lead", "guest", "halcyon", "stranger", "root"] {
            names.insert(stage.user(user), user.to_owned());
        }
        for channel in ["cluster", "town-square", "secret", "aside"] {
            names.insert(stage.channel(channel), format!("#{channel}"));
        }
        names.insert(stage.team(), "the team".into());
        names.insert("z".repeat(26), "unknown".into());
        let team = Regex::new(&format!(r"\b{}\b", stage.team_name())).unwrap();
        Self { stage, names, team, lines: Vec::new() }
    }

    pub(crate) fn name(&mut self, id: &str, name: &str) -> String {
        self.names.insert(id.to_owned(), name.to_owned());
        id.to_owned()
    }

    pub(crate) fn title(&mut self, text: &str) {
        self.lines.push(format!("\n== {text}"));
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        let text = self.plain(&text);
        self.lines.push(text);
    }

    /// Text without ids.
    fn plain(&self, text: &str) -> String {
        let mut text = text.replace(&self.stage.url(), "URL");
        // Ids stand in longer names too, such as a direct channel's.
        for (id, name) in &self.names {
            text = text.replace(id, &format!("<{name}>"));
        }
        let text = self.team.replace_all(&text, "<the team's name>");
        let text = ID.replace_all(&text, "<id>");
        // Both ids of a direct channel's name, in whatever order they sort.
        DIRECT.replace_all(&text, "<two ids>").into_owned()
    }

    /// JSON without ids and times; JSON in a string is shown as `JSON(...)`.
    pub(crate) fn shown(&self, value: &Value) -> String {
        self.plain(&open(value).to_string())
    }

    /// Makes a call and notes its answer: a failure by its id, a success as a whole, or by `only` these keys.
    pub(crate) async fn call(&mut self, who: &str, method: &str, path: &str, body: Value, only: &[&str]) -> Value {
        let client = self.stage.client(who);
        self.call_as(&client, who, method, path, body, only).await
    }

    pub(crate) async fn call_as(
        &mut self,
        client: &Client,
        who: &str,
        method: &str,
        path: &str,
        body: Value,
        only: &[&str],
    ) -> Value {
        let answer = client.call(method, path, &body).await;
        let told = self.told(&answer, only);
        let body = if body.is_null() { String::new() } else { format!(" {}", shortened(&self.shown(&body))) };
        self.note(format!("{who}: {method} {path}{body}\n    {told}"));
        answer.json()
    }

    pub(crate) fn told(&self, answer: &Answer, only: &[&str]) -> String {
        let json = answer.json();
        if answer.status >= 400 {
            let mut keys: Vec<&str> = json.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            keys.sort_unstable();
            let id = json["id"].as_str().unwrap_or(answer.text.as_str());
            let usual = ["detailed_error", "id", "message", "request_id", "status_code"];
            let keys = if keys == usual { String::new() } else { format!(" {keys:?}") };
            return format!("{} {id}{keys}", answer.status);
        }
        if only == ["-"] {
            return answer.status.to_string();
        }
        format!("{} {}", answer.status, LONG.replace_all(&self.shown(&pick(&json, only)), "x…"))
    }

    /// Notes events that come in any order, once each of these has come.
    pub(crate) async fn hears_all(&mut self, who: &str, socket: &mut Socket, names: &[&str]) {
        let mut missing = names.to_vec();
        let mut heard = Vec::new();
        while !missing.is_empty() {
            let Some(mut frame) = next(socket).await.filter(|frame| *frame != Value::Null) else { break };
            let name = frame["event"].as_str().unwrap_or("reply").to_owned();
            if NOISE.contains(&name.as_str()) {
                continue;
            }
            if let Some(place) = missing.iter().position(|missing| *missing == name) {
                missing.remove(place);
            }
            frame["seq"] = json!("n");
            heard.push(format!("    {who} hears {}", self.shown(&frame)));
        }
        heard.sort();
        for line in heard {
            self.note(line);
        }
        for name in missing {
            self.note(format!("    {who} hears no {name}"));
        }
    }

    /// Notes the events that came, up to the one of this name.
    pub(crate) async fn hears(&mut self, who: &str, socket: &mut Socket, last: &str) -> Value {
        loop {
            let Some(frame) = next(socket).await else {
                self.note(format!("    {who} hears no {last}: the connection ended"));
                return Value::Null;
            };
            if frame == Value::Null {
                self.note(format!("    {who} hears no {last}"));
                return frame;
            }
            let name = frame["event"].as_str().unwrap_or("reply").to_owned();
            if NOISE.contains(&name.as_str()) {
                continue;
            }
            let mut shown = frame.clone();
            // Events that are noise are counted too.
            if shown.get("seq").is_some_and(|seq| *seq != 0) {
                shown["seq"] = json!("n");
            }
            let shown = self.shown(&shown);
            self.note(format!("    {who} hears {shown}"));
            if name == last {
                return frame;
            }
        }
    }
}

/// Only these keys of an object, or of each object of a list.
fn pick(value: &Value, only: &[&str]) -> Value {
    match value {
        _ if only.is_empty() => value.clone(),
        Value::Array(list) => list.iter().map(|value| pick(value, only)).collect(),
        Value::Object(map) => {
            let picked = only.iter().filter_map(|key| Some(((*key).to_owned(), map.get(*key)?.clone())));
            Value::Object(picked.collect())
        }
        other => other.clone(),
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 300 { text.to_owned() } else { text.chars().take(120).collect::<String>() + " …" }
}

/// Opens strings that hold JSON, and blots out what differs between versions only.
fn open(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with(['{', '[']) => match serde_json::from_str::<Value>(text) {
            Ok(inner) => json!({ "JSON": open(&inner) }),
            Err(_) => value.clone(),
        },
        Value::Array(list) => list.iter().map(open).collect(),
        Value::Object(map) => {
            let mut sorted: Vec<(String, Value)> = map.iter().map(|(key, value)| (key.clone(), open(value))).collect();
            sorted.sort_by(|one, other| one.0.cmp(&other.0));
            let mut opened = Map::from_iter(sorted);
            for (key, value) in &mut opened {
                if key == "mentions" {
                    let count = value["JSON"].as_array().map(Vec::len);
                    *value = json!(format!("<{} users>", count.unwrap_or_default()));
                }
                if matches!(
                    key.as_str(),
                    "server_version" | "version" | "server_time" | "server_hostname" | "mime_type" | "email"
                ) {
                    *value = json!(format!("<{key}>"));
                }
            }
            // The sentences of the server are its own.
            if opened.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("system_")) {
                opened.insert("message".into(), json!("<words>"));
            }
            Value::Object(opened)
        }
        // Milliseconds of now.
        Value::Number(number) if number.as_i64() > Some(1_000_000_000_000) => json!("<time>"),
        other => other.clone(),
    }
}

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn connect(url: &str, token: &str, query: &str) -> Socket {
    let url = format!("{}/api/v4/websocket{query}", url.replace("http://", "ws://"));
    let mut request = url.into_client_request().unwrap();
    if !token.is_empty() {
        request.headers_mut().insert("Authorization", format!("Bearer {token}").parse().unwrap());
    }
    connect_async(request).await.unwrap().0
}

/// The next text frame: null when none comes, `None` when the connection is over.
pub(crate) async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        match timeout(PATIENCE, socket.next()).await {
            Err(_) => return Some(Value::Null),
            Ok(Some(Ok(Message::Text(text)))) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(_)) | None) => return None,
        }
    }
}

pub(crate) async fn send(socket: &mut Socket, frame: Value) {
    // Whoever hung up is noticed by what does not come.
    let _ = socket.send(Message::Text(frame.to_string().into())).await;
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// Everything that is played.
pub(crate) async fn play(stage: &Stage) -> String {
    let mut script = Script::new(stage);
    people(&mut script).await;
    channels(&mut script).await;
    posts(&mut script).await;
    reactions(&mut script).await;
    files(&mut script).await;
    timelines(&mut script).await;
    events(&mut script).await;
    // Each lets go of its websockets: the server must see nobody when one is resumed.
    sockets(&mut script).await;
    authentication(&mut script).await;
    resuming(&mut script).await;
    tokens(&mut script).await;
    script.lines.join("\n") + "\n"
}

async fn people(script: &mut Script<'_>) {
    script.title("people");
    let (lead, stage) = (script.stage.user("lead"), script.stage);
    let user = ["id", "username", "delete_at", "is_bot", "bot_description", "roles"];
    let unknown = "z".repeat(26);
    script.call("halcyon", "GET", "/users/me", Value::Null, &user).await;
    script.call("halcyon", "GET", &format!("/users/{lead}"), Value::Null, &user).await;
    script.call("halcyon", "GET", &format!("/users/{unknown}"), Value::Null, &user).await;
    script.call("halcyon", "GET", "/users/short", Value::Null, &user).await;
    script.call("halcyon", "GET", "/users/a%20b", Value::Null, &user).await;
    script.call("halcyon", "GET", "/users/username/lead", Value::Null, &user).await;
    script.call("halcyon", "GET", "/users/username/LEAD", Value::Null, &user).await;
    script.call("halcyon", "GET", "/users/username/nobody-at-all", Value::Null, &user).await;
    script.call("halcyon", "POST", "/users/ids", json!([lead, unknown]), &user).await;
    script.call("halcyon", "POST", "/users/ids", json!([]), &user).await;
    script.call("halcyon", "POST", "/users/usernames", json!(["lead", "nobody-at-all"]), &user).await;
    script.call("halcyon", "POST", "/users/usernames", json!(["Lead"]), &user).await;
    script.call("halcyon", "POST", "/users/usernames", json!([]), &user).await;
    script.call("halcyon", "GET", "/users/me/status", Value::Null, &["user_id", "manual"]).await;
    let nobody = Client::new(&stage.url(), "");
    script.call_as(&nobody, "nobody", "GET", "/users/me", Value::Null, &[]).await;
    let wrong = Client::new(&stage.url(), &"x".repeat(26));
    script.call_as(&wrong, "wrong token", "GET", "/users/me", Value::Null, &[]).await;
    script.call_as(&nobody, "nobody", "GET", "/system/ping", Value::Null, &["status"]).await;
    for (login_id, password) in [("operator", "not this one"), ("halcyon", "password"), ("nobody-at-all", "password")] {
        let body = json!({ "login_id": login_id, "password": password });
        script.call_as(&nobody, "nobody", "POST", "/users/login", body, &[]).await;
    }
    script.call_as(&nobody, "nobody", "GET", "/config/client", Value::Null, &[]).await;
    script.call("halcyon", "GET", "/config/client?format=old", Value::Null, &["MaxPostSize"]).await;
    script.call_as(&nobody, "nobody", "GET", "/config/client?format=old", Value::Null, &["MaxPostSize"]).await;
    script.call("halcyon", "GET", "/nothing/here", Value::Null, &[]).await;
    script.call("halcyon", "PATCH", "/posts", Value::Null, &[]).await;
}

async fn channels(script: &mut Script<'_>) {
    script.title("teams and channels");
    let stage = script.stage;
    let (cluster, secret, aside) = (stage.channel("cluster"), stage.channel("secret"), stage.channel("aside"));
    let (lead, me, team, unknown) = (stage.user("lead"), stage.user("halcyon"), stage.team(), "z".repeat(26));
    let ops = stage.team_name();
    let one = ["id", "team_id", "type", "name", "delete_at"];
    let member = ["channel_id", "user_id", "roles", "scheme_user"];
    script.call("halcyon", "GET", &format!("/teams/name/{ops}"), Value::Null, &["id", "name", "type"]).await;
    script.call("halcyon", "GET", "/teams/name/nowhere-at-all", Value::Null, &one).await;
    script.call("stranger", "GET", &format!("/teams/name/{ops}"), Value::Null, &["id"]).await;
    for name in ["cluster", "secret", "aside", "nowhere", "CLUSTER"] {
        let path = format!("/teams/name/{ops}/channels/name/{name}");
        script.call("halcyon", "GET", &path, Value::Null, &one).await;
    }
    script.call("halcyon", "GET", "/teams/name/nowhere-at-all/channels/name/cluster", Value::Null, &one).await;
    script.call("stranger", "GET", &format!("/teams/name/{ops}/channels/name/cluster"), Value::Null, &one).await;
    for channel in [&cluster, &secret, &aside, &unknown] {
        script.call("halcyon", "GET", &format!("/channels/{channel}"), Value::Null, &one).await;
    }
    for (channel, user) in [
        (&cluster, &lead),
        (&cluster, &unknown),
        (&cluster, &stage.user("stranger")),
        (&secret, &lead),
        (&aside, &lead),
        (&unknown, &lead),
    ] {
        script.call("halcyon", "GET", &format!("/channels/{channel}/members/{user}"), Value::Null, &member).await;
    }
    script.call("stranger", "GET", &format!("/channels/{cluster}/members/{lead}"), Value::Null, &member).await;
    script.call("halcyon", "GET", &format!("/users/me/teams/{team}/channels"), Value::Null, &["-"]).await;
    script.call("halcyon", "GET", "/users/me/teams", Value::Null, &["-"]).await;
    script.call("halcyon", "POST", "/channels/direct", json!([lead]), &one).await;
    script.call("halcyon", "POST", "/channels/direct", json!([me, unknown]), &one).await;
    let others = json!([lead, stage.user("guest")]);
    script.call("halcyon", "POST", "/channels/direct", others, &one).await;
    let direct = script.call("halcyon", "POST", "/channels/direct", json!([me, lead]), &["-"]).await;
    script.name(&id(&direct), "direct");
    let shown = script.shown(&pick(&direct, &["id", "team_id", "type", "display_name"]));
    script.note(format!("    {shown}"));
    let again = script.call("halcyon", "POST", "/channels/direct", json!([lead, me]), &["-"]).await;
    assert_eq!(id(&direct), id(&again));
}

async fn posts(script: &mut Script<'_>) {
    script.title("posts");
    let stage = script.stage;
    let (cluster, square, unknown) = (stage.channel("cluster"), stage.channel("town-square"), "z".repeat(26));
    let body = |extra: Value| {
        let mut post = json!({ "channel_id": cluster, "message": "x" });
        post.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        post
    };
    let root = script.call("halcyon", "POST", "/posts", body(json!({ "message": "root" })), &[]).await;
    let root = script.name(&id(&root), "root");
    let reply = script.call("lead", "POST", "/posts", body(json!({ "root_id": root, "message": "reply" })), &[]).await;
    let reply = script.name(&id(&reply), "reply");
    let keyed = body(json!({ "message": "once", "pending_post_id": "halcyon:k1", "props": { "halcyon_key": "k1" } }));
    let once = script.call("halcyon", "POST", "/posts", keyed.clone(), &[]).await;
    script.name(&id(&once), "once");
    let again = script.call("halcyon", "POST", "/posts", keyed.clone(), &["id", "pending_post_id"]).await;
    assert_eq!(id(&once), id(&again), "a repeat is recognised");
    let other = body(json!({ "message": "another text", "pending_post_id": "halcyon:k1" }));
    script.call("halcyon", "POST", "/posts", other, &["id", "message"]).await;
    // The key is anybody's: is it kept by user?
    script.call("lead", "POST", "/posts", keyed, &["id", "message", "user_id"]).await;
    script
        .call("halcyon", "GET", &format!("/posts/{}", id(&once)), Value::Null, &["id", "pending_post_id", "props"])
        .await;

    for (who, what) in [
        ("halcyon", json!("text")),
        ("halcyon", json!({})),
        ("halcyon", body(json!({ "channel_id": unknown }))),
        ("halcyon", body(json!({ "channel_id": "short" }))),
        ("halcyon", body(json!({ "channel_id": stage.channel("secret") }))),
        ("halcyon", body(json!({ "channel_id": stage.channel("aside") }))),
        ("halcyon", body(json!({ "message": "ü".repeat(16_383) }))),
        ("halcyon", body(json!({ "message": "x".repeat(16_384) }))),
        ("halcyon", body(json!({ "message": "" }))),
        ("halcyon", body(json!({ "message": "  \n " }))),
        ("halcyon", body(json!({ "props": { "a": "x".repeat(7_900) } }))),
        ("halcyon", body(json!({ "props": { "a": "x".repeat(800_000) } }))),
        ("halcyon", body(json!({ "file_ids": (0..11).map(|n| format!("{n:0>26}")).collect::<Vec<_>>() }))),
        ("halcyon", body(json!({ "file_ids": [unknown] }))),
        ("halcyon", body(json!({ "root_id": reply }))),
        ("halcyon", body(json!({ "root_id": unknown }))),
        ("halcyon", body(json!({ "root_id": "short" }))),
        ("halcyon", body(json!({ "root_id": root, "channel_id": square }))),
        ("lead", body(json!({ "type": "system_join_channel" }))),
        ("lead", body(json!({ "type": "custom_thing" }))),
        ("lead", body(json!({ "type": "me" }))),
        ("lead", body(json!({ "type": "nonsense" }))),
        ("lead", body(json!({ "props": { "from_webhook": "true", "override_username": "root" } }))),
        ("lead", body(json!({ "create_at": 1, "edit_at": 5, "remote_id": "elsewhere", "user_id": unknown }))),
    ] {
        let made = script
            .call(
                who,
                "POST",
                "/posts",
                what,
                &["type", "props", "edit_at", "remote_id", "user_id", "create_at", "file_ids"],
            )
            .await;
        if let Some(made) = made["id"].as_str().filter(|id| id.len() == 26) {
            script.name(made, "made");
        }
    }
    let ephemeral = json!({ "user_id": stage.user("lead"), "post": { "channel_id": cluster, "message": "x" } });
    script.call("halcyon", "POST", "/posts/ephemeral", ephemeral, &["-"]).await;

    script.title("edits");
    let attachments = json!({ "halcyon_key": "k2", "attachments": [{ "text": "t", "nonsense": 1, "actions": [
        { "id": "good", "name": "Good", "type": "button", "integration": { "url": "http://127.0.0.1:9/", "context": { "k": "v" } } },
        { "name": "B", "type": "button", "integration": { "url": "http://127.0.0.1:9/" } },
        { "id": "not-good", "name": "C", "type": "button", "integration": { "url": "http://127.0.0.1:9/" } },
    ] }] });
    let card =
        script.call("halcyon", "POST", "/posts", body(json!({ "message": "card", "props": attachments })), &[]).await;
    let card = script.name(&id(&card), "card");
    let patch = format!("/posts/{card}/patch");
    script.call("halcyon", "PUT", &patch, json!({ "message": "card two" }), &[]).await;
    script.call("halcyon", "PUT", &patch, json!({ "message": "card two" }), &["message", "edit_at"]).await;
    script.call("halcyon", "PUT", &patch, json!({ "props": { "other": 1 } }), &["message", "props"]).await;
    script.call("halcyon", "PUT", &patch, json!({ "message": "" }), &["message", "props"]).await;
    script.call("halcyon", "PUT", &patch, json!({}), &["message", "props"]).await;
    script.call("halcyon", "PUT", &patch, json!({ "message": "x".repeat(16_384) }), &["-"]).await;
    script.call("halcyon", "PUT", &patch, json!("text"), &["-"]).await;
    script.call("halcyon", "PUT", &format!("/posts/{root}/patch"), json!({ "message": "root two" }), &[]).await;
    script.call("lead", "PUT", &format!("/posts/{root}/patch"), json!({ "message": "mine" }), &["-"]).await;
    script.call("halcyon", "PUT", &format!("/posts/{unknown}/patch"), json!({ "message": "mine" }), &["-"]).await;
    script.call("halcyon", "PUT", "/posts/short/patch", json!({ "message": "mine" }), &["-"]).await;
    script.call("halcyon", "PUT", &format!("/posts/{card}"), json!({ "id": root, "message": "x" }), &["-"]).await;
    script.call("halcyon", "GET", &format!("/posts/{root}"), Value::Null, &[]).await;
    script.call("halcyon", "GET", &format!("/posts/{unknown}"), Value::Null, &[]).await;
    script.call("stranger", "GET", &format!("/posts/{root}"), Value::Null, &["-"]).await;
    script
        .call(
            "halcyon",
            "GET",
            &format!("/posts/{reply}/thread"),
            Value::Null,
            &["order", "next_post_id", "prev_post_id"],
        )
        .await;
    script.call("halcyon", "GET", &format!("/posts/{unknown}/thread"), Value::Null, &["-"]).await;
    script.call("halcyon", "POST", &format!("/posts/{card}/pin"), Value::Null, &[]).await;
    script.call("halcyon", "POST", &format!("/posts/{card}/actions/not-good"), Value::Null, &["-"]).await;
    script.call("halcyon", "POST", &format!("/posts/{card}/actions/good"), Value::Null, &["-"]).await;
    let lead_post = script.call("lead", "POST", "/posts", body(json!({ "message": "to be deleted" })), &["-"]).await;
    let lead_post = script.name(&id(&lead_post), "deleted");
    script.call("halcyon", "DELETE", &format!("/posts/{lead_post}"), Value::Null, &[]).await;
    script.call("lead", "DELETE", &format!("/posts/{lead_post}"), Value::Null, &[]).await;
    script.call("lead", "DELETE", &format!("/posts/{lead_post}"), Value::Null, &[]).await;
    script.call("lead", "GET", &format!("/posts/{lead_post}"), Value::Null, &["-"]).await;
    script.call("lead", "PUT", &format!("/posts/{lead_post}/patch"), json!({ "message": "x" }), &["-"]).await;
    script.call("lead", "POST", "/posts", body(json!({ "root_id": lead_post })), &["-"]).await;
    script.call("lead", "GET", &format!("/posts/{lead_post}/thread"), Value::Null, &["-"]).await;
}

async fn reactions(script: &mut Script<'_>) {
    script.title("reactions");
    let stage = script.stage;
    let (cluster, me, lead, unknown) =
        (stage.channel("cluster"), stage.user("halcyon"), stage.user("lead"), "z".repeat(26));
    let post = script.call("lead", "POST", "/posts", json!({ "channel_id": cluster, "message": "like" }), &["-"]).await;
    let post = script.name(&id(&post), "liked");
    for (user, on, emoji) in [
        (&me, &post, "eyes"),
        (&me, &post, "eyes"),
        (&me, &post, "+1"),
        (&me, &post, "no_such_emoji_at_all"),
        (&me, &post, ":eyes:"),
        (&me, &post, ""),
        (&lead, &post, "eyes"),
        (&me, &unknown, "eyes"),
        (&me, &"short".to_owned(), "eyes"),
    ] {
        let body = json!({ "user_id": user, "post_id": on, "emoji_name": emoji });
        script.call("halcyon", "POST", "/reactions", body, &[]).await;
    }
    script.call("halcyon", "GET", &format!("/posts/{post}/reactions"), Value::Null, &["user_id", "emoji_name"]).await;
    script.call("halcyon", "GET", &format!("/posts/{post}"), Value::Null, &[]).await;
    for path in [
        format!("/users/me/posts/{post}/reactions/eyes"),
        format!("/users/me/posts/{post}/reactions/eyes"),
        format!("/users/{me}/posts/{post}/reactions/+1"),
        format!("/users/{lead}/posts/{post}/reactions/eyes"),
        format!("/users/me/posts/{unknown}/reactions/eyes"),
    ] {
        script.call("halcyon", "DELETE", &path, Value::Null, &[]).await;
    }
    script.call("halcyon", "GET", &format!("/posts/{post}/reactions"), Value::Null, &[]).await;
}

async fn files(script: &mut Script<'_>) {
    script.title("files");
    let stage = script.stage;
    let cluster = stage.channel("cluster");
    let bot = stage.client("halcyon");
    let upload = |query: String, content: &'static str| {
        bot.request("POST", &format!("/files?{query}")).header("Content-Type", "application/octet-stream").body(content)
    };
    let answer = Client::send(upload(format!("channel_id={cluster}&filename=run.log"), "lines")).await;
    let file = answer.json()["file_infos"][0]["id"].as_str().unwrap().to_owned();
    script.name(&file, "file");
    script.note(format!("raw upload\n    {}", script.told(&answer, &[])));
    for (what, query) in [
        ("no name", format!("channel_id={cluster}")),
        ("no channel", "filename=run.log".to_owned()),
        ("unknown channel", format!("channel_id={}&filename=run.log", "z".repeat(26))),
        ("foreign channel", format!("channel_id={}&filename=run.log", stage.channel("secret"))),
    ] {
        let answer = Client::send(upload(query, "lines")).await;
        script.note(format!("upload, {what}\n    {}", script.told(&answer, &[])));
    }
    let answer = Client::send(upload(format!("channel_id={cluster}&filename=empty.txt"), "")).await;
    script.note(format!("upload, empty\n    {}", script.told(&answer, &["-"])));
    script.call("lead", "GET", &format!("/files/{file}/info"), Value::Null, &["-"]).await;
    let post = json!({ "channel_id": cluster, "message": "", "file_ids": [file] });
    let made = script.call("halcyon", "POST", "/posts", post.clone(), &[]).await;
    let made = script.name(&id(&made), "with file");
    script.call("lead", "GET", &format!("/files/{file}/info"), Value::Null, &[]).await;
    script.call("lead", "GET", &format!("/files/{file}"), Value::Null, &[]).await;
    script.call("lead", "GET", &format!("/posts/{made}/files/info"), Value::Null, &["id", "name"]).await;
    // A file is claimed once.
    script.call("halcyon", "POST", "/posts", post, &["file_ids", "message"]).await;
    script
        .call(
            "halcyon",
            "PUT",
            &format!("/posts/{made}/patch"),
            json!({ "message": "now with text" }),
            &["message", "file_ids"],
        )
        .await;
    script.call("halcyon", "GET", &format!("/files/{}/info", "z".repeat(26)), Value::Null, &[]).await;
}

async fn timelines(script: &mut Script<'_>) {
    script.title("timelines");
    let stage = script.stage;
    let square = stage.channel("town-square");
    let mut made = Vec::new();
    let lead = stage.client("lead");
    lead.good("POST", "/posts", json!({ "channel_id": square, "message": "earlier" })).await;
    let root = id(&lead.good("POST", "/posts", json!({ "channel_id": square, "message": "thread" })).await);
    script.name(&root, "t-root");
    for number in 1..=5 {
        let post = lead.good("POST", "/posts", json!({ "channel_id": square, "message": format!("p{number}") })).await;
        made.push(script.name(&id(&post), &format!("p{number}")));
    }
    let reply = json!({ "channel_id": square, "message": "reply", "root_id": root });
    let reply = id(&lead.good("POST", "/posts", reply).await);
    script.name(&reply, "t-reply");
    lead.good("DELETE", &format!("/posts/{}", made[4]), Value::Null).await;
    let since = lead.good("GET", &format!("/posts/{}", made[2]), Value::Null).await["update_at"].as_i64().unwrap();
    for query in [
        "per_page=3".to_owned(),
        "page=1&per_page=3".to_owned(),
        format!("after={}&page=0&per_page=2", made[0]),
        format!("after={}&page=1&per_page=2", made[0]),
        format!("after={}&per_page=200", made[0]),
        format!("after={}", reply),
        format!("after={}", made[4]),
        format!("before={}&per_page=2", made[2]),
        format!("after={}&before={}", made[0], made[3]),
        format!("after={}", "z".repeat(26)),
        "after=short".to_owned(),
        "since=yesterday".to_owned(),
        format!("since={since}"),
        format!("after={}&per_page=1000", made[2]),
        "per_page=0&after=".to_owned() + &made[2],
    ] {
        let path = format!("/channels/{square}/posts?{query}");
        let answer = stage.client("halcyon").call("GET", &path, &Value::Null).await;
        let mut line = script.told(&answer, &["order", "next_post_id", "prev_post_id"]);
        if let Some(posts) = answer.json()["posts"].as_object() {
            let mut names: Vec<String> = posts.keys().map(|id| script.plain(id)).collect();
            names.sort();
            line.push_str(&format!(" posts {}", names.join(" ")));
        }
        script.note(format!("GET {}\n    {line}", path.replace(&since.to_string(), "p3's")));
    }
    let path = format!("/channels/{}/posts", stage.channel("aside"));
    script.call("halcyon", "GET", &path, Value::Null, &["-"]).await;
    let path = format!("/channels/{}/posts", stage.channel("secret"));
    script.call("halcyon", "GET", &path, Value::Null, &["-"]).await;
    let path = format!("/channels/{}/posts", "z".repeat(26));
    script.call("halcyon", "GET", &path, Value::Null, &["-"]).await;
}

async fn events(script: &mut Script<'_>) {
    script.title("events");
    let stage = script.stage;
    let (cluster, me) = (stage.channel("cluster"), stage.user("halcyon"));
    let mut socket = connect(&stage.url(), &stage.client("halcyon").token, "").await;
    let hello = script.hears("halcyon", &mut socket, "hello").await;
    assert_eq!(hello["seq"], 0, "{hello}");
    let say = |text: &str| json!({ "channel_id": cluster, "message": text });
    let post = script.call("operator", "POST", "/posts", say("@halcyon hello"), &["-"]).await;
    let post = script.name(&id(&post), "heard");
    script.hears("halcyon", &mut socket, "posted").await;
    script.call("operator", "POST", "/posts", say("@lead and @all see `@halcyon`"), &["-"]).await;
    script.hears("halcyon", &mut socket, "posted").await;
    let reply = json!({ "channel_id": cluster, "message": "in a thread", "root_id": post });
    script.call("operator", "POST", "/posts", reply, &["-"]).await;
    script.hears("halcyon", &mut socket, "posted").await;
    script.call("halcyon", "POST", "/posts", say("my own words"), &["-"]).await;
    script.hears("halcyon", &mut socket, "posted").await;
    script.call("operator", "PUT", &format!("/posts/{post}/patch"), json!({ "message": "@halcyon bye" }), &["-"]).await;
    script.hears("halcyon", &mut socket, "post_edited").await;
    let reaction = json!({ "user_id": me, "post_id": post, "emoji_name": "eyes" });
    script.call("halcyon", "POST", "/reactions", reaction, &["-"]).await;
    script.hears("halcyon", &mut socket, "reaction_added").await;
    script.call("halcyon", "DELETE", &format!("/users/me/posts/{post}/reactions/eyes"), Value::Null, &["-"]).await;
    script.hears("halcyon", &mut socket, "reaction_removed").await;
    script.call("operator", "DELETE", &format!("/posts/{post}"), Value::Null, &["-"]).await;
    script.hears("halcyon", &mut socket, "post_deleted").await;
    script.note("a webhook of lead posts as monitoring");
    stage.webhook("lead", "cluster", "from outside", "monitoring").await;
    script.hears("halcyon", &mut socket, "posted").await;
    let direct = script.call("lead", "POST", "/channels/direct", json!([stage.user("lead"), me]), &["-"]).await;
    script.call("lead", "POST", "/posts", json!({ "channel_id": id(&direct), "message": "psst" }), &["-"]).await;
    script.hears("halcyon", &mut socket, "posted").await;
    script.note("the bot is added to a channel, and taken out of it");
    stage.join("halcyon", "aside").await;
    script.hears_all("halcyon", &mut socket, &["user_added", "posted"]).await;
    stage.leave("halcyon", "aside").await;
    script.hears_all("halcyon", &mut socket, &["user_removed"]).await;
    script.note("guest is taken out and comes back");
    stage.leave("guest", "cluster").await;
    script.hears_all("halcyon", &mut socket, &["user_removed", "posted"]).await;
    stage.join("guest", "cluster").await;
    script.hears_all("halcyon", &mut socket, &["user_added", "posted"]).await;
    script.note("guest is deactivated, looked at, and activated");
    let guest = stage.client("guest");
    stage.set_active("guest", false).await;
    script.hears("halcyon", &mut socket, "user_updated").await;
    let path = format!("/users/{}", stage.user("guest"));
    script.call("halcyon", "GET", &path, Value::Null, &["delete_at"]).await;
    script.call_as(&guest, "guest", "GET", "/users/me", Value::Null, &["-"]).await;
    stage.set_active("guest", true).await;
    script.call_as(&guest, "guest", "GET", "/users/me", Value::Null, &["-"]).await;
}

/// The reply to a frame of ours; events before it are passed over.
async fn reply(socket: &mut Socket) -> Option<Value> {
    loop {
        let frame = next(socket).await?;
        if frame.get("event").is_none() {
            return Some(frame);
        }
    }
}

async fn sockets(script: &mut Script<'_>) {
    script.title("websockets");
    let stage = script.stage;
    let cluster = stage.channel("cluster");
    let url = stage.url();
    let token = stage.client("halcyon").token;
    let mut socket = connect(&url, &token, "").await;
    script.hears("halcyon", &mut socket, "hello").await;
    for (action, seq, data) in [
        ("ping", json!(1), json!({})),
        ("ping", json!(1), Value::Null),
        ("user_typing", json!(2), json!({ "channel_id": cluster })),
        ("user_typing", json!(3), json!({ "channel_id": stage.channel("secret") })),
        ("ping", json!(0), json!({})),
        ("", json!(4), json!({})),
        ("dance", json!(5), json!({})),
    ] {
        send(&mut socket, json!({ "action": action, "seq": seq, "data": data })).await;
        let answer = reply(&mut socket).await.expect("a reply");
        let mut shown = answer.clone();
        if let Some(error) = shown.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("message");
        }
        let shown = script.shown(&shown);
        script.note(format!("{action:?} {seq}\n    {shown}"));
    }
    send(&mut socket, json!({ "action": "ping", "seq": 6, "data": { "long": "x".repeat(8192) } })).await;
    script.note(format!("a frame of more than 8 KiB\n    {:?}", reply(&mut socket).await));
    let mut socket = connect(&url, &token, "").await;
    script.hears("halcyon", &mut socket, "hello").await;
    socket.send(Message::Text("no JSON".into())).await.unwrap();
    script.note(format!("a frame that is no JSON\n    {:?}", reply(&mut socket).await));
}

async fn authentication(script: &mut Script<'_>) {
    script.title("authentication of websockets");
    let stage = script.stage;
    let (url, token) = (stage.url(), stage.client("halcyon").token);
    let mut socket = connect(&url, "", "").await;
    send(&mut socket, json!({ "action": "ping", "seq": 1 })).await;
    let before = tokio::time::Instant::now();
    let answer = next(&mut socket).await;
    let seconds = before.elapsed().as_secs_f64().round();
    script.note(format!("a ping before the challenge\n    {answer:?} after {seconds} seconds"));
    let mut socket = connect(&url, "", "").await;
    send(&mut socket, json!({ "action": "authentication_challenge", "seq": 1, "data": { "token": token } })).await;
    let (first, second) = (next(&mut socket).await.unwrap(), reply(&mut socket).await);
    let shown = script.shown(&json!([first["event"], second]));
    script.note(format!("a good challenge\n    {shown}"));
    let mut socket = connect(&url, "", "").await;
    send(&mut socket, json!({ "action": "authentication_challenge", "seq": 1, "data": { "token": "x" } })).await;
    script.note(format!("a wrong challenge\n    {:?}", next(&mut socket).await));
    let mut socket = connect(&url, &"x".repeat(26), "").await;
    let before = tokio::time::Instant::now();
    let frame = next(&mut socket).await;
    let seconds = before.elapsed().as_secs_f64().round();
    script.note(format!("a wrong token in the header\n    {frame:?} after {seconds} seconds"));
}

async fn resuming(script: &mut Script<'_>) {
    script.title("resuming");
    let stage = script.stage;
    let (url, token, cluster) = (stage.url(), stage.client("halcyon").token, stage.channel("cluster"));
    let mut socket = connect(&url, &token, "").await;
    let hello = script.hears("halcyon", &mut socket, "hello").await;
    let connection = hello["data"]["connection_id"].as_str().unwrap().to_owned();
    let say = |text: &str| json!({ "channel_id": cluster, "message": text });
    script.call("operator", "POST", "/posts", say("seen"), &["-"]).await;
    let seen = script.hears("halcyon", &mut socket, "posted").await["seq"].as_u64().unwrap_or_default();
    drop(socket);
    stage.gone("halcyon").await;
    script.call("operator", "POST", "/posts", say("missed"), &["-"]).await;
    let resume = |seq: u64| format!("?connection_id={connection}&sequence_number={seq}");
    let mut socket = connect(&url, &token, &resume(seen + 1)).await;
    let got = script.hears("halcyon, resumed,", &mut socket, "posted").await;
    script.note(format!("    numbered on: {}", got["seq"].as_u64() > Some(seen)));
    drop(socket);
    stage.gone("halcyon").await;
    let mut socket = connect(&url, &token, &resume(seen)).await;
    let got = script.hears("halcyon, resumed at what it saw,", &mut socket, "posted").await;
    script.note(format!("    the same number: {}", got["seq"].as_u64() == Some(seen)));
    let mut second = connect(&url, &token, &resume(seen)).await;
    let first = next(&mut second).await.unwrap();
    script.note(format!("while the old one is alive\n    {}", first["event"]));
    drop((socket, second));
    stage.gone("halcyon").await;
    let mut socket = connect(&url, &token, &resume(9999)).await;
    let first = next(&mut socket).await.unwrap();
    let other = first["data"]["connection_id"] != connection.as_str();
    script.note(format!("a number that was never sent\n    {} {} new id: {other}", first["event"], first["seq"]));
    let connection = first["data"]["connection_id"].as_str().unwrap().to_owned();
    drop(socket);
    stage.gone("halcyon").await;
    let mut socket = connect(&url, &token, &format!("?connection_id={connection}")).await;
    script.note(format!("without a number\n    {:?}", next(&mut socket).await.map(|frame| frame["event"].clone())));
    let mut socket = connect(&url, &token, "?connection_id=short&sequence_number=1").await;
    script.note(format!("a short id\n    {:?}", next(&mut socket).await.map(|frame| frame["event"].clone())));
    let unknown = format!("?connection_id={}&sequence_number=1", "z".repeat(26));
    let mut socket = connect(&url, &token, &unknown).await;
    script.note(format!("an unknown id\n    {:?}", next(&mut socket).await.map(|frame| frame["event"].clone())));
    drop(socket);
    let mut socket = connect(&url, &token, "").await;
    let hello = next(&mut socket).await.unwrap();
    drop(socket);
    stage.gone("halcyon").await;
    let query = format!("?connection_id={}&sequence_number=1", hello["data"]["connection_id"].as_str().unwrap());
    let lead = stage.client("lead").token;
    let mut socket = connect(&url, &lead, &query).await;
    script.note(format!("somebody else's\n    {:?}", next(&mut socket).await.map(|frame| frame["event"].clone())));
    let mut socket = connect(&url, &token, &query).await;
    send(&mut socket, json!({ "action": "ping", "seq": 1 })).await;
    let frame = loop {
        let frame = next(&mut socket).await.unwrap_or_default();
        if frame["event"] != "status_change" {
            break frame;
        }
    };
    let shown = script.shown(&frame);
    script.note(format!("resumed and quiet, a ping is the first word\n    {shown}"));
}

async fn tokens(script: &mut Script<'_>) {
    script.title("a token that is taken back");
    let stage = script.stage;
    let token = stage.new_token("halcyon").await;
    let cluster = stage.channel("cluster");
    let mut socket = connect(&stage.url(), &token, "").await;
    script.hears("halcyon", &mut socket, "hello").await;
    let bot = Client::new(&stage.url(), &token);
    stage.revoke(&token).await;
    script.call_as(&bot, "revoked", "GET", "/users/me", Value::Null, &["-"]).await;
    let body = json!({ "channel_id": cluster, "message": "unheard" });
    script.call("operator", "POST", "/posts", body, &["-"]).await;
    send(&mut socket, json!({ "action": "ping", "seq": 1 })).await;
    loop {
        let Some(mut frame) = next(&mut socket).await else {
            script.note("    the connection ended");
            break;
        };
        if frame == Value::Null {
            script.note("    silence");
            break;
        }
        if frame.get("event").is_some() {
            let shown = script.shown(&frame["event"]);
            script.note(format!("    hears {shown}"));
            continue;
        }
        if let Some(error) = frame.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("message");
        }
        let shown = script.shown(&frame);
        script.note(format!("    a ping: {shown}"));
        break;
    }
}

/// Asks until it is too much.
pub(crate) async fn play_limited(stage: &Stage) -> String {
    let mut script = Script::new(stage);
    let bot = stage.client("halcyon");
    let mut good = Vec::new();
    let refused = loop {
        let many = (0..40).map(|_| bot.call("GET", "/users/me", &Value::Null));
        let answers = futures_util::future::join_all(many).await;
        let (refused, taken): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 429);
        good.extend(taken);
        if let Some(refused) = refused.into_iter().next() {
            break refused;
        }
    };
    for (what, answer) in [("taken", &good[0]), ("refused", &refused)] {
        script.note(format!("{what}: {} {:?}", answer.status, (answer.status == 429).then_some(&answer.text)));
        for name in ["Content-Type", "X-RateLimit-Limit", "Retry-After"] {
            script.note(format!("    {name}: {}", answer.header(name)));
        }
        for name in ["X-RateLimit-Remaining", "X-RateLimit-Reset"] {
            let small = answer.header(name).parse::<u64>().is_ok_and(|number| number < 100);
            script.note(format!("    {name}: a small number: {small}"));
        }
    }
    script.lines.join("\n") + "\n"
}
