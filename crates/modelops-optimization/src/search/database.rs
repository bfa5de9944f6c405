//! A study kept in an `SQLite` file, in Optuna's tables.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use serde_json::{Map, Value as Json};

use super::error::{DatabaseError, StudyError};
use super::journal::{JournalError, iso_8601};
use super::record::{
    CONSTRAINTS, FIXED, NewTrial, REASON, StoredParameter, distribution, parse_distribution,
};
use super::store::{Entry, fixed, stored, take_attributes, take_system_attributes};
use super::study::{Direction, Study};
use super::trial::{Trial, TrialState};

/// The version of Optuna's tables.
const SCHEMA: i64 = 12;
/// How long a process waits for another one's change.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tables of Optuna 5.0.0, with the names, types and constraints that it gives them.
const TABLES: &str = include_str!("tables.sql");

/// The open file and which of its rows are the study's.
#[derive(Debug)]
pub(crate) struct Database {
    /// Nobody waits for the lock: it makes the connection one that threads may share.
    connection: Mutex<Connection>,
    path: PathBuf,
    clock: fn() -> Duration,
    study: Option<i64>,
    /// The version of the file that was read last; it changes with what others write.
    seen: Option<i64>,
    /// The ids of this study's trials.
    ids: Vec<i64>,
}

impl Database {
    /// Opens the file, or makes it with its tables.
    pub(crate) fn open(path: &Path, clock: fn() -> Duration) -> Result<Self, DatabaseError> {
        let refused = |e| failed(path, &e);
        let connection = Connection::open(path).map_err(refused)?;
        connection.busy_timeout(PATIENCE).map_err(refused)?;
        let mut database = Self {
            connection: Mutex::new(connection),
            path: path.to_owned(),
            clock,
            study: None,
            seen: None,
            ids: Vec::new(),
        };
        database.create_tables()?;
        Ok(database)
    }

    fn create_tables(&mut self) -> Result<(), DatabaseError> {
        let path = self.path.clone();
        let refused = |e| failed(&path, &e);
        self.begin()?;
        let connection = self.connection();
        let count = "SELECT count(*) FROM sqlite_master WHERE type = 'table'";
        let tables: i64 = connection
            .query_row(count, [], |row| row.get(0))
            .map_err(refused)?;
        if tables == 0 {
            connection.execute_batch(TABLES).map_err(refused)?;
            return self.commit();
        }
        let version = "SELECT schema_version FROM version_info";
        let found: Option<i64> = connection.query_row(version, [], |row| row.get(0)).ok();
        self.roll_back();
        if found == Some(SCHEMA) {
            Ok(())
        } else {
            Err(DatabaseError::OtherTables { path })
        }
    }

    fn connection(&mut self) -> &mut Connection {
        self.connection.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a change; other processes wait.
    fn begin(&mut self) -> Result<(), DatabaseError> {
        let begun = self.connection().execute_batch("BEGIN IMMEDIATE");
        begun.map_err(|e| failed(&self.path, &e))
    }

    fn commit(&mut self) -> Result<(), DatabaseError> {
        let result = self.connection().execute_batch("COMMIT");
        result.map_err(|e| {
            self.roll_back();
            failed(&self.path, &e)
        })
    }

    /// Ends a change without a trace, where one is open.
    fn roll_back(&mut self) {
        let connection = self.connection();
        if !connection.is_autocommit() {
            // A failure leaves the change open, and the next one tells.
            let _ = connection.execute_batch("ROLLBACK");
        }
    }

    /// Runs a change of this study and makes it last; a failure leaves no trace of it.
    fn change(
        &mut self,
        act: impl FnOnce(&Connection, &str) -> rusqlite::Result<()>,
    ) -> Result<(), StudyError> {
        let time = iso_8601((self.clock)()).replace('T', " ");
        // The tables hold no offset from UTC.
        let result = act(self.connection(), time.trim_end_matches("+00:00"));
        if let Err(error) = result {
            self.roll_back();
            return Err(failed(&self.path, &error).into());
        }
        Ok(self.commit()?)
    }
}

/// What `SQLite` answered, as one of this crate's errors.
fn failed(path: &Path, error: &rusqlite::Error) -> DatabaseError {
    let path = path.to_owned();
    match error {
        rusqlite::Error::SqliteFailure(failure, _) if failure.code == ErrorCode::NotADatabase => {
            DatabaseError::OtherTables { path }
        }
        rusqlite::Error::SqliteFailure(failure, _) => DatabaseError::Refused {
            path,
            code: failure.extended_code,
        },
        // A column of another type than the tables have.
        _ => DatabaseError::OtherTables { path },
    }
}

impl Entry for Database {
    fn create_study(&mut self, study: &Study) -> Result<(), StudyError> {
        if self.study.is_some() {
            self.roll_back();
            return Ok(());
        }
        let mut id = 0;
        self.change(|connection, _| {
            connection.execute("INSERT INTO studies (study_name) VALUES (?1)", [study.name()])?;
            id = connection.last_insert_rowid();
            for (objective, direction) in study.directions().iter().enumerate() {
                connection.execute(
                    "INSERT INTO study_directions (direction, study_id, objective) VALUES (?1, ?2, ?3)",
                    params![direction_name(*direction), id, objective as i64],
                )?;
            }
            Ok(())
        })?;
        self.study = Some(id);
        Ok(())
    }

    fn create_trial(&mut self, study: &Study, trial: &Trial) -> Result<(), StudyError> {
        let study_id = self.study;
        let mut id = 0;
        self.change(|connection, time| {
            let waits = trial.state == TrialState::Waiting;
            connection
                .prepare_cached(
                    "INSERT INTO trials (number, study_id, state, datetime_start) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    trial.number as i64,
                    study_id,
                    state_name(trial.state),
                    (!waits).then_some(time)
                ])?;
            id = connection.last_insert_rowid();
            if waits {
                let values = Json::from(fixed(trial)).to_string();
                return attribute(connection, "system", id, FIXED, &values);
            }
            insert_parameters(connection, id, &stored(study, trial))
        })?;
        self.ids.push(id);
        Ok(())
    }

    fn start_trial(&mut self, study: &Study, trial: &Trial) -> Result<(), StudyError> {
        let id = self.ids[trial.number];
        self.change(|connection, time| {
            connection.execute(
                "UPDATE trials SET state = 'RUNNING', datetime_start = ?1 WHERE trial_id = ?2",
                params![time, id],
            )?;
            insert_parameters(connection, id, &stored(study, trial))
        })
    }

    fn finish_trial(&mut self, trial: &Trial) -> Result<(), StudyError> {
        let id = self.ids[trial.number];
        self.change(|connection, time| {
            if let Some(reason) = &trial.reason {
                attribute(connection, "user", id, REASON, &Json::from(reason.as_str()).to_string())?;
            }
            if !trial.constraints.is_empty() {
                let constraints = Json::from(trial.constraints.as_slice()).to_string();
                attribute(connection, "system", id, CONSTRAINTS, &constraints)?;
            }
            for (objective, value) in trial.values.iter().enumerate() {
                let (value, kind) = split(*value);
                connection
                    .prepare_cached(
                        "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![id, objective as i64, value, kind])?;
            }
            connection
                .prepare_cached("UPDATE trials SET state = ?1, datetime_complete = ?2 WHERE trial_id = ?3")?
                .execute(params![state_name(trial.state), time, id])?;
            Ok(())
        })
    }

    fn report(&mut self, number: usize, step: u64, value: f64) -> Result<(), StudyError> {
        let id = self.ids[number];
        let Ok(step) = i64::try_from(step) else {
            let path = self.path.clone();
            return Err(DatabaseError::StepTooLarge { path, step }.into());
        };
        let (value, kind) = split(value);
        self.change(|connection, _| {
            connection
                .prepare_cached(
                    "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) \
                     VALUES (?1, ?2, ?3, ?4) ON CONFLICT (trial_id, step) DO UPDATE \
                     SET intermediate_value = ?3, intermediate_value_type = ?4",
                )?
                .execute(params![id, step, value, kind])?;
            Ok(())
        })
    }
}

/// Sets an attribute of a trial: of users, or of tools ("system").
fn attribute(connection: &Connection, whose: &str, id: i64, key: &str, json: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO trial_{whose}_attributes (trial_id, key, value_json) VALUES (?1, ?2, ?3) \
             ON CONFLICT (trial_id, key) DO UPDATE SET value_json = ?3"
        ))?
        .execute(params![id, key, json])?;
    Ok(())
}

fn insert_parameters(
    connection: &Connection,
    id: i64,
    parameters: &[StoredParameter],
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for parameter in parameters {
        let domain = distribution(&parameter.domain);
        insert.execute(params![id, parameter.name, parameter.number, domain])?;
    }
    Ok(())
}

impl Study {
    /// Runs `act` with the database locked and what others wrote taken in.
    pub(super) fn with_database<R>(
        &mut self,
        database: &mut Database,
        act: impl FnOnce(&mut Self, Option<&mut dyn Entry>) -> Result<R, StudyError>,
    ) -> Result<R, StudyError> {
        database.begin()?;
        let read = self.take_in_rows(database);
        let result = read.and_then(|()| {
            self.settle();
            act(self, Some(database))
        });
        database.roll_back();
        result
    }

    /// Takes in the trials that others began or told since the last look.
    fn take_in_rows(&mut self, database: &mut Database) -> Result<(), StudyError> {
        let path = database.path.clone();
        let refused = |e: rusqlite::Error| failed(&path, &e);
        let version: i64 = database
            .connection()
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(refused)?;
        if database.seen == Some(version) && database.study.is_some() {
            return Ok(());
        }
        if database.study.is_none() {
            let connection = database.connection();
            let found = find_study(connection, self.name()).map_err(refused)?;
            let Some((id, directions)) = found else {
                return Ok(());
            };
            let ours = self.directions().iter().map(|d| direction_name(*d));
            if !ours.eq(directions.iter().map(String::as_str)) {
                return Err(DatabaseError::OtherDirections { path }.into());
            }
            database.study = Some(id);
        }
        // Finished trials do not change: only those from the first that was open are read again.
        let from = database.ids.get(self.settled()).copied().unwrap_or_else(|| {
            let last = database.ids.last().copied();
            last.map_or(0, |id| id + 1)
        });
        let study = database.study;
        let rows = trial_rows(database.connection(), study, from).map_err(refused)?;
        for (id, number, state) in rows {
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            if number > database.ids.len() {
                return Err(DatabaseError::OtherTables { path }.into());
            }
            let row = read_trial(database.connection(), id, &state);
            let new = row.map_err(refused)?.ok_or_else(|| DatabaseError::OtherSpace {
                path: path.clone(),
                trial: number,
            })?;
            self.take_in_trial(new, number, &path)?;
            if number == database.ids.len() {
                database.ids.push(id);
            }
        }
        database.seen = Some(version);
        Ok(())
    }

    fn take_in_trial(&mut self, new: NewTrial, number: usize, path: &Path) -> Result<(), DatabaseError> {
        let misfit = |error| match error {
            JournalError::OtherDirections { path } => DatabaseError::OtherDirections { path },
            _ => DatabaseError::OtherSpace {
                path: path.to_owned(),
                trial: number,
            },
        };
        let (attributes, system) = (new.attributes.clone(), new.system_attributes.clone());
        let trial = self.trial_from(new, number, path).map_err(misfit)?;
        match self.trials.get_mut(number) {
            Some(known) => *known = trial,
            None => self.trials.push(trial),
        }
        self.fix(number, &system, path).map_err(misfit)?;
        take_attributes(&mut self.trials[number], &attributes);
        take_system_attributes(&mut self.trials[number], &system);
        Ok(())
    }
}

/// The id of a study and the names of its directions.
fn find_study(connection: &Connection, name: &str) -> rusqlite::Result<Option<(i64, Vec<String>)>> {
    let id: Option<i64> = connection
        .query_row(
            "SELECT study_id FROM studies WHERE study_name = ?1",
            [name],
            |row| row.get(0),
        )
        .optional()?;
    let Some(id) = id else {
        return Ok(None);
    };
    let mut directions = connection
        .prepare("SELECT direction FROM study_directions WHERE study_id = ?1 ORDER BY objective")?;
    let directions = directions
        .query_map([id], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(Some((id, directions)))
}

/// Id, number and state of the trials of a study from an id on.
fn trial_rows(
    connection: &Connection,
    study: Option<i64>,
    from: i64,
) -> rusqlite::Result<Vec<(i64, i64, String)>> {
    connection
        .prepare_cached(
            "SELECT trial_id, number, state FROM trials WHERE study_id = ?1 AND trial_id >= ?2 ORDER BY trial_id",
        )?
        .query_map(params![study, from], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

/// All that the tables hold of a trial; `None` where it is nothing that this crate knows.
fn read_trial(connection: &Connection, id: i64, state: &str) -> rusqlite::Result<Option<NewTrial>> {
    let mut parameters = Vec::new();
    let mut rows = connection.prepare_cached(
        "SELECT param_name, param_value, distribution_json FROM trial_params WHERE trial_id = ?1 ORDER BY param_id",
    )?;
    let mut rows = rows.query([id])?;
    while let Some(row) = rows.next()? {
        let json: String = row.get(2)?;
        let Some(domain) = parse_distribution(&json) else {
            return Ok(None);
        };
        parameters.push(StoredParameter {
            name: row.get(0)?,
            number: row.get(1)?,
            domain,
        });
    }
    let mut values = connection.prepare_cached(
        "SELECT value, value_type FROM trial_values WHERE trial_id = ?1 ORDER BY objective",
    )?;
    let values: Vec<f64> = values
        .query_map([id], |row| Ok(join(row.get(0)?, &row.get::<_, String>(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut intermediate = connection.prepare_cached(
        "SELECT step, intermediate_value, intermediate_value_type FROM trial_intermediate_values \
         WHERE trial_id = ?1 AND step >= 0 ORDER BY step",
    )?;
    let intermediate: Vec<(u64, f64)> = intermediate
        .query_map([id], |row| {
            let step: i64 = row.get(0)?;
            Ok((step.unsigned_abs(), join(row.get(1)?, &row.get::<_, String>(2)?)))
        })?
        .collect::<Result<_, _>>()?;
    let Some(state) = parse_state(state) else {
        return Ok(None);
    };
    Ok(Some(NewTrial {
        study: 0,
        state,
        parameters,
        values: if state == TrialState::Complete {
            values
        } else {
            Vec::new()
        },
        intermediate,
        attributes: attributes(connection, "user", id)?,
        system_attributes: attributes(connection, "system", id)?,
    }))
}

fn attributes(connection: &Connection, whose: &str, id: i64) -> rusqlite::Result<Map<String, Json>> {
    let mut rows = connection.prepare_cached(&format!(
        "SELECT key, value_json FROM trial_{whose}_attributes WHERE trial_id = ?1"
    ))?;
    let rows = rows.query_map([id], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    rows.filter_map(|row| match row {
        // Attributes of others may hold what strict JSON does not know, and are not needed.
        Ok((key, json)) => serde_json::from_str(&json).ok().map(|json| Ok((key, json))),
        Err(error) => Some(Err(error)),
    })
    .collect()
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Minimize => "MINIMIZE",
        Direction::Maximize => "MAXIMIZE",
    }
}

fn state_name(state: TrialState) -> &'static str {
    match state {
        TrialState::Running => "RUNNING",
        TrialState::Complete => "COMPLETE",
        TrialState::Pruned => "PRUNED",
        TrialState::Failed => "FAIL",
        TrialState::Waiting => "WAITING",
    }
}

fn parse_state(name: &str) -> Option<TrialState> {
    Some(match name {
        "RUNNING" => TrialState::Running,
        "COMPLETE" => TrialState::Complete,
        "PRUNED" => TrialState::Pruned,
        "FAIL" => TrialState::Failed,
        "WAITING" => TrialState::Waiting,
        _ => return None,
    })
}

/// A number as the tables hold it: the finite ones, and the kind of the others.
fn split(value: f64) -> (Option<f64>, &'static str) {
    match value {
        v if v.is_nan() => (None, "NAN"),
        f64::INFINITY => (None, "INF_POS"),
        f64::NEG_INFINITY => (None, "INF_NEG"),
        v => (Some(v), "FINITE"),
    }
}

fn join(value: Option<f64>, kind: &str) -> f64 {
    match (kind, value) {
        ("INF_POS", _) => f64::INFINITY,
        ("INF_NEG", _) => f64::NEG_INFINITY,
        ("FINITE", Some(value)) => value,
        _ => f64::NAN,
    }
}
