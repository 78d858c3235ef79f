//! Clients of Gameball's event API. They take exactly 200 for success, and read JSON from every response.

use super::{ClientCall, Effect, Response};

/// The body of a success.
const TRACKED: Response = Response::Text("{}");

/// `place_order` of 100 in electronics, and a review, as the demo catalog pays them.
const EXAMPLE: Effect = Effect::Player { id: "player123", points: 75, events: 2 };

pub const CALLS: &[ClientCall] = &[
    // gameballers/gameball-python 2.x: gameball/constants.py, api_resources/events.py, api_requestor.py, http_client.py.
    ClientCall {
        name: "Python 2, send_event",
        path: "/api/v2.0/integrations/event",
        headers: PYTHON,
        body: r#"{"playerUniqueId": "player123", "events": {"place_order": {"total_amount": "100", "category": ["electronics", "cosmetics"]}, "review": {}}}"#,
        status: 200,
        response: TRACKED,
        effect: EXAMPLE,
    },
    // gameballers/gameball-python 3.x: the same files.
    ClientCall {
        name: "Python 3, send_event",
        path: "/api/v3.0/integrations/event",
        headers: PYTHON,
        body: r#"{"playerUniqueId": "player123", "events": {"place_order": {"total_amount": "100", "category": ["electronics", "cosmetics"]}, "review": {}}}"#,
        status: 200,
        response: TRACKED,
        effect: EXAMPLE,
    },
    // gameballers/gameball-python: the default of eventObject.events.
    ClientCall {
        name: "Python 3, send_event without events",
        path: "/api/v3.0/integrations/event",
        headers: PYTHON,
        body: r#"{"playerUniqueId": "player123", "events": {}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // gameballers/gameball-php 3.x: lib/Service/EventService.php, lib/Util/ExtractingParameters.php,
    // lib/HttpClient/CurlClient.php, which replaces `[]` by `{}` in the whole body.
    ClientCall {
        name: "PHP 3, sendEvent",
        path: "/api/v3.0/integrations/event",
        headers: PHP,
        body: r#"{"events":{"place_order":{"total_amount":"100","category":["electronics","cosmetics"]},"review":{}},"playerUniqueId":"player123","mobile":null,"email":null}"#,
        status: 200,
        response: TRACKED,
        effect: EXAMPLE,
    },
    // The same, with an empty list among the metadata, which becomes an object.
    ClientCall {
        name: "PHP 3, sendEvent with an empty list",
        path: "/api/v3.0/integrations/event",
        headers: PHP,
        body: r#"{"events":{"review":{"tags":{},"note":null}},"playerUniqueId":"player123","mobile":"+15550100","email":"jon@example.com"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // PHP's json_encode of an event without metadata, in a program that does not use the client's own replacement.
    ClientCall {
        name: "PHP, json_encode",
        path: "/integrations/event",
        headers: PHP,
        body: r#"{"playerUniqueId":"player123","events":{"review":[]}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // gameballers/gameball-ruby: lib/gameball.rb, lib/gameball/models/event.rb, lib/gameball/utils/request.rb, README.md.
    ClientCall {
        name: "Ruby, send_event",
        path: "/api/v2.0/integrations/event",
        headers: &[
            ("Content-Type", "application/json"),
            ("Accept-Encoding", "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"),
            ("Accept", "*/*"),
            ("User-Agent", "Ruby"),
            ("Lang", "en"),
            ("Apikey", "demo-api-key"),
            ("Secretkey", "demo-secret-key"),
        ],
        body: r#"{"events":{"reserve":{"rooms":2}},"playerUniqueId":" player123","playerAttributes":{"displayName":" Jon Snow","email":"jon.snow@example.com","dateOfBirth":"1980-09-19T00:00:00.000Z","joinDate":"2019-09-19T21:06:29.158Z","custom":{"location":"Miami","graduationDate":"2018-07-04T21:06:29.158Z","isMarried":false}}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: " player123", points: 0, events: 1 },
    },
    // gameballers/gameball-node: lib/Utils/configure.js, lib/Utils/httpHandler.js, lib/resources/Events.js,
    // samples/events/sendEvent.js.
    ClientCall {
        name: "Node, sendEvent",
        path: "/api/v2.0/Integrations/Event",
        headers: &[("Content-Type", "application/json"), ("APIKey", "demo-api-key")],
        body: r#"{"events":{"view_product_page":{},"review":{}},"playerUniqueId":"1597612880455","isMessageTrigger":true}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "1597612880455", points: 5, events: 2 },
    },
    // gameballers/gameball-dotnet: Gameball/Constants/GameballConstants.cs, Gameball/Models/Requests/EventRequest.cs. An
    // event without metadata is serialised as null.
    ClientCall {
        name: ".NET, SendEvent",
        path: "/v2.0/Integrations/Event",
        headers: DOTNET,
        body: r#"{"events":{"place_order":{"total_amount":100,"category":"electronics"},"review":null},"playerUniqueId":"player123","playerAttributes":null,"isPositive":false,"sessionInfo":null,"isMessageTrigger":false}"#,
        status: 200,
        response: TRACKED,
        effect: EXAMPLE,
    },
    // The same, in the versions with the older base URL.
    ClientCall {
        name: ".NET with the older base URL, SendEvent",
        path: "/api/v2.0/Integrations/Event",
        headers: DOTNET,
        body: r#"{"events":{"review":null},"playerUniqueId":"player123","playerAttributes":null,"isPositive":false,"sessionInfo":null,"isMessageTrigger":false}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // The same, without a call of AddEvent: the vendor requires the member.
    ClientCall {
        name: ".NET, SendEvent without events",
        path: "/v2.0/Integrations/Event",
        headers: DOTNET,
        body: r#"{"events":null,"playerUniqueId":"player123","playerAttributes":null,"isPositive":false,"sessionInfo":null,"isMessageTrigger":false}"#,
        status: 400,
        response: Response::Text(r#"{"code":5,"message":"The Events field must not be null."}"#),
        effect: Effect::None,
    },
    // segmentio/action-destinations: destinations/gameball/trackEvent/index.ts, util.ts. It names the player playerId, and
    // passes on the properties of any Segment event.
    ClientCall {
        name: "Segment, trackEvent",
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"events":{"review":{"metadata1":"meta_value_1","metadata2":"meta_value_2"}},"playerId":"test_player","mobile":"+20100000000"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "test_player", points: 5, events: 1 },
    },
    // The same, with the properties of Segment's own e-commerce events.
    ClientCall {
        name: "Segment, trackEvent with products",
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"events":{"Checkout Started":{"order_id":"50314b8e9bcf","value":30,"coupon":null,"products":[{"product_id":"507f1f77","sku":"45790-32","price":19,"position":1},{"product_id":"505bd76785","sku":"46493-32","price":3}]}},"playerId":"test_player","email":"jon@example.com"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "test_player", points: 0, events: 1 },
    },
    // The same, without properties: JSON.stringify leaves undefined out.
    ClientCall {
        name: "Segment, trackEvent without properties",
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"events":{},"playerId":"test_player"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "test_player", points: 0, events: 0 },
    },
    // segmentio/action-destinations: the form of trackEvent/__tests__/__snapshots__/snapshot.test.ts.snap.
    ClientCall {
        name: "Segment before playerId, trackEvent",
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"email":"kokoczi@daf.jp","events":{"SBnT[CD":{"testType":"SBnT[CD"}},"mobile":"sbnt[cd","playerUniqueId":"sbnt[cd"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "sbnt[cd", points: 0, events: 1 },
    },
    // activepieces/activepieces: pieces/community/gameball/src/lib/actions/send-event.ts, by axios.
    ClientCall {
        name: "Activepieces, sendEvent",
        path: "/api/v3.0/integrations/event",
        headers: &[
            ("Accept", "application/json, text/plain, */*"),
            ("Content-Type", "application/json"),
            ("APIKey", "demo-api-key"),
            ("User-Agent", "axios/1.8.3"),
            ("Accept-Encoding", "gzip, compress, deflate, br"),
        ],
        body: r#"{"playerUniqueId":"player123","events":{"review":{}}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
];

const PYTHON: &[(&str, &str)] = &[
    ("User-Agent", "python-requests/2.32.3"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept", "*/*"),
    ("APIKey", "demo-api-key"),
    ("Content-Type", "application/json"),
];

const PHP: &[(&str, &str)] = &[("Accept", "*/*"), ("APIKey", "demo-api-key"), ("Content-Type", "application/json")];

const DOTNET: &[(&str, &str)] = &[("APIKey", "demo-api-key"), ("Content-Type", "application/json; charset=utf-8")];

const SEGMENT: &[(&str, &str)] = &[
    ("APIKey", "demo-api-key"),
    ("Content-Type", "application/json"),
    ("x-gb-agent", "GB/Segment"),
    ("User-Agent", "Segment (Actions)"),
    ("Accept", "*/*"),
];
