//! Messages beside the card: what people are told directly, and what goes to the error channel.

use access::flows::in_words;
use access::{Notice, Owed, Place, Recipient, Request, State, Trouble, Why};

use crate::blocks::{Block, Button, Message, actions, context, section};
use crate::card::{
    LABEL, SESSIONS, again, approved_by, approvers, asked, decider, details, handed_over, holding,
    may_ask_again, note_of_decision, requester, target, with_buttons,
};
use crate::text::{Mrkdwn, date, escaped, listed, mention, short};

/// How much of an error or a hint is shown.
const ERROR: usize = 1000;
/// How many people and channels are named.
const MENTIONS: usize = 50;

/// How a message begins that says what went wrong.
pub const SORRY: &str = "Sorry, an error occurred!";

/// The message that `request` owes.
#[must_use]
pub fn notice(request: &Request, owed: &Owed) -> Message {
    let to_requester = owed.to == Recipient::Requester;
    let message = match &owed.notice {
        Notice::Trouble(trouble) => went_wrong(request, trouble),
        Notice::Failed => went_wrong(request, &trouble_of(request)),
        notice => {
            let text = words(request, owed, notice);
            let message = Message::new(text.clone())
                .with(section(text))
                .with(context([details(request)]));
            let loses = matches!(notice, Notice::Ended | Notice::Ending)
                && request.why != Some(Why::HandedOver);
            if loses && to_requester {
                message.with(context([Mrkdwn::from(SESSIONS)]))
            } else {
                message
            }
        }
    };
    let buttons = match &owed.notice {
        Notice::Ending if to_requester => holding(request),
        Notice::Ended | Notice::Denied | Notice::Expired | Notice::Failed
            if to_requester && may_ask_again(request) =>
        {
            vec![again(request)]
        }
        _ => Vec::new(),
    };
    with_buttons(message, request, buttons)
}

/// The message for something that went wrong: `what` was attempted and by whom, `place` (which flow and
/// target), the `error` and a `hint`.
#[must_use]
pub fn problem(
    what: impl Into<Mrkdwn>,
    place: impl Into<Mrkdwn>,
    error: &str,
    hint: &str,
) -> Message {
    let summary = Mrkdwn::from(SORRY) + " " + short(error, ERROR);
    problem_blocks(&what.into(), &place.into(), error, hint)
        .into_iter()
        .fold(Message::new(summary), Message::with)
}

/// A message that says `text` and nothing else.
#[must_use]
pub fn told(text: impl Into<Mrkdwn>) -> Message {
    Message::new(text)
}

/// A message that says `text` and offers another try with `button`.
#[must_use]
pub fn retry(text: impl Into<Mrkdwn>, button: Button) -> Message {
    let text = text.into();
    Message::new(text.clone())
        .with(section(text))
        .with(actions([button]))
}

/// Where it happened: a flow and a target, by their labels.
#[must_use]
pub fn place(flow_label: &str, target_label: &str) -> Mrkdwn {
    Mrkdwn::from("*") + short(flow_label, LABEL) + "* for *" + short(target_label, LABEL) + "*"
}

pub(crate) fn problem_blocks(what: &Mrkdwn, place: &Mrkdwn, error: &str, hint: &str) -> Vec<Block> {
    let mut blocks = vec![
        section(Mrkdwn::from("*") + SORRY + "*"),
        section(Mrkdwn::from("*What* ") + what.within(ERROR) + "\n*Where* " + place.within(ERROR)),
        section(Mrkdwn::from("> ") + short(error, ERROR)),
    ];
    if !hint.trim().is_empty() {
        blocks.push(section(Mrkdwn::from("*Hint* ") + short(hint, ERROR)));
    }
    blocks
}

fn words(request: &Request, owed: &Owed, notice: &Notice) -> Mrkdwn {
    let to_requester = owed.to == Recipient::Requester;
    let (you_are, you_have, your) = if to_requester {
        (
            Mrkdwn::from("You are"),
            Mrkdwn::from("You have"),
            Mrkdwn::from("Your"),
        )
    } else {
        let whom = requester(request);
        (
            whom.clone() + " is",
            whom.clone() + " has",
            Mrkdwn::from("The"),
        )
    };
    let flow = Mrkdwn::from("*") + short(&request.flow_label, LABEL) + "*";
    let target = target(request);
    let by = || decider(request);
    match notice {
        Notice::Active => {
            let until = request.ends_at.map(date).unwrap_or_default();
            Mrkdwn::from("✅ ")
                + you_have
                + " "
                + target
                + " until "
                + until
                + ". "
                + approved_by(request)
                + "."
        }
        Notice::Reminder => {
            let what = Mrkdwn::from("🔑 Still waiting for an answer: ")
                + target
                + " for "
                + escaped(&in_words(request.duration_s))
                + ", asked for by "
                + requester(request)
                + " at "
                + date(request.requested_at)
                + ". It is open until "
                + date(request.expires_at)
                + ".";
            let mentioned: Vec<Mrkdwn> = match &owed.to {
                Recipient::Card(Place::Channel(_)) => {
                    request.notify.iter().map(|id| mention(id)).collect()
                }
                _ => Vec::new(),
            };
            if mentioned.is_empty() {
                what
            } else {
                what + "\n" + listed(&mentioned, MENTIONS)
            }
        }
        Notice::Ending => {
            let end = request.ends_at.map(date).unwrap_or_default();
            Mrkdwn::from("⏰ ") + your + " access to " + target + " ends at " + end + "."
        }
        Notice::Denied => {
            let why = note_of_decision(request, ERROR);
            Mrkdwn::from("🚫 ") + your + " " + flow + " request was denied by " + by() + "." + why
        }
        Notice::Expired => {
            let asked = asked(request, None);
            Mrkdwn::from("⌛ ")
                + your
                + " "
                + flow
                + " request has expired: nobody answered."
                + if asked.is_empty() {
                    Mrkdwn::default()
                } else {
                    Mrkdwn::from(" Asked: ") + listed(&asked, MENTIONS) + "."
                }
        }
        Notice::AlreadyMember => {
            you_are
                + " in "
                + target
                + " already, not through Stint. Nothing was changed, and nothing will end."
        }
        Notice::Ended | Notice::Failed | Notice::Trouble(_) => {
            let how = match request.why {
                Some(Why::Revoked) => Mrkdwn::from(" was revoked by ") + by() + ".",
                Some(Why::Withdrawn) => Mrkdwn::from(" was given back."),
                Some(Why::Stopped) => Mrkdwn::from(" was ended by the people who run Stint."),
                Some(Why::Superseded) => Mrkdwn::from(" goes on under a newer request."),
                Some(Why::HandedOver) => return no_longer_taken_back(request, to_requester),
                _ => Mrkdwn::from(" has ended."),
            };
            your + " access to " + target + how
        }
    }
}

fn no_longer_taken_back(request: &Request, to_requester: bool) -> Mrkdwn {
    let whose = if to_requester {
        Mrkdwn::from("Your access to ") + target(request)
    } else {
        Mrkdwn::from("The access to ") + target(request) + " of " + requester(request)
    };
    whose
        + " was handed over"
        + handed_over(request, ERROR)
        + ". The membership stays in Okta: Stint does not take it back any more."
}

fn trouble_of(request: &Request) -> Trouble {
    request.trouble.clone().unwrap_or_else(|| Trouble {
        error: "it could not be carried out".to_owned(),
        hint: "ask again".to_owned(),
    })
}

fn went_wrong(request: &Request, trouble: &Trouble) -> Message {
    let whom = requester(request);
    let what = match request.state {
        State::Deescalating | State::Ended => Mrkdwn::from("taking ") + whom + " out of the group",
        State::Approved | State::Escalating => Mrkdwn::from("adding ") + whom + " to the group",
        State::Active => Mrkdwn::from("the access that ") + whom + " has",
        _ => Mrkdwn::from("the access that ") + whom + " asked for",
    };
    let what = if request.approvals.is_empty() {
        what
    } else {
        what + ", approved by " + approvers(request)
    };
    let place = place(&request.flow_label, &request.label);
    problem(what, place, &trouble.error, &trouble.hint).with(context([details(request)]))
}
