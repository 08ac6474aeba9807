//! Refuses the deletion of the stack while anybody is in a group through Stint.
//!
//! The template has a custom resource that depends on everything that a removal needs, so that
//! CloudFormation asks here before it deletes any of it. While the answer is being found out, and for
//! an hour after a yes, no access is given: nobody slips in behind the count.

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
/// people are counted.
const INDEX_LAG: SignedDuration = SignedDuration::from_secs(5);

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
            it.response_url
        }
        Request::Update(it) => {
            (answer.stack_id, answer.request_id) = (it.stack_id, it.request_id);
            answer.logical_resource_id = it.logical_resource_id;
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
    let undelivered = |error: String| aws::Error::Unavailable {
        service: "CloudFormation",
        error,
    };
    let body = serde_json::to_string(&answer).map_err(|error| undelivered(error.to_string()))?;
    // The address is a secret of a kind: it is not repeated in the error.
    let sent = deps.tools.http.put(url).body(body).send().await;
    let sent = sent.and_then(reqwest::Response::error_for_status);
    sent.map_err(|error| undelivered(error.without_url().to_string()))?;
    Ok(())
}

/// Why the stack may not be deleted, if it may not.
async fn refusal(deps: &Deps) -> Option<String> {
    let people = match closed_and_counted(deps).await {
        Ok(0) => return None,
        Ok(people) => Ok(people),
        Err(error) => Err(error),
    };
    if let Err(error) = deps.tools.table.open().await {
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

/// How many people are in a group through Stint, counted while nobody can be put into one.
async fn closed_and_counted(deps: &Deps) -> Result<usize, Error> {
    let tools = &deps.tools;
    tools.table.close(tools.now()).await?;
    tools.clock.sleep_until(tools.now() + INDEX_LAG).await;
    Ok(held(deps).await?.people.len())
}
