//! One run, and the people in it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use end_to_end::{ALICE, Stint};
use reqwest::Method;
use serde_json::{Value, json};

use crate::Plan;
use crate::promises::{self, Seen};

/// How long people wait before they do again what nothing came of: Lambda has tried twice more by
/// then, and what it gave up was told.
const PATIENCE_S: u64 = 400;

/// One run of a scenario. People in it do not stop because something fails: they try again, as people
/// do.
pub struct Run {
    stint: Stint,
    /// Who stands at the border.
    pub plan: Arc<Plan>,
    broken: Mutex<Vec<String>>,
    seen: Mutex<Seen>,
}

impl Deref for Run {
    type Target = Stint;

    fn deref(&self) -> &Stint {
        &self.stint
    }
}

impl Run {
    pub(crate) fn new(stint: Stint, plan: Arc<Plan>) -> Self {
        Self {
            stint,
            plan,
            broken: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// `user` does `act`, which says whether Slack had a good answer, until `is_so`. Whenever nothing comes
    /// of it, they must have been told; where Slack had no good answer, it tells them itself.
    pub async fn insist(
        &self,
        user: &str,
        what: &str,
        act: impl AsyncFn() -> bool,
        is_so: impl Fn(&Value) -> bool,
    ) {
        for _ in 0..4 {
            let before = (
                self.heard(user).await,
                promises::acts(&self.look().await, user),
            );
            let is_taken = act().await;
            if is_so(&self.look().await) {
                return;
            }
            self.stint.advance(PATIENCE_S).await;
            let state = self.look().await;
            if is_so(&state) {
                return;
            }
            let after = (self.heard(user).await, promises::acts(&state, user));
            if is_taken && after == before {
                self.broken(format!(
                    "7: nothing came of it that {user} {what}, and they were not told"
                ));
            }
            self.close_forms(user).await;
        }
        self.broken(format!("7: {user} cannot {what}"));
    }

    /// `user` asks for the group `target` for `duration_s` because of `reason`.
    pub async fn ask_for(&self, user: &str, target: &str, duration_s: u64, reason: &str) {
        let act = async || self.ask_once(user, target, duration_s, reason).await;
        self.insist(user, &format!("asks for {target}"), act, |state| {
            named(state, reason).is_some()
        })
        .await;
    }

    /// `user` presses `action` on the card of the request with `reason` in the request channel, and sends
    /// the form if one opens, until the request is in one of `states`.
    pub async fn press_until(&self, user: &str, action: &str, reason: &str, states: &[&str]) {
        let act = async || self.press_once(user, action, reason).await;
        self.until(user, action, reason, states, act).await;
    }

    /// The same once, whatever becomes of it; whether Slack had a good answer.
    pub async fn press_once(&self, user: &str, action: &str, reason: &str) -> bool {
        let state = self.stint.state().await;
        let Some(request) = named(&state, reason) else {
            return false;
        };
        let card = &request["card"];
        let click = json!({
            "channel": card["channel"], "ts": card["ts"], "action_id": action,
            "value": request["id"],
        });
        self.click(user, click).await
    }

    /// `user` presses `action` on the newest of their direct messages that has it, and sends the form if
    /// one opens, until the request with `reason` is in one of `states`.
    pub async fn press_own_until(&self, user: &str, action: &str, reason: &str, states: &[&str]) {
        let act = async || self.press_own_once(user, action).await;
        self.until(user, action, reason, states, act).await;
    }

    /// The same once, whatever becomes of it; whether Slack had a good answer.
    pub async fn press_own_once(&self, user: &str, action: &str) -> bool {
        let state = self.stint.state().await;
        let dm = &state["slack"]["dms"][user];
        let mut messages = dm["messages"].as_array().into_iter().flatten().rev();
        let has = |it: &&Value| end_to_end::buttons(it).iter().any(|it| it == action);
        let Some(message) = messages.find(has) else {
            return false;
        };
        let click = json!({"channel": dm["channel"], "ts": message["ts"], "action_id": action});
        self.click(user, click).await
    }

    /// An administrator of AWS ends every grant, of as many people as they expect.
    pub async fn end_all(&self, expect: usize) {
        let event = json!({"end_all": {"expect": expect}});
        let asked = json!({"function": "deescalation", "event": event});
        let ends = self.stint.post("invoke", asked);
        // It may wait for a moment that comes only if time goes on.
        let time = async {
            loop {
                self.stint.advance(1).await;
            }
        };
        tokio::select! {
            _ = ends => {}
            () = time => {}
        }
    }

    async fn until(
        &self,
        user: &str,
        action: &str,
        reason: &str,
        states: &[&str],
        act: impl AsyncFn() -> bool,
    ) {
        self.insist(user, &format!("presses `{action}`"), act, |state| {
            let request = named(state, reason).map(|it| text(&it["state"]));
            request.is_some_and(|it| states.contains(&it.as_str()))
        })
        .await;
    }

    /// `user` presses what `click` names, and sends the form if one opens; whether Slack had a good answer.
    pub async fn click(&self, user: &str, click: Value) -> bool {
        let seen = self.act(user, json!({"click": click, "force": true})).await;
        match seen["view"]["id"].as_str() {
            Some(view) => self.submit_form(user, view, json!({})).await,
            None => seen["status"] == 200,
        }
    }

    /// `user` asks once, whatever becomes of it; whether Slack had a good answer.
    pub async fn ask_once(&self, user: &str, target: &str, duration_s: u64, reason: &str) -> bool {
        let seen = self.act(user, json!({"command": "/access"})).await;
        let Some(view) = seen["view"]["id"].as_str() else {
            return seen["status"] == 200;
        };
        let duration = duration_s.to_string();
        let values = json!({"target": target, "duration": duration, "reason": reason});
        self.submit_form(user, view, values).await
    }

    async fn submit_form(&self, user: &str, view: &str, values: Value) -> bool {
        let submit = json!({"view_id": view, "values": values});
        let seen = self
            .act(user, json!({"submit": submit, "force": true}))
            .await;
        // What is wrong is said in the form, which then stays open.
        seen["status"] == 200 && seen["view"].is_null()
    }

    /// `user` does something in Slack, whatever becomes of it.
    pub async fn act(&self, user: &str, mut act: Value) -> Value {
        act["user"] = json!(user);
        let (_, seen) = self
            .stint
            .call(Method::POST, "/sandbox/slack", Some(&act))
            .await;
        seen
    }

    /// Time goes on, and the promises are checked.
    pub async fn pass(&self, seconds: u64) {
        self.stint.advance(seconds).await;
        self.look().await;
    }

    /// Everything, once nothing is under way; held to the promises.
    pub async fn look(&self) -> Value {
        let state = self.stint.state().await;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let broken = promises::now(&state, &mut seen);
        drop(seen);
        for broken in broken {
            self.broken(broken);
        }
        state
    }

    /// Time goes on until everything is over; what the promises say of it. How late the latest
    /// removal was, in milliseconds.
    pub(crate) async fn aftermath(&self) -> (Vec<String>, i64) {
        self.plan.disarm();
        for user in [ALICE, end_to_end::BOB, end_to_end::CAROL] {
            self.close_forms(user).await;
        }
        // Nobody needs to wait for a day.
        if promises::is_anything_pending(&self.look().await) {
            self.press_own_once(ALICE, "cancel").await;
        }
        for _ in 0..60 {
            let state = self.look().await;
            let Some(seconds) = promises::next(&state) else {
                break;
            };
            self.stint.advance(seconds).await;
        }
        // What is left to say is said.
        self.stint.advance(1200).await;
        let state = self.look().await;
        for broken in promises::at_last(&state) {
            self.broken(broken);
        }
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut *broken), promises::latest(&state))
    }

    async fn close_forms(&self, user: &str) {
        let state = self.stint.state().await;
        let views = state["slack"]["views"][user].as_array().cloned();
        for view in views.unwrap_or_default().iter().rev() {
            self.act(user, json!({"close": {"view_id": view["id"]}}))
                .await;
        }
    }

    fn broken(&self, what: String) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if !broken.contains(&what) {
            broken.push(what);
        }
    }
}

/// The request with `reason`.
pub(crate) fn named<'a>(state: &'a Value, reason: &str) -> Option<&'a Value> {
    let mut requests = state["requests"].as_array()?.iter();
    requests.find(|it| it["reason"] == reason)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
