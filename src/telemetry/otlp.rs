//! Traces over OTLP/HTTP. Only our own spans leave, and no events: what a span's fields hold is
//! ids, names and counts, while a line of the log may have anything in it that its writer chose.

use std::time::Duration;

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::COLLECTOR;
use crate::config::Environment;

/// What is left when the program ends may take so long to be sent.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Spans on their way: kept in a queue of bounded length, sent by a thread of their own, and
/// dropped when the collector does not take them.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// `None` where no collector is named. Headers, time-out and sampling are read from the
    /// standard variables by the exporter itself.
    pub fn begin(environment: &Environment) -> Result<Option<Self>, String> {
        if environment.get(COLLECTOR).is_none() {
            return Ok(None);
        }
        let exporter = SpanExporter::builder().with_http().build();
        let exporter = exporter.map_err(|error| format!("{COLLECTOR} cannot be used: {error}"))?;
        let name = environment.get("OTEL_SERVICE_NAME").unwrap_or("tandem");
        let resource = Resource::builder().with_service_name(name.to_owned());
        let provider = SdkTracerProvider::builder().with_resource(resource.build());
        Ok(Some(Self(provider.with_batch_exporter(exporter).build())))
    }

    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let ours = filter_fn(|of| of.is_span() && of.target().starts_with("tandem"));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("tandem"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::DEBUG))
    }

    pub fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(END_WITHIN) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

pub fn name_trace(span: &Span) {
    let context = span.context();
    let of = context.span().span_context().clone();
    if of.is_valid() {
        span.record("trace_id", tracing::field::display(of.trace_id()));
    }
}
