//! What a function needs of AWS, one module for each service.
//!
//! - [`Table`]: requests, ledger items, bindings and audit entries, written conditionally and together.
//! - [`Schedules`]: the one-time schedules that end grants.
//! - [`Connector`]: the only way to the Okta credential.
//! - [`SlackSecret`]: the Slack credential.
//! - [`Layer`]: the files that a team edits.
//! - [`Handoffs`]: asynchronous invocations of the other functions.
//! - [`telemetry`]: structured logs and metrics.

mod clock;
mod config;
mod connector;
mod error;
mod handoff;
mod layer;
mod schedules;
mod slack_secret;
mod table;
pub mod telemetry;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use clock::{Clock, SystemClock};
pub use config::{Config, sdk};
pub use connector::{Connector, OktaToken};
pub use error::Error;
pub use handoff::{Function, Handoffs, HomePayload, Payload, Signed};
pub use layer::Layer;
pub use schedules::{Scheduled, Schedules, Scheduling};
pub use slack_secret::{SlackSecret, SlackSecrets};
pub use table::{Binding, Closed, Due, DueItem, Everything, Table};

/// A name that was never used before and never will be again.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the edge at which randomness is drawn"
)]
pub fn stamp() -> access::Stamp {
    access::Stamp::new(uuid::Uuid::new_v4().simple().to_string())
}

/// Whole milliseconds since 1970, as the table stores due times.
fn millis(instant: Timestamp) -> String {
    instant.as_millisecond().to_string()
}
