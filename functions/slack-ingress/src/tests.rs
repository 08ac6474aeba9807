use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use access::{Group, RequestId};
use aws::{Clock, Config, Signed};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_lambda_events::encodings::Body;
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response as HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};
use slack::form::Again;

use crate::{BODY_LIMIT, Deps, Request, handler};

/// The secret, the time, the body and the signature that Slack publishes as an example.
const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const THEN: i64 = 1_531_420_618;
const EXAMPLE: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const EXAMPLE_SIGNATURE: &str =
    "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

const FORM: &str = "application/x-www-form-urlencoded";

const HEAD: &str = "slack_workspace_id = \"T1DC2JH3J\"\nokta_org_domain = \"myco.okta.com\"\n";
const OKTA: &str = "
[[flow]]
name = \"okta\"
label = \"Okta Access\"
request_channel = \"#sym-requests\"
durations = [\"30m\", \"1h\", \"4h\"]
[[flow.target]]
label = \"Prod\"
group_id = \"00gprod\"
max_duration = \"1h\"
[[flow.target]]
label = \"Staging\"
group_id = \"00gstaging\"
";
const AWS: &str = "
[[flow]]
name = \"aws\"
label = \"AWS accounts\"
request_channel = \"#sym-requests\"
durations = [\"1h\"]
[[flow.target]]
label = \"Billing\"
group_id = \"00gbilling\"
";

#[derive(Debug)]
struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn sleep_until(&self, _: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {})
    }
}

/// What was asked for, and the body.
type Asked = (String, Vec<u8>);

/// Secrets Manager, Lambda and Slack on one address, and what each was asked.
#[derive(Clone, Default)]
struct Outside {
    asked: Arc<Mutex<Vec<Asked>>>,
    secret_is_missing: bool,
    lambda_refuses: bool,
    /// Whether Slack never answers.
    slack_hangs: bool,
    /// What Slack answers to the methods that begin with this.
    slack: Vec<(&'static str, Value)>,
}

async fn outside(
    State(outside): State<Outside>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResponse {
    let path = uri.path().to_owned();
    let target = headers.get("x-amz-target");
    let called = target.map_or(path.clone(), |it| it.to_str().unwrap().to_owned());
    outside
        .asked
        .lock()
        .unwrap()
        .push((called.clone(), body.to_vec()));
    if called == "secretsmanager.GetSecretValue" {
        if outside.secret_is_missing {
            let error = json!({"__type": "ResourceNotFoundException", "Message": "not there"});
            return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
        }
        let secret = json!({"slack_bot_token": "xoxb-1", "slack_signing_secret": SECRET});
        return json!({"Name": "slack", "SecretString": secret.to_string()})
            .to_string()
            .into_response();
    }
    if path.starts_with("/2015-03-31/functions/") {
        assert_eq!(headers["x-amz-invocation-type"], "Event");
        if outside.lambda_refuses {
            let kind = [("x-amzn-errortype", "AccessDeniedException")];
            let error = json!({"Message": "not authorized"}).to_string();
            return (StatusCode::FORBIDDEN, kind, error).into_response();
        }
        return StatusCode::ACCEPTED.into_response();
    }
    let method = path
        .strip_prefix("/slack/api/")
        .unwrap_or_else(|| panic!("{path}"));
    assert_eq!(headers["authorization"], "Bearer xoxb-1");
    if outside.slack_hangs {
        return std::future::pending().await;
    }
    let answer = outside
        .slack
        .iter()
        .find(|(name, _)| method.starts_with(name));
    let usual = json!({"ok": true, "view": {"id": "V1"}, "channel": "D1", "ts": "1.1"});
    answer
        .map_or(usual, |(_, answer)| answer.clone())
        .to_string()
        .into_response()
}

/// The function, and what is around it.
struct World {
    deps: Deps,
    outside: Outside,
    folder: tempfile::TempDir,
}

impl World {
    async fn with(flows: &str, outside_is: Outside) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(outside)
            .with_state(outside_is.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("flows.toml"), flows).unwrap();
        let clock = Arc::new(At(Timestamp::from_second(THEN).unwrap()));
        let deps = Deps::connect(&config(&base, folder.path().to_owned()), clock);
        Self {
            deps,
            outside: outside_is,
            folder,
        }
    }

    async fn new(flows: &[&str]) -> Self {
        Self::with(&(HEAD.to_owned() + &flows.concat()), Outside::default()).await
    }

    async fn refusing(method: &'static str, answer: Value) -> Self {
        let outside = Outside {
            slack: vec![(method, answer)],
            ..Outside::default()
        };
        Self::with(&[HEAD, OKTA].concat(), outside).await
    }

    async fn unable_to_hand_on() -> Self {
        let outside = Outside {
            lambda_refuses: true,
            ..Outside::default()
        };
        Self::with(&[HEAD, OKTA].concat(), outside).await
    }

    /// What is answered to `event`: the status, and the body as JSON where there is one.
    async fn send(&self, event: Request) -> (i64, Value) {
        let answer = handler(&self.deps, event).await.unwrap();
        let body = match answer.body {
            None => Value::Null,
            Some(Body::Text(text)) => {
                let kind = answer.headers.get("content-type").unwrap();
                assert_eq!(kind, "application/json; charset=utf-8");
                serde_json::from_str(&text).unwrap()
            }
            Some(other) => panic!("{other:?}"),
        };
        (answer.status_code, body)
    }

    /// The body of what is answered to somebody who types `/access` and `text`.
    async fn types(&self, text: &str) -> Value {
        let (status, body) = self.send(signed(FORM, &command(text))).await;
        assert_eq!(status, 200);
        body
    }

    async fn does(&self, payload: &Value) -> Value {
        let (status, body) = self.send(interaction(payload)).await;
        assert_eq!(status, 200);
        body
    }

    /// What was asked of the outside since the last look, without the secret.
    fn asked(&self) -> Vec<(String, Value)> {
        let asked = std::mem::take(&mut *self.outside.asked.lock().unwrap());
        let asked = asked
            .into_iter()
            .filter(|(name, _)| !name.starts_with("secretsmanager"));
        asked
            .map(|(name, body)| (name, serde_json::from_slice(&body).unwrap()))
            .collect()
    }

    /// The one thing that was asked of the outside.
    fn asked_once(&self, name: &str) -> Value {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:#?}");
        let (found, body) = asked.remove(0);
        assert_eq!(found, name);
        body
    }

    /// What was handed on, and nothing else happened.
    fn handed(&self) -> Signed {
        let body = self.asked_once("/2015-03-31/functions/stint-approval/invocations");
        serde_json::from_value(body).unwrap()
    }

    fn nothing_was_asked(&self) {
        assert_eq!(self.asked(), []);
    }
}

fn config(base: &str, flows_dir: PathBuf) -> Config {
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let client = https::client();
    let sdk = SdkConfig::builder()
        .http_client(https::for_aws(client.clone()))
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .endpoint_url(base)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .build();
    Config {
        table: String::new(),
        slack_secret: "slack".to_owned(),
        okta_secret: String::new(),
        okta_secret_key: String::new(),
        connector_role_arn: String::new(),
        external_id: String::new(),
        schedule_group: String::new(),
        schedule_dlq_arn: String::new(),
        schedule_role_arn: String::new(),
        approval_function: "stint-approval".to_owned(),
        escalation_function: String::new(),
        deescalation_function: String::new(),
        flows_dir,
        slack_base: format!("{base}/slack/api/").parse().unwrap(),
        okta_org: String::new(),
        okta_base: base.parse().unwrap(),
        client,
        sdk,
    }
}

fn request(headers: &[(&str, &str)], body: &str, is_base64: bool) -> Request {
    let headers: serde_json::Map<String, Value> = headers
        .iter()
        .map(|(k, v)| ((*k).to_owned(), json!(v)))
        .collect();
    let event = json!({"version": "2.0", "headers": headers, "body": body, "isBase64Encoded": is_base64,
        "requestContext": {"http": {"method": "POST", "path": "/slack/events"}}});
    serde_json::from_value(event).unwrap()
}

fn signed_at(at: i64, content_type: &str, body: &str) -> Request {
    let secret = SecretString::from(SECRET);
    let at = Timestamp::from_second(at).unwrap();
    let [(time, at), (name, signature)] = slack::signature::sign(&secret, body.as_bytes(), at);
    let headers = [
        ("content-type", content_type),
        (time, &at),
        (name, &signature),
    ];
    request(&headers, &STANDARD.encode(body), true)
}

fn signed(content_type: &str, body: &str) -> Request {
    signed_at(THEN, content_type, body)
}

fn command(text: &str) -> String {
    let fields = [
        ("team_id", "T1DC2JH3J"),
        ("user_id", "U01ALICE"),
        ("channel_id", "C01"),
        ("command", "/access"),
        ("text", text),
        ("trigger_id", "1.2.3"),
    ];
    serde_urlencoded::to_string(fields).unwrap()
}

fn body_of(payload: &Value) -> String {
    let mut all = json!({
        "team": {"id": "T1DC2JH3J"}, "user": {"id": "U01ALICE", "team_id": "T1DC2JH3J"},
        "trigger_id": "1.2.3",
    });
    all.as_object_mut()
        .unwrap()
        .extend(payload.as_object().unwrap().clone());
    serde_urlencoded::to_string([("payload", all.to_string())]).unwrap()
}

fn interaction(payload: &Value) -> Request {
    signed(FORM, &body_of(payload))
}

fn click(action_id: &str, value: &str) -> Value {
    json!({
        "type": "block_actions",
        "container": {"type": "message", "channel_id": "C01REQUESTS", "message_ts": "1.1"},
        "actions": [{"type": "button", "action_id": action_id, "block_id": "b", "value": value, "action_ts": "1.1"}],
    })
}

/// The same click in the app's Home tab, where there is no message.
fn click_in_home(action_id: &str, value: &str) -> Value {
    let mut click = click(action_id, value);
    click["container"] = json!({"type": "view", "view_id": "V0HOME"});
    click["view"] =
        json!({"id": "V0HOME", "type": "home", "callback_id": "", "private_metadata": ""});
    click
}

/// Somebody chose a target in the form `view`.
fn choice(view: &Value, group: &str) -> Value {
    let mut view = view.clone();
    view["id"] = json!("V1");
    view["hash"] = json!("1.h1");
    let option = json!({"type": "static_select", "selected_option": {"value": group}});
    let reason = json!({"type": "plain_text_input", "value": "fixing INC-42"});
    view["state"] = json!({"values": {"target": {"target": option}, "reason": {"reason": reason}}});
    json!({
        "type": "block_actions", "view": view,
        "container": {"type": "view", "view_id": "V1"},
        "actions": [{
            "type": "static_select", "action_id": "target", "block_id": "target",
            "action_ts": "1.1", "selected_option": {"value": group},
        }],
    })
}

/// Somebody opened the app's tab `tab`.
fn home_opened(tab: &str) -> Request {
    let event = json!({"type": "app_home_opened", "user": "U01ALICE", "tab": tab});
    let body = json!({
        "type": "event_callback", "team_id": "T1DC2JH3J", "event_id": "Ev1", "event": event,
    });
    signed("application/json", &body.to_string())
}

/// The submission of `view`, filled with `values`.
fn submission(view: &Value, values: &[(&str, &str)]) -> Value {
    let state: serde_json::Map<String, Value> = values
        .iter()
        .map(|(k, v)| ((*k).to_owned(), json!({*k: {"value": v}})))
        .collect();
    let mut view = view.clone();
    view["id"] = json!("V1");
    view["state"] = json!({"values": state});
    json!({"type": "view_submission", "view": view})
}

fn from_elsewhere(mut payload: Value) -> Value {
    payload["user"] = json!({"id": "U07STRANGER", "team_id": "T0ELSEWHERE"});
    payload
}

/// The view that `text` opens.
async fn opened(world: &World, text: &str) -> Value {
    assert_eq!(world.types(text).await, Value::Null);
    world.asked_once("/slack/api/views.open")["view"].clone()
}

const PROD: [(&str, &str); 3] = [("target", "00gprod"), ("duration", "3600"), ("reason", "x")];

fn again(flow: &str, group: &str, up_to_s: Option<u64>) -> String {
    let again = Again {
        request: RequestId::new("T1-V0"),
        flow: flow.to_owned(),
        group: Group::new(group),
        duration_s: 1800,
        reason: Some("fixing INC-42".to_owned()),
        up_to_s,
        asked_from: None,
    };
    again.to_value()
}

fn expired() -> Value {
    json!({"ok": false, "error": "expired_trigger_id"})
}

/// The buttons of a message: what each does, and with what.
fn buttons(message: &Value) -> Vec<(String, String)> {
    let blocks = message["blocks"].as_array().unwrap().iter();
    let elements = blocks.filter_map(|it| it["elements"].as_array()).flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let buttons = elements.filter(|it| it["type"] == "button");
    buttons
        .map(|it| (text(&it["action_id"]), text(&it["value"])))
        .collect()
}

fn button_of(message: &Value) -> (String, String) {
    let all = buttons(message);
    assert_eq!(all.len(), 1, "{message}");
    all[0].clone()
}

#[tokio::test]
async fn what_slack_signed_is_taken_however_the_gateway_spells_it() {
    let world = World::new(&[OKTA]).await;
    let time = THEN.to_string();
    let lower = [
        ("content-type", FORM),
        ("x-slack-request-timestamp", time.as_str()),
        ("x-slack-signature", EXAMPLE_SIGNATURE),
    ];
    let mixed = [
        ("Content-Type", FORM),
        ("X-Slack-Request-Timestamp", time.as_str()),
        ("X-SLACK-SIGNATURE", EXAMPLE_SIGNATURE),
    ];
    for headers in [lower, mixed] {
        for event in [
            request(&headers, EXAMPLE, false),
            request(&headers, &STANDARD.encode(EXAMPLE), true),
        ] {
            assert_eq!(world.send(event).await, (200, Value::Null));
            assert_eq!(
                world.asked_once("/slack/api/views.open")["view"]["callback_id"],
                "request"
            );
        }
    }
}

#[tokio::test]
async fn what_slack_did_not_sign_is_refused_unread() {
    let world = World::new(&[OKTA]).await;
    let time = THEN.to_string();
    let forged = EXAMPLE.replace("roadrunner", "coyote");
    let check = "ssl_check=1&token=t";
    for (headers, body) in [
        (vec![("content-type", FORM)], EXAMPLE),
        (
            vec![
                ("content-type", FORM),
                ("x-slack-signature", EXAMPLE_SIGNATURE),
            ],
            EXAMPLE,
        ),
        (
            vec![
                ("x-slack-request-timestamp", time.as_str()),
                ("x-slack-signature", EXAMPLE_SIGNATURE),
            ],
            forged.as_str(),
        ),
        (vec![("content-type", FORM)], check),
    ] {
        assert_eq!(
            world.send(request(&headers, body, false)).await,
            (401, Value::Null)
        );
    }
    world.nothing_was_asked();
}

#[tokio::test]
async fn five_minutes_either_way_are_near_enough() {
    let world = World::new(&[OKTA]).await;
    for (away, status) in [(300, 200), (301, 401), (-300, 200), (-301, 401)] {
        let (found, _) = world
            .send(signed_at(THEN + away, FORM, "ssl_check=1"))
            .await;
        assert_eq!(found, status, "{away} s away");
    }
}

#[tokio::test]
async fn what_is_too_large_or_makes_no_sense_is_refused() {
    let world = World::new(&[OKTA]).await;
    let send = async |event| world.send(event).await.0;
    assert_eq!(send(signed(FORM, &"x".repeat(BODY_LIMIT + 1))).await, 413);
    assert_eq!(send(signed(FORM, &"x".repeat(BODY_LIMIT))).await, 400);
    assert_eq!(send(request(&[], "no base64!", true)).await, 400);
    assert_eq!(send(signed("text/plain", "x")).await, 400);
    assert_eq!(send(signed("application/json", "{")).await, 400);
    assert_eq!(
        send(signed(
            FORM,
            "payload=%7B%22type%22%3A%22block_actions%22%7D"
        ))
        .await,
        400
    );
    assert_eq!(send(signed(FORM, "")).await, 400);
    world.nothing_was_asked();
}

#[test]
fn the_largest_body_fits_an_invocation() {
    let limit = 1024 * 1024;
    assert!(STANDARD.encode("x".repeat(BODY_LIMIT)).len() + 10_000 < limit);
}

#[tokio::test]
async fn without_the_secret_nothing_is_verified() {
    let outside = Outside {
        secret_is_missing: true,
        ..Outside::default()
    };
    let world = World::with(&[HEAD, OKTA].concat(), outside).await;
    assert_eq!(
        world.send(signed(FORM, &command(""))).await,
        (503, Value::Null)
    );
    world.nothing_was_asked();
}

#[tokio::test]
async fn a_command_opens_the_form_with_one_call() {
    let world = World::new(&[OKTA]).await;
    assert_eq!(world.types("").await, Value::Null);
    let asked: Vec<String> = world
        .outside
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|it| it.0.clone())
        .collect();
    assert_eq!(
        asked,
        ["secretsmanager.GetSecretValue", "/slack/api/views.open"]
    );
    world.asked();
    assert_eq!(world.types("prod 1h fixing INC-42").await, Value::Null);
    let asked = world.outside.asked.lock().unwrap().len();
    assert_eq!(asked, 1);
    let body = world.asked_once("/slack/api/views.open");
    assert_eq!(body["trigger_id"], "1.2.3");
    let blocks = body["view"]["blocks"].as_array().unwrap();
    let element = |id: &str| &blocks.iter().find(|it| it["block_id"] == id).unwrap()["element"];
    assert_eq!(element("target")["initial_option"]["value"], "00gprod");
    assert_eq!(element("duration")["initial_option"]["value"], "3600");
    assert_eq!(element("reason")["initial_value"], "fixing INC-42");
}

#[tokio::test]
async fn the_shortcut_opens_the_form_too() {
    let world = World::new(&[OKTA]).await;
    let shortcut = json!({"type": "shortcut", "callback_id": "request", "action_ts": "1.1"});
    assert_eq!(world.does(&shortcut).await, Value::Null);
    assert_eq!(
        world.asked_once("/slack/api/views.open")["view"]["callback_id"],
        "request"
    );
}

#[tokio::test]
async fn help_explains() {
    let world = World::new(&[OKTA, AWS]).await;
    let help = world.types(" HELP").await;
    assert_eq!(help["response_type"], "ephemeral");
    let text = help["text"].as_str().unwrap();
    assert!(
        text.contains("`/access [flow] [target] [duration] [reason]`"),
        "{text}"
    );
    assert!(text.contains("• *Okta Access*: Prod, Staging"), "{text}");
    world.nothing_was_asked();
}

#[tokio::test]
async fn several_flows_are_picked_from() {
    let world = World::new(&[OKTA, AWS]).await;
    let picker = opened(&world, "1h month's end").await;
    assert_eq!(picker["callback_id"], "request_flow");
    let answer = world.does(&submission(&picker, &[("flow", "aws")])).await;
    assert_eq!(answer["response_action"], "update");
    assert_eq!(answer["view"]["title"]["text"], "AWS accounts");
    assert!(
        answer["view"]
            .to_string()
            .contains("\"initial_value\":\"month's end\"")
    );
    let gone = world.does(&submission(&picker, &[("flow", "gone")])).await;
    assert_eq!(gone["response_action"], "errors");
    assert!(gone["errors"]["flow"].is_string());
    world.nothing_was_asked();
}

#[tokio::test]
async fn without_flows_there_is_a_welcome() {
    let view = opened(&World::new(&[]).await, "").await;
    assert_eq!(view["title"]["text"], "Welcome to Stint");
}

#[tokio::test]
async fn a_form_that_does_not_open_is_told() {
    let world = World::refusing("views.open", expired()).await;
    let told = world.types("prod").await;
    assert_eq!(told["response_type"], "ephemeral");
    assert!(told["text"].to_string().contains("came too late"), "{told}");
    assert_eq!(button_of(&told), ("ask".to_owned(), "prod".to_owned()));

    let world = World::refusing("views.open", json!({"ok": false, "error": "token_revoked"})).await;
    let body = world.types("prod").await;
    assert_eq!(body["response_type"], "ephemeral");
    let told = body["blocks"].to_string();
    for part in [
        "*What* the request of <@U01ALICE>",
        "*Where* `/access`",
        "token_revoked",
        "*Hint* install",
    ] {
        assert!(told.contains(part), "{told}");
    }

    // A shortcut is answered nowhere, so the person is written to.
    let world = World::refusing("views.open", expired()).await;
    world
        .does(&json!({"type": "shortcut", "callback_id": "request"}))
        .await;
    let asked = world.asked();
    assert_eq!(asked[1].0, "/slack/api/chat.postMessage");
    assert_eq!(asked[1].1["channel"], "U01ALICE");
    assert_eq!(button_of(&asked[1].1), ("ask".to_owned(), String::new()));
}

#[tokio::test]
async fn the_flows_file_is_read_again_when_it_changed() {
    let world = World::new(&[OKTA]).await;
    opened(&world, "prod").await;
    let path = world.folder.path().join("flows.toml");
    std::fs::write(&path, [HEAD, OKTA, AWS].concat()).unwrap();
    assert_eq!(
        opened(&world, "billing").await["title"]["text"],
        "AWS accounts"
    );
    std::fs::remove_file(&path).unwrap();
    assert!(
        world
            .types("billing")
            .await
            .to_string()
            .contains("`flows.toml` cannot be read")
    );
    std::fs::write(&path, [HEAD, OKTA].concat()).unwrap();
    opened(&world, "prod").await;
}

#[tokio::test]
async fn with_mistakes_in_the_flows_nobody_asks_and_cards_go_on() {
    let broken = [HEAD, OKTA].concat().replace("\"4h\"", "\"soon\"") + "colour = \"red\"\n";
    let world = World::with(&broken, Outside::default()).await;
    let told = world.types("prod").await;
    assert_eq!(told["response_type"], "ephemeral");
    let told = told["blocks"].to_string();
    for part in [
        "`flows.toml` has 2 mistakes",
        "• line 8: ",
        "`colour`",
        "cargo stint check",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let view = opened(&World::new(&[OKTA]).await, "").await;
    let answer = world.does(&submission(&view, &PROD)).await;
    let error = answer["errors"]["target"].as_str().unwrap();
    assert!(
        error.starts_with("`flows.toml` has 2 mistakes: line 8: "),
        "{error}"
    );
    world.nothing_was_asked();

    world
        .does(&json!({"type": "shortcut", "callback_id": "request"}))
        .await;
    let message = world.asked_once("/slack/api/chat.postMessage");
    assert!(message["blocks"].to_string().contains("2 mistakes"));
    world
        .does(&click("again", &again("okta", "00gprod", None)))
        .await;
    world.asked_once("/slack/api/chat.postEphemeral");
    for button in ["approve", "revoke", "done", "cancel", "details", "more"] {
        assert_eq!(world.does(&click(button, "T1-V0")).await, Value::Null);
        world.handed();
    }
    for button in ["deny", "approve_note"] {
        assert_eq!(world.does(&click(button, "T1-V0")).await, Value::Null);
        let view = world.asked_once("/slack/api/views.open")["view"].clone();
        assert_eq!(world.does(&submission(&view, &[])).await, Value::Null);
        world.handed();
    }
}

#[tokio::test]
async fn people_of_another_workspace_are_refused() {
    let world = World::new(&[OKTA]).await;
    let elsewhere = command("prod").replace("T1DC2JH3J", "T0ELSEWHERE");
    let (status, told) = world.send(signed(FORM, &elsewhere)).await;
    assert_eq!((status, &told["response_type"]), (200, &json!("ephemeral")));
    assert!(told.to_string().contains("people of another workspace"));
    world.nothing_was_asked();

    let view = opened(&world, "").await;
    let answer = world.does(&from_elsewhere(submission(&view, &PROD))).await;
    let error = answer["errors"]["target"].as_str().unwrap();
    assert!(error.starts_with("people of another workspace"), "{error}");
    let typed = json!({"type": "block_suggestion", "block_id": "target", "action_id": "target", "value": "", "view": submission(&view, &[])["view"]});
    assert_eq!(
        world.does(&from_elsewhere(typed)).await,
        json!({"options": []})
    );
    world.nothing_was_asked();

    // What they decide is refused by `approval`, which tells them.
    world.does(&from_elsewhere(click("approve", "T1-V0"))).await;
    world.handed();
    for (button, value) in [
        ("extend", again("okta", "00gprod", Some(1800))),
        ("again", again("okta", "00gprod", None)),
        ("ask", "prod".to_owned()),
    ] {
        world.does(&from_elsewhere(click(button, &value))).await;
        let told = world.asked_once("/slack/api/chat.postEphemeral");
        assert_eq!(told["user"], "U07STRANGER");
        let told = told["blocks"].to_string();
        assert!(told.contains("people of another workspace"), "{told}");
    }
    // And nothing is shown to them in a form that they have.
    world.does(&from_elsewhere(choice(&view, "00gprod"))).await;
    world.nothing_was_asked();
}

#[tokio::test]
async fn an_organisation_has_many_workspaces() {
    let flows = [HEAD, OKTA].concat().replace("T1DC2JH3J", "E0MYCO");
    let world = World::with(&flows, Outside::default()).await;
    let inside = command("prod") + "&enterprise_id=E0MYCO";
    assert_eq!(world.send(signed(FORM, &inside)).await, (200, Value::Null));
    world.asked_once("/slack/api/views.open");
    assert!(
        world
            .types("prod")
            .await
            .to_string()
            .contains("people of another workspace")
    );
    world.nothing_was_asked();
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_told_inside_it() {
    let world = World::new(&[OKTA]).await;
    let view = opened(&world, "").await;
    let values = [("target", "00gprod"), ("duration", "14400")];
    let answer = world.does(&submission(&view, &values)).await;
    assert_eq!(
        answer,
        json!({"response_action": "errors", "errors": {
            "duration": "Prod is given for at most 1 hour",
            "reason": "say why you need it",
        }})
    );
    world.nothing_was_asked();
}

#[tokio::test]
async fn what_slack_signed_is_handed_on_byte_for_byte() {
    let world = World::new(&[OKTA]).await;
    let view = opened(&world, "").await;
    for payload in [submission(&view, &PROD), click("approve", "T1-V0")] {
        let body = body_of(&payload).replace("%20", "+");
        let event = signed("application/x-www-form-urlencoded; charset=utf-8", &body);
        let signature = event.headers["x-slack-signature"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(world.send(event).await, (200, Value::Null));
        let handed = world.handed();
        assert_eq!(handed.v, 1);
        assert_eq!(handed.timestamp, THEN.to_string());
        assert_eq!(handed.signature, signature);
        assert_eq!(
            handed.content_type,
            "application/x-www-form-urlencoded; charset=utf-8"
        );
        let bytes = STANDARD.decode(handed.body).unwrap();
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), body);
        let (time, signature) = (
            Some(handed.timestamp.as_str()),
            Some(handed.signature.as_str()),
        );
        let now = Timestamp::from_second(THEN).unwrap() + SignedDuration::from_secs(60);
        slack::signature::verify(&SecretString::from(SECRET), time, signature, &bytes, now)
            .unwrap();
    }
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_handed_on_again() {
    let world = World::new(&[OKTA]).await;
    for _ in 0..2 {
        let mut event = interaction(&click("approve", "T1-V0"));
        event
            .headers
            .insert("x-slack-retry-num", "1".parse().unwrap());
        assert_eq!(world.send(event).await, (200, Value::Null));
        world.handed();
    }
}

#[tokio::test]
async fn a_form_that_cannot_be_handed_on_stays_open_and_says_so() {
    let world = World::unable_to_hand_on().await;
    let view = opened(&world, "").await;
    let answer = world.does(&submission(&view, &PROD)).await;
    assert_eq!(answer["response_action"], "errors");
    let error = answer["errors"]["target"].as_str().unwrap();
    assert!(error.contains("could not be taken"), "{error}");
    assert!(error.ends_with("press Submit again"), "{error}");
}

#[tokio::test]
async fn a_click_that_cannot_be_handed_on_is_told_to_who_clicked() {
    let world = World::unable_to_hand_on().await;
    assert_eq!(world.does(&click("approve", "T1-V0")).await, Value::Null);
    let asked = world.asked();
    assert_eq!(asked[1].0, "/slack/api/chat.postEphemeral");
    assert_eq!(asked[1].1["channel"], "C01REQUESTS");
    assert_eq!(asked[1].1["user"], "U01ALICE");
    let told = asked[1].1["blocks"].to_string();
    for part in [
        "the button *Approve*, pressed by <@U01ALICE>",
        "could not be taken",
        "*Hint* press it again",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[tokio::test]
async fn where_nobody_can_be_told_the_click_fails_visibly() {
    let slack = vec![("chat.post", json!({"ok": false, "error": "token_revoked"}))];
    let outside = Outside {
        lambda_refuses: true,
        slack,
        ..Outside::default()
    };
    let world = World::with(&[HEAD, OKTA].concat(), outside).await;
    let error = handler(&world.deps, interaction(&click("approve", "T1-V0")))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("U01ALICE could not be told"), "{text}");
    assert!(text.contains("token_revoked"), "{text}");
}

#[tokio::test]
async fn who_cannot_be_told_where_they_clicked_is_told_directly() {
    let slack = vec![(
        "chat.postEphemeral",
        json!({"ok": false, "error": "channel_not_found"}),
    )];
    let outside = Outside {
        lambda_refuses: true,
        slack,
        ..Outside::default()
    };
    let world = World::with(&[HEAD, OKTA].concat(), outside).await;
    assert_eq!(world.does(&click("approve", "T1-V0")).await, Value::Null);
    let asked = world.asked();
    assert_eq!(asked[2].0, "/slack/api/chat.postMessage");
    assert_eq!(asked[2].1["channel"], "U01ALICE");
}

#[tokio::test]
async fn more_time_and_the_same_again_are_asked_for_in_the_form() {
    let world = World::new(&[OKTA]).await;
    world
        .does(&click("extend", &again("okta", "00gprod", Some(1800))))
        .await;
    let view = world.asked_once("/slack/api/views.open")["view"].clone();
    assert_eq!(
        view["private_metadata"],
        "{\"flow\":\"okta\",\"extends\":\"T1-V0\",\"up_to_s\":1800}"
    );
    world
        .does(&click("again", &again("okta", "00gprod", None)))
        .await;
    let view = world.asked_once("/slack/api/views.open")["view"].clone();
    assert_eq!(view["private_metadata"], "{\"flow\":\"okta\"}");
    assert!(view.to_string().contains("fixing INC-42"));

    let gone = [
        again("okta", "00ggone", None),
        again("gone", "00gprod", None),
        "nonsense".to_owned(),
    ];
    for value in gone {
        world.does(&click("again", &value)).await;
        let told = world.asked_once("/slack/api/chat.postEphemeral");
        assert!(told["blocks"].to_string().contains("not offered any more"));
    }

    let world = World::refusing("views.open", expired()).await;
    world
        .does(&click("again", &again("okta", "00gprod", None)))
        .await;
    assert_eq!(world.asked()[1].0, "/slack/api/chat.postEphemeral");
}

#[tokio::test]
async fn what_is_typed_is_answered_with_what_fits() {
    let world = World::new(&[OKTA]).await;
    let view = submission(&opened(&world, "").await, &[])["view"].clone();
    let typed = json!({"type": "block_suggestion", "block_id": "target", "action_id": "target", "value": "stag", "view": view});
    let answer = world.does(&typed).await;
    assert_eq!(answer["options"].as_array().unwrap().len(), 1);
    assert_eq!(answer["options"][0]["value"], "00gstaging");
    world.nothing_was_asked();
}

#[tokio::test]
async fn slacks_own_questions_are_answered() {
    let world = World::new(&[OKTA]).await;
    let question = json!({"type": "url_verification", "token": "t", "challenge": "3eZbrw1a"});
    let answer = world
        .send(signed("application/json", &question.to_string()))
        .await;
    assert_eq!(answer, (200, json!({"challenge": "3eZbrw1a"})));
    assert_eq!(
        world.send(signed(FORM, "ssl_check=1&token=t")).await,
        (200, Value::Null)
    );
    world.nothing_was_asked();
}

#[tokio::test]
async fn what_nobody_handles_is_taken_quietly() {
    let world = World::new(&[OKTA]).await;
    let view = json!({"id": "V1", "type": "modal", "callback_id": "request"});
    for payload in [
        json!({"type": "view_closed", "view": view}),
        json!({"type": "shortcut", "callback_id": "other"}),
        json!({"type": "message_action", "callback_id": "other"}),
        json!({"type": "interactive_message"}),
        json!({"type": "block_actions", "actions": []}),
        click("other", "x"),
    ] {
        assert_eq!(world.does(&payload).await, Value::Null);
    }
    for event in [
        json!({"type": "app_home_opened", "user": "U1", "tab": "messages"}),
        json!({"type": "tokens_revoked"}),
    ] {
        let body = json!({"type": "event_callback", "team_id": "T1DC2JH3J", "event_id": "Ev1", "event": event});
        let answer = world
            .send(signed("application/json", &body.to_string()))
            .await;
        assert_eq!(answer, (200, Value::Null));
    }
    world.nothing_was_asked();
}

#[tokio::test]
async fn other_forms_are_handed_on() {
    let world = World::new(&[OKTA]).await;
    let view = json!({"id": "V1", "type": "modal", "callback_id": "another"});
    assert_eq!(
        world
            .does(&json!({"type": "view_submission", "view": view}))
            .await,
        Value::Null
    );
    world.handed();
}

#[tokio::test]
async fn what_is_denied_or_noted_is_asked_for_in_a_form() {
    let world = World::new(&[OKTA]).await;
    for (button, callback_id, summary) in [
        ("deny", "deny", "Deny"),
        ("approve_note", "approve", "Approve"),
    ] {
        // In a message.
        let mut pressed = click(button, "T1-V0");
        let text = "Okta Access request by &lt;!here&gt; &amp; <@U01ALICE>: Prod for 1 hour";
        pressed["message"] = json!({"ts": "1.1", "text": text});
        assert_eq!(world.does(&pressed).await, Value::Null);
        let opened = world.asked_once("/slack/api/views.open");
        assert_eq!(opened["trigger_id"], "1.2.3");
        let view = &opened["view"];
        assert_eq!(view["callback_id"], callback_id);
        assert_eq!(view["submit"]["text"], summary);
        assert_eq!(view["blocks"][0]["text"]["text"], text);
        let about: Value =
            serde_json::from_str(view["private_metadata"].as_str().unwrap()).unwrap();
        let place = json!({"request": "T1-V0", "channel": "C01REQUESTS", "ts": "1.1"});
        assert_eq!(about, place);

        // In the Home tab, where there is no message.
        assert_eq!(
            world.does(&click_in_home(button, "T1-V0")).await,
            Value::Null
        );
        let view = world.asked_once("/slack/api/views.open")["view"].clone();
        assert_eq!(view["callback_id"], callback_id);
        assert_eq!(view["private_metadata"], "{\"request\":\"T1-V0\"}");
        let blocks = view["blocks"].as_array().unwrap();
        let [note] = blocks.as_slice() else {
            panic!("{view}")
        };
        assert_eq!(
            (&note["block_id"], &note["optional"]),
            (&json!("note"), &json!(true))
        );

        // Submitted, with a note and without.
        for values in [vec![], vec![("note", "see INC-42")], vec![("note", "  ")]] {
            assert_eq!(world.does(&submission(&view, &values)).await, Value::Null);
            world.handed();
        }
        let most = "🔑".repeat(1000);
        let sent = submission(&view, &[("note", &most)]);
        assert_eq!(world.does(&sent).await, Value::Null);
        world.handed();
        let long = "x".repeat(1001);
        let answer = world.does(&submission(&view, &[("note", &long)])).await;
        assert_eq!(answer["response_action"], "errors");
        let error = answer["errors"]["note"].as_str().unwrap();
        assert!(error.contains("1001 characters"), "{error}");
        let mut broken = view.clone();
        broken["private_metadata"] = json!("nonsense");
        let answer = world.does(&submission(&broken, &[])).await;
        let error = answer["errors"]["note"].as_str().unwrap();
        assert!(error.contains("press the button again"), "{error}");
        world.nothing_was_asked();
    }
}

#[tokio::test]
async fn a_decision_that_cannot_be_handed_on_stays_in_its_form() {
    let world = World::unable_to_hand_on().await;
    world.does(&click("deny", "T1-V0")).await;
    let view = world.asked_once("/slack/api/views.open")["view"].clone();
    let answer = world.does(&submission(&view, &[("note", "no")])).await;
    assert_eq!(answer["response_action"], "errors");
    let error = answer["errors"]["note"].as_str().unwrap();
    assert!(error.contains("could not be taken"), "{error}");
}

#[tokio::test]
async fn a_button_that_asks_opens_the_form_with_what_it_says() {
    let world = World::new(&[OKTA]).await;
    let filled = |view: &Value, id: &str| {
        let blocks = view["blocks"].as_array().unwrap();
        let block = blocks.iter().find(|it| it["block_id"] == id).unwrap();
        block["element"].clone()
    };
    for pressed in [
        click("ask", "prod 1h fixing INC-42"),
        click_in_home("ask", "prod 1h fixing INC-42"),
    ] {
        assert_eq!(world.does(&pressed).await, Value::Null);
        let view = world.asked_once("/slack/api/views.open")["view"].clone();
        assert_eq!(
            filled(&view, "target")["initial_option"]["value"],
            "00gprod"
        );
        assert_eq!(filled(&view, "duration")["initial_option"]["value"], "3600");
        assert_eq!(filled(&view, "reason")["initial_value"], "fixing INC-42");
    }
    assert_eq!(world.does(&click_in_home("ask", "")).await, Value::Null);
    let view = world.asked_once("/slack/api/views.open")["view"].clone();
    assert_eq!(filled(&view, "target")["initial_option"], Value::Null);
}

#[tokio::test]
async fn a_chosen_target_is_answered_with_its_durations() {
    let world = World::new(&[OKTA]).await;
    let view = opened(&world, "").await;
    assert_eq!(world.does(&choice(&view, "00gprod")).await, Value::Null);
    let update = world.asked_once("/slack/api/views.update");
    assert_eq!(
        (&update["view_id"], &update["hash"]),
        (&json!("V1"), &json!("1.h1"))
    );
    let view = &update["view"];
    let blocks = view["blocks"].as_array().unwrap();
    let element = |id: &str| &blocks.iter().find(|it| it["block_id"] == id).unwrap()["element"];
    let values: Vec<&Value> = element("duration")["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["value"])
        .collect();
    assert_eq!(values, ["1800", "3600"]);
    assert_eq!(element("reason")["initial_value"], "fixing INC-42");
    assert_eq!(element("target")["initial_option"]["value"], "00gprod");

    // What is not offered any more is told when the form is submitted.
    let gone = choice(view, "00ggone");
    assert_eq!(world.does(&gone).await, Value::Null);
    assert!(world.asked().len() <= 1);
    let path = world.folder.path().join("flows.toml");
    for flows in ["nonsense".to_owned(), [HEAD, AWS].concat()] {
        std::fs::write(&path, flows).unwrap();
        assert_eq!(world.does(&choice(view, "00gprod")).await, Value::Null);
        world.nothing_was_asked();
    }
}

#[tokio::test]
async fn a_form_that_cannot_be_redrawn_stays_as_it_is() {
    for refusal in [
        "not_found",
        "hash_conflict",
        "internal_error",
        "token_revoked",
    ] {
        let answer = json!({"ok": false, "error": refusal});
        let world = World::refusing("views.update", answer).await;
        let view = opened(&world, "").await;
        assert_eq!(world.does(&choice(&view, "00gprod")).await, Value::Null);
        world.asked_once("/slack/api/views.update");
    }
    let slow = Outside {
        slack_hangs: true,
        ..Outside::default()
    };
    let view = opened(&World::new(&[OKTA]).await, "").await;
    let world = World::with(&[HEAD, OKTA].concat(), slow).await;
    assert_eq!(world.does(&choice(&view, "00gprod")).await, Value::Null);
    world.asked_once("/slack/api/views.update");
}

#[tokio::test]
async fn opening_the_home_tab_is_handed_on() {
    let world = World::new(&[OKTA]).await;
    assert_eq!(world.send(home_opened("home")).await, (200, Value::Null));
    let handed = world.handed();
    assert_eq!(handed.content_type, "application/json");
    assert_eq!(
        world.send(home_opened("messages")).await,
        (200, Value::Null)
    );
    world.nothing_was_asked();

    // Slack delivers it again where it could not be handed on.
    let world = World::unable_to_hand_on().await;
    assert_eq!(world.send(home_opened("home")).await, (503, Value::Null));
}

/// Everything that Slack can send and that something comes of: a name, and what is sent.
fn surfaces(form: &Value) -> Vec<(String, Request)> {
    let shortcut = json!({"type": "shortcut", "callback_id": "request", "action_ts": "1.1"});
    let typed = json!({
        "type": "block_suggestion", "block_id": "target", "action_id": "target", "value": "pr",
        "view": submission(form, &[])["view"],
    });
    let decision = |callback_id: &str| {
        json!({
            "type": "modal", "callback_id": callback_id,
            "private_metadata": "{\"request\":\"T1-V0\"}",
            "blocks": [{"type": "input", "block_id": "note"}],
        })
    };
    let mut all = vec![
        ("a command".to_owned(), signed(FORM, &command("prod"))),
        ("help".to_owned(), signed(FORM, &command("help"))),
        ("the shortcut".to_owned(), interaction(&shortcut)),
        ("a choice".to_owned(), interaction(&choice(form, "00gprod"))),
        ("options".to_owned(), interaction(&typed)),
        ("the form".to_owned(), interaction(&submission(form, &PROD))),
        (
            "a wrong form".to_owned(),
            interaction(&submission(form, &[])),
        ),
        ("the Home tab".to_owned(), home_opened("home")),
        ("the Messages tab".to_owned(), home_opened("messages")),
    ];
    for callback_id in ["approve", "deny"] {
        let sent = submission(&decision(callback_id), &[("note", "x")]);
        all.push((format!("the form {callback_id}"), interaction(&sent)));
    }
    let more = again("okta", "00gprod", Some(1800));
    for (button, value) in [
        ("approve", "T1-V0"),
        ("approve_note", "T1-V0"),
        ("deny", "T1-V0"),
        ("revoke", "T1-V0"),
        ("done", "T1-V0"),
        ("cancel", "T1-V0"),
        ("details", "T1-V0"),
        ("more", "held:10"),
        ("ask", "prod"),
        ("extend", more.as_str()),
        ("again", more.as_str()),
        ("extend", "nonsense"),
        ("other", ""),
    ] {
        let on_card = interaction(&click(button, value));
        let in_home = interaction(&click_in_home(button, value));
        all.push((format!("`{button}` on a card"), on_card));
        all.push((format!("`{button}` in the Home tab"), in_home));
    }
    all
}

/// Slack waits three seconds: there is time for one call to somebody else, of whatever kind.
#[tokio::test]
async fn nothing_takes_more_than_one_call_before_its_answer() {
    let form = opened(&World::new(&[OKTA]).await, "").await;
    let world = World::new(&[OKTA]).await;
    opened(&world, "").await;
    for (what, event) in surfaces(&form) {
        let (status, _) = world.send(event).await;
        assert_eq!(status, 200, "{what}");
        let asked = world.asked();
        let names: Vec<&str> = asked.iter().map(|it| it.0.as_str()).collect();
        assert!(names.len() <= 1, "{what}: {names:?}");
        assert!(
            names.iter().all(|name| !name.contains("dynamodb")),
            "{what}: {names:?}"
        );
    }
}

/// What Slack says of a trigger that opens nothing any more: three names on the pages of its methods,
/// and what it has been seen to answer.
fn spent_triggers() -> [Value; 4] {
    let seen = json!({
        "ok": false, "error": "invalid_arguments",
        "response_metadata": {
            "messages": ["[ERROR] `trigger_id` expired [json-pointer:/trigger_id]"],
        },
    });
    let named = |error: &str| json!({"ok": false, "error": error});
    [
        named("expired_trigger_id"),
        named("exchanged_trigger_id"),
        named("invalid_trigger_id"),
        seen,
    ]
}

/// Every button that opens a form, and what it carries.
fn openers() -> [(&'static str, String); 5] {
    [
        ("deny", "T1-V0".to_owned()),
        ("approve_note", "T1-V0".to_owned()),
        ("extend", again("okta", "00gprod", Some(1800))),
        ("again", again("okta", "00gprod", None)),
        ("ask", "prod 1h fixing INC-42".to_owned()),
    ]
}

#[tokio::test]
async fn whatever_opened_too_late_offers_another_try() {
    for answer in spent_triggers() {
        let world = World::refusing("views.open", answer.clone()).await;
        let told = world.types("prod 1h it is down").await;
        let words = told["text"].as_str().unwrap();
        assert!(words.contains("came too late"), "{answer}: {words}");
        let again = ("ask".to_owned(), "prod 1h it is down".to_owned());
        assert_eq!(button_of(&told), again, "{answer}");
        world.asked();

        world
            .does(&json!({"type": "shortcut", "callback_id": "request"}))
            .await;
        let told = told_second(&world, "/slack/api/chat.postMessage");
        assert_eq!(told["channel"], "U01ALICE");
        assert_eq!(button_of(&told), ("ask".to_owned(), String::new()));

        for (button, value) in openers() {
            assert_eq!(world.does(&click(button, &value)).await, Value::Null);
            let told = told_second(&world, "/slack/api/chat.postEphemeral");
            assert_eq!(
                (&told["channel"], &told["user"]),
                (&json!("C01REQUESTS"), &json!("U01ALICE"))
            );
            assert!(told["text"].to_string().contains("came too late"), "{told}");
            assert_eq!(
                button_of(&told),
                (button.to_owned(), value.clone()),
                "{answer}"
            );

            assert_eq!(
                world.does(&click_in_home(button, &value)).await,
                Value::Null
            );
            let told = told_second(&world, "/slack/api/chat.postMessage");
            assert_eq!(told["channel"], "U01ALICE");
            assert_eq!(
                button_of(&told),
                (button.to_owned(), value.clone()),
                "{answer}"
            );

            // The form that it opens then does not begin with that.
            let mut pressed = click(button, &value);
            pressed["message"] = json!({"ts": "1.1", "text": told["text"]});
            world.does(&pressed).await;
            let view = world.asked()[0].1["view"].clone();
            assert!(!view.to_string().contains("too late"), "{view}");
        }
    }
}

/// The form was asked for in vain; what the person was told then, with the call `name`.
fn told_second(world: &World, name: &str) -> Value {
    let asked = world.asked();
    let names: Vec<&str> = asked.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(names, ["/slack/api/views.open", name]);
    asked[1].1.clone()
}

#[tokio::test]
async fn what_came_without_a_trigger_offers_another_try() {
    let world = World::new(&[OKTA]).await;
    for trigger in [Value::Null, json!("")] {
        for (button, value) in openers() {
            let mut pressed = click(button, &value);
            pressed["trigger_id"] = trigger.clone();
            assert_eq!(world.does(&pressed).await, Value::Null);
            let told = world.asked_once("/slack/api/chat.postEphemeral");
            assert!(told["text"].to_string().contains("came too late"), "{told}");
            assert_eq!(button_of(&told), (button.to_owned(), value.clone()));
        }
    }
    // Slack shows to the person that these failed.
    let command = command("prod").replace("trigger_id=1.2.3", "");
    assert_eq!(world.send(signed(FORM, &command)).await.0, 400);
    let shortcut = json!({"type": "shortcut", "callback_id": "request", "trigger_id": ""});
    assert_eq!(world.send(interaction(&shortcut)).await.0, 400);
    world.nothing_was_asked();
}

#[tokio::test]
async fn a_form_that_does_not_open_says_why_and_offers_another_try() {
    let world = World::refusing("views.open", json!({"ok": false, "error": "token_revoked"})).await;
    for (button, value) in openers() {
        world.does(&click(button, &value)).await;
        let told = told_second(&world, "/slack/api/chat.postEphemeral");
        let words = told["blocks"].to_string();
        for part in [
            "token_revoked",
            "*Hint* install",
            "<#C01REQUESTS>",
            "<@U01ALICE>",
        ] {
            assert!(words.contains(part), "{words}");
        }
        assert_eq!(button_of(&told), (button.to_owned(), value));
    }
}
