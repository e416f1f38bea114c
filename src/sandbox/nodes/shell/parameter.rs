//! Parameter expansions: defaults, lengths, parts, replacements.

use brush_parser::word::{
    Parameter, ParameterExpr, ParameterTestType, ParameterTransformOp, SpecialParameter, SubstringMatchKind,
};

use super::{Shell, Stop, VALUE, pattern};

/// Bytes of values and patterns that are matched against each other piece by piece.
const PATTERN_WORK: usize = 4_096;

impl Shell {
    /// The values of a parameter expansion: one, but for those of `$@` and arrays.
    pub(super) async fn parameter(&mut self, expression: &ParameterExpr, quoted: bool) -> Result<Vec<String>, Stop> {
        use ParameterExpr as P;
        let one = |text: String| Ok(vec![text]);
        match expression {
            P::Parameter { parameter, indirect } => match self.held(parameter, *indirect) {
                Some(values) => Ok(values),
                None if self.flags.nounset => {
                    self.complain(&format!("{}: unbound variable", plain_name(parameter))).await;
                    Err(Stop::Exit(1))
                }
                None => Ok(if parameter_gives_fields(parameter) { Vec::new() } else { vec![String::new()] }),
            },
            P::UseDefaultValues { parameter, indirect, test_type, default_value } => {
                match self.tested_value(parameter, *indirect, test_type) {
                    Some(values) => Ok(values),
                    None => one(self.text_of(default_value.as_deref().unwrap_or_default()).await?),
                }
            }
            P::AssignDefaultValues { parameter, indirect, test_type, default_value } => {
                if let Some(values) = self.tested_value(parameter, *indirect, test_type) {
                    return Ok(values);
                }
                let value = self.text_of(default_value.as_deref().unwrap_or_default()).await?;
                if let Parameter::Named(name) = parameter {
                    self.assign(name, value.clone()).await?;
                }
                one(value)
            }
            P::IndicateErrorIfNullOrUnset { parameter, indirect, test_type, error_message } => {
                if let Some(values) = self.tested_value(parameter, *indirect, test_type) {
                    return Ok(values);
                }
                let message = self.text_of(error_message.as_deref().unwrap_or("parameter null or not set")).await?;
                self.complain(&format!("{}: {message}", plain_name(parameter))).await;
                Err(Stop::Exit(1))
            }
            P::UseAlternativeValue { parameter, indirect, test_type, alternative_value } => {
                match self.tested_value(parameter, *indirect, test_type) {
                    Some(_) => one(self.text_of(alternative_value.as_deref().unwrap_or_default()).await?),
                    None => one(String::new()),
                }
            }
            P::ParameterLength { parameter, indirect } => {
                let values = self.held(parameter, *indirect).unwrap_or_default();
                if parameter_gives_fields(parameter) || matches!(parameter, Parameter::NamedWithAllIndices { .. }) {
                    return one(values.len().to_string());
                }
                one(values.concat().chars().count().to_string())
            }
            P::RemoveSmallestSuffixPattern { parameter, indirect, pattern } => {
                self.each(parameter, *indirect, pattern, |text, pattern| trim_suffix(text, pattern, false)).await
            }
            P::RemoveLargestSuffixPattern { parameter, indirect, pattern } => {
                self.each(parameter, *indirect, pattern, |text, pattern| trim_suffix(text, pattern, true)).await
            }
            P::RemoveSmallestPrefixPattern { parameter, indirect, pattern } => {
                self.each(parameter, *indirect, pattern, |text, pattern| trim_prefix(text, pattern, false)).await
            }
            P::RemoveLargestPrefixPattern { parameter, indirect, pattern } => {
                self.each(parameter, *indirect, pattern, |text, pattern| trim_prefix(text, pattern, true)).await
            }
            P::Substring { parameter, indirect, offset, length } => {
                let values = self.held(parameter, *indirect).unwrap_or_default();
                let offset = self.calculated(&offset.value).await?.unwrap_or(0);
                let length = match length {
                    Some(length) => Some(self.calculated(&length.value).await?.unwrap_or(0)),
                    None => None,
                };
                if parameter_gives_fields(parameter) {
                    let from = usize::try_from(offset.saturating_sub(1).max(0)).unwrap_or(0);
                    let count = length.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
                    return Ok(values.into_iter().skip(from).take(count).collect());
                }
                one(substring(&values.concat(), offset, length))
            }
            P::Transform { parameter, indirect, op } => {
                let values = self.held(parameter, *indirect).unwrap_or_default();
                Ok(values
                    .into_iter()
                    .map(|text| match op {
                        ParameterTransformOp::ToLowerCase => text.to_lowercase(),
                        ParameterTransformOp::ToUpperCase => text.to_uppercase(),
                        ParameterTransformOp::Quoted => format!("'{}'", text.replace('\'', "'\\''")),
                        _ => text,
                    })
                    .collect())
            }
            P::UppercaseFirstChar { parameter, indirect, .. } => {
                self.each(parameter, *indirect, &None, |text, _| first_changed(text, |c| c.to_uppercase().collect()))
                    .await
            }
            P::LowercaseFirstChar { parameter, indirect, .. } => {
                self.each(parameter, *indirect, &None, |text, _| first_changed(text, |c| c.to_lowercase().collect()))
                    .await
            }
            P::UppercasePattern { parameter, indirect, .. } => {
                self.each(parameter, *indirect, &None, |text, _| text.to_uppercase()).await
            }
            P::LowercasePattern { parameter, indirect, .. } => {
                self.each(parameter, *indirect, &None, |text, _| text.to_lowercase()).await
            }
            P::ReplaceSubstring { parameter, indirect, pattern, replacement, match_kind } => {
                let replacement = self.text_of(replacement.as_deref().unwrap_or_default()).await?;
                let pattern = Some(pattern.clone());
                self.each(parameter, *indirect, &pattern, |text, pattern| {
                    replace(text, pattern, &replacement, match_kind)
                })
                .await
            }
            P::VariableNames { prefix, .. } => {
                Ok(self.variables.keys().filter(|name| name.starts_with(prefix.as_str())).cloned().collect())
            }
            P::MemberKeys { variable_name, .. } => {
                let _ = quoted;
                Ok((0..self.values(variable_name).len()).map(|at| at.to_string()).collect())
            }
        }
    }

    /// Applies a change to each value of a parameter.
    async fn each(
        &mut self,
        parameter: &Parameter,
        indirect: bool,
        pattern: &Option<String>,
        change: impl Fn(&str, &str) -> String + Send,
    ) -> Result<Vec<String>, Stop> {
        let pattern = match pattern {
            Some(pattern) => self.pattern_of(pattern).await?,
            None => String::new(),
        };
        let values = self.held(parameter, indirect).unwrap_or_default();
        // The time that a pattern takes grows with the square of the value.
        let bytes: usize = values.iter().map(String::len).sum();
        let most = if pattern::is_pattern(&pattern) { PATTERN_WORK } else { VALUE };
        if bytes > most || pattern.len() > most || !self.group.charge_steps(bytes as u64 / 16) {
            self.complain("value too large for this sandbox node").await;
            return Err(Stop::Exit(2));
        }
        Ok(values.iter().map(|value| change(value, &pattern)).collect())
    }

    fn tested_value(&mut self, parameter: &Parameter, indirect: bool, test: &ParameterTestType) -> Option<Vec<String>> {
        let values = self.held(parameter, indirect)?;
        match test {
            ParameterTestType::Unset => Some(values),
            ParameterTestType::UnsetOrNull => values.iter().any(|value| !value.is_empty()).then_some(values),
        }
    }

    /// What a parameter holds; none when it is unset.
    fn held(&mut self, parameter: &Parameter, indirect: bool) -> Option<Vec<String>> {
        let values = match parameter {
            Parameter::Positional(0) => Some(vec![self.name.clone()]),
            Parameter::Positional(at) => self.positional.get(*at as usize - 1).map(|value| vec![value.clone()]),
            Parameter::Special(special) => Some(match special {
                SpecialParameter::AllPositionalParameters { .. } => self.positional.clone(),
                SpecialParameter::PositionalParameterCount => vec![self.positional.len().to_string()],
                SpecialParameter::LastExitStatus => vec![self.last.to_string()],
                SpecialParameter::CurrentOptionFlags => vec![if self.flags.errexit { "ehB" } else { "hB" }.to_owned()],
                SpecialParameter::ProcessId => vec![self.pid.to_string()],
                SpecialParameter::LastBackgroundProcessId => {
                    self.jobs.last().map(|(pid, _)| vec![pid.to_string()]).unwrap_or_default()
                }
                SpecialParameter::ShellName => vec![self.name.clone()],
            }),
            Parameter::Named(name) => self.value(name).map(|value| vec![value]),
            Parameter::NamedWithIndex { name, index } => {
                let at = self.calculate(index).ok()?;
                let values = self.values(name);
                let at = if at < 0 { values.len() as i64 + at } else { at };
                usize::try_from(at).ok().and_then(|at| values.get(at).cloned()).map(|value| vec![value])
            }
            Parameter::NamedWithAllIndices { name, .. } => Some(self.values(name)),
        };
        if indirect {
            let name = values?.concat();
            return self.value(&name).map(|value| vec![value]);
        }
        values
    }
}

fn parameter_gives_fields(parameter: &Parameter) -> bool {
    matches!(
        parameter,
        Parameter::Special(SpecialParameter::AllPositionalParameters { concatenate: false })
            | Parameter::NamedWithAllIndices { concatenate: false, .. }
    )
}

/// Whether an expansion gives several fields even inside quotes.
pub(super) fn gives_fields(expression: &ParameterExpr) -> bool {
    use ParameterExpr as P;
    match expression {
        P::Parameter { parameter, .. }
        | P::UseDefaultValues { parameter, .. }
        | P::UseAlternativeValue { parameter, .. }
        | P::RemoveSmallestSuffixPattern { parameter, .. }
        | P::RemoveLargestSuffixPattern { parameter, .. }
        | P::RemoveSmallestPrefixPattern { parameter, .. }
        | P::RemoveLargestPrefixPattern { parameter, .. }
        | P::ReplaceSubstring { parameter, .. }
        | P::Substring { parameter, .. } => parameter_gives_fields(parameter),
        P::VariableNames { concatenate, .. } | P::MemberKeys { concatenate, .. } => !concatenate,
        _ => false,
    }
}

fn plain_name(parameter: &Parameter) -> String {
    match parameter {
        Parameter::Named(name) | Parameter::NamedWithIndex { name, .. } => name.clone(),
        Parameter::Positional(at) => at.to_string(),
        other => other.to_string(),
    }
}

fn first_changed(text: &str, change: impl Fn(char) -> String) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => format!("{}{}", change(first), characters.as_str()),
        None => String::new(),
    }
}

fn boundaries(text: &str) -> impl DoubleEndedIterator<Item = usize> {
    let mut ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    ends.push(text.len());
    ends.into_iter()
}

fn trim_suffix(text: &str, pattern: &str, largest: bool) -> String {
    if !pattern::is_pattern(pattern) {
        return text.strip_suffix(&pattern::plain(pattern)).unwrap_or(text).to_owned();
    }
    let fits = |at: &usize| pattern::matches(pattern, &text[*at..]);
    let at = if largest { boundaries(text).find(fits) } else { boundaries(text).rev().find(fits) };
    text[..at.unwrap_or(text.len())].to_owned()
}

fn trim_prefix(text: &str, pattern: &str, largest: bool) -> String {
    if !pattern::is_pattern(pattern) {
        return text.strip_prefix(&pattern::plain(pattern)).unwrap_or(text).to_owned();
    }
    let fits = |at: &usize| pattern::matches(pattern, &text[..*at]);
    let at = if largest { boundaries(text).rev().find(fits) } else { boundaries(text).find(fits) };
    text[at.unwrap_or(0)..].to_owned()
}

fn substring(text: &str, offset: i64, length: Option<i64>) -> String {
    let characters: Vec<char> = text.chars().collect();
    let count = characters.len() as i64;
    let from = if offset < 0 { count.saturating_add(offset) } else { offset };
    if from < 0 || from > count {
        return String::new();
    }
    let to = match length {
        None => count,
        Some(length) if length < 0 => count.saturating_add(length),
        Some(length) => from.saturating_add(length).min(count),
    };
    characters.get(from as usize..to.max(from) as usize).unwrap_or_default().iter().collect()
}

fn replace(text: &str, pattern: &str, replacement: &str, kind: &SubstringMatchKind) -> String {
    if pattern.is_empty() {
        return text.to_owned();
    }
    // Nearly all patterns here are plain text.
    if !pattern::is_pattern(pattern)
        && matches!(kind, SubstringMatchKind::Anywhere | SubstringMatchKind::FirstOccurrence)
    {
        let plain = pattern::plain(pattern);
        let count = if matches!(kind, SubstringMatchKind::Anywhere) { usize::MAX } else { 1 };
        return text.replacen(&plain, replacement, count);
    }
    match kind {
        SubstringMatchKind::Prefix => {
            let end = boundaries(text).rev().find(|at| pattern::matches(pattern, &text[..*at]));
            end.map_or_else(|| text.to_owned(), |end| format!("{replacement}{}", &text[end..]))
        }
        SubstringMatchKind::Suffix => {
            let start = boundaries(text).find(|at| pattern::matches(pattern, &text[*at..]));
            start.map_or_else(|| text.to_owned(), |start| format!("{}{replacement}", &text[..start]))
        }
        SubstringMatchKind::FirstOccurrence | SubstringMatchKind::Anywhere => {
            let mut changed = String::new();
            let mut rest = text;
            while !rest.is_empty() {
                let end = boundaries(rest).rev().find(|at| *at > 0 && pattern::matches(pattern, &rest[..*at]));
                if let Some(end) = end {
                    changed.push_str(replacement);
                    rest = &rest[end..];
                    if matches!(kind, SubstringMatchKind::FirstOccurrence) {
                        break;
                    }
                } else {
                    let next = rest.chars().next().map_or(rest.len(), char::len_utf8);
                    changed.push_str(&rest[..next]);
                    rest = &rest[next..];
                }
            }
            changed.push_str(rest);
            changed
        }
    }
}
