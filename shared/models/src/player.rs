//! Players, as the requests of the player events' API name them.

use crate::{
    api_version::ApiVersion,
    fault::Noted,
    ids::{self, PlayerId},
    json::{At, MAX_TEXT, Members, Value},
    settings::ChannelMerging,
};

/// The members of a request that identify or describe a person.
pub(crate) const PERSONAL_MEMBERS: [&str; 7] =
    ["playerUniqueId", "playerId", "customerId", "mobile", "email", "playerAttributes", "customerAttributes"];

/// A player, and the address by which it is recognised as a known customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    /// The player's id.
    pub id: PlayerId,
    /// The address by which players are merged, normalised for comparison. `None` if they are not merged.
    pub address: Option<String>,
}

impl Player {
    /// Parses the request to create a player. Attributes are personal data that nothing needs, so they are ignored.
    ///
    /// # Errors
    /// The faults of the request.
    pub fn parse_request(body: At<'_, '_>, version: ApiVersion, merging: ChannelMerging) -> Result<Self, Noted> {
        Player::parse(&body.object()?, version, merging)
    }

    /// Parses the members of a request that identify the player.
    pub(crate) fn parse(
        request: &Members<'_, '_>,
        version: ApiVersion,
        merging: ChannelMerging,
    ) -> Result<Self, Noted> {
        let id = request.required(id_member(request, version), ids::parse_member);
        let address = |name: &str, merged_by: ChannelMerging| {
            let text = |at: At<'_, '_>| {
                let text = at.string_up_to(MAX_TEXT)?;
                if merging == merged_by && text.trim().is_empty() {
                    return Err(at.invalid("must not be blank"));
                }
                Ok(text.trim().to_owned())
            };
            if merging == merged_by { request.required(name, text).map(Some) } else { request.optional(name, text) }
        };
        let mobile = address("mobile", ChannelMerging::Mobile);
        let email = address("email", ChannelMerging::Email);
        let (mobile, email) = (mobile?, email?);
        Ok(Player {
            id: id?,
            address: match merging {
                ChannelMerging::None => None,
                ChannelMerging::Mobile => mobile,
                ChannelMerging::Email => email.map(|email| email.to_lowercase()),
            },
        })
    }
}

/// Returns the name of the member that identifies the player. Segment's connector sends `playerId` in version 3.
fn id_member(request: &Members<'_, '_>, version: ApiVersion) -> &'static str {
    let name = version.player_member();
    let has = |name: &str| request.with(name, |member| member.is_some_and(|at| *at.value != Value::Null));
    if version == ApiVersion::V3 && !has(name) && has("playerId") { "playerId" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fault::Faults, json};

    fn parse(body: &str, version: ApiVersion) -> Result<Player, String> {
        let faults = Faults::default();
        let parsed =
            json::parse(body.as_bytes(), &faults, |body| Player::parse_request(body, version, ChannelMerging::Email));
        faults.none_or(parsed).map_err(|faults| faults.to_string())
    }

    #[test]
    fn each_version_has_a_name_of_its_own_for_the_player() {
        let names = ["playerUniqueId", "playerId", "customerId"];
        for (version, accepted) in [(ApiVersion::V3, [true, true, false]), (ApiVersion::V4, [false, false, true])] {
            for (name, accepted) in names.into_iter().zip(accepted) {
                let body = format!(r#"{{"{name}":"p","email":" A@b.example "}}"#);
                let player = parse(&body, version);
                assert_eq!(player.is_ok(), accepted, "{version:?} {name}");
                if let Ok(player) = player {
                    assert_eq!((&*player.id, player.address.as_deref()), ("p", Some("a@b.example")));
                }
            }
        }
        assert_eq!(parse("{}", ApiVersion::V4), Err("customerId is required; email is required".to_owned()));
    }
}
