use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Fake, Reply, Tokens, client, complaint, raw};
use crate::{CredentialError, Error, Mend, Missing};

/// What becomes of an addition that is answered so.
async fn adding(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Error {
    let client = Fake::new(move |_| reply()).client().await;
    client.add("00u1", "00g1").await.unwrap_err()
}

async fn refused(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Mend {
    match adding(reply).await {
        Error::Refused { mend, .. } => mend,
        other => panic!("{other:?}"),
    }
}

const NOT_FOUND: &str = "Not found: Resource not found: 00x1";

#[tokio::test]
async fn a_missing_user_and_a_missing_group_are_told_apart() {
    for (suffix, expected) in [("(User)", Missing::User), ("(UserGroup)", Missing::Group)] {
        let error = adding(move || complaint(404, "E0000007", &format!("{NOT_FOUND} {suffix}")));
        let error = error.await;
        let Error::Missing { what, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*what, expected);
        assert_eq!(
            error.to_string(),
            format!(
                "could not add the Okta user `00u1` to the group `00g1`: Okta says `{NOT_FOUND} \
                 {suffix}` (HTTP 404, E0000007, req1)"
            )
        );
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn a_404_that_names_neither_says_nothing_about_the_membership() {
    for reply in [
        || complaint(404, "E0000007", &format!("{NOT_FOUND} (AppUser)")),
        || complaint(404, "E0000008", "The requested path was not found"),
        || {
            Reply::new(
                404,
                &json!({"status": 404, "message": "Resource not found"}),
            )
        },
        || Reply::new(404, &json!("<html>")),
    ] {
        assert_eq!(refused(reply).await, Mend::Address);
    }
}

#[tokio::test]
async fn a_refusal_says_who_must_mend_it() {
    let no = "You do not have permission to perform the requested action";
    for (status, code, summary, mend) in [
        (401, "E0000011", "Invalid token provided", Mend::Token),
        (403, "E0000005", "Invalid session", Mend::Token),
        (401, "E0000015", no, Mend::Permission),
        (403, "E0000006", no, Mend::Permission),
        (
            403,
            "E0000038",
            "This operation is not allowed in the user's current status.",
            Mend::Nothing,
        ),
        (501, "E0000060", "Unsupported operation.", Mend::Nothing),
        (400, "E0000001", "Api validation failed", Mend::Nothing),
        (
            405,
            "E0000022",
            "The endpoint does not support the provided HTTP method",
            Mend::Nothing,
        ),
    ] {
        assert_eq!(
            refused(move || complaint(status, code, summary)).await,
            mend,
            "{code}"
        );
    }
    let mut proxy = Reply::new(403, &Value::Null);
    "<html>no entry</html>".clone_into(&mut proxy.body);
    let proxy = std::sync::Mutex::new(Some(proxy));
    let mend = refused(move || proxy.lock().unwrap().take().unwrap()).await;
    assert_eq!(mend, Mend::Address);
}

#[tokio::test]
async fn causes_are_told_in_one_line() {
    let error = adding(|| {
        let body = json!({
            "errorCode": "E0000001", "errorSummary": "Api validation failed: user",
            "errorCauses": [{"errorSummary": "a: not\nallowed"}, {"errorSummary": "b"}],
        });
        Reply::new(400, &body)
    });
    assert!(error.await.to_string().ends_with(
        "Okta says `Api validation failed: user; a: not allowed; b` (HTTP 400, E0000001, req1)"
    ));
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_later() {
    for (status, code) in [(503, "E0000010"), (409, "E0000249")] {
        let error = adding(move || complaint(status, code, "Service is in read only mode")).await;
        assert!(matches!(error, Error::Later { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_explains_nothing_is_unclear() {
    for status in [200, 201, 301, 408, 500, 501, 502, 503, 504] {
        let error = adding(move || Reply::new(status, &json!({"a": 1}))).await;
        assert!(matches!(error, Error::Unclear { .. }), "{status} {error:?}");
    }
    for body in [
        json!("<html>"),
        json!({"no": "list"}),
        json!([{"no": "id"}]),
    ] {
        let client = Fake::new(move |_| Reply::new(200, &body)).client().await;
        let error = client.groups_of("00u1").await.unwrap_err();
        assert!(matches!(error, Error::Unclear { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn nobody_there_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&base, Tokens::new(&["00token"]))
        .add("00u1", "00g1")
        .await;
    assert!(matches!(error, Err(Error::Later { .. })), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_is_cut_leaves_it_open() {
    for bytes in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 400\r\n\r\n{\"errorCode\":",
    ] {
        let error = raw(bytes).await.add("00u1", "00g1").await.unwrap_err();
        assert!(matches!(error, Error::Unclear { .. }), "{error:?}");
    }
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n[{\"id\":\"00g1\"}";
    let error = raw(half).await.groups_of("00u1").await.unwrap_err();
    assert!(matches!(error, Error::Unclear { .. }), "{error:?}");
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let fake = Fake::new(|_| Reply::new(200, &json!("x".repeat(5 << 20))));
    let error = fake.client().await.groups_of("00u1").await.unwrap_err();
    assert!(error.to_string().contains("larger"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_unclear() {
    // Connections are made, and nobody ever takes them.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let client = client(&base, Tokens::new(&["00token"]));
    let before = tokio::time::Instant::now();
    let error = client.add("00u1", "00g1").await.unwrap_err();
    assert!(matches!(error, Error::Unclear { .. }), "{error:?}");
    assert!(before.elapsed() < Duration::from_secs(11));
}

#[tokio::test]
async fn a_rejected_token_is_read_anew_and_tried_once_more() {
    let fake = Fake::new(|asked| {
        if asked.authorization == "SSWS new" {
            Reply::done()
        } else {
            complaint(401, "E0000011", "Invalid token provided")
        }
    });
    let tokens = Tokens::new(&["old", "new"]);
    let client = fake.client_with(tokens.clone()).await;
    client.add("00u1", "00g1").await.unwrap();
    assert_eq!((fake.asked().len(), tokens.forgotten()), (2, 1));

    // The same one is not tried again, and a third one is not asked for.
    let tokens = Tokens::new(&["old"]);
    let client = fake.client_with(tokens.clone()).await;
    assert!(matches!(
        client.add("00u1", "00g1").await,
        Err(Error::Refused {
            mend: Mend::Token,
            ..
        })
    ));
    assert_eq!((fake.asked().len(), tokens.forgotten()), (3, 1));
    let tokens = Tokens::new(&["old", "older", "new"]);
    let client = fake.client_with(tokens.clone()).await;
    assert!(client.add("00u1", "00g1").await.is_err());
    assert_eq!((fake.asked().len(), tokens.forgotten()), (5, 1));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let fake = Fake::new(|_| Reply::done());
    let tokens = |transient| {
        Tokens::of(vec![Err(CredentialError {
            reason: "the secret `okta` has no key `okta_api_token`".to_owned(),
            hint: "put it there".to_owned(),
            transient,
        })])
    };
    let error = fake
        .client_with(tokens(true))
        .await
        .add("00u1", "00g1")
        .await;
    assert!(matches!(error, Err(Error::Later { .. })));
    let error = fake
        .client_with(tokens(false))
        .await
        .add("00u1", "00g1")
        .await;
    let error = error.unwrap_err();
    assert!(matches!(
        error,
        Error::Refused {
            mend: Mend::Token,
            ..
        }
    ));
    assert_eq!(error.hint(), "put it there");
    assert!(error.to_string().ends_with("has no key `okta_api_token`"));

    let broken = fake.client_with(Tokens::new(&["new\nline"])).await;
    let error = broken.add("00u1", "00g1").await.unwrap_err();
    assert!(!format!("{error:?}").contains("new"), "{error:?}");
    assert_eq!(fake.asked().len(), 0);
}
