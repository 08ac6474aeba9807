//! `escalation` puts a user into a group, for a request that the table says is approved.
//!
//! It is woken with the id of a request and believes nothing else. Before it announces a call it
//! looks whether the group may be touched, whether the user may be added, and whether they are in
//! the group already.

use std::sync::Arc;

use access::{Event, Loaded, Look, Membership, Refusal, RequestId, State, Trouble};
use aws::{Clock, Config, Payload};
use drive::{BY_ITSELF, Error, Ours, Subject, Tools, after_of, trouble_of};
use jiff::SignedDuration;

/// How long one invocation goes on trying before it leaves the request to the sweep.
const PATIENCE: SignedDuration = SignedDuration::from_secs(40);

/// What the function needs, built once.
#[derive(Debug, Clone)]
pub struct Deps {
    tools: Tools,
}

impl Deps {
    /// Builds the clients for the stack of `config`.
    #[must_use]
    pub fn connect(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            tools: Tools::new("escalation", config, clock).with_schedules(config),
        }
    }
}

/// Makes Okta agree with the request that `event` names.
///
/// An event that names a request that is not approved changes nothing.
///
/// # Errors
///
/// An event of another shape or version, and what AWS could not do; the platform invokes again, and
/// keeps what failed for good.
pub async fn handler(deps: &Deps, event: serde_json::Value) -> Result<(), Error> {
    let id = Payload::read(event)?;
    let tools = &deps.tools;
    let until = tools.now() + PATIENCE;
    loop {
        let again = Box::pin(escalate(tools, &id)).await?;
        match again {
            Some(at) if at <= until => tools.clock.sleep_until(at).await,
            _ => return Ok(()),
        }
    }
}

/// Tries once; gives back when it should be tried again, if it should.
async fn escalate(tools: &Tools, id: &RequestId) -> Result<Option<jiff::Timestamp>, Error> {
    let subject = Subject::Grant(id.clone());
    let loaded = tools.load(&subject).await?;
    let Some(request) = &loaded.request else {
        tracing::error!(request = %id, "request {id} is not in the table");
        return Ok(None);
    };
    let is_claimed = request.drive_at.is_some_and(|at| at > tools.now());
    match request.state {
        State::Approved | State::Active => {}
        State::Escalating if !is_claimed => {}
        _ => return Ok(None),
    }
    let is_settled = loaded.membership.as_ref().is_some_and(|item| item.agreed);
    if request.state == State::Active && is_settled {
        return Ok(None);
    }
    let event = look(tools, &loaded).await;
    let done = match tools.decide(loaded, &event).await {
        Ok(done) => done,
        Err(
            Error::Aws(aws::Error::Moved)
            | Error::Refused {
                refusal: Refusal::LookFirst,
                ..
            },
        ) => return Ok(Some(tools.now())),
        Err(Error::Aws(error @ aws::Error::Closing)) => {
            let trouble = Trouble {
                error: error.to_string(),
                hint: error.hint().to_owned(),
            };
            let after = access::CLAIM;
            let done = tools
                .step(&subject, &Event::Postpone { after, trouble })
                .await?;
            tools.show(id, done.ours()).await;
            return Ok(None);
        }
        Err(Error::Refused { refusal, .. }) => {
            tracing::info!(request = %id, %refusal, "request {id} is not escalated: {refusal}");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    tools.carry_out(&done).await;
    let answered = tools.call(&subject, &done).await?;
    let last = answered.as_ref().unwrap_or(&done);
    let ours = Ours(done.before.request.as_ref(), last.request());
    tools.show(id, ours).await;
    if let Some(answered) = &answered {
        tools.carry_out(answered).await;
        if let Some(old) = &answered.step.extended {
            let ours = Ours(answered.before.extended.as_ref(), Some(old));
            tools.show(&old.id, ours).await;
        }
    }
    Ok(last
        .request()
        .filter(|request| matches!(request.state, State::Approved | State::Escalating))
        .and_then(|request| request.drive_at))
}

/// Finds out whether the call may be made.
async fn look(tools: &Tools, loaded: &Loaded) -> Event {
    let unfit = |mendable, error: String, hint: &str| Event::Unfit {
        mendable,
        trouble: Trouble {
            error,
            hint: hint.to_owned(),
        },
    };
    let Some(request) = &loaded.request else {
        return Event::Escalate {
            look: Look::Skipped,
        };
    };
    let Some(user) = request
        .requester
        .okta
        .as_ref()
        .map(access::OktaUser::as_str)
    else {
        return unfit(
            false,
            "the requester is not known in Okta".to_owned(),
            "ask again",
        );
    };
    if request.org != tools.org {
        return unfit(
            false,
            format!(
                "the request is for the Okta org `{}`, and this stack serves `{}`",
                request.org, tools.org
            ),
            "ask again",
        );
    }
    if let Some((reason, after)) = tools.okta.wait_to_add() {
        let trouble = Trouble {
            error: reason.to_owned(),
            hint: BY_ITSELF.to_owned(),
        };
        let after = after_of(after);
        return Event::Postpone { after, trouble };
    }
    let group = request.group.as_str();
    let needs_look = Membership::needs_look(loaded.membership.as_ref(), tools.now());
    let member = async {
        if needs_look {
            tools.okta.is_member(user, group).await.map(Some)
        } else {
            Ok(None)
        }
    };
    let (check, account, member) =
        tokio::join!(tools.okta.group_check(group), tools.okta.user(user), member);
    match check {
        Ok(okta::GroupCheck::Fit { .. }) => {}
        Ok(okta::GroupCheck::Unfit { reason }) => {
            return unfit(
                false,
                reason,
                "ask the people who run Stint for another target",
            );
        }
        Err(error) => return not_found_out(&error),
    }
    match account {
        Ok(account) if account.is_active() => {}
        Ok(account) => {
            return unfit(
                false,
                format!("the Okta user {} is {}", account.login, account.status),
                "an Okta administrator must activate the user, then ask again",
            );
        }
        Err(error) => return not_found_out(&error),
    }
    match member {
        Ok(None) => Event::Escalate {
            look: Look::Skipped,
        },
        Ok(Some(true)) => Event::Escalate { look: Look::In },
        Ok(Some(false)) => Event::Escalate { look: Look::Out },
        Err(error) => not_found_out(&error),
    }
}

/// What an error of a read means: a person must mend it, or it is tried again.
fn not_found_out(error: &okta::Error) -> Event {
    let mut trouble = trouble_of(error);
    let after = match error {
        okta::Error::Later { after, .. } => {
            BY_ITSELF.clone_into(&mut trouble.hint);
            after_of(*after)
        }
        okta::Error::Unclear { .. } => SignedDuration::from_secs(5),
        okta::Error::Missing { .. } | okta::Error::Refused { .. } => {
            let mendable = error.is_mendable();
            return Event::Unfit { mendable, trouble };
        }
    };
    Event::Postpone { after, trouble }
}
