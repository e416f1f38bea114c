//! What rules and aliases offer for a problem: shown at its post while it lives, begun for the person who asks, with their rights, once. Each story
//! is played twice: by one process, and by one that is killed before every step.

use crate::bot::{Content, Machine, said};
use crate::guarded::{Told, deliveries, settled};
use crate::ruled::{content, enforcements};
use crate::taking_turns::{done, ends};
use halcyon::core::action::run::Exit;
use halcyon::core::bot::Step;
use halcyon::core::callback::{Meaning, Reply};
use halcyon::core::effect::Effect;
use halcyon::core::fact::Fact;
use halcyon::core::id::{AliasRef, ChannelId, DeliveryId, ExecutionId, PostId, RequestId, UserId};
use halcyon::core::input::{ChannelKind, DeliveryOutcome, Identity, Input, Press, Principal};
use halcyon::core::memory::Memory;
use halcyon::core::message::markdown;
use halcyon::core::settings::{Grant, Settings, Verb};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A rule that offers; `more` is put into it.
fn rule(name: &str, label: &str, more: &str) -> String {
    format!(
        "name: {name}\nenabled: true\ntrigger: {{type: check_mk.event_handler}}\noffer: {{label: {label}}}\n\
         criteria: {{trigger.service.state: {{type: eq, pattern: CRITICAL}}}}\n{more}\n\
         action: {{ref: core.remote, parameters: {{hosts: '{{{{trigger.host.name}}}}', cmd: {name}}}}}\n"
    )
}

const ASK: &str = "name: ask\nresource_ref: core.remote\npolicy_type: action.approval\n\
                   parameters: {approvers: {roles: [operator]}, allow_requester: true}\n";

struct Site {
    content: Content,
    machine: Machine,
    /// It is killed before every step.
    killed: bool,
    buttons: bool,
    told: Told,
    /// What was begun last.
    last: Option<ExecutionId>,
    /// What every button has meant that was drawn, by its label.
    drawn: Vec<(String, Meaning)>,
    /// What stands below the post.
    shown: Vec<String>,
    /// How the post of the problem reads.
    post: String,
    /// All that was said.
    said: Vec<String>,
}

impl Site {
    fn new(files: &[(&str, &str)], killed: bool, buttons: bool) -> Self {
        let content = content(files);
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        let machine = Machine::with_content(Vec::new(), start, &content);
        let mut site = Self {
            content,
            machine,
            killed,
            buttons,
            told: Told::default(),
            last: None,
            drawn: Vec::new(),
            shown: Vec::new(),
            post: String::new(),
            said: Vec::new(),
        };
        site.settle();
        site
    }

    fn settle(&mut self) {
        let machine = std::mem::replace(&mut self.machine, Machine::new());
        self.machine = settled(machine);
        let mut settings = Settings { buttons: self.buttons, ..self.machine.bot.settings().clone() };
        settings.roles[0].grants.push(Grant::new(Verb::Admin, "*"));
        self.machine.take(Input::Settings(Arc::new(settings)));
    }

    fn restart(&mut self) {
        if self.killed {
            let facts = self.machine.facts.clone();
            self.machine = Machine::with_content(facts, self.machine.now, &self.content);
            self.settle();
        }
        let memory = serde_json::to_string(self.machine.bot.memory()).unwrap();
        assert_eq!(&serde_json::from_str::<Memory>(&memory).unwrap(), self.machine.bot.memory());
    }

    fn tell(&mut self, kind: &str, host: &str, state: &str) -> Step {
        let step = self.told.tell(&mut self.machine, kind, host, state);
        // The post stands at once.
        let post = self.machine.bot.memory().alerts.alerts().find_map(|alert| alert.post.clone());
        if let Some(posted) = post.filter(|_| deliveries(&step).iter().any(|one| one.id.as_str().ends_with("-alert"))) {
            let sent = DeliveryOutcome::Sent { post: PostId::new(format!("post-of-{}", posted.delivery)) };
            self.machine.take(Input::Delivered { delivery: posted.delivery, outcome: sent });
        }
        step
    }

    fn press(&mut self, user: &str, meaning: Meaning) -> (Step, Reply) {
        let username = if user == "u1" { "operator" } else { "guest" }.to_owned();
        let (id, as_of) = (UserId::new(user), self.machine.now);
        let (member_of, zone) = (BTreeSet::new(), String::new());
        let identity = Identity { id, username, is_bot: false, active: true, member_of, zone, as_of };
        let press = Press {
            request: RequestId(9),
            user: UserId::new(user),
            identity: Some(identity),
            post: PostId::new("post-of-e1-alert"),
            channel: ChannelId::new(crate::bot::CHANNEL),
            meaning,
            trigger: "t".into(),
        };
        let step = self.machine.take(Input::Pressed(Box::new(press)));
        let reply = step.effects.iter().find_map(|effect| match effect {
            Effect::Reply { request: RequestId(9), reply } => Some(reply.clone()),
            _ => None,
        });
        (step, reply.expect("whoever presses is answered"))
    }

    /// One step of a story, and what came of it in a few words.
    fn play(&mut self, what: &str) -> String {
        self.restart();
        let words: Vec<&str> = what.split(' ').collect();
        let mut came = Vec::new();
        let drawn = |site: &Self, label: &str, newest: bool| {
            let mut found = site.drawn.iter().filter(|(known, _)| known == label).map(|(_, meaning)| meaning.clone());
            if newest { found.next_back() } else { found.next() }.unwrap_or_else(|| panic!("{label} was never drawn"))
        };
        let step = match words.as_slice() {
            ["wait", seconds] => {
                self.machine.wait(seconds.parse().unwrap());
                self.machine.take(Input::Deadline)
            }
            ["ends", how] => {
                let exit = if *how == "well" { done() } else { Exit::Code { code: 1 } };
                let id = self.last.clone().unwrap();
                ends(&mut self.machine, &id, exit)
            }
            [press @ ("press" | "stale"), label @ .., "by", user] => {
                let meaning = drawn(self, &label.join(" "), *press == "press");
                let (step, reply) = self.press(user, meaning);
                came.push(reply.text);
                step
            }
            ["heal", label @ ..] => {
                let code = self.code(&label.join(" "));
                self.machine.hear(&format!("!heal {code}"), None)
            }
            ["say", line @ ..] => self.machine.hear(&format!("!{}", line.join(" ")), None),
            ["packs", name] => {
                self.content = content(&[("rules/other.yaml", &rule(name, "Other", ""))]);
                let (catalog, problems) = self.content.clone();
                self.machine.take(Input::Content { catalog, problems })
            }
            ["approve"] => {
                let id = self.last.clone().unwrap();
                let code = self.machine.bot.memory().executions[&id].approval.as_ref().unwrap().code.clone();
                self.machine.hear(&format!("!approve {code}"), None);
                self.machine.identify(&id)
            }
            [kind, host, state] => self.tell(kind, host, state),
            other => panic!("{other:?}"),
        };
        for one in enforcements(&step) {
            let line = DeliveryId::new(format!("e{}-{}", self.told.count(), one.rule));
            let told = deliveries(&step).iter().any(|delivery| delivery.id == line);
            if !one.outcome.why().is_empty() && told {
                came.push(one.outcome.why().to_owned());
            }
        }
        for dated in &step.facts {
            match &dated.fact {
                Fact::RemedyBegun { execution, open } if open.origin.offerer().is_some() => {
                    self.last = Some(execution.clone());
                    let id = UserId::new("u1");
                    let by = &self.machine.bot.memory().executions[execution].request.by;
                    assert_eq!(
                        *by,
                        Principal::ChatUser { id, name: "operator".into() },
                        "the person is the one who asks"
                    );
                }
                Fact::ExecutionStarted(request) => came.push(format!("begins on {:?}", request.hosts)),
                Fact::ExecutionFinished { status, .. } => came.push(format!("{status:?}")),
                Fact::AccessDenied { needed, .. } => came.push(format!("denied {needed}")),
                _ => {}
            }
        }
        for delivery in deliveries(&step) {
            self.said.push(said_by(delivery));
            let edits =
                matches!(&delivery.body, halcyon::core::effect::Body::Edit { of, .. } if of.as_str() == "e1-alert");
            if delivery.id.as_str() != "e1-alert" && !edits {
                continue;
            }
            self.post = said_by(delivery);
            if let Some(attachments) = delivery.body.attachments() {
                let buttons = attachments.iter().flat_map(|attachment| &attachment.buttons);
                let drawn: Vec<_> = buttons.map(|button| (button.label.clone(), button.meaning.clone())).collect();
                self.shown = drawn.iter().map(|(label, _)| label.clone()).collect();
                self.drawn.extend(drawn);
            }
        }
        if let ["say" | "heal", ..] = words.as_slice() {
            came.push(said(&step));
        }
        came.join("; ")
    }

    /// The code of what is offered so, whether it is shown or not.
    fn code(&self, label: &str) -> String {
        let memory = self.machine.bot.memory();
        let problem = &memory.alerts.alerts().next().unwrap().problem;
        let offers = &memory.alerts.offers().of(problem).unwrap().list;
        offers
            .iter()
            .find(|offer| offer.label == label)
            .map_or_else(|| "Z9Z9".to_owned(), |offer| offer.code.to_string())
    }
}

fn said_by(delivery: &halcyon::core::effect::Delivery) -> String {
    use halcyon::core::effect::Body;
    match &delivery.body {
        Body::Post { text, .. } | Body::Edit { text, .. } | Body::Attached { text, .. } => text.clone(),
        Body::Mark { .. } => String::new(),
    }
}

const BEGUN: &str = ":adhesive_bandage: Begun as ";
const OLD: &str = "What is offered here has changed meanwhile, so nothing was done.";
const OVER: &str = "The problem is over, so nothing was done.";
const USED: &str = "You have pressed a button here already, so nothing was done again.";

/// What is played, with the beginning of what comes of it, and what can be pressed below the post after it.
type Story = &'static [(&'static str, &'static str, &'static str)];

#[test]
fn offers_of_rules() {
    let table: [(&str, &[&str], Story); 13] = [
        (
            "it is begun by the press of a person, once, and is offered again when it has ended",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("press Restart by u1", BEGUN, "Clean"),
                ("press Restart by u1", USED, "Clean"),
                ("stale Clean by u1", USED, "Clean"),
                ("ends well", "Succeeded", "Restart, Clean"),
                ("press Clean by u1", BEGUN, "Restart"),
                ("press Restart by u1", ":hourglass: ", ""),
                ("RECOVERY wn001 OK", "", ""),
            ],
        ),
        (
            "what fails may be tried again as often as a person wants",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("press Clean by u1", BEGUN, "Restart"),
                ("ends badly", "Failed", "Restart, Clean"),
                ("press Clean by u1", BEGUN, "Restart"),
                ("ends badly", "Failed", "Restart, Clean"),
                ("press Clean by u1", BEGUN, "Restart"),
                ("ends badly", "Failed", "Restart, Clean"),
                ("press Clean by u1", BEGUN, "Restart"),
            ],
        ),
        (
            "who may not is told so, and it stays",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                (
                    "press Restart by u2",
                    "You may not have this done, so nothing was done.; denied run:core.remote",
                    "Restart, Clean",
                ),
                ("press Restart by u1", BEGUN, "Clean"),
                ("stale Restart by u2", "You may not", "Clean"),
            ],
        ),
        (
            "after the recovery nothing can be pressed, and what is pressed yet does nothing",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("RECOVERY wn001 OK", "", ""),
                ("press Restart by u1", OVER, ""),
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("stale Restart by u1", OLD, "Restart, Clean"),
                ("press Restart by u1", BEGUN, "Clean"),
            ],
        ),
        (
            "what has been forgotten is over",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("RECOVERY wn001 OK", "", ""),
                ("wait 700", "", ""),
                ("press Restart by u1", OVER, ""),
            ],
        ),
        (
            "people may act on what is taken on, in a downtime, or comes and goes",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("ACKNOWLEDGEMENT wn001 CRITICAL", "", "Restart, Clean"),
                ("DOWNTIMESTART wn001 CRITICAL", "", "Restart, Clean"),
                ("FLAPPINGSTART wn001 CRITICAL", "", "Restart, Clean"),
                ("press Restart by u1", BEGUN, "Clean"),
            ],
        ),
        (
            "what is told again changes nothing, and what is not critical any more is offered no more",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("stale Restart by u1", BEGUN, "Clean"),
                ("PROBLEM wn001 WARNING", "", ""),
                ("press Clean by u1", OLD, ""),
                ("PROBLEM wn001 CRITICAL", "", "Clean"),
            ],
        ),
        (
            "an approval is asked for where a policy wants one, and the state again when it is given",
            &[ASK],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("press Restart by u1", ":hourglass: ", "Clean"),
                ("stale Restart by u1", USED, "Clean"),
                ("ACKNOWLEDGEMENT wn001 CRITICAL", "", "Clean"),
                ("approve", "begins on [Host(\"wn001\")]", "Clean"),
                ("ends well", "Succeeded", "Restart, Clean"),
                ("press Clean by u1", ":hourglass: ", "Restart"),
                ("RECOVERY wn001 OK", "", ""),
                ("approve", "Canceled", ""),
            ],
        ),
        (
            "a rule that is switched off, or that says something else by now, offers nothing",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("packs other", "", "Restart, Clean"),
                ("press Restart by u1", "This is not offered any more, so nothing was done.", "Clean"),
                ("press Clean by u1", "This is not offered any more", ""),
            ],
        ),
        (
            "offers lapse when nobody tells of the problem any more",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("wait 345600", "", "Restart, Clean"),
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("stale Restart by u1", OLD, "Restart, Clean"),
                ("wait 345600", "", "Restart, Clean"),
                ("wait 345600", "", ""),
                ("press Restart by u1", "The time of this button is over", ""),
            ],
        ),
        (
            "a code is as good as a button",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("say alerts wn001", "", "Restart, Clean"),
                ("heal Restart", "begins on [Host(\"wn001\")]", "Clean"),
                ("press Restart by u1", "That has been begun already, as ", "Clean"),
                ("heal Other", "Nothing that you may have done is offered under `Z9Z9`", "Clean"),
            ],
        ),
        (
            "frozen, it is refused as a line would be",
            &[],
            &[
                ("PROBLEM wn001 CRITICAL", "", "Restart, Clean"),
                ("say freeze storm", "", "Restart, Clean"),
                ("press Restart by u1", "storm", "Restart, Clean"),
                ("say unfreeze", "", "Restart, Clean"),
                ("press Restart by u1", BEGUN, "Clean"),
            ],
        ),
        (
            "what is no name of a machine is offered nothing, and that is said once",
            &[],
            &[
                ("PROBLEM @all CRITICAL", "what the problem calls its host is not the name of one machine", ""),
                ("PROBLEM @all CRITICAL", "", ""),
                ("PROBLEM wn999 CRITICAL", "I ran nothing: there is no host `wn999`.", ""),
                ("PROBLEM wn999 CRITICAL", "", ""),
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for (name, more, story) in table {
        for killed in [false, true] {
            let (restart, clean) = (rule("a", "Restart", ""), rule("b", "Clean", ""));
            let mut files = vec![("rules/a.yaml", restart.as_str()), ("rules/b.yaml", clean.as_str())];
            files.extend(more.iter().map(|text| ("policies/ask.yaml", *text)));
            let mut site = Site::new(&files, killed, true);
            for (number, (what, expected, shown)) in story.iter().enumerate() {
                let came = site.play(what);
                let place = format!("{name}, step {number} ({what}), killed: {killed}");
                let said = what.starts_with("say");
                let empty = expected.is_empty() && !said && !what.starts_with("press");
                let as_expected = if empty { came.is_empty() } else { came.contains(expected) };
                if !as_expected || site.shown.join(", ") != *shown {
                    wrong.push(format!("{place}: {came:?} for {expected:?}, {:?} for {shown:?}", site.shown));
                    break;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The rules of a pack, and how the post and the thread of a problem tell of what they offer.
fn told(files: &[(&str, &str)], buttons: bool, output: &str) -> (Site, String) {
    let mut site = Site::new(files, false, buttons);
    site.told.output = output.to_owned();
    let thread = site.play("PROBLEM wn001 CRITICAL");
    (site, thread)
}

#[test]
fn without_buttons_the_post_says_what_to_write() {
    let (mut site, _) = told(&[("rules/a.yaml", &rule("a", "Restart *it*", ""))], false, "x");
    let code = site.code("Restart *it*");
    assert!(site.post.contains(&format!("Restart \\*it\\* (`core.remote`): write `heal {code}`")), "{}", site.post);
    assert!(site.drawn.is_empty());
    let listed = site.play("say alerts wn001");
    assert!(listed.contains(&format!("`heal {code}`")), "{listed}");
    assert!(!site.play("say alerts").contains(&code), "a list of all is short");
    let came = site.play("heal Restart *it*");
    assert!(came.contains("begins on [Host(\"wn001\")]"), "{came}");
    assert!(site.post.contains("**remediating**") && site.post.contains("begun by operator"), "{}", site.post);
    assert!(!site.post.contains("write `heal"), "{}", site.post);
}

/// Of a line that was written while nobody listened it is asked whether it still holds, since it could do harm.
#[test]
fn a_code_that_was_written_long_ago_is_asked_about() {
    let (mut site, _) = told(&[("rules/a.yaml", &rule("a", "Restart", ""))], false, "x");
    let line = format!("!heal {}", site.code("Restart"));
    let step = site.machine.miss(&line, 60);
    assert!(crate::bot::started(&step).is_none() && said(&step).contains("heal"), "{}", said(&step));
    assert!(crate::bot::started(&site.machine.hear("1", None)).is_some());
}

#[test]
fn so_many_stand_below_a_post_and_the_others_are_counted() {
    let names: Vec<String> = (0..24).map(|number| format!("r{number:02}")).collect();
    let rules: Vec<(String, String)> =
        names.iter().map(|name| (format!("rules/{name}.yaml"), rule(name, name, ""))).collect();
    let files: Vec<(&str, &str)> = rules.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let (mut site, _) = told(&files, true, "x");
    assert_eq!(site.shown, ["r00", "r01", "r02", "r03", "r04"]);
    assert!(site.post.contains("15 more things can be done: `alerts wn001` tells which"), "{}", site.post);
    let listed = site.play("say alerts wn001");
    assert_eq!(listed.matches("write `heal ").count(), 20, "{listed}");
    let outcomes = enforcements(&site.told.tell(&mut site.machine, "PROBLEM", "wn001", "CRITICAL"));
    let refused: Vec<_> = outcomes.iter().filter(|one| !one.outcome.why().is_empty()).collect();
    assert_eq!((outcomes.len(), refused.len()), (24, 4), "what is left out is said: {refused:?}");
}

/// What is said of a rule that cannot offer what it wants to: once, in the thread.
#[test]
fn what_cannot_be_done_is_not_offered() {
    let output = "3 orphans; touch /tmp/owned";
    let spliced = rule("a", "Restart", "").replace("cmd: a", "cmd: 'logger {{trigger.service.output}}'");
    let elsewhere = rule("a", "Restart", "").replace("trigger.host.name}}'", "trigger.service.output}}'");
    for (rule, why) in [
        (&spliced, "`trigger.service.output` may not contain"),
        (&elsewhere, "which is not the name of a machine"),
        (&rule("a", "Restart", "").replace("core.remote", "core.gone"), "there is no action `core.gone`"),
        (&rule("a", "Restart", "dry_run: true"), ""),
    ] {
        let (mut site, thread) = told(&[("rules/a.yaml", rule)], true, output);
        assert!(thread.contains(why), "{thread}");
        assert!(site.shown.is_empty() && !site.post.contains("heal"), "{}", site.post);
        assert_eq!(site.play("PROBLEM wn001 CRITICAL"), "", "it is said once");
    }
    let (site, _) = told(&[("rules/a.yaml", &rule("a", "Restart", "dry_run: true"))], true, output);
    let said: Vec<&str> = site.said.iter().map(String::as_str).collect();
    assert!(said.iter().any(|text| text.contains("would have offered `core.remote`")), "{said:?}");
}

/// An alias that offers itself; `more` is put into its `extra.halcyon`, `hosts` says which machine.
fn alias(more: &str, hosts: &str) -> String {
    format!(
        "name: kick\naction_ref: site.service_restart\nformats: ['kick( hard)? {{{{service}}}} on {{{{hosts}}}}', 'kick {{{{service}}}} on {{{{hosts}}}}']\n\
         extra:\n  halcyon:\n    {more}\n    offer:\n      label: Kick it\n\
         \x20     criteria: {{trigger.service.desc: {{type: eq, pattern: Orphans}}}}\n\
         \x20     parameters: {{service: slurmd, hosts: '{hosts}'}}\n"
    )
}

const HOST: &str = "{{ trigger.host.name }}";

/// What is begun of an alias is what its line would begin, in the name of whoever asks.
#[test]
fn an_alias_offers_itself_as_a_line_of_chat() {
    let files = [("aliases/kick.yaml", &*alias("", HOST)), ("rules/a.yaml", &rule("a", "Restart", ""))];
    for buttons in [true, false] {
        let (mut site, _) = told(&files, buttons, "x; touch /tmp/owned");
        if buttons {
            assert_eq!(site.shown, ["Restart", "Kick it"], "rules come first");
            assert!(site.play("press Kick it by u2").contains("You may not"));
        }
        let came = site.play(if buttons { "press Kick it by u1" } else { "heal Kick it" });
        assert!(came.contains("begins on [Host(\"wn001\")]"), "{came}");
        let request = &site.machine.bot.memory().executions[site.last.as_ref().unwrap()].request;
        assert_eq!(request.line, "kick slurmd on wn001");
        assert_eq!(request.alias.as_ref().map(AliasRef::as_str), Some("site.kick"));
        assert_eq!(request.parameters["service"], "slurmd");
        assert!(site.post.contains("Kick it, begun by operator"), "{}", site.post);
    }
}

/// Its code is nothing where it is not there, and goes on meaning it where it is.
#[test]
fn an_alias_is_not_there_for_a_word_said_elsewhere() {
    let (mut site, _) = told(&[("aliases/kick.yaml", &alias("channels: [cluster]", HOST))], true, "x");
    let line = format!("heal {}", site.code("Kick it"));
    let mut post = site.machine.post(&line, None);
    (post.channel, post.channel_kind) = (ChannelId::new("d1"), ChannelKind::Direct);
    let step = site.machine.take(Input::Post(post));
    assert!(said(&step).contains("Nothing that you may have done is offered"), "{}", said(&step));
    assert!(site.play("press Kick it by u1").starts_with(BEGUN));
}

#[test]
fn an_alias_offers_itself_where_it_is_there_and_can_be_had() {
    for (more, hosts, output, shown, why) in [
        ("channels: [cluster]", HOST, "x", "Kick it", ""),
        ("channels: [elsewhere]", HOST, "x", "", ""),
        ("", "{{ trigger.service.output }}", "wn001 service=sshd", "", "which is not the name of a machine"),
        ("", "{{ trigger.service.output }}", "@all", "", "which is not the name of a machine"),
        ("", "{{ trigger.service.absent }}", "x", "", "`hosts` cannot be had"),
        ("", "wn999", "x", "", "there is no host `wn999`"),
    ] {
        let (mut site, _) = told(&[("aliases/kick.yaml", &alias(more, hosts))], true, output);
        let said = site.said.join("\n");
        assert_eq!(site.shown.join(", "), shown, "{more} {hosts}: {said}");
        let told = said.contains("The alias `site.kick` would offer itself here, and does not");
        let why = markdown::prose(why);
        assert!(told != why.is_empty() && said.contains(&why), "{more} {hosts}: {said}");
        let before = site.said.len();
        site.play("PROBLEM wn001 CRITICAL");
        assert!(!site.said[before..].join("").contains("would offer itself"), "it is said once");
    }
}

#[test]
fn rules_are_shown_with_what_they_offer() {
    let (mut site, _) = told(&[("rules/a.yaml", &rule("a", "Restart", ""))], true, "x");
    for (line, told) in [
        ("rules", "`site.a` offers `core.remote` on `check_mk.event_handler` · in force · offered "),
        ("rule show a", "offers **Restart**, which starts `core.remote`"),
    ] {
        let said = site.play(&format!("say {line}"));
        assert!(said.contains(told), "{said}");
    }
}

/// Each refusal is noted, so a person who presses on and on is not heard any more.
#[test]
fn presses_are_bounded_like_lines() {
    let (mut site, _) = told(&[("rules/a.yaml", &rule("a", "Restart", ""))], true, "x");
    let most = site.machine.bot.settings().limits.lines_per_user;
    let came: Vec<String> = (0..most + 5).map(|_| site.play("press Restart by u2")).collect();
    assert_eq!(came.iter().filter(|came| came.contains("denied")).count(), most, "{came:?}");
    assert!(site.play("press Restart by u1").starts_with(BEGUN), "it is that person's matter");
}

/// What a person may do in the channel of alerts they may do yet when it begins.
#[test]
fn a_right_that_is_bound_to_the_channel_holds_there() {
    let (mut site, _) = told(&[("rules/a.yaml", &rule("a", "Restart", "")), ("policies/ask.yaml", ASK)], true, "x");
    for (channel, expected) in [("elsewhere", "You may not have this done"), ("cluster", ":hourglass: ")] {
        let mut settings = Settings::clone(site.machine.bot.settings());
        settings.roles[0].grants = vec![
            Grant { channels: vec![channel.to_owned()], ..Grant::new(Verb::Run, "*") },
            Grant::new(Verb::Approve, "*"),
        ];
        site.machine.take(Input::Settings(Arc::new(settings)));
        let came = site.play("press Restart by u1");
        assert!(came.starts_with(expected), "{came}");
    }
    let came = site.play("approve");
    assert!(came.starts_with("begins on"), "{came}");
}

/// A rule that acts and one that offers do so side by side.
#[test]
fn a_rule_that_acts_goes_on_acting() {
    let acts = rule("heal", "x", "").replace("offer: {label: x}\n", "");
    let (mut site, _) = told(&[("rules/heal.yaml", &acts), ("rules/a.yaml", &rule("a", "Restart", ""))], true, "x");
    assert!(site.post.contains("begun by the rule `site.heal`"), "{}", site.post);
    assert_eq!(site.shown, ["Restart"]);
    assert!(site.play("press Restart by u1").starts_with(":hourglass: "), "they want the same machine");
}
