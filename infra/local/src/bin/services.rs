//! `services`: the simulated Slack and Okta alone, for a Stint that runs elsewhere.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use local::Url;
use local::services::{Options, Services};

/// The simulated Slack and Okta alone on 127.0.0.1, for a Stint that runs elsewhere, such as a
/// deployed stack whose functions have `STINT_SLACK_URL` and `STINT_OKTA_URL` set.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes any that is free.
    #[arg(long, default_value_t = 4001)]
    port: u16,
    /// The folder in which everything is kept, to go on from there next time.
    #[arg(long, default_value = "target/services")]
    data: PathBuf,
    /// Where Slack sends what people do: the output `SlackRequestUrl` of the stack.
    #[arg(long)]
    ingress: Url,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments {
        port,
        data,
        ingress,
    } = Arguments::parse();
    let options = Options {
        port,
        data,
        ingress,
    };
    let served = async {
        let services = Services::open(options).await?;
        println!("The simulated Slack and Okta are at {}", services.url());
        services.serve().await
    };
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
