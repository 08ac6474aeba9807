//! The four real functions, in environments like Lambda's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws::Clock;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::http::{HeaderMap, HeaderName};
use jiff::SignedDuration;
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

use crate::OKTA_ORG;
use crate::clock::{FunctionClock, SandboxClock};
use crate::gate::{ENVIRONMENT, Gate};
use crate::stack::{
    ACCOUNT, CONNECTOR_ROLE, EXTERNAL_ID, OKTA_SECRET, REGION, SCHEDULE_GROUP, SCHEDULE_ROLE,
    SLACK_SECRET, TABLE,
};
use crate::work::{Asleep, Busy, Invocation, Work, locked};

/// One of the four functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Function {
    SlackIngress,
    Approval,
    Escalation,
    Deescalation,
}

impl Function {
    const ALL: [Self; 4] = [
        Self::SlackIngress,
        Self::Approval,
        Self::Escalation,
        Self::Deescalation,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SlackIngress => "slack-ingress",
            Self::Approval => "approval",
            Self::Escalation => "escalation",
            Self::Deescalation => "deescalation",
        }
    }

    /// The function that is called `name`, or has that ARN.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| name == function.name() || name == function.arn())
    }

    pub(crate) fn arn(self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.name())
    }

    pub(crate) fn role_arn(self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:role/stint-{}", self.name())
    }

    /// The function whose role has this access key.
    pub(crate) fn with_access_key(key: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| key == function.access_key())
    }

    fn access_key(self) -> &'static str {
        match self {
            Self::SlackIngress => "AKIASANDBOXINGRESS",
            Self::Approval => "AKIASANDBOXAPPROVAL",
            Self::Escalation => "AKIASANDBOXESCALATION",
            Self::Deescalation => "AKIASANDBOXDEESCALATION",
        }
    }

    /// How long it may handle one event.
    fn timeout(self) -> SignedDuration {
        SignedDuration::from_secs(match self {
            Self::SlackIngress => 10,
            Self::Approval | Self::Escalation => 60,
            Self::Deescalation => 180,
        })
    }
}

/// Where the functions find everything.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The AWS endpoint.
    pub(crate) aws: String,
    /// Slack's Web API.
    pub(crate) slack: Url,
    /// The Okta org.
    pub(crate) okta: Url,
    /// The folder with `flows.toml` and `policy.cedar`.
    pub(crate) flows: PathBuf,
}

impl Places {
    /// What `function` knows of the stack.
    #[cfg(test)]
    pub(crate) fn of(&self, function: Function) -> aws::Config {
        self.config(function.access_key(), https::local_client())
    }

    /// The same in its environment number `environment`, which says so with each call.
    fn of_environment(&self, function: Function, environment: u64) -> aws::Config {
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static(ENVIRONMENT), environment.into())]);
        let client = https::local_builder().default_headers(headers).build();
        self.config(function.access_key(), client.unwrap_or_default())
    }

    /// What a function of the stack knows, with the credentials of `access_key`.
    fn config(&self, access_key: &str, client: Client) -> aws::Config {
        aws::Config {
            table: TABLE.to_owned(),
            slack_secret: SLACK_SECRET.to_owned(),
            okta_secret: OKTA_SECRET.to_owned(),
            okta_secret_key: "okta_api_token".to_owned(),
            connector_role_arn: CONNECTOR_ROLE.to_owned(),
            external_id: EXTERNAL_ID.to_owned(),
            schedule_group: SCHEDULE_GROUP.to_owned(),
            schedule_role_arn: SCHEDULE_ROLE.to_owned(),
            schedule_dlq_arn: String::new(),
            approval_function: Function::Approval.name().to_owned(),
            escalation_function: Function::Escalation.name().to_owned(),
            deescalation_function: Function::Deescalation.arn(),
            flows_dir: self.flows.clone(),
            slack_base: self.slack.clone(),
            okta_org: OKTA_ORG.to_owned(),
            okta_base: self.okta.clone(),
            sdk: sdk(client.clone(), &self.aws, access_key),
            client,
        }
    }
}

/// The whole table, which only the JSON surface reads, straight from the database at `url`.
pub(crate) fn table(places: &Places, url: &str) -> aws::Table {
    let mut config = places.config("AKIASANDBOXSURFACE", https::local_client());
    config.sdk = sdk(config.client.clone(), url, "AKIASANDBOXSURFACE");
    aws::Table::new(&config)
}

/// The SDK as it is set up in Lambda, except that nothing comes from the environment.
fn sdk(client: Client, url: &str, access_key: &str) -> SdkConfig {
    let credentials = Credentials::new(access_key, "sandbox", None, None, "sandbox");
    let credentials = SharedCredentialsProvider::new(credentials);
    aws::sdk(client, REGION.to_owned(), credentials, Some(url.to_owned()))
}

/// The functions, and their environments that wait for the next event.
#[derive(Debug)]
pub(crate) struct Functions {
    places: Places,
    clock: SandboxClock,
    work: Work,
    gate: Option<Arc<dyn Gate>>,
    warm: Mutex<BTreeMap<Function, Vec<Environment>>>,
    made: AtomicU64,
    running: Mutex<BTreeMap<u64, Environment>>,
}

/// One environment. It handles one event at a time.
#[derive(Debug, Clone)]
struct Environment {
    number: u64,
    function: Function,
    deps: Deps,
    invocation: Arc<Invocation>,
    dies: Arc<Notify>,
}

#[derive(Debug, Clone)]
enum Deps {
    SlackIngress(Arc<slack_ingress::Deps>),
    Approval(Arc<approval::Deps>),
    Escalation(Arc<escalation::Deps>),
    Deescalation(Arc<deescalation::Deps>),
}

impl Functions {
    pub(crate) fn new(
        places: Places,
        clock: SandboxClock,
        work: Work,
        gate: Option<Arc<dyn Gate>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            places,
            clock,
            work,
            gate,
            warm: Mutex::default(),
            made: AtomicU64::new(0),
            running: Mutex::default(),
        })
    }

    /// How long after the present each copy of `event` is delivered to `function`: one at once, unless
    /// the gate says otherwise.
    pub(crate) fn deliveries(&self, function: Function, event: &Value) -> Vec<SignedDuration> {
        let gate = self.gate.as_ref();
        gate.map_or_else(
            || vec![SignedDuration::ZERO],
            |gate| gate.deliveries(function.name(), event),
        )
    }

    /// The function whose environment number `environment` handles an event now.
    pub(crate) fn is_running(&self, environment: u64) -> Option<Function> {
        let running = locked(&self.running);
        running.get(&environment).map(|it| it.function)
    }

    /// Has the environment number `environment` end where it stands, if it handles an event.
    pub(crate) fn kill(&self, environment: u64) {
        if let Some(environment) = locked(&self.running).remove(&environment) {
            environment.dies.notify_one();
        }
    }

    /// Something that is done for nobody, but counts as work.
    pub(crate) fn errand(&self) -> Arc<Invocation> {
        Invocation::new(&self.work)
    }

    /// Counts the environment number `environment` as asleep until the answer is dropped.
    pub(crate) fn sleep(&self, environment: u64) -> Option<Asleep> {
        let running = locked(&self.running);
        running.get(&environment).map(|it| it.invocation.sleep())
    }

    /// Has `function` handle `event`; gives back its answer, or what went wrong. The piece of work
    /// that this is part of is passed on and back, so that there is no moment without one; while the
    /// function only sleeps, it does not count.
    pub(crate) async fn run(
        self: &Arc<Self>,
        function: Function,
        event: Value,
        busy: Busy,
    ) -> (Result<Value, String>, Busy) {
        let this = Arc::clone(self);
        // A task of its own: whoever asked may go away, the function goes on.
        let run = tokio::spawn(async move { this.handle(function, event, busy).await });
        run.await
            .unwrap_or_else(|error| (Err(error.to_string()), self.work.start()))
    }

    async fn handle(
        &self,
        function: Function,
        event: Value,
        busy: Busy,
    ) -> (Result<Value, String>, Busy) {
        let environment = self.environment(function);
        let invocation = Arc::clone(&environment.invocation);
        locked(&self.running).insert(environment.number, environment.clone());
        if let Some(gate) = &self.gate {
            gate.begins(environment.number, function.name(), &event);
        }
        invocation.run(true);
        drop(busy);
        let deadline = self.clock.now() + function.timeout();
        let deps = environment.deps.clone();
        let mut handler = tokio::spawn(async move { Box::pin(deps.handle(event)).await });
        let ended = tokio::select! {
            ended = &mut handler => Ok(ended),
            () = self.clock.sleep_until(deadline) => {
                Err(format!("the function did not end within {} s", function.timeout().as_secs()))
            }
            () = environment.dies.notified() => Err("the environment died".to_owned()),
        };
        let busy = self.work.start();
        invocation.run(false);
        locked(&self.running).remove(&environment.number);
        let answer = match ended {
            Ok(ended) => {
                let mut warm = locked(&self.warm);
                warm.entry(function).or_default().push(environment);
                ended.unwrap_or_else(|error| Err(format!("the handler panicked: {error}")))
            }
            Err(error) => {
                handler.abort();
                let _ = handler.await;
                Err(error)
            }
        };
        (answer, busy)
    }

    /// A warm environment, or a new one.
    fn environment(&self, function: Function) -> Environment {
        let warm = locked(&self.warm).entry(function).or_default().pop();
        if let Some(environment) = warm {
            return environment;
        }
        let invocation = Invocation::new(&self.work);
        let clock = FunctionClock::new(self.clock.clone(), Arc::clone(&invocation));
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let config = &self.places.of_environment(function, number);
        let deps = match function {
            Function::SlackIngress => {
                Deps::SlackIngress(Arc::new(slack_ingress::Deps::connect(config, clock)))
            }
            Function::Approval => Deps::Approval(Arc::new(approval::Deps::connect(config, clock))),
            Function::Escalation => {
                Deps::Escalation(Arc::new(escalation::Deps::connect(config, clock)))
            }
            Function::Deescalation => {
                Deps::Deescalation(Arc::new(deescalation::Deps::connect(config, clock)))
            }
        };
        Environment {
            number,
            function,
            deps,
            invocation,
            dies: Arc::default(),
        }
    }
}

impl Deps {
    async fn handle(&self, event: Value) -> Result<Value, String> {
        match self {
            Self::SlackIngress(deps) => {
                let event = serde_json::from_value(event).map_err(|error| error.to_string())?;
                let answer = slack_ingress::handler(deps, event).await;
                let answer = answer.map_err(|error| error.to_string())?;
                serde_json::to_value(answer).map_err(|error| error.to_string())
            }
            Self::Approval(deps) => nothing(Box::pin(approval::handler(deps, event)).await),
            Self::Escalation(deps) => nothing(Box::pin(escalation::handler(deps, event)).await),
            Self::Deescalation(deps) => {
                let answer = Box::pin(deescalation::handler(deps, event)).await;
                answer.map_err(|error| error.to_string())
            }
        }
    }
}

fn nothing<E: std::fmt::Display>(ended: Result<(), E>) -> Result<Value, String> {
    ended
        .map(|()| Value::Null)
        .map_err(|error| error.to_string())
}
