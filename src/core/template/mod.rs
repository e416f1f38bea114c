//! # Templates
//!
//! The packs' own expressions, in StackStorm's dialect of Jinja: undefined names are errors, blocks swallow the white space of their lines,
//! and what is written out looks as Python writes it (`None`, `True`, `{'a': 1}`).
//!
//! A template is text in, text out ([`render`]); [`value`] turns the text into the declared type afterwards, and holds how Python and JSON
//! write values. Nothing in a template reaches outside: no files, no includes, no clock, no randomness, no environment.
//!
//! **Only what a pack's author wrote is ever a template.** What people type, what alerts say and what commands print are values.
//!
//! What a template may look at besides parameters is handed in by the caller as [`surroundings`]: pure lookups, asked only for what is used, and
//! **whatever a template took from its surroundings is told with its text**, so that it can be hidden and kept out of a shell.
//! What a pack lets the bot say is rendered apart ([`said`]): there every value is kept from acting as Markdown.
//!
//! **Every rendering ends**: it has fuel, a depth and a largest output.

pub(crate) mod arguments;
mod braces;
mod checks;
mod figures;
pub(crate) mod filters;
mod functions;
mod json;
pub(crate) mod literal;
mod methods;
mod percent;
pub(crate) mod python;
pub(crate) mod python_regex;
pub mod render;
pub mod said;
mod scan;
pub mod surroundings;
pub mod value;
