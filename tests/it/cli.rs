//! Command lines: what is printed, and with which exit code it ends.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use halcyon::adapters::control;
use halcyon::cli::{self, Surroundings};
use halcyon::core::action::execution::{EffectClass, Execution, Requested, Status};
use halcyon::core::action::run::{Captured, Exit, HostOutcome};
use halcyon::core::effect::Answer;
use halcyon::core::id::{ActionRef, BlobId, ExecutionId, Host, RequestId};
use halcyon::core::input::{Ask, Back, OutputPart, Principal};
use halcyon::core::picture::{Edge, Node, Picture, State};
use halcyon::runtime::ports::ControlCall;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cli")
}

fn now() -> Timestamp {
    "2014-12-02T20:00:00Z".parse().unwrap()
}

/// What a command line prints and how it ends.
struct Ended {
    out: String,
    err: String,
    code: u8,
}

fn halcyon(words: &[&str]) -> Ended {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let words = std::iter::once("halcyon").chain(words.iter().copied()).map(Into::into);
    let surroundings =
        Surroundings { out: &mut out, err: &mut err, terminal: false, environment: Default::default(), now };
    let code = cli::main(words, surroundings);
    Ended { out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap(), code }
}

#[test]
fn executions_look_as_stackstorms_client_shows_them() {
    // The expected texts were printed by st2client's own formatter from the JSON beside them.
    let mut seen = 0;
    for entry in std::fs::read_dir(data().join("get")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let value: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
            assert_eq!(cli::execution_text(&value, now()) + "\n", expected, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen}");
    let value: Value = serde_json::from_str(&std::fs::read_to_string(data().join("list/three.json")).unwrap()).unwrap();
    let expected = std::fs::read_to_string(data().join("list/three.txt")).unwrap();
    assert_eq!(cli::execution_list(value.as_array().unwrap(), now()) + "\n", expected);
}

#[test]
fn what_far_machines_print_cannot_pass_for_ours() {
    let shown = |stdout: &str| {
        let text = cli::execution_text(&json!({"result": {"stdout": stdout}}), now());
        text.split_once("stdout: ").unwrap().1.to_owned()
    };
    assert_eq!(shown("a\n b\nstatus: succeeded"), "\"a\n     b\n    status: succeeded\"");
    assert_eq!(shown("clear\u{1b}[2J"), "\"clear\\e[2J\"");
    assert_eq!(shown("\u{202e}desrever"), "\"\\u202Edesrever\"");
    assert_eq!(shown("C:\\new"), "C:\\new");
    assert_eq!(shown("Gerät läuft"), "Gerät läuft");
    assert_eq!(shown("a\n\n\nb"), "'a\n\n\n    b'");
    assert_eq!(shown("50%\r100%"), "\"50%\\r100%\"");
}

/// An execution of `core.remote` on two hosts, one of which failed when the status says so.
fn execution(status: Status) -> Execution {
    let started: Timestamp = "2014-12-02T19:56:06.9Z".parse().unwrap();
    let ended: Timestamp = "2014-12-02T19:56:08Z".parse().unwrap();
    let outcome = |code: i32, out: &str| HostOutcome {
        exit: Exit::Code { code },
        stdout: Captured::Inline { text: out.to_owned() },
        stderr: Captured::empty(),
        seconds: 1.0,
    };
    let last = if status == Status::Succeeded { outcome(0, "ok\nlast") } else { outcome(3, "broken\u{1b}[2J") };
    let outcomes = [("wn001", outcome(0, "ok")), ("wn002", last)];
    Execution {
        request: Requested {
            id: ExecutionId::new("54e657d60640fd16887d6855"),
            action: ActionRef::new("core.remote"),
            runner: "remote-shell-cmd".to_owned(),
            effect: EffectClass::Destructive,
            parameters: json!({"hosts": "wn[001-002]", "cmd": "uptime"}).as_object().unwrap().clone(),
            secrets: Vec::new(),
            by: Principal::LocalUser { uid: 0, name: "root".to_owned() },
            back: Back::Request { request: RequestId(1) },
            line: String::new(),
            hosts: vec![Host::new("wn001"), Host::new("wn002")],
            ends_at: None,
            alias: None,
            rerun_of: None,
            content: String::new(),
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
        },
        status,
        started,
        ended: status.is_final().then_some(ended),
        log: vec![(started, Status::Running)],
        outcomes: if status.is_final() {
            outcomes.into_iter().map(|(host, outcome)| (Host::new(host), outcome)).collect()
        } else {
            Default::default()
        },
        canceled_by: None,
        error: None,
        attempts: BTreeMap::new(),
        judged: None,
        answered: None,
        begun: None,
        approval: None,
        conducted: None,
        retried: None,
    }
}

/// A place with a configuration and a bot behind the socket that gives these answers, one after the other, and tells what it was asked.
async fn with_bot(answers: Vec<Answer>, words: &[&str]) -> (Ended, Vec<Ask>) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    std::fs::write(&config, "[store]\npath = \"store\"").unwrap();
    let (calls, mut called) = mpsc::channel::<ControlCall>(8);
    let listener = control::bind(&directory.path().join("store/control.sock")).await.unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(control::serve(listener, calls, stop.clone()));
    let answering = tokio::spawn(async move {
        let mut asked = Vec::new();
        let mut answers = answers.into_iter();
        while let Some(call) = called.recv().await {
            asked.push(call.ask);
            // Without an answer the reply is dropped: the bot goes away.
            if let Some(answer) = answers.next() {
                call.reply.send(answer).unwrap();
            }
        }
        assert_eq!(answers.next(), None, "an answer was not asked for");
        asked
    });
    let mut line = vec!["--config".to_owned(), config.display().to_string()];
    line.extend(words.iter().map(|word| (*word).to_owned()));
    let line: Vec<_> = line.into_iter().collect();
    let ended = tokio::task::spawn_blocking(move || halcyon(&line.iter().map(String::as_str).collect::<Vec<_>>()))
        .await
        .unwrap();
    stop.cancel();
    serving.await.unwrap();
    (ended, answering.await.unwrap())
}

fn one(status: Status, tail: &[&str]) -> Answer {
    let tail = tail.iter().map(|line| (*line).to_owned()).collect();
    Answer::Execution { execution: Box::new(execution(status)), tail }
}

fn id() -> ExecutionId {
    execution(Status::Running).request.id
}

#[tokio::test]
async fn run_waits_for_the_end_and_tells_it_by_its_exit_code() {
    let answers = |status| vec![Answer::Started { id: id() }, one(Status::Running, &[]), one(status, &[])];
    let words = ["run", "core.remote", "hosts=wn[001-002]", "cmd=echo a=b"];
    let (ended, asked) = with_bot(answers(Status::Succeeded), &words).await;
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert!(ended.out.starts_with("id: 54e657d60640fd16887d6855\naction.ref: core.remote\n"), "{}", ended.out);
    assert!(ended.out.contains("\nstatus: succeeded (2s elapsed)\n"), "{}", ended.out);
    let parameters = [("cmd", "echo a=b"), ("hosts", "wn[001-002]")];
    assert_eq!(
        asked[0],
        Ask::Run {
            action: ActionRef::new("core.remote"),
            parameters: parameters.map(|(key, value)| (key.to_owned(), Value::from(value))).into(),
            trace_tag: None,
        }
    );
    assert_eq!(asked[1], Ask::Execution { id: id().to_string() });

    for status in [Status::Failed, Status::Timeout, Status::Canceled, Status::Unknown] {
        let (ended, _) = with_bot(answers(status), &words).await;
        assert_eq!(ended.code, 1, "{status:?}");
        assert!(ended.out.contains(&format!("\nstatus: {} (2s elapsed)\n", status.word())), "{}", ended.out);
    }

    let (ended, _) = with_bot(answers(Status::Failed), &["run", "core.remote", "--json"]).await;
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["status"], "failed");
    assert_eq!(ended.code, 1);

    let (ended, _) = with_bot(vec![Answer::Started { id: id() }], &["run", "core.remote", "--detach"]).await;
    assert_eq!((ended.code, ended.out), (0, format!("{}\n", id())));
}

#[tokio::test]
async fn a_refusal_is_the_askers_fault_and_a_lost_bot_is_not() {
    let refusal = vec![Answer::Refused { text: "you may not run core.remote".to_owned() }];
    let (ended, _) = with_bot(refusal, &["run", "core.remote"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (2, "halcyon: you may not run core.remote\n"));

    // A terminal draws no signs.
    let frozen = vec![Answer::Refused { text: ":ice_cube: I am frozen: storm on the way".to_owned() }];
    let (ended, _) = with_bot(frozen, &["run", "core.remote"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (2, "halcyon: I am frozen: storm on the way\n"));
    let frozen = vec![Answer::Done { text: ":ice_cube: I am frozen: a: b: c".to_owned() }];
    let (ended, _) = with_bot(frozen, &["freeze", "a: b: c"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (0, "I am frozen: a: b: c\n"));

    let (ended, _) = with_bot(vec![Answer::Started { id: id() }], &["run", "core.remote"]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("halcyon execution get 54e657d60640fd16887d6855"), "{}", ended.err);

    let (ended, asked) = with_bot(vec![], &["run", "core.remote", "uname"]).await;
    assert_eq!((ended.code, asked.len()), (2, 0));
    assert!(ended.err.starts_with("halcyon: `uname` is not of the form key=value"), "{}", ended.err);
    let (ended, _) = with_bot(vec![], &["run", "core.remote", "a=1", "a=2"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (2, "halcyon: `a` is given twice\n"));
}

#[tokio::test]
async fn executions_are_listed_got_stopped_and_repeated() {
    let both = || vec![Answer::Executions { executions: vec![execution(Status::Failed), execution(Status::Running)] }];
    let (ended, asked) = with_bot(both(), &["execution", "list", "-n", "2"]).await;
    assert_eq!(ended.code, 0);
    assert_eq!(asked, [Ask::Executions { limit: 2 }]);
    assert!(ended.out.contains("| failed (2s elapsed)    |"), "{}", ended.out);
    assert!(ended.out.contains("| running (234s elapsed) |"), "{}", ended.out);
    let (ended, _) = with_bot(both(), &["execution", "list", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&ended.out).unwrap()[1]["status"], "running");
    let (ended, _) = with_bot(vec![Answer::Executions { executions: vec![] }], &["execution", "list"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (0, "No matching items found\n"));

    let mut answers = both();
    answers.push(one(Status::Failed, &[]));
    let (ended, asked) = with_bot(answers, &["execution", "get", "last"]).await;
    assert_eq!((ended.code, &asked[1]), (0, &Ask::Execution { id: id().to_string() }));
    assert!(ended.out.contains("stdout: \"broken\\e[2J\""), "{}", ended.out);
    let (ended, _) = with_bot(vec![one(Status::Failed, &[])], &["execution", "get", "6855", "--json"]).await;
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(value["result"]["wn002"]["return_code"], 3);
    assert_eq!(value["context"]["user"], "root");

    let done = |text: &str| Answer::Done { text: text.to_owned() };
    let (ended, asked) = with_bot(vec![done("stopping"), done("twice")], &["execution", "cancel", "1", "2"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (0, "stopping\ntwice\n"));
    assert_eq!(asked[1], Ask::Cancel { id: "2".to_owned() });

    let again = vec![Answer::Started { id: id() }, one(Status::Succeeded, &[])];
    let (ended, asked) = with_bot(again, &["execution", "rerun", "6855"]).await;
    assert_eq!((ended.code, &asked[0]), (0, &Ask::Rerun { id: "6855".to_owned() }));
}

#[tokio::test]
async fn a_graph_is_written_by_the_ending_of_its_file() {
    let nodes = vec![
        Node::new("look", "wn001", State::Succeeded, false),
        Node::new("repair & <check>", "", State::Running, false),
    ];
    let edges = vec![Edge { from: 0, to: 1, taken: true }];
    let picture = Picture { title: "mend wn001".into(), nodes, edges, ..Picture::default() };
    let answers = || vec![Answer::Picture { picture: Box::new(picture.clone()) }];

    let (ended, asked) = with_bot(answers(), &["execution", "graph", "6855"]).await;
    assert_eq!((ended.code, asked), (0, vec![Ask::Graph { id: "6855".to_owned() }]));
    assert!(ended.out.starts_with("<svg ") && ended.out.contains("repair &amp; &lt;check&gt;"), "{}", ended.out);
    let (json, _) = with_bot(answers(), &["execution", "graph", "6855", "--json"]).await;
    assert_eq!(serde_json::from_str::<Picture>(&json.out).unwrap(), picture);

    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (written, _) = with_bot(answers(), &["execution", "graph", "6855", "-o", &file("graph.svg")]).await;
    assert_eq!((written.code, written.out.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(file("graph.svg")).unwrap(), ended.out);
    let (written, _) = with_bot(answers(), &["execution", "graph", "6855", "-o", &file("graph.png")]).await;
    assert_eq!(written.code, 0, "{}", written.err);
    assert!(std::fs::read(file("graph.png")).unwrap().starts_with(b"\x89PNG\r\n\x1a\n"));

    // Nobody is asked for what could not be written.
    let (refused, asked) = with_bot(vec![], &["execution", "graph", "6855", "-o", "graph.gif"]).await;
    assert_eq!((refused.code, asked), (2, Vec::new()));
    assert!(refused.err.contains("graph.gif ends neither in .svg nor in .png"), "{}", refused.err);
    let nowhere = file("no/graph.svg");
    let (refused, _) = with_bot(answers(), &["execution", "graph", "6855", "-o", &nowhere]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains(&nowhere) && refused.err.contains("cannot be written"), "{}", refused.err);
}

#[tokio::test]
async fn an_output_is_handed_out_piece_by_piece() {
    let piece = |bytes: &[u8]| Answer::Output { base64: STANDARD.encode(bytes) };
    let long = |bytes: u64, dropped: u64| {
        let Answer::Execution { mut execution, tail } = one(Status::Failed, &[]) else { panic!() };
        let outcome = execution.outcomes.get_mut(&Host::new("wn002")).unwrap();
        let (head, tail_of) = ("a".to_owned(), "z".to_owned());
        outcome.stderr = Captured::Blob { blob: BlobId::new("b"), bytes, lines: 1, head, tail: tail_of, dropped };
        Answer::Execution { execution, tail }
    };
    let on = ["execution", "output", "6855", "wn002", "--stderr"];
    let (ended, asked) = with_bot(vec![long(5, 7), piece(b"abc"), piece(b"\x1b\n")], &on).await;
    assert_eq!((ended.code, ended.out.as_str()), (0, "abc\x1b\n"));
    assert_eq!(ended.err, "7 bytes that followed were not kept: the host wrote more than is kept of one\n");
    let part = |offset| OutputPart { host: "wn002".to_owned(), stderr: true, offset };
    assert_eq!(asked[1], Ask::Output { id: id().to_string(), part: part(0) });
    assert_eq!(asked[2], Ask::Output { id: id().to_string(), part: part(3) });
    let (ended, _) = with_bot(vec![long(5, 0), piece(b"abc"), piece(b"")], &on).await;
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (1, "halcyon: 3 of 5 bytes are there, the rest of the output is gone\n")
    );

    // What stands in the execution itself needs no second question.
    let (ended, _) = with_bot(vec![one(Status::Failed, &[])], &["execution", "output", "6855", "wn002"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (0, "broken\u{1b}[2J"));
    for (words, told) in [
        (["execution", "output", "6855"].as_slice(), "ran on several hosts, name one of wn[001-002]"),
        (&["execution", "output", "6855", "wn003"], "has not ended on wn003, but on wn[001-002]"),
    ] {
        let (ended, _) = with_bot(vec![one(Status::Failed, &[])], words).await;
        assert!(ended.code == 2 && ended.err.contains(told), "{}", ended.err);
    }
}

#[tokio::test]
async fn tail_shows_each_line_once() {
    let answers = vec![
        one(Status::Running, &["wn001: ok"]),
        one(Status::Running, &["wn001: ok", "wn002: ok"]),
        one(Status::Running, &["wn001: ok", "wn002: ok"]),
        one(Status::Succeeded, &[]),
    ];
    let (ended, _) = with_bot(answers, &["execution", "tail", "6855"]).await;
    let expected = "Execution 54e657d60640fd16887d6855 has started.\n\n\
                    wn001: ok\nwn002: ok\nwn002: last\n\n\
                    Execution 54e657d60640fd16887d6855 has completed (status=succeeded).\n";
    assert_eq!((ended.code, ended.out.as_str()), (0, expected));

    let (ended, _) = with_bot(vec![one(Status::Failed, &[])], &["execution", "tail", "6855", "--json"]).await;
    let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({"line": "wn001: ok"}));
    assert_eq!(lines[1], json!({"line": "wn002: broken\\u{1b}[2J"}));
    assert_eq!(lines[2], json!({"id": id(), "status": "failed"}));

    let answers = vec![one(Status::Running, &["a: 1"]), one(Status::Running, &["a: 7"]), one(Status::Succeeded, &[])];
    let (ended, _) = with_bot(answers, &["execution", "tail", "6855"]).await;
    assert!(ended.out.contains("a: 1\n[lines may be missing here"), "{}", ended.out);
}

#[test]
fn without_a_bot_that_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    std::fs::write(&config, "[store]\npath = \"store\"").unwrap();
    let ended = halcyon(&["--config", config.to_str().unwrap(), "run", "--detach", "core.local", "cmd=date"]);
    assert_eq!(ended.code, 1);
    let expected = format!(
        "halcyon: the bot is not running (nobody listens on {}/store/control.sock); start it with `halcyon serve`\n",
        directory.path().display()
    );
    assert_eq!(ended.err, expected);
}

#[test]
fn without_a_bot_a_command_is_the_bot() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    std::fs::write(&config, "[store]\npath = \"store\"").unwrap();
    let config = config.to_str().unwrap();
    let ended = halcyon(&["--config", config, "run", "core.echo", "message=one two"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(ended.out.contains("stdout: one two"), "{}", ended.out);
    let ended = halcyon(&["--config", config, "execution", "list"]);
    assert!(ended.out.contains("core.echo"), "{}", ended.out);
    // More than a fact holds, of which all is there.
    let whole: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    let ended = halcyon(&["--config", config, "run", "core.local", "cmd=seq 1 200000"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let ended = halcyon(&["--config", config, "execution", "output", "last"]);
    assert!(ended.code == 0 && ended.out == whole, "{} of {} bytes: {}", ended.out.len(), whole.len(), ended.err);
    let file = directory.path().join("numbers");
    let ended = halcyon(&["--config", config, "execution", "output", "last", "-o", file.to_str().unwrap()]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{}", ended.err);
    assert!(std::fs::read_to_string(file).unwrap() == whole);
    let ended = halcyon(&["--config", config, "execution", "output", "last", "--stderr"]);
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, "", ""));
    let ended = halcyon(&["--config", config, "execution", "rerun", "last"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let ended = halcyon(&["--config", config, "run", "core.local", "cmd=exit 3"]);
    assert_eq!(ended.code, 1, "{}", ended.out);
    let ended = halcyon(&["--config", config, "run", "core.lcal", "cmd=date"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("did you mean core.local?"), "{}", ended.err);
}

#[test]
fn wrong_asking_ends_with_two() {
    let check = |words: &[&str], sentence: &str| {
        let ended = halcyon(words);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{words:?}: {}", ended.err);
        assert!(ended.err.contains(sentence), "{words:?}: {}", ended.err);
    };
    check(&[], "Usage: halcyon");
    check(&["inquiry"], "Usage: halcyon inquiry");
    check(&["execution", "halt", "1"], "unrecognized subcommand 'halt'");
    check(&["execution", "list", "-n", "many"], "invalid value 'many'");
    check(&["run"], "required arguments were not provided");
    check(&["alias", "match"], "required arguments were not provided");
    check(&["execution", "list", "--config", "absent.toml"], "absent.toml: cannot read the configuration");
    check(&["check", "absent"], "there is no file or directory `absent`");
    check(&["--config", "tests/data/config/tls.toml", "execution", "list"], "TLS is not built");
    for ttl in ["soon", "-1", "0", "18446744073709551615"] {
        let ended = halcyon(&["key", "set", "--ttl", ttl, "name", "value"]);
        assert_eq!(ended.code, 2, "{ttl}");
        assert!(ended.err.contains("must be a whole number of seconds from 1 to "), "{}", ended.err);
    }
    let ended = halcyon(&["--help"]);
    assert_eq!(ended.code, 0);
    assert!(ended.out.contains("Exit codes: 0 done"));
    assert!(halcyon(&["--version"]).out.starts_with("halcyon "));
}

#[test]
fn serve_does_not_start_without_a_token() {
    let root = env!("CARGO_MANIFEST_DIR");
    let ended = halcyon(&["serve", "--config", &format!("{root}/tests/data/config/warnings.toml")]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("halcyon: ") && ended.err.ends_with("or set HALCYON_MATTERMOST_TOKEN\n"),
        "{}",
        ended.err
    );
    assert_eq!(ended.err.matches("there is no token").count(), 1, "{}", ended.err);
    let ended = halcyon(&["serve", "--config", &format!("{root}/tests/data/config/nothing.toml")]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("there is no [mattermost]"), "{}", ended.err);
}

#[test]
fn check_tells_everything_and_how_it_stands() {
    let wrong = data().with_file_name("config").join("everything-wrong.toml");
    let ended = halcyon(&["check", wrong.to_str().unwrap()]);
    assert_eq!((ended.code, ended.err.as_str()), (1, ""));
    assert!(ended.out.contains("mattermost.chanels: unknown key; did you mean `channels`?\n"), "{}", ended.out);
    assert!(ended.out.ends_with("errors, 3 warnings\n"), "{}", ended.out);
    let ended = halcyon(&["check", wrong.to_str().unwrap(), "--json"]);
    assert_eq!(ended.code, 1);
    let list: Vec<Value> = serde_json::from_str(&ended.out).unwrap();
    let found = list.iter().find(|diagnostic| diagnostic["key_path"] == "mattermost.chanels").unwrap();
    assert_eq!((&found["line"], &found["severity"]), (&json!(6), &json!("error")));
    assert_eq!(found["suggestion"], "did you mean `channels`?");

    let doubtful = data().with_file_name("config").join("warnings.toml");
    let ended = halcyon(&["--config", doubtful.to_str().unwrap(), "check"]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    assert!(ended.out.ends_with("9 warnings\n"), "{}", ended.out);

    let ended = halcyon(&["check", env!("CARGO_MANIFEST_DIR")]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    let ended = halcyon(&["check", "--complete", env!("CARGO_MANIFEST_DIR")]);
    assert_eq!(ended.code, 0, "{}", ended.out);
}

#[test]
fn check_tells_what_is_not_built_from_what_is_wrong() {
    let pack = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = pack.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("pack.yaml", "{ref: t, name: t, description: t, version: 1.0.0, author: t}");
    write("actions/a.yaml", "{name: a, runner_type: python-script, entry_point: a.py}");
    write("actions/b.yaml", "{name: b, runner_type: python-script, entry_point: b.py}");
    write("actions/c.yaml", "{name: c, runner_type: noop}");
    let path = pack.path().to_str().unwrap();
    let ended = halcyon(&["check", path]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    assert!(ended.out.contains("    2 × the runner python-script is not built yet\n"), "{}", ended.out);
    assert!(ended.out.ends_with(" 2 things not supported\n"), "{}", ended.out);
    assert_eq!(halcyon(&["check", "--complete", path]).code, 3);
    assert_eq!(halcyon(&["check", "--complete", "--json", path]).code, 3);
    write("actions/d.yaml", "{name: d, runner_type: nope}");
    assert_eq!(halcyon(&["check", "--complete", path]).code, 1);
}

#[test]
fn examples_beside_aliases_are_tried() {
    let words = data().with_file_name("packs").join("words");
    let ended = halcyon(&["--config", "absent.toml", "alias", "test", words.to_str().unwrap()]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(
        ended.out.starts_with("ok      paint red\n") && ended.out.ends_with("6 examples, 0 failed\n"),
        "{}",
        ended.out
    );

    let pack = data().join("examples");
    let file = pack.join("tests/aliases/some.yaml");
    for path in [&pack, &file] {
        let ended = halcyon(&["--config", "absent.toml", "alias", "test", path.to_str().unwrap()]);
        assert_eq!((ended.code, ended.err.as_str()), (1, ""), "{}", ended.out);
        let out = ended.out.replace(&format!("{}/", pack.display()), "");
        assert_eq!(
            out,
            "ok      pause 3\n\
             ok      wait 3 please\n\
             FAILED  pause 3    (tests/aliases/some.yaml:5)\n        \
             expected nothing\n        \
             got      core.pause by examples.pause with {\"max_pause\":3}\n\
             FAILED  paws 3    (tests/aliases/some.yaml:7)\n        \
             expected core.pause\n        \
             got      nothing\n\
             ok      pause\n\
             5 examples, 2 failed\n"
        );
    }
    let ended = halcyon(&["--config", "absent.toml", "alias", "test", "--json", pack.to_str().unwrap()]);
    let list: Vec<Value> = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((ended.code, &list[0]["ok"], &list[3]["got"]), (1, &json!(true), &json!("nothing")));
    let trial = data().with_file_name("packs").join("trial");
    let ended = halcyon(&["--config", "absent.toml", "alias", "test", trial.to_str().unwrap()]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("there are no examples in"), "{}", ended.err);
}

#[test]
fn a_line_is_matched_as_stackstorms_endpoint_does_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    let packs = data().join("examples");
    std::fs::write(&config, format!("[content]\npacks = [{packs:?}]")).unwrap();
    let matched = |line: &str| {
        let ended = halcyon(&["--config", config.to_str().unwrap(), "alias", "match", line, "--json"]);
        (ended.code, serde_json::from_str::<Value>(&ended.out).unwrap(), ended.err)
    };
    let (code, found, _) = matched("pause 3");
    assert_eq!(code, 0);
    let alias = &found["actionalias"];
    assert_eq!(
        (&alias["ref"], &alias["name"], &alias["pack"]),
        (&json!("examples.pause"), &json!("pause"), &json!("examples"))
    );
    assert_eq!(alias["formats"], json!(["pause {{max_pause}}", "wait {{max_pause}} please"]));
    assert_eq!(
        (&found["display"], &found["representation"]),
        (&json!("pause {{max_pause}}"), &json!("pause {{max_pause}}"))
    );
    assert_eq!(found["parameters"], json!({"max_pause": 3}));
    let (code, found, _) = matched("make coffee");
    assert_eq!((code, &found["faultstring"]), (1, &json!("Command 'make coffee' matched no patterns")));
    let (code, found, _) = matched("wait 3 please");
    assert_eq!((code, &found["faultstring"]), (0, &json!("Command 'wait 3 please' matched more than 1 pattern")));
    assert_eq!(found["matches"].as_array().map(Vec::len), Some(2));
    // Only one of two takes a whole number from it.
    let (_, found, _) = matched("pause 3 seconds");
    assert_eq!(
        (&found["actionalias"]["ref"], &found["parameters"]["max_pause"]),
        (&json!("examples.pause_too"), &json!(3))
    );
    let (_, _, err) = matched("status");
    assert!(err.contains("`alias status` is not"), "{err}");
}

#[test]
fn packs_are_listed_with_what_is_wrong_in_them() {
    let place = tempfile::tempdir().unwrap();
    for (name, manifest) in
        [("good", "ref: good\nname: good\ndescription: ours\nversion: 1.2.0\nauthor: us\n"), ("bad", "[")]
    {
        std::fs::create_dir_all(place.path().join(name).join("aliases")).unwrap();
        std::fs::write(place.path().join(name).join("pack.yaml"), manifest).unwrap();
    }
    let alias = "name: date\naction_ref: core.local\nformats: [\"date\"]\n";
    std::fs::write(place.path().join("good/aliases/date.yaml"), alias).unwrap();
    std::fs::write(place.path().join("good/aliases/broken.yaml"), "name: broken\n").unwrap();
    let file = place.path().join("config.toml");
    let list = |packs: &str, more: &[&str]| {
        std::fs::write(&file, format!("[content]\npacks = {packs}\n")).unwrap();
        halcyon(&[&["--config", file.to_str().unwrap(), "pack", "list"], more].concat())
    };
    let said = list("[\"good\"]", &[]);
    assert_eq!(said.code, 0, "{}", said.err);
    let good = said.out.lines().find(|line| line.starts_with("| good ")).unwrap();
    let columns: Vec<_> = good.split('|').map(str::trim).collect();
    assert_eq!(columns, ["", "good", "1.2.0", "0", "1", "0", "1", ""], "{}", said.out);
    let said = list("[\"good\", \"bad\"]", &["--json"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("bad/pack.yaml"), "{}", said.err);
    let value: Value = serde_json::from_str(&said.out).unwrap();
    let good = value.as_array().unwrap().iter().find(|pack| pack["ref"] == "good").unwrap();
    assert_eq!((&good["version"], &good["problems"]), (&json!("1.2.0"), &json!(1)));
}

#[test]
fn rules_are_tried_without_anything_that_runs() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| written(&place, name, text);
    let rule = "name: r\npack: st2ihep\nenabled: false\ntrigger: {type: check_mk.event_handler}\ncriteria:\n  trigger.n: {type: gt, pattern: 1}\n  any:\n    - trigger.a: {type: eq, pattern: 1}\n    - trigger.b: {type: exists}\naction: {ref: core.local, parameters: {cmd: 'echo {{trigger.n}}', timeout: '{{trigger.n}}'}}\n";
    let rule = write("rule.yaml", rule);
    let (none, nowhere) = ("absent.toml", place.path().join("absent.yaml"));
    let tried = |event: &str, more: &[&str]| {
        let event = if event.is_empty() { nowhere.to_str().unwrap().to_owned() } else { write("event.yaml", event) };
        let words = ["--config", none, "rule", "test", "--rule", &rule, "--trigger-instance", &event];
        halcyon(&[&words[..], more].concat())
    };
    let event = |payload: &str| {
        let more =
            if payload == "{}" { "{}".to_owned() } else { payload.replacen('{', "{notification_type: PROBLEM, ", 1) };
        format!("trigger: check_mk.event_handler\npayload: {more}\n")
    };
    let said = tried(&event("{n: 5, b: x}"), &[]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    for part in [
        "+ trigger.n greaterthan 1: it is 5\n",
        "+ any: one of 2 has to hold\n  1.\n    - trigger.a equals 1: it is None\n  2.\n    + trigger.b exists: it is \"x\"\n",
        "matched: yes\naction.ref: core.local\n",
        "cmd: echo 5\n",
        "timeout: 5\n",
    ] {
        assert!(said.out.contains(part), "{part}\n{}", said.out);
    }
    let said = tried(&event("{n: 5, b: x}"), &["--json"]);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&told["matched"], &told["parameters"]["timeout"]), (&json!(true), &json!(5)));
    assert_eq!(told["criteria"][1]["groups"][0][0]["holds"], json!(false));
    for (event, code, part) in [
        (event("{n: 1, b: x}"), 1, "- trigger.n greaterthan 1: it is 1"),
        (event("{n: x, b: x}"), 1, "cannot be judged"),
        (event("{}"), 1, "matched: no"),
        (
            event("{n: 5, b: x}").replace("PROBLEM", "DOWNTIMESTART"),
            1,
            "not asked: `notification_type` is \"DOWNTIMESTART\", and",
        ),
        (
            event("{n: 5, b: x}").replace("notification_type", "other"),
            1,
            "not asked: `notification_type` is absent, and",
        ),
        ("trigger: other.thing\npayload: {n: 5, b: x}\n".to_owned(), 1, "hears other.thing: no"),
        ("payload: {n: 5}\n".to_owned(), 2, ""),
        ("[".to_owned(), 2, ""),
        (String::new(), 2, ""),
    ] {
        let said = tried(&event, &[]);
        assert_eq!(said.code, code, "{event}: {}{}", said.out, said.err);
        assert!(said.out.contains(part), "{event}: {}", said.out);
    }
    let said =
        halcyon(&["--config", none, "rule", "test", "--rule", nowhere.to_str().unwrap(), "--trigger-instance", &rule]);
    assert_eq!(said.code, 2, "{}", said.err);
}

#[test]
fn the_page_about_rules_shows_what_happens() {
    let page = std::fs::read_to_string("docs/rules.md").unwrap();
    let place = tempfile::tempdir().unwrap();
    let plain: String = page
        .lines()
        .map(|line| {
            format!(
                "{}\n",
                line.strip_prefix("  ")
                    .filter(|rest| rest.starts_with("```") || line.starts_with("  "))
                    .unwrap_or(line)
            )
        })
        .collect();
    let blocks = |text: &str, language: &str| -> Vec<String> {
        let open = format!("```{language}\n");
        text.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    };
    let mut files = 0;
    // The block inside of a list is indented; the others are as they stand.
    let mut yaml = blocks(&page, "yaml");
    yaml.retain(|text| !text.starts_with("  "));
    yaml.extend(blocks(&plain, "yaml").into_iter().filter(|text| text.contains("rules/either.yaml")));
    for text in &yaml {
        let name = text.lines().next().unwrap().trim().strip_prefix("# ").expect("a block names its file first");
        let path = place.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        files += 1;
    }
    assert!(files >= 4, "{files}");
    std::fs::write(place.path().join("pack.yaml"), "{ref: page, name: n, description: d, version: 1.0.0, author: a}")
        .unwrap();
    let said = halcyon(&["check", place.path().to_str().unwrap()]);
    assert_eq!((said.code, said.out.contains("5 rules: no problems")), (0, true), "{}", said.out);
    let shown = blocks(&page, "text");
    let (command, output) = shown[0].split_once('\n').unwrap();
    let words: Vec<String> =
        command
            .split_whitespace()
            .skip(2)
            .map(|word| {
                if word.contains('.') { place.path().join(word).to_str().unwrap().to_owned() } else { word.to_owned() }
            })
            .collect();
    let words: Vec<&str> = ["--config", "absent.toml"].into_iter().chain(words.iter().map(String::as_str)).collect();
    let said = halcyon(&words);
    let folder = format!("{}/", place.path().display());
    assert_eq!(said.out.replace(&folder, ""), output, "{}", said.err);
}

/// Writes a file below a directory, and gives its path.
fn written(place: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = place.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn check_tells_of_rules_that_no_role_lets_act() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| written(&place, name, text);
    write("p/pack.yaml", "{ref: p, name: n, description: d, version: 1.0.0, author: a}");
    let rule = |name: &str, more: &str| {
        format!(
            "{{name: {name}, enabled: true, trigger: {{type: check_mk.event_handler}}, action: {{ref: core.noop}}{more}}}"
        )
    };
    write("p/rules/mute.yaml", &rule("mute", ""));
    write("p/rules/able.yaml", &rule("able", ""));
    write("p/rules/dry.yaml", &rule("dry", ", dry_run: true"));
    write("p/rules/asked.yaml", &rule("asked", ", offer: {label: Do it}"));
    let role = "[content]\npacks = [\"p\"]\n[[access.roles]]\nname = \"healing\"\nrules = [\"p.a*\"]\ngrants = [\"run:core.*\"]\n";
    let file = write("config.toml", role);
    let said = halcyon(&["--config", &file, "check"]);
    assert!(
        said.out.contains("mute.yaml: warning: action.ref: no role lets this rule run `core.noop`"),
        "{}",
        said.out
    );
    assert!(
        !said.out.contains("able.yaml") && !said.out.contains("dry.yaml") && !said.out.contains("asked.yaml"),
        "{}",
        said.out
    );
    assert!(said.out.contains("4 rules: 1 warning"), "{}", said.out);
    let event = write("event.yaml", "{trigger: check_mk.event_handler, payload: {notification_type: PROBLEM}}");
    let asked = place.path().join("p/rules/asked.yaml").to_str().unwrap().to_owned();
    let said = halcyon(&["--config", &file, "rule", "test", "--rule", &asked, "--trigger-instance", &event]);
    assert!(said.out.contains("offers: Do it (it begins nothing by itself)"), "{}", said.out);
}

/// A request for an approval that nobody could decide about is found out before anybody waits for one.
#[test]
fn check_tells_of_approvals_that_nobody_could_give() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| written(&place, name, text);
    write("p/pack.yaml", "{ref: p, name: n, description: d, version: 1.0.0, author: a}");
    write("p/actions/cut.yaml", "{name: cut, runner_type: noop, enabled: true}");
    let policy = |name: &str, roles: &str| {
        format!(
            "{{name: {name}, resource_ref: p.cut, policy_type: action.approval, parameters: {{approvers: {{roles: [{roles}]}}}}}}"
        )
    };
    write("p/policies/sound.yaml", &policy("sound", "lead"));
    write("p/policies/typo.yaml", &policy("typo", "laed, lead"));
    let config = |grant: &str| {
        let text =
            "[content]\npacks = [\"p\"]\n[[access.roles]]\nname = \"lead\"\nusers = [\"lead\"]\ngrants = [\"GRANT\"]\n";
        write("config.toml", &text.replace("GRANT", grant))
    };
    let said = halcyon(&["--config", &config("approve:p.*"), "check"]);
    let warning = "typo.yaml: warning: parameters.approvers: the configuration has no role `laed`, so nobody can say yes as one of it; \
                   write it as one of [[access.roles]], or name one of lead\n";
    assert!(said.out.contains(warning), "{}", said.out);
    assert!(said.out.ends_with(": 1 warning\n"), "{}", said.out);
    let said = halcyon(&["--config", &config("run:p.*"), "check"]);
    let warning = "sound.yaml: warning: parameters.approvers: no role grants `approve` on `p.cut`, so nobody could say yes to it; \
                   add \"approve:p.cut\" to the `grants` of a role\n";
    assert!(said.out.contains(warning), "{}", said.out);
}

/// Where the store cannot be had, it is told once why, and what of the configuration is to be mended.
#[test]
fn a_store_that_cannot_be_had_is_told_with_its_key() {
    let place = tempfile::tempdir().unwrap();
    let (file, store) = (place.path().join("config.toml"), place.path().join("store"));
    std::fs::write(&file, "[store]\npath = \"store\"\n").unwrap();
    std::fs::write(&store, "no directory").unwrap();
    let file = file.to_str().unwrap();
    let said = halcyon(&["--config", file, "check"]);
    let wrong = format!(
        "config.toml:2: store.path: {} is a file; name a directory, which is made where there is none\n",
        store.display()
    );
    assert!(said.out.contains(&wrong), "{}", said.out);
    assert_eq!(said.code, 1);

    // What is in the way lies deeper than the configuration can see.
    std::fs::remove_file(&store).unwrap();
    std::fs::create_dir(&store).unwrap();
    std::fs::write(store.join("log"), "no directory").unwrap();
    let said = halcyon(&["--config", file, "key", "list"]);
    assert_eq!(
        said.err,
        format!(
            "halcyon: cannot make the directory {}: File exists (os error 17); `path` under [store] in config.toml has to name a directory \
             that belongs to the account which the bot runs as; run this as that account\n",
            store.join("log").display()
        )
    );
    assert_eq!(said.code, 1);
}

/// The first of all keys is made before anything else is right.
#[test]
fn a_master_key_in_a_named_file_needs_no_configuration() {
    let place = tempfile::tempdir().unwrap();
    let (file, config) = (place.path().join("master.key"), place.path().join("config.toml"));
    let (file, config) = (file.to_str().unwrap(), config.to_str().unwrap());
    let said = halcyon(&["--config", config, "key", "create-master-key", file]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    assert!(said.out.contains("The master key "), "{}", said.out);
    let said = halcyon(&["--config", config, "key", "create-master-key"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("cannot read the configuration"), "{}", said.err);
}
