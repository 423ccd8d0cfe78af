//! Logging: one subscriber, to stderr, so that stdout stays the command's answer.
//!
//! The only place that sets up tracing. What may be logged is each module's own affair; values of
//! records and tokens never are.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Environment;

const DEFAULT_FILTER: &str = "warn";

/// Starts logging under the filter in `TANDEM_LOG`.
///
/// # Errors
/// The text of a filter that cannot be read, and why.
pub fn start(environment: &Environment) -> Result<(), String> {
    let text = environment.get("TANDEM_LOG").unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(text)
        .map_err(|error| format!("TANDEM_LOG is not a log filter: `{text}` ({error})"))?;
    let colours = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .try_init()
        .map_err(|error| format!("logging has already been started: {error}"))
}
