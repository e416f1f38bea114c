//! The demo: a chat server and a cluster in this process, the real bot between them through its real adapters, and a short tour.

use super::engine::Engine;
use super::in_runtime;
use crate::config::{Config, Environment};
use crate::sandbox::mattermost::{self, Happening, Post, Server};
use crate::sandbox::nodes::{self, Fault, Nodes};
use anyhow::{Context, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// What `demo` was asked for.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Stop after the tour.
    pub once: bool,
    /// How many nodes.
    pub nodes: u16,
    /// The port of the chat page; any that is free when absent.
    pub page_port: Option<u16>,
    /// Close the nodes' SSH ports.
    pub nodes_down: bool,
    /// Close the SSH ports of these nodes after the tour.
    pub dead: Vec<String>,
}

/// How long a line of the tour may take to be answered.
const PATIENCE: Duration = Duration::from_secs(25);
const CHANNEL: &str = "cluster";

/// Runs the demo. The answer is whether the tour went as it should.
///
/// # Errors
/// When it cannot start.
pub fn demo(options: DemoOptions, out: &mut dyn Write) -> anyhow::Result<bool> {
    in_runtime(async move {
        let directory =
            tempfile::Builder::new().prefix("halcyon-demo-").tempdir().context("cannot make a directory")?;
        let stage = Stage::set(&options, directory.path()).await?;
        let stage_url = stage.chat.page_url();
        writeln!(
            out,
            "A chat server and {} nodes run in this process, and the real bot between them.\n",
            options.nodes
        )?;
        writeln!(out, "    {stage_url}\n")?;
        writeln!(out, "That page is the channel: write there as operator, lead or guest.\n")?;
        let well = stage.tour(&options, out).await?;
        for name in &options.dead {
            if !stage.nodes.fault(name, Fault::RefuseConnections).await {
                bail!("there is no node {name}");
            }
        }
        if options.once {
            stage.clear().await?;
            return Ok(well);
        }
        writeln!(out, "The tour is over; the cluster is yours: {stage_url}")?;
        writeln!(out, "Ctrl-C ends it.")?;
        out.flush()?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stage.clear().await?;
        Ok(well)
    })
}

/// One line of the tour and what must come of it.
struct Scene {
    what: &'static str,
    who: &'static str,
    line: String,
    /// The answer must contain this.
    expect: String,
    /// Show the post's first lines as it changes.
    live: bool,
    /// Who presses *Approve* on the card; nobody where none is expected.
    approver: Option<&'static str>,
}

/// Everything that the tour plays on.
struct Stage {
    chat: Server,
    nodes: Nodes,
    engine: Engine,
}

impl Stage {
    async fn set(options: &DemoOptions, directory: &Path) -> anyhow::Result<Self> {
        let names: Vec<String> = (1..=options.nodes).map(|number| format!("wn{number:03}")).collect();
        // An update of packages takes half its time, or the tour would be long.
        let cluster = nodes::Options {
            user: "root".to_owned(),
            pace: 0.5,
            ..nodes::Options::new(names, directory.join("nodes"))
        };
        let nodes = Nodes::start(cluster).await?;
        if options.nodes_down {
            nodes.close_all().await;
        }
        let port = options.page_port.unwrap_or(0);
        let chat = Server::start(mattermost::Options { port, ..mattermost::Options::default() })
            .await
            .with_context(|| format!("the chat page cannot have port {port}"))?;
        let config = config(&chat, &nodes, options.nodes, directory)?;
        let engine = Engine::start(&config).await?;
        Ok(Self { chat, nodes, engine })
    }

    async fn clear(self) -> anyhow::Result<()> {
        self.engine.stop().await?;
        self.nodes.close_all().await;
        self.chat.stop();
        Ok(())
    }

    async fn tour(&self, options: &DemoOptions, out: &mut dyn Write) -> anyhow::Result<bool> {
        let greeted = |post: &Post| post.message.contains("I am here");
        if self.chat.wait_for(CHANNEL, greeted, PATIENCE).await.is_err() {
            bail!("the bot did not come into the channel within {} s", PATIENCE.as_secs());
        }
        let last = options.nodes;
        let all = format!("wn[001-{last:03}]");
        let some = last.min(6);
        let mut scenes = vec![
            Scene {
                what: "Every node answers at once, and one post holds it all.",
                who: "operator",
                line: format!("@halcyon uptime on {all}"),
                expect: format!("done on all {last} hosts"),
                live: false,
                approver: None,
            },
            Scene {
                what: "A long command: one post, edited as it goes.",
                who: "operator",
                line: format!("!update packages on wn[001-{some:03}]"),
                expect: format!("done on all {some} hosts"),
                live: true,
                approver: None,
            },
            Scene {
                what: "A typo is not run; what was probably meant is offered.",
                who: "operator",
                line: "!uptme on wn001".to_owned(),
                expect: "Did you mean".to_owned(),
                live: false,
                approver: None,
            },
            Scene {
                what: "A number picks it.",
                who: "operator",
                line: "1".to_owned(),
                expect: "done on wn001".to_owned(),
                live: false,
                approver: None,
            },
            Scene {
                what: "wn002 has closed its port: it delays nobody.",
                who: "operator",
                line: format!("!kernel on {all}"),
                expect: format!("failed on 1 of {last} hosts (wn002)"),
                live: false,
                approver: None,
            },
            Scene {
                what: "A reboot is not one person's word: the lead presses Approve on the card.",
                who: "operator",
                line: format!("!reboot wn{some:03}"),
                expect: "rebooted".to_owned(),
                live: false,
                approver: Some("lead"),
            },
            Scene {
                what: "Somebody without a role.",
                who: "guest",
                line: "@halcyon reboot wn001".to_owned(),
                expect: "no role".to_owned(),
                live: false,
                approver: None,
            },
        ];
        if options.nodes < 2 {
            scenes.retain(|scene| !scene.line.contains("kernel"));
        }
        let mut well = true;
        for scene in scenes {
            if scene.line.contains("kernel on") {
                self.nodes.fault("wn002", Fault::RefuseConnections).await;
            }
            well &= self.play(&scene, out).await?;
        }
        if !options.nodes_down {
            self.nodes.heal("wn002").await;
        }
        Ok(well)
    }

    /// Presses *Approve* on a card. Until the bot has noted that its post stands, it asks for patience.
    async fn press(&self, who: &str, post: &str) -> anyhow::Result<()> {
        let mut happenings = self.chat.subscribe();
        for _ in 0..50 {
            let pressed = self.chat.click(who, post, "approve").await;
            pressed.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
            let told = |happening: &Happening| matches!(happening, Happening::Whispered { .. });
            match Server::wait_for_happening(&mut happenings, told, PATIENCE).await {
                Some(Happening::Whispered { post, .. }) if post.message.contains("press again") => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                _ => return Ok(()),
            }
        }
        bail!("the bot does not know the post of its card")
    }

    /// Writes the line, shows the answer, and says whether it was the right one.
    async fn play(&self, scene: &Scene, out: &mut dyn Write) -> anyhow::Result<bool> {
        writeln!(out, "{}\n  {:<9} {}", scene.what, scene.who, scene.line)?;
        out.flush()?;
        let asked = self
            .chat
            .post_as(scene.who, CHANNEL, &scene.line, None)
            .map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let asked_at = self.chat.post(&asked).map_or(0, |post| post.create_at);
        let bot = self.chat.user_id("halcyon").map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let (mut shown, mut asked_of) = (String::new(), None);
        let answer = loop {
            let seen = shown.clone();
            let bot = bot.clone();
            let news = move |post: &Post| {
                post.user_id == bot && post.create_at > asked_at && post.root_id.is_empty() && post.message != seen
            };
            let Ok(post) = self.chat.wait_for(CHANNEL, news, PATIENCE).await else { break None };
            if let (true, Some(approver)) = (post.message.starts_with(":lock:"), scene.approver) {
                if asked_of.is_none() {
                    show(out, "halcyon", &readable(&post.message))?;
                    writeln!(out, "  {approver:<9} presses Approve")?;
                    out.flush()?;
                    self.press(approver, &post.id).await?;
                }
                (shown, asked_of) = (post.message.clone(), Some(post.message));
                continue;
            }
            if !under_way(&post.message) {
                break Some(post.message);
            }
            if scene.live {
                for line in readable(&post.message).lines().take(2) {
                    writeln!(out, "  {:<9} {line}", "")?;
                }
                out.flush()?;
            }
            shown = post.message;
        };
        let Some(answer) = answer else {
            writeln!(out, "  {:<9} (no answer within {} s)\n", "halcyon", PATIENCE.as_secs())?;
            return Ok(false);
        };
        let text = readable(&answer);
        show(out, "halcyon", &text)?;
        let mut right = text.contains(&scene.expect);
        if !right {
            writeln!(out, "  {:<9} ^ this should have said: {}", "", scene.expect)?;
        }
        if scene.approver.is_some() {
            let planned = asked_of.as_deref().and_then(fenced).unwrap_or_default();
            let mut ran = self.nodes.names().flat_map(|name| self.nodes.ledger(name));
            let same = !planned.is_empty() && ran.any(|command| is_planned(&command.script, planned));
            let word = if same { "Byte for byte" } else { "Not" };
            writeln!(out, "  {:<9} {word} what stood on the card is what ran on the node.", "")?;
            right &= same;
        }
        writeln!(out)?;
        Ok(right)
    }
}

/// Shows what somebody says.
fn show(out: &mut dyn Write, who: &str, text: &str) -> std::io::Result<()> {
    for (place, line) in text.lines().enumerate() {
        writeln!(out, "  {:<9} {line}", if place == 0 { who } else { "" })?;
    }
    Ok(())
}

/// What stands between the fences of a post.
fn fenced(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("```text\n")?;
    rest.split_once("\n```").map(|(text, _)| text)
}

/// Whether a script that ran is the one that was shown, behind nothing but the names that StackStorm gives to every command.
fn is_planned(script: &str, planned: &str) -> bool {
    let before = script.strip_suffix(planned);
    before.is_some_and(|before| {
        before.lines().all(|line| line.starts_with("export ST2_ACTION_") || line == "cd /tmp || exit 1")
    })
}

fn under_way(message: &str) -> bool {
    [":hourglass_flowing_sand:", ":lock:", ":unlock:"].iter().any(|sign| message.starts_with(sign))
}

/// A post as a terminal shows it: no Markdown, emoji as signs.
fn readable(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for line in message.lines().filter(|line| !line.starts_with("```")) {
        let mut characters = line.chars().filter(|character| !matches!(character, '`' | '*' | '\u{200b}')).peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' => text.extend(characters.next()),
                character => text.push(character),
            }
        }
        text.push('\n');
    }
    const SIGNS: [(&str, &str); 9] = [
        (":lock:", "🔒"),
        (":unlock:", "🔓"),
        (":white_check_mark:", "✔"),
        (":hourglass_flowing_sand:", "…"),
        (":x:", "✘"),
        (":alarm_clock:", "⏰"),
        (":no_entry:", "⛔"),
        (":question:", "?"),
        (":large_green_circle:", "●"),
    ];
    SIGNS.iter().fold(text, |text, (name, sign)| text.replace(name, sign)).replace("\n\n", "\n").trim().to_owned()
}

/// The configuration of a site whose chat server and nodes these are.
fn config(chat: &Server, nodes: &Nodes, count: u16, directory: &Path) -> anyhow::Result<Config> {
    let pack = site_pack()?;
    // Free a moment ago; whoever takes it in between makes the start fail with a word.
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let http = free.context("there is no free port for [http]")?;
    let text = format!(
        r#"
[mattermost]
url = "{url}"
team = "ops"
channels = ["{CHANNEL}"]
admin_channel = "{CHANNEL}"
address = ["mention", "prefix"]
prefix = "!"
mention_after = 4
callback_url = "http://{http}"
[http]
listen = "{http}"
[store]
path = "store"
[content]
packs = [{pack:?}]
[ssh]
config_file = {ssh_config:?}
connect_timeout = 5
[inventory]
hosts = ["wn[001-{count:03}]"]
[inventory.groups]
workers = ["wn[001-{count:03}]"]
[[access.roles]]
name = "operator"
users = ["operator"]
grants = ["view:*", "run:site.*"]
[[access.roles]]
name = "lead"
users = ["lead"]
grants = ["admin:*"]
"#,
        url = chat.url(),
        pack = pack.display().to_string(),
        ssh_config = nodes.ssh_config().display().to_string(),
    );
    let environment = Environment::from([("HALCYON_MATTERMOST_TOKEN".to_owned(), chat.bot_token())]);
    Config::parse(&directory.join("config.toml"), &text, &environment).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the demo's own configuration is not sound:\n{}", lines.join("\n"))
    })
}

/// The pack in the current directory.
fn site_pack() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("there is no current directory")?;
    if !here.join("pack.yaml").is_file() {
        bail!(
            "there is no pack.yaml in {}: run the demo in the root of Halcyon's repository, or in a pack of your own",
            here.display()
        );
    }
    Ok(here)
}
