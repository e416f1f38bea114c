//! Executions that wait for their turn: the machine without a runtime, then the whole program between a chat and nodes.

use crate::bot::{CHANNEL, Machine, ok, said, started};
use crate::world::{World, id_of};
use halcyon::core::action::execution::Status;
use halcyon::core::action::run::{Captured, Exit, HostOutcome, RunNews};
use halcyon::core::bot::Step;
use halcyon::core::content::load::load;
use halcyon::core::content::{PackSource, SourceFile};
use halcyon::core::effect::Effect;
use halcyon::core::fact::Fact;
use halcyon::core::id::{ChannelId, ExecutionId, Host, RequestId};
use halcyon::core::input::{Ask, Input, Principal, Storage};
use halcyon::core::memory::card_of;
use std::slice::from_ref;
use std::sync::Arc;

/// The execution that a step has wait.
pub(crate) fn waits(step: &Step) -> Option<ExecutionId> {
    step.facts.iter().find_map(|dated| match &dated.fact {
        Fact::ExecutionWaits(waits) => Some(waits.request.id.clone()),
        _ => None,
    })
}

/// Those that a step begins.
pub(crate) fn begun(step: &Step) -> Vec<ExecutionId> {
    let begun = step.facts.iter().filter_map(|dated| match &dated.fact {
        Fact::ExecutionStarted(request) => Some(request.id.clone()),
        _ => None,
    });
    let begun: Vec<ExecutionId> = begun.collect();
    let run =
        |id: &ExecutionId| step.effects.iter().any(|effect| matches!(effect, Effect::Run(run) if run.execution == *id));
    assert!(begun.iter().all(run), "{begun:?} begin, and not all of them run");
    begun
}

/// What a step makes of the card of an execution.
pub(crate) fn card(step: &Step, id: &ExecutionId) -> Option<String> {
    step.effects.iter().rev().find_map(|effect| match effect {
        Effect::Refresh { of, text, channel, .. } if *of == card_of(id) && *channel == ChannelId::new(CHANNEL) => {
            Some(text.clone())
        }
        _ => None,
    })
}

pub(crate) fn ends(machine: &mut Machine, id: &ExecutionId, exit: Exit) -> Step {
    let hosts = machine.bot.memory().executions[id].request.hosts.clone();
    for host in hosts {
        let outcome = Box::new(HostOutcome { exit: exit.clone(), ..*ok("") });
        machine.news(id, RunNews::HostFinished { host, outcome });
    }
    machine.news(id, RunNews::Finished { error: None })
}

/// The account of the bot itself asks.
pub(crate) fn ask(machine: &mut Machine, ask: Ask) -> Step {
    let from = Principal::LocalUser { uid: 1000, name: "halcyon".to_owned() };
    machine.take(Input::Request { request: RequestId(7), from, ask })
}

pub(crate) fn done() -> Exit {
    Exit::Code { code: 0 }
}

pub(crate) fn gone() -> Exit {
    Exit::Unknown { why: "the connection was lost".to_owned() }
}

/// A machine whose content has these policies besides.
pub(crate) fn with_policies(policies: &[(&str, &str)]) -> Machine {
    let mut machine = Machine::new();
    put_policies(&mut machine, policies);
    machine
}

pub(crate) fn put_policies(machine: &mut Machine, policies: &[(&str, &str)]) {
    let mut packs = crate::bot::packs();
    let file = |(name, parameters): &(&str, &str)| {
        let (name, rest) = name.split_once(' ').unwrap();
        let (resource, policy_type) = rest.split_once(' ').unwrap();
        let text = format!(
            "{{name: {name}, resource_ref: {resource}, policy_type: {policy_type}, parameters: {{{parameters}}}}}"
        );
        let inside = format!("policies/{name}.yaml");
        SourceFile { shown: inside.clone(), inside, text: Ok(text) }
    };
    let pack = "{ref: bounds, name: n, description: d, version: 1.0.0, author: a}";
    let pack = SourceFile { shown: "pack.yaml".into(), inside: "pack.yaml".into(), text: Ok(pack.into()) };
    let files = std::iter::once(pack).chain(policies.iter().map(file)).collect();
    packs.push(PackSource { directory: "bounds".into(), shown: "bounds".into(), files, programs: Vec::new() });
    let loaded = load(&packs);
    assert!(loaded.diagnostics.iter().all(|found| !found.file.starts_with("policies/")), "{:?}", loaded.diagnostics);
    machine.take(Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::default() });
}

#[test]
fn the_second_on_a_host_waits_says_for_whom_and_begins_with_the_end_of_the_first() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let step = machine.hear("!hold 5 on wn[001-002]", None);
    assert_eq!(started(&step), None);
    let second = waits(&step).unwrap();
    assert!(said(&step).contains(&format!("`{}` (trial.hold, operator) on `wn001`", first.short())), "{}", said(&step));
    assert_eq!(machine.bot.memory().executions[&second].status, Status::Delayed);
    // On another host there is no waiting, and where one waits there is.
    let other = started(&machine.hear("!hold 5 on wn003", None)).unwrap();
    let third = waits(&machine.hear("!hold 7 on wn002", None)).unwrap();
    let step = ends(&mut machine, &first, done());
    assert_eq!(begun(&step), from_ref(&second));
    assert!(said(&step).contains("`hold 5 on wn[001-002]`"), "{}", said(&step));
    assert_eq!(begun(&ends(&mut machine, &other, done())), []);
    assert_eq!(begun(&ends(&mut machine, &second, done())), [third]);
}

#[test]
fn who_only_looks_waits_for_nobody_who_only_looks() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!count to 3 on wn001", None)).unwrap();
    let second = started(&machine.hear("!count to 4 on wn001", None)).unwrap();
    let worker = waits(&machine.hear("!hold 5 on wn001", None)).unwrap();
    let third = waits(&machine.hear("!count to 5 on wn001", None)).unwrap();
    assert_eq!(begun(&ends(&mut machine, &first, done())), []);
    assert_eq!(begun(&ends(&mut machine, &second, done())), from_ref(&worker));
    assert_eq!(begun(&ends(&mut machine, &worker, done())), [third]);
}

#[test]
fn a_card_is_edited_when_it_waits_for_somebody_else() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&machine.hear("!hold 5 on wn001", None)).unwrap();
    let step = machine.hear("!hold 7 on wn001", None);
    let third = waits(&step).unwrap();
    assert!(said(&step).contains("and 1 more before it"), "{}", said(&step));
    machine.wait(10);
    let step = ends(&mut machine, &first, done());
    let text = card(&step, &third).unwrap();
    assert!(text.contains(&format!("`{}` (trial.hold, operator) on `wn001`", second.short())), "{text}");
    assert!(!text.contains("more before it"), "{text}");
    assert!(text.contains(&format!("cancel {}", third.short())), "{text}");
}

#[test]
fn who_waits_is_cancelled_and_the_next_goes_on() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&machine.hear("!hold 5 on wn[001-002]", None)).unwrap();
    let third = waits(&machine.hear("!hold 7 on wn002", None)).unwrap();
    let waiting = machine.bot.memory().executions[&second].clone();
    let step = machine.hear(&format!("!cancel {}", second.short()), None);
    let Some(Effect::Find { ticket, .. }) = step.effects.last() else { panic!("{:?}", step.effects) };
    let step = machine.take(Input::Found { ticket: (**ticket).clone(), executions: vec![waiting] });
    assert_eq!(begun(&step), [third]);
    assert!(!machine.bot.memory().executions.contains_key(&second));
    assert_eq!(begun(&ends(&mut machine, &first, done())), []);
}

#[test]
fn a_restart_changes_nothing_for_those_who_wait() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&machine.hear("!hold 5 on wn001", None)).unwrap();
    let third = waits(&machine.hear("!hold 7 on wn001", None)).unwrap();
    let mut machine = Machine::over(machine.facts, machine.now);
    // It is looked up who asked for them, since that may have changed meanwhile.
    let identified = |machine: &mut Machine, id: &ExecutionId, step: &Step| {
        assert_eq!(begun(step), []);
        let asks =
            |effect: &Effect| matches!(effect, Effect::Identify { of, .. } if format!("{of:?}").contains(id.as_str()));
        assert!(step.effects.iter().any(asks), "{:?}", step.effects);
        machine.identify(id)
    };
    let step = ends(&mut machine, &first, done());
    let step = identified(&mut machine, &second, &step);
    assert_eq!(begun(&step), from_ref(&second));
    let step = ends(&mut machine, &second, done());
    let step = identified(&mut machine, &third, &step);
    assert_eq!(begun(&step), [third]);
}

#[test]
fn a_wait_has_an_end() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&machine.hear("!hold 5 on wn001", None)).unwrap();
    machine.wait(3599);
    assert!(machine.bot.next_deadline().is_some());
    machine.take(Input::Deadline);
    assert!(machine.bot.memory().executions.contains_key(&second));
    machine.wait(1);
    let step = machine.take(Input::Deadline);
    assert!(said(&step).contains("its turn did not come within 1 h"), "{}", said(&step));
    assert!(said(&step).contains("@operator"), "{}", said(&step));
    assert!(!machine.bot.memory().executions.contains_key(&second));
    assert_eq!(begun(&ends(&mut machine, &first, done())), []);
}

#[test]
fn nobody_works_where_it_is_not_known_whether_somebody_still_does() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!hold 60 on wn[001-002]", None)).unwrap();
    let second = waits(&machine.hear("!hold 5 on wn001", None)).unwrap();
    machine.wait(10);
    let hosts = [("wn001", gone()), ("wn002", done())];
    for (host, exit) in hosts {
        let outcome =
            Box::new(HostOutcome { exit, stdout: Captured::empty(), stderr: Captured::empty(), seconds: 1.0 });
        machine.news(&first, RunNews::HostFinished { host: Host::new(host), outcome });
    }
    let step = machine.news(&first, RunNews::Finished { error: None });
    assert_eq!(begun(&step), []);
    let text = card(&step, &second).unwrap();
    assert!(text.contains(&format!("settle {} ran", first.short())), "{text}");
    // Who only looks is let through, and another host is free.
    assert!(started(&machine.hear("!count to 3 on wn001", None)).is_some());
    assert!(started(&machine.hear("!hold 5 on wn002", None)).is_some());
    let third = waits(&machine.hear("!hold 9 on wn001", None)).unwrap();
    let looker = machine.bot.memory().executions.values().find(|one| one.request.action.as_str() == "trial.count");
    let looker = looker.unwrap().request.id.clone();
    // A restart forgets no doubt.
    let mut machine = Machine::over(machine.facts, machine.now);
    let unknown = machine.ended(&first);
    let step = machine.hear(&format!("!settle {} ran", first.short()), None);
    let Some(Effect::Find { ticket, .. }) = step.effects.last() else { panic!("{:?}", step.effects) };
    let step = machine.take(Input::Found { ticket: (**ticket).clone(), executions: vec![unknown] });
    assert_eq!(begun(&step), []);
    ends(&mut machine, &looker, done());
    assert_eq!(begun(&machine.identify(&second)), from_ref(&second));
    ends(&mut machine, &second, done());
    assert_eq!(begun(&machine.identify(&third)), [third]);
}

#[test]
fn what_is_run_again_after_a_doubt_goes_before_those_who_wait() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    ends(&mut machine, &first, gone());
    let second = waits(&machine.hear("!hold 5 on wn001", None)).unwrap();
    let unknown = machine.ended(&first);
    let step = machine.hear(&format!("!settle {} again", first.short()), None);
    let Some(Effect::Find { ticket, .. }) = step.effects.last() else { panic!("{:?}", step.effects) };
    let step = machine.take(Input::Found { ticket: (**ticket).clone(), executions: vec![unknown] });
    let again = begun(&step);
    assert_eq!(again.len(), 1);
    assert_ne!(again[0], second);
    assert_eq!(begun(&ends(&mut machine, &again[0], done())), [second]);
}

#[test]
fn frozen_executions_keep_their_place() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&machine.hear("!hold 5 on wn001", None)).unwrap();
    machine.wait(10);
    ask(&mut machine, Ask::Freeze { reason: "power work".to_owned() });
    let step = ends(&mut machine, &first, done());
    assert_eq!(begun(&step), []);
    let text = card(&step, &second).unwrap();
    assert!(text.contains("frozen"), "{text}");
    assert!(!said(&machine.hear("!hold 7 on wn001", None)).contains("waits"));
    assert_eq!(begun(&ask(&mut machine, Ask::Unfreeze)), [second]);
}

#[test]
fn a_full_disk_holds_back_and_lets_go_again() {
    let mut machine = Machine::new();
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&machine.hear("!hold 5 on wn001", None)).unwrap();
    machine.take(Input::Storage(Storage { free: Some(1), reserve: 2, refused: None }));
    assert_eq!(begun(&ends(&mut machine, &first, done())), []);
    let step = machine.take(Input::Storage(Storage { free: Some(3), reserve: 2, refused: None }));
    assert_eq!(begun(&step), [second]);
}

#[test]
fn a_policy_lets_only_so_many_run_at_once() {
    let mut machine = with_policies(&[("two trial.hold action.concurrency", "threshold: 2")]);
    let first = started(&machine.hear("!hold 1 on wn001", None)).unwrap();
    let second = started(&machine.hear("!hold 2 on wn002", None)).unwrap();
    let step = machine.hear("!hold 3 on wn003", None);
    let third = waits(&step).unwrap();
    assert!(said(&step).contains("`bounds.two` lets 2 run at once"), "{}", said(&step));
    let step = machine.hear("!hold 4 on wn004", None);
    let fourth = waits(&step).unwrap();
    // Another action is no part of it.
    assert!(started(&machine.hear("!greet you on wn005", None)).is_some());
    assert_eq!(begun(&ends(&mut machine, &second, done())), [third]);
    assert_eq!(begun(&ends(&mut machine, &first, done())), [fourth]);
}

#[test]
fn equal_values_count_together() {
    let mut machine =
        with_policies(&[("same trial.hold action.concurrency.attr", "threshold: 1, attributes: [seconds]")]);
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    assert!(started(&machine.hear("!hold 5 on wn002", None)).is_some());
    let second = waits(&machine.hear("!hold 60 on wn003", None)).unwrap();
    assert_eq!(begun(&ends(&mut machine, &first, done())), [second]);
}

#[test]
fn a_policy_can_cancel_what_is_too_much() {
    let mut machine = with_policies(&[("one trial.hold action.concurrency", "threshold: 1, action: cancel")]);
    let first = started(&machine.hear("!hold 1 on wn001", None)).unwrap();
    let step = machine.hear("!hold 2 on wn002", None);
    assert_eq!((started(&step), waits(&step)), (None, None));
    let text = said(&step);
    assert!(text.contains("`bounds.one`") && text.contains(first.short()), "{text}");
    ends(&mut machine, &first, done());
    assert!(started(&machine.hear("!hold 2 on wn002", None)).is_some());
}

#[test]
fn a_secret_among_the_attributes_is_not_kept() {
    let mut machine =
        with_policies(&[("same trial.login action.concurrency.attr", "threshold: 1, attributes: [pass]")]);
    // Without a master key all secrets count as equal, and what has one cannot wait.
    assert!(started(&machine.hear("!login with hunter2 on wn001", None)).is_some());
    let step = machine.hear("!login with hunter3 on wn002", None);
    assert_eq!((started(&step), waits(&step)), (None, None), "{}", said(&step));
    machine.take(Input::MasterKey(Ok(halcyon::core::datastore::seal::MasterKey::new([7; 32]))));
    assert!(started(&machine.hear("!login with hunter4 on wn003", None)).is_some());
    assert!(started(&machine.hear("!login with hunter5 on wn004", None)).is_some());
    assert!(waits(&machine.hear("!login with hunter5 on wn005", None)).is_some());
    let facts = serde_json::to_string(&machine.facts).unwrap();
    assert!(!facts.contains("hunter"), "a secret stands in the facts");
}

#[test]
fn no_more_wait_than_may() {
    let mut machine = Machine::new();
    started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    for _ in 0..50 {
        machine.wait(2);
        assert!(waits(&machine.hear("!hold 5 on wn001", None)).is_some());
    }
    machine.wait(2);
    let step = machine.hear("!hold 5 on wn001", None);
    assert_eq!(waits(&step), None);
    assert!(said(&step).contains("50"), "{}", said(&step));
}

#[test]
fn who_waits_does_not_begin_on_other_hosts_than_it_waited_for() {
    use halcyon::core::host::Inventory;
    use std::collections::BTreeMap;
    let mut machine = Machine::new();
    let inventory = |members: &str| {
        let groups = BTreeMap::from([("few".to_owned(), Ok(vec![members.to_owned()]))]);
        Input::Inventory(Arc::new(Inventory::build(&["wn[001-006]".to_owned()], &groups).0))
    };
    machine.take(inventory("wn[001-002]"));
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&machine.hear("!hold 5 on @few", None)).unwrap();
    machine.take(inventory("wn[001-003]"));
    let step = ends(&mut machine, &first, done());
    assert_eq!(begun(&step), []);
    assert!(said(&step).contains("001-003"), "{}", said(&step));
    assert!(!machine.bot.memory().executions.contains_key(&second));
}

#[test]
fn a_host_in_a_parameter_is_a_host() {
    // An action that runs here acts on the machine that it names.
    let mut machine = Machine::new();
    let mut packs = crate::bot::packs();
    let file =
        |inside: &str, text: &str| SourceFile { shown: inside.into(), inside: inside.into(), text: Ok(text.into()) };
    packs.push(PackSource {
        directory: "power".into(),
        shown: "power".into(),
        files: vec![
            file("pack.yaml", "{ref: power, name: n, description: d, version: 1.0.0, author: a}"),
            file(
                "actions/cycle.yaml",
                "name: cycle\nrunner_type: local-shell-cmd\nparameters:\n  node: {type: string}\n  cmd: {immutable: true, default: \"echo {{node}}\"}\n",
            ),
            file("aliases/cycle.yaml", "{name: cycle, action_ref: power.cycle, formats: [\"power cycle {{node}}\"]}"),
        ],
        programs: Vec::new(),
    });
    machine.take(Input::Content { catalog: Arc::new(load(&packs).catalog), problems: Arc::default() });
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&machine.hear("!power cycle wn001", None)).unwrap();
    assert!(started(&machine.hear("!power cycle wn002", None)).is_some());
    assert_eq!(begun(&ends(&mut machine, &first, done())), [second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_chat_the_second_waits_and_begins_by_itself() {
    let world = World::start().await;
    let first = world.write("operator", "!hold 600 on wn001");
    let first = world.answer_that(&first, |post| post.message.contains("holding")).await;
    let second = world.write("operator", "!greet you on wn[001-002]");
    let waiting = world.answer_that(&second, |post| post.message.contains("wait")).await;
    assert!(
        waiting.message.contains(&format!("`{}` (trial.hold, operator) on `wn001`", id_of(&first))),
        "{}",
        waiting.message
    );
    let listed = world.say("operator", "!list").await;
    assert!(listed.message.contains(&format!("waits for {} on wn001", id_of(&first))), "{}", listed.message);
    let status = world.say("operator", "!status").await;
    assert!(status.message.contains(&format!("{} on wn001", id_of(&first))), "{}", status.message);
    world.say("operator", &format!("!cancel {}", id_of(&first))).await;
    let ended = world
        .chat
        .wait_for(
            crate::world::CHANNEL,
            |post| post.id == waiting.id && post.message.starts_with(":white_check_mark:"),
            crate::world::PATIENCE,
        )
        .await;
    assert!(ended.unwrap().message.contains("hello you"));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_chat_who_waits_survives_a_power_cut() {
    let mut world = World::start().await;
    let first = world.write("operator", "!hold 3 on wn001");
    world.answer_that(&first, |post| post.message.contains("holding")).await;
    let second = world.write("operator", "!greet you on wn001");
    let waiting = world.answer_that(&second, |post| post.message.contains("wait")).await;
    world.kill_bot();
    world.start_bot().await;
    let ended = world
        .chat
        .wait_for(
            crate::world::CHANNEL,
            |post| post.id == waiting.id && post.message.starts_with(":white_check_mark:"),
            crate::world::PATIENCE,
        )
        .await;
    assert!(ended.unwrap().message.contains("hello you"));
    assert_eq!(world.nodes.ledger("wn001").len(), 2, "each command ran once");
}
