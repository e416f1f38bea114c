//! Command lines as `getopt_long` reads them: short options in clusters, long ones shortened as far as they are clear, operands anywhere.

/// One option of a command.
pub(super) struct Flag {
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    pub(super) takes: bool,
    /// Whether it does something here.
    pub(super) played: bool,
}

/// An option that is played.
pub(super) const fn flag(short: char, long: &'static str, takes: bool) -> Flag {
    Flag { long, short: Some(short), takes, played: true }
}

/// An option that is played and has no short form.
pub(super) const fn long(long: &'static str) -> Flag {
    Flag { long, short: None, takes: false, played: true }
}

/// An option of the real command that is not played.
pub(super) const fn absent(short: Option<char>, long: &'static str, takes: bool) -> Flag {
    Flag { long, short, takes, played: false }
}

/// What stands on a command line.
#[derive(Debug, Default)]
pub(super) struct Line {
    given: Vec<(&'static str, String)>,
    pub(super) operands: Vec<String>,
}

impl Line {
    pub(super) fn has(&self, long: &str) -> bool {
        self.given.iter().any(|(name, _)| *name == long)
    }

    /// The last value of an option.
    pub(super) fn value(&self, long: &str) -> Option<&str> {
        self.given.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// The parts between the commas of an option's value.
    pub(super) fn list(&self, long: &str) -> Option<Vec<&str>> {
        self.value(long).map(|value| value.split(',').filter(|part| !part.is_empty()).collect())
    }
}

/// Reads a command line; an error is what the command would say, without its name.
pub(super) fn read(flags: &'static [Flag], arguments: &[String]) -> Result<Line, String> {
    let mut line = Line::default();
    let mut rest = arguments.iter();
    let mut only_operands = false;
    while let Some(argument) = rest.next() {
        if only_operands || argument == "-" || !argument.starts_with('-') {
            line.operands.push(argument.clone());
        } else if argument == "--" {
            only_operands = true;
        } else if let Some(written) = argument.strip_prefix("--") {
            let (name, value) = match written.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (written, None),
            };
            let found = find(flags, name)?;
            let value = match (found.takes, value) {
                (false, Some(_)) => return Err(format!("option '--{}' doesn't allow an argument", found.long)),
                (false, None) => String::new(),
                (true, Some(value)) => value,
                (true, None) => match rest.next() {
                    Some(value) => value.clone(),
                    None => return Err(format!("option '--{}' requires an argument", found.long)),
                },
            };
            take(&mut line, found, value)?;
        } else {
            for (at, letter) in argument[1..].char_indices() {
                let Some(found) = flags.iter().find(|flag| flag.short == Some(letter)) else {
                    return Err(format!("invalid option -- '{letter}'"));
                };
                if !found.takes {
                    take(&mut line, found, String::new())?;
                    continue;
                }
                let attached = &argument[1 + at + letter.len_utf8()..];
                let value = match attached {
                    "" => match rest.next() {
                        Some(value) => value.clone(),
                        None => return Err(format!("option requires an argument -- '{letter}'")),
                    },
                    attached => attached.to_owned(),
                };
                take(&mut line, found, value)?;
                break;
            }
        }
    }
    Ok(line)
}

fn find(flags: &'static [Flag], name: &str) -> Result<&'static Flag, String> {
    if let Some(exact) = flags.iter().find(|flag| flag.long == name) {
        return Ok(exact);
    }
    let close: Vec<&Flag> = flags.iter().filter(|flag| flag.long.starts_with(name)).collect();
    match close.as_slice() {
        [one] => Ok(one),
        [] => Err(format!("unrecognized option '--{name}'")),
        several => {
            let named: Vec<String> = several.iter().map(|flag| format!("'--{}'", flag.long)).collect();
            Err(format!("option '--{name}' is ambiguous; possibilities: {}", named.join(" ")))
        }
    }
}

fn take(line: &mut Line, flag: &'static Flag, value: String) -> Result<(), String> {
    if !flag.played {
        return Err(format!("option '--{}' is not played in this sandbox", flag.long));
    }
    line.given.push((flag.long, value));
    Ok(())
}
