//! # Chat
//!
//! From a post to what is wanted: whether a post may speak to the bot at all ([`admission`]), whether it does and with what words
//! ([`address`]), whether too much is asked
//! at once ([`pace`]), by which code what waits is named ([`code`]), what of it is not repeated ([`secret`]), when it is meant for ([`when`]), which executions it asks for ([`filter`]), and which of the bot's own commands that is, if any ([`command`]).
//!
//! - **Only a person's own, unedited, ordinary post can start anything.** Marks that a post carries only ever take trust away.
//! - **Every line meant for the bot gets an answer**; a line not meant for it gets none.

pub mod address;
pub mod admission;
pub mod code;
pub mod command;
pub mod filter;
pub(crate) mod key;
pub mod pace;
pub mod secret;
pub mod when;
