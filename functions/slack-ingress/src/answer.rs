//! What is answered to Slack.

use std::collections::BTreeMap;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse as Response;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::HeaderValue;
use aws_lambda_events::http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::json;
use slack::form::Wrong;
use slack::{Message, View};

use crate::Error;

/// The status `code` and nothing else.
pub(crate) fn status(code: i64) -> Response {
    let mut response = Response::default();
    response.status_code = code;
    response
}

/// `content` as JSON.
pub(crate) fn json(content: &impl Serialize) -> Result<Response, Error> {
    let mut response = status(200);
    response.body = Some(Body::Text(serde_json::to_string(content)?));
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers.insert(CONTENT_TYPE, kind);
    Ok(response)
}

/// `message`, to whoever typed the command alone.
pub(crate) fn ephemeral(message: &Message) -> Result<Response, Error> {
    #[derive(Serialize)]
    struct Ephemeral<'a> {
        response_type: &'static str,
        #[serde(flatten)]
        message: &'a Message,
    }
    json(&Ephemeral {
        response_type: "ephemeral",
        message,
    })
}

/// `text` inside the form, below the input block `block_id`.
pub(crate) fn error(block_id: &str, text: String) -> Result<Response, Error> {
    errors(&Wrong(BTreeMap::from([(block_id.to_owned(), text)])))
}

/// What is `wrong`, inside the form.
pub(crate) fn errors(wrong: &Wrong) -> Result<Response, Error> {
    json(&json!({ "response_action": "errors", "errors": wrong.0 }))
}

/// `view` in the place of the submitted one.
pub(crate) fn update(view: &View) -> Result<Response, Error> {
    json(&json!({ "response_action": "update", "view": view }))
}
