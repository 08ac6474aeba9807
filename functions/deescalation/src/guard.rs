//! Refuses the deletion of the stack while anybody is in a group through Stint.
//!
//! The template has a custom resource that depends on everything that a removal needs, so that
//! CloudFormation asks here before it deletes any of it. While the answer is being found out, and for
//! good after a yes, no access is given: nobody slips in behind the count, nor into a stack of which
//! only a part could be deleted.

use std::time::Duration;

use access::Stamp;
use aws::Closed;
use aws_lambda_events::cloudformation::{
    CloudFormationCustomResourceRequest as Request,
    CloudFormationCustomResourceResponse as Response,
    CloudFormationCustomResourceResponseStatus as Status,
};
use drive::Error;
use jiff::SignedDuration;

use crate::Deps;
use crate::end_all::{held, told};

/// What CloudFormation asks.
pub(crate) type Guarded = Request;

/// Names the guard. It never changes: CloudFormation would take it for another one.
const NAME: &str = "nobody-held-in";

/// How long what was written before the stack was closed may take to be found in the index by which
/// people are counted, and to be found again when it has moved there.
const INDEX_LAG: SignedDuration = SignedDuration::from_secs(5);

/// How long CloudFormation may take to take an answer, and how often it is offered.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
const OFFERS: u32 = 3;

/// Answers CloudFormation: only the deletion can be refused.
///
/// # Errors
///
/// The answer could not be delivered.
pub(crate) async fn guard(deps: &Deps, event: Guarded) -> Result<(), Error> {
    let mut answer = Response::default();
    let url = match event {
        Request::Create(it) => {
            (answer.stack_id, answer.request_id) = (it.stack_id, it.request_id);
            answer.logical_resource_id = it.logical_resource_id;
            deps.tools.table.open(None).await?;
            it.response_url
        }
        Request::Update(it) => {
            (answer.stack_id, answer.request_id) = (it.stack_id, it.request_id);
            answer.logical_resource_id = it.logical_resource_id;
            deps.tools.table.open(None).await?;
            it.response_url
        }
        Request::Delete(it) => {
            (answer.stack_id, answer.request_id) = (it.stack_id, it.request_id);
            answer.logical_resource_id = it.logical_resource_id;
            answer.reason = refusal(deps).await;
            it.response_url
        }
        _ => return Ok(()),
    };
    NAME.clone_into(&mut answer.physical_resource_id);
    if let Some(reason) = &answer.reason {
        answer.status = Status::Failed;
        tracing::warn!(reason, "the deletion of the stack is refused: {reason}");
    }
    deliver(deps, &url, &answer).await
}

/// Puts `answer` where CloudFormation looks for it. The address is a secret of a kind: it is not
/// repeated in the error.
async fn deliver(deps: &Deps, url: &str, answer: &Response) -> Result<(), Error> {
    let undelivered = |error: String| aws::Error::Unavailable {
        service: "CloudFormation",
        error,
    };
    let body = serde_json::to_string(answer).map_err(|error| undelivered(error.to_string()))?;
    let mut failure = String::new();
    for _ in 0..OFFERS {
        let put = deps.tools.http.put(url).timeout(TAKEN_WITHIN);
        match put.body(body.clone()).send().await {
            Ok(taken) if taken.status().is_success() => return Ok(()),
            Ok(other) => failure = format!("the answer was answered {}", other.status()),
            Err(error) => failure = error.without_url().to_string(),
        }
    }
    Err(undelivered(failure).into())
}

/// Why the stack may not be deleted, if it may not. Only then is access given again.
async fn refusal(deps: &Deps) -> Option<String> {
    let by = aws::stamp();
    let people = match closed_and_counted(deps, &by).await {
        Ok(0) => return None,
        counted => counted,
    };
    if let Err(error) = deps.tools.table.open(Some(&by)).await {
        tracing::error!(%error, "no access is given for an hour: {error}");
    }
    Some(match people {
        Ok(people) => format!(
            "{}. End their grants first: invoke the function deescalation of this stack with \
             {{\"end_all\":{{\"expect\":{people}}}}}, and delete the stack again once nobody is left.",
            told(people)
        ),
        Err(error) => {
            format!("it cannot be found out whether anybody is in a group through Stint: {error}")
        }
    })
}

/// How many people are in a group through Stint, counted while nobody can be put into one. An index
/// is asked, in which an item that moves can be missed: it is nobody only if it is nobody twice.
async fn closed_and_counted(deps: &Deps, by: &Stamp) -> Result<usize, Error> {
    let tools = &deps.tools;
    tools
        .table
        .close(by, Closed::ForAnHour(tools.now()))
        .await?;
    for _ in 0..2 {
        tools.clock.sleep_until(tools.now() + INDEX_LAG).await;
        let people = held(deps).await?.people.len();
        if people > 0 {
            return Ok(people);
        }
    }
    tools.table.close(by, Closed::ForGood).await?;
    Ok(0)
}
