//! How long access is asked for.

use std::fmt::{self, Write as _};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Whole seconds, from one minute to 90 days. Displayed as people say it: "1 hour 30 minutes".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Duration {
    /// One minute.
    pub const SHORTEST: Self = Self(MINUTE);
    /// One day.
    pub const DAY: Self = Self(DAY);
    /// 90 days.
    pub const LONGEST: Self = Self(90 * DAY);

    /// `text`, if it is a whole number and a unit `s`, `m`, `h` or `d`, such as `30m`, and within the
    /// limits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit_s) = [("s", 1), ("m", MINUTE), ("h", HOUR), ("d", DAY)]
            .into_iter()
            .find_map(|(unit, unit_s)| Some((text.strip_suffix(unit)?, unit_s)))?;
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Self::from_seconds(number.parse::<u64>().ok()?.checked_mul(unit_s)?)
    }

    /// That many seconds, if they are within the limits.
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        let duration = Self(seconds);
        (Self::SHORTEST..=Self::LONGEST)
            .contains(&duration)
            .then_some(duration)
    }

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_words(self.0))
    }
}

/// Any number of seconds as people say it: "30 minutes", "1 hour 30 minutes", "2 days".
#[must_use]
pub fn in_words(seconds: u64) -> String {
    let mut words = String::new();
    let mut left = seconds;
    for (unit_s, unit) in [
        (DAY, "day"),
        (HOUR, "hour"),
        (MINUTE, "minute"),
        (1, "second"),
    ] {
        let n = left / unit_s;
        left %= unit_s;
        if n > 0 {
            let space = if words.is_empty() { "" } else { " " };
            let plural = if n == 1 { "" } else { "s" };
            // Writing to a string cannot fail.
            let _ = write!(words, "{space}{n} {unit}{plural}");
        }
    }
    if words.is_empty() {
        "0 seconds".to_owned()
    } else {
        words
    }
}
