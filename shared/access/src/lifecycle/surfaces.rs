//! What the cards of a request show, and who draws them.

use super::reminders::forward;
use super::{At, Refusal, Transition};
use crate::membership::back_off;
use crate::request::{CLAIM, Card, Notice, Owed, Recipient, Request, State, Trouble};

impl At<'_> {
    pub(super) fn claim(&self, request: &Request) -> Result<Transition, Refusal> {
        if request.surfaces_at.is_none_or(|at| at > self.now) {
            return Err(Refusal::NotDue(request.surfaces_at));
        }
        let mut next = request.clone();
        next.surfaces_at = Some(self.now + CLAIM);
        next.version += 1;
        Ok(Transition {
            request: Some(next),
            ..Transition::default()
        })
    }

    pub(super) fn shown(
        &self,
        request: &Request,
        cards: &[Card],
        sent: &[Owed],
        again: bool,
        trouble: Option<&Trouble>,
    ) -> Transition {
        let mut next = request.clone();
        for card in cards {
            match next
                .cards
                .iter_mut()
                .find(|known| known.place == card.place)
            {
                Some(known) => *known = card.clone(),
                None => next.cards.push(card.clone()),
            }
        }
        for message in sent {
            if let Some(at) = next.owed.iter().position(|owed| owed == message) {
                next.owed.remove(at);
            }
        }
        next.version += 1;
        let mut step = Transition::default();
        let mut again = again;
        let is_posted = |it: &Request| it.asking().any(|card| card.posted.is_some());
        if next.state == State::Pending && is_posted(&next) && !is_posted(request) {
            // Whatever kept it from being posted is mended.
            next.face += u64::from(next.trouble.take().is_some());
        }
        let is_nowhere = next.asking().next().is_some() && next.asking().all(Card::is_lost);
        let lost = |it: &Request| it.asking().filter(|card| card.is_lost()).count();
        if !is_nowhere && lost(&next) > lost(request) {
            // The other copies say who could not be reached.
            next.face += 1;
        }
        let is_waiting = next.state == State::Pending;
        if is_nowhere && is_waiting && !next.fallback.is_empty() {
            again = false;
            forward(&mut next);
            next.face += 1;
            step.audit.push(self.forwarded(&next));
        } else if is_nowhere && !next.state.is_final() {
            again = true;
            for card in next.cards.iter_mut().filter(|card| card.place.asks()) {
                card.shows = 0;
            }
            // Somebody must mend it only where somebody must answer.
            let new = trouble.filter(|it| is_waiting && !it.is_known(next.trouble.as_ref()));
            if let Some(trouble) = new {
                next.trouble = Some(trouble.clone());
                next.face += 1;
                for to in [Recipient::Requester, Recipient::ErrorChannel] {
                    next.owe(to, Notice::Trouble(trouble.clone()));
                }
            }
        }
        let tries = next.surfaces_tries.saturating_add(1);
        (next.surfaces_at, next.surfaces_tries) = if next.is_shown() {
            (None, 0)
        } else if !again {
            // What is still owed is somebody else's to send, or is drawn again at once.
            (next.surfaces_at.or(Some(self.now + CLAIM)), 0)
        } else {
            let wait = back_off(tries, self.stamp) * tries.min(10).cast_signed();
            (Some(self.now + wait), tries)
        };
        step.request = Some(next);
        step
    }
}
