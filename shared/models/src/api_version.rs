//! The versions of the player events' API, which name members differently.

/// A version of the vendor's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiVersion {
    /// Version 3, and the versions before it, which name players alike.
    V3,
    /// Version 4.
    V4,
}

impl ApiVersion {
    /// The name of the member that identifies the player.
    #[must_use]
    pub fn player_member(self) -> &'static str {
        match self {
            ApiVersion::V3 => "playerUniqueId",
            ApiVersion::V4 => "customerId",
        }
    }
}
