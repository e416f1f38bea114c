//! Values of the datastore as chat shows them.

use crate::core::datastore::request::ShownValue;
use crate::core::message::markdown;
use crate::core::message::span::{size, span};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// Characters of a value that are shown of it alone; the command line has the whole.
const LONGEST: usize = 2_000;
/// Characters of a value that a row of a list has.
const ROW: usize = 60;
/// How many rows a list has.
const MOST: usize = 50;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueLine {
    /// Its name.
    pub name: String,
    /// Whose it is; empty when it is everybody's.
    pub user: String,
    /// The value, as Markdown.
    pub text: String,
    /// It is a secret.
    pub secret: bool,
    /// It is a secret that was not opened.
    pub hidden: bool,
    /// How long it stands; empty when that is for ever.
    pub left: String,
    /// How large it is, where it is shown in part; empty when it is shown whole.
    pub size: String,
}

impl ValueLine {
    /// A value that is shown alone.
    pub fn new(value: &ShownValue, now: Timestamp) -> Self {
        let text = &value.text.0;
        let short = markdown::shorten(text, LONGEST);
        let cut = short != *text;
        // A backtick cannot stand in inline code as it is.
        let simple = !short.contains(['\n', '`']) && short.chars().count() <= 120;
        Self {
            text: if simple { markdown::code(&short) } else { format!("\n{}", markdown::fence(&short)) },
            size: if cut { size(text.len() as u64) } else { String::new() },
            ..Self::row(value, now)
        }
    }

    fn row(value: &ShownValue, now: Timestamp) -> Self {
        let left = value.expires.map(|end| span(Duration::try_from(end.duration_since(now)).unwrap_or_default()));
        let text = markdown::shorten(&value.text.0.replace(['\n', '\r'], " "), ROW);
        Self {
            name: value.name.clone(),
            user: value.user.clone().unwrap_or_default(),
            text: markdown::code(&text),
            secret: value.secret,
            hidden: value.hidden,
            left: left.unwrap_or_default(),
            size: String::new(),
        }
    }
}

/// Several values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueList {
    /// The first of them.
    pub rows: Vec<ValueLine>,
    /// How many more there are.
    pub more: usize,
    /// How their names begin; empty when it was asked for all.
    pub prefix: String,
}

impl ValueList {
    /// A list of these.
    pub fn new(values: &[ShownValue], prefix: String, now: Timestamp) -> Self {
        let rows = values.iter().take(MOST).map(|value| ValueLine::row(value, now)).collect();
        Self { rows, more: values.len().saturating_sub(MOST), prefix }
    }
}
