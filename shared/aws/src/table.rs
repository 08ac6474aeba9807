//! The table: requests, ledger items, bindings and audit entries.
//!
//! Every item has its document under `doc`, its schema version under `v`, and beside them the
//! attributes that conditions and indexes need. A transition is written as one transaction, on the
//! condition that what was loaded has not moved.

mod homes;
mod told;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem,
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use access::audit::Entry;
use access::{
    CallKind, Effect, Group, Loaded, Membership, MembershipChange, MembershipKey, OktaUser, Org,
    Request, RequestId, SCHEMA_VERSION, SlackUser, Stamp, State, Transition,
};

use crate::{Config, Error, millis};

/// How often a write that must be made is made again because another one got in its way.
const CERTAINLY: u32 = 8;

/// How much longer it waits before each of these.
const CONFLICT_PAUSE: Duration = Duration::from_millis(50);

/// How many partitions the `due` index has, so that no single one limits the sweep.
const DUE_SHARDS: u8 = 16;

/// How many items say that the stack is being deleted. All say the same: adds look at different ones,
/// because transactions that look at one item at the same time get in each other's way.
const CLOSING_SHARDS: u8 = 8;

/// How long no access is given after somebody began to delete the stack, in seconds.
const CLOSED_S: i64 = 60 * 60;

/// How long a request that is over stays in the table, in seconds; its audit entries stay for good.
const KEPT_S: i64 = 400 * 24 * 60 * 60;

/// How many items of the whole table are read at once, in well under the time that a call may take.
const EVERYTHING_PAGE: i32 = 250;

type Item = HashMap<String, AttributeValue>;

/// The table of one stack.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

/// Which Okta user a Slack user is. Kept once made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// In Slack.
    pub slack: SlackUser,
    /// In Okta.
    pub okta: OktaUser,
    /// The e-mail by which they were found.
    pub email: String,
    /// When it was made.
    pub at: Timestamp,
}

/// For how long no access is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Until an hour after this, if nobody says anything else.
    ForAnHour(Timestamp),
    /// Until somebody says otherwise.
    ForGood,
}

/// Something whose due time has come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The due time.
    pub at: Timestamp,
    /// What is due.
    pub item: DueItem,
}

/// What can be due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueItem {
    /// A request.
    Request(RequestId),
    /// A ledger item.
    Membership(MembershipKey),
    /// Somebody's Home tab.
    Home(SlackUser),
}

/// The whole table, for the local run.
#[derive(Debug, Clone, Default)]
pub struct Everything {
    /// Every request, oldest first.
    pub requests: Vec<Request>,
    /// Every ledger item.
    pub memberships: Vec<Membership>,
    /// Every audit entry, oldest first.
    pub audit: Vec<Entry>,
}

impl Table {
    /// The table of the stack of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            client: Client::new(&config.sdk),
            name: config.table.clone(),
        }
    }

    /// Reads the request `id`, consistently.
    pub async fn request(&self, id: &RequestId) -> Result<Option<Request>, Error> {
        self.get(request_pk(id), REQUEST).await
    }

    /// Reads the ledger item `key`, consistently.
    pub async fn membership(&self, key: &MembershipKey) -> Result<Option<Membership>, Error> {
        self.get(membership_pk(key), MEMBERSHIP).await
    }

    /// Reads which Okta user `slack` is, where that is known.
    pub async fn binding(&self, slack: &SlackUser) -> Result<Option<Binding>, Error> {
        self.get(person_pk(slack), BINDING).await
    }

    /// Keeps `binding`, unless the person has one already.
    pub async fn bind(&self, binding: &Binding) -> Result<(), Error> {
        let mut item = item(person_pk(&binding.slack), BINDING, "", binding)?;
        item.remove("version");
        let put = Write::put(item, None);
        match self.write(vec![put]).await {
            Err(Error::Moved) => Ok(()),
            other => other,
        }
    }

    /// The pending request of `person` for `group`, read consistently.
    pub async fn pending(
        &self,
        person: &SlackUser,
        group: &Group,
    ) -> Result<Option<RequestId>, Error> {
        self.get(person_pk(person), &pending_sk(group)).await
    }

    /// Everything whose due time is at most `until`, earliest first; and why that may not be all.
    pub async fn due(&self, until: Timestamp) -> (Vec<Due>, Option<Error>) {
        let mut shards = tokio::task::JoinSet::new();
        for shard in 0..DUE_SHARDS {
            let table = self.clone();
            shards.spawn(async move { table.due_in(shard, until).await });
        }
        let (mut due, mut missed) = (Vec::new(), None);
        while let Some(shard) = shards.join_next().await {
            let found = shard.map_err(|error| Error::Unavailable {
                service: "DynamoDB",
                error: error.to_string(),
            });
            match found.flatten() {
                Ok(found) => due.extend(found),
                Err(error) => missed = Some(error),
            }
        }
        due.sort();
        (due, missed)
    }

    /// Has no access be given from now on, for an hour, as the stack is about to be deleted; for good
    /// once that is certain. `by` names whoever says so.
    ///
    /// # Errors
    ///
    /// [`Error::Moved`] if it is to be for good, and somebody else has opened or closed it since.
    pub async fn close(&self, by: &Stamp, until: Closed) -> Result<(), Error> {
        let (until, only_if) = match until {
            Closed::ForAnHour(now) => (now.as_second() + CLOSED_S, OnlyIf::Whatever),
            Closed::ForGood => (i64::MAX, OnlyIf::Version(by.to_string())),
        };
        let mut writes = Vec::new();
        for shard in 0..CLOSING_SHARDS {
            let sk = closing_sk(shard);
            let mut item = item(STACK.to_owned(), &sk, by.as_str(), &until)?;
            item.insert(
                "closed_until".to_owned(),
                AttributeValue::N(until.to_string()),
            );
            let (change, only_if) = (Change::Put(item), only_if.clone());
            writes.push(Write { change, only_if });
        }
        self.certainly(writes).await
    }

    /// Has access be given again, if `by` closed it last, whoever did if none is given.
    pub async fn open(&self, by: Option<&Stamp>) -> Result<(), Error> {
        let writes = (0..CLOSING_SHARDS).map(|shard| Write {
            change: Change::Delete {
                pk: STACK.to_owned(),
                sk: closing_sk(shard),
            },
            only_if: by.map_or(OnlyIf::Whatever, |by| OnlyIf::Version(by.to_string())),
        });
        match self.certainly(writes.collect()).await {
            // Somebody else has closed it since, and will say what becomes of it.
            Err(Error::Moved) if by.is_some() => Ok(()),
            opened => opened,
        }
    }

    /// Writes what `step` says, together with its audit entries, on the condition that nothing in
    /// `loaded` has moved and, where the step announces an add, that the stack is not being deleted.
    ///
    /// # Errors
    ///
    /// [`Error::Moved`] if something has: nothing was written, load and decide again.
    /// [`Error::Closing`] if the stack is being deleted: nothing was written.
    pub async fn commit(
        &self,
        loaded: &Loaded,
        step: &Transition,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut writes = Vec::new();
        if step.effects.iter().any(is_add) {
            let id = step.request.as_ref().map_or("", |it| it.id.as_str());
            writes.push(Write {
                change: Change::Check {
                    pk: STACK.to_owned(),
                    sk: closing_sk(spread(id) % CLOSING_SHARDS),
                },
                only_if: OnlyIf::Open(now),
            });
        }
        if let Some(request) = &step.request {
            writes.push(put_request(request, loaded.request.as_ref())?);
        }
        if let Some(extended) = &step.extended {
            writes.push(put_request(extended, loaded.extended.as_ref())?);
        }
        let before = loaded.membership.as_ref();
        let key = before.map(|item| item.key.clone()).or_else(|| {
            let request = step.request.as_ref().or(loaded.request.as_ref());
            request.and_then(Request::membership)
        });
        match (&step.membership, key) {
            (MembershipChange::Keep, _)
            | (MembershipChange::Check | MembershipChange::Delete, None) => {}
            (MembershipChange::Check, Some(key)) => {
                writes.push(Write::check(
                    membership_pk(&key),
                    MEMBERSHIP,
                    before.map(|item| item.version.to_string()),
                ));
            }
            (MembershipChange::Put(next), _) => {
                writes.push(Write::put(
                    membership_item(next)?,
                    before.map(|item| item.version.to_string()),
                ));
            }
            (MembershipChange::Delete, Some(key)) => {
                if let Some(before) = before {
                    let version = before.version.to_string();
                    writes.push(Write::delete(membership_pk(&key), MEMBERSHIP, version));
                }
            }
        }
        writes.extend(pending(loaded.request.as_ref(), step.request.as_ref())?);
        for entry in &step.audit {
            let sk = format!("{AUDIT}{}", entry.id);
            let item = item(request_pk(&entry.request), &sk, "", entry)?;
            writes.push(Write::put(item, None));
        }
        self.write(writes).await
    }

    /// Reads the whole table: only the local run does, whose table is small.
    pub async fn everything(&self) -> Result<Everything, Error> {
        let mut everything = Everything::default();
        let mut start = None;
        loop {
            let page = self
                .client
                .scan()
                .table_name(&self.name)
                .consistent_read(true)
                .limit(EVERYTHING_PAGE)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| Error::of("DynamoDB", error))?;
            for item in page.items.unwrap_or_default() {
                match key_of(&item).1 {
                    REQUEST => everything.requests.push(read(item)?),
                    MEMBERSHIP => everything.memberships.push(read(item)?),
                    sk if sk.starts_with(AUDIT) => everything.audit.push(read(item)?),
                    _ => {}
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        everything
            .requests
            .sort_by_key(|request| request.requested_at);
        everything.memberships.sort_by(|a, b| a.key.cmp(&b.key));
        everything
            .audit
            .sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(everything)
    }

    async fn get<T: DeserializeOwned>(&self, pk: String, sk: &str) -> Result<Option<T>, Error> {
        let asked = self
            .client
            .get_item()
            .table_name(&self.name)
            .key("pk", text(pk))
            .key("sk", text(sk))
            .consistent_read(true);
        // What the SDK does meanwhile is large, and not everybody who waits needs to be.
        let answer = Box::pin(asked.send())
            .await
            .map_err(|error| Error::of("DynamoDB", error))?;
        answer.item.map(read).transpose()
    }

    async fn due_in(&self, shard: u8, until: Timestamp) -> Result<Vec<Due>, Error> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .index_name("due")
            .key_condition_expression("due_shard = :shard AND due_at <= :until")
            .expression_attribute_values(":shard", text(due_shard(shard)))
            .expression_attribute_values(":until", AttributeValue::N(millis(until)))
            .into_paginator()
            .items()
            .send();
        let mut due = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Error::of("DynamoDB", error))?;
            match due_of(&item) {
                Some(found) => due.push(found),
                None => {
                    tracing::error!(item = %key_name(&item), "the due index has an item that nobody knows");
                }
            }
        }
        Ok(due)
    }

    async fn write(&self, mut writes: Vec<Write>) -> Result<(), Error> {
        if writes.len() > 1 {
            return self.transact(writes).await;
        }
        let Some(write) = writes.pop() else {
            return Ok(());
        };
        let Change::Put(item) = write.change else {
            return self.transact(vec![write]).await;
        };
        let (condition, values) = write.only_if.condition();
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .set_condition_expression(condition)
            .set_expression_attribute_values(values);
        match Box::pin(put.send()).await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(is_beaten) => Err(Error::Moved),
            Err(error) => Err(Error::of("DynamoDB", error)),
        }
    }

    /// Writes what gets in the way of other writes again until it does not.
    async fn certainly(&self, writes: Vec<Write>) -> Result<(), Error> {
        for attempt in 1..CERTAINLY {
            match self.transact(writes.clone()).await {
                Err(Error::Moved) => tokio::time::sleep(CONFLICT_PAUSE * attempt).await,
                written => return written,
            }
        }
        self.transact(writes).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<(), Error> {
        let closing = writes
            .iter()
            .position(|write| matches!(write.only_if, OnlyIf::Open(_)));
        let mut items = Vec::with_capacity(writes.len());
        for write in writes {
            items.push(write.item(&self.name)?);
        }
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items));
        let Err(error) = Box::pin(sent.send()).await else {
            return Ok(());
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let codes: Vec<Option<&str>> = cancelled
                    .cancellation_reasons()
                    .iter()
                    .map(CancellationReason::code)
                    .collect();
                let is_closed = closing.and_then(|at| codes.get(at)).copied().flatten();
                if is_closed == Some("ConditionalCheckFailed") {
                    return Err(Error::Closing);
                }
                if codes
                    .iter()
                    .flatten()
                    .any(|code| matches!(*code, "ConditionalCheckFailed" | "TransactionConflict"))
                {
                    return Err(Error::Moved);
                }
                Err(Error::of("DynamoDB", error))
            }
            _ => Err(Error::of("DynamoDB", error)),
        }
    }
}

/// Whether a put was refused because somebody else's write came first, or is under way.
fn is_beaten(error: &PutItemError) -> bool {
    error.is_conditional_check_failed_exception() || error.is_transaction_conflict_exception()
}

const REQUEST: &str = "request";
const MEMBERSHIP: &str = "membership";
const BINDING: &str = "binding";
const AUDIT: &str = "audit#";
const HOME: &str = "home";
const STACK: &str = "stack";

/// A number that is another one for most other texts.
fn spread(text: &str) -> u8 {
    text.bytes()
        .fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte))
}

/// Whether the effect sends a call that puts somebody into a group.
fn is_add(effect: &Effect) -> bool {
    matches!(effect, Effect::Send { kind, .. } if *kind == CallKind::Add)
}

fn request_pk(id: &RequestId) -> String {
    format!("request#{id}")
}

fn membership_pk(key: &MembershipKey) -> String {
    format!("membership#{}#{}#{}", key.org, key.user, key.group)
}

fn person_pk(slack: &SlackUser) -> String {
    format!("person#{slack}")
}

fn pending_sk(group: &Group) -> String {
    format!("pending#{group}")
}

fn due_shard(shard: u8) -> String {
    format!("due#{shard}")
}

fn closing_sk(shard: u8) -> String {
    format!("closing#{shard}")
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// One write of a transaction.
#[derive(Clone)]
struct Write {
    change: Change,
    only_if: OnlyIf,
}

#[derive(Clone)]
enum Change {
    Put(Item),
    Delete { pk: String, sk: String },
    Check { pk: String, sk: String },
}

/// What the item must be for the write to take place.
#[derive(Clone)]
enum OnlyIf {
    Version(String),
    Absent,
    Whatever,
    /// Not there, or for a time that is over.
    Open(Timestamp),
}

impl OnlyIf {
    /// That it is as it was loaded, with `version` or not there.
    fn unmoved(version: Option<String>) -> Self {
        version.map_or(Self::Absent, Self::Version)
    }

    fn condition(self) -> (Option<String>, Option<Item>) {
        match self {
            Self::Version(version) => (
                Some("version = :version".to_owned()),
                Some(HashMap::from([(":version".to_owned(), text(version))])),
            ),
            Self::Absent => (Some("attribute_not_exists(pk)".to_owned()), None),
            Self::Whatever => (None, None),
            Self::Open(now) => (
                Some("attribute_not_exists(pk) OR closed_until < :now".to_owned()),
                Some(HashMap::from([(
                    ":now".to_owned(),
                    AttributeValue::N(now.as_second().to_string()),
                )])),
            ),
        }
    }
}

impl Write {
    fn put(item: Item, version: Option<String>) -> Self {
        Self {
            change: Change::Put(item),
            only_if: OnlyIf::unmoved(version),
        }
    }

    fn delete(pk: String, sk: &str, version: String) -> Self {
        let sk = sk.to_owned();
        Self {
            change: Change::Delete { pk, sk },
            only_if: OnlyIf::Version(version),
        }
    }

    fn check(pk: String, sk: &str, version: Option<String>) -> Self {
        let sk = sk.to_owned();
        Self {
            change: Change::Check { pk, sk },
            only_if: OnlyIf::unmoved(version),
        }
    }

    fn item(self, table: &str) -> Result<TransactWriteItem, Error> {
        let (condition, values) = self.only_if.condition();
        let item = TransactWriteItem::builder();
        let built = match self.change {
            Change::Put(attributes) => Put::builder()
                .table_name(table)
                .set_item(Some(attributes))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .build()
                .map(|put| item.put(put)),
            Change::Delete { pk, sk } => Delete::builder()
                .table_name(table)
                .key("pk", text(pk))
                .key("sk", text(sk))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .build()
                .map(|delete| item.delete(delete)),
            Change::Check { pk, sk } => ConditionCheck::builder()
                .table_name(table)
                .key("pk", text(pk))
                .key("sk", text(sk))
                .set_condition_expression(condition)
                .set_expression_attribute_values(values)
                .build()
                .map(|check| item.condition_check(check)),
        };
        built
            .map(aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder::build)
            .map_err(|error| Error::Unavailable {
                service: "DynamoDB",
                error: error.to_string(),
            })
    }
}

/// The item that keeps a person from having two pending requests for one group: it is there while one
/// is pending. Only a new request needs it absent; one that goes back to pending just takes it.
fn pending(before: Option<&Request>, after: Option<&Request>) -> Result<Option<Write>, Error> {
    let Some(after) = after else {
        return Ok(None);
    };
    let pk = person_pk(&after.requester.slack);
    let sk = pending_sk(&after.group);
    let was_pending = before.is_some_and(|it| it.state == State::Pending);
    Ok(match (was_pending, after.state == State::Pending) {
        (false, true) => Some(Write {
            change: Change::Put(item(pk, &sk, "", &after.id)?),
            only_if: before.map_or(OnlyIf::Absent, |_| OnlyIf::Whatever),
        }),
        (true, false) => Some(Write {
            change: Change::Delete { pk, sk },
            only_if: OnlyIf::Whatever,
        }),
        _ => None,
    })
}

fn put_request(request: &Request, before: Option<&Request>) -> Result<Write, Error> {
    let mut item = item(
        request_pk(&request.id),
        REQUEST,
        &request.version.to_string(),
        request,
    )?;
    due(&mut item, request.due_at());
    item.insert("person".to_owned(), text(request.requester.slack.as_str()));
    item.insert(
        "requested_at".to_owned(),
        text(request.requested_at.to_string()),
    );
    if !request.state.is_final() {
        let state = format!("{}#{}", request.state.as_str(), request.requested_at);
        item.insert("open_flow".to_owned(), text(request.flow.clone()));
        item.insert("open_state".to_owned(), text(state));
    } else if request.due_at().is_none() {
        let closed = request.closed_at.unwrap_or(request.requested_at);
        let purge_at = closed.as_second() + KEPT_S;
        item.insert(
            "purge_at".to_owned(),
            AttributeValue::N(purge_at.to_string()),
        );
    }
    Ok(Write::put(
        item,
        before.map(|request| request.version.to_string()),
    ))
}

fn membership_item(membership: &Membership) -> Result<Item, Error> {
    let mut item = item(
        membership_pk(&membership.key),
        MEMBERSHIP,
        membership.version.as_str(),
        membership,
    )?;
    due(&mut item, membership.due_at);
    Ok(item)
}

fn due(item: &mut Item, at: Option<Timestamp>) {
    let Some(at) = at else {
        return;
    };
    let shard = spread(key_of(item).0) % DUE_SHARDS;
    item.insert("due_shard".to_owned(), text(due_shard(shard)));
    item.insert("due_at".to_owned(), AttributeValue::N(millis(at)));
}

fn item(pk: String, sk: &str, version: &str, document: &impl Serialize) -> Result<Item, Error> {
    let document =
        serde_dynamo::to_attribute_value(document).map_err(|error| Error::Unreadable {
            item: format!("{pk}/{sk}"),
            error: error.to_string(),
        })?;
    let mut item = HashMap::from([
        ("pk".to_owned(), text(pk)),
        ("sk".to_owned(), text(sk)),
        (
            "v".to_owned(),
            AttributeValue::N(SCHEMA_VERSION.to_string()),
        ),
        ("doc".to_owned(), document),
    ]);
    if !version.is_empty() {
        item.insert("version".to_owned(), text(version));
    }
    Ok(item)
}

fn read<T: DeserializeOwned>(mut item: Item) -> Result<T, Error> {
    let name = key_name(&item);
    let found = match item.get("v") {
        Some(AttributeValue::N(v)) => v.clone(),
        _ => "none".to_owned(),
    };
    if found != SCHEMA_VERSION.to_string() {
        return Err(Error::UnknownVersion {
            item: name,
            found,
            known: SCHEMA_VERSION,
        });
    }
    let document = item.remove("doc").unwrap_or(AttributeValue::Null(true));
    serde_dynamo::from_attribute_value(document).map_err(|error| Error::Unreadable {
        item: name,
        error: error.to_string(),
    })
}

fn due_of(item: &Item) -> Option<Due> {
    let at = match item.get("due_at")? {
        AttributeValue::N(at) => Timestamp::from_millisecond(at.parse().ok()?).ok()?,
        _ => return None,
    };
    let (pk, sk) = key_of(item);
    let item = match sk {
        REQUEST => DueItem::Request(RequestId::new(pk.strip_prefix("request#")?)),
        HOME => DueItem::Home(SlackUser::new(pk.strip_prefix("home#")?)),
        MEMBERSHIP => {
            let mut parts = pk.strip_prefix("membership#")?.splitn(3, '#');
            DueItem::Membership(MembershipKey {
                org: Org::new(parts.next()?),
                user: OktaUser::new(parts.next()?),
                group: Group::new(parts.next()?),
            })
        }
        _ => return None,
    };
    Some(Due { at, item })
}

fn key_of(item: &Item) -> (&str, &str) {
    let part = |name: &str| match item.get(name) {
        Some(AttributeValue::S(value)) => value.as_str(),
        _ => "",
    };
    (part("pk"), part("sk"))
}

fn key_name(item: &Item) -> String {
    let (pk, sk) = key_of(item);
    format!("{pk}/{sk}")
}
