//! What is said of values of the datastore.

use halcyon::core::datastore::request::{Confidential, ShownValue, ValueProblem};
use halcyon::core::message::card::Card;
use halcyon::core::message::markdown;
use halcyon::core::message::value::{ValueLine, ValueList};

fn now() -> jiff::Timestamp {
    jiff::Timestamp::UNIX_EPOCH
}

/// A value of the datastore that goes in so many seconds.
fn value(name: &str, text: &str, secret: bool, left: Option<i64>) -> ShownValue {
    ShownValue {
        name: name.into(),
        scope: "st2kv.system".into(),
        user: None,
        text: Confidential(text.into()),
        secret,
        hidden: secret,
        expires: left.map(|left| now() + jiff::SignedDuration::from_secs(left)),
    }
}

pub(super) fn cards() -> Vec<(&'static str, Card)> {
    vec![
        ("a value", Card::Value(ValueLine::new(&value("site.word", "hello", false, None), now()))),
        (
            "a long value",
            Card::Value(ValueLine::new(&value("site.text", &"a long line ".repeat(300), false, Some(90)), now())),
        ),
        ("a secret", Card::Value(ValueLine::new(&value("site.password", "********", true, None), now()))),
        (
            "a secret that was opened",
            Card::Value(ValueLine {
                hidden: false,
                ..ValueLine::new(&value("site.password", "hunter2", true, None), now())
            }),
        ),
        (
            "values",
            Card::Values(ValueList::new(
                &[
                    value("site.a|b", "x | `y`\nz", false, Some(90)),
                    value("site.password", "********", true, None),
                    ShownValue { user: Some("u1".into()), ..value("mine", &"long ".repeat(40), false, None) },
                ],
                String::new(),
                now(),
            )),
        ),
        ("many values", Card::Values(ValueList::new(&vec![value("a", "b", false, None); 52], "a".into(), now()))),
        ("no values", Card::Values(ValueList::new(&[], String::new(), now()))),
        ("no values that begin so", Card::Values(ValueList::new(&[], "site.".into(), now()))),
        (
            "a value is set",
            Card::ValueSet {
                value: ValueLine::new(&value("site.word", "hello", false, Some(3600)), now()),
                warn: false,
            },
        ),
        (
            "a secret is set",
            Card::ValueSet {
                value: ValueLine::new(&value("site.password", "********", true, None), now()),
                warn: false,
            },
        ),
        (
            "a secret is set where others read it",
            Card::ValueSet {
                value: ValueLine::new(&value("site.password", "********", true, None), now()),
                warn: true,
            },
        ),
        ("a value is deleted", Card::ValueDeleted { name: "site.word".into() }),
        (
            "a value is refused",
            Card::ValueRefused {
                problem: markdown::prose(&ValueProblem::Denied { needed: "admin:key.system.a*b".into() }.to_string()),
            },
        ),
    ]
}
