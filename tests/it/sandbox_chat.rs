//! The sandbox's Mattermost server: what it refuses, what it tells, how it misbehaves. Everything here goes over the wire, as a client does.

use futures_util::{SinkExt, StreamExt};
use halcyon::sandbox::mattermost::{Detour, Draft, Options, PostFailure, RateLimit, Server};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than anything here takes; an answer that does not come by then never comes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough to see that nothing comes, where nothing is the expected answer.
const SILENCE: Duration = Duration::from_millis(150);

async fn server() -> Server {
    Server::start(Options::default()).await.unwrap()
}

/// A REST client with a token.
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    fn of(server: &Server, token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { http, url: server.url(), token: token.to_owned() }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}/api/v4{path}", self.url)).bearer_auth(&self.token)
    }

    /// The status and the JSON of the answer.
    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn post(&self, channel: &str, message: &str) -> Value {
        let (status, post) = self.call("POST", "/posts", json!({ "channel_id": channel, "message": message })).await;
        assert_eq!(status, 201, "{post}");
        post
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(server: &Server, token: &str, query: &str) -> Socket {
    let url = format!("{}/api/v4/websocket{query}", server.url().replace("http://", "ws://"));
    let mut request = url.into_client_request().unwrap();
    if !token.is_empty() {
        request.headers_mut().insert("Authorization", format!("Bearer {token}").parse().unwrap());
    }
    connect_async(request).await.unwrap().0
}

/// The next text frame; `None` when the connection is over.
async fn next(socket: &mut Socket) -> Option<Value> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("a frame or the end comes") {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

/// The next event of this name. Others are passed over.
async fn next_event(socket: &mut Socket, name: &str) -> Value {
    loop {
        let frame = next(socket).await.unwrap_or_else(|| panic!("the connection ended before {name}"));
        if frame["event"] == name {
            return frame;
        }
    }
}

/// A connection on which nothing is under way: it was greeted and answered a ping.
async fn connect_quiet(server: &Server, token: &str) -> Socket {
    let mut socket = connect(server, token, "").await;
    next_event(&mut socket, "hello").await;
    send(&mut socket, json!({ "action": "ping", "seq": 1 })).await;
    while next(&mut socket).await.expect("a reply").get("seq_reply").is_none() {}
    socket
}

async fn send(socket: &mut Socket, frame: Value) {
    socket.send(Message::Text(frame.to_string().into())).await.unwrap();
}

/// An event's post, which comes as JSON in a string.
fn post_of(event: &Value) -> Value {
    serde_json::from_str(event["data"]["post"].as_str().unwrap()).unwrap()
}

// ---- REST

#[tokio::test]
async fn rest_refuses_what_a_real_server_refuses() {
    let server = server().await;
    let team = server.add_team("ops");
    let secret = server.add_private_channel(&team, "secret");
    server.add_user("stranger");
    let bot = Client::of(&server, &server.bot_token());
    let lead = server.user_id("lead").unwrap();
    let me = server.user_id("halcyon").unwrap();
    let cluster = server.channel_id("cluster").unwrap();
    let square = server.channel_id("town-square").unwrap();
    let foreign = server.post_as("lead", "cluster", "a root", None).unwrap();
    let reply = server.post_as("lead", "cluster", "a reply", Some(&foreign)).unwrap();
    let card = bot
        .call(
            "POST",
            "/posts",
            json!({ "channel_id": cluster, "props": { "attachments": [{ "actions": [
                { "id": "good", "type": "button", "name": "Good", "integration": { "url": "http://127.0.0.1:9/" } },
                { "id": "not-good", "type": "button", "name": "Bad", "integration": { "url": "http://127.0.0.1:9/" } },
            ]}]}}),
        )
        .await
        .1["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let unknown = "z".repeat(26);
    let post = |extra: Value| {
        let mut post = json!({ "channel_id": cluster, "message": "x" });
        post.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        post
    };
    let nothing = Value::Null;
    #[rustfmt::skip]
    let cases = [
        ("GET", "/users/me".to_owned(), nothing.clone(), 200, ""),
        ("GET", format!("/users/{unknown}"), nothing.clone(), 404, "app.user.missing_account.const"),
        ("GET", "/users/short".to_owned(), nothing.clone(), 400, "api.context.invalid_url_param.app_error"),
        ("GET", "/users/username/nobody".to_owned(), nothing.clone(), 404, "app.user.get_by_username.app_error"),
        ("POST", "/users/ids".to_owned(), json!([]), 400, "api.context.invalid_body_param.app_error"),
        ("POST", "/users/login".to_owned(), json!({ "login_id": "operator", "password": "wrong" }), 401, "api.user.login.invalid_credentials_email_username"),
        ("POST", "/users/login".to_owned(), json!({ "login_id": "halcyon", "password": "password" }), 401, "api.user.login.bot_login_forbidden.app_error"),
        ("GET", "/teams/name/nowhere".to_owned(), nothing.clone(), 404, "app.team.get_by_name.missing.app_error"),
        ("GET", format!("/channels/{unknown}"), nothing.clone(), 404, "app.channel.get.existing.app_error"),
        ("GET", format!("/channels/{secret}"), nothing.clone(), 403, "api.context.permissions.app_error"),
        ("GET", "/teams/name/ops/channels/name/secret".to_owned(), nothing.clone(), 404, "app.channel.get_by_name.missing.app_error"),
        ("GET", format!("/channels/{cluster}/members/{unknown}"), nothing.clone(), 404, "app.channel.get_member.missing.app_error"),
        ("POST", "/channels/direct".to_owned(), json!([lead, me]), 201, ""),
        ("POST", "/channels/direct".to_owned(), json!([lead]), 400, "api.context.invalid_body_param.app_error"),
        ("POST", "/channels/direct".to_owned(), json!([me, unknown]), 400, "api.channel.create_direct_channel.invalid_user.app_error"),
        ("POST", "/channels/direct".to_owned(), json!([lead, server.user_id("guest").unwrap()]), 403, "api.context.permissions.app_error"),
        ("POST", "/posts".to_owned(), json!("text"), 400, "api.context.invalid_body_param.app_error"),
        ("POST", "/posts".to_owned(), post(json!({ "channel_id": unknown })), 403, "api.context.permissions.app_error"),
        ("POST", "/posts".to_owned(), post(json!({ "channel_id": secret })), 403, "api.context.permissions.app_error"),
        ("POST", "/posts".to_owned(), post(json!({ "message": "ü".repeat(16_383) })), 201, ""),
        ("POST", "/posts".to_owned(), post(json!({ "message": "x".repeat(16_384) })), 400, "model.post.is_valid.message_length.app_error"),
        ("POST", "/posts".to_owned(), post(json!({ "props": { "a": "x".repeat(800_000) } })), 400, "model.post.is_valid.props.app_error"),
        ("POST", "/posts".to_owned(), post(json!({ "file_ids": vec![&unknown; 11] })), 400, "model.post.is_valid.file_ids.app_error"),
        ("POST", "/posts".to_owned(), post(json!({ "root_id": foreign })), 201, ""),
        ("POST", "/posts".to_owned(), post(json!({ "root_id": reply })), 400, "api.post.create_post.root_id.app_error"),
        ("POST", "/posts".to_owned(), post(json!({ "root_id": unknown })), 400, "api.post.create_post.root_id.app_error"),
        ("POST", "/posts".to_owned(), post(json!({ "root_id": foreign, "channel_id": square })), 400, "api.post.create_post.channel_root_id.app_error"),
        ("POST", "/posts".to_owned(), post(json!({ "type": "system_join_channel" })), 400, "api.context.invalid_param.app_error"),
        ("POST", "/posts/ephemeral".to_owned(), json!({ "user_id": lead, "post": { "channel_id": cluster, "message": "x" } }), 403, "api.context.permissions.app_error"),
        ("GET", format!("/posts/{unknown}"), nothing.clone(), 404, "app.post.get.app_error"),
        ("PUT", format!("/posts/{foreign}/patch"), json!({ "message": "mine" }), 403, "api.context.permissions.app_error"),
        ("PUT", format!("/posts/{unknown}/patch"), json!({ "message": "mine" }), 403, "api.context.permissions.app_error"),
        ("PUT", format!("/posts/{card}/patch"), json!({ "message": "x".repeat(16_384) }), 400, "model.post.is_valid.message_length.app_error"),
        ("PUT", format!("/posts/{card}"), json!({ "id": foreign, "message": "x" }), 400, "api.context.invalid_body_param.app_error"),
        ("DELETE", format!("/posts/{foreign}"), nothing.clone(), 403, "api.context.permissions.app_error"),
        ("POST", format!("/posts/{foreign}/pin"), nothing.clone(), 200, ""),
        ("GET", format!("/channels/{cluster}/posts?since=yesterday"), nothing.clone(), 400, "api.context.invalid_body_param.app_error"),
        ("GET", format!("/channels/{cluster}/posts?after=p1"), nothing.clone(), 400, "api.context.invalid_body_param.app_error"),
        ("POST", "/reactions".to_owned(), json!({ "user_id": me, "post_id": foreign, "emoji_name": "eyes" }), 200, ""),
        ("POST", "/reactions".to_owned(), json!({ "user_id": lead, "post_id": foreign, "emoji_name": "eyes" }), 403, "api.reaction.save_reaction.user_id.app_error"),
        ("POST", "/reactions".to_owned(), json!({ "user_id": me, "post_id": foreign, "emoji_name": ":eyes:" }), 400, "model.reaction.is_valid.emoji_name.app_error"),
        ("POST", "/reactions".to_owned(), json!({ "user_id": me, "post_id": unknown, "emoji_name": "eyes" }), 403, "api.context.permissions.app_error"),
        ("DELETE", format!("/users/me/posts/{foreign}/reactions/eyes"), nothing.clone(), 200, ""),
        ("POST", format!("/posts/{card}/actions/not-good"), nothing.clone(), 404, "api.context.404.app_error"),
        ("POST", format!("/posts/{card}/actions/notgood"), nothing.clone(), 404, "api.post.do_action.action_id.app_error"),
        ("POST", format!("/posts/{card}/actions/good"), nothing.clone(), 400, "api.post.do_action.action_integration.app_error"),
        ("POST", "/actions/dialogs/open".to_owned(), json!({ "trigger_id": "x", "dialog": {} }), 400, "api.context.invalid_body_param.app_error"),
        ("POST", "/actions/dialogs/open".to_owned(), json!({ "trigger_id": "x", "url": "http://127.0.0.1:9/", "dialog": {} }), 400, "interactive_message.decode_trigger_id.base64_decode_failed"),
        ("GET", format!("/files/{unknown}"), nothing.clone(), 404, "app.file_info.get.app_error"),
        ("GET", "/config/client".to_owned(), nothing.clone(), 501, "api.config.client.old_format.app_error"),
        ("GET", "/nothing/here".to_owned(), nothing.clone(), 404, "api.context.404.app_error"),
        ("PATCH", "/posts".to_owned(), nothing.clone(), 404, "api.context.404.app_error"),
    ];
    for (method, path, body, status, error) in cases {
        let (got, answer) = bot.call(method, &path, body).await;
        let got_error = if got < 400 { "" } else { answer["id"].as_str().unwrap_or_default() };
        assert_eq!((got, got_error), (status, error), "{method} {path}: {answer}");
        if status >= 400 {
            assert_eq!(answer["status_code"], status, "{answer}");
            let numbered = (error != "api.context.404.app_error").then_some(26);
            assert_eq!(answer["request_id"].as_str().map(str::len), numbered, "{answer}");
        }
    }
    let nobody = Client::of(&server, "wrong");
    let (status, answer) = nobody.call("GET", "/users/me", Value::Null).await;
    assert_eq!((status, answer["id"].as_str()), (401, Some("api.context.session_expired.app_error")));
    let (status, answer) = nobody.call("GET", "/system/ping", Value::Null).await;
    assert_eq!((status, answer["status"].as_str()), (200, Some("OK")));
    assert_eq!(server.calls_of("GET /api/v4/system/ping"), 1);
}

#[tokio::test]
async fn login_gives_a_session_that_reads_the_world() {
    let server = server().await;
    let client = Client::of(&server, "");
    let login = json!({ "login_id": "operator", "password": "password" });
    let answer = client.request("POST", "/users/login").json(&login).send().await.unwrap();
    let token = answer.headers()["Token"].to_str().unwrap().to_owned();
    let operator = Client::of(&server, &token);
    let (_, me) = operator.call("GET", "/users/me", Value::Null).await;
    assert_eq!(me["username"], "operator");
    assert!(me.get("is_bot").is_none());
    let (_, bot) = operator.call("GET", "/users/username/halcyon", Value::Null).await;
    assert_eq!(bot["is_bot"], true);
    let (_, channels) = operator.call("GET", "/users/me/channels", Value::Null).await;
    let mut names: Vec<&str> = channels.as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["cluster", "town-square"]);
    let (_, found) = operator.call("POST", "/users/usernames", json!(["lead", "nobody"])).await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    let (_, config) = operator.call("GET", "/config/client?format=old", Value::Null).await;
    assert_eq!(config["MaxPostSize"], "16383");
    assert_eq!(operator.call("POST", "/users/logout", Value::Null).await.0, 200);
    assert_eq!(operator.call("GET", "/users/me", Value::Null).await.0, 401);
    let operator = Client::of(&server, &server.token_of("operator").unwrap());
    assert_eq!(operator.call("GET", "/users/me", Value::Null).await.0, 200);
    server.set_active("operator", false).unwrap();
    assert_eq!(operator.call("GET", "/users/me", Value::Null).await.0, 401);
}

#[tokio::test]
async fn a_pending_id_makes_one_post_while_it_is_remembered() {
    let server = server().await;
    let bot = Client::of(&server, &server.bot_token());
    let post = |server: &Server| {
        let cluster = server.channel_id("cluster").unwrap();
        json!({ "channel_id": cluster, "message": "once", "pending_post_id": "bot:1" })
    };
    let first = bot.call("POST", "/posts", post(&server)).await.1;
    server.faults().still_saving(1);
    let (status, pending) = bot.call("POST", "/posts", post(&server)).await;
    assert_eq!((status, pending["id"].as_str()), (500, Some("api.post.deduplicate_create_post.pending")));
    let second = bot.call("POST", "/posts", post(&server)).await.1;
    assert_eq!(first["id"], second["id"]);
    assert_eq!(server.posts("cluster").len(), 1);

    // Once it is forgotten the same key makes another post.
    let forgetful = Server::start(Options { pending_life: Duration::ZERO, ..Options::default() }).await.unwrap();
    let bot = Client::of(&forgetful, &forgetful.bot_token());
    let first = bot.call("POST", "/posts", post(&forgetful)).await.1;
    assert_ne!(bot.call("POST", "/posts", post(&forgetful)).await.1["id"], first["id"]);
}

#[tokio::test]
async fn a_patch_replaces_the_props_and_keeps_a_history() {
    let server = server().await;
    let bot = Client::of(&server, &server.bot_token());
    let cluster = server.channel_id("cluster").unwrap();
    let props = json!({ "key": "k", "attachments": [{ "text": "t", "nonsense": 1, "actions": [
        { "id": "a1", "name": "A", "type": "button", "integration": { "url": "http://127.0.0.1:9/", "context": { "k": "secret" } } },
        { "name": "B", "type": "button", "integration": { "url": "http://127.0.0.1:9/" } },
    ]}]});
    let made = bot.call("POST", "/posts", json!({ "channel_id": cluster, "message": "one", "props": props })).await.1;
    let attachment = &made["props"]["attachments"][0];
    assert!(!made.to_string().contains("integration"), "{made}");
    assert!(!made.to_string().contains("secret"), "{made}");
    assert!(attachment.get("nonsense").is_none());
    assert_eq!(attachment["fallback"], "");
    assert_eq!(attachment["actions"][1]["id"].as_str().map(str::len), Some(26), "an action without an id is given one");
    assert_eq!(made["props"]["from_bot"], "true");

    let id = made["id"].as_str().unwrap();
    let path = format!("/posts/{id}/patch");
    let patched = bot.call("PUT", &path, json!({ "message": "two" })).await.1;
    assert_eq!(patched["props"], made["props"], "a patch of the text alone leaves the props");
    assert!(patched["edit_at"].as_i64().unwrap() > 0);
    let patched = bot.call("PUT", &path, json!({ "props": { "other": 1 } })).await.1;
    assert_eq!(patched["props"], json!({ "other": 1 }));
    let history: Vec<String> = server.post(id).unwrap().revisions.into_iter().map(|r| r.message).collect();
    assert_eq!(history, ["one", "two"]);
}

#[tokio::test]
async fn timelines_come_newest_first_with_threads_beside_them() {
    let server = server().await;
    let bot = Client::of(&server, &server.bot_token());
    let cluster = server.channel_id("cluster").unwrap();
    let root = server.post_as("lead", "cluster", "root", None).unwrap();
    let posts: Vec<String> =
        (1..=5).map(|n| server.post_as("lead", "cluster", &format!("p{n}"), None).unwrap()).collect();
    let reply = server.post_as("lead", "cluster", "reply", Some(&root)).unwrap();
    server.delete_as("lead", &posts[4]).unwrap();
    let list = async |query: &str| {
        let (status, list) = bot.call("GET", &format!("/channels/{cluster}/posts?{query}"), Value::Null).await;
        assert_eq!(status, 200);
        let order: Vec<String> =
            list["order"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        (order, list)
    };
    let (order, page) = list(&format!("after={}&page=0&per_page=2", posts[0])).await;
    assert_eq!(order, [posts[2].clone(), posts[1].clone()]);
    assert_eq!(page["prev_post_id"], posts[0].as_str());
    let (order, page) = list(&format!("after={}&page=1&per_page=2", posts[0])).await;
    assert_eq!(order, [reply.clone(), posts[3].clone()]);
    assert!(page["posts"].get(&root).is_some(), "the first post of a thread comes along");
    let (order, _) = list(&format!("before={}&per_page=2", posts[2])).await;
    assert_eq!(order, [posts[1].clone(), posts[0].clone()]);
    let since = server.post(&posts[2]).unwrap().update_at;
    let (order, page) = list(&format!("since={since}")).await;
    assert_eq!(order, [reply.clone(), posts[4].clone(), posts[3].clone(), root.clone()], "a reply changes its thread");
    assert!(page["posts"][&posts[4]]["delete_at"].as_i64().unwrap() > 0, "since tells of deleted posts");
    server.faults().holes_in_since(true);
    assert_eq!(list(&format!("since={since}")).await.0.len(), 2);
    let (_, thread) = bot.call("GET", &format!("/posts/{reply}/thread"), Value::Null).await;
    assert_eq!(thread["order"], json!([reply, root]));
    assert_eq!(thread["posts"][&root]["reply_count"], 1);
}

#[tokio::test]
async fn files_are_uploaded_posted_and_read_by_members() {
    let server = Server::start(Options { max_file_size: 1000, ..Options::default() }).await.unwrap();
    server.add_user("stranger");
    let bot = Client::of(&server, &server.bot_token());
    let cluster = server.channel_id("cluster").unwrap();
    let raw = format!("/files?channel_id={cluster}&filename=run.log");
    let answer = bot.request("POST", &raw).body("raw lines").send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let one = answer.json::<Value>().await.unwrap()["file_infos"][0]["id"].as_str().unwrap().to_owned();
    let form = reqwest::multipart::Form::new()
        .text("channel_id", cluster.clone())
        .part("files", reqwest::multipart::Part::bytes(b"form lines".to_vec()).file_name("form.txt"));
    let answer = bot.request("POST", "/files").multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let two = answer.json::<Value>().await.unwrap()["file_infos"][0]["id"].as_str().unwrap().to_owned();
    let answer = bot.request("POST", &raw).body(vec![0; 1001]).send().await.unwrap();
    assert_eq!(answer.status(), 413);

    let lead = Client::of(&server, &server.token_of("lead").unwrap());
    let path = format!("/files/{one}");
    assert_eq!(lead.call("GET", &path, Value::Null).await.0, 403, "nobody reads a file before it is posted");
    let post = json!({ "channel_id": cluster, "message": "", "file_ids": [one, two] });
    let post = bot.call("POST", "/posts", post).await.1;
    assert_eq!(post["metadata"]["files"][1]["name"], "form.txt");
    assert_eq!(lead.request("GET", &path).send().await.unwrap().text().await.unwrap(), "raw lines");
    let stranger = Client::of(&server, &server.token_of("stranger").unwrap());
    assert_eq!(stranger.call("GET", &path, Value::Null).await.0, 403);
    let files = server.files(post["id"].as_str().unwrap());
    assert_eq!(
        files.iter().map(|file| file.content.as_slice()).collect::<Vec<_>>(),
        [&b"raw lines"[..], b"form lines"]
    );
}

#[tokio::test]
async fn too_many_calls_are_answered_in_plain_text() {
    let limit = RateLimit { per_second: 1, burst: 2 };
    let server = Server::start(Options { rate_limit: Some(limit), ..Options::default() }).await.unwrap();
    let bot = Client::of(&server, &server.bot_token());
    // However slow this machine is, sooner or later two calls come within a second.
    let refused = loop {
        let answer = bot.request("GET", "/users/me").send().await.unwrap();
        assert_eq!(answer.headers()["X-RateLimit-Limit"], "3", "one, and two more at once");
        if answer.status() != 200 {
            break answer;
        }
    };
    assert_eq!((refused.status().as_u16(), &refused.headers()["Retry-After"]), (429, &"1".parse().unwrap()));
    assert_eq!(refused.text().await.unwrap(), "limit exceeded\n");
    assert!(server.calls_of("GET /api/v4/users/{user_id}") > 2, "a burst is allowed");
}

#[tokio::test]
async fn faults_of_rest_calls() {
    let server = server().await;
    let bot = Client::of(&server, &server.bot_token());
    let cluster = server.channel_id("cluster").unwrap();
    let faults = server.faults();

    faults.limit_rate(1, Duration::from_secs(7));
    let answer = bot.request("GET", "/users/me").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["Retry-After"].to_str().unwrap()), (429, "7"));
    faults.fail_calls(1, 503);
    assert_eq!(bot.call("GET", "/users/me", Value::Null).await.0, 503);
    let before = server.calls_of("GET /api/v4/users/{user_id}");
    for (detour, status) in [(Detour::Maintenance, 200), (Detour::Page(404), 404)] {
        faults.detour(Some(detour));
        // Whoever follows the redirect reads the page that stands there.
        let answer = bot.request("GET", "/users/me").send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (status, &"text/html".parse().unwrap())
        );
    }
    faults.detour(None);
    assert_eq!((faults.detoured(), server.calls_of("GET /api/v4/users/{user_id}")), (2, before));

    for (how, made) in [
        (PostFailure::ErrorBefore, false),
        (PostFailure::ErrorAfter, true),
        (PostFailure::DeadBefore, false),
        (PostFailure::DeadAfter, true),
    ] {
        faults.fail_posts(1, how);
        let text = format!("{how:?}");
        let answer =
            bot.request("POST", "/posts").json(&json!({ "channel_id": cluster, "message": text })).send().await;
        match how {
            PostFailure::ErrorBefore | PostFailure::ErrorAfter => assert_eq!(answer.unwrap().status(), 500),
            PostFailure::DeadBefore | PostFailure::DeadAfter => assert!(answer.is_err(), "{how:?}: {answer:?}"),
        }
        assert_eq!(server.posts("cluster").iter().any(|post| post.message == text), made, "{how:?}");
    }

    faults.down(true);
    assert!(bot.request("GET", "/users/me").send().await.is_err());
    faults.down(false);
    assert_eq!(bot.call("GET", "/users/me", Value::Null).await.0, 200);
    faults.slow(Duration::from_millis(80));
    let before = tokio::time::Instant::now();
    bot.call("GET", "/users/me", Value::Null).await;
    assert!(before.elapsed() >= Duration::from_millis(80));
    faults.slow(Duration::ZERO);
    faults.revoke_token(&bot.token);
    assert_eq!(bot.call("GET", "/users/me", Value::Null).await.0, 401);
}

// ---- buttons

/// An integration that gives these answers one after the other and hands over what it was asked.
async fn integration(answers: Vec<(u16, Value)>) -> (String, tokio::sync::mpsc::Receiver<Value>) {
    let (asked, hear) = tokio::sync::mpsc::channel(answers.len().max(1));
    let answers = std::sync::Arc::new(std::sync::Mutex::new(answers.into_iter()));
    let app = axum::Router::new().fallback(move |axum::Json(body): axum::Json<Value>| {
        let (asked, answer) = (asked.clone(), answers.lock().unwrap().next());
        async move {
            asked.send(body).await.unwrap();
            let (status, body) = answer.unwrap();
            (
                axum::http::StatusCode::from_u16(status).unwrap(),
                if body.is_null() { String::new() } else { body.to_string() },
            )
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/action", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, hear)
}

#[tokio::test]
async fn a_press_reaches_the_integration_and_its_answer_the_channel() {
    let server = server().await;
    let bot = Client::of(&server, &server.bot_token());
    let cluster = server.channel_id("cluster").unwrap();
    let (url, mut asked) = integration(vec![
        (200, json!({ "ephemeral_text": "noted" })),
        (200, json!({ "update": { "message": "approved", "props": { "attachments": [] } } })),
    ])
    .await;
    let card = json!({ "channel_id": cluster, "message": "card", "props": { "attachments": [{ "actions": [
        { "id": "approve", "type": "button", "name": "Approve", "integration": { "url": url, "context": { "k": "secret" } } },
        { "id": "snooze", "type": "select", "name": "Snooze", "options": [{ "text": "1 h", "value": "1h" }],
          "integration": { "url": url, "context": { "k": "secret" } } },
    ]}]}});
    let card = bot.call("POST", "/posts", card).await.1["id"].as_str().unwrap().to_owned();
    let mut socket = connect(&server, &server.token_of("lead").unwrap(), "").await;
    next_event(&mut socket, "hello").await;

    server.choose("lead", &card, "snooze", "never offered").await.unwrap();
    let call = asked.recv().await.unwrap();
    assert_eq!(call["context"], json!({ "k": "secret", "selected_option": "never offered" }));
    assert_eq!(
        [&call["user_name"], &call["channel_name"], &call["team_domain"], &call["type"], &call["post_id"]],
        ["lead", "cluster", "ops", "select", card.as_str()]
    );
    let whisper = post_of(&next_event(&mut socket, "ephemeral_message").await);
    assert_eq!((whisper["message"].as_str(), whisper["root_id"].as_str()), (Some("noted"), Some(card.as_str())));

    server.click("lead", &card, "approve").await.unwrap();
    let call = asked.recv().await.unwrap();
    let edited = post_of(&next_event(&mut socket, "post_edited").await);
    assert_eq!(edited["message"], "approved");
    assert_eq!(edited["props"], json!({ "attachments": [] }));

    let open = json!({ "trigger_id": call["trigger_id"], "url": url, "dialog": { "title": "Why?" } });
    assert_eq!(bot.call("POST", "/actions/dialogs/open", open).await.0, 200);
    let dialog = next_event(&mut socket, "open_dialog").await;
    assert!(dialog["data"]["dialog"].as_str().unwrap().contains("Why?"));
}

#[tokio::test]
async fn an_integration_that_answers_wrongly_fails_the_press() {
    for (status, body) in [(500, json!({})), (302, json!({})), (200, Value::Null), (200, json!("text"))] {
        let server = server().await;
        let bot = Client::of(&server, &server.bot_token());
        let (url, _asked) = integration(vec![(status, body.clone())]).await;
        let card = json!({ "channel_id": server.channel_id("cluster").unwrap(), "message": "card", "props": { "attachments": [
            { "actions": [{ "id": "a", "type": "button", "name": "A", "integration": { "url": url } }] }
        ]}});
        let card = bot.call("POST", "/posts", card).await.1["id"].as_str().unwrap().to_owned();
        let refused = server.click("lead", &card, "a").await.unwrap_err();
        assert_eq!(
            (refused.status, refused.id),
            (400, "api.post.do_action.action_integration.app_error"),
            "{status} {body}"
        );
        server.faults().forbid_callbacks(true);
        assert!(server.click("lead", &card, "a").await.unwrap_err().detail.contains("address forbidden"));
    }
}

// ---- websocket

#[tokio::test]
async fn a_websocket_greets_numbers_and_tells() {
    let server = server().await;
    let token = server.bot_token();
    let bot = Client::of(&server, &token);
    let me = server.user_id("halcyon").unwrap();
    let mut socket = connect(&server, &token, "").await;
    let hello = next(&mut socket).await.unwrap();
    assert_eq!((hello["event"].as_str(), hello["seq"].as_u64()), (Some("hello"), Some(0)));
    assert_eq!(hello["data"]["connection_id"].as_str().map(str::len), Some(26));

    let post = server.post_as("operator", "cluster", "@halcyon hello", None).unwrap();
    let posted = next_event(&mut socket, "posted").await;
    assert_eq!(posted["data"]["sender_name"], "@operator");
    assert_eq!(posted["data"]["mentions"], format!("[\"{me}\"]"));
    assert_eq!(post_of(&posted)["id"], post.as_str());
    server.post_as("operator", "cluster", "@lead hello `@halcyon`", None).unwrap();
    let other = next_event(&mut socket, "posted").await;
    assert!(other["data"].get("mentions").is_none(), "only those who are mentioned see a mention");
    assert_eq!(other["seq"].as_u64(), posted["seq"].as_u64().map(|seq| seq + 1));

    server.edit_as("operator", &post, "@halcyon bye").unwrap();
    assert_eq!(post_of(&next_event(&mut socket, "post_edited").await)["message"], "@halcyon bye");
    bot.call("POST", "/reactions", json!({ "user_id": me, "post_id": post, "emoji_name": "eyes" })).await;
    let reaction = next_event(&mut socket, "reaction_added").await;
    assert!(reaction["data"]["reaction"].as_str().unwrap().contains("eyes"));
    bot.call("DELETE", &format!("/users/me/posts/{post}/reactions/eyes"), Value::Null).await;
    next_event(&mut socket, "reaction_removed").await;
    server.delete_as("operator", &post).unwrap();
    next_event(&mut socket, "post_deleted").await;
    server.post_as_webhook("lead", "cluster", "from outside", "monitoring").unwrap();
    let posted = next_event(&mut socket, "posted").await;
    assert_eq!(posted["data"]["sender_name"], "monitoring");
    assert_eq!(post_of(&posted)["user_id"], server.user_id("lead").unwrap());
    server.leave("halcyon", "town-square").unwrap();
    let removed = next_event(&mut socket, "user_removed").await;
    assert_eq!(removed["data"]["channel_id"], server.channel_id("town-square").unwrap());
    server.post_as("operator", "town-square", "not for the bot", None).unwrap();
    server.join("halcyon", "town-square").unwrap();
    assert_eq!(next(&mut socket).await.unwrap()["event"], "user_added", "who is not in a channel does not hear it");
    let direct = server.direct_channel("operator", "halcyon").unwrap();
    next_event(&mut socket, "direct_added").await;
    server.post_as("operator", &direct, "psst", None).unwrap();
    let posted = next_event(&mut socket, "posted").await;
    assert_eq!((posted["data"]["channel_type"].as_str(), posted["data"]["team_id"].as_str()), (Some("D"), Some("")));
}

#[tokio::test]
async fn a_websocket_answers_what_the_client_asks() {
    let server = server().await;
    let mut socket = connect(&server, &server.bot_token(), "").await;
    next_event(&mut socket, "hello").await;
    let cluster = server.channel_id("cluster").unwrap();
    let typing = json!({ "channel_id": cluster });
    for (action, seq, data, expected) in [
        ("ping", 1, json!({}), "pong"),
        ("user_typing", 2, typing, "OK"),
        ("get_statuses", 3, Value::Null, "online"),
        ("ping", 0, json!({}), "api.web_socket_router.bad_seq.app_error"),
        ("", 4, json!({}), "api.web_socket_router.no_action.app_error"),
        ("dance", 5, json!({}), "api.web_socket_router.bad_action.app_error"),
    ] {
        send(&mut socket, json!({ "action": action, "seq": seq, "data": data })).await;
        let reply = loop {
            let frame = next(&mut socket).await.unwrap();
            if frame.get("event").is_none() {
                break frame;
            }
        };
        assert_eq!(reply.get("seq_reply").and_then(Value::as_i64), (seq != 0).then_some(seq), "0 is left out");
        assert!(reply.to_string().contains(expected), "{action}: {reply}");
    }
    send(&mut socket, json!({ "action": "ping", "seq": 6, "data": { "long": "x".repeat(8192) } })).await;
    while next(&mut socket).await.is_some() {}
}

#[tokio::test]
async fn authentication_by_challenge_or_not_at_all() {
    let server = server().await;
    let token = server.bot_token();
    let mut socket = connect(&server, "", "").await;
    send(&mut socket, json!({ "action": "authentication_challenge", "seq": 1, "data": { "token": token } })).await;
    assert_eq!(next(&mut socket).await.unwrap()["event"], "hello", "the greeting comes before the reply");
    let reply = loop {
        let frame = next(&mut socket).await.unwrap();
        if frame.get("event").is_none() {
            break frame;
        }
    };
    assert_eq!(reply, json!({ "status": "OK", "seq_reply": 1 }));

    let mut socket = connect(&server, "", "").await;
    send(&mut socket, json!({ "action": "authentication_challenge", "seq": 1, "data": { "token": "wrong" } })).await;
    assert_eq!(next(&mut socket).await, None, "a wrong token is not answered");
    let options = Options { authentication_deadline: Duration::from_millis(100), ..Options::default() };
    let server = Server::start(options).await.unwrap();
    let mut socket = connect(&server, "wrong", "").await;
    assert_eq!(next(&mut socket).await, None, "a wrong token in the header is accepted, then hung up on");
}

/// Drops the socket and waits until the server has noticed.
async fn lose(server: &Server, socket: Socket, user: &str) {
    drop(socket);
    timeout(PATIENCE, async {
        while server.is_connected(user) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the server notices");
}

#[tokio::test]
async fn a_lost_websocket_is_resumed_where_it_was() {
    let server = server().await;
    let token = server.bot_token();
    let mut socket = connect(&server, &token, "").await;
    let hello = next_event(&mut socket, "hello").await;
    let connection = hello["data"]["connection_id"].as_str().unwrap().to_owned();
    server.post_as("operator", "cluster", "seen", None).unwrap();
    let seen = next_event(&mut socket, "posted").await["seq"].as_u64().unwrap();
    lose(&server, socket, "halcyon").await;
    server.post_as("operator", "cluster", "missed", None).unwrap();

    let resume = |seq: u64| format!("?connection_id={connection}&sequence_number={seq}");
    let mut socket = connect(&server, &token, &resume(seen + 1)).await;
    let mut numbers = Vec::new();
    loop {
        let frame = next(&mut socket).await.unwrap();
        assert_ne!(frame["event"], "hello", "a resumed connection is not greeted");
        numbers.push(frame["seq"].as_u64().unwrap());
        if frame["event"] == "posted" {
            assert_eq!(post_of(&frame)["message"], "missed");
            break;
        }
    }
    assert_eq!(numbers, (seen + 1..=seen + u64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
    // What was sent already is sent again when it is asked for.
    lose(&server, socket, "halcyon").await;
    let mut socket = connect(&server, &token, &resume(seen)).await;
    assert_eq!(post_of(&next_event(&mut socket, "posted").await)["message"], "seen");

    // The old connection is still alive, so it cannot be taken over.
    let mut second = connect(&server, &token, &resume(seen)).await;
    assert_eq!(next(&mut second).await.unwrap()["event"], "hello");
    drop(second);
    lose(&server, socket, "halcyon").await;
    // A number that the server cannot have sent: events may be lost, and a new connection says so.
    let mut socket = connect(&server, &token, &resume(9999)).await;
    let hello = next(&mut socket).await.unwrap();
    assert_eq!((hello["event"].as_str(), hello["seq"].as_u64()), (Some("hello"), Some(0)));
    assert_ne!(hello["data"]["connection_id"], connection.as_str());
}

#[tokio::test]
async fn what_is_kept_for_a_lost_websocket_is_limited() {
    let server = server().await;
    let token = server.bot_token();
    // 128 sent events can be sent again, and 256 more may wait. With one too many, events may be lost, and a greeting says so.
    for (behind, missed, greeted) in [(100, 0, false), (129, 0, true), (0, 250, false), (0, 257, true)] {
        let mut socket = connect(&server, &token, "").await;
        let hello = next_event(&mut socket, "hello").await;
        let connection = hello["data"]["connection_id"].as_str().unwrap();
        let mut seen = 0;
        for _ in 0..130 {
            server.post_as("lead", "cluster", "sent", None).unwrap();
            seen = next_event(&mut socket, "posted").await["seq"].as_u64().unwrap();
        }
        lose(&server, socket, "halcyon").await;
        for _ in 0..missed {
            server.post_as("lead", "cluster", "missed", None).unwrap();
        }
        let resume = format!("?connection_id={connection}&sequence_number={}", seen + 1 - behind);
        let mut socket = connect(&server, &token, &resume).await;
        let first = next(&mut socket).await.unwrap();
        assert_eq!(first["event"] == "hello", greeted, "{behind} behind, {missed} missed: {first}");
        lose(&server, socket, "halcyon").await;
    }
}

#[tokio::test]
async fn a_foreign_page_cannot_open_a_websocket() {
    let server = server().await;
    let own = server.url();
    for (origin, accepted) in [(own.as_str(), true), ("https://evil.example", false), ("null", false)] {
        let url = format!("{}/api/v4/websocket", own.replace("http://", "ws://"));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("Origin", origin.parse().unwrap());
        assert_eq!(connect_async(request).await.is_ok(), accepted, "{origin}");
    }
}

#[tokio::test]
async fn a_resume_that_is_not_possible() {
    let server = server().await;
    let token = server.bot_token();
    let first = async || {
        let mut socket = connect(&server, &token, "").await;
        let hello = next_event(&mut socket, "hello").await;
        lose(&server, socket, "halcyon").await;
        hello["data"]["connection_id"].as_str().unwrap().to_owned()
    };
    let connection = first().await;
    let mut socket = connect(&server, &token, &format!("?connection_id={connection}")).await;
    assert_eq!(next(&mut socket).await, None, "a connection id without a number is hung up on");
    let mut socket = connect(&server, &token, "?connection_id=short&sequence_number=1").await;
    assert_eq!(next(&mut socket).await, None);
    let other = server.token_of("lead").unwrap();
    let connection = first().await;
    let mut socket = connect(&server, &other, &format!("?connection_id={connection}&sequence_number=1")).await;
    assert_eq!(next(&mut socket).await.unwrap()["event"], "hello", "nobody resumes for somebody else");
    server.faults().refuse_resume(true);
    let mut socket = connect(&server, &token, &format!("?connection_id={connection}&sequence_number=1")).await;
    assert_eq!(next(&mut socket).await.unwrap()["event"], "hello");
    lose(&server, socket, "halcyon").await;
    server.faults().refuse_resume(false);
    let connection = first().await;
    server.faults().restart();
    let mut socket = connect(&server, &token, &format!("?connection_id={connection}&sequence_number=1")).await;
    assert_eq!(next(&mut socket).await.unwrap()["event"], "hello", "a restarted server remembers nothing");
}

#[tokio::test]
async fn faults_of_websockets() {
    let server = server().await;
    let token = server.bot_token();
    let faults = server.faults();
    let mut socket = connect_quiet(&server, &token).await;
    server.post_as("lead", "cluster", "one", None).unwrap();
    let seq = next_event(&mut socket, "posted").await["seq"].as_u64().unwrap();
    faults.skip_sequence_number();
    server.post_as("lead", "cluster", "two", None).unwrap();
    assert_eq!(next(&mut socket).await.unwrap()["seq"].as_u64(), Some(seq + 2));
    faults.duplicate_event();
    server.post_as("lead", "cluster", "three", None).unwrap();
    let (first, second) = (next(&mut socket).await.unwrap(), next(&mut socket).await.unwrap());
    assert_eq!(first["data"], second["data"]);
    assert_eq!(second["seq"].as_u64(), Some(seq + 4));

    faults.die_in_mid_frame();
    server.post_as("lead", "cluster", "four", None).unwrap();
    assert_eq!(next(&mut socket).await, None, "half a frame is no frame");

    let mut socket = connect_quiet(&server, &token).await;
    faults.drop_sockets();
    assert_eq!(next(&mut socket).await, None);

    let mut socket = connect_quiet(&server, &token).await;
    faults.silence_sockets();
    server.post_as("lead", "cluster", "five", None).unwrap();
    send(&mut socket, json!({ "action": "ping", "seq": 2 })).await;
    socket.send(Message::Ping("x".into())).await.unwrap();
    assert!(timeout(SILENCE, socket.next()).await.is_err(), "a silent socket stays open and says nothing");

    faults.no_hello(true);
    let mut socket = connect(&server, &token, "").await;
    server.post_as("lead", "cluster", "six", None).unwrap();
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "posted") {
        names.push(next(&mut socket).await.unwrap()["event"].as_str().unwrap().to_owned());
    }
    assert!(!names.contains(&"hello".to_owned()), "{names:?}");
    faults.no_hello(false);
    faults.silence_new_sockets(true);
    let mut socket = connect(&server, &token, "").await;
    assert!(timeout(SILENCE, socket.next()).await.is_err());
    faults.silence_new_sockets(false);

    let mut socket = connect_quiet(&server, &token).await;
    faults.revoke_token(&token);
    server.post_as("lead", "cluster", "seven", None).unwrap();
    send(&mut socket, json!({ "action": "ping", "seq": 2 })).await;
    let reply = loop {
        let frame = next(&mut socket).await.unwrap();
        assert_ne!(frame["event"], "posted", "a connection without a good token hears nothing");
        if frame.get("seq_reply").is_some() {
            break frame;
        }
    };
    assert_eq!(reply["error"]["id"], "api.web_socket_router.not_authenticated.app_error");
}

#[tokio::test]
async fn who_sends_no_pong_is_dropped() {
    let options = Options {
        ping_every: Duration::from_millis(50),
        pong_deadline: Duration::from_millis(300),
        ..Options::default()
    };
    let server = Server::start(options).await.unwrap();
    // A socket that is not read sends no pongs.
    let socket = connect(&server, &server.bot_token(), "").await;
    let mut happenings = server.subscribe();
    let gone = Server::wait_for_happening(
        &mut happenings,
        |happening| matches!(happening, halcyon::sandbox::mattermost::Happening::Disconnected { .. }),
        PATIENCE,
    )
    .await;
    assert!(gone.is_some());
    drop(socket);
}

// ---- the Rust interface

#[tokio::test]
async fn a_test_waits_for_what_it_expects() {
    let server = server().await;
    let bot = Client::of(&server, &server.bot_token());
    let cluster = server.channel_id("cluster").unwrap();
    let wait = server.wait_for("cluster", |post| post.message == "second", PATIENCE);
    let act = async {
        let id = bot.post(&cluster, "first").await["id"].as_str().unwrap().to_owned();
        bot.call("PUT", &format!("/posts/{id}/patch"), json!({ "message": "second" })).await;
    };
    let (post, ()) = tokio::join!(wait, act);
    assert_eq!(post.unwrap().revisions[0].message, "first");
    let missing = server.wait_for("cluster", |post| post.message == "third", SILENCE).await.unwrap_err();
    assert!(missing.to_string().contains("halcyon: \"second\""), "{missing}");
    let outsider = Draft {
        user: "operator".into(),
        channel: server.add_channel(&server.add_team("ops"), "empty"),
        ..Draft::default()
    };
    assert_eq!(server.inject(outsider).unwrap_err().status, 403);
}

// ---- the page

#[tokio::test]
async fn the_page_is_served_to_whoever_knows_its_secret() {
    let server = server().await;
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let page = http.get(server.page_url()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()["Content-Security-Policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let html = page.text().await.unwrap();
    // Every file that the page names is there, and none comes from elsewhere.
    let named: Vec<&str> = html.split(['"', '\'']).filter(|part| part.starts_with("/page/")).collect();
    assert!(named.len() >= 3, "{named:?}");
    for path in named {
        assert_eq!(http.get(format!("{}{path}", server.url())).send().await.unwrap().status(), 200, "{path}");
    }
    assert!(!html.contains("http://") && !html.contains("https://"));
    let query = server.page_url().split_once('?').unwrap().1.to_owned();
    for (path, host, status) in [
        (format!("/?{query}"), "127.0.0.1", 200),
        (format!("/?{query}"), "evil.example", 403),
        ("/?token=wrong".to_owned(), "127.0.0.1", 403),
        ("/".to_owned(), "127.0.0.1", 403),
        (format!("/page/session?{query}&user=lead"), "127.0.0.1", 200),
        (format!("/page/session?{query}&user=halcyon"), "127.0.0.1", 403),
        ("/page/session?token=wrong&user=lead".to_owned(), "127.0.0.1", 401),
    ] {
        let answer = http.get(format!("{}{path}", server.url())).header("Host", host).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path} as {host}");
    }
    let session: Value = http
        .get(format!("{}/page/session?{query}&user=lead", server.url()))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(session["people"], json!(["operator", "lead", "guest"]));
    let lead = Client::of(&server, session["token"].as_str().unwrap());
    assert_eq!(lead.call("GET", "/users/me", Value::Null).await.1["username"], "lead");
}
