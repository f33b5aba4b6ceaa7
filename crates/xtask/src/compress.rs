//! `.br` and `.gz` beside what shrinks, made once, so that the server only hands them out.

use std::{
    io::Write as _,
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};

/// Kinds of files that shrink; pictures do not.
const KINDS: &[&str] = &["wasm", "js", "css", "svg", "html", "json", "txt", "xml", "webmanifest"];

/// Whether a file shrinks.
pub fn shrinks(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, kind)| KINDS.contains(&kind))
}

/// Brotli at its best.
pub fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let params = BrotliEncoderParams { quality: 11, lgwin: 22, size_hint: content.len(), ..Default::default() };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut out, &params).context("brotli")?;
    Ok(out)
}

/// gzip at its best, without a time or a name.
pub fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).context("gzip")?;
    encoder.finish().context("gzip")
}

/// Does the same to each, on all cores; results in the order of the things, or the first failure.
pub fn in_parallel<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(things.len()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get).min(things.len()) {
            scope.spawn(|| {
                while let Some((at, thing)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, things.get(at)?)))
                {
                    let result = work(thing);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read as _;

    use super::*;

    #[test]
    fn both_give_the_content_back_and_the_same_bytes_each_time() {
        let content = "body { color: red }\n".repeat(200).into_bytes();
        let (mut from_brotli, mut from_gzip) = (Vec::new(), Vec::new());
        brotli::BrotliDecompress(&mut &*brotli(&content).unwrap(), &mut from_brotli).unwrap();
        flate2::read::GzDecoder::new(&*gzip(&content).unwrap()).read_to_end(&mut from_gzip).unwrap();
        assert_eq!((&from_brotli, &from_gzip), (&content, &content));
        assert_eq!(brotli(&content).unwrap(), brotli(&content).unwrap());
        assert_eq!(gzip(&content).unwrap(), gzip(&content).unwrap());
    }

    #[test]
    fn results_stand_in_the_order_of_the_things_and_a_failure_is_told() {
        let numbers: Vec<u32> = (0..50).collect();
        assert_eq!(in_parallel(&numbers, |n| Ok(n * 2)).unwrap(), (0..50).map(|n| n * 2).collect::<Vec<_>>());
        assert!(in_parallel(&numbers, |n| if *n == 7 { anyhow::bail!("seven") } else { Ok(()) }).is_err());
        assert!(in_parallel(&[] as &[u8], |_| Ok(())).unwrap().is_empty());
    }

    #[test]
    fn pictures_are_left_alone() {
        assert!(shrinks("pkg/a.wasm") && shrinks("favicon.svg"));
        assert!(!shrinks("screenshot.png") && !shrinks("LICENSE"));
    }
}
