//! What is said because nothing happens: reminders, asking others, the warning before the end.

use jiff::{SignedDuration, Timestamp};

use super::{At, Refusal, Transition};
use crate::audit::{Entry, Step};
use crate::request::{Notice, Place, Recipient, Request, State};

/// The longest time before the end at which the requester is warned of it.
const WARNING: SignedDuration = SignedDuration::from_mins(15);

/// What is shorter than this ends without a warning.
const TOO_SHORT: SignedDuration = SignedDuration::from_mins(6);

impl At<'_> {
    pub(super) fn remind(&self, request: &Request) -> Result<Transition, Refusal> {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.now);
        if !is_due(request.said_at()) {
            return Err(Refusal::NotDue(request.said_at()));
        }
        let mut next = request.clone();
        let mut step = Transition::default();
        match request.state {
            State::Pending => {
                if is_due(next.remind_at) {
                    let asked: Vec<Place> = next
                        .asking()
                        .filter(|card| card.posted.is_some())
                        .map(|card| card.place.clone())
                        .collect();
                    for place in asked {
                        next.owe(Recipient::Card(place), Notice::Reminder);
                    }
                    next.reminders += 1;
                    next.remind_at = self.next_reminder(&next);
                }
                if is_due(next.fallback_at) {
                    forward(&mut next);
                    self.changed(&mut next);
                    step.audit.push(self.forwarded(&next));
                    step.request = Some(next);
                    return Ok(step);
                }
            }
            State::Active => {
                next.remind_at = None;
                next.owe(Recipient::Requester, Notice::Ending);
            }
            _ => next.hush(),
        }
        self.written(&mut next);
        step.request = Some(next);
        Ok(step)
    }

    /// Has whoever decides be reminded, and others be asked, while `request` waits.
    pub(super) fn waits(&self, request: &mut Request) {
        request.reminders = 0;
        request.remind_at = self.next_reminder(request);
        let at = self.after(request.fallback_after_s);
        request.fallback_at =
            at.filter(|at| !request.fallback.is_empty() && *at < request.expires_at);
    }

    /// The next reminder: each comes after twice the time of the one before, none once nobody can
    /// answer any more.
    fn next_reminder(&self, request: &Request) -> Option<Timestamp> {
        let gap_s = request
            .remind_after_s
            .checked_shl(request.reminders)
            .filter(|gap_s| *gap_s > 0)?;
        let at = self.after(gap_s)?;
        (at < request.expires_at).then_some(at)
    }

    /// The moment that is `seconds` from now, if there is such a moment.
    fn after(&self, seconds: u64) -> Option<Timestamp> {
        let time = SignedDuration::from_secs(i64::try_from(seconds).ok()?);
        self.now.checked_add(time).ok()
    }

    /// The audit entry of that, once `request` is written.
    pub(super) fn forwarded(&self, request: &Request) -> Entry {
        self.entry(request, Step::Forward, Some(request.state), self.actor())
    }
}

/// Has `request` be posted to the others too.
pub(super) fn forward(request: &mut Request) {
    request.fallback_at = None;
    for place in std::mem::take(&mut request.fallback) {
        request.add_card(place);
    }
}

/// When whoever has access from `start` to `end` is warned that it ends.
pub(super) fn warning(start: Timestamp, end: Timestamp) -> Option<Timestamp> {
    let whole = end.duration_since(start);
    let before = (whole / 6).min(WARNING);
    (whole >= TOO_SHORT).then(|| end - before)
}
