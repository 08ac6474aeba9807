//! The card: the one message that shows a request, edited in place through its life, and its copies
//! for the requester and for whoever approved.

use access::flows::in_words;
use access::{Place, Request, SlackUser, State, Why};

use crate::blocks::{Block, Button, Message, actions, context, section};
use crate::form::Again;
use crate::text::{Mrkdwn, date, escaped, mention, short, user};

/// Says yes.
pub const APPROVE: &str = "approve";
/// Says no.
pub const DENY: &str = "deny";
/// Takes access back.
pub const REVOKE: &str = "revoke";
/// Gives access back.
pub const DONE: &str = "done";
/// Asks for more time.
pub const EXTEND: &str = "extend";
/// Takes a request back.
pub const CANCEL: &str = "cancel";
/// Asks for the same once more.
pub const AGAIN: &str = "again";

/// How much of a reason or note a card shows.
const REASON: usize = 300;
/// How much of an error or a hint a card shows.
const ERROR: usize = 500;

/// What is said to whoever had access, since Okta takes nobody out of an app they are in.
pub(crate) const SESSIONS: &str =
    "Apps that you are signed in to may keep you signed in for a while: sign out where it matters.";

/// The card of `request` as it is drawn at `place`. Its buttons carry the request's id as their value,
/// except `extend` and `again`, which carry an [`Again`].
#[must_use]
pub fn card(request: &Request, place: &Place) -> Message {
    let mut message = Message::new(summary(request, place))
        .with(section(headline(request, place)))
        .with(context([details(request)]));
    let fields = request.fields.iter().filter(|(_, value)| !value.is_empty());
    let fields = fields.map(|(name, value)| escaped(name) + ": " + short(value, REASON));
    message = message.with(context(fields));
    if let Some(line) = status(request, place) {
        message = message.with(section(line));
    }
    message = message.with(trouble(request));
    message = message.with(context(small_print(request, place)));
    message.with(actions(buttons(request, place)))
}

/// Target, reason and duration on one line.
pub(crate) fn details(request: &Request) -> Mrkdwn {
    Mrkdwn::join(
        [
            Mrkdwn::from("*") + escaped(&request.label) + "*",
            Mrkdwn::from("_") + short(&request.reason, REASON) + "_",
            escaped(&in_words(request.duration_s)),
        ],
        " · ",
    )
}

/// Who approved, as "Approved by …".
pub(crate) fn approved_by(request: &Request) -> Mrkdwn {
    if request.approvals.is_empty() {
        Mrkdwn::from("Approved by policy")
    } else {
        Mrkdwn::from("Approved by ") + approvers(request)
    }
}

/// Who denied, cancelled, revoked or gave back, if somebody did.
pub(crate) fn decider(request: &Request) -> Mrkdwn {
    let decision = request.decision.as_ref();
    decision.map(|it| user(&it.by.slack)).unwrap_or_default()
}

pub(crate) fn approvers(request: &Request) -> Mrkdwn {
    let people = request.approvals.iter().map(|yes| user(&yes.by.slack));
    Mrkdwn::join(people, ", ")
}

/// What notifications and screen readers say.
fn summary(request: &Request, place: &Place) -> Mrkdwn {
    let what = escaped(&request.label) + " for " + escaped(&in_words(request.duration_s));
    let whose = match place {
        Place::Channel => escaped(&request.flow_label) + " request by " + requester(request),
        Place::Requester => Mrkdwn::from("Your ") + escaped(&request.flow_label) + " request",
        Place::Approver(_) => {
            Mrkdwn::from("You approved ")
                + escaped(&request.flow_label)
                + " for "
                + requester(request)
        }
    };
    whose + ": " + what + " (" + escaped(request.state.as_str()) + ")"
}

fn headline(request: &Request, place: &Place) -> Mrkdwn {
    let flow = Mrkdwn::from("*") + escaped(&request.flow_label) + "*";
    let icon = match request.state {
        State::Pending => "🔑",
        State::Deescalating if request.trouble.is_some() => "⚠️",
        State::Approved | State::Escalating | State::Deescalating => "⏳",
        State::Active | State::Ended => "✅",
        State::Denied | State::Cancelled => "🚫",
        State::Expired => "⌛",
        State::Failed => "⚠️",
    };
    let words = match place {
        Place::Channel => flow + " request by " + requester(request),
        Place::Requester => Mrkdwn::from("Your ") + flow + " request",
        Place::Approver(_) => Mrkdwn::from("You approved ") + flow + " for " + requester(request),
    };
    words + " " + icon
}

/// How it stands.
fn status(request: &Request, place: &Place) -> Option<Mrkdwn> {
    let closed = || request.closed_at.map(date).unwrap_or_default();
    let by = || decider(request);
    Some(match request.state {
        State::Pending => return pending(request, place),
        State::Approved | State::Escalating => approved_by(request) + ", adding to Okta…",
        State::Active => {
            let until = request.ends_at.map(date).unwrap_or_default();
            Mrkdwn::from("Expires at ") + until + "\n" + approved_by(request)
        }
        State::Deescalating => {
            Mrkdwn::from("Removing… ")
                + match request.why {
                    Some(Why::Revoked) => Mrkdwn::from("Revoked by ") + by(),
                    Some(Why::Withdrawn) => Mrkdwn::from("Given back by ") + by(),
                    Some(Why::Elapsed) => Mrkdwn::from("Its time is over"),
                    Some(Why::Stopped) => Mrkdwn::from("Ended by the people who run Stint"),
                    Some(Why::Superseded) => Mrkdwn::from("Extended"),
                    Some(Why::AlreadyMember | Why::Failed) | None => {
                        Mrkdwn::from("It could not be carried out, and is undone")
                    }
                }
        }
        State::Ended => match request.why {
            Some(Why::Revoked) => {
                Mrkdwn::from("Revoked by ") + by() + " at " + closed() + "\n" + approved_by(request)
            }
            Some(Why::Withdrawn) => {
                Mrkdwn::from("Given back by ")
                    + by()
                    + " at "
                    + closed()
                    + "\n"
                    + approved_by(request)
            }
            Some(Why::Stopped) => {
                Mrkdwn::from("Ended by the people who run Stint at ")
                    + closed()
                    + "\n"
                    + approved_by(request)
            }
            Some(Why::Superseded) => {
                Mrkdwn::from("Extended at ")
                    + closed()
                    + ": a newer request took over\n"
                    + approved_by(request)
            }
            Some(Why::AlreadyMember) => {
                let whom = match place {
                    Place::Requester => Mrkdwn::from("You are"),
                    _ => requester(request) + " is",
                };
                whom + " in the group already, not through Stint: nothing was changed, and nothing will end"
            }
            Some(Why::Elapsed | Why::Failed) | None => {
                Mrkdwn::from("Expired at ") + closed() + "\n" + approved_by(request)
            }
        },
        State::Denied => Mrkdwn::from("Denied by ") + by() + " at " + closed(),
        State::Cancelled => Mrkdwn::from("Cancelled by ") + by() + " at " + closed(),
        State::Expired => Mrkdwn::from("Expired at ") + closed() + ": nobody answered",
        State::Failed => Mrkdwn::from("Failed at ") + closed() + ": nobody was added",
    })
}

/// Who is asked, and who has said yes so far.
fn pending(request: &Request, place: &Place) -> Option<Mrkdwn> {
    let mut lines = Vec::new();
    match place {
        Place::Channel if request.notify.is_empty() => {}
        Place::Channel => {
            let asked = request.notify.iter().take(20).map(|id| mention(id));
            lines.push(Mrkdwn::from("Asked: ") + Mrkdwn::join(asked, ", "));
        }
        Place::Requester => {
            lines.push(Mrkdwn::from("Sent to ") + mention(&request.request_channel));
        }
        Place::Approver(approver) if !has_approved(request, approver) => {
            lines.push(
                Mrkdwn::from("It could not be carried out and waits in ")
                    + mention(&request.request_channel)
                    + " for approval again",
            );
        }
        Place::Approver(_) => {}
    }
    if !request.approvals.is_empty() {
        let count = format!(
            "({} of {})",
            request.approvals.len(),
            request.approvals_needed
        );
        lines.push(approved_by(request) + " " + escaped(&count));
    }
    (!lines.is_empty()).then(|| Mrkdwn::join(lines, "\n"))
}

fn has_approved(request: &Request, approver: &SlackUser) -> bool {
    let mut approvals = request.approvals.iter();
    approvals.any(|yes| yes.by.slack == *approver)
}

fn trouble(request: &Request) -> Option<Block> {
    let trouble = request.trouble.as_ref()?;
    let mut text = Mrkdwn::from("⚠️ ") + short(&trouble.error, ERROR);
    if !trouble.hint.is_empty() {
        text = text + "\n*Hint* " + short(&trouble.hint, ERROR);
    }
    if request.state == State::Deescalating {
        text = text + "\nIt is tried again until it is done.";
    }
    Some(section(text))
}

fn small_print(request: &Request, place: &Place) -> Vec<Mrkdwn> {
    let mut lines = Vec::new();
    let notes = request.approvals.iter().map(|yes| (&yes.by, &yes.note));
    let decided = request.decision.iter().map(|it| (&it.by, &it.note));
    for (by, note) in notes.chain(decided) {
        if let Some(note) = note.as_ref().filter(|note| !note.trim().is_empty()) {
            lines.push(user(&by.slack) + ": _" + short(note, REASON) + "_");
        }
    }
    if request.state == State::Pending {
        lines.push(Mrkdwn::from("Open until ") + date(request.expires_at));
    }
    if request.extends.is_some() {
        lines.push(Mrkdwn::from("Extends access that they have now"));
    }
    let had_access = request.state == State::Ended
        && !matches!(request.why, Some(Why::AlreadyMember | Why::Superseded));
    if had_access && *place == Place::Requester {
        lines.push(Mrkdwn::from(SESSIONS));
    }
    lines
}

fn buttons(request: &Request, place: &Place) -> Vec<Button> {
    let id = request.id.as_str();
    let revoke = || {
        Button::new(REVOKE, "Revoke", id).danger().confirm(
            "Revoke access?",
            "They are taken out of the group now.",
            "Revoke",
            "Keep",
        )
    };
    match (place, request.state) {
        (Place::Channel, State::Pending) => vec![
            Button::new(APPROVE, "Approve", id).primary(),
            Button::new(DENY, "Deny", id).danger(),
        ],
        (Place::Channel | Place::Approver(_), State::Active) => vec![revoke()],
        (Place::Requester, State::Pending) => vec![Button::new(CANCEL, "Cancel", id)],
        (Place::Requester, State::Active) => {
            let mut all = vec![Button::new(DONE, "I'm done", id)];
            if request.extendable_s() > 0 {
                let value = Again::extending(request).to_value();
                all.push(Button::new(EXTEND, "Extend", &value));
            }
            all
        }
        (Place::Requester, state) if state.is_final() => match request.why {
            Some(Why::AlreadyMember | Why::Superseded) => Vec::new(),
            _ => vec![again(request)],
        },
        _ => Vec::new(),
    }
}

/// The button that opens the form for the same once more.
pub(crate) fn again(request: &Request) -> Button {
    Button::new(AGAIN, "Ask again", &Again::repeating(request).to_value())
}

/// A mention of whoever asked.
pub(crate) fn requester(request: &Request) -> Mrkdwn {
    user(&request.requester.slack)
}
