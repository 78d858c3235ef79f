//! `punchcard history` and `punchcard explain`.

use reqwest::Method;
use serde_json::{Value, json};

use super::punchcard;
use crate::support::{
    activities::{Programme, activity},
    app::App,
    players::{API_KEY, JSON, assert_tracked},
};

/// All pages of a listing, joined.
async fn all_pages(app: &App, whose: &[&str], limit: &str, id: &str) -> Vec<String> {
    let (mut all, mut next) = (Vec::new(), None::<String>);
    loop {
        let mut arguments = [&["history"], whose, &["--limit", limit, "--json"]].concat();
        arguments.extend(next.iter().flat_map(|next| ["--next", next.as_str()]));
        let page = punchcard(app, &arguments).await.json();
        let records = page["records"].as_array().expect("records");
        all.extend(records.iter().map(|record| record[id].as_str().expect("an id").to_owned()));
        next = page["next"].as_str().map(str::to_owned);
        if next.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn activities_are_listed_by_account_and_correlation_id() {
    let programme = Programme::start().await;
    programme.send("c-1", "before", &activity("APP_CHECKIN")).await;
    programme.tie("A-1", "c-1").await;
    let mut expected = Vec::new();
    for number in 0..5 {
        let id = format!("a-{number}");
        programme.send("c-1", &id, &activity("SURVEY_RESPONSE")).await;
        expected.insert(0, id);
    }
    for whose in [["--account", "A-1"], ["--correlation", "c-1"]] {
        assert_eq!(all_pages(&programme.app, &whose, "2", "activityId").await, expected);
    }
    assert_eq!(all_pages(&programme.app, &["--before-session", "c-1"], "2", "activityId").await, ["before"]);
    let page = punchcard(&programme.app, &["history", "--account", "A-1", "--limit", "1", "--json"]).await.json();
    let newest = &page["records"][0];
    assert_eq!((&newest["correlationId"], &newest["catalogVersion"]), (&json!("c-1"), &json!(1)));
    assert_eq!(newest["earned"]["XYZ"]["loyalty"]["total"], 10, "the bonus is used up");
    let text = punchcard(&programme.app, &["history", "--account", "A-1", "--limit", "2"]).await;
    let lines: Vec<_> = text.output.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("a-4  SURVEY_RESPONSE  STORE"), "{lines:?}");
    assert!(text.errors.contains("there are more records: --next "), "{}", text.errors);
    let none = punchcard(&programme.app, &["history", "--account", "A-2"]).await;
    assert_eq!(none.output, "There are no records.\n");
}

#[tokio::test]
async fn the_requests_of_a_player_are_listed_newest_first_whatever_their_ids() {
    let app = App::start().await;
    let mut expected = Vec::new();
    for (number, key) in ["m", "z", "a", "k", "b"].into_iter().enumerate() {
        let body = json!({"playerUniqueId": "p-1", "events": {"review": {"number": number}}});
        assert_tracked(&app.track_once(key, body.to_string()).await);
        expected.insert(0, format!("key#{key}"));
    }
    app.did("p-2", "review").await;
    for limit in ["1", "2", "5", "9"] {
        let mut listed = all_pages(&app, &["--player", "p-1"], limit, "recordId").await;
        // Requests of one millisecond are ordered by id.
        assert_eq!(listed.len(), expected.len(), "{limit}");
        listed.sort();
        let mut sorted = expected.clone();
        sorted.sort();
        assert_eq!(listed, sorted, "{limit}");
    }
    let page = punchcard(&app, &["history", "--player", "p-1", "--json"]).await.json();
    let times: Vec<_> =
        page["records"].as_array().expect("records").iter().map(|one| one["receivedAt"].as_str()).collect();
    assert!(times.is_sorted_by(|one, next| one >= next), "{times:?}");
    let newest = &page["records"][0];
    assert_eq!((&newest["memberId"], &newest["catalogVersion"]), (&json!("player#p-1"), &json!(1)));
}

#[tokio::test]
async fn a_months_orders_of_a_customer_are_listed_explained_and_audited() {
    let app = App::start().await;
    let mut expected = Vec::new();
    for day in 1..=31 {
        let order = json!({
            "customerId": "p-1", "orderId": format!("O/{day}"), "orderDate": format!("2024-10-{day:02}T07:00:00Z"),
            "totalPaid": 90, "total_amount": 100, "lineItems": [{"productId": "P-1"}],
        });
        let answer = app.send(Method::POST, "/api/v4.0/integrations/orders", &[API_KEY, JSON], order.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        expected.push(format!("order#O/{day}"));
    }
    expected.sort();
    for limit in ["7", "31", "150"] {
        let mut listed = all_pages(&app, &["--player", "p-1"], limit, "recordId").await;
        listed.sort();
        assert_eq!(listed, expected, "{limit}");
    }
    let explained = punchcard(&app, &["explain", "player", "p-1", "order#O/31", "--json"]).await.json();
    let rules = explained["occurrences"][0]["rules"].as_array().expect("rules");
    let rules: Vec<_> = rules.iter().map(|rule| (rule["campaign"].as_str(), rule["paid"].as_u64())).collect();
    assert_eq!(rules, [(Some("BIG_ORDER"), Some(50)), (Some("ELECTRONICS"), Some(0))]);
    let audit = punchcard(&app, &["audit", "--json"]).await;
    assert!(audit.succeeded, "{}", audit.output);
}

#[tokio::test]
async fn client_events_are_listed_by_customer() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let event = |number: u8| {
        json!({
            "clientEventId": format!("12395199-1565-4565-bf99-3f94ee505d{number:02}"),
            "clientEventType": "AdInteraction", "clientEvent": "ActivateOffer",
            "clientEventTimestamp": "2024-10-01T07:00:00Z",
            "clientEventMetadata": {"serveToken": "x", "section": "Dashboard", "channel": "OLB"},
        })
    };
    assert_eq!(session.post(&[event(1), event(2), event(3)]).await.status, 200);
    let listed = all_pages(&app, &["--customer", "customer-1"], "2", "clientEventId").await;
    assert_eq!(listed.len(), 3);
    let page = punchcard(&app, &["history", "--customer", "customer-1", "--json"]).await.json();
    let one = &page["records"][0];
    assert_eq!(
        (&one["clientEvent"], &one["section"], &one["channel"]),
        (&json!("ActivateOffer"), &json!("Dashboard"), &json!("OLB"))
    );
}

#[tokio::test]
async fn unusable_options_are_refused() {
    let app = App::start().await;
    for (arguments, part) in [
        (&["history"][..], "required"),
        (&["history", "--account", "A-1", "--player", "p-1"], "cannot be used with"),
        (&["history", "--correlation", "c 1"], "1 to 128"),
        (&["history", "--account", "A-1", "--limit", "0"], "--limit"),
        (&["history", "--account", "A-1", "--next", "???"], "--next must be the cursor"),
        (&["history", "--player", "p-1", "--next", "eA"], "--next must be the cursor"),
        (&["explain", "activity", "a-1"], "there is no activity a-1"),
        (&["explain", "player", "p-1", "key#1"], "there is no request key#1 of player p-1"),
    ] {
        let said = punchcard(&app, arguments).await;
        assert!(!said.succeeded && said.errors.contains(part), "{arguments:?}: {}", said.errors);
    }
}

#[tokio::test]
async fn an_activity_is_explained_in_sentences_and_in_json() {
    let programme = Programme::start().await;
    for id in ["a-1", "a-2", "a-3"] {
        programme.send("c-1", id, &activity("SURVEY_RESPONSE")).await;
    }
    let said = punchcard(&programme.app, &["explain", "activity", "a-3"]).await;
    let expected = "\
The activity a-3 was evaluated with version 1 of the catalog.
SURVEY_RESPONSE, at 2024-10-01T07:00:00.000Z:
  ABC_BASE paid 3 of 3 points.
  OLD_BASE paid nothing: business unit OLD was disabled.
  XYZ_BASE paid 10 of 10 points.
  XYZ_SURVEY paid nothing: its limit of 2 uses per member is used up (2 used).
  XYZ_VIP paid nothing: it is targeted at other members.
";
    assert_eq!(said.output, expected, "{}", said.errors);
    let body = punchcard(&programme.app, &["explain", "activity", "a-3", "--json"]).await.json();
    let over_http = programme.get("/client/users/c-1/activities/a-3/explanation").await.json();
    assert_eq!(body["catalogVersion"], over_http["catalogVersion"]);
    assert_eq!(body["occurrences"], json!([{"name": "SURVEY_RESPONSE", "rules": over_http["offers"]}]));
}

#[tokio::test]
async fn what_a_request_contained_cannot_steer_a_terminal() {
    let app = App::start().await;
    let event = "\u{1b}[2Jreview\u{202e}";
    let body = json!({"playerUniqueId": "p\u{7}1", "events": {event: {}}});
    assert_tracked(&app.track_once("k-1", body.to_string()).await);
    for arguments in [&["history", "--player", "p\u{7}1"][..], &["explain", "player", "p\u{7}1", "key#k-1"]] {
        let said = punchcard(&app, arguments).await;
        assert!(said.output.contains(r"\u{1b}[2Jreview\u{202e}"), "{}", said.output);
        let is_plain = |char: char| char == '\n' || !(char.is_control() || char == '\u{202e}');
        assert!(said.output.chars().all(is_plain), "{:?}", said.output);
    }
}

#[tokio::test]
async fn a_request_of_a_player_is_explained_event_by_event() {
    let app = App::start().await;
    let body = json!({"playerUniqueId": "p-1", "events": {"place_order": {"total_amount": 80}, "unknown": {}}});
    assert_tracked(&app.track_once("k-1", body.to_string()).await);
    let said = punchcard(&app, &["explain", "player", "p-1", "key#k-1"]).await;
    let lines: Vec<_> = said.output.lines().filter(|line| !line.contains(", at ")).collect();
    let expected = [
        "The request key#k-1 of player p-1 was evaluated with version 1 of the catalog.",
        "  BIG_ORDER paid nothing: total_amount must be at least 100, and it was 80. 20 more would have paid 50 points.",
        "  ELECTRONICS paid nothing: category must contain \"electronics\", and it was absent. It would have paid 20 \
         points with category [\"electronics\"].",
        "  No rule is defined for it.",
    ];
    assert_eq!(lines, expected);
    let body = punchcard(&app, &["explain", "player", "p-1", "key#k-1", "--json"]).await.json();
    let reasons: Vec<&Value> =
        body["occurrences"][0]["rules"].as_array().expect("rules").iter().map(|rule| &rule["reason"]).collect();
    assert_eq!(reasons, ["CONDITION_NOT_MET", "CONDITION_NOT_MET"]);
}
