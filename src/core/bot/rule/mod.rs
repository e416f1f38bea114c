//! # Events and rules in the bot
//!
//! ```text
//! a source → Input::Event(Arrival) → taken up once → the rules that it concerns → enforcements → executions
//! ```
//!
//! [`mod@take_up`] is that way; [`mod@happened`] brings on what happens to the bot itself, [`mod@asked`] is for people who ask about rules,
//! [`mod@guard`] watches those that act on problems of the monitoring.
//!
//! - **A rule asks like anybody else**: by [`Principal::Rule`](crate::core::input::Principal), with the rights that roles give it, through the
//!   gates of approval and turn. Where nothing grants it anything, it may do nothing.
//! - **What comes of an event is one fact with it**, and whoever brought it is answered after that.

mod asked;
mod guard;
mod happened;
mod take_up;

pub(super) use guard::Turned;
