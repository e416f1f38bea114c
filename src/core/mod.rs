//! # Core: decides
//!
//! Pure and synchronous: no clock, no files, no sockets, no tasks, no randomness. One event goes in, facts to remember and effects to
//! perform come out. The folder names are the product's features. In reading order:
//!
//! - [`input`], [`effect`], [`fact`]: the three alphabets: all that can happen, all the bot can do, all it remembers;
//! - [`bot`]: the machine that joins the features below;
//! - [`memory`]: the fold of the facts;
//! - [`chat`], [`alias`], [`access`]: from a line to what is wanted, and whether they may;
//! - [`audit`]: who did what, made of the facts;
//! - [`action`], [`host`], [`template`]: from what is wanted to what is run, and how it ended;
//! - [`callback`]: buttons and dialogs, and how what comes back of them is known to be ours;
//! - [`workflow`]: several actions as one: what follows from what, and what it came to;
//! - [`rule`]: what happens outside, and what it starts;
//! - [`sensor`]: programs that tell what happens, and when they are started;
//! - [`yaql`]: the expressions of workflows;
//! - [`rehearsal`]: workflows played without anything that runs, and what has to come of it;
//! - [`approval`]: what has to be said yes to before it is run;
//! - [`policy`]: when it is run: whose turn it is, how many at once, what is tried again;
//! - [`datastore`]: values that packs and people keep under names;
//! - [`message`]: everything that is said;
//! - [`webhook`]: how other programs bring events;
//! - [`alert`]: what monitoring systems tell;
//! - [`timer`]: when timers tick;
//! - [`picture`]: graphs drawn;
//! - [`content`], [`settings`]: what the site has written down;
//! - [`vitals`]: what the runtime measures of the parts around the core;
//! - [`id`]: the names of things.
//!
//! - **Core imports nothing from `runtime`, `adapters`, `app`, `cli` or `config`**; a test reads the folder and says so.
//! - **The time is an argument.**

pub mod access;
pub mod action;
pub mod alert;
pub mod alias;
pub mod approval;
pub mod audit;
pub mod bot;
pub mod callback;
pub mod chat;
pub mod content;
pub mod datastore;
pub mod effect;
pub mod fact;
pub mod host;
pub mod id;
pub mod input;
pub mod memory;
pub mod message;
pub mod picture;
pub mod policy;
pub mod rehearsal;
pub mod rule;
pub mod schedule;
pub mod sensor;
pub mod settings;
pub mod template;
pub mod timer;
pub mod vitals;
pub mod webhook;
pub mod workflow;
pub mod yaql;
