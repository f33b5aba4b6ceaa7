//! The script that loads the parts of the page.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Result, ensure};

use crate::{merge::PARTS, split::SCRIPT};

/// What does the work; [`script`] writes the list of files and parts below it.
const LOADER: &str = include_str!("loader.js");

/// The files that are fetched ahead when the first view has come to rest, and nobody has asked to save data.
const AHEAD: [&str; 1] = ["split_wallets"];

/// All files of a part travel at the same time, and each is compiled while it arrives: nothing in one waits for another.
pub fn script(needs: &BTreeMap<String, Vec<String>>) -> Result<String> {
    let mut script = LOADER.replace("SCRIPT", SCRIPT).replace("PARTS", PARTS);
    let mut files: Vec<&String> = needs.values().flatten().collect();
    files.sort();
    files.dedup();
    for file in files {
        writeln!(script, "const {file} = part(new URL(\"./{file}.wasm\", import.meta.url));")?;
    }
    for (split, files) in needs {
        writeln!(
            script,
            "export const __wasm_split_load_{split} = told(() => Promise.all([{}]));",
            calls(files, "()")
        )?;
    }
    let ahead = AHEAD.map(str::to_owned);
    ensure!(
        ahead.iter().all(|name| needs.values().flatten().any(|file| file == name)),
        "what is fetched ahead is not there"
    );
    writeln!(script, "whenIdle(() => [{}]);", calls(&ahead, ".ahead()"))?;
    Ok(script)
}

fn calls(files: &[String], call: &str) -> String {
    files.iter().map(|file| [file, call].concat()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_part_loads_its_files_at_once() {
        let needs = BTreeMap::from([
            ("smart_account".to_owned(), vec!["split_wallets".to_owned(), "split_smart_account".to_owned()]),
            ("wallets".to_owned(), vec!["split_wallets".to_owned()]),
        ]);
        let script = script(&needs).unwrap();
        assert!(script.contains(
            "export const __wasm_split_load_smart_account = told(() => Promise.all([split_wallets(), split_smart_account()]));"
        ));
        assert_eq!(script.matches("./split_wallets.wasm").count(), 1, "{script}");
        assert!(script.contains("from \"./use-aa.js\"") && script.contains("__wasm_parts:"), "{script}");
    }
}
