//! Home tabs: who looks at theirs, and what they show.

use access::{Request, SlackUser, State, Viewer};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use super::{Change, HOME, OnlyIf, Table, Write, due, item, read, text};
use crate::Error;

/// What the Home tabs of those who decide are found by in the index `open`: no flow can have that name.
const HOMES: &str = "#homes";

/// The most Home tabs that are drawn again for one change, and the most requests of one flow in one state
/// that one shows.
const MOST: u16 = 200;

/// The longest that a request can be open, in days: the longest time it may wait and the longest time it
/// may last.
const OPEN_DAYS: i64 = 181;

/// Which items are read of an index.
#[derive(Clone, Copy)]
enum Read {
    /// So many of the first.
    First(u16),
    /// So many of the last.
    Last(u16),
    /// The requests that are not over.
    Open,
}

impl Table {
    /// Reads what is known of `user` as somebody who looks at their Home tab, consistently. What cannot
    /// be read is not known.
    pub async fn viewer(&self, user: &SlackUser) -> Result<Option<Viewer>, Error> {
        match self.get(home_pk(user), HOME).await {
            Err(error @ (Error::Unreadable { .. } | Error::UnknownVersion { .. })) => {
                tracing::error!(%user, %error, "the Home tab of {user} is not known: {error}");
                Ok(None)
            }
            read => read,
        }
    }

    /// Writes `viewer`, if it is as it was when `before` was read; whatever is there, if nothing was
    /// known.
    ///
    /// # Errors
    ///
    /// [`Error::Moved`] if it is not: nothing was written.
    pub async fn put_viewer(&self, viewer: &Viewer, before: Option<&Viewer>) -> Result<(), Error> {
        let version = viewer.version.to_string();
        let mut item = item(home_pk(&viewer.user), HOME, &version, viewer)?;
        due(&mut item, viewer.due_at);
        let opened_at = viewer.opened_at;
        if viewer.decides {
            item.insert("open_flow".to_owned(), text(HOMES));
            item.insert("open_state".to_owned(), text(opened_at.to_string()));
        }
        let purge_at = (opened_at + Viewer::OPEN).as_second();
        item.insert(
            "purge_at".to_owned(),
            AttributeValue::N(purge_at.to_string()),
        );
        let only_if = before.map_or(OnlyIf::Whatever, |before| {
            OnlyIf::Version(before.version.to_string())
        });
        let change = Change::Put(item);
        self.write(vec![Write { change, only_if }]).await
    }

    /// Who looks at their Home tab and is shown what others ask for and hold, as far as the index knows
    /// by now: those who opened it last.
    pub async fn deciders(&self, now: Timestamp) -> Result<Vec<Viewer>, Error> {
        let since = ("open_state >= :more", (now - Viewer::OPEN).to_string());
        self.index("open", ("open_flow", HOMES), Some(since), Read::Last(MOST))
            .await
    }

    /// What `user` asked for: everything that is not over, and the last `lately` of all; the newest
    /// first, as far as the index knows by now.
    pub async fn requests_of(
        &self,
        user: &SlackUser,
        lately: u8,
        now: Timestamp,
    ) -> Result<Vec<Request>, Error> {
        let since = (now - SignedDuration::from_hours(24 * OPEN_DAYS)).to_string();
        let key = ("person", user.as_str());
        let latest = self.index("person", key, None, Read::Last(u16::from(lately)));
        let since = Some(("requested_at >= :more", since));
        let open = self.index::<Request>("person", key, since, Read::Open);
        let (mut requests, open): (Vec<Request>, _) = tokio::try_join!(latest, open)?;
        for request in open {
            if !requests.iter().any(|known| known.id == request.id) {
                requests.push(request);
            }
        }
        requests.sort_unstable_by(|a, b| (b.requested_at, &b.id).cmp(&(a.requested_at, &a.id)));
        Ok(requests)
    }

    /// The first of the requests of `flow` that are in `state`, oldest first, as far as the index knows
    /// by now.
    pub async fn open_requests(&self, flow: &str, state: State) -> Result<Vec<Request>, Error> {
        let of_state = (
            "begins_with(open_state, :more)",
            format!("{}#", state.as_str()),
        );
        self.index(
            "open",
            ("open_flow", flow),
            Some(of_state),
            Read::First(MOST),
        )
        .await
    }

    /// Reads the index `name`, in which `key` is `value` and, of its second key, `more` holds. What
    /// cannot be read is left out: nothing but what people see depends on it.
    async fn index<T: DeserializeOwned>(
        &self,
        name: &str,
        (key, value): (&str, &str),
        more: Option<(&str, String)>,
        which: Read,
    ) -> Result<Vec<T>, Error> {
        let mut question = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(name)
            .expression_attribute_values(":value", text(value));
        question = match more {
            None => question.key_condition_expression(format!("{key} = :value")),
            Some((more, value)) => question
                .key_condition_expression(format!("{key} = :value AND {more}"))
                .expression_attribute_values(":more", text(value)),
        };
        let (question, most) = match which {
            Read::First(most) => (question.limit(most.into()), most.into()),
            Read::Last(most) => {
                let question = question.scan_index_forward(false);
                (question.limit(most.into()), most.into())
            }
            Read::Open => {
                let question = question.filter_expression("attribute_exists(open_flow)");
                (question, usize::MAX)
            }
        };
        let (mut found, mut seen) = (Vec::new(), 0);
        let mut start = None;
        loop {
            let asked = question.clone().set_exclusive_start_key(start);
            let page = Box::pin(asked.send())
                .await
                .map_err(|error| Error::of("DynamoDB", error))?;
            for item in page.items.unwrap_or_default().into_iter().take(most - seen) {
                seen += 1;
                match read(item) {
                    Ok(item) => found.push(item),
                    Err(error) => tracing::error!(%error, "an item is not shown: {error}"),
                }
            }
            start = page.last_evaluated_key;
            // A page ends at 1 MB, however many are asked for.
            if start.is_none() || seen >= most {
                return Ok(found);
            }
        }
    }
}

fn home_pk(user: &SlackUser) -> String {
    format!("home#{user}")
}
