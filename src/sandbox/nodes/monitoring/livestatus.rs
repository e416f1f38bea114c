//! Livestatus: questions to the monitoring, line by line, and their answers.
//!
//! `GET` of the tables `hosts`, `services` and `status`, with the headers `Columns`, `Filter`, `And`, `Or`, `Negate`, `Limit`, `OutputFormat`,
//! `ColumnHeaders` and `ResponseHeader`. **What is not known is refused as Livestatus refuses it**, code and text in the `fixed16` header.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Host, SITE};

/// A question that has no answer: Livestatus's code and what it says.
type Refusal = (u16, String);

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
    fixed: bool,
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

const HOST: [&str; 7] =
    ["name", "address", "state", "last_check", "last_state_change", "num_services", "num_services_crit"];
const SERVICE: [&str; 7] =
    ["description", "state", "last_check", "last_state_change", "plugin_output", "host_name", "host_state"];
const STATUS: [&str; 4] = ["program_version", "livestatus_version", "num_hosts", "num_services"];

/// The answer to all that a client sends: of its first question, as long as it does not want to go on.
pub(crate) fn answer(hosts: &BTreeMap<String, Host>, text: &str) -> String {
    let mut said = String::new();
    for question in text.split("\n\n").filter(|question| !question.trim().is_empty()) {
        said.push_str(&one(hosts, question));
        let goes_on = question.lines().any(|line| line.trim().eq_ignore_ascii_case("KeepAlive: on"));
        if !goes_on {
            break;
        }
    }
    said
}

fn one(hosts: &BTreeMap<String, Host>, question: &str) -> String {
    let fixed = question.lines().any(|line| line.trim() == "ResponseHeader: fixed16");
    let (code, body) = match read(question).and_then(|query| Ok(query.written(&query.chosen(hosts)?))) {
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
    let table = *["hosts", "services", "status"]
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
        fixed: false,
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
            "ResponseHeader" => {
                query.fixed = match value {
                    "fixed16" => true,
                    "off" => false,
                    _ => return Err((400, format!("ResponseHeader: invalid value '{value}'"))),
                }
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
    /// The columns of the table by themselves.
    fn all_columns(&self) -> &'static [&'static str] {
        match self.table {
            "hosts" => &HOST,
            "services" => &SERVICE,
            _ => &STATUS,
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
    fn chosen(&self, hosts: &BTreeMap<String, Host>) -> Result<Vec<Vec<Value>>, Refusal> {
        let rows = self.rows(hosts);
        let names: Vec<&str> = match &self.columns {
            Some(columns) => columns.iter().map(String::as_str).collect(),
            None => self.all_columns().to_vec(),
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
        let host = Host {
            address: String::new(),
            state: 0,
            last_check: 0,
            last_state_change: 0,
            services: BTreeMap::from([("", blank_service())]),
            next: std::time::Duration::ZERO,
        };
        self.rows(&BTreeMap::from([(String::new(), host)])).pop().unwrap_or_default()
    }

    fn rows(&self, hosts: &BTreeMap<String, Host>) -> Vec<Row> {
        let row = |cells: Vec<(&str, Value)>| -> Row {
            cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        };
        match self.table {
            "hosts" => hosts
                .iter()
                .map(|(name, host)| {
                    let critical = host.services.values().filter(|service| service.state == 2).count();
                    row(vec![
                        ("name", json!(name)),
                        ("address", json!(host.address)),
                        ("state", json!(host.state)),
                        ("last_check", json!(host.last_check)),
                        ("last_state_change", json!(host.last_state_change)),
                        ("num_services", json!(host.services.len())),
                        ("num_services_crit", json!(critical)),
                    ])
                })
                .collect(),
            "services" => hosts
                .iter()
                .flat_map(|(name, host)| {
                    host.services.iter().map(move |(description, service)| {
                        row(vec![
                            ("description", json!(description)),
                            ("state", json!(service.state)),
                            ("last_check", json!(service.last_check)),
                            ("last_state_change", json!(service.last_state_change)),
                            ("plugin_output", json!(service.output)),
                            ("host_name", json!(name)),
                            ("host_address", json!(host.address)),
                            ("host_state", json!(host.state)),
                            ("host_last_check", json!(host.last_check)),
                        ])
                    })
                })
                .collect(),
            _ => vec![row(vec![
                ("program_version", json!(format!("Check_MK 2.3.0 ({SITE})"))),
                ("livestatus_version", json!("2.3.0")),
                ("num_hosts", json!(hosts.len())),
                ("num_services", json!(hosts.values().map(|host| host.services.len()).sum::<usize>())),
            ])],
        }
    }

    fn written(&self, rows: &[Vec<Value>]) -> String {
        if self.format == Format::Csv {
            let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let line = |row: &Vec<Value>| row.iter().map(cell).collect::<Vec<_>>().join(";") + "\n";
            return rows.iter().map(line).collect();
        }
        let lines: Vec<String> = rows.iter().map(|row| Value::Array(row.clone()).to_string()).collect();
        format!("[{}]\n", lines.join(",\n"))
    }
}

fn blank_service() -> super::Service {
    super::Service { state: 0, output: String::new(), last_check: 0, last_state_change: 0 }
}
