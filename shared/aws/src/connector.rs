//! The runtime connector: the IAM role that is the only way to the Okta credential.

use std::sync::Arc;

use aws_sdk_secretsmanager::config::Credentials;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::{Clock, Config, Error};

/// How long a token is kept: the assumed role's hour, less a margin.
const KEPT: SignedDuration = SignedDuration::from_mins(55);

/// Okta's API token.
#[derive(Debug, Clone)]
pub struct OktaToken(pub SecretString);

/// Assumes the connector's role, reads the tagged secret with it, and keeps the token until shortly
/// before the role's session expires.
#[derive(Debug, Clone)]
pub struct Connector {
    sts: aws_sdk_sts::Client,
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<Option<(OktaToken, Timestamp)>>>,
}

impl Connector {
    /// The connector of the stack of `config`.
    #[must_use]
    pub fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        Self {
            sts: aws_sdk_sts::Client::new(&config.sdk),
            config: Arc::new(config.clone()),
            clock,
            kept: Arc::default(),
        }
    }

    /// Okta's token, from memory where that is fresh enough.
    pub async fn okta_token(&self) -> Result<OktaToken, Error> {
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some((token, until)) = kept.as_ref()
            && now < *until
        {
            return Ok(token.clone());
        }
        let token = self.read().await?;
        *kept = Some((token.clone(), now + KEPT));
        Ok(token)
    }

    /// Forgets the token, so that the next one is read from the secret.
    pub async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    async fn read(&self) -> Result<OktaToken, Error> {
        let config = &self.config;
        let session = self
            .sts
            .assume_role()
            .role_arn(&config.connector_role_arn)
            .external_id(&config.external_id)
            .role_session_name("stint")
            .send()
            .await
            .map_err(|error| match Error::of("STS", error) {
                Error::Unavailable { error, .. } if error.starts_with("AccessDenied") => {
                    Error::Unconfigured {
                        error: format!("the runtime connector cannot be assumed: {error}"),
                        hint: format!(
                            "let the functions' roles assume `{}` with the external id of this stack",
                            config.connector_role_arn
                        ),
                    }
                }
                error => error,
            })?;
        let Some(session) = session.credentials else {
            return Err(Error::Unavailable {
                service: "STS",
                error: "the answer has no credentials".to_owned(),
            });
        };
        let credentials = Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            None,
            "runtime-connector",
        );
        let client = aws_sdk_secretsmanager::Client::from_conf(
            aws_sdk_secretsmanager::config::Builder::from(&config.sdk)
                .credentials_provider(credentials)
                .build(),
        );
        let key = &config.okta_secret_key;
        let secret = &config.okta_secret;
        let hint = format!(
            "put the Okta API token into the secret: aws secretsmanager put-secret-value \
             --secret-id {secret} --secret-string '{{\"{key}\": \"<token>\"}}'"
        );
        let json = read_secret(&client, secret, &hint).await?;
        let token = json
            .get(key)
            .and_then(|value| value.as_str())
            .filter(|token| !token.is_empty());
        match token {
            Some(token) => Ok(OktaToken(SecretString::from(token))),
            None => Err(Error::Unconfigured {
                error: format!("the secret `{secret}` has no key `{key}`"),
                hint,
            }),
        }
    }
}

/// Reads the secret `name`, which must hold a JSON object. `hint` says how to put one there.
pub(crate) async fn read_secret(
    client: &aws_sdk_secretsmanager::Client,
    name: &str,
    hint: &str,
) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
    let unconfigured = |error: String| Error::Unconfigured {
        error,
        hint: hint.to_owned(),
    };
    let answer = client.get_secret_value().secret_id(name).send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            return Err(match Error::of("Secrets Manager", error) {
                Error::Unavailable { error, .. }
                    if ["ResourceNotFound", "AccessDenied"]
                        .iter()
                        .any(|code| error.starts_with(code)) =>
                {
                    unconfigured(format!("the secret `{name}` cannot be read: {error}"))
                }
                error => error,
            });
        }
    };
    match answer.secret_string().map(serde_json::from_str) {
        Some(Ok(serde_json::Value::Object(json))) => Ok(json),
        // What the secret holds is not repeated in the error.
        _ => Err(unconfigured(format!(
            "the secret `{name}` does not hold a JSON object"
        ))),
    }
}
