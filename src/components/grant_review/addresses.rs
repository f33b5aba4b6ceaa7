//! The addresses of one permission, each whole and with what is known of it.

use alloy::primitives::Address;
use leptos::prelude::*;

use crate::{
    components::{address_check::AddressCheck, live_text::live},
    protocol::{describe::PolicyDescription, policy::SessionPolicy},
};

/// A row for each address that the policy names but the account itself, which the words call by its role. What a person
/// may change in the review changes none of them.
pub fn address_rows(requested: &SessionPolicy, account: Address) -> Vec<AnyView> {
    let named = match PolicyDescription::of_policy(requested) {
        Ok(described) => described.addresses(),
        Err(_) => vec![("contract".to_owned(), requested.contract())],
    };
    let others = named.into_iter().filter(|(_, address)| *address != account);
    others
        .map(|(role, address)| {
            view! {
                <div>
                    <dt class="role">{live(role)}</dt>
                    <dd>
                        <AddressCheck address />
                    </dd>
                </div>
            }
            .into_any()
        })
        .collect()
}
