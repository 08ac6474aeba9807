//! `cargo local`: the whole of Stint in one process, for a laptop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use local::Options;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The whole of Stint in one process on 127.0.0.1: the real functions, a simulated Slack and Okta,
/// and a page that shows all of it. No account anywhere is needed, and nothing leaves the machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes any that is free.
    #[arg(long, default_value_t = 4000)]
    port: u16,
    /// The folder in which everything is kept, to go on from there next time. In its subfolder
    /// `flows` are the flows file and the policy, to be edited.
    #[arg(long, default_value = "target/local")]
    data: PathBuf,
    /// Print what the functions log, not only what goes wrong.
    #[arg(long)]
    verbose: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments {
        port,
        data,
        verbose,
    } = Arguments::parse();
    let level = if verbose {
        LevelFilter::INFO
    } else {
        LevelFilter::WARN
    };
    // The database warns of every condition that does not hold, which is everyday here.
    let printed = Targets::new()
        .with_default(level)
        .with_target("dynoxide", LevelFilter::OFF);
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .finish()
        .with(printed)
        .init();
    let gate = None;
    let running = match local::start(Options { port, data, gate }).await {
        Ok(running) => running,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("Stint runs at {}", running.url());
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("error: cannot wait for Ctrl-C: {error}");
    }
    running.stop().await;
    ExitCode::SUCCESS
}
