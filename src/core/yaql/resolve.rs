//! Which function a call means, and calling it.
//!
//! As the reference does it: overloads are sorted out by the number, the names and the constants of the arguments; then what is not a
//! lambda is evaluated, once; then by the types of the values. Of two that fit, the one with narrower types is taken.

use super::error::{Kind, Outcome, fail};
use super::iterate::{Shared, Source};
use super::library;
use super::run::{Lambda, Run, Scope, argument};
use super::signature::{Default, Overload, Parameter, Type, is_rule};
use super::time::Moment;
use super::tree::{Argument, What};
use super::value::{Map, Number, Value};
use std::sync::Arc;

type Named = Vec<(Arc<str>, Argument)>;
/// Values of named arguments.
pub type NamedValues = Vec<(Arc<str>, Value)>;

/// What goes where: for each positional argument and each named one the number of its parameter.
struct Mapping {
    positional: Vec<usize>,
    named: Vec<usize>,
}

/// Calls a function, or a method when there is a receiver.
pub(crate) fn call(
    run: &Run<'_>,
    scope: &Arc<Scope>,
    name: &str,
    receiver: Option<Value>,
    given: &[Argument],
) -> Outcome<Value> {
    if receiver.is_none() {
        if let Some((body, above)) = scope.function(name) {
            let (positional, named) = apart(given)?;
            let positional = positional.iter().map(|given| argument(run, scope, given)).collect::<Outcome<_>>()?;
            let named = named.iter().map(|(name, given)| Ok((name.clone(), argument(run, scope, given)?)));
            return body.call_named(run, above, positional, named.collect::<Outcome<_>>()?);
        }
        if !name.starts_with('#')
            && let Some(found) = run.context.functions.call(name, &Arguments { run, scope, name, given })
        {
            return found;
        }
    }
    let method = receiver.is_some();
    let overloads = library::find(name);
    let mut fitting = overloads.iter().filter(|one| if method { one.method } else { one.function }).peekable();
    let Some(first) = fitting.peek() else { return unknown(name, receiver.as_ref()) };
    let rules = first.rules;
    let mut arguments: Vec<Argument> = receiver.into_iter().map(Argument::Value).collect();
    let named = if rules {
        arguments.extend_from_slice(given);
        Vec::new()
    } else {
        let (positional, named) = apart(given)?;
        arguments.extend(positional);
        named
    };
    choose(run, scope, name, method, fitting, arguments, named)
}

/// Positional arguments and named ones.
fn apart(given: &[Argument]) -> Outcome<(Vec<Argument>, Named)> {
    let (mut positional, mut named) = (Vec::with_capacity(given.len() + 1), Named::new());
    for one in given {
        match one {
            Argument::Node(node) => match &node.what {
                What::Rule(key, item) => match &key.what {
                    What::Keyword(word) => {
                        named.retain(|(known, _)| known != word);
                        named.push((word.clone(), Argument::Node(item.clone())));
                    }
                    _ => {
                        return fail(
                            Kind::MappingTranslation,
                            "before `=>` stands the name of an argument, without quotes",
                        );
                    }
                },
                _ => positional.push(one.clone()),
            },
            _ => positional.push(one.clone()),
        }
    }
    Ok((positional, named))
}

fn choose<'o>(
    run: &Run<'_>,
    scope: &Arc<Scope>,
    name: &str,
    method: bool,
    overloads: impl Iterator<Item = &'o Overload>,
    mut arguments: Vec<Argument>,
    mut named: Named,
) -> Outcome<Value> {
    let mut candidates: Vec<(&Overload, Mapping)> = Vec::new();
    for overload in overloads {
        if let Some(mapping) = map(overload, &arguments, &named) {
            candidates.push((overload, mapping));
        }
    }
    let Some((first, mapping)) = candidates.first() else { return no_match_for(name, method, &arguments) };
    let lazy = |overload: &Overload, at: &usize| overload.parameter(*at).is_some_and(Parameter::lazy);
    for (overload, other) in &candidates[1..] {
        let alike = other
            .positional
            .iter()
            .zip(&mapping.positional)
            .all(|(at, first_at)| lazy(overload, at) == lazy(first, first_at));
        if !alike {
            return ambiguous(name, method);
        }
    }
    let evaluated = |given: &mut Argument| {
        if matches!(given, Argument::Node(_)) && given.constant().is_none() {
            *given = Argument::Value(argument(run, scope, given)?);
        }
        Outcome::Ok(())
    };
    for (given, at) in arguments.iter_mut().zip(&mapping.positional) {
        if !lazy(first, at) {
            evaluated(given)?;
        }
    }
    for ((_, given), at) in named.iter_mut().zip(&mapping.named) {
        if *at == REST || !lazy(first, at) {
            evaluated(given)?;
        }
    }
    let mut winner: Option<(&Overload, &Mapping)> = None;
    for (overload, mapping) in &candidates {
        let takes =
            |at: &usize, given: &Argument| overload.parameter(*at).is_none_or(|parameter| parameter.takes(given));
        let fits = mapping.positional.iter().zip(&arguments).all(|(at, given)| takes(at, given))
            && mapping.named.iter().zip(&named).all(|(at, (_, given))| *at == REST || takes(at, given));
        if !fits {
            continue;
        }
        if let Some(best) = winner {
            if narrower(best, (*overload, mapping)) {
                continue;
            }
            if !narrower((*overload, mapping), best) {
                return ambiguous(name, method);
            }
        }
        winner = Some((*overload, mapping));
    }
    let Some((overload, mapping)) = winner else { return no_match_for(name, method, &arguments) };
    let mut call = Call::new(run, scope, overload, mapping, arguments, named)?;
    (overload.body)(&mut call)
}

/// The number of what takes the rest, and of what takes other names.
const REST: usize = usize::MAX;

fn map(overload: &Overload, arguments: &[Argument], named: &Named) -> Option<Mapping> {
    let mut positional = vec![REST; arguments.len()];
    let mut taken = vec![REST; named.len()];
    for (at, parameter) in overload.parameters.iter().enumerate() {
        let by_name = named.iter().position(|(name, _)| **name == *parameter.name);
        match (arguments.get(at), by_name) {
            (Some(Argument::Node(_) | Argument::Value(_)), Some(_)) => return None,
            (Some(Argument::Node(_) | Argument::Value(_)), None) => positional[at] = at,
            (skipped, Some(by_name)) => {
                taken[by_name] = at;
                if skipped.is_some() {
                    positional[at] = at;
                }
            }
            (_, None) if parameter.default.is_none() => return None,
            (Some(Argument::Skipped), None) => positional[at] = at,
            (None, None) => {}
        }
    }
    if taken.contains(&REST) && !overload.extra {
        return None;
    }
    for (at, given) in positional.iter().zip(arguments) {
        let parameter = overload.parameter(*at)?;
        if !parameter.takes(given) {
            return None;
        }
    }
    for (at, (_, given)) in taken.iter().zip(named) {
        if *at != REST && !overload.parameter(*at)?.takes(given) {
            return None;
        }
    }
    Some(Mapping { positional, named: taken })
}

fn narrower((one, one_mapping): (&Overload, &Mapping), (other, other_mapping): (&Overload, &Mapping)) -> bool {
    let mut narrower = false;
    for (at, other_at) in one_mapping.positional.iter().zip(&other_mapping.positional) {
        if let (Some(mine), Some(theirs)) = (one.parameter(*at), other.parameter(*other_at)) {
            if theirs.narrower_than(mine) {
                return false;
            }
            narrower |= mine.narrower_than(theirs);
        }
    }
    narrower
}

/// How people write the function with this name.
fn shown(name: &str) -> String {
    let operator = name.strip_prefix("#operator_").or_else(|| name.strip_prefix("#unary_operator_"));
    match (name, operator) {
        (_, Some(operator)) => format!("`{operator}`"),
        ("#indexer", _) => "`[ ]` behind a value".to_owned(),
        ("#list", _) => "a list in `[ ]`".to_owned(),
        ("#map", _) => "a map in `{ }`".to_owned(),
        ("#call", _) => "a call".to_owned(),
        _ => format!("`{name}`"),
    }
}

fn unknown(name: &str, receiver: Option<&Value>) -> Outcome<Value> {
    let elsewhere = match (library::find(name).is_empty(), receiver) {
        (true, _) => String::new(),
        (false, Some(_)) => format!("; it is called as {name}(value)"),
        (false, None) => format!("; it is called behind a dot, as value.{name}()"),
    };
    match receiver {
        Some(receiver) => fail(Kind::NoMethod, format!("there is no `.{name}()` for {}{elsewhere}", receiver.kind())),
        None => fail(Kind::NoFunction, format!("there is no function `{name}`{elsewhere}")),
    }
}

fn no_match_for(name: &str, method: bool, arguments: &[Argument]) -> Outcome<Value> {
    let kinds: Vec<_> = arguments
        .iter()
        .map(|given| match (given.constant(), given) {
            (Some(value), _) => value.kind(),
            (None, Argument::Skipped) => "nothing",
            (None, given) if is_rule(given) => "a pair with =>",
            _ => "an expression",
        })
        .collect();
    no_match(name, method, &kinds)
}

/// The error for arguments that a function does not take.
pub(crate) fn no_match(name: &str, method: bool, kinds: &[&str]) -> Outcome<Value> {
    let given = match kinds {
        [] => "no arguments".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    let kind = if method { Kind::NoMatchingMethod } else { Kind::NoMatchingFunction };
    fail(kind, format!("{} does not take {given}", shown(name)))
}

fn ambiguous(name: &str, method: bool) -> Outcome<Value> {
    let kind = if method { Kind::AmbiguousMethod } else { Kind::AmbiguousFunction };
    fail(kind, format!("it is not clear which {} is meant", shown(name)))
}

/// The arguments of a function of the caller's, evaluated when it asks.
pub struct Arguments<'c> {
    run: &'c Run<'c>,
    scope: &'c Arc<Scope>,
    name: &'c str,
    given: &'c [Argument],
}

impl Arguments<'_> {
    /// Their values by the parameters that the function has: first those without, then those with a default, which are `None` when they
    /// are not given.
    ///
    /// # Errors
    /// When there are too few, too many or unknown ones, and when evaluating one fails.
    pub fn take<const N: usize>(&self, required: usize, names: [&str; N]) -> Outcome<[Option<Value>; N]> {
        let mut values = [const { None }; N];
        let (positional, named) = match self.given {
            [] => (Vec::new(), Vec::new()),
            given => apart(given)?,
        };
        let known = |(name, _): &(Arc<str>, Argument)| names.iter().position(|known| **known == **name);
        let fits = positional.len() <= N
            && named.iter().all(|one| known(one).is_some_and(|at| at >= positional.len()))
            && (positional.len()..required).all(|at| named.iter().any(|one| known(one) == Some(at)));
        if !fits {
            return no_match_for(self.name, false, &positional).map(|_| values);
        }
        for (value, given) in values.iter_mut().zip(&positional) {
            *value = Some(argument(self.run, self.scope, given)?);
        }
        for one in &named {
            if let Some(at) = known(one) {
                values[at] = Some(argument(self.run, self.scope, &one.1)?);
            }
        }
        Ok(values)
    }

    /// All positional values, and the named ones.
    ///
    /// # Errors
    /// When evaluating one fails.
    pub fn all(&self) -> Outcome<(Vec<Value>, NamedValues)> {
        let (positional, named) = apart(self.given)?;
        let positional =
            positional.iter().map(|given| argument(self.run, self.scope, given)).collect::<Outcome<_>>()?;
        let named = named.iter().map(|(name, given)| Ok((name.clone(), argument(self.run, self.scope, given)?)));
        Ok((positional, named.collect::<Outcome<_>>()?))
    }

    /// The items of what can be gone through.
    ///
    /// # Errors
    /// When it cannot be, or has too many.
    pub fn items(&self, value: &Value) -> Outcome<Vec<Value>> {
        Source::limited(self.run, value)?.collect(self.run)
    }

    /// A value with all that is lazy in it gone through.
    ///
    /// # Errors
    /// When it is no data, or too much.
    pub fn data(&self, value: Value) -> Outcome<Value> {
        super::run::finish(self.run, value)
    }
}

/// A call of a function of the library, with its arguments in their places.
pub(crate) struct Call<'c, 'r> {
    pub(crate) run: &'c Run<'r>,
    pub(crate) scope: &'c Arc<Scope>,
    /// By parameter; `None` is nothing at all.
    pub(crate) arguments: Vec<Option<Value>>,
    pub(crate) rest: Vec<Value>,
    pub(crate) extra: Vec<(Arc<str>, Value)>,
    depth: u16,
}

impl<'c, 'r> Call<'c, 'r> {
    fn new(
        run: &'c Run<'r>,
        scope: &'c Arc<Scope>,
        overload: &Overload,
        mapping: &Mapping,
        arguments: Vec<Argument>,
        named: Named,
    ) -> Outcome<Self> {
        let mut call = Self {
            run,
            scope,
            arguments: Vec::with_capacity(overload.parameters.len()),
            rest: Vec::new(),
            extra: Vec::new(),
            depth: 0,
        };
        call.arguments.extend(overload.parameters.iter().map(|parameter| match &parameter.default {
            Some(Default::Value(value)) => Some(value.clone()),
            _ => None,
        }));
        for (at, given) in mapping.positional.iter().zip(arguments) {
            if matches!(given, Argument::Skipped) {
                continue;
            }
            let kind = overload.parameter(*at).map_or(Type::Any, |parameter| parameter.kind);
            let value = call.ready(kind, given);
            match call.arguments.get_mut(*at) {
                Some(place) => *place = Some(value),
                None => call.rest.push(value),
            }
        }
        for (at, (name, given)) in mapping.named.iter().zip(named) {
            let kind = overload.parameters.get(*at).map_or(Type::Any, |parameter| parameter.kind);
            let given = match (kind, &given) {
                (Type::Lambda, _) | (_, Argument::Value(_)) => given,
                _ => Argument::Value(argument(run, scope, &given)?),
            };
            let value = call.ready(kind, given);
            match call.arguments.get_mut(*at) {
                Some(place) => *place = Some(value),
                None => call.extra.push((name, value)),
            }
        }
        Ok(call)
    }

    fn ready(&mut self, kind: Type, given: Argument) -> Value {
        let lambda = |body| Value::Lambda(Arc::new(Lambda { body, scope: self.scope.clone() }));
        let value = match (kind, given) {
            (Type::Lambda, Argument::Value(Value::Null)) => Value::Null,
            (Type::Lambda, Argument::Value(Value::Lambda(ready))) => Value::Lambda(ready),
            (Type::Lambda, given) => lambda(given),
            (_, given) => match (given.constant(), given) {
                (Some(value), _) => value,
                (None, Argument::Node(node)) => match &node.what {
                    What::Rule(key, item) => Value::Rule(Arc::new((
                        lambda(Argument::Node(key.clone())),
                        lambda(Argument::Node(item.clone())),
                    ))),
                    _ => Value::Null,
                },
                (None, _) => Value::Null,
            },
        };
        self.depth = self.depth.max(value.shape().depth);
        value
    }

    /// The argument with this number, which is null when it is not there.
    pub(crate) fn value(&self, at: usize) -> Value {
        self.arguments.get(at).cloned().flatten().unwrap_or(Value::Null)
    }

    /// The argument with this number, if it was given.
    pub(crate) fn given(&self, at: usize) -> Option<Value> {
        self.arguments.get(at).cloned().flatten()
    }

    pub(crate) fn is_null(&self, at: usize) -> bool {
        matches!(self.arguments.get(at), None | Some(None | Some(Value::Null)))
    }

    pub(crate) fn whole(&self, at: usize) -> i128 {
        match self.arguments.get(at) {
            Some(Some(Value::Int(number))) => *number,
            Some(Some(Value::Bool(true))) => 1,
            _ => 0,
        }
    }

    pub(crate) fn number(&self, at: usize) -> Number {
        self.value(at).number().unwrap_or(Number::Int(0))
    }

    pub(crate) fn flag(&self, at: usize) -> bool {
        self.value(at).is_true()
    }

    pub(crate) fn text(&self, at: usize) -> Arc<str> {
        match self.arguments.get(at) {
            Some(Some(Value::Text(text))) => text.clone(),
            _ => "".into(),
        }
    }

    /// The text, or nothing for null.
    pub(crate) fn text_or(&self, at: usize) -> Option<Arc<str>> {
        match self.arguments.get(at) {
            Some(Some(Value::Text(text))) => Some(text.clone()),
            _ => None,
        }
    }

    pub(crate) fn map(&self, at: usize) -> Arc<Map> {
        match self.value(at) {
            Value::Map(map) => map,
            _ => Arc::new(Map { entries: indexmap::IndexMap::new(), frozen: true, shape: Value::Null.shape() }),
        }
    }

    pub(crate) fn span(&self, at: usize) -> i64 {
        match self.value(at) {
            Value::Span(span) => span,
            _ => 0,
        }
    }

    pub(crate) fn moment(&self, at: usize) -> Moment {
        match self.value(at) {
            Value::Moment(moment) => moment,
            _ => Moment::EPOCH,
        }
    }

    pub(crate) fn lambda(&self, at: usize) -> Option<Arc<Lambda>> {
        match self.value(at) {
            Value::Lambda(lambda) => Some(lambda),
            _ => None,
        }
    }

    /// The items of a collection, with the limit that those have.
    pub(crate) fn items(&self, at: usize) -> Outcome<Source> {
        Source::limited(self.run, &self.value(at))
    }

    /// All items of a collection.
    pub(crate) fn all(&self, at: usize) -> Outcome<Vec<Value>> {
        self.items(at)?.collect(self.run)
    }

    /// An iterator that holds this call's arguments.
    pub(crate) fn lazy(&self, step: impl FnMut(&Run<'_>) -> Outcome<Option<Value>> + Send + 'static) -> Outcome<Value> {
        Shared::value(self.depth, step)
    }

    /// Calls another function of the language with values.
    pub(crate) fn delegate(&self, name: &str, values: Vec<Value>) -> Outcome<Value> {
        let arguments: Vec<_> = values.into_iter().map(Argument::Value).collect();
        call(self.run, self.scope, name, None, &arguments)
    }
}
