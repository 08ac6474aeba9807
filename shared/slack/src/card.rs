//! The card: the one message that shows a request, edited in place through its life, and its copies
//! for whoever is asked, for the requester and for whoever approved.

use access::flows::in_words;
use access::{Approval, Card, Decision, HandOver, Place, Request, SlackUser, State, Trouble, Why};

use crate::blocks::{Block, Button, Message, actions, context, section, sections};
use crate::form::Again;
use crate::text::{Mrkdwn, date, escaped, lines, listed, mention, short, user};

/// Says yes.
pub const APPROVE: &str = "approve";
/// Says yes with a note: opens a form.
pub const APPROVE_NOTE: &str = "approve_note";
/// Says no: opens a form.
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
/// Shows everything that was shortened, to whoever pressed it alone.
pub const DETAILS: &str = "details";

/// How much of a label is shown. A flow's and a target's have 75 characters, which take more once they
/// are escaped.
pub(crate) const LABEL: usize = 150;
/// How much of a reason a card shows.
const REASON: usize = 300;
/// How much of a note a card shows.
const NOTE: usize = 200;
/// How much of a note is shown on one line with other things.
const SHORT_NOTE: usize = 100;
/// How much of the name of a field and of what was answered a card shows.
const FIELD: usize = 80;
/// How much of an error or a hint a card shows.
const ERROR: usize = 500;
/// How many people and channels a card names.
const NAMES: usize = 20;

/// What is said to whoever had access, since Okta takes nobody out of an app they are in.
pub(crate) const SESSIONS: &str =
    "Apps that you are signed in to may keep you signed in for a while: sign out where it matters.";

/// The card of `request` as it is drawn at `place`. Its buttons carry the request's id as their value,
/// except `extend` and `again`, which carry an [`Again`]. Nothing is posted at [`Place::Homes`]: it is
/// drawn as for the requester.
#[must_use]
pub fn card(request: &Request, place: &Place) -> Message {
    let place = match place {
        Place::Homes => &Place::Requester,
        place => place,
    };
    let message = Message::new(summary(request, place))
        .with(section(headline(request, place)))
        .with(context([details(request)]))
        .with(context(answers(request).map(|(label, answer)| {
            let answer = match answer {
                Answer::Person(person) => mention(person),
                Answer::Text(text) => short(text, FIELD),
            };
            short(label, FIELD) + ": " + answer
        })))
        .with(status(request, place).map(section))
        .with(trouble(request))
        .with(context(notes(request)))
        .with(context(small_print(request, place)));
    with_buttons(message, request, buttons(request, place))
}

/// What was answered to one of a flow's own questions.
enum Answer<'a> {
    /// Somebody's Slack id.
    Person(&'a str),
    Text(&'a str),
}

/// What was answered to the flow's own questions, by their labels.
fn answers(request: &Request) -> impl Iterator<Item = (&str, Answer<'_>)> {
    let answers = request
        .fields
        .iter()
        .filter(|(_, answer)| !answer.is_empty());
    answers.map(|(name, answer)| match request.questions.get(name) {
        Some(question) if question.is_person => (question.label.as_str(), Answer::Person(answer)),
        Some(question) => (question.label.as_str(), Answer::Text(answer)),
        None => (name.as_str(), Answer::Text(answer)),
    })
}

/// All of `request`, nothing of it shortened, for whoever asks for more than a card shows. Where that is
/// more than Slack takes in one message, it says so.
#[must_use]
pub fn everything(request: &Request) -> Message {
    let bold = |text: &str| Mrkdwn::from("*") + escaped(text) + "*";
    let flow = bold(&request.flow_label) + " request by " + requester(request);
    let summary = flow.clone() + ": " + escaped(&request.label);
    let mut parts = vec![
        flow,
        bold(&request.label) + " for " + escaped(&in_words(request.duration_s)),
        Mrkdwn::from("*Reason* ") + lines(&request.reason),
    ];
    parts.extend(answers(request).map(|(label, answer)| {
        let answer = match answer {
            Answer::Person(person) => mention(person),
            Answer::Text(text) => lines(text),
        };
        bold(label) + " " + answer
    }));
    if let Some(trouble) = &request.trouble {
        parts.push(Mrkdwn::from("⚠️ ") + lines(&trouble.error));
        if !trouble.hint.is_empty() {
            parts.push(Mrkdwn::from("*Hint* ") + lines(&trouble.hint));
        }
    }
    parts.extend(request.approvals.iter().map(yes_in_full));
    parts.extend(request.decision.iter().map(|no| no_in_full(request, no)));
    parts.extend(
        request
            .handed_over
            .iter()
            .map(|it| bold("Handed over") + " by " + escaped(&it.by) + ": " + lines(&it.reason)),
    );
    parts.push(times(request));
    parts.push(Mrkdwn::from("*Asked* ") + or_nobody(listed(&asked(request, None), usize::MAX)));
    let lost = lost(request);
    if !lost.is_empty() {
        parts.push(Mrkdwn::from("*Could not be reached* ") + listed(&lost, usize::MAX));
    }
    let told = |first: Option<Block>| {
        let blocks = parts.iter().flat_map(sections);
        blocks.fold(Message::new(summary.clone()).with(first), Message::with)
    };
    let message = told(None);
    if message.is_cut() {
        told(context([Mrkdwn::from(
            "There is more than Slack takes in one message: some of it is missing here.",
        )]))
    } else {
        message
    }
}

/// `message` with `buttons` below it, and one that shows everything where something is shortened.
pub(crate) fn with_buttons(
    message: Message,
    request: &Request,
    mut buttons: Vec<Button>,
) -> Message {
    if message.is_cut() {
        buttons.push(show_everything(request));
    }
    message.with(actions(buttons))
}

/// The button that shows what was shortened.
pub(crate) fn show_everything(request: &Request) -> Button {
    Button::new(DETAILS, "Show everything", request.id.as_str())
}

/// Target, reason and duration on one line.
pub(crate) fn details(request: &Request) -> Mrkdwn {
    Mrkdwn::join(
        [
            target(request),
            Mrkdwn::from("_") + short(&request.reason, REASON) + "_",
            escaped(&in_words(request.duration_s)),
        ],
        " · ",
    )
}

/// The target's label.
pub(crate) fn target(request: &Request) -> Mrkdwn {
    Mrkdwn::from("*") + short(&request.label, LABEL) + "*"
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

/// Who approved.
pub(crate) fn approvers(request: &Request) -> Mrkdwn {
    let people = request.approvals.iter().map(|yes| user(&yes.by.slack));
    listed(&people.collect::<Vec<_>>(), NAMES)
}

/// Who is asked, apart from whoever sees the copy at `but`: first who is mentioned, then who was sent a
/// card.
pub(crate) fn asked(request: &Request, but: Option<&Place>) -> Vec<Mrkdwn> {
    let mentioned = request.notify.iter().map(|id| mention(id));
    let sent = request.asking().filter(|card| !card.is_lost());
    let sent = sent.filter(|card| Some(&card.place) != but);
    let mut asked: Vec<Mrkdwn> = Vec::new();
    for name in mentioned.chain(sent.map(name)) {
        if !asked.contains(&name) {
            asked.push(name);
        }
    }
    asked
}

/// Where a card was sent, or who it was sent to.
#[must_use]
pub fn sent_to(request: &Request) -> Mrkdwn {
    let sent = request.asking().filter(|card| !card.is_lost());
    or_nobody(listed(&sent.map(name).collect::<Vec<_>>(), NAMES))
}

/// A mention of whoever asked.
pub(crate) fn requester(request: &Request) -> Mrkdwn {
    user(&request.requester.slack)
}

/// The button that opens the form for the same once more.
pub(crate) fn again(request: &Request) -> Button {
    Button::new(AGAIN, "Ask again", &Again::repeating(request).to_value())
}

/// What the requester can press while they have access.
pub(crate) fn holding(request: &Request) -> Vec<Button> {
    let mut all = vec![Button::new(DONE, "I'm done", request.id.as_str())];
    if request.extendable_s() > 0 {
        let value = Again::extending(request).to_value();
        all.push(Button::new(EXTEND, "Extend", &value));
    }
    all
}

/// The button that takes a request back.
pub(crate) fn cancel(request: &Request) -> Button {
    Button::new(CANCEL, "Cancel", request.id.as_str())
}

/// The button that takes access back.
pub(crate) fn revoke(request: &Request) -> Button {
    Button::new(REVOKE, "Revoke", request.id.as_str())
        .danger()
        .confirm(
            "Revoke access?",
            "They are taken out of the group now. Apps that they are signed in to may keep them signed \
             in for a while.",
            "Revoke",
            "Keep",
        )
}

/// The button that says yes at once.
pub(crate) fn approve(request: &Request) -> Button {
    Button::new(APPROVE, "Approve", request.id.as_str()).primary()
}

/// The button that opens the form for a no.
pub(crate) fn deny(request: &Request) -> Button {
    Button::new(DENY, "Deny", request.id.as_str()).danger()
}

/// Whether the person may ask for the same once more.
pub(crate) fn may_ask_again(request: &Request) -> bool {
    let goes_on = matches!(
        request.why,
        Some(Why::AlreadyMember | Why::Superseded | Why::HandedOver)
    );
    request.state.is_final() && !goes_on
}

/// How it ended, on one line.
pub(crate) fn closed_how(request: &Request) -> Mrkdwn {
    let by = |how: &'static str| Mrkdwn::from(how) + " by " + decider(request);
    let how = match (request.state, request.why) {
        (State::Denied, _) => by("denied"),
        (State::Cancelled, _) => by("cancelled"),
        (State::Expired, _) => Mrkdwn::from("nobody answered"),
        (State::Failed, _) => Mrkdwn::from("it could not be carried out"),
        (_, Some(Why::Revoked)) => by("revoked"),
        (_, Some(Why::Withdrawn)) => Mrkdwn::from("given back"),
        (_, Some(Why::Stopped)) => Mrkdwn::from("ended by the people who run Stint"),
        (_, Some(Why::Superseded)) => Mrkdwn::from("extended: a newer request took over"),
        (_, Some(Why::HandedOver)) => Mrkdwn::from("handed over: it stays in Okta"),
        (_, Some(Why::AlreadyMember)) => {
            Mrkdwn::from("already in the group, not through Stint: nothing was changed")
        }
        _ => Mrkdwn::from("ended"),
    };
    let note =
        decision_note(request).map(|note| Mrkdwn::from(" · _") + short(note, SHORT_NOTE) + "_");
    let closed = request.closed_at.map(|at| Mrkdwn::from(" · ") + date(at));
    Mrkdwn::from(icon(request)) + " " + how + closed.unwrap_or_default() + note.unwrap_or_default()
}

/// What notifications and screen readers say. What waits for an answer says why, so that it can be
/// answered from there.
fn summary(request: &Request, place: &Place) -> Mrkdwn {
    let flow = || short(&request.flow_label, LABEL);
    let whose = match place {
        Place::Channel(_) | Place::Asked(_) => flow() + " request by " + requester(request),
        Place::Requester | Place::Homes => Mrkdwn::from("Your ") + flow() + " request",
        Place::Approver(_) => Mrkdwn::from("You approved ") + flow() + " for " + requester(request),
    };
    let label = short(&request.label, LABEL);
    let what = whose + ": " + label + " for " + escaped(&in_words(request.duration_s));
    if request.state == State::Pending && place.asks() {
        what + " · " + short(&request.reason, REASON)
    } else {
        what + " (" + escaped(request.state.as_str()) + ")"
    }
}

fn headline(request: &Request, place: &Place) -> Mrkdwn {
    let flow = Mrkdwn::from("*") + short(&request.flow_label, LABEL) + "*";
    let words = match place {
        Place::Channel(_) | Place::Asked(_) => flow + " request by " + requester(request),
        Place::Requester | Place::Homes => Mrkdwn::from("Your ") + flow + " request",
        Place::Approver(_) => Mrkdwn::from("You approved ") + flow + " for " + requester(request),
    };
    words + " " + icon(request)
}

fn icon(request: &Request) -> &'static str {
    match request.state {
        State::Pending => "🔑",
        State::Active | State::Deescalating if request.trouble.is_some() => "⚠️",
        State::Approved | State::Escalating | State::Deescalating => "⏳",
        State::Active | State::Ended => "✅",
        State::Denied | State::Cancelled => "🚫",
        State::Expired => "⌛",
        State::Failed => "⚠️",
    }
}

/// How it stands.
fn status(request: &Request, place: &Place) -> Option<Mrkdwn> {
    let closed = || request.closed_at.map(date).unwrap_or_default();
    let by = || decider(request);
    let decided = |how: &'static str| {
        Mrkdwn::from(how) + by() + " at " + closed() + note_of_decision(request, REASON)
    };
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
                    Some(Why::AlreadyMember | Why::HandedOver | Why::Failed) | None => {
                        Mrkdwn::from("It could not be carried out, and is undone")
                    }
                }
                + note_of_decision(request, REASON)
        }
        State::Ended => match request.why {
            Some(Why::Revoked) => decided("Revoked by ") + "\n" + approved_by(request),
            Some(Why::Withdrawn) => decided("Given back by ") + "\n" + approved_by(request),
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
            Some(Why::HandedOver) => {
                Mrkdwn::from("Handed over at ")
                    + closed()
                    + handed_over(request, SHORT_NOTE)
                    + "\nThe membership stays in Okta: Stint does not take it back any more\n"
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
        State::Denied => decided("Denied by "),
        State::Cancelled => decided("Cancelled by "),
        State::Expired => {
            let mut lines = vec![Mrkdwn::from("Expired at ") + closed() + ": nobody answered"];
            lines.extend(asked_line(&asked(request, None)));
            lines.extend(lost_line(request));
            Mrkdwn::join(lines, "\n")
        }
        State::Failed => Mrkdwn::from("Failed at ") + closed() + ": nobody was added",
    })
}

/// Who is asked, who could not be, and who has said yes so far.
fn pending(request: &Request, place: &Place) -> Option<Mrkdwn> {
    let mut lines = Vec::new();
    match place {
        Place::Channel(_) => {
            lines.extend(asked_line(&asked(request, Some(place))));
            lines.extend(lost_line(request));
        }
        Place::Asked(_) => {
            lines.extend(asked_line(&asked(request, None)));
            lines.extend(lost_line(request));
        }
        Place::Approver(approver) if !has_approved(request, approver) => {
            lines.push(
                Mrkdwn::from("It could not be carried out, and waits for approval again: sent to ")
                    + sent_to(request),
            );
        }
        Place::Approver(_) => {}
        Place::Requester | Place::Homes => {
            if reaches_nobody(request) {
                let places = request.asking().map(name).collect::<Vec<_>>();
                lines.push(Mrkdwn::from("Nobody could be reached yet: ") + listed(&places, NAMES));
            } else {
                lines.push(Mrkdwn::from("Sent to ") + sent_to(request));
                lines.extend(lost_line(request));
            }
        }
    }
    if !request.approvals.is_empty() {
        lines.push(approved_by(request) + " " + so_far(request));
    }
    (!lines.is_empty()).then(|| Mrkdwn::join(lines, "\n"))
}

/// How many have said yes, as "(1 of 2)".
pub(crate) fn so_far(request: &Request) -> Mrkdwn {
    let (yes, needed) = (request.approvals.len(), request.approvals_needed);
    escaped(&format!("({yes} of {needed})"))
}

/// Whether the card is nowhere where it can be decided, and something stands in the way.
fn reaches_nobody(request: &Request) -> bool {
    let mut asking = request.asking().peekable();
    asking.peek().is_some()
        && asking.all(|card| card.is_lost() || (card.posted.is_none() && request.trouble.is_some()))
}

fn asked_line(asked: &[Mrkdwn]) -> Option<Mrkdwn> {
    (!asked.is_empty()).then(|| Mrkdwn::from("Asked: ") + listed(asked, NAMES))
}

fn lost_line(request: &Request) -> Option<Mrkdwn> {
    let lost = lost(request);
    (!lost.is_empty()).then(|| Mrkdwn::from("Could not be reached: ") + listed(&lost, NAMES))
}

/// Who or what could not be reached.
fn lost(request: &Request) -> Vec<Mrkdwn> {
    let lost = request.asking().filter(|card| card.is_lost());
    lost.map(name).collect()
}

fn name(card: &Card) -> Mrkdwn {
    name_of(&card.place)
}

fn name_of(place: &Place) -> Mrkdwn {
    match place {
        Place::Channel(channel) => mention(channel).within(LABEL),
        Place::Asked(person) | Place::Approver(person) => user(person).within(LABEL),
        Place::Requester | Place::Homes => Mrkdwn::from("the requester"),
    }
}

fn or_nobody(names: Mrkdwn) -> Mrkdwn {
    if names.as_str().is_empty() {
        Mrkdwn::from("nobody")
    } else {
        names
    }
}

pub(crate) fn has_approved(request: &Request, approver: &SlackUser) -> bool {
    let mut approvals = request.approvals.iter();
    approvals.any(|yes| yes.by.slack == *approver)
}

fn trouble(request: &Request) -> Option<Block> {
    let text = warning(request.trouble.as_ref()?);
    Some(section(if request.state == State::Deescalating {
        text + "\nIt is tried again until it is done."
    } else {
        text
    }))
}

/// What is wrong, and what to do about it.
pub(crate) fn warning(trouble: &Trouble) -> Mrkdwn {
    let error = Mrkdwn::from("⚠️ ") + short(&trouble.error, ERROR);
    if trouble.hint.is_empty() {
        error
    } else {
        error + "\n*Hint* " + short(&trouble.hint, ERROR)
    }
}

/// Who handed it over, and why, at most `limit` of each.
pub(crate) fn handed_over(request: &Request, limit: usize) -> Mrkdwn {
    let told = |it: &HandOver| {
        Mrkdwn::from(" by ") + short(&it.by, limit) + ": _" + short(&it.reason, limit) + "_"
    };
    request.handed_over.as_ref().map(told).unwrap_or_default()
}

/// What whoever denied or revoked said, at most `limit` of it, on a line of its own.
pub(crate) fn note_of_decision(request: &Request, limit: usize) -> Mrkdwn {
    decision_note(request)
        .map(|note| Mrkdwn::from("\n> ") + short(note, limit))
        .unwrap_or_default()
}

fn decision_note(request: &Request) -> Option<&str> {
    let decision = request.decision.as_ref()?;
    written(decision.note.as_ref())
}

/// What those who approved said.
fn notes(request: &Request) -> impl Iterator<Item = Mrkdwn> {
    request.approvals.iter().filter_map(|yes| {
        let note = written(yes.note.as_ref())?;
        Some(user(&yes.by.slack) + ": _" + short(note, NOTE) + "_")
    })
}

/// A note, if it says anything.
fn written(note: Option<&String>) -> Option<&str> {
    let note = note.map(|note| note.trim());
    note.filter(|note| !note.is_empty())
}

fn small_print(request: &Request, place: &Place) -> Vec<Mrkdwn> {
    let mut lines = Vec::new();
    let is_mine = *place == Place::Requester;
    if request.state == State::Pending {
        lines.push(Mrkdwn::from("Open until ") + date(request.expires_at));
        // Elsewhere it would be a mention of people who are not asked yet.
        if let Some(at) = request.fallback_at.filter(|_| is_mine)
            && !request.fallback.is_empty()
        {
            let others: Vec<Mrkdwn> = request.fallback.iter().map(name_of).collect();
            lines.push(
                Mrkdwn::from("Goes to ")
                    + listed(&others, NAMES)
                    + " too if nobody answers until "
                    + date(at),
            );
        }
    }
    if request.extends.is_some() {
        let whose = Mrkdwn::from("Extends access that ") + if is_mine { "you" } else { "they" };
        let extends = whose + " have now";
        lines.push(if request.state == State::Pending {
            extends
                + ": the "
                + escaped(&in_words(request.duration_s))
                + " count from the approval on, instead of what is left then, and never end earlier"
        } else {
            extends
        });
    }
    let had_access = request.state == State::Ended && may_ask_again(request);
    if had_access && is_mine {
        lines.push(Mrkdwn::from(SESSIONS));
    }
    lines
}

fn buttons(request: &Request, place: &Place) -> Vec<Button> {
    match (place, request.state) {
        (Place::Channel(_) | Place::Asked(_), State::Pending) => vec![
            approve(request),
            Button::new(APPROVE_NOTE, "Approve with a note", request.id.as_str()),
            deny(request),
        ],
        (Place::Channel(_) | Place::Asked(_) | Place::Approver(_), State::Active) => {
            vec![revoke(request)]
        }
        (Place::Requester, State::Pending) => vec![cancel(request)],
        (Place::Requester, State::Active) => holding(request),
        (Place::Requester, _) if may_ask_again(request) => vec![again(request)],
        _ => Vec::new(),
    }
}

fn yes_in_full(yes: &Approval) -> Mrkdwn {
    let who = Mrkdwn::from("*Approved* by ") + user(&yes.by.slack) + " at " + date(yes.at);
    match written(yes.note.as_ref()) {
        Some(note) => who + ": " + lines(note),
        None => who,
    }
}

fn no_in_full(request: &Request, no: &Decision) -> Mrkdwn {
    let what = match (request.state, request.why) {
        (State::Denied, _) => "*Denied* by ",
        (State::Cancelled, _) => "*Cancelled* by ",
        (_, Some(Why::Revoked)) => "*Revoked* by ",
        (_, Some(Why::Withdrawn)) => "*Given back* by ",
        _ => "*Decided* by ",
    };
    let who = Mrkdwn::from(what) + user(&no.by.slack) + " at " + date(no.at);
    match written(no.note.as_ref()) {
        Some(note) => who + ": " + lines(note),
        None => who,
    }
}

/// When what happened, and what happens next.
fn times(request: &Request) -> Mrkdwn {
    let is_pending = request.state == State::Pending;
    let is_over = request.state.is_final();
    let times = [
        ("*Asked for* at ", Some(request.requested_at)),
        ("*Open* until ", is_pending.then_some(request.expires_at)),
        ("*Began* at ", request.starts_at),
        ("*Ends* at ", request.ends_at.filter(|_| !is_over)),
        ("*Over* at ", request.closed_at),
    ];
    let times = times
        .into_iter()
        .filter_map(|(what, at)| Some(Mrkdwn::from(what) + date(at?)));
    let state = Mrkdwn::from("*State* ") + escaped(request.state.as_str());
    Mrkdwn::join(times.chain([state]), "\n")
}
