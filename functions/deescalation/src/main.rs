//! `deescalation` in Lambda.

use std::sync::Arc;

use deescalation::{Deps, handler};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::telemetry::init("deescalation");
    let deps = Deps::connect(&aws::Config::from_env()?, Arc::new(aws::SystemClock));
    let answer = async |event: LambdaEvent<_>| {
        let answer = handler(&deps, event.payload).await;
        // The runtime logs what it gets as programmers see it: words stay words.
        answer.map_err(|error| Error::from(error.to_string()))
    };
    run(service_fn(answer)).await
}
