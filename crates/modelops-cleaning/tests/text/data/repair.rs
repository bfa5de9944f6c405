//! The cases of ftfy.

use modelops_cleaning::text::repair::{Repair, repair, repair_and_explain};
use modelops_testkit::data_dir;
use serde_json::Value;

/// Every case that ftfy itself passes; of those that it fails, none worse than ftfy.
#[test]
#[ignore = "needs MODELOPS_DATA"]
fn every_case_that_ftfy_passes_is_repaired() {
    let folder = data_dir().unwrap().join("ftfy");
    let (mut passed, mut known) = (0, 0);
    for name in [
        "in-the-wild",
        "known-failures",
        "language-names",
        "negative",
        "synthetic",
    ] {
        let text = std::fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
        let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
        for case in cases {
            let field = |name: &str| case[name].as_str();
            let (original, fixed) = (field("original").unwrap(), field("fixed").unwrap());
            let ours = repair(original);
            assert_eq!(repair(&ours), ours, "repaired twice: {original}");
            if field("expect") == Some("pass") {
                assert_eq!(ours, fixed, "{}", field("label").unwrap());
                // The steps name a decoding exactly where one was undone.
                let (again, steps) = repair_and_explain(original);
                assert_eq!(again, ours);
                assert_eq!(steps.is_empty(), original == fixed, "{steps:?}");
                assert!(steps.len() <= 12 && !steps.contains(&Repair::Escapes));
                passed += 1;
            } else {
                known += usize::from(ours == fixed);
            }
        }
    }
    println!("{passed} cases pass; {known} of ftfy's ten known failures as well");
    assert_eq!(passed, 151);
}
