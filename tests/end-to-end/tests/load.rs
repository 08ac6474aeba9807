//! Far more grants end in one minute than Okta takes removals: everybody is out as soon as Okta's limit
//! lets them be, and whoever asks meanwhile is told to wait.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use std::path::Path;

use access::{Loaded, Membership, MembershipChange, Request, Transition};
use end_to_end::{ALICE, BOB, CAROL, DECIDING, PROD, STAGING, Stint, buttons, words};
use jiff::{SignedDuration, Timestamp, ToSpan};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How long the crowd has access, in seconds.
const GRANT_S: i64 = 3600;

/// How many grants are put into the table at once.
const AT_ONCE: usize = 16;

/// For how many minutes after its approval a request is tried.
const ESCALATION_MIN: u32 = 15;

/// How much longer than Okta's limit makes it the removals may take.
const SLACK: f64 = 1.1;

/// How often Okta may refuse one removal because of its limits: a function that was just started does not
/// know them.
const REFUSED_AT_MOST: u64 = 5;

#[derive(Clone, Copy)]
struct Scenario {
    grants: u32,
    /// How many changes of memberships Okta takes in a minute.
    limit: u32,
    /// Whether each grant has the schedule that was made for its end. Sweeps alone must do as well.
    schedules: bool,
}

#[tokio::test]
async fn a_thousand_end_in_a_minute_and_okta_takes_fifty_a_minute() {
    let scenario = Scenario {
        grants: 1000,
        limit: 50,
        schedules: true,
    };
    keep(&run(scenario).await);
}

#[tokio::test]
async fn the_sweeps_alone_do_as_well() {
    let scenario = Scenario {
        grants: 200,
        limit: 50,
        schedules: false,
    };
    run(scenario).await;
}

#[tokio::test]
#[ignore = "takes long: the same with ten thousand grants, and Okta's usual limit"]
async fn ten_thousand_end_in_a_minute_and_okta_takes_five_hundred_a_minute() {
    let scenario = Scenario {
        grants: 10_000,
        limit: 500,
        schedules: true,
    };
    println!("{}", run(scenario).await);
}

/// What became of it, as a line of proof.
async fn run(scenario: Scenario) -> Value {
    let Scenario {
        grants,
        limit,
        schedules,
    } = scenario;
    let by_limit = grants.div_ceil(limit);
    let mut stint = Stint::start().await;
    let now = time(&stint.advance(0).await["now"]);
    let first_end = Timestamp::from_second((now.as_second() / 60 + 4) * 60).unwrap();
    fill(&stint, grants, first_end).await;
    if schedules {
        stint
            .start_again_with("schedules.json", &all_schedules(grants, first_end))
            .await;
    }
    let limits = json!({"memberships": limit, "at_once": 35, "takes_ms": 20});
    stint
        .post("okta", json!({"crowd": grants, "group": STAGING}))
        .await;
    stint.post("okta", json!({ "limits": limits })).await;

    let until_end = first_end.duration_since(time(&stint.advance(0).await["now"]));
    stint.advance(until_end.as_secs().try_into().unwrap()).await;
    assert!(is_anybody_in(&stint).await, "nobody is out before the end");
    // In a short while nobody learns what it is to wait.
    let mut waiting = (by_limit > ESCALATION_MIN + 2).then(Waiting::default);
    for minute in 0..by_limit * 2 {
        if !is_anybody_in(&stint).await {
            break;
        }
        // Halfway through a minute, when Okta takes no more.
        stint.advance(30).await;
        if let Some(waiting) = &mut waiting {
            waiting.go_on(&stint, minute, by_limit).await;
        }
        stint.advance(30).await;
    }
    assert!(!is_anybody_in(&stint).await, "somebody is still in");
    let okta = stint.state().await["okta"].take();
    let mut calls = okta["calls"].as_array().unwrap().iter();
    let done = calls.rfind(|it| it["method"] == "DELETE" && it["status"] == 204);
    let minutes = minutes_between(first_end, time(&done.unwrap()["at"]));
    let traffic = &okta["traffic"];
    eprintln!("{grants} at {limit} a minute: {minutes:.1} minutes, {traffic}");
    stint.advance(180).await;
    if let Some(waiting) = &waiting {
        waiting.end(&stint).await;
    }

    let state = stint.state().await;
    let crowd = state["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["okta_user"].as_str().is_some_and(is_of_crowd));
    let over = crowd.filter(|it| it["state"] == "ended" && it["why"] == "elapsed");
    assert_eq!(over.count(), usize::try_from(grants).unwrap());
    let schedules = state["schedules"].as_array().unwrap().iter();
    let of_crowd = schedules.filter(|it| {
        it["request"]
            .as_str()
            .is_some_and(|id| id.starts_with("crowd"))
    });
    assert_eq!(of_crowd.count(), 0, "no schedule of theirs is left");
    let refused_at_most = traffic["one_removal_refused_at_most"].as_u64().unwrap();
    assert!(refused_at_most <= REFUSED_AT_MOST, "{traffic}");
    assert!(
        minutes <= f64::from(by_limit) * SLACK,
        "{minutes} minutes, {traffic}"
    );
    json!({
        "check": "load", "scenario": format!("{grants} grants at {limit} a minute"),
        "calls": traffic["answers"], "at_once": traffic["most_at_once"], "runs": 1, "violations": 0,
        "minutes_by_limit": by_limit, "minutes": (minutes * 10.0).round() / 10.0,
        "refused_at_most": refused_at_most,
    })
}

/// Two people who ask while the removals are under way.
#[derive(Default)]
struct Waiting {
    alice: Option<String>,
    bob: Option<String>,
}

impl Waiting {
    /// Alice is approved at the beginning, and removals go on for longer than an approval lasts; Bob is
    /// approved when they do not.
    async fn go_on(&mut self, stint: &Stint, minute: u32, by_limit: u32) {
        if minute == 1 {
            let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
            stint.press(BOB, "approve", &id).await;
            self.alice = Some(id);
        }
        if minute == by_limit / 2 {
            let id = stint.ask(BOB, "Prod", "1 hour").await.unwrap();
            stint.press(CAROL, "approve", &id).await;
            self.bob = Some(id);
        }
        if minute == by_limit / 2 + 2 {
            for id in self.alice.iter().chain(&self.bob) {
                told_to_wait(stint, id).await;
            }
        }
    }

    /// Bob got in, and Alice waits for another yes.
    async fn end(&self, stint: &Stint) {
        let (alice, bob) = (self.alice.clone().unwrap(), self.bob.clone().unwrap());
        assert!(stint.is_member("bob", PROD).await);
        assert_eq!(stint.standing(&bob).await, "active");
        assert_eq!(stint.standing(&alice).await, "pending");
        assert_eq!(buttons(&stint.card(&alice).await), DECIDING);
        assert!(stint.heard(ALICE).await.contains("approve it again"));
    }
}

async fn told_to_wait(stint: &Stint, id: &str) {
    let state = stint.standing(id).await;
    let card = words(&stint.card(id).await);
    assert!(
        ["approved", "escalating"].contains(&state.as_str()),
        "{state}"
    );
    assert!(card.contains("it is tried again by itself"), "{card}");
}

/// Puts grants into the table that end one after the other, within a minute from `first_end` on.
async fn fill(stint: &Stint, grants: u32, first_end: Timestamp) {
    let mut writing = JoinSet::new();
    for number in 0..grants {
        let (table, end) = (stint.table().clone(), end_of(number, grants, first_end));
        writing.spawn(async move {
            let start = end - SignedDuration::from_secs(GRANT_S);
            let (request, item) = grant(number, start, end);
            let step = Transition {
                request: Some(request),
                membership: MembershipChange::Put(item),
                ..Transition::default()
            };
            table.commit(&Loaded::default(), &step, start).await
        });
        if writing.len() >= AT_ONCE {
            writing.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    while let Some(written) = writing.join_next().await {
        written.unwrap().unwrap();
    }
}

/// An active grant of one of the crowd, who is nobody in Slack.
fn grant(number: u32, start: Timestamp, end: Timestamp) -> (Request, Membership) {
    let (org, user, group) = (local::OKTA_ORG, user(number), STAGING);
    let request = json!({
        "id": id(number), "version": 3, "flow": "okta", "flow_label": "Okta Access",
        "label": "Staging", "org": org, "group": group, "max_duration_s": GRANT_S,
        "error_channel": "#sym-errors", "notify": [], "fields": {},
        "requester": {"slack": format!("U8CROWD{number:05}"), "okta": user, "email": null},
        "duration_s": GRANT_S, "reason": "one of many", "state": "active", "why": null,
        "trouble": null, "approvals": [], "undone": [], "approvals_needed": 1, "decision": null,
        "requested_at": start, "expires_at": end, "approved_at": start, "starts_at": start,
        "ends_at": end, "over_at": null, "closed_at": null, "attempts": 1, "uncertain": 1,
        "extends": null, "chain_s": 0, "face": 1, "cards": [], "owed": [], "drive_at": end,
        "surfaces_at": null, "surfaces_tries": 0,
    });
    let item = json!({
        "key": {"org": org, "user": user, "group": group}, "version": format!("stamp{number}"),
        "holders": [id(number)], "ours": true, "agreed": true, "calls": [], "removed_at": null,
        "due_at": null, "tries": 0,
    });
    (
        serde_json::from_value(request).unwrap(),
        serde_json::from_value(item).unwrap(),
    )
}

/// The schedules that were made when the grants began, as the local run keeps them.
fn all_schedules(grants: u32, first_end: Timestamp) -> Value {
    let all = (0..grants).map(|number| {
        let schedule = json!({
            "at": end_of(number, grants, first_end), "function": "deescalation",
            "input": {"v": 1, "request": id(number)}, "client_token": null, "request": {},
        });
        (format!("{}-1", id(number)), schedule)
    });
    Value::Object(all.collect())
}

fn id(number: u32) -> String {
    format!("crowd{number:05}")
}

fn user(number: u32) -> String {
    format!("00u8crowd{number:05}")
}

fn is_of_crowd(user: &str) -> bool {
    user.starts_with("00u8crowd")
}

fn end_of(number: u32, grants: u32, first_end: Timestamp) -> Timestamp {
    first_end
        + (u64::from(number) * 60 / u64::from(grants))
            .cast_signed()
            .seconds()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn minutes_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 60.0
}

async fn is_anybody_in(stint: &Stint) -> bool {
    let path = format!("/okta/api/v1/groups/{STAGING}/users?limit=1");
    let token = ("authorization", format!("SSWS {}", local::OKTA_API_TOKEN));
    let (status, text) = stint.send(Method::GET, &path, &[token], Vec::new()).await;
    assert_eq!(status, 200, "{text}");
    text != "[]"
}

/// Writes down what was seen, for whoever gathers proof.
fn keep(line: &Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/proof");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("load.json"), format!("{line}\n")).expect("a file");
}
