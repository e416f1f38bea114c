//! Templates, and behind a line `===` what somebody typed, which is a value of theirs.

use halcyon::core::action::spec::ParameterType;
use halcyon::core::template::render::{LARGEST_OUTPUT, is_template, names, render, render_value};
use halcyon::core::template::value::{cast, python, written};
use serde_json::{Map, Value, json};

/// A value that is there for those templates only that name it.
const HIDDEN: &str = "q7zHiddenq7z";

pub(crate) fn check(data: &[u8]) {
    let text = super::text(data);
    let (template, typed) = text.split_once("\n===\n").unwrap_or((&text, &text));
    values(typed);
    if data.len().is_multiple_of(4) {
        tainted(typed);
    }
    // A hundred million times the same, compared with as much, is beyond what the engine lets us bound; fuzz/README.md tells.
    let many = template.as_bytes().windows(6).any(|digits| digits.iter().all(u8::is_ascii_digit));
    if many && template.contains('*') {
        return;
    }
    let context = context(typed);
    let rendered = render(template, &context);
    if let Err(error) = &rendered {
        super::inside(error.line, template);
        assert!(!error.message.is_empty());
    }
    assert_eq!(rendered, render(template, &context), "a template means one thing");
    let named = names(template);
    if let Ok(output) = rendered {
        assert!(output.len() <= LARGEST_OUTPUT);
        let named = named.unwrap();
        let shows = output.contains(HIDDEN) && !text.contains(HIDDEN);
        assert!(!shows || named.contains("hidden"), "{template:?} shows what it does not name");
    }
    let inside = json!([template, {"key": template}]);
    if let Ok(value) = render_value(&inside, &context) {
        assert!(value.is_array());
    }
}

fn context(typed: &str) -> Map<String, Value> {
    let json = serde_json::from_str(typed).unwrap_or(Value::Null);
    let context = json!({
        "typed": typed, "hidden": HIDDEN, "json": json, "number": -3, "float": 2.5, "none": null, "truth": true,
        "list": ["a", typed, 3], "map": {"key": typed, "other": [1, {"deep": null}]},
    });
    context.as_object().cloned().unwrap_or_default()
}

/// What somebody typed is shown, whatever it looks like, and never rendered.
fn tainted(typed: &str) {
    let context = context(typed);
    let whole = |template: &str| render(template, &context).unwrap();
    assert_eq!(whole("{{ typed }}"), typed);
    assert_eq!(whole("{{ map.key }}{{ list[1] }}"), typed.repeat(2));
    assert_eq!(whole("{{ typed | default('x') | string }}"), typed);
    assert_eq!(whole("{% if typed == map['key'] %}{{ typed ~ '' }}{% endif %}"), typed);
    assert_eq!(whole("{% for item in [typed] %}{{ item }}{% endfor %}"), typed);
    assert_eq!(whole("{{ [typed] }}"), python(&json!([typed])));
    assert_eq!(serde_json::from_str::<Value>(&whole("{{ typed | to_json_string }}")).unwrap(), Value::from(typed));
    let structure = render_value(&json!({"a": "{{typed}}", "b": ["{{ typed }}"]}), &context).unwrap();
    assert_eq!(structure, json!({"a": typed, "b": [typed]}));
    if !is_template(typed) {
        assert_eq!(render_value(&Value::from(typed), &context).unwrap(), Value::from(typed));
    }
}

fn values(typed: &str) {
    use ParameterType::{Array, Boolean, Integer, Null, Number, Object, String};
    let value = Value::from(typed);
    for kind in [String, Integer, Number, Boolean, Array, Object, Null] {
        let Some(read) = cast(&value, kind) else { continue };
        let fits = match kind {
            String => read.is_string(),
            Integer => read.is_i64() || read.is_u64(),
            Number => read.is_number(),
            Boolean => read.is_boolean(),
            Array => read.is_array(),
            Object => read.is_object(),
            Null => read.is_null(),
        };
        assert!(fits || read.is_null(), "{typed:?} as {kind:?} is {read}");
        assert_eq!(cast(&read, kind).as_ref(), Some(&read), "a cast value stays");
        // What is shown of a structure reads back as it.
        if matches!(kind, Array | Object) && fits {
            assert_eq!(cast(&Value::from(written(&read)), kind), Some(read));
        }
    }
}
