//! What the driver says of NVIDIA's devices.

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::{Clock, EccCounter, MemoryError, TemperatureSensor};

use crate::collector::{Collected, Collector};

/// Load, memory, power, temperature, clocks and faults of NVIDIA's devices, in the base units of Prometheus and labelled
/// `gpu` (the index) and `uuid`.
///
/// The library of the driver is looked for once, when the collector is made. Where there is none, nothing is said at
/// all; a number that a device refuses is left out, for that device alone. Each scrape asks the driver, which itself
/// looks at a device every sixth of a second or more rarely: scraping faster shows nothing new.
///
/// | metric | type | that of the DCGM exporter |
/// | --- | --- | --- |
/// | `gpu_info` (labels `name`, `driver`) | info | labels `modelName`, `DCGM_FI_DRIVER_VERSION` |
/// | `gpu_busy_ratio` | gauge | `DCGM_FI_DEV_GPU_UTIL`, in percent |
/// | `gpu_memory_busy_ratio` | gauge | `DCGM_FI_DEV_MEM_COPY_UTIL`, in percent |
/// | `gpu_memory_used_bytes`, `gpu_memory_bytes` | gauge | `DCGM_FI_DEV_FB_USED`, and its sum with `FB_FREE`, in MiB |
/// | `gpu_temperature_celsius` | gauge | `DCGM_FI_DEV_GPU_TEMP` |
/// | `gpu_power_watts`, `gpu_power_limit_watts` | gauge | `DCGM_FI_DEV_POWER_USAGE`; the enforced limit |
/// | `gpu_energy_joules_total` | counter | `DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION`, in millijoules |
/// | `gpu_clock_hertz`, `gpu_memory_clock_hertz` | gauge | `DCGM_FI_DEV_SM_CLOCK`, `MEM_CLOCK`, in MHz |
/// | `gpu_pcie_replays_total` | counter | `DCGM_FI_DEV_PCIE_REPLAY_COUNTER` |
/// | `gpu_uncorrected_memory_errors_total` | counter | `DCGM_FI_DEV_ECC_DBE_AGG_TOTAL` |
///
/// ```
/// use modelops_monitoring::{GpuCollector, Registry};
/// let gpus = GpuCollector::new();
/// let present = gpus.is_present();
/// let registry = Registry::new("shop")?;
/// registry.add_collector(Box::new(gpus))?;
/// assert!(present || !registry.to_prometheus_text().contains("gpu_"));
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
///
/// References: NVIDIA, NVML API reference guide (nvmlDeviceGetUtilizationRates and its neighbours); NVIDIA,
/// dcgm-exporter, `default-counters.csv`.
#[derive(Debug, Default)]
pub struct GpuCollector {
    nvml: Option<Nvml>,
}

impl GpuCollector {
    /// A collector of the devices that the driver shows; of none where there is no driver.
    #[must_use]
    pub fn new() -> Self {
        Self {
            nvml: Nvml::init().ok(),
        }
    }

    /// Whether the driver was found.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.nvml.is_some()
    }
}

impl Collector for GpuCollector {
    fn collect(&self, out: &mut Collected) {
        if let Some(nvml) = &self.nvml {
            tell(nvml, out);
        }
    }
}

/// Where readings come from: the driver, or a test.
trait Driver {
    fn version(&self) -> Option<String>;

    fn readings(&self) -> Vec<Reading>;
}

/// What one device says, in the driver's units; nothing where it refuses.
#[derive(Debug, Clone, Default)]
struct Reading {
    index: u32,
    uuid: String,
    name: String,
    busy_percent: Option<u32>,
    memory_busy_percent: Option<u32>,
    memory_used_bytes: Option<u64>,
    memory_bytes: Option<u64>,
    celsius: Option<u32>,
    milliwatts: Option<u32>,
    limit_milliwatts: Option<u32>,
    millijoules: Option<u64>,
    clock_megahertz: Option<u32>,
    memory_clock_megahertz: Option<u32>,
    pcie_replays: Option<u32>,
    uncorrected_errors: Option<u64>,
}

impl Driver for Nvml {
    fn version(&self) -> Option<String> {
        self.sys_driver_version().ok()
    }

    fn readings(&self) -> Vec<Reading> {
        let device = |index| {
            let device = self.device_by_index(index).ok()?;
            let busy = device.utilization_rates().ok();
            let memory = device.memory_info().ok();
            Some(Reading {
                index,
                uuid: device.uuid().unwrap_or_default(),
                name: device.name().unwrap_or_default(),
                busy_percent: busy.as_ref().map(|busy| busy.gpu),
                memory_busy_percent: busy.map(|busy| busy.memory),
                memory_used_bytes: memory.as_ref().map(|memory| memory.used),
                memory_bytes: memory.map(|memory| memory.total),
                celsius: device.temperature(TemperatureSensor::Gpu).ok(),
                milliwatts: device.power_usage().ok(),
                limit_milliwatts: device.enforced_power_limit().ok(),
                millijoules: device.total_energy_consumption().ok(),
                clock_megahertz: device.clock_info(Clock::SM).ok(),
                memory_clock_megahertz: device.clock_info(Clock::Memory).ok(),
                pcie_replays: device.pcie_replay_counter().ok(),
                uncorrected_errors: device
                    .total_ecc_errors(MemoryError::Uncorrected, EccCounter::Aggregate)
                    .ok(),
            })
        };
        (0..self.device_count().unwrap_or(0)).filter_map(device).collect()
    }
}

/// Says all readings in base units.
fn tell(driver: &impl Driver, out: &mut Collected) {
    let version = driver.version().unwrap_or_default();
    for reading in driver.readings() {
        let index = reading.index.to_string();
        let labels = [("gpu", index.as_str()), ("uuid", reading.uuid.as_str())];
        let facts = [("name", reading.name.as_str()), ("driver", version.as_str())];
        out.info("gpu", "A device and its driver.", &[labels, facts].concat());
        let scaled = |value: Option<u32>, unit: f64| value.map(|value| f64::from(value) * unit);
        let gauges = [
            (
                "gpu_busy_ratio",
                "Share of time in which a kernel ran.",
                reading.busy_percent.map(|percent| f64::from(percent) / 100.0),
            ),
            (
                "gpu_memory_busy_ratio",
                "Share of time in which memory was read or written.",
                reading
                    .memory_busy_percent
                    .map(|percent| f64::from(percent) / 100.0),
            ),
            (
                "gpu_memory_used_bytes",
                "Memory in use.",
                reading.memory_used_bytes.map(|bytes| bytes as f64),
            ),
            (
                "gpu_memory_bytes",
                "Memory of the device.",
                reading.memory_bytes.map(|bytes| bytes as f64),
            ),
            (
                "gpu_temperature_celsius",
                "Temperature of the device.",
                scaled(reading.celsius, 1.0),
            ),
            (
                "gpu_power_watts",
                "Power drawn.",
                reading.milliwatts.map(|milliwatts| f64::from(milliwatts) / 1e3),
            ),
            (
                "gpu_power_limit_watts",
                "Power that may be drawn.",
                reading
                    .limit_milliwatts
                    .map(|milliwatts| f64::from(milliwatts) / 1e3),
            ),
            (
                "gpu_clock_hertz",
                "Clock of the processors.",
                scaled(reading.clock_megahertz, 1e6),
            ),
            (
                "gpu_memory_clock_hertz",
                "Clock of the memory.",
                scaled(reading.memory_clock_megahertz, 1e6),
            ),
        ];
        for (name, help, value) in gauges {
            value
                .into_iter()
                .for_each(|value| out.gauge(name, help, &labels, value));
        }
        let counters = [
            (
                "gpu_energy_joules",
                "Energy used since the driver was loaded.",
                reading.millijoules.map(|millijoules| millijoules as f64 / 1e3),
            ),
            (
                "gpu_pcie_replays",
                "Transfers over PCIe that had to be repeated.",
                scaled(reading.pcie_replays, 1.0),
            ),
            (
                "gpu_uncorrected_memory_errors",
                "Memory errors that could not be corrected, over the life of the device.",
                reading.uncorrected_errors.map(|errors| errors as f64),
            ),
        ];
        for (name, help, value) in counters {
            value
                .into_iter()
                .for_each(|value| out.counter(name, help, &labels, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Registry, openmetrics};

    /// Two devices, one of which refuses everything, as a slice of a shared device does.
    struct Fake;

    impl Driver for Fake {
        fn version(&self) -> Option<String> {
            Some("580.1".to_owned())
        }

        fn readings(&self) -> Vec<Reading> {
            let busy = Reading {
                index: 0,
                uuid: "GPU-a".to_owned(),
                name: "H\"100".to_owned(),
                busy_percent: Some(57),
                memory_busy_percent: Some(0),
                memory_used_bytes: Some(3 << 30),
                memory_bytes: Some(80 << 30),
                celsius: Some(61),
                milliwatts: Some(412_345),
                limit_milliwatts: Some(700_000),
                millijoules: Some(12_345_678_901),
                clock_megahertz: Some(1_980),
                memory_clock_megahertz: Some(2_619),
                pcie_replays: Some(2),
                uncorrected_errors: Some(0),
            };
            let silent = Reading {
                index: 1,
                uuid: "MIG-b".to_owned(),
                ..Reading::default()
            };
            vec![busy, silent]
        }
    }

    impl Collector for Fake {
        fn collect(&self, out: &mut Collected) {
            tell(self, out);
        }
    }

    #[test]
    fn readings_come_out_in_base_units_and_refusals_are_left_out() {
        let registry = Registry::new("x").unwrap();
        registry.add_collector(Box::new(Fake)).unwrap();
        let text = registry.to_prometheus_text();
        let labels = "{gpu=\"0\",uuid=\"GPU-a\"}";
        for (name, value) in [
            ("gpu_busy_ratio", 0.57),
            ("gpu_memory_busy_ratio", 0.0),
            ("gpu_memory_used_bytes", 3_221_225_472.0),
            ("gpu_memory_bytes", 85_899_345_920.0),
            ("gpu_temperature_celsius", 61.0),
            ("gpu_power_watts", 412.345),
            ("gpu_power_limit_watts", 700.0),
            ("gpu_energy_joules_total", 12_345_678.901),
            ("gpu_clock_hertz", 1.98e9),
            ("gpu_memory_clock_hertz", 2.619e9),
            ("gpu_pcie_replays_total", 2.0),
            ("gpu_uncorrected_memory_errors_total", 0.0),
        ] {
            let start = format!("{name}{labels} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            assert_eq!(
                line.map(|value| value.parse()),
                Some(Ok(value)),
                "{name} in {text}"
            );
        }
        assert!(text.contains("gpu_info{gpu=\"0\",uuid=\"GPU-a\",name=\"H\\\"100\",driver=\"580.1\"} 1"));
        let silent = text.lines().filter(|line| line.contains("MIG-b")).count();
        assert_eq!(silent, 1, "the device is named, and says nothing: {text}");
        let families = openmetrics::parse(&registry.to_openmetrics()).unwrap();
        assert_eq!(openmetrics::lint(&families), []);
    }

    #[test]
    fn without_a_driver_nothing_is_said() {
        let registry = Registry::new("x").unwrap();
        registry
            .add_collector(Box::new(GpuCollector { nvml: None }))
            .unwrap();
        assert_eq!(
            registry.to_prometheus_text(),
            Registry::new("x").unwrap().to_prometheus_text()
        );
        let looked_for = GpuCollector::new();
        let mut out = Collected::default();
        looked_for.collect(&mut out);
        assert!(looked_for.is_present() || out.into_families().next().is_none());
    }
}
