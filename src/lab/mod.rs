//! The lab: a whole network on loopback (chain node, contracts, bundler, paymaster) from real programs.
