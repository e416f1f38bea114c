//! `alias match`: what a line of chat would start; `alias test`: whether the examples beside the aliases hold.

use super::look::harmless;
use super::{Failure, Surroundings, yaml};
use crate::app::{self, Matched};
use crate::config::Config;
use crate::core::alias::spec::{Alias, FormatSpec, Saying};
use crate::core::chat::command::Command;
use serde_json::{Map, Value, json};
use std::path::Path;

pub(crate) fn matching(
    config: &Config,
    line: &str,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let matches = app::match_line(config, line)?;
    let own = Command::read(line).is_some();
    let out = &mut *surroundings.out;
    if as_json {
        // StackStorm's endpoint gives the one alias that a command matches, and an error otherwise.
        let told = match matches.as_slice() {
            [found] => value(found),
            several => json!({
                "faultstring": match several.len() {
                    0 => format!("Command '{line}' matched no patterns"),
                    _ => format!("Command '{line}' matched more than 1 pattern"),
                },
                "matches": several.iter().map(value).collect::<Value>(),
            }),
        };
        writeln!(out, "{told:#}")?;
    } else {
        for (index, found) in matches.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            writeln!(out, "alias: {}", found.alias.reference)?;
            writeln!(out, "action.ref: {}", found.alias.action)?;
            writeln!(out, "representation: {}", harmless(&found.representation))?;
            for parameters in std::iter::once(&found.parameters).chain(&found.further) {
                writeln!(out, "{}", yaml::attribute("parameters", &Value::Object(parameters.clone())))?;
            }
        }
    }
    if own {
        let line = harmless(line);
        writeln!(surroundings.err, "halcyon: in chat, `{line}` is a command of the bot's own; `alias {line}` is not")?;
    }
    for problem in matches.iter().filter_map(|found| app::host_problem(config, found)) {
        writeln!(surroundings.err, "halcyon: it would be refused: {}", harmless(&problem.to_string()))?;
    }
    if matches.is_empty() {
        return Err(Failure::Failed(format!("no alias matches `{}`", harmless(line))));
    }
    Ok(())
}

fn value(found: &Matched) -> Value {
    let mut told = json!({
        "actionalias": actionalias(&found.alias),
        "display": found.display,
        "representation": found.representation,
        "parameters": found.parameters,
    });
    if !found.further.is_empty() {
        told["further"] = json!(found.further);
    }
    told
}

/// An alias as StackStorm's API shows it.
fn actionalias(alias: &Alias) -> Value {
    let (pack, name) = alias.reference.as_str().split_once('.').unwrap_or_default();
    let mut shown = json!({
        "ref": alias.reference,
        "uid": format!("action_alias:{pack}:{name}"),
        "name": name,
        "pack": pack,
        "description": alias.description,
        "enabled": alias.enabled,
        "action_ref": alias.action,
        "formats": alias.formats.iter().map(format).collect::<Value>(),
        "immutable_parameters": alias.immutable_parameters,
        "extra": alias.extra,
        "metadata_file": alias.file,
    });
    shown["ack"] = alias.ack.as_ref().map(|ack| saying(ack, true)).unwrap_or_else(|| json!({}));
    shown["result"] = alias.result.as_ref().map(|result| saying(result, false)).unwrap_or_else(|| json!({}));
    shown
}

fn format(format: &FormatSpec) -> Value {
    let texts: Vec<&str> = format.representations.iter().map(|one| one.text.as_str()).collect();
    match (&format.display, texts.as_slice()) {
        (Some(display), [text]) if display == text && !format.match_multiple && format.help.is_none() => json!(text),
        _ => {
            let mut shown = Map::new();
            shown.extend(format.display.as_ref().map(|display| ("display".to_owned(), json!(display))));
            shown.extend((!texts.is_empty()).then(|| ("representation".to_owned(), json!(texts))));
            shown.extend(format.match_multiple.then(|| ("match_multiple".to_owned(), json!(true))));
            shown.extend(format.help.as_ref().map(|help| ("help".to_owned(), json!(help))));
            Value::Object(shown)
        }
    }
}

fn saying(saying: &Saying, is_ack: bool) -> Value {
    let mut shown = json!({"enabled": saying.enabled});
    if let Some(format) = &saying.format {
        shown["format"] = json!(format);
    }
    if !saying.extra.is_empty() {
        shown["extra"] = json!(saying.extra);
    }
    if is_ack && !saying.append_url {
        shown["append_url"] = json!(false);
    }
    shown
}

/// Tries the examples of a file, or all those of a pack.
pub(crate) fn test(
    path: &Path,
    config: Option<&Config>,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let tried = app::try_examples(path, config).map_err(|why| Failure::Wrong(format!("{why:#}")))?;
    for problem in &tried.problems {
        writeln!(surroundings.err, "{}", harmless(&problem.to_string()))?;
    }
    let failed = tried.examples.iter().filter(|tried| tried.complaint.is_some()).count();
    if as_json {
        let list: Value = tried.examples.iter().map(super::test::line_value).collect();
        writeln!(surroundings.out, "{list:#}")?;
    } else {
        for tried in &tried.examples {
            super::test::show_line(tried, surroundings)?;
        }
        writeln!(surroundings.out, "{} examples, {failed} failed", tried.examples.len())?;
    }
    if failed > 0 || !tried.problems.is_empty() {
        return Err(Failure::Shown);
    }
    if tried.examples.is_empty() {
        return Err(Failure::Wrong(format!("there are no examples in {}", path.display())));
    }
    Ok(())
}
