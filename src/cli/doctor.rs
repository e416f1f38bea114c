//! `doctor`: every step of the way tried, a line each.

use super::look::harmless;
use super::{Failure, Surroundings};
use crate::app::doctor::{Verdict, doctor};
use crate::config::Config;
use serde_json::json;

/// The exit code is 1 when a step fails.
pub(crate) fn examine(
    config: &Config,
    host: Option<&str>,
    as_json: bool,
    surroundings: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let findings = doctor(config, host)?;
    let out = &mut *surroundings.out;
    let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
    if as_json {
        writeln!(out, "{:#}", json!({"verdict": worst, "findings": findings}))?;
    } else {
        for finding in &findings {
            let word = match finding.verdict {
                Verdict::Ok => "OK",
                Verdict::Warn => "WARN",
                Verdict::Fail => "FAIL",
            };
            let tried = harmless(&finding.tried).replace('\n', " ");
            writeln!(out, "{word:<4}  {:<8}  {tried}", finding.part)?;
            if !finding.advice.is_empty() {
                writeln!(out, "{:16}> {}", "", harmless(&finding.advice).replace('\n', " "))?;
            }
        }
        let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (good, warned, failed) = (count(Verdict::Ok), count(Verdict::Warn), count(Verdict::Fail));
        writeln!(out, "{good} OK, {warned} WARN, {failed} FAIL")?;
    }
    if worst == Verdict::Fail { Err(Failure::Shown) } else { Ok(()) }
}
