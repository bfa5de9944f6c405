//! Conformance data that cannot be shipped.

use std::collections::HashMap;

use modelops_cleaning::constraint::{Constraints, DenialConstraint};
use modelops_testkit::data_dir;

/// Hospital: 1,000 rows with 509 wrong cells, fifteen denial constraints, no labels shown.
#[test]
#[ignore = "needs MODELOPS_DATA"]
fn the_wrong_cells_of_hospital_are_found() {
    let folder = data_dir().unwrap().join("dirty-tables/hospital");
    let mut reader = csv::Reader::from_path(folder.join("hospital.csv")).unwrap();
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<Vec<String>> = reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect();
    let mut truth = HashMap::new();
    let mut reader = csv::Reader::from_path(folder.join("hospital_clean.csv")).unwrap();
    for record in reader.records() {
        let record = record.unwrap();
        if let Some(column) = columns.iter().position(|name| *name == record[1]) {
            truth.insert(
                (record[0].parse::<usize>().unwrap(), column),
                record[2].to_owned(),
            );
        }
    }
    let wrong = truth
        .iter()
        .filter(|&(&(row, column), value)| rows[row][column] != *value)
        .count();
    assert_eq!((rows.len(), wrong), (1000, 509));

    let text = std::fs::read_to_string(folder.join("hospital_constraints.txt")).unwrap();
    let denials: Vec<DenialConstraint> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.parse().unwrap())
        .collect();
    assert_eq!(denials.len(), 15);
    let suspects = Constraints::try_new(denials, &columns).unwrap().suspects(&rows);
    let is_wrong =
        |row: usize, column: usize| truth.get(&(row, column)).is_some_and(|v| *v != rows[row][column]);
    let found = suspects.iter().filter(|s| is_wrong(s.row, s.column)).count() as f64;
    let repaired = suspects
        .iter()
        .filter(|s| truth.get(&(s.row, s.column)) == Some(&s.suggestion))
        .count() as f64;
    let (precision, recall) = (found / suspects.len() as f64, found / wrong as f64);
    let f1 = 2.0 * precision * recall / (precision + recall);
    let (repair_precision, repair_recall) = (repaired / suspects.len() as f64, repaired / wrong as f64);
    println!(
        "detection: precision {precision:.4}, recall {recall:.4}, F1 {f1:.4}; repair: precision {repair_precision:.4}, recall {repair_recall:.4}"
    );
    assert!(f1 >= 0.90 && repair_precision >= 0.95 && repair_recall >= 0.75);
}
