//! What a function means for who calls it, and which of its arguments say so.

/// A way into the arguments: places of members, [`EACH`] for every element of an array.
pub type ArgumentPath = &'static [u8];

/// Every element of an array.
pub const EACH: u8 = u8::MAX;

/// One thing that a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Something leaves. No receiver: it is burnt, or the caller has no choice.
    Leaves(Option<ArgumentPath>, Amount),
    /// Somebody may come and take it.
    Lends(ArgumentPath, Amount),
    /// Something leaves, and something else comes to the receiver.
    Swaps(ArgumentPath, Amount),
    /// Something comes to the receiver that is not known to be the caller's.
    Gives(ArgumentPath),
    /// Somebody else decides about the contract; nobody where no argument says who.
    Controls(Option<ArgumentPath>),
    /// Another call stands in these arguments.
    Calls(&'static [ArgumentPath]),
}

impl Effect {
    /// The argument that says who has the benefit.
    pub fn receiver(&self) -> Option<ArgumentPath> {
        match self {
            Self::Leaves(receiver, _) | Self::Controls(receiver) => *receiver,
            Self::Lends(receiver, _) | Self::Swaps(receiver, _) | Self::Gives(receiver) => Some(receiver),
            Self::Calls(_) => None,
        }
    }

    /// The arguments that say how much.
    pub fn amount(&self) -> Option<Amount> {
        match self {
            Self::Leaves(_, amount) | Self::Lends(_, amount) | Self::Swaps(_, amount) => Some(*amount),
            Self::Gives(_) | Self::Controls(_) | Self::Calls(_) => None,
        }
    }
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Everything.
    All,
    /// Everything when this argument is true, else nothing.
    AllIf(ArgumentPath),
    /// So many of the smallest unit of the called contract.
    Units(ArgumentPath),
    /// So many of a unit of something else.
    Sum(ArgumentPath),
    /// The item with this number.
    Item(ArgumentPath),
    /// The item with this number, and how many of it.
    Items(ArgumentPath, ArgumentPath),
    /// Units (ERC-20) or the number of an item (ERC-721), as the contract decides.
    Either(ArgumentPath),
}

/// A function of a published contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFunction {
    /// First four bytes of the signature's Keccak-256.
    pub selector: [u8; 4],
    /// Name, types and names of the arguments, as its ABI has them: `transfer(address to,uint256 value)`.
    pub declaration: &'static str,
    /// What it does; nothing that is known of where this is empty.
    pub effects: &'static [Effect],
}

impl PublishedFunction {
    /// The name without its arguments.
    pub fn name(&self) -> &'static str {
        self.declaration.split('(').next().unwrap_or(self.declaration)
    }
}
