// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Sets of words that can be listed.
library Sets {
    struct Set {
        bytes32[] items;
        /// @dev Index in `items` plus one; zero is none.
        mapping(bytes32 item => uint256) places;
    }

    function add(Set storage set, bytes32 item) internal {
        if (set.places[item] != 0) return;
        set.items.push(item);
        set.places[item] = set.items.length;
    }

    /// @return whether it was there.
    function remove(Set storage set, bytes32 item) internal returns (bool) {
        uint256 place = set.places[item];
        if (place == 0) return false;
        bytes32 last = set.items[set.items.length - 1];
        set.items[place - 1] = last;
        set.places[last] = place;
        set.items.pop();
        delete set.places[item];
        return true;
    }

    function clear(Set storage set) internal {
        for (uint256 count = set.items.length; count != 0; --count) {
            delete set.places[set.items[count - 1]];
            set.items.pop();
        }
    }

    function contains(Set storage set, bytes32 item) internal view returns (bool) {
        return set.places[item] != 0;
    }

    function length(Set storage set) internal view returns (uint256) {
        return set.items.length;
    }

    function add(Set storage set, address item) internal {
        add(set, word(item));
    }

    function remove(Set storage set, address item) internal returns (bool) {
        return remove(set, word(item));
    }

    function contains(Set storage set, address item) internal view returns (bool) {
        return contains(set, word(item));
    }

    function at(Set storage set, uint256 index) internal view returns (address) {
        return address(uint160(uint256(set.items[index])));
    }

    function addresses(Set storage set) internal view returns (address[] memory list) {
        list = new address[](set.items.length);
        for (uint256 i = 0; i < list.length; ++i) list[i] = at(set, i);
    }

    function word(address item) private pure returns (bytes32) {
        return bytes32(uint256(uint160(item)));
    }
}
