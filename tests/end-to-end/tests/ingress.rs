//! Whatever reaches the address that Slack knows, and the buttons that only the page may press.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

use end_to_end::{ALICE, BOB, PROD, REQUESTS, Stint, signature};
use reqwest::Method;
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// A click of Bob on `approve`, as Slack writes it.
fn approval(request: &str, ts: &str) -> Value {
    json!({
        "type": "block_actions", "team": {"id": "T0SANDBOX"}, "api_app_id": "A0SANDBOX",
        "user": {"id": BOB, "team_id": "T0SANDBOX"}, "trigger_id": "1.1.forged",
        "channel": {"id": REQUESTS},
        "container": {"type": "message", "message_ts": ts, "channel_id": REQUESTS},
        "actions": [{
            "type": "button", "action_id": "approve", "block_id": "b", "value": request,
            "action_ts": "1.1",
        }],
    })
}

fn payload(interaction: &Value) -> Vec<u8> {
    let pairs = [("payload", interaction.to_string())];
    serde_urlencoded::to_string(pairs).unwrap().into_bytes()
}

/// Alice's pending request, and Bob's yes to it as Slack would send it.
async fn asked(stint: &Stint) -> (String, Vec<u8>) {
    let id = stint.ask(ALICE, "Prod", "1 hour").await.unwrap();
    let ts = stint.request(&id).await["card"]["ts"].clone();
    let body = payload(&approval(&id, ts.as_str().unwrap()));
    (id, body)
}

#[tokio::test]
async fn what_slack_did_not_sign_is_refused_and_what_it_signed_is_not() {
    let stint = Stint::start().await;
    let (id, body) = asked(&stint).await;
    let before = stint.state().await;
    let secret = before["slack"]["signing_secret"].as_str().unwrap();
    let now: jiff::Timestamp = before["now"].as_str().unwrap().parse().unwrap();
    let at = |age_s: i64| (now.as_second() - age_s).to_string();
    let right = signature(secret, &at(0), &body);
    let mut other = body.clone();
    other.push(b' ');

    let refused = [
        ("nothing", None, None),
        ("no signature", None, Some(at(0))),
        ("no time", Some(right.clone()), None),
        ("an empty signature", Some(String::new()), Some(at(0))),
        ("only the version", Some("v0=".to_owned()), Some(at(0))),
        (
            "another secret",
            Some(signature("x", &at(0), &body)),
            Some(at(0)),
        ),
        (
            "another body",
            Some(signature(secret, &at(0), &other)),
            Some(at(0)),
        ),
        ("another time", Some(right.clone()), Some(at(1))),
        (
            "another version",
            Some(right.replace("v0=", "v1=")),
            Some(at(0)),
        ),
        (
            "half a signature",
            Some(right[..40].to_owned()),
            Some(at(0)),
        ),
        (
            "two signatures",
            Some(format!("{right},{right}")),
            Some(at(0)),
        ),
        (
            "301 s old",
            Some(signature(secret, &at(301), &body)),
            Some(at(301)),
        ),
        (
            "301 s ahead",
            Some(signature(secret, &at(-301), &body)),
            Some(at(-301)),
        ),
        (
            "no number",
            Some(signature(secret, "now", &body)),
            Some("now".to_owned()),
        ),
        (
            "a time too large for a number",
            Some(signature(secret, "9223372036854775808", &body)),
            Some("9223372036854775808".to_owned()),
        ),
        (
            "the largest number",
            Some(signature(secret, "9223372036854775807", &body)),
            Some("9223372036854775807".to_owned()),
        ),
        (
            "the smallest number",
            Some(signature(secret, "-9223372036854775808", &body)),
            Some("-9223372036854775808".to_owned()),
        ),
    ];
    for (what, signature, timestamp) in refused {
        let mut headers = vec![("content-type", FORM.to_owned())];
        headers.extend(signature.map(|it| ("x-slack-signature", it)));
        headers.extend(timestamp.map(|it| ("x-slack-request-timestamp", it)));
        let (status, answer) = stint
            .send(Method::POST, "/slack/events", &headers, body.clone())
            .await;
        assert_eq!((status, answer.as_str()), (401, ""), "{what}");
    }
    // Nothing was parsed either: what makes no sense at all is refused for its signature.
    let (status, _) = stint
        .send(Method::POST, "/slack/events", &[], b"\xff\xfe{".to_vec())
        .await;
    assert_eq!(status, 401);
    assert_eq!(stint.standing(&id).await, "pending");
    assert_eq!(stint.okta_calls("PUT").await, Vec::<Value>::new());

    assert_eq!(stint.signed(FORM, &body, 299).await.0, 200);
    assert_eq!(stint.standing(&id).await, "active");
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_answered_400_and_one_too_long_413() {
    let stint = Stint::start().await;
    let deep = format!("payload={}", "[".repeat(100_000));
    let deep_json = "[".repeat(100_000);
    let many = "a=b&".repeat(100_000);
    let bad: [(&str, &[u8]); 17] = [
        (JSON, b""),
        (JSON, b"{"),
        (JSON, b"null"),
        (JSON, b"[]"),
        (JSON, b"{\"type\":7}"),
        (JSON, b"\xff\xfe"),
        (JSON, deep_json.as_bytes()),
        (JSON, br#"{"type":"event_callback"}"#),
        (FORM, b""),
        (FORM, b"payload="),
        (FORM, b"payload=%ff%fe"),
        (FORM, b"payload={\"type\":\"block_actions\"}"),
        (FORM, b"payload=%7B%22type%22%3A%22view_submission%22%2C%22user%22%3A%7B%22id%22%3A%22U02BOB%22%7D%7D"),
        (FORM, deep.as_bytes()),
        (FORM, many.as_bytes()),
        ("text/plain", b"payload={}"),
        ("", b"payload={}"),
    ];
    for (content_type, body) in bad {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let (status, answer) = stint.signed(content_type, body, 0).await;
        assert_eq!(
            (status, answer.as_str()),
            (400, ""),
            "{content_type}: {shown}"
        );
    }
    // As JSON it would be a form, and the other way round.
    let event = json!({"type": "event_callback", "event_id": "Ev1", "event": {"type": "x"}});
    let event = event.to_string();
    assert_eq!(stint.signed(FORM, event.as_bytes(), 0).await.0, 400);
    let long = vec![b' '; 700_001];
    for content_type in [FORM, JSON] {
        assert_eq!(stint.signed(content_type, &long, 0).await.0, 413);
    }
    assert_eq!(stint.signed(JSON, event.as_bytes(), 0).await.0, 200);
}

#[tokio::test]
async fn what_nobody_handles_is_taken_and_changes_nothing() {
    let stint = Stint::start().await;
    let (id, _) = asked(&stint).await;
    let before = stint.state().await;
    let by_bob = |kind: &str, more: Value| {
        let mut all = json!({
            "type": kind, "team": {"id": "T0SANDBOX"}, "trigger_id": "1.1.x",
            "user": {"id": BOB, "team_id": "T0SANDBOX"},
        });
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    let press = |actions: Value| by_bob("block_actions", json!({"actions": actions}));
    let view = |callback_id: &str| {
        json!({"view": {"id": "V1", "type": "modal",
        "callback_id": callback_id, "private_metadata": "{}", "blocks": [], "state": {"values": {}}}})
    };
    let interactions = [
        json!({"type": "workflow_step_edit"}),
        by_bob("shortcut", json!({"callback_id": "another"})),
        by_bob("message_action", json!({"callback_id": "request"})),
        press(json!([])),
        press(json!([{"type": "button", "action_id": "another", "value": id}])),
        press(json!([{"type": "button", "action_id": ""}])),
        by_bob("view_submission", view("another")),
        by_bob("view_closed", view("request")),
    ];
    for interaction in interactions {
        let (status, answer) = stint.signed(FORM, &payload(&interaction), 0).await;
        assert_eq!((status, answer.as_str()), (200, ""), "{interaction}");
    }
    let asks = by_bob(
        "block_suggestion",
        json!({"action_id": "x", "block_id": "x", "value": ""}),
    );
    let (status, answer) = stint.signed(FORM, &payload(&asks), 0).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, answer), (200, json!({"options": []})));
    for event in [
        json!({"type": "event_callback", "event_id": "Ev1", "event": {"type": "reaction_added"}}),
        json!({"type": "app_rate_limited", "minute_rate_limited": 1}),
        json!({"type": "something_new"}),
    ] {
        let (status, _) = stint.signed(JSON, event.to_string().as_bytes(), 0).await;
        assert_eq!(status, 200, "{event}");
    }
    let hello = json!({"type": "url_verification", "challenge": "3eZbrw1a"});
    let (status, answer) = stint.signed(JSON, hello.to_string().as_bytes(), 0).await;
    assert_eq!(status, 200);
    assert!(answer.contains("3eZbrw1a"), "{answer}");
    assert_eq!(stint.signed(FORM, b"ssl_check=1&token=x", 0).await.0, 200);

    let after = stint.state().await;
    for what in ["requests", "audit", "handoffs"] {
        assert_eq!(before[what], after[what]);
    }
    assert_eq!(before["slack"]["channels"], after["slack"]["channels"]);
}

#[tokio::test]
async fn only_post_to_the_one_path_reaches_the_ingress() {
    let stint = Stint::start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let (status, _) = stint
            .send(method.clone(), "/slack/events", &[], vec![])
            .await;
        assert_eq!(status, 405, "{method}");
    }
    let (status, _) = stint.send(Method::POST, "/slack/other", &[], vec![]).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn nobody_but_the_page_and_programs_on_this_machine_presses_the_sandboxs_buttons() {
    let stint = Stint::start().await;
    let json_type = || ("content-type", JSON.to_owned());
    let add = json!({"group": PROD, "add": "00u1alice"}).to_string();
    let attempts = [
        (
            "another host",
            vec![json_type(), ("host", "evil.example".to_owned())],
            "host",
        ),
        (
            "no port",
            vec![json_type(), ("host", "localhost".to_owned())],
            "host",
        ),
        (
            "another page",
            vec![json_type(), ("origin", "https://evil.example".to_owned())],
            "page",
        ),
        (
            "a file",
            vec![json_type(), ("origin", "null".to_owned())],
            "page",
        ),
        (
            "another port",
            vec![json_type(), ("origin", "http://127.0.0.1:1".to_owned())],
            "page",
        ),
        (
            "a form",
            vec![("content-type", FORM.to_owned())],
            "content type",
        ),
        (
            "plain text",
            vec![("content-type", "text/plain".to_owned())],
            "content type",
        ),
        ("no type", vec![], "content type"),
    ];
    for (what, headers, why) in attempts {
        let body = add.clone().into_bytes();
        let (status, answer) = stint
            .send(Method::POST, "/sandbox/okta", &headers, body)
            .await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(status, 403, "{what}: {answer}");
        assert!(
            answer["error"].as_str().unwrap().contains(why),
            "{what}: {answer}"
        );
        assert!(
            !answer["hint"].as_str().unwrap().is_empty(),
            "{what}: {answer}"
        );
    }
    // Reading is protected too.
    let headers = [("host", "evil.example".to_owned())];
    let (status, _) = stint
        .send(Method::GET, "/sandbox/state", &headers, vec![])
        .await;
    assert_eq!(status, 403);
    assert!(!stint.is_member("alice", PROD).await);
}

#[tokio::test]
async fn nonsense_to_the_sandbox_is_answered_with_what_is_wrong_and_what_to_send() {
    let stint = Stint::start().await;
    let nonsense = [
        ("slack", json!({"user": ALICE})),
        ("slack", json!({"user": "U99", "command": "/access"})),
        (
            "slack",
            json!({"user": ALICE, "command": "/access", "open_home": true}),
        ),
        ("slack", json!({"user": ALICE, "command": "access"})),
        ("slack", json!({"user": ALICE, "comand": "/access"})),
        (
            "slack",
            json!({"user": ALICE, "submit": {"view_id": "V1", "values": {}}}),
        ),
        (
            "slack",
            json!({"user": ALICE, "click": {"action_id": "approve"}}),
        ),
        ("slack", json!([])),
        ("okta", json!({"group": PROD})),
        ("okta", json!({"group": "00g9", "add": "00u1alice"})),
        ("okta", json!({"group": PROD, "ad": "00u1alice"})),
        ("okta", json!({"credential": "lost"})),
        ("secret", json!({"token": "x"})),
        ("clock", json!({"advance_s": -1})),
        ("clock", json!({"advance_s": 1, "freeze": true})),
        ("clock", json!({"advance_s": u64::MAX})),
        ("clock", json!({})),
        (
            "faults",
            json!({"system": "okta", "match": "PUT /api/v1/groups"}),
        ),
        (
            "faults",
            json!({"system": "aws", "match": "S3.GetObject", "status": 500}),
        ),
        (
            "faults",
            json!({"system": "okta", "match": "PUT /", "status": 99}),
        ),
        (
            "faults",
            json!({"system": "okta", "match": "PUT /", "status": 500, "tims": 1}),
        ),
    ];
    for (what, body) in nonsense {
        let path = format!("/sandbox/{what}");
        let (status, answer) = stint.call(Method::POST, &path, Some(&body)).await;
        assert_eq!(status, 400, "{path} {body}: {answer}");
        for key in ["error", "hint"] {
            let text = answer[key].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{path} {body}: {answer}");
        }
    }
    let (status, answer) = stint.call(Method::GET, "/sandbox/other", None).await;
    assert_eq!(status, 404, "{answer}");
    let (status, answer) = stint.call(Method::GET, "/sandbox/slack", None).await;
    assert_eq!(status, 405, "{answer}");
}
