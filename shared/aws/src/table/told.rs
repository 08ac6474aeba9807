//! What the error channel was told lately, so that one cause does not flood it.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::{Change, OnlyIf, STACK, Table, Write, item};
use crate::Error;

/// How long it is known.
const KNOWN: SignedDuration = SignedDuration::from_hours(24);

/// How much of a cause tells it from others, in characters: a key may have 1024 bytes.
const CAUSE: usize = 200;

impl Table {
    /// Whether `channel` was told of `cause` after `since`, which is at most a day ago.
    pub async fn was_told(
        &self,
        channel: &str,
        cause: &str,
        since: Timestamp,
    ) -> Result<bool, Error> {
        let told: Option<Timestamp> = self.get(STACK.to_owned(), &told_sk(channel, cause)).await?;
        Ok(told.is_some_and(|at| at > since))
    }

    /// Notes that `channel` was told of `cause`.
    pub async fn note_told(&self, channel: &str, cause: &str, now: Timestamp) -> Result<(), Error> {
        let mut item = item(STACK.to_owned(), &told_sk(channel, cause), "", &now)?;
        let purge_at = (now + KNOWN).as_second();
        item.insert(
            "purge_at".to_owned(),
            AttributeValue::N(purge_at.to_string()),
        );
        let write = Write {
            change: Change::Put(item),
            only_if: OnlyIf::Whatever,
        };
        self.write(vec![write]).await
    }
}

fn told_sk(channel: &str, cause: &str) -> String {
    let cause: String = cause.chars().take(CAUSE).collect();
    format!("told#{channel}#{cause}")
}
