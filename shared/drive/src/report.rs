//! The error channel, which hears of each cause once.

use access::Trouble;
use jiff::SignedDuration;
use slack::Message;

use crate::Tools;

/// How long a cause is not told again.
const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// The same where somebody stays in a group because of it.
const REMOVAL_QUIET: SignedDuration = SignedDuration::from_mins(5);

/// What failed: one cause is told for each.
#[derive(Debug, Clone, Copy)]
pub enum Failed {
    /// Somebody could not be taken out of a group.
    Removal,
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
        let (what, quiet) = match what {
            Failed::Removal => ("removal", REMOVAL_QUIET),
            Failed::Other => ("other", QUIET),
        };
        let cause = &format!("{what}: {}", trouble.hint);
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
        slack.post_message(channel, message).await?;
        if let Err(error) = self.table.note_told(channel, cause, now).await {
            tracing::warn!(%error, "that `{channel}` was told is not noted: {error}");
        }
        Ok(())
    }
}
