//! What must be true: at every moment at which nothing is under way, and once everything is over.
//!
//! Each line begins with the number of the promise that is broken (see the README).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::Key;
use crate::run::text;

/// How long after its end nobody may be in any more.
pub(crate) const BOUND_S: i64 = 90;

/// Who is in which group without Stint.
const STANDING: [(&str, &str); 1] = [("00g2prodadmins", "00u4dave")];

/// The groups of the targets that people are put into.
const GROUPS: [&str; 2] = ["00g2prodadmins", "00g3stagingadmins"];

/// The buttons of what is not over.
const OF_WHAT_IS_OPEN: [&str; 7] = [
    "approve",
    "approve_note",
    "deny",
    "cancel",
    "revoke",
    "done",
    "extend",
];

/// How long a call that was announced may take to be sent and to land.
const CALL_S: i64 = 60;

/// How long after the approval access can begin.
const ESCALATION_S: i64 = 15 * 60;

/// What was seen before.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    ends: BTreeMap<String, String>,
    /// When CloudFormation was told that the stack can go.
    pub(crate) gone_at: Option<Timestamp>,
}

/// What is broken now.
pub(crate) fn now(state: &Value, seen: &mut Seen) -> Vec<String> {
    let mut broken = Vec::new();
    let now = time(&state["now"]).unwrap_or_default();
    for request in requests(state) {
        let id = text(&request["id"]);
        let is_in = is_in(state, request);
        let end = time(&request["ends_at"]);
        let is_live = end.is_some_and(|end| now < end);
        if request["state"] == "active" && is_live && !is_in && !is_by_hand(state, request) {
            broken.push(format!(
                "3: {id} is active, and its requester is not in the group"
            ));
        }
        if request["state"] == "active" {
            let known = seen
                .ends
                .entry(id.clone())
                .or_insert_with(|| text(&request["ends_at"]));
            if *known != text(&request["ends_at"]) {
                broken.push(format!("6: the end of {id} moved from {known}"));
            }
        }
        let mut elapsed = entries(state, &id).filter(|it| it["why"] == "elapsed");
        if elapsed.any(|it| time(&it["at"]) < end) {
            broken.push(format!("3: {id} was ended before its end"));
        }
        if let (Some(end), Some(approved)) = (end, approved(state, &id)) {
            let longest = request["duration_s"].as_i64().unwrap_or_default();
            let latest = approved + seconds(ESCALATION_S + longest);
            if end > latest {
                broken.push(format!("6: {id} ends at {end}, later than was approved"));
            }
            if time(&request["starts_at"]).is_some_and(|start| start < approved - seconds(1)) {
                broken.push(format!("6: {id} starts before it was approved"));
            }
        }
        let is_over = is_over_by(state, request, now - seconds(BOUND_S));
        let is_left = is_in && !is_held(state, request) && !is_by_hand(state, request);
        if is_over && is_left && !is_handed_over(state, request) {
            broken.push(format!(
                "1: {id} is over for 90 s, and its requester is in the group"
            ));
        }
    }
    if let Some(gone_at) = seen.gone_at {
        broken.extend(gone(state, gone_at));
    }
    broken.extend(standing(state));
    broken.extend(calls(state));
    broken.extend(steps(state));
    broken
}

/// Whose requests still wait for an answer.
pub(crate) fn who_waits(state: &Value) -> Vec<String> {
    let pending = requests(state).filter(|it| it["state"] == "pending");
    pending.map(|it| text(&it["requester"])).collect()
}

/// In how many seconds to look again, if anything is still to happen to a request.
pub(crate) fn next(state: &Value) -> Option<u64> {
    let now = time(&state["now"])?;
    let open = requests(state).filter(|it| !is_final(it));
    let at = open.map(|request| match time(&request["ends_at"]) {
        Some(end) if end >= now => end + seconds(BOUND_S),
        _ if request["state"] == "pending" => {
            time(&request["due_at"]).unwrap_or(now).max(now) + seconds(120)
        }
        _ => now + seconds(BOUND_S),
    });
    let next = at.min()?;
    // Whole seconds, and none too few.
    let wait = next.duration_since(now) + SignedDuration::from_millis(999);
    u64::try_from(wait.as_secs().max(1)).ok()
}

/// What is broken now that everything should be over.
pub(crate) fn at_last(state: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for request in requests(state) {
        let id = text(&request["id"]);
        if !is_final(request) {
            broken.push(format!("1: {id} is {} for good", request["state"]));
        }
        if request["due_at"] != Value::Null {
            broken.push(format!(
                "7: {id} still owes something at {}",
                request["due_at"]
            ));
        }
        if request["why"] == "handed_over" && !is_in(state, request) {
            broken.push(format!(
                "2: the user of {id} was handed over, and taken out"
            ));
        }
        let card = &request["card"];
        let places = ["channels", "dms"].map(|it| state["slack"][it].as_object());
        let shown = places.into_iter().flatten().flatten().find_map(|(_, it)| {
            let mut messages = it["messages"].as_array()?.iter();
            messages.find(|it| it["ts"] == card["ts"])
        });
        let is_right = shown.is_some_and(|it| {
            let text = text(&it["text"]);
            text.ends_with(&format!(
                "({})",
                request["state"].as_str().unwrap_or_default()
            ))
        });
        if card["ts"].is_string() && !is_right {
            let shown = shown.map(|it| &it["text"]);
            broken.push(format!(
                "9: the card of {id} ({}) shows {shown:?}",
                request["state"]
            ));
        }
    }
    if state["memberships"] != json!([]) {
        let left = &state["memberships"];
        broken.push(format!("1: ledger items are left: {left}"));
    }
    // One that was not deleted fires for nothing.
    let now = time(&state["now"]);
    let schedules = state["schedules"].as_array().into_iter().flatten();
    for schedule in schedules.filter(|it| time(&it["at"]) < now) {
        broken.push(format!("1: a schedule is left: {schedule}"));
    }
    let left =
        through_stint(state).map(|(group, member)| format!("1: {member} is in {group} for good"));
    broken.extend(left);
    for (user, home) in state["slack"]["homes"].as_object().into_iter().flatten() {
        for button in end_to_end::buttons(home) {
            if OF_WHAT_IS_OPEN.contains(&button.as_str()) {
                broken.push(format!("9: the Home tab of {user} still has `{button}`"));
            }
        }
    }
    broken
}

/// What has come about since the stack could be deleted.
fn gone(state: &Value, gone_at: Timestamp) -> Vec<String> {
    let left = through_stint(state)
        .map(|(group, member)| format!("1: the stack is gone, and {member} is in {group}"));
    let put = requests(state).filter(|it| {
        let path = membership(it);
        landed(state, "PUT", &path).any(|at| at > gone_at)
    });
    let put = put.map(|it| {
        let path = membership(it);
        format!("6: the stack is gone, and {path} was made")
    });
    left.chain(put).collect()
}

/// Whether somebody was put in before anything was made that wakes for the end.
pub(crate) fn schedule_first(calls: &[Key]) -> Option<String> {
    let at = |what: &str| calls.iter().position(|call| call.what.starts_with(what));
    let put = at("PUT /api/v1/groups/")?;
    let is_first = at("Scheduler.CreateSchedule").is_some_and(|schedule| schedule < put);
    (!is_first).then(|| "4: somebody is put in before there is a schedule".to_owned())
}

/// How late the latest removal was, in milliseconds.
pub(crate) fn latest(state: &Value) -> i64 {
    let mut latest = 0;
    for request in requests(state) {
        let Some(over) = over(state, request) else {
            continue;
        };
        let others = requests(state).filter(|it| it["id"] != request["id"] && is_same(it, request));
        let path = membership(request);
        let Some(removed) = landed(state, "DELETE", &path).find(|at| *at >= over) else {
            continue;
        };
        let is_alone = others.into_iter().all(|other| {
            let from = approved(state, other["id"].as_str().unwrap_or_default());
            let end = self::over(state, other);
            from.is_none_or(|from| from > removed) || end.is_some_and(|end| end <= over)
        });
        if is_alone {
            latest = latest.max(removed.duration_since(over).as_millis());
        }
    }
    i64::try_from(latest).unwrap_or(i64::MAX)
}

/// How many steps `user` has taken, as the audit has it.
pub(crate) fn acts(state: &Value, user: &str) -> usize {
    let all = state["audit"].as_array().into_iter().flatten();
    all.filter(|it| it["actor"]["slack"] == user).count()
}

/// Whoever is in a group without Stint stays there.
fn standing(state: &Value) -> Vec<String> {
    let gone = STANDING.into_iter().filter(|(group, user)| {
        let mut members = members(state, group);
        !members.any(|it| it == *user)
    });
    gone.map(|(group, user)| format!("2: {user} was taken out of {group}"))
        .collect()
}

/// Nobody was put in without a yes, or after the end.
fn calls(state: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for group in GROUPS {
        for request in requests(state).filter(|it| it["group_id"] == group) {
            let path = membership(request);
            for put in landed(state, "PUT", &path) {
                let of_it = requests(state).filter(|it| is_same(it, request));
                let is_permitted = of_it.into_iter().any(|it| {
                    let id = text(&it["id"]);
                    let is_approved = approved(state, &id).is_some_and(|at| at <= put + seconds(1));
                    let is_over = over(state, it).is_some_and(|over| over + seconds(CALL_S) < put);
                    is_approved && !is_over
                });
                if !is_permitted {
                    broken.push(format!("6: {path} at {put} without a yes"));
                }
            }
        }
    }
    broken
}

/// Each thing happens once.
fn steps(state: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for request in requests(state) {
        let id = text(&request["id"]);
        let steps: Vec<String> = entries(state, &id).map(|it| text(&it["step"])).collect();
        let count = |step: &str| steps.iter().filter(|it| *it == step).count();
        for step in ["request", "deny", "cancel", "expire", "activate", "end"] {
            if count(step) > 1 {
                broken.push(format!(
                    "5: {id} has {} times the step `{step}`",
                    count(step)
                ));
            }
        }
        let decisions = ["deny", "cancel", "expire"]
            .map(count)
            .iter()
            .sum::<usize>();
        let yes = entries(state, &id)
            .filter(|it| it["to"] == "approved")
            .count();
        let is_refused = count("refuse") > 0;
        if decisions > 1 || (decisions + yes > 1 && !is_refused) {
            broken.push(format!("5: {id} was decided more than once: {steps:?}"));
        }
    }
    broken
}

fn requests(state: &Value) -> impl Iterator<Item = &Value> {
    state["requests"].as_array().into_iter().flatten()
}

fn entries<'a>(state: &'a Value, id: &str) -> impl Iterator<Item = &'a Value> {
    let all = state["audit"].as_array().into_iter().flatten();
    all.filter(move |it| it["request"] == id)
}

/// When the request `id` had enough approvals, last.
fn approved(state: &Value, id: &str) -> Option<Timestamp> {
    let yes = entries(state, id).filter(|it| it["to"] == "approved");
    yes.filter_map(|it| time(&it["at"])).max()
}

/// When the access of `request` was over, if it was.
fn over(state: &Value, request: &Value) -> Option<Timestamp> {
    let ends = time(&request["ends_at"]);
    let id = text(&request["id"]);
    let mut given_up = entries(state, &id).filter(|it| it["to"] == "deescalating");
    let given_up = given_up.find_map(|it| time(&it["at"]));
    let now = time(&state["now"])?;
    match (given_up, ends.filter(|end| *end <= now)) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn is_over_by(state: &Value, request: &Value, by: Timestamp) -> bool {
    over(state, request).is_some_and(|over| over <= by)
}

/// Whether another request holds the membership of `request`, or may for a moment.
fn is_held(state: &Value, request: &Value) -> bool {
    let now = time(&state["now"]).unwrap_or_default();
    let mut others = requests(state).filter(|it| is_same(it, request));
    others.any(|it| {
        let state_is = |name: &str| it["state"] == name;
        let lives = state_is("active") || state_is("escalating") || state_is("approved");
        lives && time(&it["ends_at"]).is_none_or(|end| now < end)
    })
}

fn is_same(a: &Value, b: &Value) -> bool {
    a["okta_user"] == b["okta_user"] && a["group_id"] == b["group_id"]
}

fn is_final(request: &Value) -> bool {
    let open = [
        "pending",
        "approved",
        "escalating",
        "active",
        "deescalating",
    ];
    !open.contains(&request["state"].as_str().unwrap_or_default())
}

/// Who is in which group, and nobody but Stint can have put them in.
fn through_stint(state: &Value) -> impl Iterator<Item = (&'static str, String)> {
    let all = GROUPS
        .into_iter()
        .flat_map(|group| members(state, group).map(move |it| (group, it)));
    all.filter(|(group, member)| {
        let mut same = requests(state)
            .filter(|it| it["group_id"] == *group && it["okta_user"] == member.as_str());
        let is_meant = same.any(|it| is_by_hand(state, it) || is_handed_over(state, it));
        !is_meant && !STANDING.contains(&(*group, member.as_str()))
    })
}

/// Whether the membership of `request` is not as Stint left it: somebody else has changed it.
fn is_by_hand(state: &Value, request: &Value) -> bool {
    let path = membership(request);
    let last = ["PUT", "DELETE"].map(|method| landed(state, method, &path).last());
    let [put, deleted] = last;
    // Of two at the same time nobody knows the order.
    if is_in(state, request) {
        put < deleted
    } else {
        deleted < put
    }
}

/// Whether the membership of `request` is somebody's for good.
fn is_handed_over(state: &Value, request: &Value) -> bool {
    let mut same = requests(state).filter(|it| is_same(it, request));
    same.any(|it| it["why"] == "handed_over")
}

fn is_in(state: &Value, request: &Value) -> bool {
    let mut members = members(state, request["group_id"].as_str().unwrap_or_default());
    members.any(|it| request["okta_user"] == it)
}

fn members(state: &Value, group: &str) -> impl Iterator<Item = String> {
    let members = state["okta"]["groups"][group]["members"].as_array();
    members.into_iter().flatten().map(text)
}

fn membership(request: &Value) -> String {
    let part = |name: &str| text(&request[name]);
    format!(
        "/api/v1/groups/{}/users/{}",
        part("group_id"),
        part("okta_user")
    )
}

/// When calls of `method` to `path` took effect.
fn landed<'a>(
    state: &'a Value,
    method: &'a str,
    path: &'a str,
) -> impl Iterator<Item = Timestamp> + 'a {
    let calls = state["okta"]["calls"].as_array().into_iter().flatten();
    let landed = calls.filter(move |it| {
        let is_it = it["path"].as_str().is_some_and(|it| it.ends_with(path));
        it["method"] == method && it["status"] == 204 && is_it
    });
    landed.filter_map(|it| time(&it["at"]))
}

pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}
