//! # Rules
//!
//! If this happens, and it is like that, then run this. The formats are StackStorm's; `docs/rules.md` is their description for those who write
//! rules.
//!
//! ## From an event to an execution
//! 1. A source brings a [`trigger::TriggerInstance`]. The bot takes it up once, by its id.
//! 2. [`index::Rules::concerned`] gives the rules that it could match; [`spec::Rule::judge`] asks each. Backstop rules are asked when no
//!    standard rule has matched.
//! 3. For each that matches, the parameters of its action are rendered ([`parameters`]), and the action is asked for as any other: the one
//!    authoriser is asked what the rule may do, and policies apply.
//! 4. What came of it is part of the same fact as the event ([`trigger::Taken`]).
//!
//! What a rule begins because of a problem of the monitoring is watched by [`guard`].
//!
//! [`criterion`] is one test, [`operator`] what it asks, [`index`] how rules are found, [`trigger`] what events are.
//!
//! - **An event is taken up at most once**, by the id that its source gives it.
//! - **A criterion that cannot be judged is not met**, and that it could not is told.
//! - **Nothing in a payload is ever a template, a pattern or a command.** What a rule puts of it into a shell command may hold nothing that a
//!   shell acts on, and where it names a machine it names one.
//! - **A rule that has led to an event is not started by it again**, and no chain of rules is longer than [`LONGEST_CHAIN`].

pub mod criterion;
pub mod guard;
pub mod index;
pub mod operator;
pub mod parameters;
pub mod remembered;
pub mod schema;
pub mod spec;
pub mod trial;
pub mod trigger;

/// How many rules may lead to one another.
pub const LONGEST_CHAIN: usize = 8;
