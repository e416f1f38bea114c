//! The fuse against programs that answer each other, and its like for lines of a time when nobody listened: whatever a line would be answered
//! with, only so many are answered within a minute.

use crate::bot::{Machine, said, settings};
use halcyon::core::bot::Step;
use halcyon::core::effect::{Body, Delivery};
use halcyon::core::fact::{Dated, Fact};
use halcyon::core::id::{ChannelId, UserId};
use halcyon::core::input::{HeardPost, Identity, Input};
use halcyon::core::settings::{Limits, Settings};
use jiff::SignedDuration;
use std::sync::Arc;

/// How a line is heard.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// In a channel where nothing is heard.
    Elsewhere,
    /// Nothing but the bot's name.
    Called,
    /// While the bot stops.
    Stopping,
    /// Too long after it was written.
    Late,
    /// As it is written.
    Plainly,
}

fn machine(limits: Limits) -> Machine {
    let mut machine = Machine::new();
    machine.take(Input::Settings(Arc::new(Settings { limits, ..settings() })));
    machine
}

/// Hears a line of one person.
fn hear(machine: &mut Machine, way: Way, user: &str) -> Step {
    let post = machine.post(if way == Way::Called { "@halcyon" } else { "@halcyon whoami" }, None);
    let author = UserId::new(user);
    let identity = post.identity.clone().map(|identity| Identity { id: author.clone(), ..identity });
    let post = HeardPost { author, identity, ..post };
    let created = post.created.checked_sub(SignedDuration::from_hours(1)).unwrap();
    let post = match way {
        Way::Elsewhere => HeardPost { channel: ChannelId::new("c9"), ..post },
        Way::Late => HeardPost { created, missed: true, ..post },
        Way::Called | Way::Stopping | Way::Plainly => post,
    };
    machine.take(Input::Post(post))
}

/// What became of a line: `!` answered, `.` marked and no more, `x` told that it was too much.
fn passage(step: &Step) -> char {
    let text = said(step);
    if text.contains("within a minute") {
        return 'x';
    }
    if !text.is_empty() {
        return '!';
    }
    let marked = |dated: &Dated| matches!(&dated.fact, Fact::DeliveryIntended(Delivery { body: Body::Mark { emoji, .. }, .. }) if emoji == "no_entry_sign");
    assert!(step.facts.iter().any(marked), "every line gets a sign that outlives a crash: {:?}", step.facts);
    '.'
}

#[test]
fn every_kind_of_answer_counts() {
    let limits = |user, channel| Limits { lines_per_user: user, lines_per_channel: channel, ..Limits::default() };
    for way in [Way::Elsewhere, Way::Called, Way::Stopping, Way::Late, Way::Plainly] {
        for limits in [limits(3, 100), limits(100, 3)] {
            let mut machine = machine(limits.clone());
            if way == Way::Stopping {
                machine.take(Input::Stop);
            }
            let passages: String = (0..6).map(|_| passage(&hear(&mut machine, way, "u1"))).collect();
            assert_eq!(passages, "!!!x..", "{way:?} {limits:?}");
        }
    }
}

#[test]
fn programs_that_answer_each_other_come_to_rest() {
    for way in [Way::Elsewhere, Way::Called, Way::Plainly] {
        let mut machine = machine(Limits::default());
        // One that answers every post with another call.
        let mut answers = 0;
        while !said(&hear(&mut machine, way, "u1")).is_empty() {
            answers += 1;
            assert!(answers < 1000, "{way:?}: for ever");
        }
    }
}

#[test]
fn lines_of_long_ago_do_not_keep_younger_ones_from_being_taken() {
    let mut machine = machine(Limits { lines_per_user: 3, ..Limits::default() });
    let mut told = String::new();
    let late: String = (0..9)
        .map(|_| {
            let step = hear(&mut machine, Way::Late, "u1");
            told.push_str(&said(&step));
            passage(&step)
        })
        .collect();
    assert_eq!(late, "!!!x.....");
    assert!(told.contains("while I was away") && told.contains("say again"), "{told}");
    assert_eq!(passage(&hear(&mut machine, Way::Plainly, "u1")), '!');
    // Everybody has lines of their own, and the channel has one bound for all.
    assert_eq!(passage(&hear(&mut machine, Way::Late, "u2")), '!');
}

#[test]
fn thousands_of_lines_of_long_ago_are_not_thousands_of_promises() {
    let mut machine = machine(Limits::default());
    for number in 0..5_000 {
        hear(&mut machine, Way::Late, &format!("u{}", number % 200));
    }
    let unsent = &machine.bot.memory().unsent;
    let sentences = unsent.iter().filter(|delivery| !matches!(delivery.body, Body::Mark { .. })).count();
    let limits = Limits::default();
    assert!(sentences <= limits.lines_per_channel + 200, "{sentences} sentences");
    assert!(unsent.len() <= limits.lines_per_channel + 400, "{} promises", unsent.len());
}
