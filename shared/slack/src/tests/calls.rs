use std::sync::{Arc, Mutex};
use std::time::Duration;

use access::{Posted, SlackUser};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{Client, Error, Home, Message, PersonKind, View};

/// A Slack that answers everything the same way and remembers what it was asked.
#[derive(Clone)]
struct Fake {
    status: StatusCode,
    headers: &'static [(&'static str, &'static str)],
    body: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

struct Asked {
    path: String,
    content_type: String,
    authorization: String,
    body: Vec<u8>,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn answer(
    State(fake): State<Fake>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!(method, Method::POST);
    let header = |name: &str| {
        let value = headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    };
    fake.asked.lock().unwrap().push(Asked {
        path: uri.path().to_owned(),
        content_type: header("content-type"),
        authorization: header("authorization"),
        body: body.to_vec(),
    });
    let mut response = (fake.status, fake.body.clone()).into_response();
    for (name, value) in fake.headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

impl Fake {
    fn answering(body: &Value) -> Self {
        Self {
            status: StatusCode::OK,
            headers: &[],
            body: body.to_string(),
            asked: Arc::default(),
        }
    }

    async fn client(&self) -> Client {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/slack/api", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        client(&base)
    }

    /// Posts a message to it: what becomes of that.
    async fn post(&self) -> Result<Posted, Error> {
        let client = self.client().await;
        client.post_message("C1", &Message::new("hello")).await
    }
}

fn client(base: &str) -> Client {
    let http = https::client();
    Client::new(http, base.parse().unwrap(), SecretString::from("xoxb-1"))
}

/// What becomes of a message when Slack answers with `error` and `more`.
async fn refusal(error: &str, more: Value) -> Error {
    let mut body = json!({"ok": false, "error": error});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    Fake::answering(&body).post().await.unwrap_err()
}

#[tokio::test]
async fn a_message_is_posted_changed_and_shown_to_one() {
    let fake = Fake::answering(
        &json!({"ok": true, "channel": "C9", "ts": "1.2", "warning": "missing_charset"}),
    );
    let client = fake.client().await;
    let message = Message::new("hello");
    let posted = client.post_message("#general", &message).await.unwrap();
    assert_eq!(
        posted,
        Posted {
            channel: "C9".to_owned(),
            ts: "1.2".to_owned()
        }
    );
    client.update_message(&posted, &message).await.unwrap();
    let user = SlackUser::new("U1");
    client.post_ephemeral("C9", &user, &message).await.unwrap();
    let reply = client.post_reply(&posted, &message).await.unwrap();
    assert_eq!(reply, posted);

    let asked = fake.asked.lock().unwrap();
    let blocks =
        json!([{"type": "section", "text": {"type": "mrkdwn", "text": "hello", "verbatim": true}}]);
    let expected = [
        (
            "chat.postMessage",
            json!({"channel": "#general", "unfurl_links": false, "text": "hello", "blocks": blocks}),
        ),
        (
            "chat.update",
            json!({"channel": "C9", "ts": "1.2", "text": "hello", "blocks": blocks}),
        ),
        (
            "chat.postEphemeral",
            json!({"channel": "C9", "user": "U1", "text": "hello", "blocks": blocks}),
        ),
        (
            "chat.postMessage",
            json!({
                "channel": "C9", "thread_ts": "1.2", "reply_broadcast": true, "unfurl_links": false,
                "text": "hello", "blocks": blocks,
            }),
        ),
    ];
    for (asked, (method, body)) in asked.iter().zip(expected) {
        assert_eq!(asked.path, format!("/slack/api/{method}"));
        assert_eq!(asked.content_type, "application/json; charset=utf-8");
        assert_eq!(asked.authorization, "Bearer xoxb-1");
        assert_eq!(asked.json(), body);
    }
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn views_are_opened_changed_and_published() {
    let fake = Fake::answering(&json!({"ok": true, "view": {"id": "V1"}}));
    let client = fake.client().await;
    let view = View::modal("Stint").with(crate::blocks::divider());
    assert_eq!(client.open_view("1.2.3", &view).await.unwrap(), "V1");
    client.update_view("V1", Some("h"), &view).await.unwrap();
    client.update_view("V1", None, &view).await.unwrap();
    client
        .publish_home(&SlackUser::new("U1"), &Home::new())
        .await
        .unwrap();

    let asked = fake.asked.lock().unwrap();
    let view = serde_json::to_value(&view).unwrap();
    let expected = [
        ("views.open", json!({"trigger_id": "1.2.3", "view": view})),
        (
            "views.update",
            json!({"view_id": "V1", "hash": "h", "view": view}),
        ),
        ("views.update", json!({"view_id": "V1", "view": view})),
        (
            "views.publish",
            json!({"user_id": "U1", "view": {"type": "home", "blocks": []}}),
        ),
    ];
    for (asked, (method, body)) in asked.iter().zip(expected) {
        assert_eq!(asked.path, format!("/slack/api/{method}"));
        assert_eq!(asked.json(), body);
    }
    assert_eq!(asked.len(), 4);
}

#[tokio::test]
async fn people_are_looked_up_with_a_form_and_told_apart() {
    for (more, kind, email) in [
        (json!({}), PersonKind::Member, Some("ann@example.com")),
        (
            json!({"is_restricted": true}),
            PersonKind::Guest,
            Some("ann@example.com"),
        ),
        (
            json!({"is_restricted": true, "is_ultra_restricted": true}),
            PersonKind::Guest,
            Some("ann@example.com"),
        ),
        (
            json!({"is_stranger": true, "is_restricted": true}),
            PersonKind::Stranger,
            Some("ann@example.com"),
        ),
        (
            json!({"is_bot": true}),
            PersonKind::Bot,
            Some("ann@example.com"),
        ),
        (
            json!({"deleted": true, "is_bot": true}),
            PersonKind::Deleted,
            Some("ann@example.com"),
        ),
        (
            json!({"is_email_confirmed": false}),
            PersonKind::Member,
            None,
        ),
        (json!({"profile": {}}), PersonKind::Member, None),
        (
            json!({"profile": {"email": null}}),
            PersonKind::Member,
            None,
        ),
        (json!({"profile": {"email": ""}}), PersonKind::Member, None),
    ] {
        let mut user = json!({
            "id": "U1", "team_id": "T1", "name": "ann", "real_name": "Ann Onym", "tz": "Europe/Berlin",
            "profile": {"email": "ann@example.com", "display_name": "", "real_name": "Ann Onym"},
        });
        user.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let fake = Fake::answering(&json!({"ok": true, "user": user}));
        let person = fake
            .client()
            .await
            .user(&SlackUser::new("U1"))
            .await
            .unwrap();
        assert_eq!(person.kind, kind, "{more}");
        assert_eq!(person.email.as_deref(), email, "{more}");
        assert_eq!(
            (person.team.as_str(), person.name.as_str()),
            ("T1", "Ann Onym")
        );
        assert_eq!(person.tz.as_deref(), Some("Europe/Berlin"));
        let asked = fake.asked.lock().unwrap();
        assert_eq!(asked[0].path, "/slack/api/users.info");
        assert_eq!(asked[0].content_type, "application/x-www-form-urlencoded");
        assert_eq!(asked[0].body, b"user=U1");
    }
}

#[tokio::test]
async fn what_may_be_tried_again_says_when() {
    let mut fake = Fake::answering(&json!({"ok": false, "error": "ratelimited"}));
    fake.status = StatusCode::TOO_MANY_REQUESTS;
    fake.headers = &[("retry-after", "30")];
    let after = Duration::from_secs(30);
    let error = "ratelimited".to_owned();
    assert_eq!(fake.post().await, Err(Error::Later { error, after }));

    for error in [
        "rate_limited",
        "service_unavailable",
        "message_limit_exceeded",
    ] {
        assert!(
            matches!(refusal(error, json!({})).await, Error::Later { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_never_left_may_be_tried_again() {
    // Nobody listens where somebody listened a moment ago.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let sent = client(&base).post_message("C1", &Message::new("x")).await;
    assert!(matches!(sent, Err(Error::Later { .. })), "{sent:?}");
}

#[tokio::test]
async fn what_may_have_happened_is_unclear() {
    for error in ["internal_error", "fatal_error", "request_timeout"] {
        assert!(
            matches!(refusal(error, json!({})).await, Error::Unclear { .. }),
            "{error}"
        );
    }
    let mut fake = Fake::answering(&json!({}));
    fake.body = "<html>Bad gateway</html>".to_owned();
    fake.status = StatusCode::BAD_GATEWAY;
    assert!(matches!(fake.post().await, Err(Error::Unclear { .. })));
    fake.status = StatusCode::OK;
    assert!(matches!(fake.post().await, Err(Error::Unclear { .. })));
    // A success that does not say what was posted.
    let fake = Fake::answering(&json!({"ok": true}));
    assert!(matches!(fake.post().await, Err(Error::Unclear { .. })));

    // The connection is taken and closed without an answer.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            drop(connection);
        }
    });
    let sent = client(&base).post_message("C1", &Message::new("x")).await;
    assert!(matches!(sent, Err(Error::Unclear { .. })), "{sent:?}");
}

#[tokio::test]
async fn what_is_not_there_is_gone_and_says_what_to_do() {
    for error in [
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "user_not_found",
        "user_not_in_channel",
        "user_disabled",
        "messages_tab_disabled",
        "not_found",
        "hash_conflict",
        "restricted_action",
        "cannot_dm_bot",
    ] {
        let refused = refusal(error, json!({})).await;
        assert!(
            matches!(&refused, Error::Gone { error: said, .. } if said == error),
            "{refused:?}"
        );
        assert!(!refused.hint().is_empty());
    }
    let publish = refusal(
        "invalid_arguments",
        json!({"response_metadata": {"messages": ["[ERROR] invalid `user_id` [json-pointer:/user_id]"]}}),
    );
    assert!(matches!(publish.await, Error::Gone { .. }));
}

#[tokio::test]
async fn an_old_click_is_expired_however_slack_says_it() {
    for error in [
        "expired_trigger_id",
        "exchanged_trigger_id",
        "invalid_trigger_id",
    ] {
        assert!(
            matches!(refusal(error, json!({})).await, Error::Expired { .. }),
            "{error}"
        );
    }
    let real = refusal(
        "invalid_arguments",
        json!({"response_metadata": {"messages": ["[ERROR] `trigger_id` expired [json-pointer:/trigger_id]"]}}),
    );
    assert!(matches!(real.await, Error::Expired { .. }));
}

#[tokio::test]
async fn what_a_person_must_mend_says_what() {
    for error in [
        "invalid_auth",
        "token_revoked",
        "account_inactive",
        "not_authed",
        "access_denied",
        "no_text",
        "some_new_error",
    ] {
        let refused = refusal(error, json!({})).await;
        assert!(matches!(refused, Error::Refused { .. }), "{error}");
        assert!(!refused.hint().is_empty());
    }
    let scope = refusal(
        "missing_scope",
        json!({"needed": "users:read.email", "provided": "chat:write"}),
    )
    .await;
    assert!(
        scope.hint().contains("users:read.email"),
        "{}",
        scope.hint()
    );

    let said = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]";
    let blocks = refusal(
        "invalid_blocks",
        json!({"errors": [said], "response_metadata": {"messages": [format!("[ERROR] {said}")]}}),
    )
    .await;
    assert!(blocks.to_string().contains(said), "{blocks}");

    let mut proxy = Fake::answering(&json!({}));
    proxy.body = "no entry".to_owned();
    proxy.status = StatusCode::FORBIDDEN;
    assert!(matches!(proxy.post().await, Err(Error::Refused { .. })));
}

#[tokio::test]
async fn the_token_is_never_shown() {
    let client = client("http://127.0.0.1:1/");
    assert!(!format!("{client:?}").contains("xoxb"));
}
