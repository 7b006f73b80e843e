//! CPU and memory of a Machine, as numbers and in words. Pure.

use model::message::Sizing;
use model::quantity;

/// CPU in thousandths, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Thousandths of a CPU.
    pub cpu: u64,
    /// Bytes.
    pub memory: u64,
}

impl Size {
    /// What a Machine of this sizing takes of its cluster. A memory that cannot be read counts as none.
    pub fn of(sizing: &Sizing) -> Self {
        let cpus = sizing.cores.saturating_mul(sizing.threads).saturating_mul(sizing.sockets);
        Self {
            cpu: u64::try_from(cpus).unwrap_or_default().saturating_mul(1000),
            memory: quantity::parse(&sizing.memory).unwrap_or_default(),
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_add(other.cpu), memory: self.memory.saturating_add(other.memory) }
    }

    pub(crate) fn less(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(other.cpu), memory: self.memory.saturating_sub(other.memory) }
    }

    pub(crate) fn times(self, count: u64) -> Self {
        Self { cpu: self.cpu.saturating_mul(count), memory: self.memory.saturating_mul(count) }
    }
}

/// `1.5 CPUs` for 1500.
pub(crate) fn say_cpus(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    format!("{} CPUs", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `16Gi`, or a number of bytes that is not round.
pub(crate) fn say_memory(bytes: u64) -> String {
    quantity::canonical(bytes)
}
