//! One of several, and truth.

use super::Entry;
use crate::core::yaql::error::Outcome;
use crate::core::yaql::resolve::Call;
use crate::core::yaql::signature::Way::{Function, FunctionWithRules, Method};
use crate::core::yaql::value::Value;

pub(super) const FUNCTIONS: &[Entry] = &[
    ("switch", FunctionWithRules, "*args: Rule", |call| {
        for rule in &call.rest {
            if let Value::Rule(rule) = rule
                && evaluated(call, &rule.0)?.is_true()
            {
                return evaluated(call, &rule.1);
            }
        }
        Ok(Value::Null)
    }),
    ("selectCase", Function, "*args: Lambda", |call| {
        let mut at = 0_usize;
        for case in &call.rest {
            if evaluated(call, case)?.is_true() {
                break;
            }
            at += 1;
        }
        Ok(Value::from(at))
    }),
    ("selectAllCases", Function, "*args: Lambda", |call| {
        let mut cases = std::mem::take(&mut call.rest).into_iter().enumerate();
        call.lazy(move |run| {
            for (at, case) in cases.by_ref() {
                if waiting(run, &case)?.is_true() {
                    return Ok(Some(Value::from(at)));
                }
            }
            Ok(None)
        })
    }),
    ("examine", Function, "*args: Lambda", |call| {
        let mut cases = std::mem::take(&mut call.rest).into_iter();
        call.lazy(move |run| match cases.next() {
            Some(case) => Ok(Some(Value::Bool(waiting(run, &case)?.is_true()))),
            None => Ok(None),
        })
    }),
    ("switchCase", Method, "case: Int, *args: Lambda", |call| {
        let chosen = usize::try_from(call.whole(0)).ok().and_then(|case| call.rest.get(case));
        match chosen.or(call.rest.last()) {
            Some(chosen) => evaluated(call, chosen),
            None => Ok(Value::Null),
        }
    }),
    ("coalesce", Function, "*args: Lambda", |call| {
        for case in &call.rest {
            let value = evaluated(call, case)?;
            if !matches!(value, Value::Null) {
                return Ok(value);
            }
        }
        Ok(Value::Null)
    }),
    ("bool", Function, "value: Any?", |call| Ok(Value::Bool(call.flag(0)))),
    ("isBoolean", Function, "value: Any?", |call| Ok(Value::Bool(matches!(call.value(0), Value::Bool(_))))),
];

fn evaluated(call: &Call<'_, '_>, case: &Value) -> Outcome<Value> {
    waiting(call.run, case)
}

/// The value of an expression that has waited.
fn waiting(run: &crate::core::yaql::run::Run<'_>, case: &Value) -> Outcome<Value> {
    match case {
        Value::Lambda(lambda) => lambda.call(run, &[]),
        other => Ok(other.clone()),
    }
}
