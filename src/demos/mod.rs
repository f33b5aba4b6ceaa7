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
mod parts;
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
    /// The shortest whole component: `examples/hooks/<hook>.rs`, which an app builds.
    pub component: &'static str,
    /// The same job in React with useAA; empty when the hook is ours.
    pub react_component: &'static str,
}

/// Lists the demos. `hook in module::Component { fields }`: the module names the file whose text is shown, so that it
/// is the one that is compiled; `hooks/<hook>.rs` holds the hook, `examples/hooks/<hook>.rs` the shortest component.
macro_rules! demos {
    ($($hook:ident $(as $react:literal)? in $module:ident::$component:ident { $($field:ident: $value:expr),* $(,)? })*) => {
        /// All hooks of the gallery, task by task.
        #[allow(clippy::needless_update)] // some entries say everything
        pub const DEMOS: &[Demo] = &[$(Demo {
            hook: stringify!($hook),
            module: stringify!($module),
            source: include_str!(concat!(stringify!($module), ".rs")),
            hook_source: include_str!(concat!("../hooks/", stringify!($hook), ".rs")),
            component: include_str!(concat!("../../examples/hooks/", stringify!($hook), ".rs")),
            react: concat!($($react)?),
            react_component: react_component!($hook $($react)?),
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

/// The same job in React, for a hook that useAA has.
macro_rules! react_component {
    ($hook:ident $react:literal) => {
        include_str!(concat!("../../examples/hooks/", stringify!($hook), ".js"))
    };
    ($hook:ident) => {
        ""
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
    component: "",
    react_component: "",
};

demos! {
    use_smart_account as "useSmartAccount" in smart_account::SmartAccount {
        task: Task::Account,
        summary: "Address, owner and network of the account, and whether it is on the chain yet.",
    }
    use_deploy_smart_account as "useDeploySmartAccount" in deploy_smart_account::DeploySmartAccount {
        task: Task::Account,
        summary: "Put the account on the chain without doing anything else.",
    }
    use_send_transaction as "useSendTransaction" in send_transaction::SendTransaction {
        task: Task::Send,
        summary: "One or more calls in one operation; the account pays the gas.",
    }
    use_send_sponsored_transaction as "useSendSponsoredTransaction" in send_sponsored_transaction::SendSponsoredTransaction {
        task: Task::Send,
        summary: "The same with the gas paid by the app, through its paymaster.",
    }
    use_send_gas_token_transaction as "useSendGasTokenTransaction" in send_gas_token_transaction::SendGasTokenTransaction {
        task: Task::Send,
        summary: "The same with the gas paid in a token of the account, at a price that is known before.",
    }
    use_send_withdrawals as "useSendWithdrawals" in send_withdrawals::SendWithdrawals {
        task: Task::Send,
        summary: "Take tokens and native currency out of the account, each to its own recipient.",
    }
    use_create_session as "useCreateSession" in create_session::CreateSession {
        task: Task::Sessions,
        summary: "Allow one call, within rules and until a time, after a review in plain words.",
    }
    use_session as "useSession" in session::Session {
        task: Task::Sessions,
        summary: "Do what a session allows. The session key signs; the wallet is not asked.",
        before: Some("use_create_session"),
    }
    use_create_batch_session as "useCreateBatchSession" in create_batch_session::CreateBatchSession {
        task: Task::Sessions,
        summary: "Allow several calls, judged by different modules, with one key and one signature.",
    }
    use_batch_session as "useBatchSession" in batch_session::BatchSession {
        task: Task::Sessions,
        summary: "Several calls in one operation, each within a session of its own.",
        before: Some("use_create_batch_session"),
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
    use_create_session_with_distributed_key as "useCreateSessionWithDistributedKey" in create_session_with_distributed_key::CreateSessionWithDistributedKey {
        task: Task::DistributedSessions,
        summary: "Allow a call with a key that no machine holds: five nodes share it, three must agree.",
    }
    use_session_with_distributed_key as "useSessionWithDistributedKey" in session_with_distributed_key::SessionWithDistributedKey {
        task: Task::DistributedSessions,
        summary: "Do what such a session allows. Each node checks the call before it signs.",
        before: Some("use_create_session_with_distributed_key"),
    }
    use_token_fees as "useTokenFees" in token_fees::TokenFees {
        task: Task::Cost,
        summary: "What a transaction would cost in each token that the paymaster takes.",
    }
    use_gas_estimate as "useGasEstimate" in gas_estimate::GasEstimate {
        task: Task::Cost,
        summary: "What a transaction can cost at most, in wei, before anything is signed.",
    }
    use_user_op_wait as "useUserOpWait" in user_op_wait::UserOpWait {
        task: Task::Follow,
        summary: "Follow an operation from the bundler to the chain, live, by its hash.",
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
            assert!(calls.iter().any(|call| demo.component.contains(call)), "{hook}: its shortest component calls it");
            // As long as granting and waiting is in React.
            assert!(demo.component.lines().count() <= 33, "{hook}: its shortest component is short");
            assert!(demo.react_component.contains(react), "{hook}: the same in React calls {react}");
            let example = format!("include_str!(\"../../examples/hooks/{hook}.rs\")");
            assert!(hook_source.contains(&example), "{hook}: its rustdoc shows the same component");
            assert!(source.lines().count() < 80, "{hook}: its demo is short enough to be read");
            assert!(hook_source.contains(&format!("pub fn {hook}")), "{hook} is in its file");
            assert!(react.is_empty() || hook_source.contains(react), "{hook}: its rustdoc tells the name {react}");
            assert!(demo.before.is_none_or(|before| find(before).is_some()), "{hook}: what comes before is here");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/demos");
        for file in std::fs::read_dir(folder).unwrap() {
            let (path, file) = file.map(|file| (file.path(), file.file_name().into_string().unwrap())).unwrap();
            if path.is_file() && !matches!(file.as_str(), "mod.rs" | "documentation.rs" | "parts.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(DEMOS.iter().any(|demo| demo.source == text), "{file} is shown in the gallery");
            }
        }
    }

    #[test]
    fn granting_and_waiting_takes_no_more_lines_than_in_react() {
        let grant = find("use_create_session").unwrap();
        assert!(grant.component.contains("use_user_op_wait("), "it waits, too");
        assert!(grant.component.lines().count() <= 30, "imports included");
        for Demo { hook, component, react_component, .. } in DEMOS.iter().filter(|demo| demo.hook.contains("_create_"))
        {
            assert!(component.lines().count() <= react_component.lines().count(), "{hook}");
        }
    }

    #[test]
    fn an_app_builds_every_shortest_component() {
        let listed = include_str!("../../examples/hooks/mod.rs");
        for Demo { hook, .. } in DEMOS {
            assert!(listed.contains(&format!("pub mod {hook};")), "{hook}");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/hooks");
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            let hook = file.trim_end_matches(".rs").trim_end_matches(".js");
            assert!(hook == "mod" || find(hook).is_some(), "{file} is shown in the gallery");
        }
    }

    #[test]
    fn no_shortest_component_has_a_button_that_does_nothing_without_an_account() {
        for Demo { hook, component, .. } in DEMOS.iter().filter(|demo| demo.component.contains("<button")) {
            let asks = [
                "owner_address.get().is_none()",
                "smart_account_address.get().is_none()",
                "is_deployed.get() != Some(false)",
            ];
            assert!(component.contains("disabled=blocked>"), "{hook}");
            assert!(asks.iter().any(|ask| component.contains(ask)), "{hook}");
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
