//! From a definition to a graph.

use super::definition::{Definition, Named, Said, Task};
use super::semantics::Shape;
use super::{At, Compiler, shared};
use crate::core::workflow::expression::{Tree, has_expression};
use crate::core::workflow::graph::{Assignment, Command, Edge, EdgeOrder, Graph, Input, Items, Node, ORQUESTA, Retry};
use serde_json::Value;
use std::sync::Arc;

/// How often the command `retry` tries again.
const RETRIES: u64 = 3;

/// Makes the graph. What cannot be read is told to the compiler; a graph is of use only where nothing was.
pub(super) fn compose(file: &str, definition: &Definition, compiler: &mut Compiler) -> Graph {
    let shape = Shape::of(definition);
    let count = definition.tasks.len();
    let command = |command| node(command, None, 0);
    let mut nodes: Vec<Node> = definition.tasks.iter().map(|task| compose_task(task, compiler)).collect();
    nodes.extend(Command::ALL.into_iter().map(|it| Node { command: Some(it), ..command(it.word()) }));
    let number = |name: &str| {
        let task = definition.tasks.iter().position(|task| *task.name == *name);
        task.or_else(|| Command::ALL.iter().position(|command| command.word() == name).map(|at| count + at))
    };
    for (from, task) in definition.tasks.iter().enumerate() {
        let mut edges: Vec<Edge> = Vec::new();
        for next in &task.next {
            let condition = next.when.as_ref().map(|when| say(when, compiler));
            let publish: Arc<[Assignment]> = assignments(&next.publish, Some(&next.publish_at), compiler).into();
            // An expression here was meant to be one, and is told; it cannot name a task.
            say(&Said { at: next.to_at.clone(), value: next.written.clone() }, compiler);
            let mut seen = Vec::new();
            for name in &next.to {
                let Some(to) = number(name) else { continue };
                if seen.contains(&to) {
                    continue;
                }
                seen.push(to);
                if nodes[to].command == Some(Command::Retry) {
                    nodes[from].retry = Some(Retry {
                        when: Some(condition.clone().unwrap_or_else(|| completed(compiler))),
                        count: Tree::fixed(Value::from(RETRIES)),
                        delay: None,
                    });
                    continue;
                }
                let to = numbered(to);
                let key = edges.iter().filter(|edge| edge.to == to).count();
                let (condition, publish) = (condition.clone(), Arc::clone(&publish));
                edges.push(Edge { to, key: numbered(key), condition, publish });
            }
        }
        if ORQUESTA.edge_order == EdgeOrder::ByName {
            edges.sort_by(|one, other| {
                let name = |edge: &Edge| Arc::clone(&nodes[edge.to as usize].name);
                (name(one), one.key).cmp(&(name(other), other.key))
            });
        }
        nodes[from].edges = edges;
    }
    for from in 0..count {
        if !shape.is_reachable(&nodes[from].name) {
            continue;
        }
        let edges: Vec<u32> = nodes[from].edges.iter().map(|edge| edge.to).collect();
        for (edge, to) in edges.into_iter().enumerate() {
            let inbound = &mut nodes[to as usize].inbound;
            match inbound.iter_mut().find(|(known, _)| *known == numbered(from)) {
                Some((_, all)) => all.push(numbered(edge)),
                None => inbound.push((numbered(from), vec![numbered(edge)])),
            }
        }
    }
    for node in &mut nodes {
        node.splits = shape.splits(&node.name);
    }
    let roots = shape.roots.iter().filter_map(|name| number(name)).map(numbered).collect();
    let inputs = assignments(&definition.inputs, None, compiler).into_iter();
    Graph {
        policy: ORQUESTA,
        file: file.to_owned(),
        description: definition.description.clone(),
        inputs: inputs.map(|Assignment { name, value }| Input { name, default: value }).collect(),
        variables: assignments(&definition.vars, None, compiler),
        output: assignments(&definition.output, None, compiler),
        timeout: definition.timeout.as_ref().map(|said| say(said, compiler)),
        nodes,
        roots,
    }
}

fn numbered(at: usize) -> u32 {
    u32::try_from(at).expect("a file has fewer values than that")
}

fn completed(compiler: &mut Compiler) -> Tree {
    compiler.compile(&Value::from("<% completed() %>"), &At::default())
}

fn node(name: &str, command: Option<Command>, line: usize) -> Node {
    Node {
        name: shared(name),
        command,
        line,
        action: None,
        input: None,
        items: None,
        delay: None,
        retry: None,
        timeout: None,
        join: None,
        edges: Vec::new(),
        inbound: Vec::new(),
        splits: false,
    }
}

fn say(said: &Said, compiler: &mut Compiler) -> Tree {
    compiler.compile(&said.value, &said.at)
}

/// Values of a list, which stand at its place for Orquesta's inspection.
fn assignments(named: &[Named], list: Option<&At>, compiler: &mut Compiler) -> Vec<Assignment> {
    let compile = |named: &Named| {
        let path = list
            .map_or_else(|| named.at.path.split('[').next().unwrap_or_default().to_owned(), |list| list.path.clone());
        let at = At { path, ..named.at.clone() };
        Assignment { name: Arc::clone(&named.name), value: compiler.compile(&named.value, &at) }
    };
    named.iter().map(compile).collect()
}

fn compose_task(task: &Task, compiler: &mut Compiler) -> Node {
    let mut option = |said: &Option<Said>| said.as_ref().map(|said| say(said, compiler));
    let mut composed = Node {
        join: task.join,
        action: option(&task.action),
        input: option(&task.input),
        delay: option(&task.delay),
        timeout: option(&task.timeout),
        ..node(&task.name, None, task.at.line)
    };
    composed.retry = task.retry.as_ref().map(|retry| Retry {
        when: option(&retry.when),
        count: option(&Some(retry.count.clone())).unwrap_or_else(|| Tree::fixed(Value::Null)),
        delay: option(&retry.delay),
    });
    let concurrency = option(&task.concurrency);
    composed.items = task.items.as_ref().map(|said| items(said, concurrency, compiler));
    composed
}

/// `a, b in <expression>`, or an expression alone.
fn items(said: &Said, concurrency: Option<Tree>, compiler: &mut Compiler) -> Items {
    let text = said.value.as_str().unwrap_or_default();
    let (names, list) = match text.split_once(" in ") {
        Some((names, list)) if !has_expression(names) && !names.trim_start().starts_with(['<', '{']) => {
            (names.split(',').map(|name| shared(name.trim())).collect(), list)
        }
        _ => (Vec::new(), text),
    };
    Items { names, list: compiler.compile(&Value::from(list.trim()), &said.at), concurrency }
}
