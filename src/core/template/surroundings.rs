//! What a template can look at besides the parameters: the datastore (`st2kv`), a pack's configuration (`config_context`), the circumstances
//! of an execution (`action_context`).
//!
//! A namespace is a pure lookup that the caller hands to the renderer. It is asked only for what a template really uses, and every answer that
//! a template got is handed back with the rendered text ([`Taken`]): what must not be seen and what must not reach a shell is judged by that.

use crate::core::template::render::into_jinja;
use minijinja::Value as Jinja;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A namespace of values.
pub trait Lookup: fmt::Debug + Send + Sync {
    /// What stands at a path below the namespace's own name: `st2kv.system.a` is asked for as `["system", "a"]`, and before it `["system"]`
    /// and `[]`. The same path is given the same answer throughout a rendering.
    fn find(&self, path: &[String]) -> Found;
}

/// Opens sealed text for the filter `decrypt_kv`.
pub trait Unseal: fmt::Debug + Send + Sync {
    /// The text inside.
    ///
    /// # Errors
    /// Why it cannot be opened, as the rest of a sentence that begins with the filter's name.
    fn unseal(&self, sealed: &str) -> Result<String, String>;
}

/// The answer of a [`Lookup`].
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Nothing; a template that uses it fails as with any unknown name.
    Missing,
    /// A value. One that is a map is walked into by asking for the paths below it; any other is taken as it is.
    Value(Entry),
    /// A value that should be there and cannot be had: why, as a sentence. A template that uses it fails with it.
    Failed(String),
    /// A step on the way, which shows as this text where a template shows it: the datastore's keys have points in them, so that `a` may hold
    /// something and `a.b` as well, and a key that does not exist shows as empty text.
    Step(Option<Entry>),
}

/// A value of a namespace, and how careful one has to be with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// It must not be seen.
    pub secret: bool,
    /// It is the word of whoever administers the bot or wrote the pack: it may stand in a shell command whatever it holds.
    pub trusted: bool,
}

/// A value that a template got from its surroundings.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// How the template names it: `st2kv.system.a`; of opened text `decrypt_kv`.
    pub name: String,
    /// The value.
    pub entry: Entry,
}

/// The namespaces of one rendering.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    namespaces: BTreeMap<String, Arc<dyn Lookup>>,
    unseal: Option<Arc<dyn Unseal>>,
}

impl Surroundings {
    /// Adds a namespace under the name that templates use for it.
    #[must_use]
    pub fn with(mut self, name: &str, lookup: Arc<dyn Lookup>) -> Self {
        self.namespaces.insert(name.to_owned(), lookup);
        self
    }

    /// Lets templates open sealed text.
    #[must_use]
    pub fn unsealing(mut self, unseal: Arc<dyn Unseal>) -> Self {
        self.unseal = Some(unseal);
        self
    }

    /// What stands at a path of a namespace.
    pub fn find(&self, name: &str, path: &[String]) -> Found {
        self.namespaces.get(name).map_or(Found::Missing, |lookup| lookup.find(path))
    }

    /// Whether there is such a namespace.
    pub fn has(&self, name: &str) -> bool {
        self.namespaces.contains_key(name)
    }
}

/// A namespace whose values are known beforehand and all alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed(pub Entry);

impl Lookup for Fixed {
    fn find(&self, path: &[String]) -> Found {
        let mut value = &self.0.value;
        for step in path {
            match value.get(step) {
                Some(inside) => value = inside,
                None => return Found::Missing,
            }
        }
        Found::Value(Entry { value: value.clone(), ..self.0 })
    }
}

/// What was taken so far in a rendering.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Vec<Taken>>>);

impl Record {
    fn add(&self, name: String, entry: Entry) {
        let taken = Taken { name, entry };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&taken) {
            all.push(taken);
        }
    }

    /// Whether something that must not be seen was taken.
    pub(crate) fn holds_secret(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|taken| taken.entry.secret)
    }

    pub(crate) fn all(&self) -> Vec<Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where the context keeps what opens sealed text; no template can spell it.
pub(crate) const OPENER: &str = "\0unseal";

/// The names of one rendering.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) values: BTreeMap<String, Jinja>,
    pub(crate) surroundings: Surroundings,
    pub(crate) record: Record,
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        if key == OPENER {
            let unseal = self.surroundings.unseal.clone()?;
            return Some(Jinja::from_object(Opener { unseal, record: self.record.clone() }));
        }
        if let Some(value) = self.values.get(key) {
            return Some(value.clone());
        }
        let lookup = self.surroundings.namespaces.get(key)?;
        Place { lookup: Arc::clone(lookup), record: self.record.clone(), name: key.to_owned(), path: Vec::new() }
            .value()
    }
}

/// Opens sealed text and remembers that it did.
#[derive(Debug)]
pub(crate) struct Opener {
    unseal: Arc<dyn Unseal>,
    record: Record,
}

impl Object for Opener {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Opener {
    pub(crate) fn open(&self, sealed: &str) -> Result<String, String> {
        let text = self.unseal.unseal(sealed)?;
        let entry = Entry { value: Value::from(text.as_str()), secret: true, trusted: false };
        self.record.add("decrypt_kv".to_owned(), entry);
        Ok(text)
    }
}

/// A place in a namespace that has been asked for.
#[derive(Debug, Clone)]
struct Place {
    lookup: Arc<dyn Lookup>,
    record: Record,
    name: String,
    path: Vec<String>,
}

impl Place {
    fn below(&self, step: &str) -> Self {
        let mut below = self.clone();
        below.path.push(step.to_owned());
        below
    }

    fn spoken(&self) -> String {
        let mut spoken = self.name.clone();
        for step in &self.path {
            spoken.push('.');
            spoken.push_str(step);
        }
        spoken
    }

    fn value(self) -> Option<Jinja> {
        match self.lookup.find(&self.path) {
            Found::Missing => None,
            Found::Failed(why) => Some(Jinja::from(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, why))),
            Found::Value(Entry { value: Value::Object(map), .. }) => {
                let keys = map.into_iter().map(|(key, _)| key).collect();
                Some(Jinja::from_object(Branch { place: self, keys }))
            }
            Found::Value(entry) => {
                let value = into_jinja(&entry.value);
                self.record.add(self.spoken(), entry);
                Some(value)
            }
            Found::Step(entry) => Some(Jinja::from_object(Step { place: self, entry })),
        }
    }
}

/// A map of a namespace.
#[derive(Debug)]
pub(crate) struct Branch {
    place: Place,
    keys: Vec<String>,
}

impl Object for Branch {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.place.below(key.as_str()?).value()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.keys.iter().map(|key| Jinja::from(key.as_str())).collect())
    }
}

/// A step on the way to a value, which is text if it is shown itself.
#[derive(Debug)]
pub(crate) struct Step {
    place: Place,
    entry: Option<Entry>,
}

impl Step {
    /// How templates name it.
    pub(crate) fn spoken(&self) -> String {
        self.place.spoken()
    }

    /// The text that it shows, which counts as taken from now on.
    pub(crate) fn text(&self) -> String {
        let Some(entry) = &self.entry else { return String::new() };
        self.place.record.add(self.place.spoken(), entry.clone());
        crate::core::template::value::written(&entry.value)
    }
}

impl Object for Step {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.place.below(key.as_str()?).value()
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.text().is_empty()
    }

    fn render(self: &Arc<Self>, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text())
    }
}
