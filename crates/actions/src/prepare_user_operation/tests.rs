#![allow(clippy::unwrap_used, clippy::expect_used)]
use futures::executor::block_on;

use super::{
    super::{
        account::SmartAccountClient,
        fake::{Fake, PAYMASTER, PAYMASTER_GAS, nexus_client},
        options::{Options, merge_options},
        send_transaction::prepare_transaction,
    },
    *,
};
use use_aa_protocol::{call::Call, entry_point::v07};

fn prepared(client: &SmartAccountClient, options: BuildUserOpOptions) -> PreparedUserOperation {
    let calls = [Call { to: Address::repeat_byte(3), ..Call::default() }];
    block_on(prepare_transaction(client, &calls, &merge_options([Options::sponsored(), options]))).unwrap()
}

#[test]
fn a_paymasters_own_limits_are_signed_as_they_were_estimated() {
    let client = nexus_client(&Fake::new());
    let limits = |options| v07::paymaster_gas_limits(&prepared(&client, options).user_operation.paymaster_and_data);
    let estimated = PAYMASTER_GAS.map(U256::from);
    assert_eq!(limits(BuildUserOpOptions::default()), estimated);
    let offset = GasOffset { call_gas_limit_offset_pct: Some(50), ..Default::default() };
    let offset = BuildUserOpOptions { gas_offset: Some(offset), ..Default::default() };
    assert_eq!(prepared(&client, offset.clone()).user_operation.call_gas_limit, U256::from(150));
    assert_eq!(limits(offset), estimated, "with an offset");
    let dummy = v07::paymaster_and_data(PAYMASTER, [1, 1], &[7; 129]);
    let dummy = BuildUserOpOptions { dummy_pnd_override: Some(dummy), ..Default::default() };
    assert_eq!(limits(dummy), estimated, "the bundler's");
}

#[test]
fn an_operation_is_fresh_while_its_paymasters_signature_lasts_on_every_entry_point() {
    let fake = Fake::new();
    let v2 = SmartAccountClient::new(std::rc::Rc::new(fake.clone()), std::rc::Rc::new(fake.clone()));
    for client in [v2, nexus_client(&fake)] {
        let mut prepared = prepared(&client, BuildUserOpOptions::default());
        let entry_point = prepared.user_operation.entry_point;
        assert_eq!(entry_point, client.kind().entry_point());
        assert_eq!(prepared.sponsored_until(), Some(4_000_000_000), "{entry_point}");
        assert_eq!(prepared.as_revocation().valid_until, Some(4_000_000_000), "{entry_point}");
        assert!(prepared.is_fresh(), "{entry_point}");
        // Chain and server are so far ahead.
        prepared.clocks = Clocks { block: 4_000_000_000, pending: 4_000_000_000, wall: 4_000_000_000 };
        assert!(!prepared.is_fresh(), "{entry_point}");
    }
}
