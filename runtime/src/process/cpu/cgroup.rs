//! The CPU quota of Linux control groups.
//!
//! A group may use so many microseconds of processor time in each period; what a group may use
//! is also limited by each group above it. Version 2 has one tree of groups, version 1 one for
//! each set of controllers, and a machine may have both.

use std::fs;
use std::path::{Path, PathBuf};

/// The smallest quota of all groups this process is in, in processors, rounded up. `None`
/// without a limit.
pub(super) fn quota() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    hierarchies(&groups, &mounts).iter().filter_map(Hierarchy::quota).min()
}

/// Where the files of this process's group are, in one tree of groups.
#[derive(Debug, PartialEq)]
struct Hierarchy {
    version: Version,
    /// Where the tree is mounted: no group above this can be seen.
    mount: PathBuf,
    group: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    V1,
    V2,
}

impl Hierarchy {
    fn quota(&self) -> Option<usize> {
        let inside = |group: &&Path| group.starts_with(&self.mount);
        self.group.ancestors().take_while(inside).filter_map(|group| self.quota_of(group)).min()
    }

    fn quota_of(&self, group: &Path) -> Option<usize> {
        let read = |name| fs::read_to_string(group.join(name)).ok();
        match self.version {
            Version::V1 => v1_quota(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?),
            Version::V2 => v2_quota(&read("cpu.max")?),
        }
    }
}

/// Finds the groups with a CPU controller, from `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn hierarchies(groups: &str, mounts: &str) -> Vec<Hierarchy> {
    groups
        .lines()
        .filter_map(|line| {
            let (version, path) = group(line)?;
            mounts.lines().find_map(|mount| hierarchy(version, path, mount))
        })
        .collect()
}

/// `4:cpu,cpuacct:/a/b` is a group of version 1, `0::/a/b` one of version 2.
fn group(line: &str) -> Option<(Version, &Path)> {
    let mut fields = line.splitn(3, ':');
    let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let version = match controllers {
        "" if id == "0" => Version::V2,
        _ if has_cpu(controllers) => Version::V1,
        _ => return None,
    };
    Some((version, Path::new(path)))
}

/// Where the group at `path` is, if `mount` is its tree. A line is
/// `30 23 0:26 /root /mount/point rw,noatime shared:9 - cgroup2 cgroup rw,nsdelegate`.
fn hierarchy(version: Version, path: &Path, mount: &str) -> Option<Hierarchy> {
    let (before, after) = mount.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point) = (unescape(before.next()?), unescape(before.next()?));
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1)?);
    let matches = match version {
        Version::V1 => kind == "cgroup" && has_cpu(options),
        Version::V2 => kind == "cgroup2",
    };
    if !matches {
        return None;
    }
    // In a container, either the root of the tree or the container's own group may be mounted. If
    // the group is not below the mount, the mount is the nearest visible group.
    let below = path.strip_prefix(&root).unwrap_or(Path::new(""));
    let group = if below == Path::new("") { point.clone() } else { point.join(below) };
    Some(Hierarchy { version, mount: point, group })
}

fn has_cpu(list: &str) -> bool {
    list.split(',').any(|name| name == "cpu")
}

/// `mountinfo` writes a space in a path as `\040`.
fn unescape(path: &str) -> PathBuf {
    let mut text = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        text.push(code.map_or('\\', char::from));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    text.push_str(rest);
    text.into()
}

/// Version 2, one file: `max 100000` or `150000 100000`.
fn v2_quota(max: &str) -> Option<usize> {
    let (quota, period) = max.trim_end().split_once(' ')?;
    processors(quota, period)
}

/// Version 1, two files; a quota of -1 means none.
fn v1_quota(quota: &str, period: &str) -> Option<usize> {
    processors(quota.trim_end(), period.trim_end())
}

/// Whatever is not a number means that there is no limit.
fn processors(quota: &str, period: &str) -> Option<usize> {
    let (quota, period): (usize, usize) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0).then(|| quota.div_ceil(period))
}

#[cfg(test)]
mod tests;
