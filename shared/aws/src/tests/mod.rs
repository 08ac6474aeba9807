//! What is written is read by whoever comes later: items and events in the shapes that version 1 has,
//! as files that are never changed.
//!
//! A field that is added with a default gets a file of its own, beside the old ones. Any other change of
//! a shape is another [`SCHEMA_VERSION`](access::SCHEMA_VERSION).

mod events;
mod items;

use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

use crate::Config;

/// An AWS that has one item, and keeps what is written.
#[derive(Clone, Default)]
struct Fake {
    item: Option<Value>,
    written: Arc<Mutex<Vec<Value>>>,
}

impl Fake {
    /// One in which every item is `item`, whatever is asked for.
    fn with(item: &Value) -> Self {
        Self {
            item: Some(item.clone()),
            ..Self::default()
        }
    }

    /// Starts it; what a function knows that uses it.
    async fn config(&self) -> Config {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        config(&url)
    }

    /// The items that were written, by the end of their names.
    fn written(&self, sk: &str) -> Vec<Value> {
        let written = self.written.lock().unwrap();
        let all = written.iter().flat_map(|body| {
            let puts = body["TransactItems"].as_array().into_iter().flatten();
            let puts = puts.map(|it| it["Put"]["Item"].clone());
            puts.chain([body["Item"].clone()])
        });
        all.filter(|it| it["sk"]["S"].as_str().is_some_and(|it| it.starts_with(sk)))
            .collect()
    }
}

async fn answer(State(fake): State<Fake>, uri: Uri, headers: HeaderMap, body: String) -> String {
    let target = headers.get("x-amz-target").map(|it| it.to_str().unwrap());
    match target.and_then(|it| it.split_once('.')) {
        Some((_, "GetItem")) => match &fake.item {
            Some(item) => json!({ "Item": item }),
            None => json!({}),
        },
        Some((_, "Scan")) => json!({"Items": [fake.item]}),
        _ => {
            let mut body: Value = serde_json::from_str(&body).unwrap();
            body["path"] = json!(uri.path());
            fake.written.lock().unwrap().push(body);
            json!({"ScheduleArn": "arn"})
        }
    }
    .to_string()
}

fn config(url: &str) -> Config {
    let base: Url = url.parse().unwrap();
    let client = https::client();
    Config {
        table: "stint".to_owned(),
        slack_secret: String::new(),
        okta_secret: String::new(),
        okta_secret_key: String::new(),
        connector_role_arn: String::new(),
        external_id: String::new(),
        schedule_group: "stint".to_owned(),
        schedule_role_arn: "arn:aws:iam::123456789012:role/stint-schedule".to_owned(),
        schedule_dlq_arn: String::new(),
        approval_function: String::new(),
        escalation_function: String::new(),
        deescalation_function: "arn:aws:lambda:us-east-1:123456789012:function:stint".to_owned(),
        flows_dir: "/opt".into(),
        slack_base: base.clone(),
        okta_org: String::new(),
        okta_base: base,
        sdk: sdk(&client, url),
        client,
    }
}

fn sdk(client: &reqwest::Client, url: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIA", "secret", None, None, "tests");
    let credentials = SharedCredentialsProvider::new(credentials);
    crate::sdk(
        client.clone(),
        "us-east-1".to_owned(),
        credentials,
        Some(url.to_owned()),
    )
}

/// What a file says.
fn file(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
