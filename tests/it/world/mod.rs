//! The whole program between a chat server and nodes that live in this process: what every test of a conversation starts from.

mod chat;

use chat::Chat;
use halcyon::app::engine::{Engine, EngineOptions};
use halcyon::config::{Config, Environment, LivestatusWay, Monitoring, MonitoringKind};
use halcyon::core::action::run::Secret;
use halcyon::core::effect::Answer;
use halcyon::core::input::Ask;
use halcyon::sandbox::mattermost::{Options, Post};
use halcyon::sandbox::nodes::{self, Nodes};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long anything may take; only ever waited for in full by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The channel where commands are heard.
pub(crate) const CHANNEL: &str = "cluster";

/// A chat server, nodes, a bot between them, and a directory for all.
pub(crate) struct World {
    pub(crate) chat: Chat,
    pub(crate) nodes: Nodes,
    pub(crate) engine: Option<Engine>,
    pub(crate) config: Config,
    pub(crate) options: EngineOptions,
    pub(crate) bot: String,
    pub(crate) directory: tempfile::TempDir,
}

impl World {
    /// Starts everything and waits until the bot has come into the channel.
    pub(crate) async fn start() -> Self {
        let mut world = Self::without_bot("").await;
        world.start_bot().await;
        world
    }

    /// Everything but the bot; `more` is added to its configuration.
    pub(crate) async fn without_bot(more: &str) -> Self {
        Self::on_nodes(more, |_| {}).await
    }

    /// The same with nodes that are changed before they start. The servers of their batch system, monitoring and administration are in the inventory.
    pub(crate) async fn on_nodes(more: &str, change: impl FnOnce(&mut nodes::Options)) -> Self {
        Self::on_chat(more, change, Options::default()).await
    }

    /// The same with a chat server of another kind.
    pub(crate) async fn on_chat(more: &str, change: impl FnOnce(&mut nodes::Options), chat: Options) -> Self {
        let directory = tempfile::Builder::new().prefix("hal").tempdir().unwrap();
        let names: Vec<String> = (1..=6).map(|number| format!("wn{number:03}")).collect();
        let mut options = nodes::Options {
            user: "root".into(),
            pace: 0.0,
            ..nodes::Options::new(names, directory.path().join("nodes"))
        };
        change(&mut options);
        let mut hosts = "\"wn[001-006]\"".to_owned();
        let batch = options.batch.iter().map(|batch| &batch.server);
        let monitoring = options.monitoring.iter().map(|monitoring| &monitoring.server);
        for server in batch.chain(monitoring).chain(&options.administration) {
            hosts.push_str(&format!(", {server:?}"));
        }
        let nodes = Nodes::start(options).await.unwrap();
        let chat = Chat::start(chat).await;
        let text = config_text(&chat, nodes.ssh_config(), more);
        let text = text.replace("hosts = [\"wn[001-006]\"]", &format!("hosts = [{hosts}]"));
        let file = directory.path().join("config.toml");
        std::fs::write(&file, &text).unwrap();
        let environment = Environment::from([("HALCYON_MATTERMOST_TOKEN".to_owned(), chat.bot_token())]);
        let config = Config::parse(&file, &text, &environment).unwrap();
        let bot = chat.user_id("halcyon").unwrap();
        Self { chat, nodes, engine: None, config, options: EngineOptions::default(), bot, directory }
    }

    /// Gives it a pack with these files.
    pub(crate) fn add_pack(&mut self, name: &str, files: &[(&str, &str)]) {
        let pack = self.directory.path().join(name);
        for (inside, text) in files {
            let file = pack.join(inside);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        self.config.content.packs.push(pack);
    }

    /// Has it ask the monitoring over its REST API: `confirm` is how long that has to show what was asked for, `read` how often it is asked how things stand.
    pub(crate) fn ask_monitoring(&mut self, name: &str, confirm: Duration, read: Duration) {
        let access = self.nodes.monitoring_access().unwrap();
        self.config.monitorings.push(Monitoring {
            name: name.to_owned(),
            kind: MonitoringKind::CheckMk,
            address: access.address.clone(),
            site: None,
            user: access.user.clone(),
            open: false,
            secret: Ok(Secret::new(access.secret.clone())),
            nagios: None,
            host_label: None,
            filter: None,
            ca_file: None,
            livestatus: Some(LivestatusWay::Tcp(access.livestatus.to_string())),
            confirm,
            read: Some(read),
        });
    }

    pub(crate) async fn start_bot(&mut self) {
        let before = self.greetings();
        // A bot that was killed lets go of its store a moment later.
        let end = tokio::time::Instant::now() + PATIENCE;
        self.engine = loop {
            match Engine::start_with(&self.config, self.options).await {
                Ok(engine) => break Some(engine),
                Err(problem) => assert!(tokio::time::Instant::now() < end, "{problem:#}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let greeted = self.chat.wait_for(CHANNEL, |post| post.message.contains("I am here"), PATIENCE).await;
        greeted.unwrap();
        while self.greetings() == before {
            tokio::task::yield_now().await;
        }
    }

    fn greetings(&self) -> usize {
        self.chat.posts(CHANNEL).iter().filter(|post| post.message.contains("I am here")).count()
    }

    /// Ends the bot as a power cut would: nothing is told to anybody.
    pub(crate) fn kill_bot(&mut self) {
        self.engine = None;
    }

    pub(crate) async fn stop_bot(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.stop().await.unwrap();
        }
    }

    /// Writes a line in the channel.
    pub(crate) fn write(&self, user: &str, line: &str) -> String {
        self.chat.post_as(user, CHANNEL, line, None).unwrap()
    }

    /// Writes a line and waits for its final answer.
    pub(crate) async fn say(&self, user: &str, line: &str) -> Post {
        let post = self.write(user, line);
        self.answer(&post).await
    }

    /// The final answer to a post: the bot's next post in its channel and thread that is no longer under way.
    pub(crate) async fn answer(&self, post: &str) -> Post {
        self.answer_that(post, |answer| !under_way(answer)).await
    }

    /// The bot's next post after another in its channel and thread, once it is as wanted.
    pub(crate) async fn answer_that(&self, post: &str, wanted: impl Fn(&Post) -> bool + Send + Sync) -> Post {
        self.answer_within(PATIENCE, post, wanted).await
    }

    /// The same for what takes long by its nature.
    pub(crate) async fn answer_within(
        &self,
        patience: Duration,
        post: &str,
        wanted: impl Fn(&Post) -> bool + Send + Sync,
    ) -> Post {
        let asked = self.chat.post(post).unwrap();
        let bot = self.bot.clone();
        let answers = |answer: &Post| {
            let thread =
                if asked.root_id.is_empty() { answer.root_id.is_empty() } else { answer.root_id == asked.root_id };
            answer.user_id == bot && answer.create_at > asked.create_at && thread && wanted(answer)
        };
        self.chat.wait_for(&asked.channel_id, answers, patience).await.unwrap()
    }

    /// Waits for a reply of the bot in the thread of a post.
    pub(crate) async fn reply(&self, root: &str, wanted: impl Fn(&Post) -> bool + Send + Sync) -> Post {
        let channel = self.chat.post(root).unwrap().channel_id;
        let bot = self.bot.clone();
        self.chat
            .wait_for(&channel, |post| post.root_id == root && post.user_id == bot && wanted(post), PATIENCE)
            .await
            .unwrap()
    }

    /// Waits until the bot has put this emoji on a post.
    pub(crate) async fn reaction(&self, post: &str, emoji: &str) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !self.chat.reactions(post).iter().any(|reaction| reaction.emoji_name == emoji) {
            assert!(tokio::time::Instant::now() < end, "no :{emoji}: but {:?}", self.chat.reactions(post));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks over the control socket.
    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        halcyon::adapters::control::call(&self.config.control.socket, &ask).await.unwrap()
    }

    /// How many commands have been started on all nodes.
    pub(crate) fn started(&self) -> usize {
        let names: Vec<String> = self.nodes.names().map(str::to_owned).collect();
        names.iter().map(|name| self.nodes.ledger(name).len()).sum()
    }

    /// A line that the bot answers, to know that everything before it has been decided about.
    pub(crate) async fn settle(&self) {
        self.say("operator", "!whoami").await;
    }
}

pub(crate) fn under_way(post: &Post) -> bool {
    [":hourglass_flowing_sand:", ":hourglass:"].iter().any(|mark| post.message.starts_with(mark))
}

/// The six digits by which an execution's post names it.
pub(crate) fn id_of(post: &Post) -> String {
    let place = if under_way(post) { post.message.lines().last() } else { post.message.lines().next() };
    place.unwrap().rsplit('`').nth(1).unwrap().trim_start_matches("cancel ").to_owned()
}

/// The configuration of a bot in this world; `more` is put at its end.
pub(crate) fn config_text(chat: &Chat, ssh_config: &Path, more: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let trial = root.join("tests/data/packs/trial");
    let words = root.join("tests/data/packs/words");
    format!(
        r#"
[mattermost]
url = "{url}"
team = "{team}"
channels = ["{CHANNEL}"]
admin_channel = "{CHANNEL}"
[store]
path = "store"
[content]
packs = [{root:?}, {trial:?}, {words:?}]
[ssh]
config_file = {ssh_config:?}
connect_timeout = 3
[inventory]
hosts = ["wn[001-006]"]
[inventory.groups]
workers = ["wn[001-003]"]
[[access.roles]]
name = "operator"
users = ["operator"]
grants = ["view:*", "run:site.*", "run:trial.*", "run:words.*"]
[[access.roles]]
name = "lead"
users = ["lead"]
grants = ["admin:*"]
{more}
"#,
        url = chat.url(),
        team = chat.team_name(),
    )
}
