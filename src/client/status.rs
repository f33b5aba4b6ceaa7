//! How operations stand, over one stream for all tabs of the browser: Web Locks choose the tab that holds it, a
//! `BroadcastChannel` connects the tabs. Where a browser lacks one of them (Web Locks need https or localhost), each tab has
//! one stream of its own.

use std::{cell::RefCell, future::ready, rc::Rc};

use alloy::primitives::B256;
use futures::{
    FutureExt,
    future::{LocalBoxFuture, pending},
    stream::LocalBoxStream,
};
use js_sys::Math::random;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

use super::{
    patience::in_time,
    web_locks::{self, Lock},
};
use crate::{
    actions::adapters::status_stream::{
        shared::{Lead, Message, Ports, SharedStream, TabId},
        watch::{TextStream, watch},
    },
    api,
    error::AppError,
    protocol::rpc::UserOpUpdate,
};

/// Of the channel and the lock. Pages of other versions may be open: whoever changes what the tabs tell each other changes it.
const NAME: &str = "use-aa-status-3";

thread_local! {
    static STREAM: SharedStream<Tab> = start();
}

/// Follows an operation to its end.
pub(super) fn watch_operation(user_op_hash: B256) -> LocalBoxStream<'static, Result<UserOpUpdate, AppError>> {
    let stream = STREAM.with(Clone::clone);
    watch(move || ready(Ok(stream.listen(user_op_hash))), random)
}

fn start() -> SharedStream<Tab> {
    let channel = web_locks::locks().and_then(|_| BroadcastChannel::new(NAME).ok());
    let channel = Rc::new(RefCell::new(channel));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let me = (random() * f64::from(u32::MAX)) as TabId;
    let (stream, running) = SharedStream::new(me, Tab { channel: channel.clone() });
    if let Some(channel) = &*channel.borrow() {
        let stream = stream.clone();
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            // What is unreadable comes from a page of another version.
            if let Some(Ok(message)) = event.data().as_string().map(|text| serde_json::from_str(&text)) {
                stream.hear(message);
            }
        });
        channel.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        // For as long as the page is there.
        on_message.forget();
    }
    leptos::task::spawn_local(running);
    stream
}

/// This tab among the browser's.
struct Tab {
    /// To the other tabs; `None` when there is no way to them.
    channel: Rc<RefCell<Option<BroadcastChannel>>>,
}

impl Ports for Tab {
    fn tell(&self, message: &Message) {
        if let Some(channel) = &*self.channel.borrow()
            && let Ok(text) = serde_json::to_string(message)
        {
            channel.post_message(&text.into()).ok();
        }
    }

    #[expect(clippy::async_yields_async, reason = "the lead is given when this resolves, and lost when that does")]
    fn lead(&self, steal: bool) -> LocalBoxFuture<'static, Lead> {
        let channel = self.channel.clone();
        let lock = match channel.borrow().is_some() {
            true => Lock::request(NAME, steal).ok(),
            false => None,
        };
        async move {
            if let Some(mut lock) = lock
                && lock.granted().await.is_ok()
            {
                return lock.lost().boxed_local();
            }
            // No lock to be had: this tab follows for itself, and leaves the others alone.
            if let Some(channel) = channel.take() {
                channel.close();
            }
            pending().boxed_local()
        }
        .boxed_local()
    }

    fn connect(&self, hashes: Vec<B256>) -> LocalBoxFuture<'static, Result<TextStream, AppError>> {
        async move {
            let stream = in_time(api::user_operation_statuses(hashes)).await?;
            Ok(Box::pin(stream.into_inner()) as TextStream)
        }
        .boxed_local()
    }

    fn jitter(&self) -> f64 {
        random()
    }
}
