//! # Alerts
//!
//! What monitoring systems tell, in one shape. A notification comes in as the payload of a trigger, whoever sent it; what it says about which problem is read from
//! it here, and everything behind works on that.
//!
//! - [`checkmk`]: from the variables that CheckMK gives its notification plugins to a payload;
//! - [`notification`]: from a payload to what it says;
//! - [`life`]: what it means for what is known;
//! - [`offer`]: what people may have done about it.
//!
//! - **A problem is named by where it is**: source, site, host and service. The monitoring's own numbers are not unique, and zero after a recovery.
//! - **Every kind of notification has a meaning**, also those that are not known yet; none is an error.
//! - **Only [`notification::Kind::Problem`] is a problem.** An acknowledgement of a critical service carries its state too.

pub mod checkmk;
pub mod life;
pub mod notification;
pub mod offer;
