//! Ends every grant at once, for the people who run Stint.

use std::collections::BTreeSet;
use std::sync::Arc;

use access::{Event, Membership, OktaUser, Org, RequestId, State};
use aws::{Due, DueItem};
use drive::{Error, Subject, Tools};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Deps;
use crate::drive_due::{Drive, drive_all, settle};

/// That every grant is to be ended: `{"end_all":{"expect":2}}`, where two people are held in a group
/// as far as whoever asks knows. Nothing happens if they are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndAll {
    expect: usize,
}

impl EndAll {
    /// What `event` asks for, if it asks for that.
    pub(crate) fn read(event: &Value) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Asked {
            /// May be left out: people type this.
            #[serde(default = "crate::known")]
            v: u32,
            end_all: Expected,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Expected {
            expect: usize,
        }
        let asked = Asked::deserialize(event).ok()?;
        let expect = asked.end_all.expect;
        (asked.v == crate::known()).then_some(Self { expect })
    }
}

/// Who is in a group through Stint, and through what.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Everybody who is in a group through Stint, or may be.
    pub(crate) people: BTreeSet<(Org, OktaUser)>,
    /// The grants, those included that nobody was put into a group for yet.
    pub(crate) grants: Vec<RequestId>,
}

/// Ends every grant if as many people are held in as `asked` expects, and goes on removing until
/// `until`; what is left then is for the sweeps.
pub(crate) async fn end_all(deps: &Deps, asked: EndAll, until: Timestamp) -> Result<Value, Error> {
    let EndAll { expect } = asked;
    let tools = &deps.tools;
    let held = held(deps).await?;
    let people = held.people.len();
    if people != expect {
        let error = format!("{}, expected {expect}: nothing was changed", told(people));
        tracing::warn!(people, expect, "not every grant is ended: {error}");
        return Ok(json!({ "refused": error }));
    }
    let now = tools.now();
    let grants = held.grants.len();
    tracing::warn!(
        people,
        grants,
        "every grant is ended: {grants} of {people} people"
    );
    let (_, mut failures) = at_once(deps, held.grants.clone(), |deps, id| async move {
        let subject = Subject::Request(id);
        settle(deps.tools.step(&subject, &Event::Stop).await)
    })
    .await;
    failures.pop().map_or(Ok(()), Err)?;
    let due = held.grants.into_iter().map(|id| Due {
        at: now,
        item: DueItem::Request(id),
    });
    let due = due.collect();
    let driven = drive_all(deps, due, &Drive::until(until)).await;
    let left = self::held(deps).await?.people.len();
    driven?;
    Ok(json!({"people": people, "grants": grants, "left": left}))
}

/// How many people are held in, in words.
pub(crate) fn told(people: usize) -> String {
    match people {
        1 => "1 person is in groups through Stint".to_owned(),
        people => format!("{people} people are in groups through Stint"),
    }
}

/// Who is in a group through Stint. Everything that can put or keep somebody there has a due time.
pub(crate) async fn held(deps: &Deps) -> Result<Held, Error> {
    let (due, missed) = deps.tools.table.due(Timestamp::MAX).await;
    if let Some(missed) = missed {
        return Err(missed.into());
    }
    let (holders, mut failures) = at_once(deps, due, |deps, due| async move {
        holder(&deps.tools, due.item).await
    })
    .await;
    failures.pop().map_or(Ok(()), Err)?;
    let mut held = Held::default();
    for (person, grant) in holders {
        held.people.extend(person);
        held.grants.extend(grant);
    }
    Ok(held)
}

type Holder = (Option<(Org, OktaUser)>, Option<RequestId>);

/// Whom `item` holds in a group, and the grant by which it does.
async fn holder(tools: &Tools, item: DueItem) -> Result<Holder, Error> {
    let (key, grant) = match item {
        DueItem::Membership(key) => {
            let item = tools.table.membership(&key).await?;
            (item.filter(Membership::is_live).map(|it| it.key), None)
        }
        DueItem::Request(id) => {
            let request = tools.table.request(&id).await?;
            match request.as_ref().map(|it| it.state) {
                Some(State::Approved) => (None, Some(id)),
                Some(State::Escalating | State::Active | State::Deescalating) => {
                    (request.and_then(|it| it.membership()), Some(id))
                }
                _ => (None, None),
            }
        }
        DueItem::Home(_) => (None, None),
    };
    Ok((key.map(|key| (key.org, key.user)), grant))
}

/// What `work` makes of each of `all`, some at once; and what went wrong with those that failed.
pub(crate) async fn at_once<T, U, F, W>(deps: &Deps, all: Vec<T>, work: W) -> (Vec<U>, Vec<Error>)
where
    T: Send + 'static,
    U: Send + 'static,
    F: Future<Output = Result<U, Error>> + Send + 'static,
    W: Fn(Deps, T) -> F + Copy + Send + 'static,
{
    let mut working = JoinSet::new();
    for one in all {
        let deps = deps.clone();
        working.spawn(async move {
            let turns = Arc::clone(&deps.turns);
            let _turn = turns.acquire().await;
            // What waits for its turn is small: there may be ten thousand.
            Box::pin(work(deps, one)).await
        });
    }
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    while let Some(worked) = working.join_next().await {
        match worked {
            Ok(Ok(one)) => done.push(one),
            Ok(Err(error)) => failures.push(error),
            Err(error) => {
                let (service, error) = ("the function", error.to_string());
                failures.push(aws::Error::Unavailable { service, error }.into());
            }
        }
    }
    (done, failures)
}
