//! Somebody who looks at the app's Home tab, which is drawn again when something that it shows changes.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::names::{Group, SlackUser};
use crate::request::CLAIM;

/// How many changes are drawn twice.
const SEVERAL: u64 = 2;

/// Somebody who had their Home tab open lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Who.
    pub user: SlackUser,
    /// Counts every write; a write is conditional on the version that was read.
    pub version: u64,
    /// When they last opened it.
    pub opened_at: Timestamp,
    /// The Okta groups that they were in at `groups_at`. They say what is shown, never what may be done.
    pub groups: Vec<Group>,
    /// When Okta was asked for the groups.
    pub groups_at: Timestamp,
    /// Whether they are shown what others ask for and hold.
    pub decides: bool,
    /// Which part of a long list they turned to.
    pub more: Option<String>,
    /// Counts every change that their Home must show.
    pub face: u64,
    /// The face that it shows.
    pub shows: u64,
    /// When it must be drawn, if nobody has by then.
    pub due_at: Option<Timestamp>,
}

impl Viewer {
    /// How long after it was opened a Home is kept up to date. Slack says each time it is opened, never
    /// when it is closed.
    pub const OPEN: SignedDuration = SignedDuration::from_hours(12);

    /// How long it takes until an index surely shows what was written before.
    const SETTLED: SignedDuration = SignedDuration::from_secs(5);

    /// Somebody who has just opened it, or turned to `more` of it.
    #[must_use]
    pub fn opened(
        user: SlackUser,
        known: Option<&Self>,
        more: Option<String>,
        now: Timestamp,
    ) -> Self {
        let mut viewer = known.cloned().unwrap_or_else(|| Self {
            user,
            version: 0,
            opened_at: now,
            groups: Vec::new(),
            groups_at: Timestamp::UNIX_EPOCH,
            decides: false,
            more: None,
            face: 0,
            shows: 0,
            due_at: None,
        });
        viewer.opened_at = now;
        viewer.more = more;
        // What changes now may not find them among those who look, and is not counted.
        viewer.change(SEVERAL, now);
        viewer
    }

    /// The same once something has changed that it shows, and whether somebody must be found who draws
    /// it. None if several changes wait to be drawn: they are drawn twice, and the second time shows
    /// this one too.
    #[must_use]
    pub fn changed(&self, now: Timestamp) -> Option<(Self, bool)> {
        let is_to_be_handed = self.face == self.shows || self.due_at.is_none_or(|at| at <= now);
        if !is_to_be_handed && self.face.saturating_sub(self.shows) >= SEVERAL {
            return None;
        }
        let mut next = self.clone();
        next.change(1, now);
        Some((next, is_to_be_handed))
    }

    /// The same once its present face was drawn.
    #[must_use]
    pub fn drawn(&self, now: Timestamp) -> Self {
        // Whoever draws several changes at once may have read an index that did not show the last.
        let are_several = self.face.saturating_sub(self.shows) >= SEVERAL;
        Self {
            shows: self.face,
            version: self.version + 1,
            due_at: are_several.then(|| now + Self::SETTLED),
            ..self.clone()
        }
    }

    /// The same, which somebody draws now.
    #[must_use]
    pub fn put_off(&self, now: Timestamp) -> Self {
        Self {
            version: self.version + 1,
            due_at: Some(now + CLAIM),
            ..self.clone()
        }
    }

    /// The same, which is drawn no more: nobody looks at it, or nobody may.
    #[must_use]
    pub fn left(&self) -> Self {
        Self {
            version: self.version + 1,
            opened_at: Timestamp::UNIX_EPOCH,
            decides: false,
            due_at: None,
            ..self.clone()
        }
    }

    /// Whether nobody looks at it any more, as far as can be told.
    #[must_use]
    pub fn has_left(&self, now: Timestamp) -> bool {
        now.duration_since(self.opened_at) > Self::OPEN
    }

    fn change(&mut self, by: u64, now: Timestamp) {
        self.face += by;
        self.version += 1;
        if self.face == self.shows + by || self.due_at.is_none_or(|at| at <= now) {
            self.due_at = Some(now + CLAIM);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn later(seconds: i64) -> Timestamp {
        now() + SignedDuration::from_secs(seconds)
    }

    fn opened() -> Viewer {
        Viewer::opened(SlackUser::new("U1BOB"), None, None, now())
    }

    /// One that shows everything, and surely.
    fn shown() -> Viewer {
        opened().drawn(now()).drawn(later(5))
    }

    #[test]
    fn one_draws_what_changes_at_once() {
        let viewer = shown();
        assert_eq!(viewer.due_at, None);
        let (viewer, is_to_be_handed) = viewer.changed(later(10)).unwrap();
        assert!(is_to_be_handed);
        let (viewer, is_to_be_handed) = viewer.changed(later(10)).unwrap();
        assert!(!is_to_be_handed, "somebody draws it already");
        assert_eq!(viewer.changed(later(10)), None, "it is drawn twice anyway");
        // Both are drawn in one, and looked at once more when the index surely shows the second.
        let viewer = viewer.drawn(later(11));
        assert_eq!(viewer.due_at, Some(later(16)));
        assert_eq!(viewer.drawn(later(16)).due_at, None);
    }

    #[test]
    fn what_changes_before_it_is_looked_at_once_more_is_drawn_at_once() {
        let viewer = opened().drawn(now());
        assert_eq!(viewer.due_at, Some(later(5)), "it was just opened");
        let (viewer, is_to_be_handed) = viewer.changed(later(1)).unwrap();
        assert!(is_to_be_handed);
        assert!(
            viewer.due_at.unwrap() > later(5),
            "whoever draws it has the time"
        );
    }

    #[test]
    fn whoever_was_to_draw_it_and_did_not_is_replaced() {
        let (viewer, _) = shown().changed(later(10)).unwrap();
        assert!(!viewer.changed(later(69)).unwrap().1);
        assert!(viewer.changed(later(70)).unwrap().1);
        assert!(viewer.put_off(later(70)).due_at.unwrap() > later(70));
    }

    #[test]
    fn opening_it_again_keeps_what_is_known() {
        let mut known = shown();
        known.groups = vec![Group::new("00g1")];
        let viewer = Viewer::opened(SlackUser::new("U1BOB"), Some(&known), None, later(60));
        assert_eq!(
            (&viewer.groups, viewer.opened_at),
            (&known.groups, later(60))
        );
        assert!(!known.has_left(later(12 * 3600)));
        assert!(known.has_left(later(12 * 3600 + 1)));
        assert!(known.left().has_left(now()));
    }
}
