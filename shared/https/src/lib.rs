//! The HTTPS client for everything outside: Slack, Okta, and AWS through its SDK.
//!
//! One client means one TLS library (rustls, with the cryptography of ring), one reading of the
//! system's certificates, and no second HTTP stack in the functions: the SDK's own client would add
//! 0.2 MiB to each of them, and read the certificates once more at every cold start.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

/// How long a connection is kept that nobody uses: nothing tells a function that was frozen of one
/// that has died.
const IDLE: Duration = Duration::from_secs(20);

/// How long the making of a connection may take.
const CONNECTED_WITHIN: Duration = Duration::from_secs(3);

/// A new client.
#[must_use]
pub fn client() -> Client {
    builder().build().unwrap_or_default()
}

/// A client yet to be built. It follows no redirect, so none is followed with a token.
pub fn builder() -> ClientBuilder {
    // There is one for the whole process; whoever comes first puts it in place.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(Policy::none())
        .pool_idle_timeout(IDLE)
        .connect_timeout(CONNECTED_WITHIN)
}

/// A new client for what is on this machine and has no certificate.
#[must_use]
pub fn local_client() -> Client {
    local_builder().build().unwrap_or_default()
}

/// The same yet to be built. It trusts no certificate, and so need not read those of the system.
pub fn local_builder() -> ClientBuilder {
    builder().tls_certs_only([])
}

/// `client`, for the AWS SDK to send its calls with. How long a call may take is the SDK's to say.
#[must_use]
pub fn for_aws(client: Client) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(client));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Connector(Client);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(send(self.0.clone(), request))
    }
}

async fn send(client: Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(unfit)?;
    let (parts, body) = request.into_parts();
    let body = body.bytes().ok_or("the body of the call is not in memory");
    let body = body.map_err(unfit)?.to_vec();
    let mut sent = client.request(parts.method, parts.uri.to_string());
    sent = sent.headers(parts.headers).body(body);
    let answer = sent.send().await.map_err(failed)?;
    let status = answer.status().as_u16().try_into().map_err(unfit)?;
    let headers = answer.headers().clone();
    let body = answer.bytes().await.map_err(failed)?;
    let mut answer = HttpResponse::new(status, SdkBody::from(body));
    *answer.headers_mut() = headers.try_into().map_err(unfit)?;
    Ok(answer)
}

/// What cannot be sent, or cannot be an answer.
fn unfit(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ConnectorError {
    ConnectorError::user(error.into())
}

fn failed(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}
