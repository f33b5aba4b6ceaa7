//! Web Locks: one writer at a time over all tabs of this origin.
//!
//! `web-sys` has them behind its unstable flag only, so the two calls are bound here.

use std::future::Future;

use futures::{channel::oneshot, future::Either};
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;

use super::time::sleep;
use crate::error::AppError;

/// A page that holds the lock longer than this is frozen; waiting on would hang us, too. Milliseconds.
const PATIENCE: u64 = 10_000;

/// Runs `work` while holding the exclusive lock `name`; the lock is let go when `work` ends or is dropped.
pub async fn with_lock<T>(name: &str, work: impl Future<Output = T>) -> Result<T, AppError> {
    let lock = held(name).await?;
    let done = work.await;
    drop(lock);
    Ok(done)
}

/// The same with all of these locks, and for work that is to be done where the browser has none, too.
pub async fn with_locks_if_any<T>(names: &[String], work: impl Future<Output = T>) -> Result<T, AppError> {
    let mut all = Vec::new();
    if locks().is_some() {
        for name in names {
            all.push(held(name).await?);
        }
    }
    let done = work.await;
    drop(all);
    Ok(done)
}

/// Waits until the exclusive lock `name` is held here.
async fn held(name: &str) -> Result<Lock, AppError> {
    let mut lock = Lock::request(name, false)?;
    match futures::future::select(Box::pin(lock.granted()), Box::pin(sleep(PATIENCE))).await {
        Either::Left((Ok(()), _)) => {}
        Either::Left((Err(error), _)) => return Err(error),
        Either::Right(_) => {
            return Err(failed("another tab has held the session store for 10 s; close it and try again"));
        }
    }
    Ok(lock)
}

/// A lock that was asked for. Dropped, it is let go, or asked for no longer.
pub struct Lock {
    grant: oneshot::Receiver<()>,
    release: Function,
    over: JsFuture,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Also of one that is granted after we gave up: the promise that it waits for is resolved.
        self.release.call0(&JsValue::UNDEFINED).ok();
    }
}

impl Lock {
    /// Asks for the exclusive lock `name`; with `steal` it is taken away from whoever has it.
    pub fn request(name: &str, steal: bool) -> Result<Self, AppError> {
        let locks =
            locks().ok_or_else(|| failed("this browser has no Web Locks here (they need https or localhost)"))?;
        let request: Function = Reflect::get(&locks, &"request".into())
            .and_then(|found| found.dyn_into())
            .map_err(|_| failed("navigator.locks.request is missing"))?;
        // The lock is held until this promise resolves.
        let mut release = None;
        let until_released = Promise::new(&mut |resolve, _| release = Some(resolve));
        let release = release.ok_or_else(|| failed("a promise cannot be made"))?;
        let (granted, grant) = oneshot::channel();
        // The browser calls it once, if at all.
        let callback = Closure::once_into_js(move |_lock: JsValue| -> JsValue {
            granted.send(()).ok();
            until_released.into()
        });
        let options = Object::new();
        Reflect::set(&options, &"steal".into(), &steal.into()).ok();
        let over = request
            .call3(&locks, &name.into(), &options, &callback)
            .and_then(|promise| promise.dyn_into::<Promise>())
            .map_err(|_| failed("the browser refuses the lock"))?;
        Ok(Self { grant, release, over: JsFuture::from(over) })
    }

    /// Waits until it is held.
    pub async fn granted(&mut self) -> Result<(), AppError> {
        match futures::future::select(&mut self.grant, &mut self.over).await {
            Either::Left((Ok(()), _)) => Ok(()),
            _ => Err(failed("the browser refuses the lock")),
        }
    }

    /// Waits until somebody takes it away.
    pub async fn lost(mut self) {
        (&mut self.over).await.ok();
    }
}

/// The browser's locks, where it has some.
pub fn locks() -> Option<JsValue> {
    let navigator = web_sys::window()?.navigator();
    Reflect::get(navigator.as_ref(), &"locks".into()).ok().filter(JsValue::is_object)
}

fn failed(reason: &str) -> AppError {
    AppError::Storage { reason: reason.to_owned() }
}
