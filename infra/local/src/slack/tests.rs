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

use super::{BOT_TOKEN, SIGNING_SECRET, Slack};
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
