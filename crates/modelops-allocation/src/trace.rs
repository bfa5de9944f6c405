//! Traces of a real cluster: the CSV files called openb of Alibaba's cluster-trace-gpu-v2023, and the arrivals that the published
//! experiments make of them.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::error::TraceError;
use crate::fleet::{Device, Fleet, Node};
use crate::resources::{Milli, Resources};
use crate::workload::{DeviceDemand, Request};

/// Reads the nodes of an openb trace: columns `sn,cpu_milli,memory_mib,gpu,model`.
///
/// # Errors
/// [`TraceError`] for a missing column, a field that is no number, or nodes that make no [`Fleet`].
///
/// # Example
/// ```
/// use modelops_allocation::trace::openb_nodes;
/// let fleet = openb_nodes("sn,cpu_milli,memory_mib,gpu,model\nn-0,64000,262144,2,P100\n")?;
/// assert_eq!(fleet.devices(), 2);
/// # Ok::<(), modelops_allocation::TraceError>(())
/// ```
///
/// # References
/// Alibaba cluster-trace-gpu-v2023.
pub fn openb_nodes(csv: &str) -> Result<Fleet, TraceError> {
    let table = Table::new(csv);
    let [name, cpu, memory, gpu, model] = [
        table.column("sn")?,
        table.column("cpu_milli")?,
        table.column("memory_mib")?,
        table.column("gpu")?,
        table.column("model")?,
    ];
    let nodes = table.rows().map(|row| {
        let resources = Resources::new()
            .with("cpu_milli", row.number(cpu)?)
            .with("memory_mib", row.number(memory)?);
        let device = Device::new(row.text(model), Resources::new());
        let devices = row.number(gpu)?;
        if devices > Fleet::MAX_DEVICES as u64 {
            return Err(TraceError::Number {
                line: row.line,
                column: "gpu",
            });
        }
        Ok(Node::new(row.text(name), resources).with_devices(devices as usize, &device))
    });
    Ok(Fleet::try_new(nodes.collect::<Result<_, _>>()?)?)
}

/// Reads the pods of an openb trace: columns `name,cpu_milli,memory_mib,num_gpu,gpu_milli` and perhaps `gpu_spec`.
///
/// Each pod is a request of one replica, worth its thousandths of a device.
///
/// # Errors
/// [`TraceError`] for a missing column, a field that is no number, or a share outside 1..=1000.
///
/// # Example
/// ```
/// use modelops_allocation::trace::openb_pods;
/// let pods = openb_pods("name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\np-0,6000,12288,1,460,V100M16|V100M32\n")?;
/// assert_eq!(pods[0].value(), 460);
/// # Ok::<(), modelops_allocation::TraceError>(())
/// ```
pub fn openb_pods(csv: &str) -> Result<Vec<Request>, TraceError> {
    let table = Table::new(csv);
    let [name, cpu, memory, gpus, milli] = [
        table.column("name")?,
        table.column("cpu_milli")?,
        table.column("memory_mib")?,
        table.column("num_gpu")?,
        table.column("gpu_milli")?,
    ];
    let spec = table.column("gpu_spec").ok();
    table
        .rows()
        .map(|row| {
            let mut request = Request::new(row.text(name))
                .with_resource("cpu_milli", row.number(cpu)?)
                .with_resource("memory_mib", row.number(memory)?);
            let count = row.number(gpus)?;
            let mut value = 0;
            if count > 0 {
                let number = |column, value| {
                    u32::try_from(value).map_err(|_| TraceError::Number {
                        line: row.line,
                        column,
                    })
                };
                let share = Milli::try_new(number("gpu_milli", row.number(milli)?)?).map_err(|source| {
                    TraceError::Share {
                        line: row.line,
                        source,
                    }
                })?;
                let devices = if count == 1 {
                    DeviceDemand::share(share)
                } else {
                    DeviceDemand::whole(number("num_gpu", count)?)
                };
                value = count * u64::from(devices.milli().to_u32());
                let kinds = spec
                    .map_or("", |spec| row.text(spec))
                    .split('|')
                    .filter(|kind| !kind.is_empty());
                request = request.with_devices(devices.with_kinds(kinds));
            }
            Ok(request.with_value(value))
        })
        .collect()
}

/// The arrivals of the published experiments, as positions in `pods`.
///
/// The pods are shuffled, then pods are drawn with replacement until the next would exceed `load` thousandths of the fleet's devices;
/// where the pods exceed it themselves, random ones are left out.
///
/// # References
/// Q. Weng et al., USENIX ATC 2023, the `tune` step of the artifact.
#[must_use]
pub fn arrivals(fleet: &Fleet, pods: &[Request], load: u32, seed: u64) -> Vec<usize> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..pods.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, rng.random_range(0..=i as u64) as usize);
    }
    let target = fleet.devices() as u64 * u64::from(load);
    let share = |i: usize| {
        pods[i]
            .devices()
            .map_or(0, |devices| u64::from(devices.milli().to_u32()))
    };
    let total = |i: usize| {
        pods[i]
            .devices()
            .map_or(0, |devices| u64::from(devices.count()) * share(i))
    };
    let mut sum: u64 = order.iter().map(|i| total(*i)).sum();
    if pods.is_empty() || (0..pods.len()).all(|i| share(i) == 0) {
        return order;
    }
    while sum > target {
        let out = rng.random_range(0..order.len() as u64) as usize;
        sum -= total(order.remove(out));
    }
    if order.len() == pods.len() {
        loop {
            let next = rng.random_range(0..pods.len() as u64) as usize;
            // As published: the check adds the share of one device, whatever their number.
            if sum + share(next) > target {
                break;
            }
            sum += total(next);
            order.push(next);
        }
    }
    order
}

/// Comma-separated values without quotes, as these traces are.
struct Table<'a> {
    header: Vec<&'a str>,
    body: std::iter::Skip<std::iter::Enumerate<std::str::Lines<'a>>>,
}

struct Row<'a> {
    line: usize,
    fields: Vec<&'a str>,
}

/// A column's position and its name for errors.
#[derive(Clone, Copy)]
struct Column {
    at: usize,
    name: &'static str,
}

impl<'a> Table<'a> {
    fn new(csv: &'a str) -> Self {
        let header = csv
            .lines()
            .next()
            .unwrap_or("")
            .split(',')
            .map(str::trim)
            .collect();
        Self {
            header,
            body: csv.lines().enumerate().skip(1),
        }
    }

    fn column(&self, name: &'static str) -> Result<Column, TraceError> {
        let at = self.header.iter().position(|column| *column == name);
        at.map(|at| Column { at, name })
            .ok_or(TraceError::MissingColumn { column: name })
    }

    fn rows(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let lines = self.body.clone().filter(|(_, line)| !line.trim().is_empty());
        lines.map(|(i, line)| Row {
            line: i + 1,
            fields: line.split(',').map(str::trim).collect(),
        })
    }
}

impl<'a> Row<'a> {
    fn text(&self, column: Column) -> &'a str {
        self.fields.get(column.at).copied().unwrap_or("")
    }

    /// A whole number, which some of the files write as `3.0`; an empty field is 0.
    fn number(&self, column: Column) -> Result<u64, TraceError> {
        let text = self.text(column);
        let whole = text.split_once('.').map_or(text, |(whole, zeros)| {
            if zeros.bytes().all(|digit| digit == b'0') {
                whole
            } else {
                "not whole"
            }
        });
        if whole.is_empty() {
            return Ok(0);
        }
        whole.parse().map_err(|_| TraceError::Number {
            line: self.line,
            column: column.name,
        })
    }
}
