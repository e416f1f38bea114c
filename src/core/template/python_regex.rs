//! Python's regular expressions for an engine that has another dialect: patterns and replacements.
//!
//! **The size of a pattern, the memory of the compiled one and the steps of a search that needs to look around are bounded**; a search that
//! does not takes time in proportion to the text.

use fancy_regex::{Regex, RegexBuilder, RuntimeError};

/// Steps that one search may take.
const MOST_STEPS: usize = 100_000;
/// Bytes of a pattern.
const LONGEST_PATTERN: usize = 10_000;
/// Bytes of a compiled pattern.
const LARGEST: usize = 2 << 20;

/// How a pattern is applied.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Applied {
    /// The match begins where the text does.
    pub(crate) anchored: bool,
    /// Capital and small letters are alike.
    pub(crate) ignores_case: bool,
    /// A point stands for a line break, too.
    pub(crate) over_lines: bool,
}

/// A pattern of Python's that is looked for in many texts.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    /// For texts that end with a line break, where that matters.
    before_break: Option<Regex>,
}

impl Pattern {
    /// Makes it ready.
    pub(crate) fn compile(pattern: &str, applied: Applied) -> Result<Self, String> {
        let before_break = pattern.contains('$').then(|| compile(pattern, true, applied)).transpose()?;
        Ok(Self { regex: compile(pattern, false, applied)?, before_break })
    }

    /// Whether a text holds it.
    pub(crate) fn is_in(&self, text: &str) -> Result<bool, String> {
        let before_break = self.before_break.as_ref().filter(|_| text.ends_with('\n'));
        before_break.unwrap_or(&self.regex).is_match(text).map_err(|error| failed(&error))
    }
}

/// Makes a pattern ready for texts that end with a line break, or for all others.
pub(crate) fn compile(pattern: &str, ends_with_break: bool, applied: Applied) -> Result<Regex, String> {
    if pattern.len() > LONGEST_PATTERN {
        return Err(format!("a pattern may have {LONGEST_PATTERN} bytes"));
    }
    let translated = translate(pattern, ends_with_break)?;
    let translated = if applied.anchored { format!(r"\A(?:{translated})") } else { translated };
    let mut builder = RegexBuilder::new(&translated);
    builder.backtrack_limit(MOST_STEPS).delegate_size_limit(LARGEST);
    builder.case_insensitive(applied.ignores_case).dot_matches_new_line(applied.over_lines);
    builder.build().map_err(|error| {
        let shown: String = pattern.chars().take(60).collect();
        format!("{shown} is no regular expression: {error}")
    })
}

/// Why a search came to nothing.
pub(crate) fn failed(error: &fancy_regex::Error) -> String {
    match error {
        fancy_regex::Error::RuntimeError(RuntimeError::BacktrackLimitExceeded) => {
            format!("the search takes more than {MOST_STEPS} steps")
        }
        other => other.to_string(),
    }
}

/// A piece of a replacement.
pub(crate) enum Part {
    Text(String),
    Group(usize),
}

/// Python's notation for what was found: `\1`, `\g<1>`, `\g<name>`.
pub(crate) fn replacement(written: &str, regex: &Regex) -> Result<Vec<Part>, String> {
    let group = |name: &str| -> Result<usize, String> {
        let number = match name.parse::<usize>() {
            Ok(number) => Some(number),
            Err(_) => regex.capture_names().position(|known| known == Some(name)),
        };
        number.filter(|number| *number < regex.captures_len()).ok_or_else(|| format!("the pattern has no group {name}"))
    };
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut characters = after.chars();
        let first = characters.next().ok_or("a replacement cannot end with a backslash")?;
        rest = characters.as_str();
        if first == 'g' {
            let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (name, behind) = name.ok_or("`\\g` needs a name in <>")?;
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Group(group(name)?));
            rest = behind;
        } else if first.is_ascii_digit() {
            let digits = after.bytes().take(3).take_while(u8::is_ascii_digit).count();
            let octal =
                first == '0' || (digits == 3 && after.bytes().take(3).all(|digit| (b'0'..b'8').contains(&digit)));
            let digits = if octal { digits } else { digits.min(2) };
            if octal {
                let octal: String = after[..digits].chars().take_while(|digit| *digit < '8').collect();
                let code = u32::from_str_radix(&octal, 8).ok().and_then(char::from_u32);
                plain.push(code.ok_or("an octal number is too large")?);
                rest = &after[octal.len()..];
            } else {
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Group(group(&after[..digits])?));
                rest = &after[digits..];
            }
        } else {
            match first {
                'n' => plain.push('\n'),
                't' => plain.push('\t'),
                'r' => plain.push('\r'),
                'a' => plain.push('\u{7}'),
                'b' => plain.push('\u{8}'),
                'f' => plain.push('\u{c}'),
                'v' => plain.push('\u{b}'),
                '\\' => plain.push('\\'),
                letter if letter.is_ascii_alphabetic() => {
                    return Err(format!("`\\{letter}` means nothing in a replacement"));
                }
                other => plain.extend(['\\', other]),
            }
        }
    }
    plain.push_str(rest);
    parts.push(Part::Text(plain));
    Ok(parts)
}

/// Python's pattern in the engine's dialect. `$` also means the place before a line break that ends the text.
pub(crate) fn translate(pattern: &str, ends_with_break: bool) -> Result<String, String> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut translation = Translation { from: &characters, at: 0, out: String::new(), ends_with_break };
    translation.run()?;
    Ok(translation.out)
}

struct Translation<'p> {
    from: &'p [char],
    at: usize,
    out: String,
    ends_with_break: bool,
}

impl Translation<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.from.get(self.at + ahead).copied()
    }

    fn run(&mut self) -> Result<(), String> {
        // Whether `$` speaks of every line, for each group that is open.
        let mut lines = vec![false];
        while let Some(character) = self.peek(0) {
            self.at += 1;
            match character {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '$' if !lines.last().copied().unwrap_or_default() => {
                    self.out.push_str(if self.ends_with_break { r"(?=\n?\z)" } else { r"\z" });
                }
                '(' => {
                    let inside = lines.last().copied().unwrap_or_default();
                    self.out.push('(');
                    match self.flags() {
                        Some((flags, closed)) => {
                            let (on, off) = flags.split_once('-').unwrap_or((&flags, ""));
                            if on.contains(['L', 'a', 't']) {
                                return Err(format!("the flags `{on}` are not known here"));
                            }
                            let inside = (inside || on.contains('m')) && !off.contains('m');
                            let known = flags.replace('u', "");
                            self.out.push_str(&format!("?{known}{}", if closed { ')' } else { ':' }));
                            if closed {
                                if let Some(last) = lines.last_mut() {
                                    *last = inside;
                                }
                            } else {
                                lines.push(inside);
                            }
                        }
                        None => lines.push(inside),
                    }
                }
                ')' => {
                    if lines.len() > 1 {
                        lines.pop();
                    }
                    self.out.push(')');
                }
                '{' => self.brace(),
                '}' => self.out.push_str(r"\}"),
                other => self.out.push(other),
            }
        }
        Ok(())
    }

    /// `(?im)` and `(?im-s:` behind their bracket.
    fn flags(&mut self) -> Option<(String, bool)> {
        if self.peek(0)? != '?' {
            return None;
        }
        let flags: String = self.from[self.at + 1..]
            .iter()
            .take_while(|character| character.is_ascii_alphabetic() || **character == '-')
            .collect();
        let end = self.peek(1 + flags.len())?;
        // `(?P<name>` and `(?P=name)` are no flags; neither is `(?:`, which needs nothing.
        if flags.is_empty() || flags.starts_with('P') || !matches!(end, ')' | ':') {
            return None;
        }
        self.at += flags.len() + 2;
        Some((flags, end == ')'))
    }

    /// A repetition, or a brace that only stands for itself.
    fn brace(&mut self) {
        let inside: String = self.from[self.at..].iter().take_while(|character| **character != '}').collect();
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let closed = self.from.len() > self.at + inside.chars().count();
        let repetition = match inside.split_once(',') {
            Some((low, high)) if digits(low) && digits(high) => {
                Some(format!("{{{},{high}}}", if low.is_empty() { "0" } else { low }))
            }
            None if digits(&inside) && !inside.is_empty() => Some(format!("{{{inside}}}")),
            _ => None,
        };
        match repetition.filter(|_| closed) {
            Some(repetition) => {
                self.out.push_str(&repetition);
                self.at += inside.chars().count() + 1;
            }
            None => self.out.push_str(r"\{"),
        }
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let character = self.peek(0).ok_or("a `[` is not closed")?;
            self.at += 1;
            match character {
                ']' if !first => {
                    self.out.push(']');
                    return Ok(());
                }
                '\\' => self.escape(true)?,
                '-' => self.out.push('-'),
                same @ ('[' | ']' | '&' | '~' | '^' | '#' | ' ') => self.out.extend(['\\', same]),
                other => self.out.push(other),
            }
            first = false;
        }
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let character = self.peek(0).ok_or("a pattern cannot end with a backslash")?;
        self.at += 1;
        match character {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 'r' | 't' | 'f' | 'v' | 'a' => self.out.extend(['\\', character]),
            'b' if in_class => self.out.push_str(r"\x08"),
            'A' | 'b' | 'B' if !in_class => self.out.extend(['\\', character]),
            'Z' if !in_class => self.out.push_str(r"\z"),
            'x' | 'u' | 'U' => {
                let count = match character {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let digits: String = self.from.iter().skip(self.at).take(count).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.chars().count() == count);
                let code =
                    code.and_then(char::from_u32).ok_or_else(|| format!("`\\{character}{digits}` is no character"))?;
                self.at += count;
                self.out.push_str(&format!(r"\x{{{:x}}}", u32::from(code)));
            }
            digit if digit.is_ascii_digit() => {
                let digits: String =
                    self.from[self.at - 1..].iter().take(3).take_while(|digit| digit.is_ascii_digit()).collect();
                let octal: String = digits.chars().take_while(|digit| *digit < '8').collect();
                if digit == '0' || octal.len() == 3 || in_class {
                    let code = u32::from_str_radix(&octal, 8).map_err(|_| format!("`\\{digits}` is no character"))?;
                    self.at += octal.len() - 1;
                    self.out.push_str(&format!(r"\x{{{code:x}}}"));
                } else {
                    let reference: String = digits.chars().take(2).collect();
                    self.at += reference.len() - 1;
                    // Brackets keep a digit behind it apart.
                    self.out.push_str(&format!(r"(?:\{reference})"));
                }
            }
            letter if letter.is_ascii_alphabetic() => return Err(format!("`\\{letter}` means nothing in a pattern")),
            sign if sign.is_ascii_punctuation() && !matches!(sign, '<' | '>') => self.out.extend(['\\', sign]),
            ' ' => self.out.push_str(r"\x20"),
            other => self.out.push(other),
        }
        Ok(())
    }
}
