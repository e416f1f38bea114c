//! Words to fields: parameters, substitutions, splitting, patterns over files.

use std::sync::PoisonError;

use brush_parser::ParserOptions;
use brush_parser::word::{
    BraceExpressionMember, BraceExpressionOrText, TildeExpr, WordPiece, WordPieceWithSource, parse_brace_expansions,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::parameter::gives_fields;
use super::{DEPTH, Shell, Stop, VALUE, parse, pattern};
use crate::sandbox::nodes::filesystem::absolute;
use crate::sandbox::nodes::stream::{HELD, Sink};

/// Fields that one word may become.
const FIELDS: usize = 100_000;

/// What becomes of what an unquoted expansion gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Splitting {
    /// Split at IFS, then match against file names.
    Fields,
    /// Kept as one text.
    One,
}

/// A field that is being put together: its text, and the same with what was quoted made literal.
#[derive(Debug, Default)]
struct Field {
    text: String,
    pattern: String,
}

#[derive(Debug, Default)]
struct Fields {
    done: Vec<Field>,
    open: Option<Field>,
}

impl Fields {
    fn literal(&mut self, text: &str, quoted: bool) {
        let field = self.open.get_or_insert_default();
        field.text.push_str(text);
        if quoted {
            field.pattern.push_str(&pattern::quote(text));
        } else {
            field.pattern.push_str(text);
        }
    }

    fn end(&mut self) {
        self.done.extend(self.open.take());
    }

    /// Adds the value of an unquoted expansion.
    fn split(&mut self, text: &str, separators: &str) {
        let mut from = 0;
        let is_blank = |character: char| character.is_ascii_whitespace();
        let mut after_separator = false;
        for (at, character) in text.char_indices() {
            if !separators.contains(character) {
                after_separator = false;
                continue;
            }
            if at > from {
                self.literal(&text[from..at], false);
            }
            if !is_blank(character) && (after_separator || self.open.is_none()) {
                self.literal("", false);
            }
            self.end();
            after_separator = !is_blank(character);
            from = at + character.len_utf8();
        }
        if from < text.len() {
            self.literal(&text[from..], false);
        }
    }
}

impl Shell {
    /// The value of a word without splitting: assignments, targets of redirections, `case`.
    pub(super) async fn text_of(&mut self, word: &str) -> Result<String, Stop> {
        Ok(self.expand(word, Splitting::One).await?.concat())
    }

    /// The value of a word as a pattern: what was quoted stands for itself.
    pub(super) async fn pattern_of(&mut self, word: &str) -> Result<String, Stop> {
        let fields = self.fields(word, Splitting::One).await?;
        Ok(fields.into_iter().map(|field| field.pattern).collect())
    }

    /// The value of an arithmetic expression; none when it was wrong, which has been said.
    pub(super) async fn calculated(&mut self, expression: &str) -> Result<Option<i64>, Stop> {
        let text = self.text_of(&format!("\"{}\"", expression.replace('"', ""))).await?;
        match self.calculate(&text) {
            Ok(value) => Ok(Some(value)),
            Err(problem) => {
                self.complain(&problem).await;
                Ok(None)
            }
        }
    }

    pub(super) async fn expand(&mut self, word: &str, splitting: Splitting) -> Result<Vec<String>, Stop> {
        let variants = if splitting == Splitting::Fields { braces(word) } else { None };
        let mut words = Vec::new();
        for variant in variants.unwrap_or_else(|| vec![word.to_owned()]) {
            for field in self.fields(&variant, splitting).await? {
                if splitting == Splitting::Fields && pattern::is_pattern(&field.pattern) {
                    let found = self.file_names(&field.pattern);
                    if !found.is_empty() {
                        words.extend(found);
                        continue;
                    }
                }
                words.push(field.text);
            }
            if words.len() > FIELDS {
                self.complain("argument list too long").await;
                return Err(Stop::Exit(126));
            }
        }
        Ok(words)
    }

    /// The text of a here-document.
    pub(super) async fn document(&mut self, text: &str) -> Result<String, Stop> {
        let pieces = match parse::document_pieces(text) {
            Ok(pieces) => pieces,
            Err(problem) => {
                self.complain(&problem).await;
                return Err(Stop::Exit(1));
            }
        };
        let mut fields = Fields::default();
        self.pieces(&pieces, &mut fields, true, Splitting::One).await?;
        fields.end();
        Ok(fields.done.into_iter().map(|field| field.text).collect())
    }

    fn fields<'a>(&'a mut self, word: &'a str, splitting: Splitting) -> BoxFuture<'a, Result<Vec<Field>, Stop>> {
        async move {
            if self.depth >= DEPTH {
                self.complain("maximum nesting level exceeded on this sandbox node").await;
                return Err(Stop::Exit(2));
            }
            let pieces = match parse::pieces(word) {
                Ok(pieces) => pieces,
                Err(problem) => {
                    self.complain(&format!("{word}: bad substitution: {problem}")).await;
                    return Err(Stop::Exit(1));
                }
            };
            self.depth += 1;
            let mut fields = Fields::default();
            let ran = self.pieces(&pieces, &mut fields, false, splitting).await;
            self.depth -= 1;
            ran?;
            fields.end();
            Ok(fields.done)
        }
        .boxed()
    }

    fn pieces<'a>(
        &'a mut self,
        pieces: &'a [WordPieceWithSource],
        fields: &'a mut Fields,
        quoted: bool,
        splitting: Splitting,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        async move {
            for piece in pieces {
                match &piece.piece {
                    WordPiece::Text(text) => fields.literal(text, quoted),
                    WordPiece::SingleQuotedText(text) => fields.literal(text, true),
                    WordPiece::AnsiCQuotedText(text) => {
                        fields.literal(&crate::sandbox::nodes::tools::unescape(text).0, true);
                    }
                    WordPiece::EscapeSequence(text) => {
                        fields.literal(text.strip_prefix('\\').unwrap_or(text), true);
                    }
                    WordPiece::DoubleQuotedSequence(inner) | WordPiece::GettextDoubleQuotedSequence(inner) => {
                        let only_all = matches!(
                            inner.as_slice(),
                            [WordPieceWithSource { piece: WordPiece::ParameterExpansion(expression), .. }]
                                if gives_fields(expression)
                        );
                        if !only_all {
                            fields.literal("", true);
                        }
                        self.pieces(inner, fields, true, splitting).await?;
                    }
                    WordPiece::TildeExpansion(tilde) => {
                        let home = match tilde {
                            TildeExpr::Home => self.value("HOME").unwrap_or_default(),
                            TildeExpr::UserHome(user) => self.machine.home(user),
                            _ => self.directory.clone(),
                        };
                        fields.literal(&home, true);
                    }
                    WordPiece::ParameterExpansion(expression) => {
                        let values = self.parameter(expression, quoted).await?;
                        let joined = !gives_fields(expression) || splitting == Splitting::One && !quoted;
                        self.deposit(fields, values, quoted, splitting, joined);
                    }
                    WordPiece::CommandSubstitution(script) => {
                        let output = self.substitute(script).await?;
                        self.deposit(fields, vec![output], quoted, splitting, true);
                    }
                    WordPiece::BackquotedCommandSubstitution(script) => {
                        let script = script.replace("\\`", "`").replace("\\\\", "\\");
                        let output = self.substitute(&script).await?;
                        self.deposit(fields, vec![output], quoted, splitting, true);
                    }
                    WordPiece::ArithmeticExpression(expression) => {
                        let Some(value) = self.calculated(&expression.value).await? else { return Err(Stop::Exit(1)) };
                        self.deposit(fields, vec![value.to_string()], quoted, splitting, true);
                    }
                }
                let size = fields.open.as_ref().map_or(0, |field| field.text.len());
                if size > VALUE.max(HELD) || fields.done.len() > FIELDS {
                    self.complain("argument list too long").await;
                    return Err(Stop::Exit(126));
                }
            }
            Ok(())
        }
        .boxed()
    }

    fn deposit(&self, fields: &mut Fields, values: Vec<String>, quoted: bool, splitting: Splitting, joined: bool) {
        let separators = self.value("IFS").unwrap_or_default();
        if joined {
            let text = values.join(" ");
            if quoted || splitting == Splitting::One {
                fields.literal(&text, quoted);
            } else {
                fields.split(&text, &separators);
            }
            return;
        }
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                fields.end();
            }
            if quoted {
                fields.literal(value, true);
            } else {
                fields.split(value, &separators);
            }
        }
    }

    async fn substitute(&mut self, script: &str) -> Result<String, Stop> {
        self.step().await?;
        let mut child = self.subshell().await?;
        let (sink, held) = Sink::memory();
        child.streams.out = sink;
        // The substitution is one level deeper than the word it stands in.
        child.depth += 1;
        let ran = child.script_within(script).await;
        self.substituted = ran;
        self.last = ran;
        let held = std::mem::take(&mut *held.lock().unwrap_or_else(PoisonError::into_inner));
        if !self.group.charge_steps(held.len() as u64 / 64) {
            return Err(Stop::Exit(137));
        }
        let mut text = String::from_utf8_lossy(&held).into_owned();
        text.truncate(text.trim_end_matches('\n').len());
        Ok(text)
    }

    fn script_within<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, i32> {
        self.script(script).boxed()
    }

    /// The files whose absolute or relative name fits a pattern.
    fn file_names(&self, pattern: &str) -> Vec<String> {
        let rooted = pattern.starts_with('/');
        let mut found: Vec<String> = vec![if rooted { "/".to_owned() } else { String::new() }];
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            let mut next = Vec::new();
            for base in &found {
                let directory = absolute(&self.directory, base);
                let names = self.machine.files(|files| files.list(&directory));
                let fitting = names
                    .into_iter()
                    .filter(|name| pattern::matches(part, name) && (part.starts_with('.') || !name.starts_with('.')));
                next.extend(fitting.map(|name| match base.as_str() {
                    "" => name,
                    "/" => format!("/{name}"),
                    base => format!("{base}/{name}"),
                }));
                if next.len() > FIELDS {
                    return Vec::new();
                }
            }
            found = next;
        }
        found.retain(|name| !name.is_empty() && name != "/");
        found
    }
}

/// The words that a word with braces stands for; none when it has none.
fn braces(word: &str) -> Option<Vec<String>> {
    if !word.contains('{') {
        return None;
    }
    let parsed = parse::within_stack(word, || {
        parse_brace_expansions(word, &ParserOptions::default()).map_err(|error| error.to_string())
    });
    let parsed = parsed.ok()??;
    let words = combine(&parsed);
    (words.len() <= FIELDS).then_some(words)
}

fn combine(parts: &[BraceExpressionOrText]) -> Vec<String> {
    let mut words = vec![String::new()];
    for part in parts {
        let choices = match part {
            BraceExpressionOrText::Text(text) => vec![text.clone()],
            BraceExpressionOrText::Expr(members) => members.iter().flat_map(member).collect(),
        };
        if words.len().saturating_mul(choices.len()) > FIELDS {
            return vec![String::new(); FIELDS + 1];
        }
        words = words.iter().flat_map(|word| choices.iter().map(move |choice| format!("{word}{choice}"))).collect();
    }
    words
}

fn member(member: &BraceExpressionMember) -> Vec<String> {
    let sequence = |start: i64, end: i64, increment: i64| {
        let step = increment.unsigned_abs().max(1);
        let count = (start.abs_diff(end) / step + 1).min(FIELDS as u64 + 1) as i64;
        let step = if start <= end { step as i64 } else { -(step as i64) };
        (0..count).map(move |at| start.wrapping_add(at.wrapping_mul(step)))
    };
    match member {
        BraceExpressionMember::NumberSequence { start, end, increment } => {
            sequence(*start, *end, *increment).map(|number| number.to_string()).collect()
        }
        BraceExpressionMember::CharSequence { start, end, increment } => {
            sequence(*start as i64, *end as i64, *increment)
                .filter_map(|code| u32::try_from(code).ok().and_then(char::from_u32))
                .map(String::from)
                .collect()
        }
        BraceExpressionMember::Child(parts) => combine(parts),
    }
}
