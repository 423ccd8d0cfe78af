//! Logging: one subscriber, to stderr, so that stdout stays the command's answer.
//!
//! The only place that sets up tracing. What may be logged is each module's own affair; values of
//! records and tokens never are.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Environment, LogFormat};

const DEFAULT_FILTER: &str = "warn";

/// Starts logging under the filter in `TANDEM_LOG`.
///
/// # Errors
/// The text of a filter that cannot be read, and why.
pub fn start(environment: &Environment, format: LogFormat) -> Result<(), String> {
    let text = environment.get("TANDEM_LOG").unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(text)
        .map_err(|error| format!("TANDEM_LOG is not a log filter: `{text}` ({error})"))?;
    let colours = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let started = match format {
        LogFormat::Text => lines.with_ansi(colours).try_init(),
        LogFormat::Json => {
            // A panic is a line like any other; by default it would be text of several lines.
            std::panic::set_hook(Box::new(|panic| {
                tracing::error!(why = %panic, "panicked");
            }));
            let lines = lines.json().flatten_event(true);
            lines
                .with_current_span(false)
                .with_span_list(true)
                .try_init()
        }
    };
    started.map_err(|error| format!("logging has already been started: {error}"))
}
