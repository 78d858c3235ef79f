//! The route table: methods and paths of the API.
//!
//! Each handler refers to its route. The server, the template tests and the `Allow` header use the whole table.

use lambda_http::{
    Request, RequestExt as _,
    http::{HeaderValue, Method},
    request::RequestContext,
};

use crate::Dialect::{self, Activities, ClientEvents, OAuth, PlayerEvents, PlayerEventsV4};

/// A method and the paths that one function serves.
#[derive(Debug)]
pub struct Route {
    /// The function's name, also of its package, its binary and its resource in the template.
    pub function: &'static str,
    /// The method.
    pub method: Method,
    /// The paths, of which there is at least one.
    pub paths: &'static [Path],
}

/// A path of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The path in API Gateway's notation. All routes use the same variable name at the same path level.
    pub template: &'static str,
    /// The format of requests and error responses.
    pub dialect: Dialect,
}

impl Dialect {
    /// The path `template` in this dialect.
    const fn at(self, template: &'static str) -> Path {
        Path { template, dialect: self }
    }
}

/// `POST /v2/session/startSession`
pub static START_SESSION: Route =
    Route { function: "start-session", method: Method::POST, paths: &[ClientEvents.at("/v2/session/startSession")] };

/// `POST /v2/events/clientEvent`
pub static SEND_CLIENT_EVENT: Route =
    Route { function: "send-client-event", method: Method::POST, paths: &[ClientEvents.at("/v2/events/clientEvent")] };

/// `POST /oauth2/token`
pub static ISSUE_TOKEN: Route =
    Route { function: "issue-token", method: Method::POST, paths: &[OAuth.at("/oauth2/token")] };

/// `POST /client/users/{correlation_id}/sessions`
pub static OPEN_SESSION: Route = Route {
    function: "open-session",
    method: Method::POST,
    paths: &[Activities.at("/client/users/{correlation_id}/sessions")],
};

/// `POST /client/users/{correlation_id}/activities[/{activity_id}]`
pub static SEND_ACTIVITY: Route = Route {
    function: "send-activity",
    method: Method::POST,
    paths: &[
        Activities.at("/client/users/{correlation_id}/activities"),
        Activities.at("/client/users/{correlation_id}/activities/{activity_id}"),
    ],
};

/// `GET /client/users/{correlation_id}/activities/{activity_id}`
pub static GET_ACTIVITY: Route = Route {
    function: "get-activity",
    method: Method::GET,
    paths: &[Activities.at("/client/users/{correlation_id}/activities/{activity_id}")],
};

/// `GET /client/users/{correlation_id}/activities`
pub static LIST_ACTIVITIES: Route = Route {
    function: "list-activities",
    method: Method::GET,
    paths: &[Activities.at("/client/users/{correlation_id}/activities")],
};

/// `GET /client/users/{correlation_id}/activities/{activity_id}/explanation`
pub static EXPLAIN_ACTIVITY: Route = Route {
    function: "explain-activity",
    method: Method::GET,
    paths: &[Activities.at("/client/users/{correlation_id}/activities/{activity_id}/explanation")],
};

/// `GET /client/users/{correlation_id}/balances`
pub static GET_BALANCES: Route = Route {
    function: "get-balances",
    method: Method::GET,
    paths: &[Activities.at("/client/users/{correlation_id}/balances")],
};

/// `POST /client/users/{correlation_id}/void`
pub static VOID_ACTIVITY: Route = Route {
    function: "void-activity",
    method: Method::POST,
    paths: &[Activities.at("/client/users/{correlation_id}/void")],
};

/// `POST /client/users/{correlation_id}/adhoc-reward`
pub static ADJUST_BALANCE: Route = Route {
    function: "adjust-balance",
    method: Method::POST,
    paths: &[Activities.at("/client/users/{correlation_id}/adhoc-reward")],
};

/// `POST /integrations/event`. The vendor's published clients use different paths, here and below: Python, PHP, Segment
/// and Activepieces prefix `/api/v3.0`, Ruby and older Python versions `/api/v2.0`; Node and .NET use the capitalised
/// paths; React Native 1 and the first Android SDK have `/api/v1.0`, the current mobile SDKs `/api/v4.0`, or `/api/v4.1`
/// with a session token.
pub static TRACK_EVENT: Route = Route {
    function: "track-event",
    method: Method::POST,
    paths: &[
        PlayerEvents.at("/integrations/event"),
        PlayerEvents.at("/api/v3.0/integrations/event"),
        PlayerEvents.at("/api/v2.0/integrations/event"),
        PlayerEvents.at("/api/v2.0/Integrations/Event"),
        PlayerEvents.at("/v2.0/Integrations/Event"),
        PlayerEvents.at("/api/v1.0/Integrations/Action"),
        PlayerEvents.at("/api/v1.0/integrations/Action"),
        PlayerEventsV4.at("/api/v4.0/integrations/events"),
        PlayerEventsV4.at("/api/v4.1/integrations/events"),
    ],
};

/// `POST /api/v4.0/integrations/events/reward-preview`
pub static PREVIEW_REWARDS: Route = Route {
    function: "preview-rewards",
    method: Method::POST,
    paths: &[PlayerEventsV4.at("/api/v4.0/integrations/events/reward-preview")],
};

/// `POST /integrations/player`, and `/integrations/customers` in version 4
pub static SAVE_PLAYER: Route = Route {
    function: "save-player",
    method: Method::POST,
    paths: &[
        PlayerEvents.at("/integrations/player"),
        PlayerEvents.at("/api/v3.0/integrations/player"),
        PlayerEvents.at("/api/v2.0/integrations/player"),
        PlayerEvents.at("/api/v2.0/Integrations/Player"),
        PlayerEvents.at("/v2.0/Integrations/Player"),
        PlayerEvents.at("/api/v1.0/Integrations/InitializePlayer"),
        PlayerEvents.at("/api/v1.0/integrations/InitializePlayer"),
        PlayerEventsV4.at("/api/v4.0/integrations/customers"),
        PlayerEventsV4.at("/api/v4.1/integrations/customers"),
    ],
};

/// `POST /integrations/order`, and `/integrations/orders` in version 4
pub static PLACE_ORDER: Route = Route {
    function: "place-order",
    method: Method::POST,
    paths: &[
        PlayerEvents.at("/integrations/order"),
        PlayerEvents.at("/api/v3.0/integrations/order"),
        PlayerEvents.at("/api/v3.0/Integrations/order"),
        PlayerEvents.at("/api/v2.0/Integrations/order"),
        PlayerEventsV4.at("/api/v4.0/integrations/orders"),
    ],
};

/// `POST /api/v4.0/integrations/transactions/refund`
pub static REFUND_ORDER: Route = Route {
    function: "refund-order",
    method: Method::POST,
    paths: &[PlayerEventsV4.at("/api/v4.0/integrations/transactions/refund")],
};

/// `GET /integrations/player/{playerUniqueId}`
pub static GET_PLAYER: Route = Route {
    function: "get-player",
    method: Method::GET,
    paths: &[
        PlayerEvents.at("/integrations/player/{playerUniqueId}"),
        PlayerEvents.at("/api/v3.0/integrations/player/{playerUniqueId}"),
    ],
};

/// `GET /integrations/player/{playerUniqueId}/balance`, and `/integrations/customers/…` in version 4
pub static GET_PLAYER_BALANCE: Route = Route {
    function: "get-player-balance",
    method: Method::GET,
    paths: &[
        PlayerEvents.at("/integrations/player/{playerUniqueId}/balance"),
        PlayerEvents.at("/api/v3.0/integrations/player/{playerUniqueId}/balance"),
        PlayerEventsV4.at("/api/v4.0/integrations/customers/{playerUniqueId}/balance"),
    ],
};

/// All routes. The first route of a path also handles the methods that no route of the path supports.
pub static ROUTES: [&Route; 18] = [
    &START_SESSION,
    &SEND_CLIENT_EVENT,
    &ISSUE_TOKEN,
    &OPEN_SESSION,
    &SEND_ACTIVITY,
    &GET_ACTIVITY,
    &LIST_ACTIVITIES,
    &EXPLAIN_ACTIVITY,
    &GET_BALANCES,
    &VOID_ACTIVITY,
    &ADJUST_BALANCE,
    &TRACK_EVENT,
    &PREVIEW_REWARDS,
    &SAVE_PLAYER,
    &PLACE_ORDER,
    &REFUND_ORDER,
    &GET_PLAYER,
    &GET_PLAYER_BALANCE,
];

impl Route {
    /// Returns true if this route handles the other methods of `template`: preflight requests and 405. It is the first
    /// route with that path.
    #[must_use]
    pub fn answers_other_methods(&self, template: &str) -> bool {
        let first = ROUTES.iter().find(|route| route.has(template));
        first.is_some_and(|first| std::ptr::eq(*first, self))
    }

    /// Returns the path that a request to this route matched.
    #[must_use]
    pub fn path(&self, request: &Request) -> &'static Path {
        let template = match request.extensions().get() {
            Some(MatchedPath(template)) => Some(*template),
            None => route_key(request).and_then(|key| key.split_once(' ')).map(|(_, template)| template),
        };
        let path = self.paths.iter().find(|path| Some(path.template) == template);
        path.unwrap_or(&self.paths[0])
    }

    /// Returns the `Allow` header for a request to this route: the methods of all routes with the same path.
    #[must_use]
    pub fn allow(&self, request: &Request) -> HeaderValue {
        let template = self.path(request).template;
        let on_path = ROUTES.iter().filter(|route| route.has(template));
        let mut methods: Vec<_> = on_path.map(|route| route.method.as_str()).collect();
        methods.sort_unstable();
        // Method names are ASCII, so the fallback is never used.
        HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("POST"))
    }

    fn has(&self, template: &str) -> bool {
        self.paths.iter().any(|path| path.template == template)
    }
}

/// A request extension with the path that the router matched. API Gateway names it in the request's context.
#[derive(Debug, Clone, Copy)]
pub struct MatchedPath(pub &'static str);

/// Returns the gateway's name of a route: its method, or `ANY`, and its path.
fn route_key(request: &Request) -> Option<&str> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.route_key.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;

    use super::*;

    fn matched(template: &'static str) -> Request {
        let mut request = Request::default();
        request.extensions_mut().insert(MatchedPath(template));
        request
    }

    #[test]
    fn the_allowed_methods_are_those_of_all_routes_of_the_path() {
        let activities = matched("/client/users/{correlation_id}/activities");
        let activity = matched("/client/users/{correlation_id}/activities/{activity_id}");
        assert_eq!(SEND_ACTIVITY.allow(&activities), "GET, POST");
        assert_eq!(SEND_ACTIVITY.allow(&activity), "GET, POST");
        assert_eq!(GET_ACTIVITY.allow(&activity), "GET, POST");
        assert_eq!(ISSUE_TOKEN.allow(&Request::default()), "POST");
    }

    #[test]
    fn one_route_of_a_path_answers_the_other_methods() {
        let path = "/client/users/{correlation_id}/activities/{activity_id}";
        assert!(SEND_ACTIVITY.answers_other_methods(path));
        assert!(!GET_ACTIVITY.answers_other_methods(path));
    }

    #[test]
    fn the_dialect_is_that_of_the_path() {
        let dialect = |template| TRACK_EVENT.path(&matched(template)).dialect;
        assert_eq!(dialect("/api/v3.0/integrations/event"), PlayerEvents);
        assert_eq!(dialect("/api/v4.0/integrations/events"), PlayerEventsV4);
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.route_key = Some("ANY /api/v4.1/integrations/events".to_owned());
        let deployed = Request::default().with_request_context(RequestContext::ApiGatewayV2(context));
        assert_eq!(TRACK_EVENT.path(&deployed).dialect, PlayerEventsV4);
        assert_eq!(TRACK_EVENT.path(&Request::default()).dialect, PlayerEvents);
    }
}
