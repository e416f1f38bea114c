//! The site's own texts in the place of templates: looked at one by one, each with data like that of the golden file.
//!
//! **A text that fails with any of its samples is not in force**, and what came with the program stays. What is wrong is told with its line.

use crate::core::message::sentences::{Kind, Sentences, Voice, names, place};
use handlebars::RenderErrorReason;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Data for every template, as the golden file of all sentences has it. A test writes it.
const SAMPLES: &str = include_str!("../../../templates/samples.json");

static READ: LazyLock<Vec<Sample>> =
    LazyLock::new(|| serde_json::from_str(SAMPLES).expect("a test compares the samples with the cards they come from"));

/// What a template may be given.
#[derive(Debug, Clone, Deserialize)]
pub struct Sample {
    /// The template, as a site names its own.
    pub template: String,
    /// What it is about, for people.
    pub about: String,
    /// The data.
    pub data: Value,
}

/// All samples.
pub fn samples() -> &'static [Sample] {
    &READ
}

/// What is wrong with a site's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideProblem {
    /// The line from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do.
    pub suggestion: Option<String>,
}

/// Whether a site's text can stand in the place of the template `name`.
///
/// # Errors
/// There is no such template, the text is not Handlebars, or it fails with one of its samples.
pub fn examine(name: &str, text: &str) -> Result<(), OverrideProblem> {
    let Some((kind, inner, _)) = place(name) else {
        let near = names().min_by_key(|known| strsim::osa_distance(known, name));
        let near = near.filter(|known| strsim::osa_distance(known, name) <= 1 + name.len() / 4);
        return Err(OverrideProblem {
            line: None,
            message: format!("there is no message `{name}`"),
            suggestion: Some(match near {
                Some(near) => format!("did you mean `{near}.hbs`?"),
                None => "docs/templates-of-messages.md lists them all".to_owned(),
            }),
        });
    };
    // A message needs nothing but the pieces that messages have in common; such a piece is tried in all of them.
    let mut voice = if kind == Kind::Partial { Voice::built_in() } else { Voice::of_partials() };
    if let Err(problem) = voice.learn(kind, inner, text) {
        let line = problem.pos().map(|(line, _)| line);
        return Err(OverrideProblem { line, message: one_line(&problem.reason().to_string()), suggestion: None });
    }
    let concerned = |sample: &&Sample| match kind {
        Kind::Card | Kind::Phrase => sample.template == name,
        Kind::Partial => !sample.template.contains('/'),
    };
    for Sample { template, about, data } in samples().iter().filter(concerned) {
        let inner = template.rsplit('/').next().unwrap_or(template);
        let kind = if kind == Kind::Partial { Kind::Card } else { kind };
        let wrong = |line, message| OverrideProblem {
            line,
            message,
            suggestion: Some(format!("seen with the data of \"{about}\", which templates/samples.json has")),
        };
        match voice.render(kind, inner, data) {
            Ok(said) if said.is_empty() && kind == Kind::Card => {
                return Err(wrong(None, "it says nothing".to_owned()));
            }
            Ok(_) => {}
            Err(problem) => return Err(wrong(problem.line_no, reason(problem.reason()))),
        }
    }
    Ok(())
}

/// The voice with these texts, which were examined.
pub fn speaking(texts: &BTreeMap<String, String>) -> Sentences {
    Sentences::speaking(texts)
}

/// Whether a text says something else than what came with the program.
pub fn differs(name: &str, text: &str) -> bool {
    place(name).is_none_or(|(_, _, built_in)| built_in != text)
}

fn reason(reason: &RenderErrorReason) -> String {
    match reason {
        RenderErrorReason::MissingVariable(Some(name)) => format!("there is no `{name}` in its data"),
        other => one_line(&other.to_string()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
