//! An expression, and behind a line `===` the JSON that it is about.

use halcyon::core::yaql::{Context, Embedded, Expression, Limits, Value, YaqlError, python};
use serde_json::Value as Json;

/// Fewer steps than are usual, so that an input takes its second at most.
const LIMITS: Limits = Limits { steps: 200_000, items: 10_000, text: 1 << 16 };

pub(crate) fn check(data: &[u8]) {
    let text = super::text(data);
    let (written, json) = text.split_once("\n===\n").unwrap_or((&text, "null"));
    let json: Json = serde_json::from_str(json).unwrap_or(Json::Null);
    let Ok(root) = Value::from_json(&json) else { return };
    assert_eq!(root.to_json().ok(), Some(json), "JSON comes back as it was");
    let context = Context { root, entropy: 1, limits: LIMITS, ..Context::empty() };
    if let Ok(Some(embedded)) = Embedded::parse(written) {
        assert!(Embedded::is_in(written));
        let _ = embedded.evaluate(&context);
    }
    match Expression::parse(written) {
        Ok(expression) => evaluated(&expression, &context),
        Err(error) => told(&error, written),
    }
}

fn evaluated(expression: &Expression, context: &Context<'_>) {
    let outcome = expression.evaluate(context);
    match &outcome {
        Ok(value) => {
            let again = expression.evaluate(context).unwrap_or_else(|error| panic!("the second time: {error}"));
            assert_eq!(python(value), python(&again), "an expression means one thing");
            // What has left an expression is data, which comes in again as it went.
            if let Ok(json) = value.to_json() {
                let back = Value::from_json(&json).and_then(|back| back.to_json());
                assert_eq!(back.ok(), Some(json));
            }
        }
        Err(error) => told(error, expression.text()),
    }
}

/// An error says something, about a place inside the expression.
fn told(error: &YaqlError, text: &str) {
    assert!(!error.message.is_empty());
    assert_eq!(error.text.len(), text.len());
    if let Some(position) = error.position {
        assert!(position <= text.chars().count(), "character {position} of {text:?}");
    }
}
