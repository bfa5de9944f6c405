//! Denial constraints, by hand and against all pairs.

use modelops_cleaning::constraint::{ConstraintError, Constraints, DenialConstraint};
use proptest::prelude::*;

fn denial(text: &str) -> DenialConstraint {
    text.parse().unwrap()
}

fn rows(cells: &[&[&str]]) -> Vec<Vec<String>> {
    cells
        .iter()
        .map(|row| row.iter().map(|&cell| cell.to_owned()).collect())
        .collect()
}

#[test]
fn orders_constants_and_single_rows() {
    let columns = ["salary", "tax", "state"];
    let table = rows(&[
        &["100", "10", "a"],
        &["200", "9", "a"],
        &["300", "30", "b"],
        &["90", "", "a"],
        &["1e2", "10.0", "c"],
    ]);
    let found = |text: &str| {
        Constraints::try_new(vec![denial(text)], &columns)
            .unwrap()
            .violations(&table, 100)
            .into_iter()
            .map(|(_, first, second)| (first, second))
            .collect::<Vec<_>>()
    };
    // Who earns more pays no less, in one state: 9 is a number below 10, not a text above it.
    let order = "t1&t2&EQ(t1.state,t2.state)&GT(t1.salary,t2.salary)&LT(t1.tax,t2.tax)";
    assert_eq!(found(order), [(1, 0)]);
    assert_eq!(found("t1&t2&EQ(t1.salary,t2.salary)&EQ(t1.tax,t2.tax)"), [(0, 4)]);
    assert_eq!(found("t1&EQ(t1.state,\"b\")&GTE(t1.tax,'30')"), [(2, 2)]);
    assert_eq!(
        found("t1&t2&IQ(t1.state,t2.state)&LTE(t1.tax,t2.tax)"),
        [(0, 2), (0, 4), (1, 2), (1, 4), (4, 2)]
    );
}

#[test]
fn bad_constraints_are_refused() {
    for text in [
        "",
        "t1&t2",
        "EQ(t1.a)",
        "EQ(t1.a,t2.a",
        "NE(t1.a,t2.a)",
        "EQ(a,t2.a)",
    ] {
        let parsed: Result<DenialConstraint, _> = text.parse();
        assert!(matches!(parsed, Err(ConstraintError::Syntax { .. })), "{text}");
    }
    let unknown = Constraints::try_new(vec![denial("EQ(t1.a,t2.b)")], &["a", "a", "b"]);
    let column = "a".to_owned();
    assert_eq!(
        unknown,
        Err(ConstraintError::Column {
            constraint: 0,
            column
        })
    );
    let conditions = Vec::new();
    let empty = Constraints::try_new(vec![DenialConstraint { conditions }], &["a"]);
    assert_eq!(empty, Err(ConstraintError::Empty { constraint: 0 }));
}

#[test]
fn a_fault_in_a_determining_column_is_found_in_the_next_round() {
    let columns = ["code", "name", "kind"];
    let text = |row: &[&str; 3]| row.map(str::to_owned).to_vec();
    let mut table: Vec<Vec<String>> = vec![text(&["1", "heart", "x"]); 4];
    // The name hides that the kind is wrong too, until it is repaired.
    table.push(text(&["1", "hexrt", "y"]));
    table.push(text(&["", "heart", "x"]));
    let denials = [
        "EQ(t1.code,t2.code)&IQ(t1.name,t2.name)",
        "EQ(t1.name,t2.name)&IQ(t1.kind,t2.kind)",
    ];
    let constraints = Constraints::try_new(denials.map(denial).to_vec(), &columns).unwrap();
    let suspects: Vec<_> = constraints
        .suspects(&table)
        .into_iter()
        .map(|s| (s.row, s.column, s.suggestion))
        .collect();
    assert_eq!(suspects, [(4, 1, "heart".to_owned()), (4, 2, "x".to_owned())]);
    // One against one: nobody knows who is right.
    let two = rows(&[&["1", "a", "x"], &["1", "b", "x"]]);
    assert!(constraints.suspects(&two).is_empty());
}

proptest! {
    /// Law: grouping finds the pairs that looking at all of them finds.
    #[test]
    fn violations_are_those_of_all_pairs(
        cells in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![Just(""), Just("1"), Just("1.0"), Just("2"), Just("x"), Just("-0"), Just("0")], 3),
            0..12,
        ),
        which in 0usize..4,
    ) {
        let text = [
            "EQ(t1.a,t2.a)&IQ(t1.b,t2.b)",
            "EQ(t1.a,t2.b)&LT(t1.c,t2.c)",
            "EQ(t1.a,t2.a)&EQ(t1.b,t2.c)&GTE(t1.c,t2.b)",
            "IQ(t1.a,t2.a)&EQ(t1.b,\"1\")",
        ][which];
        let table: Vec<Vec<String>> = cells.iter().map(|row| row.iter().map(|c| (*c).to_owned()).collect()).collect();
        let constraints = Constraints::try_new(vec![denial(text)], &["a", "b", "c"]).unwrap();
        let number = |s: &str| s.parse::<f64>().ok();
        let same = |a: &str, b: &str| match (number(a), number(b)) { (Some(a), Some(b)) => a == b, _ => a == b };
        let less = |a: &str, b: &str| match (number(a), number(b)) { (Some(a), Some(b)) => a < b, _ => a < b };
        let known = |cells: &[&String]| cells.iter().all(|c| !c.is_empty());
        let breaks = |i: usize, j: usize| {
            let (s, t) = (&table[i], &table[j]);
            match which {
                0 => known(&[&s[0], &t[0], &s[1], &t[1]]) && same(&s[0], &t[0]) && !same(&s[1], &t[1]),
                1 => known(&[&s[0], &t[1], &s[2], &t[2]]) && same(&s[0], &t[1]) && less(&s[2], &t[2]),
                2 => known(&[&s[0], &t[0], &s[1], &t[2], &s[2], &t[1]])
                    && same(&s[0], &t[0]) && same(&s[1], &t[2]) && !less(&s[2], &t[1]),
                _ => known(&[&s[0], &t[0], &s[1]]) && !same(&s[0], &t[0]) && same(&s[1], "1"),
            }
        };
        let mut expected = Vec::new();
        for i in 0..table.len() {
            for j in 0..table.len() {
                if i != j && breaks(i, j) && (i < j || !breaks(j, i)) {
                    expected.push((0, i, j));
                }
            }
        }
        let mut found = constraints.violations(&table, usize::MAX);
        prop_assert_eq!(constraints.violations(&table, 2).len(), found.len().min(2));
        found.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}
