//! What a grant allows, in lines that the owner reads in the wallet: since they are part of what is signed, each node
//! makes them again from the leaves, in the version of the grant.

use super::GrantedLeaf;
use crate::{ProtocolError, describe::PolicyDescription, session_data::AbiSessionData};

mod version_1;

/// The lines of this version for these leaves.
///
/// # Errors
/// When the data of a leaf is not that of the ABI session validation module, or nobody knows the version.
pub fn permissions(version: u32, leaves: &[GrantedLeaf]) -> Result<Vec<String>, ProtocolError> {
    match version {
        1 => leaves.iter().map(version_1::sentence).collect(),
        2 | 3 => lines(version, leaves),
        other => Err(ProtocolError::invalid("version", "1 to 3", other)),
    }
}

fn lines(version: u32, leaves: &[GrantedLeaf]) -> Result<Vec<String>, ProtocolError> {
    let mut lines = Vec::new();
    for (index, leaf) in leaves.iter().enumerate() {
        AbiSessionData::decode(&leaf.session_key_data)?;
        lines.extend(PolicyDescription::of_leaf(&leaf.to_session()).signed_lines(index + 1, version));
    }
    Ok(lines)
}
