//! Requests to web servers, against one that answers as it is told and misbehaves on request.

use super::{action, outcome, outcome_until, pack, planned, text, work};
use crate::ssh::MemoryBlobs;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use halcyon::adapters::http::HttpRunner;
use halcyon::core::action::execution::{Execution, Status};
use halcyon::core::action::result::result;
use halcyon::core::action::run::{Captured, Exit, Work};
use halcyon::core::id::Host;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

type Seen = Arc<Mutex<Vec<String>>>;

/// Starts the server; what it was asked is kept.
async fn server() -> (String, Seen) {
    let seen = Seen::default();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

async fn answer(State(seen): State<Seen>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut asked = format!("{method} {uri}");
    for name in ["content-type", "cookie", "authorization", "x-auth-token", "x-stanley-action", "user-agent"] {
        if let Some(value) = headers.get(name) {
            let value = value.to_str().unwrap();
            let value = if value.starts_with("multipart/") { "multipart" } else { value };
            write!(asked, "\n{name}: {value}").unwrap();
        }
    }
    write!(asked, "\n\n{}", String::from_utf8_lossy(&body)).unwrap();
    seen.lock().unwrap().push(asked);
    let json = |text: &'static str| ([("content-type", "application/json; charset=utf-8")], text).into_response();
    match uri.path() {
        "/json" => json(r#"{"a": [1, null], "token": "s3cret", "deep": [{"token": "s3cret"}]}"#),
        "/broken-json" => json("{\"token\": \"s3cret"),
        "/created" => (StatusCode::CREATED, "made").into_response(),
        "/partial" => StatusCode::from_u16(207).unwrap().into_response(),
        "/missing" => (StatusCode::NOT_FOUND, "nothing here").into_response(),
        "/down" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "/away" => (StatusCode::FOUND, [("location", "http://localhost:1/elsewhere")]).into_response(),
        "/moved" => (StatusCode::FOUND, [("location", "/created")]).into_response(),
        "/round" => (StatusCode::FOUND, [("location", "/round")]).into_response(),
        "/slow" => std::future::pending().await,
        "/big" => "line\n".repeat(40_000).into_response(),
        "/trickle" => {
            let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from("begun"))]);
            let stream = futures_util::StreamExt::chain(first, futures_util::stream::pending());
            Body::from_stream(stream).into_response()
        }
        _ => "ok".into_response(),
    }
}

fn runner(limit: u64) -> (HttpRunner, MemoryBlobs) {
    let blobs = MemoryBlobs::default();
    (HttpRunner::new(limit, Arc::new(blobs.clone())), blobs)
}

/// What was asked of the server when `core.http` is run so.
async fn asked(given: Value) -> String {
    let (url, seen) = server().await;
    let mut given = given;
    let path = given["url"].as_str().unwrap_or("/").to_owned();
    given["url"] = json!(format!("{url}{path}"));
    let http = action(&[], "core.http");
    let ended = outcome(&runner(1 << 20).0, work(&http, &given)).await.unwrap();
    assert!(ended.exit.succeeded(), "{ended:?}");
    let asked = seen.lock().unwrap().join("\n---\n");
    asked.replace(env!("CARGO_PKG_VERSION"), "V")
}

#[tokio::test]
async fn a_request_says_what_stackstorms_would() {
    let tail = "\nx-stanley-action: http\nuser-agent: halcyon/V\n\n";
    for (given, expected) in [
        (json!({}), format!("GET /{tail}")),
        (
            json!({"url": "/a?q=1", "params": {"b": "x y", "n": 2, "l": ["1", "2"]}}),
            format!("GET /a?q=1&b=x+y&n=2&l=1&l=2{tail}"),
        ),
        (json!({"body": "text"}), format!("POST /{tail}text")),
        (json!({"body": "", "method": "DELETE"}), format!("DELETE /{tail}")),
        (
            json!({"body": "{'a': True, 'b': None}", "headers": {"Content-Type": "application/json"}, "method": "PUT"}),
            format!("PUT /\ncontent-type: application/json{tail}{}", r#"{"a":true,"b":null}"#),
        ),
        (json!({"cookies": {"a": "1", "b": "2"}}), format!("GET /\ncookie: a=1; b=2{tail}")),
        (json!({"username": "u", "password": "p"}), format!("GET /\nauthorization: Basic dTpw{tail}")),
        (json!({"auth": "x-auth-token=XYZ=1"}), format!("GET /\nx-auth-token: XYZ=1{tail}")),
        (json!({"headers": {"User-Agent": "mine"}}), "GET /\nx-stanley-action: http\nuser-agent: mine\n\n".to_owned()),
        (json!({"url": "/moved", "allow_redirects": true}), format!("GET /moved{tail}\n---\nGET /created{tail}")),
    ] {
        assert_eq!(asked(given.clone()).await, expected, "{given}");
    }
    let form =
        asked(json!({"file_name": "notes", "file_content": "one\ntwo", "file_content_type": "text/plain"})).await;
    assert!(form.starts_with("POST /\ncontent-type: multipart"), "{form}");
    assert!(form.contains("name=\"notes\"; filename=\"notes\"") && form.contains("one\ntwo"), "{form}");
}

/// The result as packs see it.
async fn answered(path: &str, more: Value) -> (Status, Value) {
    let (url, _) = server().await;
    let mut given = more;
    given["url"] = json!(format!("{url}{path}"));
    let schema = if given["secret"].is_null() {
        ""
    } else {
        "output_schema: {type: object, properties: {token: {type: string, secret: true}}}, "
    };
    given.as_object_mut().unwrap().remove("secret");
    let file = format!(
        "{{name: a, runner_type: http-request, {schema}parameters: {{timeout: {{type: number, default: 20}}}}}}"
    );
    let action = action(&[pack("/p", &[("actions/a.yaml", &file)])], "t.a");
    let (runner, blobs) = runner(100_000);
    let ended = outcome(&runner, work(&action, &given)).await.unwrap();
    let mut execution = Execution::start(jiff::Timestamp::UNIX_EPOCH, crate::execution::asked("http-request", &[]));
    execution.outcomes.insert(Host::new("localhost"), ended);
    execution.status = execution.verdict(None);
    let mut shown = result(&execution, &|captured| text(captured, &blobs));
    if let Some(headers) = shown.get_mut("headers").and_then(Value::as_object_mut) {
        headers.remove("Date");
        headers.remove("Content-Length");
        headers.remove("Transfer-Encoding");
    }
    (execution.status, shown)
}

#[tokio::test]
async fn an_answer_has_stackstorms_shape() {
    let plain = json!({"Content-Type": "text/plain; charset=utf-8"});
    let typed = json!({"Content-Type": "application/json; charset=utf-8"});
    for (path, more, status, shown) in [
        (
            "/",
            json!({}),
            Status::Succeeded,
            json!({"status_code": 200, "parsed": false, "body": "ok", "headers": plain}),
        ),
        (
            "/created",
            json!({}),
            Status::Succeeded,
            json!({"status_code": 201, "parsed": false, "body": "made", "headers": plain}),
        ),
        (
            "/partial",
            json!({}),
            Status::Failed,
            json!({"status_code": 207, "parsed": false, "body": "", "headers": {}}),
        ),
        (
            "/json",
            json!({}),
            Status::Succeeded,
            json!({"status_code": 200, "parsed": true, "headers": typed,
                "body": {"a": [1, null], "token": "s3cret", "deep": [{"token": "s3cret"}]}}),
        ),
        (
            "/json",
            json!({"secret": true}),
            Status::Succeeded,
            json!({"status_code": 200, "parsed": true, "headers": typed,
                "body": {"a": [1, null], "token": "********", "deep": [{"token": "********"}]}}),
        ),
        (
            "/broken-json",
            json!({"secret": true}),
            Status::Succeeded,
            json!({"status_code": 200, "parsed": false, "body": "********", "headers": typed}),
        ),
        (
            "/missing",
            json!({}),
            Status::Failed,
            json!({"status_code": 404, "parsed": false, "body": "nothing here", "headers": plain}),
        ),
        ("/down", json!({}), Status::Failed, json!({"status_code": 503, "parsed": false, "body": "", "headers": {}})),
        (
            "/moved",
            json!({}),
            Status::Failed,
            json!({"status_code": 302, "parsed": false, "body": "", "headers": {"Location": "/created"}}),
        ),
    ] {
        let (ended, said) = answered(path, more.clone()).await;
        assert_eq!((ended, said), (status, shown), "{path} {more}");
    }
    for path in ["/slow", "/trickle"] {
        let (ended, said) = answered(path, json!({"timeout": 0.3})).await;
        assert_eq!(ended, Status::Timeout, "{path} {said}");
        assert!(said["error"].as_str().unwrap().starts_with("no answer within "), "{said}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut talk = std::io::BufReader::new(listener.accept().unwrap().0);
        let mut line = String::new();
        while std::io::BufRead::read_line(&mut talk, &mut line).is_ok_and(|length| length > 2) {
            line.clear();
        }
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
        let _ = std::io::Write::write_all(talk.get_mut(), head);
    });
    let ended = outcome(&runner(1 << 20).0, work(&action(&[], "core.http"), &json!({"url": url}))).await.unwrap();
    let Exit::Unreachable { why } = &ended.exit else { panic!("{ended:?}") };
    assert!(why.starts_with("the answer broke off: "), "{why}");
    assert_eq!(ended.stdout, Captured::Inline { text: "half".to_owned() });
}

#[tokio::test]
async fn what_is_not_answered_says_why() {
    for (path, more, why) in [
        (
            "/away",
            json!({"allow_redirects": true, "url_hosts_whitelist": ["127.0.0.1"]}),
            "redirected to localhost, which may not be asked",
        ),
        ("/round", json!({"allow_redirects": true}), "it was redirected more than 10 times"),
        ("/", json!({"url_hosts_blacklist": ["127.0.0.1"]}), "127.0.0.1 may not be asked"),
        ("/", json!({"url_hosts_whitelist": ["example.org"]}), "127.0.0.1 may not be asked"),
    ] {
        let (status, said) = answered(path, more).await;
        assert_eq!(status, Status::Failed);
        assert!(said["error"].as_str().unwrap().contains(why), "{said}");
    }
    let http = action(&[], "core.http");
    for (url, why) in [
        ("http://127.0.0.1:1/?key=s3cret", "onnection refused"),
        ("ftp://127.0.0.1/", "must begin with http:// or https://"),
        ("nonsense", "that is not an address"),
    ] {
        let ended = outcome(&runner(1 << 20).0, work(&http, &json!({"url": url}))).await.unwrap();
        let Exit::Unreachable { why: said } = &ended.exit else { panic!("{ended:?}") };
        assert!(said.contains(why) && !said.contains("s3cret"), "{said}");
    }
    for (given, why) in [
        (json!({"url": " "}), "`url` is empty, so there is no address to ask"),
        (
            json!({"url": "http://x", "body": "{", "headers": {"content-type": "application/json"}}),
            "`body` is not JSON, although its content type says so",
        ),
        (json!({"url": "http://x", "headers": {"a": "b\r\nc: d"}}), "`headers` must not contain line breaks"),
        (json!({"url": "http://x", "timeout": 0}), "`timeout` must be a number of seconds above 0, and at most a day"),
        (
            json!({"url": "http://x", "url_hosts_blacklist": ["a"], "url_hosts_whitelist": ["b"]}),
            "`url_hosts_whitelist` cannot be given together with `url_hosts_blacklist`",
        ),
        (
            json!({"url": "http://x", "file_path": "/etc/passwd"}),
            "`file_path` is not supported, because I read no files for others; give `file_name` and `file_content` instead",
        ),
    ] {
        assert_eq!(planned(&http, &given).unwrap_err().to_string(), why);
    }
}

#[tokio::test]
async fn a_long_answer_is_limited_and_says_so() {
    let (url, _) = server().await;
    let http = action(&[], "core.http");
    let ended = outcome(&runner(10_000).0, work(&http, &json!({"url": format!("{url}/big")}))).await.unwrap();
    let Captured::Blob { bytes, dropped, .. } = ended.stdout else { panic!("{ended:?}") };
    assert_eq!((bytes, dropped), (10_000, 190_000));
}

#[tokio::test]
async fn a_request_can_be_stopped() {
    let (url, seen) = server().await;
    let Work::Http(request) = work(&action(&[], "core.http"), &json!({"url": format!("{url}/slow")})) else { panic!() };
    let cancel = CancellationToken::new();
    let stop = async {
        while seen.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    };
    let (runner, _) = runner(1 << 20);
    let (ended, ()) = tokio::join!(outcome_until(&runner, Work::Http(request), cancel.clone()), stop);
    assert_eq!(ended.unwrap().exit, Exit::Canceled);
}
