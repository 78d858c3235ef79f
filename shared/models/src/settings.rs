//! Catalog settings that the parsing of requests depends on.

/// The state of a business unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitStatus {
    /// Activities may name the unit, and its offers are evaluated.
    Enabled,
    /// The unit is known, but activities may not name it and its offers are not evaluated.
    Disabled,
}

/// The address by which players are recognised as one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelMerging {
    /// No address: every player is a separate customer.
    None,
    /// `mobile`.
    Mobile,
    /// `email`, compared without case.
    Email,
}

/// Says whether a correction may take away more points than a balance has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativeBalances {
    /// Balances may fall below zero.
    Allowed,
    /// A correction that would make a balance negative is refused.
    Refused,
}
