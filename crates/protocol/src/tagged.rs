//! Enums that travel as an object whose one field names the variant (serde's `tag`), read with little code.
//!
//! What serde derives for them is a reader per variant over a copy of the object: in a page, several times the rest of
//! what reads an answer. This reads a JSON object once and takes the fields out of it.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::{Map, Value};

/// `Deserialize` for such an enum: the field that names the variant, and each variant's name on the wire with its fields,
/// which are in camelCase there. A variant or field that is missing here does not compile.
///
/// ```
/// use serde_json::json;
/// use use_aa_protocol::read_tagged;
///
/// #[derive(Debug, PartialEq)]
/// enum News { Nothing, Block { block_number: u64 } }
/// read_tagged! { News by "news": "nothing" => Nothing, "block" => Block { block_number } }
///
/// let news: News = serde_json::from_value(json!({ "news": "block", "blockNumber": 7 })).unwrap();
/// assert_eq!(news, News::Block { block_number: 7 });
/// assert!(serde_json::from_value::<News>(json!({ "news": "block" })).is_err());
/// assert!(serde_json::from_value::<News>(json!({ "news": "weather" })).is_err());
/// assert_eq!(serde_json::from_value::<News>(json!({ "news": "nothing" })).unwrap(), News::Nothing);
/// assert_eq!(News::WIRE_NAMES, ["nothing", "block"]);
/// ```
#[macro_export]
macro_rules! read_tagged {
    ($enum:ident by $tag:literal: $($name:expr => $variant:ident $({ $($field:ident),* })?),* $(,)?) => {
        impl $enum {
            /// The variants' names on the wire: others are of another version.
            #[allow(dead_code)]
            pub const WIRE_NAMES: &[&str] = &[$($name),*];
        }

        impl<'de> ::serde::Deserialize<'de> for $enum {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // Fails to compile when one is left out.
                fn _all(known: &$enum) {
                    match known {
                        $($enum::$variant { .. } => {})*
                    }
                }
                fn read(name: &str, _fields: &mut ::serde_json::Map<String, ::serde_json::Value>) -> Result<$enum, ::serde_json::Error> {
                    $(
                        if name == $name {
                            return Ok($enum::$variant $({ $($field: $crate::tagged::field(_fields, stringify!($field))?),* })?);
                        }
                    )*
                    Err($crate::tagged::unknown($tag, name))
                }
                $crate::tagged::read(deserializer, $tag, read)
            }
        }
    };
}

/// Reads the object, its tag, and by that the rest.
#[doc(hidden)]
pub fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    tag: &'static str,
    variant: fn(&str, &mut Map<String, Value>) -> Result<T, serde_json::Error>,
) -> Result<T, D::Error> {
    let mut fields = Map::deserialize(deserializer)?;
    let name = fields.remove(tag);
    let name = name.as_ref().and_then(Value::as_str).ok_or_else(|| D::Error::missing_field(tag))?;
    variant(name, &mut fields).map_err(D::Error::custom)
}

/// A field by its Rust name; one that is not there is read as `null`.
#[doc(hidden)]
pub fn field<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &'static str) -> Result<T, serde_json::Error> {
    let value = fields.remove(&camel_case(name)).unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|error| in_field(name, &error))
}

fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for letter in name.chars() {
        if letter != '_' {
            camel.push(if raise { letter.to_ascii_uppercase() } else { letter });
        }
        raise = letter == '_';
    }
    camel
}

#[cold]
fn in_field(name: &str, error: &serde_json::Error) -> serde_json::Error {
    Error::custom(format_args!("{}: {error}", camel_case(name)))
}

/// What is said of a variant that this version does not know.
#[doc(hidden)]
#[cold]
pub fn unknown(tag: &str, name: &str) -> serde_json::Error {
    Error::custom(format_args!("an unknown {tag}: {name}"))
}
