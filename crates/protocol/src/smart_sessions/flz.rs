//! FastLZ level 1 as the module decompresses it: signatures that carry a grant are sent so (vectors 17).

use crate::ProtocolError;

/// Longest match, farthest match.
const LONGEST: usize = 262;
const FARTHEST: usize = 8192;
/// Most bytes of one literal run.
const RUN: usize = 32;
/// A value that no three bytes have.
const NOTHING: u32 = 1 << 24;

/// What the JavaScript SDK makes of the same bytes, byte for byte. Any valid stream is accepted on chain; this one lets
/// signatures be compared.
pub fn compress(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() + plain.len() / RUN + 1);
    let mut literals_from = 0;
    // Matches begin before this; the last 13 bytes are literals.
    let end = plain.len().saturating_sub(13);
    let last = plain.len().saturating_sub(4);
    let mut table = vec![0_usize; 8192];
    let mut at = 2;
    while at < end {
        let Some((start, from, distance)) = next_match(plain, &mut table, at, end) else { break };
        literals(&mut out, plain.get(literals_from..start).unwrap_or_default());
        let most = last.saturating_sub(start + 3);
        let equal = (0..most).take_while(|index| plain.get(from + 3 + index) == plain.get(start + 3 + index)).count();
        // The first byte that differs is counted, where there is one.
        let length = if equal < most { equal + 1 } else { equal };
        emit_match(&mut out, length, distance - 1);
        at = start + length;
        for _ in 0..2 {
            remember(plain, &mut table, at);
            at += 1;
        }
        literals_from = at;
    }
    literals(&mut out, plain.get(literals_from..).unwrap_or_default());
    out
}

/// Where the next match starts, where it is copied from, and how far back that is.
fn next_match(plain: &[u8], table: &mut [usize], from: usize, end: usize) -> Option<(usize, usize, usize)> {
    let mut at = from;
    loop {
        let word = three_bytes(plain, at);
        let earlier = remember(plain, table, at);
        let distance = at.saturating_sub(earlier);
        let seen = if distance < FARTHEST { three_bytes(plain, earlier) } else { NOTHING };
        // The SDK looks at the end before and after it goes on.
        if at + 1 >= end && (at >= end || word == seen) {
            return None;
        }
        if word == seen {
            return Some((at, earlier, distance));
        }
        at += 1;
    }
}

/// Puts a position into the table, and says which one was there.
fn remember(plain: &[u8], table: &mut [usize], at: usize) -> usize {
    table.get_mut(bucket(three_bytes(plain, at))).map_or(0, |entry| std::mem::replace(entry, at))
}

/// The SDK multiplies in doubles, whose product is rounded beyond 2^53: an exact one has another bucket for 56 of all
/// values.
fn bucket(word: u32) -> usize {
    let product = 2_654_435_769.0_f64 * f64::from(word);
    // Below 2^56, and whole.
    ((product as u64 & 0xffff_ffff) >> 19) as usize
}

/// Three bytes, little-endian; 0 behind the end.
fn three_bytes(plain: &[u8], at: usize) -> u32 {
    let byte = |at: usize| plain.get(at).copied().map_or(0, u32::from);
    byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16
}

fn literals(out: &mut Vec<u8>, bytes: &[u8]) {
    for run in bytes.chunks(RUN) {
        out.push(low_byte(run.len() - 1));
        out.extend_from_slice(run);
    }
}

fn emit_match(out: &mut Vec<u8>, mut length: usize, distance: usize) {
    let (high, low) = (distance >> 8, low_byte(distance & 255));
    while length > LONGEST {
        out.extend([low_byte(224 + high), 253, low]);
        length -= LONGEST;
    }
    match length {
        0..7 => out.extend([low_byte((length << 5) + high), low]),
        _ => out.extend([low_byte(224 + high), low_byte(length - 7), low]),
    }
}

fn low_byte(number: usize) -> u8 {
    u8::try_from(number & 255).unwrap_or_default()
}

/// What a stream stands for, at most `most` bytes: a stream may name 88 times as much as it has.
///
/// # Errors
/// `Invalid` for a stream that ends early, copies from before its begin, or stands for more than `most` bytes.
pub fn decompress(stream: &[u8], most: usize) -> Result<Vec<u8>, ProtocolError> {
    let invalid = |expected: &str, got: String| ProtocolError::invalid("flz", expected, got);
    let early = || invalid("a whole stream", format!("{} bytes that end early", stream.len()));
    let within = |length: usize| match length {
        length if length > most => Err(invalid(&format!("at most {most} bytes"), "more".to_owned())),
        _ => Ok(()),
    };
    let mut out = Vec::with_capacity(stream.len().min(most));
    let mut rest = stream;
    let mut next = |count: usize| -> Option<&[u8]> {
        let (head, tail) = rest.split_at_checked(count)?;
        rest = tail;
        Some(head)
    };
    while let Some(&[control]) = next(1) {
        let (kind, low_bits) = (control >> 5, usize::from(control & 31));
        if kind == 0 {
            let run = next(low_bits + 1).ok_or_else(early)?;
            within(out.len() + run.len())?;
            out.extend_from_slice(run);
            continue;
        }
        let mut byte = || next(1).and_then(|byte| byte.first()).copied().map(usize::from).ok_or_else(early);
        let length = if kind == 7 { byte()? + 9 } else { usize::from(kind) + 2 };
        let distance = (low_bits << 8 | byte()?) + 1;
        within(out.len() + length)?;
        let from = out.len().checked_sub(distance);
        let from = from.ok_or_else(|| invalid("a copy of what was there", format!("one from {distance} back")))?;
        // Byte by byte: a copy may reach into itself.
        for at in from..from + length {
            out.push(out.get(at).copied().unwrap_or_default());
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// An exact product has another bucket for these, and for 55 more.
    #[test]
    fn the_hash_is_rounded_as_a_double_is() {
        let exact = |word: u32| (((2_654_435_769_u64 * u64::from(word)) & 0xffff_ffff) >> 19) as usize;
        assert_ne!(bucket(0x003b_4377), exact(0x003b_4377));
        assert_eq!(bucket(0x0012_3456), exact(0x0012_3456));
        let differing = (0..NOTHING).filter(|word| bucket(*word) != exact(*word)).count();
        assert_eq!(differing, 56);
    }

    #[test]
    fn a_bomb_is_stopped_and_a_broken_stream_is_told() {
        let bomb = [&[0, 7][..], &[0xe0, 0xff, 0].repeat(1000)].concat();
        let expected = 1 + 1000 * 264;
        assert_eq!(decompress(&bomb, expected).unwrap().len(), expected);
        for (stream, most, part) in [
            (&bomb[..], expected - 1, "at most"),
            (&[1, 7], 100, "a whole stream"),
            (&[0, 7, 0xe0], 100, "a whole stream"),
            (&[0, 7, 0xe0, 0], 100, "a whole stream"),
            (&[0, 7, 0x20, 1], 100, "a copy"),
            (&[0x20, 0], 100, "a copy"),
        ] {
            let error = decompress(stream, most).unwrap_err().to_string();
            assert!(error.starts_with("flz: expected") && error.contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_compressed_comes_back(
            words in vec((vec(any::<u8>(), 1..40), 1_usize..40), 0..12),
        ) {
            let plain = words.into_iter().flat_map(|(word, times)| word.repeat(times)).collect::<Vec<u8>>();
            let stream = compress(&plain);
            prop_assert!(stream.len() <= plain.len() + plain.len().div_ceil(RUN) + 8);
            prop_assert_eq!(decompress(&stream, plain.len()).unwrap(), plain);
        }

        #[test]
        fn no_stream_panics_or_grows_beyond_its_bound(stream in vec(any::<u8>(), 0..300)) {
            if let Ok(plain) = decompress(&stream, 2_000) {
                prop_assert!(plain.len() <= 2_000);
                prop_assert_eq!(decompress(&compress(&plain), 2_000).unwrap(), plain);
            }
        }
    }
}
