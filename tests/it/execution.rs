//! The execution's machine, its verdicts and its results against the tables under `tests/data/machines`. Run with
//! `HALCYON_REGENERATE=1` to write the tables anew, and read the difference.

use halcyon::core::action::execution::{EffectClass, Execution, Judgement, Requested, Status, judge};
use halcyon::core::action::inquiry::Inquiry;
use halcyon::core::action::result::{result, to_stackstorm};
use halcyon::core::action::run::{Captured, Exit, HostOutcome};
use halcyon::core::action::waiting::{Given, Turn, Waiting, Waits};
use halcyon::core::approval::request::{Event, State};
use halcyon::core::approval::snapshot::Snapshot;
use halcyon::core::chat::code::Code;
use halcyon::core::effect::{Body, Delivery};
use halcyon::core::fact::Fact;
use halcyon::core::id::{ActionRef, AliasRef, ChannelId, DeliveryId, ExecutionId, Host, PostId, RequestId, UserId};
use halcyon::core::input::{Back, Principal};
use halcyon::core::policy::NextTry;
use halcyon::core::workflow::conducted::{Definition, Moved};
use halcyon::core::workflow::status::Status as Stands;
use halcyon::core::workflow::transition::Transition;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

const STATUSES: [Status; 12] = [
    Status::Requested,
    Status::Delayed,
    Status::Running,
    Status::Pending,
    Status::Pausing,
    Status::Paused,
    Status::Canceling,
    Status::Succeeded,
    Status::Failed,
    Status::Timeout,
    Status::Canceled,
    Status::Unknown,
];

/// Compares with the stored table, or stores it.
pub(crate) fn check(file: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/machines").join(file);
    if std::env::var_os("HALCYON_REGENERATE").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(
        expected == actual,
        "{file} is not what the code does; HALCYON_REGENERATE=1 writes it anew. The code does:\n{actual}"
    );
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn next_try() -> NextTry {
    NextTry { id: ExecutionId::generate(at(9), 9), number: 2, of: 3, at: at(10), asks: false }
}

fn turn() -> Turn {
    Turn { until: at(3600), from: None }
}

pub(crate) fn somebody() -> Principal {
    Principal::ChatUser { id: UserId::new("u1"), name: "operator".to_owned() }
}

pub(crate) fn asked(runner: &str, hosts: &[&str]) -> Requested {
    Requested {
        id: ExecutionId::generate(at(0), 0xabc_def),
        action: ActionRef::new("site.upgrade"),
        runner: runner.to_owned(),
        effect: EffectClass::Destructive,
        parameters: json!({"package": "kernel", "password": "********"}).as_object().unwrap().clone(),
        secrets: vec!["password".to_owned()],
        by: somebody(),
        back: Back::Chat { channel: ChannelId::new("c1"), root: None, post: PostId::new("p1") },
        line: "upgrade kernel on wn1,wn2".to_owned(),
        hosts: hosts.iter().map(|host| Host::new(*host)).collect(),
        ends_at: None,
        alias: Some(AliasRef::new("site.upgrade_alias")),
        rerun_of: None,
        content: "0".repeat(64),
        trace_tag: None,
        zone: String::new(),
        notify: None,
        reach: None,
        telling: None,
        inquiry: None,
        workflow: None,
        takes_up: None,
        parent: None,
        named: Vec::new(),
        out_of_service: Vec::new(),
        places: Vec::new(),
        tries: None,
    }
}

fn inline(text: &str) -> Captured {
    Captured::Inline { text: text.to_owned() }
}

pub(crate) fn outcome(exit: Exit, stdout: &str, stderr: &str) -> HostOutcome {
    HostOutcome { exit, stdout: inline(stdout), stderr: inline(stderr), seconds: 2.5 }
}

fn exits() -> Vec<(&'static str, Exit)> {
    vec![
        ("0", Exit::Code { code: 0 }),
        ("3", Exit::Code { code: 3 }),
        ("timeout", Exit::Timeout),
        ("canceled", Exit::Canceled),
        ("unreachable", Exit::Unreachable { why: "connection refused".to_owned() }),
        ("unknown", Exit::Unknown { why: "the connection was lost".to_owned() }),
        ("unheard 0", Exit::Unheard { code: 0 }),
        ("unheard 3", Exit::Unheard { code: 3 }),
        ("never began", Exit::NeverBegan { why: "it had not arrived there".to_owned() }),
    ]
}

fn finished(id: &ExecutionId, status: Status) -> Fact {
    Fact::ExecutionFinished { id: id.clone(), status, error: None }
}

fn host_finished(id: &ExecutionId, host: &str) -> Fact {
    Fact::HostFinished {
        id: id.clone(),
        host: Host::new(host),
        outcome: Box::new(outcome(Exit::Code { code: 0 }, "", "")),
    }
}

fn host_again(id: &ExecutionId, host: &str) -> Fact {
    Fact::HostAgain { id: id.clone(), host: Host::new(host), attempt: 1, never_began: true }
}

fn inquiry() -> Inquiry {
    Inquiry {
        code: Code::read("K3QZ").unwrap(),
        schema: serde_json::Map::new(),
        roles: Vec::new(),
        users: Vec::new(),
        user_ids: Vec::new(),
        route: String::new(),
        ttl: 0,
        until: None,
        channel: None,
        zone: String::new(),
    }
}

/// An execution on wn1 and wn2, done on wn1, in each status; one that asks has no hosts.
fn in_status(status: Status) -> Execution {
    let mut request = asked("remote-shell-cmd", &["wn1", "wn2"]);
    let id = request.id.clone();
    if status.waits() {
        return waiting(status, status == Status::Requested);
    }
    if status == Status::Pending {
        (request.hosts, request.inquiry) = (Vec::new(), Some(Box::new(inquiry())));
        return Execution::start(at(0), request);
    }
    let standing = match status {
        Status::Pausing => Some(Stands::Pausing),
        Status::Paused => Some(Stands::Paused),
        _ => None,
    };
    if let Some(standing) = standing {
        request.hosts = Vec::new();
        request.workflow = Some(Box::new(Definition { file: "a.yaml".into(), text: "version: 1.0".into() }));
        let mut execution = Execution::start(at(0), request);
        execution.apply(at(1), &moved(&id, standing)).unwrap();
        assert_eq!(execution.status, status);
        return execution;
    }
    let mut execution = Execution::start(at(0), request);
    execution.apply(at(1), &host_finished(&id, "wn1")).unwrap();
    match status {
        Status::Running | Status::Pending | Status::Requested | Status::Delayed | Status::Pausing | Status::Paused => {}
        Status::Canceling | Status::Canceled => {
            execution.apply(at(2), &Fact::CancelAsked { id: id.clone(), by: somebody(), from: None }).unwrap();
        }
        Status::Succeeded | Status::Failed | Status::Timeout | Status::Unknown => {}
    }
    if status.is_final() {
        execution.apply(at(3), &finished(&id, status)).unwrap();
    }
    assert_eq!(execution.status, status);
    execution
}

fn moved(id: &ExecutionId, status: Stands) -> Fact {
    let transitions = vec![Transition::Stands { status }];
    Fact::WorkflowMoved(Box::new(Moved { id: id.clone(), transitions, began: Vec::new(), told: Vec::new() }))
}

/// An execution that waits, with or without a request that nobody has decided about yet.
fn waiting(status: Status, approval: bool) -> Execution {
    let request = asked("remote-shell-cmd", &["wn1", "wn2"]);
    let snapshot = Snapshot {
        content: request.content.clone(),
        parameters: request.parameters.clone(),
        hosts: request.hosts.clone(),
        terms: Vec::new(),
        work: "0".repeat(64),
    };
    let turn = (!approval).then(turn);
    let waiting = Waiting { given: Given::default(), snapshot, shown: Box::default(), turn };
    let approval = approval.then(|| Box::new(crate::approval::request()));
    let execution = Execution::wait(at(0), &Waits { request, waiting, approval });
    assert_eq!(execution.status, status);
    execution
}

fn event(id: &ExecutionId, revision: u32, event: Event) -> Fact {
    Fact::Approval { id: id.clone(), revision, event }
}

#[test]
fn what_needs_an_approval_starts_with_it_and_not_without() {
    let start = || Fact::ExecutionStarted(Box::new(asked("remote-shell-cmd", &["wn1", "wn2"])));
    let mut execution = waiting(Status::Requested, true);
    let id = execution.request.id.clone();
    let canceled = Fact::ExecutionFinished { id: id.clone(), status: Status::Canceled, error: None };
    let turn = Fact::TurnAwaited { id: id.clone(), turn: turn() };
    for early in [start(), canceled, turn.clone()] {
        let before = execution.clone();
        execution.apply(at(1), &early).unwrap_err();
        assert_eq!(execution, before);
    }
    execution.apply(at(1), &event(&id, 1, crate::approval::yes("lead", &[0, 1]))).unwrap();
    execution.apply(at(2), &event(&id, 2, crate::approval::yes("second", &[1]))).unwrap();
    execution.apply(at(3), &turn).unwrap();
    assert_eq!(execution.status, Status::Delayed);
    execution.apply(at(5), &start()).unwrap();
    assert_eq!((execution.status, execution.started, execution.began()), (Status::Running, at(0), at(5)));
    assert_eq!(execution.elapsed(at(7)), Duration::from_secs(2), "what it waited does not count");
    assert_eq!(execution.approval.as_ref().unwrap().state, State::Begun);
    assert!(execution.apply(at(6), &event(&id, 4, Event::Expired)).is_err(), "a run does not wait for anything");
}

fn facts() -> Vec<(String, Fact)> {
    let id = asked("", &[]).id;
    let other = ExecutionId::generate(at(0), 1);
    let delivery = DeliveryId::new("d1");
    let mut facts = vec![
        ("started".to_owned(), Fact::ExecutionStarted(Box::new(asked("remote-shell-cmd", &["wn1"])))),
        ("host-finished wn2".to_owned(), host_finished(&id, "wn2")),
        ("host-finished wn1 again".to_owned(), host_finished(&id, "wn1")),
        ("host-finished elsewhere".to_owned(), host_finished(&id, "se01")),
        ("cancel-asked".to_owned(), Fact::CancelAsked { id: id.clone(), by: somebody(), from: None }),
        (
            "inquiry-answered".to_owned(),
            Fact::InquiryAnswered { id: id.clone(), by: somebody(), response: serde_json::Map::new() },
        ),
        ("another's cancel-asked".to_owned(), Fact::CancelAsked { id: other, by: somebody(), from: None }),
        ("workflow-moved to running".to_owned(), moved(&id, Stands::Running)),
        ("workflow-moved to paused".to_owned(), moved(&id, Stands::Paused)),
        ("workflow-taken-up".to_owned(), Fact::WorkflowTakenUp { id: id.clone(), conducted: Box::default() }),
        (
            "pause-asked".to_owned(),
            Fact::PauseAsked { id: id.clone(), by: somebody(), from: Back::Request { request: RequestId(1) } },
        ),
        (
            "resume-asked".to_owned(),
            Fact::ResumeAsked { id: id.clone(), by: somebody(), from: Back::Request { request: RequestId(1) } },
        ),
        ("host-again wn2".to_owned(), host_again(&id, "wn2")),
        ("host-again wn1".to_owned(), host_again(&id, "wn1")),
        ("host-again elsewhere".to_owned(), host_again(&id, "se01")),
        ("withdrawn".to_owned(), event(&id, 1, Event::Withdrawn { by: somebody() })),
        ("tried-again".to_owned(), Fact::TriedAgain { id: id.clone(), next: next_try() }),
        ("turn-awaited".to_owned(), Fact::TurnAwaited { id: id.clone(), turn: turn() }),
        (
            "judged".to_owned(),
            Fact::Judged {
                id: id.clone(),
                by: somebody(),
                judgement: Judgement::Ran,
                repeated_as: None,
                action: None,
                from: None,
            },
        ),
        (
            "post-taken".to_owned(),
            Fact::PostTaken { post: PostId::new("p"), channel: ChannelId::new("c"), created: at(0) },
        ),
        (
            "delivery-intended".to_owned(),
            Fact::DeliveryIntended(Delivery {
                id: delivery.clone(),
                channel: ChannelId::new("c"),
                body: Body::Edit { of: delivery.clone(), text: String::new(), attachments: None },
            }),
        ),
        ("delivery-sent".to_owned(), Fact::DeliverySent { delivery: delivery.clone(), post: PostId::new("p") }),
        ("delivery-refused".to_owned(), Fact::DeliveryRefused { delivery, why: String::new() }),
    ];
    facts.extend(STATUSES.map(|status| (format!("finished {}", status.word()), finished(&id, status))));
    facts
}

#[test]
fn every_status_meets_every_fact() {
    let mut table = String::new();
    for status in STATUSES {
        for (name, fact) in facts() {
            let mut execution = in_status(status);
            let before = execution.clone();
            let line = match execution.apply(at(9), &fact) {
                Ok(()) => execution.status.word().to_owned(),
                Err(illegal) => {
                    assert_eq!(execution, before, "a refused fact has changed something");
                    format!("illegal: {}", illegal.why)
                }
            };
            table.push_str(&format!("{:<10} + {:<24} -> {line}\n", status.word(), name));
        }
        table.push('\n');
    }
    check("execution.txt", &table);
}

#[test]
fn a_judgement_is_given_once() {
    let mut execution = in_status(Status::Unknown);
    let judged = Fact::Judged {
        id: execution.request.id.clone(),
        by: somebody(),
        judgement: Judgement::NotRun,
        repeated_as: None,
        action: None,
        from: None,
    };
    execution.apply(at(4), &judged).unwrap();
    let illegal = execution.apply(at(5), &judged).unwrap_err();
    assert_eq!(illegal.to_string().split_once(": ").unwrap().1, "it was judged before");
    assert_eq!(execution.judged.unwrap().at, at(4));
}

#[test]
fn every_pair_of_outcomes_has_its_verdict_in_either_order() {
    let hosts = [Host::new("wn1"), Host::new("wn2")];
    let mut table = String::new();
    let mut ways: Vec<(&str, Option<Exit>)> = exits().into_iter().map(|(name, exit)| (name, Some(exit))).collect();
    ways.push(("missing", None));
    for (index, (first, one)) in ways.iter().enumerate() {
        for (second, two) in &ways[index..] {
            let verdict = |one: &Option<Exit>, two: &Option<Exit>| {
                let outcomes: BTreeMap<_, _> = hosts
                    .iter()
                    .zip([one, two])
                    .filter_map(|(host, exit)| Some((host.clone(), outcome(exit.clone()?, "", ""))))
                    .collect();
                judge(&outcomes, &hosts)
            };
            assert_eq!(verdict(one, two), verdict(two, one), "{first} and {second}: the order of the hosts decides");
            table.push_str(&format!("{first:<11} + {second:<11} -> {}\n", verdict(one, two).word()));
        }
    }
    table.push_str(&format!("nothing to do             -> {}\n", judge(&BTreeMap::new(), &[]).word()));
    check("verdicts.txt", &table);
}

#[test]
fn an_error_of_the_whole_run_is_a_failure_unless_it_was_canceled() {
    let mut execution = in_status(Status::Running);
    assert_eq!(execution.verdict(None), Status::Unknown, "wn2 has no outcome");
    assert_eq!(execution.verdict(Some("no ssh here")), Status::Failed);
    execution.outcomes.insert(Host::new("wn2"), outcome(Exit::Canceled, "", ""));
    assert_eq!(execution.verdict(Some("no ssh here")), Status::Canceled);
    let local = Execution::start(at(0), asked("local-shell-cmd", &[]));
    assert_eq!(local.verdict(None), Status::Unknown, "a local command without an outcome has not succeeded");
    assert_eq!(Execution::start(at(0), asked("noop", &[])).verdict(None), Status::Succeeded);
}

#[test]
fn elapsed_time_stops_with_the_execution_and_never_runs_backwards() {
    let running = in_status(Status::Running);
    assert_eq!(running.elapsed(at(7)), Duration::from_secs(7));
    assert_eq!(running.elapsed(at(-7)), Duration::ZERO);
    assert_eq!(in_status(Status::Failed).elapsed(at(7)), Duration::from_secs(3));
}

/// Runs to its end with these outcomes and gives the result.
fn result_of(runner: &str, hosts: &[&str], outcomes: Vec<(&str, HostOutcome)>, error: Option<&str>) -> Value {
    let mut execution = Execution::start(at(0), asked(runner, hosts));
    let id = execution.request.id.clone();
    for (host, outcome) in outcomes {
        execution
            .apply(at(1), &Fact::HostFinished { id: id.clone(), host: Host::new(host), outcome: Box::new(outcome) })
            .unwrap();
    }
    let status = execution.verdict(error);
    let end = Fact::ExecutionFinished { id, status, error: error.map(str::to_owned) };
    execution.apply(at(3), &end).unwrap();
    json!({status.word(): result(&execution, &whole)})
}

fn whole(captured: &Captured) -> String {
    match captured {
        Captured::Inline { text } => text.clone(),
        Captured::Blob { blob, .. } => format!("the whole of {blob}"),
    }
}

#[test]
fn results_have_stackstorms_shapes() {
    let mut table = String::new();
    let mut show = |title: String, value: Value| {
        table.push_str(&format!("# {title}\n{}\n", serde_json::to_string(&value).unwrap()));
    };
    for (name, exit) in exits() {
        let one = || outcome(exit.clone(), "[1]", "text");
        show(format!("local, {name}"), result_of("local-shell-cmd", &[], vec![("localhost", one())], None));
        show(format!("remote, {name}"), result_of("remote-shell-cmd", &["wn1"], vec![("wn1", one())], None));
    }
    for text in
        ["", "text", "42", "-1.5", "true", "null", "\"quoted\"", "{\"a\": [1, 2]}", " {} \n", "{\"a\":", "007", "1 2"]
    {
        let outcomes = vec![("localhost", outcome(Exit::Code { code: 0 }, text, ""))];
        show(format!("output {text:?}"), result_of("local-shell-cmd", &[], outcomes, None));
    }
    let two = [("wn2", outcome(Exit::Code { code: 0 }, "b", "")), ("wn1", outcome(Exit::Code { code: 1 }, "a", ""))];
    show(
        "hosts stand in the order asked for".to_owned(),
        result_of("remote-shell-cmd", &["wn2", "wn1"], two.to_vec(), None),
    );
    let blob = Captured::Blob {
        blob: halcyon::core::id::BlobId::new("b10b"),
        bytes: 9000,
        lines: 3,
        head: "h".to_owned(),
        tail: "t".to_owned(),
        dropped: 0,
    };
    let long = HostOutcome { stdout: blob, ..outcome(Exit::Code { code: 0 }, "", "") };
    show("a long output is whole".to_owned(), result_of("local-shell-cmd", &[], vec![("localhost", long)], None));
    for runner in ["local-shell-cmd", "remote-shell-cmd", "noop"] {
        show(format!("{runner}, whole run failed"), result_of(runner, &[], vec![], Some("ssh is not installed")));
    }
    show(
        "remote, whole run failed after one host".to_owned(),
        result_of(
            "remote-shell-cmd",
            &["wn1", "wn2"],
            vec![("wn1", outcome(Exit::Code { code: 0 }, "", ""))],
            Some("gone"),
        ),
    );
    show(
        "remote, one host without outcome".to_owned(),
        result_of("remote-shell-cmd", &["wn1", "wn2"], vec![("wn1", outcome(Exit::Code { code: 0 }, "", ""))], None),
    );
    show("noop".to_owned(), result_of("noop", &[], vec![], None));
    show("running, nothing yet".to_owned(), result(&Execution::start(at(0), asked("noop", &[])), &whole));
    show("running, one host done".to_owned(), result(&in_status(Status::Running), &whole));
    check("results.txt", &table);
}

#[test]
fn an_execution_looks_like_stackstorms() {
    let mut execution = in_status(Status::Canceled);
    execution.ended = Some(at(3) + 250.milliseconds());
    let shown = to_stackstorm(&execution, result(&execution, &whole), Some("https://chat.example.org/ops/pl/p1"));
    check("stackstorm.json", &format!("{}\n", serde_json::to_string_pretty(&shown).unwrap()));
    let running = in_status(Status::Running);
    let shown = to_stackstorm(&running, result(&running, &whole), None);
    for absent in ["end_timestamp", "elapsed_seconds", "web_url"] {
        assert!(shown.get(absent).is_none(), "{absent} of a running execution");
    }
}
