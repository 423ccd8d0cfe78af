//! Logging: one subscriber, to stderr, so that stdout stays the command's answer. With the feature
//! `otlp` the same spans go to a collector as well.
//!
//! The only place that sets up tracing. What may be logged is each module's own affair; values of
//! records and tokens never are.

#[cfg(feature = "otlp")]
mod otlp;

use std::io::IsTerminal;

use tracing::Span;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt};

use crate::config::{Environment, LogFormat};

const DEFAULT_FILTER: &str = "warn";
/// Where traces go; the standard name, so that what runs services sets it as for any other.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// What has been started; ends with [`Telemetry::end`].
#[derive(Default)]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    traces: Option<otlp::Traces>,
}

/// Starts logging under the filter in `TANDEM_LOG`.
///
/// # Errors
/// The text of a setting that cannot be used, and why.
pub fn start(environment: &Environment, format: LogFormat) -> Result<Telemetry, String> {
    let text = environment.get("TANDEM_LOG").unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(text)
        .map_err(|error| format!("TANDEM_LOG is not a log filter: `{text}` ({error})"))?;
    let colours = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none();
    let lines = fmt::layer::<Registry>()
        .with_writer(std::io::stderr)
        .with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => {
            // A panic is a line like any other; by default it would be text of several lines.
            std::panic::set_hook(Box::new(|panic| {
                tracing::error!(why = %panic, "panicked");
            }));
            let lines = lines.json().flatten_event(true);
            lines.with_current_span(false).with_span_list(true).boxed()
        }
    };
    let all = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otlp")]
    let (all, telemetry) = {
        let traces = otlp::Traces::begin(environment)?;
        let layer = traces.as_ref().map(|traces| traces.layer());
        (all.with(layer), Telemetry { traces })
    };
    #[cfg(not(feature = "otlp"))]
    let telemetry = Telemetry::default();
    all.try_init()
        .map_err(|error| format!("logging has already been started: {error}"))?;
    if cfg!(not(feature = "otlp")) && environment.get(COLLECTOR).is_some() {
        tracing::warn!("no traces are sent: this program was built without the feature `otlp`");
    }
    Ok(telemetry)
}

impl Telemetry {
    /// Sends what has not been sent yet, for a few seconds at most.
    pub fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(traces) = self.traces {
            traces.end();
        }
    }
}

/// Puts the id of its trace on a span that has an empty field `trace_id`, so that lines of the log
/// lead to the trace. Does nothing where no traces are sent.
#[cfg_attr(
    not(feature = "otlp"),
    expect(unused_variables, reason = "there is no trace to name")
)]
pub fn name_trace(span: &Span) {
    #[cfg(feature = "otlp")]
    otlp::name_trace(span);
}
