//! Okta's rate limits, as its answers tell them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{DATE, HeaderMap};
use tokio::time::Instant;

use crate::ask::Ask;

/// How long to wait where a 429 does not say: the limits are per minute.
const MINUTE: Duration = Duration::from_mins(1);

/// No wait is longer, whatever an answer says.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// What an answer's headers say about the limits of its bucket. Times are seconds since 1970, by
/// Okta's clock.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) request_id: Option<String>,
    date: Option<i64>,
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<i64>,
}

impl Limits {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let count = |name: &str| text(name).and_then(|text| text.trim().parse().ok());
        let date = text(DATE.as_str()).and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        Self {
            request_id: text("x-okta-request-id").map(str::to_owned),
            date: date.map(|date| date.timestamp().as_second()),
            limit: count("x-rate-limit-limit"),
            remaining: count("x-rate-limit-remaining"),
            reset: text("x-rate-limit-reset").and_then(|text| text.trim().parse().ok()),
        }
    }

    /// How long to wait after a 429 with these headers.
    pub(crate) fn wait(&self) -> Duration {
        if (self.limit, self.remaining) == (Some(0), Some(0)) {
            // Too many calls at once, not too many in a minute: the reset is a rough guess here, and
            // a free place is soon found. The id of the answer is as good as a random number, and
            // keeps those who were refused together from coming back together.
            let mut hasher = DefaultHasher::new();
            self.request_id.hash(&mut hasher);
            return Duration::from_millis(1000 + hasher.finish() % 2000);
        }
        match (self.reset, self.date) {
            (Some(reset), Some(date)) => seconds(reset.saturating_sub(date).saturating_add(1)),
            _ => MINUTE,
        }
    }
}

/// What is left for changes of memberships, as the latest answers told.
///
/// A reset is an instant of Okta's clock, and so it is compared with Okta's clock: the latest `Date`
/// plus the time that has gone by here since. The local date is never asked, because it may be wrong;
/// the local stopwatch alone would not do either, because it may stand still while a function is
/// frozen between two events.
#[derive(Debug, Default)]
pub(crate) struct Budget(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    clock: Option<(i64, Instant)>,
    /// By method: Okta does not say whether adding and removing share a bucket.
    buckets: HashMap<Method, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    limit: u64,
    remaining: u64,
    reset: i64,
}

impl Budget {
    /// Takes note of what the answer to `ask` told.
    pub(crate) fn note(&self, ask: Ask<'_>, limits: &Limits) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(date) = limits.date {
            told.clock = Some((date, Instant::now()));
        }
        if let (Some(limit @ 1..), Some(remaining), Some(reset)) =
            (limits.limit, limits.remaining, limits.reset)
            && ask.is_change()
        {
            let bucket = Bucket {
                limit,
                remaining,
                reset,
            };
            told.buckets.insert(ask.method(), bucket);
        }
    }

    /// How long an addition must wait, if it must: while less than a fifth is left, that is for
    /// removals.
    pub(crate) fn wait_before_adding(&self) -> Option<Duration> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (date, at) = told.clock?;
        let now = date.saturating_add_unsigned(at.elapsed().as_secs());
        let scarce = told.buckets.values().filter(|bucket| {
            bucket.remaining.saturating_mul(5) < bucket.limit && now < bucket.reset
        });
        scarce
            .map(|bucket| seconds(bucket.reset.saturating_sub(now).saturating_add(1)))
            .max()
    }
}

fn seconds(count: i64) -> Duration {
    let wait = Duration::from_secs(u64::try_from(count).unwrap_or_default());
    wait.clamp(Duration::from_secs(1), LONGEST_WAIT)
}
