//! The one call to Okta that a step announced.

use std::time::Duration;

use access::{Answer, CallKind, Effect, Event, MembershipKey, Trouble};
use jiff::SignedDuration;

use crate::{Done, Error, Subject, Tools};

/// What people can do where Okta wants to be left alone for a while.
pub const BY_ITSELF: &str = "nothing to do: it is tried again by itself";

/// How long after its announcement a call may still be sent. Its answer is waited for as long again,
/// so that it cannot land once the ledger has given it up.
const SENT_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// How long a call that names another org waits before it is looked at again.
const OTHER_ORG: SignedDuration = SignedDuration::from_mins(2);

impl Tools {
    /// Sends the call that `done` announced, if it announced one, and records the answer.
    pub async fn call(&self, subject: &Subject, done: &Done) -> Result<Option<Done>, Error> {
        for effect in &done.step.effects {
            if let Effect::Send { call, kind, key } = effect {
                let answer = if self.now().duration_since(done.at) < SENT_WITHIN {
                    self.send(*kind, key).await
                } else {
                    Answer::NotDone {
                        after: SignedDuration::ZERO,
                        trouble: Trouble {
                            error: "the call came too late to be sent".to_owned(),
                            hint: "nothing to do: it is made again".to_owned(),
                        },
                    }
                };
                if let Some(trouble) = answer.trouble() {
                    tracing::warn!(
                        user = %key.user, group = %key.group, ?kind, error = trouble.error,
                        "Okta did not confirm {kind:?} of {} in {}: {}", key.user, key.group, trouble.error
                    );
                }
                let call = call.clone();
                let recorded = self.step(subject, &Event::Answered { call, answer }).await;
                return match recorded {
                    // The call was given up as dead meanwhile: whoever did goes on with it.
                    Err(Error::Refused { .. }) => Ok(None),
                    other => other.map(Some),
                };
            }
        }
        Ok(None)
    }

    async fn send(&self, kind: CallKind, key: &MembershipKey) -> Answer {
        if key.org != self.org {
            return Answer::NotDone {
                after: OTHER_ORG,
                trouble: Trouble {
                    error: format!(
                        "the membership is in the Okta org `{}`, and this stack has the credential of `{}`",
                        key.org, self.org
                    ),
                    hint: format!(
                        "remove {} from {} there by hand, or deploy with that org until it is done",
                        key.user, key.group
                    ),
                },
            };
        }
        let (user, group) = (key.user.as_str(), key.group.as_str());
        let sent = match kind {
            CallKind::Add => self.okta.add(user, group).await,
            CallKind::Remove => self.okta.remove(user, group).await,
        };
        match (kind, sent) {
            (CallKind::Add, Ok(done)) => Answer::Done {
                seen_out: false,
                okta_request_id: done.request_id,
            },
            (CallKind::Remove, Ok(done)) => match self.okta.is_member(user, group).await {
                Ok(member) => Answer::Done {
                    seen_out: !member,
                    okta_request_id: done.request_id,
                },
                Err(okta::Error::Missing { .. }) => Answer::Done {
                    seen_out: true,
                    okta_request_id: done.request_id,
                },
                // The removal itself was taken.
                Err(error) => Answer::Unclear {
                    trouble: tried_again(&error),
                },
            },
            (CallKind::Remove, Err(okta::Error::Missing { reason, .. })) => {
                tracing::warn!(user, group, "nobody to remove: {reason}");
                Answer::Done {
                    seen_out: true,
                    okta_request_id: None,
                }
            }
            (_, Err(error)) => answer_of(&error),
        }
    }
}

/// What an error of Okta means for the call that met it.
fn answer_of(error: &okta::Error) -> Answer {
    match error {
        okta::Error::Later { after, .. } => Answer::NotDone {
            after: after_of(*after),
            trouble: tried_again(error),
        },
        okta::Error::Unclear { .. } => Answer::Unclear {
            trouble: trouble_of(error),
        },
        okta::Error::Missing { .. } | okta::Error::Refused { .. } => Answer::Refused {
            mendable: error.is_mendable(),
            trouble: trouble_of(error),
        },
    }
}

/// An error of Okta after which people have nothing to do.
fn tried_again(error: &okta::Error) -> Trouble {
    Trouble {
        hint: BY_ITSELF.to_owned(),
        ..trouble_of(error)
    }
}

/// How long Okta wants to be left alone.
#[must_use]
pub fn after_of(after: Duration) -> SignedDuration {
    SignedDuration::try_from(after).unwrap_or(SignedDuration::from_mins(1))
}

/// An error of Okta, for people.
#[must_use]
pub fn trouble_of(error: &okta::Error) -> Trouble {
    Trouble {
        error: error.to_string(),
        hint: error.hint().to_string(),
    }
}
