//! Clients of Gameball's API: each call of theirs that Punchcard serves, and one or two that it does not.
//!
//! Most take exactly 200, or any 2xx, for success, and read JSON from every response. A value that the client's own
//! sample, README or test does not give is ours.

use reqwest::Method;

use super::{ClientCall, Effect, Response};

/// The body of a success.
const TRACKED: Response = Response::Text("{}");

/// The same, in version 4.
const TRACKED_4: Response = Response::Json(r#"{"success":true,"message":"Events processed"}"#);

/// A player that was created.
const SAVED: Response = Response::Members(&[("gameballId", None)]);

/// The player `known-player`.
const PLAYER: Response = Response::Members(&[("playerUniqueId", Some(r#""known-player""#)), ("points", Some("5"))]);

/// The balance of `known-player`.
const BALANCE: Response = Response::Json(
    r#"{"pointsBalance":5,"pointsValue":0,"pendingPoints":0,"pendingPointsValue":0,"currency":null,"pointsName":"Points"}"#,
);

/// The same, in version 4.
const BALANCE_4: Response = Response::Json(
    r#"{"totalPointsBalance":5,"totalPointsValue":0,"availablePointsBalance":5,"availablePointsValue":0,"pendingPoints":0,"pendingPointsValue":0,"currency":null,"pointsName":"Points","nextExpiringPointsAmount":0,"nextExpiringPointsValue":0,"nextExpiringPointsDate":null,"totalEarnedPoints":5}"#,
);

/// A path that is not served.
const NOT_FOUND: Response = Response::Members(&[("message", Some(r#""Not Found""#))]);

/// `place_order` of 100 in electronics, and a review, as the demo catalog pays them.
const EXAMPLE: Effect = Effect::Player { id: "player123", points: 75, events: 2 };

/// An order that earns nothing, by the player's and the order's id in JSON.
macro_rules! ordered {
    ($player:literal, $order:literal) => {
        Response::Members(&[
            ("playerUniqueId", Some($player)),
            ("customerId", Some($player)),
            ("orderId", Some($order)),
            ("rewardedPoints", Some("0")),
            ("pointsEarned", Some("0")),
            ("redeemedPoints", Some("0")),
            ("status", Some(r#""completed""#)),
            ("lineItems", Some("[]")),
        ])
    };
}

pub const CALLS: &[ClientCall] = &[
    // gameballers/gameball-dotnet: Gameball/Constants/GameballConstants.cs, Gameball/Gameball/Gameball.cs,
    // Gameball/Models/Requests/PlayerRequest.cs, Gameball/Models/Base/GameballModel.cs, which writes indented JSON. The
    // repository has no samples: the values in the bodies are ours.
    ClientCall {
        client: ".NET",
        call: "InitializePlayer",
        method: Method::POST,
        path: "/v2.0/Integrations/Player",
        headers: DOTNET,
        body: r#"{
  "playerUniqueId": "player123",
  "playerAttributes": {
    "displayName": "Jon Snow",
    "firstName": "Jon",
    "lastName": "Snow",
    "email": "jon.snow@example.com",
    "gender": "M",
    "mobileNumber": "+15550100",
    "dateOfBirth": "1980-09-19T00:00:00Z",
    "joinDate": "2019-09-19T21:06:29.158Z",
    "custom": null
  },
  "deviceToken": null,
  "osType": null,
  "isDeleted": false,
  "creationDate": "0001-01-01T00:00:00",
  "lastUpdate": "0001-01-01T00:00:00"
}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // The same: Gameball/Models/Requests/PlayerInfoRequest.cs, Gameball/Utilities/GameballUtils.cs. The hash is SHA-1
    // of `known-player:::` and the transaction key, here and in the other clients of version 2.
    ClientCall {
        client: ".NET",
        call: "GetPlayerInfo",
        method: Method::POST,
        path: "/v2.0/Integrations/Player/Info",
        headers: DOTNET,
        body: r#"{
  "playerUniqueId": "known-player",
  "hash": "4b2fe049a7b4c85054070542c1e084ef5b0c428f"
}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: Gameball/Models/Requests/PlayerBalanceRequest.cs.
    ClientCall {
        client: ".NET",
        call: "GetPlayerBalance",
        method: Method::POST,
        path: "/v2.0/Integrations/Transaction/Balance",
        headers: DOTNET,
        body: r#"{
  "playerUniqueId": "known-player",
  "hash": "4b2fe049a7b4c85054070542c1e084ef5b0c428f"
}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: Gameball/Models/Requests/ReverseTransactionRequest.cs.
    ClientCall {
        client: ".NET",
        call: "ReverseTransaction",
        method: Method::POST,
        path: "/v2.0/Integrations/Transaction/Cancel",
        headers: DOTNET,
        body: r#"{
  "playerUniqueId": "player456",
  "amount": 0.0,
  "transactionId": "1234567890",
  "reversedTransactionId": "234567891",
  "holdReference": null,
  "ignoreHold": false,
  "transactionTime": "2024-01-01T12:00:00Z",
  "hash": "02321cc8411b41c51709afb5b4d55e2f19b9eb50",
  "playerAttributes": null
}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: Gameball/Models/Requests/ReferralRequest.cs.
    ClientCall {
        client: ".NET",
        call: "CreateReferral",
        method: Method::POST,
        path: "/v2.0/Integrations/Referral",
        headers: DOTNET,
        body: r#"{
  "playerCode": "CODE11",
  "playerUniqueId": "player456",
  "playerAttributes": null,
  "sessionInfo": null,
  "isMessageTrigger": false,
  "isDeleted": false,
  "creationDate": "0001-01-01T00:00:00",
  "lastUpdate": "0001-01-01T00:00:00"
}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: Gameball/Models/Requests/EventRequest.cs. An event without metadata is serialised as null.
    ClientCall {
        client: ".NET",
        call: "SendEvent",
        method: Method::POST,
        path: "/v2.0/Integrations/Event",
        headers: DOTNET,
        body: r#"{"events":{"place_order":{"total_amount":100,"category":"electronics"},"review":null},"playerUniqueId":"player123","playerAttributes":null,"isPositive":false,"sessionInfo":null,"isMessageTrigger":false}"#,
        status: 200,
        response: TRACKED,
        effect: EXAMPLE,
    },
    // The same, without a call of AddEvent: the vendor requires the member.
    ClientCall {
        client: ".NET",
        call: "SendEvent without events",
        method: Method::POST,
        path: "/v2.0/Integrations/Event",
        headers: DOTNET,
        body: r#"{"events":null,"playerUniqueId":"player123","playerAttributes":null,"isPositive":false,"sessionInfo":null,"isMessageTrigger":false}"#,
        status: 400,
        response: Response::Text(r#"{"code":5,"message":"The Events field must not be null."}"#),
        effect: Effect::None,
    },
    // The same, in the versions with the older base URL.
    ClientCall {
        client: ".NET with the older base URL",
        call: "InitializePlayer",
        method: Method::POST,
        path: "/api/v2.0/Integrations/Player",
        headers: DOTNET,
        body: r#"{
  "playerUniqueId": "player123",
  "playerAttributes": null,
  "deviceToken": null,
  "osType": null,
  "isDeleted": false,
  "creationDate": "0001-01-01T00:00:00",
  "lastUpdate": "0001-01-01T00:00:00"
}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // The same.
    ClientCall {
        client: ".NET with the older base URL",
        call: "SendEvent",
        method: Method::POST,
        path: "/api/v2.0/Integrations/Event",
        headers: DOTNET,
        body: r#"{"events":{"review":null},"playerUniqueId":"player123","playerAttributes":null,"isPositive":false,"sessionInfo":null,"isMessageTrigger":false}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // activepieces/activepieces: pieces/community/gameball/src/lib/actions/send-event.ts, by axios. It has no other
    // call.
    ClientCall {
        client: "Activepieces",
        call: "sendEvent",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: AXIOS,
        body: r#"{"playerUniqueId":"player123","events":{"review":{}}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // gameballers/gameball-android: gameballsdk/src/main/java/com/gameball/androidx, GameBallApp.java,
    // network/Config.java, network/api/GameBallApi.java, model/request/PlayerRegisterRequest.java; by Retrofit, whose
    // Gson leaves null out. The values in the bodies are ours. The client looks for the answer inside a member
    // `response`, so it passes null on.
    ClientCall {
        client: "Android (Java)",
        call: "registerPlayer",
        method: Method::POST,
        path: "/api/v1.0/integrations/InitializePlayer",
        headers: ANDROID_JAVA,
        body: r#"{"playerUniqueId":"player123","deviceToken":"fcm-device-token","osType":"Android"}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // The same: model/request/Action.java. The answer is not read.
    ClientCall {
        client: "Android (Java)",
        call: "addAction",
        method: Method::POST,
        path: "/api/v1.0/integrations/Action",
        headers: ANDROID_JAVA,
        body: r#"{"events":{"review":{}},"playerUniqueId":"player123","isPositive":true,"sessionInfo":{"platform":4}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // gameballers/gb-mobile-android: gameballsdk/src/main/java/com/gameball/gameball, network/Config.kt,
    // network/api/GameBallApi.java, network/interceptor/HeaderInterceptor.java,
    // model/request/InitializeCustomerRequest.kt, README.md, CHANGELOG.md; by Retrofit, whose Gson leaves null out.
    ClientCall {
        client: "Android 3.2.1",
        call: "initializeCustomer",
        method: Method::POST,
        path: "/api/v4.0/integrations/customers",
        headers: ANDROID,
        body: r#"{"customerId":"customer-123","deviceToken":"fcm-device-token","pushServiceProvider":"Firebase","osType":"Android","customerAttributes":{"channel":"mobile"},"email":"customer@example.com","mobile":"+1234567890","guest":false}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "customer-123", points: 0, events: 0 },
    },
    // The same, once a session token is set.
    ClientCall {
        client: "Android 3.2.1",
        call: "initializeCustomer with a session token",
        method: Method::POST,
        path: "/api/v4.1/integrations/customers",
        headers: ANDROID_SESSION,
        body: r#"{"customerId":"customer-123","deviceToken":"fcm-device-token","pushServiceProvider":"Firebase","osType":"Android","customerAttributes":{"channel":"mobile"},"email":"customer@example.com","mobile":"+1234567890","guest":false}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "customer-123", points: 0, events: 0 },
    },
    // The same: model/request/Event.kt, README.md.
    ClientCall {
        client: "Android 3.2.1",
        call: "sendEvent",
        method: Method::POST,
        path: "/api/v4.0/integrations/events",
        headers: ANDROID,
        body: r#"{"events":{"purchase":{"product_id":"12345","amount":99.99}},"customerId":"customer-123"}"#,
        status: 200,
        response: TRACKED_4,
        effect: Effect::Player { id: "customer-123", points: 0, events: 1 },
    },
    // The same, once a session token is set.
    ClientCall {
        client: "Android 3.2.1",
        call: "sendEvent with a session token",
        method: Method::POST,
        path: "/api/v4.1/integrations/events",
        headers: ANDROID_SESSION,
        body: r#"{"events":{"purchase":{"product_id":"12345","amount":99.99}},"customerId":"customer-123"}"#,
        status: 200,
        response: TRACKED_4,
        effect: Effect::Player { id: "customer-123", points: 0, events: 1 },
    },
    // The same: network/api/GameBallApi.java. A failure is only logged.
    ClientCall {
        client: "Android 3.2.1",
        call: "bot settings",
        method: Method::GET,
        path: "/api/v1.0/Bots/BotSettings?c=mobile",
        headers: ANDROID_GET,
        body: "",
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // gameballers/gameball-flutter: lib/network/utils/constants.dart, lib/network/utils/header_generator.dart,
    // lib/network/request_calls, lib/models/requests, example/lib/main.dart; by package:http, over dart:io.
    ClientCall {
        client: "Flutter 3.3.1",
        call: "initializeCustomer",
        method: Method::POST,
        path: "/api/v4.0/integrations/customers",
        headers: FLUTTER,
        body: r#"{"customerId":"demo_customer_123","osType":"Android","customerAttributes":{"displayName":"John Doe","firstName":"John","lastName":"Doe","email":"john.doe@example.com","mobile":"1234567890","preferredLanguage":"en","channel":"mobile","custom":{"tier":"premium","city":"New York"},"segment":"vip"},"referrerCode":"DEMO123","email":"john.doe@example.com","mobile":"1234567890","guest":false}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "demo_customer_123", points: 0, events: 0 },
    },
    // The same, once a session token is set.
    ClientCall {
        client: "Flutter 3.3.1",
        call: "initializeCustomer with a session token",
        method: Method::POST,
        path: "/api/v4.1/integrations/customers",
        headers: FLUTTER_SESSION,
        body: r#"{"customerId":"demo_customer_123","osType":"Android","customerAttributes":{"displayName":"John Doe","firstName":"John","lastName":"Doe","email":"john.doe@example.com","mobile":"1234567890","preferredLanguage":"en","channel":"mobile","custom":{"tier":"premium","city":"New York"},"segment":"vip"},"referrerCode":"DEMO123","email":"john.doe@example.com","mobile":"1234567890","guest":false}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "demo_customer_123", points: 0, events: 0 },
    },
    // The same.
    ClientCall {
        client: "Flutter 3.3.1",
        call: "sendEvent",
        method: Method::POST,
        path: "/api/v4.0/integrations/events",
        headers: FLUTTER,
        body: r#"{"events":{"app_demo_action":{"action_type":"button_click","screen":"home","timestamp":"1767225600000"}},"customerId":"demo_customer_123","mobile":"1234567890","email":"john.doe@example.com"}"#,
        status: 200,
        response: TRACKED_4,
        effect: Effect::Player { id: "demo_customer_123", points: 0, events: 1 },
    },
    // The same, as in README.md: what is not set is null.
    ClientCall {
        client: "Flutter 3.3.1",
        call: "sendEvent without an address",
        method: Method::POST,
        path: "/api/v4.0/integrations/events",
        headers: FLUTTER,
        body: r#"{"events":{"purchase":{"amount":"100.00","currency":"USD"}},"customerId":"unique_customer_id","mobile":null,"email":null}"#,
        status: 200,
        response: TRACKED_4,
        effect: Effect::Player { id: "unique_customer_id", points: 0, events: 1 },
    },
    // The same, once a session token is set.
    ClientCall {
        client: "Flutter 3.3.1",
        call: "sendEvent with a session token",
        method: Method::POST,
        path: "/api/v4.1/integrations/events",
        headers: FLUTTER_SESSION,
        body: r#"{"events":{"purchase":{"amount":"100.00","currency":"USD"}},"customerId":"unique_customer_id","mobile":null,"email":null}"#,
        status: 200,
        response: TRACKED_4,
        effect: Effect::Player { id: "unique_customer_id", points: 0, events: 1 },
    },
    // gameballers/gameball-ios: Sources/Gameball/Constants.swift, Sources/Gameball/Network Layer/NetworkManager.swift,
    // Sources/Gameball/Models, README.md; by URLSession. The order of the members is that of a Swift dictionary, so
    // any.
    ClientCall {
        client: "iOS 3.2.2",
        call: "initializeCustomer",
        method: Method::POST,
        path: "/api/v4.0/integrations/customers",
        headers: IOS,
        body: r#"{"customerId":"customer_id","osType":"iOS","customerAttributes":{"displayName":"John Doe","firstName":"John","lastName":"Doe","email":"john@example.com","mobile":"1234567890","channel":"mobile","custom":{"tier":"premium"}},"email":"customer@example.com","mobile":"1234567890","guest":false}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "customer_id", points: 0, events: 0 },
    },
    // The same, once a session token is set.
    ClientCall {
        client: "iOS 3.2.2",
        call: "initializeCustomer with a session token",
        method: Method::POST,
        path: "/api/v4.1/integrations/customers",
        headers: IOS_SESSION,
        body: r#"{"customerId":"customer_id","osType":"iOS","customerAttributes":{"displayName":"John Doe","firstName":"John","lastName":"Doe","email":"john@example.com","mobile":"1234567890","channel":"mobile","custom":{"tier":"premium"}},"email":"customer@example.com","mobile":"1234567890","guest":false}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "customer_id", points: 0, events: 0 },
    },
    // The same.
    ClientCall {
        client: "iOS 3.2.2",
        call: "sendEvent",
        method: Method::POST,
        path: "/api/v4.0/integrations/events",
        headers: IOS,
        body: r#"{"events":{"purchase":{"amount":100,"currency":"USD","product_id":"prod_123","category":"electronics","quantity":2}},"customerId":"customer_id"}"#,
        status: 200,
        response: TRACKED_4,
        effect: Effect::Player { id: "customer_id", points: 0, events: 1 },
    },
    // The same, once a session token is set.
    ClientCall {
        client: "iOS 3.2.2",
        call: "sendEvent with a session token",
        method: Method::POST,
        path: "/api/v4.1/integrations/events",
        headers: IOS_SESSION,
        body: r#"{"events":{"purchase":{"amount":100,"currency":"USD","product_id":"prod_123","category":"electronics","quantity":2}},"customerId":"customer_id"}"#,
        status: 200,
        response: TRACKED_4,
        effect: Effect::Player { id: "customer_id", points: 0, events: 1 },
    },
    // The same. Nothing waits for the answer.
    ClientCall {
        client: "iOS 3.2.2",
        call: "bot settings",
        method: Method::GET,
        path: "/api/v1.0/Bots/BotSettings?c=mobile",
        headers: IOS,
        body: "",
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // gameballers/gameball-node: lib/Utils/configure.js, lib/Utils/httpHandler.js, lib/resources/Player.js,
    // samples/player/initializePlayer.js.
    ClientCall {
        client: "Node",
        call: "initializePlayer",
        method: Method::POST,
        path: "/api/v2.0/Integrations/Player",
        headers: NODE,
        body: r#"{"playerUniqueId":"1597612880455","playerAttributes":{"displayName":"Mariam","firstName":"Mariam","lastName":"Heikal","email":"test@gmail.com","gender":"Female","mobileNumber":"01223334444","dateOfBirth":"1998-09-25T12:19:42.593Z","custom":{"isGraduated":false,"location":"Cairo, Egypt"},"joinDate":"2024-01-01T12:00:00.000Z"}}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "1597612880455", points: 0, events: 0 },
    },
    // The same: lib/Utils/helpers.js, samples/player/getPlayerInfo.js.
    ClientCall {
        client: "Node",
        call: "getPlayerInfo",
        method: Method::POST,
        path: "/api/v2.0/Integrations/player/info",
        headers: NODE,
        body: r#"{"playerUniqueId":"known-player","hash":"4b2fe049a7b4c85054070542c1e084ef5b0c428f"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/resources/Transactions.js, samples/transactions/getPlayerBalance.js.
    ClientCall {
        client: "Node",
        call: "getPlayerBalance",
        method: Method::POST,
        path: "/api/v2.0/Integrations/Transaction/Balance",
        headers: NODE,
        body: r#"{"playerUniqueId":"known-player","hash":"4b2fe049a7b4c85054070542c1e084ef5b0c428f"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: samples/transactions/reverseTransaction.js.
    ClientCall {
        client: "Node",
        call: "reverseTransaction",
        method: Method::POST,
        path: "/api/v2.0/Integrations/Transaction/Cancel",
        headers: NODE,
        body: r#"{"playerUniqueId":"1597612880455","reversedTransactionId":"redeemTransID1","transactionId":"revTransID4","transactionTime":"2024-01-01T12:00:00.000Z","hash":"a6d0945aaf88fbfcaebe257d69a8f3e5cabf6749"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/resources/Referral.js, samples/referral/createReferral.js.
    ClientCall {
        client: "Node",
        call: "createReferral",
        method: Method::POST,
        path: "/api/v2.0/Integrations/Referral",
        headers: NODE,
        body: r#"{"playerCode":"EDC530AFdTxy1L","playerUniqueId":1597612880455,"playerAttributes":{"displayName":"referral_","firstName":"testing","lastName":"referral"}}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/resources/Events.js, samples/events/sendEvent.js.
    ClientCall {
        client: "Node",
        call: "sendEvent",
        method: Method::POST,
        path: "/api/v2.0/Integrations/Event",
        headers: NODE,
        body: r#"{"events":{"view_product_page":{},"review":{}},"playerUniqueId":"1597612880455","isMessageTrigger":true}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "1597612880455", points: 5, events: 2 },
    },
    // PHP's json_encode of an event without metadata, in a program that does not use the client's own replacement.
    ClientCall {
        client: "PHP",
        call: "json_encode",
        method: Method::POST,
        path: "/integrations/event",
        headers: PHP,
        body: r#"{"playerUniqueId":"player123","events":{"review":[]}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // gameballers/gameball-php 2.x: lib/BaseGameballClient.php, lib/Service/PlayerService.php,
    // lib/Util/ExtractingParameters.php, SDK_examples.php. With a base URL that does not end in a slash, unlike the
    // default.
    ClientCall {
        client: "PHP 2",
        call: "initializePlayer",
        method: Method::POST,
        path: "/api/v2.0/integrations/player",
        headers: PHP,
        body: r#"{"playerUniqueId":"player123","playerAttributes":{"displayName":"Jon Snow","email":"jon.snow@example.com","dateOfBirth":"1980-09-19T00:00:00Z"}}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // The same, with a slash at the end of the base URL, as in the default.
    ClientCall {
        client: "PHP 2",
        call: "initializePlayer with two slashes",
        method: Method::POST,
        path: "/api/v2.0//integrations/player",
        headers: PHP,
        body: r#"{"playerUniqueId":"player123","playerAttributes":{"displayName":"Jon Snow","email":"jon.snow@example.com","dateOfBirth":"1980-09-19T00:00:00Z"}}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/Service/PlayerService.php.
    ClientCall {
        client: "PHP 2",
        call: "getPlayerInfo",
        method: Method::POST,
        path: "/api/v2.0/integrations/Player/Info",
        headers: PHP,
        body: r#"{"playerUniqueId":"known-player","hash":"4b2fe049a7b4c85054070542c1e084ef5b0c428f"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/Service/TransactionService.php.
    ClientCall {
        client: "PHP 2",
        call: "getPlayerBalance",
        method: Method::POST,
        path: "/api/v2.0/integrations/transaction/balance",
        headers: PHP,
        body: r#"{"playerUniqueId":"known-player","hash":"4b2fe049a7b4c85054070542c1e084ef5b0c428f"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same.
    ClientCall {
        client: "PHP 2",
        call: "reverseTransaction",
        method: Method::POST,
        path: "/api/v2.0/integrations/transaction/cancel",
        headers: PHP,
        body: r#"{"playerUniqueId":"player456","transactionId":"1234567890","reversedTransactionId":"234567891","transactionTime":"2024-01-01T12:00:00.000Z","hash":"b700a97448b6533c99bb79908ec5f07909169739"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/Service/EventService.php.
    ClientCall {
        client: "PHP 2",
        call: "sendEvent",
        method: Method::POST,
        path: "/api/v2.0/integrations/event",
        headers: PHP,
        body: r#"{"playerUniqueId":"player123","events":{"place_order":{"total_amount":"100","category":["electronics","cosmetics"]},"review":{}}}"#,
        status: 200,
        response: TRACKED,
        effect: EXAMPLE,
    },
    // gameballers/gameball-php 3.x: lib/BaseGameballClient.php, lib/Service/PlayerService.php,
    // lib/Util/ExtractingParameters.php, lib/HttpClient/CurlClient.php, README.md.
    ClientCall {
        client: "PHP 3",
        call: "initializePlayer",
        method: Method::POST,
        path: "/api/v3.0/integrations/player",
        headers: PHP,
        body: r#"{"playerUniqueId":"player_unique_id","playerAttributes":{"displayName":"display_name","firstName":"first_name","lastName":"last_name","email":"user@example.com","gender":"M","mobile":"_mobile_","dateOfBirth":"1991-09-19T00:00:00Z","joinDate":"2022-01-01T21:06:29Z"},"referrerCode":null,"levelOrder":null}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "player_unique_id", points: 0, events: 0 },
    },
    // The same.
    ClientCall {
        client: "PHP 3",
        call: "getPlayerInfo",
        method: Method::GET,
        path: "/api/v3.0/integrations/player/known-player",
        headers: PHP,
        body: "",
        status: 200,
        response: PLAYER,
        effect: Effect::None,
    },
    // The same.
    ClientCall {
        client: "PHP 3",
        call: "getPlayerBalance",
        method: Method::GET,
        path: "/api/v3.0/integrations/player/known-player/balance",
        headers: PHP_SECRET,
        body: "",
        status: 200,
        response: BALANCE,
        effect: Effect::None,
    },
    // The same: lib/Service/EventService.php. lib/HttpClient/CurlClient.php replaces `[]` by `{}` in the whole body.
    ClientCall {
        client: "PHP 3",
        call: "sendEvent",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: PHP,
        body: r#"{"events":{"place_order":{"total_amount":"100","category":["electronics","cosmetics"]},"review":{}},"playerUniqueId":"player123","mobile":null,"email":null}"#,
        status: 200,
        response: TRACKED,
        effect: EXAMPLE,
    },
    // The same, with an empty list among the metadata, which becomes an object.
    ClientCall {
        client: "PHP 3",
        call: "sendEvent with an empty list",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: PHP,
        body: r#"{"events":{"review":{"tags":{},"note":null}},"playerUniqueId":"player123","mobile":"+15550100","email":"jon@example.com"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // The same: lib/Service/OrderService.php, lib/Models/OrderRequest.php, lib/Models/LineItem.php. The values are
    // ours.
    ClientCall {
        client: "PHP 3",
        call: "sendOrder",
        method: Method::POST,
        path: "/api/v3.0/integrations/order",
        headers: PHP_SECRET,
        body: r#"{"playerUniqueId":"player456","orderId":"6253e03b","orderDate":"2024-01-01T12:00:00.123Z","totalPaid":90.5,"totalPrice":100,"totalDiscount":9.5,"totalShipping":0,"lineItems":[{"productId":"197765","sku":"197765","title":"XPS-15s","category":["electronics"],"collection":null,"tags":null,"weight":null,"vendor":"Dell","quantity":1}],"discountCodes":["AU7X-8Q7L"],"extra":{"paymentMethod":"credit card"},"redeemedAmount":null,"holdReference":null,"guest":false,"source":1}"#,
        status: 200,
        response: ordered!("\"player456\"", "\"6253e03b\""),
        effect: Effect::Player { id: "player456", points: 0, events: 1 },
    },
    // The same, without line items: the empty list becomes an object.
    ClientCall {
        client: "PHP 3",
        call: "sendOrder without items",
        method: Method::POST,
        path: "/api/v3.0/integrations/order",
        headers: PHP_SECRET,
        body: r#"{"playerUniqueId":"player456","orderId":"6253e03c","orderDate":"2024-01-01T12:00:00.123Z","totalPaid":100,"totalPrice":100,"totalDiscount":0,"totalShipping":0,"lineItems":{},"discountCodes":null,"extra":null,"redeemedAmount":null,"holdReference":null,"guest":false,"source":1}"#,
        status: 200,
        response: ordered!("\"player456\"", "\"6253e03c\""),
        effect: Effect::Player { id: "player456", points: 0, events: 1 },
    },
    // The same: lib/Service/TransactionService.php.
    ClientCall {
        client: "PHP 3",
        call: "refund",
        method: Method::POST,
        path: "/api/v3.0/integrations/transaction/refund",
        headers: PHP_SECRET,
        body: r#"{"playerUniqueId":"player456","transactionId":"1234567890","reversedTransactionId":"234567891","transactionTime":"2024-01-01T12:00:00.123Z"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/Service/PlayerService.php.
    ClientCall {
        client: "PHP 3",
        call: "getPlayerProgress",
        method: Method::GET,
        path: "/api/v3.0/integrations/player/known-player/progress",
        headers: PHP,
        body: "",
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // gameballers/gameball-python 2.x: gameball/constants.py, gameball/api_resources/player.py,
    // gameball/api_requestor.py, gameball/http_client.py, README.md.
    ClientCall {
        client: "Python 2",
        call: "initialize_player",
        method: Method::POST,
        path: "/api/v2.0/integrations/player",
        headers: PYTHON,
        body: r#"{"playerUniqueId": " player123", "playerAttributes": {"displayName": " Jon Snow", "email": "jon.snow@example.com", "dateOfBirth": "1980-09-19T00:00:00.000Z", "joinDate": "2019-09-19T21:06:29.158Z"}}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: " player123", points: 0, events: 0 },
    },
    // The same.
    ClientCall {
        client: "Python 2",
        call: "get_player_info",
        method: Method::POST,
        path: "/api/v2.0/integrations/player/info",
        headers: PYTHON,
        body: r#"{"playerUniqueId": "known-player", "hash": "4b2fe049a7b4c85054070542c1e084ef5b0c428f"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: gameball/api_resources/transactions.py.
    ClientCall {
        client: "Python 2",
        call: "get_player_balance",
        method: Method::POST,
        path: "/api/v2.0/integrations/transaction/balance",
        headers: PYTHON,
        body: r#"{"playerUniqueId": "known-player", "hash": "4b2fe049a7b4c85054070542c1e084ef5b0c428f"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same.
    ClientCall {
        client: "Python 2",
        call: "reverse_transaction",
        method: Method::POST,
        path: "/api/v2.0/integrations/transaction/cancel",
        headers: PYTHON,
        body: r#"{"playerUniqueId": "player456", "transactionTime": "2024-01-01T12:00:00Z", "hash": "b700a97448b6533c99bb79908ec5f07909169739", "transactionId": "1234567890", "reversedTransactionId": "234567891"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: gameball/api_resources/referral.py.
    ClientCall {
        client: "Python 2",
        call: "create_referral",
        method: Method::POST,
        path: "/api/v2.0/integrations/referral",
        headers: PYTHON,
        body: r#"{"playerUniqueId": "player456", "playerCode": "CODE11", "playerAttributes": {}}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: gameball/api_resources/events.py.
    ClientCall {
        client: "Python 2",
        call: "send_event",
        method: Method::POST,
        path: "/api/v2.0/integrations/event",
        headers: PYTHON,
        body: r#"{"playerUniqueId": "player123", "events": {"place_order": {"total_amount": "100", "category": ["electronics", "cosmetics"]}, "review": {}}}"#,
        status: 200,
        response: TRACKED,
        effect: EXAMPLE,
    },
    // The same: gameball/models/event_object.py. The attributes are an empty object unless they are set.
    ClientCall {
        client: "Python 2",
        call: "send_event with attributes",
        method: Method::POST,
        path: "/api/v2.0/integrations/event",
        headers: PYTHON,
        body: r#"{"playerUniqueId": "player123", "events": {"review": {}}, "playerAttributes": {}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // gb-alpha 3.0.0, which is gameballers/gameball-python 3.x: gameball/constants.py,
    // gameball/api_resources/player.py, gameball/models/player_attributes.py, gameball/api_requestor.py,
    // gameball/http_client.py. An email or mobile number of the player would make the client fail before it sends
    // anything.
    ClientCall {
        client: "Python 3.0.0",
        call: "initialize_player",
        method: Method::POST,
        path: "/api/v3.0/integrations/player",
        headers: PYTHON_3,
        body: r#"{"playerUniqueId": "player123", "playerAttributes": {"displayName": "Jon Snow", "firstName": null, "lastName": null, "mobile": null, "email": "jon.snow@example.com", "gender": null, "dateOfBirth": "1980-09-19T00:00:00.000Z", "joinDate": "2019-09-19T21:06:29.158Z", "tags": null, "custom": null}, "referrerCode": null, "levelOrder": null}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // The same.
    ClientCall {
        client: "Python 3.0.0",
        call: "get_player_info",
        method: Method::GET,
        path: "/api/v3.0/integrations/player/known-player",
        headers: PYTHON_3_GET,
        body: "",
        status: 200,
        response: PLAYER,
        effect: Effect::None,
    },
    // The same.
    ClientCall {
        client: "Python 3.0.0",
        call: "get_player_balance",
        method: Method::GET,
        path: "/api/v3.0/integrations/player/known-player/balance",
        headers: PYTHON_3_GET,
        body: "",
        status: 200,
        response: BALANCE,
        effect: Effect::None,
    },
    // The same: gameball/api_resources/events.py.
    ClientCall {
        client: "Python 3.0.0",
        call: "send_event",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: PYTHON_3,
        body: r#"{"playerUniqueId": "player123", "events": {"place_order": {"total_amount": "100", "category": ["electronics", "cosmetics"]}, "review": {}}}"#,
        status: 200,
        response: TRACKED,
        effect: EXAMPLE,
    },
    // The same: the default of eventObject.events.
    ClientCall {
        client: "Python 3.0.0",
        call: "send_event without events",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: PYTHON_3,
        body: r#"{"playerUniqueId": "player123", "events": {}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // The same: gameball/api_resources/order.py, gameball/models/order_object.py. What is not set is null.
    ClientCall {
        client: "Python 3.0.0",
        call: "send_order",
        method: Method::POST,
        path: "/api/v3.0/integrations/order",
        headers: PYTHON_3,
        body: r#"{"playerUniqueId": "player456", "orderId": "6253e03b", "orderDate": "2024-01-01T12:00:00.123456Z", "totalPrice": 100, "totalPaid": 90.5, "totalDiscount": null, "totalShipping": null, "totalTax": null, "lineItems": [{"productId": "197765", "sku": "197765", "title": "XPS-15s", "category": ["electronics"], "collection": null, "tags": null, "weight": null, "vendor": "Dell", "quantity": 1}], "discountCodes": [], "redeemedAmount": null, "holdReference": null, "extra": {}, "guest": false, "source": 1}"#,
        status: 200,
        response: ordered!("\"player456\"", "\"6253e03b\""),
        effect: Effect::Player { id: "player456", points: 0, events: 1 },
    },
    // The same: gameball/api_resources/transactions.py.
    ClientCall {
        client: "Python 3.0.0",
        call: "refund",
        method: Method::POST,
        path: "/api/v3.0/integrations/transaction/refund",
        headers: PYTHON_3,
        body: r#"{"playerUniqueId": "player456", "transactionId": "1234567890", "reverseTransactionId": "234567891", "transactionTime": "2024-01-01T12:00:00.123456Z", "amount": null}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: gameball/api_resources/player.py.
    ClientCall {
        client: "Python 3.0.0",
        call: "get_player_progress",
        method: Method::GET,
        path: "/api/v3.0/integrations/player/known-player/progress",
        headers: PYTHON_3_GET,
        body: "",
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // react-native-gameball 1.1.12: src/gameball-sdk.js, by axios over OkHttp. The body is what the caller gives.
    ClientCall {
        client: "React Native 1.1.12",
        call: "registerUser",
        method: Method::POST,
        path: "/api/v1.0/Integrations/InitializePlayer",
        headers: REACT_NATIVE_1,
        body: r#"{"playerUniqueId":"player123"}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // The same.
    ClientCall {
        client: "React Native 1.1.12",
        call: "sendEvent",
        method: Method::POST,
        path: "/api/v1.0/Integrations/Action",
        headers: REACT_NATIVE_1,
        body: r#"{"events":{"review":{}},"playerUniqueId":"player123","sessionInfo":{"platform":4}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "player123", points: 5, events: 1 },
    },
    // The same: src/gameball-widget.js. A failure is only logged.
    ClientCall {
        client: "React Native 1.1.12",
        call: "bot settings",
        method: Method::GET,
        path: "/v1.0/bots2/BotSettings?apiKey=demo-api-key",
        headers: REACT_NATIVE_1_GET,
        body: "",
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // gameballers/gameball-react-native: src/GameballApp.ts, src/constants.ts, README.md, as of 3.1.0 and 3.1.1; by
    // fetch over OkHttp.
    ClientCall {
        client: "React Native 3.1.2",
        call: "initializeCustomer",
        method: Method::POST,
        path: "/api/v4.0/integrations/customers",
        headers: REACT_NATIVE,
        body: r#"{"customerId":"unique-customer-id","email":"customer@example.com","mobile":"+1234567890","customerAttributes":{"channel":"mobile","displayName":"John Doe","firstName":"John","lastName":"Doe","custom":{"vip_level":"gold","preferred_store":"downtown"}},"deviceToken":"firebase-device-token","pushProvider":"Firebase","osType":"android","isGuest":false}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "unique-customer-id", points: 0, events: 0 },
    },
    // The same, with a session token.
    ClientCall {
        client: "React Native 3.1.2",
        call: "initializeCustomer with a session token",
        method: Method::POST,
        path: "/api/v4.1/integrations/customers",
        headers: REACT_NATIVE_SESSION,
        body: r#"{"customerId":"unique-customer-id","email":"customer@example.com","mobile":"+1234567890","customerAttributes":{"channel":"mobile","displayName":"John Doe","firstName":"John","lastName":"Doe","custom":{"vip_level":"gold","preferred_store":"downtown"}},"deviceToken":"firebase-device-token","pushProvider":"Firebase","osType":"android","isGuest":false}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "unique-customer-id", points: 0, events: 0 },
    },
    // The same.
    ClientCall {
        client: "React Native 3.1.2",
        call: "sendEvent",
        method: Method::POST,
        path: "/api/v4.0/integrations/events",
        headers: REACT_NATIVE,
        body: r#"{"customerId":"unique-customer-id","events":{"purchase_completed":{"amount":99.99,"currency":"USD","item_count":3}},"email":"customer@example.com","mobile":"+1234567890"}"#,
        status: 200,
        response: TRACKED_4,
        effect: Effect::Player { id: "unique-customer-id", points: 0, events: 1 },
    },
    // The same, with a session token.
    ClientCall {
        client: "React Native 3.1.2",
        call: "sendEvent with a session token",
        method: Method::POST,
        path: "/api/v4.1/integrations/events",
        headers: REACT_NATIVE_SESSION,
        body: r#"{"customerId":"unique-customer-id","events":{"purchase_completed":{"amount":99.99,"currency":"USD","item_count":3}},"email":"customer@example.com","mobile":"+1234567890"}"#,
        status: 200,
        response: TRACKED_4,
        effect: Effect::Player { id: "unique-customer-id", points: 0, events: 1 },
    },
    // The same. A failure is only logged.
    ClientCall {
        client: "React Native 3.1.2",
        call: "bot settings",
        method: Method::GET,
        path: "/api/v1.0/Bots/BotSettings?c=mobile",
        headers: REACT_NATIVE,
        body: "",
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // gameballers/gameball-ruby, with its default api_version: lib/gameball.rb, lib/gameball/models/player.rb,
    // lib/gameball/utils/request.rb, README.md; by Net::HTTP.
    ClientCall {
        client: "Ruby 2",
        call: "initialize_player",
        method: Method::POST,
        path: "/api/v2.0/integrations/player",
        headers: RUBY,
        body: r#"{"playerUniqueId":"player123","playerAttributes":{"displayName":"Jon Snow","email":"jon.snow@example.com","dateOfBirth":"1980-09-19T00:00:00Z","joinDate":"2019-09-19T21:06:29Z"}}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // The same: lib/gameball/utils/helper.rb.
    ClientCall {
        client: "Ruby 2",
        call: "get_player_info",
        method: Method::POST,
        path: "/api/v2.0/integrations/Player/Info",
        headers: RUBY,
        body: r#"{"playerUniqueId":"known-player","hash":"4b2fe049a7b4c85054070542c1e084ef5b0c428f"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/gameball/models/transaction.rb.
    ClientCall {
        client: "Ruby 2",
        call: "get_player_balance",
        method: Method::POST,
        path: "/api/v2.0/integrations/transaction/balance",
        headers: RUBY,
        body: r#"{"playerUniqueId":"known-player","hash":"4b2fe049a7b4c85054070542c1e084ef5b0c428f"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same.
    ClientCall {
        client: "Ruby 2",
        call: "reverse_transaction",
        method: Method::POST,
        path: "/api/v2.0/integrations/transaction/cancel",
        headers: RUBY,
        body: r#"{"playerUniqueId":"player456","transactionId":"1234567890","reversedTransactionId":"234567891","transactionTime":"2024-01-01T12:00:00Z","hash":"b700a97448b6533c99bb79908ec5f07909169739"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/gameball/models/referral.rb.
    ClientCall {
        client: "Ruby 2",
        call: "create_referral",
        method: Method::POST,
        path: "/api/v2.0/integrations/referral",
        headers: RUBY,
        body: r#"{"playerCode":"CODE11","playerUniqueId":"player456"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/gameball/models/event.rb, README.md.
    ClientCall {
        client: "Ruby 2",
        call: "send_event",
        method: Method::POST,
        path: "/api/v2.0/integrations/event",
        headers: RUBY_LANG,
        body: r#"{"events":{"reserve":{"rooms":2}},"playerUniqueId":" player123","playerAttributes":{"displayName":" Jon Snow","email":"jon.snow@example.com","dateOfBirth":"1980-09-19T00:00:00.000Z","joinDate":"2019-09-19T21:06:29.158Z","custom":{"location":"Miami","graduationDate":"2018-07-04T21:06:29.158Z","isMarried":false}}}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: " player123", points: 0, events: 1 },
    },
    // gameballers/gameball-ruby, with api_version v3.0: the same files at 7a7fad1, README.md.
    ClientCall {
        client: "Ruby 3",
        call: "initialize_player",
        method: Method::POST,
        path: "/api/v3.0/integrations/player",
        headers: RUBY,
        body: r#"{"playerUniqueId":"player123","mobile":"+1234567","email":"jon.snow@example.com","playerAttributes":{"displayName":"Jon Snow","firstName":"Jon","lastName":"Snow","mobile":"+1234567","email":"jon.snow@example.com","gender":"M","dateOfBirth":"1980-09-19T00:00:00+00:00","joinDate":"2019-09-19T21:06:29+00:00","tags":"VIP,Platinum","custom":{"location":"Miami","graduationDate":"2018-07-04T21:06:29.158Z","isMarried":false}}}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "player123", points: 0, events: 0 },
    },
    // The same.
    ClientCall {
        client: "Ruby 3",
        call: "get_player_info",
        method: Method::GET,
        path: "/api/v3.0/integrations/player/known-player",
        headers: RUBY,
        body: "",
        status: 200,
        response: PLAYER,
        effect: Effect::None,
    },
    // The same: lib/gameball/models/player.rb. At 7a7fad1 a second definition of this method, which asks for
    // `progress`, hides the first one.
    ClientCall {
        client: "Ruby 3",
        call: "get_player_balance",
        method: Method::GET,
        path: "/api/v3.0/integrations/player/known-player/balance",
        headers: RUBY,
        body: "",
        status: 200,
        response: BALANCE,
        effect: Effect::None,
    },
    // The same: lib/gameball/models/order.rb, which is send_order at 7a7fad1, README.md. This path has a capital
    // letter.
    ClientCall {
        client: "Ruby 3",
        call: "place_order",
        method: Method::POST,
        path: "/api/v3.0/Integrations/order",
        headers: RUBY,
        body: r#"{"playerUniqueId":"player456","orderId":"6253e03b","totalPrice":"100","totalPaid":"90","totalDiscount":"0","totalShipping":"0","totalTax":"0","lineItems":[{"productId":"197765","tag":["VIP"],"category":["natural","cosmetics"],"weight":"20","vendor":"nike","collection":["14313","4343"]},{"productId":"875511","title":"XPS-15s","category":["electronics"],"vendor":"Dell"}],"discountCodes":["AU7X-8Q7L","BY3V-22GK"],"extra":{"paymentMethod":"credit card","billingAddress":"Alabama"},"redeemedAmount":20,"holdReference":null,"guest":false,"orderDate":"2024-01-01T12:00:00Z"}"#,
        status: 200,
        response: ordered!("\"player456\"", "\"6253e03b\""),
        effect: Effect::Player { id: "player456", points: 0, events: 1 },
    },
    // The same: lib/gameball/models/transaction.rb.
    ClientCall {
        client: "Ruby 3",
        call: "refund",
        method: Method::POST,
        path: "/api/v3.0/integrations/transaction/refund",
        headers: RUBY,
        body: r#"{"playerUniqueId":"player456","transactionId":"1234567890","reverseTransactionId":"234567891","amount":null,"transactionTime":"2024-01-01T12:00:00Z"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // The same: lib/gameball/models/leaderboard.rb.
    ClientCall {
        client: "Ruby 3",
        call: "get_leaderboard",
        method: Method::GET,
        path: "/api/v3.0/integrations/leaderboard",
        headers: RUBY,
        body: "",
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // gameballers/gameball-SFCC: cartridges/int_gameball_core/cartridge, scripts/services/gameballService.js,
    // scripts/api/gameballCustomerApi.js, models/payload/customerPayload.js. The values in the bodies are ours.
    ClientCall {
        client: "Salesforce B2C Commerce",
        call: "customers",
        method: Method::POST,
        path: "/api/v4.0/integrations/customers",
        headers: SALESFORCE,
        body: r#"{"customerId":"00001001","email":"john@example.com","customerAttributes":{"displayName":"John Doe","firstName":"John","lastName":"Doe","email":"john@example.com"}}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "00001001", points: 0, events: 0 },
    },
    // The same: scripts/api/gameballRedemptionApi.js.
    ClientCall {
        client: "Salesforce B2C Commerce",
        call: "balance",
        method: Method::GET,
        path: "/api/v4.0/integrations/customers/known-player/balance",
        headers: SALESFORCE,
        body: "",
        status: 200,
        response: BALANCE_4,
        effect: Effect::None,
    },
    // The same: scripts/api/gameballOrderApi.js, models/payload/orderPayload.js, models/payload/lineItemPayload.js.
    ClientCall {
        client: "Salesforce B2C Commerce",
        call: "orders",
        method: Method::POST,
        path: "/api/v4.0/integrations/orders",
        headers: SALESFORCE,
        body: r#"{"customerId":"00001001","orderId":"00000101","orderDate":"2024-01-01T12:00:00.000Z","totalPaid":90.5,"totalPrice":100,"totalDiscount":9.5,"totalShipping":5,"totalTax":4.5,"channel":"web","guest":false,"cartId":"5a1d9c","merchant":{"uniqueId":"RefArch","name":"RefArch"},"extra":{"siteId":"RefArch","locale":"en_US","currency":"USD","shipmentCount":1,"isGiftOrder":0,"paymentMethods":"CREDIT_CARD","shippingMethod":"001"},"email":"john@example.com","lineItems":[{"productId":"701642923459M","quantity":1,"price":90.5,"sku":"701642923459M","title":"Skirt","category":["womens"],"taxes":4.5,"discount":9.5,"extra":{"sfccUUID":"7f3c21"}}]}"#,
        status: 200,
        response: ordered!("\"00001001\"", "\"00000101\""),
        effect: Effect::Player { id: "00001001", points: 0, events: 1 },
    },
    // The same: scripts/api/gameballRefundApi.js, models/payload/refundPayload.js.
    ClientCall {
        client: "Salesforce B2C Commerce",
        call: "refund",
        method: Method::POST,
        path: "/api/v4.0/integrations/transactions/refund",
        headers: SALESFORCE,
        body: r#"{"customerId":"known-buyer","refundTransactionId":"known-order-R1","reverseTransactionId":"known-order","transactionTime":"2024-01-02T12:00:00.000Z","merchant":{"uniqueId":"RefArch","name":"RefArch"},"email":"john@example.com","refundAmount":90.5}"#,
        status: 200,
        response: Response::Members(&[
            ("gameballTransactionId", None),
            ("refundTransactionId", Some(r#""known-order-R1""#)),
            ("refundAmount", Some("90.5")),
            ("refundEquivalentPoints", Some("50")),
        ]),
        effect: Effect::Player { id: "known-buyer", points: 0, events: 1 },
    },
    // The same: scripts/refund/refundDelivery.js.
    ClientCall {
        client: "Salesforce B2C Commerce",
        call: "transactions of an order",
        method: Method::GET,
        path: "/api/v4.0/integrations/orders/00000101/transactions",
        headers: SALESFORCE,
        body: "",
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // @segment/action-destinations 3.497.0, which is segmentio/action-destinations: destinations/gameball/util.ts,
    // destinations/gameball/identifyPlayer/index.ts. JSON.stringify leaves undefined out.
    ClientCall {
        client: "Segment 3.497.0",
        call: "identifyPlayer",
        method: Method::POST,
        path: "/api/v3.0/integrations/player",
        headers: SEGMENT,
        body: r#"{"playerUniqueId":"TEST_PLAYER","mobile":"+20100000000","playerAttributes":{"playerUniqueId":"TEST_PLAYER","mobile":"+20100000000","displayName":"Jon Snow","gender":"M","guest":false,"firstName":"Jon","lastName":"Snow"}}"#,
        status: 200,
        response: SAVED,
        effect: Effect::Player { id: "TEST_PLAYER", points: 0, events: 0 },
    },
    // The same: destinations/gameball/trackEvent/index.ts. It writes the id in lower case, and passes on the properties
    // of any Segment event.
    ClientCall {
        client: "Segment 3.497.0",
        call: "trackEvent",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"events":{"review":{"metadata1":"meta_value_1","metadata2":"meta_value_2"}},"playerUniqueId":"test_player","mobile":"+20100000000"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "test_player", points: 5, events: 1 },
    },
    // The same, with the properties of Segment's own e-commerce events.
    ClientCall {
        client: "Segment 3.497.0",
        call: "trackEvent with products",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"events":{"Checkout Started":{"order_id":"50314b8e9bcf","value":30,"coupon":null,"products":[{"product_id":"507f1f77","sku":"45790-32","price":19,"position":1},{"product_id":"505bd76785","sku":"46493-32","price":3}]}},"playerUniqueId":"test_player","email":"jon@example.com"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "test_player", points: 0, events: 1 },
    },
    // The same, without properties.
    ClientCall {
        client: "Segment 3.497.0",
        call: "trackEvent without properties",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"events":{},"playerUniqueId":"test_player"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "test_player", points: 0, events: 0 },
    },
    // segmentio/action-destinations: the form of trackEvent/__tests__/__snapshots__/snapshot.test.ts.snap.
    ClientCall {
        client: "Segment 3.497.0",
        call: "trackEvent of its snapshot test",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"email":"kokoczi@daf.jp","events":{"SBnT[CD":{"testType":"SBnT[CD"}},"mobile":"sbnt[cd","playerUniqueId":"sbnt[cd"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "sbnt[cd", points: 0, events: 1 },
    },
    // The same: destinations/gameball/trackOrder/index.ts and its tests.
    ClientCall {
        client: "Segment 3.497.0",
        call: "trackOrder",
        method: Method::POST,
        path: "/api/v3.0/integrations/order",
        headers: SEGMENT_SECRET,
        body: r#"{"playerUniqueId":"TEST_PLAYER","mobile":"+20100000000","email":"example@example.com","orderId":"ABCD1234","orderDate":"2023-07-27T12:00:00Z","totalPrice":55.99,"totalPaid":50.99,"totalShipping":5,"totalTax":0.5,"totalDiscount":10,"lineItems":[{"productId":"P123","sku":"SKU123","title":"Product 1","category":["Fashion","Accessories"],"collection":["Summer Collection"],"tags":["Sale"],"weight":0.5,"vendor":"Vendor 1","quantity":1,"price":45.99,"taxes":0.49,"discount":10}],"discountCodes":["DISCOUNT123"],"redeemedAmount":5,"guest":false,"extra":{"notes":"Special instructions for shipping"},"merchantId":"M123","merchantName":"Example Merchant","branchId":"B123","branchName":"Example Branch","merchant":{"uniqueId":"M123","name":"Example Merchant","branch":{"uniqueId":"B123","name":"Example Branch"}}}"#,
        status: 200,
        response: ordered!("\"TEST_PLAYER\"", "\"ABCD1234\""),
        effect: Effect::Player { id: "TEST_PLAYER", points: 0, events: 1 },
    },
    // The same: destinations/gameball/index.ts. This call goes to auth.gameball.co.
    ClientCall {
        client: "Segment 3.497.0",
        call: "testAuthentication",
        method: Method::POST,
        path: "/api/v1.0/protected/TestAuthentication",
        headers: SEGMENT,
        body: r#"{"apiKey":"demo-api-key","secretKey":"demo-secret-key"}"#,
        status: 404,
        response: NOT_FOUND,
        effect: Effect::None,
    },
    // segmentio/action-destinations at 62ee8cc: destinations/gameball/trackEvent/index.ts, util.ts. It names the player
    // playerId.
    ClientCall {
        client: "Segment with playerId",
        call: "trackEvent",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"events":{"review":{"metadata1":"meta_value_1","metadata2":"meta_value_2"}},"playerId":"test_player","mobile":"+20100000000"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "test_player", points: 5, events: 1 },
    },
    // The same, with the properties of Segment's own e-commerce events.
    ClientCall {
        client: "Segment with playerId",
        call: "trackEvent with products",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"events":{"Checkout Started":{"order_id":"50314b8e9bcf","value":30,"coupon":null,"products":[{"product_id":"507f1f77","sku":"45790-32","price":19,"position":1},{"product_id":"505bd76785","sku":"46493-32","price":3}]}},"playerId":"test_player","email":"jon@example.com"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "test_player", points: 0, events: 1 },
    },
    // The same, without properties: JSON.stringify leaves undefined out.
    ClientCall {
        client: "Segment with playerId",
        call: "trackEvent without properties",
        method: Method::POST,
        path: "/api/v3.0/integrations/event",
        headers: SEGMENT,
        body: r#"{"events":{},"playerId":"test_player"}"#,
        status: 200,
        response: TRACKED,
        effect: Effect::Player { id: "test_player", points: 0, events: 0 },
    },
];

const DOTNET: &[(&str, &str)] = &[("APIKey", "demo-api-key"), ("Content-Type", "application/json; charset=utf-8")];

const AXIOS: &[(&str, &str)] = &[
    ("Accept", "application/json, text/plain, */*"),
    ("Content-Type", "application/json"),
    ("APIKey", "demo-api-key"),
    ("User-Agent", "axios/1.8.3"),
    ("Accept-Encoding", "gzip, compress, deflate, br"),
];

const ANDROID_JAVA: &[(&str, &str)] = &[
    ("APIKey", "demo-api-key"),
    ("lang", "en"),
    ("Content-Type", "application/json; charset=UTF-8"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", "okhttp/3.14.9"),
];

const ANDROID: &[(&str, &str)] = &[
    ("APIKey", "demo-api-key"),
    ("lang", "en"),
    ("x-gb-agent", "GB/android/3.2.1"),
    ("Content-Type", "application/json; charset=UTF-8"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", "okhttp/3.14.9"),
];

const ANDROID_SESSION: &[(&str, &str)] = &[
    ("APIKey", "demo-api-key"),
    ("lang", "en"),
    ("x-gb-agent", "GB/android/3.2.1"),
    ("X-GB-TOKEN", "demo-session-token"),
    ("Content-Type", "application/json; charset=UTF-8"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", "okhttp/3.14.9"),
];

const ANDROID_GET: &[(&str, &str)] = &[
    ("APIKey", "demo-api-key"),
    ("lang", "en"),
    ("x-gb-agent", "GB/android/3.2.1"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", "okhttp/3.14.9"),
];

const FLUTTER: &[(&str, &str)] = &[
    ("Content-Type", "application/json; charset=UTF-8"),
    ("ApiKey", "demo-api-key"),
    ("Lang", "en"),
    ("x-gb-agent", "GB/flutter/3.3.1"),
    ("User-Agent", "Dart/3.4 (dart:io)"),
    ("Accept-Encoding", "gzip"),
];

const FLUTTER_SESSION: &[(&str, &str)] = &[
    ("Content-Type", "application/json; charset=UTF-8"),
    ("ApiKey", "demo-api-key"),
    ("Lang", "en"),
    ("x-gb-agent", "GB/flutter/3.3.1"),
    ("X-GB-TOKEN", "demo-session-token"),
    ("User-Agent", "Dart/3.4 (dart:io)"),
    ("Accept-Encoding", "gzip"),
];

const IOS: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("APIKey", "demo-api-key"),
    ("x-gb-agent", "GB/ios/3.2.2"),
    ("lang", "en"),
    ("Accept", "*/*"),
    ("Accept-Language", "en-GB,en;q=0.9"),
    ("Accept-Encoding", "gzip, deflate"),
    ("User-Agent", "Example/1 CFNetwork/1494.0.7 Darwin/23.4.0"),
];

const IOS_SESSION: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("APIKey", "demo-api-key"),
    ("x-gb-agent", "GB/ios/3.2.2"),
    ("lang", "en"),
    ("X-GB-TOKEN", "demo-session-token"),
    ("Accept", "*/*"),
    ("Accept-Language", "en-GB,en;q=0.9"),
    ("Accept-Encoding", "gzip, deflate"),
    ("User-Agent", "Example/1 CFNetwork/1494.0.7 Darwin/23.4.0"),
];

const NODE: &[(&str, &str)] = &[("Content-Type", "application/json"), ("APIKey", "demo-api-key")];

const PHP: &[(&str, &str)] = &[("Accept", "*/*"), ("APIKey", "demo-api-key"), ("Content-Type", "application/json")];

const PHP_SECRET: &[(&str, &str)] = &[
    ("Accept", "*/*"),
    ("APIKey", "demo-api-key"),
    ("Content-Type", "application/json"),
    ("secretKey", "demo-secret-key"),
];

const PYTHON: &[(&str, &str)] = &[
    ("User-Agent", "python-requests/2.32.3"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept", "*/*"),
    ("APIKey", "demo-api-key"),
    ("Content-Type", "application/json"),
];

const PYTHON_3: &[(&str, &str)] = &[
    ("User-Agent", "python-requests/2.32.3"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept", "*/*"),
    ("APIKey", "demo-api-key"),
    ("secretKey", "demo-secret-key"),
    ("Content-Type", "application/json"),
];

const PYTHON_3_GET: &[(&str, &str)] = &[
    ("User-Agent", "python-requests/2.32.3"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Accept", "*/*"),
    ("APIKey", "demo-api-key"),
    ("secretKey", "demo-secret-key"),
];

const REACT_NATIVE_1: &[(&str, &str)] = &[
    ("Accept", "application/json, text/plain, */*"),
    ("Content-Type", "application/json;charset=utf-8"),
    ("APIKey", "demo-api-key"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", "okhttp/4.9.2"),
];

/// It has its key in the query.
const REACT_NATIVE_1_GET: &[(&str, &str)] = &[("Accept-Encoding", "gzip"), ("User-Agent", "okhttp/4.9.2")];

const REACT_NATIVE: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("APIKey", "demo-api-key"),
    ("OS", "android"),
    ("SDKVersion", "3.1.2"),
    ("X-GB-Agent", "GB/react-native/3.1.2"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", "okhttp/4.9.2"),
];

const REACT_NATIVE_SESSION: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("APIKey", "demo-api-key"),
    ("OS", "android"),
    ("SDKVersion", "3.1.2"),
    ("X-GB-Agent", "GB/react-native/3.1.2"),
    ("X-GB-TOKEN", "demo-session-token"),
    ("Accept-Encoding", "gzip"),
    ("User-Agent", "okhttp/4.9.2"),
];

const RUBY: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("Accept-Encoding", "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"),
    ("Accept", "*/*"),
    ("User-Agent", "Ruby"),
    ("Apikey", "demo-api-key"),
    ("Secretkey", "demo-secret-key"),
];

const RUBY_LANG: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("Accept-Encoding", "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"),
    ("Accept", "*/*"),
    ("User-Agent", "Ruby"),
    ("Lang", "en"),
    ("Apikey", "demo-api-key"),
    ("Secretkey", "demo-secret-key"),
];

/// Those that it sets itself: what the platform adds is not documented.
const SALESFORCE: &[(&str, &str)] =
    &[("Content-Type", "application/json"), ("APIKey", "demo-api-key"), ("SecretKey", "demo-secret-key")];

const SEGMENT: &[(&str, &str)] = &[
    ("APIKey", "demo-api-key"),
    ("Content-Type", "application/json"),
    ("x-gb-agent", "GB/Segment"),
    ("User-Agent", "Segment (Actions)"),
    ("Accept", "*/*"),
];

const SEGMENT_SECRET: &[(&str, &str)] = &[
    ("APIKey", "demo-api-key"),
    ("Content-Type", "application/json"),
    ("x-gb-agent", "GB/Segment"),
    ("SecretKey", "demo-secret-key"),
    ("User-Agent", "Segment (Actions)"),
    ("Accept", "*/*"),
];
