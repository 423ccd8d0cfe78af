//! The API's description, made from the code, and a page that shows it without any network.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, SecurityRequirement};

use super::Api;
use super::page::{STYLE, escape, frame};

/// The page loads its style and nothing else, not even an icon.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

pub fn router(spec: OpenApi) -> Router<Arc<Api>> {
    let spec = complete(spec);
    let text: Arc<str> = Arc::from(spec.to_json().unwrap_or_default());
    let page: Arc<str> = Arc::from(listing(&spec));
    Router::new()
        .route(
            "/openapi.json",
            get(move || async move {
                (
                    [(header::CONTENT_TYPE, "application/json")],
                    text.to_string(),
                )
                    .into_response()
            }),
        )
        .route(
            "/docs/style.css",
            get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }),
        )
        .route(
            "/docs",
            get(move || async move {
                let policy = [(header::CONTENT_SECURITY_POLICY, POLICY)];
                (policy, Html(page.to_string()))
            }),
        )
}

/// Title, version, and how to show a key.
pub fn complete(mut spec: OpenApi) -> OpenApi {
    spec.info = InfoBuilder::new()
        .title("Tandem")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Management API. Send a key as `Authorization: Bearer tdm_…`. Errors are problem \
             details (RFC 9457) with a stable `code`. Lists are paged: pass `next` as `cursor`.",
        ))
        .build();
    let key = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let components = spec.components.take().unwrap_or_default();
    let components: ComponentsBuilder = components.into();
    spec.components = Some(components.security_scheme("key", key).build());
    spec.security = Some(vec![SecurityRequirement::new("key", Vec::<String>::new())]);
    spec
}

fn listing(spec: &OpenApi) -> String {
    let mut rows = String::new();
    for (path, item) in &spec.paths.paths {
        let operations = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let summary = operation.summary.as_deref().unwrap_or_default();
            rows.push_str(&format!(
                "<dt><code><b>{method}</b> {}</code></dt><dd>{}</dd>",
                escape(path),
                escape(summary)
            ));
        }
    }
    let body = format!(
        "<h1>Tandem's API</h1><p>The whole description is at <a href=\"/openapi.json\">\
         /openapi.json</a> (OpenAPI 3.1).</p><dl>{rows}</dl>"
    );
    frame("Tandem's API", "/docs/style.css", &body)
}
