//! A click, and what the person who clicked is told.

use access::{Click as ClickId, Person, Request, State, Trouble, Why};
use drive::{Failed, Tools};
use slack::payload::{By, MessageRef};
use slack::text::{Mrkdwn, escaped, user};
use slack::{Message, notice};

use crate::Error;

/// Somebody did something in Slack.
#[derive(Debug, Clone)]
pub(crate) struct Click {
    /// Who.
    pub(crate) by: By,
    /// Its name.
    pub(crate) id: ClickId,
    /// The message in which it was, if it was in one.
    pub(crate) message: Option<MessageRef>,
}

/// Why a click took no effect.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It may not, or need not: the person is told.
    Told(Mrkdwn),
    /// Something is wrong that somebody must mend: the person and the error channel are told.
    Trouble {
        /// What was attempted.
        what: &'static str,
        /// Where.
        place: Box<Place>,
        /// What is wrong and what to do.
        trouble: Trouble,
    },
    /// It must be tried again.
    Failed(Error),
}

/// Where a click belongs.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The flow and the target, for people.
    pub(crate) words: Mrkdwn,
    /// Where failures are told, if that is known.
    pub(crate) error_channel: Option<String>,
}

impl Place {
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            words: notice::place(&request.flow_label, &request.label),
            error_channel: Some(request.error_channel.clone()),
        }
    }

    /// Stops `what` because of `trouble`.
    pub(crate) fn stop(&self, what: &'static str, trouble: Trouble) -> Stop {
        Stop::Trouble {
            what,
            place: Box::new(self.clone()),
            trouble,
        }
    }
}

impl Stop {
    pub(crate) fn told(text: &str) -> Self {
        Self::Told(escaped(text))
    }

    pub(crate) fn failed() -> Self {
        Self::told(
            "What you did could not be carried out, also not when it was tried again. See how the \
             request stands, and do it once more.",
        )
    }

    pub(crate) fn too_old() -> Self {
        Self::told(
            "It took more than five minutes until your click arrived, so nothing was done. Do it again.",
        )
    }
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Click {
    /// Tells the person who clicked why it took no effect, and the error channel where that is due.
    pub(crate) async fn answer(&self, tools: &Tools, stop: Stop) -> Result<(), Error> {
        match stop {
            Stop::Failed(error) => Err(error),
            Stop::Told(text) => self.tell(tools, &notice::told(text)).await,
            Stop::Trouble {
                what,
                place,
                trouble,
            } => {
                tracing::warn!(
                    user = %self.by.user, error = trouble.error,
                    "{} could not {what}: {}", self.by.user, trouble.error
                );
                let what =
                    Mrkdwn::from("the action *") + what + "* attempted by " + user(&self.by.user);
                let message =
                    notice::problem(what, place.words.clone(), &trouble.error, &trouble.hint);
                if let Some(channel) = &place.error_channel {
                    let slack = tools.slack().await?;
                    let told = tools
                        .report(&slack, channel, Failed::Other, &trouble, &message)
                        .await;
                    if let Err(error) = told {
                        tracing::error!(channel, %error, "the error channel `{channel}` was not told: {error}");
                    }
                }
                self.tell(tools, &message).await
            }
        }
    }

    /// Tells the person who clicked, where they clicked and only them, or directly.
    pub(crate) async fn tell(&self, tools: &Tools, message: &Message) -> Result<(), Error> {
        let slack = tools.slack().await?;
        let who = &self.by.user;
        let mut told = Err(slack::Error::Gone {
            error: String::new(),
            hint: String::new(),
        });
        if let Some(MessageRef { channel, .. }) = &self.message {
            told = slack.post_ephemeral(channel, who, message).await;
        }
        if matches!(told, Err(slack::Error::Gone { .. })) {
            told = slack.post_message(who.as_str(), message).await.map(drop);
        }
        match told {
            Ok(()) => Ok(()),
            Err(error @ (slack::Error::Later { .. } | slack::Error::Unclear { .. })) => {
                Err(Error::Untold(error))
            }
            Err(error) => {
                tracing::error!(user = %who, %error, "{who} was not told: {error}");
                Ok(())
            }
        }
    }
}

/// How `request` stands, for somebody who came too late to change it.
pub(crate) fn how_it_stands(actor: &Person, request: &Request) -> Mrkdwn {
    let you = |them: &access::SlackUser| {
        if *them == actor.slack {
            Mrkdwn::from("You")
        } else {
            user(them)
        }
    };
    let of = Mrkdwn::from(" the request of ")
        + user(&request.requester.slack)
        + " for *"
        + escaped(&request.label)
        + "*";
    let own = request.approvals.iter().find(|it| it.by.is(actor));
    let approval = own.or(request.approvals.last());
    let decided = |verb: &'static str| {
        let who = request.decision.as_ref().map(|it| {
            you(&it.by.slack) + " " + verb + of.clone() + " at " + slack::text::date(it.at)
        });
        who.unwrap_or_else(|| Mrkdwn::from("Somebody ") + verb + of.clone())
    };
    let approved = || match approval {
        Some(it) => {
            you(&it.by.slack) + " approved" + of.clone() + " at " + slack::text::date(it.at)
        }
        None => Mrkdwn::from("The policy approved") + of.clone(),
    };
    let text = match request.state {
        State::Pending => match own {
            Some(_) => {
                let left = request.approvals_needed as usize - request.approvals.len();
                approved() + escaped(&format!(". It takes {left} more, of somebody else"))
            }
            None => Mrkdwn::from("Nobody has decided on") + of,
        },
        State::Approved | State::Escalating => approved() + ", and they are being added",
        State::Active => {
            let until = request.ends_at.map(slack::text::date).unwrap_or_default();
            approved() + ". The access ends at " + until
        }
        State::Denied => decided("denied"),
        State::Cancelled => decided("took back"),
        State::Expired => Mrkdwn::from("Nobody answered") + of + " in time",
        State::Deescalating => match request.decision {
            Some(_) => decided("ended the access of"),
            None if request.why == Some(Why::Failed) => {
                Mrkdwn::from("It could not be carried out, and is being undone:") + of
            }
            None if request.why == Some(Why::Stopped) => {
                Mrkdwn::from("The access is being taken back by the people who run Stint")
            }
            None => Mrkdwn::from("The access is being taken back: its time is over"),
        },
        State::Ended => match (request.why, &request.decision) {
            (Some(Why::AlreadyMember), _) => {
                user(&request.requester.slack) + " is in the group already, not through Stint"
            }
            (Some(Why::Stopped), _) => Mrkdwn::from("The people who run Stint ended the access"),
            (Some(Why::Superseded), _) => Mrkdwn::from("A newer request took over from") + of,
            (Some(Why::HandedOver), _) => {
                Mrkdwn::from("The access was handed over: Stint does not take it back any more")
            }
            (_, Some(_)) => decided("ended the access of"),
            _ => Mrkdwn::from("The access has ended"),
        },
        State::Failed => Mrkdwn::from("It could not be carried out:") + of,
    };
    text + "."
}
