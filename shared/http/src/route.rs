//! The route table: methods and paths of the API.
//!
//! Each handler refers to its route. The server, the template tests and the `Allow` header use the whole table.

use lambda_http::http::{HeaderValue, Method};

use crate::Dialect;

/// A method and the paths that one function serves.
#[derive(Debug)]
pub struct Route {
    /// The function's name, also of its package, its binary and its resource in the template.
    pub function: &'static str,
    /// The error response format.
    pub dialect: Dialect,
    /// The method.
    pub method: Method,
    /// The paths, in API Gateway's notation. All routes use the same variable name at the same path level.
    pub paths: &'static [&'static str],
}

/// `POST /v2/session/startSession`
pub static START_SESSION: Route = Route {
    function: "start-session",
    dialect: Dialect::ClientEvents,
    method: Method::POST,
    paths: &["/v2/session/startSession"],
};

/// `POST /v2/events/clientEvent`
pub static SEND_CLIENT_EVENT: Route = Route {
    function: "send-client-event",
    dialect: Dialect::ClientEvents,
    method: Method::POST,
    paths: &["/v2/events/clientEvent"],
};

/// `POST /oauth2/token`
pub static ISSUE_TOKEN: Route =
    Route { function: "issue-token", dialect: Dialect::OAuth, method: Method::POST, paths: &["/oauth2/token"] };

/// `POST /client/users/{correlation_id}/sessions`
pub static OPEN_SESSION: Route = Route {
    function: "open-session",
    dialect: Dialect::Activities,
    method: Method::POST,
    paths: &["/client/users/{correlation_id}/sessions"],
};

/// `POST /client/users/{correlation_id}/activities[/{activity_id}]`
pub static SEND_ACTIVITY: Route = Route {
    function: "send-activity",
    dialect: Dialect::Activities,
    method: Method::POST,
    paths: &["/client/users/{correlation_id}/activities", "/client/users/{correlation_id}/activities/{activity_id}"],
};

/// `GET /client/users/{correlation_id}/activities/{activity_id}`
pub static GET_ACTIVITY: Route = Route {
    function: "get-activity",
    dialect: Dialect::Activities,
    method: Method::GET,
    paths: &["/client/users/{correlation_id}/activities/{activity_id}"],
};

/// `GET /client/users/{correlation_id}/activities`
pub static LIST_ACTIVITIES: Route = Route {
    function: "list-activities",
    dialect: Dialect::Activities,
    method: Method::GET,
    paths: &["/client/users/{correlation_id}/activities"],
};

/// `GET /client/users/{correlation_id}/activities/{activity_id}/explanation`
pub static EXPLAIN_ACTIVITY: Route = Route {
    function: "explain-activity",
    dialect: Dialect::Activities,
    method: Method::GET,
    paths: &["/client/users/{correlation_id}/activities/{activity_id}/explanation"],
};

/// `GET /client/users/{correlation_id}/balances`
pub static GET_BALANCES: Route = Route {
    function: "get-balances",
    dialect: Dialect::Activities,
    method: Method::GET,
    paths: &["/client/users/{correlation_id}/balances"],
};

/// `POST /integrations/event`. The vendor's published clients use different paths: Python, PHP, Segment and
/// Activepieces prefix `/api/v3.0`, Ruby and older Python versions `/api/v2.0`; Node and .NET use the capitalised
/// paths.
pub static TRACK_EVENT: Route = Route {
    function: "track-event",
    dialect: Dialect::PlayerEvents,
    method: Method::POST,
    paths: &[
        "/integrations/event",
        "/api/v3.0/integrations/event",
        "/api/v2.0/integrations/event",
        "/api/v2.0/Integrations/Event",
        "/v2.0/Integrations/Event",
    ],
};

/// `GET /integrations/player/{playerUniqueId}`, also below the published SDKs' `/api/v3.0`
pub static GET_PLAYER: Route = Route {
    function: "get-player",
    dialect: Dialect::PlayerEvents,
    method: Method::GET,
    paths: &["/integrations/player/{playerUniqueId}", "/api/v3.0/integrations/player/{playerUniqueId}"],
};

/// All routes. The first route of a path also handles the methods that no route of the path supports.
pub static ROUTES: [&Route; 11] = [
    &START_SESSION,
    &SEND_CLIENT_EVENT,
    &ISSUE_TOKEN,
    &OPEN_SESSION,
    &SEND_ACTIVITY,
    &GET_ACTIVITY,
    &LIST_ACTIVITIES,
    &EXPLAIN_ACTIVITY,
    &GET_BALANCES,
    &TRACK_EVENT,
    &GET_PLAYER,
];

impl Route {
    /// Returns true if this route handles the other methods of `path`: preflight requests and 405. It is the first
    /// route with that path.
    #[must_use]
    pub fn answers_other_methods(&self, path: &str) -> bool {
        let first = ROUTES.iter().find(|route| route.paths.contains(&path));
        first.is_some_and(|first| std::ptr::eq(*first, self))
    }

    /// Returns the `Allow` header for a request to this route: the methods of all routes with the same path.
    #[must_use]
    pub fn allow(&self, request_path: &str) -> HeaderValue {
        let path = self.paths.iter().find(|path| matches(path, request_path));
        let on_path = |route: &&&Route| path.is_some_and(|path| route.paths.contains(path));
        let mut methods: Vec<_> = ROUTES.iter().filter(on_path).map(|route| route.method.as_str()).collect();
        methods.push(self.method.as_str());
        methods.sort_unstable();
        methods.dedup();
        // Method names are ASCII, so the fallback is never used.
        HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("POST"))
    }
}

/// Returns true if a request's path matches a route's path.
fn matches(path: &str, request_path: &str) -> bool {
    let (mut wanted, mut sent) = (path.split('/'), request_path.split('/'));
    loop {
        match (wanted.next(), sent.next()) {
            (None, None) => return true,
            (Some(wanted), Some(sent)) if wanted == sent || (wanted.starts_with('{') && !sent.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowed_methods_are_those_of_all_routes_of_the_path() {
        assert_eq!(SEND_ACTIVITY.allow("/client/users/c-1/activities"), "GET, POST");
        assert_eq!(SEND_ACTIVITY.allow("/client/users/c-1/activities/a-1"), "GET, POST");
        assert_eq!(GET_ACTIVITY.allow("/client/users/c-1/activities/a-1"), "GET, POST");
        assert_eq!(GET_ACTIVITY.allow("/prod/client/users/c-1/activities/a-1"), "GET");
    }

    #[test]
    fn one_route_of_a_path_answers_the_other_methods() {
        let path = "/client/users/{correlation_id}/activities/{activity_id}";
        assert!(SEND_ACTIVITY.answers_other_methods(path));
        assert!(!GET_ACTIVITY.answers_other_methods(path));
    }
}
