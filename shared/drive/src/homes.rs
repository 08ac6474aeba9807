//! Home tabs. They show many requests, and whose they show only the policy tells: `approval` draws
//! them, everybody else says that they have changed.

use access::{Place, Request, RequestId, SlackUser, Viewer};
use aws::{Function, HomePayload};
use futures_util::future::join_all;

use crate::{Error, Tools};

/// How often it is tried to note a change of something that others change too.
const ATTEMPTS: u32 = 8;

impl Tools {
    /// Has the Home tabs drawn again that show `request`, whose last change is written: those of whoever
    /// asked, is asked, or approved, and of everybody who decides.
    pub(crate) async fn homes_changed(&self, request: &Request) -> Result<(), Error> {
        let now = self.now();
        let asked = request.cards.iter().filter_map(|card| match &card.place {
            Place::Asked(user) => Some(user),
            _ => None,
        });
        let approved = request.approvals.iter().map(|yes| &yes.by.slack);
        let mut named: Vec<&SlackUser> = vec![&request.requester.slack];
        for user in asked.chain(approved) {
            if !named.contains(&user) {
                named.push(user);
            }
        }
        let named = join_all(named.into_iter().map(|user| self.table.viewer(user)));
        let (named, deciders) = tokio::join!(named, self.table.deciders(now));
        let mut viewers = deciders?;
        for viewer in named {
            if let Some(viewer) = viewer?
                && !viewer.has_left(now)
                && !viewers.iter().any(|known| known.user == viewer.user)
            {
                viewers.push(viewer);
            }
        }
        let changes = viewers
            .into_iter()
            .map(|viewer| self.home_changed(viewer, Some(&request.id)));
        join_all(changes).await.into_iter().collect()
    }

    /// Has the Home tab of `user` drawn again, if they look at it.
    pub async fn redraw_home(&self, user: &SlackUser) -> Result<(), Error> {
        match self.table.viewer(user).await? {
            Some(viewer) => self.home_changed(viewer, None).await,
            None => Ok(()),
        }
    }

    /// Goes on with the Home tab of `user`, which is due: whoever was to draw it has not.
    pub async fn drive_home(&self, user: &SlackUser) -> Result<(), Error> {
        let now = self.now();
        let Some(viewer) = self.table.viewer(user).await? else {
            return Ok(());
        };
        if viewer.due_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        if viewer.has_left(now) {
            return self.note(&viewer.left(), &viewer).await;
        }
        self.note(&viewer.put_off(now), &viewer).await?;
        self.hand_home(user, None).await;
        Ok(())
    }

    async fn home_changed(
        &self,
        mut viewer: Viewer,
        request: Option<&RequestId>,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let Some((next, is_due)) = viewer.changed(self.now()) else {
                return Ok(());
            };
            // One that is only looked at once more later is drawn by nobody now.
            let is_to_be_handed = is_due || viewer.shows == viewer.face;
            match self.table.put_viewer(&next, Some(&viewer)).await {
                Ok(()) => {
                    if is_to_be_handed {
                        self.hand_home(&viewer.user, request).await;
                    }
                    return Ok(());
                }
                Err(aws::Error::Moved) => {
                    let Some(moved) = self.table.viewer(&viewer.user).await? else {
                        return Ok(());
                    };
                    viewer = moved;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Busy)
    }

    /// Writes `next`, unless `viewer` has moved: whoever moved it goes on with it.
    async fn note(&self, next: &Viewer, viewer: &Viewer) -> Result<(), Error> {
        match self.table.put_viewer(next, Some(viewer)).await {
            Err(aws::Error::Moved) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Hands the Home tab of `user` to `approval`; the sweep does it again if that fails.
    async fn hand_home(&self, user: &SlackUser, request: Option<&RequestId>) {
        let payload = HomePayload::new(user.clone(), request.cloned());
        if let Err(error) = self.handoffs.hand(Function::Approval, &payload).await {
            tracing::warn!(%user, %error, "the Home tab of {user} is not drawn yet: {error}");
        }
    }
}
