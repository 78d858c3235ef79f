//! Channel merging: players that share an e-mail address or a mobile number are one customer.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use punchcard::tables;
use punchcard_models::access::SecretDigest;
use serde_json::{Value, json};

use crate::support::{
    app::App,
    players::{assert_tracked, fault, limited, text},
};

/// Players are merged by `by`; a visit pays 10 points, for a customer's first five.
fn catalog(by: &str) -> Value {
    json!({"channelMerging": by, "campaigns": [limited("VISIT", "visit", 10, &json!({"usesPerMember": 5}))]})
}

const ADA: (&str, &str) = ("email", "ada@example.com");
const BOB: (&str, &str) = ("email", "bob@example.com");

#[tokio::test]
async fn the_address_is_required() {
    for (by, other, field) in [("email", "mobile", "Email"), ("mobile", "email", "Mobile")] {
        let app = App::with_catalog(&catalog(by)).await;
        let required = format!("The {field} field is required.");
        for (addresses, code, words) in [
            (json!({}), 4, &*required),
            (json!({other: "+1234567"}), 4, &required),
            (json!({by: null}), 5, field),
            (json!({by: ""}), 7, by),
            (json!({by: " \t"}), 7, by),
            (json!({by: 5}), 7, by),
            (json!({by: "x".repeat(4097)}), 7, by),
            (json!({by: "an address", other: 5}), 7, other),
        ] {
            let mut body = json!({"playerUniqueId": "p", "events": {"visit": {}}});
            body.as_object_mut().expect("an object").extend(addresses.as_object().expect("an object").clone());
            let (status, got, message) = fault(&app.track(body.to_string()).await);
            assert_eq!((status, got), (400, code), "{body}");
            assert!(message.contains(words), "{body}: {message}");
        }
        assert_eq!(app.stored().await, (0, 0));
    }
}

#[tokio::test]
async fn players_who_share_an_address_are_one_customer_whichever_id_is_used() {
    for (by, address) in [("email", "ada@example.com"), ("mobile", "+49 170 1234567")] {
        let app = App::with_catalog(&catalog(by)).await;
        for (index, player) in ["web", "app", "shop", "app", "web"].into_iter().enumerate() {
            app.did_as(player, (by, address), "visit").await;
            let visits = index as u64 + 1;
            assert_eq!(app.totals(player).await, (10 * visits, visits), "{by} {player}");
        }
        for player in ["web", "app", "shop"] {
            assert_eq!(app.totals(player).await, (50, 5), "{by} {player}");
        }
        // The limit is the customer's, not each id's.
        app.did_as("tablet", (by, address), "visit").await;
        assert_eq!(app.totals("tablet").await, (50, 6), "{by}");
        // Somebody else is another customer.
        app.did_as("bob", (by, "another"), "visit").await;
        assert_eq!(app.totals("bob").await, (10, 1), "{by}");
    }
}

#[tokio::test]
async fn e_mail_compares_without_case_and_mobile_as_it_is() {
    let app = App::with_catalog(&catalog("email")).await;
    for (player, email) in [("a", "Ada@Example.com"), ("b", "ada@example.COM"), ("c", "ADA@EXAMPLE.COM")] {
        app.did_as(player, ("email", email), "visit").await;
    }
    app.did_as("d", ("email", "ÄDA@example.com"), "visit").await;
    app.did_as("e", ("email", "äda@example.com"), "visit").await;
    assert_eq!(app.totals("a").await, (30, 3));
    assert_eq!(app.totals("d").await, (20, 2));

    let app = App::with_catalog(&catalog("mobile")).await;
    for (player, mobile) in [("a", "x1"), ("b", "X1")] {
        app.did_as(player, ("mobile", mobile), "visit").await;
    }
    assert_eq!(app.totals("a").await, (10, 1));
}

#[tokio::test]
async fn a_player_belongs_to_its_first_customer_for_good() {
    let app = App::with_catalog(&catalog("email")).await;
    app.did_as("ada", ADA, "visit").await;
    app.did_as("ada's phone", ADA, "visit").await;
    app.did_as("bob", BOB, "visit").await;
    // With another customer's address, the player stays Ada's, and the address stays Bob's.
    app.did_as("ada's phone", BOB, "visit").await;
    app.did_as("ada", BOB, "visit").await;
    assert_eq!(app.totals("ada").await, (40, 4));
    assert_eq!(app.totals("ada's phone").await, (40, 4));
    assert_eq!(app.totals("bob").await, (10, 1));
    app.did_as("bob's phone", BOB, "visit").await;
    assert_eq!(app.totals("bob's phone").await, (20, 2));
    app.did_as("ada's tablet", ADA, "visit").await;
    assert_eq!(app.totals("ada's tablet").await, (50, 5));
}

#[tokio::test]
async fn a_new_address_is_added_to_the_players_customer() {
    let app = App::with_catalog(&catalog("email")).await;
    app.did_as("ada", ADA, "visit").await;
    app.did_as("ada", ("email", "ada@work.example"), "visit").await;
    app.did_as("ada at work", ("email", "ada@work.example"), "visit").await;
    app.did_as("ada at home", ADA, "visit").await;
    // Also by a player that is one of the customer's further names.
    app.did_as("ada at work", ("email", "ada@new.example"), "visit").await;
    app.did_as("ada's new one", ("email", "ada@new.example"), "other").await;
    for player in ["ada", "ada at work", "ada at home", "ada's new one"] {
        assert_eq!(app.totals(player).await, (50, 6), "{player}");
    }
}

#[tokio::test]
async fn balances_never_move() {
    let mut app = App::with_catalog(&catalog("none")).await;
    for player in ["ada", "ada's phone"] {
        app.did_as(player, ADA, "visit").await;
    }
    assert_eq!(app.totals("ada").await, (10, 1));
    app.apply(&catalog("email")).await;
    // The first to come with the address has it; the other was a customer before, and stays one.
    for player in ["ada's phone", "ada"] {
        app.did_as(player, ADA, "visit").await;
        assert_eq!(app.totals(player).await, (20, 2), "{player}");
    }
    app.did_as("ada's tablet", ADA, "visit").await;
    assert_eq!(app.totals("ada's tablet").await, (30, 3));
    assert_eq!(app.totals("ada's phone").await, (30, 3));
    assert_eq!(app.totals("ada").await, (20, 2));
}

#[tokio::test]
async fn a_player_whose_requests_earned_nothing_is_a_customer_already() {
    let mut app = App::with_catalog(&catalog("none")).await;
    app.did("ada's phone", "other").await;
    assert_eq!(app.stored().await, (1, 0), "a record alone");
    app.apply(&catalog("email")).await;
    app.did_as("ada", ADA, "visit").await;
    app.did_as("ada's phone", ADA, "visit").await;
    for player in ["ada", "ada's phone"] {
        assert_eq!(app.get_player(player).await.json()["points"], 10, "{player}");
    }
    // Its own address leads to it.
    app.did_as("ada's phone", BOB, "other").await;
    app.did_as("bob's phone", BOB, "visit").await;
    assert_eq!(app.get_player("ada's phone").await.json()["points"], 20);
}

#[tokio::test]
async fn a_merged_id_still_books_on_its_customer_when_merging_is_turned_off() {
    let mut app = App::with_catalog(&catalog("email")).await;
    app.did_as("ada", ADA, "visit").await;
    app.did_as("ada's phone", ADA, "visit").await;
    app.apply(&catalog("none")).await;
    app.did("ada's phone", "visit").await;
    app.did_as("ada's phone", BOB, "visit").await;
    app.did("ada", "visit").await;
    assert_eq!(app.totals("ada").await, (50, 5));
    assert_eq!(app.totals("ada's phone").await, (50, 5));
    // Players are no longer merged, and no address is stored.
    app.did_as("ada's tablet", ADA, "visit").await;
    assert_eq!(app.totals("ada's tablet").await, (10, 1));
    app.apply(&catalog("email")).await;
    app.did_as("bob", BOB, "visit").await;
    assert_eq!(app.totals("bob").await, (10, 1));
}

/// A request under a key, and its response.
struct Sent {
    player: &'static str,
    email: &'static str,
    status: u16,
    is_replayed: bool,
}

#[tokio::test]
async fn each_id_keeps_its_own_keys_and_the_address_is_part_of_the_payload() {
    let app = App::with_catalog(&catalog("email")).await;
    let body = |player: &str, email: &str| {
        json!({"playerUniqueId": player, "email": email, "events": {"visit": {}}}).to_string()
    };
    let sent = |player, email, status, is_replayed| Sent { player, email, status, is_replayed };
    for Sent { player, email, status, is_replayed } in [
        sent("ada", "ada@example.com", 200, false),
        sent("ada", "ADA@example.com", 200, true),
        sent("ada", "ada@work.example", 422, false),
        sent("ada's phone", "ada@example.com", 200, false),
        sent("ada's phone", "ada@example.com", 200, true),
    ] {
        let answer = app.track_once("a key", body(player, email)).await;
        assert_eq!(answer.status, status, "{player} {email}");
        let replayed = answer.header("idempotent-replayed");
        assert_eq!(replayed, is_replayed.then_some("true"), "{player} {email}");
    }
    assert_eq!(app.totals("ada").await, (20, 2));
    // The refused request has added no address.
    app.did_as("work", ("email", "ada@work.example"), "visit").await;
    assert_eq!(app.totals("work").await, (10, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_requests_racing_for_one_e_mail_make_one_customer() {
    let app = App::with_catalog(&catalog("email")).await;
    for (round, racers) in [2, 2, 2, 2, 16].into_iter().enumerate() {
        let email = format!("racer{round}@example.com");
        let players: Vec<_> = (0..racers).map(|n| format!("racer {round} {n}")).collect();
        join_all(players.iter().map(|player| app.did_as(player, ("email", &email), "visit"))).await;
        for player in &players {
            let points = 10 * racers.min(5);
            assert_eq!(app.totals(player).await, (points, racers), "{player}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_player_racing_under_two_e_mails_belongs_to_one_customer() {
    let app = App::with_catalog(&catalog("email")).await;
    for round in 0..4 {
        let player = format!("racer {round}");
        let (one, two) = (format!("one{round}@example.com"), format!("two{round}@example.com"));
        let emails = [&one, &two, &one, &two];
        join_all(emails.map(|email| app.did_as(&player, ("email", email), "visit"))).await;
        assert_eq!(app.totals(&player).await, (40, 4), "{player}");
        // Both addresses were new, so both are now that customer's.
        for (name, email) in [("by one", &one), ("by two", &two)] {
            app.did_as(&format!("{name} {round}"), ("email", email), "other").await;
        }
        assert_eq!(app.totals(&format!("by one {round}")).await, (40, 6));
        assert_eq!(app.totals(&format!("by two {round}")).await, (40, 6));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_player_racing_between_two_customers_belongs_to_one() {
    let app = App::with_catalog(&catalog("email")).await;
    app.did_as("ada", ADA, "visit").await;
    app.did_as("bob", BOB, "visit").await;
    join_all([ADA, BOB, ADA, BOB].map(|address| app.did_as("racer", address, "visit"))).await;
    let (racer, ada, bob) = (app.totals("racer").await, app.totals("ada").await, app.totals("bob").await);
    assert_eq!(racer, (50, 5));
    let mut both = [ada, bob];
    both.sort_unstable();
    assert_eq!(both, [(10, 1), (50, 5)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_player_racing_between_a_customer_and_a_new_address_belongs_to_one() {
    let app = App::with_catalog(&catalog("email")).await;
    for round in 0..12 {
        let (first, racer, second) = (format!("first {round}"), format!("racer {round}"), format!("second {round}"));
        let (known, new) = (format!("known{round}@example.com"), format!("new{round}@example.com"));
        app.did_as(&first, ("email", &known), "visit").await;
        join_all([&known, &new, &new, &known].map(|email| app.did_as(&racer, ("email", email), "visit"))).await;
        app.did_as(&second, ("email", &new), "other").await;
        // Either the first one's customer, with all that both sent, or one of its own; the new address is its own.
        match app.totals(&first).await {
            (50, 6) => {}
            of_first => {
                assert_eq!(of_first, (10, 1), "{round}");
                assert_eq!(app.totals(&racer).await, (40, 5), "{round}");
            }
        }
        assert_eq!(app.totals(&second).await, app.totals(&racer).await, "{round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_racing_with_one_new_address_has_one_effect() {
    let app = App::with_catalog(&catalog("email")).await;
    let body = json!({"playerUniqueId": "ada", "email": ADA.1, "events": {"visit": {}}}).to_string();
    let answers = join_all((0..16).map(|_| app.track_once("a key", body.clone()))).await;
    answers.iter().for_each(assert_tracked);
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count(), 1);
    assert_eq!(app.totals("ada").await, (10, 1));
}

#[tokio::test]
async fn addresses_are_stored_only_as_keyed_digests() {
    /// All bytes that an attribute holds, texts and numbers as they are written.
    fn contents(value: &AttributeValue) -> Vec<u8> {
        match value {
            AttributeValue::S(text) | AttributeValue::N(text) => text.clone().into_bytes(),
            AttributeValue::B(bytes) => bytes.as_ref().to_vec(),
            other => format!("{other:?}").into_bytes(),
        }
    }
    let secrets = ["Ada.Lovelace@Example.com", "ada.lovelace@example.com", "+49 170 1234567", "+491701234567"];
    for (by, pointer) in [("email", "mail#"), ("mobile", "mob#"), ("none", "")] {
        let app = App::with_catalog(&catalog(by)).await;
        for player in ["ada", "ada's phone"] {
            let body =
                json!({"playerUniqueId": player, "email": secrets[0], "mobile": secrets[2], "events": {"visit": {}}});
            assert_tracked(&app.track_once("a key", body.to_string()).await);
        }
        let mut looked_at = 0;
        for table in tables::of_template().expect("tables").into_iter().map(|table| table.name) {
            for (name, value) in app.items(&table).await.iter().flatten() {
                let (stored, as_text) = (contents(value), String::from_utf8_lossy(&contents(value)).to_lowercase());
                for secret in secrets {
                    let digest = SecretDigest::of(secret);
                    assert!(!as_text.contains(&secret.to_lowercase()), "{by}: {table} has {secret} in {name}");
                    assert!(!as_text.contains(&digest.to_string()), "{by}: {table} has {secret} digested in {name}");
                    let raw = stored.windows(32).any(|bytes| bytes == digest.as_bytes());
                    assert!(!raw, "{by}: {table} has {secret} digested in {name}");
                }
                looked_at += 1;
            }
        }
        assert!(looked_at > 20);
        let members = app.items("Members").await;
        let digests: Vec<_> =
            members.iter().map(|member| text(member, "memberId")).filter(|id| !id.starts_with("player#")).collect();
        let expected = usize::from(by != "none");
        assert_eq!(digests.len(), expected, "{by}");
        assert!(digests.iter().all(|id| id.starts_with(pointer) && id.len() == pointer.len() + 64), "{digests:?}");
    }
}

#[tokio::test]
async fn two_stores_have_two_digests_of_one_address() {
    let mut digests = BTreeSet::new();
    for _ in 0..2 {
        let app = App::with_catalog(&catalog("email")).await;
        app.did_as("ada", ADA, "visit").await;
        let members = app.items("Members").await;
        let address = members.iter().map(|member| text(member, "memberId")).find(|id| id.starts_with("mail#"));
        digests.insert(address.expect("an address").to_owned());
    }
    assert_eq!(digests.len(), 2, "{digests:?}");
}

#[tokio::test]
async fn no_events_merge_a_player_all_the_same() {
    let app = App::with_catalog(&catalog("email")).await;
    for player in ["ada", "ada's phone"] {
        let body = json!({"playerUniqueId": player, "email": ADA.1, "events": {}});
        assert_tracked(&app.track(body.to_string()).await);
    }
    app.did_as("ada's phone", BOB, "visit").await;
    assert_eq!(app.totals("ada").await, (10, 1));
}
