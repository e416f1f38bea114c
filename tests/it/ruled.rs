//! Rules in the bot: an event is taken up once, and what rules make of it goes through the same gates as what people ask for.

use crate::bot::{CHANNEL, Content, Machine, packs, said};
use crate::taking_turns::{done, ends};
use halcyon::core::action::execution::Status;
use halcyon::core::action::run::Work;
use halcyon::core::bot::Step;
use halcyon::core::content::SourceFile;
use halcyon::core::content::diagnostic::Severity;
use halcyon::core::content::load::load;
use halcyon::core::effect::{Answer, Effect, ShownRule};
use halcyon::core::fact::Fact;
use halcyon::core::id::{ActionRef, ChannelId, ExecutionId, RequestId, RuleRef, TriggerInstanceId, TriggerRef, UserId};
use halcyon::core::input::{Ask, Back, Directory, Input, Principal, RuleAsk};
use halcyon::core::rule::trigger::{Arrival, Enforcement, Outcome, Source, Status as Taken, TriggerInstance};
use halcyon::core::settings::{Grant, Role, Settings, Verb};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The packs of the tests with these files beside them.
pub(crate) fn content(files: &[(&str, &str)]) -> Content {
    let mut sources = packs();
    // The site's own rules would be counted with those of a test.
    sources[0].files.retain(|file| !file.inside.starts_with("rules/"));
    for (inside, text) in files {
        let file =
            SourceFile { shown: (*inside).to_owned(), inside: (*inside).to_owned(), text: Ok((*text).to_owned()) };
        sources[0].files.push(file);
    }
    let loaded = load(&sources);
    let errors: Vec<String> =
        loaded.diagnostics.iter().filter(|told| told.severity == Severity::Error).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:?}");
    (Arc::new(loaded.catalog), Arc::new(loaded.diagnostics))
}

/// A bot with these files in its first pack, whose rules have the role that these grants make.
fn machine(files: &[(&str, &str)], grants: &[(Verb, &str)]) -> Machine {
    let start = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    grant(Machine::with_content(Vec::new(), start, &content(files)), grants)
}

pub(crate) fn grant(mut machine: Machine, grants: &[(Verb, &str)]) -> Machine {
    let mut settings = Settings::clone(machine.bot.settings());
    settings.roles.push(Role {
        name: "healing".into(),
        rules: vec!["site.*".into()],
        grants: grants.iter().map(|(verb, on)| Grant::new(*verb, *on)).collect(),
        ..Role::default()
    });
    // The operator may do what they may, and switch rules of `core.noop`.
    settings.roles[0].grants.push(Grant::new(Verb::Admin, "core.noop"));
    machine.take(Input::Settings(Arc::new(settings)));
    machine
}

pub(crate) const RUN: &[(Verb, &str)] = &[(Verb::Run, "*")];

/// Something that happens, as a webhook brings it.
fn event(id: &str, trigger: &str, payload: Value) -> TriggerInstance {
    TriggerInstance {
        id: TriggerInstanceId::new(id),
        trigger: TriggerRef::new(trigger),
        parameters: Map::new(),
        payload,
        occurred: jiff::Timestamp::from_second(1_700_000_000).unwrap(),
        trace_tag: None,
        source: Source::Webhook { name: "st2".into(), key: "monitoring".into() },
        chain: Vec::new(),
    }
}

/// The same, now, and nobody waits for an answer.
pub(crate) fn happens(machine: &mut Machine, id: &str, trigger: &str, payload: Value) -> Step {
    let instance = TriggerInstance { occurred: machine.now, ..event(id, trigger, payload) };
    machine.take(Input::Event(Box::new(Arrival { instance, request: None })))
}

fn brought(machine: &mut Machine, instance: TriggerInstance) -> Step {
    machine.take(Input::Event(Box::new(Arrival { instance, request: Some(RequestId(7)) })))
}

fn alert(machine: &mut Machine, id: &str, host: &str, state: &str) -> Step {
    let payload =
        json!({"notification_type": "PROBLEM", "host": {"name": host}, "service": {"state": state, "output": "a; b"}});
    brought(machine, event(id, "check_mk.event_handler", payload))
}

pub(crate) fn enforcements(step: &Step) -> Vec<Enforcement> {
    step.facts
        .iter()
        .filter_map(|dated| match &dated.fact {
            Fact::TriggerTaken(taken) => Some(taken.enforcements.clone()),
            _ => None,
        })
        .flatten()
        .collect()
}

/// The rules that something came of, each with the word for it.
fn came(step: &Step) -> String {
    let words = enforcements(step).into_iter().map(|one| format!("{} {}", one.rule, one.outcome.word()));
    words.collect::<Vec<_>>().join(", ")
}

fn why(step: &Step) -> String {
    enforcements(step).iter().map(|one| one.outcome.why().to_owned()).collect::<Vec<_>>().join("; ")
}

fn answered(step: &Step) -> Answer {
    let mut answers = step.effects.iter().rev().filter_map(|effect| match effect {
        Effect::Answer { answer, .. } => Some((**answer).clone()),
        _ => None,
    });
    answers.next().unwrap()
}

fn execution(step: &Step) -> ExecutionId {
    let found = enforcements(step).iter().find_map(|one| one.outcome.execution().cloned());
    found.unwrap_or_else(|| panic!("nothing was started: {}", why(step)))
}

fn scripts(step: &Step) -> Vec<String> {
    step.effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Run(run) => match &run.work {
                Work::Remote(remote) => Some(remote.command.script.clone()),
                Work::Local(local) => Some(local.script.clone()),
                Work::Http(_) | Work::Mail(_) | Work::Monitoring(_) => None,
            },
            _ => None,
        })
        .collect()
}

/// The rule that StackStorm's users at the site wrote, but for the pack and the machine that it goes to.
const ORPHANS: &str = r#"
name: orphans
enabled: true
trigger: {type: check_mk.event_handler}
criteria:
  trigger.service.state: {pattern: CRITICAL, type: equals}
  trigger.host.name: {type: regex, pattern: "^wn0"}
action:
  ref: core.remote
  parameters:
    hosts: wn006
    username: root
    cmd: pdsh -w {{trigger.host.name}} "check_unparent | xargs kill "
"#;

/// A critical service carries its state also when somebody takes it on, or only says something.
#[test]
fn a_rule_that_does_not_look_at_the_kind_is_asked_of_problems_only() {
    let blind = simple("blind", "criteria: {trigger.service.state: {type: eq, pattern: CRITICAL}}", "{ref: core.noop}");
    let looks = |name: &str, criteria: &str| simple(name, &format!("criteria: {{{criteria}}}"), "{ref: core.noop}");
    let taken = looks("taken", "trigger.notification_type: {type: eq, pattern: ACKNOWLEDGEMENT}");
    let any = looks("any", "any: [{trigger.notification_type: {type: startswith, pattern: DOWN}}]");
    let files = [("rules/b.yaml", blind.as_str()), ("rules/t.yaml", taken.as_str()), ("rules/a.yaml", any.as_str())];
    let mut machine = machine(&files, RUN);
    for (kind, expected) in [
        (json!("PROBLEM"), "site.blind started"),
        (json!("RECOVERY"), ""),
        (json!("ACKNOWLEDGEMENT"), "site.taken started"),
        (json!("DOWNTIMESTART"), "site.any started"),
        (json!("DOWNTIMEEND"), "site.any started"),
        (json!("DOWNTIMECANCELLED (by operator)"), "site.any started"),
        (json!("FLAPPINGSTART"), ""),
        (json!("FLAPPINGSTOP"), ""),
        (json!("CUSTOM"), ""),
        (json!("ALERTHANDLER (OK)"), ""),
        (json!("SOMETHING"), ""),
        (json!(""), ""),
        // A rule that looks at it is told that there is nothing to look at.
        (json!(null), "site.any failed"),
        (json!(5), "site.any failed"),
    ] {
        let payload = json!({"notification_type": kind, "host": {"name": "wn001"}, "service": {"state": "CRITICAL"}});
        let step = brought(
            &mut machine,
            event(&format!("e-{}", kind.to_string().replace([' ', '"'], "-")), "check_mk.event_handler", payload),
        );
        assert_eq!(came(&step), expected, "{kind}: {}", why(&step));
    }
}

/// Nobody could be told of it, and no right is known.
#[test]
fn nothing_is_taken_up_before_the_chat_is_known() {
    let mut machine = machine(&[("rules/orphans.yaml", ORPHANS)], RUN);
    let known = Directory {
        users: BTreeMap::from([("operator".to_owned(), UserId::new("u1"))]),
        channels: BTreeMap::from([("cluster".to_owned(), ChannelId::new(CHANNEL))]),
        ..Directory::default()
    };
    machine.take(Input::Directory(Directory::default()));
    let step = alert(&mut machine, "early", "wn001", "CRITICAL");
    assert!(
        matches!(answered(&step), Answer::Failed { text } if text.contains("bring it again")),
        "{:?}",
        answered(&step)
    );
    assert!(step.facts.is_empty(), "{:?}", step.facts);
    machine.take(Input::Directory(known));
    let step = alert(&mut machine, "early", "wn001", "CRITICAL");
    assert_eq!(came(&step), "site.orphans started");
}

#[test]
fn a_rule_that_matches_runs_its_action() {
    let mut machine = machine(&[("rules/orphans.yaml", ORPHANS)], RUN);
    let step = alert(&mut machine, "e1", "wn001", "CRITICAL");
    assert_eq!(came(&step), "site.orphans started");
    assert_eq!(scripts(&step), ["pdsh -w wn001 \"check_unparent | xargs kill \""]);
    let id = execution(&step);
    let Answer::Event { new: true, executions, .. } = answered(&step) else { panic!("{:?}", answered(&step)) };
    assert_eq!(executions, std::slice::from_ref(&id));
    let request = machine.bot.memory().executions[&id].request.clone();
    assert!(matches!(&request.by, Principal::Rule { rule, .. } if rule.as_str() == "site.orphans"), "{:?}", request.by);
    assert!(matches!(&request.back, Back::Told { channel: Some(channel), .. } if channel.as_str() == CHANNEL));
    assert!(said(&step).contains("core.remote"), "{}", said(&step));
    // Its end stands in the same post.
    let step = ends(&mut machine, &id, done());
    assert!(said(&step).contains("done on wn006"), "{}", said(&step));
    for (id, host, state) in [("e2", "wn001", "OK"), ("e3", "se001", "CRITICAL")] {
        let step = alert(&mut machine, id, host, state);
        assert_eq!(came(&step), "", "{host} {state}");
    }
}

#[test]
fn an_event_is_taken_up_once_also_by_the_next_process() {
    let files = content(&[("rules/orphans.yaml", ORPHANS)]);
    let start = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let mut first = grant(Machine::with_content(Vec::new(), start, &files), RUN);
    assert_eq!(came(&alert(&mut first, "e1", "wn001", "CRITICAL")), "site.orphans started");
    let again = alert(&mut first, "e1", "wn001", "CRITICAL");
    assert!(again.facts.is_empty(), "{:?}", again.facts);
    assert!(matches!(answered(&again), Answer::Event { new: false, .. }));
    let mut next = grant(Machine::with_content(first.facts.clone(), first.now, &files), RUN);
    assert!(alert(&mut next, "e1", "wn001", "CRITICAL").facts.is_empty());
    // A memory that was written down knows it as well.
    let memory = serde_json::to_string(next.bot.memory()).unwrap();
    let memory: halcyon::core::memory::Memory = serde_json::from_str(&memory).unwrap();
    assert_eq!(&memory, next.bot.memory());
    assert!(memory.events.has_taken(&TriggerInstanceId::new("e1")));
}

#[test]
fn what_cannot_be_an_event_is_refused_and_not_remembered() {
    let kind = "name: pushed\ndescription: d\npayload_schema: {type: object, properties: {n: {type: integer, required: true}}}\n";
    let mut machine = machine(&[("triggers/pushed.yaml", kind)], RUN);
    for (id, trigger, payload, part) in [
        ("e1", "site.nothing", json!({}), "there is no type of triggers `site.nothing`"),
        ("e1", "site.pushed", json!({"n": "x"}), "`n` has to be integer, and is text"),
        ("", "site.pushed", json!({"n": 1}), "an event needs an id"),
        ("a b", "site.pushed", json!({"n": 1}), "an event needs an id"),
    ] {
        let step = brought(&mut machine, event(id, trigger, payload));
        let Answer::Refused { text } = answered(&step) else { panic!("{:?}", answered(&step)) };
        assert!(text.contains(part), "{text}");
        assert!(step.facts.is_empty(), "{:?}", step.facts);
    }
    machine.take(Input::Stop);
    let step = brought(&mut machine, event("e9", "site.pushed", json!({"n": 1})));
    assert!(matches!(answered(&step), Answer::Failed { .. }), "it can be brought again: {:?}", answered(&step));
}

fn simple(name: &str, more: &str, action: &str) -> String {
    format!("name: {name}\nenabled: true\ntrigger: {{type: check_mk.event_handler}}\n{more}\naction: {action}\n")
}

#[test]
fn backstops_come_when_no_other_rule_has_matched() {
    let standard = simple("a", "criteria: {trigger.service.state: {type: eq, pattern: CRITICAL}}", "{ref: core.noop}");
    let back = simple("b", "type: {ref: backstop}", "{ref: core.noop}");
    let mut machine = machine(&[("rules/a.yaml", &standard), ("rules/b.yaml", &back)], RUN);
    assert_eq!(came(&alert(&mut machine, "e1", "wn001", "CRITICAL")), "site.a started");
    assert_eq!(came(&alert(&mut machine, "e2", "wn001", "OK")), "site.b started");
}

#[test]
fn a_rule_may_do_what_a_role_lets_it_and_nothing_else() {
    let rule = simple("r", "", "{ref: core.noop}");
    let mut none = machine(&[("rules/r.yaml", &rule)], &[(Verb::Run, "core.remote"), (Verb::View, "*")]);
    let step = alert(&mut none, "e1", "wn001", "OK");
    assert_eq!(
        (came(&step), why(&step).contains("grants `run:core.noop`")),
        ("site.r refused".into(), true),
        "{}",
        why(&step)
    );
    assert!(
        step.facts.iter().any(|dated| matches!(&dated.fact, Fact::AccessDenied { by: Principal::Rule { .. }, .. }))
    );
    assert!(said(&step).contains("no role of the rule grants"), "{}", said(&step));
    let mut some = machine(&[("rules/r.yaml", &rule)], &[(Verb::Run, "core.noop")]);
    assert_eq!(came(&alert(&mut some, "e1", "wn001", "OK")), "site.r started");
}

#[test]
fn what_comes_from_an_event_reaches_no_shell() {
    let spliced = ORPHANS.replace("orphans", "spliced");
    let hosts = simple("hosts", "", "{ref: core.remote, parameters: {hosts: '{{trigger.host.name}}', cmd: uptime}}");
    let data = simple(
        "data",
        "",
        "{ref: core.remote, parameters: {hosts: wn001, cmd: 'echo \"$OUT\"', env: {OUT: '{{trigger.service.output}}'}}}",
    );
    let told =
        simple("told", "", "{ref: core.remote, parameters: {hosts: wn001, cmd: 'logger {{trigger.service.output}}'}}");
    let named =
        simple("named", "", "{ref: core.remote, parameters: {hosts: '{{trigger.service.output}}', cmd: uptime}}");
    let files = [&spliced, &hosts, &data, &told, &named];
    let files = files.iter().enumerate().map(|(at, text)| (format!("rules/r{at}.yaml"), text.as_str()));
    let files: Vec<(String, &str)> = files.collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(inside, text)| (inside.as_str(), *text)).collect();
    for (host, output, came_of_it) in [
        ("wn001", "wn002", "data, hosts, named, spliced, told"),
        ("wn001", "a; reboot", "data, hosts, spliced"),
        ("wn001", "$(reboot)", "data, hosts, spliced"),
        ("wn001", "a,b", "data, hosts, spliced, told"),
        ("wn001", "wn0[01-99]", "data, hosts, spliced"),
        ("wn001", "@all", "data, hosts, spliced, told"),
        // Known or not is for whom it is sent to.
        ("wn009", "wn002", "data, named, spliced, told"),
        // Of what has no name of a machine nothing is made.
        ("wn001; reboot", "wn002", ""),
        ("wn0$(reboot)", "wn002", ""),
        ("wn0[01-99]", "wn002", ""),
        ("@all", "wn002", ""),
        ("wn0@all", "wn002", ""),
        ("wn001,wn002", "wn002", ""),
        ("-wn001", "wn002", ""),
        (" ", "wn002", ""),
    ] {
        let mut machine = machine(&files, RUN);
        let payload = json!({
            "notification_type": "PROBLEM",
            "host": {"name": host},
            "service": {"desc": "Orphans", "state": "CRITICAL", "output": output},
        });
        let step = brought(&mut machine, event("e1", "check_mk.event_handler", payload));
        let begun = enforcements(&step).into_iter().filter(|one| matches!(one.outcome, Outcome::Started { .. }));
        let mut begun: Vec<String> = begun.map(|one| one.rule.as_str().replace("site.", "")).collect();
        begun.sort();
        // Machines that are at work already are waited for.
        assert_eq!(begun.join(", "), came_of_it, "{host} {output}: {}", why(&step));
        let refused = enforcements(&step).into_iter().filter(|one| matches!(one.outcome, Outcome::Refused { .. }));
        assert!(begun.len() == 5 || refused.count() > 0, "a refusal is said");
        // In code it calls nobody.
        assert!(!said(&step).replace("`@all`", "").contains("@all"), "{}", said(&step));
    }
}

#[test]
fn policies_apply_to_rules() {
    let policy = "name: ask\nresource_ref: core.noop\npolicy_type: action.approval\nparameters: {approvers: {roles: [operator]}}\n";
    let rule = simple("r", "", "{ref: core.noop}");
    let mut machine = machine(&[("rules/r.yaml", &rule), ("policies/ask.yaml", policy)], RUN);
    let step = alert(&mut machine, "e1", "wn001", "OK");
    assert_eq!(came(&step), "site.r started", "{}", why(&step));
    let id = execution(&step);
    assert_eq!(machine.bot.memory().executions[&id].status, Status::Requested);
    assert!(said(&step).contains("site.r"), "the card says who asks: {}", said(&step));
    let code = machine.bot.memory().executions[&id].approval.as_ref().unwrap().code.clone();
    let step = machine.hear(&format!("!approve {code}"), None);
    assert!(step.effects.iter().any(|effect| matches!(effect, Effect::Identify { .. })), "{}", said(&step));
    let step = machine.identify(&id);
    let started = |dated: &halcyon::core::fact::Dated| matches!(&dated.fact, Fact::ExecutionStarted(_));
    assert!(step.facts.iter().any(started), "{:?}", step.facts);
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let rule =
        simple("r", "dry_run: true", "{ref: core.remote, parameters: {hosts: '{{trigger.host.name}}', cmd: uptime}}");
    let mut machine = machine(&[("rules/r.yaml", &rule)], &[]);
    let step = alert(&mut machine, "e1", "wn001", "OK");
    assert_eq!(came(&step), "site.r would-run");
    assert!(
        said(&step).contains("would have run `core.remote`") && said(&step).contains("hosts: wn001"),
        "{}",
        said(&step)
    );
    // A flood of the same is told once.
    assert_eq!(said(&alert(&mut machine, "e2", "wn001", "OK")), "");
    assert!(said(&alert(&mut machine, "e3", "wn002", "OK")).contains("wn002"));
    // The thread of the problem has it, however long that goes on.
    machine.wait(601);
    assert!(!said(&alert(&mut machine, "e4", "wn001", "OK")).contains("would have run"));
}

#[test]
fn what_cannot_be_judged_is_told_and_remembered() {
    let wrong = simple("w", "criteria: {trigger.service.state: {type: gt, pattern: 5}}", "{ref: core.noop}");
    let lacks = simple("l", "", "{ref: core.local, parameters: {cmd: 'echo {{trigger.no}}'}}");
    let absent = simple("a", "", "{ref: site.nothing}");
    let files = [("rules/w.yaml", wrong.as_str()), ("rules/l.yaml", lacks.as_str()), ("rules/a.yaml", absent.as_str())];
    let mut machine = machine(&files, RUN);
    let step = alert(&mut machine, "e1", "wn001", "OK");
    let Some(Fact::TriggerTaken(taken)) =
        step.facts.iter().map(|dated| &dated.fact).find(|fact| matches!(fact, Fact::TriggerTaken(_)))
    else {
        panic!("{:?}", step.facts)
    };
    assert_eq!((taken.status, taken.listening), (Taken::ProcessingFailed, 3));
    for part in ["have no order", "`trigger.no` has no value", "there is no action `site.nothing`"] {
        assert!(why(&step).contains(part), "{part}: {}", why(&step));
    }
}

#[test]
fn the_bots_own_events_start_rules_and_no_circle() {
    let own = |name: &str, trigger: &str, more: &str, action: &str| {
        format!("name: {name}\nenabled: true\ntrigger: {{type: {trigger}}}\n{more}\naction: {action}\n")
    };
    let ended = "core.st2.generic.actiontrigger";
    let echo = own("echo", ended, "criteria: {trigger.status: {type: eq, pattern: succeeded}}", "{ref: core.noop}");
    let files = [("rules/e.yaml", echo.as_str())];
    let mut one = machine(&files, RUN);
    let id = crate::bot::started(&one.hear("!greet you on wn001", None)).unwrap();
    let step = ends(&mut one, &id, done());
    assert_eq!(came(&step), "site.echo started");
    // What the rule has started ends with the next event, and that end does not start it again.
    let step = one.take(Input::Deadline);
    assert_eq!(came(&step), "site.echo refused", "{}", why(&step));
    assert!(why(&step).contains("has led to this event itself"));

    let key = own("key", "core.st2.key_value_pair.value_change", "", "{ref: core.noop}");
    let mut two = machine(&[("rules/k.yaml", key.as_str())], RUN);
    let mut settings = Settings::clone(two.bot.settings());
    settings.roles[0].grants.push(Grant::new(Verb::Admin, "key.*"));
    two.take(Input::Settings(Arc::new(settings)));
    for (line, expected) in [("!key set a 1", ""), ("!key set a 1", ""), ("!key set a 2", "site.key started")] {
        assert_eq!(came(&two.hear(line, None)), expected, "{line}");
    }

    // Where nobody listens, nothing is noted.
    let mut none = machine(&[], RUN);
    let id = crate::bot::started(&none.hear("!greet you on wn001", None)).unwrap();
    let step = ends(&mut none, &id, done());
    assert!(!step.facts.iter().any(|dated| matches!(dated.fact, Fact::TriggerTaken(_))));
}

#[test]
fn actions_bring_events_on() {
    let inject = simple(
        "inject",
        "",
        "{ref: core.inject_trigger, parameters: {trigger: site.pushed, payload: {n: '{{trigger.host.name}}'}}}",
    );
    let kind = "name: pushed\ndescription: d\n";
    let hears = "name: hears\nenabled: true\ntrigger: {type: site.pushed}\ncriteria: {trigger.n: {type: eq, pattern: wn001}}\naction: {ref: core.noop}\n";
    let files = [("rules/i.yaml", inject.as_str()), ("triggers/pushed.yaml", kind), ("rules/h.yaml", hears)];
    let mut machine = machine(&files, RUN);
    let step = alert(&mut machine, "e1", "wn001", "OK");
    assert_eq!(came(&step), "site.inject started, site.hears started");
    let chain = enforcements(&step).iter().find_map(|one| {
        let id = one.outcome.execution().filter(|_| one.rule.as_str() == "site.hears")?;
        match &machine.bot.memory().executions[id].request.by {
            Principal::Rule { chain, .. } => Some(chain.clone()),
            _ => None,
        }
    });
    assert_eq!(chain.unwrap(), [RuleRef::new("site.inject")]);
    // The pack's author sees at once that there is no such trigger.
    let odd = inject.replace("site.pushed", "site.pushd");
    let mut machine = grant(self::machine(&[("rules/i.yaml", odd.as_str())], &[]), RUN);
    let step = alert(&mut machine, "e1", "wn001", "OK");
    assert!(why(&step).contains("there is no type of triggers `site.pushd`"), "{}", why(&step));
}

fn rules(step: &Step) -> Vec<ShownRule> {
    match answered(step) {
        Answer::Rules { rules } => rules,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_are_shown_and_switched_by_those_who_may() {
    let mine = simple("mine", "description: Does nothing", "{ref: core.noop}");
    let other = simple("other", "", "{ref: core.local, parameters: {cmd: date}}");
    let files = content(&[("rules/m.yaml", &mine), ("rules/o.yaml", &other)]);
    let start = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let mut machine = grant(Machine::with_content(Vec::new(), start, &files), RUN);
    let step = machine.hear("!rules", None);
    assert!(said(&step).contains("`site.mine`") && said(&step).contains("never"), "{}", said(&step));
    let step = machine.hear("!rule disable mine", None);
    assert!(said(&step).contains("`site.mine` is not in force any more"), "{}", said(&step));
    assert_eq!(came(&alert(&mut machine, "e1", "wn001", "OK")), "site.other started");
    // It stays so over a restart, whatever the file says.
    let mut next = grant(Machine::with_content(machine.facts.clone(), machine.now, &files), RUN);
    assert_eq!(came(&alert(&mut next, "e2", "wn002", "OK")), "site.other started");
    assert!(said(&next.hear("!rule enable site.mine", None)).contains("is in force from now on"));
    assert!(said(&next.hear("!rule enable site.mine", None)).contains("is in force already"));
    next.wait(60);
    assert!(came(&alert(&mut next, "e3", "wn003", "OK")).contains("site.mine started"));
    let step = next.hear("!rule show mine", None);
    assert!(said(&step).contains("started") && said(&step).contains("by operator"), "{}", said(&step));
    for (line, part) in
        [("!rule disable other", "which no role of yours grants"), ("!rule show mien", "there is no rule")]
    {
        assert!(said(&next.hear(line, None)).contains(part), "{line}: {}", said(&next.hear(line, None)));
    }
    // The same over the control socket, where the bot's own account may do everything.
    let by = Principal::LocalUser { uid: 1000, name: "halcyon".into() };
    let ask = |machine: &mut Machine, ask| {
        machine.take(Input::Request { request: RequestId(9), from: by.clone(), ask: Ask::Rules(ask) })
    };
    assert_eq!(rules(&ask(&mut next, RuleAsk::List)).len(), 2);
    let switched = rules(&ask(&mut next, RuleAsk::Switch { rule: "other".into(), enabled: false }));
    assert_eq!((switched[0].enabled, switched[0].action.clone()), (false, ActionRef::new("core.local")));
    let shown = rules(&ask(&mut next, RuleAsk::Show { rule: "mine".into() }));
    assert!(matches!(shown[0].last[0].outcome, Outcome::Started { .. }), "{shown:?}");
    let Answer::Triggers { triggers } = answered(&ask(&mut next, RuleAsk::Triggers)) else { panic!("no triggers") };
    let heard = triggers.iter().find(|trigger| trigger.reference.as_str() == "check_mk.event_handler").unwrap();
    assert_eq!(heard.rules.len(), 2);
}
