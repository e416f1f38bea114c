//! An execution as StackStorm shows it: the `result` that packs and workflows read, and the whole execution as its API gives it.
//!
//! | runner | shape of the result |
//! | --- | --- |
//! | `local-shell-cmd`, `local-shell-script`, `mail` | `{stdout, stderr, return_code, succeeded, failed[, error]}` |
//! | `http-request` | `{status_code, body, parsed, headers}`; `{error}` when no answer came in time |
//! | `announcement` | the parameters of the action, and `output` with all of them |
//! | `inquirer` | `{schema, roles, users, route, ttl[, response]}` |
//! | `orquesta` | `{output[, errors]}` |
//! | `uuid` | `{result, stdout, stderr, exit_code}`, as StackStorm's Python runner has it |
//! | `remote-shell-cmd`, `remote-shell-script` | the same for each host, under the host's name without port, in the order asked for; `timeout` beside `error` |
//! | `noop`, `pause` | `{failed, succeeded, return_code[, error]}` |
//! | any, when the run as a whole could not be carried out | `{error, traceback, failed, succeeded, return_code: 255}` |
//!
//! **Output that is JSON becomes that value**, whatever its type: `42`, `true` and `null` too, as StackStorm does. Of a remote host whose
//! command did not run to its end the output stays text, also as StackStorm does: half a document that happens to be JSON is no document.
//!
//! Return codes that no command gave: -9 time over, 255 never reached (both StackStorm's), -15 stopped by a cancel (the signal's number, as
//! StackStorm counts signals), 254 nobody knows. A reader that must tell these from a command's own code looks at `error`, which only they
//! have.

use crate::core::action::execution::{Execution, LOCALHOST, Status};
use crate::core::action::run::{Captured, Exit, HostOutcome};
use crate::core::action::spec::RunnerType;
use crate::core::id::Host;
use crate::core::input::{Back, Principal};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The return code of a command whose time was over.
pub const TIMEOUT_CODE: i32 = -9;
/// The return code of a command that a cancel stopped.
pub const CANCELED_CODE: i32 = -15;
/// The return code where the command was never started.
pub const UNREACHABLE_CODE: i32 = 255;
/// The return code of a command of which nobody knows how it ended.
pub const UNKNOWN_CODE: i32 = 254;

/// StackStorm's `result` of an execution, as far as it has got. `text` gives an output whole, from the blob if it is in one.
pub fn result(execution: &Execution, text: &dyn Fn(&Captured) -> String) -> Value {
    let runner = &execution.request.runner;
    if let (Some(error), true) = (&execution.error, execution.outcomes.is_empty()) {
        json!({
            "error": error,
            "traceback": "",
            "failed": true,
            "succeeded": false,
            "return_code": UNREACHABLE_CODE,
        })
    } else {
        match RunnerType::of(runner) {
            Some(
                RunnerType::LocalShellCmd | RunnerType::LocalShellScript | RunnerType::Mail | RunnerType::Monitoring,
            ) => local(execution, text),
            Some(RunnerType::RemoteShellCmd | RunnerType::RemoteShellScript) => remote(execution, text),
            Some(RunnerType::HttpRequest) => http(execution, text),
            Some(RunnerType::Uuid) => python(execution, text),
            Some(RunnerType::Announcement) => announcement(execution),
            Some(RunnerType::Inquirer) => inquiry(execution),
            Some(RunnerType::Orquesta) => workflow(execution),
            Some(RunnerType::Noop | RunnerType::Pause | RunnerType::InjectTrigger) | None => plain(execution),
        }
    }
}

fn local(execution: &Execution, text: &dyn Fn(&Captured) -> String) -> Value {
    match execution.outcomes.get(&Host::new(LOCALHOST)) {
        Some(outcome) => {
            let mut entry = host_result(outcome, text, true);
            if let (Some(error), false) = (&execution.error, entry.contains_key("error")) {
                entry.insert("error".to_owned(), json!(error));
            }
            Value::Object(entry)
        }
        None if execution.status.is_final() => Value::Object(absent(execution)),
        None => json!({}),
    }
}

fn remote(execution: &Execution, text: &dyn Fn(&Captured) -> String) -> Value {
    let mut by_host = Map::new();
    for host in &execution.request.hosts {
        let mut entry = match execution.outcomes.get(host) {
            Some(outcome) => {
                host_result(outcome, text, matches!(outcome.exit, Exit::Code { .. } | Exit::Unheard { .. }))
            }
            None if execution.status.is_final() => absent(execution),
            None => continue,
        };
        if entry.contains_key("error") {
            let timeout = execution.outcomes.get(host).is_some_and(|outcome| outcome.exit == Exit::Timeout);
            entry.insert("timeout".to_owned(), json!(timeout));
        }
        by_host.insert(host.to_string(), Value::Object(entry));
    }
    Value::Object(by_host)
}

/// What a web server answered. Its body is read as JSON only where its type is exactly that.
fn http(execution: &Execution, text: &dyn Fn(&Captured) -> String) -> Value {
    let Some(outcome) = execution.outcomes.get(&Host::new(LOCALHOST)) else {
        return if execution.status.is_final() { Value::Object(absent(execution)) } else { json!({}) };
    };
    match &outcome.exit {
        Exit::Answered { status, headers } => {
            let kind = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            let json = kind.is_some_and(|(_, kind)| kind.split(';').next() == Some("application/json"));
            let body = text(&outcome.stdout);
            let parsed: Option<Value> = if json { serde_json::from_str(&body).ok() } else { None };
            json!({
                "status_code": status,
                "parsed": parsed.is_some(),
                "body": parsed.unwrap_or(Value::String(body)),
                "headers": headers,
            })
        }
        Exit::Timeout => json!({"error": format!("no answer within {} seconds", outcome.seconds.round())}),
        _ => {
            let mut entry = host_result(outcome, text, false);
            entry.insert("traceback".to_owned(), json!(""));
            Value::Object(entry)
        }
    }
}

/// What StackStorm has a Python script for.
fn python(execution: &Execution, text: &dyn Fn(&Captured) -> String) -> Value {
    match execution.outcomes.get(&Host::new(LOCALHOST)) {
        Some(outcome) => json!({"result": text(&outcome.stdout), "stdout": "", "stderr": "", "exit_code": 0}),
        None => json!({}),
    }
}

/// What was said, under its names and once more as a whole, as StackStorm has it.
fn announcement(execution: &Execution) -> Value {
    if execution.status != Status::Succeeded {
        return plain(execution);
    }
    let own =
        execution.request.parameters.iter().filter(|(name, _)| !matches!(name.as_str(), "experimental" | "route"));
    let mut said: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    said.insert("output".to_owned(), Value::Object(said.clone()));
    Value::Object(said)
}

/// What was asked, and what was answered, if anything was: the same however it ended.
fn inquiry(execution: &Execution) -> Value {
    let Some(inquiry) = &execution.request.inquiry else { return plain(execution) };
    let mut result = inquiry.result();
    if let Some(answered) = &execution.answered {
        result.insert("response".to_owned(), Value::Object(answered.response.clone()));
    }
    Value::Object(result)
}

/// What a workflow gave, and what went wrong in it. `errors` is there only where it did not end well, as in StackStorm.
fn workflow(execution: &Execution) -> Value {
    let Some(conducted) = &execution.conducted else { return plain(execution) };
    let state = &conducted.state;
    let mut result = json!({"output": state.output});
    if execution.status.is_final() && execution.status != Status::Succeeded {
        let errors = state.errors.iter().map(|error| {
            let mut entry = json!(error);
            entry["type"] = json!("error");
            entry
        });
        result["errors"] = errors.collect();
    }
    conducted.without_secrets(result)
}

/// Runners that start no command.
fn plain(execution: &Execution) -> Value {
    let (code, error) = match execution.status {
        Status::Requested
        | Status::Delayed
        | Status::Running
        | Status::Pending
        | Status::Pausing
        | Status::Paused
        | Status::Canceling => {
            return json!({});
        }
        Status::Succeeded => return json!({"failed": false, "succeeded": true, "return_code": 0}),
        Status::Canceled => (CANCELED_CODE, "canceled"),
        Status::Timeout => (TIMEOUT_CODE, "its time was over"),
        Status::Unknown => (UNKNOWN_CODE, "nobody knows how it ended"),
        Status::Failed => (1, "failed"),
    };
    let error = execution.error.as_deref().unwrap_or(error);
    json!({"failed": true, "succeeded": false, "return_code": code, "error": error})
}

fn host_result(outcome: &HostOutcome, text: &dyn Fn(&Captured) -> String, decode: bool) -> Map<String, Value> {
    let (code, error) = match &outcome.exit {
        Exit::Code { code } => (*code, None),
        Exit::Rebooted | Exit::Left => (0, None),
        Exit::Timeout => {
            (TIMEOUT_CODE, Some(format!("Action failed to complete in {} seconds", outcome.seconds.round())))
        }
        Exit::Canceled => (CANCELED_CODE, Some("canceled".to_owned())),
        Exit::Unreachable { why } => (UNREACHABLE_CODE, Some(why.clone())),
        Exit::Unknown { why } => (UNKNOWN_CODE, Some(why.clone())),
        Exit::Unheard { code } => (*code, None),
        Exit::Answered { .. } => (i32::from(!outcome.exit.succeeded()), None),
        Exit::NeverBegan { why } => (UNREACHABLE_CODE, Some(why.clone())),
    };
    let output = |captured: &Captured| {
        let text = text(captured);
        if decode { decoded(text) } else { Value::String(text) }
    };
    entry(output(&outcome.stdout), output(&outcome.stderr), code, error)
}

/// A host of which there is no outcome although the execution has ended.
fn absent(execution: &Execution) -> Map<String, Value> {
    let (code, error) = match &execution.error {
        Some(error) => (UNREACHABLE_CODE, error.clone()),
        None => (UNKNOWN_CODE, "nobody knows how it ended here".to_owned()),
    };
    entry(json!(""), json!(""), code, Some(error))
}

fn entry(stdout: Value, stderr: Value, code: i32, error: Option<String>) -> Map<String, Value> {
    let succeeded = code == 0 && error.is_none();
    let mut entry = Map::new();
    entry.insert("stdout".to_owned(), stdout);
    entry.insert("stderr".to_owned(), stderr);
    entry.insert("return_code".to_owned(), json!(code));
    entry.insert("succeeded".to_owned(), json!(succeeded));
    entry.insert("failed".to_owned(), json!(!succeeded));
    if let Some(error) = error {
        entry.insert("error".to_owned(), json!(error));
    }
    entry
}

fn decoded(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// The execution with the fields of StackStorm's API. `result` is what [`result`] gave; `web_url` a page that shows the execution.
///
/// What StackStorm has no field for stands under `context.halcyon`. `source_channel` is the channel's id. Fields that do not apply are
/// absent, as they are in StackStorm while an execution runs.
pub fn to_stackstorm(execution: &Execution, result: Value, web_url: Option<&str>) -> Value {
    let request = &execution.request;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("id", json!(request.id));
    put(
        "action",
        json!({
            "ref": request.action,
            "pack": request.action.pack(),
            "name": request.action.name(),
            "runner_type": request.runner,
        }),
    );
    put("runner", json!({"name": request.runner}));
    put("liveaction", json!({"id": request.id, "action": request.action}));
    put("status", json!(execution.status.word()));
    put("start_timestamp", json!(iso(execution.started)));
    if let Some(ended) = execution.ended {
        put("end_timestamp", json!(iso(ended)));
        put("elapsed_seconds", json!(execution.elapsed(ended).as_secs_f64()));
    }
    if let Some(url) = web_url {
        put("web_url", json!(url));
    }
    put("parameters", Value::Object(request.parameters.clone()));
    put("context", context(execution));
    put("result_size", json!(result.to_string().len()));
    put("result", result);
    let children = execution.conducted.iter().flat_map(|conducted| conducted.children.values());
    put("children", children.filter_map(|child| child.id.as_ref()).map(|id| json!(id)).collect());
    if let Some(parent) = &request.parent {
        put("parent", json!(parent.workflow));
    }
    let log = execution.log.iter().map(|(at, status)| json!({"timestamp": iso(*at), "status": status.word()}));
    put("log", log.collect());
    Value::Object(fields)
}

fn context(execution: &Execution) -> Value {
    let request = &execution.request;
    let mut context = Map::new();
    let mut own = Map::new();
    let (user, chat) = name_of(&request.by);
    context.insert("user".to_owned(), json!(user));
    if chat {
        context.insert("api_user".to_owned(), json!(user));
    }
    if let Back::Chat { channel, root, post } = &request.back {
        context.insert("source_channel".to_owned(), json!(channel));
        own.insert("post".to_owned(), json!(post));
        if let Some(root) = root {
            own.insert("root".to_owned(), json!(root));
        }
    }
    if let Some(alias) = &request.alias {
        context.insert("action_alias_ref".to_owned(), json!({"ref": alias}));
    }
    if let Some(tag) = &request.trace_tag {
        context.insert("trace_context".to_owned(), json!({"trace_tag": tag}));
    }
    if let Some(id) = &request.rerun_of {
        context.insert("re-run".to_owned(), json!({"ref": id}));
    }
    if let Some((number, again)) = request.tries.as_ref().and_then(|tries| Some((tries.number, tries.again.as_ref()?)))
    {
        let retry = json!({
            "applied_policy": again.policy,
            "retry_count": number - 1,
            "retried_liveaction_id": again.after,
        });
        context.insert("policies".to_owned(), json!({"retry": retry}));
    }
    own.insert("effect".to_owned(), json!(request.effect));
    own.insert("by".to_owned(), json!(request.by));
    if !request.line.is_empty() {
        own.insert("line".to_owned(), json!(request.line));
    }
    if !request.hosts.is_empty() {
        own.insert("hosts".to_owned(), json!(request.hosts));
    }
    if let Some(by) = &execution.canceled_by {
        own.insert("canceled_by".to_owned(), json!(by));
    }
    if !execution.attempts.is_empty() {
        let attempts = execution.attempts.iter().map(|(host, again)| (host.to_string(), json!(again.attempt + 1)));
        own.insert("attempts".to_owned(), Value::Object(attempts.collect()));
    }
    if let Some(answered) = &execution.answered {
        own.insert("answered_by".to_owned(), json!(answered.by));
    }
    if let Some(judged) = &execution.judged {
        own.insert("judged".to_owned(), json!(judged));
    }
    if let Some(next) = &execution.retried {
        own.insert("retried".to_owned(), json!(next));
    }
    if let Some(request) = &execution.approval {
        own.insert("approval".to_owned(), json!(request));
    }
    if let Some(begun) = &execution.begun {
        own.insert("begun".to_owned(), json!(iso(*begun)));
    }
    if let Some(error) = &execution.error {
        own.insert("error".to_owned(), json!(error));
    }
    context.insert("halcyon".to_owned(), Value::Object(own));
    Value::Object(context)
}

/// The name that people read, and whether it is a chat user's.
fn name_of(principal: &Principal) -> (&str, bool) {
    match principal {
        Principal::ChatUser { name, .. } => (name, true),
        Principal::LocalUser { name, .. } => (name, false),
        Principal::Rule { rule, .. } => (rule.as_str(), false),
    }
}

/// StackStorm's way to write a moment: UTC with microseconds and `Z`.
fn iso(at: Timestamp) -> String {
    format!("{at:.6}")
}
