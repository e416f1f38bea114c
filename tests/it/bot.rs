//! The bot as one machine, without a runtime: what it decides when things happen in an order that only chance brings about.

use halcyon::adapters::content::read_packs;
use halcyon::core::action::execution::Execution;
use halcyon::core::action::run::{Captured, Exit, HostOutcome, Progress, RunNews, Work};
use halcyon::core::bot::{Bot, Step};
use halcyon::core::content::diagnostic::Diagnostic;
use halcyon::core::content::load::load;
use halcyon::core::content::{Catalog, PackSource};
use halcyon::core::effect::{Body, Delivery, Effect, Query};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::host::Inventory;
use halcyon::core::id::{ChannelId, ExecutionId, Host, PostId, UserId};
use halcyon::core::input::{
    ChannelKind, Connection, DeliveryOutcome, Directory, Event, HeardPost, Identifying, Identity, Input, PostMarks,
    Unread,
};
use halcyon::core::memory::Memory;
use halcyon::core::settings::{Address, Grant, Limits, Role, Settings, Verb};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub(crate) const CHANNEL: &str = "c1";

/// What is in force of some packs, and what is wrong with them.
pub(crate) type Content = (Arc<Catalog>, Arc<Vec<Diagnostic>>);

/// The packs, read once.
static CONTENT: LazyLock<Content> = LazyLock::new(|| {
    let loaded = load(&packs());
    (Arc::new(loaded.catalog), Arc::new(loaded.diagnostics))
});

/// The site's own pack and the one of the tests, as they are read.
pub(crate) fn packs() -> Vec<PackSource> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    read_packs(&[root.clone(), root.join("tests/data/packs/trial")])
}

/// A bot that is connected, with all that it ever remembered and all that it was told to do.
pub(crate) struct Machine {
    pub(crate) bot: Bot,
    pub(crate) now: Timestamp,
    turn: u64,
    pub(crate) facts: Vec<Dated>,
    /// What it was told to do when it started.
    pub(crate) first: Vec<Effect>,
    /// What it was told to do when it was connected.
    pub(crate) connected: Vec<Effect>,
}

pub(crate) fn settings() -> Settings {
    Settings {
        buttons: false,
        channels: vec!["cluster".into()],
        admin_channel: Some("cluster".into()),
        alert_channel: None,
        address: vec![Address::Mention, Address::Prefix],
        prefix: "!".into(),
        roles: vec![Role {
            name: "operator".into(),
            users: vec!["operator".into()],
            grants: vec![Grant::new(Verb::Run, "*")],
            ..Role::default()
        }],
        late_after: Duration::from_secs(120),
        zone: String::new(),
        mention_after: Duration::from_secs(10),
        grace: Duration::from_secs(30),
        guard: halcyon::core::rule::guard::Guard::default(),
        settle: Duration::from_secs(120),
        storms: halcyon::core::alert::storm::Terms::default(),
        escalation: halcyon::core::alert::escalation::Escalation::default(),
        monitorings: Vec::new(),
        limits: Limits::default(),
        own_uid: 1000,
        chat_users: BTreeMap::new(),
    }
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::over(Vec::new(), Timestamp::from_second(1_700_000_000).unwrap())
    }

    /// A process that starts on these facts.
    pub(crate) fn over(facts: Vec<Dated>, now: Timestamp) -> Self {
        Self::with_content(facts, now, &CONTENT)
    }

    /// The same with other packs.
    pub(crate) fn with_content(facts: Vec<Dated>, now: Timestamp, content: &Content) -> Self {
        let users = BTreeMap::from([("operator".to_owned(), UserId::new("u1"))]);
        Self::among(facts, now, content, settings(), users)
    }

    /// The same with other people.
    pub(crate) fn among(
        facts: Vec<Dated>,
        now: Timestamp,
        content: &Content,
        settings: Settings,
        users: BTreeMap<String, UserId>,
    ) -> Self {
        let bot = Bot::remember(&facts, Arc::new(settings)).unwrap();
        // Every process draws other numbers.
        let turn = 1_000 * facts.len() as u64;
        let mut machine = Self { bot, now, turn, facts, first: Vec::new(), connected: Vec::new() };
        let (catalog, problems) = content;
        machine.take(Input::Content { catalog: Arc::clone(catalog), problems: Arc::clone(problems) });
        let (inventory, _) = Inventory::build(&["wn[001-006]".to_owned()], &BTreeMap::new());
        machine.take(Input::Inventory(Arc::new(inventory)));
        machine.first = machine.take(Input::Started).effects;
        let step = machine.take(Input::Connection(Connection::Up {
            me: UserId::new("bot"),
            username: "halcyon".into(),
            max_post: 16_383,
        }));
        machine.connected = step.effects;
        let channels = BTreeMap::from([("cluster".to_owned(), ChannelId::new(CHANNEL))]);
        let step = machine.take(Input::Directory(Directory { users, channels, ..Directory::default() }));
        machine.connected.extend(step.effects);
        machine
    }

    pub(crate) fn take(&mut self, input: Input) -> Step {
        self.turn += 1;
        let event = Event { at: self.now, entropy: self.turn.wrapping_mul(0x9e37_79b9), input };
        let step = self.bot.handle(event).expect("no input may contradict what is remembered");
        self.facts.extend(step.facts.iter().cloned());
        step
    }

    /// The operator writes a line, in a thread or not.
    pub(crate) fn hear(&mut self, line: &str, root: Option<&str>) -> Step {
        let post = self.post(line, root);
        self.take(Input::Post(post))
    }

    /// A line that was written so many seconds ago, while nobody listened.
    pub(crate) fn miss(&mut self, line: &str, seconds: i64) -> Step {
        let created = self.now.checked_sub(SignedDuration::from_secs(seconds)).unwrap();
        let post = HeardPost { created, missed: true, ..self.post(line, None) };
        self.take(Input::Post(post))
    }

    pub(crate) fn post(&self, line: &str, root: Option<&str>) -> HeardPost {
        let author = UserId::new("u1");
        let identity = Identity {
            id: author.clone(),
            username: "operator".into(),
            is_bot: false,
            active: true,
            member_of: BTreeSet::new(),
            zone: "Europe/Zurich".into(),
            as_of: self.now,
        };
        HeardPost {
            id: PostId::new(format!("p{}", self.turn)),
            channel: ChannelId::new(CHANNEL),
            channel_kind: ChannelKind::Public,
            root: root.map(PostId::new),
            author,
            identity: Some(identity),
            message: line.to_owned(),
            created: self.now,
            heard: self.now,
            missed: false,
            instance: None,
            marks: PostMarks::default(),
        }
    }

    /// It has been looked up who the operator is, on whose word an execution may begin.
    pub(crate) fn identify(&mut self, id: &ExecutionId) -> Step {
        let people = self.post("", None).identity.into_iter().collect();
        self.take(Input::Identified { of: Identifying::Beginning(id.clone()), people: Some(people) })
    }

    /// An execution as its facts have it.
    pub(crate) fn ended(&self, id: &ExecutionId) -> Execution {
        let mut facts = self.facts.iter().filter(|dated| dated.fact.execution() == Some(id));
        let first = facts.next().unwrap();
        let mut execution = match &first.fact {
            Fact::ExecutionStarted(request) => Execution::start(first.at, (**request).clone()),
            Fact::ExecutionWaits(waits) => Execution::wait(first.at, waits),
            other => panic!("{other:?} begins nothing"),
        };
        for dated in facts {
            execution.apply(dated.at, &dated.fact).unwrap();
        }
        execution
    }

    pub(crate) fn news(&mut self, id: &ExecutionId, news: RunNews) -> Step {
        self.take(Input::Run { execution: id.clone(), news })
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }
}

/// All that a step says, posts and edits.
pub(crate) fn said(step: &Step) -> String {
    let texts = step.effects.iter().filter_map(|effect| match effect {
        Effect::Deliver(delivery) => match &delivery.body {
            Body::Post { text, .. } | Body::Edit { text, .. } | Body::Attached { text, .. } => Some(text.as_str()),
            Body::Mark { .. } => None,
        },
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

pub(crate) fn started(step: &Step) -> Option<ExecutionId> {
    step.facts.iter().find_map(|dated| match &dated.fact {
        Fact::ExecutionStarted(request) => Some(request.id.clone()),
        _ => None,
    })
}

pub(crate) fn ok(text: &str) -> Box<HostOutcome> {
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
        let step = machine.take(Input::Found { ticket: (**ticket).clone(), executions: vec![going.clone()] });
        let Some(Effect::Find { query, ticket }) = step.effects.last() else { panic!("{line}: {:?}", step.effects) };
        let listed = Query::Visible { limit: 10, actions: vec!["*".to_owned()] };
        let expected = if line == "list" { listed } else { Query::ById(id.short().to_owned()) };
        assert_eq!(query, &expected);
        let step = machine.take(Input::Found { ticket: (**ticket).clone(), executions: vec![ended] });
        assert!(said(&step).contains(answered), "{line}: {}", said(&step));
        // A store that never learns it is no reason to fall over either.
        let step = machine.take(Input::Found { ticket: (**ticket).clone(), executions: vec![going] });
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
                Work::Local(_) | Work::Http(_) | Work::Mail(_) | Work::Monitoring(_) => None,
            },
            _ => None,
        })
    };
    let first = script(&step).unwrap();
    crate::taking_turns::ends(&mut machine, &id, crate::taking_turns::done());
    let ended = machine.ended(&id);
    let step = machine.hear(&format!("!rerun {}", id.short()), None);
    let Some(Effect::Find { ticket, .. }) = step.effects.last() else { panic!("{:?}", step.effects) };
    let step = machine.take(Input::Found { ticket: (**ticket).clone(), executions: vec![ended] });
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
    runs: BTreeMap<(ExecutionId, u64), VecDeque<RunNews>>,
    begun: u64,
    others: Vec<Input>,
    store: BTreeMap<ExecutionId, Execution>,
    people: Vec<Identity>,
}

impl World {
    fn carry_out(&mut self, step: &Step, chance: &mut Chance) {
        for dated in &step.facts {
            match &dated.fact {
                Fact::ExecutionWaits(waits) => {
                    self.store.insert(waits.request.id.clone(), Execution::wait(dated.at, waits));
                }
                Fact::ExecutionStarted(request) if !self.store.contains_key(&request.id) => {
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
                    self.begun += 1;
                    self.runs.insert((run.execution.clone(), self.begun), news);
                }
                Effect::Attach(attach) => {
                    let mut news = VecDeque::new();
                    for host in attach.begun.keys() {
                        let exit = match chance.below(4) {
                            0 => Exit::Unheard { code: 0 },
                            1 | 2 => Exit::Unknown { why: "it is gone".to_owned() },
                            _ => Exit::NeverBegan { why: "it is not there".to_owned() },
                        };
                        let lost = !matches!(exit, Exit::Unheard { .. }) && chance.below(4) != 0;
                        let (host, outcome) = (host.clone(), Box::new(HostOutcome { exit, ..*ok("") }));
                        news.push_back(match lost {
                            true => RunNews::HostLost { host, outcome },
                            false => RunNews::HostFinished { host, outcome },
                        });
                    }
                    news.push_back(RunNews::Finished { error: None });
                    self.begun += 1;
                    self.runs.insert((attach.execution.clone(), self.begun), news);
                }
                Effect::Find { query, ticket } => {
                    let newest = self.store.values().rev();
                    let executions = match query {
                        Query::ById(end) => {
                            newest.filter(|one| one.request.id.as_str().ends_with(end)).cloned().collect()
                        }
                        Query::Newest(most)
                        | Query::Visible { limit: most, .. }
                        | Query::Filtered { limit: most, .. } => newest.take(*most).cloned().collect(),
                    };
                    self.others.push(Input::Found { ticket: (**ticket).clone(), executions });
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
                | Effect::ReadReactions { .. }
                | Effect::OpenDialog { .. }
                | Effect::Reply { .. }
                | Effect::LookUpUser { .. }
                | Effect::ReadOutputs { .. }
                | Effect::HandOut { .. }
                | Effect::ReadMonitoring { .. }
                | Effect::Reload { .. }
                | Effect::StartSensor(_)
                | Effect::StopSensor { .. }
                | Effect::Audit { .. }
                | Effect::Answer { .. } => {}
                Effect::Identify { of, .. } => {
                    let people = (chance.below(10) != 0).then(|| self.people.clone());
                    self.others.push(Input::Identified { of: of.clone(), people });
                }
            }
        }
    }
}

/// No two executions work on one host at the same time unless both only look.
fn nobody_works_beside_another(machine: &Machine) {
    let mut there: BTreeMap<Host, Vec<(bool, ExecutionId)>> = BTreeMap::new();
    for execution in machine.bot.memory().under_way() {
        let claim = execution.request.claim();
        for host in claim.hosts {
            there.entry(host).or_default().push((claim.looks, execution.request.id.clone()));
        }
    }
    for (host, all) in there {
        assert!(all.len() < 2 || all.iter().all(|(looks, _)| *looks), "{all:?} work on {host} at the same time");
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
        let people = machine.post("", None).identity.into_iter().collect();
        let mut world = World { people, ..World::default() };
        for _ in 0..150 {
            let step = match chance.below(10) {
                0 | 1 => machine.hear(lines[chance.below(lines.len())], None),
                2 | 3 if !world.store.is_empty() => {
                    let id = world.store.keys().nth(chance.below(world.store.len())).unwrap().short().to_owned();
                    let [verb, more] = [
                        ["cancel", ""],
                        ["cancel", ""],
                        ["show", ""],
                        ["rerun", ""],
                        ["settle", "ran"],
                        ["settle", "not run"],
                        ["settle", "again"],
                    ][chance.below(7)];
                    machine.hear(format!("!{verb} {id} {more}").trim(), None)
                }
                4..=6 if !world.runs.is_empty() => {
                    let run = world.runs.keys().nth(chance.below(world.runs.len())).unwrap().clone();
                    match world.runs.get_mut(&run).and_then(VecDeque::pop_front) {
                        Some(news) => machine.news(&run.0, news),
                        None => {
                            world.runs.remove(&run);
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
                    Step { facts, effects: std::mem::take(&mut machine.first) }
                }
                _ => {
                    machine.wait(1);
                    machine.take(Input::Deadline)
                }
            };
            world.carry_out(&step, &mut chance);
            for id in machine.bot.memory().executions.keys() {
                let execution = &machine.bot.memory().executions[id];
                let runs = world.runs.keys().any(|(running, _)| running == id);
                let waits = execution.status.waits();
                assert!(execution.request.ends_at.is_some() || runs || waits, "{id} can never end");
            }
            nobody_works_beside_another(&machine);
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
    machine.take(Input::Settings(Arc::new(Settings { limits, ..settings() })));
    let passages = (0..lines).map(|_| {
        let step = machine.hear("!whoami", None);
        match said(&step) {
            text if text.contains("within a minute") => 'x',
            text if text.is_empty() => {
                let marked = |dated: &Dated| {
                    matches!(&dated.fact, Fact::DeliveryIntended(Delivery { body: Body::Mark { emoji, .. }, .. }) if emoji == "no_entry_sign")
                };
                assert!(step.facts.iter().any(marked), "every line gets a sign that outlives a crash");
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
        machine.take(Input::Settings(Arc::new(Settings { limits: limits.clone(), ..settings() })));
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
        machine.take(Input::Settings(Arc::new(Settings { limits, ..settings() })));
        let first = started(&machine.hear("!greet you on wn001", None)).unwrap();
        assert!(started(&machine.hear("!greet you on wn002", None)).is_some());
        let refused = machine.hear("!greet you on wn003", None);
        assert!(started(&refused).is_none() && said(&refused).contains(why), "{}", said(&refused));
        machine.news(&first, RunNews::HostFinished { host: Host::new("wn001"), outcome: ok("hello") });
        machine.news(&first, RunNews::Finished { error: None });
        assert!(started(&machine.hear("!greet you on wn003", None)).is_some());
    }
}

/// The store's answer to the newest look-up, as of now.
fn look_up(machine: &mut Machine, step: &Step) -> Step {
    let Some(Effect::Find { query: Query::ById(end), ticket }) = step.effects.last() else {
        panic!("nothing is looked up: {:?}", step.effects)
    };
    let mut found: BTreeMap<ExecutionId, Execution> = BTreeMap::new();
    for dated in &machine.facts {
        match (&dated.fact, dated.fact.execution()) {
            (Fact::ExecutionStarted(request), _) => {
                found.insert(request.id.clone(), Execution::start(dated.at, (**request).clone()));
            }
            (fact, Some(id)) => found.get_mut(id).unwrap().apply(dated.at, fact).unwrap(),
            (_, None) => {}
        }
    }
    let executions = found.into_values().filter(|one| one.request.id.as_str().ends_with(end)).collect();
    machine.take(Input::Found { ticket: (**ticket).clone(), executions })
}

/// An execution of `line` of which nobody knows how it ended, its card standing as `card`; and what was said of that.
fn in_doubt(machine: &mut Machine, line: &str, host: &str, card: &str) -> (ExecutionId, String) {
    let id = started(&machine.hear(line, None)).unwrap();
    let delivery = halcyon::core::memory::card_of(&id);
    machine.take(Input::Delivered { delivery, outcome: DeliveryOutcome::Sent { post: PostId::new(card) } });
    let exit = Exit::Unknown { why: "it is gone".into() };
    let outcome = Box::new(HostOutcome { exit, ..*ok("") });
    machine.news(&id, RunNews::HostLost { host: Host::new(host), outcome });
    let told = said(&machine.news(&id, RunNews::Finished { error: None }));
    (id, told)
}

#[test]
fn a_question_is_answered_where_it_stands_and_by_whom_it_concerns() {
    // (the answer, where it is given, by the execution's number; whether it settles the first question or the second)
    let cases = [
        ("1", Some("card1"), Some(0)),
        ("!1", Some("card1"), Some(0)),
        ("2", Some("card2"), Some(1)),
        ("4", Some("card1"), None),
        ("1", None, None),
        // Which of the two, nobody can tell.
        ("!1", None, None),
        ("1", Some("elsewhere"), None),
    ];
    for (answer, root, settles) in cases {
        let mut machine = Machine::new();
        let (first, told) = in_doubt(&mut machine, "!hold 5 on wn001", "wn001", "card1");
        assert!(told.contains("@operator") && told.contains(&format!("settle {} not run", first.short())), "{told}");
        let (second, _) = in_doubt(&mut machine, "!hold 5 on wn002", "wn002", "card2");
        assert_eq!(machine.bot.memory().questions.len(), 2);
        // The questions outlive the process.
        let (facts, now) = (machine.facts.clone(), machine.now);
        machine = Machine::over(facts, now);
        let step = machine.hear(answer, root);
        let found = step.effects.iter().any(|effect| matches!(effect, Effect::Find { .. }));
        assert_eq!(found, settles.is_some(), "{answer} in {root:?}");
        let Some(which) = settles else { continue };
        let noted = said(&look_up(&mut machine, &step));
        assert!(noted.contains("operator says"), "{noted}");
        let open: Vec<&ExecutionId> = machine.bot.memory().questions.keys().collect();
        assert_eq!(open, [[&second, &first][which]], "{answer} in {root:?}");
    }
}

#[test]
fn the_first_judgement_counts_and_again_runs_on_those_hosts_only() {
    let mut machine = Machine::new();
    let id = started(&machine.hear("!hold 5 on wn[001-003]", None)).unwrap();
    machine.news(&id, RunNews::HostFinished { host: Host::new("wn001"), outcome: ok("held") });
    for host in ["wn002", "wn003"] {
        let outcome = Box::new(HostOutcome { exit: Exit::Unknown { why: "it is gone".into() }, ..*ok("") });
        machine.news(&id, RunNews::HostLost { host: Host::new(host), outcome });
    }
    machine.news(&id, RunNews::Finished { error: None });
    let step = machine.hear(&format!("!settle {} again", id.short()), None);
    let step = look_up(&mut machine, &step);
    let run = step.effects.iter().find_map(|effect| match effect {
        Effect::Run(run) => Some(run),
        _ => None,
    });
    let Work::Remote(remote) = &run.unwrap().work else { panic!("it is remote") };
    let hosts: Vec<&str> = remote.hosts.iter().map(|machine| machine.host.as_str()).collect();
    assert_eq!(hosts, ["wn002", "wn003"]);
    let step = machine.hear(&format!("!settle {} ran", id.short()), None);
    let said = said(&look_up(&mut machine, &step));
    assert!(said.contains("is already settled: operator says that it should run again"), "{said}");
    assert!(machine.bot.memory().questions.is_empty());
}

#[test]
fn what_was_asked_for_outside_the_chat_is_asked_about_in_the_admin_channel() {
    let mut machine = Machine::new();
    let step = machine.take(Input::Request {
        request: halcyon::core::id::RequestId(1),
        from: halcyon::core::input::Principal::LocalUser { uid: 1000, name: "halcyon".into() },
        ask: halcyon::core::input::Ask::Run {
            action: halcyon::core::id::ActionRef::new("trial.hold"),
            parameters: BTreeMap::from([("hosts".to_owned(), "wn001".into())]),
            trace_tag: None,
        },
    });
    let id = started(&step).unwrap();
    let exit = Exit::Unknown { why: "it is gone".into() };
    let outcome = Box::new(HostOutcome { exit, ..*ok("") });
    machine.news(&id, RunNews::HostLost { host: Host::new("wn001"), outcome });
    let told = said(&machine.news(&id, RunNews::Finished { error: None }));
    assert!(told.contains("I cannot find out what became of it on `wn001`"), "{told}");
    let post = PostId::new("question");
    let delivery = halcyon::core::memory::question_of(&id);
    machine.take(Input::Delivered { delivery, outcome: DeliveryOutcome::Sent { post } });
    // In its thread anybody who calls the bot may answer; a bare number may be part of another talk.
    assert!(machine.hear("1", Some("question")).facts.is_empty());
    let step = machine.hear("!1", Some("question"));
    assert!(said(&look_up(&mut machine, &step)).contains("operator says that it ran"));
}

#[test]
fn nothing_runs_again_that_is_not_exactly_the_same() {
    // (line, what the node says of it, how long ago it was asked for, whether it is run again)
    let never = || Exit::NeverBegan { why: "not there".into() };
    let gone = || Exit::Unknown { why: "gone".into() };
    for (line, exit, seconds, again) in [
        ("!hold 5 on wn001", never(), 20, true),
        ("!hold 5 on wn001", never(), 900, false),
        ("!hold 5 on wn001", gone(), 20, false),
        ("!uptime on wn001", gone(), 20, true),
        ("!uptime on wn001", gone(), 900, false),
        // The secret is gone with the process that knew it.
        ("!login with s3cr3t on wn001", never(), 20, false),
        // One that the pack has put there itself is there again.
        ("!knock at wn001", never(), 20, true),
    ] {
        let mut machine = Machine::new();
        let first = machine.hear(line, None);
        let id = started(&first).unwrap();
        machine.wait(seconds);
        let mut machine = Machine::over(machine.facts, machine.now);
        assert!(matches!(machine.first.first(), Some(Effect::Attach(attach)) if attach.execution == id), "{line}");
        let outcome = || Box::new(HostOutcome { exit: exit.clone(), ..*ok("") });
        let step = machine.news(&id, RunNews::HostLost { host: Host::new("wn001"), outcome: outcome() });
        let runs = |step: &Step| {
            step.effects.iter().find_map(|effect| match effect {
                Effect::Run(run) => Some((format!("{:?}", run.work), run.attempt)),
                _ => None,
            })
        };
        let run = runs(&step);
        assert_eq!(run.is_some(), again, "{line} {exit:?} {seconds}");
        let Some((work, attempt)) = run else { continue };
        assert_eq!((work, attempt), (runs(&first).unwrap().0, 1), "{line}");
        machine.news(&id, RunNews::Finished { error: None });
        // A second doubt about the same is no reason to go on and on.
        let step = machine.news(&id, RunNews::HostLost { host: Host::new("wn001"), outcome: outcome() });
        assert_eq!(runs(&step).is_some(), matches!(exit, Exit::NeverBegan { .. }), "{line}");
    }
}

#[test]
fn a_line_that_waited_for_the_store_is_answered_after_a_restart() {
    for line in ["!list", "!show abcdef", "!cancel abcdef", "!rerun abcdef"] {
        let mut machine = Machine::new();
        let step = machine.hear(line, Some("t1"));
        assert!(matches!(step.effects.last(), Some(Effect::Find { .. })), "{line}");
        let again = Machine::over(machine.facts.clone(), machine.now);
        let told = |facts: &[Dated]| {
            let said = facts.iter().filter(|dated| {
                matches!(&dated.fact, Fact::DeliveryIntended(Delivery { body: Body::Post { text, root, .. }, .. })
                    if text.contains("I was restarted") && text.contains(&line[1..]) && root.is_some())
            });
            said.count()
        };
        assert_eq!(told(&again.facts), 1, "{line}");
        // Once is enough, whoever starts next.
        assert_eq!(told(&Machine::over(again.facts, machine.now).facts), 1, "{line}");
        let Some(Effect::Find { ticket, .. }) = step.effects.last() else { unreachable!() };
        machine.take(Input::Found { ticket: (**ticket).clone(), executions: Vec::new() });
        assert_eq!(told(&Machine::over(machine.facts, machine.now).facts), 0, "{line}: it was answered");
    }
}

#[test]
fn what_was_missed_is_judged_by_its_age_and_by_what_it_does() {
    // (line, seconds, what is said, whether it runs)
    let cases = [
        ("!count to 3 on wn001", 5, "count to 3", true),
        ("!count to 3 on wn001", 119, "count to 3", true),
        ("!count to 3 on wn001", 121, "Please say it again", false),
        ("!greet you on wn001", 1, "answer `1` if you still want it", false),
        ("!greet you on wn001", 121, "Please say it again", false),
        ("!rerun abcdef", 1, "answer `1` if you still want it", false),
        ("!login with hunter2 on wn001", 1, "Please say it again", false),
        ("!login with hunter2 on wn001", 500, "Please say it again", false),
        ("!greet x;y on wn001", 1, "I cannot run", false),
        ("!uptme on wn001", 1, "Did you mean", false),
        ("!whoami", 1, "You are **operator**", false),
    ];
    for (line, seconds, expected, runs) in cases {
        let mut machine = Machine::new();
        let step = machine.miss(line, seconds);
        assert!(said(&step).contains(expected), "{line} after {seconds} s: {}", said(&step));
        assert_eq!(started(&step).is_some(), runs, "{line} after {seconds} s");
        assert!(!stored(&machine).contains("hunter2"));
    }
    let mut machine = Machine::new();
    let clock = SignedDuration::from_hours(3);
    let created = machine.now.checked_sub(clock).unwrap();
    let post = HeardPost { created, ..machine.post("!greet you on wn001", None) };
    assert!(started(&machine.take(Input::Post(post))).is_some(), "what is heard as it is written is never late");
}

#[test]
fn a_number_that_is_older_than_the_question_answers_nothing() {
    let mut machine = Machine::new();
    machine.hear("!uptme on wn001", None);
    let step = machine.miss("1", 5);
    assert!(started(&step).is_none() && step.facts.is_empty(), "{step:?}");
    assert!(started(&machine.hear("1", None)).is_some());
}

#[test]
fn lines_that_are_asked_about_again_keep_their_numbers() {
    let mut machine = Machine::new();
    machine.hear("!uptme on wn001", None);
    for (line, number) in [("!greet a on wn002", 2), ("!greet b on wn003", 3), ("!greet c on wn004", 4)] {
        let step = machine.miss(line, 1);
        assert!(said(&step).contains(&format!("answer `{number}`")), "{}", said(&step));
    }
    let mut machine = Machine::over(machine.facts, machine.now);
    machine.turn += 1000;
    machine.wait(1);
    for (number, runs) in [("3", true), ("3", false), ("1", false), ("4", true), ("2", true), ("2", false)] {
        assert_eq!(started(&machine.hear(number, None)).is_some(), runs, "{number}");
    }
    assert!(machine.bot.memory().choices.is_empty());
}

#[test]
fn the_cursor_is_noted_sparingly_and_never_goes_back() {
    let mut machine = Machine::new();
    let start = machine.now;
    assert_eq!(machine.bot.memory().heard(), None);
    machine.take(Input::CaughtUp { until: start, unread: Vec::new() });
    assert_eq!((machine.bot.memory().heard(), machine.bot.memory().begun()), (Some(start), Some(start)));
    let mut noted = 0;
    for _ in 0..600 {
        machine.wait(1);
        let step = machine.hear("chatter", None);
        noted += step.facts.len();
    }
    assert_eq!(noted, 10, "once a minute");
    let heard = machine.bot.memory().heard();
    let far = HeardPost {
        created: machine.now.checked_add(SignedDuration::from_hours(1)).unwrap(),
        ..machine.post("!whoami", None)
    };
    machine.take(Input::Post(far));
    assert!(machine.bot.memory().heard() <= Some(machine.now), "a date in the future moves nothing");
    machine.take(Input::CaughtUp { until: start, unread: Vec::new() });
    assert!(machine.bot.memory().heard() >= heard);
    // A post that was taken is known for as long as it may turn up again, and forgotten then.
    let post = machine.post("!whoami", None);
    machine.take(Input::Post(post.clone()));
    for minutes in [1, 8, 1, 30] {
        assert!(machine.bot.memory().has_taken(&post.id), "{minutes}");
        assert!(machine.take(Input::Post(HeardPost { missed: true, ..post.clone() })).facts.is_empty());
        machine.wait(60 * minutes);
        machine.hear("chatter", None);
    }
    machine.hear("!whoami", None);
    assert!(!machine.bot.memory().has_taken(&post.id));
    // Nobody can tell any more, so it is answered and not run.
    let step = machine.take(Input::Post(HeardPost {
        message: "!count to 3 on wn001".into(),
        heard: post.created,
        missed: true,
        ..post
    }));
    assert!(started(&step).is_none() && said(&step).contains("Please say it again"), "{}", said(&step));
    let memory = machine.facts.iter().fold(Memory::default(), |mut memory, fact| {
        memory.apply(fact).unwrap();
        memory
    });
    assert_eq!(&memory, machine.bot.memory());
}

#[test]
fn a_store_without_a_cursor_goes_on_where_it_took_up_the_last_line() {
    let taken = |seconds: i64| {
        let created = Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        let fact =
            Fact::PostTaken { post: PostId::new(format!("q{seconds}")), channel: ChannelId::new(CHANNEL), created };
        Dated { at: created, fact }
    };
    let machine = Machine::over(vec![taken(1), taken(500), taken(20)], Timestamp::from_second(1_700_001_000).unwrap());
    assert_eq!(machine.bot.memory().heard(), Some(Timestamp::from_second(1_700_000_500).unwrap()));
}

#[test]
fn what_could_not_be_read_is_told_to_the_admins() {
    let mut machine = Machine::new();
    let unread = vec![
        Unread { channel: None, before: Some(machine.now) },
        Unread { channel: Some(ChannelId::new(CHANNEL)), before: None },
    ];
    let step = machine.take(Input::CaughtUp { until: machine.now, unread });
    let text = said(&step);
    assert!(text.contains("all channels: everything before 22:13 UTC") && text.contains("- `cluster`"), "{text}");
}

#[test]
fn another_instance_is_told_of_once_in_a_long_time() {
    let mut machine = Machine::new();
    let named = machine.bot.introduce(machine.now, 7).unwrap().expect("it had no name");
    assert!(machine.bot.introduce(machine.now, 8).unwrap().is_none(), "a store has one name for ever");
    machine.facts.push(named);
    let own = machine.bot.memory().instance.clone().unwrap();
    let speak = |machine: &mut Machine, name: &str, missed: bool, edited: bool| {
        let marks = PostMarks { edited, ..PostMarks::default() };
        let post = machine.post("done", None);
        let step = machine.take(Input::Post(HeardPost {
            author: UserId::new("bot"),
            instance: Some(name.to_owned()),
            missed,
            marks,
            ..post
        }));
        said(&step).contains("Another bot is using my account")
    };
    assert!(!speak(&mut machine, &own, false, false), "that is us");
    assert!(!speak(&mut machine, "other1", true, false), "it may have been here before us");
    assert!(!speak(&mut machine, "other1", false, true), "an edit may be of an old post");
    assert!(!speak(&mut machine, "no name!", false, false));
    assert!(speak(&mut machine, "other1", false, false));
    assert!(!speak(&mut machine, "other1", false, false));
    assert!(speak(&mut machine, "other2", false, false));
    let mut machine = Machine::over(machine.facts, machine.now);
    assert!(!speak(&mut machine, "other1", false, false), "a restart is no reason to say it again");
    machine.wait(7 * 3600);
    assert!(speak(&mut machine, "other1", false, false));
}
