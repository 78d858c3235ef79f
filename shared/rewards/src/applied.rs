//! The part of a stored catalog that is added when it is applied: the offsets of its time zone, and the shares of its total
//! limits.

use std::collections::HashMap;

use punchcard_models::{fault::Noted, json::At};

use crate::{parse::only, shares, zone::Zone};

/// The member of a stored catalog that holds it.
pub(crate) const APPLIED: &str = "applied";

#[derive(Debug, Default)]
pub(crate) struct Applied {
    pub zone: Option<Zone>,
    /// By rule. Rules that have no limit any more are included.
    pub shares: HashMap<String, Vec<u64>>,
}

impl Applied {
    pub fn parse(at: At<'_, '_>) -> Result<Self, Noted> {
        let applied = at.object()?;
        let only = only(&applied, &["timezone", "shares"]);
        let zone = applied.optional("timezone", Zone::parse);
        let shares = applied.optional("shares", shares::parse);
        only?;
        Ok(Applied { zone: zone?, shares: shares?.unwrap_or_default() })
    }
}
