// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice The part of ERC-5267 that an account answers: the values of its EIP-712 domain.
interface IEip712Domain {
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory);
}

/// @notice Hashes nested into the account's own EIP-712 domain (ERC-7739), so that a signature for one account of an owner
/// is none for another.
library NestedTypedData {
    struct Domain {
        bytes32 name;
        bytes32 version;
        uint256 chainId;
        address account;
        bytes32 salt;
    }

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant PERSONAL_TYPE = keccak256("PersonalSign(bytes prefixed)");
    bytes private constant FIELDS =
        " contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)";
    uint256 private constant SIGNATURE = 65;
    /// @dev signature | domain separator | contents hash, before the description; two bytes of its length come after.
    uint256 private constant HEAD = 129;

    /// @notice The domain of `account`; none when it does not tell.
    function domainOf(address account) internal view returns (bool known, Domain memory domain) {
        if (account.code.length == 0) return (false, domain);
        try IEip712Domain(account).eip712Domain() returns (
            bytes1, string memory name, string memory version, uint256 chainId, address owner, bytes32 salt, uint256[] memory
        ) {
            return (true, Domain(keccak256(bytes(name)), keccak256(bytes(version)), chainId, owner, salt));
        } catch {
            return (false, domain);
        }
    }

    /// @notice What is signed for a personal message with this hash.
    function personalHash(Domain memory domain, bytes32 hash) internal pure returns (bytes32) {
        bytes32 separator =
            keccak256(abi.encode(DOMAIN_TYPE, domain.name, domain.version, domain.chainId, domain.account));
        return keccak256(abi.encodePacked(hex"1901", separator, keccak256(abi.encode(PERSONAL_TYPE, hash))));
    }

    /// @notice What is signed for typed data with this hash, and the 65 bytes that sign it, out of
    /// signature(65) | domain separator(32) | contents hash(32) | description | its length(2).
    function typedHash(Domain memory domain, bytes32 hash, bytes calldata wrapped)
        internal
        pure
        returns (bool wellFormed, bytes32 nested, bytes calldata signature)
    {
        signature = wrapped[0:0];
        if (wrapped.length < HEAD + 2) return (false, 0, signature);
        uint256 length = uint16(bytes2(wrapped[wrapped.length - 2:]));
        if (wrapped.length != HEAD + length + 2) return (false, 0, signature);
        bytes calldata head = wrapped[SIGNATURE:HEAD];
        if (hash != keccak256(abi.encodePacked(hex"1901", head))) return (false, 0, signature);
        bytes calldata description = wrapped[HEAD:HEAD + length];
        bytes calldata name = _upToParenthesis(description);
        if (name.length == 0 || name.length == length) return (false, 0, signature);
        bytes32 nestedType = keccak256(abi.encodePacked("TypedDataSign(", name, FIELDS, description));
        bytes32 contents = bytes32(head[32:]);
        bytes32 struct_ = keccak256(
            abi.encode(
                nestedType, contents, domain.name, domain.version, domain.chainId, domain.account, domain.salt
            )
        );
        nested = keccak256(abi.encodePacked(hex"1901", bytes32(head[:32]), struct_));
        return (true, nested, wrapped[:SIGNATURE]);
    }

    function _upToParenthesis(bytes calldata description) private pure returns (bytes calldata) {
        uint256 end = 0;
        while (end < description.length && description[end] != "(") ++end;
        return description[:end];
    }
}
