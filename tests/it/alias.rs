//! Aliases: the grammar of formats, matching, suggestions and help.

use halcyon::core::alias::grammar::Format;
use serde_json::Value;
use std::collections::BTreeMap;

/// One recorded case: what the format makes of the text, or that it refuses it.
fn check_recorded(case: &Value) -> Result<(), String> {
    let text = |key: &str| case[key].as_str().map(str::to_owned);
    let (format, line) = (text("format").unwrap(), text("text").unwrap());
    let compiled = Format::compile(&format).map_err(|error| format!("`{format}`: {error}"))?;
    let found = compiled.read(&line, None).map_err(|error| error.to_string())?.map(|reading| reading.parameters);
    let expected: Option<BTreeMap<String, String>> =
        case.get("params").map(|params| serde_json::from_value(params.clone()).unwrap());
    if found == expected {
        return Ok(());
    }
    Err(format!("`{format}` on `{line}`: {found:?} instead of {expected:?} ({})", compiled.expression()))
}

fn check_file(json: &str) {
    let cases: Vec<Value> = serde_json::from_str(json).unwrap();
    assert!(cases.len() >= 30, "the recording is cut short: {} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| check_recorded(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn reads_what_stackstorm_reads() {
    check_file(include_str!("../data/alias/st2_cases.json"));
}

#[test]
fn reads_what_the_shared_recording_says() {
    let Ok(folder) = std::env::var("HALCYON_CONFORMANCE") else { return };
    let path = std::path::Path::new(&folder).join("st2_alias_cases.json");
    check_file(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
}
