//! Load, decide, write, carry out.

use access::{
    Effect, Event, Group, Loaded, Membership, MembershipKey, Request, RequestId, SlackUser,
    Transition, Trouble, transition,
};
use std::time::Duration;

use aws::{Function, Payload};
use jiff::Timestamp;

use crate::{Error, Ours, Tools};

/// How often a step is decided again because an item moved in between.
const ATTEMPTS: u32 = 8;

/// How much longer it waits before each of these.
const CONFLICT_PAUSE: Duration = Duration::from_millis(20);

/// What a step is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A request alone.
    Request(RequestId),
    /// A request, its ledger item, and the request that it extends.
    Grant(RequestId),
    /// A request that a form asks for, and what it would touch.
    Form {
        /// The request.
        id: RequestId,
        /// The ledger item, if it is known who in Okta asks.
        membership: Option<MembershipKey>,
        /// The request that it would extend.
        extends: Option<RequestId>,
        /// Who asks, for which group.
        asks: (SlackUser, Group),
    },
    /// A ledger item alone.
    Membership(MembershipKey),
}

/// A step that was taken.
#[derive(Debug, Clone)]
pub struct Done {
    /// What was loaded.
    pub before: Loaded,
    /// What was written.
    pub step: Transition,
    /// When it was decided.
    pub at: Timestamp,
    /// What kept Okta from confirming the call whose answer it recorded, if anything did.
    pub trouble: Option<Trouble>,
}

impl Done {
    /// The request as it is now.
    #[must_use]
    pub fn request(&self) -> Option<&Request> {
        self.step.request.as_ref().or(self.before.request.as_ref())
    }

    /// The messages and copies of the card that this step made the request owe.
    #[must_use]
    pub fn ours(&self) -> Ours<'_> {
        Ours(self.before.request.as_ref(), self.request())
    }
}

impl Tools {
    /// Loads what `subject` names, consistently.
    pub async fn load(&self, subject: &Subject) -> Result<Loaded, aws::Error> {
        let mut loaded = Loaded::default();
        match subject {
            Subject::Request(id) => loaded.request = self.table.request(id).await?,
            Subject::Grant(id) => {
                loaded.request = self.table.request(id).await?;
                if let Some(request) = &loaded.request {
                    let key = request.membership();
                    (loaded.membership, loaded.extended) = tokio::try_join!(
                        self.membership(key.as_ref()),
                        self.request(request.extends.as_ref())
                    )?;
                }
            }
            Subject::Form {
                id,
                membership,
                extends,
                asks: (person, group),
            } => {
                (
                    loaded.request,
                    loaded.membership,
                    loaded.extended,
                    loaded.twin,
                ) = tokio::try_join!(
                    self.table.request(id),
                    self.membership(membership.as_ref()),
                    self.request(extends.as_ref()),
                    self.table.pending(person, group)
                )?;
            }
            Subject::Membership(key) => loaded.membership = self.table.membership(key).await?,
        }
        Ok(loaded)
    }

    /// Decides what `event` makes of `subject` and writes it; decides again while it moves.
    pub async fn step(&self, subject: &Subject, event: &Event) -> Result<Done, Error> {
        for attempt in 0..ATTEMPTS {
            let loaded = self.load(subject).await?;
            match self.decide(loaded, event).await {
                Err(Error::Aws(aws::Error::Moved)) => {
                    tokio::time::sleep(CONFLICT_PAUSE * attempt).await;
                }
                other => return other,
            }
        }
        Err(Error::Busy)
    }

    /// Decides what `event` makes of what was `loaded` and writes it, once. Schedules are created
    /// beside the transaction: one too many does no harm.
    pub async fn decide(&self, loaded: Loaded, event: &Event) -> Result<Done, Error> {
        let at = self.now();
        let step = match transition(&loaded, event, at, &aws::stamp(), self.function) {
            Ok(step) => step,
            Err(refusal) => {
                let loaded = Box::new(loaded);
                return Err(Error::Refused { refusal, loaded });
            }
        };
        let (written, ()) =
            tokio::join!(self.table.commit(&loaded, &step, at), self.schedule(&step));
        written?;
        for entry in &step.audit {
            tracing::info!(
                request = %entry.request, step = ?entry.step, to = entry.to.as_str(),
                "request {} is {} after {:?}", entry.request, entry.to.as_str(), entry.step
            );
        }
        let trouble = match event {
            Event::Answered { answer, .. } => answer.trouble().cloned(),
            _ => None,
        };
        let before = loaded;
        Ok(Done {
            before,
            step,
            at,
            trouble,
        })
    }

    /// Hands on what a step sets off, and deletes the schedules that it needs no more. What fails is
    /// found by the sweep.
    pub async fn carry_out(&self, done: &Done) {
        for effect in &done.step.effects {
            match effect {
                Effect::Escalate(id) => self.hand(Function::Escalation, id).await,
                Effect::Deescalate(id) => self.hand(Function::Deescalation, id).await,
                Effect::Unschedule(names) => {
                    for name in names {
                        let Some(schedules) = &self.schedules else {
                            break;
                        };
                        if let Err(error) = schedules.delete(name).await {
                            tracing::warn!(schedule = name, %error, "schedule `{name}` was not deleted");
                        }
                    }
                }
                Effect::Schedule { .. } | Effect::Send { .. } => {}
            }
        }
    }

    /// Hands the request `id` to `function`; the sweep does it again if that fails.
    pub async fn hand(&self, function: Function, id: &RequestId) {
        if let Err(error) = self
            .handoffs
            .hand(function, &Payload::new(id.clone()))
            .await
        {
            tracing::error!(request = %id, ?function, %error, "request {id} was not handed on");
        }
    }

    async fn request(&self, id: Option<&RequestId>) -> Result<Option<Request>, aws::Error> {
        match id {
            Some(id) => self.table.request(id).await,
            None => Ok(None),
        }
    }

    async fn membership(
        &self,
        key: Option<&MembershipKey>,
    ) -> Result<Option<Membership>, aws::Error> {
        match key {
            Some(key) => self.table.membership(key).await,
            None => Ok(None),
        }
    }

    async fn schedule(&self, step: &Transition) {
        for effect in &step.effects {
            if let (Effect::Schedule { name, at }, Some(request)) = (effect, &step.request)
                && let Some(schedules) = &self.schedules
                && let Err(error) = schedules.create(name, *at, &request.id).await
            {
                tracing::error!(
                    request = %request.id, schedule = name, %error,
                    "schedule `{name}` was not created; the sweep ends the grant"
                );
            }
        }
    }
}
