//! Session leaves and the book that holds them.
/// All leaves of one account.
#[derive(Clone, Debug, Default)]
pub struct SessionBook {}
