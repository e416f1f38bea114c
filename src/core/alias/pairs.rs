//! The `key=value` pairs at the end of a line.
//!
//! A pair is an identifier at the start of a word, `=`, and a value: text in quotes, a balanced `{...}` or `[...]`, or one word. `http://h/?q=1` is no
//! pair because `http://h/?q` is no identifier; `"echo a=b"` holds none because `b"` ends in a quote that it did not open.

/// The pairs that a line ends with, first to last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tail<'l> {
    /// Each pair; together with white space they make up the rest of the line from the first one's `start`.
    pub(crate) pairs: Vec<Pair<'l>>,
}

/// One pair. A line may hold a thousand, and most lines are read for what is before them, so nothing is copied out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair<'l> {
    /// Byte offset of the key.
    pub(crate) start: usize,
    /// The key.
    pub(crate) key: &'l str,
    /// The value without its quotes.
    pub(crate) value: &'l str,
}

/// How a value is written at some place, and where it ends.
struct Span {
    value: std::ops::Range<usize>,
    end: usize,
}

/// A candidate that counts: its value, and the place of the candidate behind it.
struct Counted {
    value: std::ops::Range<usize>,
    next: Option<usize>,
}

impl<'l> Tail<'l> {
    /// Finds the longest run of pairs at the end. Takes time linear in the line: every place is looked at a fixed number of times.
    pub(crate) fn of(line: &'l str) -> Self {
        if !line.contains('=') {
            return Self::default();
        }
        let lines = Landmarks::of(line);
        let end = line.trim_end().len();
        // From the last candidate to the first, a candidate counts when what follows its value is the end or a candidate that counts.
        let mut counted: Vec<Option<Counted>> = Vec::new();
        counted.resize_with(lines.candidates.len(), || None);
        for (place, candidate) in lines.candidates.iter().enumerate().rev() {
            let Some(Span { value, end: behind }) = lines.value(line, candidate.value_start, end) else { continue };
            if behind >= end {
                counted[place] = Some(Counted { value, next: None });
                continue;
            }
            let blank = line[behind..].len() - line[behind..].trim_start().len();
            if blank == 0 {
                continue;
            }
            if let Some(next) = lines.candidate_at(behind + blank, place)
                && counted[next].is_some()
            {
                counted[place] = Some(Counted { value, next: Some(next) });
            }
        }
        let mut pairs = Vec::new();
        let mut place = counted.iter().position(Option::is_some);
        while let Some(at) = place {
            let (candidate, found) = (&lines.candidates[at], counted[at].take());
            place = found.and_then(|Counted { value, next }| {
                let key = &line[candidate.start..candidate.value_start - 1];
                pairs.push(Pair { start: candidate.start, key, value: &line[value] });
                next
            });
        }
        Self { pairs }
    }

    /// How many pairs from the end have keys that pass.
    pub(crate) fn known(&self, known: impl Fn(&str) -> bool) -> usize {
        self.pairs.iter().rev().take_while(|pair| known(pair.key)).count()
    }
}

/// A place where `key=` stands at the start of a word.
struct Candidate {
    start: usize,
    value_start: usize,
}

/// What one pass over the line finds out, so that no value has to be searched for twice.
struct Landmarks {
    candidates: Vec<Candidate>,
    /// Opening braces in order, each with the byte after the brace that closes it, or nothing.
    braces: Vec<(usize, Option<usize>)>,
    /// The same of square brackets.
    brackets: Vec<(usize, Option<usize>)>,
    /// The closing quotes of each kind in order.
    closing: [Vec<usize>; 3],
}

/// Opening and closing quotes; the last pair is what telephones make of the first.
pub(crate) const QUOTES: [(char, char); 3] = [('"', '"'), ('\'', '\''), ('\u{201c}', '\u{201d}')];

impl Landmarks {
    fn of(line: &str) -> Self {
        let mut candidates = Vec::new();
        let mut braces = Vec::new();
        let mut brackets = Vec::new();
        let (mut open, mut open_brackets) = (Vec::new(), Vec::new());
        let mut closing = [Vec::new(), Vec::new(), Vec::new()];
        let mut word: Option<usize> = None;
        let mut before_blank = true;
        for (at, character) in line.char_indices() {
            match character {
                '=' => {
                    candidates.extend(word.map(|start| Candidate { start, value_start: at + 1 }));
                    word = None;
                }
                '_' => word = if before_blank { Some(at) } else { word },
                letter if letter.is_alphabetic() => word = if before_blank { Some(at) } else { word },
                digit if digit.is_alphanumeric() => {}
                other => {
                    word = None;
                    match other {
                        '{' => {
                            open.push(braces.len());
                            braces.push((at, None));
                        }
                        '[' => {
                            open_brackets.push(brackets.len());
                            brackets.push((at, None));
                        }
                        ']' => {
                            let opening = open_brackets.pop().and_then(|opening: usize| brackets.get_mut(opening));
                            if let Some((_, end)) = opening {
                                *end = Some(at + 1);
                            }
                        }
                        '}' => {
                            if let Some((_, end)) = open.pop().and_then(|opening: usize| braces.get_mut(opening)) {
                                *end = Some(at + 1);
                            }
                        }
                        _ => {
                            if let Some(kind) = QUOTES.iter().position(|(_, closing)| *closing == other) {
                                closing[kind].push(at);
                            }
                        }
                    }
                }
            }
            before_blank = character.is_whitespace();
        }
        Self { candidates, braces, brackets, closing }
    }

    /// The candidate that starts here, which is behind the one at `after` and mostly the next.
    fn candidate_at(&self, start: usize, after: usize) -> Option<usize> {
        match self.candidates.get(after + 1) {
            Some(next) if next.start == start => Some(after + 1),
            _ => self.candidates.binary_search_by_key(&start, |other| other.start).ok(),
        }
    }

    fn value(&self, line: &str, start: usize, end: usize) -> Option<Span> {
        let first = line[start..end].chars().next()?;
        for (kind, (opening, closing)) in QUOTES.iter().enumerate() {
            if first == *opening {
                let inside = start + opening.len_utf8();
                let marks = &self.closing[kind];
                let close = *marks.get(marks.partition_point(|mark| *mark < inside))?;
                return Some(Span { value: inside..close, end: close + closing.len_utf8() });
            }
        }
        if first == '{' {
            // Braces inside quotes may not balance; then the value can only be what is left of the line.
            let brace = self.braces.binary_search_by_key(&start, |(opening, _)| *opening).ok();
            let close = brace.and_then(|brace| self.braces[brace].1).unwrap_or(end);
            return line[start..close].ends_with('}').then_some(Span { value: start..close, end: close });
        }
        if first == '[' {
            // A list may have blanks in it; what only begins like one, as `[001-003]x` does, is a word.
            let bracket = self.brackets.binary_search_by_key(&start, |(opening, _)| *opening).ok();
            let close = bracket.and_then(|bracket| self.brackets[bracket].1);
            let close = close.filter(|close| line[*close..end].chars().next().is_none_or(char::is_whitespace));
            if let Some(close) = close {
                return Some(Span { value: start..close, end: close });
            }
        }
        let word = line[start..end].split(char::is_whitespace).next()?;
        let close = start + word.len();
        let last = word.chars().next_back()?;
        let opened_elsewhere = QUOTES.iter().any(|(opening, closing)| {
            last == *closing && {
                let marks = word.chars().filter(|mark| mark == opening || mark == closing).count();
                marks % 2 == 1
            }
        });
        (!opened_elsewhere).then_some(Span { value: start..close, end: close })
    }
}
