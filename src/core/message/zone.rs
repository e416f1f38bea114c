//! Times as the one who asks has them on the wall.
//!
//! Time zones come with the program, since a fresh machine may have none and the core reads no files.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::LazyLock;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The time zone of this name; UTC for a name that means nothing, an empty one among them.
pub fn zone(name: &str) -> TimeZone {
    if name.is_empty() { TimeZone::UTC } else { ZONES.get(name).unwrap_or(TimeZone::UTC) }
}

/// The time zone of this name, if there is one.
pub fn named_zone(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok()
}

/// A moment by the clock of a zone: `14:02 CET` on the same day, `21 Nov 14:02 CET` in the same year, `21 Nov 2025 14:02 CET` otherwise.
pub fn moment(then: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (then, now) = (then.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let form = if then.date() == now.date() {
        "%H:%M %Z"
    } else if then.year() == now.year() {
        "%-d %b %H:%M %Z"
    } else {
        "%-d %b %Y %H:%M %Z"
    };
    then.strftime(form).to_string()
}
