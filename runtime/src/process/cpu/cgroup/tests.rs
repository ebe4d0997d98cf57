use super::*;

fn found(version: Version, mount: &str, group: &str) -> Vec<Hierarchy> {
    vec![Hierarchy { version, mount: mount.into(), group: group.into() }]
}

#[test]
fn a_quota_is_rounded_up() {
    assert_eq!(v2_quota("150000 100000\n"), Some(2));
    assert_eq!(v2_quota("200000 100000\n"), Some(2));
    assert_eq!(v2_quota("200001 100000\n"), Some(3));
    assert_eq!(v2_quota("1000 100000\n"), Some(1));
    assert_eq!(v1_quota("50000\n", "100000\n"), Some(1));
}

#[test]
fn without_a_quota_there_is_no_limit() {
    assert_eq!(v2_quota("max 100000\n"), None);
    assert_eq!(v1_quota("-1\n", "100000\n"), None);
    for odd in ["", "\n", "1", "a b", "1 0", "-1 5"] {
        assert_eq!(v2_quota(odd), None, "{odd:?}");
    }
}

#[test]
fn version_2_alone() {
    let groups = "0::/user.slice/session-1.scope\n";
    let mounts = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
";
    let group = "/sys/fs/cgroup/user.slice/session-1.scope";
    assert_eq!(hierarchies(groups, mounts), found(Version::V2, "/sys/fs/cgroup", group));
}

#[test]
fn a_container_with_a_namespace_sees_its_group_as_the_root() {
    let mounts = "30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    let expected = found(Version::V2, "/sys/fs/cgroup", "/sys/fs/cgroup");
    assert_eq!(hierarchies("0::/\n", mounts), expected);
}

#[test]
fn version_1_in_a_container_without_a_namespace() {
    let groups = "\
9:memory:/docker/abc
4:cpu,cpuacct:/docker/abc
3:cpuset:/docker/abc
1:name=systemd:/docker/abc
";
    let mounts = "\
60 50 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory
61 50 0:31 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro master:9 - cgroup cgroup rw,cpu,cpuacct
";
    let mount = "/sys/fs/cgroup/cpu,cpuacct";
    assert_eq!(hierarchies(groups, mounts), found(Version::V1, mount, mount));
}

#[test]
fn both_versions_count() {
    let groups = "1:cpu:/a\n0::/b\n";
    let mounts = "\
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    let mut expected = found(Version::V1, "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu/a");
    let unified = "/sys/fs/cgroup/unified";
    expected.extend(found(Version::V2, unified, "/sys/fs/cgroup/unified/b"));
    assert_eq!(hierarchies(groups, mounts), expected);
}

#[test]
fn a_mount_point_with_a_space_is_found() {
    let mounts = r"30 23 0:26 / /my\040groups\134x rw - cgroup2 cgroup rw";
    assert_eq!(
        hierarchies("0::/a\n", mounts),
        found(Version::V2, r"/my groups\x", r"/my groups\x/a")
    );
    assert_eq!(unescape(r"\"), Path::new(r"\"));
    assert_eq!(unescape(r"\09é"), Path::new(r"\09é"));
}

#[test]
fn malformed_lines_give_no_group() {
    let mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\nnonsense\n - \n";
    assert_eq!(hierarchies("nonsense\n1:memory:/\n2:\n", mounts), []);
    assert_eq!(hierarchies("0::/\n", "nonsense\n - \n"), []);
}

#[test]
fn every_group_above_limits() {
    let root = std::env::temp_dir().join(format!("squall-cgroup-{}", std::process::id()));
    let group = root.join("a/b");
    fs::create_dir_all(&group).unwrap();
    fs::write(root.join("a/cpu.max"), "150000 100000\n").unwrap();
    fs::write(group.join("cpu.max"), "max 100000\n").unwrap();
    let hierarchy = |mount| Hierarchy { version: Version::V2, mount, group: group.clone() };
    let quotas = [hierarchy(root.clone()).quota(), hierarchy(group.clone()).quota()];
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(quotas, [Some(2), None]);
}
