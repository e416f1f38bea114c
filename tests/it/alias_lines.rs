//! What an alias and a line of chat can do together, decided by the bot as one machine: several executions from one line, questions for a missing
//! value, the last line once more, words of packs.

use crate::bot::{Machine, ok, said, started};
use halcyon::adapters::content::read_packs;
use halcyon::core::action::run::{Captured, Exit, HostOutcome, RunNews};
use halcyon::core::bot::Step;
use halcyon::core::content::load::load;
use halcyon::core::effect::{Body, Delivery, Effect, Thread};
use halcyon::core::fact::Fact;
use halcyon::core::id::{ChannelId, ExecutionId, Host, UserId};
use halcyon::core::input::{ChannelKind, Directory, HeardPost, Input};
use halcyon::core::message::attachment::Attachment;
use halcyon::core::settings::{Address, Limits, Settings};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

static CONTENT: LazyLock<Input> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/packs");
    let loaded = load(&read_packs(&[root.join("trial"), root.join("words")]));
    let wrong: Vec<String> =
        loaded.diagnostics.iter().filter(|found| found.file.contains("words")).map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    Input::Content { catalog: Arc::new(loaded.catalog), problems: Arc::default() }
});

fn dress(mut machine: Machine) -> Machine {
    machine.take(CONTENT.clone());
    machine
}

fn machine() -> Machine {
    dress(Machine::new())
}

/// The process ends and another begins on what is stored.
fn restarted(machine: Machine) -> Machine {
    dress(Machine::over(machine.facts, machine.now))
}

fn all_started(step: &Step) -> Vec<(ExecutionId, String, Value)> {
    let started = step.facts.iter().filter_map(|dated| match &dated.fact {
        Fact::ExecutionStarted(request) => Some(&**request),
        // What was understood and waits for its turn.
        Fact::ExecutionWaits(waits) => Some(&waits.request),
        _ => None,
    });
    started
        .map(|request| (request.id.clone(), request.line.clone(), Value::Object(request.parameters.clone())))
        .collect()
}

fn lines(step: &Step) -> Vec<String> {
    all_started(step).into_iter().map(|(_, line, _)| line).collect()
}

fn deliveries(step: &Step) -> Vec<Delivery> {
    let promised = step.facts.iter().filter_map(|dated| match &dated.fact {
        Fact::DeliveryIntended(delivery) => Some(delivery.clone()),
        _ => None,
    });
    promised.collect()
}

/// Lets an execution on wn001 end.
fn end(machine: &mut Machine, id: &ExecutionId, code: i32, text: &str) -> Step {
    let stdout = Captured::Inline { text: text.to_owned() };
    let outcome = HostOutcome { exit: Exit::Code { code }, stdout, ..*ok("") };
    machine.news(id, RunNews::HostFinished { host: Host::new("wn001"), outcome: Box::new(outcome) });
    machine.news(id, RunNews::Finished { error: None })
}

/// Whether a line was taken for something that people say to each other.
fn ignored(step: &Step) -> bool {
    !step.facts.iter().any(|dated| matches!(dated.fact, Fact::PostTaken { .. }))
}

#[test]
fn the_answer_goes_first_and_whoever_has_it_needs_no_sign() {
    let cases: [(&str, &[&str]); 4] = [
        ("!whoami", &["answer"]),
        ("!nothing of the kind", &["answer", "+question"]),
        ("!show beef", &["+eyes"]),
        ("!paint red", &["answer", "+eyes"]),
    ];
    for (line, expected) in cases {
        let step = machine().hear(line, None);
        let told = step.effects.iter().filter_map(|effect| match effect {
            Effect::Deliver(_) => Some("answer".to_owned()),
            Effect::React { emoji, remove, .. } => Some(format!("{}{emoji}", if *remove { '-' } else { '+' })),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), expected, "{line}");
    }
}

#[test]
fn one_line_may_start_several() {
    let cases: [(&str, &[&str]); 7] = [
        ("!ticket AB-1", &["ticket AB-1"]),
        ("!close ticket AB-1 and ticket AB-2, not ticket x", &["ticket AB-1", "ticket AB-2"]),
        ("!ticket AB-1 ticket AB-2 tone=loud", &["ticket AB-1", "ticket AB-2"]),
        ("!paint red", &["paint red"]),
        ("!paint red\npaint blue\n\n  paint green tone=loud", &["paint red", "paint blue", "paint green tone=loud"]),
        // A format of its own is tried before those that are looked for.
        ("!mutter ticket AB-1 on wn002", &["mutter ticket AB-1 on wn002"]),
        ("!nothing of the kind", &[]),
    ];
    for (line, expected) in cases {
        let step = machine().hear(line, None);
        assert_eq!(lines(&step), expected, "{line}: {}", said(&step));
    }
    // A block with a line that is something else is read as a whole, as StackStorm does; here that is a value for which there is no room.
    let step = machine().hear("!paint red\nand blue", None);
    assert!(lines(&step).is_empty() && said(&step).contains("`paint red⏎and blue`"), "{}", said(&step));
    let step = machine().hear("!ticket AB-1 ticket AB-2 tone=loud", None);
    for (_, _, parameters) in all_started(&step) {
        assert_eq!(parameters["tone"], "loud", "pairs at the end count for each");
    }
}

#[test]
fn several_are_started_once_and_together_or_not_at_all() {
    let mut machine = machine();
    let post = machine.post("!paint red\npaint blue", None);
    let first = machine.take(Input::Post(post.clone()));
    assert_eq!(lines(&first).len(), 2);
    let cards: Vec<_> = deliveries(&first).into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(cards.len(), 2);
    assert_ne!(cards[0], cards[1]);
    assert!(lines(&machine.take(Input::Post(post.clone()))).is_empty(), "heard again");
    let mut machine = restarted(machine);
    assert!(lines(&machine.take(Input::Post(HeardPost { missed: true, ..post }))).is_empty(), "read again");
    // The sign of work goes when the last of them has ended.
    let ids: Vec<ExecutionId> = all_started(&first).into_iter().map(|(id, ..)| id).collect();
    let gone = |step: &Step| {
        step.effects.iter().any(|effect| matches!(effect, Effect::React { emoji: "eyes", remove: true, .. }))
    };
    assert!(!gone(&end(&mut machine, &ids[0], 0, "red")) && gone(&end(&mut machine, &ids[1], 0, "blue")));

    for (line, why) in [
        ("!paint red\npaint $(id)", "`text`"),
        ("!paint red\npaint blue hosts=wn009", "wn009"),
        (&*format!("!{}", (1..=21).map(|at| format!("ticket AB-{at} ")).collect::<String>()), "more than 20"),
        (&*format!("!{}", (1..=21).map(|at| format!("paint {at}\n")).collect::<String>()), "more than 20"),
    ] {
        let step = self::machine().hear(line, None);
        assert!(lines(&step).is_empty() && said(&step).contains(why), "{line}: {}", said(&step));
    }
    let mut machine = self::machine();
    let limits = Limits { executions_per_user: 2, ..Limits::default() };
    machine.take(Input::Settings(Arc::new(Settings { limits, ..machine.bot.settings().clone() })));
    let step = machine.hear("!paint a\npaint b\npaint c", None);
    assert!(lines(&step).is_empty() && said(&step).contains("2 commands of yours"), "{}", said(&step));
    assert_eq!(lines(&machine.hear("!paint a\npaint b", None)).len(), 2);
}

#[test]
fn what_an_alias_sets_is_rendered_and_cannot_be_given() {
    let step = machine().hear("!sealed note", None);
    let (_, _, parameters) = all_started(&step).remove(0);
    assert_eq!(parameters["text"], "operator in cluster");
    assert_eq!(parameters["tags"], json!(["words.sealed", "b"]));
    for line in ["!sealed note text=other", "!sealed note tags=x"] {
        let step = machine().hear(line, None);
        assert!(lines(&step).is_empty() && said(&step).contains("is set by this command"), "{line}: {}", said(&step));
    }
}

#[test]
fn values_of_every_type_can_be_typed() {
    for (line, name, expected) in [
        ("!mutter hi on wn001 tags=a,b", "tags", json!(["a", "b"])),
        ("!mutter hi on wn001 tags=[\"a\", \"b c\"]", "tags", json!(["a", "b c"])),
        ("!mutter hi on wn001 tags=\"a, b\"", "tags", json!(["a", "b"])),
        ("!mutter hi on wn001 options={\"a\": {\"b\": [1, 2]}}", "options", json!({"a": {"b": [1, 2]}})),
        ("!mutter hi on wn001 retries=3", "retries", json!(3)),
    ] {
        let step = machine().hear(line, None);
        let started = all_started(&step);
        assert_eq!(started.first().map(|(_, _, given)| &given[name]), Some(&expected), "{line}: {}", said(&step));
    }
    for (line, complaint) in [
        (
            "!mutter hi on wn001 retries=twelve",
            "`twelve` is not a whole number: `retries` wants one, as in `retries=3`",
        ),
        (
            "!mutter hi on wn001 options=x",
            "`x` is not a map: `options` wants one, as in `options={\"name\": \"value\"}`",
        ),
        ("!mutter hi on wn001 tone=shrill", "`tone` must be `calm` or `loud`, not `shrill`"),
        ("!sealed note retris=2", "has no parameter `retris`; did you mean `retries`?"),
    ] {
        let step = machine().hear(line, None);
        let words = said(&step).replace("\\", "").replace('\u{200b}', "");
        assert!(lines(&step).is_empty() && words.contains(complaint), "{line}: {words}");
    }
}

/// A conversation in one thread: the line, the answer, and whether that runs something with these parameters.
#[test]
fn one_missing_value_is_asked_for() {
    for (line, question, answer, expected) in [
        ("!wipe it times", "`level`", "2", json!({"level": 2})),
        ("!wipe it clean", "how thoroughly", "3", json!({"level": 3})),
        ("!mutter hi on", "`hosts`", "wn002", json!({"text": "hi", "hosts": "wn002"})),
        ("!mutter please", "what to write", "\"some words\"", json!({"text": "some words"})),
        ("!mutter on wn002", "`text`", "one on two", json!({"text": "one on two", "hosts": "wn002"})),
    ] {
        let mut machine = machine();
        let step = machine.hear(line, None);
        assert!(lines(&step).is_empty() && said(&step).contains(question), "{line}: {}", said(&step));
        let [delivery] = deliveries(&step).try_into().unwrap();
        let Body::Post { root: Some(Thread::Post { post: thread }), .. } = &delivery.body else {
            panic!("{delivery:?}")
        };
        machine.wait(1);
        let mut machine = restarted(machine);
        assert!(lines(&machine.hear(answer, Some("elsewhere"))).is_empty(), "another thread");
        assert!(lines(&machine.hear(answer, None)).is_empty(), "not in the thread");
        let step = machine.hear(answer, Some(thread.as_str()));
        let started = all_started(&step);
        let (_, shown, given) = started.first().unwrap_or_else(|| panic!("{line}: {}", said(&step)));
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&given[name], value, "{line}: {shown}");
        }
        assert!(lines(&machine.hear(answer, Some(thread.as_str()))).is_empty(), "it answers once");
    }
}

/// That an action over ssh can take passwords hides nothing of a line in whose formats none stands.
#[test]
fn what_is_not_understood_is_repeated_but_for_secrets() {
    for (line, shown) in [("!hold wn001 5", "`hold wn001 5` means"), ("!login s3cr3t wn001", "`login ********")] {
        let told = said(&Machine::new().hear(line, None));
        assert!(told.contains(&format!("I do not know what {shown}")) && !told.contains("s3cr3t"), "{line}: {told}");
    }
}

#[test]
fn a_question_for_a_value_has_its_bounds() {
    let asked = || {
        let mut machine = machine();
        let step = machine.hear("!wipe it times", None);
        let [delivery] = deliveries(&step).try_into().unwrap();
        let Body::Post { root: Some(Thread::Post { post }), .. } = delivery.body else { panic!() };
        machine.wait(1);
        (machine, post.as_str().to_owned())
    };
    let (mut machine, thread) = asked();
    machine.wait(600);
    let step = machine.hear("2", Some(&thread));
    assert!(ignored(&step), "it lapses: {}", said(&step));

    let (mut machine, thread) = asked();
    let step = machine.hear("never mind", Some(&thread));
    assert!(lines(&step).is_empty() && said(&step).contains("I will not run"), "{}", said(&step));
    assert!(ignored(&machine.hear("2", Some(&thread))));

    // What is said to the bot and means something is what it means.
    let (mut machine, thread) = asked();
    let step = machine.hear("!paint red", Some(&thread));
    assert_eq!(lines(&step), ["paint red"]);
    // The question is over with that: what comes later is no answer.
    assert!(lines(&machine.hear("@halcyon 2", Some(&thread))).is_empty());
    assert!(ignored(&machine.hear("2", Some(&thread))));
    // A command elsewhere in the channel leaves it open.
    let (mut machine, thread) = asked();
    assert_eq!(lines(&machine.hear("!paint red", None)), ["paint red"]);
    assert_eq!(lines(&machine.hear("2", Some(&thread))), ["wipe it 2 times"]);

    // A value that is wrong is judged as in a line.
    let (mut machine, thread) = asked();
    let step = machine.hear("much", Some(&thread));
    assert!(lines(&step).is_empty() && said(&step).contains("`much` is not a whole number"), "{}", said(&step));

    // Said while the bot was away, it is asked about again, and the number runs the whole line.
    let (mut machine, thread) = asked();
    machine.wait(30);
    let post = HeardPost { missed: true, created: machine.now, ..machine.post("2", Some(&thread)) };
    machine.wait(40);
    let mut machine = restarted(machine);
    let step = machine.take(Input::Post(HeardPost { heard: machine.now, ..post }));
    assert!(
        lines(&step).is_empty() && said(&step).contains("`wipe it 2 times` was written 40 s ago"),
        "{}",
        said(&step)
    );
    machine.wait(1);
    assert_eq!(lines(&machine.hear("1", Some(&thread))), ["wipe it 2 times"]);

    // Of somebody else it is no answer.
    let (mut machine, thread) = asked();
    let post = HeardPost { author: UserId::new("u2"), ..machine.post("2", Some(&thread)) };
    assert!(ignored(&machine.take(Input::Post(post))));

    // In a direct message nobody looks for threads.
    let mut machine = self::machine();
    let direct =
        |post: HeardPost| HeardPost { channel: ChannelId::new("d1"), channel_kind: ChannelKind::Direct, ..post };
    let post = direct(machine.post("wipe it times", None));
    let step = machine.take(Input::Post(post));
    assert!(said(&step).contains("Answer here within"), "{}", said(&step));
    machine.wait(1);
    let post = direct(machine.post("2", None));
    assert_eq!(lines(&machine.take(Input::Post(post))), ["wipe it 2 times"]);
    // Another command there ends the question, also one of the bot's own.
    for other in ["paint red", "status"] {
        let mut machine = restarted(self::machine());
        let post = direct(machine.post("wipe it times", None));
        machine.take(Input::Post(post));
        machine.wait(1);
        let post = direct(machine.post(other, None));
        machine.take(Input::Post(post));
        machine.wait(1);
        let mut machine = restarted(machine);
        for text in ["2", "well then"] {
            let post = direct(machine.post(text, None));
            let step = machine.take(Input::Post(post));
            assert!(lines(&step).is_empty() && !said(&step).contains("whole number"), "{other}: {}", said(&step));
        }
    }

    // No line with a secret in it is kept for an answer, and no secret asked for.
    for line in ["!login with s3cr3t on", "!mutter please pass=s3cr3t", "!unlock with on wn001"] {
        let mut machine = self::machine();
        let step = machine.hear(line, None);
        assert!(
            step.facts.iter().all(|dated| !matches!(dated.fact, Fact::ValueAsked { .. })),
            "{line}: {}",
            said(&step)
        );
        assert!(!said(&step).is_empty());
    }
}

#[test]
fn the_last_line_can_be_said_again() {
    for (first, again, expected) in [
        ("!paint red", "!!", Some("paint red")),
        ("!paint red", "!again", Some("paint red")),
        ("!paint red", "@halcyon !!", Some("paint red")),
        ("!paint red", "!again wn002", None),
        ("!mutter hi on wn001", "!again wn002", Some("mutter hi on wn002")),
        ("!mutter hi on wn001", "!again on wn[002-003]", Some("mutter hi on wn[002-003]")),
        ("!mutter hi on wn001 hosts=wn001", "!again wn002", None),
        ("!mutter hi on wn001", "!again wn009", None),
        ("!paint red\npaint blue", "!!", Some("paint red")),
        ("!wipe it 2 times", "!!", Some("wipe it 2 times")),
        ("!whoami", "!again", None),
        ("!mutter hi on wn001 pass=s3cr3t", "!!", None),
        ("!paint red", "again", None),
    ] {
        let mut machine = restarted({
            let mut machine = machine();
            machine.hear(first, None);
            machine.wait(1);
            machine
        });
        let step = machine.hear(again, None);
        assert_eq!(lines(&step).first().map(String::as_str), expected, "{first}, {again}: {}", said(&step));
        assert!(again == "again" || !said(&step).is_empty(), "{first}, {again}");
        assert!(!said(&step).contains("s3cr3t"));
    }
    // Between people it is an exclamation.
    let mut machine = machine();
    assert!(ignored(&machine.hear("!!", None)));
    machine.hear("!paint red", None);
    machine.wait(1_801);
    assert!(ignored(&machine.hear("!!", None)));
    assert_eq!(lines(&machine.hear("!again", None)), ["paint red"]);
    // A repetition that was written while the bot was away follows the rules of what it repeats.
    machine.hear("!wipe it 2 times", None);
    machine.wait(60);
    let step = machine.miss("!again", 50);
    assert!(lines(&step).is_empty() && said(&step).contains("`wipe it 2 times` was written"), "{}", said(&step));
}

#[test]
fn an_alias_can_be_bound_to_channels() {
    let mut machine = machine();
    let users = BTreeMap::from([("operator".to_owned(), UserId::new("u1"))]);
    let channels = [("cluster", "c1"), ("lounge", "c2")];
    let channels = channels.map(|(name, id)| (name.to_owned(), ChannelId::new(id)));
    machine.take(Input::Directory(Directory { users, channels: channels.into(), ..Directory::default() }));
    let both = vec!["cluster".to_owned(), "lounge".to_owned()];
    machine.take(Input::Settings(Arc::new(Settings { channels: both, ..machine.bot.settings().clone() })));
    for (channel, kind, runs) in
        [("c1", ChannelKind::Public, false), ("c2", ChannelKind::Public, true), ("d1", ChannelKind::Direct, true)]
    {
        let place = |post: HeardPost| HeardPost { channel: ChannelId::new(channel), channel_kind: kind, ..post };
        let post = place(machine.post("!lounge report", None));
        let step = machine.take(Input::Post(post));
        assert_eq!(!lines(&step).is_empty(), runs, "{channel}: {}", said(&step));
        assert_eq!(said(&step).contains("only in ~lounge and in direct messages"), !runs, "{}", said(&step));
        let post = place(machine.post("!help lounge", None));
        assert_eq!(said(&machine.take(Input::Post(post))).contains("lounge report"), runs);
    }
}

/// Whoever writes without an address is owed an answer as well, where what they write means something to anybody.
#[test]
fn a_bare_line_whose_author_is_not_known_is_answered_where_it_means_something() {
    let mut machine = machine();
    let mut settings = machine.bot.settings().clone();
    settings.address.push(Address::Bare);
    // Nobody may run anything, so that it is not asked who could.
    settings.roles.clear();
    machine.take(Input::Settings(Arc::new(settings)));
    for (line, answered) in [
        ("paint red", true),
        ("wipe it 2 times", true),
        ("status", true),
        ("help", true),
        ("paint", false),
        ("good morning", false),
        ("2", false),
        ("!!", false),
        // There only where it is bound to.
        ("lounge report", false),
        ("!good morning", true),
    ] {
        machine.wait(60);
        let post = HeardPost { identity: None, ..machine.post(line, None) };
        let step = machine.take(Input::Post(post));
        let told = said(&step).contains("could not tell me who you are");
        assert_eq!((told, ignored(&step)), (answered, !answered), "{line}: {}", said(&step));
    }
    // Of somebody who is known and may not, it is talk.
    assert!(ignored(&machine.hear("paint red", None)));
}

#[test]
fn own_commands_can_be_got_past() {
    let step = machine().hear("!alias paint red", None);
    assert_eq!(lines(&step), ["paint red"]);
    let step = machine().hear("!alias status", None);
    assert!(said(&step).contains("I do not know what `status` means"), "{}", said(&step));
}

#[test]
fn a_pack_has_its_own_words() {
    let run = |line: &str, code: i32, text: &str| {
        let mut machine = machine();
        let begun = machine.hear(line, None);
        let id = started(&begun).unwrap_or_else(|| panic!("{line}: {}", said(&begun)));
        let ended = end(&mut machine, &id, code, text);
        (begun, ended)
    };
    // Values are kept from acting, wherever they stand.
    let (begun, ended) = run("!worded report \"*x* @all ```\"", 0, "out\n```\n@here");
    assert!(said(&begun).contains("*On it*, operator: `*x* @all"), "{}", said(&begun));
    assert!(said(&ended).contains(r"Here is **\*x\* @"), "{}", said(&ended));
    let words = said(&ended);
    let words = words.split("Here is").last().unwrap();
    assert!(!words.contains("@all") && !words.contains("\n```\n@here"), "{words}");
    assert!(said(&ended).contains("done on wn001") && said(&ended).contains("- wn001: ```out"), "{}", said(&ended));
    // What has ended otherwise is told by the headline.
    let (_, ended) = run("!worded report", 1, "out");
    assert!(said(&ended).contains("failed on wn001") && !said(&ended).contains("Here is"), "{}", said(&ended));

    let (begun, ended) = run("!quietly report", 0, "out");
    assert!(deliveries(&begun).is_empty());
    let [delivery] = deliveries(&ended).try_into().unwrap();
    assert!(matches!(&delivery.body, Body::Mark { emoji, .. } if emoji == "white_check_mark"), "{delivery:?}");
    let (begun, ended) = run("!quietly break", 1, "out");
    assert!(deliveries(&begun).is_empty());
    let [delivery] = deliveries(&ended).try_into().unwrap();
    assert!(matches!(&delivery.body, Body::Post { .. }) && said(&ended).contains("failed on wn001"), "{delivery:?}");

    let (_, ended) = run("!dressed report \"a [link](http://x) @all\"", 0, "out");
    let [delivery] = deliveries(&ended).try_into().unwrap();
    let Body::Attached { text, attachments, .. } = &delivery.body else { panic!("{delivery:?}") };
    assert!(text.contains("done on wn001") && text.ends_with("Found it."), "{text}");
    let [Attachment { color, title, title_link, author_link, text, fields, .. }] = attachments.as_slice() else {
        panic!("{attachments:?}")
    };
    assert_eq!((color.as_str(), title.as_str(), title_link.as_str()), ("#042A60", "succeeded by operator", ""));
    assert!(author_link.starts_with("https://example.org/") && text.starts_with(r"a \[link\]\("), "{text}");
    assert!(fields[0].short && fields[1].value.starts_with(r"a \[link"), "{fields:?}");

    let (begun, ended) = run("!parted report", 0, "one\ntwo");
    let [edit, result] = deliveries(&ended).try_into().unwrap();
    assert!(matches!(&edit.body, Body::Edit { text, .. } if !text.contains("two")), "{edit:?}");
    let Body::Attached { text, attachments, .. } = &result.body else { panic!("{result:?}") };
    assert_eq!(text, "Look:");
    assert_eq!((attachments[0].text.as_str(), attachments[0].color.as_str()), ("```text\none\ntwo\n```", "#2eb886"));
    assert_eq!(deliveries(&begun).len(), 1);

    // Words that do not work hide nothing.
    let (begun, ended) = run("!crooked report", 0, "out");
    assert!(said(&begun).contains("`ack.format` of the alias words"), "{}", said(&begun));
    assert!(said(&ended).contains("result.format") && said(&ended).contains("```text\nout"), "{}", said(&ended));

    let (begun, _) = run("!threaded report", 0, "out");
    let [delivery] = deliveries(&begun).try_into().unwrap();
    assert!(matches!(&delivery.body, Body::Post { root: Some(Thread::Post { .. }), .. }), "{delivery:?}");
}

#[test]
fn an_alias_that_changes_changes_nothing_that_runs() {
    let mut machine = machine();
    let id = started(&machine.hear("!worded report", None)).unwrap();
    machine.take(Input::Content { catalog: Arc::default(), problems: Arc::default() });
    assert!(said(&end(&mut machine, &id, 0, "out")).contains("Here is **all**"));
}
