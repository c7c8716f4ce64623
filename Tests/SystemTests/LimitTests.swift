import System
import Testing
import TestSupport

/// The limits of control groups, from files as Slurm, systemd and container engines leave them.
@Suite struct LimitTests {
  /// Control groups over files of these contents.
  private func groups(_ files: [String: String], _ body: (ControlGroups, String) throws -> Void) throws {
    try withTemporaryFolder { root in
      for (path, text) in files {
        try makeDirectory(folder(of: root + path))
        try writeAtomically(text, to: root + path)
      }
      try body(ControlGroups(root: root), root)
    }
  }

  @Test func aLimitOnAnOuterGroupCounts() throws {
    let job = "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_1"
    try groups([
      "/proc/self/cgroup": "0::/system.slice/slurmstepd.scope/job_1/step_0/task_0\n",
      job + "/step_0/task_0/memory.max": "max\n", job + "/memory.max": "60000000\n", job + "/memory.high": "max\n",
      "/sys/fs/cgroup/memory.max": "90000000\n", job + "/step_0/cpu.max": "150000 100000\n",
      job + "/cpu.max": "max 100000\n",
    ]) { groups, root in
      #expect(groups.memory.map(\.value) == [60_000_000, 90_000_000])
      #expect(groups.memory.first?.source == root + job + "/memory.max")
      #expect(groups.cores.map(\.value) == [2])
    }
  }

  @Test func controllersOfVersionOne() throws {
    let job = "/sys/fs/cgroup/memory/slurm/uid_0/job_1"
    try groups([
      "/proc/self/cgroup": "4:memory:/slurm/uid_0/job_1/step_0\n3:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n",
      job + "/memory.limit_in_bytes": "60000000\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "50000\n", "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    ]) { groups, root in
      #expect(groups.memory == [Limit(60_000_000, source: root + job + "/memory.limit_in_bytes")])
      #expect(groups.cores == [Limit(1, source: root + "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us")])
    }
  }

  /// A container sees its own group as the root of a mount, at any place.
  @Test func mountsAreFound() throws {
    try groups([
      "/proc/self/cgroup": "5:memory:/docker/abc/inner\n0::/\n",
      "/proc/self/mountinfo":
        "35 32 0:31 /docker/abc /cg/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
        + "36 32 0:32 / /cg/all rw - cgroup2 cgroup2 rw,nsdelegate\n37 1 8:1 / / rw - ext4 /dev/sda rw\n",
      "/cg/memory/inner/memory.limit_in_bytes": "40000000\n", "/cg/all/memory.max": "50000000\n",
      "/cg/all/cpu.max": "max 100000\n",
    ]) { groups, _ in
      #expect(groups.memory.map(\.value).sorted() == [40_000_000, 50_000_000])
      #expect(groups.cores == [])
    }
  }

  /// A mount at its usual place counts once.
  @Test func limitsAreListedOnce() throws {
    try groups([
      "/proc/self/cgroup": "4:memory:/job\n",
      "/proc/self/mountinfo": "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
      "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "60000000\n",
    ]) { groups, _ in
      #expect(groups.memory.map(\.value) == [60_000_000])
    }
  }

  @Test func withoutControlGroups() throws {
    try groups(["/proc/self/cgroup": "nonsense\n::\n0:\n"]) { groups, _ in
      #expect(groups.memory == [] && groups.cores == [])
    }
  }

  @Test func thisMachine() {
    #expect((1...Cores.limits[0].value).contains(Cores.available))
    let memory = Memory.available(threads: 1)
    #expect(memory.value > 50_000_000 && memory.value <= Memory.limits(threads: 1)[0].value)
  }
}
