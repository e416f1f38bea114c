//! The bot as one machine, without a runtime: what it decides when things happen in an order that only chance brings about.

use halcyon::adapters::content::read_packs;
use halcyon::core::action::execution::Execution;
use halcyon::core::action::run::{Captured, Exit, HostOutcome, Progress, RunNews, Work};
use halcyon::core::bot::{Bot, Step};
use halcyon::core::content::load::load;
use halcyon::core::effect::{Body, Delivery, Effect, Query};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::host::Inventory;
use halcyon::core::id::{ChannelId, ExecutionId, Host, PostId, UserId};
use halcyon::core::input::{
    ChannelKind, Connection, DeliveryOutcome, Directory, Event, HeardPost, Identity, Input, PostMarks,
};
use halcyon::core::memory::Memory;
use halcyon::core::settings::{Address, Grant, Limits, Role, Settings, Verb};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const CHANNEL: &str = "c1";

/// A bot that is connected, with all that it ever remembered and all that it was told to do.
struct Machine {
    bot: Bot,
    now: Timestamp,
    turn: u64,
    facts: Vec<Dated>,
}

fn settings() -> Arc<Settings> {
    let grant = |verb| Grant { verb, on: "*".into() };
    Arc::new(Settings {
        channels: vec!["cluster".into()],
        admin_channel: Some("cluster".into()),
        address: vec![Address::Mention, Address::Prefix],
        prefix: "!".into(),
        roles: vec![Role {
            name: "operator".into(),
            users: vec!["operator".into()],
            channels: Vec::new(),
            unix_users: Vec::new(),
            grants: vec![grant(Verb::Run)],
        }],
        mention_after: Duration::from_secs(10),
        grace: Duration::from_secs(30),
        limits: Limits::default(),
        own_uid: 1000,
    })
}

impl Machine {
    fn new() -> Self {
        Self::over(Vec::new(), Timestamp::from_second(1_700_000_000).unwrap())
    }

    /// A process that starts on these facts.
    fn over(facts: Vec<Dated>, now: Timestamp) -> Self {
        let bot = Bot::remember(&facts, settings()).unwrap();
        let mut machine = Self { bot, now, turn: 0, facts };
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let loaded = load(&read_packs(&[root.clone(), root.join("tests/data/packs/trial")]));
        machine.take(Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::new(loaded.diagnostics) });
        let (inventory, _) = Inventory::build(&["wn[001-006]".to_owned()], &BTreeMap::new());
        machine.take(Input::Inventory(Arc::new(inventory)));
        machine.take(Input::Started);
        machine.take(Input::Connection(Connection::Up {
            me: UserId::new("bot"),
            username: "halcyon".into(),
            max_post: 16_383,
        }));
        let users = BTreeMap::from([("operator".to_owned(), UserId::new("u1"))]);
        let channels = BTreeMap::from([("cluster".to_owned(), ChannelId::new(CHANNEL))]);
        machine.take(Input::Directory(Directory { users, channels }));
        machine
    }

    fn take(&mut self, input: Input) -> Step {
        self.turn += 1;
        let event = Event { at: self.now, entropy: self.turn.wrapping_mul(0x9e37_79b9), input };
        let step = self.bot.handle(event).expect("no input may contradict what is remembered");
        self.facts.extend(step.facts.iter().cloned());
        step
    }

    /// The operator writes a line, in a thread or not.
    fn hear(&mut self, line: &str, root: Option<&str>) -> Step {
        let author = UserId::new("u1");
        let identity = Identity {
            id: author.clone(),
            username: "operator".into(),
            is_bot: false,
            active: true,
            member_of: BTreeSet::new(),
            as_of: self.now,
        };
        self.take(Input::Post(HeardPost {
            id: PostId::new(format!("p{}", self.turn)),
            channel: ChannelId::new(CHANNEL),
            channel_kind: ChannelKind::Public,
            root: root.map(PostId::new),
            author,
            identity: Some(identity),
            message: line.to_owned(),
            created: self.now,
            marks: PostMarks::default(),
        }))
    }

    fn news(&mut self, id: &ExecutionId, news: RunNews) -> Step {
        self.take(Input::Run { execution: id.clone(), news })
    }

    fn wait(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }
}

/// All that a step says, posts and edits.
fn said(step: &Step) -> String {
    let texts = step.effects.iter().filter_map(|effect| match effect {
        Effect::Deliver(delivery) => match &delivery.body {
            Body::Post { text, .. } | Body::Edit { text, .. } => Some(text.as_str()),
        },
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn started(step: &Step) -> Option<ExecutionId> {
    step.facts.iter().find_map(|dated| match &dated.fact {
        Fact::ExecutionStarted(request) => Some(request.id.clone()),
        _ => None,
    })
}

fn ok(text: &str) -> Box<HostOutcome> {
    let stdout = Captured::Inline { text: text.to_owned() };
    Box::new(HostOutcome { exit: Exit::Code { code: 0 }, stdout, stderr: Captured::empty(), seconds: 0.1 })
}

#[test]
fn an_end_that_overtakes_a_look_up_is_noticed() {
    for (line, answered) in [("show", "done"), ("cancel", "has already ended"), ("list", "done")] {
        let mut machine = Machine::new();
        let id = started(&machine.hear("!greet you on wn001", None)).unwrap();
        let going = machine.bot.memory().executions[&id].clone();
        let asked = if line == "list" { "!list".to_owned() } else { format!("!{line} {}", id.short()) };
        let step = machine.hear(&asked, None);
        let Some(Effect::Find { ticket, .. }) = step.effects.last() else { panic!("{line}: {:?}", step.effects) };
        machine.news(&id, RunNews::HostFinished { host: Host::new("wn001"), outcome: ok("hello") });
        machine.news(&id, RunNews::Finished { error: None });
        let mut ended = going.clone();
        for dated in machine.facts.iter().filter(|dated| dated.fact.execution() == Some(&id)).skip(1) {
            ended.apply(dated.at, &dated.fact).unwrap();
        }
        let step = machine.take(Input::Found { ticket: ticket.clone(), executions: vec![going.clone()] });
        let Some(Effect::Find { query, ticket }) = step.effects.last() else { panic!("{line}: {:?}", step.effects) };
        let expected = if line == "list" { Query::Newest(10) } else { Query::ById(id.short().to_owned()) };
        assert_eq!(query, &expected);
        let step = machine.take(Input::Found { ticket: ticket.clone(), executions: vec![ended] });
        assert!(said(&step).contains(answered), "{line}: {}", said(&step));
        // A store that never learns it is no reason to fall over either.
        let step = machine.take(Input::Found { ticket: ticket.clone(), executions: vec![going] });
        assert!(!said(&step).is_empty(), "{line}");
    }
}

#[test]
fn a_number_answers_where_it_was_asked_for() {
    // (where the question was asked, the answer, where that was given, whether it counts)
    let cases = [
        (None, "1", None, true),
        (None, "!1", None, true),
        (None, "@halcyon 1", None, true),
        (None, "1", Some("the bot's own post"), true),
        (None, "2", None, false),
        (Some("t1"), "1", Some("t1"), true),
        (Some("t1"), "1", None, false),
        (Some("t1"), "@halcyon 1", Some("t2"), false),
    ];
    for (asked, answer, given, counts) in cases {
        let mut machine = Machine::new();
        let step = machine.hear("!uptme on wn001", asked);
        assert!(said(&step).contains("1. `uptime on wn001`"), "{}", said(&step));
        let step = machine.hear(answer, given);
        assert_eq!(started(&step).is_some(), counts, "{answer} in {given:?} after a question in {asked:?}");
    }
    let mut machine = Machine::new();
    machine.hear("!uptme on wn001", None);
    machine.wait(601);
    assert!(started(&machine.hear("1", None)).is_none(), "an offer lapses");
}

/// All that would be on disk.
fn stored(machine: &Machine) -> String {
    machine.facts.iter().map(|dated| serde_json::to_string(dated).unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_secret_is_remembered_in_no_form() {
    for line in [
        "!login with s3cr3t on wn001",
        "!login with s3cr3t on wn009",
        "!login with s3cr3t on wn001 timeout=soon",
        "!unlock with 73551 on wn001",
        "!unlock with 73551 on wn009",
    ] {
        let mut machine = Machine::new();
        let step = machine.hear(line, None);
        assert!(!step.facts.is_empty());
        for secret in ["s3cr3t", "73551"] {
            assert!(!stored(&machine).contains(secret), "{line}: {}", stored(&machine));
        }
    }
}

#[test]
fn a_rerun_runs_what_ran() {
    // The action has a secret of its own that nobody gave, and a command made of it.
    let mut machine = Machine::new();
    let step = machine.hear("!knock at wn001", None);
    let id = started(&step).unwrap();
    let script = |step: &Step| {
        step.effects.iter().find_map(|effect| match effect {
            Effect::Run(run) => match &run.work {
                Work::Remote(remote) => Some(remote.command.script.clone()),
                Work::Local(_) => None,
            },
            _ => None,
        })
    };
    let first = script(&step).unwrap();
    let going = machine.bot.memory().executions[&id].clone();
    let step = machine.hear(&format!("!rerun {}", id.short()), None);
    let Some(Effect::Find { ticket, .. }) = step.effects.last() else { panic!("{:?}", step.effects) };
    let step = machine.take(Input::Found { ticket: ticket.clone(), executions: vec![going] });
    assert_eq!(script(&step).as_ref(), Some(&first), "{}", said(&step));
}

/// Fresh numbers from a seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % end as u64).unwrap()
    }
}

/// What the world still owes the machine: news of runs in their order, answers of the store as of when it was asked, outcomes.
#[derive(Default)]
struct World {
    runs: BTreeMap<ExecutionId, VecDeque<RunNews>>,
    others: Vec<Input>,
    store: BTreeMap<ExecutionId, Execution>,
}

impl World {
    fn carry_out(&mut self, step: &Step, chance: &mut Chance) {
        for dated in &step.facts {
            match &dated.fact {
                Fact::ExecutionStarted(request) => {
                    self.store.insert(request.id.clone(), Execution::start(dated.at, (**request).clone()));
                }
                fact => {
                    if let Some(id) = fact.execution() {
                        self.store.get_mut(id).unwrap().apply(dated.at, fact).unwrap();
                    }
                }
            }
        }
        for effect in &step.effects {
            match effect {
                Effect::Run(run) => {
                    let mut news = VecDeque::new();
                    if let Work::Remote(remote) = &run.work {
                        for machine in &remote.hosts {
                            news.push_back(RunNews::HostStarted { host: machine.host.clone() });
                            news.push_back(RunNews::Progress(Progress::default()));
                            news.push_back(RunNews::HostFinished { host: machine.host.clone(), outcome: ok("x") });
                        }
                    }
                    let error = (chance.below(8) == 0).then(|| "it broke".to_owned());
                    news.push_back(RunNews::Finished { error });
                    self.runs.insert(run.execution.clone(), news);
                }
                Effect::Find { query, ticket } => {
                    let newest = self.store.values().rev();
                    let executions = match query {
                        Query::ById(end) => {
                            newest.filter(|one| one.request.id.as_str().ends_with(end)).cloned().collect()
                        }
                        Query::Newest(most) => newest.take(*most).cloned().collect(),
                    };
                    self.others.push(Input::Found { ticket: ticket.clone(), executions });
                }
                Effect::Deliver(delivery) => {
                    let outcome = if chance.below(10) == 0 {
                        DeliveryOutcome::Refused { why: "no".into() }
                    } else {
                        DeliveryOutcome::Sent { post: PostId::new(format!("post-{}", delivery.id)) }
                    };
                    self.others.push(Input::Delivered { delivery: delivery.id.clone(), outcome });
                }
                Effect::Refresh { .. }
                | Effect::React { .. }
                | Effect::Cancel(_)
                | Effect::Reload { .. }
                | Effect::Answer { .. } => {}
            }
        }
    }
}

#[test]
fn no_order_of_events_contradicts_the_memory() {
    let lines = [
        "!greet you on wn[001-003]",
        "!wait 5 on wn001",
        "!rest max_pause=3",
        "!rest max_pause=0",
        "!uptme on wn001",
        "1",
        "!2",
        "!login with s3cr3t on wn002",
        "!list",
        "!knock at wn004",
        "@halcyon",
        "!status",
        "!greet officer on wn001 word=x",
        "!help",
    ];
    for seed in 0..60 {
        let mut chance = Chance(seed);
        let mut machine = Machine::new();
        let mut world = World::default();
        for _ in 0..150 {
            let step = match chance.below(10) {
                0 | 1 => machine.hear(lines[chance.below(lines.len())], None),
                2 | 3 if !world.store.is_empty() => {
                    let id = world.store.keys().nth(chance.below(world.store.len())).unwrap().short().to_owned();
                    let verb = ["cancel", "cancel", "show", "rerun"][chance.below(4)];
                    machine.hear(&format!("!{verb} {id}"), None)
                }
                4..=6 if !world.runs.is_empty() => {
                    let id = world.runs.keys().nth(chance.below(world.runs.len())).unwrap().clone();
                    match world.runs.get_mut(&id).and_then(VecDeque::pop_front) {
                        Some(news) => machine.news(&id, news),
                        None => {
                            world.runs.remove(&id);
                            continue;
                        }
                    }
                }
                7 | 8 if !world.others.is_empty() => {
                    let input = world.others.remove(chance.below(world.others.len()));
                    machine.take(input)
                }
                9 if chance.below(6) == 0 => {
                    // The process dies: what was on its way is lost, and news of what ran never comes.
                    let mut promised = Memory::default();
                    machine.facts.iter().for_each(|dated| promised.apply(dated).unwrap());
                    assert_eq!(&promised, machine.bot.memory(), "the memory is the fold of the facts");
                    let known = machine.facts.len();
                    machine = Machine::over(machine.facts, machine.now);
                    world.runs.clear();
                    world.others.clear();
                    let facts = machine.facts[known..].to_vec();
                    Step { facts, effects: Vec::new() }
                }
                _ => {
                    machine.wait(1);
                    machine.take(Input::Deadline)
                }
            };
            world.carry_out(&step, &mut chance);
            for id in machine.bot.memory().executions.keys() {
                let execution = &machine.bot.memory().executions[id];
                assert!(execution.request.ends_at.is_some() || world.runs.contains_key(id), "{id} can never end");
            }
            assert!(said(&step).lines().all(|line| !line.contains("is broken")), "{}", said(&step));
            assert!(step.effects.iter().all(|effect| !matches!(effect, Effect::Deliver(Delivery { body: Body::Post { text, .. } | Body::Edit { text, .. }, .. }) if text.is_empty())));
        }
    }
}

#[test]
fn what_may_not_be_given_with_a_line() {
    for (line, runs) in [
        ("!uptime on wn001", true),
        ("!uptime on wn001 timeout=5", true),
        ("!uptime on wn001 env={\"PATH\":\"/opt/elsewhere\"}", false),
        ("!uptime on wn001 cmd=reboot", false),
        ("!knock at wn001 cmd=date env={\"LANG\":\"C\"}", true),
        ("@halcyon. uptime on wn001", true),
        ("@halcyon.second uptime on wn001", false),
    ] {
        let mut machine = Machine::new();
        let step = machine.hear(line, None);
        assert_eq!(started(&step).is_some(), runs, "{line}: {}", said(&step));
    }
}

#[test]
fn a_secret_in_a_line_is_neither_repeated_nor_remembered() {
    for (line, runs) in [
        ("!login with s3cr3t on wn002", true),
        ("!login with s3cr3t on wn002 pass=other", true),
        ("!login with other on wn002 pass=s3cr3t", true),
        ("!knock at wn001 word=s3cr3t", true),
        ("!login with s3cr3t on wn0002", false),
        ("!login with s3cr3t on", false),
        ("!logn with s3cr3t on wn002", false),
        ("!frobnicate word=s3cr3t now", false),
        ("!frobnicate db_password='long s3cr3t' now", false),
        ("!frobnicate token=\"s3cr3t", false),
        ("!sign in with s3cr3t on wn002", false),
    ] {
        let mut machine = Machine::new();
        let step = machine.hear(line, None);
        assert_eq!(started(&step).is_some(), runs, "{line}: {}", said(&step));
        assert!(!said(&step).is_empty(), "{line}");
        let facts = serde_json::to_string(&step.facts).unwrap();
        assert!(!facts.contains("s3cr3t") && !said(&step).contains("s3cr3t"), "{line}: {facts}");
    }
}

/// What becomes of lines written in the same second: `!` answered, `.` marked and no more, `x` told that it was too much.
fn passages(limits: Limits, lines: usize) -> String {
    let mut machine = Machine::new();
    machine.take(Input::Settings(Arc::new(Settings { limits, ..(*settings()).clone() })));
    let passages = (0..lines).map(|_| {
        let step = machine.hear("!whoami", None);
        match said(&step) {
            text if text.contains("within a minute") => 'x',
            text if text.is_empty() => {
                let marked =
                    |effect: &Effect| matches!(effect, Effect::React { emoji: "no_entry_sign", remove: false, .. });
                assert!(step.effects.iter().any(marked), "every line gets a sign");
                '.'
            }
            _ => '!',
        }
    });
    passages.collect()
}

#[test]
fn more_lines_than_may_be_are_marked_and_told_once() {
    let limits = |user, channel| Limits { lines_per_user: user, lines_per_channel: channel, ..Limits::default() };
    assert_eq!(passages(limits(3, 100), 6), "!!!x..");
    assert_eq!(passages(limits(100, 3), 6), "!!!x..");
    assert_eq!(passages(Limits::default(), 60), "!".repeat(60));
}

#[test]
fn a_bound_opens_again() {
    for (limits, rest, again) in [
        // One person's lines grow old one by one.
        (Limits { lines_per_user: 2, ..Limits::default() }, 60, true),
        (Limits { lines_per_user: 2, ..Limits::default() }, 59, false),
        // A channel has to be quiet for a minute.
        (Limits { lines_per_channel: 2, ..Limits::default() }, 60, true),
        (Limits { lines_per_channel: 2, ..Limits::default() }, 59, false),
    ] {
        let mut machine = Machine::new();
        machine.take(Input::Settings(Arc::new(Settings { limits: limits.clone(), ..(*settings()).clone() })));
        for _ in 0..4 {
            machine.hear("!whoami", None);
        }
        machine.wait(rest);
        assert_eq!(!said(&machine.hear("!whoami", None)).is_empty(), again, "{limits:?} after {rest} s");
    }
}

#[test]
fn more_executions_than_may_be_are_refused() {
    for (limits, why) in [
        (Limits { executions_per_user: 2, ..Limits::default() }, "2 commands of yours"),
        (Limits { executions: 2, ..Limits::default() }, "2 commands are under way"),
    ] {
        let mut machine = Machine::new();
        machine.take(Input::Settings(Arc::new(Settings { limits, ..(*settings()).clone() })));
        let first = started(&machine.hear("!greet you on wn001", None)).unwrap();
        assert!(started(&machine.hear("!greet you on wn002", None)).is_some());
        let refused = machine.hear("!greet you on wn003", None);
        assert!(started(&refused).is_none() && said(&refused).contains(why), "{}", said(&refused));
        machine.news(&first, RunNews::HostFinished { host: Host::new("wn001"), outcome: ok("hello") });
        machine.news(&first, RunNews::Finished { error: None });
        assert!(started(&machine.hear("!greet you on wn003", None)).is_some());
    }
}
