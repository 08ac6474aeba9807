//! Secrets Manager: the two secrets, in a file.
//!
//! Shapes and errors are those of the Secrets Manager API reference: `GetSecretValue`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::header};
use serde::Deserialize;
use serde_json::json;

use super::{Caller, Refusal, denied};
use crate::stack::{ACCOUNT, OKTA_SECRET, REGION, SLACK_SECRET};
use crate::work::locked;
use crate::{Error, OKTA_API_TOKEN, SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET, store};

/// The secrets; one without a value has no version yet.
#[derive(Debug)]
pub(crate) struct Secrets {
    path: PathBuf,
    values: Mutex<BTreeMap<String, Option<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: String,
}

impl Secrets {
    /// The secrets in the file `path`; at first both hold what the simulated Slack and Okta accept.
    pub(crate) fn open(path: &Path) -> Result<Arc<Self>, Error> {
        let found = store::load(path).map_err(|error| Error::folder(path, &error))?;
        let values = if let Some(values) = found {
            values
        } else {
            let slack = json!({
                "slack_bot_token": SLACK_BOT_TOKEN,
                "slack_signing_secret": SLACK_SIGNING_SECRET,
            });
            let okta = json!({"okta_api_token": OKTA_API_TOKEN});
            let values = BTreeMap::from([
                (SLACK_SECRET.to_owned(), Some(slack.to_string())),
                (OKTA_SECRET.to_owned(), Some(okta.to_string())),
            ]);
            store::save(path, &values).map_err(|error| Error::folder(path, &error))?;
            values
        };
        Ok(Arc::new(Self {
            path: path.to_owned(),
            values: Mutex::new(values),
        }))
    }

    /// Puts a value into the Okta secret, or leaves it without one.
    pub(crate) fn put_okta(&self, value: Option<String>) -> io::Result<()> {
        let mut values = locked(&self.values);
        values.insert(OKTA_SECRET.to_owned(), value);
        store::save(&self.path, &*values)
    }

    /// Whether there is a value in the Okta secret.
    pub(crate) fn has_okta(&self) -> bool {
        matches!(locked(&self.values).get(OKTA_SECRET), Some(Some(_)))
    }

    pub(super) fn answer(&self, caller: Caller, body: &Bytes) -> Result<Response, Refusal> {
        let asked: GetSecretValue = serde_json::from_slice(body)
            .map_err(|error| Refusal::new(400, "InvalidRequestException", error.to_string()))?;
        let values = locked(&self.values);
        let missing =
            |message: &str| Refusal::new(400, "ResourceNotFoundException", message.to_owned());
        let named = values
            .iter()
            .find(|(name, _)| asked.secret_id == **name || asked.secret_id == arn(name));
        let Some((name, value)) = named else {
            return Err(missing("Secrets Manager can't find the specified secret."));
        };
        let may_read = match name.as_str() {
            OKTA_SECRET => caller == Caller::Connector,
            _ => matches!(caller, Caller::Function(_)),
        };
        if !may_read {
            return Err(denied(caller, "SecretsManager.GetSecretValue", name));
        }
        let Some(value) = value else {
            return Err(missing(
                "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
            ));
        };
        let answer = json!({
            "ARN": arn(name),
            "Name": name,
            "VersionId": "00000000-0000-0000-0000-000000000001",
            "VersionStages": ["AWSCURRENT"],
            "SecretString": value,
        });
        let kind = [(header::CONTENT_TYPE, "application/x-amz-json-1.1")];
        Ok((kind, Json(answer)).into_response())
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-000000")
}
