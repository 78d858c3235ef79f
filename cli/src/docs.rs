//! API documentation: `/openapi.json`, the reference at `/docs` (Swagger UI, embedded in the binary), and `/`, which
//! links to both.

use axum::{
    Json, Router,
    http::{HeaderMap, HeaderValue, header},
    middleware::map_response,
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde_json::json;
use swagger_ui_dist::{ApiDefinition, OpenApiSource};

const DESCRIPTION: &str = include_str!("../../openapi.json");

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Punchcard: API reference</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
  <div id="reference"></div>
  <script src="/docs/assets/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
"#;

const START: &str = r##"SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  tryItOutEnabled: true,
});
"##;

/// Allows no other origins. `data:` is for the images in the style sheet.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Creates the routes.
pub fn router() -> Router {
    let json = [(header::CONTENT_TYPE, "application/json")];
    let script = [(header::CONTENT_TYPE, "text/javascript")];
    // The bundled page is not used, because its inline script would require a weaker policy.
    let assets = swagger_ui_dist::generate_routes(ApiDefinition {
        uri_prefix: "/docs/assets",
        api_definition: OpenApiSource::Uri("/openapi.json"),
        title: None,
    });
    Router::new()
        .route("/docs", get(Html(PAGE)))
        .route("/docs/start.js", get((script, START)))
        .merge(assets)
        .layer(map_response(with_policy))
        .route("/openapi.json", get((json, DESCRIPTION)))
        .route("/", get(index))
}

async fn with_policy(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// Redirects browsers to the reference. Other clients get a list of links.
async fn index(headers: HeaderMap) -> Response {
    let vary = [(header::VARY, "Accept")];
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        return (vary, Redirect::to("/docs")).into_response();
    }
    (vary, Json(json!({"reference": "/docs", "openapi": "/openapi.json", "health": "/health"}))).into_response()
}
