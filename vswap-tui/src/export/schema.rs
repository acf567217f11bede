//! JSON Schema (draft 2020-12) of the lines that NDJSON exports have.

use serde_json::{Value, json};
use vswap_common::Kind;

fn number(least: i64) -> Value {
    json!({"type": "integer", "minimum": least})
}

fn or_null(of: &Value) -> Value {
    json!({"anyOf": [of, {"type": "null"}]})
}

/// The schema of a line of events.
pub fn events() -> Value {
    let kinds: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of a vswap recording",
        "type": "object",
        "properties": {
            "ts": {"type": "integer", "minimum": 0, "description": "CLOCK_MONOTONIC, ns"},
            "time_ns": {"description": "Wall time, ns since 1970; null if the recording cannot tell", "type": ["integer", "null"]},
            "kind": {"enum": kinds},
            "dev": or_null(&json!({"type": "integer", "minimum": 0, "maximum": 31})),
            "off": or_null(&number(0)),
            "nr": {"type": "integer", "minimum": 0, "maximum": 65535, "description": "Slots (pages) in the run"},
            "order": {"type": "integer", "minimum": 0, "maximum": 9},
            "memcg": or_null(&number(0)),
            "cgroup": {"type": ["string", "null"]},
            "cpu": number(0),
            "tid": number(0),
            "val": {"type": "integer", "description": "By kind: an error, compressed bytes, a list"},
            "arg": {"type": "integer", "minimum": 0, "description": "By kind: a duration in ns, a count"},
            "flags": number(0)
        },
        "required": super::row::EVENT_COLUMNS,
        "additionalProperties": false
    })
}

/// The schema of a line of slots.
pub fn slots() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A swap slot in use",
        "type": "object",
        "properties": {
            "dev": {"type": "integer", "minimum": 0, "maximum": 31},
            "off": number(0),
            "backend": {"enum": ["none", "folio", "zero", "zswap", "phys"]},
            "phys_dev": or_null(&number(0)),
            "phys_off": or_null(&number(0)),
            "memcg": number(0),
            "cgroup": {"type": ["string", "null"]},
            "order": {"type": "integer", "minimum": 0, "maximum": 9},
            "cached": {"type": "boolean"},
            "len": or_null(&json!({"type": "integer", "minimum": 1, "maximum": 4096})),
            "confirmed": {"type": "boolean"}
        },
        "required": super::row::SLOT_COLUMNS,
        "additionalProperties": false
    })
}
