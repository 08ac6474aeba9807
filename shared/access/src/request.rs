//! One request for access: what was asked, what became of it, and what it still owes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::membership::MembershipKey;
use crate::names::{Click, Group, OktaUser, Org, RequestId, SlackUser};

/// How long an approved request is tried before it is given up.
pub const ESCALATION_LIMIT: SignedDuration = SignedDuration::from_mins(15);

/// How long whoever drives an item has it to themselves.
pub const CLAIM: SignedDuration = SignedDuration::from_secs(60);

/// One person asking for one target for one duration. It carries a copy of everything that its
/// removal and its card need, so that neither depends on the flows file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// Counts every write; a write is conditional on the version that was read.
    pub version: u64,
    /// The flow's name.
    pub flow: String,
    /// The flow's label, as shown to people.
    pub flow_label: String,
    /// The target's label, as shown to people.
    pub label: String,
    /// The Okta org in which the membership is.
    pub org: Org,
    /// The Okta group that is asked for.
    pub group: Group,
    /// The longest that a chain of extensions may last, in seconds.
    pub max_duration_s: u64,
    /// Where operational failures are told: a channel's name or id.
    pub error_channel: String,
    /// People and Slack user groups mentioned on the card.
    pub notify: Vec<String>,
    /// Who asked.
    pub requester: Person,
    /// For how long, in seconds.
    pub duration_s: u64,
    /// Why, in the requester's words.
    pub reason: String,
    /// The flow's own fields, by name.
    pub fields: BTreeMap<String, String>,
    /// How people see these fields, by name.
    #[serde(default)]
    pub questions: BTreeMap<String, Asked>,
    /// Where it stands.
    pub state: State,
    /// Why it ends or ended; only with [`State::Deescalating`], [`State::Ended`], [`State::Failed`].
    pub why: Option<Why>,
    /// What went wrong last and what to do, shown on the card.
    pub trouble: Option<Trouble>,
    /// Who approved so far.
    pub approvals: Vec<Approval>,
    /// The clicks of approvals that were emptied because it could not be carried out: they do not
    /// count a second time.
    pub undone: Vec<Click>,
    /// How many different people must approve.
    pub approvals_needed: u32,
    /// The last decision other than an approval: a denial, a cancellation, a revocation.
    pub decision: Option<Decision>,
    /// Who handed the membership over for good, and why; only with [`Why::HandedOver`].
    #[serde(default)]
    pub handed_over: Option<HandOver>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When it expires if nobody answers.
    pub expires_at: Timestamp,
    /// When the last approval came.
    pub approved_at: Option<Timestamp>,
    /// When the first call that may have reached Okta was made; whole seconds.
    pub starts_at: Option<Timestamp>,
    /// When the access ends; whole seconds. It never moves while a call may have taken effect.
    pub ends_at: Option<Timestamp>,
    /// Since when the access should be gone; only from [`State::Deescalating`] on.
    pub over_at: Option<Timestamp>,
    /// When it was over, in whichever way.
    pub closed_at: Option<Timestamp>,
    /// How many calls that add were announced; names the schedules.
    pub attempts: u32,
    /// How many of them may have taken effect.
    pub uncertain: u32,
    /// The request that this one extends.
    pub extends: Option<RequestId>,
    /// How many seconds the requests before it in the chain were approved for.
    pub chain_s: u64,
    /// Counts every change that a card shows.
    pub face: u64,
    /// The known copies of its card, and where copies must still be posted. One that cannot be read is
    /// left out: no removal depends on how a card is written down.
    #[serde(deserialize_with = "readable")]
    pub cards: Vec<Card>,
    /// Where its card is posted too if nobody answers, or if it could be posted nowhere; empty once
    /// it was.
    #[serde(default)]
    pub fallback: Vec<Place>,
    /// How long it waits before that, in seconds.
    #[serde(default)]
    pub fallback_after_s: u64,
    /// When that is, if nobody answers.
    #[serde(default)]
    pub fallback_at: Option<Timestamp>,
    /// While it waits, when whoever decides is reminded next; while it is active, when the requester
    /// is told that it ends soon.
    #[serde(default)]
    pub remind_at: Option<Timestamp>,
    /// How long it waits before the first reminder, in seconds; each time it waits twice as long. 0:
    /// nobody is reminded.
    #[serde(default)]
    pub remind_after_s: u64,
    /// How many reminders there were.
    #[serde(default)]
    pub reminders: u32,
    /// Messages that must still be sent; one that cannot be read is left out.
    #[serde(deserialize_with = "readable")]
    pub owed: Vec<Owed>,
    /// When its state must be driven next.
    pub drive_at: Option<Timestamp>,
    /// When its cards and messages must be driven next; set while any is owed. Until then they are
    /// left to whoever owed them.
    pub surfaces_at: Option<Timestamp>,
    /// How often sending them has failed since it last worked.
    pub surfaces_tries: u32,
}

impl Request {
    /// The moment by which something must happen to it next, if anything must.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let due = [self.drive_at, self.surfaces_at, self.said_at()];
        due.into_iter().flatten().min()
    }

    /// When somebody must be reminded of it, or others asked.
    #[must_use]
    pub fn said_at(&self) -> Option<Timestamp> {
        let said = [self.remind_at, self.fallback_at];
        said.into_iter().flatten().min()
    }

    /// The copies of its card at which it can be decided.
    pub fn asking(&self) -> impl Iterator<Item = &Card> {
        self.cards.iter().filter(|card| card.place.asks())
    }

    /// For how long the access should have been gone and is not, as far as known.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> Option<SignedDuration> {
        let over_at = match self.state {
            State::Escalating | State::Active => self.ends_at,
            State::Deescalating => self.over_at,
            _ => None,
        };
        over_at
            .map(|at| now.duration_since(at))
            .filter(SignedDuration::is_positive)
    }

    /// The membership it is about; none while its requester is not known in Okta.
    #[must_use]
    pub fn membership(&self) -> Option<MembershipKey> {
        Some(MembershipKey {
            org: self.org.clone(),
            user: self.requester.okta.clone()?,
            group: self.group.clone(),
        })
    }

    /// Whether it is known that somebody else took the requester out of the group.
    #[must_use]
    pub fn is_taken_out(&self) -> bool {
        Trouble::taken_out(self).is_known(self.trouble.as_ref())
    }

    /// The schedules that were made for it, by name.
    #[must_use]
    pub fn schedules(&self) -> Vec<String> {
        (1..=self.attempts).map(|n| self.schedule(n)).collect()
    }

    /// The name of the schedule of its attempt number `attempt`.
    #[must_use]
    pub fn schedule(&self, attempt: u32) -> String {
        format!("{}-{attempt}", self.id)
    }

    /// Whether every card shows the present face and no message is owed.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        let mut cards = self.cards.iter();
        self.owed.is_empty() && cards.all(|card| card.shows == self.face || card.is_lost())
    }

    /// Whether `click` was taken already.
    #[must_use]
    pub fn knows(&self, click: &Click) -> bool {
        let approvals = self.approvals.iter().map(|it| &it.click);
        let decision = self.decision.iter().map(|it| &it.click);
        let mut clicks = approvals.chain(decision).chain(&self.undone);
        clicks.any(|known| known == click)
    }

    /// Whether `user` asked for it, is asked about it, or approved it.
    #[must_use]
    pub fn involves(&self, user: &SlackUser) -> bool {
        self.requester.slack == *user
            || self
                .cards
                .iter()
                .any(|card| card.place == Place::Asked(user.clone()))
            || self.approvals.iter().any(|yes| yes.by.slack == *user)
    }

    /// Owes `notice` to `to`, once.
    pub(crate) fn owe(&mut self, to: Recipient, notice: Notice) {
        let owed = Owed { to, notice };
        if !self.owed.contains(&owed) {
            self.owed.push(owed);
        }
    }

    /// Wants a copy of its card at `place`.
    pub(crate) fn add_card(&mut self, place: Place) {
        if !self.cards.iter().any(|card| card.place == place) {
            self.cards.push(Card::at(place));
        }
    }

    /// Has nobody be reminded of it, and nobody else be asked, any more.
    pub(crate) fn hush(&mut self) {
        (self.remind_at, self.fallback_at) = (None, None);
        let is_said = |owed: &Owed| !matches!(owed.notice, Notice::Reminder | Notice::Ending);
        self.owed.retain(is_said);
    }

    /// How much longer, in seconds, its chain may be extended.
    #[must_use]
    pub fn extendable_s(&self) -> u64 {
        self.max_duration_s
            .saturating_sub(self.chain_s)
            .saturating_sub(self.duration_s)
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for a decision.
    Pending,
    /// Permitted, nothing was sent to Okta yet.
    Approved,
    /// A call that adds was announced.
    Escalating,
    /// Okta confirmed the membership.
    Active,
    /// The membership is being given up.
    Deescalating,
    /// It had its time, or there was nothing to do.
    Ended,
    /// Somebody said no.
    Denied,
    /// The requester took it back.
    Cancelled,
    /// Nobody answered.
    Expired,
    /// It could not be carried out.
    Failed,
}

impl State {
    /// Whether nothing can happen to the request any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Ended | Self::Denied | Self::Cancelled | Self::Expired | Self::Failed
        )
    }

    /// Its name in the table, the audit and the JSON surface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Escalating => "escalating",
            Self::Active => "active",
            Self::Deescalating => "deescalating",
            Self::Ended => "ended",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

/// Why a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its time was over.
    Elapsed,
    /// An approver took it back.
    Revoked,
    /// The requester gave it back.
    Withdrawn,
    /// The people who run Stint ended every grant.
    Stopped,
    /// An extension of it took over.
    Superseded,
    /// The person was in the group before anybody asked.
    AlreadyMember,
    /// An administrator made the membership a standing one: Stint takes nobody out.
    HandedOver,
    /// It could not be carried out.
    Failed,
}

impl Why {
    /// Its name in the table, the audit and the JSON surface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Elapsed => "elapsed",
            Self::Revoked => "revoked",
            Self::Withdrawn => "withdrawn",
            Self::Stopped => "stopped",
            Self::Superseded => "superseded",
            Self::AlreadyMember => "already_member",
            Self::HandedOver => "handed_over",
            Self::Failed => "failed",
        }
    }
}

/// Somebody, as far as known. The same Slack id or the same Okta id is the same person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// In Slack.
    pub slack: SlackUser,
    /// In Okta, once looked up.
    pub okta: Option<OktaUser>,
    /// The e-mail by which they were looked up.
    pub email: Option<String>,
}

impl Person {
    /// Whether both are one person.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.slack == other.slack || (self.okta.is_some() && self.okta == other.okta)
    }
}

/// One person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: Person,
    /// When.
    pub at: Timestamp,
    /// The click that said so.
    pub click: Click,
    /// What they added.
    pub note: Option<String>,
}

/// What somebody decided other than to approve.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: Person,
    /// When.
    pub at: Timestamp,
    /// The click that said so.
    pub click: Click,
    /// What they added.
    pub note: Option<String>,
}

/// By whom, and why, a membership is handed over for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HandOver {
    /// Who answers for it, as an administrator wrote it down: nobody has signed in.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Something that went wrong, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trouble {
    /// What happened, one line, lower case.
    pub error: String,
    /// What to do about it. Two troubles with the same hint have the same cause for people: they are
    /// told of it once.
    pub hint: String,
}

impl Trouble {
    /// Somebody else took the requester of `request` out of the group.
    #[must_use]
    pub fn taken_out(request: &Request) -> Self {
        let person = &request.requester;
        let name = person
            .email
            .as_deref()
            .or(person.okta.as_ref().map(OktaUser::as_str));
        Self {
            error: format!(
                "`{}` was taken out of the Okta group of {} (`{}`), and not by Stint",
                name.unwrap_or(person.slack.as_str()),
                request.label,
                request.group
            ),
            hint: "an Okta administrator can put them in again until the access ends; or whoever asked \
                   gives it back and asks again. Stint puts nobody in whom somebody took out"
                .to_owned(),
        }
    }

    /// Okta confirmed a removal, and shows the user in the group all the same.
    #[must_use]
    pub fn still_in() -> Self {
        Self {
            error: "Okta confirmed the removal, but still shows the user in the group".to_owned(),
            hint: "see in Okta's System Log who adds the user again; it is tried on".to_owned(),
        }
    }

    /// Whether people who know of `known` know of this.
    #[must_use]
    pub fn is_known(&self, known: Option<&Self>) -> bool {
        known.is_some_and(|known| known.hint == self.hint)
    }
}

/// How people see a field of a flow's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asked {
    /// Its label.
    pub label: String,
    /// Whether the answer is somebody's Slack id, which Slack sent as one.
    pub is_person: bool,
}

/// A copy of the card. One that shows a face and was posted nowhere could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Card {
    /// For whom it is drawn.
    pub place: Place,
    /// Where it was posted, once it was: the channel's id and the message's timestamp.
    pub posted: Option<Posted>,
    /// The face that it shows; 0 before it was posted.
    pub shows: u64,
}

impl Card {
    /// One that must still be posted at `place`.
    pub(crate) fn at(place: Place) -> Self {
        Self {
            place,
            posted: None,
            shows: 0,
        }
    }

    /// Whether it could not be delivered, and was given up.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.posted.is_none() && self.shows > 0 && self.place != Place::Homes
    }
}

/// A message in Slack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Posted {
    /// The channel's id.
    pub channel: String,
    /// The message's timestamp, which names it in the channel.
    pub ts: String,
}

/// For whom a card is drawn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Everybody in this channel, a name or an id; among them whoever decides.
    Channel(String),
    /// Somebody who is asked to decide, in their direct messages.
    Asked(SlackUser),
    /// The requester, in their direct messages.
    Requester,
    /// Somebody who approved and was not asked, in their direct messages.
    Approver(SlackUser),
    /// The Home tabs of everybody who had theirs open lately. They show many requests: they are drawn
    /// by `approval`, and never posted.
    Homes,
}

impl Place {
    /// Whether whoever sees it there is asked to decide.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(self, Self::Channel(_) | Self::Asked(_))
    }
}

/// A message that must still be sent. It may be sent twice, never not at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owed {
    /// To whom.
    pub to: Recipient,
    /// What it says; the words are made from the request when it is sent.
    pub notice: Notice,
}

/// Who is owed a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// The requester, in their direct messages.
    Requester,
    /// Somebody else, in their direct messages.
    Person(SlackUser),
    /// The error channel.
    ErrorChannel,
    /// Whoever sees the copy of the card there.
    Card(Place),
}

/// What a message tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Approved and in the group: by whom, until when.
    Active,
    /// It still waits for an answer.
    Reminder,
    /// It ends soon.
    Ending,
    /// Denied, by whom and why.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// Over, and why.
    Ended,
    /// It could not be carried out.
    Failed,
    /// In the group already, through something other than Stint.
    AlreadyMember,
    /// Something is wrong: it waits again, or is not removed yet, or the access is gone too early.
    Trouble(Trouble),
}

/// Reads what can be read of a list.
fn readable<'de, D, T>(list: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry<T> {
        Readable(T),
        Other(IgnoredAny),
    }
    let list = Vec::<Entry<T>>::deserialize(list)?.into_iter();
    Ok(list
        .filter_map(|entry| match entry {
            Entry::Readable(entry) => Some(entry),
            Entry::Other(_) => None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_or_message_that_nobody_knows_does_not_keep_a_request_from_being_read() {
        #[derive(Deserialize)]
        struct Lists {
            #[serde(deserialize_with = "readable")]
            cards: Vec<Card>,
            #[serde(deserialize_with = "readable")]
            owed: Vec<Owed>,
        }
        let lists: Lists = serde_json::from_str(
            r##"{
                "cards": [
                    {"place": "channel", "posted": null, "shows": 1},
                    {"place": {"channel": "#x"}, "posted": {"channel": "C1", "ts": "1.2"}, "shows": 3},
                    {"place": "requester", "posted": null, "shows": 0}
                ],
                "owed": [
                    {"to": "requester", "notice": "from_the_future"},
                    {"to": "requester", "notice": "ended"}
                ]
            }"##,
        )
        .unwrap();
        let places: Vec<Place> = lists.cards.into_iter().map(|card| card.place).collect();
        assert_eq!(places, [Place::Channel("#x".to_owned()), Place::Requester]);
        assert_eq!(lists.owed.len(), 1);
    }
}
