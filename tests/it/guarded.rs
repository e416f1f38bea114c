//! Rules that act on problems of the monitoring: where it is told what they do, and what keeps them from doing harm. Each story is played twice:
//! by one process, and by one that is killed before every step.

use crate::bot::{CHANNEL, Content, Machine, said};
use crate::ruled::{RUN, content, enforcements, grant, happens};
use crate::taking_turns::{done, ends, gone};
use halcyon::core::action::execution::Status;
use halcyon::core::action::run::Exit;
use halcyon::core::bot::Step;
use halcyon::core::effect::{Body, Delivery, Effect, Thread};
use halcyon::core::fact::Fact;
use halcyon::core::id::{ChannelId, DeliveryId, ExecutionId, PostId};
use halcyon::core::input::{Back, Input};
use halcyon::core::memory::Memory;
use halcyon::core::rule::guard::Guard;
use halcyon::core::rule::trigger::Outcome;
use halcyon::core::settings::{Settings, Verb};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;

fn rule(more: &str) -> String {
    format!(
        "name: heal\nenabled: true\ntrigger: {{type: check_mk.event_handler}}\n\
         criteria: {{trigger.service.state: {{type: eq, pattern: CRITICAL}}}}\n{more}\n\
         action: {{ref: core.remote, parameters: {{hosts: '{{{{trigger.host.name}}}}', cmd: heal}}}}\n"
    )
}

const ASK: &str = "name: ask\nresource_ref: core.remote\npolicy_type: action.approval\nparameters: {approvers: {roles: [operator]}}\n";

/// Tells a bot of a service like a monitoring, one event after the other.
pub(crate) struct Told {
    count: u32,
    /// What its check says.
    pub(crate) output: String,
}

impl Default for Told {
    fn default() -> Self {
        Self { count: 0, output: "3 orphans".to_owned() }
    }
}

impl Told {
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn tell(&mut self, machine: &mut Machine, kind: &str, host: &str, state: &str) -> Step {
        self.count += 1;
        let payload = json!({
            "notification_type": kind,
            "host": {"name": host},
            "service": {"desc": "Orphans", "state": state, "output": self.output},
        });
        happens(machine, &format!("e{}", self.count), "check_mk.event_handler", payload)
    }
}

struct Site {
    content: Content,
    machine: Machine,
    /// It is killed before every step.
    killed: bool,
    told: Told,
    /// What was begun last.
    last: Option<ExecutionId>,
}

pub(crate) fn settled(machine: Machine) -> Machine {
    let mut machine = grant(machine, &[RUN[0], (Verb::Run, "core.remote")]);
    let mut settings = Settings::clone(machine.bot.settings());
    settings.roles[0].grants.push(halcyon::core::settings::Grant::new(Verb::Admin, "core.remote"));
    machine.take(Input::Settings(Arc::new(settings)));
    machine
}

impl Site {
    fn new(files: &[(&str, &str)], killed: bool) -> Self {
        let content = content(files);
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        let machine = settled(Machine::with_content(Vec::new(), start, &content));
        Self { content, machine, killed, told: Told::default(), last: None }
    }

    fn restart(&mut self) {
        if self.killed {
            let facts = self.machine.facts.clone();
            self.machine = settled(Machine::with_content(facts, self.machine.now, &self.content));
        }
        // What is written down in a snapshot is the same.
        let memory = serde_json::to_string(self.machine.bot.memory()).unwrap();
        assert_eq!(&serde_json::from_str::<Memory>(&memory).unwrap(), self.machine.bot.memory());
    }

    fn tell(&mut self, kind: &str, host: &str, state: &str) -> Step {
        let step = self.told.tell(&mut self.machine, kind, host, state);
        if let Some(id) = enforcements(&step).iter().find_map(|one| one.outcome.execution().cloned()) {
            self.last = Some(id);
        }
        step
    }

    /// One step of a story, and what came of it in a few words.
    fn play(&mut self, what: &str) -> String {
        self.restart();
        let words: Vec<&str> = what.split(' ').collect();
        let step = match words.as_slice() {
            ["wait", seconds] => {
                self.machine.wait(seconds.parse().unwrap());
                self.machine.take(Input::Deadline)
            }
            ["ends", how] => {
                let exit = match *how {
                    "well" => done(),
                    "badly" => Exit::Code { code: 1 },
                    _ => gone(),
                };
                let id = self.last.clone().unwrap();
                ends(&mut self.machine, &id, exit)
            }
            ["say", line @ ..] => self.machine.hear(&format!("!{}", line.join(" ")), None),
            ["approve"] => {
                let id = self.last.clone().unwrap();
                let code = self.machine.bot.memory().executions[&id].approval.as_ref().unwrap().code.clone();
                self.machine.hear(&format!("!approve {code}"), None);
                self.machine.identify(&id)
            }
            [kind, host, state] => self.tell(kind, host, state),
            other => panic!("{other:?}"),
        };
        let mut came = Vec::new();
        for one in enforcements(&step) {
            let line = DeliveryId::new(format!("e{}-{}", self.told.count(), one.rule));
            let told = deliveries(&step).iter().any(|delivery| delivery.id == line);
            came.push(match one.outcome {
                Outcome::Started { .. } => "started".to_owned(),
                Outcome::Refused { why } if told => why,
                Outcome::Refused { .. } => "silent".to_owned(),
                other => other.word().to_owned(),
            });
        }
        for dated in &step.facts {
            match &dated.fact {
                Fact::ExecutionStarted(request) if !came.iter().any(|came| came == "started") => {
                    assert_eq!(Some(&request.id), self.last.as_ref());
                    came.push("begins".to_owned());
                }
                Fact::ExecutionFinished { status, error, .. } => {
                    came.push(format!("{status:?} {}", error.clone().unwrap_or_default()).trim().to_owned());
                }
                Fact::RuleReset { .. } => came.push("reset".to_owned()),
                _ => {}
            }
        }
        if said(&step).contains("rests from now on") {
            came.push("admins are told".to_owned());
        }
        came.join("; ")
    }
}

pub(crate) fn deliveries(step: &Step) -> Vec<&Delivery> {
    let found = step.effects.iter().filter_map(|effect| match effect {
        Effect::Deliver(delivery) => Some(delivery),
        _ => None,
    });
    found.collect()
}

const RUNS: &str = "what it has begun for this problem still runs";
const A_MOMENT_AGO: &str = "it has acted on this problem a moment ago, and does so again at 22:23 UTC at the earliest";
const RESTS: &str = "it rests, because its remedies failed one after the other";

/// What is played, and what comes of each step.
type Story = &'static [(&'static str, &'static str)];

/// What is played, what the rule says of guards, and what comes of each step: the beginning of it.
#[test]
fn guards_of_rules() {
    let table: [(&str, &str, Story); 9] = [
        (
            "one remedy at a time, and then a rest",
            "",
            &[
                ("PROBLEM wn001 CRITICAL", "started"),
                ("PROBLEM wn001 CRITICAL", RUNS),
                ("PROBLEM wn001 CRITICAL", "silent"),
                ("PROBLEM wn002 CRITICAL", "started"),
                ("ends well", "Succeeded"),
                ("PROBLEM wn002 CRITICAL", A_MOMENT_AGO),
                ("PROBLEM wn002 CRITICAL", "silent"),
                ("wait 599", ""),
                ("PROBLEM wn002 CRITICAL", "silent"),
                ("wait 1", ""),
                ("PROBLEM wn002 CRITICAL", "started"),
                ("PROBLEM wn002 CRITICAL", RUNS),
            ],
        ),
        (
            "the rest is the problem's own, also when that has gone in between",
            "guard: {cooldown: 3600}",
            &[
                ("PROBLEM wn001 CRITICAL", "started"),
                ("ends well", "Succeeded"),
                ("RECOVERY wn001 OK", ""),
                ("wait 1200", ""),
                ("PROBLEM wn001 CRITICAL", "it has acted on this problem a moment ago"),
                ("wait 2400", ""),
                ("PROBLEM wn001 CRITICAL", "started"),
            ],
        ),
        (
            "so many an hour",
            "guard: {cooldown: 0, per_hour: 2}",
            &[
                ("PROBLEM wn001 CRITICAL", "started"),
                ("ends well", "Succeeded"),
                ("PROBLEM wn002 CRITICAL", "started"),
                ("ends well", "Succeeded"),
                ("PROBLEM wn003 CRITICAL", "it has acted 2× within an hour"),
                ("wait 3600", ""),
                ("PROBLEM wn003 CRITICAL", "started"),
            ],
        ),
        (
            "any number",
            "guard: {cooldown: 0, per_hour: 0}",
            &[("PROBLEM wn001 CRITICAL", "started"), ("ends well", "Succeeded"), ("PROBLEM wn001 CRITICAL", "started")],
        ),
        (
            "it rests after failures, until a person says otherwise",
            "guard: {cooldown: 0, failures: 2}",
            &[
                ("PROBLEM wn001 CRITICAL", "started"),
                ("ends badly", "Failed"),
                ("PROBLEM wn001 CRITICAL", "started"),
                ("ends badly", "Failed; admins are told"),
                ("PROBLEM wn001 CRITICAL", RESTS),
                ("PROBLEM wn002 CRITICAL", RESTS),
                ("wait 86400", ""),
                ("PROBLEM wn002 CRITICAL", "silent"),
                ("say rule reset heal", "reset"),
                ("say rule reset heal", ""),
                ("PROBLEM wn002 CRITICAL", "started"),
                ("ends lost", "Unknown"),
                ("PROBLEM wn003 CRITICAL", "started"),
                ("ends badly", "Failed; admins are told"),
                ("say rule enable heal", "reset"),
                ("PROBLEM wn004 CRITICAL", "started"),
            ],
        ),
        (
            "what has helped in between ends the row, what a person stopped says nothing",
            "guard: {cooldown: 0, failures: 2}",
            &[
                ("PROBLEM wn001 CRITICAL", "started"),
                ("ends badly", "Failed"),
                ("PROBLEM wn001 CRITICAL", "started"),
                ("ends well", "Succeeded"),
                ("PROBLEM wn001 CRITICAL", "started"),
                ("ends badly", "Failed"),
                ("PROBLEM wn002 CRITICAL", "started"),
            ],
        ),
        (
            "what is over, taken on or in a downtime is left alone when its turn has come",
            "",
            &[("PROBLEM wn001 CRITICAL", "started"), ("RECOVERY wn001 OK", ""), ("approve", "Canceled")],
        ),
        (
            "somebody has taken it on in between",
            "",
            &[("PROBLEM wn001 CRITICAL", "started"), ("ACKNOWLEDGEMENT wn001 CRITICAL", ""), ("approve", "Canceled")],
        ),
        (
            "a rule that acts on that, too",
            "guard: {also: [acknowledged]}",
            &[("PROBLEM wn001 CRITICAL", "started"), ("ACKNOWLEDGEMENT wn001 CRITICAL", ""), ("approve", "begins")],
        ),
    ];
    for (name, more, story) in table {
        for killed in [false, true] {
            let rule = rule(more);
            let mut files = vec![("rules/heal.yaml", rule.as_str())];
            if story.iter().any(|(what, _)| *what == "approve") {
                files.push(("policies/ask.yaml", ASK));
            }
            let mut site = Site::new(&files, killed);
            for (number, (what, expected)) in story.iter().enumerate() {
                let came = site.play(what);
                let as_expected = if expected.is_empty() { came.is_empty() } else { came.starts_with(expected) };
                assert!(as_expected, "{name}, step {number} ({what}), killed: {killed}: {came:?} for {expected:?}");
            }
        }
    }
}

/// The same for all rules, as the site has it.
#[test]
fn a_site_says_what_holds_for_all() {
    let rule = rule("");
    let mut site = Site::new(&[("rules/heal.yaml", rule.as_str())], false);
    let mut settings = Settings::clone(site.machine.bot.settings());
    settings.guard = Guard { cooldown: std::time::Duration::ZERO, per_hour: 1, failures: 0 };
    site.machine.take(Input::Settings(Arc::new(settings)));
    assert_eq!(site.play("PROBLEM wn001 CRITICAL"), "started");
    assert!(site.play("PROBLEM wn002 CRITICAL").starts_with("it has acted 1× within an hour"));
}

/// Posts with the thread that they are in.
fn threads(step: &Step) -> Vec<(String, Option<Thread>, String)> {
    let shown = deliveries(step).into_iter().filter_map(|delivery| match &delivery.body {
        Body::Post { root, text, .. } | Body::Attached { root, text, .. } => {
            Some((delivery.id.to_string(), root.clone(), text.clone()))
        }
        Body::Edit { of, text, .. } => Some((delivery.id.to_string(), None, format!("edits {of}: {text}"))),
        Body::Mark { .. } => None,
    });
    shown.collect()
}

#[test]
fn what_rules_do_is_told_in_the_thread_of_the_problem() {
    let heal = rule("");
    let dry = rule("dry_run: true").replace("name: heal", "name: dry");
    for killed in [false, true] {
        let mut site = Site::new(&[("rules/heal.yaml", &heal), ("rules/dry.yaml", &dry)], killed);
        let step = site.tell("PROBLEM", "wn001", "CRITICAL");
        let id = site.last.clone().unwrap();
        let thread = Some(Thread::Delivery { of: DeliveryId::new("e1-alert") });
        let told = threads(&step);
        let ids: Vec<&str> = told.iter().map(|(id, ..)| id.as_str()).collect();
        assert_eq!(
            ids,
            ["e1-alert", &format!("{id}-card"), "e1-alert-begun", "e1-site.dry"],
            "the problem comes first"
        );
        let roots: Vec<_> = told.iter().map(|(_, root, _)| root.clone()).collect();
        assert_eq!(roots, [None, thread.clone(), None, thread.clone()]);
        assert!(told[0].2.contains("wn001") && !told[0].2.contains("remediating"), "{}", told[0].2);
        assert!(told[2].2.contains("edits e1-alert: ") && told[2].2.contains("remediating"), "{}", told[2].2);
        // The problem is told again, and what the rule would do is not.
        let again = site.tell("PROBLEM", "wn001", "CRITICAL");
        assert!(!threads(&again).iter().any(|(id, ..)| id.ends_with("site.dry")), "{:?}", threads(&again));
        site.restart();
        let post = site.machine.bot.memory().alerts.alerts().next().unwrap().post.clone().unwrap();
        assert_eq!(post.channel, ChannelId::new(CHANNEL));
        let step = ends(&mut site.machine, &id, done());
        let told = threads(&step);
        let over = told.iter().find(|(name, ..)| *name == format!("{id}-alert-over")).unwrap();
        assert!(
            over.2.starts_with("edits e1-alert: ") && over.2.contains("by the rule `site.heal`: done"),
            "{}",
            over.2
        );
        assert!(!over.2.contains("remediating"), "{}", over.2);
        assert_eq!(site.machine.ended(&id).status, Status::Succeeded);
    }
}

/// Its post is edited at the end also when the problem has been over for long, and then it is forgotten.
#[test]
fn a_problem_is_known_as_long_as_something_runs_for_it() {
    let heal = rule("");
    let mut site = Site::new(&[("rules/heal.yaml", &heal)], false);
    assert_eq!(site.play("PROBLEM wn001 CRITICAL"), "started");
    site.play("RECOVERY wn001 OK");
    site.play("wait 4000");
    let id = site.last.clone().unwrap();
    let step = ends(&mut site.machine, &id, done());
    assert!(threads(&step).iter().any(|(name, ..)| *name == format!("{id}-alert-over")), "{:?}", threads(&step));
    site.play("wait 2");
    assert_eq!(site.machine.bot.memory().alerts.alerts().count(), 0);
}

/// Records of a version that knew threads by their posts only.
#[test]
fn old_ways_back_are_read() {
    let post = |post: &str| Some(Thread::Post { post: PostId::new(post) });
    let told = |root| Back::Told { channel: Some(ChannelId::new("c")), root };
    for (written, expected) in [
        (json!({"to": "told", "channel": "c", "root": "p1"}), told(post("p1"))),
        (json!({"to": "told", "channel": "c"}), told(None)),
        (json!({"to": "told", "channel": "c", "root": null}), told(None)),
        (
            json!({"to": "told", "channel": "c", "root": {"by": "delivery", "of": "e1-alert"}}),
            told(Some(Thread::Delivery { of: DeliveryId::new("e1-alert") })),
        ),
    ] {
        let read: Back = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(read, expected, "{written}");
        let again = serde_json::to_value(&read).unwrap();
        assert_eq!(serde_json::from_value::<Back>(again).unwrap(), expected);
    }
}
