//! So many problems at once that they are told as one: what is told, and where; what rules do; and that nothing is lost. Stories are played twice: by one
//! process, and by one that is killed before every step.

use crate::bot::{CHANNEL, Content, Machine, ok};
use crate::ruled::{RUN, content, enforcements, grant, happens};
use crate::taking_turns::{done, ends};
use halcyon::core::action::execution::LOCALHOST;
use halcyon::core::action::run::{Captured, Exit, HostOutcome, RunNews, Work};
use halcyon::core::alert::escalation::Escalation;
use halcyon::core::alert::notification::{Problem, State};
use halcyon::core::alert::order::{Order, Target, Wanted};
use halcyon::core::alert::standing::{Downtime, Reading, Said, Standing};
use halcyon::core::alert::storm::{FEW, Phase, Terms};
use halcyon::core::bot::Step;
use halcyon::core::callback::{Meaning, Reply};
use halcyon::core::effect::{Body, Delivery, Effect, Thread};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::host::Inventory;
use halcyon::core::id::{ChannelId, ExecutionId, Host, PostId, RequestId, UserId};
use halcyon::core::input::{DeliveryOutcome, Directory, Identity, Input, Press};
use halcyon::core::memory::Memory;
use halcyon::core::message::attachment::meanings;
use halcyon::core::settings::{Grant, Monitored, Settings, Verb};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const MEND: &str = "name: mend\nrunner_type: remote-shell-cmd\ntags:\n  - {name: out_of_service, value: hosts}\n\
     parameters:\n  cmd: {immutable: true, default: mend}\n";
const MEND_ALIAS: &str = "name: mend\naction_ref: site.mend\nformats: ['mend {{hosts}}']\n";
pub(crate) const HEAL: &str = "name: heal\nenabled: true\ntrigger: {type: check_mk.event_handler}\n\
     criteria: {trigger.host.state: {type: eq, pattern: DOWN}}\n\
     action: {ref: core.remote, parameters: {hosts: '{{trigger.host.name}}', cmd: heal}}\n";
const PROPOSE: &str = "name: propose\nenabled: true\ntrigger: {type: check_mk.event_handler}\noffer: {label: Heal it}\n\
     criteria: {trigger.host.state: {type: eq, pattern: DOWN}}\n\
     action: {ref: core.remote, parameters: {hosts: '{{trigger.host.name}}', cmd: heal}}\n";
const ASK: &str = "name: ask\nresource_ref: core.remote\npolicy_type: action.approval\nparameters: {approvers: {roles: [operator]}, allow_requester: true}\n";

/// More than three within a minute, over after two minutes.
const TERMS: Terms = Terms {
    problems: 3,
    window: Duration::from_secs(60),
    quiet: Duration::from_secs(120),
    longest: Duration::from_secs(3600),
};

pub(crate) struct Site {
    content: Content,
    pub(crate) machine: Machine,
    killed: bool,
    told: u32,
    buttons: bool,
    pub(crate) terms: Terms,
    escalation: Escalation,
    /// A monitoring can be asked.
    monitored: bool,
    /// What it was asked for last.
    order: Option<(ExecutionId, Order)>,
    /// What can be pressed on the post of the storm.
    go: Option<(PostId, Meaning)>,
    /// What was begun, in the order of its beginning.
    begun: Vec<ExecutionId>,
}

fn settled(machine: Machine, terms: Terms, escalation: &Escalation, (buttons, monitored): (bool, bool)) -> Machine {
    let mut machine = grant(machine, &[RUN[0], (Verb::Run, "core.remote")]);
    let mut settings = Settings::clone(machine.bot.settings());
    settings.roles[0].grants.push(Grant::new(Verb::Approve, "*"));
    (settings.storms, settings.buttons) = (terms, buttons);
    settings.escalation = escalation.clone();
    if monitored {
        let read = Some(Duration::from_secs(86_400));
        let (name, source) = ("hep".to_owned(), "check_mk".to_owned());
        settings.monitorings = vec![Monitored { name, source, site: None, checks: true, read, host_label: None }];
        settings.roles[0].grants.push(Grant::new(Verb::Run, "monitoring.*"));
    }
    machine.take(Input::Settings(Arc::new(settings)));
    let groups = BTreeMap::from([
        ("workers".to_owned(), Ok(vec!["wn[001-200]".to_owned()])),
        ("rack1".to_owned(), Ok(vec!["wn[001-006]".to_owned()])),
        ("storage".to_owned(), Ok(vec!["se[01-04]".to_owned()])),
    ]);
    let hosts = ["wn[001-200]".to_owned(), "se[01-04]".to_owned(), "ui[01-04]".to_owned()];
    let (inventory, problems) = Inventory::build(&hosts, &groups);
    assert!(problems.is_empty(), "{problems:?}");
    machine.take(Input::Inventory(Arc::new(inventory)));
    machine.take(Input::Directory(Directory {
        users: BTreeMap::from([("operator".to_owned(), UserId::new("u1"))]),
        channels: BTreeMap::from([("cluster".to_owned(), ChannelId::new(CHANNEL))]),
        untold: BTreeMap::from([("oncall".to_owned(), "the account may not ask".to_owned())]),
        ..Directory::default()
    }));
    machine
}

impl Site {
    pub(crate) fn new(files: &[(&str, &str)], killed: bool, buttons: bool) -> Self {
        Self::with(files, killed, buttons, Escalation::default())
    }

    /// The same where somebody is called when nobody touches a problem.
    pub(crate) fn with(files: &[(&str, &str)], killed: bool, buttons: bool, escalation: Escalation) -> Self {
        Self::watched(files, killed, (buttons, false), escalation)
    }

    /// The same where a monitoring can be asked.
    fn watched(
        files: &[(&str, &str)],
        killed: bool,
        (buttons, monitored): (bool, bool),
        escalation: Escalation,
    ) -> Self {
        let always = [("actions/mend.yaml", MEND), ("aliases/mend.yaml", MEND_ALIAS)];
        let files: Vec<(&str, &str)> = always.iter().chain(files).copied().collect();
        let content = content(&files);
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        let machine =
            settled(Machine::with_content(Vec::new(), start, &content), TERMS, &escalation, (buttons, monitored));
        let (order, go, begun) = (None, None, Vec::new());
        Self { content, machine, killed, told: 0, buttons, terms: TERMS, escalation, monitored, order, go, begun }
    }

    fn change_terms(&mut self, terms: Terms) {
        self.terms = terms;
        let mut settings = Settings::clone(self.machine.bot.settings());
        settings.storms = terms;
        self.machine.take(Input::Settings(Arc::new(settings)));
    }

    fn restart(&mut self) {
        if self.killed {
            let facts = self.machine.facts.clone();
            let machine = Machine::with_content(facts, self.machine.now, &self.content);
            self.machine = settled(machine, self.terms, &self.escalation, (self.buttons, self.monitored));
        }
        let memory = serde_json::to_string(self.machine.bot.memory()).unwrap();
        assert_eq!(&serde_json::from_str::<Memory>(&memory).unwrap(), self.machine.bot.memory());
    }

    /// The monitoring tells of a host, or of a service where one is named behind a slash.
    pub(crate) fn tell(&mut self, kind: &str, what: &str, state: &str) -> Step {
        self.told += 1;
        let (host, service) = what.split_once('/').map_or((what, None), |(host, service)| (host, Some(service)));
        let mut payload = json!({"notification_type": kind, "host": {"name": host, "state": "UP"}});
        let event = match kind {
            "ACKNOWLEDGEMENT" | "CUSTOM" => json!({"author": "operator", "comment": "I look"}),
            _ => json!({}),
        };
        match service {
            None => {
                payload["host"] = json!({"name": host, "state": state, "output": format!("no answer {}", self.told)})
            }
            Some(service) => {
                payload["service"] = json!({"desc": service, "state": state, "output": format!("bad {}", self.told)});
            }
        }
        payload["event"] = event;
        happens(&mut self.machine, &format!("e{}", self.told), "check_mk.event_handler", payload)
    }

    /// What was promised stands; gives what is said because of that.
    fn stands(&mut self, step: &Step) -> Vec<Step> {
        let (mut steps, mut promised): (Vec<Step>, Vec<Delivery>) = (Vec::new(), deliveries(step).cloned().collect());
        while !promised.is_empty() {
            let delivery = promised.remove(0);
            let post = match &delivery.body {
                Body::Edit { of, .. } => self.machine.bot.memory().posts.get(of).cloned(),
                _ => Some(PostId::new(format!("post-{}", delivery.id))),
            };
            let post = post.expect("what is edited stands");
            if let Some(meaning) = delivery.body.attachments().and_then(|shown| meanings(shown).next()) {
                self.go = Some((post.clone(), meaning.clone()));
            }
            let outcome = DeliveryOutcome::Sent { post };
            let step = self.machine.take(Input::Delivered { delivery: delivery.id.clone(), outcome });
            promised.extend(deliveries(&step).cloned());
            steps.push(step);
        }
        steps
    }

    fn press(&mut self, user: &str) -> Step {
        let (post, meaning) = self.go.clone().expect("a button is drawn");
        let username = if user == "u1" { "operator" } else { "guest" }.to_owned();
        let (member_of, zone, as_of) = (BTreeSet::new(), String::new(), self.machine.now);
        let id = UserId::new(user);
        let identity = Identity { id: id.clone(), username, is_bot: false, active: true, member_of, zone, as_of };
        let channel = ChannelId::new(CHANNEL);
        let press = Press {
            request: RequestId(9),
            user: id,
            identity: Some(identity),
            post,
            channel,
            meaning,
            trigger: "t".into(),
        };
        self.machine.take(Input::Pressed(Box::new(press)))
    }

    /// The monitoring shows what was asked for, but for these, and tells nothing of it.
    fn shows(&mut self, but: &[&str]) -> Vec<Step> {
        let Some((id, order)) = self.order.take() else { return Vec::new() };
        let done = |target: &&Target| !but.contains(&target.host.as_str());
        let about = &order.parts[0].about;
        let said = Said { by: "halcyon".to_owned(), comment: order.signed() };
        let standings = about.iter().filter(done).map(|target| {
            let acknowledged = match order.wanted {
                Wanted::Acknowledge { .. } => Some(said.clone()),
                Wanted::RemoveAcknowledgement => None,
                _ => self.taken_on(target),
            };
            let in_downtime = matches!(order.wanted, Wanted::Downtime { .. });
            let downtime =
                Downtime { id: "hep:1".to_owned(), said: said.clone(), start: None, end: None, covers: false };
            let downtimes = if in_downtime { vec![downtime] } else { Vec::new() };
            Standing { acknowledged, in_downtime, downtimes, ..standing(target, State::Down) }
        });
        let list: Vec<Standing> = standings.collect();
        let refused = about.len() - list.len();
        let ends = about.iter().map(|target| {
            let mut end = json!({"host": target.host, "service": target.service, "end": "confirmed"});
            if !done(&target) {
                (end["end"], end["why"]) = (json!("refused"), json!("no right"));
            }
            end
        });
        let ends: Vec<serde_json::Value> = ends.collect();
        let counts = json!({
            "confirmed": list.len(), "already": 0, "refused": refused, "not_confirmed": 0, "unreachable": 0,
        });
        let told = json!({
            "order": order.wanted.word(), "count": about.len(), "counts": counts, "problems": ends, "left_out": 0,
        });
        let reading = self.reading(list);
        let read = self.machine.news(&id, RunNews::Read(Box::new(reading)));
        let (host, exit) = (Host::new(LOCALHOST), Exit::Code { code: i32::from(refused > 0) });
        let outcome = Box::new(HostOutcome { exit, stdout: Captured::Inline { text: told.to_string() }, ..*ok("") });
        let finished = self.machine.news(&id, RunNews::HostFinished { host, outcome });
        vec![read, finished, self.machine.news(&id, RunNews::Finished { error: None })]
    }

    /// Who has taken a problem on, as the monitoring would show it.
    fn taken_on(&self, target: &Target) -> Option<Said> {
        let mut alerts = self.machine.bot.memory().alerts.alerts();
        let word = alerts.find(|alert| standing(target, State::Down).problem == alert.problem)?.acknowledged.clone()?;
        Some(Said { by: word.by.unwrap_or_default(), comment: word.comment.unwrap_or_default() })
    }

    fn reading(&self, list: Vec<Standing>) -> Reading {
        Reading { monitoring: "hep".to_owned(), asked: self.machine.now, all: false, list, unknown: Vec::new() }
    }

    /// The monitoring is asked, and these are well.
    fn found_over(&mut self, hosts: &str) -> Step {
        let targets = hosts.split(',').map(|host| Target { host: host.to_owned(), service: None });
        let list = targets.map(|target| standing(&target, State::Up)).collect();
        let reading = Ok(Box::new(self.reading(list)));
        self.machine.take(Input::MonitoringRead { monitoring: "hep".to_owned(), reading })
    }

    /// One step of a story, and what is said in it.
    pub(crate) fn play(&mut self, what: &str) -> String {
        self.restart();
        let words: Vec<&str> = what.split(' ').collect();
        let step = match words.as_slice() {
            ["wait", seconds] => {
                self.machine.wait(seconds.parse().unwrap());
                let due = self.machine.bot.next_deadline().is_some_and(|(then, _)| then <= self.machine.now);
                let step = self.machine.take(Input::Deadline);
                assert!(due || step.facts.is_empty(), "the bot would not have been woken for {:?}", step.facts);
                step
            }
            ["say", line @ ..] => self.machine.hear(&format!("!{}", line.join(" ")), None),
            ["press", user] => self.press(user),
            ["reply", post, words @ ..] => self.machine.hear(&words.join(" "), Some(post)),
            ["ends"] => {
                let id = self.begun.last().cloned().unwrap();
                ends(&mut self.machine, &id, done())
            }
            ["shows", but @ ..] => {
                let steps = self.shows(but);
                return steps
                    .into_iter()
                    .map(|step| self.after(step))
                    .filter(|told| !told.is_empty())
                    .collect::<Vec<_>>()
                    .join("\n");
            }
            ["over", hosts] => self.found_over(hosts),
            [kind, hosts, state] => {
                let mut told = Vec::new();
                for host in hosts.split(',') {
                    let step = self.tell(kind, host, state);
                    told.push(self.after(step));
                }
                return told.into_iter().filter(|told| !told.is_empty()).collect::<Vec<_>>().join("\n");
            }
            other => panic!("{other:?}"),
        };
        self.after(step)
    }

    fn after(&mut self, step: Step) -> String {
        for effect in &step.effects {
            if let Effect::Run(run) = effect
                && let Work::Monitoring(order) = &run.work
            {
                self.order = Some((run.execution.clone(), Order::clone(order)));
            }
        }
        for dated in &step.facts {
            let id = match &dated.fact {
                Fact::ExecutionStarted(request) => request.id.clone(),
                Fact::ExecutionWaits(waits) => waits.request.id.clone(),
                _ => continue,
            };
            if !self.begun.contains(&id) {
                self.begun.push(id);
            }
        }
        self.none_is_lost();
        let mut told = vec![self.told_of(&step)];
        for step in self.stands(&step) {
            told.push(self.told_of(&step));
        }
        self.none_is_lost();
        told.into_iter().filter(|told| !told.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// Every open problem has a post, or is listed by the post of the storm, or is told in somebody's thread.
    fn none_is_lost(&self) {
        let memory = self.machine.bot.memory();
        let storm = memory.storms.now();
        for alert in memory.alerts.alerts().filter(|alert| alert.recovered.is_none()) {
            let listed = storm.is_some_and(|storm| storm.phase != Phase::Over && storm.lists(&alert.problem));
            let held = memory.out_of_service.holders(&alert.problem.host).next().is_some() || alert.settles.is_some();
            assert!(alert.post.is_some() || listed || (held && alert.held_by.is_some()), "{alert:?}");
            assert!(!(alert.post.is_some() && listed), "told in two places: {alert:?}");
        }
        if let Some(storm) = storm {
            let listed = storm.members().filter(|(problem, _)| storm.lists(problem)).count();
            assert_eq!(listed, storm.listed());
            for (problem, member) in storm.members() {
                let open = memory.alerts.find(problem).is_some_and(|alert| alert.recovered.is_none());
                assert_eq!(open, member.open, "{problem:?}");
            }
        }
    }

    /// What a step says, in a few words.
    fn told_of(&self, step: &Step) -> String {
        let mut told = Vec::new();
        for effect in &step.effects {
            let (place, text) = match effect {
                Effect::Refresh { of, text, .. } if of.as_str().ends_with("-storm-post") => ("drawn", text.clone()),
                Effect::Reply { reply: Reply { text, .. }, .. } => ("whispered", text.clone()),
                Effect::Deliver(Delivery { body, .. }) => match body {
                    Body::Post { root: None, text, .. } | Body::Attached { root: None, text, .. } => {
                        ("post", text.clone())
                    }
                    Body::Post { root: Some(Thread::Delivery { of }), text, .. } => {
                        (if of.as_str().contains("-storm") { "thread" } else { "its thread" }, text.clone())
                    }
                    Body::Post { root: Some(Thread::Post { .. }), text, .. } => ("answer", text.clone()),
                    Body::Edit { of, text, .. } if of.as_str().ends_with("-storm-post") => ("edit", text.clone()),
                    Body::Edit { of, text, .. } if of.as_str().contains("alert") => ("its edit", text.clone()),
                    _ => continue,
                },
                _ => continue,
            };
            let text = text.replace("**", "").replace(['`', '\\'], "");
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            told.push(format!("{place}: {}", lines.join(" / ")));
        }
        let mut told = told.join("\n").replace("22:13 UTC", "T").replace("23:13 CET", "T");
        // These are drawn by lot.
        for (place, id) in self.begun.iter().enumerate() {
            told = told.replace(id.short(), &format!("ID{}", place + 1));
        }
        let codes = regex::Regex::new("(heal|approve|deny|withdraw|:lock: [^/]* ·) [A-Z0-9]{4}").unwrap();
        codes.replace_all(&told, "$1 CODE").into_owned()
    }
}

fn standing(target: &Target, state: State) -> Standing {
    let Target { host, service } = target.clone();
    Standing::new(Problem { source: "check_mk".to_owned(), site: String::new(), host, service }, Some(state))
}

fn deliveries(step: &Step) -> impl Iterator<Item = &Delivery> {
    step.effects.iter().filter_map(|effect| match effect {
        Effect::Deliver(delivery) => Some(delivery),
        _ => None,
    })
}

/// Whether it is said by the storm's post, which is drawn at its own pace.
fn is_of_post(told: &str) -> bool {
    told.starts_with("drawn:") || told.starts_with("edit:")
}

/// How often it was promised that it shows how the storm stands.
fn promised(facts: &[Dated]) -> usize {
    let edits = |dated: &&Dated| {
        let Fact::DeliveryIntended(Delivery { body: Body::Edit { of, .. }, .. }) = &dated.fact else { return false };
        of.as_str().ends_with("-storm-post")
    };
    facts.iter().filter(edits).count()
}

/// What it is about, files of the pack, whether there are buttons, and what is played.
pub(crate) type Story<'a> = (&'a str, &'a [(&'a str, &'a str)], bool, &'a [&'a str]);

/// Plays stories of a file, by one process and by one that is killed before each step, and compares what is told with what stands there.
pub(crate) fn check(name: &str, escalation: &Escalation, stories: &[Story<'_>]) {
    check_where(name, escalation, stories, false);
}

/// The same where a monitoring can be asked, or cannot.
pub(crate) fn check_where(name: &str, escalation: &Escalation, stories: &[Story<'_>], monitored: bool) {
    let mut text = String::new();
    for (about, files, buttons, story) in stories {
        let mut site = Site::watched(files, false, (*buttons, monitored), escalation.clone());
        let told: Vec<String> = story.iter().map(|what| site.play(what)).collect();
        text.push_str(&format!("# {about}\n"));
        for (what, told) in story.iter().zip(&told) {
            text.push_str(&format!("{what}\n"));
            for piece in told.lines().filter(|piece| !piece.is_empty()) {
                text.push_str(&format!("    {piece}\n"));
            }
        }
        text.push('\n');
        let before = promised(&site.machine.facts);
        let mut site = Site::watched(files, true, (*buttons, monitored), escalation.clone());
        for (place, (what, told)) in story.iter().zip(&told).enumerate() {
            let after = site.play(what);
            // A process that has just begun draws what it finds, and what is promised does not wait for the second after the last drawing.
            let lasting =
                |told: &str| told.lines().filter(|one| !is_of_post(one)).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(lasting(&after), lasting(told), "{about}: {place} {what}, by a process that was killed before");
        }
        let edited = promised(&site.machine.facts);
        assert_eq!(edited, before, "{about}: what is promised is said once, by a process that is killed");
    }
    crate::golden(&format!("machines/{name}.txt"), &text);
}

#[test]
fn what_is_told_of_a_storm() {
    let begins = "PROBLEM wn001,wn002,wn003,wn004 DOWN";
    check(
        "storms",
        &Escalation::default(),
        &[
            (
                "it rises, is calm with many left, and ends with few",
                &[],
                false,
                &[
                    begins,
                    "PROBLEM wn005,wn006,wn007,wn008,wn009,wn010,se01 DOWN",
                    "wait 1",
                    "say alerts",
                    "say alerts wn005",
                    "say storm",
                    "say storm go",
                    "RECOVERY wn001 UP",
                    "wait 119",
                    "wait 1",
                    "PROBLEM ui01 DOWN",
                    "ACKNOWLEDGEMENT wn002 DOWN",
                    "wait 1",
                    "RECOVERY wn003,wn004,wn005,wn006,wn007 UP",
                    "wait 60",
                    "wait 60",
                    "RECOVERY wn002,wn008,wn009,wn010,se01 UP",
                    "wait 1000",
                    "say storm",
                ],
            ),
            (
                "all come back, and it is over",
                &[],
                false,
                &[
                    begins,
                    "RECOVERY wn001,wn002,wn003,wn004 UP",
                    "wait 2",
                    "wait 118",
                    "CUSTOM wn001 UP",
                    "wait 800",
                    "PROBLEM wn001 DOWN",
                ],
            ),
            (
                "services are told by what they are",
                &[],
                false,
                &[
                    "PROBLEM wn001/NFS,wn002/NFS,wn003/NFS,wn004/NFS,wn005/NFS,ui01/NFS CRITICAL",
                    "PROBLEM wn001/Disk WARNING",
                    "wait 1",
                    "CUSTOM wn002/NFS CRITICAL",
                    "PROBLEM wn001/A,wn001/B,wn001/C,wn001/D,wn001/E UNKNOWN",
                    "wait 1",
                ],
            ),
            (
                "few in a long time are none",
                &[],
                false,
                &[
                    "PROBLEM wn001,wn002,wn003 DOWN",
                    "wait 61",
                    "PROBLEM wn004,wn005 DOWN",
                    "PROBLEM wn001,wn002,wn003,wn004,wn005 DOWN",
                    "wait 500",
                ],
            ),
            (
                "machines that are out of service are no members",
                &[],
                false,
                &[
                    "say mend wn001,wn002",
                    "PROBLEM wn001,wn002,wn003,wn004,wn005,wn006 DOWN",
                    "wait 1",
                    "ends",
                    "wait 120",
                ],
            ),
            (
                "a member goes out of service and comes back",
                &[],
                false,
                &[begins, "say mend wn001", "PROBLEM wn001 DOWN", "wait 1", "ends", "wait 119", "wait 2"],
            ),
            (
                "a new wave takes over what is left of the one before",
                &[],
                false,
                &[
                    "PROBLEM wn001,wn002,wn003,wn004,wn005,wn006,wn007 DOWN",
                    "wait 120",
                    "PROBLEM wn011,wn012,wn013 DOWN",
                    "PROBLEM wn014 DOWN",
                    "wait 1",
                    "RECOVERY wn001,wn002,wn003,wn004,wn005,wn006,wn007,wn011,wn012,wn013,wn014 UP",
                    "wait 120",
                ],
            ),
            (
                "it gets too old, and another begins",
                &[],
                false,
                &[
                    "PROBLEM wn001,wn002,wn003,wn004,wn005,wn006,wn007 DOWN",
                    "wait 110",
                    "RECOVERY wn001 UP",
                    "wait 3490",
                    "PROBLEM wn021 DOWN",
                ],
            ),
        ],
    );
}

#[test]
fn what_rules_do_in_a_storm() {
    let begins = "PROBLEM wn001,wn002,wn003,wn004,wn005 DOWN";
    let heal: &[(&str, &str)] = &[("rules/heal.yaml", HEAL)];
    check(
        "storms_held",
        &Escalation::default(),
        &[
            (
                "they wait for a person, and act on what is left",
                heal,
                false,
                &[
                    begins,
                    "wait 1",
                    "RECOVERY wn004 UP",
                    "PROBLEM wn005 DOWN",
                    "say storm go",
                    "wait 1",
                    "say storm go",
                    "PROBLEM wn006 DOWN",
                    "wait 1",
                    "wait 120",
                ],
            ),
            (
                "by a button, by whoever may run what they begin",
                heal,
                true,
                &[begins, "press u2", "press u1", "press u1", "wait 1"],
            ),
            (
                "also when it is over",
                heal,
                true,
                &[
                    begins,
                    "RECOVERY wn001,wn002,wn003 UP",
                    "wait 120",
                    "PROBLEM wn004 DOWN",
                    "PROBLEM wn020 DOWN",
                    "press u1",
                    "wait 1",
                ],
            ),
            (
                "and nobody lets them before all is well",
                heal,
                true,
                &[begins, "wait 1", "RECOVERY wn001,wn002,wn003,wn004,wn005 UP", "wait 120", "wait 1000"],
            ),
            (
                "what waits for its yes gets it in a storm",
                &[("rules/heal.yaml", HEAL), ("policies/ask.yaml", ASK)],
                false,
                &[begins, "wait 1"],
            ),
            (
                "what is offered is offered by its machine",
                &[("rules/propose.yaml", PROPOSE)],
                false,
                &[begins, "say alerts wn005"],
            ),
        ],
    );
}

/// Numbers from a seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % u64::try_from(most).unwrap()).unwrap()
    }
}

fn size_of(facts: &[Dated]) -> usize {
    facts.iter().map(|dated| serde_json::to_vec(dated).unwrap().len()).sum()
}

/// 150 machines go down within two minutes and come back, as a monitoring tells of it: late, in any order, some again before others.
#[test]
fn a_hundred_and_fifty_machines() {
    let mut site = Site::new(&[("rules/heal.yaml", HEAL)], false, true);
    site.change_terms(Terms { problems: 10, ..TERMS });
    let mut chance = Chance(7);
    let mut remembered = Vec::new();
    for round in 0..3_usize {
        let mut down: Vec<usize> = (1..=150).collect();
        let mut up: Vec<usize> = Vec::new();
        let (mut roots, mut lines, mut bytes, mut events) = (0, 0, 0, 0);
        let mut drawn: Vec<Timestamp> = Vec::new();
        while !(down.is_empty() && up.is_empty()) {
            site.machine.now += SignedDuration::from_millis(i64::try_from(chance.below(800)).unwrap());
            let early = up.len() > 20 && chance.below(3) == 0;
            let step = if down.is_empty() || early {
                let host = up.swap_remove(chance.below(up.len()));
                site.tell("RECOVERY", &format!("wn{host:03}"), "UP")
            } else {
                let host = down.swap_remove(chance.below(down.len()));
                up.push(host);
                site.tell("PROBLEM", &format!("wn{host:03}"), "DOWN")
            };
            let mut steps = vec![site.machine.take(Input::Deadline)];
            steps.push(step);
            let more: Vec<Step> = steps.iter().flat_map(|step| site.stands(step)).collect();
            steps.extend(more);
            for step in &steps {
                for delivery in deliveries(step) {
                    match &delivery.body {
                        Body::Post { root: None, .. } | Body::Attached { root: None, .. } => roots += 1,
                        Body::Post { root: Some(Thread::Delivery { of }), .. }
                            if of.as_str().ends_with("-storm-post") =>
                        {
                            lines += 1
                        }
                        Body::Edit { of, .. } if of.as_str().ends_with("-storm-post") => drawn.push(site.machine.now),
                        _ => {}
                    }
                }
                let refreshed = step.effects.iter().filter(
                    |effect| matches!(effect, Effect::Refresh { of, .. } if of.as_str().ends_with("-storm-post")),
                );
                drawn.extend(refreshed.map(|_| site.machine.now));
            }
            let rising = site.machine.bot.memory().storms.now().is_some_and(|storm| storm.count() > 11);
            if rising {
                bytes += steps.iter().map(|step| size_of(&step.facts)).sum::<usize>();
                events += 1;
                let begun = steps.iter().flat_map(enforcements).filter(|one| one.outcome.execution().is_some());
                assert_eq!(begun.count(), 0, "nothing heals itself before somebody says so");
            }
            site.none_is_lost();
        }
        let storm = site.machine.bot.memory().storms.now().unwrap();
        assert_eq!((storm.count(), storm.listed()), (150, 0), "every one of them is accounted for");
        site.machine.wait(1);
        site.machine.take(Input::Deadline);
        site.machine.wait(120);
        let step = site.machine.take(Input::Deadline);
        let told = site.told_of(&step);
        assert!(told.contains("150 problems, all over"), "{told}");
        site.stands(&step);
        assert!(site.machine.bot.memory().storms.now().is_none());
        assert_eq!(roots, if round == 0 { 11 } else { roots }, "ten before it was one, and its own");
        assert_eq!(lines, 1, "of no member alone");
        let paced = drawn.windows(2).all(|pair| pair[1].duration_since(pair[0]) >= SignedDuration::from_secs(1));
        assert!(paced, "{drawn:?}");
        assert!(bytes / events < 4_000, "{} bytes of facts an event", bytes / events);
        // What is over is forgotten.
        site.machine.wait(700);
        site.machine.take(Input::Deadline);
        let memory = serde_json::to_vec(site.machine.bot.memory()).unwrap();
        remembered.push(memory.len());
        site.machine.wait(86_400);
        site.machine.take(Input::Deadline);
    }
    let (first, last) = (remembered[0], remembered[2]);
    assert!(last < first * 4, "{remembered:?}");
}

/// Whatever comes in whatever order, no open problem is told nowhere or twice, and killed at any moment the bot goes on as if nothing had been.
#[test]
fn nothing_is_lost_whatever_comes() {
    for seed in 0..6 {
        let mut site = Site::new(&[("rules/heal.yaml", HEAL)], false, seed % 2 == 0);
        let mut chance = Chance(seed);
        for turn in 0..400 {
            let host = format!("wn{:03}", 1 + chance.below(12));
            let what = if chance.below(4) == 0 { format!("{host}/NFS") } else { host };
            let bad = if what.contains('/') { "CRITICAL" } else { "DOWN" };
            let good = if what.contains('/') { "OK" } else { "UP" };
            let step = match chance.below(14) {
                0..=4 => format!("PROBLEM {what} {bad}"),
                5..=7 => format!("RECOVERY {what} {good}"),
                8 => format!("ACKNOWLEDGEMENT {what} {bad}"),
                9 => format!("CUSTOM {what} {bad}"),
                10 => format!("FLAPPINGSTART {what} {bad}"),
                11 => "wait 1".to_owned(),
                12 => format!("wait {}", [10, 121, 700][chance.below(3)]),
                _ if chance.below(6) == 0 => "say storm go".to_owned(),
                _ => format!("say mend wn{:03}", 1 + chance.below(12)),
            };
            site.killed = turn % 23 == 0;
            site.play(&step);
            if chance.below(3) == 0
                && let Some(id) = site.begun.last().cloned().filter(|id| {
                    let executions = &site.machine.bot.memory().executions;
                    executions.get(id).is_some_and(|execution| !execution.status.waits())
                })
            {
                let step = ends(&mut site.machine, &id, done());
                site.after(step);
            }
        }
    }
}

#[test]
fn where_it_is_switched_off_there_is_none() {
    let mut site = Site::new(&[], false, false);
    site.change_terms(Terms { problems: 0, ..TERMS });
    let hosts: Vec<String> = (1..=20).map(|host| format!("wn{host:03}")).collect();
    let told = site.play(&format!("PROBLEM {} DOWN", hosts.join(",")));
    assert_eq!(told.matches("post: ").count(), 20, "{told}");
    assert!(site.machine.bot.memory().storms.now().is_none());
    assert_eq!(FEW, 5);
}
