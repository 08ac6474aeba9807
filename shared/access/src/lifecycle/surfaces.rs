//! What the cards of a request show, and who draws them.

use super::{At, Refusal, Transition};
use crate::membership::back_off;
use crate::request::{CLAIM, Card, Notice, Owed, Recipient, Request, Trouble};

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
        if let Some(trouble) = trouble
            && !trouble.is_known(next.trouble.as_ref())
        {
            next.trouble = Some(trouble.clone());
            next.face += 1;
            for to in [Recipient::Requester, Recipient::ErrorChannel] {
                next.owe(to, Notice::Trouble(trouble.clone()));
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
        Transition {
            request: Some(next),
            ..Transition::default()
        }
    }
}
