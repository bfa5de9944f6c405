//! Near duplicates, quality filters and encoding repair on texts.

use std::path::{Path, PathBuf};

use modelops_benches::{Comparison, workspace_root};
use modelops_cleaning::text::near::{Linkage, NearDuplicates};
use modelops_cleaning::text::quality::{
    C4Quality, FineWebQuality, GopherQuality, GopherRepetition, Page, Verdict,
};
use modelops_cleaning::text::repair::repair;
use modelops_cleaning::text::words::English;
use modelops_testkit::cleaning_text::{articles, pages};

pub(crate) fn run(comparison: &mut Comparison) {
    let folder = workspace_root().join("target").join("compare").join("cleaning");
    std::fs::create_dir_all(&folder).expect("a writable target folder");
    near(
        comparison,
        &folder,
        4000,
        &[("datasketch 2.0.0", "datasketch"), ("rensa 0.5.0", "rensa")],
    );
    near(
        comparison,
        &folder,
        400,
        &[("datatrove 0.10.1, signatures alone", "datatrove")],
    );
    filters(comparison, &folder);
    mojibake(comparison, &folder);
}

/// Articles of 460 words, one in ten a copy of an earlier one with three words replaced: J is about 0.94.
fn corpus(documents: usize) -> Vec<String> {
    let mut texts = articles(documents, 460, 2026);
    for at in (9..documents).step_by(10) {
        let mut words: Vec<String> = texts[at - 5].split(' ').map(str::to_owned).collect();
        for place in [40, 200, 390] {
            if let Some(word) = words.get_mut(place) {
                *word = format!("changed{place}");
            }
        }
        texts[at] = words.join(" ");
    }
    texts
}

fn save(folder: &Path, name: &str, texts: &[String]) -> PathBuf {
    let path = folder.join(name);
    let lines: Vec<String> = texts
        .iter()
        .map(|text| serde_json::to_string(text).expect("a text"))
        .collect();
    std::fs::write(&path, lines.join("\n")).expect("a writable folder");
    path
}

fn near(comparison: &mut Comparison, folder: &Path, documents: usize, peers: &[(&str, &str)]) {
    let name = format!("near duplicates at J ≥ 0.8, words in fives, {documents} documents of 460 words");
    if !comparison.wants(&name) {
        return;
    }
    let texts = corpus(documents);
    let path = save(folder, &format!("corpus-{documents}.jsonl"), &texts);
    let path = path.to_str().expect("a plain path");
    let search = NearDuplicates::new(0.8, 0.99).expect("the promise can be kept");
    let mut case = comparison
        .case::<usize>(&name)
        .ours(|| {
            let index = search.find(&texts).expect("few documents");
            texts.len() - index.clusters(Linkage::Closure).kept().count()
        })
        .per("document", documents);
    for (name, tool) in peers {
        case = case.python(name, "text.py", &[tool, path]);
    }
    // A peer that only makes signatures finds nothing.
    case.agree(|ours, theirs| ours == theirs || *theirs == usize::MAX)
        .rounds(3)
        .run();
}

fn filters(comparison: &mut Comparison, folder: &Path) {
    let name = "Gopher quality and repetition, C4 and FineWeb, 200 pages";
    if !comparison.wants(name) {
        return;
    }
    let texts = pages(200, 7);
    let bytes: usize = texts.iter().map(String::len).sum();
    let path = save(folder, "pages.jsonl", &texts);
    let english = English::new();
    let said = |verdict: Verdict| match verdict {
        Verdict::Keep => "keep".to_owned(),
        Verdict::Drop(reason) => reason.to_string(),
    };
    comparison
        .case::<Vec<Vec<String>>>(name)
        .ours(|| {
            let (quality, repetition) = (GopherQuality::default(), GopherRepetition::default());
            let (c4, fineweb) = (C4Quality::default(), FineWebQuality::default());
            texts
                .iter()
                .map(|text| {
                    let page = Page::new(&english, text);
                    vec![
                        said(quality.verdict(&page)),
                        said(repetition.verdict(&page)),
                        said(fineweb.verdict(&page)),
                        said(c4.clean(&page).verdict),
                    ]
                })
                .collect()
        })
        .per("kB of text", bytes / 1000)
        .python(
            "datatrove 0.10.1",
            "text.py",
            &["filters", path.to_str().expect("a plain path")],
        )
        .agree(|ours, theirs| ours == theirs)
        .rounds(2)
        .run();
}

fn mojibake(comparison: &mut Comparison, folder: &Path) {
    let name = "encoding repair, 2,000 pages, one in ten decoded wrongly";
    if !comparison.wants(name) {
        return;
    }
    let mut texts = pages(2000, 11);
    for text in texts.iter_mut().step_by(10) {
        // UTF-8 read as Latin-1, after a few words that are not ASCII.
        let accented = format!("{text} déjà vu, schön – “naïve”");
        *text = accented.bytes().map(char::from).collect();
    }
    let bytes: usize = texts.iter().map(String::len).sum();
    let path = save(folder, "mojibake.jsonl", &texts);
    comparison
        .case::<Vec<usize>>(name)
        .ours(|| texts.iter().map(|text| repair(text).chars().count()).collect())
        .per("kB of text", bytes / 1000)
        .python(
            "ftfy 6.3.1",
            "text.py",
            &["ftfy", path.to_str().expect("a plain path")],
        )
        .agree(|ours, theirs| ours == theirs)
        .rounds(3)
        .run();
}
