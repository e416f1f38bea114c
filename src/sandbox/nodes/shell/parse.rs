//! Text to syntax tree, with a bound on nesting.

use brush_parser::word::{self, WordPieceWithSource};
use brush_parser::{Parser, ParserOptions, ast};

/// Bytes that a script may have.
const SCRIPT: usize = 1 << 18;
/// Brackets and keywords that may be open at once: the parser goes down its stack with each.
const NESTING: usize = 24;

/// The syntax tree of a script, or what is wrong with it in one line.
pub(super) fn program(text: &str) -> Result<ast::Program, String> {
    guard(text)?;
    let parse = || Parser::new(std::io::Cursor::new(text.as_bytes()), &ParserOptions::default()).parse_program();
    match std::panic::catch_unwind(parse) {
        Ok(Ok(program)) => Ok(program),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("syntax error: this sandbox node cannot read the script".to_owned()),
    }
}

/// The pieces of a word.
pub(super) fn pieces(text: &str) -> Result<Vec<WordPieceWithSource>, String> {
    guard(text)?;
    std::panic::catch_unwind(|| word::parse(text, &ParserOptions::default()))
        .map_err(|_| "bad substitution".to_owned())?
        .map_err(|error| error.to_string())
}

/// The pieces of a here-document's text.
pub(super) fn document_pieces(text: &str) -> Result<Vec<WordPieceWithSource>, String> {
    guard(text)?;
    std::panic::catch_unwind(|| word::parse_heredoc(text, &ParserOptions::default()))
        .map_err(|_| "bad substitution".to_owned())?
        .map_err(|error| error.to_string())
}

/// Refuses what would take the parser too deep.
pub(super) fn guard(text: &str) -> Result<(), String> {
    if text.len() > SCRIPT {
        return Err("script too large for this sandbox node".to_owned());
    }
    let (mut brackets, mut blocks) = (0usize, 0usize);
    let mut word = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_lowercase() {
            word.push(character);
            continue;
        }
        match word.as_str() {
            "if" | "while" | "until" | "for" | "case" => blocks += 1,
            "fi" | "done" | "esac" => blocks = blocks.saturating_sub(1),
            _ => {}
        }
        word.clear();
        match character {
            '(' | '{' | '[' => brackets += 1,
            ')' | '}' | ']' => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        if brackets > NESTING || blocks > NESTING * 4 {
            return Err("syntax error: nested too deep for this sandbox node".to_owned());
        }
    }
    Ok(())
}
