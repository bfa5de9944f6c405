//! Groups of near duplicates, and why each document is in its group.

use super::Link;

/// When documents belong to one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Linkage {
    /// Connected components of the links. The fewest documents are kept; the ends of a long chain of small edits may
    /// have little in common.
    #[default]
    Closure,
    /// A document goes to the earliest kept document that it is linked with, and is kept where there is none. Whatever
    /// is dropped is a verified near duplicate of what was kept for it.
    Leader,
}

/// A partition of the documents; the first document of each group is the one to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    kept_for: Vec<usize>,
    /// The link towards the kept document; none for the kept ones.
    towards: Vec<Option<Link>>,
}

impl Clusters {
    pub(super) fn of(documents: usize, links: &[Link], linkage: Linkage) -> Self {
        match linkage {
            Linkage::Closure => closure(documents, links),
            Linkage::Leader => leader(documents, links),
        }
    }

    /// Number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept_for.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept_for.is_empty()
    }

    /// Whether to keep this document.
    ///
    /// # Panics
    ///
    /// If there is no such document, here as in the other methods.
    #[must_use]
    pub fn is_kept(&self, document: usize) -> bool {
        self.kept_for[document] == document
    }

    /// The document that is kept in place of this one: itself, or an earlier one.
    #[must_use]
    pub fn kept_for(&self, document: usize) -> usize {
        self.kept_for[document]
    }

    /// The documents to keep, ascending: one a group.
    pub fn kept(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|&document| self.is_kept(document))
    }

    /// The groups of two and more, each ascending, in the order of their first documents.
    #[must_use]
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut by_kept = vec![Vec::new(); self.len()];
        for (document, &kept) in self.kept_for.iter().enumerate() {
            by_kept[kept].push(document);
        }
        by_kept.retain(|group| group.len() > 1);
        by_kept
    }

    /// The verified links that lead from this document to the one kept for it; empty for a kept document. The shortest
    /// such chain; a single link under [`Linkage::Leader`].
    #[must_use]
    pub fn explain(&self, document: usize) -> Vec<Link> {
        let mut chain = Vec::new();
        let mut at = document;
        while let Some(link) = self.towards[at] {
            chain.push(link);
            at = link.earlier + link.later - at;
        }
        chain
    }
}

fn leader(documents: usize, links: &[Link]) -> Clusters {
    let mut kept_for: Vec<usize> = (0..documents).collect();
    let mut towards = vec![None; documents];
    // By later document, then by earlier: the first kept one wins, and it is decided already.
    for link in links {
        if towards[link.later].is_none() && towards[link.earlier].is_none() {
            kept_for[link.later] = link.earlier;
            towards[link.later] = Some(*link);
        }
    }
    Clusters { kept_for, towards }
}

/// Breadth first from each document that no earlier one reached.
fn closure(documents: usize, links: &[Link]) -> Clusters {
    let mut begins = vec![0usize; documents + 1];
    for link in links {
        begins[link.earlier + 1] += 1;
        begins[link.later + 1] += 1;
    }
    for document in 0..documents {
        begins[document + 1] += begins[document];
    }
    let mut free = begins.clone();
    let mut neighbours = vec![0usize; 2 * links.len()];
    for (at, link) in links.iter().enumerate() {
        for document in [link.earlier, link.later] {
            neighbours[free[document]] = at;
            free[document] += 1;
        }
    }
    let mut kept_for: Vec<usize> = (0..documents).collect();
    let mut towards = vec![None; documents];
    let mut queue = std::collections::VecDeque::new();
    for first in 0..documents {
        if kept_for[first] != first {
            continue;
        }
        queue.push_back(first);
        while let Some(document) = queue.pop_front() {
            for &at in &neighbours[begins[document]..begins[document + 1]] {
                let link = links[at];
                let other = link.earlier + link.later - document;
                if other != first && towards[other].is_none() {
                    kept_for[other] = first;
                    towards[other] = Some(link);
                    queue.push_back(other);
                }
            }
        }
    }
    Clusters { kept_for, towards }
}
