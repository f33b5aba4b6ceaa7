//! Which reads the relay passes on to the node, and in which shape: an allow-list.

use alloy::primitives::{Address, B256, Bytes};
use serde_json::{Map, Value};

use super::quantity::{quantity, small};
use use_aa_actions::error::AppError;

/// Most blocks that one `eth_getLogs` may span.
const MAX_LOG_BLOCKS: u64 = 10_000;
/// Most call data of an `eth_call`, bytes.
const MAX_CALL_DATA: usize = 128 * 1024;
/// Most addresses or alternatives per topic in a log filter.
const MAX_ALTERNATIVES: usize = 50;
/// Most blocks and percentiles of a fee history.
const MAX_FEE_HISTORY: u64 = 1024;

/// The blocks of a log filter, when it does not name one block by its hash.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogRange {
    pub(super) from_block: u64,
    /// `None` for `latest`.
    pub(super) to_block: Option<u64>,
}

/// Refuses what is not on the list or not in shape. A log filter's range is handed back to be checked
/// with [`check_range`] once the height is known.
pub(super) fn check(method: &str, params: &Value) -> Result<Option<LogRange>, AppError> {
    let params = match params {
        Value::Array(params) => params.as_slice(),
        Value::Null => &[],
        other => return Err(AppError::invalid("params", "a list", other)),
    };
    match method {
        "eth_blockNumber" | "eth_chainId" | "eth_gasPrice" | "eth_maxPriorityFeePerGas" => {
            count(params, 0, 0)?;
        }
        "eth_getBalance" | "eth_getCode" => {
            count(params, 1, 2)?;
            typed::<Address>(params, 0, "an address")?;
            block_at(params, 1)?;
        }
        "eth_call" => {
            count(params, 1, 2)?;
            call(params.first())?;
            block_at(params, 1)?;
        }
        "eth_getTransactionByHash" | "eth_getTransactionReceipt" => {
            count(params, 1, 1)?;
            typed::<B256>(params, 0, "a transaction hash")?;
        }
        "eth_getBlockByNumber" => {
            count(params, 1, 2)?;
            block_at(params, 0)?;
            if let Some(full) = params.get(1).filter(|full| **full != Value::Bool(false)) {
                return Err(AppError::invalid("params[1]", "false (no whole transactions)", full));
            }
        }
        "eth_feeHistory" => fee_history(params)?,
        "eth_getLogs" => {
            count(params, 1, 1)?;
            return logs(params.first());
        }
        other => return Err(AppError::MethodNotAllowed { method: other.chars().take(80).collect() }),
    }
    Ok(None)
}

/// Refuses a range of logs that is reversed or too wide.
pub(super) fn check_range(from_block: u64, to_block: u64) -> Result<(), AppError> {
    // A `fromBlock` above the height is an empty range, not an error.
    match to_block.saturating_sub(from_block) {
        span if span > MAX_LOG_BLOCKS => Err(AppError::TooLarge {
            what: format!("the range of blocks ({span})"),
            limit: format!("{MAX_LOG_BLOCKS} blocks"),
        }),
        _ => Ok(()),
    }
}

fn count(params: &[Value], least: usize, most: usize) -> Result<(), AppError> {
    if (least..=most).contains(&params.len()) {
        return Ok(());
    }
    let expected = if least == most { format!("{least} parameters") } else { format!("{least} to {most} parameters") };
    Err(AppError::invalid("params", expected, params.len()))
}

fn typed<T: serde::de::DeserializeOwned>(params: &[Value], index: usize, expected: &str) -> Result<(), AppError> {
    let value = params.get(index).unwrap_or(&Value::Null);
    match serde_json::from_value::<T>(value.clone()) {
        Ok(_) => Ok(()),
        Err(_) => Err(AppError::invalid(format!("params[{index}]"), expected, value)),
    }
}

/// A block tag or number; absent means latest.
fn block_at(params: &[Value], index: usize) -> Result<(), AppError> {
    match params.get(index) {
        None => Ok(()),
        Some(value) if block(value).is_some() => Ok(()),
        Some(other) => Err(AppError::invalid(format!("params[{index}]"), "a block tag or number", other)),
    }
}

/// `Some(None)` for a tag, `Some(Some(n))` for a number.
fn block(value: &Value) -> Option<Option<u64>> {
    match value.as_str() {
        Some("latest" | "pending" | "safe" | "finalized") => Some(None),
        Some("earliest") => Some(Some(0)),
        _ => small(value).map(Some),
    }
}

fn call(value: Option<&Value>) -> Result<(), AppError> {
    let wrong = |expected: &str, got: &Value| AppError::invalid("params[0]", expected, got);
    let value = value.unwrap_or(&Value::Null);
    let Value::Object(fields) = value else { return Err(wrong("an object with to and data", value)) };
    if !fields.contains_key("to") {
        return Err(wrong("an object with to (a call, not a deployment)", value));
    }
    for (name, content) in fields {
        let fits = match name.as_str() {
            "to" | "from" => serde_json::from_value::<Address>(content.clone()).is_ok(),
            "data" | "input" => {
                let data = serde_json::from_value::<Bytes>(content.clone());
                if data.as_ref().is_ok_and(|data| data.len() > MAX_CALL_DATA) {
                    return Err(AppError::TooLarge { what: "the call data".into(), limit: "128 KiB".into() });
                }
                data.is_ok()
            }
            "value" | "gas" | "gasPrice" | "maxFeePerGas" | "maxPriorityFeePerGas" => quantity(content).is_some(),
            _ => return Err(wrong("only to, from, data, value, gas and fees", &Value::String(name.clone()))),
        };
        if !fits {
            return Err(AppError::invalid(format!("params[0].{name}"), "a value of this field's type", content));
        }
    }
    Ok(())
}

fn fee_history(params: &[Value]) -> Result<(), AppError> {
    count(params, 2, 3)?;
    let blocks = params.first().and_then(small);
    if !blocks.is_some_and(|blocks| (1..=MAX_FEE_HISTORY).contains(&blocks)) {
        let got = params.first().unwrap_or(&Value::Null);
        return Err(AppError::invalid("params[0]", "1 to 1024 blocks", got));
    }
    block_at(params, 1)?;
    match params.get(2) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(list)) if list.len() <= 20 && list.iter().all(Value::is_number) => Ok(()),
        Some(other) => Err(AppError::invalid("params[2]", "at most 20 percentiles", other)),
    }
}

fn logs(filter: Option<&Value>) -> Result<Option<LogRange>, AppError> {
    let filter = filter.unwrap_or(&Value::Null);
    let Value::Object(fields) = filter else {
        return Err(AppError::invalid("params[0]", "a log filter", filter));
    };
    for (name, content) in fields {
        let fits = match name.as_str() {
            "address" => one_or_list(content, |one| serde_json::from_value::<Address>(one.clone()).is_ok()),
            "topics" => topics(content),
            "fromBlock" | "toBlock" => block(content).is_some(),
            "blockHash" => serde_json::from_value::<B256>(content.clone()).is_ok(),
            _ => false,
        };
        if !fits {
            return Err(AppError::invalid(format!("params[0].{name}"), "a field of a bounded log filter", content));
        }
    }
    if !fields.contains_key("address") {
        return Err(AppError::invalid("params[0].address", "the contracts whose logs are wanted", "nothing"));
    }
    range(fields)
}

fn range(fields: &Map<String, Value>) -> Result<Option<LogRange>, AppError> {
    if fields.contains_key("blockHash") {
        return Ok(None);
    }
    let Some(Some(from_block)) = fields.get("fromBlock").and_then(block) else {
        let got = fields.get("fromBlock").unwrap_or(&Value::Null);
        return Err(AppError::invalid("params[0].fromBlock", "a block number", got));
    };
    let to_block = fields.get("toBlock").and_then(block).flatten();
    Ok(Some(LogRange { from_block, to_block }))
}

fn one_or_list(value: &Value, fits: impl Fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(list) => !list.is_empty() && list.len() <= MAX_ALTERNATIVES && list.iter().all(fits),
        one => fits(one),
    }
}

fn topics(value: &Value) -> bool {
    let Value::Array(list) = value else { return false };
    let topic = |one: &Value| one.is_null() || serde_json::from_value::<B256>(one.clone()).is_ok();
    list.len() <= 4 && list.iter().all(|one| one.is_null() || one_or_list(one, topic))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "0x0788816536DEFa6A14779711c0B08b7f0edFe68b";

    fn refused(method: &str, params: Value) -> AppError {
        check(method, &params).unwrap_err()
    }

    #[test]
    fn reads_pass() {
        let hash = B256::repeat_byte(1);
        for (method, params) in [
            ("eth_blockNumber", json!([])),
            ("eth_chainId", Value::Null),
            ("eth_getBalance", json!([ACCOUNT, "latest"])),
            ("eth_getCode", json!([ACCOUNT])),
            ("eth_call", json!([{"to": ACCOUNT, "data": "0x70a08231"}, "latest"])),
            ("eth_getTransactionReceipt", json!([hash])),
            ("eth_getTransactionByHash", json!([hash])),
            ("eth_getBlockByNumber", json!(["0x10", false])),
            ("eth_feeHistory", json!(["0x4", "latest", [25, 75]])),
        ] {
            assert_eq!(check(method, &params), Ok(None), "{method}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for method in
            ["eth_sendRawTransaction", "anvil_setBalance", "debug_traceCall", "eth_accounts", "", "personal_sign"]
        {
            assert_eq!(refused(method, json!([])), AppError::MethodNotAllowed { method: method.into() });
        }
        assert!(
            matches!(refused(&"x".repeat(500), json!([])), AppError::MethodNotAllowed { method } if method.len() == 80)
        );
    }

    #[test]
    fn bad_shapes_name_the_parameter() {
        let field = |method, params| match refused(method, params) {
            AppError::InvalidInput { field, .. } => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field("eth_getBalance", json!(["0x12"])), "params[0]");
        assert_eq!(field("eth_getBalance", json!([ACCOUNT, "soon"])), "params[1]");
        assert_eq!(field("eth_getBalance", json!({})), "params");
        assert_eq!(field("eth_blockNumber", json!([1])), "params");
        assert_eq!(field("eth_getTransactionByHash", json!([ACCOUNT])), "params[0]");
        assert_eq!(field("eth_call", json!([{"data": "0x"}])), "params[0]");
        assert_eq!(field("eth_call", json!([{"to": ACCOUNT, "data": "zz"}])), "params[0].data");
        assert_eq!(field("eth_call", json!([{"to": ACCOUNT, "accessList": []}])), "params[0]");
        assert_eq!(field("eth_call", json!([{"to": ACCOUNT}, "latest", {}])), "params");
        assert_eq!(field("eth_getBlockByNumber", json!(["latest", true])), "params[1]");
        assert_eq!(field("eth_feeHistory", json!([5000, "latest"])), "params[0]");
        assert_eq!(field("eth_getLogs", json!([{"fromBlock": "0x1"}])), "params[0].address");
        assert_eq!(field("eth_getLogs", json!([{"address": ACCOUNT, "fromBlock": "latest"}])), "params[0].fromBlock");
        assert_eq!(field("eth_getLogs", json!([{"address": ACCOUNT, "topics": "0x"}])), "params[0].topics");
    }

    #[test]
    fn log_ranges_are_bounded() {
        let filter = |from: &str, to: &str| json!([{"address": ACCOUNT, "fromBlock": from, "toBlock": to}]);
        let range = check("eth_getLogs", &filter("0x10", "0x20")).unwrap().unwrap();
        assert_eq!(range, LogRange { from_block: 16, to_block: Some(32) });
        assert_eq!(check("eth_getLogs", &filter("0x10", "latest")).unwrap().unwrap().to_block, None);
        assert_eq!(check_range(16, 32), Ok(()));
        assert_eq!(check_range(32, 16), Ok(()));
        assert!(matches!(check_range(0, 10_001), Err(AppError::TooLarge { .. })));
    }

    #[test]
    fn oversized_call_data_is_refused() {
        let data = format!("0x{}", "00".repeat(MAX_CALL_DATA + 1));
        let error = refused("eth_call", json!([{"to": ACCOUNT, "data": data}]));
        assert!(matches!(error, AppError::TooLarge { .. }));
    }
}
