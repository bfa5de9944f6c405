//! The protocol of storage, explored exhaustively: every interleaving of threads that begin, add, end and scrape.
//!
//! The steps are those of `kernel/slab.rs`: an add is a load and a store of a cell that one thread owns; beginning,
//! ending and scraping happen under one mutex, step by step. Each atomic is read in the order of its writes, which the
//! mutex and coherence give the real thing, so interleaving the steps covers what the hardware may do.

use std::collections::HashSet;

const WRITERS: usize = 3;
const ADDS: u8 = 2;
const SCRAPES: u8 = 2;
const READER: usize = WRITERS;

/// What a design under test does when a thread ends.
#[derive(Clone, Copy, PartialEq)]
enum Fold {
    /// As implemented: under the mutex.
    Locked,
    /// A mistake: without the mutex.
    Unlocked,
    /// A mistake: the cell keeps its count for the next owner.
    WithoutZeroing,
}

#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct State {
    base: u8,
    cells: [u8; WRITERS],
    live: [bool; WRITERS],
    idle: Vec<usize>,
    made: usize,
    mutex: Option<usize>,
    /// Of each writer: where it is, its slab, its loaded value, adds left.
    at: [u8; WRITERS],
    slab: [usize; WRITERS],
    loaded: [u8; WRITERS],
    left: [u8; WRITERS],
    /// Adds whose store has happened.
    stored: u8,
    /// Of the reader: where it is, the running sum, what was stored when it began, its last result, scrapes left.
    reader_at: u8,
    sum: u8,
    floor: u8,
    last: u8,
    scrapes: u8,
}

fn lock(state: &State, who: usize) -> Option<State> {
    state.mutex.is_none().then(|| State {
        mutex: Some(who),
        ..state.clone()
    })
}

/// The next state of writer `w`; `None` where it must wait or is done.
fn write(state: &State, w: usize, fold: Fold) -> Option<State> {
    let mut next = state.clone();
    let slab = state.slab[w];
    match state.at[w] {
        0 => next = lock(state, w)?,
        1 => {
            next.slab[w] = next.idle.pop().unwrap_or_else(|| {
                next.made += 1;
                next.made - 1
            });
            next.live[next.slab[w]] = true;
            next.mutex = None;
        }
        2 => next.loaded[w] = state.cells[slab],
        3 => {
            next.cells[slab] = state.loaded[w] + 1;
            next.stored += 1;
            next.left[w] -= 1;
            if next.left[w] > 0 {
                next.at[w] = 2;
                return Some(next);
            }
        }
        4 if fold == Fold::Unlocked => {}
        4 => next = lock(state, w)?,
        5 => next.base += state.cells[slab],
        6 if fold == Fold::WithoutZeroing => {}
        6 => next.cells[slab] = 0,
        7 => {
            next.live[slab] = false;
            next.idle.push(slab);
            if fold != Fold::Unlocked {
                next.mutex = None;
            }
        }
        _ => return None,
    }
    next.at[w] += 1;
    Some(next)
}

/// The next state of the reader, or the law that it saw broken.
fn scrape(state: &State) -> Result<Option<State>, &'static str> {
    let mut next = state.clone();
    match state.reader_at {
        _ if state.scrapes == 0 => return Ok(None),
        0 => {
            let Some(locked) = lock(state, READER) else {
                return Ok(None);
            };
            next = locked;
            (next.sum, next.floor) = (0, state.stored);
        }
        1 => next.sum += state.base,
        at if usize::from(at) < WRITERS + 2 => {
            let slab = usize::from(at) - 2;
            if state.live[slab] {
                next.sum += state.cells[slab];
            }
        }
        _ => {
            if state.sum < state.last {
                return Err("a scrape went backwards");
            }
            if state.sum < state.floor || state.sum > state.stored {
                return Err("a scrape lost or invented an add");
            }
            next.last = state.sum;
            next.scrapes -= 1;
            next.reader_at = 0;
            next.mutex = None;
            return Ok(Some(next));
        }
    }
    next.reader_at += 1;
    Ok(Some(next))
}

/// Visits every reachable state; says how many there are, or which law broke.
fn explore(fold: Fold) -> Result<usize, &'static str> {
    let start = State {
        left: [ADDS; WRITERS],
        scrapes: SCRAPES,
        ..State::default()
    };
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(state) = open.pop() {
        let mut next: Vec<State> = (0..WRITERS).filter_map(|w| write(&state, w, fold)).collect();
        next.extend(scrape(&state)?);
        if next.is_empty() {
            let live: u8 = (0..WRITERS)
                .filter(|s| state.live[*s])
                .map(|s| state.cells[s])
                .sum();
            let finished =
                state.mutex.is_none() && state.scrapes == 0 && state.stored == ADDS * WRITERS as u8;
            if !finished {
                return Err("the threads block each other");
            }
            if state.base + live != state.stored {
                return Err("an add was lost");
            }
        }
        for state in next {
            if seen.insert(state.clone()) {
                open.push(state);
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn no_interleaving_loses_an_add_or_turns_a_scrape_back() {
    let states = explore(Fold::Locked).unwrap();
    assert!(states > 10_000, "{states} states are too few to be all");
}

#[test]
fn the_model_finds_the_mistakes_it_is_there_for() {
    assert!(explore(Fold::Unlocked).is_err());
    assert!(explore(Fold::WithoutZeroing).is_err());
}
