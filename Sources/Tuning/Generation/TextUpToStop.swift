/// Text up to the first of some stop texts; a possible beginning of one is held back until it is certain.
///
/// The stop text that is complete first counts, so the result does not depend on the pieces the text comes in.
package struct TextUpToStop: Sendable {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  /// Whether a stop text was found; nothing is returned after it.
  package private(set) var isAtStop = false

  /// - Precondition: no stop text is empty.
  package init(_ stops: [String]) {
    precondition(stops.allSatisfy { !$0.isEmpty })
    self.stops = stops.map { Array($0.utf8) }
  }

  /// Adds text and returns the part that is certain to come before a stop text.
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

  /// The text that was held back, once no stop text can follow.
  package mutating func finish() -> String {
    defer { held = [] }
    return isAtStop ? "" : String(decoding: held, as: UTF8.self)
  }
}

extension ArraySlice<UInt8> {
  fileprivate func ends(with bytes: [UInt8]) -> Bool { suffix(bytes.count).elementsEqual(bytes) }
}
