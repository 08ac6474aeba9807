//! The simulated Slack and Okta alone, for a Stint that runs elsewhere: a deployed stack.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::{Clock, SystemClock};
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::faults::Faults;
use crate::okta::Okta;
use crate::outside::Outside;
use crate::sandbox::{guarded, read};
use crate::slack::Slack;
use crate::slack_delivery::{Answered, BoxFuture, Deliver, SignedHttp};
use crate::work::locked;
use crate::{Error, Nonsense, server};

/// How long an answer of the ingress is waited for. Slack waits three seconds; here a machine may be
/// slow, and what is tested is not its speed.
const PATIENCE: Duration = Duration::from_mins(1);

const WHAT: &str = "there are /sandbox/state, slack, okta, faults and ingress";

/// How the services are started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// The folder in which everything is kept.
    pub data: PathBuf,
    /// Where Slack sends what people do.
    pub ingress: Url,
}

/// The services, ready to answer.
#[derive(Debug)]
pub struct Services {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    /// What keeps others out of the data folder.
    _lock: File,
}

impl Services {
    /// Opens what the data folder has, and listens.
    ///
    /// # Errors
    ///
    /// The port or the data folder cannot be used.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let (listener, address) = crate::listen(options.port).await?;
        let lock = crate::take(&options.data)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let path = |name: &str| options.data.join(name);
        let slack = Slack::open(path("slack.jsonl"), Arc::clone(&clock))
            .map_err(|error| Error::folder(&path("slack.jsonl"), &error))?;
        let okta = Okta::open(&path("okta.json"), Arc::clone(&clock))
            .map_err(|error| Error::folder(&path("okta.json"), &error))?;
        let ingress = Arc::new(Elsewhere(Mutex::new(options.ingress)));
        let outside = Outside {
            slack,
            okta,
            faults: Faults::default(),
            ingress: Arc::<Elsewhere>::clone(&ingress),
        };
        let sandbox = Router::new()
            .route("/ingress", post(move_ingress))
            .with_state(ingress)
            .route("/state", get(state))
            .with_state((outside.clone(), clock))
            .merge(outside.sandbox());
        let router = Router::new()
            .merge(outside.services())
            .nest("/sandbox", guarded(address.port(), sandbox, WHAT));
        Ok(Self {
            listener,
            address,
            router,
            _lock: lock,
        })
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers, for good.
    ///
    /// # Errors
    ///
    /// It cannot be listened any more.
    pub async fn serve(self) -> Result<(), Error> {
        server::serve(self.listener, self.router)
            .await
            .map_err(Error::System)
    }
}

/// An ingress somewhere else.
#[derive(Debug)]
struct Elsewhere(Mutex<Url>);

impl Elsewhere {
    async fn post(&self, request: SignedHttp) -> Result<Answered, reqwest::Error> {
        let url = locked(&self.0).clone();
        let mut client = https::builder().timeout(PATIENCE);
        // Names in `.localhost` are this machine (RFC 6761), whatever its resolver says.
        if let Some(host) = url.host_str().filter(|host| host.ends_with(".localhost")) {
            client = client.resolve(host, (Ipv4Addr::LOCALHOST, 0).into());
        }
        let mut sent = client.build()?.post(url);
        for (name, value) in request.headers {
            sent = sent.header(name, value);
        }
        let answer = sent.body(request.body).send().await?;
        let headers = answer.headers().iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        Ok(Answered {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: answer.bytes().await?.to_vec(),
        })
    }
}

impl Deliver for Elsewhere {
    fn deliver(&self, request: SignedHttp) -> BoxFuture<'_, Answered> {
        Box::pin(async move {
            self.post(request).await.unwrap_or_else(|error| Answered {
                status: 502,
                headers: Vec::new(),
                body: error.to_string().into_bytes(),
            })
        })
    }

    /// What is under way elsewhere cannot be seen from here.
    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// `{"url"}`: where Slack sends what people do from now on.
async fn move_ingress(
    State(ingress): State<Arc<Elsewhere>>,
    body: Bytes,
) -> Result<Json<Value>, Nonsense> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Move {
        url: String,
    }
    let nonsense = |error: String| Nonsense::new(error, r#"send {"url": "https://…"}"#);
    let Move { url } =
        serde_json::from_value(read(&body)?).map_err(|error| nonsense(error.to_string()))?;
    let url = url
        .parse()
        .map_err(|error| nonsense(format!("`url` is `{url}`: {error}")))?;
    *locked(&ingress.0) = url;
    Ok(Json(json!({})))
}

async fn state(State((outside, clock)): State<(Outside, Arc<dyn Clock>)>) -> Json<Value> {
    Json(json!({
        "now": clock.now(),
        "slack": outside.slack.state(),
        "okta": outside.okta.state(),
        "faults": outside.faults.state(),
    }))
}
