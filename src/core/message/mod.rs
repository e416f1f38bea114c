//! # Messages
//!
//! Every sentence that the bot says. Data goes in as a typed [`card::Card`], a Handlebars template of `templates/` turns it into the text of a post.
//!
//! - [`attachment`] is a part of a post with a colour and fields of its own, as packs want it;
//! - [`card`] is what can be said, each with the data it needs;
//! - [`sentences`] holds the templates and the words they may use, [`overrides`] looks at those that the site puts in their place;
//! - [`output`] folds what many hosts wrote, so that a person grasps it (`folding` says who said the same);
//! - [`markdown`] escapes;
//! - [`phrase`] holds the pieces of sentences that cards are made of, [`verdict`] how an execution ended or stands;
//! - [`value`] shows values of the datastore;
//! - [`span`] tells lengths of time, [`zone`] moments by the clock of the one who asks.
//!
//! - **Nothing that came from outside can act**: `{{value}}` escapes Markdown and defuses mentions; output goes into a fence that it cannot leave.
//! - **Nothing is silently cut**: what does not fit is counted in the text and attached as a file.

pub mod attachment;
pub mod card;
mod folding;
pub mod inquiry;
pub mod markdown;
pub mod output;
pub mod overrides;
pub mod phrase;
pub mod sentences;
pub mod span;
pub mod turn;
pub mod value;
pub mod verdict;
pub mod zone;
