//! From the parameters of an `http-request` to the request, by StackStorm's rules.
//!
//! The method is `GET` where nobody says one and nothing is sent, else `POST`. A body whose `Content-Type` header is `application/json` is
//! read, as JSON or as Python writes it, and sent as JSON; any other goes as it is.

use crate::core::action::flaw::Flaw;
use crate::core::action::plan::PlanProblem;
use crate::core::action::run::{AllowedHosts, HttpBody, HttpRequest, Secret, Work};
use crate::core::action::shell::{TIMEOUT, text, unusable};
use crate::core::action::spec::Action;
use crate::core::template::literal;
use crate::core::template::value::written;
use serde_json::{Map, Value};
use std::time::Duration;

/// The longest time that a request may take.
const LONGEST: f64 = 24.0 * 3600.0;

/// Makes the request.
pub(super) fn request(action: &Action, values: &Map<String, Value>) -> Result<Work, PlanProblem> {
    let url = text(values, "url").filter(|url| !url.trim().is_empty());
    let url = url.ok_or_else(|| unusable("url", Flaw::NoAddress))?;
    let mut headers = headers(action, values)?;
    let body = body(values, &headers)?;
    if let Some(cookies) = cookies(values)? {
        headers.push(("Cookie".to_owned(), Secret::new(cookies)));
    }
    let chosen = text(values, "method").filter(|method| !method.is_empty());
    let method = chosen.unwrap_or_else(|| if matches!(body, HttpBody::Empty) { "GET" } else { "POST" }.to_owned());
    if !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(unusable("method", Flaw::NotLetters));
    }
    let password = text(values, "password").unwrap_or_default();
    let login = match text(values, "username") {
        Some(username) => Some((username, Secret::new(password))),
        None if !password.is_empty() => Some((String::new(), Secret::new(password))),
        None => None,
    };
    let proxy = |name: &str| text(values, name).filter(|proxy| !proxy.is_empty());
    Ok(Work::Http(Box::new(HttpRequest {
        method: method.to_uppercase(),
        url: Secret::new(url.trim()),
        query: query(values)?,
        headers,
        login,
        body,
        timeout: timeout(values)?,
        redirects: values.get("allow_redirects") == Some(&Value::Bool(true)),
        verify: values.get("verify_ssl_cert") != Some(&Value::Bool(false)),
        proxies: (proxy("http_proxy"), proxy("https_proxy")),
        hosts: allowed(values)?,
        secret_output: action.secret_output.clone(),
    })))
}

fn headers(action: &Action, values: &Map<String, Value>) -> Result<Vec<(String, Secret)>, PlanProblem> {
    let mut headers: Vec<(String, Secret)> = Vec::new();
    let given = values.get("headers").and_then(Value::as_object).into_iter().flatten();
    for (name, value) in given.filter(|(_, value)| !value.is_null()) {
        headers.push((name.clone(), line("headers", written(value))?));
    }
    // StackStorm's action takes a header so: `x-auth-token=XYZ`.
    if let Some(auth) = text(values, "auth").filter(|auth| !auth.is_empty()) {
        let (name, value) = auth.split_once('=').ok_or_else(|| unusable("auth", Flaw::NotAHeader))?;
        headers.push((name.trim().to_owned(), line("auth", value.to_owned())?));
    }
    headers.push(("X-Stanley-Action".to_owned(), Secret::new(action.reference.name())));
    Ok(headers)
}

/// A value that goes into one line of the request.
fn line(parameter: &str, value: String) -> Result<Secret, PlanProblem> {
    if value.contains(['\r', '\n', '\0']) {
        return Err(unusable(parameter, Flaw::LineBreak));
    }
    Ok(Secret::new(value))
}

fn cookies(values: &Map<String, Value>) -> Result<Option<String>, PlanProblem> {
    let Some(cookies) = values.get("cookies").and_then(Value::as_object).filter(|map| !map.is_empty()) else {
        return Ok(None);
    };
    let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={}", written(value))).collect();
    let text = pairs.join("; ");
    if text.chars().any(char::is_control) {
        return Err(unusable("cookies", Flaw::ControlCharacter));
    }
    Ok(Some(text))
}

fn body(values: &Map<String, Value>, headers: &[(String, Secret)]) -> Result<HttpBody, PlanProblem> {
    let body = values.get("body").filter(|body| !body.is_null());
    let file = (text(values, "file_name"), text(values, "file_content"));
    if let (Some(name), Some(content)) = file
        && !name.is_empty()
    {
        if body.is_some() {
            return Err(unusable("body", Flaw::BesideFile));
        }
        return Ok(HttpBody::File { name, content: Secret::new(content), kind: text(values, "file_content_type") });
    }
    if text(values, "file_path").is_some_and(|path| !path.is_empty()) {
        return Err(unusable("file_path", Flaw::FilePath));
    }
    let Some(body) = body else { return Ok(HttpBody::Empty) };
    let json = headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type") && value.reveal().eq_ignore_ascii_case("application/json")
    });
    let text = match body {
        Value::String(text) if json => {
            let read = serde_json::from_str::<Value>(text).ok().or_else(|| literal::read(text));
            read.ok_or_else(|| unusable("body", Flaw::NotJson))?.to_string()
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(if text.is_empty() { HttpBody::Empty } else { HttpBody::Text(Secret::new(text)) })
}

/// Names and values; a list gives its name once for each item. A text is taken as a query that is written already.
fn query(values: &Map<String, Value>) -> Result<Vec<(String, Secret)>, PlanProblem> {
    let mut query = Vec::new();
    match values.get("params") {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => {
            for (name, value) in map {
                match value {
                    Value::Null => {}
                    Value::Array(items) => {
                        query.extend(items.iter().map(|item| (name.clone(), Secret::new(written(item)))));
                    }
                    other => query.push((name.clone(), Secret::new(written(other)))),
                }
            }
        }
        Some(Value::String(text)) => {
            for pair in text.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                query.push((name.to_owned(), Secret::new(value)));
            }
        }
        Some(_) => return Err(unusable("params", Flaw::NotNamed)),
    }
    Ok(query)
}

fn timeout(values: &Map<String, Value>) -> Result<Duration, PlanProblem> {
    match values.get("timeout") {
        None | Some(Value::Null) => Ok(TIMEOUT),
        Some(value) => value
            .as_f64()
            .filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST)
            .map(Duration::from_secs_f64)
            .ok_or_else(|| unusable("timeout", Flaw::NotATimeoutOfADay)),
    }
}

fn allowed(values: &Map<String, Value>) -> Result<AllowedHosts, PlanProblem> {
    let list = |name: &str| -> Vec<String> {
        let items = values.get(name).and_then(Value::as_array).into_iter().flatten();
        items.map(|item| written(item).trim_matches(['[', ']']).to_lowercase()).collect()
    };
    let (not, only) = (list("url_hosts_blacklist"), list("url_hosts_whitelist"));
    match (not.is_empty(), only.is_empty()) {
        (true, true) => Ok(AllowedHosts::All),
        (true, false) => Ok(AllowedHosts::Only(only)),
        (false, true) => Ok(AllowedHosts::AllBut(not)),
        (false, false) => Err(unusable("url_hosts_whitelist", Flaw::BesideBlacklist)),
    }
}
