//! # Alerts
//!
//! What monitoring systems tell, in one shape. A notification comes in as the payload of a trigger, whoever sent it; what it says about which problem is read from
//! it here, and everything behind works on that.
//!
//! - [`source`]: the monitorings, and the trigger of each;
//! - [`checkmk`], [`nagios`]: from the variables that these give their notification commands ([`variables`]) to a payload;
//! - [`icinga2`]: from an event of its stream, and from an object of its API;
//! - [`alertmanager`]: from the body of its webhook;
//! - [`notification`]: from a payload, which has one shape for all of them, to what it says;
//! - [`stackstorm`]: what StackStorm's packs for a monitoring would tell instead;
//! - [`escalation`]: who is called when nobody touches it;
//! - [`life`]: what it means for what is known;
//! - [`found`]: what nobody tells since it began in a downtime;
//! - [`offer`]: what people may have done about it;
//! - [`storm`]: so many at once that they are told as one;
//! - [`order`]: what is asked of a monitoring;
//! - [`standing`]: how things stand, as a monitoring says.
//!
//! - **A problem is named by where it is**: source, site, host and service. The monitoring's own numbers are not unique, and zero after a recovery.
//! - **Every kind of notification has a meaning**, also those that are not known yet; none is an error.
//! - **Only [`notification::Kind::Problem`] is a problem.** An acknowledgement of a critical service carries its state too.

pub mod alertmanager;
pub mod checkmk;
pub mod escalation;
pub mod found;
pub mod icinga2;
pub mod life;
pub mod nagios;
pub mod notification;
pub mod offer;
pub mod order;
pub mod source;
pub mod stackstorm;
pub mod standing;
pub mod storm;
pub mod variables;
