//! Either server, real or sandbox, with the same people: what a script is played on.

use super::server::{Client, PASSWORD, RealServer, login};
use halcyon::sandbox::mattermost::{Options, RateLimit, Release, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A chat server with the team, channels and people that every script knows.
pub(crate) enum Stage {
    Sandbox(Box<Server>, BTreeMap<String, Client>),
    Real(Box<RealServer>),
}

/// The name under which the sandbox knows somebody: who is called root here is `admin` on a real server.
fn account(name: &str) -> &str {
    if name == "root" { "admin" } else { name }
}

impl Stage {
    pub(crate) async fn sandbox(release: Release, rate_limit: Option<RateLimit>) -> Self {
        let options = Options { release, rate_limit, max_props_size: 8000, ..Options::default() };
        let server = Server::start(options).await.unwrap();
        // Nobody on the real server has set a clock.
        for user in ["operator", "lead"] {
            server.set_timezone(user, "", "").unwrap();
        }
        let team = server.add_team("ops");
        server.add_user("stranger");
        server.add_user("admin");
        server.make_admin("admin").unwrap();
        server.join("admin", &server.channel_id("cluster").unwrap()).unwrap();
        let secret = server.add_private_channel(&team, "secret");
        server.join("lead", &secret).unwrap();
        server.join("admin", &secret).unwrap();
        let aside = server.add_channel(&team, "aside");
        server.join("lead", &aside).unwrap();
        server.join("admin", &aside).unwrap();
        let mut clients = BTreeMap::from([("halcyon".to_owned(), Client::new(&server.url(), &server.bot_token()))]);
        for name in ["operator", "lead", "guest", "stranger", "root"] {
            let token = login(&server.url(), account(name), "password").await;
            clients.insert(name.to_owned(), Client::new(&server.url(), &token));
        }
        Self::Sandbox(Box::new(server), clients)
    }

    pub(crate) async fn real() -> Self {
        let mut server = RealServer::start().await;
        let admin = server.admin.good("GET", "/users/me", Value::Null).await;
        server.users.insert("root".into(), admin["id"].as_str().unwrap().to_owned());
        server.clients.insert("root".into(), server.admin.clone());
        let stranger = server.add_user("stranger").await;
        server.admin.good("DELETE", &format!("/teams/{}/members/{stranger}", server.team), Value::Null).await;
        server.add_channel("secret", "P").await;
        server.join("lead", "secret").await;
        server.add_channel("aside", "O").await;
        server.join("lead", "aside").await;
        Self::Real(Box::new(server))
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sandbox(server, _) => server.url(),
            Self::Real(server) => server.url.clone(),
        }
    }

    pub(crate) fn client(&self, user: &str) -> Client {
        match self {
            Self::Sandbox(_, clients) => clients[user].clone(),
            Self::Real(server) => server.client(user).clone(),
        }
    }

    pub(crate) fn user(&self, name: &str) -> String {
        match self {
            Self::Sandbox(server, _) => server.user_id(account(name)).unwrap(),
            Self::Real(server) => server.user(name),
        }
    }

    pub(crate) fn channel(&self, name: &str) -> String {
        match self {
            Self::Sandbox(server, _) => server.channel_id(name).unwrap(),
            Self::Real(server) => server.channel(name),
        }
    }

    /// Everybody's password.
    pub(crate) fn password(&self) -> &'static str {
        match self {
            Self::Sandbox(..) => "password",
            Self::Real(_) => PASSWORD,
        }
    }

    pub(crate) fn team(&self) -> String {
        match self {
            Self::Sandbox(server, _) => server.add_team("ops"),
            Self::Real(server) => server.team.clone(),
        }
    }

    pub(crate) fn team_name(&self) -> String {
        match self {
            Self::Sandbox(..) => "ops".to_owned(),
            Self::Real(server) => server.team_name.clone(),
        }
    }

    /// An administrator puts somebody into a channel.
    pub(crate) async fn join(&self, user: &str, channel: &str) {
        let member = json!({ "user_id": self.user(user) });
        let path = format!("/channels/{}/members", self.channel(channel));
        self.client("root").good("POST", &path, member).await;
    }

    /// An administrator takes somebody out of a channel.
    pub(crate) async fn leave(&self, user: &str, channel: &str) {
        let path = format!("/channels/{}/members/{}", self.channel(channel), self.user(user));
        self.client("root").good("DELETE", &path, Value::Null).await;
    }

    pub(crate) async fn set_active(&self, user: &str, active: bool) {
        match self {
            Self::Sandbox(server, _) => server.set_active(user, active).unwrap(),
            Self::Real(server) => {
                let path = format!("/users/{}/active", server.user(user));
                server.admin.good("PUT", &path, json!({ "active": active })).await;
            }
        }
    }

    /// A post by an incoming webhook that this user made.
    pub(crate) async fn webhook(&self, owner: &str, channel: &str, text: &str, shown_as: &str) {
        match self {
            Self::Sandbox(server, _) => {
                server.post_as_webhook(owner, channel, text, shown_as).unwrap();
            }
            Self::Real(server) => server.webhook(owner, channel, text, shown_as).await,
        }
    }

    pub(crate) async fn new_token(&self, user: &str) -> String {
        match self {
            Self::Sandbox(server, _) => server.token_of(user).unwrap(),
            Self::Real(server) => server.new_token(&server.user(user)).await,
        }
    }

    /// Takes a token back while it is in use.
    pub(crate) async fn revoke(&self, token: &str) {
        match self {
            Self::Sandbox(server, _) => server.faults().revoke_token(token),
            Self::Real(server) => {
                // By its owner's list: a token cannot be named by itself.
                let me = Client::new(&server.url, token).good("GET", "/users/me", Value::Null).await;
                let path = format!("/users/{}/tokens?per_page=200", me["id"].as_str().unwrap());
                let tokens = server.admin.good("GET", &path, Value::Null).await;
                for known in tokens.as_array().unwrap() {
                    let body = json!({ "token_id": known["id"] });
                    server.admin.good("POST", "/users/tokens/revoke", body).await;
                }
            }
        }
    }

    /// Waits until the server has noticed that a user's websockets are gone.
    pub(crate) async fn gone(&self, user: &str) {
        match self {
            Self::Sandbox(server, _) => {
                while server.is_connected(user) {
                    tokio::task::yield_now().await;
                }
            }
            Self::Real(_) => {
                // It tells nobody; half a second is plenty on loopback.
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
        }
    }
}
