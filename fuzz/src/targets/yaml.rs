//! One text as YAML.

use halcyon::core::content::yaml::{MAX_DEPTH, MAX_NODES, Node, Value, read};

pub(crate) fn check(data: &[u8]) {
    let text = super::text(data);
    let (root, diagnostics) = read("some.yaml", &text);
    let again = read("some.yaml", &text);
    assert!(root == again.0 && diagnostics == again.1, "a text means one thing");
    for diagnostic in &diagnostics {
        assert_eq!(diagnostic.file, "some.yaml");
        super::inside(diagnostic.line, &text);
    }
    match root {
        Some(root) => {
            let mut nodes = 0;
            walk(&root, &text, 0, &mut nodes);
            assert!(nodes <= MAX_NODES, "{nodes} nodes");
            drop(root.json());
        }
        None => assert!(!diagnostics.is_empty(), "what cannot be read is said"),
    }
}

fn walk(node: &Node, text: &str, depth: usize, nodes: &mut usize) {
    *nodes += 1;
    assert!(depth <= MAX_DEPTH, "{depth} levels");
    assert!(node.column >= 1);
    super::inside(Some(node.line), text);
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| walk(item, text, depth + 1, nodes)),
        Value::Map(entries) => {
            for (place, entry) in entries.iter().enumerate() {
                super::inside(Some(entry.line), text);
                assert!(
                    entries.len() > 50 || entries[..place].iter().all(|other| other.key != entry.key),
                    "two equal keys"
                );
                walk(&entry.node, text, depth + 1, nodes);
            }
        }
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Text(_) => {}
    }
}
