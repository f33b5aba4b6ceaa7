//! Hooks: what a component calls. They wire signals to [`crate::actions`] and never compute.
//!
//! State fields are signals, the rest are callbacks; every returned struct is `Copy`. Futures of wallets are not
//! `Send`, so all work runs on the page's own thread.

#[cfg(feature = "hydrate")]
mod account;
mod answers;
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
mod built_ahead;
#[cfg(feature = "hydrate")]
mod chunk;
mod connection;
mod context;
#[cfg(feature = "hydrate")]
mod distributed;
mod effects;
mod ended_operations;
mod gateway;
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
mod key_requests;
mod mutation;
mod nexus_distributed;
mod nexus_gateway;
mod operations;
mod provider;
mod query;
mod query_status;
mod rest;
mod retry;
mod returning;
mod reviewed_grant;
mod use_account_kind;
mod use_address_book;
mod use_batch_session;
mod use_create_batch_session;
mod use_create_session;
mod use_create_session_with_distributed_key;
mod use_deploy_smart_account;
mod use_fee_funds;
mod use_forget_device;
mod use_gas_estimate;
mod use_grant_findings;
mod use_key_network;
mod use_nexus_address;
mod use_operation;
mod use_read_contract;
mod use_restore_sessions;
mod use_resumed_operation;
mod use_reviewed_grant;
mod use_revocation_proof;
mod use_revoke_at_nodes;
mod use_revoke_sessions;
mod use_send_gas_token_transaction;
mod use_send_sponsored_transaction;
mod use_send_transaction;
mod use_send_withdrawals;
mod use_session;
mod use_session_action;
mod use_session_list;
mod use_session_transfer;
mod use_session_with_distributed_key;
mod use_sessions;
mod use_smart_account;
mod use_token_fees;
mod use_user_op_wait;
mod use_wallets;
mod user_op_status;
mod variables;
mod verbs;

pub use answers::ImportedSessions;
pub use connection::WalletLink;
pub use context::SmartAccountConfig;
pub(crate) use effects::effect;
pub use mutation::{MutateOptions, MutationOptions, MutationStatus, Progress, UseMutationReturn, use_mutation};
pub use provider::{
    BiconomyProvider, BiconomyProviderProps, SmartAccountProvider, SmartAccountProviderProps, provide_smart_account,
    provide_smart_account_on_demand,
};
pub use query::{QueryKey, QueryOptions, QueryScope, UseQueryReturn, invalidate_queries, use_query};
pub use query_status::{FetchStatus, QueryStatus};
pub(crate) use returning::has_stored_sessions;
pub use returning::is_returning_visitor;
pub use reviewed_grant::{GrantDecision, GrantRequest, KeyHolder};
pub use use_account_kind::{UseAccountKindReturn, use_account_kind};
pub use use_address_book::{UseAddressBookReturn, use_address_book};
pub use use_batch_session::{use_batch_session, use_batch_session_with};
pub use use_create_batch_session::{use_create_batch_session, use_create_batch_session_with};
pub use use_create_session::{use_create_session, use_create_session_with};
pub use use_create_session_with_distributed_key::{
    use_create_session_with_distributed_key, use_create_session_with_distributed_key_with,
};
pub use use_deploy_smart_account::{use_deploy_smart_account, use_deploy_smart_account_with};
pub use use_fee_funds::use_fee_funds;
pub use use_forget_device::{UseForgetDeviceReturn, use_forget_device, use_forget_device_with};
pub use use_gas_estimate::{use_gas_estimate, use_gas_estimate_with};
pub(crate) use use_grant_findings::{GrantFindings, use_grant_findings};
pub use use_key_network::{KeyNetwork, use_key_network, use_key_network_with};
pub(crate) use use_nexus_address::use_nexus_address;
pub use use_read_contract::{UseReadContractReturn, use_read_contract};
pub use use_restore_sessions::{use_restore_sessions, use_restore_sessions_with};
pub use use_resumed_operation::use_resumed_operation;
pub use use_reviewed_grant::{UseReviewedGrantReturn, use_reviewed_grant};
pub use use_revocation_proof::{use_revocation_proof, use_revocation_proof_with};
pub use use_revoke_at_nodes::{use_revoke_at_nodes, use_revoke_at_nodes_with};
pub use use_revoke_sessions::{use_revoke_sessions, use_revoke_sessions_with};
pub use use_send_gas_token_transaction::{use_send_gas_token_transaction, use_send_gas_token_transaction_with};
pub use use_send_sponsored_transaction::{use_send_sponsored_transaction, use_send_sponsored_transaction_with};
pub use use_send_transaction::{use_send_transaction, use_send_transaction_with};
pub use use_send_withdrawals::{use_send_withdrawals, use_send_withdrawals_with};
pub use use_session::{use_session, use_session_with};
pub use use_session_action::{UseSessionActionReturn, use_session_action};
pub use use_session_list::{UseSessionListReturn, use_session_list};
pub use use_session_transfer::{
    ExportSessionsVariables, ImportSessionsVariables, Passphrase, UseSessionTransferReturn, use_session_transfer,
};
pub use use_session_with_distributed_key::{use_session_with_distributed_key, use_session_with_distributed_key_with};
pub use use_sessions::{UseSessionsOptions, UseSessionsReturn, use_sessions, use_sessions_with};
pub use use_smart_account::{UseSmartAccountReturn, use_smart_account};
pub use use_token_fees::{use_token_fees, use_token_fees_with};
pub use use_user_op_wait::{UseUserOpWaitReturn, UserOpWaitOptions, use_user_op_wait, use_user_op_wait_with};
pub use use_wallets::{UseWalletsReturn, use_wallets};
pub use user_op_status::UserOpStatus;

pub use variables::{CostArguments, RevokeAtNodesVariables, UseBatchSessionVariables, UseSessionVariables};

pub use crate::{
    actions::{
        create_batch_session::CreateBatchSessionVariables,
        create_session::CreateSessionVariables,
        deploy::DeploySmartAccountVariables,
        enable_mode::EnableMode,
        fee_funds::{FeeAllowance, FeeFunds, NativeFunds},
        options::{BuildUserOpOptions, Options, merge_options},
        prove_revocation::RevocationProof,
        restore_sessions::RestoreSessionsVariables,
        reviewed_sessions::ReviewedSessions,
        revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke},
        scheme_sessions::{LimitLeft, ListedNote, MOST_ENDED_AT_ONCE},
        send_gas_token_transaction::{SendGasTokenTransactionVariables, TokenParam},
        send_transaction::SendTransactionVariables,
        send_withdrawals::{SendWithdrawalsVariables, WithdrawalRequest},
    },
    client::{
        address_book::{AddressBook, AddressStanding, KnownAddress},
        operation_log::OperationKind,
        session_store::transfer::SHORTEST_PASSPHRASE,
        time::now_seconds,
        wallet::info::{LAB_WALLET, WalletInfo},
    },
    protocol::{
        kind::AccountKind,
        user_op_response::{CreatedSession, UserOpResponse},
    },
};
