use modelops_cleaning::text::near::{NearDuplicates, Shingle};
use modelops_testkit::cleaning_text::{RECALL_CONFIDENCE, proportion_lower_bound, shingles};
use modelops_testkit::data_dir;
use std::collections::HashMap;

/// Cora: 1,879 citations in large groups, compared by runs of three characters.
#[test]
#[ignore = "needs MODELOPS_DATA"]
fn the_promised_recall_holds_on_cora() {
    let path = data_dir().unwrap().join("cora/cora.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let columns = ["author", "title", "booktitle", "journal", "date"]
        .map(|name| headers.iter().position(|header| header == name).unwrap());
    let texts: Vec<String> = reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            columns.map(|column| record[column].to_owned()).join(" ")
        })
        .collect();
    assert_eq!(texts.len(), 1879);
    // Exact similarities of all pairs, on numbered shingles.
    let mut numbers = HashMap::new();
    let sets: Vec<Vec<usize>> = texts
        .iter()
        .map(|text| {
            let mut set: Vec<usize> = shingles(text, 3, false)
                .into_iter()
                .map(|shingle| {
                    let next = numbers.len();
                    *numbers.entry(shingle).or_insert(next)
                })
                .collect();
            set.sort_unstable();
            set
        })
        .collect();
    for (threshold, recall) in [(0.6, 0.95), (0.7, 0.99), (0.8, 0.99)] {
        let search = NearDuplicates::new(threshold, recall)
            .unwrap()
            .with_shingle(Shingle::Chars(3))
            .unwrap();
        let index = search.find(&texts).unwrap();
        let (mut all, mut found) = (0, 0);
        for later in 0..sets.len() {
            for earlier in 0..later {
                let jaccard = jaccard(&sets[earlier], &sets[later]);
                let linked = index.are_linked(earlier, later);
                assert!(
                    !linked || jaccard >= threshold,
                    "{earlier} and {later}: {jaccard}"
                );
                all += u64::from(jaccard >= threshold);
                found += u64::from(linked);
            }
        }
        let bound = proportion_lower_bound(found, all, RECALL_CONFIDENCE);
        println!(
            "{threshold}: {found} of {all}, at least {bound:.4}; promised {recall}, {:?}",
            search.banding()
        );
        assert!(bound >= recall, "{found} of {all} at {threshold}: {bound}");
    }
}

fn jaccard(a: &[usize], b: &[usize]) -> f64 {
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                shared += 1;
                i += 1;
                j += 1;
            }
        }
    }
    shared as f64 / (a.len() + b.len() - shared).max(1) as f64
}
