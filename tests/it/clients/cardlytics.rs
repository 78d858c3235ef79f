//! Clients of the Cardlytics Rewards Platform.

use reqwest::Method;

use super::{ClientCall, Effect, Response};

pub const CALLS: &[ClientCall] = &[
    // A public sample for the vendor's web SDK, by axios: getSessionToken(clientId, clientSecret, customerId).
    ClientCall {
        client: "JavaScript",
        call: "getSessionToken",
        method: Method::POST,
        path: "/v2/session/startSession",
        headers: &[
            ("Accept", "application/json, text/plain, */*"),
            ("Content-Type", "application/json"),
            ("x-source-customer-id", "customer-1"),
            ("User-Agent", "axios/1.7.7"),
            ("Accept-Encoding", "gzip, compress, deflate, br"),
        ],
        body: r#"{"clientId":"demo-client","secret":"demo-secret"}"#,
        status: 200,
        response: Response::Members(&[("sessionToken", None)]),
        effect: Effect::SessionToken,
    },
    // A public Python client, by requests: CardlyticsAPIClient.send_client_event. The example of its source.
    ClientCall {
        client: "Python",
        call: "send_client_event",
        method: Method::POST,
        path: "/v2/events/clientEvent",
        headers: PYTHON,
        body: r#"{"clientEvents": [{"clientEventId": "12395199-1565-4565-bf99-3f94ee505d12", "clientEventType": "AdInteraction", "clientEvent": "ActivateOffer", "clientEventTimestamp": "2024-10-01T07:00:00Z", "clientEventMetadata": {"serveToken": "CiQ3MGU5ZjQzMy0xMjQxLTRlZTctOTZlZi02ZWM4MDQwZjg3MzgQqoTjo6syGgoxMDAwMDYyNzQwIgVFbWFpbA==", "section": "Dashboard", "channel": "OLB"}}]}"#,
        status: 200,
        response: Response::Members(&[("requestId", None)]),
        effect: Effect::ClientEvents(1),
    },
    // The same, with mock_data=True.
    ClientCall {
        client: "Python",
        call: "send_client_event of mock data",
        method: Method::POST,
        path: "/v2/events/clientEvent",
        headers: &[
            ("User-Agent", "python-requests/2.32.3"),
            ("Accept-Encoding", "gzip, deflate"),
            ("Accept", "*/*"),
            ("Content-Type", "application/json"),
            ("Authorization", "Bearer {session}"),
            ("x-source-customer-id", "customer-1"),
            ("x-mock-data", "true"),
        ],
        body: r#"{"clientEvents": [{"clientEventId": "12395199-1565-4565-bf99-3f94ee505d12", "clientEventType": "AdInteraction", "clientEvent": "ActivateOffer", "clientEventTimestamp": "2024-10-01T07:00:00Z", "clientEventMetadata": {"serveToken": "CiQ3MGU5", "section": "Dashboard", "channel": "OLB"}}]}"#,
        status: 200,
        response: Response::Members(&[("requestId", None)]),
        effect: Effect::ClientEvents(0),
    },
    // The same, with client_event_metadata left out: it sends `{}`. Its timestamp is datetime.isoformat().
    ClientCall {
        client: "Python",
        call: "send_client_event without metadata",
        method: Method::POST,
        path: "/v2/events/clientEvent",
        headers: PYTHON,
        body: r#"{"clientEvents": [{"clientEventId": "12395199-1565-4565-bf99-3f94ee505d12", "clientEventType": "SessionAction", "clientEvent": "LogEnrollment", "clientEventTimestamp": "2024-10-01T07:00:00.123456+00:00", "clientEventMetadata": {}}]}"#,
        status: 200,
        response: Response::Members(&[("requestId", None)]),
        effect: Effect::ClientEvents(1),
    },
    // The same, for an ad event that concerns no ad.
    ClientCall {
        client: "Python",
        call: "send_client_event of ExpiredOffersLinkClicked",
        method: Method::POST,
        path: "/v2/events/clientEvent",
        headers: PYTHON,
        body: r#"{"clientEvents": [{"clientEventId": "12395199-1565-4565-bf99-3f94ee505d12", "clientEventType": "AdInteraction", "clientEvent": "ExpiredOffersLinkClicked", "clientEventTimestamp": "2024-10-01T07:00:00+0000", "clientEventMetadata": {}}]}"#,
        status: 200,
        response: Response::Members(&[("requestId", None)]),
        effect: Effect::ClientEvents(1),
    },
];

const PYTHON: &[(&str, &str)] = &[
    ("User-Agent", "python-requests/2.32.3"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept", "*/*"),
    ("Content-Type", "application/json"),
    ("Authorization", "Bearer {session}"),
    ("x-source-customer-id", "customer-1"),
];
