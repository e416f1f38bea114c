//! From a line of chat to the aliases that it may mean.
//!
//! Formats are found by words that every line of theirs must hold: by the first two words where a format begins with words, else by the
//! rarest of its words wherever it stands, and only formats without any certain word are tried on each line.
//!
//! **Formats of `match_multiple` are tried on what no other format reads**, as in StackStorm: those that stand for whole lines by an index of
//! their own, those that are looked for inside a line by one pass for all of them together.

use crate::core::alias::formats::Formats;
#[cfg(doc)]
use crate::core::alias::grammar::MOST_MATCHES;
use crate::core::alias::grammar::{Exhausted, Format, Reading};
use crate::core::alias::outline::{Outline, folded};
use crate::core::alias::pairs::Tail;
use crate::core::alias::spec::Alias;
use crate::core::alias::suggest::nearest;
use crate::core::content::diagnostic::{Diagnostic, Severity};
use crate::core::id::{ActionRef, AliasRef};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something about one format, with the alias that it belongs to. Only an [`Severity::Error`] or [`Severity::NotSupported`] keeps the format
/// from being matched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormatProblem {
    /// Whose format.
    pub alias: AliasRef,
    /// Where, and what is wrong.
    pub diagnostic: Diagnostic,
}

/// All formats in force, ready to be matched.
#[derive(Debug, Default)]
pub struct Matcher {
    pub(crate) entries: Vec<Entry>,
    index: Index,
    /// The formats of `match_multiple`.
    multiple: Multiple,
    /// Every word of a plain format, with the formats that it stands in.
    vocabulary: BTreeMap<String, Vec<usize>>,
}

/// One representation of one alias.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) alias: Arc<Alias>,
    pub(crate) display: Arc<str>,
    pub(crate) representation: Arc<str>,
    pub(crate) format: Arc<Format>,
    pub(crate) known: Option<Arc<BTreeSet<String>>>,
    pub(crate) multiple: bool,
    /// What help shows of a format whose rows only the expression itself could tell.
    shown: Option<Outline>,
}

impl Entry {
    /// The rows of words and parameters by which its lines are written.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Outline> {
        self.format.outlines().iter().chain(&self.shown).filter(|outline| outline.plain())
    }
}

/// A line read by a format.
#[derive(Debug, Clone)]
pub struct Match {
    /// The alias.
    pub alias: Arc<Alias>,
    /// The format as help shows it.
    pub display: Arc<str>,
    /// The format that matched.
    pub representation: Arc<str>,
    /// Captures, defaults of the format, and the pairs at the end of the line.
    pub parameters: BTreeMap<String, String>,
    /// Those parameters whose value is the format's own default: the pack's words, not the asker's.
    pub defaulted: BTreeSet<String>,
    /// Names and values that stood in the line and count no more, since a pair behind them says another value. They may be secrets.
    pub overridden: Vec<(String, String)>,
    /// Characters of the line that the format says literally. More means more specific.
    pub literal_length: usize,
    /// The format has no parameters.
    pub exact: bool,
    /// The part of the line that this is, where a format of `match_multiple` may read several.
    pub piece: Option<String>,
    /// The further matches of such a format, in the line's order. With more than [`MOST_MATCHES`] in all there are others that were not
    /// looked for.
    pub further: Vec<Match>,
}

impl Match {
    /// This and the further matches.
    pub fn all(&self) -> impl Iterator<Item = &Match> {
        std::iter::once(self).chain(&self.further)
    }
}

/// Where to look for formats of `match_multiple`.
#[derive(Debug, Default)]
struct Multiple {
    /// Those that stand for whole lines.
    lines: Index,
    /// Those that are looked for inside a line.
    searched: Vec<usize>,
    /// Those of them that can be tried in one pass, and their expressions.
    together: Option<(Vec<usize>, regex::RegexSet)>,
}

/// A format that could not be decided on a line.
#[derive(Debug, Clone)]
pub struct Undecided {
    /// The alias.
    pub alias: Arc<Alias>,
    /// The format.
    pub representation: Arc<str>,
    /// Why.
    pub why: Exhausted,
}

/// What a line means.
#[derive(Debug, Clone)]
pub enum Selection {
    /// Nothing that is known here.
    None,
    /// This.
    One(Box<Match>),
    /// One of these, of different aliases, most specific first.
    Ambiguous(Vec<Match>),
    /// Nothing matched, and these formats ran out of steps before they could tell.
    Undecided(Vec<Undecided>),
}

/// Where to look for formats.
#[derive(Debug, Default)]
struct Index {
    /// By the first two words, joined by a blank.
    two: BTreeMap<String, Vec<usize>>,
    /// By the first word, for formats that have only one before their first parameter.
    one: BTreeMap<String, Vec<usize>>,
    /// By a word that stands anywhere.
    anywhere: BTreeMap<String, Vec<usize>>,
    /// A bit for each length that those words have in bytes, so that most words of a long line need no look-up; the last for all longer.
    lengths: u64,
    /// Nothing is known of these.
    rest: Vec<usize>,
}

/// From this many formats on, a bucket of the first words is looked at for a rarer word.
const LARGE_BUCKET: usize = 16;

impl Matcher {
    /// Compiles every format of the enabled aliases. `parameter_names` tells what parameters an action has; `None` for an action that does
    /// not exist.
    pub fn new(
        aliases: &[Arc<Alias>],
        parameter_names: &dyn Fn(&ActionRef) -> Option<Vec<String>>,
    ) -> (Self, Vec<FormatProblem>) {
        Self::with(aliases, parameter_names, &mut Formats::default())
    }

    /// The same, where formats that have been compiled before are not compiled again.
    pub fn with(
        aliases: &[Arc<Alias>],
        parameter_names: &dyn Fn(&ActionRef) -> Option<Vec<String>>,
        formats: &mut Formats,
    ) -> (Self, Vec<FormatProblem>) {
        let mut names: BTreeMap<&ActionRef, Option<Arc<BTreeSet<String>>>> = BTreeMap::new();
        let mut entries = Vec::new();
        let mut problems = Vec::new();
        for alias in aliases.iter().filter(|alias| alias.enabled) {
            let known = names
                .entry(&alias.action)
                .or_insert_with(|| parameter_names(&alias.action).map(|names| Arc::new(names.into_iter().collect())));
            for format in &alias.formats {
                for representation in &format.representations {
                    let mut report = |severity, message: String, suggestion: Option<String>| {
                        problems.push(FormatProblem {
                            alias: alias.reference.clone(),
                            diagnostic: Diagnostic {
                                file: alias.file.clone(),
                                line: Some(representation.line),
                                key_path: representation.key_path.clone(),
                                severity,
                                message,
                                suggestion,
                            },
                        });
                    };
                    let compiled = match formats.compile(&representation.text, format.match_multiple) {
                        Ok(compiled) => compiled,
                        Err(error) => {
                            report(Severity::Error, error.to_string(), None);
                            continue;
                        }
                    };
                    if !compiled.is_linear() {
                        report(
                            Severity::Warning,
                            "look-around, back references and possessive repeats are matched by a slow engine that gives up on \
                             difficult lines"
                                .into(),
                            Some("write the format without them".into()),
                        );
                    }
                    if let Some(known) = known.as_deref() {
                        for name in compiled.parameter_names().filter(|name| !known.contains(*name)) {
                            report(
                                Severity::Warning,
                                format!("the action {} has no parameter `{name}`", alias.action),
                                nearest(name, known.iter().map(String::as_str))
                                    .map(|near| format!("did you mean `{near}`?")),
                            );
                        }
                    }
                    let shown = format.display.as_deref().unwrap_or(&representation.text);
                    let described = compiled.outlines().iter().any(Outline::plain) || format.display.is_none();
                    entries.push(Entry {
                        shown: (!described).then(|| Outline::shown(shown)),
                        alias: alias.clone(),
                        display: shown.into(),
                        representation: representation.text.as_str().into(),
                        format: compiled,
                        known: known.clone(),
                        multiple: format.match_multiple,
                    });
                }
            }
        }
        let index = Index::of(&entries, &|entry| !entry.multiple);
        let multiple = Multiple::of(&entries);
        let mut vocabulary: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, entry) in entries.iter().enumerate() {
            for word in entry.rows().flat_map(Outline::words).collect::<BTreeSet<_>>() {
                vocabulary.entry(word.to_owned()).or_default().push(at);
            }
        }
        (Self { entries, index, multiple, vocabulary }, problems)
    }

    pub(crate) fn vocabulary(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.vocabulary
    }

    /// Whether no format is in force.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every format that the line matches, most specific first: formats without parameters, then those that say more of the line literally,
    /// then in load order.
    pub fn matches(&self, line: &str) -> Vec<Match> {
        self.attempt(line, &|_| true).0
    }

    /// What the line means. Of several formats of one alias the most specific stands for it; of several aliases one is chosen only if it
    /// alone matches without parameters.
    pub fn select(&self, line: &str) -> Selection {
        self.select_among(line, &|_| true)
    }

    /// What the line means to somebody for whom only these aliases exist.
    pub fn select_among(&self, line: &str, may: &dyn Fn(&Alias) -> bool) -> Selection {
        let (hits, undecided) = self.attempt(line, may);
        let mut seen = BTreeSet::new();
        let mut best: Vec<Match> = hits.into_iter().filter(|hit| seen.insert(hit.alias.reference.clone())).collect();
        let exact = best.iter().filter(|hit| hit.exact).count();
        if exact == 1 {
            best.retain(|hit| hit.exact);
        }
        match (best.len(), undecided.is_empty()) {
            (0, true) => Selection::None,
            (0, false) => Selection::Undecided(undecided),
            (1, _) => best.pop().map_or(Selection::None, |hit| Selection::One(Box::new(hit))),
            _ => Selection::Ambiguous(best),
        }
    }

    fn attempt(&self, line: &str, may: &dyn Fn(&Alias) -> bool) -> (Vec<Match>, Vec<Undecided>) {
        let mut hits = Vec::new();
        let mut undecided = Vec::new();
        let candidates = self.index.candidates(line);
        if !candidates.is_empty() {
            let tail = Tail::of(line);
            for entry in self.entries_at(&candidates, may) {
                match entry.format.read_with(line, &tail, entry.known.as_deref()) {
                    Ok(None) => {}
                    Ok(Some(reading)) => hits.push(entry.hit(reading, None)),
                    Err(why) => undecided.push(entry.undecided(why)),
                }
            }
        }
        if hits.is_empty() {
            for entry in self.entries_at(&self.multiple.candidates(line), may) {
                match entry.format.read_multiple(line, entry.known.as_deref()) {
                    Ok(found) => {
                        let mut found = found.into_iter().map(|(piece, reading)| entry.hit(reading, Some(piece)));
                        if let Some(first) = found.next() {
                            hits.push(Match { further: found.collect(), ..first });
                        }
                    }
                    Err(why) => undecided.push(entry.undecided(why)),
                }
            }
        }
        hits.sort_by_key(|hit| (!hit.exact, Reverse(hit.literal_length)));
        (hits, undecided)
    }

    /// The places of the formats that could match a line.
    pub(crate) fn worth_trying(&self, line: &str) -> BTreeSet<usize> {
        self.index.candidates(line).into_iter().chain(self.multiple.candidates(line)).collect()
    }

    fn entries_at<'m>(&'m self, places: &[usize], may: &dyn Fn(&Alias) -> bool) -> Vec<&'m Entry> {
        places.iter().filter_map(|at| self.entries.get(*at)).filter(|entry| may(&entry.alias)).collect()
    }
}

impl Entry {
    fn hit(&self, reading: Reading, piece: Option<String>) -> Match {
        Match {
            alias: self.alias.clone(),
            display: self.display.clone(),
            representation: self.representation.clone(),
            parameters: reading.parameters,
            defaulted: reading.defaulted,
            overridden: reading.overridden,
            literal_length: reading.literal_length,
            exact: reading.exact,
            piece,
            further: Vec::new(),
        }
    }

    fn undecided(&self, why: Exhausted) -> Undecided {
        Undecided { alias: self.alias.clone(), representation: self.representation.clone(), why }
    }
}

impl Multiple {
    fn of(entries: &[Entry]) -> Self {
        let lines = Index::of(entries, &|entry| entry.multiple && !entry.format.is_searched());
        let searched = entries.iter().enumerate().filter(|(_, entry)| entry.multiple && entry.format.is_searched());
        let searched: Vec<usize> = searched.map(|(at, _)| at).collect();
        let linear = searched.iter().copied().filter(|at| entries[*at].format.is_linear()).collect::<Vec<_>>();
        let expressions = linear.iter().map(|at| entries[*at].format.expression());
        // Too many of them for one pass are tried one by one.
        let set = (linear.len() > 1).then(|| regex::RegexSet::new(expressions).ok()).flatten();
        Self { lines, searched, together: set.map(|set| (linear, set)) }
    }

    /// The formats worth trying, in load order.
    fn candidates(&self, text: &str) -> Vec<usize> {
        // Every line of a block has to be read, so the first says enough.
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let mut found = self.lines.candidates(first);
        match &self.together {
            None => found.extend(&self.searched),
            Some((together, set)) => {
                found.extend(self.searched.iter().filter(|at| together.binary_search(at).is_err()));
                let padded = format!(" {} ", text.trim());
                found.extend(set.matches(&padded).into_iter().filter_map(|at| together.get(at)));
                // Without its pairs the end of a line is another.
                if let Some(pair) = Tail::of(text).pairs.first() {
                    let padded = format!(" {} ", text[..pair.start].trim());
                    found.extend(set.matches(&padded).into_iter().filter_map(|at| together.get(at)));
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Index {
    fn of(entries: &[Entry], wanted: &dyn Fn(&Entry) -> bool) -> Self {
        let wanted: Vec<(usize, &Entry)> = entries.iter().enumerate().filter(|(_, entry)| wanted(entry)).collect();
        let outlines =
            || wanted.iter().flat_map(|(at, entry)| entry.format.outlines().iter().map(move |outline| (*at, outline)));
        let mut frequency: BTreeMap<&str, usize> = BTreeMap::new();
        let mut beginnings: BTreeMap<String, usize> = BTreeMap::new();
        for (_, outline) in outlines() {
            for word in outline.words().collect::<BTreeSet<_>>() {
                *frequency.entry(word).or_default() += 1;
            }
            if let Some(beginning) = beginning(outline) {
                *beginnings.entry(beginning).or_default() += 1;
            }
        }
        let mut index = Self::default();
        for (at, outline) in outlines() {
            let rarest = outline.words().min_by_key(|word| frequency.get(word));
            let beginning = beginning(outline);
            let crowd = beginning.as_ref().and_then(|beginning| beginnings.get(beginning)).copied().unwrap_or_default();
            let rarity = rarest.and_then(|word| frequency.get(word)).copied().unwrap_or_default();
            match (beginning, rarest) {
                (Some(beginning), _) if crowd < LARGE_BUCKET || rarity * 2 > crowd => {
                    let bucket = if beginning.contains(' ') { &mut index.two } else { &mut index.one };
                    bucket.entry(beginning).or_default().push(at);
                }
                (_, Some(word)) => index.anywhere.entry(word.to_owned()).or_default().push(at),
                (_, None) => index.rest.push(at),
            }
        }
        index.rest.dedup();
        index.lengths = index.anywhere.keys().fold(0, |lengths, word| lengths | length_bit(word));
        index
    }

    /// The formats worth trying, in load order.
    fn candidates(&self, line: &str) -> Vec<usize> {
        let lower = folded(line);
        let mut words = lower.split_whitespace();
        let mut found = self.rest.clone();
        if let Some(first) = words.next() {
            found.extend(self.one.get(first).into_iter().flatten());
            if let Some(second) = words.next() {
                found.extend(self.two.get(&format!("{first} {second}")).into_iter().flatten());
            }
        }
        if !self.anywhere.is_empty() {
            for word in lower.split_whitespace().filter(|word| self.lengths & length_bit(word) != 0) {
                found.extend(self.anywhere.get(word).into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn length_bit(word: &str) -> u64 {
    1 << word.len().min(63)
}

/// The one or two words that a format begins with.
fn beginning(outline: &Outline) -> Option<String> {
    let prefix = outline.prefix();
    (!prefix.is_empty()).then(|| prefix[..prefix.len().min(2)].join(" "))
}
