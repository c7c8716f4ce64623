import FileFormats
import Kernels

/// Time per operation of a run, as `cpt train --profile` shows it.
struct ProfileReport {
  private let entries: [(operation: Profile.Operation, entry: Profile.Entry)]
  private let seconds: Double
  /// The machine's rate of large matrix products, in operations per second.
  private let machineRate: Double

  /// The report of a profile over a run's duration.
  init(_ profile: Profile, seconds: Double, machineRate: Double) {
    entries = profile.entries
    self.seconds = seconds
    self.machineRate = machineRate
  }

  private var operations: Double { entries.reduce(0) { $0 + $1.entry.operations } }
  /// The algorithm's operations per second, as a share of the machine's rate.
  private var share: Double { operations / max(seconds, 1e-9) / max(machineRate, 1) }

  /// The report as a table.
  var text: String {
    let rows = entries.sorted { $0.entry.seconds > $1.entry.seconds }.map { operation, entry in
      [
        operation.rawValue, String(entry.calls), fixed(entry.seconds, 3), percent(entry.seconds / seconds),
        entry.operations == 0 ? "" : fixed(entry.operations / 1e9, 1),
        entry.operations == 0 ? "" : fixed(entry.operations / entry.seconds / 1e9, 0),
      ]
    }
    let rest = seconds - entries.reduce(0) { $0 + $1.entry.seconds }
    let last = [
      ["everything else", "", fixed(rest, 3), percent(rest / seconds)],
      ["total", "", fixed(seconds, 3), "100.0 %", fixed(operations / 1e9, 1), fixed(operations / seconds / 1e9, 0)],
    ]
    let header = ["", "calls", "seconds", "share", "GFLOP", "GFLOP/s"]
    return table([header] + rows + last, rightAligned: [1, 2, 3, 4, 5])
      + "\nsgemm 4096³ on this machine: \(fixed(machineRate / 1e9, 0)) GFLOP/s; reached: \(percent(share))"
  }

  /// The report as JSON.
  var json: JSON {
    let kernels = entries.map { operation, entry in
      JSON.Member(
        operation.rawValue,
        .object([
          .init("calls", .integer(entry.calls)), .init("seconds", .number(entry.seconds)),
          .init("gflop", .number(entry.operations / 1e9)),
        ]))
    }
    return .object([
      .init("seconds", .number(seconds)), .init("gflop", .number(operations / 1e9)),
      .init("sgemm_gflops", .number(machineRate / 1e9)), .init("share_of_sgemm", .number(share)),
      .init("kernels", .object(kernels)),
    ])
  }
}
