//! UUIDs (RFC 9562), made of what came with the event.

use jiff::Timestamp;

/// Ticks of 100 ns between 1582-10-15, where the count of version 1 begins, and 1970.
const BEFORE_1970: i128 = 0x01b2_1dd2_1381_4000;

/// Version 4: chance.
pub(super) fn by_chance(high: u64, low: u64) -> String {
    written((high & !0xf000) | 0x4000, (low & !(0b11 << 62)) | (0b10 << 62))
}

/// Version 1: the time, and chance in the place of the machine's address.
pub(super) fn by_time(at: Timestamp, bits: u64) -> String {
    // Sixty bits last until the year 5236.
    let ticks = u64::try_from(at.as_nanosecond() / 100 + BEFORE_1970).unwrap_or_default();
    let high = (ticks << 32) | (((ticks >> 32) & 0xffff) << 16) | 0x1000 | ((ticks >> 48) & 0x0fff);
    // The bit that marks an address as nobody's own.
    let low = (bits & !(0b11 << 62)) | (0b10 << 62) | (1 << 40);
    written(high, low)
}

fn written(high: u64, low: u64) -> String {
    let digits = format!("{high:016x}{low:016x}");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}
