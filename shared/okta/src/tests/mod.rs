mod calls;
mod errors;
mod limits;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{Client, CredentialError, CredentialSource};

/// What was asked of the fake Okta: `GET /api/v1/…` with the query, decoded.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    line: String,
    authorization: String,
}

/// What the fake Okta answers.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    fn new(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("x-okta-request-id", "req1".to_owned())],
            body: body.to_string(),
        }
    }

    fn done() -> Self {
        let mut done = Self::new(204, &Value::Null);
        done.body = String::new();
        done
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An error as Okta writes it.
fn complaint(status: u16, code: &str, summary: &str) -> Reply {
    let body = json!({
        "errorCode": code, "errorSummary": summary, "errorLink": code,
        "errorId": "oae1", "errorCauses": [],
    });
    Reply::new(status, &body)
}

type Script = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// An Okta that answers as its script says and remembers what it was asked.
#[derive(Clone)]
struct Fake {
    script: Script,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    fn new(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            asked: Arc::default(),
        }
    }

    async fn client(&self) -> Client {
        self.client_with(Tokens::new(&["00token"])).await
    }

    async fn client_with(&self, tokens: Arc<Tokens>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/okta", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        client(&base, tokens)
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|asked| asked.line.clone()).collect()
    }
}

async fn answer(
    State(fake): State<Fake>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let mut line = format!("{method} {}", uri.path());
    let url = reqwest::Url::parse(&format!("http://okta{uri}")).unwrap();
    for (key, value) in url.query_pairs() {
        line = format!("{line} {key}={value}");
    }
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    let asked = Asked {
        line,
        authorization,
    };
    fake.asked.lock().unwrap().push(asked.clone());
    let reply = (fake.script)(&asked);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

/// The client of an Okta that takes one call and answers with exactly these bytes.
async fn raw(bytes: &'static str) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(connection.read_u8().await.unwrap());
            }
            connection.write_all(bytes.as_bytes()).await.unwrap();
        }
    });
    client(&base, Tokens::new(&["00token"]))
}

fn client(base: &str, tokens: Arc<Tokens>) -> Client {
    Client::new(https::client(), base.parse().unwrap(), tokens)
}

/// A secret with one token, and the ones that replace it each time it is forgotten.
#[derive(Debug)]
struct Tokens {
    tokens: Vec<Result<&'static str, CredentialError>>,
    forgotten: AtomicUsize,
}

impl Tokens {
    fn new(tokens: &[&'static str]) -> Arc<Self> {
        Self::of(tokens.iter().copied().map(Ok).collect())
    }

    fn of(tokens: Vec<Result<&'static str, CredentialError>>) -> Arc<Self> {
        Arc::new(Self {
            tokens,
            forgotten: AtomicUsize::new(0),
        })
    }

    fn forgotten(&self) -> usize {
        self.forgotten.load(Ordering::Relaxed)
    }
}

impl CredentialSource for Tokens {
    fn token(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<SecretString, CredentialError>> + Send + '_>> {
        let token = self.tokens[self.forgotten().min(self.tokens.len() - 1)].clone();
        Box::pin(async move { token.map(SecretString::from) })
    }

    fn forget(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.forgotten.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}
