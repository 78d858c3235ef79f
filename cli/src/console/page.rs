//! The frame of all pages, and their rendering.

use askama::Template;
use axum::response::{Html, IntoResponse as _, Response};

use super::{Console, problem::Problem, sessions::Session};

/// The frame of a page: navigation, title and footer.
pub struct Shell {
    /// The page's title.
    pub title: String,
    /// The section of the navigation that the page is in.
    pub section: &'static str,
    /// The store's name.
    pub store: String,
    /// True if the console may change something.
    pub writes: bool,
    /// The token of forms. Empty without a session.
    pub csrf: String,
    /// True if the request has a session.
    pub signed_in: bool,
    /// The sections of the navigation.
    pub sections: &'static [Section],
    /// The version of the program.
    pub version: &'static str,
}

/// A section of the navigation.
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// Its address.
    pub address: &'static str,
}

/// The sections, in the order of the navigation.
const SECTIONS: [Section; 4] = [
    Section { name: "Live", address: "/console/live" },
    Section { name: "Members", address: "/console/members" },
    Section { name: "Catalog", address: "/console/catalog" },
    Section { name: "Try it", address: "/console/try" },
];

impl Shell {
    pub(super) fn new(console: &Console, session: Option<&Session>, title: String, section: &'static str) -> Self {
        Shell {
            title,
            section,
            store: console.operator.name(),
            writes: console.writes(),
            csrf: session.map(|session| session.csrf.clone()).unwrap_or_default(),
            signed_in: session.is_some(),
            sections: &SECTIONS,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

#[derive(Template)]
#[template(path = "console/problem.html")]
struct ProblemPage {
    shell: Shell,
    message: String,
}

/// Renders the page of a problem.
pub fn of_problem(console: &Console, session: Option<&Session>, problem: &Problem) -> Response {
    let shell = Shell::new(console, session, problem.title().to_owned(), "");
    render(&ProblemPage { shell, message: problem.to_string() })
}

/// Renders a page or a part of one.
pub fn render(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the console cannot be rendered");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
