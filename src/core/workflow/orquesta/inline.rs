//! Arguments in one line: `core.echo message="hello" times=3`, `publish: a=1 b=<% result() %>`.
//!
//! What is not in quotes is read as JSON where it is JSON. What is in quotes stays text, unless it is a JSON object; so does a list that has text in
//! quotes inside, as in Orquesta.

use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

static ARGUMENT: LazyLock<Regex> = LazyLock::new(|| {
    let values = [
        r"\[.*\]\s*",
        r#""[^"]*"\s*"#,
        r"'[^']*'\s*",
        r"-?\d*\.\d+",
        r"-?\d+",
        r"(?i:true)",
        r"(?i:false)",
        r"null",
        r"\{\{.*?\}\}",
        r"<%.*?%>",
    ];
    let pattern = format!(r"(\w+)=({})", values.join("|"));
    Regex::new(&pattern).expect("the pattern is a constant, and every action of a workflow goes through it")
});

static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#""[^"]*"|'[^']*'"#).expect("the pattern is a constant, and every inline argument goes through it")
});

/// The arguments in a text, in order.
pub(super) fn arguments(text: &str) -> Vec<(String, Value)> {
    let found = ARGUMENT.captures_iter(text);
    found.map(|captures| (captures[1].to_owned(), value(captures[2].trim()))).collect()
}

fn value(written: &str) -> Value {
    let quoted = QUOTED.is_match(written);
    let plain = ['"', '\''].into_iter().fold(written, |text, quote| {
        let text = text.strip_prefix(quote).unwrap_or(text);
        text.strip_suffix(quote).unwrap_or(text)
    });
    let object = plain.starts_with('{') && plain.ends_with('}');
    if quoted && !object {
        return Value::from(plain);
    }
    let lower = plain.to_lowercase();
    let read = if matches!(lower.as_str(), "true" | "false") { lower.as_str() } else { plain };
    serde_json::from_str(read).unwrap_or_else(|_| Value::from(plain))
}
