//! The lines of a journal: Optuna's operations as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::space::Domain;
use super::study::Direction;
use super::trial::TrialState;
use super::value::Value;

/// One line of a journal, with ids as the journal counts them: studies and trials in the order of their creation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    CreateStudy {
        name: String,
        directions: Vec<Direction>,
    },
    /// Somebody deleted the study of this id.
    DeleteStudy {
        study: usize,
    },
    CreateTrial(Box<NewTrial>),
    SetParameter {
        trial: usize,
        parameter: StoredParameter,
    },
    SetState {
        trial: usize,
        state: TrialState,
        values: Vec<f64>,
    },
    Intermediate {
        trial: usize,
        step: u64,
        value: f64,
    },
    TrialAttribute {
        trial: usize,
        attributes: Map<String, Json>,
    },
    /// Attributes that tools set rather than users.
    SystemAttribute {
        trial: usize,
        attributes: Map<String, Json>,
    },
    /// Something that does not concern the trials: attributes of studies.
    Other,
}

/// A trial as its first line tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewTrial {
    pub(crate) study: usize,
    pub(crate) state: TrialState,
    pub(crate) parameters: Vec<StoredParameter>,
    pub(crate) values: Vec<f64>,
    pub(crate) intermediate: Vec<(u64, f64)>,
    pub(crate) attributes: Map<String, Json>,
    pub(crate) system_attributes: Map<String, Json>,
}

/// A parameter with the number that stands for its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredParameter {
    pub(crate) name: String,
    pub(crate) number: f64,
    pub(crate) domain: Domain,
}

/// The attribute that keeps why a trial failed.
pub(crate) const REASON: &str = "fail_reason";

/// The system attribute that keeps the constraints of a trial.
pub(crate) const CONSTRAINTS: &str = "constraints";

/// The system attribute that keeps the values that an enqueued trial is to take.
pub(crate) const FIXED: &str = "fixed_params";

/// Who writes; Optuna asks for a name in every line.
const WORKER: &str = "modelops";

impl Record {
    /// The line, with its newline. `time` is an ISO 8601 date and time in UTC.
    pub(crate) fn to_line(&self, time: &str) -> String {
        let mut line = match self {
            Self::CreateStudy { name, directions } => {
                let ways: Vec<u8> = directions.iter().map(|d| direction_code(*d)).collect();
                json!({"op_code": 0, "worker_id": WORKER, "study_name": name, "directions": ways}).to_string()
            }
            Self::CreateTrial(trial) => trial.to_json(time),
            Self::SetParameter { trial, parameter } => json!({
                "op_code": 5, "worker_id": WORKER, "trial_id": trial, "param_name": parameter.name,
                "param_value_internal": parameter.number, "distribution": distribution(&parameter.domain),
            })
            .to_string(),
            Self::SetState { trial, state, values } => format!(
                r#"{{"op_code":6,"worker_id":"{WORKER}","trial_id":{trial},"state":{},"values":{},"{}":"{time}"}}"#,
                state_code(*state),
                if values.is_empty() {
                    "null".to_owned()
                } else {
                    numbers(values)
                },
                // An enqueued trial that starts: Optuna looks for this name and reads no file without it.
                if *state == TrialState::Running {
                    "datetime_start"
                } else {
                    "datetime_complete"
                },
            ),
            Self::Intermediate { trial, step, value } => format!(
                r#"{{"op_code":7,"worker_id":"{WORKER}","trial_id":{trial},"step":{step},"intermediate_value":{}}}"#,
                number(*value),
            ),
            Self::TrialAttribute { trial, attributes } => {
                json!({"op_code": 8, "worker_id": WORKER, "trial_id": trial, "user_attr": attributes})
                    .to_string()
            }
            Self::SystemAttribute { trial, attributes } => {
                json!({"op_code": 9, "worker_id": WORKER, "trial_id": trial, "system_attr": attributes})
                    .to_string()
            }
            Self::DeleteStudy { study } => {
                json!({"op_code": 1, "worker_id": WORKER, "study_id": study}).to_string()
            }
            Self::Other => return String::new(),
        };
        line.push('\n');
        line
    }

    /// Reads a line; `None` where it is no operation.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let json: Json = serde_json::from_str(&quote_non_finite(line)).ok()?;
        let trial = || usize::try_from(json.get("trial_id")?.as_u64()?).ok();
        Some(match json.get("op_code")?.as_u64()? {
            0 => Self::CreateStudy {
                name: json.get("study_name")?.as_str()?.to_owned(),
                directions: json
                    .get("directions")?
                    .as_array()?
                    .iter()
                    .map(direction)
                    .collect::<Option<_>>()?,
            },
            1 => Self::DeleteStudy {
                study: usize::try_from(json.get("study_id")?.as_u64()?).ok()?,
            },
            4 => Self::CreateTrial(Box::new(NewTrial::from_json(&json)?)),
            5 => Self::SetParameter {
                trial: trial()?,
                parameter: StoredParameter {
                    name: json.get("param_name")?.as_str()?.to_owned(),
                    number: json_number(json.get("param_value_internal")?)?,
                    domain: parse_distribution(json.get("distribution")?.as_str()?)?,
                },
            },
            6 => Self::SetState {
                trial: trial()?,
                state: parse_state(json.get("state")?)?,
                values: json.get("values").map_or(Some(Vec::new()), optional_numbers)?,
            },
            7 => Self::Intermediate {
                trial: trial()?,
                step: json.get("step")?.as_u64()?,
                value: json_number(json.get("intermediate_value")?)?,
            },
            8 => Self::TrialAttribute {
                trial: trial()?,
                attributes: json.get("user_attr")?.as_object()?.clone(),
            },
            9 => Self::SystemAttribute {
                trial: trial()?,
                attributes: json.get("system_attr")?.as_object()?.clone(),
            },
            2 | 3 => Self::Other,
            _ => return None,
        })
    }
}

impl NewTrial {
    fn to_json(&self, time: &str) -> String {
        let mut parameters = String::new();
        let mut distributions = Map::new();
        for (index, parameter) in self.parameters.iter().enumerate() {
            let name = Json::from(parameter.name.as_str());
            // Writing to a String cannot fail.
            let _ = write!(
                parameters,
                "{}{name}:{}",
                if index > 0 { "," } else { "" },
                number(parameter.number)
            );
            distributions.insert(parameter.name.clone(), distribution(&parameter.domain).into());
        }
        let mut line = format!(
            r#"{{"op_code":4,"worker_id":"{WORKER}","study_id":{},"datetime_start":"{time}","state":{},"params":{{{parameters}}},"distributions":{}"#,
            self.study,
            state_code(self.state),
            Json::from(distributions),
        );
        if !self.system_attributes.is_empty() {
            let _ = write!(
                line,
                r#","system_attrs":{}"#,
                Json::from(self.system_attributes.clone())
            );
        }
        line.push('}');
        line
    }

    fn from_json(json: &Json) -> Option<Self> {
        let mut parameters = Vec::new();
        if let (Some(values), Some(domains)) = (json.get("params"), json.get("distributions")) {
            for (name, value) in values.as_object()? {
                parameters.push(StoredParameter {
                    name: name.clone(),
                    number: json_number(value)?,
                    domain: parse_distribution(domains.get(name)?.as_str()?)?,
                });
            }
        }
        let steps = json.get("intermediate_values").and_then(Json::as_object);
        let mut intermediate: Vec<(u64, f64)> = steps
            .into_iter()
            .flatten()
            .map(|(step, value)| Some((step.parse().ok()?, json_number(value)?)))
            .collect::<Option<_>>()?;
        intermediate.sort_by_key(|(step, _)| *step);
        let mut values = json.get("values").map_or(Some(Vec::new()), optional_numbers)?;
        if values.is_empty() {
            values.extend(json.get("value").and_then(json_number));
        }
        Some(Self {
            study: usize::try_from(json.get("study_id")?.as_u64()?).ok()?,
            state: json.get("state").map_or(Some(TrialState::Running), parse_state)?,
            parameters,
            values,
            intermediate,
            attributes: object(json, "user_attrs"),
            system_attributes: object(json, "system_attrs"),
        })
    }
}

fn direction_code(direction: Direction) -> u8 {
    match direction {
        Direction::Minimize => 1,
        Direction::Maximize => 2,
    }
}

fn direction(json: &Json) -> Option<Direction> {
    match json.as_u64()? {
        1 => Some(Direction::Minimize),
        2 => Some(Direction::Maximize),
        _ => None,
    }
}

/// The object under a name; an empty one where there is none.
fn object(json: &Json, name: &str) -> Map<String, Json> {
    json.get(name)
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default()
}

fn state_code(state: TrialState) -> u8 {
    match state {
        TrialState::Running => 0,
        TrialState::Complete => 1,
        TrialState::Pruned => 2,
        TrialState::Failed => 3,
        TrialState::Waiting => 4,
    }
}

fn parse_state(json: &Json) -> Option<TrialState> {
    Some(match json.as_u64()? {
        0 => TrialState::Running,
        1 => TrialState::Complete,
        2 => TrialState::Pruned,
        3 => TrialState::Failed,
        4 => TrialState::Waiting,
        _ => return None,
    })
}

/// The shortest form that reads back as the same number; the names that Python's JSON uses for the rest.
fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        }
    } else {
        json!(value).to_string()
    }
}

fn numbers(values: &[f64]) -> String {
    let entries: Vec<String> = values.iter().map(|v| number(*v)).collect();
    format!("[{}]", entries.join(","))
}

pub(crate) fn json_number(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(name) => match name.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn optional_numbers(json: &Json) -> Option<Vec<f64>> {
    match json {
        Json::Null => Some(Vec::new()),
        Json::Array(entries) => entries.iter().map(json_number).collect(),
        _ => None,
    }
}

/// Puts quotes around NaN and the infinities outside of strings, which strict JSON does not know.
fn quote_non_finite(line: &str) -> String {
    if !line.contains("NaN") && !line.contains("Infinity") {
        return line.to_owned();
    }
    let mut out = String::with_capacity(line.len() + 8);
    let mut rest = line;
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        let name = ["-Infinity", "Infinity", "NaN"]
            .into_iter()
            .find(|n| !in_string && rest.starts_with(n));
        let length = match name {
            Some(name) => {
                let _ = write!(out, "\"{name}\"");
                name.len()
            }
            None if in_string && c == '\\' => {
                let escaped = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..escaped]);
                escaped
            }
            None => {
                in_string ^= c == '"';
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// A domain as Optuna writes it: a string of JSON.
pub(crate) fn distribution(domain: &Domain) -> String {
    match domain {
        Domain::Float { low, high, log, step } => json!({
            "name": "FloatDistribution",
            "attributes": {"step": step, "low": low, "high": high, "log": log},
        }),
        Domain::Int { low, high, log, step } => json!({
            "name": "IntDistribution",
            "attributes": {"log": log, "step": step, "low": low, "high": high},
        }),
        Domain::Categorical { choices } => {
            let choices: Vec<Json> = choices.iter().map(choice).collect();
            json!({"name": "CategoricalDistribution", "attributes": {"choices": choices}})
        }
    }
    .to_string()
}

pub(crate) fn parse_distribution(text: &str) -> Option<Domain> {
    let json: Json = serde_json::from_str(&quote_non_finite(text)).ok()?;
    let attributes = json.get("attributes")?;
    let flag = |name: &str| attributes.get(name).and_then(Json::as_bool).unwrap_or(false);
    match json.get("name")?.as_str()? {
        "FloatDistribution" => Some(Domain::Float {
            low: json_number(attributes.get("low")?)?,
            high: json_number(attributes.get("high")?)?,
            log: flag("log"),
            step: attributes.get("step").and_then(json_number),
        }),
        "IntDistribution" => Some(Domain::Int {
            low: attributes.get("low")?.as_i64()?,
            high: attributes.get("high")?.as_i64()?,
            log: flag("log"),
            step: attributes.get("step").and_then(Json::as_i64).unwrap_or(1).max(1),
        }),
        "CategoricalDistribution" => Some(Domain::Categorical {
            choices: attributes
                .get("choices")?
                .as_array()?
                .iter()
                .map(parse_choice)
                .collect::<Option<_>>()?,
        }),
        _ => None,
    }
}

pub(crate) fn choice(value: &Value) -> Json {
    match value {
        Value::Float(v) => json!(v),
        Value::Int(v) => json!(v),
        Value::Text(v) => json!(v),
        Value::Bool(v) => json!(v),
        Value::Null => Json::Null,
    }
}

pub(crate) fn parse_choice(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(v) => Value::Bool(*v),
        Json::String(v) => Value::Text(v.clone()),
        Json::Number(v) => match v.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(v.as_f64()?),
        },
        _ => return None,
    })
}
