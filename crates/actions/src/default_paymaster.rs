//! Who pays when the caller does not say.

use super::{
    options::{BuildUserOpOptions, Options, merge_options},
    prepare_user_operation::ChainSnapshot,
};
use use_aa_protocol::rpc::ChainInfo;

/// The caller's options over the default: sponsored when the server does that for callers without a key.
pub(super) fn default_paymaster(snapshot: &ChainSnapshot, options: &BuildUserOpOptions) -> BuildUserOpOptions {
    sponsored_where_possible(&snapshot.chain, options)
}

/// [`default_paymaster`] before an account is looked at.
pub(super) fn sponsored_where_possible(chain: &ChainInfo, options: &BuildUserOpOptions) -> BuildUserOpOptions {
    if options.paymaster_service_data.is_none() && chain.sponsors_pages() {
        merge_options([Options::sponsored(), options.clone()])
    } else {
        options.clone()
    }
}
