//! The clients that every function but `slack-ingress` needs, built once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use access::Org;
use aws::telemetry::{Unit, metric};
use aws::{Clock, Config, Connector, Handoffs, Schedules, Scheduling, SlackSecrets, Table};
use jiff::Timestamp;
use secrecy::SecretString;

/// The clients that every function but `slack-ingress` needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The function's name, for logs and the audit.
    pub function: &'static str,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The table.
    pub table: Table,
    /// The other functions.
    pub handoffs: Handoffs,
    /// The one-time schedules, where the function may make or delete any.
    pub schedules: Option<Arc<dyn Scheduling>>,
    /// Okta.
    pub okta: okta::Client,
    /// The only org whose credential is used.
    pub org: Org,
    /// What everything is sent with.
    pub http: reqwest::Client,
    slack_secrets: SlackSecrets,
    slack_base: reqwest::Url,
}

impl Tools {
    /// Builds the clients of `function` for the stack of `config`. Makes no call.
    #[must_use]
    pub fn new(function: &'static str, config: &Config, clock: Arc<dyn Clock>) -> Self {
        let http = config.client.clone();
        let connector = Connected {
            connector: Connector::new(config, clock.clone()),
            clock: clock.clone(),
        };
        Self {
            function,
            table: Table::new(config),
            handoffs: Handoffs::new(config),
            schedules: None,
            okta: okta::Client::new(http.clone(), config.okta_base.clone(), Arc::new(connector))
                .timed_by({
                    let clock = clock.clone();
                    move || clock.now().as_duration().unsigned_abs()
                }),
            org: Org::new(&config.okta_org),
            slack_secrets: SlackSecrets::new(config, clock.clone()),
            slack_base: config.slack_base.clone(),
            http,
            clock,
        }
    }

    /// The same for a function that makes or deletes schedules.
    #[must_use]
    pub fn with_schedules(self, config: &Config) -> Self {
        Self {
            schedules: Some(Arc::new(Schedules::new(config))),
            ..self
        }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Slack, with the token that is in the secret now.
    pub async fn slack(&self) -> Result<slack::Client, aws::Error> {
        let secret = self.slack_secrets.get().await?;
        Ok(slack::Client::new(
            self.http.clone(),
            self.slack_base.clone(),
            secret.bot_token,
        ))
    }

    /// The Slack secret, which holds what Slack signs its requests with.
    #[must_use]
    pub fn slack_secrets(&self) -> &SlackSecrets {
        &self.slack_secrets
    }
}

/// The runtime connector as Okta's client sees it.
#[derive(Debug)]
struct Connected {
    connector: Connector,
    clock: Arc<dyn Clock>,
}

impl okta::CredentialSource for Connected {
    fn token(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<SecretString, okta::CredentialError>> + Send + '_>>
    {
        Box::pin(async move {
            let token = self.connector.okta_token().await;
            token
                .map(|token| token.0)
                .map_err(|error| okta::CredentialError {
                    reason: error.to_string(),
                    hint: error.hint().to_owned(),
                    transient: !matches!(error, aws::Error::Unconfigured { .. }),
                })
        })
    }

    fn forget(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.connector.forget())
    }

    fn failed(&self) {
        metric("OktaSignInFailed", 1.0, Unit::Count, self.clock.now());
    }
}
