//! The JSON Schema of the file format: it is what the table of operations gives, every file passes it, and every file
//! whose fault lies in its form fails it. With `RECORD=1` in the environment the schema is written instead, to be
//! reviewed like code.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use retrograd::Graph;
use retrograd::ir::{Limits, Operation};
use retrograd::op::Op;
use retrograd::value::DType;
use serde_json::{Map, Value, json};

/// What the parameters of operations are, by their names.
fn parameter(name: &str) -> Value {
    let reference = match name {
        "axis" | "order" | "times" | "carry" | "cts" | "xs" | "length" | "max_trips" | "batch_axes" | "below"
        | "above" | "rank" | "n" => "#/$defs/natural",
        "checkpoint" | "schedule" => "#/$defs/schedule",
        "axes" | "shape" | "perm" | "start" | "limit" | "stride" | "interior" | "sizes" | "summed" => {
            "#/$defs/naturals"
        }
        "low" | "high" => "#/$defs/integers",
        "starts" | "strides" => "#/$defs/lists_of_naturals",
        "contract" | "batch" => "#/$defs/pair_of_axes",
        "exponent" => return json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX}),
        "draw" => {
            return json!({"enum": ["words", "bits32", "bits64", "unit_f64", "unit_f32", "normal_f64", "normal_f32"]});
        }
        "function" => return json!({"type": "string"}),
        "results" => return json!({"type": "array", "items": {"$ref": "#/$defs/type"}}),
        "rule" => return json!({"enum": ["jvp", "vjp", "solve"]}),
        "reverse" | "descending" | "right" | "transposed" | "strong" | "vectors" | "lower" | "unit" | "adjoint"
        | "inverse" | "doubled" | "halved" => {
            return json!({"type": "boolean"});
        }
        "ranks" => {
            let range = json!({"type": "array", "items": {"$ref": "#/$defs/natural"}, "minItems": 2, "maxItems": 2});
            return json!({"type": "array", "items": range});
        }
        "indexing" => {
            let (axes, pair) = (json!({"$ref": "#/$defs/naturals"}), json!({"$ref": "#/$defs/pair_of_axes"}));
            return json!({
                "type": "object",
                "properties": {"window": axes, "collapsed": axes, "batch": pair, "map": axes},
                "required": ["window", "collapsed", "batch", "map"],
                "additionalProperties": false
            });
        }
        "out_of_bounds" => return json!({"enum": ["error", "clamp", "drop"]}),
        "update" => return json!({"enum": ["set", "add", "mul", "min", "max"]}),
        "factors" => return json!({"enum": ["lu", "cholesky"]}),
        "zeros" => return json!({"enum": ["lhs", "rhs", "either"]}),
        "dtype" => return json!({"enum": DType::ALL.map(DType::name)}),
        other => panic!("the schema does not know what the parameter \"{other}\" is"),
    };
    json!({ "$ref": reference })
}

/// What may be left out.
const OPTIONAL: [(&str, &str); 6] = [
    ("while", "max_trips"),
    ("scan", "length"),
    ("scan", "reverse"),
    ("scan", "checkpoint"),
    ("revolve", "reverse"),
    ("gather", "summed"),
];

/// The keys that must stand, and those that may be left out.
type Parameters = (Vec<String>, Vec<String>);

/// The operations that take the same parameters, by these.
fn operations_by_parameters() -> BTreeMap<Parameters, Vec<&'static str>> {
    let mut by_parameters: BTreeMap<Parameters, Vec<&str>> = BTreeMap::new();
    for (name, _, examples) in Op::table() {
        let optional: Vec<String> =
            OPTIONAL.iter().filter(|(op, _)| *op == name).map(|(_, parameter)| parameter.to_string()).collect();
        let ops =
            examples.answers.iter().map(|answer| &answer.op).chain(examples.samples.iter().map(|sample| &sample.op));
        let mut parameters: Vec<Vec<String>> = ops
            .map(|op| {
                op.attributes().into_iter().map(|(name, _)| name).filter(|name| !optional.contains(name)).collect()
            })
            .collect();
        parameters.dedup();
        assert_eq!(parameters.len(), 1, "{name} takes different parameters in different examples");
        let mut required = if name == "constant" { vec!["value".to_string()] } else { parameters.remove(0) };
        if examples.samples.iter().any(|sample| !sample.regions.is_empty()) {
            required.push("regions".to_string());
        }
        by_parameters.entry((required, optional)).or_default().push(name);
    }
    by_parameters
}

fn schema() -> Value {
    let dtypes = DType::ALL.map(DType::name).join("|");
    let text = json!({"type": "string"});
    let name = json!({"type": "string", "minLength": 1});
    let list_of = |item: Value| json!({"type": "array", "items": item});
    let reference = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    let closed = |properties: Value, optional: &[&str]| {
        let required: Vec<&String> =
            properties.as_object().unwrap().keys().filter(|key| !optional.contains(&key.as_str())).collect();
        json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
    };
    let rules: Vec<Value> = operations_by_parameters()
        .into_iter()
        .filter(|((required, optional), _)| !required.is_empty() || !optional.is_empty())
        .map(|((required, optional), operations)| {
            let of = |name: &String| if name == "value" { reference("constant") } else { parameter(name) };
            let properties: Map<String, Value> = required
                .iter()
                .chain(&optional)
                .filter(|name| *name != "regions")
                .map(|name| (name.clone(), of(name)))
                .collect();
            json!({
                "if": {"required": ["op"], "properties": {"op": {"enum": operations}}},
                "then": {"required": required, "properties": properties},
            })
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A graph of retrograd, version 1",
        "description": "What a file must be for its form alone. Loading checks more: that names refer to what there \
            is, that types follow from operands, that nothing exceeds the limits.",
        "type": "object",
        "required": ["format", "version", "producer", "entry", "graphs"],
        "properties": {
            "format": {"const": "retrograd"},
            "version": {"const": 1},
            "producer": text,
            "entry": text,
            "graphs": {"type": "object", "minProperties": 1, "additionalProperties": reference("graph")},
            "constants": {
                "type": "object",
                "additionalProperties": closed(json!({"type": reference("type"), "base64": reference("base64")}), &[]),
            },
            "meta": true,
        },
        "additionalProperties": false,
        "$defs": {
            "graph": closed(json!({
                "inputs": list_of(closed(json!({"id": name, "type": reference("type")}), &[])),
                "nodes": list_of(reference("node")),
                "guards": list_of(closed(json!({"value": text, "expect": {"type": "boolean"}, "at": text}), &["at"])),
                "outputs": list_of(closed(json!({"name": name, "value": text}), &[])),
                "meta": true,
            }), &["guards", "meta"]),
            "node": {
                "type": "object",
                "required": ["id", "op", "in", "type"],
                "properties": {
                    "id": name,
                    "op": {"enum": Op::names()},
                    "in": list_of(text.clone()),
                    "type": {"anyOf": [reference("type"), list_of(reference("type"))]},
                    "regions": list_of(text.clone()),
                    "name": text,
                    "cotangent_of": text,
                    "tangent_of": text,
                    "at": text,
                    "meta": true,
                },
                "not": {"required": ["cotangent_of", "tangent_of"]},
                "allOf": rules,
                "unevaluatedProperties": false,
            },
            "type": {"type": "string", "pattern": format!(r"^(stack )?({dtypes})\[((0|[1-9][0-9]*)(,(0|[1-9][0-9]*))*)?\]$")},
            "base64": {"type": "string", "pattern": "^[A-Za-z0-9+/]*={0,2}$"},
            "constant": {
                "description": "A number or truth value, nested lists of them, or an entry of the table of constants.",
                "anyOf": [reference("elements"), closed(json!({"ref": text}), &[])],
            },
            "elements": {
                "anyOf": [
                    {"type": ["number", "boolean"]},
                    {"type": "string", "pattern": "^(nan|inf|-inf|-?[0-9]+)$"},
                    list_of(reference("elements")),
                ],
            },
            "natural": {"type": "integer", "minimum": 0},
            "naturals": list_of(reference("natural")),
            "lists_of_naturals": list_of(reference("naturals")),
            "integers": list_of(json!({"type": "integer"})),
            "schedule": {
                "anyOf": [
                    {"const": "sqrt"},
                    closed(json!({"binomial": {"type": "integer", "minimum": 1}}), &[]),
                ],
            },
            "pair_of_axes": {"type": "array", "items": reference("naturals"), "minItems": 2, "maxItems": 2},
        },
    })
}

/// Files whose fault is not one of form: it lies in how parts of the file belong together, in a size, or below JSON's
/// own rules. Each passes the schema.
const BEYOND_FORM: &[&str] = &[
    "attribute_out_of_range",
    "checkpoint_of_two_regions",
    "checkpoint_takes_another_type",
    "cond_of_branches_that_differ",
    "cond_of_three_regions",
    "cond_on_a_number",
    "cond_without_operands",
    "constant_given_twice",
    "constant_not_bool",
    "constant_not_in_table",
    "constant_of_another_type",
    "constant_of_wrong_dtype",
    "constant_of_wrong_shape",
    "constant_too_large",
    "constant_too_short",
    "constant_with_operand",
    "custom_rule_gives_another_type",
    "custom_rule_takes_a_tangent_for_a_cotangent",
    "custom_solve_of_two_regions",
    "custom_solve_with_another_product",
    "custom_solve_with_another_side",
    "custom_without_a_rule",
    "cycle",
    "dangling_guard",
    "dangling_name",
    "dangling_output",
    "dtype_mismatch",
    "duplicate_graphs",
    "duplicate_ids",
    "duplicate_keys",
    "duplicate_outputs",
    "extent_overflows",
    "external_gives_a_stack",
    "external_of_no_results",
    "external_of_other_results",
    "findings_in_a_region",
    "guard_in_a_region",
    "guard_of_a_number",
    "missing_entry",
    "missing_region",
    "region_of_itself",
    "regions_that_multiply",
    "regions_too_deep",
    "role_of_nothing",
    "scan_along_nothing",
    "scan_of_a_scalar",
    "scan_of_other_rows",
    "scan_too_large",
    "scan_without_a_length",
    "scan_without_the_number_of_the_row",
    "scan_xs_too_many",
    "several_types_for_one_result",
    "shape_mismatch",
    "size_overflows",
    "stack_as_an_operand",
    "stack_as_an_output",
    "stack_into_a_while",
    "stack_that_no_loop_made",
    "stack_with_a_length",
    "stacks_of_two_loops",
    "switch_on_a_condition",
    "switch_without_branches",
    "too_many_axes",
    "too_many_bytes",
    "too_many_elements",
    "unused_graph",
    "unwanted_region",
    "use_before_definition",
    "use_of_itself",
    "while_body_takes_another_type",
    "while_carry_is_too_large",
    "while_changes_its_carry",
    "while_condition_gives_two",
    "while_condition_is_a_number",
    "while_drops_its_carry",
    "while_in_its_own_body",
    "while_without_a_body",
    "while_wrong_recorded_types",
    "wrong_arity",
    "wrong_recorded_type",
];

#[test]
fn the_schema_is_what_the_operations_give() {
    let path = folder().join("schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("RECORD").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert!(recorded == text, "the operations give another schema (RECORD=1 writes it)");
    assert!(jsonschema::meta::is_valid(&schema()), "the schema is none of draft 2020-12");
}

#[test]
fn every_file_passes() {
    let validator = validator();
    for (name, document) in documents() {
        let faults: Vec<String> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

#[test]
fn invalid_files_fail_where_their_form_is_at_fault() {
    let validator = validator();
    let mut accepted = Vec::new();
    for path in json_files(&folder().join("invalid")) {
        // What is no JSON is no instance of any schema.
        let Ok(document) = serde_json::from_str::<Value>(&fs::read_to_string(&path).unwrap()) else { continue };
        if validator.is_valid(&document) {
            accepted.push(path.file_stem().unwrap().to_str().unwrap().to_string());
        }
    }
    assert_eq!(accepted, BEYOND_FORM);
}

/// Every key of every object is dropped, misspelled, and given a value of another kind. What the schema then rejects,
/// the loader rejects, too; and what has the wrong form, the schema rejects.
#[test]
fn mutated_files_fail() {
    let validator = validator();
    let mut n_rejected = 0;
    for (name, document) in documents() {
        let mut pointers = Vec::new();
        objects(&document, String::new(), &mut pointers);
        // Of a large file only some objects, spread over all of it, and so over all operations of all files.
        let every = pointers.len().div_ceil(25);
        let pointers = pointers.into_iter().rev().step_by(every);
        for pointer in pointers {
            // What stands under `meta` may be anything.
            let object = document.pointer(&pointer).unwrap().as_object().unwrap();
            for key in object.keys().filter(|key| *key != "meta") {
                for (what, must_fail, mutated) in mutations(&document, &pointer, key) {
                    let rejected = !validator.is_valid(&mutated);
                    assert!(rejected || !must_fail, "{name}{pointer}/{key}, {what}, passes");
                    if rejected {
                        n_rejected += 1;
                        let loaded = Graph::from_json(&mutated.to_string(), &Limits::default());
                        assert!(loaded.is_err(), "{name}{pointer}/{key}, {what}, is loaded");
                    }
                }
            }
        }
    }
    assert!(n_rejected > 1_000, "only {n_rejected} files are rejected");
}

/// The document without that key, with the key misspelled, and with a value of another kind; and whether that is a
/// matter of form.
fn mutations(document: &Value, pointer: &str, key: &str) -> [(&'static str, bool, Value); 3] {
    let mutate = |change: &dyn Fn(&mut Map<String, Value>)| {
        let mut mutated = document.clone();
        change(mutated.pointer_mut(pointer).unwrap().as_object_mut().unwrap());
        mutated
    };
    // Names of graphs and of constants are free; whether something refers to them is not a matter of form.
    let is_free = pointer.ends_with("/graphs") || pointer.ends_with("/constants");
    let optional = ["at", "name", "cotangent_of", "tangent_of", "guards", "constants"];
    let may_be_left_out = optional.contains(&key) || OPTIONAL.iter().any(|(_, parameter)| *parameter == key);
    let is_optional = is_free || may_be_left_out && !pointer.contains("/outputs/");
    let misspell = |object: &mut Map<String, Value>| {
        let value = object.shift_remove(key).unwrap();
        object.insert(format!("{key}x"), value);
    };
    [
        ("dropped", !is_optional, mutate(&|object| drop(object.shift_remove(key)))),
        ("misspelled", !is_free, mutate(&misspell)),
        ("of another kind", true, mutate(&|object| drop(object.insert(key.to_string(), json!({"a": null}))))),
    ]
}

// Helpers

fn validator() -> Validator {
    let text = fs::read_to_string(folder().join("schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ir-examples")
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|x| x == "json")).collect();
    files.sort();
    files
}

/// The examples, the old files, and their derivatives.
fn documents() -> Vec<(String, Value)> {
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/v1");
    let mut documents = Vec::new();
    for path in json_files(&folder()).into_iter().chain(json_files(&old)) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        if name == "schema" || name.contains('.') {
            continue;
        }
        documents.push((name, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap()));
    }
    assert!(documents.len() > 10);
    documents
}

/// The places of all objects below a place, but for what stands under `meta`.
fn objects(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, part) in object.iter().filter(|(key, _)| *key != "meta") {
                objects(part, format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), pointers);
            }
            pointers.push(pointer);
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(k, part)| objects(part, format!("{pointer}/{k}"), pointers));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
