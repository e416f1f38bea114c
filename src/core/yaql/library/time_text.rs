//! Times as text: Python's formats, and the ways of writing a date that are read without one.

use crate::core::yaql::error::{Kind, Outcome, fail, shortened};
use crate::core::yaql::time::{Civil, Moment};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn at<'n>(names: &[&'n str], place: i64) -> &'n str {
    usize::try_from(place).ok().and_then(|place| names.get(place)).copied().unwrap_or_default()
}

/// `strftime` in English, as under the locale C.
pub(super) fn write(moment: Moment, format: &str) -> String {
    let mut out = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some(directive) => out.push_str(&directed(moment, directive)),
            None => out.push('%'),
        }
    }
    out
}

fn directed(moment: Moment, directive: char) -> String {
    let civil = moment.civil();
    let short = |name: &str| name[..3].to_owned();
    let twelve = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
    let week = |first: i64| (moment.day_of_year() + 6 - (moment.weekday() - first).rem_euclid(7)) / 7;
    match directive {
        'a' => short(at(&WEEKDAYS, moment.weekday())),
        'A' => at(&WEEKDAYS, moment.weekday()).to_owned(),
        'b' | 'h' => short(at(&MONTHS, civil.month - 1)),
        'B' => at(&MONTHS, civil.month - 1).to_owned(),
        'c' => write(moment, "%a %b %e %H:%M:%S %Y"),
        'C' => format!("{:02}", civil.year / 100),
        'd' => format!("{:02}", civil.day),
        'D' | 'x' => write(moment, "%m/%d/%y"),
        'e' => format!("{:2}", civil.day),
        'f' => format!("{:06}", civil.microsecond),
        'F' => write(moment, "%Y-%m-%d"),
        'G' => iso_week(moment).0.to_string(),
        'H' => format!("{:02}", civil.hour),
        'I' => format!("{twelve:02}"),
        'j' => format!("{:03}", moment.day_of_year()),
        'k' => format!("{:2}", civil.hour),
        'l' => format!("{twelve:2}"),
        'm' => format!("{:02}", civil.month),
        'M' => format!("{:02}", civil.minute),
        'n' => "\n".to_owned(),
        'p' => if civil.hour < 12 { "AM" } else { "PM" }.to_owned(),
        'r' => write(moment, "%I:%M:%S %p"),
        'R' => write(moment, "%H:%M"),
        's' => (moment.utc + moment.offset).div_euclid(1_000_000).to_string(),
        'S' => format!("{:02}", civil.second),
        't' => "\t".to_owned(),
        'T' | 'X' => write(moment, "%H:%M:%S"),
        'u' => (moment.weekday() + 1).to_string(),
        'U' => format!("{:02}", week(6)),
        'V' => format!("{:02}", iso_week(moment).1),
        'w' => ((moment.weekday() + 1) % 7).to_string(),
        'W' => format!("{:02}", week(0)),
        'y' => format!("{:02}", civil.year % 100),
        'Y' => civil.year.to_string(),
        'z' => moment.offset_text(""),
        'Z' if moment.offset == 0 => "UTC".to_owned(),
        'Z' => String::new(),
        '%' => "%".to_owned(),
        other => format!("%{other}"),
    }
}

/// Year and week as ISO 8601 counts them.
fn iso_week(moment: Moment) -> (i64, i64) {
    let year = moment.civil().year;
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let starts_on =
        |year: i64| (year + (year - 1).div_euclid(4) - (year - 1).div_euclid(100) + (year - 1).div_euclid(400) + 6) % 7;
    let weeks = |year: i64| if starts_on(year) == 3 || leap(year) && starts_on(year) == 2 { 53 } else { 52 };
    match (moment.day_of_year() - moment.weekday() + 9) / 7 {
        0 => (year - 1, weeks(year - 1)),
        53 if weeks(year) == 52 => (year + 1, 1),
        week => (year, week),
    }
}

/// What has been read of a time.
#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    microsecond: Option<i64>,
    /// Afternoon
    late: Option<bool>,
    /// Microseconds
    offset: Option<i64>,
}

impl Parts {
    /// The time, with what is missing from `default`.
    fn moment(&self, default: Civil) -> Outcome<Moment> {
        let hour = self.hour.unwrap_or(default.hour);
        let hour = match self.late {
            Some(late) => hour % 12 + if late { 12 } else { 0 },
            None => hour,
        };
        let mut civil = Civil {
            year: self.year.unwrap_or(default.year),
            month: self.month.unwrap_or(default.month),
            day: self.day.unwrap_or(default.day),
            hour,
            minute: self.minute.unwrap_or(default.minute),
            second: self.second.unwrap_or(default.second),
            microsecond: self.microsecond.unwrap_or(default.microsecond),
        };
        if let (Some(number), None, None) = (self.day_of_year, self.month, self.day) {
            let first = Moment::from_civil(Civil { month: 1, day: 1, ..civil }, 0)?;
            civil = first.plus((number - 1) * crate::core::yaql::time::DAY)?.civil();
        }
        Moment::from_civil(civil, self.offset.unwrap_or_default())
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn number(&mut self, most: usize) -> Option<i64> {
        let length = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let number = self.rest[..length].parse().ok();
        self.rest = &self.rest[length..];
        number
    }

    fn is(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The number of the name that stands here, from nought.
    fn name(&mut self, names: &[&str], short: bool) -> Option<i64> {
        let (place, length) = names.iter().enumerate().find_map(|(place, name)| {
            let name = if short { &name[..3] } else { name };
            let here = self.rest.get(..name.len())?;
            here.eq_ignore_ascii_case(name).then_some((place, name.len()))
        })?;
        self.rest = &self.rest[length..];
        i64::try_from(place).ok()
    }

    /// Digits behind a point, as microseconds.
    fn fraction(&mut self) -> Option<i64> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let digits = &self.rest[..length.min(6)];
        let number: i64 = digits.parse().ok()?;
        self.rest = &self.rest[length..];
        Some(number * 10_i64.pow(u32::try_from(6 - digits.len()).unwrap_or_default()))
    }

    /// `Z`, `+02:00`, `+0200`, `+02`, as microseconds.
    fn offset(&mut self) -> Option<i64> {
        if self.is("Z") || self.is("z") {
            return Some(0);
        }
        let sign = if self.is("+") {
            1
        } else if self.is("-") {
            -1
        } else {
            return None;
        };
        let hours = self.number(2)?;
        let colon = self.is(":");
        let minutes = match self.number(2) {
            Some(minutes) => minutes,
            None if colon => return None,
            None => 0,
        };
        Some(sign * (hours * 3_600 + minutes * 60) * 1_000_000)
    }
}

/// `strptime`
pub(super) fn read_as(text: &str, format: &str) -> Outcome<Moment> {
    let mut parts = Parts::default();
    let mut reader = Reader { rest: text };
    let fits = by_format(&mut reader, &mut parts, format);
    if fits.is_none() || !reader.rest.is_empty() {
        return fail(Kind::Value, format!("the time `{}` is not written as `{}`", shortened(text), shortened(format)));
    }
    parts.moment(Civil { year: 1900, month: 1, day: 1, hour: 0, minute: 0, second: 0, microsecond: 0 })
}

fn by_format(reader: &mut Reader<'_>, parts: &mut Parts, format: &str) -> Option<()> {
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character.is_whitespace() {
            let trimmed = reader.rest.trim_start();
            (trimmed.len() < reader.rest.len()).then_some(())?;
            reader.rest = trimmed;
            continue;
        }
        if character != '%' {
            reader.is(character.encode_utf8(&mut [0; 4])).then_some(())?;
            continue;
        }
        match characters.next()? {
            'Y' => parts.year = Some(reader.number(4)?),
            'y' => {
                let year = reader.number(2)?;
                parts.year = Some(year + if year < 69 { 2000 } else { 1900 });
            }
            'm' => parts.month = Some(reader.number(2)?),
            'd' => parts.day = Some(reader.number(2)?),
            'H' | 'I' => parts.hour = Some(reader.number(2)?),
            'M' => parts.minute = Some(reader.number(2)?),
            'S' => parts.second = Some(reader.number(2)?),
            'f' => {
                let before = reader.rest;
                let length = before.bytes().take(6).take_while(u8::is_ascii_digit).count();
                let mut digits = Reader { rest: &before[..length] };
                parts.microsecond = Some(digits.fraction()?);
                reader.rest = &before[length..];
            }
            'j' => parts.day_of_year = Some(reader.number(3)?),
            'b' | 'h' => parts.month = Some(reader.name(&MONTHS, true)? + 1),
            'B' => parts.month = Some(reader.name(&MONTHS, false)? + 1),
            'a' => {
                reader.name(&WEEKDAYS, true)?;
            }
            'A' => {
                reader.name(&WEEKDAYS, false)?;
            }
            'p' => parts.late = Some(reader.name(&["AM ", "PM "].map(|name| &name[..2]), false)? == 1),
            'z' => parts.offset = Some(reader.offset()?),
            'Z' => {
                let named = ["UTC", "GMT"].iter().any(|name| reader.is(name));
                named.then_some(())?;
            }
            'T' => by_format(reader, parts, "%H:%M:%S")?,
            'D' | 'x' => by_format(reader, parts, "%m/%d/%y")?,
            'F' => by_format(reader, parts, "%Y-%m-%d")?,
            'R' => by_format(reader, parts, "%H:%M")?,
            'X' => by_format(reader, parts, "%H:%M:%S")?,
            'c' => by_format(reader, parts, "%a %b %d %H:%M:%S %Y")?,
            '%' => reader.is("%").then_some(())?,
            _ => return None,
        }
    }
    Some(())
}

/// A date, a time or both in a usual way of writing. What is not written is taken from the day of `now`.
pub(crate) fn read(text: &str, now: Moment) -> Outcome<Moment> {
    let today = now.midnight().civil();
    match any_way(text.trim()) {
        Some(parts) => parts.moment(today),
        None => fail(Kind::Value, format!("`{}` is no time that can be read", shortened(text))),
    }
}

fn any_way(text: &str) -> Option<Parts> {
    let mut parts = Parts::default();
    let mut reader = Reader { rest: text };
    if text.is_empty() {
        return None;
    }
    // A weekday in front says nothing new.
    let named = reader.name(&WEEKDAYS, false).or_else(|| reader.name(&WEEKDAYS, true));
    if named.is_some() {
        reader.rest = reader.rest.trim_start_matches([',', ' ', '.']);
    }
    date(&mut reader, &mut parts);
    let separated = reader.is("T") || reader.is("t");
    if !separated {
        reader.rest = reader.rest.trim_start_matches([' ', ',']);
    }
    if !reader.rest.is_empty() {
        clock(&mut reader, &mut parts)?;
    }
    reader.rest.is_empty().then_some(parts)
}

fn date(reader: &mut Reader<'_>, parts: &mut Parts) -> Option<()> {
    let start = reader.rest;
    let digits = start.bytes().take_while(u8::is_ascii_digit).count();
    let found = match digits {
        8 | 14 | 12 if !start[digits..].starts_with(':') => {
            (parts.year, parts.month, parts.day) = (reader.number(4), reader.number(2), reader.number(2));
            Some(())
        }
        4 => {
            parts.year = reader.number(4);
            let between = reader.rest.chars().next();
            match between.filter(|sign| matches!(sign, '-' | '/' | '.')) {
                Some(sign) => {
                    let sign = sign.to_string();
                    reader.is(&sign);
                    parts.month = reader.number(2);
                    if reader.is(&sign) {
                        parts.day = reader.number(2);
                    }
                    parts.month.map(|_| ())
                }
                None => Some(()),
            }
        }
        1 | 2 => short_date(reader, parts),
        0 => {
            parts.month = reader.name(&MONTHS, false).or_else(|| reader.name(&MONTHS, true)).map(|month| month + 1);
            let month = parts.month;
            month?;
            reader.rest = reader.rest.trim_start_matches(['.', ' ']);
            parts.day = reader.number(2);
            reader.rest = reader.rest.trim_start_matches([',', ' ']);
            if reader.rest.get(2..3) != Some(":") {
                parts.year = reader.number(4);
            }
            Some(())
        }
        _ => None,
    };
    if found.is_none() {
        reader.rest = start;
        *parts = Parts::default();
    }
    found
}

/// `29 Aug 2015`, `8/29/2015`, `29.08.2015`; the month first unless that cannot be.
fn short_date(reader: &mut Reader<'_>, parts: &mut Parts) -> Option<()> {
    let first = reader.number(2)?;
    let sign = reader.rest.chars().next()?;
    match sign {
        '/' | '.' | '-' => {
            let sign = sign.to_string();
            reader.is(&sign);
            if let Some(month) = reader.name(&MONTHS, false).or_else(|| reader.name(&MONTHS, true)) {
                (parts.day, parts.month) = (Some(first), Some(month + 1));
            } else {
                let second = reader.number(2)?;
                (parts.month, parts.day) =
                    if first > 12 { (Some(second), Some(first)) } else { (Some(first), Some(second)) };
            }
            if reader.is(&sign) {
                let year = reader.number(4)?;
                parts.year = Some(if year < 100 { year + if year < 69 { 2000 } else { 1900 } } else { year });
            }
            Some(())
        }
        ' ' => {
            reader.rest = reader.rest.trim_start();
            let month = reader.name(&MONTHS, false).or_else(|| reader.name(&MONTHS, true))?;
            (parts.day, parts.month) = (Some(first), Some(month + 1));
            reader.rest = reader.rest.trim_start_matches([',', ' ', '.']);
            if reader.rest.get(2..3) != Some(":") {
                parts.year = reader.number(4);
            }
            Some(())
        }
        _ => None,
    }
}

fn clock(reader: &mut Reader<'_>, parts: &mut Parts) -> Option<()> {
    parts.hour = Some(reader.number(2)?);
    (parts.minute, parts.second, parts.microsecond) = (Some(0), Some(0), Some(0));
    if reader.is(":") {
        parts.minute = Some(reader.number(2)?);
        if reader.is(":") {
            parts.second = Some(reader.number(2)?);
        }
    } else if reader.rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) {
        parts.minute = Some(reader.number(2)?);
        if let Some(second) = reader.number(2) {
            parts.second = Some(second);
        }
    }
    if reader.is(".") || reader.is(",") {
        parts.microsecond = Some(reader.fraction()?);
    }
    reader.rest = reader.rest.trim_start();
    if let Some(half) = reader.name(&["am", "pm"], false) {
        parts.late = Some(half == 1);
        reader.rest = reader.rest.trim_start();
    }
    if reader.is("UTC") || reader.is("GMT") {
        parts.offset = Some(0);
    } else if !reader.rest.is_empty() {
        parts.offset = Some(reader.offset()?);
    }
    Some(())
}
