//! The error channel, which hears of each cause once.

use access::Trouble;
use aws::telemetry::{Unit, metric};
use jiff::SignedDuration;
use slack::Message;
use slack::notice::problem;
use slack::text::escaped;

use crate::Tools;

/// How long a cause is not told again.
const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// The same where somebody stays in a group because of it.
const REMOVAL_QUIET: SignedDuration = SignedDuration::from_mins(5);

/// The same where Okta differs from the ledger by what somebody did there.
const DRIFT_QUIET: SignedDuration = SignedDuration::from_hours(24);

/// What failed: one cause is told for each.
#[derive(Debug, Clone, Copy)]
pub enum Failed {
    /// Somebody could not be taken out of a group.
    Removal,
    /// Somebody else changed in Okta what Stint holds or took back. The error is the cause: it names
    /// whom or what it is about.
    Drift,
    /// Anything else.
    Other,
}

impl Tools {
    /// Tells `channel` that `what` failed because of `trouble`, in the words of `message`; not again
    /// for a while after telling it that this failed for the same cause. Two who find it at once may both
    /// tell it.
    pub async fn report(
        &self,
        slack: &slack::Client,
        channel: &str,
        what: Failed,
        trouble: &Trouble,
        message: &Message,
    ) -> Result<(), slack::Error> {
        let (what, quiet, cause) = match what {
            Failed::Removal => ("removal", REMOVAL_QUIET, &trouble.hint),
            Failed::Drift => ("drift", DRIFT_QUIET, &trouble.error),
            Failed::Other => ("other", QUIET, &trouble.hint),
        };
        let cause = &format!("{what}: {cause}");
        let now = self.now();
        match self.table.was_told(channel, cause, now - quiet).await {
            Ok(true) => {
                tracing::info!(
                    channel,
                    cause,
                    "`{channel}` was told of this already: {cause}"
                );
                return Ok(());
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "what `{channel}` was told of is not known: {error}");
            }
        }
        self.post_error(slack, channel, message).await?;
        if let Err(error) = self.table.note_told(channel, cause, now).await {
            tracing::warn!(%error, "that `{channel}` was told is not noted: {error}");
        }
        Ok(())
    }

    /// Posts `message` to the error channel `channel`.
    pub(crate) async fn post_error(
        &self,
        slack: &slack::Client,
        channel: &str,
        message: &Message,
    ) -> Result<(), slack::Error> {
        let posted = slack.post_message(channel, message).await;
        // What is only put off is tried again soon.
        if !matches!(posted, Ok(_) | Err(slack::Error::Later { .. })) {
            self.error_channel_failed();
        }
        posted.map(drop)
    }

    /// Measures that an error channel could not be told: there is nobody else to tell.
    pub(crate) fn error_channel_failed(&self) {
        metric("ErrorChannelFailed", 1.0, Unit::Count, self.now());
    }

    /// Tells `channel` the same of `whom` or what it is about, where no request owes the message: what
    /// was attempted is `doing`. What cannot be told is logged, and told when it is found again.
    pub async fn tell(
        &self,
        channel: &str,
        what: Failed,
        doing: &'static str,
        whom: &str,
        trouble: &Trouble,
    ) {
        let message = problem(doing, escaped(whom), &trouble.error, &trouble.hint);
        let told = match self.slack().await {
            Ok(slack) => {
                let told = self.report(&slack, channel, what, trouble, &message).await;
                told.map_err(|error| error.to_string())
            }
            Err(error) => {
                self.error_channel_failed();
                Err(error.to_string())
            }
        };
        if let Err(error) = told {
            let trouble = &trouble.error;
            tracing::error!(
                channel,
                error,
                "`{channel}` is not told that {trouble}: {error}"
            );
        }
    }
}
