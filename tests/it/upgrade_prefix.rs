//! The upgrade of kernels, cut after every step: a bot that starts on what is left, with the site as it truly was at that moment, in each of several
//! worlds, and what becomes of the node, against a committed table.
//!
//! A step of the bot is one transaction, which a store keeps whole or not at all, so these are all the states that a crash can leave of its
//! memory. What it had asked for by then may have been done or not; the bot may be back soon or late; a machine may answer what became of a command or not.
//! People answer what they are asked, and look before they do. `HALCYON_UPDATE=1` writes the table anew; read the difference.

mod site;

use crate::bot::{Content, Machine, settings};
use crate::golden;
use halcyon::adapters::content::read_packs;
use halcyon::core::action::execution::{Execution, Status};
use halcyon::core::action::run::{Attach, Captured, Exit, HostOutcome, Run, RunNews};
use halcyon::core::bot::Step;
use halcyon::core::content::load::load;
use halcyon::core::effect::{Effect, Query};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{DeliveryId, ExecutionId, PostId, UserId};
use halcyon::core::input::{DeliveryOutcome, HeardPost, Identity, Input};
use halcyon::core::memory::Memory;
use halcyon::core::settings::{Grant, Role, Settings, Verb};
use jiff::{SignedDuration, Timestamp};
use site::{Site, Story, place, silent};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

/// The site's pack and its configuration.
static CONTENT: LazyLock<Content> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let configs = directory.path().join("configs");
    std::fs::create_dir(&configs).unwrap();
    let config = "batch_server: wn005\nmonitoring_server: wn006\nmail_to: ops@example.org\n";
    std::fs::write(configs.join("site.yaml"), config).unwrap();
    let loaded = load(&read_packs(&[PathBuf::from(env!("CARGO_MANIFEST_DIR")), configs]));
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    (Arc::new(loaded.catalog), Arc::new(loaded.diagnostics))
});

const STORIES: [(&str, Story); 3] = [
    ("a node that does as it should", Story::Fine),
    ("a node that does not come back from its reboot", Story::Broken),
    ("a node whose jobs do not end, and somebody gives up", Story::Busy),
];

/// When the bot is back, and what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Restart {
    /// What it had asked for was done.
    done: bool,
    late: bool,
    /// The machines do not tell what became of it.
    silent: bool,
}

const RESTARTS: [(&str, Restart); 6] = [
    ("soon", Restart { done: false, late: false, silent: false }),
    ("soon, done", Restart { done: true, late: false, silent: false }),
    ("late", Restart { done: false, late: true, silent: false }),
    ("late, done", Restart { done: true, late: true, silent: false }),
    ("silent", Restart { done: false, late: false, silent: true }),
    ("silent, done", Restart { done: true, late: false, silent: true }),
];

/// What was so when a step had been made: the site, and what had been asked for and not been done.
struct Then {
    facts: Vec<Dated>,
    site: Site,
    pending: Vec<Run>,
}

struct World {
    machine: Machine,
    site: Site,
    waiting: VecDeque<Effect>,
    /// Commands of before that their machines are asked about, and since when.
    asked: Vec<(Attach, Timestamp)>,
    silent: bool,
    steps: Vec<Then>,
    promised: BTreeMap<DeliveryId, usize>,
    sent: BTreeMap<DeliveryId, usize>,
    said: Vec<String>,
    /// The tasks that people were asked about, and what they said.
    judged: Vec<String>,
}

fn people() -> Settings {
    let mut settings = settings();
    settings.roles.push(Role {
        name: "lead".into(),
        users: vec!["lead".into()],
        grants: vec![Grant::new(Verb::Admin, "*")],
        ..Role::default()
    });
    settings
}

impl World {
    fn over(facts: Vec<Dated>, now: Timestamp, site: Site, silent: bool) -> Self {
        let users = [("operator", "u1"), ("lead", "u2")].map(|(name, id)| (name.to_owned(), UserId::new(id)));
        let machine = Machine::among(facts, now, &CONTENT, people(), users.into());
        // What was promised before is handed to the outbox by the runtime; what is promised while it starts, with the step.
        let unsent = machine.bot.memory().unsent.iter().cloned().map(Effect::Deliver);
        let others = machine.first.iter().chain(&machine.connected);
        let others = others.filter(|effect| !matches!(effect, Effect::Deliver(_))).cloned();
        let waiting = unsent.chain(others).collect();
        let mut world = Self {
            machine,
            site,
            waiting,
            asked: Vec::new(),
            silent,
            steps: Vec::new(),
            promised: BTreeMap::new(),
            sent: BTreeMap::new(),
            said: Vec::new(),
            judged: Vec::new(),
        };
        for dated in &world.machine.facts {
            match &dated.fact {
                Fact::DeliveryIntended(delivery) => *world.promised.entry(delivery.id.clone()).or_default() += 1,
                Fact::DeliverySent { delivery, .. } => *world.sent.entry(delivery.clone()).or_default() += 1,
                _ => {}
            }
        }
        world
    }

    fn memory(&self) -> &Memory {
        self.machine.bot.memory()
    }

    fn after(&mut self, step: Step) {
        self.said.push(crate::bot::said(&step));
        for dated in &step.facts {
            if let Fact::DeliveryIntended(delivery) = &dated.fact {
                *self.promised.entry(delivery.id.clone()).or_default() += 1;
            }
        }
        self.waiting.extend(step.effects);
        if !step.facts.is_empty() {
            let pending = self.waiting.iter().filter_map(|effect| match effect {
                Effect::Run(run) => Some((**run).clone()),
                _ => None,
            });
            let pending = pending.collect();
            self.steps.push(Then { facts: step.facts, site: self.site.clone(), pending });
        }
    }

    fn take(&mut self, input: Input) {
        let step = self.machine.take(input);
        self.after(step);
    }

    fn identity(&self, id: &UserId) -> Option<Identity> {
        let name = match id.as_str() {
            "u1" => "operator",
            "u2" => "lead",
            _ => return None,
        };
        let like = self.machine.post("", None).identity?;
        Some(Identity { id: id.clone(), username: name.to_owned(), ..like })
    }

    fn say(&mut self, user: &str, line: &str) {
        let author = UserId::new(user);
        let identity = self.identity(&author);
        let post = HeardPost { author, identity, ..self.machine.post(line, None) };
        self.take(Input::Post(post));
    }

    fn news(&mut self, id: &ExecutionId, news: RunNews) {
        self.take(Input::Run { execution: id.clone(), news });
    }

    fn action_of(&self, id: &ExecutionId) -> String {
        self.memory().executions[id].request.action.to_string()
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Deliver(delivery) => {
                *self.sent.entry(delivery.id.clone()).or_default() += 1;
                let post = PostId::new(format!("post-{}", delivery.id));
                self.take(Input::Delivered { delivery: delivery.id, outcome: DeliveryOutcome::Sent { post } });
            }
            Effect::Run(run) => {
                let action = self.action_of(&run.execution);
                let id = (&run.execution, run.attempt);
                let (exit, text) = self.site.act(&action, &run.work, id, self.machine.now);
                let stdout = Captured::Inline { text };
                let outcome = Box::new(HostOutcome { stdout, ..*silent(exit) });
                self.news(&run.execution, RunNews::HostFinished { host: place(&run.work), outcome });
                self.news(&run.execution, RunNews::Finished { error: None });
            }
            Effect::Attach(attach) => self.asked.push((*attach, self.machine.now)),
            Effect::Find { query: Query::ById(digits), ticket } => {
                let found = self.executions().into_values().filter(|one| one.request.id.as_str().ends_with(&digits));
                let executions = found.collect();
                self.take(Input::Found { ticket: *ticket, executions });
            }
            Effect::Identify { of, users, .. } => {
                let people = users.iter().filter_map(|user| self.identity(user)).collect();
                self.take(Input::Identified { of, people: Some(people) });
            }
            _ => {}
        }
    }

    /// What the machines tell by now of what was begun before.
    fn hear_machines(&mut self) -> bool {
        for at in 0..self.asked.len() {
            let (attach, since) = self.asked[at].clone();
            let (host, begun) = attach.begun.first_key_value().unwrap();
            let told = if self.silent {
                let exit = Exit::Unknown { why: "nobody answers".to_owned() };
                Some(RunNews::HostFinished { host: host.clone(), outcome: silent(exit) })
            } else {
                self.site.told(&attach.work, &attach.execution, (host, begun), (since, self.machine.now))
            };
            if let Some(told) = told {
                self.asked.remove(at);
                self.news(&attach.execution, told);
                self.news(&attach.execution, RunNews::Finished { error: None });
                return true;
            }
        }
        false
    }

    /// All that happens at once.
    fn settle(&mut self) {
        for _ in 0..50_000 {
            if let Some(effect) = self.waiting.pop_front() {
                self.perform(effect);
                continue;
            }
            if self.hear_machines() {
                continue;
            }
            match self.machine.bot.next_deadline() {
                Some((at, why)) if at <= self.machine.now && why != "a post is to be brought up to date" => {
                    self.take(Input::Deadline);
                }
                _ => return,
            }
        }
        panic!("it never comes to rest: {:?}", self.machine.bot.next_deadline());
    }

    /// Somebody answers what is asked. They look before they say what became of a command; what only looks is done again.
    fn answer(&mut self) -> bool {
        let memory = self.memory();
        let waits = memory.executions.values().find_map(|execution| {
            let request = execution.approval.as_ref().filter(|_| execution.status.waits())?;
            request.votes.is_empty().then(|| request.code.clone())
        });
        if let Some(code) = waits {
            self.say("u2", &format!("!approve {code}"));
            return true;
        }
        let inquiry = memory.executions.values().find_map(|execution| execution.request.inquiry.as_ref());
        if let Some(code) = inquiry.map(|inquiry| inquiry.code.to_string()) {
            self.say("u1", &format!("!answer {code} give up"));
            return true;
        }
        let Some(id) = memory.questions.keys().next().cloned() else { return false };
        let execution = &self.executions()[&id];
        let task = execution.request.parent.as_ref().unwrap().task.clone();
        let ran = match execution.request.action.name() {
            "batch_offline" => self.site.drained.is_some(),
            "batch_online" => self.site.drained.is_none(),
            "install_kernel" => self.site.times("install") > 0,
            "begin_reboot" => self.site.times("reboot") > 0,
            "email_notify" => {
                self.site.mails.iter().any(|mail| execution.request.parameters["subject"] == mail.as_str())
            }
            _ => false,
        };
        let word = if ran { "ran" } else { "again" };
        self.judged.push(format!("{task}: {word}"));
        self.say("u1", &format!("!settle {id} {word}"));
        true
    }

    /// Lets everything come to its end.
    fn go_on(&mut self) {
        for _ in 0..5_000 {
            self.settle();
            if self.memory().executions.is_empty() && self.asked.is_empty() {
                return;
            }
            if self.answer() {
                continue;
            }
            let deadline = self.machine.bot.next_deadline().map(|(at, _)| at);
            let machines = self.asked.iter().map(|(_, since)| {
                let given_up = since.checked_add(SignedDuration::try_from(site::ASKED_FOR).unwrap()).unwrap();
                self.site.back().min(given_up)
            });
            let next = machines.chain(deadline).min().expect("something will happen");
            assert!(next < Timestamp::MAX, "{:?}", self.machine.bot.next_deadline());
            self.machine.now = self.machine.now.max(next);
            self.take(Input::Deadline);
        }
        panic!(
            "it does not end: {:?}",
            self.memory().executions.values().map(|one| &one.request.action).collect::<Vec<_>>()
        );
    }

    /// All executions, as a store would give them.
    fn executions(&self) -> BTreeMap<ExecutionId, Execution> {
        let mut known: BTreeMap<ExecutionId, Execution> = BTreeMap::new();
        for dated in &self.machine.facts {
            match &dated.fact {
                Fact::ExecutionWaits(waits) => {
                    known.insert(waits.request.id.clone(), Execution::wait(dated.at, waits));
                }
                Fact::ExecutionStarted(request) if !known.contains_key(&request.id) => {
                    known.insert(request.id.clone(), Execution::start(dated.at, (**request).clone()));
                }
                fact => {
                    if let Some(known) = fact.execution().and_then(|id| known.get_mut(id)) {
                        known.apply(dated.at, fact).unwrap();
                    }
                }
            }
        }
        known
    }

    /// What has become of the node, and of what was asked for.
    fn end(&self) -> String {
        let executions = self.executions();
        let of = |action: &str| executions.values().find(|one| one.request.action.as_str() == action);
        let rollout = of("site.kernel_rollout").unwrap();
        let mut end = rollout.status.word().to_owned();
        if let Some(conducted) = of("site.kernel_upgrade").and_then(|one| one.conducted.as_ref()) {
            let given = &conducted.state.output;
            let given = given.as_ref().map(|given| serde_json::to_value(given).unwrap()).unwrap_or_default();
            let word = |name: &str| given[name].as_str().unwrap_or("-").to_owned();
            write!(end, "; the node is {}, {}", word("outcome"), word("state")).unwrap();
            if given["problem"].is_string() {
                write!(end, " ({})", word("problem")).unwrap();
            }
        }
        let site = &self.site;
        for what in ["drain", "install", "reboot", "resume"] {
            let times = site.times(what);
            if times > 0 {
                write!(end, ", {what} {times}").unwrap();
            }
        }
        write!(end, ", mails {}", site.mails.len()).unwrap();
        for judged in &self.judged {
            write!(end, ", asked about {judged}").unwrap();
        }
        end
    }

    /// What must not be, whatever the table says.
    fn wrong(&self) -> Vec<&'static str> {
        let site = &self.site;
        let executions = self.executions();
        let rollout = executions.values().find(|one| one.request.action.as_str() == "site.kernel_rollout");
        let status = rollout.map(|rollout| rollout.status);
        let told = ["failed", "given up", "not all"].map(|word| site.mails.iter().any(|mail| mail.contains(word)));
        let upgraded = site.drained.is_none() && site.is_new() && site.times("reboot") == 1;
        let left_alone = site.did.is_empty();
        let out_and_told = (site.drained.is_some() || site.times("install") == 0) && told.contains(&true);
        let sent = |delivery| self.sent.get(delivery) == Some(&1);
        [
            ("the node was rebooted twice", site.times("reboot") <= 1),
            ("the roll-out has not ended", status.is_some_and(Status::is_final) && self.memory().executions.is_empty()),
            ("a task has not heard of the end of its action", self.memory().untold.is_empty()),
            (
                "it succeeded, and the node is not upgraded and in service",
                status != Some(Status::Succeeded) || upgraded,
            ),
            // The yes may have come too late.
            ("it was canceled, and something was done", status != Some(Status::Canceled) || left_alone),
            ("it failed, and the node is in service or nobody is told", status != Some(Status::Failed) || out_and_told),
            ("something was promised twice", self.promised.values().all(|times| *times == 1)),
            ("something promised was not said once", self.promised.keys().all(sent)),
        ]
        .into_iter()
        .filter_map(|(what, holds)| (!holds).then_some(what))
        .collect()
    }
}

/// What is going on, by the tasks at work.
fn phase(memory: &Memory) -> String {
    let mut at_work = BTreeSet::new();
    for execution in memory.executions.values() {
        match (&execution.request.parent, &execution.conducted) {
            (Some(parent), None) => {
                at_work.insert(parent.task.to_string());
            }
            (_, Some(conducted)) => at_work.extend(
                // It looks again in a while.
                conducted.later.keys().map(|place| conducted.state.board.name(place.task).to_owned()),
            ),
            (None, None) => {
                at_work.insert("waiting for the yes".to_owned());
            }
        }
    }
    match (at_work.is_empty(), memory.executions.is_empty()) {
        (_, true) => "it has ended".to_owned(),
        (true, false) => "between tasks".to_owned(),
        (false, _) => at_work.into_iter().collect::<Vec<_>>().join(" and "),
    }
}

/// The site and the bot at the beginning, and how it all went: every step with what was so then.
fn record(story: Story) -> Vec<Then> {
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let mut world = World::over(Vec::new(), now, Site::new(story, now), false);
    world.settle();
    let before = world.machine.facts.clone();
    world.steps = vec![Then { facts: before, site: world.site.clone(), pending: Vec::new() }];
    world.say("u1", "!upgrade kernel on wn001 jobs_within=300 back_within=600");
    world.go_on();
    assert_eq!(world.wrong(), [""; 0]);
    world.steps
}

/// A bot starts on these steps, in one of the worlds; what becomes of the node.
fn restarted(steps: &[Then], restart: Restart) -> (String, String, Vec<&'static str>) {
    let facts: Vec<Dated> = steps.iter().flat_map(|then| then.facts.iter().cloned()).collect();
    let Then { site, pending, .. } = steps.last().unwrap();
    let (mut site, last) = (site.clone(), facts.last().unwrap().at);
    let mut memory = Memory::default();
    facts.iter().for_each(|dated| memory.apply(dated).unwrap());
    if restart.done {
        for run in pending {
            let action = memory.executions[&run.execution].request.action.to_string();
            site.act(&action, &run.work, (&run.execution, run.attempt), last);
        }
    }
    let away = if restart.late { SignedDuration::from_hours(1) } else { SignedDuration::from_secs(20) };
    let mut world = World::over(facts, last.checked_add(away).unwrap(), site, restart.silent);
    let phase = phase(&memory);
    world.go_on();
    // The memory is the same when it is written down and read again.
    let written = serde_json::to_string(world.memory()).unwrap();
    let mut wrong = world.wrong();
    if serde_json::from_str::<Memory>(&written).unwrap() != *world.memory() {
        wrong.push("the memory is another one when it is read again");
    }
    (phase, world.end(), wrong)
}

/// Ends, and the numbers of the restarts after which they came.
type Ends = BTreeMap<String, BTreeSet<usize>>;

/// The stretches of an upgrade, by the tasks at work, with the ends that there are; and what is wrong.
fn stretches(title: &str, story: Story) -> (String, Vec<String>) {
    let steps = record(story);
    let mut stretches: Vec<(String, usize, usize, Ends)> = Vec::new();
    let mut wrong = Vec::new();
    // Before the second nothing was asked for.
    for length in 2..=steps.len() {
        let nothing = steps[length - 1].pending.is_empty();
        for (number, (name, restart)) in RESTARTS.into_iter().enumerate() {
            // Where nothing was under way, it is all the same whether it was done and who tells.
            if nothing && (restart.done || restart.silent) {
                continue;
            }
            let (phase, end, problems) = restarted(&steps[..length], restart);
            if !problems.is_empty() {
                wrong.push(format!("{title}, {length} steps ({phase}), {name}: {problems:?}: {end}"));
            }
            match stretches.last_mut() {
                Some((last, _, to, _)) if *last == phase => *to = length,
                _ => stretches.push((phase, length, length, Ends::new())),
            }
            stretches.last_mut().unwrap().3.entry(end).or_default().insert(number);
        }
    }
    let mut table = format!("\n# {title}\n");
    for (phase, from, to, ends) in stretches {
        writeln!(table, "{phase} (steps {from} to {to})").unwrap();
        for (end, worlds) in ends {
            let worlds: Vec<&str> = worlds.into_iter().map(|number| RESTARTS[number].0).collect();
            writeln!(table, "    {end}\n        {}", worlds.join(" | ")).unwrap();
        }
    }
    (table, wrong)
}

#[test]
fn every_prefix_of_an_upgrade_ends_as_the_table_says() {
    let mut table = String::from(
        "How an upgrade of one node ends when the bot is killed after any step of it and starts again: for each stretch of the upgrade, by the tasks at\n\
         work, the ends that there are, and behind each after which restarts. `done` is when what had been asked for was done though nobody heard of it; `soon`\n\
         after 20 seconds, `late` after an hour; `silent` when no machine tells what became of it, so that people are asked, who look before they answer.\n",
    );
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let threads = STORIES.map(|(title, story)| scope.spawn(move || stretches(title, story)));
        for (stretch, problems) in threads.map(|thread| thread.join().unwrap()) {
            table += &stretch;
            wrong.extend(problems);
        }
    });
    assert!(wrong.is_empty(), "{} of these:\n{}", wrong.len(), wrong.join("\n"));
    golden("upgrade_prefix/table.txt", &table);
}
