//! The wallet's side of the provider: finds wallets, connects, follows their events.

mod away;
#[cfg(feature = "hydrate")]
mod browser;
mod turns;

pub(super) use self::{away::Away, turns::Turns};

#[cfg(feature = "hydrate")]
pub(super) use self::browser::{ask_again, connect, disconnect, start, switch_chain};

/// How the connected wallet is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WalletLink {
    /// As it should be.
    #[default]
    Steady,
    /// The wallet lost its connection and is connecting again by itself: nothing is logged out. It is asked for its accounts
    /// until it answers.
    Away,
    /// It came back and shares no account any more: it was let go.
    Gone,
}

/// On the server nobody can connect.
#[cfg(not(feature = "hydrate"))]
mod server {
    use super::super::context::SmartAccountContext;

    pub fn connect(_: SmartAccountContext, _: String) {}
    pub fn disconnect(_: SmartAccountContext) {}
    pub fn switch_chain(_: SmartAccountContext) {}
    pub fn ask_again(_: SmartAccountContext) {}
}
#[cfg(not(feature = "hydrate"))]
pub(super) use server::{ask_again, connect, disconnect, switch_chain};
