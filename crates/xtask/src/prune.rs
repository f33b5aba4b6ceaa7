//! Takes out what a page of islands never runs. Leptos can also hydrate a whole page step by step, waiting
//! (`mount::hydrate_from_async`); every view that is boxed carries the code for it, 5 % of all that the page loads. Islands
//! are hydrated at once (`hydrate_from_position`), so nobody calls it, which no compiler can know: it is behind a table of
//! functions. Were it called after all, the page would stop with an error, which every browser test looks for.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

/// The end of the path of what begins it for one boxed view, and of what does it.
const NEVER_RUN: [&str; 2] = ["::into_any::hydrate_async", "::into_any::hydrate_async::{{closure}}"];

/// No locals, `unreachable`, `end`.
const STUB: &[u8] = &[0, 0x00, 0x0b];

/// The same module with nothing in those functions, and how many there were.
pub fn prune(wasm: &[u8]) -> Result<(Vec<u8>, usize)> {
    let names = names(wasm)?;
    let mut pruned = wasm.get(..8).context("a file that is no wasm")?.to_vec();
    let (mut index, mut found, mut bodies) = (0, 0, Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    index += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                push_length(&mut bodies, *count as usize);
                continue;
            }
            Payload::CodeSectionEntry(body) => {
                let is_stub = names.get(&index).is_some_and(|name| is_never_run(name));
                let body = if is_stub { STUB } else { &wasm[body.range()] };
                push_length(&mut bodies, body.len());
                bodies.extend_from_slice(body);
                (index, found) = (index + 1, found + usize::from(is_stub));
                continue;
            }
            _ => {}
        }
        // Bodies come one by one; whatever follows the section ends it.
        if !bodies.is_empty() {
            push_section(&mut pruned, 10, &std::mem::take(&mut bodies));
        }
        if let Some((id, range)) = payload.as_section() {
            push_section(&mut pruned, id, &wasm[range]);
        }
    }
    Ok((pruned, found))
}

/// [`prune`], of all pieces. When there is nothing to take out, a library has changed.
pub fn all(main: &mut Vec<u8>, chunks: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let mut found = 0;
    for wasm in chunks.values_mut().chain([main]) {
        let (pruned, here) = prune(wasm)?;
        *wasm = pruned;
        found += here;
    }
    ensure!(found > 0, "no function is called {} any more: has Leptos changed?", NEVER_RUN[0]);
    Ok(())
}

/// Only these two: what they call may be one function with something that runs, because the compiler merges functions
/// that do the same.
fn is_never_run(name: &str) -> bool {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    NEVER_RUN.iter().any(|end| name.ends_with(end))
}

/// Names of functions by index.
fn names(wasm: &[u8]) -> Result<BTreeMap<u32, &str>> {
    let mut names = BTreeMap::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CustomSection(section) = payload? else { continue };
        let KnownCustom::Name(known) = section.as_known() else { continue };
        for part in known {
            // Parts that the parser does not know hold no names of functions.
            if let Ok(Name::Function(functions)) = part {
                for function in functions {
                    let function = function?;
                    names.insert(function.index, function.name);
                }
            }
        }
    }
    Ok(names)
}

/// A section behind what is there.
pub fn push_section(wasm: &mut Vec<u8>, id: u8, content: &[u8]) {
    wasm.push(id);
    push_length(wasm, content.len());
    wasm.extend_from_slice(content);
}

/// LEB128, as wasm writes lengths.
fn push_length(wasm: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        wasm.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    wasm.push(length as u8);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_never_runs_is_taken_out() {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        push_section(&mut wasm, 1, &[1, 0x60, 0, 0]);
        push_section(&mut wasm, 3, &[2, 0, 0]);
        // Two functions: nop, nop, end.
        push_section(&mut wasm, 10, &[2, 4, 0, 1, 1, 0x0b, 4, 0, 1, 1, 0x0b]);
        let named = |index: u8, name: &str| [&[index, name.len() as u8], name.as_bytes()].concat();
        let table = [vec![2], named(0, "a::build"), named(1, "<T as a::IntoAny>::into_any::hydrate_async")].concat();
        let names = [b"\x04name".as_slice(), &[1, table.len() as u8], &table].concat();
        push_section(&mut wasm, 0, &names);
        let (pruned, found) = prune(&wasm).unwrap();
        assert_eq!((found, wasm.len() - pruned.len()), (1, 1));
        let bodies = |wasm: &[u8]| {
            let entry = |payload| match payload {
                Ok(Payload::CodeSectionEntry(body)) => Some(wasm[body.range()].to_vec()),
                _ => None,
            };
            Parser::new(0).parse_all(wasm).filter_map(entry).collect::<Vec<_>>()
        };
        assert_eq!(bodies(&pruned), [vec![0, 1, 1, 0x0b], STUB.to_vec()]);
    }

    #[test]
    fn closures_of_it_are_meant_and_nothing_that_only_names_it() {
        assert!(is_never_run("<T as tachys::IntoAny>::into_any::hydrate_async::{{closure}}"));
        assert!(!is_never_run("drop_in_place<T as IntoAny>::into_any::hydrate_async::State>"));
        assert!(!is_never_run("<F as RenderHtml>::hydrate_async::{{closure}}::{{closure}}"), "may be that of `build`");
        assert!(!is_never_run("<T as IntoAny>::into_any::hydrate_from_server"));
    }
}
