//! Roll-outs of a kernel upgrade under `kill -9`: 24 nodes, some at a time, and the bot dies again and again while it is under way.
//!
//! What became of each node is read from the nodes and from the batch system, never from the bot's own log: upgraded once and in service, or out of
//! service and named in chat. None is rebooted twice, none is forgotten, nothing is left running, and every post is there once. People answer what they
//! are asked, and look at the node before they do. `HALCYON_FIRE_UPGRADES` asks for another number of kills.

use super::bot::{Bot, Site};
use super::draw::Draw;
use super::load::key;
use super::{Aim, aimed, say};
use halcyon::core::action::execution::{Execution, Status};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::ExecutionId;
use halcyon::core::memory::Memory;
use halcyon::sandbox::mattermost::{Options, Post, Server};
use halcyon::sandbox::nodes::{self, BatchOptions, Fault, MonitoringOptions, Nodes};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

const NODES: usize = 24;
/// The machines on which the batch system and the monitoring are asked.
const BATCH: &str = "slurm01";
const MONITORING: &str = "mon01";
/// How fast the time of the cluster goes.
const PACE: f64 = 0.1;
/// How long a job takes, and how often the monitoring looks at a node, in seconds of that time.
const JOBS: (u32, u32) = (5, 25);
const CHECKS: f64 = 10.0;
const CHANNEL: &str = "cluster";
/// How long a roll-out may take after the last kill; only ever waited for in full by a test that fails.
const PATIENCE: Duration = Duration::from_secs(120);
/// For how long a node that does not come back from its reboot is away.
const AWAY: Duration = Duration::from_secs(12);
/// How many kills one roll-out sees at most.
const KILLS: usize = 20;
/// How many roll-outs burn at the same time.
const WORLDS: usize = 2;
/// How much memory the bot may have used, in MiB.
const MOST_MEMORY: u64 = 600;

/// What was seen, of all roll-outs together.
#[derive(Debug, Default)]
struct Figures {
    roll_outs: usize,
    kills: usize,
    upgraded: usize,
    offline: usize,
    /// How often the installation was begun again.
    installed_again: usize,
    /// What was said of nodes that are not upgraded.
    troubles: BTreeMap<String, usize>,
    /// What people were asked about.
    asked: BTreeMap<String, usize>,
    /// The most memory that a process of the bot used, in MiB.
    memory: u64,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, more: Self) {
        self.roll_outs += more.roll_outs;
        self.kills += more.kills;
        self.upgraded += more.upgraded;
        self.offline += more.offline;
        self.installed_again += more.installed_again;
        for (all, more) in [(&mut self.asked, more.asked), (&mut self.troubles, more.troubles)] {
            for (what, times) in more {
                *all.entry(what).or_default() += times;
            }
        }
        self.memory = self.memory.max(more.memory);
    }
}

struct World {
    chat: Server,
    nodes: Arc<Nodes>,
    bot: Bot,
    me: String,
    draw: Draw,
    /// When each question and each request was answered last.
    answered: BTreeMap<String, Instant>,
    /// The kernels that ran at first.
    before: BTreeMap<String, Vec<u8>>,
    figures: Figures,
    directory: tempfile::TempDir,
}

fn names() -> impl Iterator<Item = String> {
    (1..=NODES).map(|number| format!("wn{number:03}"))
}

impl World {
    async fn start(seed: u64) -> Self {
        let directory = tempfile::Builder::new().prefix("halu").tempdir().unwrap();
        let options = nodes::Options {
            user: "root".into(),
            pace: PACE,
            seed,
            batch: Some(BatchOptions { job_seconds: JOBS, ..BatchOptions::new(BATCH) }),
            monitoring: Some(MonitoringOptions { check_every: CHECKS, ..MonitoringOptions::new(MONITORING) }),
            ..nodes::Options::new(names(), directory.path().join("nodes"))
        };
        let nodes = Arc::new(Nodes::start(options).await.unwrap());
        let chat = Server::start(Options::default()).await.unwrap();
        if chat.channel_id(CHANNEL).is_err() {
            let team = chat.add_team("ops");
            chat.add_channel(&team, CHANNEL);
        }
        for user in ["operator", "lead", "halcyon"] {
            chat.join(user, CHANNEL).unwrap();
        }
        let configs = directory.path().join("configs");
        std::fs::create_dir(&configs).unwrap();
        let config = format!("batch_server: {BATCH}\nmonitoring_server: {MONITORING}\nmail_to: lead@example.org\n");
        std::fs::write(configs.join("site.yaml"), config).unwrap();
        let packs = [PathBuf::from(env!("CARGO_MANIFEST_DIR")), configs];
        let site = Site {
            chat: chat.url(),
            token: chat.bot_token(),
            ssh_config: nodes.ssh_config(),
            channels: &[CHANNEL],
            operators: &["operator".to_owned()],
            hosts: format!("wn[001-{NODES:03}],{BATCH},{MONITORING}"),
            chat_keys: "calls_per_second = 500\ncalls_at_once = 500",
            store_keys: "",
            more: "[limits]\nlines_per_user = 100000\nlines_per_channel = 100000\n\
                   [[access.roles]]\nname = \"lead\"\nusers = [\"lead\"]\ngrants = [\"approve:*\"]",
            packs: &packs,
        };
        let bot = Bot::new(env!("CARGO_BIN_EXE_halcyon"), directory.path(), &site);
        let me = chat.user_id("halcyon").unwrap();
        let before = names().map(|node| (node.clone(), kernel(&nodes, &node))).collect();
        let (draw, answered, figures) = (Draw::new(seed), BTreeMap::new(), Figures::default());
        Self { chat, nodes, bot, me, draw, answered, before, figures, directory }
    }

    fn posts(&self) -> Vec<Post> {
        self.chat.posts(CHANNEL).into_iter().filter(|post| post.user_id == self.me).collect()
    }

    /// The post of the roll-out.
    fn card(&self) -> Option<Post> {
        let card = |post: &Post| {
            key(post).is_some_and(|key| key.ends_with("-card")) && post.message.contains("upgrade kernel on")
        };
        self.posts().into_iter().find(card)
    }

    fn has_ended(&self) -> bool {
        self.card().is_some_and(|card| card.message.contains("verdict:"))
    }

    /// The facts that are on disk, as far as they can be read while they are written.
    fn facts(&self) -> Option<Vec<Dated>> {
        let lines: Result<Vec<String>, _> = halcyon::app::export(&self.bot.config).collect();
        lines.ok()?.iter().map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn memory(&self) -> Option<Memory> {
        let mut memory = Memory::default();
        self.facts()?.iter().for_each(|dated| memory.apply(dated).unwrap());
        Some(memory)
    }

    /// Whether it is time to say something about this, perhaps once more: who said it may not have been heard.
    fn is_time(&mut self, about: &str) -> bool {
        let now = Instant::now();
        let long_ago = self.answered.get(about).is_none_or(|last| now.duration_since(*last) > Duration::from_secs(4));
        if long_ago {
            self.answered.insert(about.to_owned(), now);
        }
        long_ago
    }

    fn write(&self, user: &str, line: &str) {
        self.chat.post_as(user, CHANNEL, line, None).unwrap();
    }

    /// People answer what stands in chat.
    fn people(&mut self) {
        let code = |post: &Post| {
            let rest = post.message.starts_with(":lock:").then(|| post.message.split("approve ").nth(1))??;
            rest.split(['`', ' ']).next().map(str::to_owned)
        };
        let (posts, asks) = (self.posts(), |post: &Post| Some(key(post)?.strip_suffix("-told")?.to_owned()));
        for code in posts.iter().filter_map(code).collect::<BTreeSet<String>>() {
            if self.is_time(&code) {
                self.write("lead", &format!("!approve {code}"));
            }
        }
        let asked: Vec<String> = posts.iter().filter_map(asks).filter(|id| self.is_time(id)).collect();
        if asked.is_empty() {
            return;
        }
        let Some(facts) = self.facts() else { return };
        for id in asked {
            let Some(execution) = execution(&facts, &ExecutionId::new(id.as_str())) else { continue };
            // The end of the roll-out is told in the same way.
            if execution.status != Status::Unknown || execution.judged.is_some() {
                continue;
            }
            let action = execution.request.action.name().to_owned();
            let node = ["node", "hosts"].iter().find_map(|name| execution.request.parameters.get(*name)?.as_str());
            let ran = self.has_run(&action, node.unwrap_or_default());
            *self.figures.asked.entry(action).or_default() += 1;
            self.write("operator", &format!("!settle {id} {}", if ran { "ran" } else { "again" }));
        }
    }

    /// What somebody sees who looks whether an action did its work on a node.
    fn has_run(&self, action: &str, node: &str) -> bool {
        match action {
            "begin_reboot" => self.reboots(node) > 0,
            "install_kernel" => self.installations(node) > 0,
            "batch_offline" => self.is_out(node),
            "batch_online" => !self.is_out(node),
            // There is no mail server.
            "email_notify" => true,
            other => panic!("{other} is asked about"),
        }
    }

    fn reboots(&self, node: &str) -> usize {
        self.nodes.ledger(node).iter().filter(|entry| entry.script.lines().last() == Some("reboot")).count()
    }

    fn installations(&self, node: &str) -> usize {
        let installs = |script: &str| script.lines().last().is_some_and(|line| line.starts_with("dnf -y upgrade"));
        self.nodes.ledger(node).iter().filter(|entry| installs(&entry.script)).count()
    }

    fn is_out(&self, node: &str) -> bool {
        let state = self.nodes.batch_state(node).unwrap();
        state.state.starts_with("drain") && state.reason.is_some_and(|why| why.starts_with("halcyon: kernel upgrade"))
    }

    /// One life of the bot, which ends by a kill.
    async fn life(&mut self) {
        self.bot.spawn();
        // Mostly the kill comes when it is there; else it may be while it is still starting.
        let ready = Instant::now() + Duration::from_millis(if self.draw.percent(80) { 10_000 } else { 0 });
        while !self.chat.is_connected("halcyon") && Instant::now() < ready {
            sleep(Duration::from_millis(10)).await;
        }
        let number = self.draw.number(1, 12);
        let aim = match self.draw.number(0, 6) {
            0..2 => Aim::Time(Duration::from_millis(self.draw.number(0, 3000))),
            2 => Aim::Post(1),
            3 => Aim::Edit(number),
            _ => Aim::Command(2 * number),
        };
        let mut happenings = self.chat.subscribe();
        let (started, before, mut seen) = (Instant::now(), self.nodes.started(), 0);
        let longest = started + Duration::from_millis(self.draw.number(1_500, 4_500));
        loop {
            tokio::select! {
                biased;
                () = sleep_until(longest) => break,
                () = sleep(Duration::from_millis(400)) => self.people(),
                () = aimed(aim, started, 0, &mut seen, &mut happenings, &self.me, &self.nodes, before) => break,
            }
        }
        self.measure();
        self.bot.kill().await;
        sleep(Duration::from_millis(self.draw.number(0, 300))).await;
    }

    fn measure(&mut self) {
        let status = self.bot.pid().and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let peak = status.as_deref().unwrap_or_default().lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or_default();
        self.figures.memory = self.figures.memory.max(peak / 1024);
    }

    /// Some nodes do not come back from their reboot, for a while that is too long.
    fn break_some(&mut self) -> JoinSet<()> {
        let mut broken = JoinSet::new();
        let all: Vec<String> = names().collect();
        for _ in 0..self.draw.number(0, 4) {
            let node = self.draw.one(&all).cloned().unwrap_or_default();
            let nodes = Arc::clone(&self.nodes);
            broken.spawn(async move {
                nodes.fault(&node, Fault::StaysDown).await;
                while !nodes.ledger(&node).iter().any(|entry| entry.script.lines().last() == Some("reboot")) {
                    sleep(Duration::from_millis(50)).await;
                }
                sleep(AWAY).await;
                nodes.heal(&node).await;
            });
        }
        broken
    }

    /// A whole roll-out with so many kills, as long as it is under way.
    async fn roll_out(&mut self, kills: usize, at_a_time: usize) {
        self.bot.spawn();
        self.chat.wait_for(CHANNEL, |post| post.message.contains("I am here"), PATIENCE).await.unwrap();
        let line = format!(
            "!upgrade kernel on wn[001-{NODES:03}] poll=1 back_within=4 healthy_within=20 at_a_time={at_a_time} stop_after={NODES}"
        );
        self.write("operator", &line);
        // What was written while nobody listened would not be begun without another word.
        self.chat.wait_for(CHANNEL, |post| post.message.starts_with(":lock:"), PATIENCE).await.unwrap();
        let _broken = self.break_some();
        self.bot.kill().await;
        self.figures.kills += 1;
        while self.figures.kills < kills && !self.has_ended() {
            self.life().await;
            self.figures.kills += 1;
        }
        self.bot.spawn();
        let end = Instant::now() + PATIENCE;
        while !self.has_ended() {
            if Instant::now() > end {
                let (posts, log) = (self.posts(), self.bot.last_words());
                let posts: Vec<String> =
                    posts.into_iter().map(|post| format!("{:?} {}", key(&post), post.message)).collect();
                panic!("it does not end: {posts:#?}\n{log}");
            }
            assert!(!self.bot.has_ended(), "the bot has ended by itself");
            self.people();
            sleep(Duration::from_millis(300)).await;
        }
        // All that was promised is said.
        while !self.memory().is_some_and(|memory| memory.unsent.is_empty() && memory.executions.is_empty()) {
            assert!(Instant::now() < end, "something is not said, or goes on");
            sleep(Duration::from_millis(300)).await;
        }
        self.measure();
        let orderly = self.bot.terminate(Duration::from_secs(40)).await;
        assert!(orderly.is_some(), "SIGTERM did not end it");
        self.figures.roll_outs = 1;
    }

    /// What is wrong, by what the nodes and the batch system say.
    fn judge(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let card = self.card().map(|card| card.message).unwrap_or_default();
        let troubles = card.rsplit("troubles:").next().unwrap_or_default();
        for node in names() {
            let (reboots, out, runs) = (self.reboots(&node), self.is_out(&node), kernel(&self.nodes, &node));
            let told = troubles.lines().find_map(|line| line.trim().strip_prefix(&format!("{node}: ")));
            let trouble = told.map(|rest| rest.split(" (").next().unwrap_or_default());
            let (new, named) = (runs != self.before[&node], trouble.is_some());
            if let Some(trouble) = trouble {
                *self.figures.troubles.entry(trouble.to_owned()).or_default() += 1;
            }
            self.figures.installed_again += self.installations(&node).saturating_sub(1);
            match (reboots, new, out, named) {
                (1, true, false, false) => self.figures.upgraded += 1,
                (0 | 1, _, true, true) => self.figures.offline += 1,
                _ => wrong.push(format!(
                    "{node}: {reboots} reboots, a new kernel: {new}, out: {out}, named in chat: {named}"
                )),
            }
        }
        let running: Vec<String> = self.nodes.names().map(str::to_owned).collect();
        for node in running {
            if self.nodes.ledger(&node).iter().any(|entry| entry.ended.is_none()) {
                wrong.push(format!("something still runs on {node}"));
            }
        }
        let mut keys = BTreeSet::new();
        for post in self.posts() {
            match key(&post) {
                Some(key) if keys.insert(key.to_owned()) => {}
                other => wrong.push(format!("posted twice, or by nobody: {other:?}: {}", post.message)),
            }
        }
        let posts = self.posts();
        let results = posts.iter().filter(|post| post.message.contains("verdict:")).count();
        if results != 1 {
            wrong.push(format!("the result stands there {results} times"));
        }
        let memory = self.memory().unwrap();
        for execution in memory.executions.values().chain(memory.untold.values()) {
            wrong.push(format!("{} is left {}", execution.request.action, execution.status.word()));
        }
        wrong.extend(memory.unsent.iter().map(|delivery| format!("{} was never said", delivery.id)));
        wrong.extend(memory.questions.keys().map(|id| format!("the question about {id} is open")));
        if self.figures.memory > MOST_MEMORY {
            wrong.push(format!("it used {} MiB of memory", self.figures.memory));
        }
        wrong
    }
}

/// What a node says of the kernel that runs.
fn kernel(nodes: &Nodes, node: &str) -> Vec<u8> {
    nodes.file(node, "/proc/version").unwrap()
}

/// An execution as its facts have it.
fn execution(facts: &[Dated], id: &ExecutionId) -> Option<Execution> {
    let mut known: Option<Execution> = None;
    for dated in facts.iter().filter(|dated| dated.fact.execution() == Some(id)) {
        match (&mut known, &dated.fact) {
            (Some(known), fact) => known.apply(dated.at, fact).unwrap(),
            (None, Fact::ExecutionStarted(request)) => known = Some(Execution::start(dated.at, (**request).clone())),
            (None, Fact::ExecutionWaits(waits)) => known = Some(Execution::wait(dated.at, waits)),
            (None, _) => {}
        }
    }
    known
}

/// One roll-out with so many kills.
async fn burn(seed: u64, kills: usize, at_a_time: usize) -> Figures {
    let mut world = World::start(seed).await;
    world.roll_out(kills, at_a_time).await;
    let wrong = world.judge();
    if !wrong.is_empty() {
        let (log, card) = (world.bot.last_words(), world.card());
        // Kept to be looked at.
        let place = world.directory.keep();
        panic!(
            "seed {seed}, {kills} kills, everything is in {}:\n{wrong:#?}\n{:?}\n{}\nthe bot's last words:\n{log}",
            place.display(),
            world.figures,
            card.map(|card| card.message).unwrap_or_default()
        );
    }
    world.figures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roll_outs_under_kills_upgrade_each_node_once_or_tell_of_it() {
    let began = Instant::now();
    let asked = std::env::var("HALCYON_FIRE_UPGRADES").ok().and_then(|kills| kills.parse::<usize>().ok());
    let seed = std::env::var("HALCYON_FIRE_SEED").ok().map_or(1, |given| given.parse().unwrap());
    let mut figures = Figures::default();
    let Some(kills) = asked else {
        figures += burn(seed, 5, 24).await;
        say(&format!("{figures:?} in {} s", began.elapsed().as_secs()));
        return;
    };
    let (mut burning, mut next) = (JoinSet::new(), seed);
    while figures.kills < kills || figures.roll_outs < kills.div_ceil(KILLS) || !burning.is_empty() {
        let under_way = figures.kills + burning.len() * KILLS;
        let more = under_way < kills || figures.roll_outs + burning.len() < kills.div_ceil(KILLS);
        if more && burning.len() < WORLDS {
            burning.spawn(burn(next, KILLS, 3));
            next += 1;
        } else if let Some(ended) = burning.join_next().await {
            figures += ended.unwrap_or_else(|problem| std::panic::resume_unwind(problem.into_panic()));
            say(&format!("{figures:?} after {} s", began.elapsed().as_secs()));
        }
    }
    say(&format!("{figures:?} in {} s", began.elapsed().as_secs()));
}
