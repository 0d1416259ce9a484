//! The limits of numbers, which a schema of schemars tells only by the name of a format.

use serde_json::{Map, Value, json};

/// Adds `minimum` and `maximum` to all numbers of a document whose format has limits. Without them,
/// a client that follows the schema sends numbers that do not fit.
pub(super) fn add_limits(value: &mut Value) {
    match value {
        Value::Object(members) => {
            add_to(members);
            members.values_mut().for_each(add_limits);
        }
        Value::Array(items) => items.iter_mut().for_each(add_limits),
        _ => {}
    }
}

fn add_to(schema: &mut Map<String, Value>) {
    let limits = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => (json!(0), json!(u8::MAX)),
        Some("uint16") => (json!(0), json!(u16::MAX)),
        Some("uint32") => (json!(0), json!(u32::MAX)),
        // On every machine that the servers run on.
        Some("uint64" | "uint") => (json!(0), json!(u64::MAX)),
        Some("int8") => (json!(i8::MIN), json!(i8::MAX)),
        Some("int16") => (json!(i16::MIN), json!(i16::MAX)),
        Some("int32") => (json!(i32::MIN), json!(i32::MAX)),
        Some("int64" | "int") => (json!(i64::MIN), json!(i64::MAX)),
        _ => return,
    };
    for (name, limit) in [("minimum", limits.0), ("maximum", limits.1)] {
        schema.entry(name).or_insert(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_with_a_format_has_its_limits_and_keeps_its_own() {
        let mut document = json!({
            "a": [{ "type": "integer", "format": "uint32", "minimum": 7 }],
            "b": { "type": ["integer", "null"], "format": "int64" },
            "c": { "type": "number", "format": "double" },
            "format": { "type": "string" },
        });
        add_limits(&mut document);
        assert_eq!(document["a"][0]["minimum"], 7);
        assert_eq!(document["a"][0]["maximum"], 4_294_967_295_u32);
        assert_eq!(document["b"]["minimum"], i64::MIN);
        assert_eq!(document["b"]["maximum"], i64::MAX);
        assert_eq!(document["c"].get("maximum"), None);
        assert_eq!(document["format"], json!({ "type": "string" }));
    }
}
