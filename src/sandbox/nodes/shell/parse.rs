//! Text to syntax tree, with a bound on nesting.

use brush_parser::word::{self, WordPieceWithSource};
use brush_parser::{Parser, ParserOptions, ast};

/// Bytes that a script may have.
const SCRIPT: usize = 1 << 18;
/// Brackets and keywords that may be open at once: the parser goes down its stack with each.
const NESTING: usize = 120;
/// Up to this nesting the stack of whoever asks is enough.
const SHALLOW: usize = 16;
/// The stack for what is deeper. Only what is used of it is ever there.
const STACK: usize = 256 << 20;

/// The syntax tree of a script, or what is wrong with it in one line.
pub(super) fn program(text: &str) -> Result<ast::Program, String> {
    within_stack(text, || {
        Parser::new(std::io::Cursor::new(text.as_bytes()), &ParserOptions::default())
            .parse_program()
            .map_err(|error| error.to_string())
    })
}

/// The pieces of a word.
pub(super) fn pieces(text: &str) -> Result<Vec<WordPieceWithSource>, String> {
    within_stack(text, || word::parse(text, &ParserOptions::default()).map_err(|error| error.to_string()))
}

/// The pieces of a here-document's text.
pub(super) fn document_pieces(text: &str) -> Result<Vec<WordPieceWithSource>, String> {
    within_stack(text, || word::parse_heredoc(text, &ParserOptions::default()).map_err(|error| error.to_string()))
}

/// Parses where the stack is deep enough for the text; what no stack is deep enough for is refused.
pub(super) fn within_stack<T, F>(text: &str, parse: F) -> Result<T, String>
where
    T: Send,
    F: FnOnce() -> Result<T, String> + Send,
{
    let unreadable = || "syntax error: this sandbox node cannot read the script".to_owned();
    if text.len() > SCRIPT {
        return Err("script too large for this sandbox node".to_owned());
    }
    match nesting(text) {
        depth if depth > NESTING => Err("syntax error: nested too deep for this sandbox node".to_owned()),
        depth if depth > SHALLOW => std::thread::scope(|scope| {
            let parser = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, parse);
            parser.map_err(|_| unreadable())?.join().map_err(|_| unreadable())?
        }),
        _ => std::panic::catch_unwind(std::panic::AssertUnwindSafe(parse)).unwrap_or_else(|_| Err(unreadable())),
    }
}

/// How deep a text may be nested, rather too deep than not deep enough: quotes are not looked at.
fn nesting(text: &str) -> usize {
    let (mut brackets, mut blocks, mut deepest) = (0usize, 0usize, 0);
    let mut word = String::new();
    // Keywords count where a command can begin.
    let mut beginning = true;
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_lowercase() {
            word.push(character);
            continue;
        }
        if !word.is_empty() {
            match word.as_str() {
                "if" | "while" | "until" | "for" | "case" if beginning => blocks += 1,
                "fi" | "done" | "esac" if beginning => blocks = blocks.saturating_sub(1),
                _ => {}
            }
            beginning &= matches!(word.as_str(), "if" | "while" | "until" | "then" | "do" | "else" | "elif");
            word.clear();
        }
        match character {
            '(' | '{' | '[' => brackets += 1,
            ')' | '}' | ']' => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        beginning = match character {
            ' ' | '\t' => beginning,
            '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '!' | '`' => true,
            _ => false,
        };
        deepest = deepest.max(brackets + blocks);
    }
    deepest
}
