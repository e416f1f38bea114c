//! `alias match`: what a line of chat would start.

use super::look::harmless;
use super::{Failure, Surroundings, yaml};
use crate::app::{self, Matched};
use crate::config::Config;
use serde_json::{Value, json};

pub(crate) fn matching(
    config: &Config,
    line: &str,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let matches = app::match_line(config, line)?;
    let out = &mut *surroundings.out;
    if as_json {
        let list: Value = matches.iter().map(value).collect();
        writeln!(out, "{list:#}")?;
    } else {
        for (index, found) in matches.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            writeln!(out, "alias: {}", found.alias)?;
            writeln!(out, "action.ref: {}", found.action)?;
            writeln!(out, "representation: {}", harmless(&found.representation))?;
            writeln!(out, "{}", yaml::attribute("parameters", &Value::Object(found.parameters.clone())))?;
        }
    }
    if matches.is_empty() {
        return Err(Failure::Failed(format!("no alias matches `{}`", harmless(line))));
    }
    Ok(())
}

fn value(found: &Matched) -> Value {
    json!({
        "actionalias": {"ref": found.alias, "action_ref": found.action},
        "display": found.display,
        "representation": found.representation,
        "parameters": found.parameters,
    })
}
