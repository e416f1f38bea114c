//! Evaluating a tree.
//!
//! One [`Run`] is one evaluation: it counts steps and depth. **Every evaluation ends**: each value made, looked at or compared is a step, and
//! steps, depth, the length of collections and of text are bounded.

use super::Context;
use super::error::{Kind, Outcome, fail, shortened};
use super::library::operators;
use super::pattern::Pattern;
use super::resolve;
use super::tree::{Argument, Node, What};
use super::value::{Value, View, deeper};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// How much an evaluation may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Steps in all. One makes or looks at one value, or 32 bytes of text.
    pub steps: u64,
    /// Items of a collection, and what one iterator gives.
    pub items: usize,
    /// Bytes of one text.
    pub text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 4_000_000, items: 1_000_000, text: 1 << 20 }
    }
}

/// How deep evaluation may go, which is also what the reference can do in Python's stack.
const DEEPEST: u16 = 150;

pub(crate) struct Run<'a> {
    pub(crate) context: &'a Context<'a>,
    steps: Cell<u64>,
    depth: Cell<u16>,
    entropy: Cell<u64>,
    /// The regular expressions that were read last, since one is mostly used for many texts.
    patterns: RefCell<Vec<Arc<Pattern>>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(context: &'a Context<'a>) -> Self {
        Self {
            context,
            steps: Cell::new(context.limits.steps),
            depth: Cell::new(0),
            entropy: Cell::new(context.entropy),
            patterns: RefCell::default(),
        }
    }

    /// The regular expression with this text and no flags.
    pub(crate) fn pattern(&self, text: &Arc<str>) -> Outcome<Arc<Pattern>> {
        const KEPT: usize = 8;
        if let Some(known) = self.patterns.borrow().iter().find(|known| known.text == *text) {
            return Ok(known.clone());
        }
        let pattern = Arc::new(Pattern::read(self, text.clone(), "")?);
        let mut patterns = self.patterns.borrow_mut();
        if patterns.len() == KEPT {
            patterns.remove(0);
        }
        patterns.push(pattern.clone());
        Ok(pattern)
    }

    /// Pays for so many steps.
    pub(crate) fn charge(&self, steps: usize) -> Outcome<()> {
        match self.steps.get().checked_sub(steps as u64) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => fail(
                Kind::MemoryQuotaExceeded,
                format!("the expression takes more than {} steps", self.context.limits.steps),
            ),
        }
    }

    /// Pays for going through all of a value.
    pub(crate) fn charge_for(&self, value: &Value) -> Outcome<()> {
        self.charge(value.shape().weight as usize)
    }

    /// Python's `==`, paid for.
    pub(crate) fn same(&self, one: &Value, other: &Value) -> Outcome<bool> {
        self.charge((one.shape().weight.min(other.shape().weight) / 4) as usize)?;
        Ok(one == other)
    }

    /// Whether a value may be a key, and pays for what finding its place takes.
    pub(crate) fn key(&self, value: &Value) -> Outcome<()> {
        value.hashable()?;
        self.charge((value.shape().weight / 4) as usize + 1)
    }

    /// Refuses text that would be longer than may be.
    pub(crate) fn room_for(&self, bytes: usize) -> Outcome<()> {
        let most = self.context.limits.text;
        if bytes > most {
            return fail(Kind::MemoryQuotaExceeded, format!("the text would be longer than {most} bytes"));
        }
        self.charge(bytes / 32)
    }

    pub(crate) fn text(&self, text: impl Into<Arc<str>>) -> Outcome<Value> {
        let text = text.into();
        self.room_for(text.len())?;
        Ok(Value::Text(text))
    }

    /// Refuses a collection that has more items than may be.
    pub(crate) fn fits(&self, items: usize) -> Outcome<()> {
        let most = self.context.limits.items;
        if items > most {
            return fail(Kind::CollectionTooLarge, format!("a collection has more than {most} items"));
        }
        Ok(())
    }

    /// Does something one level deeper.
    pub(crate) fn within<T>(&self, what: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let depth = self.depth.get();
        if depth >= DEEPEST {
            return fail(Kind::Recursion, format!("the evaluation goes deeper than {DEEPEST}"));
        }
        self.depth.set(depth + 1);
        let done = what();
        self.depth.set(depth);
        done
    }

    /// The next number out of the entropy of this evaluation (SplitMix64).
    pub(crate) fn random(&self) -> u64 {
        let state = self.entropy.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.entropy.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Names that an expression sees, one layer above another.
#[derive(Debug, Default)]
pub struct Scope {
    above: Option<Arc<Scope>>,
    names: Vec<(Arc<str>, Value)>,
    function: Option<(Arc<str>, Arc<Lambda>)>,
    /// Here or above a function is defined.
    defines: bool,
    pub(crate) depth: u16,
}

impl Scope {
    pub(crate) fn below(above: &Arc<Self>, names: Vec<(Arc<str>, Value)>) -> Outcome<Arc<Self>> {
        let depth = names.iter().map(|(_, value)| value.shape().depth).fold(above.depth, u16::max);
        let (defines, depth) = (above.defines, deeper(depth)?);
        Ok(Arc::new(Self { above: Some(above.clone()), names, function: None, defines, depth }))
    }

    pub(crate) fn defining(above: &Arc<Self>, name: Arc<str>, body: Arc<Lambda>) -> Outcome<Arc<Self>> {
        let depth = deeper(above.depth.max(body.depth()))?;
        let function = Some((name, body));
        Ok(Arc::new(Self { above: Some(above.clone()), names: Vec::new(), function, defines: true, depth }))
    }

    fn name(&self, name: &str) -> Option<Value> {
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some((_, value)) = here.names.iter().rev().find(|(known, _)| **known == *name) {
                return Some(value.clone());
            }
            scope = here.above.as_deref();
        }
        None
    }

    /// A function that `def` made, and where: it sees itself.
    pub(crate) fn function<'s>(self: &'s Arc<Self>, name: &str) -> Option<(&'s Arc<Lambda>, &'s Arc<Self>)> {
        let mut scope = self.defines.then_some(self);
        while let Some(here) = scope {
            if let Some((known, body)) = &here.function
                && **known == *name
            {
                return Some((body, here));
            }
            scope = here.above.as_ref();
        }
        None
    }
}

/// An expression that waits for its arguments, with the names that it sees.
#[derive(Debug)]
pub struct Lambda {
    pub(crate) body: Argument,
    pub(crate) scope: Arc<Scope>,
}

impl Lambda {
    pub(crate) fn depth(&self) -> u16 {
        self.scope.depth
    }

    /// Its value for these arguments, which are `$1` and so on; `$` is the first.
    pub(crate) fn call(&self, run: &Run<'_>, arguments: &[Value]) -> Outcome<Value> {
        if arguments.is_empty() {
            return self.inside(run, &self.scope);
        }
        let names = arguments.iter().enumerate().map(|(at, value)| (place(at), value.clone())).collect();
        self.inside(run, &Scope::below(&self.scope, names)?)
    }

    /// The same with named arguments, as a function that `def` or `lambda` made is called.
    pub(crate) fn call_named(
        &self,
        run: &Run<'_>,
        scope: &Arc<Scope>,
        arguments: Vec<Value>,
        named: Vec<(Arc<str>, Value)>,
    ) -> Outcome<Value> {
        let mut names: Vec<_> = arguments.into_iter().enumerate().map(|(at, value)| (place(at), value)).collect();
        names.extend(named);
        self.inside(run, &Scope::below(scope, names)?)
    }

    /// Its value where these names are known.
    pub(crate) fn inside(&self, run: &Run<'_>, scope: &Arc<Scope>) -> Outcome<Value> {
        match &self.body {
            Argument::Node(node) => evaluate(run, scope, node),
            Argument::Value(Value::Lambda(inner)) => run.within(|| inner.inside(run, scope)),
            Argument::Value(value) => Ok(value.clone()),
            Argument::Skipped => Ok(Value::Null),
        }
    }
}

/// The name of the argument with this number, counted from nought.
pub(crate) fn place(at: usize) -> Arc<str> {
    thread_local! {
        static PLACES: [Arc<str>; 4] = ["1", "2", "3", "4"].map(Arc::from);
    }
    PLACES.with(|places| places.get(at).cloned()).unwrap_or_else(|| (at + 1).to_string().into())
}

/// The value of a part of an expression.
pub(crate) fn evaluate(run: &Run<'_>, scope: &Arc<Scope>, node: &Arc<Node>) -> Outcome<Value> {
    run.charge(1)?;
    let found = match &node.what {
        What::Constant(value) => return Ok(value.clone()),
        What::Keyword(word) => return Ok(Value::Text(word.clone())),
        What::Variable(name) => return Ok(variable(run, scope, name)),
        What::Wrap(inside) => run.within(|| evaluate(run, scope, inside)),
        What::Function(name, arguments) => run.within(|| resolve::call(run, scope, name, None, arguments)),
        What::Dot(left, right) => run.within(|| dot(run, scope, left, right)),
        What::SafeDot(left, right) => run.within(|| match evaluate(run, scope, left)? {
            Value::Null => Ok(Value::Null),
            value => member(run, scope, value, right),
        }),
        What::Operator(name, arguments) => run.within(|| operator(run, scope, name, arguments)),
        What::Rule(key, item) => run.within(|| {
            let pair = (evaluate(run, scope, key)?, evaluate(run, scope, item)?);
            deeper(pair.0.shape().depth.max(pair.1.shape().depth))?;
            Ok(Value::Rule(Arc::new(pair)))
        }),
    };
    found.map_err(|mut error| {
        error.position.get_or_insert(node.at);
        error
    })
}

fn variable(run: &Run<'_>, scope: &Scope, name: &str) -> Value {
    scope.name(name).or_else(|| run.context.name(name)).unwrap_or(Value::Null)
}

fn dot(run: &Run<'_>, scope: &Arc<Scope>, left: &Arc<Node>, right: &Arc<Node>) -> Outcome<Value> {
    if !matches!(right.what, What::Keyword(_) | What::Function(..)) {
        return not_a_member(right);
    }
    let value = evaluate(run, scope, left)?;
    member(run, scope, value, right)
}

fn not_a_member(right: &Node) -> Outcome<Value> {
    let what = match right.what {
        What::Constant(_) => "quoted text or a number",
        _ => "this",
    };
    fail(Kind::NoMatchingFunction, format!("behind a dot stands a name or a call, not {what}; see also [ ]"))
}

/// What stands behind a dot, for what stands before it.
pub(crate) fn member(run: &Run<'_>, scope: &Arc<Scope>, value: Value, right: &Arc<Node>) -> Outcome<Value> {
    match &right.what {
        What::Keyword(name) => named(run, value, name),
        What::Function(name, arguments) => {
            resolve::call(run, scope, name, Some(value), arguments).map_err(|mut error| {
                error.position.get_or_insert(right.at);
                error
            })
        }
        _ => not_a_member(right),
    }
}

/// `value.name`: an entry of a map, the same of each item of a collection, or a property.
pub(crate) fn named(run: &Run<'_>, value: Value, name: &Arc<str>) -> Outcome<Value> {
    match &value {
        Value::Map(map) => match value.get(name) {
            Some(entry) => Ok(entry.clone()),
            None => no_key(&format!("'{name}'"), map.entries.keys()),
        },
        Value::List(_) | Value::Set(_) | Value::View(..) | Value::Iterator(_) | Value::Ordered(_) => {
            super::iterate::attribute(run, value, name.clone())
        }
        _ => super::library::properties::get(&value, name),
    }
}

/// A key that is not there, with those that are.
pub(crate) fn no_key<'v>(key: &str, known: impl ExactSizeIterator<Item = &'v Value>) -> Outcome<Value> {
    const SHOWN: usize = 10;
    let count = known.len();
    let keys: Vec<_> =
        known.take(SHOWN).map(|key| key.as_text().map_or_else(|| key.kind().to_owned(), shortened)).collect();
    let more = if count > SHOWN { ", …" } else { "" };
    let those =
        if keys.is_empty() { "it is empty".to_owned() } else { format!("its keys are {}{more}", keys.join(", ")) };
    fail(Kind::Key, format!("the map has no key {}; {those}", shortened(key)))
}

fn operator(run: &Run<'_>, scope: &Arc<Scope>, name: &str, arguments: &[Argument]) -> Outcome<Value> {
    match (name, arguments) {
        ("#operator_and", [Argument::Node(left), Argument::Node(right)]) => {
            let value = evaluate(run, scope, left)?;
            if value.is_true() { evaluate(run, scope, right) } else { Ok(value) }
        }
        ("#operator_or", [Argument::Node(left), Argument::Node(right)]) => {
            let value = evaluate(run, scope, left)?;
            if value.is_true() { Ok(value) } else { evaluate(run, scope, right) }
        }
        ("#operator_->", [left, Argument::Node(right)]) => {
            let value = match left.constant() {
                Some(value) => value,
                None => argument(run, scope, left)?,
            };
            match value {
                Value::Scope(names) => evaluate(run, &names, right),
                _ => resolve::no_match(name, false, &[value.kind(), "an expression"]),
            }
        }
        ("#list", items) if items.iter().all(plain) => {
            let items: Vec<_> = items.iter().map(|item| argument(run, scope, item)).collect::<Outcome<_>>()?;
            run.charge(items.len())?;
            Value::tuple(items)
        }
        ("*equal" | "*not_equal", [left, right]) => {
            let (left, right) = (argument(run, scope, left)?, argument(run, scope, right)?);
            Ok(Value::Bool(run.same(&left, &right)? == (name == "*equal")))
        }
        ("#unary_operator_not", [operand]) => Ok(Value::Bool(!argument(run, scope, operand)?.is_true())),
        ("#indexer", [base, at]) if base.constant().is_none() && plain(base) && plain(at) => {
            let base = argument(run, scope, base)?;
            let at = argument(run, scope, at)?;
            match (&base, &at) {
                (Value::Map(map), Value::Text(key)) => match base.get(key) {
                    Some(entry) => Ok(entry.clone()),
                    None => no_key(&format!("'{key}'"), map.entries.keys()),
                },
                _ => resolve::call(run, scope, name, None, &[Argument::Value(base), Argument::Value(at)]),
            }
        }
        (_, [left, right]) if quick(left) && quick(right) => {
            let (left, right) = (argument(run, scope, left)?, argument(run, scope, right)?);
            match operators::quick(run, name, &left, &right)? {
                Some(value) => Ok(value),
                None => resolve::call(run, scope, name, None, &[Argument::Value(left), Argument::Value(right)]),
            }
        }
        _ => resolve::call(run, scope, name, None, arguments),
    }
}

/// An argument that is neither left out nor `a => b`.
fn plain(argument: &Argument) -> bool {
    match argument {
        Argument::Node(node) => !matches!(node.what, What::Rule(..)),
        Argument::Value(_) => true,
        Argument::Skipped => false,
    }
}

/// An operand that every operator takes as far as can be known before it is evaluated.
fn quick(argument: &Argument) -> bool {
    plain(argument) && matches!(argument.constant(), None | Some(Value::Int(_) | Value::Float(_)))
}

/// The value of an argument.
pub(crate) fn argument(run: &Run<'_>, scope: &Arc<Scope>, argument: &Argument) -> Outcome<Value> {
    match argument {
        Argument::Node(node) => evaluate(run, scope, node),
        Argument::Value(value) => Ok(value.clone()),
        Argument::Skipped => Ok(Value::Null),
    }
}

/// What leaves an evaluation: data alone, with everything lazy gone through. Sets become lists.
pub(crate) fn finish(run: &Run<'_>, value: Value) -> Outcome<Value> {
    if value.shape().plain {
        return Ok(value);
    }
    let all = |values: Vec<Value>| {
        let values: Vec<_> = values.into_iter().map(|value| finish(run, value)).collect::<Outcome<_>>()?;
        run.charge(values.len())?;
        Value::tuple(values)
    };
    run.within(|| match &value {
        Value::Map(map) => {
            run.fits(map.entries.len())?;
            run.charge(map.entries.len())?;
            let entries = map.entries.iter().map(|(key, item)| {
                let key = finish(run, key.clone())?;
                Ok((key, finish(run, item.clone())?))
            });
            Value::map_of(entries.collect::<Outcome<_>>()?, true)
        }
        Value::List(list) => {
            run.fits(list.items.len())?;
            all(list.items.clone())
        }
        Value::View(map, View::Keys) => all(map.entries.keys().cloned().collect()),
        Value::Set(_) | Value::View(..) => all(value.members().into_iter().flatten().collect()),
        Value::Iterator(_) | Value::Ordered(_) => {
            let mut source = super::iterate::Source::limited(run, &value)?;
            let mut items = Vec::new();
            while let Some(item) = source.next(run)? {
                items.push(finish(run, item)?);
            }
            Value::tuple(items)
        }
        Value::Lambda(_) | Value::Scope(_) | Value::Rule(_) | Value::Pattern(_) => {
            fail(Kind::Type, format!("the expression ends in {}, which is no data", value.kind()))
        }
        _ => Ok(value.clone()),
    })
}
