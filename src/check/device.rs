//! Network cards and disks as sysfs shows them, and the PCI function that each one is on.

use std::path::{Path, PathBuf};

use super::tree::Tree;

/// Layers of block devices (LVM, RAID, encryption) that are followed down to disks at most.
const LAYERS_MAX: usize = 8;

/// A network card or a disk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Device {
    /// Its name, such as `eth0` or `nvme0n1`.
    pub name: String,
    /// Its directory in sysfs, links followed.
    pub path: PathBuf,
}

impl Device {
    fn new(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_owned();
        Some(Device { name, path })
    }

    /// The NUMA node that it is attached to; none if the machine has none, or does not tell.
    pub fn node(&self, tree: &Tree) -> Option<usize> {
        let node = tree.number(self.function(tree)?.join("numa_node"))?;
        usize::try_from(node).ok()
    }

    /// Its interrupts' numbers.
    pub fn interrupts(&self, tree: &Tree) -> Vec<u32> {
        let Some(function) = self.function(tree) else { return Vec::new() };
        tree.names(function.join("msi_irqs")).iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// The PCI function: the nearest directory around the device that has what only those have. Bridges, which have
    /// interrupts of their own, lie further out.
    fn function(&self, tree: &Tree) -> Option<&Path> {
        self.path.ancestors().find(|path| tree.has(path.join("numa_node")) || tree.has(path.join("msi_irqs")))
    }
}

/// Network cards that are up. What is made of software only (loopback, bridges) has no device.
pub fn network_cards(tree: &Tree) -> Vec<Device> {
    let class = Path::new("sys/class/net");
    let is_card = |name: &String| {
        let is_up = tree.text(class.join(name).join("operstate")).is_some_and(|state| state != "down");
        is_up && tree.has(class.join(name).join("device"))
    };
    let names = tree.names(class);
    names
        .iter()
        .filter(|name| is_card(name))
        .filter_map(|name| Device::new(tree.resolve(class.join(name))?))
        .collect()
}

/// The disks under a block device: the disk of a partition, and the parts of LVM, RAID or encryption.
pub fn disks(tree: &Tree, number: &str) -> Vec<Device> {
    let mut layer: Vec<PathBuf> = tree.resolve(Path::new("sys/dev/block").join(number)).into_iter().collect();
    let mut disks = Vec::new();
    for _ in 0..LAYERS_MAX {
        for path in std::mem::take(&mut layer) {
            let path = if tree.has(path.join("partition")) {
                path.parent().unwrap_or(&path).to_owned()
            } else {
                path
            };
            let parts = tree.names(path.join("slaves"));
            layer.extend(parts.iter().filter_map(|part| tree.resolve(path.join("slaves").join(part))));
            disks.extend(parts.is_empty().then(|| Device::new(path)).flatten());
        }
    }
    disks.sort_unstable();
    disks.dedup();
    disks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::machine;

    #[test]
    fn cards_are_found_with_their_function() {
        let pci = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0";
        let (_kept, tree) = machine(&[
            (&format!("{pci}/numa_node"), "1"),
            (&format!("{pci}/msi_irqs/40"), "msix"),
            (&format!("{pci}/msi_irqs/41"), "msix"),
            ("sys/devices/pci0000:00/0000:00:01.0/msi_irqs/9", "msi"),
            (&format!("{pci}/net/eth0/operstate"), "up"),
            (&format!("{pci}/net/eth0/device"), "-> ../.."),
            (&format!("{pci}/net/eth1/operstate"), "down"),
            (&format!("{pci}/net/eth1/device"), "-> ../.."),
            ("sys/devices/virtual/net/lo/operstate", "unknown"),
            ("sys/class/net/eth0", &format!("-> ../../../{pci}/net/eth0")),
            ("sys/class/net/eth1", &format!("-> ../../../{pci}/net/eth1")),
            ("sys/class/net/lo", "-> ../../devices/virtual/net/lo"),
        ]);
        let cards = network_cards(&tree);
        assert_eq!(cards.iter().map(|card| card.name.as_str()).collect::<Vec<_>>(), ["eth0"]);
        assert_eq!((cards[0].node(&tree), cards[0].interrupts(&tree)), (Some(1), vec![40, 41]));
    }

    #[test]
    fn disks_are_found_under_partitions_and_layers() {
        let block = "sys/devices/pci0/nvme";
        let (_kept, tree) = machine(&[
            (&format!("{block}/nvme0n1/queue/rotational"), "0"),
            (&format!("{block}/nvme0n1/nvme0n1p2/partition"), "2"),
            (&format!("{block}/nvme1n1/queue/rotational"), "0"),
            (
                "sys/devices/virtual/block/dm-0/slaves/nvme0n1p2",
                &format!("-> ../../../../../../{block}/nvme0n1/nvme0n1p2"),
            ),
            (
                "sys/devices/virtual/block/dm-0/slaves/nvme1n1",
                &format!("-> ../../../../../../{block}/nvme1n1"),
            ),
            ("sys/devices/virtual/block/dm-1/slaves/dm-0", "-> ../../dm-0"),
            ("sys/devices/virtual/block/dm-2/slaves/dm-2", "-> ../../dm-2"),
            ("sys/dev/block/254:1", "-> ../../devices/virtual/block/dm-1"),
            ("sys/dev/block/254:2", "-> ../../devices/virtual/block/dm-2"),
            ("sys/dev/block/259:2", &format!("-> ../../../{block}/nvme0n1/nvme0n1p2")),
        ]);
        let names = |number| disks(&tree, number).into_iter().map(|disk| disk.name).collect::<Vec<_>>();
        assert_eq!(names("259:2"), ["nvme0n1"]);
        assert_eq!(names("254:1"), ["nvme0n1", "nvme1n1"]);
        assert!(names("254:2").is_empty(), "a circle ends");
        assert!(names("0:41").is_empty());
    }
}
