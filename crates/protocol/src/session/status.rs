//! Where a session stands (docs/protocol.md 3.16).

/// Where a session stands. `@biconomy/use-aa` only ever writes `PENDING` and `REVOKED`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SessionStatus {
    /// Written before its operation was sent; not known to be on chain.
    #[default]
    Pending,
    /// Its leaf is in the tree on chain.
    Active,
    /// In the tree, but its window has not begun.
    Inactive,
    /// In the tree, but its window is over.
    Expired,
    /// No longer in the tree.
    Revoked,
}

impl SessionStatus {
    /// The name on the wire.
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
        }
    }

    /// The status with this name on the wire.
    pub fn from_wire_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Active, Self::Inactive, Self::Expired, Self::Revoked]
            .into_iter()
            .find(|status| status.wire_name() == name)
    }

    /// Does a leaf with this status belong to the tree on chain?
    pub fn in_tree(self) -> bool {
        !matches!(self, Self::Pending | Self::Revoked)
    }
}
