//! Cards and messages: whatever a request owes people is drawn and sent from the table.

use access::{Card, Event, Loaded, Owed, Place, Recipient, Request, RequestId, Trouble};

use crate::{Error, Subject, Tools};

/// How often cards are drawn again because the request moved while they were drawn.
const ROUNDS: u32 = 6;

/// Which of the messages and new copies of a card are whose to send, so that two who are at work at
/// once do not send them twice.
#[derive(Debug, Clone, Copy)]
pub enum Ours<'a> {
    /// All of them: they were claimed.
    All,
    /// Those that our step made it owe: the request before it and after it. What another step made it
    /// owe meanwhile is not ours, though it is new to us too.
    Step(Option<&'a Request>, Option<&'a Request>),
}

impl Ours<'_> {
    fn has(self, owed: &Owed) -> bool {
        match self {
            Self::All => true,
            Self::Step(before, after) => {
                let has = |it: &Request| it.owed.contains(owed);
                after.is_some_and(has) && !before.is_some_and(has)
            }
        }
    }

    fn has_card(self, card: &Card) -> bool {
        match self {
            Self::All => true,
            Self::Step(before, after) => {
                let has = |it: &Request| it.cards.iter().any(|it| it.place == card.place);
                after.is_some_and(has) && !before.is_some_and(has)
            }
        }
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
    /// What cannot be sent now stays owed, and due, in the table.
    pub async fn show(&self, id: &RequestId, ours: Ours<'_>) {
        for _ in 0..ROUNDS {
            match self.show_once(id, ours).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(request = %id, %error, "cards of request {id} are behind: {error}");
                    return;
                }
            }
        }
    }

    /// Draws and sends what is owed once; whether more may be owed by now.
    async fn show_once(&self, id: &RequestId, ours: Ours<'_>) -> Result<bool, Error> {
        let Some(request) = self.table.request(id).await? else {
            return Ok(false);
        };
        let behind: Vec<&Card> = request
            .cards
            .iter()
            .filter(|card| card.shows != request.face)
            .filter(|card| card.posted.is_some() || ours.has_card(card))
            .collect();
        let owed: Vec<&Owed> = request.owed.iter().filter(|it| ours.has(it)).collect();
        if behind.is_empty() && owed.is_empty() {
            return Ok(false);
        }
        let slack = self.slack().await?;
        let mut round = Round::default();
        for card in behind {
            round.draw(&slack, &request, card).await;
        }
        for owed in owed {
            round.send(&slack, &request, owed).await;
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
                self.step(&subject, &round.shown(true)).await?
            }
            other => other?,
        };
        let is_behind = shown.request().is_some_and(|now| !now.is_shown());
        Ok(is_behind && !again)
    }
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

    async fn draw(&mut self, slack: &slack::Client, request: &Request, card: &Card) {
        let message = slack::card::card(request, &card.place);
        let drawn = if let Some(posted) = &card.posted {
            let updated = slack.update_message(posted, &message).await;
            updated.map(|()| posted.clone())
        } else {
            let channel = match &card.place {
                Place::Channel => request.request_channel.as_str(),
                Place::Requester => request.requester.slack.as_str(),
                Place::Approver(user) => user.as_str(),
            };
            slack.post_message(channel, &message).await
        };
        let place = card.place.clone();
        match drawn {
            Ok(posted) => self.cards.push(Card {
                place,
                posted: Some(posted),
                shows: request.face,
            }),
            Err(slack::Error::Gone { error, hint })
                if card.posted.is_none() && place == Place::Channel =>
            {
                tracing::warn!(
                    request = %request.id, channel = request.request_channel, error,
                    "the card of request {} cannot be posted: {error}", request.id
                );
                self.again = true;
                self.trouble = Some(Trouble {
                    error: format!(
                        "the request cannot be posted to {}: {error}",
                        request.request_channel
                    ),
                    hint,
                });
            }
            // A copy that is gone, or a person who cannot be written to, needs no drawing.
            Err(slack::Error::Gone { error, .. }) => {
                tracing::warn!(request = %request.id, ?place, error, "a card of request {} is given up: {error}", request.id);
                self.cards.push(Card {
                    place,
                    posted: card.posted.clone(),
                    shows: request.face,
                });
            }
            Err(error) => self.failed(request, &error),
        }
    }

    async fn send(&mut self, slack: &slack::Client, request: &Request, owed: &Owed) {
        let channel = match &owed.to {
            Recipient::Requester => request.requester.slack.as_str(),
            Recipient::Person(user) => user.as_str(),
            Recipient::ErrorChannel => request.error_channel.as_str(),
        };
        let message = slack::notice::notice(request, owed);
        match slack.post_message(channel, &message).await {
            Ok(_) => self.sent.push(owed.clone()),
            Err(slack::Error::Gone { error, .. }) if owed.to != Recipient::ErrorChannel => {
                tracing::warn!(request = %request.id, channel, error, "a message about request {} is given up: {error}", request.id);
                self.sent.push(owed.clone());
            }
            Err(error) => self.failed(request, &error),
        }
    }

    fn failed(&mut self, request: &Request, error: &slack::Error) {
        tracing::warn!(request = %request.id, %error, "Slack did not take what request {} owes: {error}", request.id);
        self.again = true;
    }
}
