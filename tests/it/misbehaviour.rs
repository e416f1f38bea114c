//! Whatever the chat server does: every line is carried out once or answered, every answer stands once, no command runs twice.
//!
//! One driver, a table of scripts. The load is a few lines before, while and after something goes wrong; what became of each is read from
//! the channel and from the ledgers of the nodes, not from our own books.

use crate::world::{CHANNEL, PATIENCE, World, under_way};
use halcyon::adapters::mattermost::Pace;
use halcyon::app::engine::EngineOptions;
use halcyon::runtime::catch_up::CatchUpOptions;
use halcyon::runtime::outbox::OutboxOptions;
use halcyon::sandbox::mattermost::{Detour, Draft, Faults, Options, Post, PostFailure};
use serde_json::json;
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
        outbox: Some(OutboxOptions {
            per_second: 1000.0,
            burst: 1000,
            soonest: Duration::from_millis(50),
            slowest: Duration::from_millis(500),
            ..OutboxOptions::default()
        }),
        catch_up: CatchUpOptions {
            soonest: Duration::from_millis(50),
            slowest: Duration::from_millis(500),
            again_after: Duration::from_millis(500),
        },
        groups_age: None,
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
        Self::on(World::without_bot(more).await)
    }

    fn on(mut world: World) -> Self {
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

    /// Waits until every line has its last word.
    async fn answered(&self) {
        let last =
            |(post, line, _): &(String, String, Fate)| self.answers(post, line).iter().any(|post| !under_way(post));
        let heard = || self.lines.iter().filter(|(.., fate)| *fate != Fate::Ignored);
        self.until("every line has been answered", || heard().all(last)).await;
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

/// What happens while the bot is down.
type Meanwhile = fn(&mut Scene);

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

/// What a proxy says is not the server's word: nothing that was promised is thrown away for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_outlive_a_proxy_that_answers_for_the_server() {
    for (detour, dies) in [
        (Detour::Maintenance, false),
        (Detour::Maintenance, true),
        (Detour::Page(403), false),
        (Detour::Page(404), false),
        (Detour::Page(404), true),
    ] {
        let name = format!("{detour:?}, the bot dies: {dies}");
        let mut scene = Scene::start("").await;
        // Whoever writes is known then, so that the next lines are carried out without asking.
        scene.look(Fate::Ran);
        scene.answered().await;
        let faults = scene.faults();
        faults.detour(Some(detour));
        scene.look(Fate::Ran);
        scene.change(Fate::Ran);
        let ran = || scene.lines.iter().all(|(_, line, _)| scene.runs(line) == 1);
        scene.until("the commands are carried out", ran).await;
        let posts = || scene.world.chat.calls_of("by proxy: POST /api/v4/posts");
        scene.until("an answer is tried", || posts() > 0).await;
        if dies {
            scene.world.kill_bot();
            let before = faults.detoured();
            let meanwhile = async {
                let end = Instant::now() + PATIENCE;
                // By then what was promised has been looked for, and the connection tried.
                while faults.detoured() < before + 6 {
                    assert!(Instant::now() < end, "{name}: the bot does not try");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                faults.detour(None);
            };
            tokio::join!(scene.world.start_bot(), meanwhile);
        } else {
            faults.detour(None);
        }
        scene.look(Fate::Ran);
        scene.judge(&name).await;
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
    let cases: [(&str, Meanwhile); 4] = [
        ("the bot is down", |_| {}),
        ("a deleted post where the bot stopped reading", |scene| {
            let newest = scene.world.chat.posts(CHANNEL).pop().unwrap();
            scene.world.chat.erase(&newest.id);
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
            scene.world.chat.erase(&seen);
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
    scene.answered().await;
    scene.world.kill_bot();
    scene.look(Fate::Ran);
    scene.change(Fate::AskedAgain);
    scene.world.start_bot().await;
    scene.judge("a line dated in the future").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missed_is_run_when_it_is_young_and_harmless_and_asked_about_otherwise() {
    let mut scene = Scene::start("").await;
    let seen = scene.look(Fate::Ran);
    scene.world.answer(&seen).await;
    scene.world.kill_bot();
    // Two that can do harm, one of them in a channel that was not there before.
    scene.change(Fate::AskedAgain);
    scene.change(Fate::AskedAgain);
    let direct = scene.world.chat.direct_channel("operator", "halcyon").unwrap();
    scene.write(&direct, "count to 77 on wn001", "count to 77 on wn001".into(), Fate::Ran);
    let secret = scene.world.write("operator", "!login with hunter2 on wn001");
    let edited = scene.world.write("operator", "!uptime on wn004");
    scene.world.chat.edit_as("operator", &edited, "!reboot wn004").unwrap();
    let deleted = scene.world.write("operator", "!uptime on wn005");
    scene.world.chat.delete_as("operator", &deleted).unwrap();
    scene.world.start_bot().await;
    scene.judge("missed").await;
    for post in [&secret, &edited] {
        let answer = scene.world.answer_that(post, |answer| answer.message.contains("Please say it again")).await;
        assert!(!answer.message.contains("hunter2"), "{}", answer.message);
    }
    assert!(scene.world.nodes.ledger("wn004").is_empty() && scene.world.nodes.ledger("wn005").is_empty());
    // Each keeps its number until it is chosen, and is run once.
    let lines: Vec<String> = scene.lines[1..3].iter().map(|(_, line, _)| line.clone()).collect();
    for (number, line) in [("2", &lines[1]), ("1", &lines[0])] {
        let answer = scene.world.say("operator", number).await;
        assert!(answer.message.contains("done on") && answer.message.contains(line), "{}", answer.message);
    }
    let answer = scene.world.say("operator", "!2").await;
    assert!(answer.message.contains("nothing to choose from"), "{}", answer.message);
    assert_eq!((scene.runs(&lines[0]), scene.runs(&lines[1])), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_is_answered_and_a_first_start_answers_nothing_older() {
    let mut scene = Scene::without_bot("").await;
    if let Some(chat) = &mut scene.world.config.mattermost {
        chat.late_after = Duration::ZERO;
    }
    scene.look(Fate::Ignored);
    // The server tells its time in whole seconds.
    scene.faults().skew_clock(2_000);
    scene.world.start_bot().await;
    scene.look(Fate::Ran);
    scene.answered().await;
    scene.world.kill_bot();
    scene.look(Fate::Late);
    scene.change(Fate::Late);
    scene.faults().skew_clock(4_000);
    scene.world.start_bot().await;
    scene.judge("too old").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_is_wrong_is_judged_by_its_own_clock() {
    for skew_ms in [-7_200_000, 7_200_000] {
        let wrong = Options { skew_ms, ..Options::default() };
        let mut scene = Scene::on(World::on_chat("", |_| {}, wrong).await);
        scene.world.start_bot().await;
        scene.look(Fate::Ran);
        scene.change(Fate::Ran);
        scene.answered().await;
        scene.world.kill_bot();
        scene.look(Fate::Ran);
        scene.change(Fate::AskedAgain);
        scene.world.start_bot().await;
        scene.judge(&format!("skewed by {skew_ms}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_dies_while_catching_up_loses_and_doubles_nothing() {
    let mut scene = Scene::start("").await;
    scene.look(Fate::Ran);
    scene.answered().await;
    scene.world.kill_bot();
    // More than a page, so that the lines stand on several.
    for number in 0..250 {
        if number % 50 == 0 {
            scene.change(Fate::AskedAgain);
        }
        scene.world.write("lead", &format!("chatter {number}"));
    }
    let before = scene.world.chat.calls_of("GET /api/v4/channels/{channel_id}/posts");
    scene.faults().slow(Duration::from_millis(100));
    for _ in 0..2 {
        scene.world.start_bot().await;
        let pages = || scene.world.chat.calls_of("GET /api/v4/channels/{channel_id}/posts");
        scene.until("a page is read", || pages() > before).await;
        scene.world.kill_bot();
    }
    scene.faults().slow(Duration::ZERO);
    scene.world.start_bot().await;
    scene.look(Fate::Ran);
    scene.judge("death while catching up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_made_and_not_noted_is_found_however_much_was_said_since() {
    // (how the post was lost, how far the server's clock is from ours)
    for (how, skew_ms) in
        [(PostFailure::DeadAfter, 0), (PostFailure::DeadBefore, 0), (PostFailure::DeadAfter, -7_200_000)]
    {
        // Long after that, for a server that remembers its last posts for a while.
        let forgetful = Options { pending_life: Duration::ZERO, skew_ms, ..Options::default() };
        let mut scene = Scene::on(World::on_chat("", |_| {}, forgetful).await);
        scene.world.start_bot().await;
        scene.world.say("operator", "!whoami").await;
        scene.faults().fail_posts(1, how);
        let made = scene.world.chat.calls_of("POST /api/v4/posts");
        scene.world.write("operator", "!help reboot");
        scene.until("the answer is tried", || scene.world.chat.calls_of("POST /api/v4/posts") > made).await;
        // Looking for it fails, so that the bot dies without knowing.
        scene.faults().detour(Some(Detour::Page(404)));
        let helps = |scene: &Scene| {
            let posts = scene.world.chat.posts(CHANNEL).into_iter();
            posts.filter(|post| post.user_id == scene.world.bot && post.message.contains("`reboot {{hosts}}`")).count()
        };
        let stands = how == PostFailure::DeadAfter;
        scene.until("the answer is made", || !stands || helps(&scene) > 0).await;
        scene.world.kill_bot();
        scene.faults().detour(None);
        for number in 0..450 {
            scene.world.write("lead", &format!("chatter {number}"));
        }
        scene.world.start_bot().await;
        scene.world.settle().await;
        scene.until("the answer stands", || helps(&scene) > 0).await;
        scene.world.settle().await;
        assert_eq!(helps(&scene), 1, "{how:?}, {skew_ms} ms");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_is_not_asked_for_while_the_server_wants_a_pause() {
    let scene = Scene::start("").await;
    let asked = || scene.world.chat.calls_of("GET /api/v4/users/{user_id}");
    let before = asked();
    // Longer than a line waits for its author.
    scene.faults().limit_rate(1_000, Duration::from_secs(6));
    for _ in 0..5 {
        scene.world.write("lead", "!whoami");
    }
    scene.until("the server is asked", || asked() > before).await;
    scene.faults().limit_rate(0, Duration::ZERO);
    let told = || {
        let posts = scene.world.chat.posts(CHANNEL).into_iter();
        posts.filter(|post| post.message.contains("could not tell me who you are")).count()
    };
    scene.until("each line is answered", || told() == 5).await;
    assert_eq!(asked() - before, 1, "one was told to wait, and the others know it");
    let answer = scene.world.say("lead", "!whoami").await;
    assert!(answer.message.contains("lead"), "{}", answer.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_instance_is_noticed_and_said_once() {
    let scene = Scene::start("").await;
    let told = || {
        let posts = scene.world.chat.posts(CHANNEL).into_iter();
        posts.filter(|post| post.message.contains("Another bot is using my account")).count()
    };
    let speak = |instance: &str, text: &str| {
        let mut draft =
            Draft { user: "halcyon".into(), channel: CHANNEL.into(), message: text.into(), ..Draft::default() };
        draft.props.insert("halcyon_instance".into(), json!(instance));
        scene.world.chat.inject(draft).unwrap();
    };
    scene.world.settle().await;
    assert_eq!(told(), 0);
    for number in 0..3 {
        speak("0123456789abcdef", &format!("another word {number}"));
        speak("not a [name](http://x)", "nonsense");
    }
    scene.until("it is said", || told() > 0).await;
    let answer = scene.world.say("operator", "!status").await;
    assert!(answer.message.contains("is using my account"), "{}", answer.message);
    assert_eq!(told(), 1);
}
