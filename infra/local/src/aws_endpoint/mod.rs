//! The AWS endpoint of the local run: what the functions use of AWS, spoken as the real services
//! speak it, so that the real SDK clients work unchanged.
//!
//! Signatures are not verified; who calls is told by the access key. Who may call what is the same as
//! in the stack: see [`Caller::may`].

mod dynamodb;
mod lambda;
mod scheduler;
mod secrets;
mod sts;

use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub(crate) use dynamodb::Dynamo;
pub(crate) use scheduler::Scheduler;
pub(crate) use secrets::Secrets;
pub(crate) use sts::Sts;

use crate::functions::Function;
use crate::handoffs::Handoffs;
use crate::stack::{ACCOUNT, CONNECTOR_ROLE};

/// The services that are spoken here, as a fault names them.
pub(crate) const SERVICES: [&str; 5] = ["DynamoDB", "Lambda", "STS", "Scheduler", "SecretsManager"];

const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The simulated services.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    pub(crate) dynamo: Dynamo,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) sts: Arc<Sts>,
    pub(crate) handoffs: Handoffs,
}

/// Who makes a call, told by the access key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// A function, with its own role.
    Function(Function),
    /// Whoever assumed the runtime connector's role.
    Connector,
    /// Somebody whose credentials are not known, or over.
    Stranger,
}

/// Why a service does not do what it was asked.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code,
            message: message.into(),
        }
    }

    /// Something in the sandbox itself does not work.
    fn broken(message: impl Into<String>) -> Self {
        Self::new(500, "InternalServerException", message)
    }
}

impl Caller {
    fn of(headers: &HeaderMap, sts: &Sts) -> Self {
        let Some((key, _)) = credential(headers) else {
            return Self::Stranger;
        };
        if let Some(function) = Function::with_access_key(key) {
            return Self::Function(function);
        }
        let token = headers
            .get("x-amz-security-token")
            .and_then(|token| token.to_str().ok());
        match token {
            Some(token) if sts.knows(key, token) => Self::Connector,
            _ => Self::Stranger,
        }
    }

    /// Whether the stack's roles let the caller do `operation`. Which secret it may read and which
    /// function it may invoke is for the service to say.
    fn may(self, operation: &str) -> bool {
        use Function::{Approval, Deescalation, Escalation, SlackIngress};
        match self {
            Self::Connector => operation == "SecretsManager.GetSecretValue",
            Self::Function(function) => match operation {
                "SecretsManager.GetSecretValue" | "Lambda.Invoke" => true,
                "STS.AssumeRole" => function != SlackIngress,
                "DynamoDB.GetItem"
                | "DynamoDB.PutItem"
                | "DynamoDB.UpdateItem"
                | "DynamoDB.DeleteItem"
                | "DynamoDB.Query"
                | "DynamoDB.ConditionCheckItem"
                | "DynamoDB.BatchGetItem"
                | "DynamoDB.TransactGetItems"
                | "DynamoDB.TransactWriteItems" => {
                    matches!(function, Approval | Escalation | Deescalation)
                }
                "Scheduler.CreateSchedule" => function == Escalation,
                "Scheduler.DeleteSchedule" => function == Deescalation,
                "Scheduler.GetSchedule" => matches!(function, Escalation | Deescalation),
                _ => false,
            },
            Self::Stranger => false,
        }
    }

    fn arn(self) -> String {
        match self {
            Self::Function(function) => function.role_arn(),
            Self::Connector => CONNECTOR_ROLE.to_owned(),
            Self::Stranger => format!("arn:aws:iam::{ACCOUNT}:user/stranger"),
        }
    }
}

/// The router of the endpoint; the services share one address.
pub(crate) fn router(services: Services) -> Router {
    Router::new().fallback(answer).with_state(services)
}

/// What a request asks for, as a fault's `match` spells it: `DynamoDB.TransactWriteItems`.
pub(crate) fn operation(parts: &Parts, body: &Bytes) -> String {
    let service = credential(&parts.headers).map(|(_, service)| service);
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .and_then(|target| target.rsplit('.').next());
    let (service, operation) = match service {
        Some("dynamodb") => ("DynamoDB", target),
        Some("secretsmanager") => ("SecretsManager", target),
        Some("lambda") => ("Lambda", Some("Invoke")),
        Some("scheduler") => {
            let operation = match parts.method {
                Method::POST => Some("CreateSchedule"),
                Method::GET => Some("GetSchedule"),
                Method::DELETE => Some("DeleteSchedule"),
                _ => None,
            };
            ("Scheduler", operation)
        }
        Some("sts") => {
            let action = sts::form(body).remove("Action");
            return format!("STS.{}", action.unwrap_or_default());
        }
        _ => return String::new(),
    };
    format!("{service}.{}", operation.unwrap_or_default())
}

async fn answer(State(services): State<Services>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let operation = operation(&parts, &body);
    let caller = Caller::of(&parts.headers, &services.sts);
    let answer = if caller == Caller::Stranger {
        Err(Refusal::new(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ))
    } else if !caller.may(&operation) {
        Err(denied(caller, &operation, "*"))
    } else {
        match operation.split_once('.') {
            Some(("DynamoDB", _)) => services.dynamo.forward(&parts, body).await,
            Some(("Scheduler", _)) => services.scheduler.answer(&parts, &body),
            Some(("SecretsManager", _)) => services.secrets.answer(caller, &body),
            Some(("STS", _)) => services.sts.answer(caller, &body),
            Some(("Lambda", _)) => lambda::answer(&services.handoffs, caller, &parts, &body).await,
            _ => Err(Refusal::new(
                400,
                "UnknownOperationException",
                operation.clone(),
            )),
        }
    };
    answer.unwrap_or_else(|refusal| {
        tracing::debug!(
            operation,
            code = refusal.code,
            "{operation} was refused: {}",
            refusal.message
        );
        if operation.starts_with("STS.") {
            sts::refuse(&refusal)
        } else {
            refuse(&refusal)
        }
    })
}

/// The refusal of the JSON protocols: the code as a header and in the body, as each wants it.
fn refuse(refusal: &Refusal) -> Response {
    let body = json!({
        "__type": refusal.code,
        "Type": "User",
        "message": refusal.message,
        "Message": refusal.message,
    });
    let mut response = (refusal.status, body.to_string()).into_response();
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert("x-amzn-errortype", HeaderValue::from_static(refusal.code));
    response
}

fn denied(caller: Caller, operation: &str, resource: &str) -> Refusal {
    let (service, action) = operation.split_once('.').unwrap_or((operation, "*"));
    let action = format!("{}:{action}", service.to_lowercase());
    let code = match service {
        "STS" => "AccessDenied",
        _ => "AccessDeniedException",
    };
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} because no \
         identity-based policy allows the {action} action",
        caller.arn()
    );
    let status = match service {
        "DynamoDB" | "SecretsManager" => 400,
        _ => 403,
    };
    Refusal::new(status, code, message)
}

/// The access key and the service in the credential scope of a signed request.
fn credential(headers: &HeaderMap) -> Option<(&str, &str)> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    let mut scope = credential.split(',').next()?.split('/');
    let key = scope.next()?;
    let service = scope.nth(2)?;
    Some((key, service))
}
