//! A study and the file that keeps it, in step.

use std::path::Path;
use std::time::Duration;

#[cfg(feature = "sqlite")]
use super::database::Database;
use super::error::StudyError;
use super::journal::{Journal, JournalError, Locked};
use super::parameters::Parameters;
use serde_json::{Map, Value as Json};

use super::record::{
    CONSTRAINTS, FIXED, NewTrial, REASON, Record, StoredParameter, choice, json_number, parse_choice,
};
use super::study::Study;
use super::trial::{Trial, TrialState};

/// What keeps a study.
#[derive(Debug)]
pub(crate) enum Store {
    Journal(JournalStore),
    #[cfg(feature = "sqlite")]
    Database(Box<Database>),
}

/// A kept study, locked and up to date: takes one change at a time, and fails without a trace.
pub(crate) trait Entry {
    /// Writes down that the study exists, if nobody has.
    fn create_study(&mut self, study: &Study) -> Result<(), StudyError>;

    /// Writes down a trial that starts, or one that waits to.
    fn create_trial(&mut self, study: &Study, trial: &Trial) -> Result<(), StudyError>;

    /// Writes down that a trial which waited starts, with its parameters.
    fn start_trial(&mut self, study: &Study, trial: &Trial) -> Result<(), StudyError>;

    /// Writes down how a trial ended.
    fn finish_trial(&mut self, trial: &Trial) -> Result<(), StudyError>;

    /// Writes down an intermediate value.
    fn report(&mut self, number: usize, step: u64, value: f64) -> Result<(), StudyError>;
}

/// The journal of a study, and which of its lines are the study's.
#[derive(Debug)]
pub(crate) struct JournalStore {
    journal: Journal,
    book: Book,
    /// Why a line could not be taken in: what comes after it has no known place.
    refused: Option<JournalError>,
}

/// Ids as the journal counts them.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Studies seen.
    studies: usize,
    /// This study's id.
    study: Option<usize>,
    /// For every trial in the journal its number in this study, where it is of this study.
    numbers: Vec<Option<usize>>,
    /// The ids of this study's trials.
    ids: Vec<usize>,
}

impl JournalStore {
    pub(crate) fn open(path: &Path, clock: fn() -> Duration) -> Result<Self, JournalError> {
        Ok(Self {
            journal: Journal::open(path, clock)?,
            book: Book::default(),
            refused: None,
        })
    }
}

/// The journal of a study, locked and up to date.
struct JournalEntry<'a> {
    locked: Locked<'a>,
    book: &'a mut Book,
}

impl Entry for JournalEntry<'_> {
    fn create_study(&mut self, study: &Study) -> Result<(), StudyError> {
        if self.book.study.is_some() {
            return Ok(());
        }
        let record = Record::CreateStudy {
            name: study.name().to_owned(),
            directions: study.directions().to_vec(),
        };
        self.locked.append(&[record])?;
        self.book.study = Some(self.book.studies);
        self.book.studies += 1;
        Ok(())
    }

    fn create_trial(&mut self, study: &Study, trial: &Trial) -> Result<(), StudyError> {
        // Somebody may have deleted it since.
        self.create_study(study)?;
        let mut record = NewTrial {
            study: self.book.study.unwrap_or(0),
            state: trial.state,
            parameters: Vec::new(),
            values: Vec::new(),
            intermediate: Vec::new(),
            attributes: Map::new(),
            system_attributes: Map::new(),
        };
        if trial.state == TrialState::Waiting {
            record
                .system_attributes
                .insert(FIXED.to_owned(), fixed(trial).into());
        } else {
            record.parameters = stored(study, trial);
        }
        self.locked.append(&[Record::CreateTrial(Box::new(record))])?;
        self.book.ids.push(self.book.numbers.len());
        self.book.numbers.push(Some(trial.number));
        Ok(())
    }

    fn start_trial(&mut self, study: &Study, trial: &Trial) -> Result<(), StudyError> {
        let id = self.book.ids[trial.number];
        let mut records: Vec<Record> = stored(study, trial)
            .into_iter()
            .map(|parameter| Record::SetParameter { trial: id, parameter })
            .collect();
        records.push(Record::SetState {
            trial: id,
            state: TrialState::Running,
            values: Vec::new(),
        });
        Ok(self.locked.append(&records)?)
    }

    // In one piece; the reason first, since a finished trial takes no more attributes.
    fn finish_trial(&mut self, trial: &Trial) -> Result<(), StudyError> {
        let id = self.book.ids[trial.number];
        let mut records = Vec::new();
        if let Some(reason) = &trial.reason {
            let attributes = [(REASON.to_owned(), reason.as_str().into())]
                .into_iter()
                .collect();
            records.push(Record::TrialAttribute {
                trial: id,
                attributes,
            });
        }
        if !trial.constraints.is_empty() {
            let attributes = [(CONSTRAINTS.to_owned(), trial.constraints.as_slice().into())]
                .into_iter()
                .collect();
            records.push(Record::SystemAttribute {
                trial: id,
                attributes,
            });
        }
        records.push(Record::SetState {
            trial: id,
            state: trial.state,
            values: trial.values.clone(),
        });
        Ok(self.locked.append(&records)?)
    }

    fn report(&mut self, number: usize, step: u64, value: f64) -> Result<(), StudyError> {
        let trial = self.book.ids[number];
        Ok(self
            .locked
            .append(&[Record::Intermediate { trial, step, value }])?)
    }
}

impl Study {
    /// Runs `act` with what keeps the study, if anything, locked and all that others wrote taken in.
    pub(crate) fn with_entry<R>(
        &mut self,
        act: impl FnOnce(&mut Self, Option<&mut dyn Entry>) -> Result<R, StudyError>,
    ) -> Result<R, StudyError> {
        let Some(mut store) = self.store.take() else {
            return act(self, None);
        };
        let result = match &mut store {
            Store::Journal(store) => self.with_journal_entry(store, act),
            #[cfg(feature = "sqlite")]
            Store::Database(database) => self.with_database(database, act),
        };
        self.store = Some(store);
        result
    }

    fn with_journal_entry<R>(
        &mut self,
        store: &mut JournalStore,
        act: impl FnOnce(&mut Self, Option<&mut dyn Entry>) -> Result<R, StudyError>,
    ) -> Result<R, StudyError> {
        let path = store.journal.path().to_owned();
        if let Some(error) = &store.refused {
            return Err(error.clone().into());
        }
        let mut locked = store.journal.lock()?;
        for record in locked.read_new()? {
            if let Err(error) = self.take_in(&mut store.book, record, &path) {
                store.refused = Some(error.clone());
                return Err(error.into());
            }
        }
        self.settle();
        act(
            self,
            Some(&mut JournalEntry {
                locked,
                book: &mut store.book,
            }),
        )
    }

    /// Applies one line of the journal.
    fn take_in(&mut self, book: &mut Book, record: Record, path: &Path) -> Result<(), JournalError> {
        match record {
            Record::CreateStudy { name, directions } => {
                if name == self.name() && book.study.is_none() {
                    if directions != self.directions() {
                        return Err(JournalError::OtherDirections {
                            path: path.to_owned(),
                        });
                    }
                    book.study = Some(book.studies);
                }
                book.studies += 1;
            }
            Record::DeleteStudy { study } => {
                if Some(study) == book.study {
                    self.forget();
                    book.study = None;
                    book.ids.clear();
                    book.numbers.fill(None);
                }
            }
            Record::CreateTrial(new) => {
                if Some(new.study) != book.study {
                    book.numbers.push(None);
                    return Ok(());
                }
                let number = self.trials.len();
                let attributes = (new.attributes.clone(), new.system_attributes.clone());
                let trial = self.trial_from(*new, number, path)?;
                book.ids.push(book.numbers.len());
                book.numbers.push(Some(number));
                self.trials.push(trial);
                self.fix(number, &attributes.1, path)?;
                take_attributes(&mut self.trials[number], &attributes.0);
                take_system_attributes(&mut self.trials[number], &attributes.1);
            }
            Record::SetParameter { trial, parameter } => {
                if let Some(number) = open_trial(book, &self.trials, trial) {
                    let mut numbers: Box<[f64]> = self.trials[number].parameters.numbers().into();
                    self.place(&mut numbers, parameter, number, path)?;
                    self.trials[number].parameters = Parameters::from_stored(&self.space, numbers);
                }
            }
            Record::SetState { trial, state, values } => {
                if let Some(number) = open_trial(book, &self.trials, trial) {
                    let expected = self.directions().len();
                    set_state(&mut self.trials[number], state, values, expected, path)?;
                }
            }
            Record::Intermediate { trial, step, value } => {
                if let Some(number) = open_trial(book, &self.trials, trial) {
                    self.trials[number].note(step, value);
                }
            }
            Record::TrialAttribute { trial, attributes } => {
                if let Some(number) = open_trial(book, &self.trials, trial) {
                    take_attributes(&mut self.trials[number], &attributes);
                }
            }
            Record::SystemAttribute { trial, attributes } => {
                if let Some(number) = open_trial(book, &self.trials, trial) {
                    self.fix(number, &attributes, path)?;
                    take_system_attributes(&mut self.trials[number], &attributes);
                }
            }
            Record::Other => {}
        }
        Ok(())
    }

    pub(super) fn trial_from(
        &self,
        new: NewTrial,
        number: usize,
        path: &Path,
    ) -> Result<Trial, JournalError> {
        let mut numbers = vec![f64::NAN; self.space.len()].into_boxed_slice();
        for parameter in new.parameters {
            self.place(&mut numbers, parameter, number, path)?;
        }
        let mut trial = Trial {
            number,
            parameters: Parameters::from_stored(&self.space, numbers),
            state: new.state,
            values: Vec::new(),
            intermediate: new.intermediate,
            constraints: Vec::new(),
            reason: None,
        };
        set_state(&mut trial, new.state, new.values, self.directions().len(), path)?;
        Ok(trial)
    }

    /// Gives a waiting trial the values that it is to take.
    pub(super) fn fix(
        &mut self,
        number: usize,
        attributes: &Map<String, Json>,
        path: &Path,
    ) -> Result<(), JournalError> {
        let fixed = attributes.get(FIXED).and_then(Json::as_object);
        let (Some(fixed), TrialState::Waiting) = (fixed, self.trials[number].state) else {
            return Ok(());
        };
        let mut numbers: Box<[f64]> = self.trials[number].parameters.numbers().into();
        for (name, value) in fixed {
            let place = self.space.position(name);
            let encoded = place.and_then(|place| {
                let value = parse_choice(value)?;
                Some((place, self.space.parameters()[place].domain.encode(&value)?))
            });
            let Some((place, value)) = encoded else {
                return Err(JournalError::OtherSpace {
                    path: path.to_owned(),
                    trial: number,
                });
            };
            numbers[place] = value;
        }
        self.trials[number].parameters = Parameters::from_stored(&self.space, numbers);
        Ok(())
    }

    /// Puts a stored parameter where the space has it.
    fn place(
        &self,
        numbers: &mut [f64],
        parameter: StoredParameter,
        trial: usize,
        path: &Path,
    ) -> Result<(), JournalError> {
        let place = self.space.position(&parameter.name);
        let fits = |place: &usize| {
            let domain = &self.space.parameters()[*place].domain;
            *domain == parameter.domain && domain.contains(parameter.number)
        };
        match place.filter(fits) {
            Some(place) => numbers[place] = parameter.number,
            None => {
                return Err(JournalError::OtherSpace {
                    path: path.to_owned(),
                    trial,
                });
            }
        }
        Ok(())
    }
}

/// Gives a trial the state that a file says: complete with a value for each direction, or failed where one is NaN.
fn set_state(
    trial: &mut Trial,
    state: TrialState,
    values: Vec<f64>,
    directions: usize,
    path: &Path,
) -> Result<(), JournalError> {
    if state != TrialState::Complete {
        trial.state = state;
        return Ok(());
    }
    let constraints = std::mem::take(&mut trial.constraints);
    trial
        .complete(directions, values, constraints)
        .map_err(|_| JournalError::OtherDirections {
            path: path.to_owned(),
        })
}

/// The number of a trial of this study that has not ended yet.
fn open_trial(book: &Book, trials: &[Trial], id: usize) -> Option<usize> {
    book.numbers
        .get(id)
        .copied()
        .flatten()
        .filter(|number| !trials[*number].finished())
}

/// The values that a waiting trial is to take, by name.
pub(super) fn fixed(trial: &Trial) -> Map<String, Json> {
    let values = trial.parameters.iter();
    values
        .map(|(name, value)| (name.to_owned(), choice(&value)))
        .collect()
}

/// The parameters that a trial has, as lines of a journal hold them.
pub(super) fn stored(study: &Study, trial: &Trial) -> Vec<StoredParameter> {
    let parameters = study.space().parameters().iter().zip(trial.parameters.numbers());
    parameters
        .filter(|(_, n)| !n.is_nan())
        .map(|(p, number)| StoredParameter {
            name: p.name.clone(),
            number: *number,
            domain: p.domain.clone(),
        })
        .collect()
}

pub(super) fn take_attributes(trial: &mut Trial, attributes: &Map<String, Json>) {
    if let Some(reason) = attributes.get(REASON).and_then(Json::as_str) {
        trial.reason = Some(reason.to_owned());
    }
}

pub(super) fn take_system_attributes(trial: &mut Trial, attributes: &Map<String, Json>) {
    if let Some(constraints) = attributes.get(CONSTRAINTS).and_then(Json::as_array) {
        // One that is no number counts as broken: nobody knows whether it holds.
        let known = |c| json_number(c).filter(|c| !c.is_nan());
        trial.constraints = constraints
            .iter()
            .map(|c| known(c).unwrap_or(f64::MAX).clamp(f64::MIN, f64::MAX))
            .collect();
    }
}
