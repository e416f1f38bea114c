//! # Workflows
//!
//! Several actions as one: in order, side by side, again, or only if. A definition is read once into a [`graph`]; a run of it is a [`state`], the fold
//! of [`transition`]s; the [`conductor`] decides what follows from what happened. It starts nothing: it says what to start, and is told how it went.
//!
//! The life of a run: `open` (inputs, variables, the tasks to begin with) → `request(running)` → `starts` (what to start) → `tell` (running,
//! succeeded, failed, …) → `starts` → … → the workflow has ended → `render_output`. At any point `request` pauses, resumes or cancels, and after the
//! end `rerun` runs failed or named tasks again. After each call `take_transitions` gives what is to be made durable.
//!
//! In reading order: [`status`], [`graph`], [`expression`] (with [`scene`], what an expression sees), [`scope`] (what a branch knows), [`board`] (how the
//! tasks stand), [`transition`], [`state`], `machine` (the two tables), [`conductor`], [`conducted`] (a run that is an execution of the bot's). [`orquesta`] reads StackStorm's workflows; [`trace`] runs a
//! workflow by a script.
//!
//! - **The conductor is pure**: no clock, no I/O. Deadlines are the caller's, who tells `timeout`, or [`conductor::Conductor::expire`].
//! - **Only what the file says is evaluated, never data.** A result that looks like an expression stays text.
//! - **A transition is a fact; folding it renders nothing and looks at no graph.** The state can be built from them, or read from a snapshot.
//! - **Memory goes with what is live, time with the steps**: no step copies the state, parses an expression or goes through all tasks.
//! - **Dialects differ by a policy record** ([`graph::Policy`]), never by translation of one into another.

pub mod board;
pub mod conducted;
pub mod conductor;
pub mod expression;
pub mod graph;
mod jinja;
mod machine;
pub mod orquesta;
pub mod scene;
pub mod scope;
pub(crate) mod stage;
pub mod state;
pub mod status;
pub mod trace;
pub mod transition;
mod yaql;
