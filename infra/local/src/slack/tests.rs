//! The workspace as an app and its people see it.

use std::sync::{Arc, Mutex};

use ::slack::blocks::{Button, Choice, Choices, Element, Input, actions, section};
use ::slack::payload::EventKind;
use ::slack::{Client, Error, Home, Message, Payload, PersonKind, View};
use access::SlackUser;
use aws::Clock;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{BOT_TOKEN, SIGNING_SECRET, Slack, limits};
use crate::Nonsense;
use crate::slack_delivery::{Answered, BoxFuture, Deliver, SignedHttp};
use crate::watch::Watch;

/// What the app under test does with what it gets, and answers.
type Script = Box<dyn Fn(Payload, Client) -> BoxFuture<'static, (u16, Value)> + Send + Sync>;

struct Workspace {
    slack: Slack,
    client: Client,
    watch: Arc<Watch>,
    folder: TempDir,
    base: String,
}

/// The app, as the workspace reaches it.
struct App<'a> {
    workspace: &'a Workspace,
    script: Script,
    got: Mutex<Vec<SignedHttp>>,
}

impl Deliver for App<'_> {
    fn deliver(&self, request: SignedHttp) -> BoxFuture<'_, Answered> {
        self.got.lock().unwrap().push(request.clone());
        Box::pin(async move {
            let header = |name: &str| {
                let mut all = request.headers.iter();
                let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.as_str())
            };
            let verified = ::slack::signature::verify(
                &SecretString::from(SIGNING_SECRET),
                header("x-slack-request-timestamp"),
                header("x-slack-signature"),
                &request.body,
                self.workspace.watch.now(),
            );
            let (status, body) = match verified {
                Ok(()) => {
                    let kind = header("content-type").unwrap();
                    let payload = Payload::parse(kind, &request.body).unwrap();
                    (self.script)(payload, self.workspace.client.clone()).await
                }
                Err(_) => (401, Value::Null),
            };
            let body = match body {
                Value::Null => Vec::new(),
                body => body.to_string().into_bytes(),
            };
            Answered {
                status,
                headers: Vec::new(),
                body,
            }
        })
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Workspace {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = "2026-11-24T09:00:00Z".parse().unwrap();
        Self::open(folder, Watch::at(at)).await
    }

    async fn open(folder: TempDir, watch: Arc<Watch>) -> Self {
        let slack = Slack::open(folder.path().join("slack"), watch.clone()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/slack/api/", listener.local_addr().unwrap());
        let router = axum::Router::new().nest("/slack/api", slack.router());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let token = SecretString::from(BOT_TOKEN);
        let client = Client::new(https::client(), base.parse().unwrap(), token);
        Self {
            slack,
            client,
            watch,
            folder,
            base,
        }
    }

    /// What the method answers to `body` as it is.
    async fn raw(&self, method: &str, kind: &str, token: Option<&str>, body: &str) -> Value {
        let url = format!("{}{method}", self.base);
        let mut request = https::client().post(url).header("content-type", kind);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// What the method answers to `body` as JSON.
    async fn call(&self, method: &str, body: &Value) -> Value {
        let kind = "application/json; charset=utf-8";
        self.raw(method, kind, Some(BOT_TOKEN), &body.to_string())
            .await
    }

    /// `view` after `user` had it opened with a command.
    async fn opened(&self, user: &str, view: &Value) -> Value {
        let app = self.silent_app();
        self.act(&app, json!({"user": user, "command": "/access"}))
            .await;
        let got = app.got.lock().unwrap().clone();
        let Payload::Command(command) = parsed(&got[0]) else {
            panic!("no command")
        };
        let body = json!({"trigger_id": command.trigger_id, "view": view});
        let answer = self.call("views.open", &body).await;
        assert_eq!(answer["ok"], true, "{answer:#}");
        answer["view"].clone()
    }

    /// The lines of the file in which everything is that was shown.
    fn shown(&self) -> Vec<Value> {
        let path = self.folder.path().join("slack.shown.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// An app that answers 200 with nothing, whatever happens.
    fn silent_app(&self) -> App<'_> {
        self.app(|_, _| Box::pin(std::future::ready((200, Value::Null))))
    }

    fn app(
        &self,
        script: impl Fn(Payload, Client) -> BoxFuture<'static, (u16, Value)> + Send + Sync + 'static,
    ) -> App<'_> {
        App {
            workspace: self,
            script: Box::new(script),
            got: Mutex::default(),
        }
    }

    /// An app that opens `view` for every command and answers every form with `answer`.
    fn form_app(&self, view: View, answer: Value) -> App<'_> {
        self.app(move |payload, client| {
            let (view, answer) = (view.clone(), answer.clone());
            Box::pin(async move {
                match payload {
                    Payload::Command(it) => {
                        client.open_view(&it.trigger_id, &view).await.unwrap();
                        (200, Value::Null)
                    }
                    Payload::ViewSubmission(_) => (200, answer),
                    Payload::BlockSuggestion(it) => {
                        let all = ["Alpha", "Beta"]
                            .map(|label| Choice::new(label, &label.to_lowercase()));
                        let typed = it.typed.to_lowercase();
                        let fitting = all.into_iter().filter(|choice| {
                            let choice = serde_json::to_value(choice).unwrap();
                            choice["value"].as_str().unwrap().starts_with(&typed)
                        });
                        (200, json!(Choices::new(fitting)))
                    }
                    _ => (200, Value::Null),
                }
            })
        })
    }

    async fn act(&self, app: &App<'_>, body: Value) -> Value {
        self.slack.act(&body, app).await.unwrap()
    }

    async fn nonsense(&self, app: &App<'_>, body: Value) -> Nonsense {
        self.slack.act(&body, app).await.unwrap_err()
    }
}

/// What Stint makes of `request`.
fn parsed(request: &SignedHttp) -> Payload {
    let mut headers = request.headers.iter();
    let (_, kind) = headers.find(|(name, _)| name == "Content-Type").unwrap();
    Payload::parse(kind, &request.body).unwrap()
}

/// The JSON in `request`, as it was sent.
fn json_of(request: &SignedHttp) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_else(|_| {
        let form: Vec<(String, String)> = serde_urlencoded::from_bytes(&request.body).unwrap();
        serde_json::from_str(&form[0].1).unwrap()
    })
}

/// What was filled in in the form that `request` submits, by block.
fn filled_in(request: &SignedHttp) -> Vec<(String, String)> {
    let Payload::ViewSubmission(form) = parsed(request) else {
        panic!("no form")
    };
    form.values.into_iter().collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    let owned = pairs.map(|(block, value)| (block.to_owned(), value.to_owned()));
    owned.to_vec()
}

fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": true})
}

fn option(value: &str) -> Value {
    json!({"text": plain(&value.to_uppercase()), "value": value})
}

/// A block that asks for `id`, with `more` fields in its element.
fn asks(id: &str, kind: &str, more: Value) -> Value {
    let mut element = json!({"type": kind, "action_id": id});
    let Value::Object(more) = more else {
        panic!("no object")
    };
    element.as_object_mut().unwrap().extend(more);
    json!({"type": "input", "block_id": id, "label": plain(id), "element": element})
}

fn modal(blocks: &[Value]) -> Value {
    json!({
        "type": "modal", "title": plain("Stint"), "submit": plain("Submit"),
        "callback_id": "request", "blocks": blocks,
    })
}

fn form() -> View {
    let duration = [("30 minutes", "1800"), ("1 hour", "3600")];
    let duration = duration.map(|(label, value)| Choice::new(label, value));
    View::form("request", "Stint", "Submit")
        .metadata("m".to_owned())
        .input(Input::new(
            "target",
            "Target",
            Element::search("type", None),
        ))
        .input(Input::new(
            "reason",
            "Reason",
            Element::text(true, 10, None),
        ))
        .input(Input::new(
            "duration",
            "Duration",
            Element::select(duration, Some("1800")),
        ))
        .input(Input::new("note", "Note", Element::text(false, 100, None)).optional(true))
}

fn buttons() -> Message {
    Message::new("a card")
        .with(section("a card"))
        .with(actions([
            Button::new("approve", "Approve", "R1").confirm("Sure?", "Really?", "Yes", "No"),
            Button::new("deny", "Deny", "R1"),
        ]))
}

fn buttons_row() -> Value {
    let button =
        json!({"type": "button", "action_id": "approve", "text": plain("Yes"), "value": "R"});
    json!([{"type": "actions", "elements": [button]}])
}

// The Web API.

#[tokio::test]
async fn messages_are_posted_changed_and_seen() {
    let it = Workspace::new().await;
    let first = it
        .client
        .post_message("#sym-requests", &Message::new("one"))
        .await
        .unwrap();
    let second = it
        .client
        .post_message("C01REQUESTS", &Message::new("two"))
        .await
        .unwrap();
    assert_eq!(first.channel, "C01REQUESTS");
    assert!(second.ts > first.ts);
    it.client
        .update_message(&first, &Message::new("changed"))
        .await
        .unwrap();
    let direct = it
        .client
        .post_message("U01ALICE", &Message::new("psst"))
        .await
        .unwrap();
    let user = SlackUser::new("U02BOB");
    it.client
        .post_ephemeral("C03GENERAL", &user, &Message::new("for you"))
        .await
        .unwrap();

    let state = it.slack.state();
    let messages = &state["channels"]["C01REQUESTS"]["messages"];
    assert_eq!(messages[0]["text"], "changed");
    assert_eq!(messages[0]["ts"], first.ts);
    assert_eq!(messages[0]["blocks"][0]["text"]["text"], "changed");
    assert_eq!(messages[1]["text"], "two");
    assert_eq!(state["dms"]["U01ALICE"]["channel"], direct.channel);
    assert_eq!(state["dms"]["U01ALICE"]["messages"][0]["text"], "psst");
    assert_eq!(state["ephemerals"]["U02BOB"][0]["channel"], "C03GENERAL");
    assert_eq!(state["ephemerals"]["U02BOB"][0]["text"], "for you");
    assert_eq!(state["team"], "T0SANDBOX");
    assert_eq!(state["signing_secret"], SIGNING_SECRET);
    let alice = json!({"name": "Alice", "email": "alice@example.com", "kind": "member", "okta": "00u1alice"});
    assert_eq!(state["users"]["U01ALICE"], alice);
    assert_eq!(state["users"].as_object().unwrap().len(), 9);
}

#[tokio::test]
async fn everything_outlives_a_restart_and_a_line_that_was_cut_off() {
    let it = Workspace::new().await;
    let posted = it
        .client
        .post_message("#general", &buttons())
        .await
        .unwrap();
    it.client
        .publish_home(
            &SlackUser::new("U01ALICE"),
            &Home::new().with(section("home")),
        )
        .await
        .unwrap();
    let app = it.form_app(form(), Value::Null);
    let opened = it
        .act(&app, json!({"user": "U01ALICE", "command": "/access"}))
        .await;
    it.slack
        .admin(&json!({"channel": "#sym-errors", "archived": true}))
        .unwrap();
    let before = it.slack.state();
    drop(app);
    let path = it.folder.path().join("slack");
    let mut journal = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    std::io::Write::write_all(&mut journal, b"{\"message\":{\"chan").unwrap();

    let it = Workspace::open(it.folder, it.watch).await;
    assert_eq!(it.slack.state(), before);
    it.client
        .update_message(&posted, &Message::new("still known"))
        .await
        .unwrap();
    let error = it
        .client
        .post_message("#sym-errors", &Message::new("x"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Gone { error, .. } if error == "is_archived"));
    // No identifier is given out twice.
    let app = it.form_app(form(), Value::Null);
    let again = it
        .act(&app, json!({"user": "U01ALICE", "command": "/access"}))
        .await;
    assert_ne!(again["view"]["id"], opened["view"]["id"]);
    let later = it
        .client
        .post_message("#general", &Message::new("x"))
        .await
        .unwrap();
    assert!(later.ts > posted.ts);
}

#[tokio::test]
async fn people_are_what_they_are() {
    let it = Workspace::new().await;
    for (id, kind) in [
        ("U01ALICE", PersonKind::Member),
        ("U05GUEST", PersonKind::Guest),
        ("U06BOT", PersonKind::Bot),
        ("U07STRANGER", PersonKind::Stranger),
    ] {
        let person = it.client.user(&SlackUser::new(id)).await.unwrap();
        assert_eq!(person.kind, kind, "{id}");
        assert_eq!(person.team == "T0SANDBOX", kind != PersonKind::Stranger);
    }
    let twins = it.client.user(&SlackUser::new("U09TWINS")).await.unwrap();
    assert_eq!(twins.email.as_deref(), Some("twins@example.com"));
    let error = it.client.user(&SlackUser::new("U99")).await.unwrap_err();
    assert!(matches!(error, Error::Gone { error, .. } if error == "user_not_found"));
    it.slack
        .admin(&json!({"user": "U01ALICE", "deleted": true, "email": "new@example.com"}))
        .unwrap();
    let gone = it.client.user(&SlackUser::new("U01ALICE")).await.unwrap();
    assert_eq!(gone.kind, PersonKind::Deleted);
    assert_eq!(gone.email.as_deref(), Some("new@example.com"));
}

fn error<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Gone { error, .. } | Error::Refused { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn slack_refuses_as_slack_does() {
    let it = Workspace::new().await;
    let hello = Message::new("hello");
    let post = |channel: &'static str| it.client.post_message(channel, &hello);
    assert_eq!(error(post("#nowhere").await), "channel_not_found");
    assert_eq!(error(post("U99").await), "channel_not_found");
    assert_eq!(error(post("U06BOT").await), "cannot_dm_bot");
    it.slack
        .admin(&json!({"channel": "general", "bot_in": false}))
        .unwrap();
    assert_eq!(error(post("C03GENERAL").await), "not_in_channel");
    let user = SlackUser::new("U02BOB");
    let other = it.client.post_ephemeral("D01ALICE", &user, &hello).await;
    assert_eq!(error(other), "user_not_in_channel");
    let nothing = access::Posted {
        channel: "C01REQUESTS".to_owned(),
        ts: "1.2".to_owned(),
    };
    assert_eq!(
        error(it.client.update_message(&nothing, &hello).await),
        "message_not_found"
    );
    let view = View::modal("x").with(section("x"));
    let opened = it.client.open_view("1.2.3", &view).await;
    assert!(matches!(opened, Err(Error::Expired { error }) if error == "invalid_trigger_id"));
    assert_eq!(
        error(it.client.update_view("V1", None, &view).await),
        "not_found"
    );
}

#[tokio::test]
async fn the_web_api_takes_what_slack_takes() {
    const JSON: &str = "application/json; charset=utf-8";
    const FORM: &str = "application/x-www-form-urlencoded";
    let it = Workspace::new().await;
    let token = Some(BOT_TOKEN);
    let error = |answer: Value| {
        assert_eq!(answer["ok"], false);
        answer["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        error(it.raw("auth.test", FORM, None, "").await),
        "not_authed"
    );
    assert_eq!(
        error(it.raw("auth.test", FORM, Some("xoxb-other"), "").await),
        "invalid_auth"
    );
    assert_eq!(
        error(it.raw("no.such", FORM, token, "").await),
        "unknown_method"
    );
    assert_eq!(
        error(it.raw("chat.postMessage", JSON, token, "{").await),
        "invalid_json"
    );
    assert_eq!(
        error(it.raw("chat.postMessage", JSON, token, "[]").await),
        "json_not_object"
    );
    let no_text = r##"{"channel":"#general"}"##;
    assert_eq!(
        error(it.raw("chat.postMessage", JSON, token, no_text).await),
        "no_text"
    );
    // `users.info` looks at forms only.
    let user = r#"{"user":"U01ALICE"}"#;
    assert_eq!(
        error(it.raw("users.info", JSON, token, user).await),
        "user_not_found"
    );
    let found = it.raw("users.info", FORM, token, "user=U01ALICE").await;
    assert_eq!(found["user"]["profile"]["email"], "alice@example.com");
    let found = it
        .raw(
            "users.lookupByEmail",
            FORM,
            token,
            "email=BOB%40example.com",
        )
        .await;
    assert_eq!(found["user"]["id"], "U02BOB");
    let by_form =
        "token=xoxb-sandbox&channel=%23general&blocks=%5B%7B%22type%22%3A%22divider%22%7D%5D";
    let posted = it.raw("chat.postMessage", FORM, None, by_form).await;
    assert_eq!(posted["message"]["blocks"][0]["type"], "divider");
    assert!(posted["message"]["blocks"][0]["block_id"].is_string());

    let too_long = json!({"channel": "#general", "blocks": [
        {"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(3001)}},
    ]});
    let refused = it
        .raw("chat.postMessage", JSON, token, &too_long.to_string())
        .await;
    let said = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]";
    assert_eq!(refused["error"], "invalid_blocks");
    assert_eq!(refused["errors"], json!([said]));
    assert_eq!(
        refused["response_metadata"]["messages"],
        json!([format!("[ERROR] {said}")])
    );
    let five = vec![json!({"type": "section", "text": plain(&"x".repeat(2900))}); 5];
    let too_long = json!({"channel": "#general", "blocks": five});
    let refused = it
        .raw("chat.postMessage", JSON, token, &too_long.to_string())
        .await;
    assert_eq!(refused["error"], "msg_blocks_too_long");
    let shouting = json!({"channel": "C03GENERAL", "ts": posted["ts"], "text": "x".repeat(4001)});
    let refused = it
        .raw("chat.update", JSON, token, &shouting.to_string())
        .await;
    assert_eq!(refused["error"], "msg_too_long");
}

#[tokio::test]
async fn a_click_opens_one_view_within_three_seconds() {
    let it = Workspace::new().await;
    let trigger = Arc::new(Mutex::new(String::new()));
    let seen = trigger.clone();
    let app = it.app(move |payload, _| {
        if let Payload::Command(command) = payload {
            *seen.lock().unwrap() = command.trigger_id;
        }
        Box::pin(std::future::ready((200, Value::Null)))
    });
    let command = json!({"user": "U01ALICE", "command": "/access"});
    let newest = || trigger.lock().unwrap().clone();

    it.act(&app, command.clone()).await;
    it.watch.advance(3);
    it.client.open_view(&newest(), &form()).await.unwrap();
    let twice = it.client.open_view(&newest(), &form()).await.unwrap_err();
    assert!(matches!(twice, Error::Expired { error } if error == "exchanged_trigger_id"));

    it.act(&app, command).await;
    it.watch.advance(4);
    let late = it.client.open_view(&newest(), &form()).await.unwrap_err();
    let said = "invalid_arguments: [ERROR] `trigger_id` expired [json-pointer:/trigger_id]";
    assert!(matches!(late, Error::Expired { error } if error == said));
}

// People.

#[tokio::test]
async fn a_command_opens_a_form_that_can_be_filled_in() {
    let it = Workspace::new().await;
    let app = it.form_app(form(), Value::Null);
    let opened = it
        .act(
            &app,
            json!({"user": "U01ALICE", "command": "/access prod 1h fixing it"}),
        )
        .await;
    assert_eq!(opened["status"], 200);
    assert_eq!(opened["errors"], json!({}));
    assert_eq!(opened["view"]["callback_id"], "request");
    let id = opened["view"]["id"].as_str().unwrap();
    assert_eq!(it.slack.state()["views"]["U01ALICE"][0]["id"], id);

    let typed =
        json!({"user": "U01ALICE", "type": {"view_id": id, "action_id": "target", "text": "al"}});
    let offered = it.act(&app, typed).await;
    assert_eq!(offered["options"].as_array().unwrap().len(), 1);
    assert_eq!(offered["options"][0]["value"], "alpha");

    let values = json!({"target": "Beta", "reason": "why", "duration": "1 hour"});
    let sent = it
        .act(
            &app,
            json!({"user": "U01ALICE", "submit": {"view_id": id, "values": values}}),
        )
        .await;
    assert_eq!((&sent["view"], &sent["errors"]), (&Value::Null, &json!({})));

    let got = app.got.lock().unwrap();
    let parsed = |request: &SignedHttp| {
        let kind = "application/x-www-form-urlencoded";
        Payload::parse(kind, &request.body).unwrap()
    };
    let Payload::Command(command) = parsed(&got[0]) else {
        panic!("no command")
    };
    assert_eq!(
        (command.command.as_str(), command.text.as_str()),
        ("/access", "prod 1h fixing it")
    );
    assert_eq!(command.channel.as_deref(), Some("C03GENERAL"));
    let Payload::ViewSubmission(form) = parsed(got.last().unwrap()) else {
        panic!("no form")
    };
    assert_eq!(form.view.private_metadata, "m");
    let filled: Vec<(&str, &str)> = form
        .values
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        filled,
        [("duration", "3600"), ("reason", "why"), ("target", "beta")]
    );
}

#[tokio::test]
async fn slacks_client_lets_no_bad_form_through() {
    let it = Workspace::new().await;
    let app = it.form_app(form(), Value::Null);
    let opened = it
        .act(&app, json!({"user": "U01ALICE", "command": "/access"}))
        .await;
    let id = opened["view"]["id"].clone();
    let submit =
        |values: Value| json!({"user": "U01ALICE", "submit": {"view_id": id, "values": values}});

    let empty = it
        .act(&app, submit(json!({"target": "alpha", "reason": ""})))
        .await;
    assert_eq!(
        empty["errors"],
        json!({"reason": "Please complete this required field."})
    );
    assert_eq!(empty["view"]["id"], id);
    let long = it
        .act(
            &app,
            submit(json!({"target": "alpha", "reason": "more than ten"})),
        )
        .await;
    assert_eq!(long["errors"], json!({"reason": "Please shorten this."}));
    let submissions = |app: &App<'_>| {
        let got = app.got.lock().unwrap();
        let kind = "application/x-www-form-urlencoded";
        let all = got.iter().map(|it| Payload::parse(kind, &it.body).unwrap());
        all.filter(|it| matches!(it, Payload::ViewSubmission(_)))
            .count()
    };
    assert_eq!(submissions(&app), 0);

    let other = it
        .nonsense(&app, submit(json!({"target": "gamma", "reason": "x"})))
        .await;
    assert_eq!(other.error, "`gamma` is not offered");
    assert!(other.hint.contains("Alpha, Beta"), "{}", other.hint);
    let unknown = it.nonsense(&app, submit(json!({"colour": "red"}))).await;
    assert_eq!(unknown.hint, "it asks for target, reason, duration, note");

    // Whoever holds the signing secret is not bound to the form.
    let mut forced = submit(json!({"target": "gamma", "duration": "9999"}));
    forced["force"] = json!(true);
    it.act(&app, forced).await;
    assert_eq!(submissions(&app), 1);
}

#[tokio::test]
async fn the_answer_to_a_form_is_followed() {
    let it = Workspace::new().await;
    let plain = View::form("request", "Stint", "Submit").input(Input::new(
        "reason",
        "Reason",
        Element::text(true, 10, None),
    ));
    let told = View::modal("Told").with(section("told"));
    let values = json!({"reason": "x"});
    let answered = async |answer: Value| {
        let app = it.form_app(plain.clone(), answer);
        let opened = it
            .act(&app, json!({"user": "U01ALICE", "command": "/access"}))
            .await;
        let id = opened["view"]["id"].clone();
        let submit = json!({"user": "U01ALICE", "submit": {"view_id": id, "values": values}});
        (it.act(&app, submit).await, id)
    };

    let (closed, _) = answered(Value::Null).await;
    assert_eq!(closed["view"], Value::Null);

    let (errors, id) =
        answered(json!({"response_action": "errors", "errors": {"reason": "too bad"}})).await;
    assert_eq!(errors["errors"], json!({"reason": "too bad"}));
    assert_eq!(errors["view"]["id"], id);

    let (updated, id) = answered(json!({"response_action": "update", "view": told})).await;
    assert_eq!(updated["view"]["title"]["text"], "Told");
    assert_eq!(updated["view"]["id"], id);

    let (pushed, id) = answered(json!({"response_action": "push", "view": told})).await;
    assert_eq!(pushed["view"]["title"]["text"], "Told");
    assert_eq!(pushed["view"]["previous_view_id"], id);
    let app = it.silent_app();
    let below = json!({"user": "U01ALICE", "close": {"view_id": id}});
    assert!(
        it.nonsense(&app, below)
            .await
            .error
            .contains("does not see the view")
    );
    let close = json!({"user": "U01ALICE", "close": {"view_id": pushed["view"]["id"]}});
    assert_eq!(it.act(&app, close).await["view"]["id"], id);
    assert!(app.got.lock().unwrap().is_empty());

    let (cleared, _) = answered(json!({"response_action": "clear"})).await;
    assert_eq!(cleared["view"], Value::Null);

    for bad in [
        json!({"response_action": "errors", "errors": {"nowhere": "x"}}),
        json!({"response_action": "errors", "errors": {"reason": " "}}),
        json!({"response_action": "update", "view": {"type": "modal"}}),
        json!({"response_action": "dance"}),
        json!("ok"),
    ] {
        let (trouble, id) = answered(bad).await;
        assert_eq!(
            trouble["errors"][""],
            "We had some trouble connecting. Try again?"
        );
        assert_eq!(trouble["view"]["id"], id);
    }
}

#[tokio::test]
async fn a_click_is_sent_as_slack_sends_it() {
    let it = Workspace::new().await;
    let posted = it
        .client
        .post_message("#sym-requests", &buttons())
        .await
        .unwrap();
    let app = it.silent_app();
    let click = |channel: &str, action: &str| json!({"user": "U02BOB", "click": {"channel": channel, "ts": posted.ts, "action_id": action}});
    for channel in ["C01REQUESTS", "#sym-requests", "sym-requests"] {
        it.act(&app, click(channel, "approve")).await;
    }
    let got = app.got.lock().unwrap().clone();
    let kind = "application/x-www-form-urlencoded";
    let Payload::BlockActions(it_) = Payload::parse(kind, &got[2].body).unwrap() else {
        panic!("no click")
    };
    let message = it_.message.unwrap();
    assert_eq!(
        (message.channel, message.ts),
        (posted.channel.clone(), posted.ts.clone())
    );
    assert_eq!(it_.by.user, SlackUser::new("U02BOB"));
    assert_eq!(it_.actions.len(), 1);
    assert_eq!(it_.actions[0].value.as_deref(), Some("R1"));
    assert!(it_.actions[0].action_ts.is_some());

    let nothing = it.nonsense(&app, click("#sym-requests", "revoke")).await;
    assert_eq!(
        (nothing.error.as_str(), nothing.hint.as_str()),
        ("there is no button `revoke`", "there is approve, deny")
    );
    assert_eq!(
        it.nonsense(&app, click("#general", "approve")).await.hint,
        "there is nothing"
    );
    assert!(
        it.nonsense(&app, click("#nowhere", "approve"))
            .await
            .error
            .contains("no channel")
    );

    // A screen that has not been drawn again still shows the old buttons.
    it.client
        .update_message(&posted, &Message::new("decided"))
        .await
        .unwrap();
    assert_eq!(
        it.nonsense(&app, click("#sym-requests", "approve"))
            .await
            .hint,
        "there is nothing"
    );
    let mut late = click("#sym-requests", "approve");
    late["force"] = json!(true);
    it.act(&app, late).await;
    let last = app.got.lock().unwrap().last().cloned().unwrap();
    let Payload::BlockActions(late) = Payload::parse(kind, &last.body).unwrap() else {
        panic!("no click")
    };
    assert_eq!(late.actions[0].value.as_deref(), Some("R1"));
}

#[tokio::test]
async fn a_click_in_a_message_for_one_says_so_and_has_no_message() {
    let it = Workspace::new().await;
    let bob = SlackUser::new("U02BOB");
    it.client
        .post_ephemeral("#general", &bob, &buttons())
        .await
        .unwrap();
    let again = json!({"text": "not now", "blocks": buttons_row()});
    let answers = again.clone();
    let app = it.app(move |payload, _| {
        let is_command = matches!(payload, Payload::Command(_));
        let answer = if is_command {
            answers.clone()
        } else {
            Value::Null
        };
        Box::pin(std::future::ready((200, answer)))
    });
    let told = it
        .act(&app, json!({"user": "U02BOB", "command": "/access"}))
        .await;
    let posted = it.slack.state()["ephemerals"]["U02BOB"][0].clone();
    for message in [&posted, &told["ephemerals"][0]] {
        let click = json!({"channel": "C03GENERAL", "ts": message["ts"], "action_id": "approve"});
        it.act(&app, json!({"user": "U02BOB", "click": click}))
            .await;
        let got = app.got.lock().unwrap().last().cloned().unwrap();
        let sent = json_of(&got);
        let container = json!({
            "type": "message", "message_ts": message["ts"], "channel_id": "C03GENERAL",
            "is_ephemeral": true,
        });
        assert_eq!(sent["container"], container);
        assert_eq!(sent.get("message"), None);
        assert!(sent["response_url"].is_string());
        let Payload::BlockActions(click) = parsed(&got) else {
            panic!("no click")
        };
        let at = click.message.unwrap();
        assert!(at.ephemeral);
        assert_eq!(at.text, None);
    }
    let click = json!({"channel": "C03GENERAL", "ts": posted["ts"], "action_id": "approve"});
    let other = it.nonsense(&app, json!({"user": "U03CAROL", "click": click}));
    assert!(other.await.error.contains("there is no message"));

    let dance = json!({"text": "x", "blocks": [{"type": "dance"}]});
    let app = it.app(move |_, _| Box::pin(std::future::ready((200, dance.clone()))));
    let told = it
        .act(&app, json!({"user": "U02BOB", "command": "/access"}))
        .await;
    let said = "/access failed with the error \"invalid_command_response\"";
    assert_eq!(told["ephemerals"][0]["text"], said);
}

#[tokio::test]
async fn nobody_clicks_in_the_direct_messages_of_others() {
    let it = Workspace::new().await;
    let posted = it
        .client
        .post_message("U01ALICE", &buttons())
        .await
        .unwrap();
    let app = it.silent_app();
    let click = |user: &str| json!({"user": user, "click": {"channel": posted.channel, "ts": posted.ts, "action_id": "deny"}});
    assert_eq!(it.act(&app, click("U01ALICE")).await["status"], 200);
    let error = it.nonsense(&app, click("U02BOB")).await.error;
    assert_eq!(error, "`U02BOB` does not see the direct messages of others");
}

#[tokio::test]
async fn deliveries_are_repeated_aged_and_counted() {
    let it = Workspace::new().await;
    let app = it.silent_app();
    let shortcut =
        json!({"user": "U01ALICE", "shortcut": "request", "deliveries": 2, "retry_num": 1});
    assert_eq!(it.act(&app, shortcut).await["status"], 200);
    let got = app.got.lock().unwrap().clone();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0], got[1]);
    let header = ("X-Slack-Retry-Num".to_owned(), "1".to_owned());
    assert!(got[0].headers.contains(&header));
    for (age, status) in [(299, 200), (301, 401), (-301, 401)] {
        let aged = json!({"user": "U01ALICE", "shortcut": "request", "age_s": age});
        assert_eq!(it.act(&app, aged).await["status"], status);
    }
}

#[tokio::test]
async fn private_messages_of_this_act_are_answered() {
    let it = Workspace::new().await;
    let user = SlackUser::new("U01ALICE");
    it.client
        .post_ephemeral("#general", &user, &Message::new("earlier"))
        .await
        .unwrap();
    let app = it.app(|payload, client| {
        Box::pin(async move {
            let user = payload.by().unwrap().user.clone();
            let text = Message::new("not you");
            client
                .post_ephemeral("C03GENERAL", &user, &text)
                .await
                .unwrap();
            (200, json!({"text": "and not now"}))
        })
    });
    let answer = it
        .act(&app, json!({"user": "U01ALICE", "command": "/access"}))
        .await;
    let texts: Vec<&str> = answer["ephemerals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["not you", "and not now"]);

    let broken = it.app(|_, _| Box::pin(std::future::ready((500, Value::Null))));
    let answer = it
        .act(&broken, json!({"user": "U01ALICE", "command": "/access"}))
        .await;
    assert_eq!(answer["status"], 500);
    assert_eq!(
        answer["ephemerals"][0]["text"],
        "/access failed with the error \"dispatch_failed\""
    );
}

#[tokio::test]
async fn the_home_tab_is_opened_and_its_buttons_pressed() {
    let it = Workspace::new().await;
    let app = it.app(|payload, client| {
        Box::pin(async move {
            if let Payload::Event(event) = payload {
                let EventKind::AppHomeOpened { user, tab } = event.kind else {
                    panic!("no home")
                };
                assert_eq!(tab, "home");
                let home = Home::new().with(actions([Button::new("again", "Ask again", "R")]));
                client.publish_home(&user, &home).await.unwrap();
            }
            (200, Value::Null)
        })
    });
    assert_eq!(it.slack.state()["homes"]["U01ALICE"], Value::Null);
    it.act(&app, json!({"user": "U01ALICE", "open_home": true}))
        .await;
    let home = it.slack.state()["homes"]["U01ALICE"].clone();
    assert_eq!(home["type"], "home");
    it.act(&app, json!({"user": "U01ALICE", "open_home": true}))
        .await;
    assert_eq!(it.slack.state()["homes"]["U01ALICE"]["id"], home["id"]);
    let click = json!({"user": "U01ALICE", "click": {"view_id": home["id"], "action_id": "again"}});
    assert_eq!(it.act(&app, click).await["status"], 200);
}

#[tokio::test]
async fn opening_the_home_tab_is_told_as_the_events_api_tells_it() {
    let it = Workspace::new().await;
    let app = it.silent_app();
    let open = json!({"user": "U01ALICE", "open_home": true});
    it.act(&app, open.clone()).await;
    let home = Home::new().with(section("home"));
    let alice = SlackUser::new("U01ALICE");
    it.client.publish_home(&alice, &home).await.unwrap();
    let mut again = open;
    again["deliveries"] = json!(2);
    again["retry_num"] = json!(1);
    it.act(&app, again).await;

    let got = app.got.lock().unwrap().clone();
    let header = |at: usize, name: &str| {
        let mut headers = got[at].headers.iter();
        let found = headers.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(header(0, "Content-Type"), Some("application/json"));
    assert_eq!(header(0, "X-Slack-Retry-Num"), None);
    assert_eq!(header(1, "X-Slack-Retry-Num"), Some("1"));
    assert_eq!(header(1, "X-Slack-Retry-Reason"), Some("http_timeout"));
    assert_eq!(got[1], got[2]);

    let mut first = json_of(&got[0]);
    let id = first["event_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("Ev"));
    assert_ne!(json_of(&got[1])["event_id"], id);
    let event = first.as_object_mut().unwrap().remove("event").unwrap();
    let at = it.watch.now().as_second();
    assert_eq!(
        first,
        json!({
            "token": "sandbox-verification-token", "team_id": "T0SANDBOX", "api_app_id": "A0STINT",
            "type": "event_callback", "event_id": id, "event_time": at,
            "is_ext_shared_channel": false,
            "authorizations": [{
                "enterprise_id": null, "team_id": "T0SANDBOX", "user_id": "U00STINT",
                "is_bot": true, "is_enterprise_install": false,
            }],
        })
    );
    let event_ts = event["event_ts"].as_str().unwrap();
    assert_eq!(
        event,
        json!({
            "type": "app_home_opened", "user": "U01ALICE", "channel": "D01ALICE", "tab": "home",
            "event_ts": event_ts,
        })
    );
    let view = &json_of(&got[1])["event"]["view"];
    assert_eq!(view["type"], "home");
    assert_eq!(view["id"], it.slack.state()["homes"]["U01ALICE"]["id"]);
    let by = parsed(&got[1]).by().unwrap().clone();
    assert_eq!((by.user, by.home), (alice, None));
}

#[tokio::test]
async fn a_click_in_a_view_says_which_and_what_is_filled_in() {
    let it = Workspace::new().await;
    let app = it.silent_app();
    let row = json!({"type": "actions", "block_id": "row", "elements": [
        {"type": "button", "action_id": "more", "text": plain("More"), "value": "held:10"},
    ]});
    let reason = asks("reason", "plain_text_input", json!({"initial_value": "x"}));
    let modal = it.opened("U01ALICE", &modal(&[row.clone(), reason])).await;
    let home = json!({"user_id": "U01ALICE", "view": {"type": "home", "blocks": [row]}});
    let home = it.call("views.publish", &home).await["view"].clone();

    let filled = json!({"reason": {"reason": {"type": "plain_text_input", "value": "x"}}});
    for (view, filled) in [(&modal, filled), (&home, json!({}))] {
        let click = json!({"view_id": view["id"], "action_id": "more"});
        it.act(&app, json!({"user": "U01ALICE", "click": click}))
            .await;
        let sent = json_of(app.got.lock().unwrap().last().unwrap());
        let place = json!({"type": "view", "view_id": view["id"]});
        assert_eq!((&sent["container"], &sent["view"]), (&place, view));
        assert_eq!(sent["view"]["state"], json!({"values": filled}));
        assert!(sent["view"]["hash"].is_string());
        assert_eq!(sent["actions"][0]["value"], "held:10");
        for absent in ["response_url", "message", "channel", "state"] {
            assert_eq!(sent.get(absent), None, "{absent}");
        }
    }
}

#[tokio::test]
async fn a_choice_is_told_at_once_where_the_form_says_so() {
    let it = Workspace::new().await;
    let app = it.silent_app();
    let offered = |values: &[&str]| -> Vec<Value> { values.iter().map(|it| option(it)).collect() };
    let mut target = asks(
        "target",
        "static_select",
        json!({"options": offered(&["prod", "staging"]), "placeholder": plain("Pick one")}),
    );
    target["dispatch_action"] = json!(true);
    let hours = json!({"options": offered(&["1h", "4h"]), "initial_option": option("4h")});
    let blocks = [
        target.clone(),
        asks("duration", "static_select", hours),
        asks("reason", "plain_text_input", json!({"multiline": true})),
        asks(
            "ticket",
            "number_input",
            json!({"is_decimal_allowed": false}),
        ),
    ];
    let view = it.opened("U01ALICE", &modal(&blocks)).await;
    let click = |action: &str, value: &str| {
        let click = json!({"view_id": view["id"], "action_id": action, "value": value});
        json!({"user": "U01ALICE", "click": click})
    };

    // What is only filled in is not told.
    let typed = it.act(&app, click("reason", "fixing")).await;
    assert_eq!(
        typed["view"]["state"]["values"]["reason"]["reason"]["value"],
        "fixing"
    );
    assert!(app.got.lock().unwrap().is_empty());
    let other = it.nonsense(&app, click("target", "nowhere")).await;
    assert!(other.hint.contains("PROD, STAGING"), "{}", other.hint);

    it.act(&app, click("target", "prod")).await;
    let got = app.got.lock().unwrap().clone();
    assert_eq!(got.len(), 1);
    let sent = json_of(&got[0]);
    let action_ts = sent["actions"][0]["action_ts"].as_str().unwrap();
    let action = json!({
        "type": "static_select", "action_id": "target", "block_id": "target",
        "selected_option": option("prod"), "placeholder": plain("Pick one"), "action_ts": action_ts,
    });
    assert_eq!(sent["actions"], json!([action]));
    assert_eq!(sent["view"]["hash"], view["hash"]);
    let held = |kind: &str, key: &str, value: Value| json!({"type": kind, key: value});
    let filled = json!({
        "target": {"target": held("static_select", "selected_option", option("prod"))},
        "duration": {"duration": held("static_select", "selected_option", option("4h"))},
        "reason": {"reason": held("plain_text_input", "value", json!("fixing"))},
        "ticket": {"ticket": held("number_input", "value", Value::Null)},
    });
    assert_eq!(sent["view"]["state"]["values"], filled);
    let Payload::BlockActions(told) = parsed(&got[0]) else {
        panic!("no click")
    };
    assert_eq!(told.values["reason"], "fixing");
    assert_eq!(told.actions[0].value.as_deref(), Some("prod"));

    // The form drawn anew keeps it under the same ids, whatever it is set to now.
    let minutes = json!({"options": offered(&["30m", "1h"]), "initial_option": option("1h")});
    let blocks = [
        target,
        asks("duration", "static_select", minutes.clone()),
        asks("duration:prod", "static_select", minutes),
        asks(
            "reason",
            "plain_text_input",
            json!({"initial_value": "other"}),
        ),
        asks(
            "ticket",
            "number_input",
            json!({"is_decimal_allowed": false, "initial_value": "7"}),
        ),
    ];
    let body = json!({"view_id": view["id"], "hash": view["hash"], "view": modal(&blocks)});
    let updated = it.call("views.update", &body).await["view"].clone();
    assert_ne!(updated["hash"], view["hash"]);
    let mut filled = filled;
    filled["duration:prod"] =
        json!({"duration:prod": held("static_select", "selected_option", option("1h"))});
    assert_eq!(updated["state"]["values"], filled);
    let submit = |values: Value| json!({"user": "U01ALICE", "submit": {"view_id": view["id"], "values": values}});
    let empty = it.act(&app, submit(json!({}))).await;
    let missing = "Please complete this required field.";
    assert_eq!(empty["errors"], json!({"ticket": missing}));
    it.act(&app, submit(json!({"ticket": "8"}))).await;
    let got = app.got.lock().unwrap().clone();
    let filled = pairs([
        ("duration", "4h"),
        ("duration:prod", "1h"),
        ("reason", "fixing"),
        ("target", "prod"),
        ("ticket", "8"),
    ]);
    assert_eq!(filled_in(got.last().unwrap()), filled);
}

#[tokio::test]
async fn what_was_filled_in_is_still_there_after_an_error() {
    let it = Workspace::new().await;
    let answer = json!({"response_action": "errors", "errors": {"reason": "too bad"}});
    let app = it.form_app(form(), answer);
    let opened = it
        .act(&app, json!({"user": "U01ALICE", "command": "/access"}))
        .await;
    let submit = |values: Value| json!({"user": "U01ALICE", "submit": {"view_id": opened["view"]["id"], "values": values}});
    let values = json!({"target": "alpha", "reason": "why", "note": "n", "duration": "3600"});
    let refused = it.act(&app, submit(values)).await;
    assert_eq!(refused["errors"], json!({"reason": "too bad"}));
    it.act(&app, submit(json!({"reason": "because", "note": ""})))
        .await;
    let got = app.got.lock().unwrap().clone();
    let filled = pairs([
        ("duration", "3600"),
        ("reason", "because"),
        ("target", "alpha"),
    ]);
    assert_eq!(filled_in(got.last().unwrap()), filled);
}

#[tokio::test]
async fn what_was_offered_while_typing_can_be_chosen() {
    let it = Workspace::new().await;
    let app = it.app(|payload, _| {
        let options = match payload {
            // Nobody finds it by its value.
            Payload::BlockSuggestion(it) if it.typed == "gam" => {
                json!(Choices::new([Choice::new("Gamma", "00g3gamma")]))
            }
            Payload::BlockSuggestion(_) => json!({"options": []}),
            _ => Value::Null,
        };
        Box::pin(std::future::ready((200, options)))
    });
    let mut target = asks("target", "external_select", json!({"min_query_length": 2}));
    target["dispatch_action"] = json!(true);
    let view = it.opened("U01ALICE", &modal(&[target])).await;
    let submit = json!({"user": "U01ALICE", "submit": {"view_id": view["id"], "values": {"target": "00g3gamma"}}});
    let early = it.nonsense(&app, submit.clone()).await;
    assert_eq!(early.error, "`00g3gamma` is not offered");

    let typed = |text: &str| {
        let typing = json!({"view_id": view["id"], "action_id": "target", "text": text});
        json!({"user": "U01ALICE", "type": typing})
    };
    let before = app.got.lock().unwrap().len();
    assert_eq!(it.act(&app, typed("g")).await["options"], json!([]));
    assert_eq!(
        app.got.lock().unwrap().len(),
        before,
        "not asked for one character"
    );
    let offered = it.act(&app, typed("gam")).await;
    assert_eq!(offered["options"][0]["value"], "00g3gamma");
    let sent = json_of(app.got.lock().unwrap().last().unwrap());
    assert_eq!(
        (&sent["value"], &sent["block_id"]),
        (&json!("gam"), &json!("target"))
    );
    assert_eq!(
        sent["container"],
        json!({"type": "view", "view_id": view["id"]})
    );

    let click = json!({"view_id": view["id"], "action_id": "target", "value": "Gamma"});
    it.act(&app, json!({"user": "U01ALICE", "click": click}))
        .await;
    let sent = json_of(app.got.lock().unwrap().last().unwrap());
    assert_eq!(sent["actions"][0]["selected_option"]["value"], "00g3gamma");
    it.act(&app, submit).await;
    let Payload::ViewSubmission(sent) = parsed(app.got.lock().unwrap().last().unwrap()) else {
        panic!("no form")
    };
    assert_eq!(sent.values["target"], "00g3gamma");
}

#[tokio::test]
async fn numbers_and_lengths_are_kept_within_their_bounds() {
    let it = Workspace::new().await;
    let app = it.silent_app();
    let bounds = json!({"is_decimal_allowed": false, "min_value": "1", "max_value": "24"});
    let blocks = [
        asks("hours", "number_input", bounds),
        asks("reason", "plain_text_input", json!({"min_length": 3})),
    ];
    for (hours, reason, errors) in [
        ("0", "why", json!({"hours": "Please enter 1 or more."})),
        ("25", "why", json!({"hours": "Please enter 24 or less."})),
        (
            "1.5",
            "why",
            json!({"hours": "Please enter a whole number."}),
        ),
        (
            "many",
            "no",
            json!({"hours": "Please enter a number.", "reason": "Please write more."}),
        ),
        ("24", "why", json!({})),
    ] {
        let view = it.opened("U01ALICE", &modal(&blocks)).await;
        let values = json!({"hours": hours, "reason": reason});
        let submit = json!({"view_id": view["id"], "values": values});
        let answer = it.act(&app, json!({"user": "U01ALICE", "submit": submit}));
        assert_eq!(answer.await["errors"], errors, "{hours} {reason}");
    }
}

#[tokio::test]
async fn replies_stay_in_their_thread() {
    let it = Workspace::new().await;
    let card = it
        .client
        .post_message("#sym-requests", &buttons())
        .await
        .unwrap();
    let reply = |thread: &str, broadcast: bool| {
        json!({
            "channel": "C01REQUESTS", "text": "still waiting", "thread_ts": thread,
            "reply_broadcast": broadcast,
            "blocks": [{"type": "actions", "block_id": "row", "elements": [
                {"type": "button", "action_id": "approve", "text": plain("Approve"), "value": "R"},
            ]}],
        })
    };
    let unknown = it.call("chat.postMessage", &reply("1.000001", true)).await;
    assert_eq!(unknown, json!({"ok": false, "error": "thread_not_found"}));
    let quiet = it.call("chat.postMessage", &reply(&card.ts, false)).await;
    assert_eq!(quiet["message"]["thread_ts"], card.ts);
    assert_eq!(quiet["message"].get("subtype"), None);
    let loud = it.call("chat.postMessage", &reply(&card.ts, true)).await;
    assert_eq!(loud["message"]["subtype"], "thread_broadcast");
    let mut changed = reply(&card.ts, false);
    changed["ts"] = loud["ts"].clone();
    changed["text"] = json!("decided");
    assert_eq!(it.call("chat.update", &changed).await["ok"], true);

    let state = it.slack.state();
    let messages = state["channels"]["C01REQUESTS"]["messages"]
        .as_array()
        .unwrap();
    let seen: Vec<_> = messages
        .iter()
        .map(|it| {
            (
                it["thread_ts"].as_str(),
                it["subtype"].as_str(),
                &it["text"],
            )
        })
        .collect();
    let thread = Some(card.ts.as_str());
    assert_eq!(
        seen,
        [
            (None, None, &json!("a card")),
            (thread, None, &json!("still waiting")),
            (thread, Some("thread_broadcast"), &json!("decided")),
        ]
    );

    let app = it.silent_app();
    let click = json!({"channel": "C01REQUESTS", "ts": loud["ts"], "action_id": "approve"});
    it.act(&app, json!({"user": "U02BOB", "click": click}))
        .await;
    let sent = json_of(&app.got.lock().unwrap()[0]);
    assert_eq!(sent["container"]["thread_ts"], card.ts);
    assert_eq!(sent["message"]["thread_ts"], card.ts);
    assert_eq!(sent["message"]["text"], "decided");
    assert!(
        sent["response_url"]
            .as_str()
            .unwrap()
            .starts_with("https://hooks.slack.com/actions/")
    );
}

#[tokio::test]
async fn somebody_of_a_shared_channel_clicks_from_their_own_workspace() {
    let it = Workspace::new().await;
    let posted = it
        .client
        .post_message("#general", &buttons())
        .await
        .unwrap();
    let app = it.silent_app();
    for (user, team) in [("U02BOB", "T0SANDBOX"), ("U07STRANGER", "T0ELSEWHERE")] {
        let click = json!({"channel": posted.channel, "ts": posted.ts, "action_id": "approve"});
        it.act(&app, json!({"user": user, "click": click})).await;
        let by = parsed(app.got.lock().unwrap().last().unwrap());
        let by = by.by().unwrap().clone();
        assert_eq!(
            (by.team.as_deref(), by.home.as_deref()),
            (Some(team), Some(team))
        );
        assert_eq!(by.is_of("T0SANDBOX"), user == "U02BOB");
    }
}

#[tokio::test]
async fn everything_shown_is_kept_as_it_was_sent() {
    let it = Workspace::new().await;
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "a & b"}}]);
    let message = json!({"channel": "#general", "text": "one", "blocks": blocks});
    let posted = it.call("chat.postMessage", &message).await;
    let changed = json!({"channel": "C03GENERAL", "ts": posted["ts"], "text": "two", "blocks": []});
    it.call("chat.update", &changed).await;
    let refused = json!({"channel": "#general", "text": "", "blocks": [{"type": "dance"}]});
    assert_eq!(it.call("chat.postMessage", &refused).await["ok"], false);
    let private = json!({"channel": "#general", "user": "U02BOB", "text": "three"});
    it.call("chat.postEphemeral", &private).await;
    let home = json!({"type": "home", "blocks": blocks});
    it.call("views.publish", &json!({"user_id": "U02BOB", "view": home}))
        .await;
    let form = modal(&[asks("reason", "plain_text_input", json!({}))]);
    let answer = json!({"response_action": "errors", "errors": {"reason": "no"}});
    let view = it.opened("U01ALICE", &form).await;
    let app = it.form_app(self::form(), answer);
    let submit = json!({"view_id": view["id"], "values": {"reason": "x"}});
    it.act(&app, json!({"user": "U01ALICE", "submit": submit}))
        .await;

    let sent = |kind: &str, from: &str, content: Value| json!({"kind": kind, "from": from, "content": content});
    let expected = [
        sent(
            "message",
            "chat.postMessage",
            json!({"text": "one", "blocks": blocks}),
        ),
        sent(
            "message",
            "chat.update",
            json!({"text": "two", "blocks": []}),
        ),
        sent(
            "ephemeral",
            "chat.postEphemeral",
            json!({"text": "three", "blocks": []}),
        ),
        sent("home", "views.publish", home),
        sent("modal", "views.open", form.clone()),
        sent(
            "errors",
            "the answer to a form",
            json!({"errors": {"reason": "no"}, "blocks": view["blocks"]}),
        ),
    ];
    assert_eq!(it.shown(), expected);

    // A restart goes on in the same file.
    drop(app);
    let it = Workspace::open(it.folder, it.watch).await;
    let typed = it.form_app(
        self::form(),
        json!({"response_action": "update", "view": form}),
    );
    let opened = it
        .act(&typed, json!({"user": "U01ALICE", "command": "/access"}))
        .await;
    let id = &opened["view"]["id"];
    it.act(
        &typed,
        json!({"user": "U01ALICE", "type": {"view_id": id, "action_id": "target", "text": "al"}}),
    )
    .await;
    let submit = json!({"view_id": id, "values": {"target": "alpha", "reason": "x"}});
    it.act(&typed, json!({"user": "U01ALICE", "submit": submit}))
        .await;
    let told = it.app(|_, _| Box::pin(std::future::ready((200, json!({"text": "not you"})))));
    it.act(&told, json!({"user": "U01ALICE", "command": "/access"}))
        .await;
    let later = it.shown()[expected.len()..].to_vec();
    assert_eq!(
        later,
        [
            sent("modal", "views.open", json!(self::form())),
            sent(
                "options",
                "the answer to a question for options",
                json!(Choices::new([Choice::new("Alpha", "alpha")])),
            ),
            sent("modal", "the answer to a form", form),
            sent(
                "ephemeral",
                "the answer to a command",
                json!({"text": "not you", "blocks": null}),
            ),
        ]
    );
}

fn typed(more: Value) -> Value {
    asks("a", "plain_text_input", more)
}

fn number(more: Value) -> Value {
    asks("a", "number_input", more)
}

fn select(more: Value) -> Value {
    asks("a", "static_select", more)
}

fn with(mut block: Value, key: &str, value: Value) -> Value {
    block[key] = value;
    block
}

#[test]
fn slack_takes_every_field_of_every_element() {
    let options = json!([option("a"), option("b")]);
    let group = json!({"label": plain("g"), "options": options});
    let on_enter = json!({"trigger_actions_on": ["on_enter_pressed", "on_character_entered"]});
    let of_text = json!({
        "multiline": true, "min_length": 0, "max_length": 3000, "initial_value": "x",
        "placeholder": plain("p"), "dispatch_action_config": on_enter,
    });
    let whole = json!({
        "is_decimal_allowed": false, "min_value": "-1", "max_value": "9", "initial_value": "0",
    });
    let searched = json!({"min_query_length": 0, "initial_option": option("z")});
    for block in [
        with(typed(json!({})), "dispatch_action", json!(true)),
        with(typed(json!({})), "hint", plain("h")),
        typed(json!({"focus_on_load": true})),
        typed(of_text),
        number(whole),
        number(json!({"is_decimal_allowed": true, "initial_value": "0.5"})),
        select(json!({"options": options, "initial_option": option("b")})),
        select(json!({"option_groups": [group], "initial_option": option("a")})),
        asks("a", "external_select", searched),
        asks("a", "users_select", json!({"initial_user": "W012A"})),
        asks("a", "datepicker", json!({"initial_date": "2026-11-24"})),
    ] {
        let view = modal(&[block]);
        assert_eq!(limits::view(&view, "modal"), [""; 0], "{view:#}");
    }
}

fn refuses(block: &Value, complaint: &str) {
    let found = limits::view(&modal(std::slice::from_ref(block)), "modal").join("; ");
    assert!(found.contains(complaint), "{block:#}: {found}");
}

#[test]
fn slack_refuses_what_no_block_and_nothing_typed_has() {
    let blank = || typed(json!({}));
    let marked = json!({"type": "mrkdwn", "text": "x"});
    refuses(
        &with(blank(), "dispatch_action", json!("yes")),
        "must be a boolean",
    );
    refuses(&with(blank(), "optional", json!(1)), "must be a boolean");
    refuses(&with(blank(), "label", marked), "unsupported type of text");
    refuses(
        &with(blank(), "label", plain(" ")),
        "more than 0 characters",
    );
    for (more, complaint) in [
        (json!({"focus_on_load": "yes"}), "must be a boolean"),
        (json!({"multiline": "yes"}), "must be a boolean"),
        (json!({"max_length": 0}), "between 1 and 3000"),
        (json!({"max_length": 3001}), "between 1 and 3000"),
        (json!({"min_length": -1}), "between 0 and 3000"),
        (
            json!({"min_length": 9, "max_length": 8}),
            "more than max_length",
        ),
        (
            json!({"max_length": 2, "initial_value": "xyz"}),
            "less than 3 characters",
        ),
        (json!({"min_value": "1"}), "additional property: min_value"),
        (
            json!({"dispatch_action_config": {"trigger_actions_on": ["on_leave"]}}),
            "unsupported trigger",
        ),
    ] {
        refuses(&typed(more), complaint);
    }
    refuses(
        &number(json!({})),
        "missing required field: is_decimal_allowed",
    );
    for (is_decimal, more, complaint) in [
        (false, json!({"min_value": 1}), "number in a string"),
        (false, json!({"initial_value": "0.5"}), "number in a string"),
        (
            true,
            json!({"min_value": "2", "max_value": "1"}),
            "more than max_value",
        ),
        (
            true,
            json!({"min_value": "2", "initial_value": "1"}),
            "between min_value and max_value",
        ),
    ] {
        let mut more = more;
        more["is_decimal_allowed"] = json!(is_decimal);
        refuses(&number(more), complaint);
    }
}

#[test]
fn slack_refuses_what_nothing_chosen_has() {
    let options = json!([option("a"), option("b")]);
    let group = json!({"label": plain("g"), "options": options});
    let long = json!({"text": plain("x"), "value": "x".repeat(76)});
    let linked = json!({"text": plain("x"), "value": "x", "url": "https://example.com"});
    for (more, complaint) in [
        (json!({"options": []}), "no fewer than 1 items"),
        (json!({}), "must provide an array"),
        (
            json!({"options": options, "option_groups": [group]}),
            "cannot be combined",
        ),
        (
            json!({"options": options, "initial_option": option("c")}),
            "must match one of",
        ),
        (json!({"options": [long]}), "less than 76 characters"),
        (json!({"options": [linked]}), "additional property: url"),
    ] {
        refuses(&select(more), complaint);
    }
    for (kind, more, complaint) in [
        (
            "external_select",
            json!({"min_query_length": -1}),
            "between 0 and 3000",
        ),
        (
            "external_select",
            json!({"options": options}),
            "additional property: options",
        ),
        (
            "users_select",
            json!({"initial_user": "alice"}),
            "must be a valid user",
        ),
        (
            "datepicker",
            json!({"initial_date": "24.11.2026"}),
            "must be a date",
        ),
        (
            "button",
            json!({"text": plain("x")}),
            "unsupported type: button",
        ),
    ] {
        refuses(&asks("a", kind, more), complaint);
    }
}

#[test]
fn slack_refuses_what_a_view_has_not() {
    let focused = typed(json!({"focus_on_load": true}));
    let other = with(focused.clone(), "block_id", json!("other"));
    let twice = limits::view(&modal(&[focused.clone(), other]), "modal").join("; ");
    assert!(twice.contains("only one element"), "{twice}");
    let home = limits::view(&json!({"type": "home", "blocks": [focused]}), "home").join("; ");
    assert!(home.contains("unsupported type: input"), "{home}");
    let button =
        json!({"type": "button", "action_id": "a", "text": plain("x"), "placeholder": plain("p")});
    let row =
        limits::message_blocks(&json!([{"type": "actions", "elements": [button]}])).join("; ");
    assert!(row.contains("additional property: placeholder"), "{row}");
    let view = modal(&[typed(json!({}))]);
    let long = with(view.clone(), "private_metadata", json!("x".repeat(3001)));
    let found = limits::view(&long, "modal").join("; ");
    assert!(found.contains("less than 3001 characters"), "{found}");
    let empty = with(view.clone(), "private_metadata", json!(""));
    assert_eq!(limits::view(&empty, "modal"), [""; 0]);
    let notify = with(view, "notify_on_close", json!("yes"));
    let said = "must be a boolean [json-pointer:/view/notify_on_close]";
    assert_eq!(limits::view(&notify, "modal"), [said]);
}

#[tokio::test]
async fn nonsense_is_told_with_what_would_make_sense() {
    let it = Workspace::new().await;
    let app = it.silent_app();
    for (body, error) in [
        (
            json!({"user": "U99", "command": "/access"}),
            "no user `U99`",
        ),
        (json!({"user": "U01ALICE"}), "not one thing to do"),
        (
            json!({"user": "U01ALICE", "command": "/a", "shortcut": "b"}),
            "not one thing to do",
        ),
        (
            json!({"user": "U01ALICE", "command": "access"}),
            "no command",
        ),
        (
            json!({"user": "U01ALICE", "dance": true}),
            "unknown field `dance`",
        ),
        (
            json!({"user": "U01ALICE", "submit": {"view_id": "V1"}}),
            "does not see the view `V1`",
        ),
        (
            json!({"user": "U01ALICE", "click": {"action_id": "x"}}),
            "a click without a place",
        ),
        (
            json!({"channel_admin": {"channel": "#x"}}),
            "no channel `#x`",
        ),
        (json!([]), "not an object"),
    ] {
        let nonsense = it.nonsense(&app, body).await;
        assert!(nonsense.error.contains(error), "{}", nonsense.error);
        assert!(!nonsense.hint.is_empty());
    }
    assert!(app.got.lock().unwrap().is_empty());
}
