//! Drives what is due: waits for its moment, makes Okta agree, draws the cards.

use access::{Event, MembershipKey, Refusal, RequestId, State, Trouble};
use aws::telemetry::{Unit, metric};
use aws::{Due, DueItem, Function};
use drive::{Done, Error, Failed, Ours, Subject, Tools};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use crate::Deps;

/// How long a ledger item is left to the requests that hold or held it, which are due at the same
/// time: they know whom to tell.
const REQUESTS_FIRST: SignedDuration = SignedDuration::from_secs(5);

/// The shortest wait between two drives of one item.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// Drives everything in `due`, each when its time comes, and again whenever it is due again before
/// `until`.
///
/// # Errors
///
/// The last of what AWS could not do; everything else was driven all the same.
pub(crate) async fn drive_all(deps: &Deps, due: Vec<Due>, until: Timestamp) -> Result<(), Error> {
    let mut driven = JoinSet::new();
    for due in due {
        let strand = deps.tools.clock.strand();
        let driving = drive_until(deps.clone(), due, until);
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

/// Drives one item when it is due, and again whenever it is due again before `until`.
async fn drive_until(deps: Deps, mut due: Due, until: Timestamp) -> Result<(), Error> {
    loop {
        match drive_once(&deps, &due, until).await {
            Ok(Some(at)) if at <= until => due.at = at.max(deps.tools.now() + PAUSE),
            Ok(_) => return Ok(()),
            Err(error) => {
                tracing::error!(item = ?due.item, %error, "an item was not driven: {error}");
                return Err(error);
            }
        }
    }
}

/// Drives one item when it is due; gives back when it is due again. After `until` it is left to the
/// next sweep.
async fn drive_once(deps: &Deps, due: &Due, until: Timestamp) -> Result<Option<Timestamp>, Error> {
    let tools = &deps.tools;
    let id = match &due.item {
        DueItem::Request(id) => id,
        DueItem::Membership(key) => {
            tools.clock.sleep_until(due.at + REQUESTS_FIRST).await;
            let turn = deps.turns.acquire().await;
            let (again, untold) = drive_membership(tools, key).await?;
            drop(turn);
            if let Some((channel, trouble)) = untold {
                let _drawing = deps.drawings.acquire().await;
                let doing = "taking somebody out of a group";
                let whom = format!("the Okta user {} in the group {}", key.user, key.group);
                let what = Failed::Removal;
                tools.tell(&channel, what, doing, &whom, &trouble).await;
            }
            return Ok(again);
        }
        DueItem::Home(user) => {
            tools.clock.sleep_until(due.at).await;
            let _drawing = deps.drawings.acquire().await;
            // No sweep fails because of what somebody looks at.
            if let Err(error) = tools.drive_home(user).await {
                tracing::error!(%user, %error, "the Home tab of {user} is behind: {error}");
            }
            return Ok(None);
        }
    };
    tools.clock.sleep_until(due.at).await;
    let turn = deps.turns.acquire().await;
    if tools.now() > until {
        return Ok(None);
    }
    let (done, again) = drive_request(tools, id).await?;
    // Nobody waits for a turn because Slack is slow.
    drop(turn);
    let _drawing = deps.drawings.acquire().await;
    if tools.now() <= until {
        draw(tools, id, done).await?;
    }
    match again {
        Some(at) => Ok(Some(at)),
        None => Ok(tools.table.request(id).await?.and_then(|it| it.due_at())),
    }
}

/// Does what is due for the request `id` but its cards and messages. Gives back the step that was
/// taken, if one was, and when something is due again, if the request itself cannot tell.
async fn drive_request(
    tools: &Tools,
    id: &RequestId,
) -> Result<(Option<Done>, Option<Timestamp>), Error> {
    let Some(request) = tools.table.request(id).await? else {
        tracing::error!(request = %id, "request {id} is not in the table");
        return Ok((None, None));
    };
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

/// Draws the cards and sends the messages of the request `id` that are due, or that `done` owed.
async fn draw(tools: &Tools, id: &RequestId, done: Option<Done>) -> Result<(), Error> {
    let request = tools.table.request(id).await?;
    let due_at = request.and_then(|it| it.surfaces_at);
    if due_at.is_some_and(|at| at <= tools.now()) {
        let subject = Subject::Request(id.clone());
        if settle(tools.step(&subject, &Event::Claim).await)?.is_some() {
            tools.show(id, Ours::All).await;
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
    tools.carry_out(&done).await;
    let answered = tools.call(&subject, &done).await?;
    if let Some(answered) = &answered {
        tools.carry_out(answered).await;
    }
    lateness(answered.as_ref().unwrap_or(&done));
    Ok(Some(match answered {
        Some(answered) => Done {
            before: done.before,
            ..answered
        },
        None => done,
    }))
}

/// Does what is due for the ledger item `key`; gives back when something is due again, and what keeps the
/// user in the group, with the channel that is to be told: no request can tell of it.
async fn drive_membership(
    tools: &Tools,
    key: &MembershipKey,
) -> Result<(Option<Timestamp>, Option<(String, Trouble)>), Error> {
    let subject = Subject::Membership(key.clone());
    let mut answered = None;
    if let Some(done) = settle(tools.step(&subject, &Event::Deescalate).await)? {
        tools.carry_out(&done).await;
        answered = tools.call(&subject, &done).await?;
    }
    let item = tools.table.membership(key).await?;
    let now = tools.now();
    let untold = match (&item, answered) {
        (Some(item), Some(answered)) if item.overdue(now).is_some() => {
            let still_in = (item.tries > 2).then(Trouble::still_in);
            item.error_channel
                .clone()
                .zip(answered.trouble.or(still_in))
        }
        _ => None,
    };
    if let Some(late) = item.as_ref().and_then(|item| item.overdue(now)) {
        metric("OverdueSeconds", late.as_secs_f64(), Unit::Seconds, now);
    }
    Ok((item.and_then(|item| item.due_at), untold))
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
