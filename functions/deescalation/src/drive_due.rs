//! Drives what is due: waits for its moment, makes Okta agree, draws the cards.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access::{Event, Membership, MembershipKey, Refusal, Request, RequestId, State, Trouble};
use aws::telemetry::{Unit, metric};
use aws::{Due, DueItem, Function};
use drive::{Done, Error, Failed, Ours, Subject, Tools, after_of};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{AcquireError, SemaphorePermit};
use tokio::task::JoinSet;

use crate::Deps;

/// How long a ledger item is left to the requests that hold or held it, which are due at the same
/// time: they know whom to tell.
const REQUESTS_FIRST: SignedDuration = SignedDuration::from_secs(5);

/// The shortest wait between two drives of one item.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// The longest wait for room in Okta that is waited for also where the sweeps could do it: after one of a
/// refusal that ends by itself, nobody stays in until the next sweep.
const SHORT_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// One of the turns in which something is driven.
type Turn<'a> = Result<SemaphorePermit<'a>, AcquireError>;

/// How one invocation drives what is due.
#[derive(Debug)]
pub(crate) struct Drive {
    /// What becomes due until then is driven; the rest is left to the next sweep.
    until: Timestamp,
    /// Whether it waits for Okta's next minute where there is no room for a removal, or only a moment.
    waits: bool,
    /// Who should be out of a group and was not when it was last looked.
    waiting: Mutex<BTreeSet<MembershipKey>>,
    /// How many items were not looked at in time.
    missed: AtomicUsize,
}

impl Drive {
    /// Drives until `until` what becomes due until then.
    pub(crate) fn until(until: Timestamp) -> Arc<Self> {
        Arc::new(Self::new(until, true))
    }

    /// The same, but leaves a removal to the sweeps where Okta has no room for it: there may be
    /// thousands of invocations that have one each.
    pub(crate) fn if_there_is_room(until: Timestamp) -> Arc<Self> {
        Arc::new(Self::new(until, false))
    }

    /// How many memberships should be gone and are not, as far as known; what was not looked at counts.
    pub(crate) fn waiting(&self) -> usize {
        self.keys().len() + self.missed.load(Ordering::Relaxed)
    }

    fn new(until: Timestamp, waits: bool) -> Self {
        Self {
            until,
            waits,
            waiting: Mutex::default(),
            missed: AtomicUsize::new(0),
        }
    }

    fn waits_for(&self, wait: SignedDuration) -> bool {
        self.waits || wait <= SHORT_WAIT
    }

    fn keys(&self) -> MutexGuard<'_, BTreeSet<MembershipKey>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drives everything in `due`, each when its time comes, and again whenever it is due again in time.
///
/// # Errors
///
/// The last of what AWS could not do; everything else was driven all the same.
pub(crate) async fn drive_all(deps: &Deps, due: Vec<Due>, drive: &Arc<Drive>) -> Result<(), Error> {
    let mut driven = JoinSet::new();
    for due in due {
        let strand = deps.tools.clock.strand();
        let driving = drive_until(deps.clone(), due, Arc::clone(drive));
        driven.spawn(async move {
            let _strand = strand;
            driving.await
        });
    }
    let mut failure = None;
    while let Some(result) = driven.join_next().await {
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failure = Some(error),
            Err(error) => tracing::error!(%error, "an item was not driven: {error}"),
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Drives one item when it is due, and again whenever it is due again in time.
///
/// A sweep may have ten thousand of these that wait: what one needs only while it works is boxed then.
async fn drive_until(deps: Deps, mut due: Due, drive: Arc<Drive>) -> Result<(), Error> {
    loop {
        match drive_once(&deps, &due, &drive).await {
            Ok(Some(at)) if at <= drive.until => due.at = at.max(deps.tools.now() + PAUSE),
            Ok(_) => return Ok(()),
            Err(error) => {
                tracing::error!(item = ?due.item, %error, "an item was not driven: {error}");
                return Err(error);
            }
        }
        let room = || deps.tools.okta.room_to_remove();
        if !drive.waits && room().is_err_and(|wait| !drive.waits_for(after_of(wait))) {
            return Ok(());
        }
    }
}

/// Drives one item when it is due; gives back when it is due again. What comes too late is left to the
/// next sweep.
async fn drive_once(deps: &Deps, due: &Due, drive: &Drive) -> Result<Option<Timestamp>, Error> {
    let tools = &deps.tools;
    match &due.item {
        DueItem::Request(id) => drive_request_once(deps, id, due.at, drive).await,
        DueItem::Membership(key) => drive_membership_once(deps, key, due.at, drive).await,
        DueItem::Home(user) => {
            tools.clock.sleep_until(due.at).await;
            let _drawing = deps.drawings.acquire().await;
            // No sweep fails because of what somebody looks at.
            if let Err(error) = Box::pin(tools.drive_home(user)).await {
                tracing::error!(%user, %error, "the Home tab of {user} is behind: {error}");
            }
            Ok(None)
        }
    }
}

/// The same for the ledger item `key`, which is due at `at`.
async fn drive_membership_once(
    deps: &Deps,
    key: &MembershipKey,
    at: Timestamp,
    drive: &Drive,
) -> Result<Option<Timestamp>, Error> {
    let tools = &deps.tools;
    let Some(turn) = turn(deps, at + REQUESTS_FIRST, drive).await else {
        return Ok(None);
    };
    let item = Box::pin(tools.table.membership(key)).await?;
    let over = item.filter(is_left_in).map(|item| item.key);
    let Some(turn) = with_room(deps, drive, turn, over.as_ref(), REQUESTS_FIRST).await else {
        return Ok(None);
    };
    let (item, untold) = Box::pin(drive_membership(tools, key)).await?;
    drop(turn);
    if over.is_some() && !item.as_ref().is_some_and(is_left_in) {
        drive.keys().remove(key);
    }
    if let Some((channel, trouble)) = untold {
        let _drawing = deps.drawings.acquire().await;
        let doing = "taking somebody out of a group";
        let whom = format!("the Okta user {} in the group {}", key.user, key.group);
        let what = Failed::Removal;
        Box::pin(tools.tell(&channel, what, doing, &whom, &trouble)).await;
    }
    Ok(item.and_then(|item| item.due_at))
}

/// The same for the request `id`, which is due at `at`.
async fn drive_request_once(
    deps: &Deps,
    id: &RequestId,
    at: Timestamp,
    drive: &Drive,
) -> Result<Option<Timestamp>, Error> {
    let tools = &deps.tools;
    let Some(turn) = turn(deps, at, drive).await else {
        return Ok(None);
    };
    let Some(request) = Box::pin(tools.table.request(id)).await? else {
        tracing::error!(request = %id, "request {id} is not in the table");
        return Ok(None);
    };
    let over = request
        .membership()
        .filter(|_| is_over(&request, tools.now()));
    let Some(turn) = with_room(deps, drive, turn, over.as_ref(), SignedDuration::ZERO).await else {
        return Ok(None);
    };
    Box::pin(drive_found(deps, &request, turn, over, drive)).await
}

/// The same for the `request`, as it was found, in its `turn`, in which it has room if its membership is
/// `over`.
async fn drive_found(
    deps: &Deps,
    request: &Request,
    turn: (Turn<'_>, Option<okta::Room>),
    over: Option<MembershipKey>,
    drive: &Drive,
) -> Result<Option<Timestamp>, Error> {
    let (tools, id) = (&deps.tools, &request.id);
    let (done, again) = Box::pin(drive_request(tools, request)).await?;
    // Nobody waits for a turn because Scheduler or Slack is slow.
    drop(turn);
    if let Some(done) = &done {
        tools.carry_out(done).await;
    }
    let _drawing = deps.drawings.acquire().await;
    if tools.now() <= drive.until {
        Box::pin(draw(tools, request, done)).await?;
    }
    if again.is_some() {
        return Ok(again);
    }
    let request = tools.table.request(id).await?;
    if let Some(key) = over
        && request
            .as_ref()
            .is_none_or(|it| it.state != State::Deescalating)
    {
        drive.keys().remove(&key);
    }
    Ok(request.and_then(|it| it.due_at()))
}

/// Whether the request's time is over, and its membership must be given up now.
fn is_over(request: &Request, now: Timestamp) -> bool {
    let is_due = request.drive_at.is_some_and(|at| at <= now);
    matches!(request.state, State::Active | State::Deescalating) && is_due
}

/// Whether somebody may be in through what nobody holds any more.
fn is_left_in(item: &Membership) -> bool {
    item.over_at.is_some() && !item.is_out()
}

/// A turn once it is `at`; none if it came too late.
async fn turn<'a>(deps: &'a Deps, at: Timestamp, drive: &Drive) -> Option<Turn<'a>> {
    deps.tools.clock.sleep_until(at).await;
    let turn = deps.turns.acquire().await;
    if deps.tools.now() > drive.until {
        drive.missed.fetch_add(1, Ordering::Relaxed);
        return None;
    }
    Some(turn)
}

/// The `turn` itself, or one with room in Okta if a membership is `over`; none if there is none in time.
/// Whoever has to wait for room waits `more` than that.
async fn with_room<'a>(
    deps: &'a Deps,
    drive: &Drive,
    turn: Turn<'a>,
    over: Option<&MembershipKey>,
    more: SignedDuration,
) -> Option<(Turn<'a>, Option<okta::Room>)> {
    let Some(key) = over else {
        return Some((turn, None));
    };
    drive.keys().insert(key.clone());
    drop(turn);
    let (turn, room) = room_to_remove(deps, drive, more).await?;
    Some((turn, Some(room)))
}

/// A turn in which Okta has room for a removal, as far as known; none if there is none in time. Whoever
/// has announced a call has ten seconds to send it, so this comes before.
async fn room_to_remove<'a>(
    deps: &'a Deps,
    drive: &Drive,
    more: SignedDuration,
) -> Option<(Turn<'a>, okta::Room)> {
    let tools = &deps.tools;
    loop {
        let turn = deps.turns.acquire().await;
        if tools.now() > drive.until {
            return None;
        }
        let wait = match tools.okta.room_to_remove() {
            Ok(room) => return Some((turn, room)),
            Err(wait) => after_of(wait),
        };
        drop(turn);
        let at = tools.now() + wait + more;
        if !drive.waits_for(wait) || at > drive.until {
            return None;
        }
        tools.clock.sleep_until(at).await;
    }
}

/// Does what is due for the `request` but its cards, its messages and its schedules. Gives back the step
/// that was taken, if one was, and when something is due again, if the request itself cannot tell.
async fn drive_request(
    tools: &Tools,
    request: &Request,
) -> Result<(Option<Done>, Option<Timestamp>), Error> {
    let id = &request.id;
    let done = match request.state {
        State::Pending => {
            let subject = Subject::Request(id.clone());
            settle(tools.step(&subject, &Event::Expire).await)?
        }
        _ if request.state.is_final() => None,
        _ => deescalate(tools, id).await?,
    };
    let done = match done {
        None if request.said_at().is_some_and(|at| at <= tools.now()) => {
            let subject = Subject::Request(id.clone());
            settle(tools.step(&subject, &Event::Remind).await)?
        }
        done => done,
    };
    let is_due = request.drive_at.is_some_and(|at| at <= tools.now());
    let is_waiting = matches!(request.state, State::Approved | State::Escalating);
    let mut again = None;
    if done.is_none() && is_due && is_waiting {
        tools.hand(Function::Escalation, id).await;
        again = Some(tools.now() + access::CLAIM);
    }
    Ok((done, again))
}

/// Draws the cards and sends the messages that the `request`, as it was found, owed if they are due, or that
/// `done` made it owe.
async fn draw(tools: &Tools, request: &Request, done: Option<Done>) -> Result<(), Error> {
    let id = &request.id;
    let now = tools.table.request(id).await?;
    let due_at = now.and_then(|it| it.surfaces_at);
    if due_at.is_some_and(|at| at <= tools.now()) {
        let subject = Subject::Request(id.clone());
        if settle(tools.step(&subject, &Event::Claim).await)?.is_some() {
            // Whom it was handed to sends what that makes it owe.
            let known = done.as_ref().and_then(Done::request).unwrap_or(request);
            tools.show(id, Ours(None, Some(known))).await;
            return Ok(());
        }
    }
    if let Some(done) = done {
        tools.show(id, done.ours()).await;
    }
    Ok(())
}

/// Ends the request if its time has come, and goes on with its removal. Gives back what was done, if
/// anything was.
async fn deescalate(tools: &Tools, id: &RequestId) -> Result<Option<Done>, Error> {
    let subject = Subject::Grant(id.clone());
    let Some(done) = settle(tools.step(&subject, &Event::Deescalate).await)? else {
        return Ok(None);
    };
    let answered = tools.call(&subject, &done).await?;
    lateness(answered.as_ref().unwrap_or(&done));
    Ok(Some(match answered {
        Some(answered) => Done {
            before: done.before,
            ..answered
        },
        None => done,
    }))
}

/// Does what is due for the ledger item `key`; gives back how it is then, and what keeps the user in the
/// group, with the channel that is to be told: no request can tell of it.
async fn drive_membership(
    tools: &Tools,
    key: &MembershipKey,
) -> Result<(Option<Membership>, Option<(String, Trouble)>), Error> {
    let subject = Subject::Membership(key.clone());
    let mut answered = None;
    if let Some(done) = settle(tools.step(&subject, &Event::Deescalate).await)? {
        tools.carry_out(&done).await;
        answered = tools.call(&subject, &done).await?;
    }
    let item = tools.table.membership(key).await?;
    let now = tools.now();
    let overdue = item
        .as_ref()
        .and_then(|item| item.overdue(now).map(|late| (item, late)));
    let Some((overdue, late)) = overdue else {
        return Ok((item, None));
    };
    metric("OverdueSeconds", late.as_secs_f64(), Unit::Seconds, now);
    let untold = answered.and_then(|answered| {
        let still_in = (overdue.tries > 2).then(Trouble::still_in);
        let trouble = answered.trouble.or(still_in);
        overdue.error_channel.clone().zip(trouble)
    });
    Ok((item, untold))
}

/// A refusal means that there is nothing to do now.
pub(crate) fn settle(step: Result<Done, Error>) -> Result<Option<Done>, Error> {
    match step {
        Ok(done) => Ok(Some(done)),
        Err(Error::Refused {
            refusal: Refusal::NotDue(_) | Refusal::MovedOn(_),
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Records how late a removal was, or is by now.
fn lateness(done: &Done) {
    let Some(request) = done.request() else {
        return;
    };
    if let Some(late) = request.overdue(done.at) {
        metric("OverdueSeconds", late.as_secs_f64(), Unit::Seconds, done.at);
    } else if request.state.is_final()
        && let Some(over_at) = request.over_at
    {
        let late = done.at.duration_since(over_at).as_secs_f64().max(0.0);
        metric("LatenessSeconds", late, Unit::Seconds, done.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F>(_: impl FnOnce(Deps, Due, Arc<Drive>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_waits_is_so_small_that_ten_thousand_fit_into_the_function() {
        let bytes = size(drive_until);
        assert!(bytes < 4096, "each takes {bytes} bytes");
    }
}
