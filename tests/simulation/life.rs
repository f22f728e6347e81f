//! What one life of the machine is to be like, by the seed: how it ends, and what the disk does to it meanwhile.

use std::path::{Path, PathBuf};
use std::time::Duration;

use corelane::runtime::sim::{CrashPoint, DiskFault, DiskOp, Plan, SimWorld};

/// How a life ends, if power is not lost before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Power is lost.
    Crash,
    /// A clean stop.
    Stop,
    /// A topic is deleted and made again under its name; then power is lost.
    Recreate,
}

/// What the disk does while the shards work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weather {
    /// As it should.
    Fair,
    /// One operation fails.
    Failure,
    /// All operations of a kind fail from one on.
    Failures,
    /// A device goes.
    Gone,
    /// Some reads fail.
    ReadFailures,
    /// It is nearly full.
    Full,
    /// A device is slow.
    Slow,
    /// A write goes elsewhere.
    Misdirection,
}

/// When power is lost, if it is before the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Loss {
    Never,
    /// At any moment, also during recovery.
    At(CrashPoint),
    /// After so many disk events of the work that follows recovery: what the crash before has left is still there.
    AfterRecovery(u64),
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub ending: Ending,
    pub weather: Weather,
    loss: Loss,
    /// Whether the disk fails something while the shards recover.
    pub is_boot_troubled: bool,
    /// Whether all batches are small, so that journal groups are short.
    pub is_small: bool,
    /// Whether recovery is done twice, which must come to the same.
    pub recovers_twice: bool,
    /// Whether power is lost shortly after one of the log's ends was moved.
    pub crashes_at_cuts: bool,
    /// Another number of shards, or other owners.
    pub shards: Option<u16>,
}

/// Shards that there are at most.
pub const SHARDS_MAX: u64 = 3;

impl Life {
    pub fn choose(world: &SimWorld) -> Self {
        let any = |of: u64| world.random_below(of) == 0;
        let ending = match world.random_below(20) {
            0..4 => Ending::Stop,
            4..8 => Ending::Recreate,
            _ => Ending::Crash,
        };
        let crashes_at_cuts = ending == Ending::Crash && any(3);
        let weather = match (ending, world.random_below(16)) {
            // What is in flight stays so for longer: the disk keeps its promises at the last moment.
            (_, 0..3) => Weather::Slow,
            (Ending::Crash, 3 | 4) => Weather::Failure,
            (Ending::Crash, 5) => Weather::Failures,
            (Ending::Crash, 6) => Weather::Gone,
            (Ending::Crash, 7) => Weather::ReadFailures,
            (_, 8) => Weather::Full,
            _ => Weather::Fair,
        };
        let loss = match world.random_below(6) {
            0 => Loss::At(CrashPoint::DiskEvents(world.random_below(60))),
            1 => Loss::At(CrashPoint::DiskEvents(world.random_below(3_000))),
            2 => Loss::At(CrashPoint::After(Duration::from_micros(world.random_below(250_000)))),
            3 => Loss::AfterRecovery(world.random_below(30)),
            _ => Loss::Never,
        };
        Life {
            ending,
            weather: if crashes_at_cuts && !any(3) { Weather::Slow } else { weather },
            loss,
            is_boot_troubled: any(12),
            is_small: !crashes_at_cuts && any(3),
            recovers_twice: any(3),
            crashes_at_cuts,
            shards: any(6).then(|| 1 + world.random_below(SHARDS_MAX) as u16),
        }
    }

    /// The last one, in or after which bytes go astray or a device is swapped.
    pub fn before_disaster(world: &SimWorld, weather: Weather) -> Self {
        let stops = weather == Weather::Fair && world.random_below(3) == 0;
        let ending = if stops { Ending::Stop } else { Ending::Crash };
        Life { ending, weather, loss: Loss::Never, is_boot_troubled: false, ..Life::choose(world) }
    }

    /// Before the shards recover.
    pub fn arm(&self, world: &SimWorld) {
        world.note(&format!("{:?}-{:?}", self.weather, self.ending), u64::from(self.is_small));
        if let Loss::At(point) = self.loss {
            world.crash_at(point);
        }
        if self.is_boot_troubled {
            let ops = [DiskOp::Read, DiskOp::Write, DiskOp::Open, DiskOp::SyncDir, DiskOp::Length];
            let op = ops[world.random_below(ops.len() as u64) as usize];
            world.plan(Plan::new(DiskFault::Io).of(op).nth(1 + world.random_below(20)));
        }
    }

    /// When they have recovered.
    pub fn arm_work(&self, world: &SimWorld) {
        if let Loss::AfterRecovery(events) = self.loss {
            world.crash_at(CrashPoint::DiskEvents(events));
        }
    }

    /// Whether a read may fail that finds everything in its place.
    pub fn reads_may_fail(&self) -> bool {
        matches!(
            self.weather,
            Weather::Failure
                | Weather::Failures
                | Weather::Gone
                | Weather::ReadFailures
                | Weather::Misdirection
        )
    }

    /// Begins the weather. `devices` are the data and the journals' directory, `journals` those of the shards;
    /// `spare_bytes` is what a full disk still has.
    pub fn begin_weather(
        &self,
        world: &SimWorld,
        devices: [&Path; 2],
        journals: &[PathBuf],
        spare_bytes: u64,
    ) {
        let device = devices[world.random_below(2) as usize];
        let nth = 1 + world.random_below(200);
        let fault = if world.random_below(2) == 0 { DiskFault::Io } else { DiskFault::NoSpace };
        let ops =
            [DiskOp::Write, DiskOp::Sync, DiskOp::Allocate, DiskOp::SetLength, DiskOp::SyncDir, DiskOp::Open];
        let op = ops[world.random_below(ops.len() as u64) as usize];
        match self.weather {
            Weather::Fair => {}
            Weather::Failure => world.fail(op, nth, fault),
            Weather::Failures => world.plan(Plan::new(fault).of(op).nth(nth).for_ever()),
            Weather::Gone => world.plan(Plan::new(DiskFault::Io).below(device).nth(nth).for_ever()),
            Weather::ReadFailures => {
                for nth in 1..6 {
                    world.fail(DiskOp::Read, nth * 3, DiskFault::Io);
                }
            }
            Weather::Full => {
                world.limit_space(devices[0], Some(world.used_bytes(devices[0]) + spare_bytes));
            }
            Weather::Slow => {
                let mut slow: Vec<&Path> = journals.iter().map(PathBuf::as_path).collect();
                if !self.crashes_at_cuts && world.random_below(3) == 0 {
                    slow = vec![device];
                }
                let by_at_most = Duration::from_millis(if self.crashes_at_cuts { 12 } else { 4 });
                for path in slow {
                    world.slow_down(path, Duration::from_secs(1), by_at_most);
                }
            }
            Weather::Misdirection => {
                let topics = devices[0].join("topics");
                let below = [devices[0], devices[1], &topics][world.random_below(3) as usize];
                let plan = Plan::new(DiskFault::Misdirected).below(below);
                world.plan(plan.nth(1 + world.random_below(40)));
            }
        }
    }
}
