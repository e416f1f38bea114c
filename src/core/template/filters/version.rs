//! StackStorm's filters for versions: semantic versions in full, `1.2.3-rc.1+build`.

use super::{Filter, filter};
use crate::core::template::arguments::Call;
use crate::core::template::python::refuse;
use minijinja::{Error, Value};
use std::cmp::Ordering;

pub(super) const FILTERS: &[Filter] = &[
    filter("version_bump_major", &["value"], |call| bump(call, 0)),
    filter("version_bump_minor", &["value"], |call| bump(call, 1)),
    filter("version_bump_patch", &["value"], |call| bump(call, 2)),
    filter("version_compare", &["value", "pattern"], |call| {
        Ok(Value::from(match order(call)? {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }))
    }),
    filter("version_equal", &["value", "pattern"], |call| Ok(Value::from(order(call)? == Ordering::Equal))),
    filter("version_less_than", &["value", "pattern"], |call| Ok(Value::from(order(call)? == Ordering::Less))),
    filter("version_match", &["value", "pattern"], matches),
    filter("version_more_than", &["value", "pattern"], |call| Ok(Value::from(order(call)? == Ordering::Greater))),
    filter("version_strip_patch", &["value"], |call| {
        let version = of(call, 0)?;
        Ok(Value::from(format!("{}.{}", version.numbers[0], version.numbers[1])))
    }),
];

struct Version {
    numbers: [u64; 3],
    pre_release: Vec<String>,
}

fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0');
    (plain && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn read(text: &str) -> Option<Version> {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    if !build.is_none_or(|build| build.split('.').all(word)) {
        return None;
    }
    let (rest, pre_release) = rest.split_once('-').map_or((rest, None), |(rest, words)| (rest, Some(words)));
    let pre_release: Vec<String> =
        pre_release.into_iter().flat_map(|words| words.split('.')).map(str::to_owned).collect();
    let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !pre_release.iter().all(|text| word(text) && (!numeric(text) || number(text).is_some())) {
        return None;
    }
    let mut numbers = rest.split('.').map(number);
    let numbers = [numbers.next()??, numbers.next()??, numbers.next()??];
    (rest.split('.').count() == 3).then_some(Version { numbers, pre_release })
}

fn version(text: &str) -> Result<Version, Error> {
    let shown: String = text.chars().take(60).collect();
    read(text).ok_or_else(|| refuse(format!("{shown} is no version like 1.2.3")))
}

fn of(call: &Call<'_, '_, '_>, at: usize) -> Result<Version, Error> {
    version(call.only_text(at)?)
}

impl Version {
    /// Builds do not count.
    fn against(&self, other: &Self) -> Ordering {
        let word = |one: &String, other: &String| match (number(one), number(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => one.cmp(other),
        };
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.pre_release.is_empty(), other.pre_release.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => {
                    let words = self.pre_release.iter().zip(&other.pre_release).map(|(one, other)| word(one, other));
                    let differ = words.into_iter().find(|order| order.is_ne());
                    differ.unwrap_or_else(|| self.pre_release.len().cmp(&other.pre_release.len()))
                }
            }
        })
    }
}

fn order(call: &Call<'_, '_, '_>) -> Result<Ordering, Error> {
    Ok(of(call, 0)?.against(&of(call, 1)?))
}

fn matches(call: &mut Call<'_, '_, '_>) -> Result<Value, Error> {
    let found = of(call, 0)?;
    let wanted = call.only_text(1)?;
    let signs = [">=", "<=", "==", "!=", ">", "<"];
    let sign = signs.into_iter().find(|sign| wanted.starts_with(sign));
    let (sign, rest) = match sign {
        Some(sign) => (sign, &wanted[sign.len()..]),
        None if wanted.starts_with(|first: char| first.is_ascii_digit()) => ("==", wanted),
        None => return Err(refuse("what is asked for begins with one of >=, <=, ==, !=, >, < or a digit")),
    };
    let order = found.against(&version(rest)?);
    Ok(Value::from(match sign {
        ">=" => order.is_ge(),
        "<=" => order.is_le(),
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        ">" => order.is_gt(),
        _ => order.is_lt(),
    }))
}

fn bump(call: &mut Call<'_, '_, '_>, place: usize) -> Result<Value, Error> {
    let Version { mut numbers, .. } = of(call, 0)?;
    numbers[place] = numbers[place].saturating_add(1);
    numbers[place + 1..].fill(0);
    Ok(Value::from(format!("{}.{}.{}", numbers[0], numbers[1], numbers[2])))
}
