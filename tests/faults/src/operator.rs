//! The operator: sets the system up, and changes things under way.

use std::sync::Arc;

use punchcard::{set_up, tables};
use punchcard_models::{
    access::{Scope, SecretDigest},
    ids::ClientId,
};
use punchcard_rewards::{Rule, equal_shares, yaml};
use punchcard_store::{Admin, Annotation, Tables};
use serde_json::{Value, json};

use crate::{
    ask::SECRET,
    history::{Change, What},
    wire,
    world::World,
};

const CATALOG: &str = include_str!("catalog.yaml");

/// Rules whose total limits have shards, and the number of these.
const SHARDED: [&str; 3] = ["A_LAUNCH", "A_FIRST", "RUSH"];
const SHARDS: usize = 3;

/// A client for the other APIs and an API key that stay, and ones that may be revoked.
pub(crate) const CLIENTS: [&str; 2] = ["client", "doomed-client"];
pub(crate) const API_KEYS: [&str; 2] = ["shop", "doomed-shop"];

pub(crate) struct Operator {
    world: Arc<World>,
    admin: Admin,
    /// The catalog as it was last applied.
    rules: Value,
}

impl Operator {
    /// Makes the tables, the catalog and the clients.
    pub(crate) async fn set_up(world: &Arc<World>) -> Self {
        let mut operator = Self::without_catalog(world).await;
        operator.apply_first().await;
        operator
    }

    /// The same with another catalog, as it is stored.
    pub(crate) async fn set_up_with(world: &Arc<World>, (json, annotation): &(String, Annotation)) -> Self {
        let operator = Self::without_catalog(world).await;
        operator.admin.apply_rules(json, 0, annotation, world.clock(0)).await.expect("applied");
        operator
    }

    async fn without_catalog(world: &Arc<World>) -> Self {
        let store = wire::safe_store(world);
        for table in tables::of_template().expect("tables in the template") {
            Tables::new(&store).create(&table).await.expect("a table");
        }
        let admin = Admin::new(&store);
        let now = world.clock(0);
        set_up::ensure_keys(&admin, now).await.expect("keys");
        for client in CLIENTS {
            let id = client.parse::<ClientId>().expect("an id");
            admin.add_client(&id, SecretDigest::of(SECRET), &Scope::ALL, now).await.expect("a client");
        }
        for key in API_KEYS {
            let (digest, secret) = (SecretDigest::of(key), SecretDigest::of(SECRET));
            admin.add_api_key(key, digest, secret, now).await.expect("an API key");
        }
        let source = yaml::read(CATALOG).expect("a catalog");
        let mut rules: Value = serde_json::from_str(source.to_json()).expect("JSON");
        rules["channelMerging"] = json!(world.plan.merging);
        rules["negativeBalances"] = json!(world.plan.negative_balances);
        if world.plan.many {
            add_many(&mut rules);
        }
        Operator { world: world.clone(), admin, rules }
    }

    /// Changes things now and then.
    pub(crate) async fn run(mut self) {
        for _ in 0..self.world.plan.changes {
            self.world.moment(self.world.plan.pause * 10).await;
            match self.world.chance(|rng| rng.u8(0..8)) {
                0 => self.revoke(CLIENTS[1]).await,
                1 => self.revoke(API_KEYS[1]).await,
                2 => self.change("/businessUnits/B", &[json!("enabled"), json!("disabled")]).await,
                3 => self.change("/rewards", &[json!("enabled"), json!("disabled")]).await,
                4 => self.change("/offers/2/limits/usesPerMember", &[json!(1), json!(2), json!(5)]).await,
                5 => self.change("/offers/5/limits/usesInTotal", &[json!(2), json!(6), json!(12)]).await,
                6 => self.change("/offers/8/limits/pointsPerMember", &[json!(6), json!(30)]).await,
                _ => self.change("/campaigns/1/limits/usesInTotal", &[json!(1), json!(12)]).await,
            }
        }
    }

    async fn change(&mut self, place: &str, values: &[Value]) {
        let value = values[self.world.chance(|rng| rng.usize(0..values.len()))].clone();
        if let Some(rule) = self.rules.pointer_mut(place) {
            *rule = value.clone();
            self.apply(format!("{place} is {value}")).await;
        }
    }

    /// Applies the first catalog. Its limits are small and have shards all the same.
    async fn apply_first(&mut self) {
        let source = yaml::read(&self.rules.to_string()).unwrap_or_else(|problems| panic!("{problems:?}"));
        let limit = |rule: &Rule| Some((rule.id().to_string(), equal_shares(rule.total_limit()?, SHARDS)));
        let sharded = source.catalog().rules().filter(|rule| SHARDED.contains(&&**rule.id()));
        let json = source.to_applied_json(&sharded.filter_map(limit).collect());
        let (begun, now) = (self.world.millis(), self.world.clock(0));
        self.admin.apply_rules(&json, 0, &Annotation::default(), now).await.expect("applied");
        self.changed(begun, What::Rules { change: "the first".to_owned(), json });
    }

    async fn apply(&mut self, change: String) {
        let text = self.rules.to_string();
        let source = yaml::read(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
        let begun = self.world.millis();
        set_up::apply(&self.admin, &source, self.world.clock(0)).await.expect("applied");
        let json = self.admin.rules_json().await.expect("the rules").expect("rules");
        self.changed(begun, What::Rules { change, json });
    }

    async fn revoke(&self, name: &'static str) {
        let begun = self.world.millis();
        self.admin.revoke(name, self.world.clock(0)).await.expect("a known name");
        self.changed(begun, What::Revoked(name));
    }

    fn changed(&self, begun: u64, what: What) {
        let change = Change { begun, done: self.world.millis(), what };
        self.world.history().changes.push(change);
    }
}

/// More limits than an update of a member can name: such a member is written whole.
fn add_many(rules: &mut Value) {
    rules["actions"] = json!(["MANY"]);
    rules["businessUnits"]["M"] = json!("enabled");
    for number in 0..45 {
        let limit = if number % 2 == 0 { "usesPerMember" } else { "pointsPerMember" };
        let offer = json!({
            "id": format!("M_{number:02}"), "unit": "M", "kind": "bonus", "actions": ["MANY"], "reward": {"flat": 2},
            "limits": {limit: 3 + number % 5},
        });
        rules["offers"].as_array_mut().expect("offers").push(offer);
    }
}
