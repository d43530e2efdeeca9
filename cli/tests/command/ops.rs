use retrograd::op::Op;
use serde_json::Value;

use super::Folder;

#[test]
fn every_operation_is_in_the_table_and_has_a_page() {
    let folder = Folder::new();
    let table = folder.ok(&["ops"]);
    let json = folder.ok(&["ops", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let ops = Op::table();
    assert_eq!((table.lines().count(), json.as_array().unwrap().len()), (ops.len() + 1, ops.len()));
    for ((line, entry), (name, doc, _)) in table.lines().skip(1).zip(json.as_array().unwrap()).zip(&ops) {
        assert!(line.starts_with(&format!("{name} ")) && line.contains(doc.summary) && line.contains(doc.accuracy));
        assert_eq!((entry["name"].as_str(), entry["derivative"].as_str()), (Some(*name), Some(doc.derivative)));
        assert_eq!(entry["node"]["op"], *name);
        for parameter in entry["parameters"].as_array().unwrap() {
            assert!(entry["node"].get(parameter.as_str().unwrap()).is_some(), "{name}");
        }
    }
    for name in ["add", "reduce_sum", "dot_general", "constant"] {
        assert!(folder.ok(&["ops", name]).starts_with(&format!("{name}: ")));
    }
}

#[test]
fn a_page_tells_all_about_an_operation() {
    let folder = Folder::new();
    assert_eq!(
        folder.ok(&["ops", "reverse"]),
        "reverse: x in reverse order along axes\n\n\
         derivative  linear: reverse back\n\
         accuracy    exact\n\
         parameters  axes, as in [0,2] or [1] or [0] or [0,1]\n\
         types       (f64[4,3,5]) -> f64[4,3,5]\n            (f32[4,3,5]) -> f32[4,3,5]\n            \
         (i64[4,3,5]) -> i64[4,3,5]\n            (bool[4,3,5]) -> bool[4,3,5]\n\
         in a file   {\"id\": \"n0\", \"op\": \"reverse\", \"in\": [\"x\"], \"type\": \"f64[4,3,5]\", \"axes\": [0, 2]}\n"
    );
    let entry: Value = serde_json::from_str(&folder.ok(&["ops", "max", "--json"])).unwrap();
    assert_eq!(entry["derivative"], "1 for the larger, 0 for the other, 1/2 each for a tie");
    assert_eq!(entry["kind"], "elementwise");
    assert_eq!(folder.fails(1, &["ops", "tahn"]), "error: there is no operation \"tahn\"; did you mean \"tanh\"?\n");
}
