//! What a function is called.

use super::{ArgumentPlace, Constraint};
use crate::{
    foreign_text::{self, LONGEST_NAME},
    known_functions::{KnownFunction, PublishedFunction, known_function, published_function},
    policy::{FunctionSelector, SessionPolicy},
};

/// The function that a session may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedFunction {
    /// The four bytes that begin the call data.
    pub selector: [u8; 4],
    /// The function that is known by this selector, of those that wallets sign by name.
    pub known: Option<&'static KnownFunction>,
    /// The function of a published contract with this selector, for lists and reviews.
    pub published: Option<&'static PublishedFunction>,
    /// Name of an unknown function as the app gives it: it has this selector, and others have it, too.
    pub claimed: Option<String>,
}

impl DescribedFunction {
    pub(super) fn of(selector: [u8; 4]) -> Self {
        let (known, published) = (known_function(selector), published_function(selector));
        Self { selector, known, published, claimed: None }
    }

    /// Takes the app's names for a function that is not known here, and for its arguments.
    pub(super) fn claim(&mut self, named: &FunctionSelector, arguments: &mut [Constraint]) {
        if self.known.is_some() || self.published.is_some() {
            return;
        }
        self.claimed = name_of(named);
        let names = named.argument_names();
        for argument in arguments {
            let name = names.iter().find(|(offset, _)| *offset == u32::from(argument.offset));
            if let Some(name) = name.and_then(|(_, name)| foreign_text::name(name)) {
                argument.place = ArgumentPlace::Claimed(name);
            }
        }
    }

    /// Its name; the selector when it has none.
    pub fn name(&self) -> String {
        let known = self.known.map(|known| known.name()).or(self.published.map(|published| published.name()));
        known.map(str::to_owned).or_else(|| self.claimed.clone()).unwrap_or_else(|| selector_words(self.selector))
    }
}

/// `function 0x40d097c3`.
pub(super) fn selector_words(selector: [u8; 4]) -> String {
    ["function 0x", &hex::encode(selector)].concat()
}

fn name_of(named: &FunctionSelector) -> Option<String> {
    let signature = named.canonical()?;
    // The app's word: of any length.
    signature.split('(').next().and_then(foreign_text::name)
}

/// The function's name, or its selector when the name is not known.
pub fn function_name(named: &FunctionSelector) -> String {
    if let Some(published) = named.selector().ok().and_then(published_function) {
        return published.name().to_owned();
    }
    match (name_of(named), named) {
        (Some(name), _) => name,
        (None, FunctionSelector::Raw(selector)) => selector_words(*selector),
        (None, FunctionSelector::Signature(text)) => {
            ["function ", &foreign_text::isolated(&foreign_text::cleaned(text, LONGEST_NAME))].concat()
        }
    }
}

/// The name of a permission in a list of several.
pub fn policy_name(policy: &SessionPolicy) -> String {
    match policy {
        SessionPolicy::Abi(policy) => function_name(&policy.function_selector),
        SessionPolicy::Erc20(_) => "token transfer".to_owned(),
    }
}
