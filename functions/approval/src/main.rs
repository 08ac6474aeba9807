//! `approval` in Lambda.

use std::sync::Arc;

use approval::{Deps, handler};
use aws::telemetry::in_words;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::telemetry::init("approval");
    let deps = Deps::connect(&aws::Config::from_env()?, Arc::new(aws::SystemClock));
    let answer =
        async |event: LambdaEvent<_>| handler(&deps, event.payload).await.map_err(in_words);
    run(service_fn(answer)).await
}
