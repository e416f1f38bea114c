//! Approvals under `kill -9`: between a press of the button and its answer, and between the last yes and the start.
//!
//! After each kill the card tells the truth: it waits, and nothing has run; or it ran, once. `HALCYON_FIRE_APPROVALS` asks for another number
//! of kills of each kind.

use super::bot::{Bot, Site};
use super::draw::Draw;
use super::say;
use crate::callbacks::free_port;
use halcyon::sandbox::mattermost::{Happening, Options, Post, Server};
use halcyon::sandbox::nodes::{self, Nodes};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(60);
const CHANNEL: &str = "cluster";
const NODE: &str = "wn001";

/// When the bot is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// So soon after the press that its answer may be under way.
    Answer,
    /// When the press was answered, and the people concerned are being looked up.
    Start,
}

struct World {
    chat: Server,
    nodes: Nodes,
    bot: Bot,
    me: String,
    _directory: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("halv").tempdir().unwrap();
        let options = nodes::Options {
            user: "root".into(),
            pace: 0.0,
            ..nodes::Options::new(vec![NODE.to_owned()], directory.path().join("nodes"))
        };
        let nodes = Nodes::start(options).await.unwrap();
        let chat = Server::start(Options::default()).await.unwrap();
        if chat.channel_id(CHANNEL).is_err() {
            let team = chat.add_team("ops");
            chat.add_channel(&team, CHANNEL);
        }
        for user in ["operator", "lead", "halcyon"] {
            chat.join(user, CHANNEL).unwrap();
        }
        let listen = format!("127.0.0.1:{}", free_port());
        let more = format!(
            "[http]\nlisten = \"{listen}\"\n[limits]\nlines_per_user = 100000\nlines_per_channel = 100000\n\
             [[access.roles]]\nname = \"lead\"\nusers = [\"lead\"]\ngrants = [\"approve:*\"]"
        );
        let site = Site {
            chat: chat.url(),
            token: chat.bot_token(),
            ssh_config: nodes.ssh_config(),
            channels: &[CHANNEL],
            operators: &["operator".to_owned()],
            hosts: NODE.to_owned(),
            chat_keys: &format!("calls_per_second = 500\ncalls_at_once = 500\ncallback_url = \"http://{listen}\""),
            store_keys: "",
            more: &more,
            packs: &[],
        };
        let bot = Bot::new(env!("CARGO_BIN_EXE_halcyon"), directory.path(), &site);
        let me = chat.user_id("halcyon").unwrap();
        Self { chat, nodes, bot, me, _directory: directory }
    }

    /// Starts the process and waits until it hears.
    async fn spawn(&mut self) {
        self.bot.spawn();
        let end = Instant::now() + PATIENCE;
        loop {
            let asked = self.chat.post_as("operator", CHANNEL, "@halcyon whoami", None).unwrap();
            let asked = self.chat.post(&asked).unwrap().create_at;
            let answers = |post: &Post| {
                post.user_id == self.me && post.create_at > asked && post.message.contains("You are **operator**")
            };
            if self.chat.wait_for(CHANNEL, answers, Duration::from_secs(5)).await.is_ok() {
                return;
            }
            assert!(!self.bot.has_ended() && Instant::now() < end, "{}", self.bot.last_words());
        }
    }

    /// Writes a line that needs an approval, and gives its card once the bot knows that it stands.
    async fn card(&self, token: &str) -> String {
        self.chat.post_as("operator", CHANNEL, &format!("@halcyon guarded {token} on {NODE}"), None).unwrap();
        let asks =
            |post: &Post| post.user_id == self.me && post.message.starts_with(":lock:") && post.message.contains(token);
        let card = self.chat.wait_for(CHANNEL, asks, PATIENCE).await.unwrap();
        card.id
    }

    /// The lead presses, and what they are told; nothing where nobody answered.
    async fn press(&self, card: &str) -> Option<String> {
        let mut happenings = self.chat.subscribe();
        self.chat.click("lead", card, "approve").await.ok()?;
        let told = |happening: &Happening| matches!(happening, Happening::Whispered { .. });
        match Server::wait_for_happening(&mut happenings, told, Duration::from_secs(10)).await {
            Some(Happening::Whispered { post, .. }) => Some(post.message),
            _ => None,
        }
    }

    /// Presses until the press is taken.
    async fn approve(&self, card: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.press(card).await {
                Some(told) if !told.contains("press again") => return told,
                _ => assert!(Instant::now() < end, "no press is taken: {}", self.bot.last_words()),
            }
        }
    }

    fn marks(&self, token: &str) -> usize {
        let file = self.nodes.file(NODE, "/tmp/marks").unwrap_or_default();
        String::from_utf8(file).unwrap().lines().filter(|line| *line == token).count()
    }

    async fn round(&mut self, aim: Aim, number: usize, draw: &mut Draw) -> bool {
        let token = format!("t{number}-{}", if aim == Aim::Answer { "answer" } else { "start" });
        let card = self.card(&token).await;
        let after = Duration::from_millis(draw.number(0, 12));
        if aim == Aim::Answer {
            tokio::select! {
                _ = self.press(&card) => {}
                () = sleep(after) => {}
            }
        } else {
            let told = self.approve(&card).await;
            assert!(told.contains("is approved"), "{told}");
            sleep(after).await;
        }
        self.bot.kill().await;
        self.spawn().await;
        let done = |post: &Post| post.id == card && post.message.starts_with(":white_check_mark:");
        let end = Instant::now() + PATIENCE;
        let mut pressed_again = false;
        let text = loop {
            if let Ok(post) = self.chat.wait_for(CHANNEL, done, Duration::from_secs(1)).await {
                break post.message;
            }
            let now = self.chat.post(&card).unwrap().message;
            assert!(Instant::now() < end, "{aim:?} {token}: {now}\n{}", self.bot.last_words());
            if now.starts_with(":lock:") {
                // The card says that nobody has said yes: so nothing has run, and a yes is what is lacking.
                assert_eq!(self.marks(&token), 0, "{aim:?} {token}: it ran while its card waits");
                assert!(now.contains("**0 of 1**"), "{now}");
                pressed_again = true;
                self.approve(&card).await;
            }
        };
        assert!(text.contains("approved by lead"), "{text}");
        assert_eq!(self.marks(&token), 1, "{aim:?} {token}: {text}");
        pressed_again
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_around_a_yes_makes_one_run_or_none() {
    let rounds = std::env::var("HALCYON_FIRE_APPROVALS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4);
    let mut draw = Draw::new(1);
    let mut world = World::start().await;
    world.spawn().await;
    let mut lost = 0;
    for number in 0..rounds {
        for aim in [Aim::Answer, Aim::Start] {
            lost += usize::from(world.round(aim, number, &mut draw).await);
        }
    }
    world.bot.terminate(Duration::from_secs(40)).await;
    let marks = world.nodes.file(NODE, "/tmp/marks").unwrap_or_default();
    assert_eq!(String::from_utf8(marks).unwrap().lines().count(), 2 * rounds);
    say(&format!(
        "{rounds} kills before the answer to a yes and {rounds} behind it: {} runs, {lost} times the yes was lost and given again",
        2 * rounds
    ));
}
