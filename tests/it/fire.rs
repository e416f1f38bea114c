//! The kill test: the bot is killed again and again while people write, and at the end nothing is lost and nothing is doubled.
//!
//! Chat server and nodes live in this process; the bot is the real program in a process of its own, and `kill -9` is what ends it: at any
//! moment, and aimed at those at which something has just happened. What ran is counted on the nodes, by marks that every command leaves.
//!
//! `HALCYON_FIRE_SEED` repeats a load (the kills fall where they fall), `HALCYON_FIRE_ROUNDS` asks for another number of kills.

mod approvals;
mod bot;
mod draw;
mod judge;
mod load;
mod upgrades;

use bot::{Bot, Site, kill_process};
use draw::Draw;
use halcyon::core::fact::Dated;
use halcyon::sandbox::mattermost::{Happening, Options, Post, PostFailure, Server};
use halcyon::sandbox::nodes::{self, Nodes};
use judge::{Figures, Scene, Verdict, judge};
use load::{Book, CHANNELS, ELSEWHERE, GUEST, HERE, NODES, OPERATORS, cards};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// How long the end may take to come; only ever waited for in full by a test that fails.
const PATIENCE: Duration = Duration::from_secs(90);
/// How many kills one world sees.
const KILLS: usize = 5;
/// How many worlds burn at the same time.
const WORLDS: usize = 2;
/// After so many worlds it is told how it stands.
const TOLD: usize = 20;

/// When the bot is killed.
#[derive(Debug, Clone, Copy)]
enum Aim {
    /// So long after its start, whatever it is doing.
    Time(Duration),
    /// So soon after this many lines.
    Line(u64, Duration),
    /// When it has made this many posts.
    Post(u64),
    /// When it has changed this many posts.
    Edit(u64),
    /// When this many commands have started.
    Command(u64),
}

impl Aim {
    fn draw(draw: &mut Draw) -> Self {
        let number = draw.number(1, 12);
        match draw.number(0, 7) {
            // Also while it is still starting.
            0..2 => Aim::Time(Duration::from_millis(draw.number(0, 2500))),
            2 => Aim::Line(number, Duration::from_millis(draw.number(0, 30))),
            3 => Aim::Line(number, Duration::ZERO),
            4 => Aim::Post(number),
            5 => Aim::Edit(number),
            _ => Aim::Command(number),
        }
    }
}

struct World {
    chat: Server,
    nodes: Nodes,
    bot: Bot,
    me: String,
    book: Book,
    draw: Draw,
    /// `halcyon run …` and the like; what they were asked and how they ended.
    calls: JoinSet<(String, Option<String>, Option<i32>)>,
    /// The file of marks on the bot's own machine.
    here: PathBuf,
    directory: tempfile::TempDir,
}

impl World {
    async fn start(seed: u64) -> Self {
        let directory = tempfile::Builder::new().prefix("half").tempdir().unwrap();
        let names: Vec<String> = (1..=NODES).map(|number| format!("wn{number:03}")).collect();
        let options = nodes::Options {
            user: "root".into(),
            pace: 0.0,
            seed,
            ..nodes::Options::new(names, directory.path().join("nodes"))
        };
        let nodes = Nodes::start(options).await.unwrap();
        let chat = Server::start(Options::default()).await.unwrap();
        let team = chat.add_team("ops");
        for channel in CHANNELS {
            chat.add_channel(&team, channel);
        }
        for user in OPERATORS {
            chat.add_user(user);
        }
        for channel in CHANNELS.iter().chain([&ELSEWHERE]) {
            for user in OPERATORS.iter().chain([&GUEST, &"halcyon"]) {
                chat.join(user, channel).unwrap();
            }
        }
        let operators: Vec<String> = OPERATORS.iter().map(|name| (*name).to_owned()).collect();
        let site = Site {
            chat: chat.url(),
            token: chat.bot_token(),
            ssh_config: nodes.ssh_config(),
            channels: &CHANNELS,
            operators: &operators,
            hosts: format!("wn[001-{NODES:03}]"),
            chat_keys: "calls_per_second = 500\ncalls_at_once = 500",
            store_keys: "",
            more: "[limits]\nlines_per_user = 100000\nlines_per_channel = 100000\nexecutions_per_user = 100000",
            packs: &[],
        };
        let bot = Bot::new(env!("CARGO_BIN_EXE_halcyon"), directory.path(), &site);
        let me = chat.user_id("halcyon").unwrap();
        let here = directory.path().join("marks");
        let (book, calls) = (Book::default(), JoinSet::new());
        Self { chat, nodes, bot, me, book, draw: Draw::new(seed), calls, here, directory }
    }

    /// Every channel that anybody writes in.
    fn channels(&self) -> Vec<String> {
        let direct = OPERATORS.iter().map(|user| self.chat.direct_channel(user, "halcyon").unwrap());
        CHANNELS.iter().chain([&ELSEWHERE]).map(|name| (*name).to_owned()).chain(direct).collect()
    }

    fn posts(&self) -> Vec<Post> {
        let all = self.channels().into_iter().flat_map(|channel| self.chat.posts(&channel));
        all.filter(|post| post.user_id == self.me).collect()
    }

    fn write(&mut self, awake: bool) {
        let cards = cards(&self.posts());
        let words = self.book.words(&mut self.draw, &cards, &self.here);
        self.book.write(&self.chat, &mut self.draw, words, awake);
    }

    /// Something goes wrong at the chat server, or with a connection to a node.
    fn trouble(&mut self) {
        let faults = self.chat.faults();
        let failure = *self
            .draw
            .one(&[PostFailure::ErrorBefore, PostFailure::ErrorAfter, PostFailure::DeadBefore, PostFailure::DeadAfter])
            .unwrap_or(&PostFailure::ErrorAfter);
        match self.draw.number(0, 12) {
            0..3 => faults.fail_posts(1, failure),
            3 => faults.drop_sockets(),
            4 => faults.limit_rate(3, Duration::from_secs(1)),
            5 => faults.duplicate_event(),
            6 => faults.die_in_mid_frame(),
            7 => faults.skip_sequence_number(),
            8 => faults.restart(),
            9 => faults.fail_calls(2, 500),
            _ => {
                let masters = self.bot.masters();
                if let Some(master) = self.draw.one(&masters) {
                    kill_process(*master);
                }
            }
        }
    }

    /// Somebody calls the program from a shell, whether the bot runs or not.
    fn call(&mut self) {
        let (hosts, names) = load::hosts(&mut self.draw);
        let (words, token): (Vec<String>, _) = if self.draw.percent(70) {
            let token = self.book.token(&mut self.draw, hosts, false);
            let seconds = load::seconds(&mut self.draw);
            let mut words: Vec<String> = ["run", "fire.mark"].map(str::to_owned).to_vec();
            words.extend([format!("token={token}"), format!("seconds={seconds}"), format!("hosts={names}")]);
            if self.draw.percent(50) {
                words.push("--detach".into());
            }
            (words, Some(token))
        } else {
            (["execution", "list", "--json"].map(str::to_owned).to_vec(), None)
        };
        let mut command = self.bot.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        self.calls.spawn(async move {
            let ended = command.spawn().unwrap().wait().await.unwrap();
            (words.join(" "), token, ended.code())
        });
    }

    /// The bot comes for the first time. What was written before it ever listened is nobody's business.
    async fn greeted(&mut self) {
        self.bot.spawn();
        let here = self.chat.wait_for(CHANNELS[0], |post| post.message.contains("I am here"), PATIENCE).await;
        here.unwrap();
        self.bot.kill().await;
    }

    /// One start of the bot, what people do meanwhile, and its end.
    async fn round(&mut self) {
        self.bot.spawn();
        // Mostly the fire begins when the bot is there; else it may be killed while it is still starting.
        let ready = Instant::now() + Duration::from_millis(if self.draw.percent(75) { 10_000 } else { 0 });
        while !self.chat.is_connected("halcyon") && Instant::now() < ready {
            if self.draw.percent(1) {
                self.write(true);
            }
            if self.bot.has_ended() {
                self.bot.spawn();
            }
            sleep(Duration::from_millis(10)).await;
        }
        let aim = Aim::draw(&mut self.draw);
        let longest = Instant::now() + Duration::from_millis(self.draw.number(2_000, 4_000));
        let mut happenings = self.chat.subscribe();
        let commands = self.nodes.started();
        let (mut lines, mut seen) = (0, 0);
        let started = Instant::now();
        let mut next = started;
        loop {
            tokio::select! {
                biased;
                () = sleep_until(longest) => break,
                () = sleep_until(next) => {
                    match self.draw.number(0, 100) {
                        0..8 => self.trouble(),
                        8..12 => self.call(),
                        _ => {
                            self.write(true);
                            lines += 1;
                        }
                    }
                    next = Instant::now() + Duration::from_millis(self.draw.number(5, 120));
                    // Nobody is heard before the bot is there, and the lines of that time are few.
                    if !self.chat.is_connected("halcyon") {
                        next += Duration::from_millis(150);
                    }
                    // One that has ended by itself is started again, as systemd would.
                    if self.bot.has_ended() {
                        self.bot.spawn();
                    }
                }
                () = aimed(aim, started, lines, &mut seen, &mut happenings, &self.me, &self.nodes, commands) => break,
            }
        }
        if self.draw.percent(12) {
            let orderly = self.bot.terminate(Duration::from_secs(40)).await;
            assert!(orderly.is_some(), "SIGTERM did not end it:\n{}", self.bot.last_words());
        } else {
            self.bot.kill().await;
        }
        for _ in 0..self.draw.number(0, 4) {
            self.write(false);
        }
        if self.draw.percent(10) {
            self.call();
        }
        sleep(Duration::from_millis(self.draw.number(0, 200))).await;
    }

    /// Lets everything come to its end, and looks.
    async fn settle(&mut self) -> Verdict {
        let faults = self.chat.faults();
        faults.limit_rate(0, Duration::ZERO);
        let end = Instant::now() + PATIENCE;
        let mut wrong_for = 0;
        let mut verdict;
        loop {
            if self.bot.has_ended() {
                self.bot.spawn();
            }
            while let Some(called) = self.calls.try_join_next() {
                self.called(called.unwrap());
            }
            verdict = self.look();
            let done = verdict.not_yet.is_empty() && self.calls.is_empty() && self.chat.is_connected("halcyon");
            // Posts, facts and marks are read one after the other while the bot goes on; what is truly wrong stays wrong.
            wrong_for = if verdict.wrong.is_empty() { 0 } else { wrong_for + 1 };
            if (done && wrong_for == 0) || wrong_for > 25 || Instant::now() > end {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        if verdict.wrong.is_empty() && verdict.not_yet.is_empty() {
            // Whatever comes now is one too many.
            self.bot.terminate(Duration::from_secs(40)).await;
            verdict = self.look();
            // They were told to end; a busy machine lets them a moment later.
            let end = Instant::now() + Duration::from_secs(10);
            while !self.bot.masters().is_empty() && Instant::now() < end {
                sleep(Duration::from_millis(50)).await;
            }
            let left = self.bot.masters();
            if !left.is_empty() {
                verdict.wrong.push(format!("ssh's masters outlive the bot: {left:?}"));
            }
        }
        verdict
    }

    fn called(&mut self, (words, token, code): (String, Option<String>, Option<i32>)) {
        let Some(token) = token else { return };
        let wanted = self.book.tokens[&token].clone();
        let marks = self.marks();
        let done = wanted.hosts.iter().all(|host| marks.contains_key(&(host.clone(), token.clone())));
        let waited = !words.ends_with("--detach");
        assert!(!waited || code != Some(0) || done, "`halcyon {words}` ended well, and nothing has run");
    }

    fn marks(&self) -> BTreeMap<(String, String), usize> {
        let mut marks = BTreeMap::new();
        let names: Vec<&str> = self.nodes.names().collect();
        let files = names.into_iter().map(|name| (name.to_owned(), self.nodes.file(name, "/tmp/marks")));
        let files = files.chain([(HERE.to_owned(), std::fs::read(&self.here).ok())]);
        for (host, file) in files {
            for token in String::from_utf8(file.unwrap_or_default()).unwrap().lines() {
                *marks.entry((host.clone(), token.to_owned())).or_default() += 1;
            }
        }
        marks
    }

    fn look(&self) -> Verdict {
        // Before the facts: no post is made whose fact is not there already.
        let posts = self.posts();
        let names: Vec<&str> = self.nodes.names().collect();
        let ledgers = names.into_iter().flat_map(|name| self.nodes.ledger(name));
        let mut unreadable = Vec::new();
        let (mut facts, mut repeats): (Vec<Dated>, BTreeMap<_, usize>) = Default::default();
        for line in halcyon::app::export(&self.bot.config) {
            if let Ok(line) = &line {
                *repeats.entry(repeat(line).unwrap_or_default()).or_default() += 1;
            }
            match line
                .map_err(|problem| problem.to_string())
                .and_then(|line| serde_json::from_str(&line).map_err(|problem| format!("{problem} in {line}")))
            {
                Ok(fact) => facts.push(fact),
                Err(problem) => unreadable.push(format!("the export cannot be read: {problem}")),
            }
        }
        let scene = Scene {
            book: &self.book,
            posts,
            facts,
            repeats,
            marks: self.marks(),
            going: ledgers.filter(|entry| entry.ended.is_none()).count(),
        };
        let mut verdict = judge(&scene);
        verdict.wrong.extend(unreadable);
        verdict
    }
}

/// The execution and the host of a fact which says that a command is run again though it may have run.
fn repeat(line: &str) -> Option<(String, String)> {
    let dated: serde_json::Value = serde_json::from_str(line).ok()?;
    let fact = dated.get("fact").filter(|fact| fact.is_object()).unwrap_or(&dated);
    let text = |name: &str| fact.get(name)?.as_str().map(str::to_owned);
    let again = text("fact")? == "host-again" && fact.get("never_began")? == false;
    again.then(|| Some((text("id")?, text("host")?)))?
}

/// Ends when it is time for the kill.
#[expect(clippy::too_many_arguments, reason = "it borrows parts of a world that is being written to beside it")]
async fn aimed(
    aim: Aim,
    started: Instant,
    lines: u64,
    seen: &mut u64,
    happenings: &mut broadcast::Receiver<Happening>,
    me: &str,
    nodes: &Nodes,
    before: usize,
) {
    match aim {
        Aim::Time(after) => sleep_until(started + after).await,
        Aim::Line(number, after) if lines >= number => sleep(after).await,
        Aim::Line(..) => std::future::pending().await,
        Aim::Post(number) | Aim::Edit(number) => {
            while *seen < number {
                let hit = match happenings.recv().await {
                    Ok(Happening::Posted(post)) => matches!(aim, Aim::Post(_)) && post.user_id == me,
                    Ok(Happening::Edited(post)) => matches!(aim, Aim::Edit(_)) && post.user_id == me,
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => false,
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                *seen += u64::from(hit);
            }
        }
        Aim::Command(number) => {
            let wanted = before + usize::try_from(number).unwrap_or(usize::MAX);
            while nodes.started() < wanted {
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

/// One world with so many kills.
async fn burn(seed: u64, kills: usize) -> Figures {
    let mut world = World::start(seed).await;
    world.greeted().await;
    for _ in 0..kills {
        world.round().await;
    }
    world.bot.spawn();
    let Verdict { wrong, not_yet, figures } = world.settle().await;
    if !(wrong.is_empty() && not_yet.is_empty()) {
        let log = world.bot.last_words();
        world.bot.kill().await;
        // Kept to be looked at.
        let place = world.directory.keep();
        panic!(
            "seed {seed} ({kills} kills), everything is in {}:\nwrong: {wrong:#?}\nnot come true: {not_yet:#?}\n{figures:?}\nthe bot's last words:\n{log}",
            place.display()
        );
    }
    Figures { rounds: kills, ..figures }
}

/// Past the harness, which keeps the output of tests that pass to itself.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "fire: {what}");
}

/// So many kills in worlds of a few kills each.
async fn fire(rounds: usize, seed: u64) {
    let seed = std::env::var("HALCYON_FIRE_SEED").ok().map_or(seed, |given| given.parse().unwrap());
    let rounds = std::env::var("HALCYON_FIRE_ROUNDS").ok().map_or(rounds, |given| given.parse().unwrap());
    say(&format!("{rounds} kills; HALCYON_FIRE_SEED={seed} repeats the load"));
    let began = Instant::now();
    let mut todo: Vec<u64> = (0..rounds.div_ceil(KILLS)).map(|world| seed + world as u64).rev().collect();
    let (mut burning, mut figures) = (JoinSet::new(), Figures::default());
    let mut done = BTreeSet::new();
    while !todo.is_empty() || !burning.is_empty() {
        while burning.len() < WORLDS
            && let Some(seed) = todo.pop()
        {
            burning.spawn(async move { (seed, burn(seed, KILLS).await) });
        }
        if let Some(ended) = burning.join_next().await {
            let (seed, more) = ended.unwrap_or_else(|problem| std::panic::resume_unwind(problem.into_panic()));
            figures += more;
            done.insert(seed);
            if done.len() % TOLD == 0 {
                say(&format!("{figures:?} after {} s", began.elapsed().as_secs()));
            }
        }
    }
    say(&format!("{figures:?} in {} s", began.elapsed().as_secs()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_nothing_and_double_nothing() {
    fire(20, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_fire_two_hundred_kills() {
    if std::env::var_os("HALCYON_PEERS").is_some_and(|value| value == "1") {
        fire(200, 1_000).await;
    } else {
        say("two hundred kills take a while, and are not run without HALCYON_PEERS=1");
    }
}
