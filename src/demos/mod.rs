//! One file per hook: a whole component, ready to copy. The pages show these very files at work, and the gallery
//! shows their text beside them.

use leptos::prelude::*;

pub mod batch_session;
pub mod create_batch_session;
pub mod create_session;
pub mod create_session_with_distributed_key;
pub mod deploy_smart_account;
pub mod documentation;
pub mod gas_estimate;
pub mod revoke_sessions;
pub mod send_gas_token_transaction;
pub mod send_sponsored_transaction;
pub mod send_transaction;
pub mod send_withdrawals;
pub mod session;
pub mod session_with_distributed_key;
pub mod sessions;
pub mod smart_account;
pub mod token_fees;
pub mod user_op_wait;

/// What a person wants to do; the gallery's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Know the account, put it on the chain.
    Account,
    /// Send with the owner's signature.
    Send,
    /// Allow, and use what is allowed.
    Sessions,
    /// The same with a key that no machine holds alone.
    DistributedSessions,
    /// Know the cost before.
    Cost,
    /// Know how an operation goes.
    Follow,
}

impl Task {
    /// In the order of the gallery.
    pub const ALL: [Self; 6] =
        [Self::Account, Self::Send, Self::Sessions, Self::DistributedSessions, Self::Cost, Self::Follow];

    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Account => "The account",
            Self::Send => "Send with the owner's signature",
            Self::Sessions => "Grant and use sessions",
            Self::DistributedSessions => "Sessions with a distributed key",
            Self::Cost => "Know the cost first",
            Self::Follow => "Follow an operation",
        }
    }
}

/// A hook in the gallery. Only the server holds these texts; the page's chunk has [`live`].
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    /// Name of the hook, and of its page.
    pub hook: &'static str,
    /// Where it belongs.
    pub task: Task,
    /// One line.
    pub summary: &'static str,
    /// What it is called in useAA; empty when it is ours.
    pub react: &'static str,
    /// The demo's module.
    pub module: &'static str,
    /// The demo's file, as it is compiled.
    pub source: &'static str,
    /// The file of the hook, whose documentation and types are shown.
    pub hook_source: &'static str,
    /// The hook that makes what this one needs.
    pub before: Option<&'static str>,
    /// The same few lines with useAA and here; shown side by side.
    pub compare: Option<(&'static str, &'static str)>,
}

/// Lists the demos. `hook in module::Component { fields }`: the module names the file whose text is shown, so that it
/// is the one that is compiled, and `hooks/<hook>.rs` holds the hook.
macro_rules! demos {
    ($($hook:ident in $module:ident::$component:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        /// All hooks of the gallery, task by task.
        #[allow(clippy::needless_update)] // some entries say everything
        pub const DEMOS: &[Demo] = &[$(Demo {
            hook: stringify!($hook),
            module: stringify!($module),
            source: include_str!(concat!(stringify!($module), ".rs")),
            hook_source: include_str!(concat!("../hooks/", stringify!($hook), ".rs")),
            $($field: $value,)*
            ..BLANK
        }),*];

        /// The demo of a hook at work.
        pub fn live(hook: &str) -> Option<AnyView> {
            match hook {
                $(stringify!($hook) => Some($module::$component().into_any()),)*
                _ => None,
            }
        }
    };
}

/// The same few lines with useAA and here: two files, so that they are read, and coloured, as what they are.
macro_rules! compare {
    ($module:literal) => {
        Some((
            include_str!(concat!("../pages/hooks/compare/", $module, ".js")),
            include_str!(concat!("../pages/hooks/compare/", $module, ".rs")),
        ))
    };
}

const BLANK: Demo = Demo {
    hook: "",
    task: Task::Account,
    summary: "",
    react: "",
    module: "",
    source: "",
    hook_source: "",
    before: None,
    compare: None,
};

demos! {
    use_smart_account in smart_account::SmartAccount {
        task: Task::Account,
        summary: "Address, owner and network of the account, and whether it is on the chain yet.",
        react: "useSmartAccount",
        compare: compare!("smart_account"),
    }
    use_deploy_smart_account in deploy_smart_account::DeploySmartAccount {
        task: Task::Account,
        summary: "Put the account on the chain without doing anything else.",
        react: "useDeploySmartAccount",
        compare: compare!("deploy_smart_account"),
    }
    use_send_transaction in send_transaction::SendTransaction {
        task: Task::Send,
        summary: "One or more calls in one operation; the account pays the gas.",
        react: "useSendTransaction",
        compare: compare!("send_transaction"),
    }
    use_send_sponsored_transaction in send_sponsored_transaction::SendSponsoredTransaction {
        task: Task::Send,
        summary: "The same with the gas paid by the app, through its paymaster.",
        react: "useSendSponsoredTransaction",
        compare: compare!("send_sponsored_transaction"),
    }
    use_send_gas_token_transaction in send_gas_token_transaction::SendGasTokenTransaction {
        task: Task::Send,
        summary: "The same with the gas paid in a token of the account, at a price that is known before.",
        react: "useSendGasTokenTransaction",
        compare: compare!("send_gas_token_transaction"),
    }
    use_send_withdrawals in send_withdrawals::SendWithdrawals {
        task: Task::Send,
        summary: "Take tokens and native currency out of the account, each to its own recipient.",
        react: "useSendWithdrawals",
        compare: compare!("send_withdrawals"),
    }
    use_create_session in create_session::CreateSession {
        task: Task::Sessions,
        summary: "Allow one call, within rules and until a time, after a review in plain words.",
        react: "useCreateSession",
        compare: compare!("create_session"),
    }
    use_session in session::Session {
        task: Task::Sessions,
        summary: "Do what a session allows. The session key signs; the wallet is not asked.",
        react: "useSession",
        before: Some("use_create_session"),
        compare: compare!("session"),
    }
    use_create_batch_session in create_batch_session::CreateBatchSession {
        task: Task::Sessions,
        summary: "Allow several calls, judged by different modules, with one key and one signature.",
        react: "useCreateBatchSession",
        compare: compare!("create_batch_session"),
    }
    use_batch_session in batch_session::BatchSession {
        task: Task::Sessions,
        summary: "Several calls in one operation, each within a session of its own.",
        react: "useBatchSession",
        before: Some("use_create_batch_session"),
        compare: compare!("batch_session"),
    }
    use_sessions in sessions::Sessions {
        task: Task::Sessions,
        summary: "Everything that was granted: status by the chain, uses, filter and search, ten thousand fluently.",
        before: Some("use_create_session"),
    }
    use_revoke_sessions in revoke_sessions::RevokeSessions {
        task: Task::Sessions,
        summary: "Take sessions back, one, several or all, and have the chain prove that they are gone.",
        before: Some("use_create_session"),
    }
    use_create_session_with_distributed_key in create_session_with_distributed_key::CreateSessionWithDistributedKey {
        task: Task::DistributedSessions,
        summary: "Allow a call with a key that no machine holds: five nodes share it, three must agree.",
        react: "useCreateSessionWithDistributedKey",
        compare: compare!("create_session_with_distributed_key"),
    }
    use_session_with_distributed_key in session_with_distributed_key::SessionWithDistributedKey {
        task: Task::DistributedSessions,
        summary: "Do what such a session allows. Each node checks the call before it signs.",
        react: "useSessionWithDistributedKey",
        before: Some("use_create_session_with_distributed_key"),
        compare: compare!("session_with_distributed_key"),
    }
    use_token_fees in token_fees::TokenFees {
        task: Task::Cost,
        summary: "What a transaction would cost in each token that the paymaster takes.",
        react: "useTokenFees",
        compare: compare!("token_fees"),
    }
    use_gas_estimate in gas_estimate::GasEstimate {
        task: Task::Cost,
        summary: "What a transaction can cost at most, in wei, before anything is signed.",
        react: "useGasEstimate",
        compare: compare!("gas_estimate"),
    }
    use_user_op_wait in user_op_wait::UserOpWait {
        task: Task::Follow,
        summary: "Follow an operation from the bundler to the chain, live, by its hash.",
        react: "useUserOpWait",
        compare: compare!("user_op_wait"),
    }
}

/// The demo of a hook.
pub fn find(hook: &str) -> Option<&'static Demo> {
    DEMOS.iter().find(|demo| demo.hook == hook)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn every_entry_is_whole_and_every_file_belongs_to_one() {
        for demo in DEMOS {
            let Demo { hook, summary, source, hook_source, react, .. } = demo;
            assert_eq!(DEMOS.iter().filter(|other| other.hook == *hook).count(), 1, "{hook} is listed once");
            assert!(summary.ends_with('.') && summary.len() < 120, "{hook}: one sentence");
            let calls = [format!("{hook}("), format!("{hook}_with(")];
            assert!(calls.iter().any(|call| source.contains(call)), "{hook}: its demo calls it");
            assert!(source.contains("#[component]"), "{hook}: a component");
            assert!(hook_source.contains(&format!("pub fn {hook}")), "{hook} is in its file");
            assert!(react.is_empty() || hook_source.contains(react), "{hook}: its rustdoc tells the name {react}");
            assert!(demo.before.is_none_or(|before| find(before).is_some()), "{hook}: what comes before is here");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/demos");
        for file in std::fs::read_dir(folder).unwrap() {
            let (path, file) = file.map(|file| (file.path(), file.file_name().into_string().unwrap())).unwrap();
            if !matches!(file.as_str(), "mod.rs" | "documentation.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(DEMOS.iter().any(|demo| demo.source == text), "{file} is shown in the gallery");
            }
        }
    }

    #[test]
    fn tasks_stand_together() {
        let order = |demo: &Demo| Task::ALL.iter().position(|task| *task == demo.task).unwrap();
        assert!(DEMOS.is_sorted_by_key(order), "previous and next lead through the tasks in their order");
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn every_demo_renders() {
        for demo in DEMOS {
            let html = Owner::new().with(|| live(demo.hook).map(|view| view.to_html()));
            assert!(html.is_some_and(|html| html.contains("<")), "{} renders", demo.hook);
        }
        assert!(live("use_nothing").is_none());
    }
}
