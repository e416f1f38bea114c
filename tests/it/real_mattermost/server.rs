//! A real Mattermost server as a stage for tests: what exists in it is made over REST, by an administrator.

use super::line::Line;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// Names the server and an administrator of it: `http://admin:PASSWORD@127.0.0.1:PORT`.
pub(crate) const VARIABLE: &str = "HALCYON_REAL_MATTERMOST";
/// The state directory of `scripts/real-mattermost.sh`, for tests that restart the server.
pub(crate) const STATE: &str = "HALCYON_REAL_MATTERMOST_STATE";

pub(crate) const PASSWORD: &str = "Halcyon-tests-2021";
const PATIENCE: Duration = Duration::from_secs(30);

/// One user's REST client.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) token: String,
}

/// An answer as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The JSON of it, or the text as a JSON string.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| json!(self.text))
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

impl Client {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}/api/v4{path}", self.url));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request.json(body);
        }
        Self::send(request).await
    }

    /// The answer once the server lets us ask.
    pub(crate) async fn patient(&self, method: &str, path: &str, body: &Value) -> Answer {
        loop {
            let answer = self.call(method, path, body).await;
            if answer.status != 429 {
                return answer;
            }
            let seconds: f64 = answer.header("Retry-After").parse().unwrap_or(1.0);
            tokio::time::sleep(Duration::from_secs_f64(seconds.max(0.2))).await;
        }
    }

    /// The JSON of an answer that must be good.
    pub(crate) async fn good(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.patient(method, path, &body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text);
        answer.json()
    }
}

/// A team of one test's own on a real server, with the people that every test knows.
pub(crate) struct RealServer {
    /// Where the server is without anything between.
    pub(crate) url: String,
    /// The line on which the bot talks to it.
    pub(crate) line: Line,
    pub(crate) admin: Client,
    pub(crate) team: String,
    pub(crate) team_name: String,
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) users: BTreeMap<String, String>,
    pub(crate) channels: BTreeMap<String, String>,
    /// There is one bot `halcyon` on the server, so there is one test at a time.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::const_new(());

fn id_of(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

impl RealServer {
    /// Whether there is one to be tested with.
    pub(crate) fn is_named() -> bool {
        std::env::var_os(VARIABLE).is_some()
    }

    /// A new team with its channels on the server that the environment names.
    pub(crate) async fn start() -> Self {
        let turn = TURN.lock().await;
        let given = std::env::var(VARIABLE).unwrap();
        let mut url = reqwest::Url::parse(&given).unwrap();
        let (name, password) = (url.username().to_owned(), url.password().unwrap_or_default().to_owned());
        url.set_username("").unwrap();
        url.set_password(None).unwrap();
        let base = url.as_str().trim_end_matches('/').to_owned();
        let admin = Client::new(&base, &login(&base, &name, &password).await);
        let team_name = format!("ops-{}", super::nonce());
        let team = json!({ "name": team_name, "display_name": "Ops", "type": "O" });
        let team = id_of(&admin.good("POST", "/teams", team).await);
        let address = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
        let mut server = Self {
            url: base,
            line: Line::to(&address).await,
            admin,
            team,
            team_name,
            clients: BTreeMap::new(),
            users: BTreeMap::new(),
            channels: BTreeMap::new(),
            _turn: turn,
        };
        for name in ["operator", "lead", "guest"] {
            server.add_user(name).await;
        }
        server.add_bot("halcyon").await;
        for name in ["cluster", "town-square"] {
            server.add_channel(name, "O").await;
            for user in ["operator", "lead", "guest", "halcyon"] {
                server.join(user, name).await;
            }
        }
        server
    }

    async fn known(&self, name: &str) -> Option<String> {
        let answer = self.admin.patient("GET", &format!("/users/username/{name}"), &Value::Null).await;
        (answer.status == 200).then(|| id_of(&answer.json()))
    }

    /// A person of the team, active and logged in.
    pub(crate) async fn add_user(&mut self, name: &str) -> String {
        let id = match self.known(name).await {
            Some(id) => id,
            None => {
                let user = json!({ "username": name, "email": format!("{name}@example.org"), "password": PASSWORD });
                id_of(&self.admin.good("POST", "/users", user).await)
            }
        };
        self.admin.good("PUT", &format!("/users/{id}/active"), json!({ "active": true })).await;
        self.admin.good("PUT", &format!("/users/{id}/password"), json!({ "new_password": PASSWORD })).await;
        self.join_team(&id).await;
        let token = login(&self.url, name, PASSWORD).await;
        self.clients.insert(name.to_owned(), Client::new(&self.url, &token));
        self.users.insert(name.to_owned(), id.clone());
        id
    }

    /// A bot of the team with a new token.
    pub(crate) async fn add_bot(&mut self, name: &str) -> String {
        let id = match self.known(name).await {
            Some(id) => id,
            None => {
                let bot = self.admin.good("POST", "/bots", json!({ "username": name })).await;
                bot["user_id"].as_str().unwrap().to_owned()
            }
        };
        let token = self.new_token(&id).await;
        self.join_team(&id).await;
        self.clients.insert(name.to_owned(), Client::new(&self.url, &token));
        self.users.insert(name.to_owned(), id.clone());
        id
    }

    pub(crate) async fn new_token(&self, user_id: &str) -> String {
        let path = format!("/users/{user_id}/tokens");
        let token = self.admin.good("POST", &path, json!({ "description": "tests" })).await;
        token["token"].as_str().unwrap().to_owned()
    }

    async fn join_team(&self, user: &str) {
        let member = json!({ "team_id": self.team, "user_id": user });
        self.admin.good("POST", &format!("/teams/{}/members", self.team), member).await;
    }

    pub(crate) async fn add_channel(&mut self, name: &str, kind: &str) -> String {
        let found =
            self.admin.patient("GET", &format!("/teams/{}/channels/name/{name}", self.team), &Value::Null).await;
        let id = if found.status == 200 {
            id_of(&found.json())
        } else {
            let shown = name[..1].to_uppercase() + &name[1..];
            let channel = json!({ "team_id": self.team, "name": name, "display_name": shown, "type": kind });
            id_of(&self.admin.good("POST", "/channels", channel).await)
        };
        self.channels.insert(name.to_owned(), id.clone());
        id
    }

    pub(crate) async fn join(&self, user: &str, channel: &str) {
        let member = json!({ "user_id": self.user(user) });
        self.admin.good("POST", &format!("/channels/{}/members", self.channel(channel)), member).await;
    }

    pub(crate) async fn leave(&self, user: &str, channel: &str) {
        let path = format!("/channels/{}/members/{}", self.channel(channel), self.user(user));
        self.admin.good("DELETE", &path, Value::Null).await;
    }

    /// Posts by an incoming webhook that this user made, shown under another name.
    pub(crate) async fn webhook(&self, owner: &str, channel: &str, text: &str, shown_as: &str) {
        let hook = json!({ "channel_id": self.channel(channel), "user_id": self.user(owner) });
        let hook = self.admin.good("POST", "/hooks/incoming", hook).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/hooks/{}", self.url, hook["id"].as_str().unwrap());
        let answer = http.post(url).json(&json!({ "text": text, "username": shown_as })).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// The id of a user by name; an id stays what it is.
    pub(crate) fn user(&self, name: &str) -> String {
        self.users.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    pub(crate) fn channel(&self, name: &str) -> String {
        self.channels.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    pub(crate) fn client(&self, user: &str) -> &Client {
        self.clients.get(user).unwrap_or_else(|| panic!("nobody is called {user}"))
    }

    /// Runs `scripts/real-mattermost.sh` on the server; it must be one that this script started.
    pub(crate) fn manage(order: &str) {
        let state = std::env::var(STATE).unwrap_or_else(|_| panic!("{STATE} does not say where the server's state is"));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/real-mattermost.sh");
        let done = std::process::Command::new(script).args([order, &state]).status().unwrap();
        assert!(done.success());
    }
}

/// A session's token.
pub(crate) async fn login(url: &str, name: &str, password: &str) -> String {
    let body = json!({ "login_id": name, "password": password });
    let answer = Client::new(url, "").patient("POST", "/users/login", &body).await;
    assert_eq!(answer.status, 200, "{name} cannot log in: {}", answer.text);
    answer.header("Token")
}
