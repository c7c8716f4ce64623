import Synchronization
import System

/// Counts of what the server did, in the text format of Prometheus.
final class Metrics: Sendable {
  private struct Key: Hashable {
    let path: String
    let status: Int
  }

  private struct State {
    var requests: [Key: Int] = [:]
    /// For each path: requests up to each of the bounds, and all of them.
    var durations: [String: (counts: [Int], seconds: Double)] = [:]
    var texts = 0
  }

  /// Upper bounds of the histogram, in seconds.
  private static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

  private let state = Mutex(State())

  /// A request was answered.
  func count(path: String, status: Int, duration: Duration) {
    let seconds = duration / .seconds(1)
    state.withLock { state in
      state.requests[Key(path: path, status: status), default: 0] += 1
      var own = state.durations[path] ?? ([Int](repeating: 0, count: Self.bounds.count + 1), 0)
      for (index, bound) in Self.bounds.enumerated() where seconds <= bound { own.counts[index] += 1 }
      own.counts[Self.bounds.count] += 1
      own.seconds += seconds
      state.durations[path] = own
    }
  }

  /// Texts were classified.
  func countTexts(_ count: Int) { state.withLock { $0.texts += count } }

  /// All of them, and the texts that wait.
  func text(waiting: Int) -> String {
    let state = state.withLock { $0 }
    var lines: [String] = []
    func describe(_ name: String, _ type: String, _ help: String) {
      lines += ["# HELP \(name) \(help)", "# TYPE \(name) \(type)"]
    }
    describe("cpt_requests_total", "counter", "Requests answered.")
    for (key, count) in state.requests.sorted(by: { ($0.key.path, $0.key.status) < ($1.key.path, $1.key.status) }) {
      lines.append("cpt_requests_total{path=\"\(key.path)\",status=\"\(key.status)\"} \(count)")
    }
    describe("cpt_request_seconds", "histogram", "Time from a request's head to its answer.")
    for (path, own) in state.durations.sorted(by: { $0.key < $1.key }) {
      for (bound, count) in zip(Self.bounds.map { "\($0)" } + ["+Inf"], own.counts) {
        lines.append("cpt_request_seconds_bucket{path=\"\(path)\",le=\"\(bound)\"} \(count)")
      }
      lines.append("cpt_request_seconds_sum{path=\"\(path)\"} \(own.seconds)")
      lines.append("cpt_request_seconds_count{path=\"\(path)\"} \(own.counts[Self.bounds.count])")
    }
    describe("cpt_texts_total", "counter", "Texts classified.")
    lines.append("cpt_texts_total \(state.texts)")
    describe("cpt_waiting_texts", "gauge", "Texts that wait to be classified or continued.")
    lines.append("cpt_waiting_texts \(waiting)")
    if let bytes = Memory.resident {
      describe("process_resident_memory_bytes", "gauge", "Resident memory.")
      lines.append("process_resident_memory_bytes \(bytes)")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
