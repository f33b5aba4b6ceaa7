//! ABIs as packages have them: artifacts of compilers, and TypeChain's factories.

use anyhow::{Context, Result};
use serde_json::Value;

/// The entries of the ABI in this file.
pub fn read(file: &str, text: &str) -> Result<Value> {
    if file.ends_with(".ts") {
        return typescript(text);
    }
    let mut artifact: Value = serde_json::from_str(text)?;
    let places = ["/abi", "/compilerOutput/abi"];
    let found = places.iter().find_map(|place| artifact.pointer_mut(place).map(Value::take));
    found.or(artifact.is_array().then_some(artifact)).context("no ABI in it")
}

/// `const _abi = […]`: one key or bracket a line, keys without quotes, a comma after the last.
fn typescript(text: &str) -> Result<Value> {
    let (_, rest) = text.split_once("const _abi = [").context("no _abi in it")?;
    let (list, _) = rest.split_once("\n]").context("the _abi has no end")?;
    let mut json = String::from("[");
    for line in list.lines().map(str::trim) {
        if line.starts_with([']', '}']) && json.ends_with(',') {
            json.pop();
        }
        match line.split_once(": ") {
            Some((key, value)) => json.push_str(&format!("\"{}\":{value}", key.trim_matches('"'))),
            None => json.push_str(line),
        }
    }
    serde_json::from_str(&format!("{}]", json.trim_end_matches(','))).context("the _abi cannot be read")
}

/// The function with this signature.
pub fn function(abi: &Value, signature: &str) -> Result<Value> {
    let is_it = |entry: &&Value| {
        let name = entry["name"].as_str().unwrap_or_default();
        entry["type"] == "function"
            && types(&entry["inputs"]).is_some_and(|types| format!("{name}({types})") == signature)
    };
    let entries = abi.as_array().context("the ABI is no list")?;
    entries.iter().find(is_it).cloned().with_context(|| format!("{signature} is not in the ABI"))
}

/// Types of these parameters, joined by commas.
fn types(parameters: &Value) -> Option<String> {
    let types = parameters.as_array()?.iter().map(|parameter| {
        let name = parameter["type"].as_str()?;
        match name.strip_prefix("tuple") {
            Some(suffix) => Some(format!("({}){suffix}", types(&parameter["components"])?)),
            None => Some(name.to_owned()),
        }
    });
    Some(types.collect::<Option<Vec<_>>>()?.join(","))
}

/// `transfer(address to,uint256 value)`.
pub fn declaration(function: &Value) -> Result<String> {
    let name = function["name"].as_str().context("a function without a name")?;
    Ok(format!("{name}({})", named(&function["inputs"]).context("parameters that cannot be read")?))
}

/// The same with their names.
fn named(parameters: &Value) -> Option<String> {
    let all = parameters.as_array()?.iter().map(|parameter| {
        let word = parameter["type"].as_str()?;
        let kind = match word.strip_prefix("tuple") {
            Some(suffix) => format!("({}){suffix}", named(&parameter["components"])?),
            None => word.to_owned(),
        };
        Some(format!("{kind} {}", parameter["name"].as_str()?.trim_start_matches('_')).trim().to_owned())
    });
    Some(all.collect::<Option<Vec<_>>>()?.join(","))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_factory_of_typechain_is_read() {
        let text = "const _abi = [\n  {\n    inputs: [\n      {\n        name: \"_to\",\n        type: \"address\",\n      },\n    ],\n    name: \"go\",\n    outputs: [],\n    type: \"function\",\n  },\n];\n";
        let abi = read("x.ts", text).unwrap();
        assert_eq!(declaration(&function(&abi, "go(address)").unwrap()).unwrap(), "go(address to)");
    }
}
