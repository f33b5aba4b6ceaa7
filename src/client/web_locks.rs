//! Web Locks: one writer at a time over all tabs of this origin.
//!
//! `web-sys` has them behind its unstable flag only, so the two calls are bound here.

use std::future::Future;

use futures::{channel::oneshot, future::Either};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use super::time::sleep;
use crate::error::AppError;

/// A page that holds the lock longer than this is frozen; waiting on would hang us, too. Milliseconds.
const PATIENCE: u64 = 10_000;

/// Runs `work` while holding the exclusive lock `name`; the lock is let go when `work` ends or is dropped.
pub async fn with_lock<T>(name: &str, work: impl Future<Output = T>) -> Result<T, AppError> {
    let _held = acquire(name).await?;
    Ok(work.await)
}

/// Lets the lock go when dropped.
struct Held {
    release: Function,
    _callback: Closure<dyn FnMut(JsValue) -> JsValue>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release.call0(&JsValue::UNDEFINED).ok();
    }
}

async fn acquire(name: &str) -> Result<Held, AppError> {
    let locks = web_sys::window()
        .and_then(|window| Reflect::get(window.navigator().as_ref(), &"locks".into()).ok())
        .filter(JsValue::is_object)
        .ok_or_else(|| failed("this browser has no Web Locks here (they need https or localhost)"))?;
    let request: Function = Reflect::get(&locks, &"request".into())
        .and_then(|found| found.dyn_into())
        .map_err(|_| failed("navigator.locks.request is missing"))?;

    // The lock is held until this promise resolves.
    let mut release = None;
    let until_released = Promise::new(&mut |resolve, _| release = Some(resolve));
    let release = release.ok_or_else(|| failed("a promise cannot be made"))?;
    let (granted, wait) = oneshot::channel();
    let mut granted = Some(granted);
    let callback = Closure::<dyn FnMut(JsValue) -> JsValue>::new(move |_lock: JsValue| {
        if let Some(granted) = granted.take() {
            granted.send(()).ok();
        }
        until_released.clone().into()
    });
    request
        .call2(&locks, &name.into(), callback.as_ref())
        .map_err(|_| failed("the browser refuses the lock on the session store"))?;
    // From here on dropping `held` also lets go of a lock that is granted after we gave up: the promise is resolved.
    let held = Held { release, _callback: callback };
    match futures::future::select(wait, Box::pin(sleep(PATIENCE))).await {
        Either::Left((Ok(()), _)) => Ok(held),
        Either::Left((Err(_), _)) => Err(failed("the lock on the session store was lost")),
        Either::Right(_) => {
            // The browser still holds the callback and will call it once.
            held.release.call0(&JsValue::UNDEFINED).ok();
            std::mem::forget(held);
            Err(failed("another tab has held the session store for 10 s; close it and try again"))
        }
    }
}

fn failed(reason: &str) -> AppError {
    AppError::Storage { reason: reason.to_owned() }
}
