//! The face of the site on the network: the REST API 1.0 on loopback, and Livestatus on a port beside it.
//!
//! What can be written: acknowledgements, downtimes, comments; what can be read: hosts, services, downtimes. **As in life, 204 means that a command was written**: it is
//! carried out afterwards, and nobody is told whether it was. What is wrong with a question is refused with status, title, detail and fields.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Monitoring, SITE, livestatus};
use crate::sandbox::nodes::machine::wall_clock;

/// The account for programs.
const USER: &str = "halcyon";
/// The longest question over Livestatus.
const LONGEST: u64 = 1 << 20;
/// The longest address that Apache takes, less what stands around it in the first line of a request.
const LONGEST_ADDRESS: usize = 8_190 - "GET  HTTP/1.1".len();

/// How the site is asked and told over the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// `http://127.0.0.1:12345/cluster/check_mk`
    pub address: String,
    /// The account for programs.
    pub user: String,
    /// Its secret.
    pub secret: String,
    /// Where Livestatus listens.
    pub livestatus: SocketAddr,
}

/// What goes wrong.
#[derive(Debug, Default)]
struct Behaviour {
    /// So many commands are taken and never carried out.
    forget: usize,
    /// So many questions and commands are answered 503.
    unwell: usize,
    /// Commands about these hosts are taken and never carried out.
    deaf: Vec<String>,
    /// Nothing can be told of by a query.
    no_query: bool,
    /// Commands wait.
    hold: bool,
    held: Vec<Act>,
    /// The next command is refused so.
    refuse: Option<(u16, String, String)>,
    /// Collections are known by GET only.
    old: bool,
    /// Commands that were taken: their paths and bodies.
    taken: Vec<(String, Value)>,
    /// How often anything was asked.
    asked: usize,
}

/// Something that is carried out after the answer.
#[derive(Debug, Clone)]
enum Act {
    Command(String),
    Expire { host: String, service: Option<String>, at: i64 },
    Move { id: u64, end: i64 },
}

impl Act {
    fn is_about(&self, host: &str) -> bool {
        match self {
            Act::Command(line) => line.split(';').nth(1) == Some(host),
            Act::Expire { host: known, .. } => known == host,
            Act::Move { .. } => false,
        }
    }
}

/// The site as it is reached.
#[derive(Clone)]
pub(crate) struct Face {
    monitoring: Arc<Monitoring>,
    behaviour: Arc<Mutex<Behaviour>>,
    access: Access,
}

/// Makes the monitoring misbehave. Switches that take a `bool` stay until they are turned back; the others are used up.
#[derive(Clone)]
pub struct MonitoringFaults {
    face: Face,
}

impl MonitoringFaults {
    /// So many commands are answered as if they were carried out, and are not.
    pub fn forget(&self, commands: usize) {
        self.face.behaviour().forget = commands;
    }

    /// What commands say of this host is taken and never carried out.
    pub fn deaf_to(&self, host: &str) {
        self.face.behaviour().deaf.push(host.to_owned());
    }

    /// Commands that name things by a query are refused, as by a site that is older than that.
    pub fn no_query(&self, on: bool) {
        self.face.behaviour().no_query = on;
    }

    /// So many calls are answered with 503.
    pub fn unwell(&self, calls: usize) {
        self.face.behaviour().unwell = calls;
    }

    /// Commands are answered and wait; those that have waited are carried out when it is turned back.
    pub fn hold(&self, on: bool) {
        let held = {
            let mut behaviour = self.face.behaviour();
            behaviour.hold = on;
            if on { Vec::new() } else { std::mem::take(&mut behaviour.held) }
        };
        held.into_iter().for_each(|act| self.face.act(act));
    }

    /// How many commands wait.
    pub fn held(&self) -> usize {
        self.face.behaviour().held.len()
    }

    /// The next command is refused with this status, title and detail.
    pub fn refuse(&self, status: u16, title: &str, detail: &str) {
        self.face.behaviour().refuse = Some((status, title.to_owned(), detail.to_owned()));
    }

    /// Collections are known by `GET` only, as before 2.3.
    pub fn get_only(&self, on: bool) {
        self.face.behaviour().old = on;
    }

    /// The commands that were taken so far: the ends of their paths, and their bodies.
    pub fn taken(&self) -> Vec<(String, Value)> {
        self.face.behaviour().taken.clone()
    }

    /// How often anything was asked or told.
    pub fn asked(&self) -> usize {
        self.face.behaviour().asked
    }
}

impl Face {
    /// Listens until the cluster is closed.
    pub(crate) async fn open(monitoring: Arc<Monitoring>, stop: &CancellationToken) -> std::io::Result<Self> {
        let rest = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let live = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let access = Access {
            address: format!("http://{}/{SITE}/check_mk", rest.local_addr()?),
            user: USER.to_owned(),
            secret: random.iter().map(|byte| format!("{byte:02x}")).collect(),
            livestatus: live.local_addr()?,
        };
        let face = Self { monitoring, behaviour: Arc::default(), access };
        let router =
            Router::new().route(&format!("/{SITE}/check_mk/api/1.0/{{*path}}"), any(call)).with_state(face.clone());
        let ended = stop.clone();
        tokio::spawn(async move {
            let serving = axum::serve(rest, router);
            tokio::select! {
                _ = serving.into_future() => {}
                () = ended.cancelled() => {}
            }
        });
        tokio::spawn(listen(live, face.monitoring.clone(), stop.clone()));
        Ok(face)
    }

    pub(crate) fn access(&self) -> Access {
        self.access.clone()
    }

    pub(crate) fn faults(&self) -> MonitoringFaults {
        MonitoringFaults { face: self.clone() }
    }

    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, act: Act) {
        match act {
            Act::Command(line) => self.monitoring.command(&line),
            Act::Expire { host, service, at } => self.monitoring.site().expire(&host, service.as_deref(), at),
            Act::Move { id, end } => self.monitoring.site().move_downtime(id, end),
        }
    }

    /// A command is written; what it says is done after the answer.
    fn write(&self, path: &str, body: &Value, acts: Vec<Act>) -> Response {
        let mut behaviour = self.behaviour();
        behaviour.taken.push((path.to_owned(), body.clone()));
        let mut acts = acts;
        acts.retain(|act| !behaviour.deaf.iter().any(|host| act.is_about(host)));
        if behaviour.forget > 0 {
            behaviour.forget -= 1;
        } else if behaviour.hold {
            behaviour.held.extend(acts);
        } else {
            let face = self.clone();
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                acts.into_iter().for_each(|act| face.act(act));
            });
        }
        StatusCode::NO_CONTENT.into_response()
    }
}

/// What is refused, as the API says it.
struct Problem {
    status: u16,
    title: String,
    detail: String,
    fields: Option<(String, String)>,
}

impl Problem {
    fn new(status: u16, title: &str, detail: impl Into<String>) -> Self {
        Self { status, title: title.to_owned(), detail: detail.into(), fields: None }
    }

    fn field(name: &str, what: impl Into<String>) -> Self {
        let detail = format!("These fields have problems: {name}");
        Self { fields: Some((name.to_owned(), what.into())), ..Self::new(400, "Bad Request", detail) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut body = json!({"status": self.status, "title": self.title, "detail": self.detail});
        if let Some((name, what)) = self.fields {
            body["fields"] = json!({name: [what]});
        }
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
    }
}

async fn call(
    State(face): State<Face>,
    method: Method,
    address: Uri,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    face.behaviour().asked += 1;
    if address.to_string().len() > LONGEST_ADDRESS {
        // Apache says so itself, and not the site behind it.
        return (StatusCode::URI_TOO_LONG, "<h1>Request-URI Too Long</h1>").into_response();
    }
    answer(&face, &method, &path, query.as_deref().unwrap_or_default(), &headers, &body)
        .unwrap_or_else(Problem::into_response)
}

fn answer(
    face: &Face,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Problem> {
    let header = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header(header::AUTHORIZATION) != format!("Bearer {} {}", face.access.user, face.access.secret) {
        return Err(Problem::new(401, "Wrong credentials", "Bearer token not valid"));
    }
    if header(header::ACCEPT) != "application/json" {
        let detail = "Can not send a response with the content type specified in the 'Accept' Header";
        return Err(Problem::new(406, "Not Acceptable", detail));
    }
    {
        let mut behaviour = face.behaviour();
        if behaviour.unwell > 0 {
            behaviour.unwell -= 1;
            return Err(Problem::new(503, "Service Unavailable", "The site is being restarted"));
        }
    }
    let known = json!(query_of(query));
    let read = |table, domain| {
        let known: Value = if *method == Method::POST { parsed(headers, body)? } else { known.clone() };
        collection(face, table, domain, &known)
    };
    match (method.as_str(), path) {
        ("POST", "domain-types/service/collections/all" | "domain-types/host/collections/all")
            if face.behaviour().old =>
        {
            Err(Problem::new(405, "Method Not Allowed", "The method is not allowed for the requested URL."))
        }
        ("POST" | "GET", "domain-types/service/collections/all") => read("services", "service"),
        ("POST" | "GET", "domain-types/host/collections/all") => read("hosts", "host"),
        ("GET", "domain-types/downtime/collections/all") => downtimes(face, &known),
        ("POST" | "PUT", _) => write(face, method, path, &parsed(headers, body)?),
        _ => Err(Problem::new(404, "Not Found", "The requested URL was not found on the server.")),
    }
}

fn parsed(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind != "application/json" {
        return Err(Problem::new(415, "Content type not valid for this endpoint.", "Content-Type not supported"));
    }
    serde_json::from_slice(body).map_err(|error| Problem::new(400, "Bad Request", format!("Malformed JSON: {error}")))
}

/// `columns` several times and `query` as JSON, as they stand in an address.
fn query_of(text: &str) -> Map<String, Value> {
    let mut found = Map::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        if name == "columns" {
            let columns = found.entry("columns").or_insert_with(|| json!([]));
            if let Some(columns) = columns.as_array_mut() {
                columns.push(json!(value));
            }
        } else if name == "query" {
            found.insert(name.into_owned(), serde_json::from_str(&value).unwrap_or_default());
        } else {
            found.insert(name.into_owned(), json!(value));
        }
    }
    found
}

fn collection(face: &Face, table: &'static str, domain: &str, asked: &Value) -> Result<Response, Problem> {
    only(asked, &["columns", "query", "sites", "host_name"])?;
    let mut columns: Vec<String> = match table {
        "hosts" => vec!["name".to_owned()],
        _ => vec!["host_name".to_owned(), "description".to_owned()],
    };
    for column in asked.get("columns").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !columns.iter().any(|known| known == column) {
            columns.push(column.to_owned());
        }
    }
    let rows = livestatus::asked(&face.monitoring.site(), table, &columns, asked.get("query"));
    let rows = rows.map_err(|(_, why)| Problem::field("columns", why))?;
    let objects = rows.into_iter().map(|row| {
        let name = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = if table == "hosts" { name("name") } else { format!("{}:{}", name("host_name"), name("description")) };
        json!({"domainType": domain, "id": id, "title": id, "links": [], "members": {}, "extensions": row})
    });
    let objects: Vec<Value> = objects.collect();
    Ok(Json(json!({"domainType": domain, "id": domain, "links": [], "value": objects, "extensions": {}}))
        .into_response())
}

fn downtimes(face: &Face, asked: &Value) -> Result<Response, Problem> {
    only(asked, &["query", "host_name", "service_description", "downtime_type", "site_id"])?;
    let columns =
        ["id", "host_name", "service_description", "is_service", "author", "start_time", "end_time", "comment"];
    let columns = columns.map(str::to_owned);
    let rows = livestatus::asked(&face.monitoring.site(), "downtimes", &columns, asked.get("query"));
    let rows = rows.map_err(|(_, why)| Problem::field("query", why))?;
    let text = |value: &Value| {
        let seconds = jiff::Timestamp::from_second(value.as_i64().unwrap_or_default()).unwrap_or_default();
        seconds.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
    };
    let objects = rows.into_iter().map(|row| {
        let of_service = row["is_service"] == 1;
        let mut told = json!({
            "site_id": SITE,
            "host_name": row["host_name"],
            "author": row["author"],
            "is_service": if of_service { "yes" } else { "no" },
            "start_time": text(&row["start_time"]),
            "end_time": text(&row["end_time"]),
            "recurring": "no",
            "comment": row["comment"],
        });
        if of_service {
            told["service_description"] = row["service_description"].clone();
        }
        json!({"domainType": "downtime", "id": row["id"].to_string(), "title": "Downtime", "links": [], "extensions": told})
    });
    let objects: Vec<Value> = objects.collect();
    Ok(Json(json!({"domainType": "downtime", "id": "downtime", "links": [], "value": objects})).into_response())
}

/// Refuses keys that the schema does not have.
fn only(body: &Value, known: &[&str]) -> Result<(), Problem> {
    let body = body.as_object().ok_or_else(|| Problem::new(400, "Bad Request", "a map is wanted"))?;
    match body.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(Problem::field(unknown, "Unknown field.")),
        None => Ok(()),
    }
}

fn text<'v>(body: &'v Value, name: &str) -> Result<&'v str, Problem> {
    let value = body.get(name).ok_or_else(|| Problem::field(name, "Missing data for required field."))?;
    value.as_str().ok_or_else(|| Problem::field(name, "Not a valid string."))
}

fn flag(body: &Value, name: &str, usual: bool) -> Result<bool, Problem> {
    match body.get(name) {
        None => Ok(usual),
        Some(value) => value.as_bool().ok_or_else(|| Problem::field(name, "Not a valid boolean.")),
    }
}

fn moment(body: &Value, name: &str) -> Result<i64, Problem> {
    let at: Result<jiff::Timestamp, _> = text(body, name)?.parse();
    at.map(jiff::Timestamp::as_second).map_err(|_| Problem::field(name, "Not a valid datetime."))
}

/// A host that is watched.
fn host<'v>(face: &Face, body: &'v Value) -> Result<&'v str, Problem> {
    let host = text(body, "host_name")?;
    match face.monitoring.site().hosts.contains_key(host) {
        true => Ok(host),
        false => Err(Problem::field("host_name", format!("Host not found: {host:?}"))),
    }
}

/// The state of a thing; nothing where it is not watched.
fn state(face: &Face, host: &str, service: Option<&str>) -> Option<u8> {
    face.monitoring.site().watched(host, service).map(|watched| watched.state)
}

fn write(face: &Face, method: &Method, path: &str, body: &Value) -> Result<Response, Problem> {
    if let Some((status, title, detail)) = face.behaviour().refuse.take() {
        return Err(Problem::new(status, &title, detail));
    }
    let command = |text: String| Act::Command(format!("COMMAND [{}] {text}", wall_clock().as_second()));
    let user = &face.access.user;
    let by_query = ["acknowledge_type", "downtime_type"]
        .iter()
        .any(|key| body.get(key).and_then(Value::as_str).is_some_and(|kind| kind.ends_with("_by_query")));
    if by_query {
        let acts = write_by_query(face, path, body)?;
        return Ok(face.write(path.trim_start_matches("domain-types/"), body, acts));
    }
    let acts = match (method.as_str(), path) {
        ("POST", "domain-types/acknowledge/collections/host" | "domain-types/acknowledge/collections/service") => {
            let of_service = path.ends_with("service");
            let mut known =
                vec!["acknowledge_type", "host_name", "sticky", "persistent", "notify", "comment", "expire_on"];
            known.extend(of_service.then_some("service_description"));
            only(body, &known)?;
            if text(body, "acknowledge_type")? != if of_service { "service" } else { "host" } {
                return Err(Problem::new(400, "Unhandled acknowledge-type.", "The acknowledge-type is not supported."));
            }
            let host = host(face, body)?;
            let comment = text(body, "comment")?;
            let sticky = if flag(body, "sticky", true)? { 2 } else { 1 };
            let (notify, persistent) = (flag(body, "notify", true)?, flag(body, "persistent", false)?);
            let rest = format!("{sticky};{};{};{user};{comment}", u8::from(notify), u8::from(persistent));
            let service = match of_service {
                // As the site does, it is taken for a part of an address.
                true => Some(unquoted(text(body, "service_description")?)),
                false => None,
            };
            match (state(face, host, service.as_deref()), &service) {
                (None, Some(service)) => {
                    let detail = format!("Service '{service}'@'{host}' could not be found.");
                    return Err(Problem::new(400, "Service not found", detail));
                }
                (Some(0), Some(service)) => {
                    let detail = format!("Service '{service}'@'{host}' has no problem.");
                    return Err(Problem::new(422, "This service has no problem", detail));
                }
                (Some(0) | None, None) => {
                    let detail = "You can't acknowledge a problem that doesn't exist.";
                    return Err(Problem::new(422, &format!("Host '{host}' has no problem."), detail));
                }
                (Some(_), _) => {}
            }
            let mut acts = vec![command(match &service {
                Some(service) => format!("ACKNOWLEDGE_SVC_PROBLEM;{host};{service};{rest}"),
                None => format!("ACKNOWLEDGE_HOST_PROBLEM;{host};{rest}"),
            })];
            if body.get("expire_on").is_some() {
                acts.push(Act::Expire { host: host.to_owned(), service, at: moment(body, "expire_on")? });
            }
            acts
        }
        ("POST", "domain-types/acknowledge/actions/delete/invoke") => {
            only(body, &["acknowledge_type", "host_name", "service_description"])?;
            let host = host(face, body)?;
            match text(body, "acknowledge_type")? {
                "service" => {
                    let service = text(body, "service_description")?;
                    vec![command(format!("REMOVE_SVC_ACKNOWLEDGEMENT;{host};{service}"))]
                }
                _ => vec![command(format!("REMOVE_HOST_ACKNOWLEDGEMENT;{host}"))],
            }
        }
        ("POST", "domain-types/downtime/collections/host" | "domain-types/downtime/collections/service") => {
            let of_service = path.ends_with("service");
            let mut known =
                vec!["downtime_type", "host_name", "start_time", "end_time", "recur", "duration", "comment"];
            known.extend(of_service.then_some("service_descriptions"));
            only(body, &known)?;
            let host = host(face, body)?;
            let (start, end) = (moment(body, "start_time")?, moment(body, "end_time")?);
            let comment = body.get("comment").and_then(Value::as_str).unwrap_or_default();
            let rest = format!("{start};{end};1;0;0;{user};{comment}");
            let services = body.get("service_descriptions").and_then(Value::as_array).into_iter().flatten();
            match of_service {
                true => services
                    .filter_map(Value::as_str)
                    .map(|service| command(format!("SCHEDULE_SVC_DOWNTIME;{host};{service};{rest}")))
                    .collect(),
                false => vec![command(format!("SCHEDULE_HOST_DOWNTIME;{host};{rest}"))],
            }
        }
        ("POST", "domain-types/downtime/actions/delete/invoke") => {
            only(body, &["delete_type", "site_id", "downtime_id"])?;
            let id = named_downtime(body)?;
            let of_service =
                face.monitoring.site().downtimes.get(&id).is_some_and(|downtime| downtime.service.is_some());
            vec![command(format!("DEL_{}_DOWNTIME;{id}", if of_service { "SVC" } else { "HOST" }))]
        }
        ("PUT", "domain-types/downtime/actions/modify/invoke") => {
            only(body, &["modify_type", "site_id", "downtime_id", "end_time", "comment"])?;
            let id = named_downtime(body)?;
            let end = body.get("end_time").filter(|end| end["modify_type"] == "absolute");
            let end = moment(end.unwrap_or(&Value::Null), "value")?;
            vec![Act::Move { id, end }]
        }
        ("POST", "domain-types/comment/collections/host" | "domain-types/comment/collections/service") => {
            only(body, &["comment_type", "host_name", "service_description", "comment", "persistent"])?;
            let (host, comment) = (host(face, body)?, text(body, "comment")?);
            match path.ends_with("service") {
                true => {
                    let service = text(body, "service_description")?;
                    vec![command(format!("ADD_SVC_COMMENT;{host};{service};0;{user};{comment}"))]
                }
                false => vec![command(format!("ADD_HOST_COMMENT;{host};0;{user};{comment}"))],
            }
        }
        _ => return Err(Problem::new(404, "Not Found", "The requested URL was not found on the server.")),
    };
    Ok(face.write(path.trim_start_matches("domain-types/"), body, acts))
}

/// Commands about all that a query finds: `host_by_query` and `service_by_query`.
fn write_by_query(face: &Face, path: &str, body: &Value) -> Result<Vec<Act>, Problem> {
    let kind = |key: &str| text(body, key).map(str::to_owned);
    let unhandled = |what: &str| Problem::new(400, &format!("Unhandled {what}-type."), "It is not supported.");
    let (what, wanted) = match path.split('/').nth(1) {
        Some("acknowledge") => ("acknowledge", kind("acknowledge_type")?),
        Some("downtime") => ("downtime", kind("downtime_type")?),
        _ => return Err(unhandled("object")),
    };
    if face.behaviour().no_query {
        return Err(unhandled(what));
    }
    let of_service = wanted == "service_by_query";
    let removes = path.ends_with("actions/delete/invoke");
    if !removes && of_service != path.ends_with("/service") {
        return Err(unhandled(what));
    }
    let known: &[&str] = match (what, removes) {
        ("acknowledge", true) => &["acknowledge_type", "query"],
        ("acknowledge", false) => {
            &["acknowledge_type", "query", "sticky", "persistent", "notify", "comment", "expire_on"]
        }
        _ => &["downtime_type", "query", "start_time", "end_time", "recur", "duration", "comment"],
    };
    only(body, known)?;
    let query = body.get("query").ok_or_else(|| Problem::field("query", "Missing data for required field."))?;
    let (table, columns): (&'static str, &[&str]) =
        if of_service { ("services", &["host_name", "description", "state"]) } else { ("hosts", &["name", "state"]) };
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let rows = livestatus::asked(&face.monitoring.site(), table, &columns, Some(query));
    let rows = rows.map_err(|(_, why)| Problem::field("query", why))?;
    if rows.is_empty() && !removes {
        return Err(Problem::new(422, "No hosts found", "The provided query returned no monitored hosts"));
    }
    let user = &face.access.user;
    let comment = body.get("comment").and_then(Value::as_str).unwrap_or_default();
    let command = |text: String| Act::Command(format!("COMMAND [{}] {text}", wall_clock().as_second()));
    let mut acts = Vec::new();
    for row in &rows {
        let name = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (host, service) = match of_service {
            true => (name("host_name"), Some(name("description"))),
            false => (name("name"), None),
        };
        let (kind, thing) = match &service {
            Some(service) => ("SVC", format!("{host};{service}")),
            None => ("HOST", host.clone()),
        };
        if removes {
            acts.push(command(format!("REMOVE_{kind}_ACKNOWLEDGEMENT;{thing}")));
        } else if what == "acknowledge" {
            if of_service && row.get("state") == Some(&json!(0)) {
                continue;
            }
            let sticky = if flag(body, "sticky", true)? { 2 } else { 1 };
            let (notify, persistent) = (flag(body, "notify", true)?, flag(body, "persistent", false)?);
            let rest = format!("{sticky};{};{};{user};{comment}", u8::from(notify), u8::from(persistent));
            acts.push(command(format!("ACKNOWLEDGE_{kind}_PROBLEM;{thing};{rest}")));
            if body.get("expire_on").is_some() {
                acts.push(Act::Expire { host, service, at: moment(body, "expire_on")? });
            }
        } else {
            let (start, end) = (moment(body, "start_time")?, moment(body, "end_time")?);
            acts.push(command(format!("SCHEDULE_{kind}_DOWNTIME;{thing};{start};{end};1;0;0;{user};{comment}")));
        }
    }
    Ok(acts)
}

/// A downtime by its number, on this site.
fn named_downtime(body: &Value) -> Result<u64, Problem> {
    if text(body, "site_id")? != SITE {
        return Err(Problem::field("site_id", "Site does not exist."));
    }
    text(body, "downtime_id")?.parse().map_err(|_| Problem::field("downtime_id", "Not a valid id."))
}

fn unquoted(text: &str) -> String {
    let pair = format!("text={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Livestatus on a port: questions and commands, until the other side has said all.
async fn listen(listener: TcpListener, monitoring: Arc<Monitoring>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let monitoring = monitoring.clone();
        tokio::spawn(async move {
            // A client that breaks off has no answer to wait for.
            let _ = converse(stream, &monitoring).await;
        });
    }
}

async fn converse(mut stream: TcpStream, monitoring: &Monitoring) -> std::io::Result<()> {
    let mut question = Vec::new();
    (&mut stream).take(LONGEST).read_to_end(&mut question).await?;
    let said = livestatus::answer(monitoring, &String::from_utf8_lossy(&question)).await;
    stream.write_all(said.as_bytes()).await?;
    stream.shutdown().await
}
