/// The control groups of this process: those of version 2, and those of version 1 for each controller.
///
/// A limit on a group also holds for the groups in it. Slurm, systemd and container engines put limits on any of them.
/// Source: cgroups(7), proc_pid_mountinfo(5).
package struct ControlGroups {
  /// A group and those it is in, each by its folder.
  private typealias Path = [String]
  private let unified: [Path]
  private let byController: [String: [Path]]

  /// Reads them from the system's files, which are below `root`.
  package init(root: String = "") {
    func lines(_ file: String) -> [Substring] {
      guard let bytes = try? readBytes(of: root + file) else { return [] }
      return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
    var mounts = lines("/proc/self/mountinfo").compactMap { Mount(line: $0) }
    // Where they are by custom, for a process that cannot see its mounts.
    let usual =
      [Mount(folder: "/sys/fs/cgroup", root: "/", controllers: [])]
      + Self.controllers.map { Mount(folder: "/sys/fs/cgroup/" + $0, root: "/", controllers: [$0]) }
    mounts += usual.filter { mount in !mounts.contains { $0.folder == mount.folder } }
    var unified: [Path] = []
    var byController: [String: [Path]] = [:]
    for line in lines("/proc/self/cgroup") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let group = String(fields[2])
      if fields[1].isEmpty {
        unified += mounts.filter { $0.controllers.isEmpty }.map { $0.path(of: group, below: root) }
      }
      for controller in fields[1].split(separator: ",").map(String.init) where Self.controllers.contains(controller) {
        byController[controller, default: []] += mounts.filter { $0.controllers.contains(controller) }
          .map { $0.path(of: group, below: root) }
      }
    }
    self.unified = unified
    self.byController = byController
  }

  private static let controllers = ["memory", "cpu"]

  /// A file system of control groups.
  private struct Mount {
    let folder: String
    /// The group that the folder shows.
    let root: String
    /// Those of version 1; none for version 2.
    let controllers: [String]

    init(folder: String, root: String, controllers: [String]) {
      self.folder = folder
      self.root = root
      self.controllers = controllers
    }

    /// A line of mountinfo; nil for other file systems.
    init?(line: Substring) {
      let fields = line.split(separator: " ").map(String.init)
      guard let dash = fields.firstIndex(of: "-"), dash > 4, fields.count > dash + 3 else { return nil }
      let options = fields[dash + 3].split(separator: ",").map(String.init)
      let controllers = options.filter { ControlGroups.controllers.contains($0) }
      switch fields[dash + 1] {
      case "cgroup2": self.init(folder: fields[4], root: fields[3], controllers: [])
      case "cgroup" where !controllers.isEmpty:
        self.init(folder: fields[4], root: fields[3], controllers: controllers)
      default: return nil
      }
    }

    /// The folders of a group and of those it is in.
    func path(of group: String, below systemRoot: String) -> Path {
      let isInside = root == "/" || group == root || group.hasPrefix(root + "/")
      var inner = isInside && root != "/" ? String(group.dropFirst(root.count)) : group
      var path: Path = []
      while !inner.isEmpty, inner != "/" {
        path.append(systemRoot + self.folder + inner)
        let parent = System.folder(of: inner)
        if parent == inner || parent == "." { break }
        inner = parent
      }
      return path + [systemRoot + self.folder]
    }
  }

  /// Limits on memory, in bytes.
  package var memory: [Limit] {
    let unified = limits(["memory.max", "memory.high"], of: self.unified) { Int($0) }
    // "No limit" is the largest multiple of a page.
    let separate = limits(["memory.limit_in_bytes"], of: byController["memory"] ?? []) { Int($0) }
    return unified + separate.filter { $0.value < 1 << 60 }
  }

  /// Limits on threads that compute at a time: the processor time that a group may use, as a number of cores, rounded up.
  package var cores: [Limit] {
    func cores(quota: Substring, period: Substring) -> Int? {
      guard let quota = Int(quota), let period = Int(period), quota > 0, period > 0 else { return nil }
      return (quota - 1) / period + 1
    }
    let unified = limits(["cpu.max"], of: self.unified) { text in
      let fields = text.split(separator: " ")
      return fields.count == 2 ? cores(quota: fields[0], period: fields[1]) : nil
    }
    let separate = (byController["cpu"] ?? []).joined().compactMap { folder -> Limit? in
      let quota = folder + "/cpu.cfs_quota_us"
      guard let used = Self.text(of: quota), let period = Self.text(of: folder + "/cpu.cfs_period_us") else {
        return nil
      }
      return cores(quota: used[...], period: period[...]).map { Limit($0, source: quota) }
    }
    return unified + separate
  }

  private func limits(_ names: [String], of paths: [Path], value: (String) -> Int?) -> [Limit] {
    paths.joined().flatMap { folder in names.map { folder + "/" + $0 } }.compactMap { file in
      Self.text(of: file).flatMap(value).map { Limit($0, source: file) }
    }
  }

  private static func text(of file: String) -> String? {
    guard let bytes = try? readBytes(of: file) else { return nil }
    return String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }.joined(separator: " ")
  }
}
