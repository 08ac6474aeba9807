//! Okta's rate limits, as its answers tell them.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{DATE, HeaderMap};

use crate::ask::Ask;

/// How long to wait where a 429 does not say: the limits are per minute.
const MINUTE: Duration = Duration::from_mins(1);

/// Okta's times are whole seconds, so what it says is over is certainly over one later; also how long
/// it takes at most until the calls under way have answers.
const SECOND: Duration = Duration::from_secs(1);

/// Over how long the copies of a function come back after a reset.
const SPREAD: Duration = Duration::from_secs(3);

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
        if self.is_crowded() {
            // The reset is a rough guess here, and a free place is soon found.
            return SECOND + self.spread(Duration::from_secs(2));
        }
        match (self.reset, self.date) {
            (Some(reset), Some(date)) => seconds(reset.saturating_sub(date).saturating_add(1)),
            _ => MINUTE,
        }
    }

    /// Whether Okta had too many calls at once, rather than in a minute.
    fn is_crowded(&self) -> bool {
        (self.limit, self.remaining) == (Some(0), Some(0))
    }

    /// Some time up to `most`. The id of the answer is as good as a random number, and keeps those who
    /// were refused together from coming back together.
    fn spread(&self, most: Duration) -> Duration {
        let mut hasher = DefaultHasher::new();
        self.request_id.hash(&mut hasher);
        let part = u32::try_from(hasher.finish() % 1000).unwrap_or_default();
        most * part / 1000
    }
}

/// What is left for changes of memberships, as the latest answers told.
///
/// A reset is an instant of Okta's clock, and so it is compared with Okta's clock: the latest `Date`
/// plus the time that has gone by here since. What the date is here is never asked, because it may be
/// wrong.
pub(crate) struct Budget {
    told: Mutex<Told>,
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
}

#[derive(Default)]
struct Told {
    /// The latest date that Okta told, since 1970, and when that was by the clock here.
    date: Option<(Duration, Duration)>,
    /// By method: Okta does not say whether adding and removing share a bucket.
    buckets: HashMap<Method, Bucket>,
    /// Until when, by the clock here, Okta had too many calls at once.
    crowded_until: Duration,
    /// How many removals are under way here.
    removals: u64,
}

struct Bucket {
    limit: u64,
    remaining: u64,
    reset: i64,
    /// How long after the reset removals are made again, so that not every copy of a function comes
    /// back at once.
    spread: Duration,
}

/// Room for one removal, which counts as under way until this is dropped.
pub struct Room(Arc<Budget>);

impl Budget {
    /// Nothing is known. `clock` tells the time that has gone by since any one moment.
    pub(crate) fn new(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            told: Mutex::default(),
            clock: Box::new(clock),
        })
    }

    /// Takes note of what the answer to `ask` told.
    pub(crate) fn note(&self, ask: Ask<'_>, limits: &Limits) {
        let now = (self.clock)();
        let mut told = self.told();
        if let Some(date) = limits.date.and_then(|date| u64::try_from(date).ok()) {
            told.date = Some((Duration::from_secs(date), now));
        }
        if limits.is_crowded() {
            told.crowded_until = now + limits.wait();
        }
        if let (Some(limit @ 1..), Some(remaining), Some(reset)) =
            (limits.limit, limits.remaining, limits.reset)
            && ask.is_change()
        {
            let known = told.buckets.get(&ask.method());
            // Answers come in any order, and what is left of a minute only falls.
            if known.is_none_or(|it| (reset, it.remaining) > (it.reset, remaining)) {
                let bucket = Bucket {
                    limit,
                    remaining,
                    reset,
                    spread: limits.spread(SPREAD),
                };
                told.buckets.insert(ask.method(), bucket);
            }
        }
    }

    /// How long an addition must wait, if it must: while less than a fifth is left, that is for
    /// removals, and so is the first of what comes after.
    pub(crate) fn wait_to_add(&self) -> Option<Duration> {
        let now = (self.clock)();
        let told = self.told();
        let scarce = told
            .buckets
            .values()
            .filter(|bucket| bucket.remaining.saturating_mul(5) < bucket.limit);
        scarce
            .filter_map(|bucket| told.until_reset(bucket, now))
            .max()
            .map(|wait| wait + SPREAD + SECOND)
    }

    /// Room for one removal, as far as is known here, or how long to wait before asking again. Where
    /// nothing is known, there is room.
    pub(crate) fn room_to_remove(self: &Arc<Self>) -> Result<Room, Duration> {
        let now = (self.clock)();
        let mut told = self.told();
        let crowded = told.crowded_until.saturating_sub(now);
        if !crowded.is_zero() && crowded <= LONGEST_WAIT {
            return Err(crowded);
        }
        if let Some(bucket) = told.buckets.get(&Method::DELETE)
            && let Some(wait) = told.until_reset(bucket, now)
        {
            if bucket.remaining == 0 {
                return Err(wait + bucket.spread);
            }
            // Those under way may have been counted already, or not: their answers will tell.
            if bucket.remaining <= told.removals {
                return Err(SECOND);
            }
        }
        told.removals += 1;
        Ok(Room(Arc::clone(self)))
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// How long it takes until `bucket` is full again; nothing if it is by now.
    fn until_reset(&self, bucket: &Bucket, now: Duration) -> Option<Duration> {
        let (date, at) = self.date?;
        // Whatever makes no sense keeps nobody in: a clock that went back, a reset that is far away.
        let date = date + now.checked_sub(at)?;
        let reset = Duration::from_secs(u64::try_from(bucket.reset).ok()?);
        let left = reset.checked_sub(date)?;
        (!left.is_zero() && left <= LONGEST_WAIT).then_some(left + SECOND)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.told().removals -= 1;
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").finish_non_exhaustive()
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").finish_non_exhaustive()
    }
}

fn seconds(count: i64) -> Duration {
    let wait = Duration::from_secs(u64::try_from(count).unwrap_or_default());
    wait.clamp(SECOND, LONGEST_WAIT)
}
