//! The steps that the functions which read a player share: admission, the id in the path and the read.

use punchcard_http::{Call, Error};
use punchcard_models::ids::PlayerId;
use punchcard_store::{PlayerReader, Store};

use crate::{Admission, Failure};

/// Finds the player that a path names.
#[derive(Debug)]
pub struct PlayerLookup {
    admission: Admission,
    players: PlayerReader,
}

impl PlayerLookup {
    /// Loads the callers.
    pub async fn open(store: &Store) -> Self {
        PlayerLookup { admission: Admission::open(store).await, players: PlayerReader::new(store) }
    }

    /// Verifies the `APIKey` header, and returns the player with its points.
    ///
    /// # Errors
    /// The key is not valid, the player is unknown, or the store failed.
    pub async fn find(&self, call: &Call<'_>) -> Result<(PlayerId, i64), Failure> {
        self.admission.api_key(call).await?;

        let not_found = Error::NotFound("Player not found");
        // An invalid id is reported like an unknown one.
        let Ok(id) = call.path_parameter("playerUniqueId").unwrap_or_default().parse::<PlayerId>() else {
            return Err(not_found.into());
        };
        let points = self.players.points(&id).await?.ok_or(not_found)?;
        Ok((id, points))
    }
}
