//! Cards and messages: whatever a request owes people is drawn and sent from the table.

use access::{
    Card, Event, Loaded, Notice, Owed, Place, Posted, Recipient, Request, RequestId, State, Trouble,
};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::{Done, Error, Failed, Subject, Tools};

/// How often cards are drawn again because the request moved while they were drawn.
const ROUNDS: u32 = 6;

/// For how long after the end of a request an error channel that is gone is tried again: over a weekend.
const ERRORS_OWED_FOR: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Which of the messages and new copies of a card are whose to send, so that two who are at work at
/// once do not send them twice: those that the request owes as it is in the second, and did not owe in the
/// first. What another step makes it owe meanwhile is not ours, though it is new to us too.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'a>(pub Option<&'a Request>, pub Option<&'a Request>);

impl Ours<'_> {
    fn has(self, owed: &Owed) -> bool {
        self.are(|it| it.owed.contains(owed))
    }

    fn has_card(self, card: &Card) -> bool {
        self.are(|it| it.cards.iter().any(|it| it.place == card.place))
    }

    fn are(self, has: impl Fn(&Request) -> bool) -> bool {
        let Self(before, after) = self;
        after.is_some_and(&has) && !before.is_some_and(&has)
    }
}

/// What became of the cards and messages of one round.
#[derive(Default)]
struct Round {
    cards: Vec<Card>,
    sent: Vec<Owed>,
    again: bool,
    trouble: Option<Trouble>,
}

impl Tools {
    /// Draws the cards of `id` that are behind, and sends the messages and the new copies of the card
    /// that are `ours` to send.
    ///
    /// What cannot be sent now stays owed, and due, in the table. What the request owes because of what
    /// became of them (others are asked because nobody could be reached) is ours too.
    pub async fn show(&self, id: &RequestId, ours: Ours<'_>) {
        let (mut rounds, mut lost): (Vec<Done>, Vec<Place>) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let mut all = vec![ours];
            all.extend(rounds.iter().map(Done::ours));
            match self.show_once(id, &all, &mut lost).await {
                Ok(Some(round)) => rounds.push(round),
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(request = %id, %error, "cards of request {id} are behind: {error}");
                    return;
                }
            }
        }
    }

    /// Draws and sends what is owed once, but for new copies at the places that are `lost`, to which
    /// those are added that cannot be reached; what was recorded of it, if more may be owed by now.
    async fn show_once(
        &self,
        id: &RequestId,
        ours: &[Ours<'_>],
        lost: &mut Vec<Place>,
    ) -> Result<Option<Done>, Error> {
        let Some(request) = self.table.request(id).await? else {
            return Ok(None);
        };
        let is_ours = |card: &&Card| {
            card.posted.is_some()
                || card.place == Place::Homes
                || ours.iter().any(|it| it.has_card(card))
        };
        let behind: Vec<&Card> = request
            .cards
            .iter()
            .filter(|card| card.shows != request.face && !card.is_lost())
            .filter(is_ours)
            .filter(|card| card.posted.is_some() || !lost.contains(&card.place))
            .collect();
        let is_ours = |owed: &&Owed| ours.iter().any(|it| it.has(owed));
        let owed: Vec<&Owed> = request.owed.iter().filter(is_ours).collect();
        if behind.is_empty() && owed.is_empty() {
            return Ok(None);
        }
        let slack = self.slack().await.inspect_err(|_| {
            if owed.iter().any(|it| it.to == Recipient::ErrorChannel) {
                self.error_channel_failed();
            }
        })?;
        let mut round = Round::default();
        let drawings = behind.iter().map(|card| self.draw(&slack, &request, card));
        for drawn in join_all(drawings).await {
            match drawn {
                Drawn::Shown(card) => round.cards.push(card),
                Drawn::Lost(card, trouble) => {
                    if card.place.asks() {
                        round.trouble = Some(trouble);
                    }
                    lost.push(card.place.clone());
                    round.cards.push(card);
                }
                Drawn::Later => round.again = true,
            }
        }
        for owed in owed {
            if self.say(&slack, &request, owed).await {
                round.sent.push(owed.clone());
            } else {
                round.again = true;
            }
        }
        let again = round.again;
        let loaded = Loaded {
            request: Some(request),
            ..Loaded::default()
        };
        let shown = match self.decide(loaded, &round.shown(false)).await {
            // It moved while its cards were drawn, and somebody else may have drawn them too:
            // whose drawing Slack took last cannot be told, so they are drawn again.
            Err(Error::Aws(aws::Error::Moved)) => {
                let subject = Subject::Request(id.clone());
                lost.clear();
                self.step(&subject, &round.shown(true)).await?
            }
            other => other?,
        };
        let is_behind = shown.request().is_some_and(|now| !now.is_shown());
        Ok((is_behind && !again).then_some(shown))
    }

    async fn draw(&self, slack: &slack::Client, request: &Request, card: &Card) -> Drawn {
        let place = &card.place;
        let shown = |posted: Option<Posted>| Card {
            place: place.clone(),
            posted,
            shows: request.face,
        };
        let channel = match place {
            Place::Homes => {
                return match self.homes_changed(request).await {
                    Ok(()) => Drawn::Shown(shown(None)),
                    Err(error) => failed(request, &error),
                };
            }
            Place::Channel(channel) => channel.as_str(),
            Place::Requester => request.requester.slack.as_str(),
            Place::Asked(user) | Place::Approver(user) => user.as_str(),
        };
        let message = slack::card::card(request, place);
        let drawn = match &card.posted {
            Some(posted) => {
                let updated = slack.update_message(posted, &message).await;
                updated.map(|()| posted.clone())
            }
            None => slack.post_message(channel, &message).await,
        };
        match drawn {
            Ok(posted) => Drawn::Shown(shown(Some(posted))),
            // A copy that is gone needs no drawing; one that was never there may be missed.
            Err(slack::Error::Gone { error, hint }) => {
                tracing::warn!(
                    request = %request.id, ?place, error,
                    "a card of request {} is given up in {channel}: {error}", request.id
                );
                if card.posted.is_some() {
                    return Drawn::Shown(shown(card.posted.clone()));
                }
                let error = format!("the request cannot be posted to {channel}: {error}");
                Drawn::Lost(shown(None), Trouble { error, hint })
            }
            Err(error) => failed(request, &error),
        }
    }

    /// Sends what is `owed`; whether it is owed no more.
    async fn say(&self, slack: &slack::Client, request: &Request, owed: &Owed) -> bool {
        let message = slack::notice::notice(request, owed);
        let (channel, sent) = match &owed.to {
            Recipient::ErrorChannel => {
                let channel = request.error_channel.as_str();
                let trouble = match &owed.notice {
                    Notice::Trouble(trouble) => Some(trouble),
                    Notice::Failed => request.trouble.as_ref(),
                    _ => None,
                };
                let what = match request.state {
                    State::Deescalating => Failed::Removal,
                    State::Active => Failed::Drift,
                    _ => Failed::Other,
                };
                let told = match trouble {
                    Some(trouble) => self.report(slack, channel, what, trouble, &message).await,
                    // What somebody decided is told each time.
                    None => self.post_error(slack, channel, &message).await,
                };
                (channel, told)
            }
            Recipient::Requester => {
                let channel = request.requester.slack.as_str();
                (
                    channel,
                    slack.post_message(channel, &message).await.map(drop),
                )
            }
            Recipient::Person(user) | Recipient::Card(Place::Asked(user)) => {
                let channel = user.as_str();
                (
                    channel,
                    slack.post_message(channel, &message).await.map(drop),
                )
            }
            Recipient::Card(place) => {
                let mut cards = request.cards.iter();
                let card = cards.find(|card| card.place == *place);
                let Some(posted) = card.and_then(|card| card.posted.as_ref()) else {
                    return true;
                };
                let reply = slack.post_reply(posted, &message).await;
                (posted.channel.as_str(), reply.map(drop))
            }
        };
        match sent {
            Ok(()) => true,
            Err(slack::Error::Gone { error, .. })
                if owed.to != Recipient::ErrorChannel || is_long_over(request, self.now()) =>
            {
                tracing::warn!(
                    request = %request.id, channel, error,
                    "a message about request {} is given up: {error}", request.id
                );
                true
            }
            Err(error) => {
                failed(request, &error);
                false
            }
        }
    }
}

/// What became of one copy of a card.
enum Drawn {
    /// It shows the present face.
    Shown(Card),
    /// It can be delivered to nobody there, and why.
    Lost(Card, Trouble),
    /// It must be tried again.
    Later,
}

/// Whether nobody will bring back the channel that is to be told of the `request`.
fn is_long_over(request: &Request, now: Timestamp) -> bool {
    let closed = request.closed_at;
    closed.is_some_and(|at| now.duration_since(at) > ERRORS_OWED_FOR)
}

fn failed(request: &Request, error: &dyn std::fmt::Display) -> Drawn {
    let id = &request.id;
    tracing::warn!(request = %id, %error, "what request {id} owes is not sent yet: {error}");
    Drawn::Later
}

impl Round {
    /// What is recorded of the round. If the request has `moved`, no card is known to be up to date.
    fn shown(&self, moved: bool) -> Event {
        let mut cards = self.cards.clone();
        if moved {
            for card in &mut cards {
                card.shows = 0;
            }
        }
        Event::Shown {
            cards,
            sent: self.sent.clone(),
            again: self.again,
            trouble: self.trouble.clone(),
        }
    }
}
