//! What owners sign (EIP-712), by the names that are hashed. `ERC7739Context` says `contentName` here and
//! `contentNames` in the ABI, so it and what holds it are other types; the rest is the ABI's.

pub use super::{ActionData, PolicyData};

alloy::sol! {
    #[derive(Debug, Default, PartialEq, Eq)]
    struct ERC7739Context {
        bytes32 appDomainSeparator;
        string[] contentName;
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct ERC7739Data {
        ERC7739Context[] allowedERC7739Content;
        PolicyData[] erc1271Policies;
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct SignedPermissions {
        bool permitGenericPolicy;
        bool permitAdminAccess;
        bool ignoreSecurityAttestations;
        bool permitERC4337Paymaster;
        PolicyData[] userOpPolicies;
        ERC7739Data erc7739Policies;
        ActionData[] actions;
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct SignedSession {
        address account;
        SignedPermissions permissions;
        address sessionValidator;
        bytes sessionValidatorInitData;
        bytes32 salt;
        address smartSession;
        uint256 nonce;
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct ChainSession {
        uint64 chainId;
        SignedSession session;
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct MultiChainSession {
        ChainSession[] sessionsAndChainIds;
    }
}
