//! One run, and the people in it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use end_to_end::{ALICE, CloudFormation, ERRORS, Stint, heard};
use reqwest::Method;
use serde_json::{Value, json};

use crate::Plan;
use crate::promises::{self, Seen};

/// How long people wait before they do again what nothing came of: Lambda has tried twice more by
/// then, and what it gave up was told.
const PATIENCE_S: u64 = 400;

/// In which CloudFormation waits for an answer. Its own bound is an hour.
const ANSWERED_WITHIN_S: u64 = 900;

/// One run of a scenario. People in it do not stop because something fails: they try again, as people
/// do.
pub struct Run {
    stint: Stint,
    /// Who stands at the border.
    pub plan: Arc<Plan>,
    /// The calls to Okta before it began.
    earlier: Value,
    broken: Mutex<Vec<String>>,
    seen: Mutex<Seen>,
    /// Who did what of which something must come, and what they had heard and done before.
    awaited: Mutex<Vec<(String, String, Heard)>>,
    /// What becomes of the stack, and who waits for an answer about it.
    cloudformation: Mutex<Option<(&'static str, CloudFormation)>>,
    /// Whether nobody gave the error channel anything to hear.
    is_quiet: Mutex<bool>,
}

/// What somebody was told, and how many steps they have taken.
type Heard = (String, usize);

impl Deref for Run {
    type Target = Stint;

    fn deref(&self) -> &Stint {
        &self.stint
    }
}

impl Run {
    pub(crate) fn new(stint: Stint, plan: Arc<Plan>, earlier: Value) -> Self {
        Self {
            stint,
            plan,
            earlier,
            broken: Mutex::default(),
            seen: Mutex::default(),
            awaited: Mutex::default(),
            cloudformation: Mutex::default(),
            is_quiet: Mutex::default(),
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
            let before = self.heard_and_done(user).await;
            let is_taken = act().await;
            if is_so(&self.look().await) {
                return;
            }
            self.stint.advance(PATIENCE_S).await;
            let state = self.look().await;
            if is_so(&state) {
                return;
            }
            if is_taken && self.heard_and_done(user).await == before {
                self.swallowed(user, what);
            }
            self.close_forms(user).await;
        }
        self.broken(format!("7: {user} cannot do what {user} {what}"));
    }

    /// Of everything that somebody did once something came, or they were told.
    pub async fn nothing_is_swallowed(&self) {
        let awaited = std::mem::take(&mut *locked(&self.awaited));
        for (user, what, before) in awaited {
            if self.heard_and_done(&user).await == before {
                self.swallowed(&user, &what);
            }
        }
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
        self.click(user, click, json!({})).await
    }

    /// `user` presses `action` on the newest of their direct messages that has it, and sends the form if
    /// one opens, until the request with `reason` is in one of `states`.
    pub async fn press_own_until(&self, user: &str, action: &str, reason: &str, states: &[&str]) {
        let act = async || self.press_own_once(user, action, json!({})).await;
        self.until(user, action, reason, states, act).await;
    }

    /// The same once, whatever becomes of it, with `values` in the form; whether Slack had a good answer.
    pub async fn press_own_once(&self, user: &str, action: &str, values: Value) -> bool {
        let state = self.stint.state().await;
        let dm = &state["slack"]["dms"][user];
        let mut messages = dm["messages"].as_array().into_iter().flatten().rev();
        let has = |it: &&Value| end_to_end::buttons(it).iter().any(|it| it == action);
        let Some(message) = messages.find(has) else {
            return false;
        };
        let click = json!({"channel": dm["channel"], "ts": message["ts"], "action_id": action});
        self.click(user, click, values).await
    }

    /// Alice, who has access, asks for more time because of `reason`, once, whatever becomes of it; whether
    /// Slack had a good answer.
    pub async fn extend_once(&self, duration_s: u64, reason: &str) -> bool {
        let values = json!({"duration": duration_s.to_string(), "reason": reason});
        self.press_own_once(ALICE, "extend", values).await
    }

    /// An administrator of AWS invokes `deescalation` with `event` until it `is_so`. Whenever nothing comes
    /// of it, they must be answered so.
    pub async fn administer(&self, event: &Value, is_so: impl Fn(&Value) -> bool) {
        for _ in 0..4 {
            let answer = self.administer_once(event).await;
            if is_so(&self.look().await) {
                return;
            }
            if answer.is_ok_and(|it| it["refused"].is_null()) {
                self.broken(format!(
                    "7: nothing came of {event}, and that was not answered"
                ));
            }
            self.pass(PATIENCE_S).await;
        }
        self.broken(format!("7: nothing comes of {event}"));
    }

    /// The same once, whatever becomes of it.
    pub async fn administer_once(&self, event: &Value) -> Result<Value, String> {
        let asked = self.stint.invoke(event.clone());
        self.stint.while_time_goes_on(asked).await
    }

    /// CloudFormation begins to delete the stack.
    pub async fn delete_stack(&self) {
        self.change_stack("Delete").await;
    }

    async fn change_stack(&self, what: &'static str) {
        let cloudformation = CloudFormation::start().await;
        let event = cloudformation.event(what);
        *locked(&self.cloudformation) = Some((what, cloudformation));
        self.stint.wake(event).await;
    }

    /// Time goes on until CloudFormation was answered.
    pub async fn stack_answer(&self) {
        for _ in 0..ANSWERED_WITHIN_S / 10 {
            self.pass(10).await;
            if locked(&self.cloudformation).is_none() {
                return;
            }
        }
        self.broken("7: CloudFormation was not answered".to_owned());
    }

    /// Whether the stack was deleted.
    #[must_use]
    pub fn is_stack_gone(&self) -> bool {
        locked(&self.seen).gone_at.is_some()
    }

    /// Nobody gives the error channel anything to hear.
    pub fn quiet(&self) {
        *locked(&self.is_quiet) = true;
    }

    /// Somebody must have been told `text`: a person, or the error channel.
    pub async fn must_hear(&self, who: &str, text: &str) {
        let heard = match who {
            ERRORS => self.texts(ERRORS).await.join("\n"),
            user => self.heard(user).await,
        };
        if !heard.contains(text) {
            self.broken(format!("7: {who} was not told `{text}`"));
        }
    }

    /// It must be so now.
    pub async fn must(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        if !is_so(&self.look().await) {
            self.broken(what.to_owned());
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

    /// `user` presses what `click` names, and sends the form with `values` if one opens; whether Slack had a
    /// good answer.
    async fn click(&self, user: &str, click: Value, values: Value) -> bool {
        let before = self.heard_and_done(user).await;
        let what = format!("presses {click}");
        let seen = self.act(user, json!({"click": click, "force": true})).await;
        let is_taken = match seen["view"]["id"].as_str() {
            Some(view) => self.submit_form(user, view, values).await,
            None => seen["status"] == 200,
        };
        self.awaits(is_taken, user, what, before);
        is_taken
    }

    /// `user` asks once, whatever becomes of it; whether Slack had a good answer.
    pub async fn ask_once(&self, user: &str, target: &str, duration_s: u64, reason: &str) -> bool {
        let before = self.heard_and_done(user).await;
        let seen = self.act(user, json!({"command": "/access"})).await;
        let Some(view) = seen["view"]["id"].as_str() else {
            return seen["status"] == 200;
        };
        let duration = duration_s.to_string();
        let values = json!({"target": target, "duration": duration, "reason": reason});
        let is_taken = self.submit_form(user, view, values).await;
        self.awaits(is_taken, user, format!("asks for {target}"), before);
        is_taken
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
        let mut state = self.stint.state().await;
        let earlier = self.earlier.as_array().cloned().unwrap_or_default();
        if let Some(calls) = state["okta"]["calls"].as_array_mut() {
            calls.splice(0..0, earlier);
        }
        let mut cloudformation = locked(&self.cloudformation);
        let answer = cloudformation
            .as_mut()
            .and_then(|(what, it)| Some((*what, it.heard()?)));
        cloudformation.take_if(|_| answer.is_some());
        drop(cloudformation);
        let is_gone =
            answer.is_some_and(|(what, it)| what == "Delete" && it["Status"] == "SUCCESS");
        let mut seen = locked(&self.seen);
        if is_gone {
            seen.gone_at = promises::time(&state["now"]);
        }
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
        if self.is_stack_gone() {
            // It is made again, and goes on.
            locked(&self.seen).gone_at = None;
            self.change_stack("Create").await;
        }
        for _ in 0..60 {
            // Nobody needs to wait for a day.
            for user in promises::who_waits(&self.look().await) {
                self.press_own_once(&user, "cancel", json!({})).await;
            }
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
        if *locked(&self.is_quiet) {
            for text in self.texts(ERRORS).await {
                self.broken(format!("7: the error channel was told for nothing: {text}"));
            }
        }
        let broken = std::mem::take(&mut *locked(&self.broken));
        (broken, promises::latest(&state))
    }

    async fn close_forms(&self, user: &str) {
        let state = self.stint.state().await;
        let views = state["slack"]["views"][user].as_array().cloned();
        for view in views.unwrap_or_default().iter().rev() {
            self.act(user, json!({"close": {"view_id": view["id"]}}))
                .await;
        }
    }

    async fn heard_and_done(&self, user: &str) -> Heard {
        let state = self.look().await;
        (heard(&state, user), promises::acts(&state, user))
    }

    /// Something must come of what `user` did if Slack had a good answer: else Slack tells them itself.
    fn awaits(&self, is_taken: bool, user: &str, what: String, before: Heard) {
        if is_taken {
            locked(&self.awaited).push((user.to_owned(), what, before));
        }
    }

    fn swallowed(&self, user: &str, what: &str) {
        self.broken(format!(
            "7: nothing came of it that {user} {what}, and they were not told"
        ));
    }

    fn broken(&self, what: String) {
        let mut broken = locked(&self.broken);
        if !broken.contains(&what) {
            broken.push(what);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The request with `reason`.
#[must_use]
pub fn named<'a>(state: &'a Value, reason: &str) -> Option<&'a Value> {
    let mut requests = state["requests"].as_array()?.iter();
    requests.find(|it| it["reason"] == reason)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
