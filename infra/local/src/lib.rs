//! The whole of Stint in one process, for a laptop: the four real functions, and everything around
//! them simulated.
//!
//! The functions do not know where they run: the AWS SDK is pointed at an endpoint that speaks as AWS
//! does, and Slack and Okta have base URLs. [`start`] starts all of it; what a person or a test does
//! with it goes through HTTP.
//!
//! - `functions`, `handoffs`: environments and asynchronous invocations, as Lambda has them.
//! - `aws_endpoint`: the table, the secrets, the connector's role, the schedules.
//! - [`slack`], [`okta`]: the simulated services.
//! - `clock`, `engine`: time, which can be moved, and what it makes happen.
//! - `faults`: switches that break all of these; [`Gate`]: somebody who decides it call by call.
//! - `metrics`: what the functions measure.
//! - `outside`: the simulated services and their switches; [`services`] serves them alone.
//! - `surface`: the page and its JSON surface.

mod aws_endpoint;
mod clock;
mod engine;
mod error;
mod faults;
mod functions;
mod gate;
mod handoffs;
mod ingress;
mod metrics;
mod nonsense;
pub mod okta;
mod outside;
mod sandbox;
mod server;
pub mod services;
pub mod slack;
pub mod slack_delivery;
mod stack;
mod store;
mod surface;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watch;
mod work;

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws::Clock;
pub use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use error::Error;
pub use gate::{Call, Fate, Gate};
pub use nonsense::Nonsense;
pub use okta::API_TOKEN as OKTA_API_TOKEN;
pub use slack::{BOT_TOKEN as SLACK_BOT_TOKEN, SIGNING_SECRET as SLACK_SIGNING_SECRET};

use aws_endpoint::{Dynamo, Scheduler, Secrets, Services, Sts};
use clock::SandboxClock;
use engine::Engine;
use faults::{Faults, System};
use functions::{Functions, Places};
use gate::Border;
use handoffs::Handoffs;
use ingress::Ingress;
use metrics::Metrics;
use outside::Outside;
use surface::Surface;
use work::Work;

/// The domain of the simulated Okta org.
pub const OKTA_ORG: &str = "sandbox.okta.local";

/// The version of what is in the data folder; any other is refused.
const DATA_VERSION: u32 = 1;

/// How long what is under way may take to notice that it ends.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

/// How the local run is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// The folder in which everything is kept.
    pub data: PathBuf,
    /// Who decides what becomes of each call of the functions; nobody does where people use it.
    pub gate: Option<Arc<dyn Gate>>,
}

/// A local run. It ends when this is dropped, as if it were killed.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    runtime: Option<Runtime>,
    /// What keeps others out of the data folder.
    lock: Option<File>,
    table: Option<aws::Table>,
    /// Where the functions find everything.
    #[cfg(test)]
    places: Option<Places>,
}

impl Running {
    /// The table, past every fault, for a test that needs more in it than people could do.
    #[must_use]
    pub fn table(&self) -> Option<&aws::Table> {
        self.table.as_ref()
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the page, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it where it stands, as if it were killed; nothing is lost but hand-offs under way. When
    /// this returns, another one can use the data folder.
    pub async fn stop(mut self) {
        if let Some(runtime) = self.runtime.take() {
            let stopped = tokio::task::spawn_blocking(|| runtime.shutdown_timeout(STOPPED_WITHIN));
            if let Err(error) = stopped.await {
                tracing::error!(%error, "the local run did not end well: {error}");
            }
        }
        self.lock.take();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Starts a local run. When this returns, it is ready to answer, and what came due while nothing ran
/// has been set off.
///
/// # Errors
///
/// The port or the data folder cannot be used.
pub async fn start(options: Options) -> Result<Running, Error> {
    // A runtime of its own, so that everything in it can be ended at once, and what is measured in it
    // is known to be its own.
    let metrics = Metrics::default();
    let watched = metrics.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("stint")
        .on_thread_start(move || watched.watch())
        .build()
        .map_err(Error::System)?;
    let mut running = Running {
        address: ([127, 0, 0, 1], options.port).into(),
        runtime: None,
        lock: None,
        table: None,
        #[cfg(test)]
        places: None,
    };
    let opened = runtime.spawn(open(options, metrics)).await;
    running.runtime = Some(runtime);
    let opened = opened.map_err(|error| Error::System(io::Error::other(error)))??;
    running.address = opened.address;
    running.lock = Some(opened.lock);
    running.table = Some(opened.table);
    #[cfg(test)]
    {
        running.places = Some(opened.places);
    }
    Ok(running)
}

/// What [`open`] opened.
struct Opened {
    address: SocketAddr,
    lock: File,
    table: aws::Table,
    #[cfg(test)]
    places: Places,
}

async fn open(options: Options, metrics: Metrics) -> Result<Opened, Error> {
    let Options { port, data, gate } = options;
    let (listener, address) = listen(port).await?;
    let lock = take(&data)?;
    let (aws_listener, aws_address) = listen(0).await?;

    let file = |name: &str| data.join(name);
    let broken = |name: &str| {
        let path = data.join(name);
        move |error: io::Error| Error::folder(&path, &error)
    };
    let clock = SandboxClock::open(&file("clock.json")).map_err(broken("clock.json"))?;
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let slack = slack::Slack::open(file("slack.jsonl"), Arc::clone(&shared))
        .map_err(broken("slack.jsonl"))?;
    let okta = okta::Okta::open(&file("okta.json"), shared).map_err(broken("okta.json"))?;
    let dynamo = Dynamo::open(&file("table.db"), https::local_client()).await?;
    let scheduler = Scheduler::open(&file("schedules.json"), clock.clone())?;
    let secrets = Secrets::open(&file("secrets.json"))?;
    let flows = file("flows");
    write_defaults(&flows).map_err(broken("flows"))?;

    let url = |path: &str| {
        Url::parse(&format!("http://{address}{path}"))
            .map_err(|error| Error::System(io::Error::other(error)))
    };
    let places = Places {
        aws: format!("http://{aws_address}"),
        slack: url("/slack/api/")?,
        okta: url("/okta")?,
        flows,
    };
    let table = functions::table(&places, dynamo.url());
    let work = Work::new();
    let functions = Functions::new(places.clone(), clock.clone(), work.clone(), gate.clone());
    let border = gate.map(|gate| Border {
        gate,
        functions: Arc::clone(&functions),
        clock: clock.clone(),
    });
    let handoffs = Handoffs::open(&file("failed.json"), functions, clock.clone(), work.clone())?;
    let engine = Engine::new(
        clock.clone(),
        Arc::clone(&scheduler),
        handoffs.clone(),
        dynamo.clone(),
        work,
    );
    let faults = Faults::behind(border);
    let services = Services {
        dynamo,
        scheduler: Arc::clone(&scheduler),
        secrets: Arc::clone(&secrets),
        sts: Sts::new(),
        handoffs: handoffs.clone(),
    };
    let ingress = Ingress {
        handoffs: handoffs.clone(),
        engine: Arc::clone(&engine),
        clock: clock.clone(),
    };
    let surface = Surface {
        port: address.port(),
        outside: Outside {
            slack,
            okta,
            faults: faults.clone(),
            ingress: Arc::new(ingress.clone()),
        },
        ingress,
        engine: Arc::clone(&engine),
        clock,
        handoffs,
        scheduler,
        secrets,
        table: table.clone(),
        metrics,
    };
    let aws = faults.around(System::Aws, aws_endpoint::router(services));
    tokio::spawn(server::serve(aws_listener, aws));
    tokio::spawn(server::serve(listener, surface::router(surface)));
    engine.catch_up().await;
    tokio::spawn(async move { engine.run().await });
    Ok(Opened {
        address,
        lock,
        table,
        #[cfg(test)]
        places,
    })
}

async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::PortInUse { port },
        _ => Error::Listen { port, error },
    };
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

#[derive(Debug, Serialize, Deserialize)]
struct Version {
    version: u32,
}

/// Takes the data folder for this process: makes it if it is not there, keeps others out, and
/// refuses what another version wrote.
fn take(data: &Path) -> Result<File, Error> {
    let broken = |error: io::Error| Error::folder(data, &error);
    fs::create_dir_all(data).map_err(broken)?;
    let lock = File::create(data.join("lock")).map_err(broken)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::FolderInUse {
            path: data.to_owned(),
        },
        TryLockError::Error(error) => broken(error),
    })?;
    let path = data.join("version.json");
    let broken = |error: io::Error| Error::folder(&path, &error);
    match store::load::<Version>(&path).map_err(broken)? {
        Some(Version { version }) if version != DATA_VERSION => Err(Error::OtherVersion {
            path: data.to_owned(),
            found: version,
            known: DATA_VERSION,
        }),
        Some(_) => Ok(lock),
        None => {
            let version = Version {
                version: DATA_VERSION,
            };
            store::save(&path, &version).map_err(broken)?;
            Ok(lock)
        }
    }
}

/// Puts a flows file and a policy into `folder`, for whoever tries things to edit.
fn write_defaults(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let defaults = [
        ("flows.toml", include_str!("../flows.toml")),
        ("policy.cedar", include_str!("../../flows/policy.cedar")),
    ];
    for (name, text) in defaults {
        let path = folder.join(name);
        if !path.exists() {
            let draft = path.with_extension("draft");
            fs::write(&draft, text)?;
            fs::rename(&draft, &path)?;
        }
    }
    Ok(())
}
