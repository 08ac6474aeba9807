//! The one-time schedules that wake `deescalation` when a grant ends.
//!
//! A schedule is a convenience: the sweep finds whatever a schedule misses.

use std::fmt::Debug;
use std::pin::Pin;

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, Target,
};
use jiff::Timestamp;

use access::RequestId;

use crate::{Config, Error, Payload};

/// What a schedule comes to, once it does.
pub type Scheduled<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// What makes and deletes schedules. A trait, so that a function that may do neither is not built with
/// what it takes.
pub trait Scheduling: Debug + Send + Sync {
    /// Wakes `deescalation` for `request` at `at`, once. A schedule of that `name` (at most 64
    /// characters) that exists already is left as it is.
    fn create<'a>(&'a self, name: &'a str, at: Timestamp, request: &'a RequestId) -> Scheduled<'a>;

    /// Deletes the schedule `name`; one that is gone already is fine.
    fn delete<'a>(&'a self, name: &'a str) -> Scheduled<'a>;
}

/// Creates and deletes the schedules of one group.
#[derive(Debug, Clone)]
pub struct Schedules {
    client: Client,
    group: String,
    role_arn: String,
    function_arn: String,
    dlq_arn: String,
}

impl Schedules {
    /// The schedules of the stack of `config`.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            client: Client::new(&config.sdk),
            group: config.schedule_group.clone(),
            role_arn: config.schedule_role_arn.clone(),
            function_arn: config.deescalation_function.clone(),
            dlq_arn: config.schedule_dlq_arn.clone(),
        }
    }

    async fn put(&self, name: &str, at: Timestamp, request: &RequestId) -> Result<(), Error> {
        let input = serde_json::to_string(&Payload::new(request.clone())).map_err(|error| {
            Error::Unavailable {
                service: "EventBridge Scheduler",
                error: error.to_string(),
            }
        })?;
        let dlq = Some(&self.dlq_arn)
            .filter(|arn| !arn.is_empty())
            .map(|arn| DeadLetterConfig::builder().arn(arn).build());
        let built = (|| {
            let target = Target::builder()
                .arn(&self.function_arn)
                .role_arn(&self.role_arn)
                .input(input)
                .set_dead_letter_config(dlq)
                .build()?;
            let window = FlexibleTimeWindow::builder()
                .mode(FlexibleTimeWindowMode::Off)
                .build()?;
            Ok((target, window))
        })();
        let (target, window) =
            built.map_err(
                |error: aws_sdk_scheduler::error::BuildError| Error::Unavailable {
                    service: "EventBridge Scheduler",
                    error: error.to_string(),
                },
            )?;
        let created = self
            .client
            .create_schedule()
            .name(name)
            .group_name(&self.group)
            .schedule_expression(format!("at({})", at.strftime("%Y-%m-%dT%H:%M:%S")))
            .schedule_expression_timezone("UTC")
            .flexible_time_window(window)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(target);
        match Box::pin(created.send()).await {
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_scheduler::operation::create_schedule::CreateScheduleError::is_conflict_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(Error::of("EventBridge Scheduler", error)),
            Ok(_) => Ok(()),
        }
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        let deleted = self
            .client
            .delete_schedule()
            .name(name)
            .group_name(&self.group);
        match Box::pin(deleted.send()).await {
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_scheduler::operation::delete_schedule::DeleteScheduleError::is_resource_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(Error::of("EventBridge Scheduler", error)),
            Ok(_) => Ok(()),
        }
    }
}

impl Scheduling for Schedules {
    fn create<'a>(&'a self, name: &'a str, at: Timestamp, request: &'a RequestId) -> Scheduled<'a> {
        Box::pin(self.put(name, at, request))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Scheduled<'a> {
        Box::pin(self.remove(name))
    }
}
