//! Which of my documents are edits of each other, and does tomorrow's batch repeat today's?
//!
//! `cargo run --example find_near_duplicates [FILE]`, where FILE holds one document a line; without it, a few answers of
//! a chat model that a crawler brought in more than once.

use modelops::cleaning::text::near::{Linkage, NearDuplicates, NearIndex, Shingle};
use std::error::Error;

const TODAY: [&str; 4] = [
    "To reset your password, open the settings page, choose security, and follow the link that we send to your mailbox.",
    "Replicas are placed on the accelerator with the least free memory that still holds the model, largest model first.",
    "To reset your password, open the settings page, choose Security and follow the link that we send to your mailbox!",
    "A request is refused with status 429 when its key has used up its quota; the header says when to come back.",
];

const TOMORROW: [&str; 2] = [
    "Replicas are placed on the accelerator with the least free memory that still holds the model, biggest model first.",
    "Weights are sealed in chunks, so that a service can read one layer without opening the whole file.",
];

fn main() -> Result<(), Box<dyn Error>> {
    let search = NearDuplicates::new(0.6, 0.99)?.with_shingle(Shingle::Words(3))?;
    let banding = search.banding();
    println!(
        "pairs at Jaccard 0.6 are found with probability {:.4} ({} bands of {} hashes), at 0.3 compared with {:.4}",
        banding.recall_at(0.6),
        banding.bands(),
        banding.rows(),
        banding.recall_at(0.3),
    );

    let mut texts: Vec<String> = match std::env::args().nth(1) {
        Some(file) => std::fs::read_to_string(file)?.lines().map(String::from).collect(),
        None => TODAY.map(String::from).to_vec(),
    };
    let index = search.find(&texts)?;
    report(&search, &index, &texts);

    // The index goes to a file; the next batch is compared with everything before it.
    let folder = std::env::temp_dir().join("modelops-find-near-duplicates");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("seen.index");
    index.save(&file)?;
    let mut index = NearIndex::open(&file)?;
    index.add(&TOMORROW)?;
    texts.extend(TOMORROW.map(String::from));
    println!("\nafter tomorrow's batch:");
    report(&search, &index, &texts);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn report(search: &NearDuplicates, index: &NearIndex, texts: &[String]) {
    let clusters = index.clusters(Linkage::Leader);
    println!("{} of {} documents kept", clusters.kept().count(), index.len());
    for group in clusters.groups() {
        println!("keep   {}: {}", group[0], start(&texts[group[0]]));
        for &document in &group[1..] {
            println!("  drop {document}: {}", start(&texts[document]));
            for link in clusters.explain(document) {
                let why = search.compare(&texts[link.earlier], &texts[link.later]);
                println!(
                    "       Jaccard {:.3} with {}: {} shingles in common, new here: {:?}",
                    link.jaccard,
                    link.earlier,
                    why.shared().len(),
                    why.only_right(),
                );
            }
        }
    }
}

fn start(text: &str) -> String {
    text.chars().take(50).chain(['…']).collect()
}
