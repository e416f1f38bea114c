//! # Aliases
//!
//! From a line of chat to an action and the text of its parameters.
//!
//! A format (`uptime on {{hosts}}`) is compiled once, when content is loaded ([`grammar`]), and kept as long as it is in force ([`formats`]). A line is looked up in an index over all formats
//! and then tried against the few that can match ([`matcher`]). A line that matches nothing is aligned with the formats that its author may
//! use, to say what may have been meant ([`suggest`]); one that only lacks a value is asked about ([`lacking`]). [`help`] lists what there is,
//! and what an own command of the bot hides is told when content is loaded (`shadow`).
//!
//! **Matching is linear in the length of the line, whatever the format.** Formats whose own expression needs look-around are the one
//! exception: they run on an engine that counts its steps, and running out of them is an answer of its own, never a wrong match.
//!
//! **No format wins by standing first.** Every hit is known; one alias is chosen only when it is the only one, or the only exact one.
//!
//! **One bad format stops nothing else.**
//!
//! **What a person typed is kept to the letter**: words of a format match in any case, captured values are never folded, evaluated or
//! unescaped.

pub mod ambiguity;
pub mod formats;
pub mod grammar;
pub mod help;
pub mod lacking;
pub mod matcher;
mod outline;
pub(crate) mod pairs;
mod reader;
mod saying;
mod shadow;
pub mod spec;
pub mod suggest;
