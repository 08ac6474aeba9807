//! The local run as scripts and tests meet it: through HTTP.

use std::time::Duration;

use access::RequestId;
use aws::Scheduling as _;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::functions::{Function, Places};
use crate::{Error, OKTA_ORG, Options, Running, SLACK_BOT_TOKEN, start};

/// A local run in a folder of its own.
struct Local {
    running: Running,
    folder: TempDir,
    client: Client,
}

impl Local {
    /// A new one whose time stands still.
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let local = Self {
            running: run(&folder).await,
            folder,
            client: client(),
        };
        local.post("clock", json!({"freeze": true})).await;
        local
    }

    /// Kills it and starts it again, after `meanwhile`.
    async fn again(self, meanwhile: SignedDuration) -> Self {
        self.running.stop().await;
        let path = self.folder.path().join("clock.json");
        let mut clock: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let frozen_at: Timestamp = clock["frozen_at"].as_str().unwrap().parse().unwrap();
        clock["frozen_at"] = json!(frozen_at + meanwhile);
        std::fs::write(&path, clock.to_string()).unwrap();
        Self {
            running: run(&self.folder).await,
            folder: self.folder,
            client: client(),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}/sandbox/{path}", self.running.url());
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, Some(body.clone())).await;
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer
    }

    async fn state(&self) -> Value {
        let (status, state) = self.ask(Method::GET, "state?settle=true", None).await;
        assert_eq!(status, 200, "{state}");
        state
    }

    async fn now(&self) -> Timestamp {
        let state = self.state().await;
        state["now"].as_str().unwrap().parse().unwrap()
    }

    async fn advance(&self, seconds: u64) -> Value {
        self.post("clock", json!({"advance_s": seconds})).await
    }

    fn config(&self, function: Function) -> aws::Config {
        let places: &Places = self.running.places.as_ref().unwrap();
        places.of(function)
    }

    /// Has the item of the request `id` carry the schema version `v`.
    async fn set_version(&self, id: &str, v: &str) {
        let client = aws_sdk_dynamodb::Client::new(&self.config(Function::Approval).sdk);
        let pk = AttributeValue::S(format!("request#{id}"));
        let update = client
            .update_item()
            .table_name(crate::stack::TABLE)
            .key("pk", pk)
            .key("sk", AttributeValue::S("request".to_owned()))
            .update_expression("SET v = :v")
            .expression_attribute_values(":v", AttributeValue::N(v.to_owned()));
        update.send().await.unwrap();
    }

    /// Schedules a call of `deescalation` as `escalation` does.
    async fn schedule(&self, name: &str, after_s: i64) {
        let at = self.now().await + SignedDuration::from_secs(after_s);
        let schedules = aws::Schedules::new(&self.config(Function::Escalation));
        let created = schedules.create(name, at, &RequestId::new("T-V")).await;
        created.unwrap();
    }

    /// Has one method of Slack's Web API called past the SDK and its retries.
    async fn say(&self, text: &str) -> reqwest::Result<Value> {
        let url = format!("{}/slack/api/chat.postMessage", self.running.url());
        let said = json!({"channel": "#general", "text": text});
        let request = self.client.post(url).bearer_auth(SLACK_BOT_TOKEN);
        request.json(&said).send().await?.json().await
    }

    /// Alice asks for `target`; the request's id.
    async fn ask_for(&self, target: &str) -> Value {
        let opens = json!({"user": "U01ALICE", "command": "/access"});
        let view = self.post("slack", opens).await["view"]["id"].clone();
        let values = json!({"target": target, "reason": "INC-42", "duration": "30 minutes"});
        let submit = json!({"view_id": view, "values": values});
        let sends = json!({"user": "U01ALICE", "submit": submit});
        self.post("slack", sends).await;
        self.state().await["requests"][0]["id"].clone()
    }

    /// Bob presses `action` on the card of the only request.
    async fn press(&self, action: &str) {
        let card = self.state().await["requests"][0]["card"].clone();
        let click = json!({"channel": card["channel"], "ts": card["ts"], "action_id": action});
        let pressed = json!({"user": "U02BOB", "click": click});
        self.post("slack", pressed).await;
    }

    async fn said(&self) -> Vec<String> {
        let state = self.state().await;
        let messages = state["slack"]["channels"]["C03GENERAL"]["messages"].as_array();
        let texts = messages.into_iter().flatten();
        texts
            .map(|it| it["text"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Everything that happens shows in one of these.
fn nothing_moved(state: &Value, before: &Value) {
    for what in [
        "requests",
        "memberships",
        "audit",
        "schedules",
        "slack",
        "okta",
    ] {
        assert_eq!(state[what], before[what], "{what}");
    }
}

async fn run(folder: &TempDir) -> Running {
    start(options(folder)).await.unwrap()
}

fn options(folder: &TempDir) -> Options {
    Options {
        port: 0,
        data: folder.path().to_owned(),
        gate: None,
    }
}

fn client() -> Client {
    https::builder()
        .timeout(Duration::from_mins(2))
        .build()
        .unwrap()
}

#[tokio::test]
async fn schedules_fire_in_order_with_the_sweeps_between_them() {
    let local = Local::new().await;
    local.schedule("late", 100).await;
    local.schedule("early", 30).await;
    local.schedule("later-still", 500).await;
    let state = local.state().await;
    assert_eq!(state["schedules"].as_array().unwrap().len(), 3);
    assert_eq!(state["schedules"][0]["request"], "T-V");

    let start = local.now().await;
    let moved = local.advance(120).await;
    assert_eq!(moved["fired"], json!(["early", "late"]));
    assert_eq!(moved["sweeps"], 2);
    let now: Timestamp = moved["now"].as_str().unwrap().parse().unwrap();
    assert_eq!(now, start + SignedDuration::from_mins(2));

    let state = local.state().await;
    assert_eq!(state["schedules"][0]["name"], "later-still");
    assert_eq!(state["idle"], true);
    assert_eq!(state["now"], moved["now"], "time stands still again");
}

#[tokio::test]
async fn thirty_days_pass_with_every_sweep_counted() {
    let local = Local::new().await;
    local.schedule("in-ten-days", 10 * 24 * 60 * 60).await;
    let moved = local.advance(30 * 24 * 60 * 60).await;
    assert_eq!(moved["fired"], json!(["in-ten-days"]));
    assert_eq!(moved["sweeps"], 30 * 24 * 60);
}

#[tokio::test]
async fn two_moves_at_once_happen_one_after_the_other() {
    let local = Local::new().await;
    let start = local.now().await;
    tokio::join!(local.advance(3600), local.advance(60));
    assert_eq!(local.now().await, start + SignedDuration::from_secs(3660));
}

#[tokio::test]
async fn a_failed_hand_off_is_tried_twice_more_and_then_kept() {
    let local = Local::new().await;
    let fault = json!({"system": "aws", "match": "DynamoDB.GetItem", "status": 400, "times": 0});
    let fault = local.post("faults", fault).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    local.schedule("end", 10).await;

    local.advance(10).await;
    let state = local.state().await;
    assert_eq!(state["handoffs"], json!({"waiting": 1, "failed": []}));
    assert_eq!(state["idle"], true, "it waits for the clock");

    local.advance(60 + 119).await;
    assert_eq!(local.state().await["handoffs"]["waiting"], 1);
    local.advance(1).await;
    let handoffs = local.state().await["handoffs"].clone();
    assert_eq!(handoffs["waiting"], 0);
    assert_eq!(handoffs["failed"][0]["function"], "deescalation");
    assert_eq!(handoffs["failed"][0]["attempts"], 3);
    assert_eq!(
        handoffs["failed"][0]["event"],
        json!({"v": 1, "request": "T-V"})
    );

    local.schedule("again", 10).await;
    local.advance(10).await;
    assert_eq!(local.state().await["handoffs"]["waiting"], 1);
    let (status, _) = local
        .ask(Method::DELETE, &format!("faults/{fault}"), None)
        .await;
    assert_eq!(status, 200);
    local.advance(60).await;
    let handoffs = local.state().await["handoffs"].clone();
    assert_eq!(handoffs["waiting"], 0);
    assert_eq!(handoffs["failed"].as_array().unwrap().len(), 1);

    let local = local.again(SignedDuration::ZERO).await;
    assert_eq!(local.state().await["handoffs"], handoffs);
}

#[tokio::test]
async fn what_came_due_while_nothing_ran_happens_at_once() {
    let local = Local::new().await;
    local.advance(12_345).await;
    local.schedule("passed", 30).await;
    local.schedule("to-come", 90).await;
    let then = local.now().await;
    local.post("secret", Value::Null).await;

    let local = local.again(SignedDuration::from_mins(1)).await;
    assert_eq!(local.now().await, then + SignedDuration::from_mins(1));
    let state = local.state().await;
    assert_eq!(state["frozen"], true);
    assert_eq!(state["secret"], "empty");
    assert_eq!(state["schedules"].as_array().unwrap().len(), 1);
    assert_eq!(state["schedules"][0]["name"], "to-come");
}

#[tokio::test]
async fn time_flows_unless_it_is_stopped() {
    let local = Local::new().await;
    let stopped = local.now().await;
    assert_eq!(local.now().await, stopped);
    local.schedule("soon", 1).await;
    local.post("clock", json!({"freeze": false})).await;
    while local.state().await["schedules"] != json!([]) {
        tokio::task::yield_now().await;
    }
    assert!(local.now().await > stopped);
}

#[tokio::test]
async fn a_call_is_lost_before_or_after_it_takes_effect() {
    let local = Local::new().await;
    assert_eq!(local.say("one").await.unwrap()["ok"], true);

    let lost = |when: &str| json!({"system": "slack", "match": "chat.postMessage", "drop": when, "times": 1});
    local.post("faults", lost("before")).await;
    assert!(local.say("two").await.is_err());
    assert_eq!(local.said().await, ["one"]);

    local.post("faults", lost("after")).await;
    assert_eq!(local.state().await["faults"][0]["left"], 1);
    assert!(local.say("three").await.is_err());
    assert_eq!(local.said().await, ["one", "three"]);
    assert_eq!(local.state().await["faults"], json!([]));

    let broken = json!({
        "system": "slack", "match": "chat.postMessage", "status": 429, "times": 0,
        "headers": {"retry-after": 7},
    });
    local.post("faults", broken).await;
    assert_eq!(local.say("four").await.unwrap()["error"], "ratelimited");
    local.ask(Method::DELETE, "faults", None).await;
    assert_eq!(local.say("five").await.unwrap()["ok"], true);
}

#[tokio::test]
async fn each_function_may_do_what_its_role_may() {
    let local = Local::new().await;
    let ingress = aws::Table::new(&local.config(Function::SlackIngress));
    let refused = ingress.request(&RequestId::new("T-V")).await.unwrap_err();
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");

    let clock = std::sync::Arc::new(aws::SystemClock);
    let connector = |function| aws::Connector::new(&local.config(function), clock.clone());
    let refused = connector(Function::SlackIngress)
        .okta_token()
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");
    connector(Function::Approval).okta_token().await.unwrap();

    let now = local.now().await;
    let schedules = aws::Schedules::new(&local.config(Function::Approval));
    let refused = schedules
        .create("mine", now, &RequestId::new("T-V"))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");

    let handoffs = aws::Handoffs::new(&local.config(Function::SlackIngress));
    let refused = handoffs
        .hand(aws::Function::Escalation, &json!({}))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");
}

#[tokio::test]
async fn other_web_pages_cannot_press_its_buttons() {
    let local = Local::new().await;
    let url = format!("{}/sandbox/clock", local.running.url());
    let post = || local.client.post(&url).body(r#"{"freeze":false}"#);
    let json = ("content-type", "application/json");
    let own = local.running.url();
    let cases = [
        (post(), 403),
        (post().header("content-type", "text/plain"), 403),
        (
            post().header(json.0, json.1).header("host", "evil.example"),
            403,
        ),
        (
            post()
                .header(json.0, json.1)
                .header("origin", "http://evil.example"),
            403,
        ),
        (post().header(json.0, json.1).header("origin", "null"), 403),
        (post().header(json.0, json.1).header("origin", own), 200),
        (
            post().header(json.0, "application/json; charset=utf-8"),
            200,
        ),
    ];
    for (request, status) in cases {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
    let state = format!("{}/sandbox/state", local.running.url());
    let read = local.client.get(state).header("host", "evil.example:80");
    assert_eq!(read.send().await.unwrap().status().as_u16(), 403);
    let page = local.client.get(local.running.url()).send().await.unwrap();
    assert_eq!(page.headers()["x-frame-options"], "DENY");
}

#[tokio::test]
async fn nonsense_is_answered_with_what_to_send() {
    let local = Local::new().await;
    let cases = [
        (Method::POST, "clock", Some(json!({})), 400),
        (Method::POST, "clock", Some(json!({"advance_s": -1})), 400),
        (
            Method::POST,
            "clock",
            Some(json!({"advance_s": 1_000_000_000_000_000_000_u64})),
            400,
        ),
        (
            Method::POST,
            "clock",
            Some(json!({"advance_s": 1, "freeze": true})),
            400,
        ),
        (Method::POST, "clock", Some(json!({"advance": 1})), 400),
        (Method::POST, "secret", Some(json!({"token": "x"})), 400),
        (Method::POST, "okta", Some(json!({"nobody": 1})), 400),
        (Method::POST, "slack", Some(json!({"user": "U99"})), 400),
        (
            Method::POST,
            "faults",
            Some(json!({"system": "moon", "match": "x"})),
            400,
        ),
        (
            Method::POST,
            "faults",
            Some(json!({"system": "okta", "match": "GET /"})),
            400,
        ),
        (Method::DELETE, "faults/f99", None, 400),
        (Method::GET, "state?settled=true", None, 400),
        (Method::GET, "nothing", None, 404),
        (Method::GET, "clock", None, 405),
    ];
    for (method, path, body, status) in cases {
        let asked = format!("{method} {path} {body:?}");
        let (answered, answer) = local.ask(method, path, body).await;
        assert_eq!(answered, status, "{asked}: {answer}");
        assert!(
            answer["error"].is_string() && answer["hint"].is_string(),
            "{asked}: {answer}"
        );
    }
}

#[tokio::test]
async fn what_slack_did_not_sign_is_refused() {
    let local = Local::new().await;
    let url = format!("{}/slack/events", local.running.url());
    let unsigned = local.client.post(&url).body("command=%2Faccess");
    assert_eq!(unsigned.send().await.unwrap().status().as_u16(), 401);
    let other = local.client.get(&url).send().await.unwrap();
    assert_eq!(other.status().as_u16(), 405);
}

#[tokio::test]
async fn somebody_asks_somebody_approves_and_time_goes_by() {
    let local = Local::new().await;
    let opened = local
        .post(
            "slack",
            json!({"user": "U01ALICE", "command": "/access prod 1h INC-42"}),
        )
        .await;
    let view = &opened["view"]["id"];
    let values = json!({"target": "Prod", "reason": "INC-42", "duration": "30 minutes"});
    local
        .post(
            "slack",
            json!({"user": "U01ALICE", "submit": {"view_id": view, "values": values}}),
        )
        .await;
    let request = local.state().await["requests"][0].clone();
    assert_eq!(request["state"], "pending");
    assert_eq!(request["okta_user"], "00u1alice");

    let click = json!({
        "channel": request["card"]["channel"], "ts": request["card"]["ts"], "action_id": "approve",
    });
    local
        .post("slack", json!({"user": "U02BOB", "click": click}))
        .await;
    let state = local.state().await;
    assert_eq!(
        state["requests"][0]["state"], "active",
        "{}",
        state["requests"][0]
    );
    assert_eq!(state["requests"][0]["approvals"][0]["user"], "U02BOB");
    assert_eq!(state["memberships"][0]["holders"], json!([request["id"]]));
    assert_eq!(state["memberships"][0]["ours"], true);
    let members = |state: &Value| {
        let members = state["okta"]["groups"]["00g2prodadmins"]["members"].clone();
        members.as_array().unwrap().contains(&json!("00u1alice"))
    };
    assert!(members(&state));
    assert_eq!(state["schedules"][0]["request"], request["id"]);

    let local = local.again(SignedDuration::ZERO).await;
    let moved = local.advance(29 * 60).await;
    assert_eq!(moved["fired"], json!([]));
    assert!(members(&local.state().await), "a minute is left");
    local.advance(60).await;
    let state = local.state().await;
    assert!(!members(&state));
    assert_eq!(state["requests"][0]["state"], "ended");
    assert_eq!(state["requests"][0]["why"], "elapsed");
    assert_eq!(state["audit"][0]["v"], 1);
    local.advance(600).await;
    assert_eq!(local.state().await["memberships"], json!([]));
}

#[tokio::test]
async fn whoever_wakes_a_function_does_not_say_what_it_does() {
    let local = Local::new().await;
    let approval = aws::Handoffs::new(&local.config(Function::Approval));
    let pending = local.ask_for("Prod").await;
    let wakes = [
        json!({"v": 1, "request": pending}),
        json!({"v": 1, "request": "T-V"}),
        json!({"v": 1, "request": pending, "state": "approved"}),
        json!({"v": 1, "request": pending, "user": "00u1alice", "group": "00g2prodadmins"}),
        json!({"v": 2, "request": pending}),
        json!({"v": "1", "request": pending}),
        json!({"v": 1, "request": [pending]}),
        json!({"v": 1, "sweep": true, "request": pending}),
        json!({"request": pending}),
        json!({}),
        json!([]),
        json!("approved"),
    ];
    let before = local.state().await;
    for function in [aws::Function::Escalation, aws::Function::Deescalation] {
        for event in &wakes {
            approval.hand(function, event).await.unwrap();
        }
    }
    let state = local.state().await;
    for what in ["requests", "memberships", "audit", "schedules", "slack"] {
        assert_eq!(state[what], before[what], "{what}");
    }
    // What a function does not know it does not forget either: but for the first two, all of them are
    // tried again.
    let unknown = 2 * (wakes.len() - 2);
    assert_eq!(state["handoffs"], json!({"waiting": unknown, "failed": []}));
    assert_eq!(state["okta"]["groups"], before["okta"]["groups"]);

    // Nor does it end a grant before its end, or make another call for one that holds.
    local.press("approve").await;
    let active = local.state().await;
    assert_eq!(active["requests"][0]["state"], "active");
    for function in [aws::Function::Escalation, aws::Function::Deescalation] {
        for event in &wakes {
            approval.hand(function, event).await.unwrap();
        }
    }
    let state = local.state().await;
    nothing_moved(&state, &active);

    // Nor does it give again what has ended.
    local.press("revoke").await;
    let ended = local.state().await;
    assert_eq!(ended["requests"][0]["state"], "ended");
    for event in &wakes {
        let woken = approval.hand(aws::Function::Escalation, event);
        woken.await.unwrap();
    }
    let state = local.state().await;
    nothing_moved(&state, &ended);
}

#[tokio::test]
async fn an_event_of_another_version_fails_loudly_and_is_kept() {
    let local = Local::new().await;
    let approval = aws::Handoffs::new(&local.config(Function::Approval));
    let ingress = aws::Handoffs::new(&local.config(Function::SlackIngress));
    let (next, none) = (json!({"v": 2, "x": 1}), json!({"key1": "value1"}));
    let home = json!({"v": 1, "home": ["U01ALICE"]});
    for event in [&next, &none] {
        for function in [aws::Function::Escalation, aws::Function::Deescalation] {
            approval.hand(function, event).await.unwrap();
        }
    }
    for event in [&next, &none, &home] {
        let handed = ingress.hand(aws::Function::Approval, event).await;
        handed.unwrap();
    }
    local.advance(60 + 120 + 60 + 120).await;
    let handoffs = local.state().await["handoffs"].clone();
    assert_eq!(handoffs["waiting"], 0);
    let failed = handoffs["failed"].as_array().unwrap();
    let kept = |function: &str, event: &Value, said: &str| {
        let kept = failed.iter().any(|it| {
            it["function"] == function
                && it["event"] == *event
                && it["error"].as_str().unwrap().contains(said)
        });
        assert!(kept, "{function}, {event}, {said}: {handoffs:#}");
    };
    for function in ["escalation", "deescalation", "approval"] {
        kept(
            function,
            &next,
            "an event has version 2, and this code knows only version 1",
        );
        kept(function, &none, "an event has version none");
    }
    kept("approval", &home, "an event of version 1 cannot be read");
    // approval was told of its own three once each, failed again, and there is an end to it.
    let told = |it: &&Value| it["event"]["Records"].is_array();
    assert_eq!(failed.iter().filter(told).count(), 3);
    assert_eq!(failed.len(), 2 * 2 + 3 + 3);
}

#[tokio::test]
async fn an_item_of_another_version_keeps_nobody_else_in() {
    let local = Local::new().await;
    let mut ids = Vec::new();
    for target in ["Prod", "Staging"] {
        let opens = json!({"user": "U01ALICE", "command": "/access"});
        let view = local.post("slack", opens).await["view"]["id"].clone();
        let values = json!({"target": target, "reason": "INC-42", "duration": "30 minutes"});
        let submit = json!({"view_id": view, "values": values});
        local
            .post("slack", json!({"user": "U01ALICE", "submit": submit}))
            .await;
        let state = local.state().await;
        let requests = state["requests"].as_array().unwrap().iter();
        let request = requests.clone().find(|it| it["label"] == target).unwrap();
        let (channel, ts) = (&request["card"]["channel"], &request["card"]["ts"]);
        let click = json!({"channel": channel, "ts": ts, "action_id": "approve"});
        local
            .post("slack", json!({"user": "U02BOB", "click": click}))
            .await;
        ids.push(request["id"].as_str().unwrap().to_owned());
    }
    let ends_at: Timestamp = {
        let state = local.state().await;
        state["requests"][1]["ends_at"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    local.set_version(&ids[0], "2").await;
    local.advance(30 * 60 + 90).await;
    local.set_version(&ids[0], "1").await;

    let state = local.state().await;
    let calls = state["okta"]["calls"].as_array().unwrap();
    let removed = |group: &str| {
        let path = format!("/api/v1/groups/{group}/users/00u1alice");
        let removal = |it: &&Value| it["method"] == "DELETE" && it["path"] == path;
        let removal = calls.iter().find(removal);
        removal.map(|it| it["at"].as_str().unwrap().parse::<Timestamp>().unwrap())
    };
    let at = removed("00g3stagingadmins").expect("the other one is removed");
    assert!(at <= ends_at + SignedDuration::from_secs(90), "{at}");
    // The sweeps that met it failed, and said which item that is.
    let said = "has schema version 2, and this code knows only version 1";
    let item = format!("item `request#{}/request` {said}", ids[0]);
    local.advance(400).await;
    let state = local.state().await;
    let failed = state["handoffs"]["failed"].to_string();
    assert!(
        failed.contains(&item) && failed.contains("sweep"),
        "{failed}"
    );
    // As soon as it is known again, it is driven like any other.
    assert_eq!(state["requests"][0]["state"], "ended");
    assert!(removed("00g2prodadmins").is_none(), "not before");
    let members = &state["okta"]["groups"]["00g2prodadmins"]["members"];
    assert!(!members.to_string().contains("00u1alice"), "{members}");
}

#[tokio::test]
async fn a_port_or_a_folder_that_is_in_use_is_refused() {
    let local = Local::new().await;
    let other = TempDir::new().unwrap();
    let port = local.running.address().port();
    let mut options = options(&other);
    options.port = port;
    let refused = start(options.clone()).await.unwrap_err();
    assert!(
        matches!(refused, Error::PortInUse { port: p } if p == port),
        "{refused}"
    );

    options.port = 0;
    options.data = local.folder.path().to_owned();
    let refused = start(options.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::FolderInUse { .. }), "{refused}");

    let Local {
        running, folder, ..
    } = local;
    running.stop().await;
    std::fs::write(folder.path().join("version.json"), r#"{"version":7}"#).unwrap();
    let refused = start(options.clone()).await.unwrap_err();
    assert!(
        matches!(refused, Error::OtherVersion { found: 7, .. }),
        "{refused}"
    );

    options.data = other.path().join("file");
    std::fs::write(&options.data, "").unwrap();
    let refused = start(options).await.unwrap_err();
    assert!(matches!(refused, Error::Folder { .. }), "{refused}");
}

#[test]
fn the_flows_file_that_it_starts_with_is_right() {
    let flows = access::flows::Flows::parse(include_str!("../flows.toml")).unwrap();
    assert_eq!(flows.slack_workspace_id, crate::slack::TEAM);
    assert_eq!(flows.okta_org.as_str(), OKTA_ORG);
    assert_eq!(flows.warnings, []);
}
