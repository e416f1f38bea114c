//! Livestatus: questions to the monitoring, line by line, and their answers.
//!
//! `GET` of the tables `hosts`, `services`, `downtimes` and `status`, with the headers `Columns`, `Filter`, `And`, `Or`, `Negate`, `Limit`, `OutputFormat`,
//! `ColumnHeaders`, `ResponseHeader` and those that wait; and `COMMAND`, to which nothing is answered. **What is not known is refused as Livestatus refuses it**, code and text in the `fixed16` header.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::site::{Downtime, Host, Site};
use super::watched::Watched;
use super::{Monitoring, SITE};

/// A question that has no answer: Livestatus's code and what it says.
pub(super) type Refusal = (u16, String);

/// One row of a table, by column.
type Row = BTreeMap<String, Value>;

/// What a question asks for.
struct Query {
    table: &'static str,
    columns: Option<Vec<String>>,
    filters: Vec<Filter>,
    limit: usize,
    format: Format,
    headers: Option<bool>,
    wait: Wait,
}

/// What is waited for before the answer.
#[derive(Default)]
struct Wait {
    /// The name of a host, or of one and its service.
    object: Option<String>,
    conditions: Vec<Filter>,
    /// Anything that happens.
    trigger: bool,
    timeout: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
    Python,
}

/// A condition on a row.
enum Filter {
    Is { column: String, operator: Operator, negated: bool, value: String },
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    EqualInAnyCase,
    Matches,
    MatchesInAnyCase,
    Less,
    AtMost,
}

const HOST: &[&str] = &["name", "address", "groups", "num_services", "num_services_crit"];
const SERVICE: &[&str] = &[
    "description",
    "host_name",
    "host_address",
    "host_state",
    "host_acknowledged",
    "host_scheduled_downtime_depth",
    "host_downtimes_with_info",
    "host_groups",
];
/// What hosts and services have alike.
const BOTH: &[&str] = &[
    "state",
    "last_check",
    "last_state_change",
    "plugin_output",
    "hard_state",
    "state_type",
    "last_hard_state_change",
    "current_attempt",
    "max_check_attempts",
    "acknowledged",
    "acknowledgement_type",
    "scheduled_downtime_depth",
    "downtimes",
    "downtimes_with_info",
    "comments_with_info",
    "comments_with_extra_info",
    "is_flapping",
    "current_notification_number",
    "last_notification",
];
const DOWNTIME: &[&str] = &[
    "id",
    "host_name",
    "service_description",
    "author",
    "comment",
    "entry_time",
    "start_time",
    "end_time",
    "fixed",
    "duration",
    "is_service",
    "is_active",
];
const STATUS: &[&str] = &["program_version", "livestatus_version", "num_hosts", "num_services"];

/// The groups that every host is in.
const GROUPS: [&str; 1] = ["check_mk"];

/// How often it is looked whether what somebody waits for has come, and how long they may wait at most.
const LOOKS: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(600);

/// The answer to all that a client sends: of its first question, as long as it does not want to go on. Commands have no answer.
pub(crate) async fn answer(monitoring: &Monitoring, text: &str) -> String {
    let mut said = String::new();
    for question in text.split("\n\n").filter(|question| !question.trim().is_empty()) {
        if question.trim_start().starts_with("COMMAND") {
            question.lines().for_each(|line| monitoring.command(line));
            continue;
        }
        said.push_str(&one(monitoring, question).await);
        let goes_on = question.lines().any(|line| line.trim().eq_ignore_ascii_case("KeepAlive: on"));
        if !goes_on {
            break;
        }
    }
    said
}

async fn one(monitoring: &Monitoring, question: &str) -> String {
    let fixed = question.lines().any(|line| line.trim() == "ResponseHeader: fixed16");
    let written = match read(question) {
        Ok(query) => query.answered(monitoring).await,
        Err(refusal) => Err(refusal),
    };
    let (code, body) = match written {
        Ok(body) => (200, body),
        // Without the header there is no room for the reason: the answer is empty.
        Err((code, why)) => (code, if fixed { format!("{why}\n") } else { String::new() }),
    };
    match fixed {
        true => format!("{code:<3} {:>11}\n{body}", body.len()),
        false => body,
    }
}

fn read(question: &str) -> Result<Query, Refusal> {
    let mut lines = question.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let Some(table) = first.strip_prefix("GET ").map(str::trim) else {
        return Err((400, format!("Invalid request method '{}'", first.split(' ').next().unwrap_or_default())));
    };
    let table = *["hosts", "services", "downtimes", "status"]
        .iter()
        .find(|known| **known == table)
        .ok_or_else(|| (404, format!("Invalid GET request, no such table '{table}'")))?;
    let mut query = Query {
        table,
        columns: None,
        filters: Vec::new(),
        limit: usize::MAX,
        format: Format::Csv,
        headers: None,
        wait: Wait::default(),
    };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return Err((400, format!("Missing colon in header line '{line}'")));
        };
        let value = value.trim();
        let number = || value.parse::<usize>().map_err(|_| (400, format!("{name}: expected a number, got '{value}'")));
        let switch = || match value {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err((400, format!("{name}: expected 'on' or 'off', got '{value}'"))),
        };
        match name {
            "Columns" => query.columns = Some(value.split_whitespace().map(str::to_owned).collect()),
            "Filter" => query.filters.push(filter(value)?),
            "And" | "Or" => {
                let count = number()?;
                let Some(from) = query.filters.len().checked_sub(count) else {
                    return Err((400, format!("{name}: cannot combine {count} filters, there are not so many")));
                };
                let parts = query.filters.split_off(from);
                query.filters.push(if name == "And" { Filter::All(parts) } else { Filter::Any(parts) });
            }
            "Negate" => match query.filters.pop() {
                Some(last) => query.filters.push(Filter::Not(Box::new(last))),
                None => return Err((400, "Negate: there is no filter before it".to_owned())),
            },
            "Limit" => query.limit = number()?,
            "OutputFormat" => {
                query.format = match value {
                    "csv" | "CSV" => Format::Csv,
                    "json" => Format::Json,
                    "python" | "python3" => Format::Python,
                    _ => return Err((400, format!("OutputFormat: missing/invalid output format '{value}'"))),
                }
            }
            "ColumnHeaders" => query.headers = Some(switch()?),
            "ResponseHeader" if !matches!(value, "fixed16" | "off") => {
                return Err((400, format!("ResponseHeader: invalid value '{value}'")));
            }
            "ResponseHeader" => {}
            "WaitObject" => query.wait.object = Some(value.to_owned()),
            "WaitCondition" => query.wait.conditions.push(filter(value)?),
            "WaitTimeout" => query.wait.timeout = Some(Duration::from_millis(number()? as u64)),
            "WaitTrigger" => {
                let known = ["all", "check", "state", "log", "downtime", "comment", "command", "program"];
                if !known.contains(&value) {
                    return Err((400, format!("WaitTrigger: unknown trigger '{value}'")));
                }
                query.wait.trigger = true;
            }
            "KeepAlive" => {
                switch()?;
            }
            // What changes nothing here.
            "Localtime" | "Timelimit" => {
                number()?;
            }
            _ => return Err((400, format!("Undefined request header '{name}'"))),
        }
    }
    Ok(query)
}

fn filter(text: &str) -> Result<Filter, Refusal> {
    let mut words = text.splitn(3, ' ');
    let (Some(column), Some(sign)) = (words.next().filter(|word| !word.is_empty()), words.next()) else {
        return Err((400, format!("Filter: missing operator in '{text}'")));
    };
    let (operator, negated) = match sign {
        "=" => (Operator::Equal, false),
        "!=" => (Operator::Equal, true),
        "=~" => (Operator::EqualInAnyCase, false),
        "!=~" => (Operator::EqualInAnyCase, true),
        "~" => (Operator::Matches, false),
        "!~" => (Operator::Matches, true),
        "~~" => (Operator::MatchesInAnyCase, false),
        "!~~" => (Operator::MatchesInAnyCase, true),
        "<" => (Operator::Less, false),
        ">=" => (Operator::Less, true),
        "<=" => (Operator::AtMost, false),
        ">" => (Operator::AtMost, true),
        _ => return Err((400, format!("Filter: invalid operator '{sign}'"))),
    };
    let value = words.next().unwrap_or_default().trim_start().to_owned();
    Ok(Filter::Is { column: column.to_owned(), operator, negated, value })
}

/// What is asked over REST: rows of a table that are like this, each with these columns.
pub(super) fn asked(
    site: &Site,
    table: &'static str,
    columns: &[String],
    like: Option<&Value>,
) -> Result<Vec<serde_json::Map<String, Value>>, Refusal> {
    let query = Query {
        table,
        columns: Some(columns.to_vec()),
        filters: like.map(condition).transpose()?.into_iter().collect(),
        limit: usize::MAX,
        format: Format::Json,
        headers: Some(false),
        wait: Wait::default(),
    };
    let rows = query.chosen(site)?.into_iter();
    Ok(rows.map(|cells| columns.iter().cloned().zip(cells).collect()).collect())
}

/// A condition as the REST API writes them: `{"op": "=", "left": "name", "right": "wn001"}`.
fn condition(written: &Value) -> Result<Filter, Refusal> {
    let word = |name: &str| written.get(name).and_then(Value::as_str);
    let parts = || {
        let parts = written.get("expr").and_then(Value::as_array).ok_or_else(|| (400, "expr is missing".to_owned()))?;
        parts.iter().map(condition).collect::<Result<Vec<Filter>, Refusal>>()
    };
    match word("op") {
        Some("and") => Ok(Filter::All(parts()?)),
        Some("or") => Ok(Filter::Any(parts()?)),
        Some("not") => {
            let inside = written.get("expr").ok_or_else(|| (400, "expr is missing".to_owned()))?;
            Ok(Filter::Not(Box::new(condition(inside)?)))
        }
        Some(operator) => {
            let (left, right) = (word("left").unwrap_or_default(), word("right").unwrap_or_default());
            // It becomes a line of Livestatus, so what ends a line ends the question.
            filter(&format!("{left} {operator} {}", right.lines().next().unwrap_or_default()))
        }
        None => Err((400, "op is missing".to_owned())),
    }
}

impl Filter {
    fn takes(&self, query: &Query, row: &Row) -> Result<bool, Refusal> {
        Ok(match self {
            Filter::All(parts) => {
                parts.iter().try_fold(true, |so_far, part| Ok::<_, Refusal>(so_far & part.takes(query, row)?))?
            }
            Filter::Any(parts) => {
                parts.iter().try_fold(false, |so_far, part| Ok::<_, Refusal>(so_far | part.takes(query, row)?))?
            }
            Filter::Not(part) => !part.takes(query, row)?,
            Filter::Is { column, operator, negated, value } => {
                let cell = query.cell(row, column)?;
                if let Some(items) = cell.as_array() {
                    // Of a list, `>=` asks whether it is in it.
                    let wanted: Option<u64> = value.parse().ok();
                    let has = items.iter().any(|item| item.as_u64() == wanted);
                    return match operator {
                        Operator::Less => Ok(has == *negated),
                        _ => Err((400, format!("invalid operator on list column '{column}'"))),
                    };
                }
                let fits = match cell.as_i64() {
                    Some(number) => {
                        let asked: i64 = value.parse().unwrap_or_default();
                        match operator {
                            Operator::Equal => number == asked,
                            Operator::Less => number < asked,
                            Operator::AtMost => number <= asked,
                            _ => return Err((400, format!("invalid operator on integer column '{column}'"))),
                        }
                    }
                    None => {
                        let text = cell.as_str().unwrap_or_default();
                        let matches = |any_case| {
                            let built =
                                regex::RegexBuilder::new(value).case_insensitive(any_case).size_limit(1 << 20).build();
                            built
                                .map(|pattern| pattern.is_match(text))
                                .map_err(|_| (400, format!("invalid regular expression '{value}'")))
                        };
                        match operator {
                            Operator::Equal => text == value,
                            Operator::EqualInAnyCase => text.eq_ignore_ascii_case(value),
                            Operator::Matches => matches(false)?,
                            Operator::MatchesInAnyCase => matches(true)?,
                            Operator::Less => text < value.as_str(),
                            Operator::AtMost => text <= value.as_str(),
                        }
                    }
                };
                fits != *negated
            }
        })
    }
}

impl Query {
    /// Waits for what is to be waited for, and answers.
    async fn answered(&self, monitoring: &Monitoring) -> Result<String, Refusal> {
        let begun = Instant::now();
        let timeout = self.wait.timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(LONGEST).min(LONGEST);
        let turns = monitoring.site().turns;
        while begun.elapsed() < timeout && !self.has_come(&monitoring.site(), turns)? {
            tokio::time::sleep(LOOKS).await;
        }
        let chosen = self.chosen(&monitoring.site())?;
        Ok(self.written(&chosen))
    }

    /// Whether nothing is left to be waited for.
    fn has_come(&self, site: &Site, turns: u64) -> Result<bool, Refusal> {
        if self.wait.conditions.is_empty() {
            return Ok(!self.wait.trigger || site.turns != turns);
        }
        let Some(object) = &self.wait.object else {
            return Err((400, "WaitCondition: there is no WaitObject".to_owned()));
        };
        let is_meant = |row: &&Row| {
            let text = |column: &str| row.get(column).and_then(Value::as_str).unwrap_or_default();
            match self.table {
                "hosts" => text("name") == object,
                "services" => [' ', ';'].iter().any(|between| {
                    object.strip_prefix(text("host_name")).and_then(|rest| rest.strip_prefix(*between))
                        == Some(text("description"))
                }),
                _ => false,
            }
        };
        let rows = self.rows(site);
        let Some(row) = rows.iter().find(is_meant) else {
            return Err((400, format!("WaitObject: there is no '{object}' in table '{}'", self.table)));
        };
        let mut fits = true;
        for condition in &self.wait.conditions {
            fits &= condition.takes(self, row)?;
        }
        Ok(fits)
    }

    /// The columns of the table by themselves.
    fn all_columns(&self) -> Vec<&'static str> {
        match self.table {
            "hosts" => [HOST, BOTH].concat(),
            "services" => [SERVICE, BOTH].concat(),
            "downtimes" => DOWNTIME.to_vec(),
            _ => STATUS.to_vec(),
        }
    }

    /// The value of a column, whose name may begin with that of its own table.
    fn cell<'a>(&self, row: &'a Row, column: &str) -> Result<&'a Value, Refusal> {
        let own = self.table.trim_end_matches('s');
        let stripped = column.strip_prefix(own).and_then(|rest| rest.strip_prefix('_'));
        row.get(column)
            .or_else(|| row.get(stripped?))
            .ok_or_else(|| (400, format!("Table '{}' has no column '{column}'", self.table)))
    }

    /// The cells of the rows that are asked for.
    fn chosen(&self, site: &Site) -> Result<Vec<Vec<Value>>, Refusal> {
        let rows = self.rows(site);
        let names: Vec<&str> = match &self.columns {
            Some(columns) => columns.iter().map(String::as_str).collect(),
            None => self.all_columns(),
        };
        // Also where there is no row, what does not exist is refused.
        let blank: Row = self.blank();
        for name in &names {
            self.cell(&blank, name)?;
        }
        for filter in &self.filters {
            filter.takes(self, &blank)?;
        }
        let mut chosen = Vec::new();
        if self.headers.unwrap_or(self.columns.is_none()) {
            chosen.push(names.iter().map(|name| json!(name)).collect());
        }
        let mut taken = 0;
        for row in &rows {
            let mut fits = true;
            for filter in &self.filters {
                fits &= filter.takes(self, row)?;
            }
            if fits && taken < self.limit {
                taken += 1;
                let cells: Result<Vec<Value>, Refusal> =
                    names.iter().map(|name| self.cell(row, name).cloned()).collect();
                chosen.push(cells?);
            }
        }
        Ok(chosen)
    }

    /// A row with every column of the table, to look names up in.
    fn blank(&self) -> Row {
        let host = Host { services: BTreeMap::from([(String::new(), Watched::default())]), ..Host::default() };
        let mut site = Site::new("", 1, BTreeMap::from([(String::new(), host)]));
        site.downtimes.insert(0, Downtime::default());
        self.rows(&site).pop().unwrap_or_default()
    }

    fn rows(&self, site: &Site) -> Vec<Row> {
        let row = |cells: Vec<(&str, Value)>| -> Row {
            cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
        match self.table {
            "hosts" => site
                .hosts
                .iter()
                .map(|(name, host)| {
                    let critical = host.services.values().filter(|service| service.state == 2).count();
                    let mut cells = vec![
                        ("name", json!(name)),
                        ("address", json!(host.address)),
                        ("groups", json!(GROUPS)),
                        ("num_services", json!(host.services.len())),
                        ("num_services_crit", json!(critical)),
                    ];
                    cells.extend(both(site, name, None, &host.itself));
                    row(cells)
                })
                .collect(),
            "services" => site
                .hosts
                .iter()
                .flat_map(|(name, host)| {
                    host.services.iter().map(move |(description, service)| {
                        let mut cells = vec![
                            ("description", json!(description)),
                            ("host_name", json!(name)),
                            ("host_address", json!(host.address)),
                            ("host_state", json!(host.itself.state)),
                            ("host_last_check", json!(host.itself.last_check)),
                            ("host_acknowledged", json!(u8::from(host.itself.acknowledged.is_some()))),
                            ("host_scheduled_downtime_depth", json!(site.depth(name, None))),
                            ("host_downtimes_with_info", downtimes_with_info(site, name, None)),
                            ("host_groups", json!(GROUPS)),
                        ];
                        cells.extend(both(site, name, Some(description), service));
                        row(cells)
                    })
                })
                .collect(),
            "downtimes" => site
                .downtimes
                .iter()
                .map(|(id, downtime)| {
                    row(vec![
                        ("id", json!(id)),
                        ("host_name", json!(downtime.host)),
                        ("service_description", json!(downtime.service.as_deref().unwrap_or_default())),
                        ("author", json!(downtime.author)),
                        ("comment", json!(downtime.comment)),
                        ("entry_time", json!(downtime.entered)),
                        ("start_time", json!(downtime.start)),
                        ("end_time", json!(downtime.end)),
                        ("fixed", json!(u8::from(downtime.fixed))),
                        ("duration", json!(downtime.duration)),
                        ("is_service", json!(u8::from(downtime.service.is_some()))),
                        ("is_active", json!(u8::from(downtime.active))),
                    ])
                })
                .collect(),
            _ => vec![row(vec![
                ("program_version", json!(format!("Check_MK 2.3.0 ({SITE})"))),
                ("livestatus_version", json!("2.3.0")),
                ("num_hosts", json!(site.hosts.len())),
                ("num_services", json!(site.hosts.values().map(|host| host.services.len()).sum::<usize>())),
            ])],
        }
    }

    fn written(&self, rows: &[Vec<Value>]) -> String {
        if self.format == Format::Csv {
            let one = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let cell = |value: &Value| match value.as_array() {
                Some(items) => items.iter().map(one).collect::<Vec<_>>().join(","),
                None => one(value),
            };
            let line = |row: &Vec<Value>| row.iter().map(cell).collect::<Vec<_>>().join(";") + "\n";
            return rows.iter().map(line).collect();
        }
        let lines: Vec<String> = rows.iter().map(|row| Value::Array(row.clone()).to_string()).collect();
        format!("[{}]\n", lines.join(",\n"))
    }
}

fn downtimes_with_info(site: &Site, host: &str, service: Option<&str>) -> Value {
    let of = |(_, downtime): &(&u64, &Downtime)| downtime.host == host && downtime.service.as_deref() == service;
    let downtimes = site.downtimes.iter().filter(of);
    downtimes.map(|(id, downtime)| json!([id, downtime.author, downtime.comment])).collect()
}

/// What hosts and services have alike.
fn both(site: &Site, host: &str, service: Option<&str>, watched: &Watched) -> Vec<(&'static str, Value)> {
    let of = |(_, downtime): &(&u64, &Downtime)| downtime.host == host && downtime.service.as_deref() == service;
    let downtimes: Vec<u64> = site.downtimes.iter().filter(of).map(|(id, _)| *id).collect();
    let taken = watched.acknowledged.as_ref();
    let attempts = if service.is_some() { site.attempts } else { 1 };
    vec![
        ("state", json!(watched.state)),
        ("last_check", json!(watched.last_check)),
        ("last_state_change", json!(watched.last_state_change)),
        ("plugin_output", json!(watched.output)),
        ("hard_state", json!(watched.hard_state)),
        ("state_type", json!(u8::from(!watched.is_soft()))),
        ("last_hard_state_change", json!(watched.last_hard_state_change)),
        ("current_attempt", json!(watched.attempt)),
        ("max_check_attempts", json!(attempts)),
        ("acknowledged", json!(u8::from(taken.is_some()))),
        ("acknowledgement_type", json!(taken.map_or(0, |taken| if taken.sticky { 2 } else { 1 }))),
        ("scheduled_downtime_depth", json!(site.depth(host, service))),
        ("downtimes", json!(downtimes)),
        ("downtimes_with_info", downtimes_with_info(site, host, service)),
        ("comments_with_info", watched.comments.iter().map(|one| json!([one.id, one.author, one.text])).collect()),
        (
            "comments_with_extra_info",
            watched.comments.iter().map(|one| json!([one.id, one.author, one.text, one.kind, one.at])).collect(),
        ),
        ("is_flapping", json!(u8::from(watched.flapping))),
        ("current_notification_number", json!(watched.number)),
        ("last_notification", json!(watched.last_notification)),
    ]
}
