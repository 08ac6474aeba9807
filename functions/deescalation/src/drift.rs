//! Compares Okta with the ledger, and says what somebody else has changed there. It changes nothing in
//! Okta itself: nobody is taken out whom Stint does not hold, and nobody is put in again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use access::{Event, Group, Membership, MembershipKey, Request, State, Trouble, WATCHED_FOR};
use aws::DueItem;
use drive::{Error, Failed, Subject, Tools, after_of, trouble_of};
use jiff::{SignedDuration, Timestamp};
use okta::{GroupCheck, Missing};
use tokio::sync::Semaphore;

use crate::end_all::at_once;
use crate::{Deps, count};

/// How many groups are read at once: nobody waits for it, and removals need Okta too.
const GROUPS_AT_ONCE: usize = 2;

/// How long it is compared. What is left then waits for the next time, and counts as a difference: the
/// function has a minute more, in which the last calls to Okta and to Slack come to their end.
const COMPARED_FOR: SignedDuration = SignedDuration::from_secs(120);

const DOING: &str = "comparing Okta with what Stint knows";

/// What is compared of one group: each ledger item as it was before Okta was read, and the requests that
/// were found to hold it.
type Watched = BTreeMap<MembershipKey, (Membership, Vec<Request>)>;

/// Compares each group that somebody is in through Stint, or was taken out of within the last day.
///
/// # Errors
///
/// The last of what AWS could not do; everything else was compared all the same.
pub(crate) async fn drift(deps: &Deps) -> Result<(), Error> {
    let now = deps.tools.now();
    let (due, missed) = deps.tools.table.due(Timestamp::MAX).await;
    let (read, unread) = at_once(deps, due, |deps, due| async move {
        watched(&deps.tools, due.item).await
    })
    .await;
    let mut groups: BTreeMap<Group, Watched> = BTreeMap::new();
    for (item, request) in read.into_iter().flatten() {
        let group = groups.entry(item.key.group.clone()).or_default();
        let (_, requests) = group
            .entry(item.key.clone())
            .or_insert_with(|| (item, Vec::new()));
        requests.extend(request);
    }
    let few = Deps {
        turns: Arc::new(Semaphore::new(GROUPS_AT_ONCE)),
        // One after the other, so that what several find is told once.
        drawings: Arc::new(Semaphore::new(1)),
        ..deps.clone()
    };
    let groups = groups.into_iter().collect();
    let until = now + COMPARED_FOR;
    let (found, uncompared) = at_once(&few, groups, move |deps, (group, watched)| async move {
        compare(&deps, &group, watched, until).await
    })
    .await;
    let missed = missed.map(Error::from).into_iter();
    let mut failures: Vec<Error> = missed.chain(unread).chain(uncompared).collect();
    let found = found.into_iter().sum::<usize>() + failures.len();
    count("DriftFound", found, now);
    failures.pop().map_or(Ok(()), Err)
}

/// The ledger item that `item` is or is about, and the request if it is one that is active.
async fn watched(
    tools: &Tools,
    item: DueItem,
) -> Result<Option<(Membership, Option<Request>)>, Error> {
    let (key, request) = match item {
        DueItem::Membership(key) => (key, None),
        DueItem::Request(id) => {
            let request = tools.table.request(&id).await?;
            let request = request.filter(|it| {
                let state = it.state;
                matches!(
                    state,
                    State::Escalating | State::Active | State::Deescalating
                )
            });
            match request.as_ref().and_then(Request::membership) {
                Some(key) => (key, request.filter(|it| it.state == State::Active)),
                None => return Ok(None),
            }
        }
        DueItem::Home(_) => return Ok(None),
    };
    // Of another org nothing can be read: its removals say so.
    let item = if key.org == tools.org {
        tools.table.membership(&key).await?
    } else {
        None
    };
    let now = tools.now();
    let is_watched = |it: &Membership| {
        let of_late = |at| now.duration_since(at) < WATCHED_FOR;
        it.is_live() || it.removed_at.is_some_and(of_late)
    };
    Ok(item.filter(is_watched).map(|item| (item, request)))
}

/// Compares one group until then; gives back how many differences there are. That nothing can be found
/// out is one.
async fn compare(
    deps: &Deps,
    group: &Group,
    watched: Watched,
    until: Timestamp,
) -> Result<usize, Error> {
    let tools = &deps.tools;
    let now = tools.now();
    let channels: BTreeSet<String> = watched
        .values()
        .flat_map(|(item, requests)| {
            let requests = requests.iter().map(|it| &it.error_channel);
            item.error_channel.iter().chain(requests)
        })
        .cloned()
        .collect();
    let place = format!("the Okta group {group}");
    let tell = async |what: Failed, trouble: &Trouble| {
        tell(deps, &channels, what, &place, trouble).await;
    };
    let late = || {
        let is_late = tools.now() > until;
        if is_late {
            tracing::warn!(%group, "the Okta group {group} is not compared any further this time");
        }
        is_late
    };
    if late() {
        return Ok(1);
    }
    let (check, members) = tokio::join!(
        in_time(deps, until, || tools.okta.group_check(group.as_str())),
        members_of(deps, until, group)
    );
    let mut found = 0;
    let mut name = group.to_string();
    match check {
        Ok(GroupCheck::Fit { name: known }) => name = known,
        Ok(GroupCheck::Unfit { reason }) => {
            found += 1;
            tell(Failed::Drift, &unfit(reason)).await;
        }
        Err(error) if is_gone(&error) => {
            found += 1;
            tell(Failed::Drift, &gone(group)).await;
        }
        Err(error) => {
            found += 1;
            tell(Failed::Other, &trouble_of(&error)).await;
        }
    }
    let members = match members {
        Ok(Some(members)) => members,
        Ok(None) => {
            tell(Failed::Other, &too_large(group)).await;
            return Ok(found + 1);
        }
        // Nobody is in it.
        Err(error) if is_gone(&error) => BTreeSet::new(),
        Err(error) => {
            tell(Failed::Other, &trouble_of(&error)).await;
            return Ok(found + 1);
        }
    };
    for (item, requests) in watched.into_values() {
        if late() {
            return Ok(found + 1);
        }
        let is_in = members.contains(item.key.user.as_str());
        if is_in && item.should_be_out(now) {
            found += usize::from(is_back(deps, &item, &name, until).await?);
        }
        for request in requests {
            found += match (is_in, request.is_taken_out()) {
                (true, false) => 0,
                // It was said.
                (false, true) => 1,
                _ => usize::from(is_out(deps, &item, &request, is_in, until).await?),
            };
        }
    }
    Ok(found)
}

/// Everybody who is in `group`; none if they cannot all be read until then.
async fn members_of(
    deps: &Deps,
    until: Timestamp,
    group: &Group,
) -> Result<Option<BTreeSet<String>>, okta::Error> {
    let (mut members, mut page) = (BTreeSet::new(), None);
    loop {
        let read = || deps.tools.okta.members_of(group.as_str(), page.clone());
        let (some, next) = in_time(deps, until, read).await?;
        members.extend(some);
        if next.is_none() {
            return Ok(Some(members));
        }
        if deps.tools.now() > until {
            return Ok(None);
        }
        page = next;
    }
}

/// What `read` reads, as often as Okta wants to be asked later and that is before `until`.
async fn in_time<T, F>(
    deps: &Deps,
    until: Timestamp,
    read: impl Fn() -> F,
) -> Result<T, okta::Error>
where
    F: Future<Output = Result<T, okta::Error>>,
{
    let tools = &deps.tools;
    loop {
        let read = read().await;
        let Err(okta::Error::Later { after, .. }) = &read else {
            return read;
        };
        let at = tools.now() + after_of(*after);
        if at >= until {
            return read;
        }
        tools.clock.sleep_until(at).await;
    }
}

/// Whether the user of `item`, whom Stint took out, is in the group again, or that cannot be found out; says
/// so.
async fn is_back(
    deps: &Deps,
    item: &Membership,
    group_name: &str,
    until: Timestamp,
) -> Result<bool, Error> {
    let tools = &deps.tools;
    let MembershipKey { user, group, .. } = &item.key;
    let Some(is_in) = is_member(deps, item, until).await else {
        return Ok(true);
    };
    let now = tools.table.membership(&item.key).await?;
    if !is_in || now.is_none_or(|now| now.version != item.version) {
        return Ok(false);
    }
    let login = tools.okta.user(user.as_str()).await;
    let login = login.map_or_else(|_| user.to_string(), |it| it.login);
    let at = item.removed_at.unwrap_or_else(|| tools.now());
    let trouble = Trouble {
        error: format!(
            "`{login}` ({user}) is in the Okta group `{group_name}` ({group}) again, out of which \
             Stint took them at {}",
            at.strftime("%Y-%m-%d %H:%M UTC")
        ),
        hint: "see in Okta's System Log who put them in. Stint leaves them in, because it did not: if \
               they should not be there, an Okta administrator takes them out"
            .to_owned(),
    };
    let whom = format!("{login} in {group_name}");
    let channel = &item.error_channel;
    tell(deps, channel, Failed::Drift, &whom, &trouble).await;
    Ok(true)
}

/// Whether the user is out of the group though `request` holds them in, or that cannot be found out. Has the
/// request say so, or that they are in again.
async fn is_out(
    deps: &Deps,
    item: &Membership,
    request: &Request,
    is_in: bool,
    until: Timestamp,
) -> Result<bool, Error> {
    let tools = &deps.tools;
    if !item.is_settled() {
        return Ok(false);
    }
    let Some(seen) = is_member(deps, item, until).await else {
        return Ok(true);
    };
    let loaded = tools.load(&Subject::Grant(request.id.clone())).await?;
    let now = loaded.membership.as_ref();
    let is_unmoved = now.is_some_and(|now| now.version == item.version);
    if seen != is_in || !is_unmoved {
        return Ok(false);
    }
    let id = &request.id;
    match tools.decide(loaded, &Event::Seen { is_in }).await {
        Ok(done) => {
            let MembershipKey { user, group, .. } = &item.key;
            let how = if is_in { "is again" } else { "is no more" };
            tracing::warn!(request = %id, %user, %group, "request {id}: {user} {how} in {group}");
            tools.show(id, done.ours()).await;
            Ok(!is_in)
        }
        Err(Error::Refused { .. } | Error::Aws(aws::Error::Moved)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the user of `item` is in the group, asked for them alone: the pages of a list may shift while
/// they are read. None, and a word to the error channel, where that cannot be found out.
async fn is_member(deps: &Deps, item: &Membership, until: Timestamp) -> Option<bool> {
    let MembershipKey { user, group, .. } = &item.key;
    let okta = &deps.tools.okta;
    let read = || okta.is_member(user.as_str(), group.as_str());
    match in_time(deps, until, read).await {
        Ok(is_member) => Some(is_member),
        Err(okta::Error::Missing { .. }) => Some(false),
        Err(error) => {
            let whom = format!("the Okta user {user} in the group {group}");
            let (channel, trouble) = (&item.error_channel, trouble_of(&error));
            tell(deps, channel, Failed::Other, &whom, &trouble).await;
            None
        }
    }
}

/// Tells each of `channels` of `trouble` with `whom` or what it is about, unless it knows.
async fn tell(
    deps: &Deps,
    channels: impl IntoIterator<Item = &String>,
    what: Failed,
    whom: &str,
    trouble: &Trouble,
) {
    let error = &trouble.error;
    tracing::error!(
        whom,
        error,
        "Okta differs from the ledger, or cannot be compared: {error}"
    );
    let _drawing = deps.drawings.acquire().await;
    for channel in channels {
        deps.tools.tell(channel, what, DOING, whom, trouble).await;
    }
}

fn is_gone(error: &okta::Error) -> bool {
    let group = Missing::Group;
    matches!(error, okta::Error::Missing { what, .. } if *what == group)
}

fn unfit(reason: String) -> Trouble {
    Trouble {
        error: reason,
        hint: "Stint goes on taking people out when their time is over, and puts nobody else in. Whom it \
               takes out of a group with a rule, Okta puts on the rule's exclusion list: the rule never \
               puts them in again until an Okta administrator takes them off that list. Take away what \
               manages the group, or take the target out of the flows file"
            .to_owned(),
    }
}

fn too_large(group: &Group) -> Trouble {
    Trouble {
        error: format!(
            "the Okta group {group} is not compared with what Stint knows: its members could not all be \
             read in {COMPARED_FOR:#}"
        ),
        hint: format!(
            "nothing to do if it comes once. If it stays, {group} has too many members for Okta's rate \
             limit: give its target a group of its own"
        ),
    }
}

fn gone(group: &Group) -> Trouble {
    Trouble {
        error: format!("the Okta group {group} is gone: nobody is in it"),
        hint: "take its target out of the flows file, or give the target another group".to_owned(),
    }
}
