//! Problems on machines that an execution of ours has out of service: what is told of them, and where. Each story is played twice: by one process, and by one
//! that is killed before every step; after every step no open problem may be told nowhere.

use crate::bot::{Content, Machine};
use crate::ruled::{RUN, content, grant, happens};
use crate::taking_turns::{ask, done, ends, gone};
use halcyon::core::action::execution::Status;
use halcyon::core::action::run::{Exit, RunNews};
use halcyon::core::alert::notification::{Problem, State};
use halcyon::core::alert::standing::{Reading, Standing};
use halcyon::core::bot::Step;
use halcyon::core::effect::{Body, Delivery, Effect, Thread};
use halcyon::core::fact::Fact;
use halcyon::core::id::{ActionRef, DeliveryId, ExecutionId, Host, PostId};
use halcyon::core::input::{Ask, DeliveryOutcome, Identifying, Input};
use halcyon::core::memory::{Memory, card_of};
use halcyon::core::settings::{Grant, Monitored, Settings, Verb};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const MEND: &str = "name: mend\nrunner_type: remote-shell-cmd\ntags:\n  - {name: out_of_service, value: hosts}\n\
     parameters:\n  cmd: {immutable: true, default: mend}\n";
const MEND_ALIAS: &str = "name: mend\naction_ref: site.mend\nformats: ['mend {{hosts}}']\n";
const SILENT_ALIAS: &str = "name: hush\naction_ref: site.mend\nformats: ['hush {{hosts}}']\nack: {enabled: false}\n";
const TOUR: &str = "name: tour\nrunner_type: orquesta\nentry_point: workflows/tour.yaml\nparameters:\n  hosts: {type: string, required: true}\n";
const TOUR_ALIAS: &str = "name: tour\naction_ref: site.tour\nformats: ['tour {{hosts}}']\n";
const TOUR_WORKFLOW: &str = "version: 1.0\ninput: [hosts]\ntasks:\n  first:\n    action: site.mend hosts=<% ctx(hosts) %>\n    next:\n      - do: then\n  \
     then:\n    action: core.remote hosts=\"wn006\" cmd=\"rest\"\n";
const SIEGE: &str = "name: siege\nrunner_type: orquesta\nentry_point: workflows/tour.yaml\ntags:\n  - {name: out_of_service, value: hosts}\n\
     parameters:\n  hosts: {type: string, required: true}\n";
const SIEGE_ALIAS: &str = "name: siege\naction_ref: site.siege\nformats: ['siege {{hosts}}']\n";
const CORE_POLICY: &str = "name: ask\nresource_ref: site.mend\npolicy_type: action.approval\nparameters: {approvers: {roles: [operator]}, allow_requester: true}\n";
const HEAL: &str = "name: heal\nenabled: true\ntrigger: {type: check_mk.event_handler}\n\
     criteria: {trigger.service.state: {type: eq, pattern: CRITICAL}}\n\
     action: {ref: core.remote, parameters: {hosts: '{{trigger.host.name}}', cmd: heal}}\n";
const PROPOSE: &str = "name: propose\nenabled: true\ntrigger: {type: check_mk.event_handler}\noffer: {label: Heal it}\n\
     criteria: {trigger.service.state: {type: eq, pattern: CRITICAL}}\n\
     action: {ref: core.remote, parameters: {hosts: '{{trigger.host.name}}', cmd: heal}}\n";
const HEAL_POLICY: &str = "name: heals\nresource_ref: core.remote\npolicy_type: action.approval\nparameters: {approvers: {roles: [operator]}}\n";

const ACTIONS: [(&str, &str); 8] = [
    ("actions/siege.yaml", SIEGE),
    ("aliases/siege.yaml", SIEGE_ALIAS),
    ("actions/mend.yaml", MEND),
    ("aliases/mend.yaml", MEND_ALIAS),
    ("aliases/hush.yaml", SILENT_ALIAS),
    ("actions/tour.yaml", TOUR),
    ("aliases/tour.yaml", TOUR_ALIAS),
    ("actions/workflows/tour.yaml", TOUR_WORKFLOW),
];

struct Site {
    content: Content,
    machine: Machine,
    killed: bool,
    told: u32,
    /// What was begun last.
    last: Option<ExecutionId>,
    /// What was begun before that.
    before: Option<ExecutionId>,
}

fn settled(machine: Machine) -> Machine {
    let mut machine = grant(machine, &[RUN[0], (Verb::Run, "core.remote")]);
    let mut settings = Settings::clone(machine.bot.settings());
    settings.roles[0].grants.push(Grant::new(Verb::Approve, "*"));
    settings.monitorings = vec![Monitored {
        name: "hep".into(),
        source: "check_mk".into(),
        site: None,
        checks: true,
        read: Some(Duration::from_secs(3600)),
        host_label: None,
    }];
    machine.take(Input::Settings(Arc::new(settings)));
    machine
}

impl Site {
    fn new(files: &[(&str, &str)], killed: bool) -> Self {
        let files: Vec<(&str, &str)> = ACTIONS.iter().chain(files).copied().collect();
        let content = content(&files);
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        let machine = settled(Machine::with_content(Vec::new(), start, &content));
        Self { content, machine, killed, told: 0, last: None, before: None }
    }

    fn restart(&mut self) {
        if self.killed {
            let facts = self.machine.facts.clone();
            self.machine = settled(Machine::with_content(facts, self.machine.now, &self.content));
        }
        let memory = serde_json::to_string(self.machine.bot.memory()).unwrap();
        assert_eq!(&serde_json::from_str::<Memory>(&memory).unwrap(), self.machine.bot.memory());
    }

    fn tell(&mut self, kind: &str, host: &str, state: &str, more: &serde_json::Value) -> Step {
        self.told += 1;
        let payload = json!({
            "notification_type": kind,
            "host": {"name": host},
            "service": {"desc": "Orphans", "state": state, "output": format!("{} orphans", self.told)},
            "event": more,
        });
        happens(&mut self.machine, &format!("e{}", self.told), "check_mk.event_handler", payload)
    }

    /// The monitoring is asked, and shows a service of this host in a downtime, in this state since then.
    fn read(&mut self, host: &str, state: &str, since: Timestamp) -> Step {
        self.told += 1;
        let problem = Problem {
            source: "check_mk".into(),
            site: String::new(),
            host: host.into(),
            service: Some("Orphans".into()),
        };
        let state = if state == "OK" { State::Ok } else { State::Critical };
        let standing = Standing {
            output: format!("{} orphans", self.told),
            since: Some(since),
            in_downtime: true,
            ..Standing::new(problem, Some(state))
        };
        let (asked, list) = (self.machine.now, vec![standing]);
        let reading = Reading { monitoring: "hep".into(), asked, all: true, list, unknown: Vec::new() };
        self.machine.take(Input::MonitoringRead { monitoring: "hep".into(), reading: Ok(Box::new(reading)) })
    }

    /// One step of a story, and what is said of problems in it.
    fn play(&mut self, what: &str) -> String {
        self.restart();
        let words: Vec<&str> = what.split(' ').collect();
        let exit = |how: &str| match how {
            "well" => done(),
            "badly" => Exit::Code { code: 1 },
            _ => gone(),
        };
        let step = match words.as_slice() {
            ["wait", seconds] => {
                self.machine.wait(seconds.parse().unwrap());
                let due = self.machine.bot.next_deadline().is_some_and(|(then, _)| then <= self.machine.now);
                let step = self.machine.take(Input::Deadline);
                assert!(due || step.facts.is_empty(), "the bot would not have been woken for {:?}", step.facts);
                step
            }
            ["first", "ends", how] => {
                let id = self.before.clone().unwrap();
                ends(&mut self.machine, &id, exit(how))
            }
            ["ends", how] => {
                let id = self.last.clone().unwrap();
                ends(&mut self.machine, &id, exit(how))
            }
            ["say", line @ ..] => self.machine.hear(&format!("!{}", line.join(" ")), None),
            ["stop"] => {
                let id = self.last.clone().unwrap();
                self.machine.hear(&format!("!cancel {}", id.short()), None);
                let host = self.machine.bot.memory().executions[&id].request.hosts[0].clone();
                let outcome = crate::bot::ok("");
                let outcome = Box::new(halcyon::core::action::run::HostOutcome { exit: Exit::Canceled, ..*outcome });
                self.machine.news(&id, RunNews::HostFinished { host, outcome });
                self.machine.news(&id, RunNews::Finished { error: None })
            }
            ["from", "outside", host] => {
                let parameters = json!({"hosts": host}).as_object().unwrap().clone().into_iter().collect();
                let run = Ask::Run { action: ActionRef::new("site.mend"), parameters, trace_tag: None };
                ask(&mut self.machine, run)
            }
            ["approve"] => {
                let waits = |execution: &&halcyon::core::action::execution::Execution| execution.approval.is_some();
                let memory = self.machine.bot.memory();
                let asked = memory.executions.values().filter(|execution| execution.status.waits()).find(waits);
                let (id, approval) = asked.map(|one| (one.request.id.clone(), one.approval.clone().unwrap())).unwrap();
                self.machine.hear(&format!("!approve {}", approval.code), None);
                self.machine.identify(&id)
            }
            ["a", "moment"] => {
                self.machine.now += SignedDuration::from_millis(300);
                self.machine.take(Input::Deadline)
            }
            ["late", host] => {
                let past = self.machine.now.as_microsecond() - 100_000_000;
                self.tell("PROBLEM", host, "CRITICAL", &json!({"microtime": past}))
            }
            ["read", host, state] => self.read(host, state, self.machine.now),
            ["read", host, state, "before"] => {
                let before = self.machine.now - SignedDuration::from_secs(60);
                self.read(host, state, before)
            }
            // Monitorings tell no fractions of a second.
            ["read", host, state, "cut"] => {
                let second = Timestamp::from_second(self.machine.now.as_second()).unwrap();
                assert!(second < self.machine.now, "this story is about a fraction of a second");
                self.read(host, state, second)
            }
            [kind, host, state] => self.tell(kind, host, state, &json!({})),
            other => panic!("{other:?}"),
        };
        let step = self.with_the_asker_known(step);
        for dated in &step.facts {
            if let Fact::ExecutionStarted(request) = &dated.fact {
                self.before = self.last.replace(request.id.clone());
            }
        }
        self.none_is_lost();
        let told = self.told_of(&step);
        // What was promised stands.
        for delivery in deliveries(&step) {
            let outcome = DeliveryOutcome::Sent { post: PostId::new(format!("post-{}", delivery.id)) };
            self.machine.take(Input::Delivered { delivery: delivery.id.clone(), outcome });
        }
        told
    }

    /// A workflow goes on when it is known what the one may do who asked for it.
    fn with_the_asker_known(&mut self, mut step: Step) -> Step {
        let asked = step.effects.iter().find_map(|effect| match effect {
            Effect::Identify { of: of @ Identifying::Conducting(_), .. } => Some(of.clone()),
            _ => None,
        });
        if let Some(of) = asked {
            let people = self.machine.post("", None).identity.into_iter().collect();
            let more = self.machine.take(Input::Identified { of, people: Some(people) });
            step.facts.extend(more.facts);
            step.effects.extend(more.effects);
        }
        step
    }

    /// Every open problem has a post, or is told in a thread, or is given a moment.
    fn none_is_lost(&self) {
        let memory = self.machine.bot.memory();
        for alert in memory.alerts.alerts().filter(|alert| alert.recovered.is_none()) {
            let held = memory.out_of_service.holders(&alert.problem.host).next().is_some();
            let told = alert.held_by.is_some() && (held || alert.settles.is_some());
            assert!(alert.post.is_some() || told, "{alert:?}");
        }
    }

    /// What a step says of problems, in a few words.
    fn told_of(&self, step: &Step) -> String {
        let mut told = Vec::new();
        for delivery in deliveries(step) {
            let (place, text) = match &delivery.body {
                Body::Post { root: None, text, .. } => ("post", text),
                Body::Post { root: Some(Thread::Delivery { of }), text, .. } => {
                    let card = of.as_str().ends_with("-card");
                    (if card { "thread" } else { "its thread" }, text)
                }
                Body::Post { root: Some(Thread::Post { .. }), text, .. } => ("thread of the line", text),
                Body::Edit { of, text, .. } if of.as_str().contains("alert") => ("edit", text),
                _ => continue,
            };
            let (of_alert, of_rule) = (text.contains("rphans"), text.contains("site.heal"));
            if of_alert || of_rule || place == "edit" {
                let text = text.replace(":red_circle: ", "").replace("**", "").replace(['`', '\\'], "");
                let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                told.push(format!("{place}: {}", lines.join(" / ")));
            }
        }
        let ends = step.facts.iter().filter_map(|dated| match &dated.fact {
            Fact::ExecutionFinished { status: Status::Canceled, error: Some(why), .. } => {
                Some(format!("not begun: {why}"))
            }
            _ => None,
        });
        told.extend(ends.map(|end| end.replace('`', "")));
        let id = self.last.as_ref().map(|id| id.short().to_owned()).unwrap_or_default();
        let first = self.before.as_ref().map(|id| id.short().to_owned()).unwrap_or_default();
        let told = told.join("; ").replace("22:13 UTC", "T");
        let told = if first.is_empty() { told } else { told.replace(&first, "FIRST") };
        if id.is_empty() { told } else { told.replace(&id, "ID") }
    }
}

fn deliveries(step: &Step) -> Vec<&Delivery> {
    let found = step.effects.iter().filter_map(|effect| match effect {
        Effect::Deliver(delivery) => Some(delivery),
        _ => None,
    });
    found.collect()
}

/// What is played, and what is told of problems in each step.
type Story = &'static [(&'static str, &'static str)];
type Files = &'static [(&'static str, &'static str)];

const OPENED: &str = "thread: wn001 · Orphans: CRITICAL 1 orphans";
const OPENED_THIRD: &str = "thread: wn001 · Orphans: CRITICAL 3 orphans";
const POSTED: &str = "post: CRITICAL wn001 · Orphans / > 1 orphans / since T / \
     :construction: it began while site.mend (ID) had the machine out of service; \
     thread: wn001 · Orphans: still CRITICAL, and in the channel from now on";

const STORIES: [(&str, Files, Story); 22] = [
    (
        "what breaks in a downtime of the machine is found by asking, and told in that thread",
        &[],
        &[
            ("say mend wn001", ""),
            ("read wn001 CRITICAL before", ""),
            ("read wn002 CRITICAL", ""),
            ("read wn001 CRITICAL", OPENED_THIRD),
            ("read wn001 CRITICAL", ""),
            ("wait 1", ""),
            (
                "read wn001 OK",
                "thread: wn001 · Orphans: :white_check_mark: Over after 1.0 s, found by asking: 5 orphans",
            ),
            ("wait 1", ""),
            ("read wn001 CRITICAL", "thread: wn001 · Orphans: It is back: CRITICAL 6 orphans"),
            ("wait 1", ""),
            ("RECOVERY wn001 OK", "thread: wn001 · Orphans: :white_check_mark: Over after 1.0 s: 7 orphans"),
            ("ends well", ""),
            ("wait 1000", ""),
        ],
    ),
    (
        "also what broke, was over and broke again within the second in which the machine was taken",
        &[],
        &[
            ("a moment", ""),
            ("say mend wn001", ""),
            ("read wn001 CRITICAL cut", OPENED),
            (
                "read wn001 OK cut",
                "thread: wn001 · Orphans: :white_check_mark: Over after 0.1 s, found by asking: 2 orphans",
            ),
            ("read wn001 CRITICAL cut", "thread: wn001 · Orphans: It is back: CRITICAL 3 orphans"),
        ],
    ),
    (
        "and gets its post when its machine was not given back well",
        &[],
        &[
            ("say mend wn001", ""),
            ("read wn001 CRITICAL", OPENED),
            (
                "ends badly",
                "post: CRITICAL wn001 · Orphans / > 1 orphans / since T · :wrench: in downtime / \
                 :construction: it began while site.mend (ID) had the machine out of service; \
                 thread: wn001 · Orphans: still CRITICAL, and in the channel from now on",
            ),
            ("PROBLEM wn001 CRITICAL", ""),
        ],
    ),
    (
        "a downtime that begins on a machine where all is well is no problem, nor is its end",
        &[],
        &[
            ("say mend wn001", ""),
            ("DOWNTIMESTART wn001 OK", ""),
            ("DOWNTIMEEND wn001 OK", ""),
            ("ends well", ""),
            ("DOWNTIMECANCELLED wn001 OK", ""),
            ("wait 1000", ""),
        ],
    ),
    (
        "what comes and goes while a machine is out of service is told in that thread only",
        &[],
        &[
            ("say mend wn001", ""),
            ("PROBLEM wn001 CRITICAL", OPENED),
            ("PROBLEM wn001 CRITICAL", ""),
            ("PROBLEM wn001 WARNING", "thread: wn001 · Orphans: Now :warning: WARNING 3 orphans"),
            ("FLAPPINGSTART wn001 WARNING", "thread: wn001 · Orphans: It comes and goes."),
            ("FLAPPINGSTOP wn001 WARNING", "thread: wn001 · Orphans: It has come to rest: :warning: WARNING"),
            ("ACKNOWLEDGEMENT wn001 WARNING", "thread: wn001 · Orphans: :raising_hand: Taken on"),
            ("RECOVERY wn001 OK", "thread: wn001 · Orphans: :white_check_mark: Over after 0.1 s: 7 orphans"),
            ("ends well", ""),
            ("wait 121", ""),
            ("CUSTOM wn001 OK", ""),
            ("wait 1000", ""),
        ],
    ),
    (
        "what is open when all went well has a moment to go",
        &[],
        &[
            ("say mend wn001", ""),
            ("PROBLEM wn001 CRITICAL", OPENED),
            ("ends well", ""),
            ("wait 60", ""),
            ("RECOVERY wn001 OK", "thread: wn001 · Orphans: :white_check_mark: Over after 1 min: 2 orphans"),
            ("wait 60", ""),
            ("late wn001", ""),
            ("wait 1000", ""),
        ],
    ),
    (
        "and gets its post when it has not gone",
        &[],
        &[
            ("say mend wn001", ""),
            ("PROBLEM wn001 CRITICAL", OPENED),
            ("ends well", ""),
            ("wait 119", ""),
            ("wait 1", POSTED),
            (
                "RECOVERY wn001 OK",
                "edit: :white_check_mark: OK again wn001 · Orphans / > 2 orphans / over since 22:15 UTC, after 2 min; \
                 its thread: :white_check_mark: Over after 2 min: 2 orphans",
            ),
        ],
    ),
    (
        "what is open when something went wrong has its post at once",
        &[],
        &[("say mend wn001", ""), ("PROBLEM wn001 CRITICAL", OPENED), ("ends badly", POSTED), ("wait 500", "")],
    ),
    (
        "also when nobody knows how it ended",
        &[],
        &[("say mend wn001", ""), ("PROBLEM wn001 CRITICAL", OPENED), ("ends lost", POSTED)],
    ),
    (
        "and when somebody stopped it",
        &[],
        &[("say mend wn001", ""), ("PROBLEM wn001 CRITICAL", OPENED), ("stop", POSTED)],
    ),
    (
        "other machines are told of as always, also between, whatever their names are like",
        &[],
        &[
            ("say mend wn001,wn002", ""),
            ("PROBLEM wn003 CRITICAL", "post: CRITICAL wn003 · Orphans / > 1 orphans / since T"),
            ("PROBLEM wn0011 CRITICAL", "post: CRITICAL wn0011 · Orphans / > 2 orphans / since T"),
            ("PROBLEM WN002 CRITICAL", "thread: WN002 · Orphans: CRITICAL 3 orphans"),
            ("PROBLEM wn001 CRITICAL", "thread: wn001 · Orphans: CRITICAL 4 orphans"),
        ],
    ),
    (
        "what had a post keeps it, and the post says who has the machine",
        &[],
        &[
            ("PROBLEM wn001 CRITICAL", "post: CRITICAL wn001 · Orphans / > 1 orphans / since T"),
            (
                "say mend wn001",
                "edit: CRITICAL wn001 · Orphans / > 1 orphans / since T / :construction: out of service: site.mend (ID) is at \
                 work on the machine, for operator, and no rule acts on it meanwhile",
            ),
            (
                "PROBLEM wn001 WARNING",
                "edit: :warning: WARNING wn001 · Orphans / > 2 orphans / since T / :construction: out of service: site.mend \
                 (ID) is at work on the machine, for operator, and no rule acts on it meanwhile; \
                 its thread: Now :warning: WARNING 2 orphans",
            ),
            ("ends well", "edit: :warning: WARNING wn001 · Orphans / > 2 orphans / since T"),
        ],
    ),
    (
        "what comes back in the same machine's next problem is told in the channel again",
        &[],
        &[
            ("say mend wn001", ""),
            ("PROBLEM wn001 CRITICAL", OPENED),
            ("RECOVERY wn001 OK", "thread: wn001 · Orphans: :white_check_mark: Over after 0.1 s: 2 orphans"),
            ("PROBLEM wn001 CRITICAL", "thread: wn001 · Orphans: It is back: CRITICAL 3 orphans"),
            ("RECOVERY wn001 OK", "thread: wn001 · Orphans: :white_check_mark: Over after 0.1 s: 4 orphans"),
            ("ends well", ""),
            ("PROBLEM wn001 CRITICAL", "post: CRITICAL wn001 · Orphans / > 5 orphans / since T"),
        ],
    ),
    (
        "two have the machine, and it is told when neither has",
        &[],
        &[
            ("say siege wn001", ""),
            ("PROBLEM wn001 CRITICAL", "thread: wn001 · Orphans: CRITICAL 1 orphans"),
            ("ends well", ""),
            ("PROBLEM wn001 WARNING", "thread: wn001 · Orphans: Now :warning: WARNING 2 orphans"),
            (
                "ends badly",
                "post: :warning: WARNING wn001 · Orphans / > 2 orphans / since T / :construction: it began while site.siege (",
            ),
        ],
    ),
    (
        "no rule acts on it, and says so once",
        &[("rules/heal.yaml", HEAL)],
        &[
            ("say mend wn001", ""),
            (
                "PROBLEM wn001 CRITICAL",
                "thread: wn001 · Orphans: CRITICAL 1 orphans; thread: :no_entry: The rule site.heal matched, and core.remote was \
                 not started: ID has the machine out of service",
            ),
            ("PROBLEM wn001 CRITICAL", ""),
            ("ends well", ""),
            ("PROBLEM wn001 CRITICAL", ""),
            (
                "wait 121",
                "post: CRITICAL wn001 · Orphans / > 3 orphans / since T / \
                 :construction: it began while site.mend (ID) had the machine out of service; \
                 thread: wn001 · Orphans: still CRITICAL, and in the channel from now on",
            ),
            (
                "PROBLEM wn001 CRITICAL",
                "edit: CRITICAL wn001 · Orphans / > 4 orphans / since T / :construction: it began while site.mend (FIRST) had the \
                 machine out of service / :adhesive_bandage: remediating: ID, begun by the rule site.heal",
            ),
        ],
    ),
    (
        "what is offered for it is offered in its post, when it gets one",
        &[("rules/propose.yaml", PROPOSE)],
        &[
            ("say mend wn001", ""),
            ("PROBLEM wn001 CRITICAL", OPENED),
            (
                "ends badly",
                "post: CRITICAL wn001 · Orphans / > 1 orphans / since T / :construction: it began while site.mend (ID) had the \
                 machine out of service / :point_right: Heal it",
            ),
        ],
    ),
    (
        "what a rule wanted before is not begun when its turn comes",
        &[("rules/heal.yaml", HEAL), ("policies/heals.yaml", HEAL_POLICY)],
        &[
            ("PROBLEM wn001 CRITICAL", "post: CRITICAL wn001 · Orphans / > 1 orphans / since T"),
            (
                "say mend wn001",
                "edit: CRITICAL wn001 · Orphans / > 1 orphans / since T / :construction: out of service",
            ),
            ("approve", ""),
        ],
    ),
    (
        "what waits for its yes has no machine yet",
        &[("policies/ask.yaml", CORE_POLICY)],
        &[
            ("say mend wn001", ""),
            ("PROBLEM wn001 CRITICAL", "post: CRITICAL wn001 · Orphans / > 1 orphans / since T"),
            ("approve", "edit: CRITICAL wn001 · Orphans / > 1 orphans / since T / :construction: out of service"),
            ("PROBLEM wn001 WARNING", "edit: :warning: WARNING wn001 · Orphans"),
        ],
    ),
    (
        "where nobody can read of it, problems are told as always",
        &[],
        &[
            ("from outside wn001", ""),
            (
                "PROBLEM wn001 CRITICAL",
                "post: CRITICAL wn001 · Orphans / > 1 orphans / since T / :construction: out of service: ID is at work on the \
                 machine, and no rule acts on it meanwhile",
            ),
            ("ends well", "edit: CRITICAL wn001 · Orphans / > 1 orphans / since T"),
        ],
    ),
    (
        "an alias that announces nothing leaves no thread either",
        &[],
        &[
            ("say hush wn001", ""),
            (
                "PROBLEM wn001 CRITICAL",
                "post: CRITICAL wn001 · Orphans / > 1 orphans / since T / :construction: out of service: ID",
            ),
            ("ends badly", "edit: CRITICAL wn001 · Orphans / > 1 orphans / since T"),
        ],
    ),
    (
        "one that is taken again before the moment is over has it again",
        &[],
        &[
            ("say mend wn001", ""),
            ("PROBLEM wn001 CRITICAL", OPENED),
            ("ends well", ""),
            ("wait 60", ""),
            ("say mend wn001", ""),
            ("wait 100", ""),
            ("PROBLEM wn001 WARNING", "thread: wn001 · Orphans: Now :warning: WARNING 2 orphans"),
            (
                "ends badly",
                "post: :warning: WARNING wn001 · Orphans / > 2 orphans / since T / :construction: it began while site.mend (ID)",
            ),
        ],
    ),
    (
        "a list shows them all",
        &[],
        &[
            ("say mend wn001", ""),
            ("PROBLEM wn001 CRITICAL", OPENED),
            ("say alerts", "post: - CRITICAL wn001 · Orphans · for 0.1 s · :construction: out of service · 1 orphans"),
        ],
    ),
];

#[test]
fn problems_on_machines_that_we_have_out_of_service() {
    let mut wrong = Vec::new();
    for killed in [false, true] {
        for (name, files, story) in STORIES {
            let mut site = Site::new(files, killed);
            for (number, (what, expected)) in story.iter().enumerate() {
                let told = site.play(what);
                let same = if expected.is_empty() { told.is_empty() } else { told.starts_with(expected) };
                if !same {
                    wrong.push(format!("{name}, killed: {killed}, {number} {what}\n  {told}\n  and not\n  {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A run on the bot's own machine does not survive the bot. What happened to the machine meanwhile is told when the chat is known again, though its end is known before.
#[test]
fn what_an_interruption_leaves_open_is_told_when_the_chat_is_known() {
    let away = MEND.replace("remote-shell-cmd", "local-shell-cmd").replace("value: hosts", "value: node");
    let away =
        away.replace("name: mend", "name: away").replace("parameters:\n", "parameters:\n  node: {type: string}\n");
    let alias = MEND_ALIAS.replace("mend", "away").replace("{{hosts}}", "{{node}}");
    let mut site = Site::new(&[("actions/away.yaml", &away), ("aliases/away.yaml", &alias)], false);
    site.play("say away wn001");
    assert_eq!(site.play("PROBLEM wn001 CRITICAL"), OPENED);
    let (facts, now) = (site.machine.facts.clone(), site.machine.now);
    let known = facts.len();
    site.machine = settled(Machine::with_content(facts, now, &site.content));
    let id = site.last.clone().unwrap();
    if site.machine.bot.memory().executions.contains_key(&id) {
        site.machine.news(&id, RunNews::Finished { error: Some("it is gone".into()) });
    }
    let after: Vec<&Fact> = site.machine.facts[known..].iter().map(|dated| &dated.fact).collect();
    assert!(after.iter().any(|fact| matches!(fact, Fact::ExecutionFinished { .. })), "{after:?}");
    let posts = after.iter().filter(|fact| matches!(fact, Fact::AlertPosted { .. })).count();
    assert_eq!(posts, 1, "{after:?}");
    site.none_is_lost();
}

/// A workflow that is at work on a machine in one of its tasks has it for so long, and its problems are told in the thread of the whole.
#[test]
fn a_task_has_the_machine_while_it_runs() {
    for killed in [false, true] {
        let mut site = Site::new(&[], killed);
        site.play("say tour wn001");
        let root = site.before.clone().unwrap();
        let child = site.last.clone().unwrap();
        assert_eq!(site.machine.bot.memory().executions[&child].request.action.as_str(), "site.mend");
        let step = site.tell("PROBLEM", "wn001", "CRITICAL", &json!({}));
        let [delivery] = deliveries(&step)[..] else { panic!("{step:?}") };
        let Body::Post { root: Some(Thread::Delivery { of }), .. } = &delivery.body else { panic!("{delivery:?}") };
        assert_eq!(*of, card_of(&root));
        // The task ends well, the workflow goes on, and the machine is back: the problem has its moment, and then its post.
        let step = ends(&mut site.machine, &child, done());
        assert!(step.facts.iter().any(|dated| matches!(dated.fact, Fact::AlertSettles { until: Some(_), .. })));
        assert!(site.machine.bot.memory().executions.contains_key(&root), "{step:?}");
        let told = site.play("wait 120");
        assert!(told.starts_with("post: CRITICAL wn001") && told.contains("it began while site.mend"), "{told}");
        site.none_is_lost();
    }
}

/// What a pack does not say of itself, a policy says.
#[test]
fn a_policy_says_it_from_outside() {
    let policy =
        "name: holds\nresource_ref: trial.hold\npolicy_type: action.effect\nparameters: {out_of_service: hosts}\n";
    let mut site = Site::new(&[("policies/holds.yaml", policy)], false);
    assert_eq!(site.content.0.actions[&ActionRef::new("trial.hold")].out_of_service, ["hosts"]);
    site.play("say hold 5 on wn001");
    assert_eq!(site.play("PROBLEM wn001 CRITICAL"), OPENED);
}

/// The machines are those that the parameter meant when the execution began.
#[test]
fn machines_are_what_the_parameter_means() {
    for (line, expected) in
        [("!mend wn[001-003],!wn002", vec!["wn001", "wn003"]), ("!mend wn004,wn005", vec!["wn004", "wn005"])]
    {
        let mut site = Site::new(&[], false);
        let step = site.machine.hear(line, None);
        let started = crate::bot::started(&step).unwrap();
        let request = site.machine.bot.memory().executions[&started].request.clone();
        let expected: Vec<Host> = expected.into_iter().map(Host::new).collect();
        assert_eq!(request.out_of_service, expected);
        for host in &expected {
            assert_eq!(site.machine.bot.memory().out_of_service.holders(host.as_str()).collect::<Vec<_>>(), [&started]);
        }
        let id = DeliveryId::new(format!("{started}-card"));
        assert_eq!(id, card_of(&started));
        ends(&mut site.machine, &started, done());
        assert!(site.machine.bot.memory().out_of_service.is_empty());
    }
}
