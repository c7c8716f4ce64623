import Glibc
import Method

/// How the next token is chosen from its distribution.
package struct Sampling: Sendable, Equatable {
  /// The divisor of log-probabilities; 0 takes the most probable token.
  package var temperature = 0.0
  /// The number of most probable tokens that can be drawn; nil: all.
  package var topK: Int?
  /// The probability that the smallest set of tokens to draw from must reach; 1: all tokens.
  package var topP = 1.0
  /// Determines all draws.
  package var seed = 0

  package init() {}
}

/// Draws tokens: temperature, then top-k, then top-p, like the logits warpers of transformers.
package struct Sampler: Sendable {
  private let settings: Sampling
  private var generator: SeededGenerator

  package init(_ settings: Sampling) {
    precondition(settings.temperature >= 0 && settings.topK ?? 1 > 0 && settings.topP > 0)
    self.settings = settings
    generator = SeededGenerator(seed: settings.seed, .sampling)
  }

  /// The next token, from the log-probability of every token; without drawing, the first one in a tie.
  package mutating func next(_ logProbabilities: [Float]) -> Int {
    guard settings.temperature > 0 else {
      return Self.mostProbable(logProbabilities)
    }
    let candidates = candidates(of: logProbabilities)
    var point = Double(generator.next() >> 11) * 0x1p-53
    for candidate in candidates {
      point -= candidate.probability
      if point < 0 { return candidate.id }
    }
    // Rounding left the sum of the probabilities just below 1.
    guard let last = candidates.last(where: { $0.probability > 0 }) else {
      preconditionFailure("probabilities that sum to 1 are not all 0")
    }
    return last.id
  }

  /// The first of the most probable tokens.
  private static func mostProbable(_ logProbabilities: [Float]) -> Int {
    precondition(!logProbabilities.isEmpty, "a vocabulary has tokens")
    return logProbabilities.indices.reduce(0) { logProbabilities[$1] > logProbabilities[$0] ? $1 : $0 }
  }

  /// The tokens that can be drawn at a temperature above 0, and their probabilities, which sum to 1.
  ///
  /// As in transformers, tokens as probable as the k-th of top-k are kept too.
  package func candidates(of logProbabilities: [Float]) -> [(id: Int, probability: Double)] {
    let largest = logProbabilities[Self.mostProbable(logProbabilities)]
    var threshold = -Float.infinity
    if let k = settings.topK, k < logProbabilities.count { threshold = logProbabilities.sorted(by: >)[k - 1] }
    var kept: [(id: Int, probability: Double)] = []
    for (id, value) in logProbabilities.enumerated() where value >= threshold {
      kept.append((id, exp(Double(value - largest) / settings.temperature)))
    }
    normalise(&kept)
    guard settings.topP < 1 else { return kept }
    // The tokens below this have less than 1 - P in total, so the others reach P without them: no need to sort them.
    let least = (1 - settings.topP) / Double(kept.count)
    kept.removeAll { $0.probability < least }
    kept.sort { ($1.probability, $0.id) < ($0.probability, $1.id) }
    var sum = 0.0
    let count = kept.firstIndex { candidate in
      sum += candidate.probability
      return sum >= settings.topP
    }
    if let count { kept.removeSubrange((count + 1)...) }
    normalise(&kept)
    return kept
  }

  private func normalise(_ candidates: inout [(id: Int, probability: Double)]) {
    let sum = candidates.reduce(0) { $0 + $1.probability }
    for index in candidates.indices { candidates[index].probability /= sum }
  }
}
