//! The audit as a function of facts: what every kind of fact comes to, that it goes on the same from anywhere, and what a check finds.

use crate::execution::{asked, at, outcome, somebody};
use crate::{data, golden};
use halcyon::core::access::names::Named;
use halcyon::core::action::execution::{Judgement, Requested, Status};
use halcyon::core::action::run::Exit;
use halcyon::core::audit::chain::{BEGINNING, Check, Head, Parts, Verdict, append};
use halcyon::core::audit::question::{Question, Told, answer, derive};
use halcyon::core::audit::{Entry, Event, Filter, Trail};
use halcyon::core::datastore::Kept;
use halcyon::core::datastore::key::{Key, Scope};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{ActionRef, AliasRef, ChannelId, ExecutionId, Host, PostId, UserId};
use halcyon::core::input::{Back, Principal};
use halcyon::core::memory::Memory;
use halcyon::core::policy::NextTry;
use halcyon::core::schedule::{ScheduleEnd, Scheduled};
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

fn id(number: u64) -> ExecutionId {
    ExecutionId::generate(at(1_000), number)
}

fn chat() -> Back {
    Back::Chat { channel: ChannelId::new("c1"), root: None, post: PostId::new("p1") }
}

fn lead() -> Principal {
    Principal::ChatUser { id: UserId::new("u2"), name: "lead".into() }
}

/// Every kind of fact that makes an entry, each second one.
pub(crate) fn deeds() -> Vec<Dated> {
    let key = |name: &str| Key { scope: Scope::System, name: name.into() };
    let request = |number, hosts: &[&str]| {
        let mut request = Requested { id: id(number), back: chat(), ..asked("remote-shell-cmd", hosts) };
        request.line = "reboot wn[001-003]".into();
        request.content = "c0ffee".into();
        let secret = json!({"hosts": "wn[001-003]", "password": "********", "text": "x".repeat(2_100)});
        request.parameters = secret.as_object().unwrap().clone();
        Box::new(request)
    };
    let finished = |number, host: &str, code| Fact::HostFinished {
        id: id(number),
        host: Host::new(host),
        outcome: Box::new(outcome(Exit::Code { code }, "", "")),
    };
    let line = |number| {
        Box::new(Scheduled {
            id: id(number),
            line: "uptime on wn001".into(),
            alias: AliasRef::new("trial.uptime"),
            action: ActionRef::new("trial.uptime"),
            by: lead(),
            back: chat(),
            direct: false,
            due: at(5_000),
            zone: String::new(),
        })
    };
    let ended = |number, end| Fact::ScheduleEnded { id: id(number), end };
    let known = Head { number: 12, hash: "ab".repeat(32) };
    let facts = vec![
        Fact::ExecutionStarted(request(1, &["wn001", "wn002", "wn003"])),
        finished(1, "wn001", 0),
        Fact::HostAgain { id: id(1), host: Host::new("wn002"), attempt: 1, never_began: true },
        finished(1, "wn003", 4),
        Fact::CancelAsked { id: id(1), by: lead(), from: Some(chat()) },
        Fact::ExecutionFinished { id: id(1), status: Status::Unknown, error: None },
        Fact::Judged {
            id: id(1),
            by: lead(),
            judgement: Judgement::Ran,
            repeated_as: None,
            action: Some(ActionRef::new("core.remote")),
            from: Some(Back::Request { request: halcyon::core::id::RequestId(1) }),
        },
        Fact::ExecutionStarted(request(2, &["wn001"])),
        finished(2, "wn001", 0),
        Fact::ExecutionFinished { id: id(2), status: Status::Succeeded, error: None },
        Fact::Scheduled(line(3)),
        ended(3, ScheduleEnd::Begun { executions: vec![id(9)] }),
        Fact::Scheduled(line(4)),
        ended(4, ScheduleEnd::Canceled { by: somebody() }),
        Fact::Scheduled(line(5)),
        ended(5, ScheduleEnd::Refused),
        Fact::Scheduled(line(6)),
        ended(6, ScheduleEnd::Missed),
        Fact::Scheduled(line(7)),
        ended(7, ScheduleEnd::Asked),
        Fact::Frozen { why: "a \"storm\"".into(), by: Some(lead()), from: Some(chat()) },
        Fact::Unfrozen { by: lead(), from: Some(chat()) },
        Fact::Frozen { why: "the store was damaged".into(), by: None, from: None },
        Fact::ValueSet {
            key: key("site.word"),
            value: Box::new(Kept::Plain { text: "hello".into() }),
            expires: Some(at(9_000)),
            by: lead(),
            from: Some(chat()),
        },
        Fact::ValueSet {
            key: key("site.password"),
            value: Box::new(Kept::Sealed { text: "sealed".into() }),
            expires: None,
            by: lead(),
            from: None,
        },
        Fact::ValuesOpened { keys: vec![key("site.password"), key("site.pin")], by: lead(), from: Some(chat()) },
        Fact::ValueDeleted { key: key("site.word"), by: lead(), from: Some(chat()) },
        Fact::NameTied { kind: Named::User, name: "lead".into(), id: "u2".into() },
        Fact::NameFreed { kind: Named::Group, name: "leads".into() },
        Fact::AccessDenied {
            by: somebody(),
            from: chat(),
            line: "reboot wn001".into(),
            action: Some(ActionRef::new("site.reboot")),
            needed: "run:site.reboot".into(),
        },
        Fact::CallbackRefused {
            why: halcyon::core::callback::Refusal::ForeignPost,
            user: Some(UserId::new("u1")),
            post: Some(PostId::new("p7")),
            from: "10.0.0.1".into(),
            action: "approve".into(),
            unnoted: 3,
        },
        Fact::Reloaded {
            by: Some(lead()),
            from: Some(chat()),
            in_force: true,
            changed: vec!["access.roles".into()],
            problems: 2,
        },
        Fact::Reloaded { by: None, from: None, in_force: false, changed: vec![], problems: 1 },
        Fact::CheckpointTold { head: known.clone(), by: None, from: None },
        Fact::AuditSetAside { place: "var/audit.damaged-x".into(), why: "bad".into(), head: known.clone() },
        Fact::AuditCut { head: known, by: Principal::LocalUser { uid: 0, name: "root".into() } },
        Fact::ExecutionStarted(request(8, &["wn001"])),
        Fact::TriedAgain { id: id(8), next: NextTry { id: id(10), number: 2, of: 3, at: at(2_000), asks: false } },
    ];
    (1_000..).zip(facts).map(|(second, fact)| Dated { at: at(second), fact }).collect()
}

#[test]
fn every_deed_is_an_entry() {
    let lines = derive(&deeds());
    golden("audit/deeds.jsonl", &(lines.join("\n") + "\n"));
    assert!(!lines.concat().contains("sealed\""), "a sealed value has no business here");
    // Nothing but what facts of hosts come to is left out.
    assert_eq!(lines.len(), deeds().iter().filter(|dated| !matches!(dated.fact, Fact::HostFinished { .. })).count());
    for line in &lines {
        let parts = Parts::of(line).unwrap();
        let entry = parts.decode().unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), parts.entry, "it is not what was written when it is read");
        let whole: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((whole["hash"].as_str(), whole["previous"].as_str()), (Some(parts.hash), Some(parts.previous)));
        assert_eq!(whole["entry"]["event"], entry.event.word());
    }
}

/// The facts of the run that has it all, and those of this file.
fn logs() -> Vec<Vec<Dated>> {
    let text = std::fs::read_to_string(data("prefix/facts.jsonl")).unwrap();
    let steps = text.lines().map(|line| serde_json::from_str::<Vec<Dated>>(line).unwrap());
    vec![steps.flatten().collect(), deeds()]
}

#[test]
fn a_trail_goes_on_the_same_from_every_memory() {
    for facts in logs() {
        let whole = derive(&facts);
        assert!(whole.len() > 20);
        let (mut memory, mut trail, mut entries) = (Memory::default(), Trail::default(), 0);
        for (number, dated) in (1..).zip(&facts) {
            // As after a start that begins with this memory, written down and read again.
            let written = serde_json::to_string(&memory).unwrap();
            assert_eq!(Trail::of(&serde_json::from_str(&written).unwrap()), trail, "before fact {number}");
            let made = Trail::of(&memory).take(dated, number, entries + 1);
            assert_eq!(trail.take(dated, number, entries + 1), made, "fact {number}");
            memory.apply(dated).unwrap();
            entries += u64::from(made.is_some());
        }
        assert_eq!(entries as usize, whole.len());
    }
}

/// What a check says of these lines.
fn check(lines: &[String], known: &[Head]) -> Verdict {
    match answer(lines, &Question::Verify { known: known.to_vec() }) {
        Told::Verified { verdict } => *verdict,
        other => panic!("{other:?}"),
    }
}

fn words(verdict: &Verdict) -> Vec<String> {
    verdict.flaws.iter().map(ToString::to_string).collect()
}

fn head_of(line: &str) -> Head {
    Parts::of(line).unwrap().head().unwrap()
}

/// The same lines with one changed and all that follows made to fit it.
fn rewritten(lines: &[String], place: usize) -> Vec<String> {
    let mut head = if place == 0 { Head::default() } else { head_of(&lines[place - 1]) };
    let mut made = lines[..place].to_vec();
    for line in &lines[place..] {
        let mut entry = Parts::of(line).unwrap().decode().unwrap();
        if entry.number as usize == place + 1 {
            entry.reason = "nothing to see here".into();
        }
        let (line, next) = append(&head, &entry).unwrap();
        made.push(line);
        head = next;
    }
    made
}

#[test]
fn what_was_tampered_with_is_found_where_it_is() {
    let lines = derive(&deeds());
    let (count, newest) = (lines.len(), head_of(&lines[lines.len() - 1]));
    let sound = check(&lines, &[head_of(&lines[4]), newest.clone()]);
    assert_eq!((sound.is_sound(), sound.entries, sound.first, &sound.head), (true, count as u64, 1, &newest));
    assert_eq!((sound.checkpoints, sound.passed_over), (2, 0));
    assert!(check(&[], &[]).is_sound());
    for place in 0..count {
        let number = place + 1;
        let with = |change: &dyn Fn(&mut Vec<String>)| {
            let mut changed = lines.clone();
            change(&mut changed);
            changed
        };
        // A changed entry.
        let changed = with(&|lines| lines[place] = lines[place].replace("\"at\":\"2023-", "\"at\":\"2024-"));
        assert_ne!(changed, lines, "the test changes nothing");
        assert_eq!(words(&check(&changed, &[])), [format!("entry {number} was changed: its hash is another")]);
        // One that was made to fit its own hash: the next one does not follow it.
        let fitted = with(&|lines| lines[place] = rewritten(lines, place)[place].clone());
        let unlinked =
            [format!("entry {} does not follow the one before it: one of the two was written anew", number + 1)];
        assert_eq!(words(&check(&fitted, &[])), if number == count { &[][..] } else { &unlinked[..] });
        // All that follows was made to fit it: only a checkpoint knows.
        let anew = rewritten(&lines, place);
        assert!(check(&anew, &[]).is_sound());
        let known = [head_of(&lines[place])];
        let said =
            format!("entry {number} is not the one that a checkpoint knows: it, or one before it, was written anew");
        assert_eq!(words(&check(&anew, &known)), std::slice::from_ref(&said));
        assert_eq!(
            words(&check(&anew, std::slice::from_ref(&newest))),
            [said.replacen(&format!("entry {number} "), &format!("entry {count} "), 1)]
        );
        // A removed entry; the last one is missed by a checkpoint only.
        let removed = with(&|lines| drop(lines.remove(place)));
        let expected = match number {
            1 => vec!["entry 1 is missing".to_owned()],
            _ if number == count => vec![],
            _ => vec![
                format!("entry {} stands where entry {number} is due", number + 1),
                format!("entry {number} is missing"),
            ],
        };
        assert_eq!(words(&check(&removed, &[])), expected, "{number} removed");
        // A cut tail.
        let cut = lines[..place].to_vec();
        assert!(check(&cut, &[]).is_sound());
        assert_eq!(
            words(&check(&cut, std::slice::from_ref(&newest))),
            [format!("the end was cut off: a checkpoint knows entry {count}, and the newest is {place}")]
        );
        // Two that have changed places.
        if number < count {
            let swapped = with(&|lines| lines.swap(place, place + 1));
            let said = words(&check(&swapped, &[]));
            if place > 0 {
                assert_eq!(said[0], format!("entry {} stands where entry {number} is due", number + 1));
                assert!(said.contains(&format!("entry {number} stands where entry {} is due", number + 2)), "{said:?}");
            }
            assert!(!said.is_empty(), "{number} swapped");
        }
        // No entry at all.
        let rubbish = with(&|lines| "{}".clone_into(&mut lines[place]));
        assert_eq!(words(&check(&rubbish, &[]))[0], format!("entry {number}: what stands there is no entry"));
    }
    let twice = [&lines[..], &lines[3..4]].concat();
    assert_eq!(words(&check(&twice, &[])), [format!("entry 4 stands where entry {} is due", count + 1)]);
    // Very many flaws are counted.
    let all: Vec<String> = lines.iter().map(|line| line.replace("2023-", "2024-")).collect();
    assert_eq!((check(&all, &[]).flaws.len(), check(&all, &[]).more), (20, count - 20));
}

#[test]
fn a_beginning_may_only_lack_where_the_audit_says_so() {
    let lines = derive(&deeds());
    let removed = head_of(&lines[9]);
    let rest = &lines[10..];
    assert_eq!(words(&check(rest, &[])), ["entries 1 to 10 are missing"]);
    // The checkpoint at which it was cut.
    let known = check(rest, std::slice::from_ref(&removed));
    assert_eq!((known.is_sound(), known.checkpoints, known.first), (true, 1, 11));
    let other = Head { hash: "00".repeat(32), ..removed.clone() };
    assert!(!check(rest, &[other]).is_sound());
    // One before that says nothing any more.
    let passed = check(rest, &[head_of(&lines[3]), removed.clone()]);
    assert_eq!((passed.is_sound(), passed.passed_over), (true, 1));
    // Its own entry says that it was cut there.
    let mut entry = Entry::new(lines.len() as u64 + 1, 99, at(2_000), Event::Cut);
    entry.head = Some(removed);
    let (line, _) = append(&head_of(&lines[lines.len() - 1]), &entry).unwrap();
    assert!(check(&[rest, &[line]].concat(), &[]).is_sound());
    let mut first = lines.clone();
    first[0] = first[0].replace(BEGINNING, &"11".repeat(32));
    assert!(!check(&first, &[]).is_sound());
}

#[test]
fn checkpoints_are_written_and_read() {
    let head = Head { number: 17, hash: "ab".repeat(32) };
    assert_eq!(Head::read(&format!(" {head}\n")), Some(head.clone()));
    assert_eq!(Head::read(&head.to_string().to_uppercase()), Some(head.clone()));
    for wrong in ["", "17", "17:", "17:abcd", &format!("x:{}", head.hash), &format!("17:{}", "zz".repeat(32))] {
        assert_eq!(Head::read(wrong), None, "{wrong}");
    }
}

#[test]
fn who_asks_for_some_gets_those() {
    let lines = derive(&deeds());
    let entries: Vec<Entry> = lines.iter().map(|line| Parts::of(line).unwrap().decode().unwrap()).collect();
    let numbers = |filter: &Filter| -> Vec<u64> {
        entries.iter().filter(|entry| filter.takes(entry)).map(|entry| entry.number).collect()
    };
    let read = |words: &str| Filter::read(&words.split_whitespace().collect::<Vec<_>>());
    let (most, filter) = read("last 20").unwrap();
    assert_eq!((most, &filter), (20, &Filter::default()));
    assert_eq!(numbers(&filter).len(), entries.len());
    assert_eq!(read("").unwrap(), (10, Filter::default()));
    assert_eq!(read("900").unwrap().0, 50);
    let table: Vec<(String, Vec<u64>)> = [
        "lead frozen",
        "@lead frozen",
        "U2 unfrozen",
        "refused",
        "site.*",
        "trial.uptime scheduled",
        "lead core.*",
        "cut",
    ]
    .into_iter()
    .map(|words| (words.to_owned(), read(words).map(|(_, filter)| numbers(&filter)).unwrap_or_default()))
    .chain([id(1).short().to_owned(), format!("#{}", id(9).short())].map(|digits| {
        let filter = read(&digits).unwrap().1;
        (digits, numbers(&filter))
    }))
    .collect();
    let shown: String = table.iter().map(|(words, numbers)| format!("{words}: {numbers:?}\n")).collect();
    golden("audit/filters.txt", &shown);
    // Who may view one action sees what was done with it, and nothing of what was refused.
    let visible = |globs: &[&str]| Filter {
        visible: Some(globs.iter().map(|glob| (*glob).to_owned()).collect()),
        ..Filter::default()
    };
    assert!(numbers(&visible(&[])).is_empty());
    assert!(numbers(&visible(&["site.reboot"])).is_empty(), "a refusal is for administrators");
    let all = numbers(&visible(&["*"]));
    for entry in &entries {
        let expected = entry.action.is_some() && entry.event != Event::Refused;
        assert_eq!(all.contains(&entry.number), expected, "{entry:?}");
    }
}

/// The script that the page on the audit shows, on these lines.
fn by_script(lines: &[String]) -> (bool, String) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.md")).unwrap();
    let script = page.split("```bash\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut child = Command::new("bash")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // It stops to read where it finds something.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn the_script_of_the_page_finds_the_same() {
    let lines = derive(&deeds());
    let newest = head_of(&lines[lines.len() - 1]);
    assert_eq!(by_script(&lines), (true, format!("{} lines, the last has {}", lines.len(), newest.hash)));
    let mut changed = lines.clone();
    changed[6] = changed[6].replace("2023-", "2024-");
    assert_eq!(by_script(&changed), (false, "line 7 is not what was written".to_owned()));
    let mut removed = lines.clone();
    removed.remove(8);
    assert_eq!(by_script(&removed), (false, "line 9 does not follow the one before it".to_owned()));
    let mut swapped = lines;
    swapped.swap(3, 4);
    assert_eq!(by_script(&swapped), (false, "line 4 does not follow the one before it".to_owned()));
}

/// A check of lines that come one by one, as the store reads them.
#[test]
fn a_check_tells_what_else_is_bad() {
    let lines = derive(&deeds());
    let mut check = Check::against(vec![]);
    lines[..5].iter().for_each(|line| check.take(line));
    check.damaged("the file is damaged at byte 7".into());
    lines[8..].iter().for_each(|line| check.take(line));
    assert_eq!(
        words(&check.end()),
        [
            "entry 6 cannot be read: the file is damaged at byte 7",
            "entry 9 stands where entry 6 is due",
            "entries 6 to 8 are missing"
        ]
    );
}
