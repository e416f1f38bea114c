//! The day itself: who writes what and when, and what is seen of the answers.

use crate::bot::{Bot, Site};
use crate::draw::Draw;
use crate::measure::{self, Size, Times};
use halcyon::config::{Config, Environment};
use halcyon::sandbox::mattermost::{Draft, Happening, Options, Post, Server};
use halcyon::sandbox::nodes::{self, Nodes};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep_until};

const NODES: u64 = 150;
const PEOPLE: usize = 20;
const CHANNELS: [&str; 2] = ["cluster", "storage"];
/// What happens in a minute.
const COMMANDS: f64 = 100.0;
const DROPS: f64 = 25.0;
const QUESTIONS: f64 = 20.0;
const ALERTS: f64 = 60.0;
const FLOODS: f64 = 0.5;
/// How long after the day answers may still come.
const EVENING: Duration = Duration::from_secs(60);
/// How often memory is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// A quarter of the day.
#[derive(Debug, Default, Clone)]
pub(crate) struct Quarter {
    /// Memory in its last fifth, in MB.
    pub(crate) resident: f64,
    pub(crate) first_answer: Times,
    /// Without the time that the command was asked to take.
    pub(crate) end: Times,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Day {
    pub(crate) lines: usize,
    pub(crate) executions: usize,
    pub(crate) commands: usize,
    pub(crate) posts: usize,
    pub(crate) drops: usize,
    pub(crate) alerts: usize,
    pub(crate) cpu: f64,
    pub(crate) quarters: [Quarter; 4],
    pub(crate) store: Size,
    pub(crate) lost: Vec<String>,
    /// Commands on nodes that were asked back about, since nobody heard them as they were written.
    pub(crate) away: usize,
    pub(crate) doubled: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Command,
    Flood,
    Question,
    Drop,
    Alert,
}

/// A line and its answers.
#[derive(Debug)]
struct Line {
    text: String,
    at: Instant,
    /// How long the command was asked to take.
    asked: Duration,
    hosts: BTreeSet<u64>,
    first: Option<Instant>,
    end: Option<Instant>,
    /// What its card said last.
    said: String,
    answers: usize,
}

/// All lines, and how posts are joined to them.
#[derive(Debug, Default)]
struct Book {
    lines: Vec<Line>,
    by_post: BTreeMap<String, usize>,
    by_token: BTreeMap<String, usize>,
    /// The line that a card belongs to, by the card's post.
    cards: BTreeMap<String, usize>,
    /// Short ids of executions that have a card.
    ids: Vec<String>,
    keys: BTreeMap<String, usize>,
    without_key: usize,
}

fn under_way(post: &Post) -> bool {
    post.message.starts_with(":hourglass")
}

fn key(post: &Post) -> Option<&str> {
    post.props.get("halcyon_key")?.as_str()
}

impl Book {
    fn made(&mut self, post: &Post, now: Instant) {
        let Some(key) = key(post).map(str::to_owned) else {
            self.without_key += 1;
            return;
        };
        let (whose, _) = key.split_once('-').unwrap_or((&key, ""));
        let line = if let Some(execution) = key.strip_suffix("-card") {
            self.ids.push(execution.chars().skip(execution.chars().count().saturating_sub(6)).collect());
            let words = post.message.split(|character: char| character.is_whitespace() || character == '`');
            words.filter_map(|word| self.by_token.get(word)).next().copied()
        } else {
            self.by_post.get(whose).copied()
        };
        *self.keys.entry(key.clone()).or_default() += 1;
        let Some(number) = line else { return };
        self.cards.insert(post.id.clone(), number);
        let line = &mut self.lines[number];
        line.answers += 1;
        line.said.clone_from(&post.message);
        line.first.get_or_insert(now);
        // A question about what is still under way is answered by a post that says so, and by nothing after it.
        if line.hosts.is_empty() || !under_way(post) {
            line.end.get_or_insert(now);
        }
    }

    fn changed(&mut self, post: &Post, now: Instant) {
        let Some(line) = self.cards.get(&post.id).map(|number| &mut self.lines[*number]) else { return };
        line.said.clone_from(&post.message);
        if !under_way(post) {
            line.end.get_or_insert(now);
        }
    }

    fn unfinished(&self) -> usize {
        self.lines.iter().filter(|line| line.end.is_none()).count()
    }
}

struct World {
    chat: Server,
    nodes: Nodes,
    bot: Bot,
    me: String,
    people: Vec<String>,
    retention: String,
    _directory: tempfile::TempDir,
}

impl World {
    async fn start(day: Duration, seed: u64) -> Self {
        let directory = tempfile::Builder::new().prefix("halb").tempdir().unwrap();
        let names: Vec<String> = (1..=NODES).map(name).collect();
        let options = nodes::Options {
            user: "root".into(),
            pace: 0.0,
            seed,
            ..nodes::Options::new(names, directory.path().join("nodes"))
        };
        let nodes = Nodes::start(options).await.unwrap();
        let chat = Server::start(Options::default()).await.unwrap();
        let people: Vec<String> = (1..=PEOPLE).map(|number| format!("operator{number}")).collect();
        let team = chat.add_team("ops");
        chat.add_bot("monitor");
        for person in &people {
            chat.add_user(person);
        }
        for channel in CHANNELS {
            chat.add_channel(&team, channel);
            for person in people.iter().map(String::as_str).chain(["halcyon", "monitor"]) {
                chat.join(person, channel).unwrap();
            }
        }
        let keep = format!("keep = {}", (day / 10).as_secs().max(10));
        let retention = retention_is_there(directory.path(), &keep);
        let site = Site {
            chat: chat.url(),
            token: chat.bot_token(),
            ssh_config: nodes.ssh_config(),
            channels: &CHANNELS,
            operators: &people,
            hosts: format!("wn[001-{NODES:03}]"),
            // Each line takes about six calls: more than what a server lets through that limits calls and was not told otherwise.
            chat_keys: "calls_per_second = 50\ncalls_at_once = 100",
            store_keys: if retention { &keep } else { "" },
            more: "",
            packs: &[],
        };
        let bot = Bot::new(env!("CARGO_BIN_EXE_halcyon"), directory.path(), &site);
        let me = chat.user_id("halcyon").unwrap();
        let retention = if retention { keep } else { "nothing is ever removed (there is no store.keep)".to_owned() };
        Self { chat, nodes, bot, me, people, retention, _directory: directory }
    }

    /// Writes a line, of whoever it is.
    fn write(&self, book: &mut Book, draw: &mut Draw, text: String, asked: Duration, hosts: BTreeSet<u64>) {
        let person = draw.one(&self.people).unwrap();
        let channel = *draw.one(&CHANNELS).unwrap();
        let number = book.lines.len();
        if let Some(token) = text.split_whitespace().nth(1).filter(|_| !hosts.is_empty()) {
            book.by_token.insert(token.to_owned(), number);
        }
        let at = Instant::now();
        let post = self.chat.post_as(person, channel, &format!("!{text}"), None).unwrap();
        book.by_post.insert(post, number);
        book.lines.push(Line { text, at, asked, hosts, first: None, end: None, said: String::new(), answers: 0 });
    }

    fn happen(&self, event: Event, book: &mut Book, draw: &mut Draw, day: &mut Day) {
        let number = book.lines.len();
        match event {
            Event::Command => {
                let count = match draw.number(0, 100) {
                    0..80 => 1,
                    80..95 => draw.number(2, 11),
                    _ => draw.number(11, 51),
                };
                let first = draw.number(1, NODES - count + 2);
                let last = first + count - 1;
                let seconds = *draw.one(&[0.0, 0.0, 0.0, 0.5, 1.0, 2.0]).unwrap();
                let verb = *draw.one(&["mark", "look", "remark"]).unwrap();
                let text = format!("{verb} t{number} for {seconds} on wn[{first:03}-{last:03}]");
                self.write(book, draw, text, Duration::from_secs_f64(seconds), (first..=last).collect());
            }
            Event::Flood => {
                let text = format!("flood t{number} with 400 lines on wn[001-{NODES:03}]");
                self.write(book, draw, text, Duration::ZERO, (1..=NODES).collect());
            }
            Event::Question => {
                let id = draw.one(&book.ids[book.ids.len().saturating_sub(20)..]).cloned().unwrap_or("abcdef".into());
                let all =
                    ["list".into(), format!("show {id}"), "help".into(), "status".into(), format!("nothing {number}")];
                let text = draw.one(&all).unwrap().clone();
                self.write(book, draw, text, Duration::ZERO, BTreeSet::new());
            }
            Event::Drop => {
                self.chat.faults().drop_sockets();
                day.drops += 1;
            }
            Event::Alert => {
                let text = format!("{} is DOWN since {} s", name(draw.number(1, NODES + 1)), draw.number(1, 500));
                let props = json!({"attachments": [{"color": "#d00", "text": text, "title": "host problem"}]});
                let channel = CHANNELS[0].into();
                let props = props.as_object().cloned().unwrap_or_default();
                self.chat
                    .inject(Draft { user: "monitor".into(), channel, message: text, props, ..Draft::default() })
                    .unwrap();
                day.alerts += 1;
            }
        }
    }

    /// Every token stands once in the file of each of its hosts and nowhere else.
    fn marks(&self, book: &Book, day: &mut Day) {
        for host in 1..=NODES {
            let mut found: BTreeMap<String, usize> = BTreeMap::new();
            let file = self.nodes.file(&name(host), "/tmp/marks").unwrap_or_default();
            for token in String::from_utf8(file).unwrap().lines() {
                *found.entry(token.to_owned()).or_default() += 1;
            }
            for (token, number) in &book.by_token {
                let count = found.remove(token).unwrap_or_default();
                let wanted = usize::from(book.lines[*number].hosts.contains(&host));
                day.commands += count;
                match count.cmp(&wanted) {
                    // It was told that it was not done, and how to have it done.
                    std::cmp::Ordering::Less if book.lines[*number].said.contains("while I was away") => day.away += 1,
                    std::cmp::Ordering::Less => {
                        let said: String = book.lines[*number].said.chars().take(400).collect();
                        day.lost.push(format!("{token} did not run on {}; its post says {said:?}", name(host)));
                    }
                    std::cmp::Ordering::Equal => {}
                    std::cmp::Ordering::Greater => {
                        day.doubled.push(format!("{token} ran {count} times on {}", name(host)))
                    }
                }
            }
        }
    }
}

fn name(number: u64) -> String {
    format!("wn{number:03}")
}

/// Whether what is stored can be bounded by this key.
fn retention_is_there(directory: &Path, keep: &str) -> bool {
    Config::parse(&directory.join("config.toml"), &format!("[store]\n{keep}\n"), &Environment::new()).is_ok()
}

/// When what happens, in order.
fn plan(length: Duration, draw: &mut Draw) -> Vec<(Duration, Event)> {
    let minutes = length.as_secs_f64() / 60.0;
    let rates = [
        (Event::Command, COMMANDS),
        (Event::Flood, FLOODS),
        (Event::Question, QUESTIONS),
        (Event::Drop, DROPS),
        (Event::Alert, ALERTS),
    ];
    let mut plan = Vec::new();
    for (event, rate) in rates {
        for _ in 0..(rate * minutes).ceil() as u64 {
            plan.push((length.mul_f64(draw.number(0, 1 << 20) as f64 / f64::from(1 << 20)), event));
        }
    }
    plan.sort_by_key(|(at, _)| *at);
    plan
}

/// Lives through a day.
pub(crate) async fn day(minutes: f64, seed: u64) -> Day {
    let length = Duration::from_secs_f64(minutes * 60.0);
    let mut world = World::start(length, seed).await;
    let mut draw = Draw::new(seed);
    let (mut book, mut day) = (Book::default(), Day::default());
    let mut happenings = world.chat.subscribe();
    world.bot.spawn();
    world.chat.wait_for(CHANNELS[0], |post| post.message.contains("I am here"), Duration::from_secs(60)).await.unwrap();
    let pid = world.bot.pid().unwrap();

    let began = Instant::now();
    let quarter = |at: Instant| ((at.duration_since(began).as_secs_f64() / length.as_secs_f64() * 4.0) as usize).min(3);
    let mut memory: Vec<(Instant, f64)> = Vec::new();
    let mut events = plan(length, &mut draw).into_iter().peekable();
    let mut look = began;
    let mut told = 0;
    loop {
        let next = events.peek().map_or(began + length, |(at, _)| began + *at);
        let now = Instant::now();
        let over = now >= began + length && events.peek().is_none();
        if (over && book.unfinished() == 0) || now > began + length + EVENING || world.bot.has_ended() {
            break;
        }
        tokio::select! {
            biased;
            () = sleep_until(next), if !over => {
                if let Some((_, event)) = events.next() {
                    world.happen(event, &mut book, &mut draw, &mut day);
                }
            }
            () = sleep_until(look) => {
                look = Instant::now() + EVERY;
                memory.extend(measure::resident(pid).map(|megabytes| (Instant::now(), megabytes)));
                if began.elapsed().as_secs() / 60 > told {
                    told += 1;
                    let now = memory.last().map_or(f64::NAN, |(_, megabytes)| *megabytes);
                    println!("minute {told}: {} lines, {} without an end, {now:.1} MB", book.lines.len(), book.unfinished());
                }
            }
            happening = happenings.recv() => match happening {
                Ok(Happening::Posted(post)) if post.user_id == world.me => book.made(&post, Instant::now()),
                Ok(Happening::Edited(post)) if post.user_id == world.me => book.changed(&post, Instant::now()),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(missed)) => day.lost.push(format!("this program missed {missed} events: it is too slow to judge")),
                Err(broadcast::error::RecvError::Closed) => break,
            }
        }
    }
    day.cpu = measure::cpu(pid).unwrap_or(f64::NAN);
    if world.bot.has_ended() {
        day.lost.push(format!("the bot ended by itself:\n{}", world.bot.last_words()));
    }
    for number in 0..4 {
        let (from, to) = (
            began + length.mul_f64(f64::from(number) / 4.0 + 0.2),
            began + length.mul_f64(f64::from(number + 1) / 4.0),
        );
        let mut samples: Vec<f64> =
            memory.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, megabytes)| *megabytes).collect();
        samples.sort_by(f64::total_cmp);
        day.quarters[usize::try_from(number).unwrap_or_default()].resident =
            samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN);
    }
    judge(&world, &book, &mut day, quarter);
    world.bot.terminate(Duration::from_secs(40)).await;
    day.store = Size {
        disk: measure::disk(&world.bot.config.store.path),
        live: measure::live(
            (halcyon::app::export(&world.bot.config).map(Result::unwrap))
                .chain(halcyon::app::export_audit(&world.bot.config, 0).map(Result::unwrap)),
        ),
        retention: world.retention.clone(),
    };
    day
}

fn judge(world: &World, book: &Book, day: &mut Day, quarter: impl Fn(Instant) -> usize) {
    day.lines = book.lines.len();
    day.executions = book.ids.len();
    day.posts = book.keys.values().sum();
    for line in &book.lines {
        let place = &mut day.quarters[quarter(line.at)];
        if let Some(first) = line.first {
            place.first_answer.add(first.duration_since(line.at).as_secs_f64() * 1e3);
        }
        match line.end {
            Some(end) => place.end.add(end.duration_since(line.at).saturating_sub(line.asked).as_secs_f64() * 1e3),
            None => day.lost.push(format!("{:?} has no end", line.text)),
        }
        if line.answers > 1 {
            day.doubled.push(format!("{:?} was answered {} times", line.text, line.answers));
        }
    }
    for (key, count) in book.keys.iter().filter(|(_, count)| **count > 1) {
        day.doubled.push(format!("{key} was posted {count} times"));
    }
    if book.without_key > 0 {
        day.doubled.push(format!("{} posts without a key", book.without_key));
    }
    world.marks(book, day);
}
