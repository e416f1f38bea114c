//! # The launcher: a script file and its arguments as one text for a shell
//!
//! A script runner runs a file of the pack. The text made here carries that file along: it makes a directory that nobody else can look
//! into, writes the script and its library there, runs it with its arguments, and takes the directory away again. So nothing is copied
//! beforehand, nothing has to be readable for the account that the script runs as, and what runs is what was loaded.
//!
//! **Everything from outside is a quoted word of the text**: the script, its name, its arguments. No shell ever reads one of them.
//!
//! The command line is StackStorm's: named arguments first, by name, `<kwarg_op>name=value`, a flag alone where the value is true, nothing
//! where it is false, nothing or empty; then positional ones by `position`, of which each has its place also when it is empty.

use crate::core::action::spec::{Action, ParameterType, Script};
use crate::core::action::wrapper::quote;
use crate::core::template::value::written;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where the script finds itself when it runs.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// On the bot's own machine, among what lies beside it in its pack.
    Here,
    /// On a machine, in a directory of its own below this one.
    There(&'a str),
}

/// The arguments that StackStorm would give the script.
pub fn arguments(action: &Action, values: &Map<String, Value>, kwarg_op: &str) -> Vec<String> {
    let own = action.parameters.iter().filter(|(name, _)| !action.runner_parameters.contains(name));
    let mut positional: BTreeMap<u64, String> = BTreeMap::new();
    let mut arguments = Vec::new();
    for (name, parameter) in own {
        let value = values.get(name).unwrap_or(&Value::Null);
        match parameter.position {
            Some(position) => {
                positional.insert(position, in_place(parameter.kind, value));
            }
            None => arguments.extend(named(&format!("{kwarg_op}{name}"), value)),
        }
    }
    arguments.extend(positional.into_values());
    arguments
}

/// A positional argument as StackStorm writes it, to its oddities: a whole number that is 0 is an empty text there, too.
fn in_place(kind: Option<ParameterType>, value: &Value) -> String {
    let empty = match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    };
    match kind {
        Some(ParameterType::String | ParameterType::Number) if !value.is_null() => written(value),
        Some(ParameterType::Boolean) if !value.is_null() => if empty { "0" } else { "1" }.to_owned(),
        _ if empty => String::new(),
        Some(ParameterType::Array) => match value {
            Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join(","),
            other => written(other),
        },
        Some(ParameterType::Object) => value.to_string(),
        _ => written(value),
    }
}

fn named(word: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(word.to_owned()),
        Value::String(text) if text.is_empty() => None,
        other => Some(format!("{word}={}", written(other))),
    }
}

/// The text that a shell runs to run the script.
pub fn launcher(script: &Script, place: Place<'_>, pack: &str, arguments: &[String]) -> String {
    let above = match place {
        Place::Here => "${TMPDIR:-/tmp}".to_owned(),
        Place::There(directory) => quote(directory),
    };
    let mut text = format!(
        "halcyon_place={above}/halcyon-$HALCYON_RUN\n\
         (umask 077 && mkdir \"$halcyon_place\") || exit 1\n\
         trap 'rm -rf \"$halcyon_place\"' EXIT\n\
         trap 'exit 129' HUP\ntrap 'exit 130' INT\ntrap 'exit 143' TERM\n"
    );
    let file = match (place, &script.pack) {
        (Place::Here, Some(directory)) => neighbours(&mut text, directory, pack, &script.entry_point),
        (Place::Here, None) | (Place::There(_), _) => {
            library(&mut text, script);
            script.name().to_owned()
        }
    };
    write_file(&mut text, &file, &script.text, true);
    text.push_str(&format!("\"$halcyon_place\"/{}", quote(&file)));
    for argument in arguments {
        text.push(' ');
        text.push_str(&quote(argument));
    }
    text.push('\n');
    text
}

/// Makes the pack's directory anew with links to all that is in it but the script itself, so that the script finds what lies beside it.
/// Gives the place of the script.
fn neighbours(text: &mut String, directory: &str, pack: &str, entry_point: &str) -> String {
    let (mut from, mut to) = (directory.trim_end_matches('/').to_owned(), pack.to_owned());
    let whole = format!("actions/{entry_point}");
    for part in whole.split('/') {
        text.push_str(&format!(
            "mkdir -m 700 \"$halcyon_place\"/{to} || exit 1\n\
             for halcyon_file in {from}/* {from}/.[!.]*; do\n  \
             [ -e \"$halcyon_file\" ] && [ \"${{halcyon_file##*/}}\" != {part} ] && ln -s \"$halcyon_file\" \"$halcyon_place\"/{to}/\n\
             done\n",
            to = quote(&to),
            from = quote(&from),
            part = quote(part),
        ));
        from = format!("{from}/{part}");
        to = format!("{to}/{part}");
    }
    text.push_str("unset halcyon_file\n");
    to
}

/// Writes the library beside the script, as StackStorm copies it.
fn library(text: &mut String, script: &Script) {
    let mut made: Vec<&str> = Vec::new();
    for (path, content) in &script.library {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        if !made.contains(&directory) {
            made.push(directory);
            let directory = quote(&format!("lib/{directory}"));
            text.push_str(&format!("mkdir -p \"$halcyon_place\"/{directory} || exit 1\n"));
        }
        write_file(text, &format!("lib/{path}"), content, content.starts_with("#!"));
    }
}

fn write_file(text: &mut String, file: &str, content: &str, executable: bool) {
    let (file, content) = (quote(file), quote(content));
    text.push_str(&format!("printf %s {content} >\"$halcyon_place\"/{file} || exit 1\n"));
    if executable {
        text.push_str(&format!("chmod 744 \"$halcyon_place\"/{file} || exit 1\n"));
    }
}
