//! `POST /integrations/player`: creates a player, unless it exists.

use punchcard_http::{Call, Reply, Route, route};
use punchcard_models::{fault::Faults, ids, player::Player};
use punchcard_runtime::{Admission, Failure, Handler};
use punchcard_store::{DigestKeyReader, PlayerWriter, RulesReader, Store};
use serde_json::json;

/// Creates players.
#[derive(Debug)]
pub struct SavePlayer {
    admission: Admission,
    rules: RulesReader,
    digest_key: DigestKeyReader,
    players: PlayerWriter,
}

impl Handler for SavePlayer {
    const ROUTE: &'static Route = &route::SAVE_PLAYER;
    const IS_QUARANTINED: bool = true;

    async fn open(store: &Store) -> Self {
        let (admission, rules) = Admission::open_with_rules(store).await;
        let (digest_key, players) = (DigestKeyReader::new(store), PlayerWriter::new(store));
        SavePlayer { admission, rules, digest_key, players }
    }

    async fn respond(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let admitted = self.admission.api_key(call).await?;
        let merging = self.rules.of(admitted.catalog).await?.rules.channel_merging();

        let (faults, version) = (Faults::default(), call.dialect.api_version());
        let player = call.parse(&faults, |body| Player::parse_request(body, version, merging))?;
        let player = faults.none_or(player)?;

        let reply = Reply::ok(&json!({"gameballId": ids::number_of(&player.id)}));
        if call.is_dry_run() {
            return Ok(reply.of_dry_run());
        }
        let address = self.digest_key.digest(merging, player.address.as_deref()).await?;
        self.players.save(&player.id, address.as_ref(), call.now, call.deadline).await?;
        Ok(reply)
    }
}
