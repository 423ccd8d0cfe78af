//! The API's description, made from the code, and a page that shows it without any network.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{
    AdditionalProperties, ObjectBuilder, OneOf, Schema, SchemaType, Type,
};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, RefOr, Required, SecurityRequirement,
};

use super::Api;
use super::error::PROBLEM;
use super::page::{STYLE, escape, frame};
use super::repeats;

/// The name of the schema of [`super::dto::NewCredentials`].
const CREDENTIALS: &str = "NewCredentials";

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

/// Title, version, how to show a key, and what every operation of a kind has.
pub fn complete(mut spec: OpenApi) -> OpenApi {
    spec.info = InfoBuilder::new()
        .title("Tandem")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Management API. Send a key as `Authorization: Bearer tdm_…`. Errors are problem \
             details (RFC 9457) with a stable `code`. Lists are paged: pass `next` as `cursor`. \
             `RateLimit` and `RateLimit-Policy` tell what is left of the key's minute.",
        ))
        .build();
    let key = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let mut components = spec.components.take().unwrap_or_default();
    if let Some(RefOr::T(Schema::OneOf(kinds))) = components.schemas.get_mut(CREDENTIALS) {
        refuses_more(kinds);
    }
    let components: ComponentsBuilder = components.into();
    spec.components = Some(components.security_scheme("key", key).build());
    spec.security = Some(vec![SecurityRequirement::new("key", Vec::<String>::new())]);
    for item in spec.paths.paths.values_mut() {
        if let Some(post) = &mut item.post {
            let given = post.parameters.get_or_insert_default();
            given.push(idempotency_key().into());
        }
        let methods = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in methods.into_iter().flatten() {
            answers_problems(operation);
        }
    }
    spec
}

/// Of an enum the generator does not see that unknown keys are refused.
fn refuses_more(kinds: &mut OneOf) {
    for kind in &mut kinds.items {
        if let RefOr::T(Schema::Object(object)) = kind {
            let none = AdditionalProperties::FreeForm(false);
            object.additional_properties = Some(Box::new(none));
        }
    }
}

/// What goes wrong has a type of its own, and may go wrong on our side too.
fn answers_problems(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let Some(RefOr::T(mut problem)) = responses.remove("4XX") else {
        return;
    };
    if let Some(body) = problem.content.shift_remove("application/json") {
        problem.content.insert(PROBLEM.to_owned(), body);
    }
    for class in ["4XX", "5XX"] {
        responses.insert(class.to_owned(), RefOr::T(problem.clone()));
    }
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .pattern(Some("^[!-~]{1,255}$"))
        .build();
    ParameterBuilder::new()
        .name(repeats::HEADER)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A name for this request: sent again within 24 hours it is answered as before, with \
             `idempotency-replayed: true`, and nothing is done twice.",
        ))
        .schema(Some(text))
        .build()
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
