//! Sessions read by the getters of module and policies. The module keeps hashes of functions; what a hash stands for is
//! believed only of a contract and function that make it ([`KnownActions`]). Of sessions that nobody here stored this is
//! all there is; stored ones are compared with it.
//!
//! The lists of one session are read to a bound, and what is beyond is said to be. Whether others may pay for its
//! operations no getter tells.

use std::rc::Rc;

use alloy::primitives::{Address, B256, Bytes, U256};

mod compared;
mod granted;
mod known;
mod policies;
#[cfg(test)]
mod tests;
mod told;

pub(super) use granted::granted_in;
use known::{KnownActions, Plain};
use policies::{FoundPolicy, PolicyQuestion};

use super::{
    addresses::SMART_SESSION,
    ids,
    reads::{self, answer_of},
    session::Session,
};
use crate::{
    ProtocolError,
    call::Call,
    session_scheme::{Candidates, ReadSession, SessionReading},
};

/// Most functions of one session that are looked at.
pub(super) const MOST_ACTIONS: usize = 16;
/// Most policies in one place that are looked at.
pub(super) const MOST_POLICIES: usize = 8;
/// Longest data of a session's validator that is looked at, bytes.
const MOST_VALIDATOR_DATA: usize = 4_096;

/// What has been read of a session.
#[derive(Clone, Debug, Default)]
struct Found {
    validator: Address,
    validator_data: Bytes,
    signs_messages: bool,
    operations: Policies,
    actions: Vec<FoundAction>,
    /// Functions beyond those.
    further_actions: Vec<B256>,
}

/// Policies in one place.
#[derive(Clone, Debug, Default)]
struct Policies {
    read: Vec<FoundPolicy>,
    /// Policies beyond those.
    further: Vec<Address>,
}

#[derive(Clone, Debug, Default)]
struct FoundAction {
    id: B256,
    plain: Option<Plain>,
    policies: Policies,
}

/// What is asked next.
#[derive(Clone, Copy, Debug)]
enum Question {
    Validator,
    Signing,
    Operations,
    Actions,
    OfAction(usize),
    /// Of a policy: of operations, or of the action at this place.
    Policy(Option<usize>, usize, PolicyQuestion),
}

/// A session that is being read.
struct Reading {
    account: Address,
    id: B256,
    known: Rc<KnownActions>,
    /// As it was granted, of one that is stored: what its policies are set to is not asked then.
    stored: Option<Session>,
    asked: Vec<Question>,
    found: Found,
}

/// First the unknown ones, then the stored ones.
pub(super) fn readings(
    account: Address,
    unknown: &[B256],
    stored: &[&Session],
    candidates: &Candidates,
) -> Vec<Box<dyn SessionReading>> {
    let known = Rc::new(KnownActions::new(account, stored, candidates));
    let reading = |id, stored: Option<&Session>| {
        let mut asked = vec![Question::Operations, Question::Actions, Question::Signing];
        // A stored session's id is the hash of its validator, too.
        asked.extend(stored.is_none().then_some(Question::Validator));
        let (known, stored) = (Rc::clone(&known), stored.cloned());
        Box::new(Reading { account, id, known, stored, asked, found: Found::default() }) as Box<dyn SessionReading>
    };
    let unknown = unknown.iter().map(|id| reading(*id, None));
    unknown.chain(stored.iter().map(|session| reading(ids::permission_id(session), Some(session)))).collect()
}

impl Reading {
    fn call(&self, question: Question) -> Call {
        let (account, id) = (self.account, self.id);
        let data = match question {
            Question::Validator => reads::session_validator_call(account, id),
            Question::Signing => reads::erc1271_policies_call(account, id),
            Question::Operations => reads::user_op_policies_call(account, id),
            Question::Actions => reads::enabled_actions_call(account, id),
            Question::OfAction(place) => {
                let action = self.found.actions.get(place).map(|action| action.id).unwrap_or_default();
                reads::action_policies_call(account, id, action)
            }
            Question::Policy(action, place, question) => {
                let action = action.and_then(|action| self.found.actions.get(action));
                let config = match action {
                    Some(action) => ids::action_config_id(account, id, action.id),
                    None => ids::user_op_config_id(account, id),
                };
                let policies = action.map_or(&self.found.operations, |action| &action.policies);
                let to = policies.read.get(place).map(|policy| policy.policy).unwrap_or_default();
                return Call { to, value: U256::ZERO, data: question.call_data(config, account) };
            }
        };
        Call { to: SMART_SESSION, value: U256::ZERO, data }
    }

    /// Takes an answer; what is to be asked after it.
    fn take(&mut self, question: Question, answer: Option<&Bytes>) -> Result<Vec<Question>, ProtocolError> {
        let of = |getter: &'static str| answer.ok_or_else(|| ProtocolError::invalid(getter, "an answer", "a refusal"));
        let reads_configs = self.stored.is_none();
        match question {
            Question::Validator => {
                let getter = "getSessionValidatorAndConfig";
                let (validator, data) = answer_of(getter, reads::decode_session_validator(of(getter)?))?;
                // Longer data is no key that is known here, and its beginning is none either.
                let data = data.get(..MOST_VALIDATOR_DATA).map_or(data.clone(), Bytes::copy_from_slice);
                (self.found.validator, self.found.validator_data) = (validator, data);
                Ok(Vec::new())
            }
            Question::Signing => {
                let getter = "getERC1271Policies";
                self.found.signs_messages = !answer_of(getter, reads::decode_addresses(of(getter)?))?.is_empty();
                Ok(Vec::new())
            }
            Question::Operations => {
                let getter = "getUserOpPolicies";
                self.found.operations = Policies::of(answer_of(getter, reads::decode_addresses(of(getter)?))?);
                Ok(self.found.operations.questions(None, None, reads_configs))
            }
            Question::Actions => {
                let getter = "getEnabledActions";
                let mut ids = answer_of(getter, reads::decode_ids(of(getter)?))?;
                self.found.further_actions = ids.split_off(ids.len().min(MOST_ACTIONS));
                let action = |id| FoundAction { id, plain: self.known.get(id), policies: Policies::default() };
                self.found.actions = ids.into_iter().map(action).collect();
                Ok((0..self.found.actions.len()).map(Question::OfAction).collect())
            }
            Question::OfAction(place) => {
                let getter = "getActionPolicies";
                let policies = Policies::of(answer_of(getter, reads::decode_addresses(of(getter)?))?);
                let Some(action) = self.found.actions.get_mut(place) else { return Ok(Vec::new()) };
                action.policies = policies;
                Ok(action.policies.questions(Some(place), action.plain, reads_configs))
            }
            Question::Policy(action, place, question) => {
                let policies = match action {
                    Some(action) => self.found.actions.get_mut(action).map(|action| &mut action.policies),
                    None => Some(&mut self.found.operations),
                };
                if let Some(policy) = policies.and_then(|policies| policies.read.get_mut(place)) {
                    policy.take(question, answer.map(AsRef::as_ref));
                }
                Ok(Vec::new())
            }
        }
    }
}

impl Policies {
    fn of(mut addresses: Vec<Address>) -> Self {
        let further = addresses.split_off(addresses.len().min(MOST_POLICIES));
        Self { read: addresses.into_iter().map(FoundPolicy::new).collect(), further }
    }

    fn questions(&self, action: Option<usize>, plain: Option<Plain>, asks: bool) -> Vec<Question> {
        let target = plain.map(|(target, _)| target);
        let of_policy = |(place, policy): (usize, &FoundPolicy)| {
            let questions = policy.questions(target).into_iter();
            questions.map(move |question| Question::Policy(action, place, question)).collect::<Vec<_>>()
        };
        if asks { self.read.iter().enumerate().flat_map(of_policy).collect() } else { Vec::new() }
    }

    fn addresses(&self) -> impl Iterator<Item = Address> {
        self.read.iter().map(|policy| policy.policy).chain(self.further.iter().copied())
    }
}

impl SessionReading for Reading {
    fn calls(&self) -> Vec<Call> {
        self.asked.iter().map(|question| self.call(*question)).collect()
    }

    fn answered(&mut self, answers: &[Option<Bytes>]) -> Result<(), ProtocolError> {
        let asked = std::mem::take(&mut self.asked);
        if asked.len() != answers.len() {
            return Err(ProtocolError::invalid("answers", format!("{} of them", asked.len()), answers.len()));
        }
        for (question, answer) in asked.into_iter().zip(answers) {
            let next = self.take(question, answer.as_ref())?;
            self.asked.extend(next);
        }
        Ok(())
    }

    fn told(&self) -> ReadSession {
        match &self.stored {
            Some(stored) => ReadSession { notes: compared::differences(stored, &self.found), ..ReadSession::default() },
            None => told::told(&self.found),
        }
    }
}
