//! What failed is tried again: the machine without a runtime, with a clock that the tests set.

use crate::bot::{Machine, ok, said, started};
use crate::taking_turns::{ask, begun, card, done, ends, gone, put_policies, waits, with_policies};
use halcyon::core::access::arguments::Patterns;
use halcyon::core::action::execution::Status;
use halcyon::core::action::result::{result, to_stackstorm};
use halcyon::core::action::run::{Exit, HostOutcome, RunNews};
use halcyon::core::bot::Step;
use halcyon::core::effect::Effect;
use halcyon::core::fact::Fact;
use halcyon::core::id::{ExecutionId, Host};
use halcyon::core::input::{Ask, Input};
use halcyon::core::settings::{Grant, Settings, Verb};
use std::slice::from_ref;
use std::sync::Arc;

fn failed() -> Exit {
    Exit::Code { code: 3 }
}

/// Whether a step looks up who somebody is.
fn looked_up(step: &Step) -> bool {
    step.effects.iter().any(|effect| matches!(effect, Effect::Identify { .. }))
}

/// A machine that tries `trial.hold` again.
fn trying(parameters: &str) -> Machine {
    with_policies(&[("again trial.hold action.retry", parameters)])
}

/// How a command ends on each of some hosts.
fn ends_so(machine: &mut Machine, id: &ExecutionId, ends: &[(&str, Exit)]) -> Step {
    for (host, exit) in ends {
        let outcome = Box::new(HostOutcome { exit: exit.clone(), ..*ok("") });
        machine.news(id, RunNews::HostFinished { host: Host::new(*host), outcome });
    }
    machine.news(id, RunNews::Finished { error: None })
}

/// The next try, which the end of the one before promises: it begins once it is known what the one who asked may do.
fn next(machine: &mut Machine, step: &Step) -> ExecutionId {
    let id = waits(step).unwrap();
    assert_eq!(begun(step), []);
    assert_eq!(begun(&machine.identify(&id)), from_ref(&id));
    id
}

fn hosts(machine: &Machine, id: &ExecutionId) -> Vec<String> {
    machine.bot.memory().executions[id].request.hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn what_failed_is_tried_again_until_it_is_done_or_all_tries_are_used() {
    let mut machine = trying("retry_on: failure, max_retry_count: 2");
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    machine.wait(20);
    let step = ends(&mut machine, &first, failed());
    let second = next(&mut machine, &step);
    let text = said(&step);
    assert!(text.contains(&format!("It is tried again: try 2 of 3 is {}", second.short())), "{text}");
    assert!(text.contains(&format!("Try 2 of 3, after {}", first.short())), "{text}");
    assert!(!text.contains("@operator"), "only the last try calls: {text}");
    machine.wait(20);
    let step = ends(&mut machine, &second, failed());
    let third = next(&mut machine, &step);
    machine.wait(20);
    let step = ends(&mut machine, &third, failed());
    assert_eq!(waits(&step), None);
    assert!(said(&step).contains("@operator"), "{}", said(&step));
    let ended = machine.ended(&third);
    let shown = to_stackstorm(&ended, result(&ended, &|_| String::new()), None);
    let retry =
        serde_json::json!({"applied_policy": "bounds.again", "retry_count": 2, "retried_liveaction_id": second});
    assert_eq!(shown["context"]["policies"]["retry"], retry);
    let first = started(&machine.hear("!hold 61 on wn001", None)).unwrap();
    let step = ends(&mut machine, &first, failed());
    let second = next(&mut machine, &step);
    assert_eq!(waits(&ends(&mut machine, &second, done())), None);
}

#[test]
fn each_policy_is_about_its_own_kind_of_end() {
    let check = |parameters: &str, exit: Exit, again: bool| {
        let mut machine = trying(parameters);
        let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
        let step = ends(&mut machine, &first, exit.clone());
        assert_eq!(waits(&step).is_some(), again, "{parameters} after {exit:?}");
    };
    check("retry_on: failure", failed(), true);
    check("retry_on: failure", Exit::Unreachable { why: "no route".to_owned() }, true);
    check("retry_on: failure", Exit::Timeout, false);
    check("retry_on: failure", done(), false);
    check("retry_on: failure", gone(), false);
    check("retry_on: failure", Exit::NeverBegan { why: "it was given up".to_owned() }, false);
    check("retry_on: failure", Exit::Canceled, false);
    check("retry_on: timeout", Exit::Timeout, true);
    check("retry_on: timeout", failed(), false);
    check("retry_on: timeout", gone(), false);
}

#[test]
fn it_is_tried_again_only_where_it_is_certain_that_it_failed() {
    let mut machine = trying("retry_on: failure, max_retry_count: 1");
    let first = started(&machine.hear("!hold 60 on wn[001-004]", None)).unwrap();
    let ends = [("wn001", done()), ("wn002", failed()), ("wn003", gone()), ("wn004", Exit::Timeout)];
    let step = ends_so(&mut machine, &first, &ends);
    let second = next(&mut machine, &step);
    assert_eq!(hosts(&machine, &second), ["wn002", "wn004"]);
    assert_eq!(machine.bot.memory().executions[&second].request.parameters["hosts"], "wn002,wn004");
}

#[test]
fn a_delay_is_waited_for_through_a_restart() {
    let mut machine = trying("retry_on: failure, max_retry_count: 1, delay: 30");
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let step = ends(&mut machine, &first, failed());
    assert_eq!(begun(&step), []);
    let second = waits(&step).unwrap();
    assert!(said(&step).contains("in 30 s"), "{}", said(&step));
    assert_eq!(machine.bot.memory().executions[&second].status, Status::Delayed);
    // Nobody is kept from the host meanwhile.
    let other = started(&machine.hear("!greet you on wn001", None)).unwrap();
    machine.wait(10);
    let mut machine = Machine::over(machine.facts, machine.now);
    put_policies(
        &mut machine,
        &[("again trial.hold action.retry", "retry_on: failure, max_retry_count: 1, delay: 30")],
    );
    machine.wait(19);
    machine.take(Input::Deadline);
    assert!(machine.bot.memory().turns.is_empty());
    machine.wait(1);
    let (due, _) = machine.bot.next_deadline().unwrap();
    assert!(due <= machine.now, "the time of the try is the next that it waits for");
    machine.take(Input::Deadline);
    // By now the host is taken, and it waits for its turn.
    assert_eq!(machine.bot.memory().turns, from_ref(&second));
    ends(&mut machine, &other, done());
    assert_eq!(begun(&machine.identify(&second)), from_ref(&second));
    assert_eq!(waits(&ends(&mut machine, &second, failed())), None);
}

#[test]
fn a_try_that_is_waited_for_can_be_stopped() {
    let mut machine = trying("retry_on: failure, delay: 30");
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&ends(&mut machine, &first, failed())).unwrap();
    let waiting = machine.bot.memory().executions[&second].clone();
    let step = machine.hear(&format!("!cancel {}", second.short()), None);
    let Some(Effect::Find { ticket, .. }) = step.effects.last() else { panic!("{:?}", step.effects) };
    machine.take(Input::Found { ticket: (**ticket).clone(), executions: vec![waiting] });
    machine.wait(60);
    assert_eq!(begun(&machine.take(Input::Deadline)), []);
    assert!(machine.bot.memory().executions.is_empty());
}

#[test]
fn a_freeze_holds_a_try_back() {
    let mut machine = trying("retry_on: failure");
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    ask(&mut machine, Ask::Freeze { reason: "power work".to_owned() });
    let step = ends(&mut machine, &first, failed());
    assert_eq!(begun(&step), []);
    let second = waits(&step).unwrap();
    assert!(!looked_up(&step));
    assert!(looked_up(&ask(&mut machine, Ask::Unfreeze)));
    assert_eq!(begun(&machine.identify(&second)), [second]);
}

#[test]
fn a_try_comes_behind_those_who_wait() {
    let mut machine = trying("retry_on: failure");
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let other = waits(&machine.hear("!greet you on wn001", None)).unwrap();
    let step = ends(&mut machine, &first, failed());
    assert_eq!(begun(&step), from_ref(&other));
    let second = waits(&step).unwrap();
    machine.wait(5);
    assert!(card(&step, &second).is_none(), "what was just said is not said again");
    assert_eq!(begun(&ends(&mut machine, &other, done())), []);
    assert_eq!(begun(&machine.identify(&second)), [second]);
}

#[test]
fn what_has_changed_is_not_tried_again() {
    let mut machine = trying("retry_on: failure, delay: 5");
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    // The policy goes out of force, and with it the tries.
    put_policies(&mut machine, &[]);
    let step = ends(&mut machine, &first, failed());
    assert_eq!((begun(&step), waits(&step)), (Vec::new(), None));
    assert!(!said(&step).contains("again"), "{}", said(&step));
}

#[test]
fn secrets_are_kept_sealed_for_the_next_try_or_there_is_none() {
    let policies = [("again trial.login action.retry", "retry_on: failure")];
    let mut machine = with_policies(&policies);
    let first = started(&machine.hear("!login with hunter2 on wn001", None)).unwrap();
    let step = ends(&mut machine, &first, failed());
    assert_eq!(begun(&step), []);
    assert!(said(&step).contains("its secrets were not kept"), "{}", said(&step));
    let mut machine = with_policies(&policies);
    machine.take(Input::MasterKey(Ok(halcyon::core::datastore::seal::MasterKey::new([7; 32]))));
    let first = started(&machine.hear("!login with hunter2 on wn001", None)).unwrap();
    let step = ends(&mut machine, &first, failed());
    let second = waits(&step).unwrap();
    let step = machine.identify(&second);
    let run = step.effects.iter().find_map(|effect| match effect {
        Effect::Run(run) if run.execution == second => Some(format!("{:?}", run.work)),
        _ => None,
    });
    assert!(run.is_some());
    let step = ends(&mut machine, &second, failed());
    let third = next(&mut machine, &step);
    assert_eq!(waits(&ends(&mut machine, &third, failed())), None);
    assert!(!serde_json::to_string(&machine.facts).unwrap().contains("hunter"), "a secret stands in the facts");
}

#[test]
fn a_try_is_noted_before_the_end_that_it_follows() {
    let mut machine = trying("retry_on: failure");
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let step = ends(&mut machine, &first, failed());
    let place = |wanted: fn(&Fact) -> bool| step.facts.iter().position(|dated| wanted(&dated.fact)).unwrap();
    let tried = place(|fact| matches!(fact, Fact::TriedAgain { .. }));
    let ended = place(|fact| matches!(fact, Fact::ExecutionFinished { .. }));
    let waits = place(|fact| matches!(fact, Fact::ExecutionWaits(_)));
    assert!(tried < ended && ended < waits, "one transaction holds them all: {:?}", step.facts);
}

#[test]
fn having_failed_grants_nothing() {
    let mut machine = trying("retry_on: failure");
    let first = started(&machine.hear("!hold 60 on wn001", None)).unwrap();
    let second = waits(&ends(&mut machine, &first, failed())).unwrap();
    // By now the one who asked may run it elsewhere only.
    let settings = machine.bot.settings().clone();
    let mut roles = settings.roles.clone();
    for grant in roles.iter_mut().flat_map(|role| &mut role.grants) {
        let elsewhere = Patterns::read(["wn[005-006]"]).unwrap();
        grant.arguments.insert("hosts".to_owned(), elsewhere);
    }
    machine.take(Input::Settings(Arc::new(Settings { roles, ..settings })));
    let step = machine.identify(&second);
    assert_eq!(begun(&step), []);
    assert!(!machine.bot.memory().executions.contains_key(&second));
    assert!(said(&step).contains("not begun"), "{}", said(&step));
}

#[test]
fn a_yes_is_for_one_run_and_each_try_asks_for_its_own() {
    let mut machine = with_policies(&[
        ("again trial.hold action.retry", "retry_on: failure, max_retry_count: 1, delay: 30"),
        ("guard trial.hold action.approval", "approvers: {users: [operator]}, allow_requester: true"),
    ]);
    let settings = machine.bot.settings().clone();
    let mut roles = settings.roles.clone();
    roles[0].grants.push(Grant::new(Verb::Approve, "trial.*"));
    machine.take(Input::Settings(Arc::new(Settings { roles, ..settings })));
    let code = |step: &Step| {
        step.facts.iter().find_map(|dated| match &dated.fact {
            Fact::ExecutionWaits(waits) => waits.approval.as_ref().map(|asked| asked.code.clone()),
            _ => None,
        })
    };
    let step = machine.hear("!hold 60 on wn001", None);
    let (first, asked) = (waits(&step).unwrap(), code(&step).unwrap());
    machine.hear(&format!("!approve {asked}"), None);
    assert_eq!(begun(&machine.identify(&first)), from_ref(&first));
    let step = ends(&mut machine, &first, failed());
    let (second, asked) = (waits(&step).unwrap(), code(&step).unwrap());
    assert_eq!(machine.bot.memory().executions[&second].status, Status::Requested);
    assert!(said(&step).contains("once that is approved"), "{}", said(&step));
    assert!(said(&step).contains(&format!("Try 2 of 2, after {}", first.short())), "{}", said(&step));
    machine.wait(10);
    machine.hear(&format!("!approve {asked}"), None);
    // The delay is waited for all the same.
    assert_eq!(begun(&machine.identify(&second)), []);
    assert_eq!(machine.bot.memory().executions[&second].status, Status::Delayed);
    machine.wait(20);
    assert_eq!(begun(&machine.take(Input::Deadline)), []);
    assert_eq!(begun(&machine.identify(&second)), from_ref(&second));
    assert_eq!(waits(&ends(&mut machine, &second, failed())), None);
}
