/// Text up to the first of some texts; what could begin one is held back until it is certain.
///
/// Of several, the one that is complete first counts, so that it does not matter in what pieces the text comes.
package struct TextUpToStop: Sendable {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  /// Whether one of the texts was met; nothing is given out any more.
  package private(set) var isAtStop = false

  /// - Precondition: none of the texts is empty.
  package init(_ stops: [String]) {
    precondition(stops.allSatisfy { !$0.isEmpty })
    self.stops = stops.map { Array($0.utf8) }
  }

  /// Adds text and returns what is certain to stand before a stop.
  package mutating func append(_ text: String) -> String {
    if isAtStop || text.isEmpty { return "" }
    held += text.utf8
    for end in 1...held.count {
      let met = stops.filter { held[..<end].ends(with: $0) }.map(\.count).max()
      guard let met else { continue }
      isAtStop = true
      return String(decoding: held[..<(end - met)], as: UTF8.self)
    }
    let longest = min(held.count, (stops.map(\.count).max() ?? 1) - 1)
    let waiting = stride(from: longest, to: 0, by: -1).first { count in
      stops.contains { $0.count > count && $0.starts(with: held.suffix(count)) }
    }
    let certain = held.count - (waiting ?? 0)
    defer { held.removeFirst(certain) }
    return String(decoding: held[..<certain], as: UTF8.self)
  }

  /// What was held back and no stop follows any more.
  package mutating func finish() -> String {
    defer { held = [] }
    return isAtStop ? "" : String(decoding: held, as: UTF8.self)
  }
}

extension ArraySlice<UInt8> {
  fileprivate func ends(with bytes: [UInt8]) -> Bool { suffix(bytes.count).elementsEqual(bytes) }
}
