//! The schema of the specification and its reader accept the same documents.

use modelops_cleaning::constraint::Comparison;
use modelops_cleaning::{
    Action, Blame, Check, ColumnType, Compare, Deny, DropDuplicates, DropMissing, Equality, Fill, Format,
    How, Isolate, IsolationForest, Keep, Mode, OutlierMethod, Outliers, PipelineSpec, Read, References, Rule,
    Step, Unique,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Whether `value` meets `schema`: the keywords that the schema of the specification uses, and no other.
fn meets(root: &Value, schema: &Value, value: &Value) -> bool {
    schema.as_object().unwrap().iter().all(|(keyword, says)| {
        let object = value.as_object();
        let list = || says.as_array().unwrap().iter();
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" => true,
            "$ref" => {
                let name = says.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                meets(root, &root["$defs"][name], value)
            }
            "type" if says.is_array() => list().any(|kind| is(kind.as_str().unwrap(), value)),
            "type" => is(says.as_str().unwrap(), value),
            "const" => says == value,
            "enum" => list().any(|allowed| allowed == value),
            "anyOf" => list().any(|one| meets(root, one, value)),
            "oneOf" => list().filter(|one| meets(root, one, value)).count() == 1,
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| meets(root, says, item))),
            "required" => {
                object.is_none_or(|object| list().all(|name| object.contains_key(name.as_str().unwrap())))
            }
            "properties" => object.is_none_or(|object| {
                let known = says.as_object().unwrap().iter();
                let mut present = known.filter_map(|(name, schema)| Some((schema, object.get(name)?)));
                present.all(|(schema, value)| meets(root, schema, value))
            }),
            "additionalProperties" => object.is_none_or(|object| {
                let known = schema.get("properties").and_then(Value::as_object);
                let mut other = object
                    .iter()
                    .filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
                other.all(|(_, value)| {
                    says.as_bool() != Some(false) && (says.is_boolean() || meets(root, says, value))
                })
            }),
            "minimum" => value.as_f64().is_none_or(|n| n >= says.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|n| n <= says.as_f64().unwrap()),
            "exclusiveMinimum" => value.as_f64().is_none_or(|n| n > says.as_f64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 >= says.as_u64().unwrap()),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() as u64 <= says.as_u64().unwrap()),
            other => panic!("a keyword that nobody checks: {other}"),
        }
    })
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("no such type: {other}"),
    }
}

fn schema() -> Value {
    serde_json::from_str(PipelineSpec::JSON_SCHEMA).unwrap()
}

/// A specification in which every kind of step, every action and every option occurs.
fn everything() -> Value {
    let range = Rule::Range {
        min: Some(0.0),
        max: None,
    };
    let mut spec = PipelineSpec::new(
        Read::new("in.csv", Format::Csv { separator: ';' })
            .trim(true)
            .sentinels(["NA"])
            .sentinels_in("a", ["-999"])
            .typed("a", ColumnType::Int)
            .typed("b", ColumnType::Text),
    )
    .mode(Mode::Typed)
    .write("out.parquet", Format::Parquet)
    .quarantine("bad.jsonl")
    .profile(true);
    let steps: Vec<Step> = vec![
        DropMissing {
            how: How::All,
            columns: vec!["a".into()],
        }
        .into(),
        DropDuplicates {
            columns: vec!["a".into()],
            keep: Keep::Last,
            equality: Equality::Normalised,
        }
        .into(),
        Check::new("a", range).on_fail(Action::Clip).into(),
        Check::new("a", Rule::NotNull).on_fail(Action::Flag).into(),
        Check::new("a", Rule::InSet(vec!["x".into()]))
            .on_fail(Action::Drop)
            .into(),
        Check::new("a", Rule::Regex("^x".into())).into(),
        Check::new("a", Rule::Length { min: 1, max: 9 }).into(),
        Fill {
            column: "a".into(),
            value: "0".into(),
        }
        .into(),
        Outliers {
            columns: vec!["a".into()],
            method: OutlierMethod::ZScore(3.0),
            action: Action::Drop,
        }
        .into(),
        Outliers {
            columns: vec!["a".into()],
            method: OutlierMethod::Mad(3.0),
            action: Action::Drop,
        }
        .into(),
        Outliers {
            columns: vec!["a".into()],
            method: OutlierMethod::Iqr(1.5),
            action: Action::Drop,
        }
        .into(),
        Unique::new(["a"]).into(),
        Compare::new("a", Comparison::LessOrEqual, "b").into(),
        References::new(["a"], "keys.csv").keys(["k"]).into(),
        Deny::new("t1&t2&EQ(t1.a,t2.a)&IQ(t1.b,t2.b)")
            .blame(Blame::Suspects)
            .into(),
        Isolate {
            forest: IsolationForest::default().with_contamination(0.1).unwrap(),
            seed: 7,
            ..Isolate::new(["a", "b"])
        }
        .into(),
    ];
    spec.steps = steps;
    serde_json::from_str(&spec.to_json()).unwrap()
}

/// Every place in a document.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| places(value, &format!("{at}/{name}"), all)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, value)| places(value, &format!("{at}/{i}"), all));
        }
        _ => {}
    }
}

#[test]
fn a_sound_specification_meets_the_schema() {
    let (schema, everything) = (schema(), everything());
    assert!(meets(&schema, &schema, &everything));
    assert!(meets(
        &schema,
        &schema,
        &json!({ "version": 1, "read": { "path": "in.csv" } })
    ));
    assert!(!meets(
        &schema,
        &schema,
        &json!({ "version": 1, "read": { "path": "in.csv", "sentinel": [] } })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Law: whatever is changed in a specification, the schema refuses it just where the reader does.
    #[test]
    fn the_schema_accepts_what_the_reader_accepts(pick in any::<prop::sample::Index>(), change in 0..14usize) {
        let mut document = everything();
        let mut all = Vec::new();
        places(&document, "", &mut all);
        let place = &all[pick.index(all.len())];
        let target = document.pointer_mut(place).unwrap();
        match (change, &mut *target) {
            (0, Value::Object(members)) => {
                members.insert("unknown".to_owned(), json!(1));
            }
            (1, Value::Object(members)) => {
                let first = members.keys().next().cloned();
                first.map(|name| members.remove(&name));
            }
            (2, Value::Object(members)) => {
                let last = members.keys().next_back().cloned();
                last.map(|name| members.remove(&name));
            }
            (3, Value::Array(items)) => items.push(json!("text")),
            (4, Value::Array(items)) => items.clear(),
            (5, _) => *target = Value::Null,
            (6, _) => *target = json!(true),
            (7, _) => *target = json!(-1),
            (8, _) => *target = json!(1.5),
            (9, _) => *target = json!("text"),
            // The reader takes a list of the members in their order for an object; the schema does not offer that.
            (10, Value::Object(_)) => {}
            (10, _) => *target = json!([]),
            (11, _) => *target = Value::Object(Map::new()),
            (12, _) => *target = json!(0),
            _ => *target = json!(";"),
        }
        let schema = schema();
        let accepted = PipelineSpec::from_json(&document.to_string());
        prop_assert_eq!(
            meets(&schema, &schema, &document),
            accepted.is_ok(),
            "{} {:?}", place, accepted.err()
        );
    }
}
