//! `deescalation` takes users out of groups when their time is over, and sweeps.
//!
//! Whatever is unfinished has a due time in the table. The sweep finds what is due, waits for the
//! moment, and drives it; that is the only recovery there is. It works without the flows file,
//! without the policy, and without Slack.

mod drift;
mod drive_due;
mod end_all;
mod guard;
mod hand_over;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use access::RequestId;
use aws::telemetry::{Unit, metric};
use aws::{Clock, Config, Due, DueItem, Payload};
use drive::{Error, Tools};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use drift::drift;
use drive_due::{Drive, drive_all};
use end_all::{EndAll, end_all};
use guard::{Guarded, guard};
use hand_over::hand_over;

/// How far ahead an invocation looks: whatever becomes due until then it drives at its time. Two
/// sweeps can be almost this far apart.
const WINDOW: SignedDuration = SignedDuration::from_secs(120);

/// How many items are driven at once, each with one call to Okta at a time. Okta takes 75 calls at once,
/// from some orgs 35, and up to three sweeps work at the same time.
const AT_ONCE: usize = 8;

/// Of how many requests the cards are drawn at once.
const DRAWN_AT_ONCE: usize = 16;

/// What the function needs, built once.
#[derive(Debug, Clone)]
pub struct Deps {
    tools: Tools,
    turns: Arc<Semaphore>,
    drawings: Arc<Semaphore>,
}

impl Deps {
    /// Builds the clients for the stack of `config`.
    #[must_use]
    pub fn connect(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            tools: Tools::new("deescalation", config, clock).with_schedules(config),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            drawings: Arc::new(Semaphore::new(DRAWN_AT_ONCE)),
        }
    }
}

/// Does what `event` says:
///
/// - `{"v":1,"request":"…"}` drives that request;
/// - `{"v":1,"sweep":true}` drives everything that is due;
/// - `{"v":1,"drift":true}` compares Okta's groups with the ledger;
/// - `{"hand_over":{"request":"…","by":"jane@example.com","reason":"…"}}` makes a membership a standing one,
///   and answers what became of it;
/// - `{"end_all":{"expect":2}}` ends every grant, if two people are held in a group, and answers what
///   became of it;
/// - an event of CloudFormation refuses the deletion of the stack while anybody is held in.
///
/// # Errors
///
/// Any other event, and one of another version: the platform keeps it. What AWS could not do; the
/// platform invokes again, and so does the next sweep.
pub async fn handler(deps: &Deps, event: Value) -> Result<Value, Error> {
    let now = deps.tools.now();
    let until = now + WINDOW;
    match read(event)? {
        Woken::Request(request) => {
            let item = DueItem::Request(request);
            let drive = Drive::if_there_is_room(until);
            drive_all(deps, vec![Due { at: now, item }], &drive).await?;
        }
        Woken::Sweep => {
            let (due, missed) = deps.tools.table.due(until).await;
            let oldest = due
                .iter()
                .find(|due| !matches!(due.item, DueItem::Home(_)))
                .map_or(0.0, |due| now.duration_since(due.at).as_secs_f64());
            // What could not be read may be older: that nothing is reported raises the alarm.
            if missed.is_none() {
                metric("OverdueSeconds", oldest.max(0.0), Unit::Seconds, now);
            }
            let drive = Drive::until(until);
            let driven = drive_all(deps, due, &drive).await;
            count("RemovalsWaiting", drive.waiting(), deps.tools.now());
            driven?;
            if let Some(missed) = missed {
                return Err(missed.into());
            }
        }
        Woken::Drift => Box::pin(drift(deps)).await?,
        Woken::HandOver(asked) => return Box::pin(hand_over(deps, asked)).await,
        Woken::EndAll(asked) => return end_all(deps, asked, until).await,
        Woken::Guarded(event) => guard(deps, *event).await?,
    }
    Ok(Value::Null)
}

enum Woken {
    Request(RequestId),
    Sweep,
    Drift,
    HandOver(Result<hand_over::Asked, String>),
    EndAll(EndAll),
    Guarded(Box<Guarded>),
}

/// Records how many there are of what the metric `name` counts.
pub(crate) fn count(name: &str, many: usize, now: Timestamp) {
    let many = u32::try_from(many).unwrap_or(u32::MAX);
    metric(name, f64::from(many), Unit::Count, now);
}

/// The version of an event that a person types, who may leave it out.
pub(crate) fn known() -> u32 {
    access::SCHEMA_VERSION
}

fn read(event: Value) -> Result<Woken, aws::Error> {
    // What wakes the function every minute, and every quarter of an hour.
    if event == json!({"v": known(), "sweep": true}) {
        return Ok(Woken::Sweep);
    }
    if event == json!({"v": known(), "drift": true}) {
        return Ok(Woken::Drift);
    }
    if let Some(asked) = hand_over::read(&event) {
        return Ok(Woken::HandOver(asked));
    }
    if let Some(asked) = EndAll::read(&event) {
        return Ok(Woken::EndAll(asked));
    }
    if let Ok(event) = Guarded::deserialize(&event) {
        return Ok(Woken::Guarded(Box::new(event)));
    }
    Payload::read(event).map(Woken::Request)
}
