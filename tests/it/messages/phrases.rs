//! Every phrase, and how it is said.

use halcyon::core::access::approvers::Approvers;
use halcyon::core::action::run::Exit;
use halcyon::core::message::card::{SensorDown, TaskRow};
use halcyon::core::message::phrase::Phrase;
use halcyon::core::message::turn::PolicyLine;
use std::collections::BTreeMap;

/// The phrases around executions that wait for their turn, or are tried again.
fn phrases_of_turns(check: &mut dyn FnMut(Phrase<'_>, &str)) {
    let two = PolicyLine { policy: "site.two".into(), threshold: 2, ..PolicyLine::default() };
    check(Phrase::Bound(&two), "at most 2 at once");
    let same = PolicyLine { attributes: vec!["service".into(), "rack".into()], cancels: true, ..two };
    check(Phrase::Bound(&same), "at most 2 at once with the same service and rack, more are refused");
    let again = |retry_on: &str, times, delay: &str| PolicyLine {
        retry_on: retry_on.into(),
        times,
        delay: delay.into(),
        ..PolicyLine::default()
    };
    check(Phrase::Bound(&again("failure", 2, "10 s")), "tried again after a failure, up to 2 times, 10 s later");
    check(Phrase::Bound(&again("timeout", 1, "")), "tried again after a timeout, up to 1 time");
    let locked = "Until somebody says what became of it (settle 5c61ab ran, settle 5c61ab not run), I begin nothing on wn001 that does more than look.";
    check(Phrase::Locked { hosts: "wn001", id: "5c61ab" }, locked);
    check(Phrase::Tried { number: 2, of: 3, after: "5c61aa" }, "Try 2 of 3, after 5c61aa.");
    let again = |wait, asks| Phrase::TriedAgain { id: "5c61ab", number: 2, of: 3, wait, asks };
    check(again("", false), "It is tried again: try 2 of 3 is 5c61ab.");
    check(again("10 s", false), "It is tried again in 10 s: try 2 of 3 is 5c61ab.");
    check(again("", true), "It is tried again, once that is approved: try 2 of 3 is 5c61ab.");
    for (what, why, said) in [
        ("content", "", "the action's file has changed or is out of force."),
        ("hosts", "", "of no host it is certain that it began there and failed."),
        ("secret", "", "its secrets were not kept."),
        ("secret", "there is no master key", "its secrets were not kept: there is no master key."),
        ("fixed", "", "its hosts are fixed, and on some of them it succeeded."),
        ("refused", "There is no host wn9.", "There is no host wn9."),
        ("asked", "5c61ab", "somebody has asked for it already, and 5c61ab waits for an approval."),
    ] {
        let said = format!("The policy site.again wants it tried again, and it is not: {said}");
        check(Phrase::NotTriedAgain { policy: "site.again", what, why }, &said);
    }
    check(Phrase::WaitedTooLong { waited: "1 h" }, "its turn did not come within 1 h");
    for (what, said) in [
        ("frozen", "I am frozen: storm. It begins when that ends."),
        ("room", "There is little room on the disk of my store. It begins when there is more."),
        ("executions", "As many executions are under way as may be. It begins when one ends."),
        ("stopping", "I am being stopped. It begins when I am back."),
    ] {
        check(Phrase::HeldBack { what, why: "storm" }, said);
    }
    let waits = |id, hosts, policy, doubt, more, again| Phrase::WaitsFor { id, hosts, policy, doubt, more, again };
    check(waits("5c61aa", "wn001", "", false, 0, false), "waits for 5c61aa on wn001");
    check(waits("5c61aa", "", "site.two", false, 1, false), "waits for 5c61aa (site.two) and 1 other");
    check(waits("5c61aa", "wn001", "", true, 0, false), "waits until somebody says what became of 5c61aa on wn001");
    check(waits("", "", "", false, 0, true), "waits to be tried again");
    check(waits("", "", "", false, 0, false), "waits, and its turn has come");
}

/// Every phrase, and how it is said.
pub(super) fn phrases(check: &mut dyn FnMut(Phrase<'_>, &str)) {
    approvals(check);
    phrases_of_turns(check);
    check(Phrase::Summary { same: 147, differ: 2, failed: 1 }, "147 hosts say the same, 2 differ, 1 failed.");
    check(Phrase::Summary { same: 3, differ: 1, failed: 0 }, "3 hosts say the same, 1 differs.");
    let like = |how, lines: &str, several| Phrase::Like { count: 147, how, lines: lines.into(), several };
    check(like("but", "3", false), "like 147 others, except line 3");
    check(like("but", "3, 7", true), "like 147 others, except lines 3, 7");
    check(like("more", "3", false), "like 147 others, with more after line 3");
    check(like("more", "0", false), "like 147 others, with more at the beginning");
    check(like("without", "3", false), "like 147 others, without line 3");
    check(like("without", "3-5", true), "like 147 others, without lines 3-5");
    check(Phrase::StandardError, "standard error");
    check(Phrase::FileHeading { hosts: "wn[001-002]".into(), how: String::new() }, "wn[001-002]");
    check(Phrase::FileHeading { hosts: "wn001".into(), how: "exit code 3".into() }, "wn001: exit code 3");
    check(
        Phrase::NotKept { bytes: 512 },
        "512 bytes more were written here and not kept: the output is longer than I keep for one host",
    );
    check(Phrase::FileNotKept, "[what was written here is not kept any more]");
    check(
        Phrase::FileGap { size: "3 MiB".into(), limit: "20 MiB".into() },
        "3 MiB left out here: a file that I attach has at most 20 MiB. Ask for fewer hosts at once, or write the output to a file there.",
    );
    check(Phrase::Cut { rest: "thread" }, "Cut here: the whole text is in the thread, as a file.");
    check(Phrase::Cut { rest: "file" }, "Cut here: the whole text is in the attached file.");
    check(Phrase::Cut { rest: "end" }, "Cut here: the rest follows at the end.");
    check(
        Phrase::Cut { rest: "lost" },
        "Cut here: the message is longer than the chat server takes, and the rest could not be attached.",
    );
    check(Phrase::WholeText, "The whole text:");
    for (what, said) in [
        ("heading", "An answer"),
        ("submit", "Answer"),
        ("button", "Answer …"),
        ("yes", "Yes"),
        ("no", "No"),
        ("in words", "the answer"),
        ("over", "This question is not open any more."),
        ("theirs", "This question is for the one who wrote the line."),
        ("closed", "The form could not be opened. Write `answer K3QZ yes` instead."),
    ] {
        check(Phrase::Form { what, example: if what == "closed" { "`answer K3QZ yes`" } else { "" } }, said);
    }
    for (what, order, said) in [
        ("button", "acknowledge", "Acknowledge"),
        ("button", "remove_acknowledgement", "Give back"),
        ("button", "downtime", "Downtime"),
        ("button", "recheck", "Re-check"),
        ("heading", "acknowledge", "Take it on"),
        ("heading", "downtime", "A downtime"),
        ("submit", "acknowledge", "Acknowledge"),
        ("submit", "downtime", "Open it"),
        ("label_comment", "downtime", "Comment"),
        ("help_comment", "downtime", "What others should know. Your name is put behind it."),
        ("label_sticky", "acknowledge", "Until it is well"),
        ("help_sticky", "acknowledge", "Otherwise it ends as soon as the state changes."),
        ("label_expires", "acknowledge", "Ends after"),
        (
            "help_expires",
            "acknowledge",
            "Such as 8h or until 18:00; empty for no end. CheckMK can do that from 2.3 on.",
        ),
        ("label_length", "downtime", "How long"),
        ("help_length", "downtime", "From now on."),
        ("length_30m", "downtime", "30 minutes"),
        ("length_2h", "downtime", "2 hours"),
        ("length_8h", "downtime", "8 hours"),
        ("length_1d", "downtime", "1 day"),
        ("label_duration", "downtime", "Or another time"),
        ("help_duration", "downtime", "Such as 45m or until 18:00; counts instead of the choice."),
        ("begun", "remove_acknowledgement", "I ask the monitoring to take the acknowledgement away."),
        ("begun", "recheck", "I ask the monitoring to look now."),
        ("closed", "acknowledge", "The form could not be opened. Write `ack` with the host instead."),
        ("closed", "downtime", "The form could not be opened. Write `downtime` with the host and how long instead."),
        ("over", "downtime", "The problem is over, so nothing was done."),
        (
            "old",
            "downtime",
            "The problem is not as it was when this button was drawn, so nothing was done. Please press again.",
        ),
        ("gone", "downtime", "That cannot be asked for any more."),
        ("under_way", "downtime", "The monitoring is being asked for that already, so nothing was done."),
        ("none_left", "downtime", "None of its problems is left for that, so nothing was done."),
        ("no_right", "downtime", "You may not ask the monitoring for this, so nothing was done."),
    ] {
        check(Phrase::OrderForm { what, order }, said);
    }
    let (roles, users) = (vec!["lead".to_owned(), "owner".to_owned()], vec!["operator".to_owned()]);
    check(Phrase::Answerers { roles: &roles, users: &[], both: false }, "the role lead or the role owner");
    check(Phrase::Answerers { roles: &[], users: &users, both: false }, "operator");
    check(Phrase::Answerers { roles: &roles[..1], users: &users, both: true }, "the role lead, as one of operator");
    check(Phrase::Answerers { roles: &[], users: &[], both: false }, "");
    for (why, said) in [
        ("foreign_post", "This button does not belong to this post, so nothing was done."),
        ("late", "The time of this button is over, so nothing was done."),
        (
            "replayed",
            "You have pressed a button here already, so nothing was done again. The post shows how it stands.",
        ),
        ("not_identified", "I could not find out who you are, so nothing was done. Please try again."),
        ("early", "I am still writing this post down, so nothing was done yet. Please press again in a moment."),
    ] {
        check(Phrase::PressRefused { why }, said);
    }
    for (why, said) in [
        ("unreadable", "it could not be read from my store."),
        ("refused", "the chat server refused it."),
        ("many", "a post can take no more files."),
        ("late", "the chat server did not take it in time."),
    ] {
        let name = "log-5c61ab.txt".to_owned();
        check(Phrase::FileMissing { name, why }, &format!("The file `log-5c61ab.txt` is not attached: {said}"));
    }
    let verdict = |status, all, some, hosts: &str, by| Phrase::Verdict { status, all, some, hosts: hosts.into(), by };
    check(verdict("succeeded", 0, 0, "", ""), "done");
    check(verdict("succeeded", 1, 1, "wn001", ""), "done on wn001");
    check(verdict("succeeded", 24, 24, "wn[001-024]", ""), "done on all 24 hosts");
    check(verdict("failed", 24, 2, "wn[002-003]", ""), "failed on 2 of 24 hosts (wn[002-003])");
    check(verdict("failed", 0, 0, "", ""), "failed");
    check(verdict("timeout", 3, 3, "wn[001-003]", ""), "ran out of time on all 3 hosts");
    check(verdict("canceled", 3, 0, "", "lead"), "stopped by lead");
    check(verdict("canceled", 3, 0, "", ""), "stopped");
    check(verdict("unknown", 2, 1, "wn001", ""), "outcome unknown on 1 of 2 hosts (wn001)");
    check(verdict("running", 2, 0, "", ""), "running");
    check(verdict("canceling", 2, 0, "", ""), "being stopped");
    check(verdict("pausing", 0, 0, "", ""), "will be paused");
    check(verdict("paused", 0, 0, "", ""), "paused");
    let row = TaskRow { status: "succeeded", attempt: 1, count: 1, elapsed: "2 s".into(), ..TaskRow::default() };
    check(Phrase::PictureNote(&row), "2 s");
    let on = TaskRow { hosts: "wn001".into(), attempt: 3, ..row.clone() };
    check(Phrase::PictureNote(&on), "wn001 · round 3 · 2 s");
    let items = TaskRow { count: 100, done: 47, failed: 2, running: 4, ..row.clone() };
    check(Phrase::PictureNote(&items), "47 of 100 done, 2 failed, 4 at work · 2 s");
    check(Phrase::PictureNote(&TaskRow { inner_done: 1, ..row.clone() }), "1 task in it · 2 s");
    check(Phrase::PictureNote(&TaskRow { status: "pending", ..row.clone() }), "waits for an answer");
    check(Phrase::PictureNote(&TaskRow { status: "requested", ..row.clone() }), "waits for an approval");
    check(Phrase::PictureNote(&TaskRow { status: "delayed", ..row }), "waits");
    check(Phrase::PictureSubtitle { verdict: "failed", elapsed: "12 s", id: "5c61ab" }, "failed · 12 s · 5c61ab");
    check(Phrase::PictureGroup { count: 12 }, "12 tasks");
    for (state, said) in [
        ("failed", "2 failed"),
        ("timeout", "2 out of time"),
        ("unknown", "2 with an unknown end"),
        ("running", "2 running"),
        ("succeeded", "2 done"),
        ("canceled", "2 stopped"),
        ("idle", "2 not begun"),
    ] {
        check(Phrase::PictureState { state, count: 2 }, said);
    }
    check(
        Phrase::PictureFolded { tasks: 300, boxes: 7 },
        "300 tasks in 7 boxes: those that stand alike are drawn as one",
    );
    let event = |what, name, why| Phrase::Event { what, name, why };
    for (phrase, said) in [
        (event("unknown", "t.pushd", ""), "there is no type of triggers `t.pushd`"),
        (
            event("payload", "t.pushed", "`commit` is missing"),
            "the payload is not as `t.pushed` has it: `commit` is missing",
        ),
        (event("starting", "", ""), "I have just started and do not know the chat yet; bring it again"),
        (event("id", "t.pushed", ""), "an event needs an id of 1 to 200 letters, digits and signs"),
        (
            event("criterion", "trigger.n", "text and a number have no order"),
            "the criterion `trigger.n` cannot be judged: text and a number have no order",
        ),
        (event("circle", "site.r", ""), "`site.r` has led to this event itself, so it is not started by it"),
        (event("chain", "site.r", "8"), "8 rules have led to this event one after the other, and there may be no more"),
        (event("no_action", "site.r", "site.heal"), "there is no action `site.heal`"),
        (
            event("no_right", "site.r", "run:site.heal"),
            "no role of the rule grants `run:site.heal`; name the rule in `rules` of a role that does",
        ),
        (
            event("rests", "site.r", "3"),
            "it rests, because its remedies failed one after the other (3), until somebody writes `rule reset site.r`",
        ),
        (event("runs", "site.r", "5c61ab"), "what it has begun for this problem still runs (`5c61ab`)"),
        (
            event("cooldown", "site.r", "13:45 UTC"),
            "it has acted on this problem a moment ago, and does so again at 13:45 UTC at the earliest",
        ),
        (event("per_hour", "site.r", "10"), "it has acted 10× within an hour, which is as often as it may"),
        (event("over", "site.r", ""), "the problem is over"),
        (event("taken_on", "site.r", ""), "somebody has taken the problem on"),
        (event("no_machine", "site.r", ""), "what the problem calls its host is not the name of one machine"),
        (
            event("no_room", "site.r", ""),
            "so much is offered already, or so much is told of the problem, that it cannot be kept",
        ),
        (event("out_of_service", "site.r", "5c61ad"), "`5c61ad` has the machine out of service"),
        (event("in_downtime", "site.r", ""), "the problem is in a downtime"),
        (event("storm", "site.r", ""), "it broke in a storm, and nobody has let rules act again (`storm go`)"),
        (event("no_rule", "orphan", "site.orphans"), "there is no rule `orphan`; did you mean `site.orphans`?"),
        (event("no_rule", "orphan", ""), "there is no rule `orphan`"),
        (
            event("not_yours", "site.r", "admin:site.heal"),
            "to switch `site.r` takes `admin:site.heal`, which no role of yours grants",
        ),
    ] {
        check(phrase, said);
    }
    check(Phrase::Storm { what: "go", count: 0 }, "Let rules act");
    check(Phrase::Storm { what: "about", count: 150 }, "The storm: 150 open problems");
    let webhook = |what, name, why| Phrase::Webhook { what, name, why };
    for (phrase, said) in [
        (webhook("no_key", "", ""), "a key that I know is needed, in the header St2-Api-Key"),
        (webhook("bad_signature", "", ""), "the signature is not one that a key for this webhook makes over this body"),
        (
            webhook("signature_form", "", ""),
            "the signature cannot be read: X-Halcyon-Signature is t=SECONDS,id=NAME,v1=HEX, and X-Hub-Signature-256 is sha256=HEX",
        ),
        (
            webhook("stale", "", "300"),
            "the signature is right, and more than 300 s away from my clock: sign it again, and set both clocks",
        ),
        (webhook("unchecked", "", ""), "I cannot check signatures at the moment; send it again"),
        (webhook("weak_secret", "16", "1000"), "a secret to sign with has 16 to 1000 characters"),
        (
            webhook("no_master_key", "", "there is none"),
            "the secret would be kept sealed, and I have no master key for that: there is none",
        ),
        (webhook("not_this", "monitoring", ""), "the key `monitoring` is not for this webhook"),
        (webhook("no_hook", "github", ""), "no rule listens to the webhook `github`"),
        (webhook("no_alertmanager", "", ""), "this is no notification of Alertmanager: `version` has to be \"4\""),
        (
            webhook("no_alerts", "", ""),
            "this is no notification of Alertmanager: `alerts` has to be a list of alerts with labels",
        ),
        (
            webhook("too_many_alerts", "", "5000"),
            "more than 5000 alerts at once; group them by more labels, or set `max_alerts`",
        ),
        (
            webhook("no_trigger", "", ""),
            r#"the body has to name what happened: {"trigger": "pack.name", "payload": {…}}"#,
        ),
        (
            webhook("not_admin", "", ""),
            "keys are for those who may tell me what to do: it takes `admin:*`, which no role of yours grants",
        ),
        (webhook("no_name", "", "100"), "the name of a key has 1 to 100 letters, digits, dots, underscores and dashes"),
        (webhook("no_patterns", "", "50"), "a key is for 1 to 50 webhooks or patterns of them"),
        (
            webhook("name_taken", "monitoring", ""),
            "there is a key `monitoring` already; delete it first, or take another name",
        ),
        (webhook("too_many", "", "1000"), "there are 1000 keys, and there may be no more"),
        (webhook("no_such_key", "monitoring", ""), "there is no key `monitoring`"),
    ] {
        check(phrase, said);
    }
    let workflow = |what, name, why| Phrase::Workflow { what, name, why };
    for (phrase, said) in [
        (workflow("unreadable", "", ""), "the workflow that it began with cannot be read any more"),
        (
            workflow("no_key", "password", "no file"),
            "`password` is secret, and a workflow needs the master key to keep it for its tasks: no file",
        ),
        (workflow("no_action", "a.b", ""), "there is no action `a.b`"),
        (
            workflow("no_right", "a.b", "operator"),
            "operator may not run a.b; a workflow runs its tasks with the rights of whoever asked for it",
        ),
        (
            workflow("too_deep", "a.b", "10"),
            "a.b would be workflow number 10 within workflows, and there may be no more",
        ),
        (
            workflow("spliced", "core.remote", "`;`"),
            "expressions put `;` into the command of core.remote, and a shell would act on that; give it as a parameter of an action of your own",
        ),
        (workflow("on_hosts", "wn[001-003]", "exit code 1"), "wn[001-003]: exit code 1"),
        (workflow("earlier", "12", ""), "(12 earlier)"),
        (workflow("no_map", "look", ""), "the input of the task `look` is not a map of parameters"),
        (
            workflow("idle", "", "100000"),
            "100000 tasks without an action followed one another, so I take it that this would never end",
        ),
        (
            workflow("stuck", "", ""),
            "nothing of it is at work and nothing is left to begin, and yet it has not come to an end: its branches wait for one another",
        ),
        (
            workflow("output_too_long", "5c61ab", "2000000"),
            "2000000 bytes are too many for a result; `show 5c61ab output` has all of it",
        ),
    ] {
        check(phrase, said);
    }
    check(Phrase::Exit(&Exit::Code { code: 0 }), "");
    check(Phrase::Exit(&Exit::Code { code: 3 }), "exit code 3");
    check(Phrase::Exit(&Exit::Timeout), "ran out of time and was killed");
    check(Phrase::Exit(&Exit::Canceled), "was stopped");
    check(Phrase::Exit(&Exit::Unreachable { why: "no <answer>".into() }), "could not be reached: no <answer>");
    check(Phrase::Exit(&Exit::Unknown { why: "gone".into() }), "nobody knows how it ended: gone");
    check(Phrase::LeftOut { lines: 1, dropped: 0 }, "1 line is not shown here");
    check(Phrase::LeftOut { lines: 0, dropped: 0 }, "part of a long line is not shown here");
    check(
        Phrase::LeftOut { lines: 9, dropped: 7 },
        "9 lines are not shown here, and 7 bytes beyond the limit were not kept",
    );
    check(Phrase::NoOutput, "no output");
    check(
        Phrase::Exit(&Exit::Unheard { code: 0 }),
        "done, as the machine reported afterwards; what it wrote in the meantime is lost",
    );
    check(
        Phrase::Exit(&Exit::Unheard { code: 3 }),
        "exit code 3, as the machine reported afterwards; what it wrote in the meantime is lost",
    );
    check(Phrase::Exit(&Exit::Rebooted), "rebooted");
    check(Phrase::Exit(&Exit::Left), "disconnected, as it should");
    check(Phrase::Exit(&Exit::NeverBegan { why: "not there".into() }), "never began: not there");
    check(Phrase::Exit(&Exit::Answered { status: 404, headers: BTreeMap::new() }), "status 404");
    check(
        Phrase::NoWay { missing: &[] },
        "I was restarted while it was running, and the machine cannot be asked: the way to it was not recorded",
    );
    check(
        Phrase::NoWay { missing: &["private_key".to_owned(), "sudo_password".to_owned()] },
        "I was restarted while it was running, and the machine cannot be asked: the way to it needs private_key and sudo_password, which I do not keep",
    );
    check(
        Phrase::LostTwice { why: "no answer" },
        "an earlier attempt was lost there, and it could not be run again: no answer",
    );
    check(
        Phrase::Again { hosts: "wn001".into(), never_began: true },
        "I was interrupted before it started on wn001, so I started it afterwards.",
    );
    check(
        Phrase::Again { hosts: String::new(), never_began: false },
        "I lost sight of it and ran it there once more, since it may be repeated without harm.",
    );
    let judged = |judgement, by, again| Phrase::Judged { judgement, by, again };
    check(judged("", "", ""), "not settled yet");
    check(judged("ran", "lead", ""), "lead says that it ran");
    check(judged("not run", "lead", ""), "lead says that it did not run");
    check(judged("again", "lead", "5c61ab"), "lead says that it should run again (5c61ab)");
    check(
        Phrase::BrokenWords { alias: "site.uptime", key: "result.format", why: "`x` has no value" },
        "`result.format` of the alias site.uptime does not work: `x` has no value",
    );
    check(Phrase::FixedParameter { name: "cmd" }, "`cmd` is set by this command and cannot be given");
    check(Phrase::NoAction { action: "a.b", similar: "" }, "there is no action `a.b`");
    check(Phrase::NoAction { action: "a.b", similar: "a.c" }, "there is no action `a.b`; did you mean a.c?");
    check(
        Phrase::NoLocalRole { name: "guest" },
        "guest has no role here, so nothing was done; add the name to `unix_users` of a role under [[access.roles]] in config.toml",
    );
    check(Phrase::HealthChat { username: "halcyon" }, "connected as halcyon");
    check(Phrase::HealthChat { username: "" }, "not connected yet");
    check(Phrase::HealthOther { other: "0a1b" }, "another bot (0a1b) is using my account: stop one of us");
    let outbox = |waiting, oldest: &str, trouble| Phrase::HealthOutbox { waiting, oldest: oldest.into(), trouble };
    check(outbox(0, "", ""), "nothing is waiting");
    check(outbox(2, "", ""), "2 deliveries are waiting");
    check(outbox(1, "2 min", "status 503"), "1 delivery is waiting, the oldest for 2 min: status 503");
    let down = |name: &str, since: &str, next: &str| SensorDown {
        name: name.into(),
        since: since.into(),
        why: "it ended with exit code 1".into(),
        next: next.into(),
    };
    let sensors = |run, all, not_built, down, more| Phrase::HealthSensors { run, all, not_built, down, more };
    check(sensors(1, 1, 0, vec![], 0), "1 runs");
    check(sensors(3, 3, 2, vec![], 0), "3 run; 2 are not built yet");
    check(sensors(0, 0, 1, vec![], 0), "none is to run; 1 is not built yet");
    check(
        sensors(1, 3, 0, vec![down("site.power", "2 min", "40 s"), down("site.fans", "", "")], 4),
        "1 of 3 run; site.power has not been well for 2 min: it ended with exit code 1, and is started again in 40 s; site.fans failed: it ended with exit code 1; and 4 more",
    );
    let sensor = |what, why| Phrase::Sensor { what, name: "site.power", why };
    check(sensor("no_sensor", ""), "there is no sensor `site.power`");
    check(sensor("no_sensor", "site.powers"), "there is no sensor `site.power`; did you mean `site.powers`?");
    check(
        sensor("not_yours", "admin:site.power"),
        "to switch `site.power` takes `admin:site.power`, which no role of yours grants",
    );
    check(
        sensor("not_built", ""),
        "`site.power` is a class in Python, and the runner for Python is not built yet, so there is nothing to switch",
    );
    check(Phrase::HealthSsh { lost: 0, host: "", why: "" }, "no node was out of reach lately");
    check(
        Phrase::HealthSsh { lost: 1, host: "wn001", why: "connection refused" },
        "wn001 could not be reached in the last 10 minutes: connection refused",
    );
    check(
        Phrase::HealthSsh { lost: 2, host: "wn001", why: "connection refused" },
        "2 nodes could not be reached in the last 10 minutes, such as wn001: connection refused",
    );
    check(Phrase::HealthStopping, "is being stopped and takes nothing new");
    for (part, advice) in [
        ("chat", "`halcyon doctor` on my host tries each step of the way"),
        ("outbox", "check whether the chat server is slow or refuses posts; what waits is not lost"),
        ("store", "free space on the disk of `store.path`, or repair it; nothing new starts until then"),
        ("content", "`halcyon check` says what is wrong with the files"),
        ("inventory", "run the command of that group by hand, as the account that I run as"),
        ("ssh", "`halcyon doctor --host NAME` on my host tries each step of the way"),
        ("freeze", "see what the old store says, then `unfreeze`"),
        ("bot", "wait for the next start"),
    ] {
        check(Phrase::HealthAdvice { part }, advice);
    }
    check(Phrase::HealthContent { aliases: 1, actions: 2, packs: 2, problems: 0 }, "1 alias, 2 actions in 2 packs");
    check(
        Phrase::HealthContent { aliases: 3, actions: 2, packs: 2, problems: 1 },
        "3 aliases, 2 actions in 2 packs; 1 problem in files",
    );
    check(Phrase::HealthInventory { hosts: 200, groups: 1, broken: "", why: "" }, "200 hosts, 1 group");
    check(
        Phrase::HealthInventory { hosts: 200, groups: 1, broken: "idle", why: "sinfo failed" },
        "the members of @idle are not known: sinfo failed",
    );
    let store = |free, low, refused| Phrase::HealthStore { free, reserve: "64 MiB", low, refused };
    check(store("9.1 GiB", false, ""), "9.1 GiB free");
    check(store("", false, ""), "free space unknown");
    check(store("17 MiB", true, ""), "only 17 MiB free; below 64 MiB nothing new starts");
    check(store("0 bytes", true, "no space left"), "cannot be written: no space left");
    check(
        Phrase::SetAside { place: "store/damaged-1", why: "" },
        "my store was damaged and I remember nothing of what was before; the old one is kept in store/damaged-1",
    );
    check(
        Phrase::SetAside { place: "store/damaged-1", why: "log/1.facts is damaged at byte 9" },
        "my store was damaged and I remember nothing of what was before (log/1.facts is damaged at byte 9); the old one is kept in store/damaged-1",
    );
    check(
        Phrase::AuditSetAside { place: "store/audit.damaged-1", why: "" },
        "my audit was damaged; the old one is kept in store/audit.damaged-1, and I have made it again from the facts that I still have",
    );
    check(
        Phrase::AuditSetAside { place: "store/audit.damaged-1", why: "audit/1.entries is damaged at byte 9" },
        "my audit was damaged (audit/1.entries is damaged at byte 9); the old one is kept in store/audit.damaged-1, and I have made it again from the facts that I still have",
    );
}

fn approvals(check: &mut dyn FnMut(Phrase<'_>, &str)) {
    let named = |roles: &[&str], users: &[&str], channels: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        Approvers { roles: owned(roles), users: owned(users), channels: owned(channels) }
    };
    check(Phrase::Deciders(&named(&["lead"], &[], &[])), "the role lead");
    check(Phrase::Deciders(&named(&["lead", "chief"], &[], &[])), "the role lead or the role chief");
    check(Phrase::Deciders(&named(&[], &["lead", "second"], &[])), "lead or second");
    check(
        Phrase::Deciders(&named(&["lead"], &["second"], &["on_call", "ops"])),
        "the role lead or second or a member of on_call or a member of ops",
    );
    let changed = |what, names| Phrase::Changed { what, names, before: "wn[001-002]", now: "wn001" };
    check(changed("content", ""), "the file of the action has changed since it was asked for");
    check(changed("parameters", "hosts, word"), "it would run with other values of hosts, word now");
    check(changed("hosts", ""), "it would run on wn001 now, and was asked for on wn[001-002]");
    check(changed("terms", ""), "the policies for its approval have changed since it was asked for");
    check(changed("work", ""), "the command that it would run has changed since it was asked for");
    check(changed("gone", ""), "the action is not there any more");
    check(changed("refused", "there is no host wn009"), "it would be refused now: there is no host wn009");
    check(changed("needs_approval", ""), "it needs an approval by now; please ask for it again");
    check(changed("requester", ""), "whoever asked for it may not run it any more");
    let ended = |state, by, why| Phrase::NotApproved { state, by, why };
    check(ended("denied", "lead", "not now"), "denied by lead: not now");
    check(ended("withdrawn", "operator", ""), "withdrawn by operator");
    check(ended("expired", "", ""), "nobody approved it in time");
    check(
        ended("void", "", "the action is not there any more"),
        "the approval is void: the action is not there any more",
    );
    let voter = |chat_user, connected| Phrase::NoVoter { name: "root", chat_user, connected };
    check(
        voter("", true),
        "root stands for no chat user, and only those decide about approvals; `[access.unix_users]` of the configuration says who stands for whom",
    );
    check(voter("lead", true), "root stands for the chat user lead, and the chat server knows nobody of that name");
    check(
        voter("", false),
        "only chat users decide about approvals, and who they are now cannot be found out: the chat server does not answer",
    );
    for (of, words) in [
        ("approve", "Approve"),
        ("deny", "Deny"),
        ("host", "Name of the host"),
        ("count", "Number of hosts"),
        ("action", "Name of the action"),
        ("reason", "Reason"),
        ("look", "as it stands on the card, so that nobody says yes to another one by mistake"),
        ("write", "I could not open the form. The card says what to write instead."),
    ] {
        check(Phrase::DecisionForm { of }, words);
    }
    check(Phrase::ApprovedBy { names: "lead, second" }, "approved by lead, second");
}
