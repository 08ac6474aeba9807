//! `stint`, the platform team's command.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Temporary Okta group membership, asked for and approved in Slack: the platform team's command.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read flows.toml and policy.cedar and list every mistake in them, each with its line.
    Check {
        /// The folder in which both are.
        #[arg(default_value = "infra/flows")]
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Check { dir } => {
            let report = stint::check(&dir);
            print!("{}", report.found);
            eprint!("{}", report.wrong);
            if report.wrong.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
