//! What stands behind a signature in the list, as Rust.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// `leave to units:value + …` as `Leaves(…), …`.
pub fn effects(meaning: &str, function: &Value) -> Result<String> {
    if meaning == "none" {
        return Ok(String::new());
    }
    let effects = meaning.split(" + ").map(|text| effect(text.trim(), function).with_context(|| text.to_owned()));
    Ok(effects.collect::<Result<Vec<_>>>()?.join(", "))
}

fn effect(text: &str, function: &Value) -> Result<String> {
    let words = text.split_whitespace().collect::<Vec<_>>();
    let word = |name: &str| path(name, function, Some("address"));
    let maybe = |name: &str| match name {
        "-" => Ok("None".to_owned()),
        name => Ok::<_, anyhow::Error>(format!("Some({})", word(name)?)),
    };
    Ok(match words.as_slice() {
        ["leave", receiver, much] => format!("Leaves({}, {})", maybe(receiver)?, amount(much, function)?),
        ["lend", spender, much] => format!("Lends({}, {})", word(spender)?, amount(much, function)?),
        ["swap", receiver, much] => format!("Swaps({}, {})", word(receiver)?, amount(much, function)?),
        ["give", receiver] => format!("Gives({})", word(receiver)?),
        ["control", who] => format!("Controls({})", maybe(who)?),
        ["call", arguments @ ..] if !arguments.is_empty() => {
            let paths = arguments.iter().map(|name| path(name, function, None)).collect::<Result<Vec<_>>>()?;
            format!("Calls(&[{}])", paths.join(", "))
        }
        _ => bail!("no meaning that is known"),
    })
}

fn amount(text: &str, function: &Value) -> Result<String> {
    let (kind, arguments) = text.split_once(':').unwrap_or((text, ""));
    let word = |name: &str, kind: &str| path(name, function, Some(kind));
    Ok(match (kind, arguments.split_once(',')) {
        ("all", None) if arguments.is_empty() => "All".to_owned(),
        ("all-if", None) => format!("AllIf({})", word(arguments, "bool")?),
        ("units", None) => format!("Units({})", word(arguments, "uint")?),
        ("sum", None) => format!("Sum({})", word(arguments, "uint")?),
        ("item", None) => format!("Item({})", word(arguments, "uint")?),
        ("either", None) => format!("Either({})", word(arguments, "uint")?),
        ("items", Some((item, many))) => format!("Items({}, {})", word(item, "uint")?, word(many, "uint")?),
        _ => bail!("no amount that is known: {text}"),
    })
}

/// `details[].amount` as `&[1, EACH, 0]`. `expected`: how its type begins; it is one word then.
fn path(name: &str, function: &Value, expected: Option<&str>) -> Result<String> {
    let mut places = Vec::new();
    let (mut members, mut kind) = (&function["inputs"], "");
    for part in name.split('.') {
        ensure!(kind.is_empty() || kind == "tuple", "{name}: a {kind} has no members");
        let (member, brackets) = part.split_at(part.find('[').unwrap_or(part.len()));
        let list = members.as_array().context("no members")?;
        let place = match member.strip_prefix('#') {
            Some(number) => number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)),
            None => list.iter().position(|found| found["name"] == member),
        };
        let place = place.filter(|place| *place < list.len()).with_context(|| format!("no argument {part}"))?;
        places.push(place.to_string());
        members = &list[place]["components"];
        kind = list[place]["type"].as_str().context("no type")?;
        for _ in 0..brackets.matches("[]").count() {
            kind = kind.strip_suffix("[]").with_context(|| format!("{part} is no array"))?;
            places.push("EACH".to_owned());
        }
    }
    if let Some(expected) = expected {
        ensure!(kind.starts_with(expected) && !kind.ends_with(']'), "{name} is {kind}, not {expected}");
    }
    Ok(format!("&[{}]", places.join(", ")))
}
