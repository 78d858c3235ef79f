//! Offers with more limits than one update can name or one transaction can hold.

use serde_json::{Value, json};

use crate::support::{
    activities::{Programme, activities_token, activity, activity_path, points, with},
    app::App,
    proxy::Proxy,
};

/// The limit of an update's named attributes, `MAX_NAMED_ATTRIBUTES` of the store.
const MOST_NAMED: usize = 40;

/// The most items of a transaction: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>.
const MOST_ITEMS: usize = 100;

/// So many offers of one point for an [`activity_with_a_tag`], each with the limit.
///
/// They have a condition, because `catalog check` refuses offers that are too many for every activity.
fn offers(count: usize, limit: &Value) -> String {
    let conditions = json!([{"field": "tag", "exists": true}]);
    let offer = |number| {
        json!({
            "id": format!("O{number:03}"), "unit": "U", "kind": "base", "reward": {"flat": 1}, "limits": limit,
            "conditions": conditions,
        })
    };
    json!({"businessUnits": {"U": "enabled"}, "offers": (0..count).map(offer).collect::<Vec<_>>()}).to_string()
}

fn activity_with_a_tag() -> Value {
    with(activity("APP_CHECKIN"), "extendedData", json!([{"name": "tag", "value": 1}]))
}

/// The items of each transaction that the proxy passed on.
fn transactions(proxy: &Proxy) -> Vec<Vec<Value>> {
    let calls = proxy.calls().into_iter().filter(|(operation, _)| operation == "TransactWriteItems");
    calls.map(|(_, call)| call["TransactItems"].as_array().expect("items").clone()).collect()
}

/// The same system behind a proxy.
async fn behind_a_proxy(programme: &Programme) -> (Proxy, App) {
    let proxy = Proxy::start(&programme.app.endpoint).await;
    let app = programme.app.through(&proxy.url).await;
    (proxy, app)
}

#[tokio::test]
async fn a_member_is_updated_up_to_forty_attributes_and_replaced_above_with_the_same_result() {
    // The balance is one of the attributes, the counter of each limit another.
    for (limits, is_update) in [(MOST_NAMED - 1, true), (MOST_NAMED, false)] {
        let programme = Programme::with(&offers(limits, &json!({"usesPerMember": 2}))).await;
        let (proxy, through) = behind_a_proxy(&programme).await;
        let bearer = format!("Bearer {}", activities_token(&programme.app).await);
        for (number, paid) in [limits, limits, 0].into_iter().enumerate() {
            let path = activity_path("c", &format!("a-{number}"));
            let answer = through.post(&path, &[("authorization", &bearer)], &activity_with_a_tag()).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let earned = if paid == 0 { json!({}) } else { json!({"U": points(paid as u64, 0, 0)}) };
            assert_eq!(answer.json()["earned"], earned, "{limits} limits");
        }
        let transactions = transactions(&proxy);
        // Attempts that found the member changed included.
        assert!(transactions.len() >= 2, "{limits} limits");
        let members = format!("{}Members", programme.app.prefix);
        for items in transactions {
            let writes = |operation: &str| items.iter().filter(|item| item[operation]["TableName"] == members).count();
            let expected = if is_update { (1, 0) } else { (0, 1) };
            assert_eq!((writes("Update"), writes("Put")), expected, "{limits} limits");
        }
        programme.assert_books_balance().await;
    }
}

#[tokio::test]
async fn an_activity_that_a_hundred_writes_reverse_is_recorded_and_one_of_a_hundred_and_one_is_too_large() {
    // The activity and the member are two of the writes, the counter of each total limit another. A reversal has a record
    // of its own, too.
    for (limits, status) in [(MOST_ITEMS - 3, 200), (MOST_ITEMS - 2, 413)] {
        let programme = Programme::with(&offers(limits, &json!({"usesInTotal": 9}))).await;
        let (proxy, through) = behind_a_proxy(&programme).await;
        let bearer = format!("Bearer {}", activities_token(&programme.app).await);
        let path = activity_path("c", "a");
        let answer = through.post(&path, &[("authorization", &bearer)], &activity_with_a_tag()).await;
        assert_eq!(answer.status, status, "{limits} limits: {}", answer.body);
        let sizes: Vec<_> = transactions(&proxy).iter().map(Vec::len).collect();
        let is_recorded = status == 200;
        assert_eq!(sizes, if is_recorded { vec![MOST_ITEMS - 1] } else { vec![] });
        assert_eq!(programme.app.items("Activities").await.len(), usize::from(is_recorded));
        let reversal = programme.post("/client/users/c/void", &[], r#"{"originalTransactionId":"a"}"#).await;
        assert_eq!(reversal.status, if is_recorded { 200 } else { 404 }, "{}", reversal.body);
    }
}
