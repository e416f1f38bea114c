//! Bots on one chat server: how long a line waits for its answer, how many lines a second, what a message costs, and what it takes to be there.
//!
//! The server is the sandbox, in this process; each bot is a process of its own. **All bots get the same lines from the same server**; the
//! line is one that each answers with one post. They run side by side and **take turns**, a few lines each: a machine that others use as well is
//! slow for seconds at a time, which must not be the misfortune of one of them. Ours keeps a durable note of the line and of its answer besides
//! (two facts, one sync); the others keep nothing.

use crate::report::{Bound, Report, figure, median, quantile, range};
use crate::{Setting, peers, process, scratch, tls};
use halcyon::sandbox::mattermost::{Happening, Options, Server};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

const LINE: &str = "!whoami";
/// A line that starts an execution, which has a card of its own.
const EXECUTION: &str = "!nothing";
const PATIENCE: Duration = Duration::from_secs(30);
/// Channels over which open lines are spread where they are spread.
const CHANNELS: usize = 8;
const OPEN: usize = 64;
/// So many lines are said to one bot before it is the turn of the next.
const A_TURN: usize = 25;
/// How often each bot gets its part of the load.
const ROUNDS: usize = 4;

/// A bot at work on a server.
struct Guest {
    child: Child,
    server: Server,
    happenings: Receiver<Happening>,
    bot: String,
    channels: Vec<String>,
    /// From the start of the process to its first answer.
    first: Duration,
    _place: tempfile::TempDir,
    _memory: Option<tempfile::TempDir>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Halcyon as it is, without what the first half of the budget leaves out, and with what the second half asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ours {
    AsShipped,
    /// The store in memory: nothing waits for the disk.
    Unwritten,
    OverTls,
}

fn ours(how: Ours, place: &Path, store: &Path, url: &str, server: &Server, channels: &[String]) -> Command {
    let pack = place.join("pack");
    fs::create_dir_all(pack.join("aliases")).expect("a directory can be made");
    let write = |name: &str, text: &str| fs::write(pack.join(name), text).expect("a file can be written");
    write("pack.yaml", "ref: bench\nname: bench\nversion: 1.0.0\n");
    write("aliases/nothing.yaml", "name: nothing\naction_ref: core.noop\nformats: [nothing]\n");
    let names: Vec<String> = channels.iter().map(|name| format!("{name:?}")).collect();
    let config = format!(
        "[mattermost]\nurl = {url:?}\n{authority}team = \"ops\"\nchannels = [{names}]\ncalls_per_second = 100000\ncalls_at_once = 100000\n\
         [store]\npath = {store:?}\n[content]\npacks = [{pack:?}]\n\
         [limits]\nexecutions = 1000000\nexecutions_per_user = 1000000\nlines_per_user = 1000000\nlines_per_channel = 1000000\n\
         [log]\nlevel = \"warn\"\n\
         [[access.roles]]\nname = \"operator\"\nusers = [\"operator\"]\ngrants = [\"admin:*\"]\n",
        authority = match how {
            Ours::OverTls => format!("ca_file = {:?}\n", tls::authority()),
            Ours::AsShipped | Ours::Unwritten => String::new(),
        },
        names = names.join(", "),
    );
    let file = place.join("config.toml");
    fs::write(&file, config).expect("a file can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_halcyon"));
    command.args(["serve", "--config"]).arg(file).env("HALCYON_MATTERMOST_TOKEN", server.bot_token());
    command
}

const OURS: &str = "Halcyon";
const UNWRITTEN: &str = "Halcyon, its store in memory";
const OVER_TLS: &str = "Halcyon over TLS";
/// Where files are in memory.
const IN_MEMORY: &str = "/dev/shm";

impl Guest {
    /// Starts the bot and has it answer one line; nothing when it is not installed.
    async fn start(setting: &Setting, name: &str) -> Option<Self> {
        let place = scratch();
        let server = Server::start(Options::default()).await.expect("the sandbox can listen");
        let team = server.add_team("ops");
        let channels: Vec<String> = (0..CHANNELS).map(|number| format!("bench{number}")).collect();
        for channel in &channels {
            let id = server.add_channel(&team, channel);
            for user in ["operator", "halcyon"] {
                server.join(user, &id).expect("the sandbox has this user");
            }
        }
        let mut memory = None;
        let mut command = match name {
            OURS => ours(Ours::AsShipped, place.path(), &place.path().join("store"), &server.url(), &server, &channels),
            UNWRITTEN => {
                let store = memory.insert(tempfile::TempDir::new_in(IN_MEMORY).ok()?).path().join("store");
                ours(Ours::Unwritten, place.path(), &store, &server.url(), &server, &channels)
            }
            OVER_TLS => {
                let plain = server.url().trim_start_matches("http://").parse().expect("the sandbox has an address");
                let url = format!("https://{}", tls::relay(plain).await);
                ours(Ours::OverTls, place.path(), &place.path().join("store"), &url, &server, &channels)
            }
            "floor" => {
                let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
                command.args(["--floor", server.url().trim_start_matches("http://"), &server.bot_token()]);
                command
            }
            peer => peers::bot(setting, peer, &server.url(), &server.bot_token())?,
        };
        let log = fs::File::create(place.path().join("log")).expect("a file can be made");
        let copy = log.try_clone().expect("a file can be opened twice");
        let mut happenings = server.subscribe();
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(log).stderr(copy).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let bot = server.user_id("halcyon").expect("the sandbox has a bot");
        let connected = Server::wait_for_happening(
            &mut happenings,
            |happening| matches!(happening, Happening::Connected { user_id, .. } if *user_id == bot),
            PATIENCE,
        );
        let connected = connected.await.is_some();
        let mut guest =
            Self { child, server, happenings, bot, channels, first: Duration::ZERO, _place: place, _memory: memory };
        if !connected || !guest.wake().await {
            let log = fs::read_to_string(guest._place.path().join("log")).unwrap_or_default();
            panic!("{name} does not answer (connected: {connected}):\n{log}");
        }
        guest.first = began.elapsed();
        // Lines that were said again while it was not ready may be answered still.
        tokio::time::sleep(Duration::from_millis(500)).await;
        guest.happenings = guest.server.subscribe();
        Some(guest)
    }

    /// Says the line until it is answered: some bots connect before they know what to answer.
    async fn wake(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.say(LINE, 0);
            if timeout(Duration::from_millis(50), self.answer()).await.is_ok_and(|answer| answer.is_some()) {
                return true;
            }
        }
        false
    }

    fn say(&self, line: &str, channel: usize) {
        let said = self.server.post_as("operator", &self.channels[channel % CHANNELS], line, None);
        said.expect("a member may post");
    }

    /// The next post of the bot's.
    async fn answer(&mut self) -> Option<()> {
        let next = async {
            loop {
                match self.happenings.recv().await {
                    Ok(Happening::Posted(post)) if post.user_id == self.bot => return Some(()),
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => panic!("the bench has not kept up with its own server"),
                    Err(RecvError::Closed) => return None,
                }
            }
        };
        timeout(PATIENCE, next).await.ok().flatten()
    }

    /// Says a line and waits for its answer.
    async fn ask(&mut self, line: &str, channel: usize) -> Option<Duration> {
        let began = Instant::now();
        self.say(line, channel);
        self.answer().await?;
        Some(began.elapsed())
    }

    /// Milliseconds that lines wait, one at a time.
    async fn latencies(&mut self, line: &str, count: usize) -> Vec<f64> {
        let mut times = Vec::with_capacity(count);
        for number in 0..count {
            let took = self.ask(line, number).await.expect("every line is answered");
            times.push(took.as_secs_f64() * 1e3);
            // Whatever the bot does after its answer is not part of the next line's wait.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times
    }

    /// Answers a second with many lines open, and milliseconds of CPU a message: the bot's and the server's.
    async fn load(&mut self, line: &str, count: usize, channels: usize) -> Load {
        let pid = self.child.id();
        let (bot, server) = (process::of(pid), process::own_and_children());
        let began = Instant::now();
        for number in 0..OPEN {
            self.say(line, number % channels);
        }
        for number in 0..count {
            self.answer().await.expect("every line is answered");
            if number + OPEN < count {
                self.say(line, number % channels);
            }
        }
        let rate = count as f64 / began.elapsed().as_secs_f64();
        let milliseconds = |seconds: f64| seconds * 1e3 / count as f64;
        let load = Load {
            rate,
            bot: milliseconds(process::of(pid) - bot),
            server: milliseconds(process::own_and_children() - server),
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        load
    }
}

struct Load {
    rate: f64,
    bot: f64,
    server: f64,
}

/// The figures of one bot over all passes.
#[derive(Default)]
struct Figures {
    p50: Vec<f64>,
    p99: Vec<f64>,
    rate: Vec<f64>,
    one_channel: Vec<f64>,
    bot: Vec<f64>,
    server: Vec<f64>,
    first: Vec<f64>,
    fresh: Vec<f64>,
    loaded: Vec<f64>,
    idle: Vec<f64>,
    execution_p50: Vec<f64>,
    execution_rate: Vec<f64>,
    execution_bot: Vec<f64>,
}

pub(crate) async fn run(setting: &Setting, report: &mut Report) {
    println!("\nchat");
    let (passes, lines, count) = if setting.quick { (1, 200, 1_000) } else { (3, 600, 4_000) };
    let rest = if setting.quick { 3 } else { 6 };
    let names: Vec<&str> = [OURS, UNWRITTEN, OVER_TLS, "floor"].into_iter().chain(peers::BOTS).collect();
    let mut all: BTreeMap<&str, Figures> = BTreeMap::new();
    for _ in 0..passes {
        let mut guests = Vec::new();
        for &name in &names {
            let Some(guest) = Guest::start(setting, name).await else { continue };
            let figures = all.entry(name).or_default();
            figures.first.push(guest.first.as_secs_f64() * 1e3);
            let pid = guest.child.id();
            tokio::time::sleep(Duration::from_secs(2)).await;
            figures.fresh.push(process::resident(pid));
            let before = process::threads_of(pid);
            tokio::time::sleep(Duration::from_secs(rest)).await;
            figures.idle.push((process::threads_of(pid) - before) / rest as f64 * 100.0);
            guests.push((name, guest));
        }
        for (_, guest) in &mut guests {
            guest.latencies(LINE, 100).await;
        }
        let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for _ in 0..lines / A_TURN {
            for (name, guest) in &mut guests {
                times.entry(*name).or_default().extend(guest.latencies(LINE, A_TURN).await);
            }
        }
        for (name, times) in times {
            let figures = all.entry(name).or_default();
            figures.p50.push(quantile(&times, 0.5));
            figures.p99.push(quantile(&times, 0.99));
        }
        let busy = |name: &str| !matches!(name, UNWRITTEN | OVER_TLS);
        for round in 0..=ROUNDS {
            for (name, guest) in guests.iter_mut().filter(|(name, _)| busy(name)) {
                let load = guest.load(LINE, count / ROUNDS, CHANNELS).await;
                // The first round is to warm up.
                if round > 0 {
                    let figures = all.entry(*name).or_default();
                    figures.rate.push(load.rate);
                    figures.bot.push(load.bot);
                    figures.server.push(load.server);
                }
            }
        }
        for (name, guest) in guests.iter_mut().filter(|(name, _)| busy(name)) {
            let figures = all.entry(*name).or_default();
            figures.one_channel.push(guest.load(LINE, count / 2, 1).await.rate);
            if *name == OURS {
                figures.execution_p50.push(quantile(&guest.latencies(EXECUTION, lines / 2).await, 0.5));
                let load = guest.load(EXECUTION, count / 2, CHANNELS).await;
                figures.execution_rate.push(load.rate);
                figures.execution_bot.push(load.bot);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            figures.loaded.push(process::resident(guest.child.id()));
        }
    }
    tell(&all, report);
}

fn tell(all: &BTreeMap<&str, Figures>, report: &mut Report) {
    let Some(ours) = all.get(OURS) else { return };
    let hubot = all.get("Hubot 14");
    type Pick = fn(&Figures) -> &Vec<f64>;
    type Row<'a> = (&'static str, &'a str, &'a str, Pick, Option<Bound>, Option<Bound>);
    let rows: [Row<'_>; 7] = [
        // The budget beside bots that keep nothing is for a line that waits for no disk; written, it has a budget of its own.
        ("9", "line to answer, written, p50", "ms", |f| &f.p50, None, None),
        ("9", "line to answer, written, p99", "ms", |f| &f.p99, None, None),
        ("9", "answers, 64 lines open in 8 channels", "/s", |f| &f.rate, Some(Bound::AtLeast(1.6)), None),
        ("9", "answers, 64 lines open in 1 channel", "/s", |f| &f.one_channel, None, None),
        ("9", "CPU a message", "ms", |f| &f.bot, None, None),
        ("10", "idle memory", "MB", |f| &f.fresh, None, None),
        ("10", "start to first answer", "ms", |f| &f.first, Some(Bound::AtMost(0.4)), None),
    ];
    for (budget, what, unit, pick, beside_hubot, beside_mmpy) in rows {
        for (name, bound) in [("Hubot 14", beside_hubot), ("mmpy_bot", beside_mmpy)] {
            if let Some(peer) = all.get(name) {
                report.beside(budget, what, median(pick(ours)), unit, (name, median(pick(peer))), bound);
            }
        }
    }
    if let Some(unwritten) = all.get(UNWRITTEN) {
        let (what, took) = ("line to answer, store in memory, p50", median(&unwritten.p50));
        for (name, bound) in [("Hubot 14", 0.6), ("mmpy_bot", 0.25)] {
            if let Some(peer) = all.get(name) {
                report.beside("9", what, took, "ms", (name, median(&peer.p50)), Some(Bound::AtMost(bound)));
            }
        }
        report.value("9", what, took, "ms", Some(Bound::AtMost(0.35)));
    }
    if let Some(over_tls) = all.get(OVER_TLS) {
        let bound = Some(Bound::AtMost(0.8));
        report.value("9", "line to answer, over TLS and written, p50", median(&over_tls.p50), "ms", bound);
    }
    report.value("9", "CPU a message", median(&ours.bot), "ms", Some(Bound::AtMost(0.1)));
    report.value("10", "idle memory, resident", median(&ours.fresh), "MB", Some(Bound::AtMost(15.0)));
    report.value("10", "memory after the load, resident", median(&ours.loaded), "MB", None);
    report.value("10", "idle CPU", median(&ours.idle), "%", Some(Bound::AtMost(0.1)));
    report.value("-", "line to the card of an execution, p50", median(&ours.execution_p50), "ms", None);
    report.value("-", "executions, 64 lines open in 8 channels", median(&ours.execution_rate), "/s", None);
    report.value("-", "CPU an execution", median(&ours.execution_bot), "ms", None);
    if let Some(floor) = all.get("floor") {
        report.remark(format!(
            "the server's own limit: a bot without TLS, JSON and store gets p50 {} ms and {}/s; the server takes {} ms CPU a message for \
             it and {} ms for ours",
            figure(median(&floor.p50)),
            figure(median(&floor.rate)),
            figure(median(&floor.server)),
            figure(median(&ours.server)),
        ));
    }
    let mut spread = format!("p50 {}, {}/s ours", range(&ours.p50), range(&ours.rate));
    if let Some(unwritten) = all.get(UNWRITTEN) {
        spread.push_str(&format!(", p50 {} its store in memory", range(&unwritten.p50)));
    }
    if let Some(hubot) = hubot {
        spread.push_str(&format!("; p50 {}, {}/s Hubot", range(&hubot.p50), range(&hubot.rate)));
    }
    if let Some(mmpy) = all.get("mmpy_bot") {
        spread.push_str(&format!("; p50 {} mmpy_bot", range(&mmpy.p50)));
    }
    report.remark(format!("chat, least..most of {} passes: {spread}", ours.p50.len()));
}
