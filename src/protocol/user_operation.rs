//! User operations, v0.6.
/// A user operation.
#[derive(Clone, Debug, Default)]
pub struct UserOperation {}
