//! Who pays when the caller does not say.

use super::{
    options::{BuildUserOpOptions, Options, merge_options},
    prepare_user_operation::ChainSnapshot,
};

/// The caller's options over the default: sponsored when the server does that for callers without a key.
pub(super) fn default_paymaster(snapshot: &ChainSnapshot, options: &BuildUserOpOptions) -> BuildUserOpOptions {
    if options.paymaster_service_data.is_none() && snapshot.chain.sponsors_pages() {
        merge_options([Options::sponsored(), options.clone()])
    } else {
        options.clone()
    }
}
