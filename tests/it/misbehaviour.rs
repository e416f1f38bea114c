//! Whatever the chat server does: every line is carried out once or answered, every answer stands once, no command runs twice.
//!
//! One driver, a table of scripts. The load is a few lines before, while and after something goes wrong; what became of each is read from
//! the channel and from the ledgers of the nodes, not from our own books.

use crate::world::{CHANNEL, PATIENCE, World, under_way};
use halcyon::adapters::mattermost::Pace;
use halcyon::app::engine::EngineOptions;
use halcyon::runtime::catch_up::CatchUpOptions;
use halcyon::runtime::outbox::OutboxOptions;
use halcyon::sandbox::mattermost::{Faults, Post, PostFailure};
use std::time::Duration;
use tokio::time::Instant;

/// Timers for a server that is away for moments only.
fn brisk() -> EngineOptions {
    EngineOptions {
        pace: Pace {
            greeting: Duration::from_secs(3),
            ping: Duration::from_millis(300),
            silence: Duration::from_secs(2),
            soonest: Duration::from_millis(20),
            slowest: Duration::from_millis(200),
            ..Pace::default()
        },
        outbox: OutboxOptions {
            per_second: 1000.0,
            burst: 1000,
            soonest: Duration::from_millis(50),
            slowest: Duration::from_millis(500),
            ..OutboxOptions::default()
        },
        catch_up: CatchUpOptions {
            soonest: Duration::from_millis(50),
            slowest: Duration::from_millis(500),
            again_after: Duration::from_millis(500),
        },
    }
}

/// What may become of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It ran.
    Ran,
    /// It ran or was answered by "I was away" or a question: what was missed may be either.
    Settled,
    /// It was asked about again.
    AskedAgain,
    /// It was too old.
    Late,
    /// Nobody was there to hear it.
    Ignored,
}

/// A world with the lines that were written in it.
struct Scene {
    world: World,
    lines: Vec<(String, String, Fate)>,
    count: usize,
}

impl Scene {
    async fn start(more: &str) -> Self {
        let mut scene = Self::without_bot(more).await;
        scene.world.start_bot().await;
        scene
    }

    async fn without_bot(more: &str) -> Self {
        let mut world = World::without_bot(more).await;
        world.options = brisk();
        Self { world, lines: Vec::new(), count: 100 }
    }

    fn faults(&self) -> Faults {
        self.world.chat.faults()
    }

    /// A line that only looks.
    fn look(&mut self, fate: Fate) -> String {
        self.count += 1;
        let line = format!("count to {} on wn001", self.count);
        self.write(CHANNEL, &format!("!{line}"), line, fate)
    }

    /// A line that can do harm.
    fn change(&mut self, fate: Fate) -> String {
        self.count += 1;
        let line = format!("greet w{} on wn002", self.count);
        self.write(CHANNEL, &format!("!{line}"), line, fate)
    }

    fn write(&mut self, channel: &str, text: &str, line: String, fate: Fate) -> String {
        let post = self.world.chat.post_as("operator", channel, text, None).unwrap();
        self.lines.push((post.clone(), line, fate));
        post
    }

    fn several(&mut self, fate: Fate) {
        for _ in 0..3 {
            self.look(fate);
        }
        self.change(if fate == Fate::Ran { Fate::Ran } else { Fate::Settled });
    }

    /// The bot's posts that are about a line, those of threads aside.
    fn answers(&self, post: &str, line: &str) -> Vec<Post> {
        let channel = self.world.chat.post(post).unwrap().channel_id;
        let name = format!("`{line}`");
        let about = |answer: &Post| {
            answer.user_id == self.world.bot && answer.root_id.is_empty() && answer.message.contains(&name)
        };
        self.world.chat.posts(&channel).into_iter().filter(about).collect()
    }

    /// How often a node was told to do what the line says.
    fn runs(&self, line: &str) -> usize {
        let (what, _) = line.split_once(" on ").unwrap();
        let word = what.rsplit(' ').next().unwrap();
        let said = |script: &str| script.split(|letter: char| !letter.is_alphanumeric()).any(|part| part == word);
        let nodes: Vec<String> = self.world.nodes.names().map(str::to_owned).collect();
        nodes.iter().flat_map(|node| self.world.nodes.ledger(node)).filter(|entry| said(&entry.script)).count()
    }

    /// Waits until the bot has said something to every line.
    async fn taken_up(&self) {
        let all = || self.lines.iter().all(|(post, line, _)| !self.answers(post, line).is_empty());
        self.until("every line has been taken up", all).await;
    }

    async fn connected(&self) {
        self.until("the bot is connected", || self.world.chat.is_connected("halcyon")).await;
    }

    async fn until(&self, what: &str, true_of: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !true_of() {
            assert!(Instant::now() < end, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until every line has its answer, then looks whether it is the right one and the only one.
    async fn judge(&self, name: &str) {
        let answered = |post: &str, line: &str| self.answers(post, line).iter().any(|answer| !under_way(answer));
        let end = Instant::now() + PATIENCE;
        for (post, line, fate) in self.lines.iter().filter(|(.., fate)| *fate != Fate::Ignored) {
            while !answered(post, line) {
                assert!(Instant::now() < end, "{name}: `{line}` ({fate:?}) is not answered:\n{}", self.transcript());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        // Whatever would come twice has had the time of a second reading and of a line for it.
        self.second_reading().await;
        self.world.settle().await;
        for (post, line, fate) in &self.lines {
            let (answers, runs) = (self.answers(post, line), self.runs(line));
            let texts: Vec<&str> = answers.iter().map(|answer| answer.message.as_str()).collect();
            let said = |text: &str| texts.iter().any(|answer| answer.contains(text));
            let became = match (texts.len(), runs) {
                (0, 0) => Some(Fate::Ignored),
                (1, 1) if said("done on") => Some(Fate::Ran),
                (1, 0) if said("if you still want it") && said("answer `") => Some(Fate::AskedAgain),
                (1, 0) if said("Please say it again") => Some(Fate::Late),
                _ => None,
            };
            let right = match fate {
                Fate::Settled => matches!(became, Some(Fate::Ran | Fate::AskedAgain | Fate::Late)),
                _ => became == Some(*fate),
            };
            assert!(
                right,
                "{name}: `{line}` should be {fate:?}, is {became:?}; ran {runs} times, answers: {texts:#?}\n{}",
                self.transcript()
            );
        }
    }

    /// Waits until what was missed has been read a second time, if anything was.
    async fn second_reading(&self) {
        let lists = || self.world.chat.calls_of("GET /api/v4/users/{user_id}/channels");
        self.until("the second reading", || lists() != 1).await;
    }

    fn transcript(&self) -> String {
        let posts = self.world.chat.posts(CHANNEL).into_iter();
        posts
            .map(|post| format!("  {} {}", post.create_at, post.message.replace('\n', " / ")))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// What goes wrong in the middle of the load.
type Script = fn(&Faults);

/// Load, trouble, load, end of trouble, load.
async fn check(name: &str, trouble: Script, end: Script) {
    let mut scene = Scene::start("").await;
    scene.several(Fate::Ran);
    scene.taken_up().await;
    trouble(&scene.faults());
    scene.several(Fate::Settled);
    end(&scene.faults());
    scene.several(Fate::Settled);
    scene.judge(name).await;
}

const NOTHING: Script = |_| {};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_the_socket_loses_and_doubles_nothing() {
    let cases: [(&str, Script, Script); 9] = [
        ("a dropped socket", Faults::drop_sockets, NOTHING),
        (
            "a dropped socket, resume refused",
            |faults| {
                faults.refuse_resume(true);
                faults.drop_sockets();
            },
            NOTHING,
        ),
        ("a skipped number", Faults::skip_sequence_number, NOTHING),
        ("an event delivered twice", Faults::duplicate_event, NOTHING),
        ("death in the middle of a frame", Faults::die_in_mid_frame, NOTHING),
        (
            "death in the middle of a frame, resume refused",
            |faults| {
                faults.refuse_resume(true);
                faults.die_in_mid_frame();
            },
            NOTHING,
        ),
        ("a restart of the server", Faults::restart, NOTHING),
        (
            "no greeting",
            |faults| {
                faults.refuse_resume(true);
                faults.no_hello(true);
                faults.drop_sockets();
            },
            |faults| faults.no_hello(false),
        ),
        (
            "a silent socket",
            |faults| {
                faults.refuse_resume(true);
                faults.silence_sockets();
            },
            NOTHING,
        ),
    ];
    for (name, trouble, end) in cases {
        check(name, trouble, end).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_calls_loses_and_doubles_nothing() {
    let cases: [(&str, Script, Script); 9] = [
        ("a storm of 429", |faults| faults.limit_rate(25, Duration::from_secs(1)), NOTHING),
        (
            "a storm of 429 while catching up",
            |faults| {
                faults.refuse_resume(true);
                faults.drop_sockets();
                faults.limit_rate(15, Duration::from_secs(1));
            },
            NOTHING,
        ),
        ("a storm of 500", |faults| faults.fail_calls(20, 500), NOTHING),
        (
            "500 while catching up",
            |faults| {
                faults.refuse_resume(true);
                faults.drop_sockets();
                faults.fail_calls(12, 503);
            },
            NOTHING,
        ),
        ("500 on a post, not made", |faults| faults.fail_posts(3, PostFailure::ErrorBefore), NOTHING),
        ("500 on a post, made", |faults| faults.fail_posts(3, PostFailure::ErrorAfter), NOTHING),
        ("death before a post", |faults| faults.fail_posts(3, PostFailure::DeadBefore), NOTHING),
        ("death after a post", |faults| faults.fail_posts(3, PostFailure::DeadAfter), NOTHING),
        ("slow answers", |faults| faults.slow(Duration::from_millis(300)), |faults| faults.slow(Duration::ZERO)),
    ];
    for (name, trouble, end) in cases {
        check(name, trouble, end).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_lists_loses_and_doubles_nothing() {
    let cases: [(&str, Script, Script); 4] = [
        (
            "holes in since",
            |faults| {
                faults.holes_in_since(true);
                faults.refuse_resume(true);
                faults.drop_sockets();
            },
            NOTHING,
        ),
        (
            "a clock that stands still",
            |faults| {
                faults.stop_clock(true);
                faults.refuse_resume(true);
                faults.drop_sockets();
            },
            |faults| faults.stop_clock(false),
        ),
        (
            "lists that lag",
            |faults| {
                faults.lag_behind(Duration::from_millis(400));
                faults.refuse_resume(true);
                faults.drop_sockets();
            },
            NOTHING,
        ),
        (
            "a server that is down",
            |faults| {
                faults.refuse_resume(true);
                faults.down(true);
            },
            |faults| faults.down(false),
        ),
    ];
    for (name, trouble, end) in cases {
        check(name, trouble, end).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_the_bot_is_away_is_carried_out_or_answered() {
    // (what it is, what happens while the bot is away)
    let cases: [(&str, fn(&mut Scene)); 4] = [
        ("the bot is down", |_| {}),
        ("a deleted post where the bot stopped reading", |scene| {
            let newest = scene.world.chat.posts(CHANNEL).pop().unwrap();
            scene.world.chat.erase(&newest.id);
            scene.world.chat.erase(&scene.lines[0].0.clone());
        }),
        ("a post dated in the future was the last", |scene| {
            scene.faults().date_next_post(Duration::from_secs(3600));
            scene.world.write("lead", "happy new year");
        }),
        ("everything within one millisecond", |scene| scene.faults().stop_clock(true)),
    ];
    for (name, meanwhile) in cases {
        let mut scene = Scene::start("").await;
        let seen = scene.look(Fate::Ran);
        scene.world.answer(&seen).await;
        scene.world.kill_bot();
        if name.starts_with("a deleted") {
            scene.lines.clear();
            scene.lines.push((seen, "nothing on wn001".into(), Fate::Ignored));
        }
        meanwhile(&mut scene);
        for _ in 0..3 {
            scene.look(Fate::Ran);
            scene.change(Fate::AskedAgain);
        }
        scene.faults().stop_clock(false);
        scene.world.start_bot().await;
        scene.judge(name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_dated_in_the_future_hides_nothing_that_comes_later() {
    let mut scene = Scene::start("").await;
    scene.faults().date_next_post(Duration::from_secs(3600));
    scene.look(Fate::Ran);
    scene.taken_up().await;
    scene.look(Fate::Ran);
    scene.taken_up().await;
    scene.world.kill_bot();
    scene.look(Fate::Ran);
    scene.change(Fate::AskedAgain);
    scene.world.start_bot().await;
    scene.judge("a line dated in the future").await;
}
