import Glibc

@inline(__always)
func logarithm(_ x: Float) -> Float { logf(x) }

/// A token whose probability after a row counts: `weight · -log softmax(logits[row])[token]`.
public struct Target: Sendable, Equatable {
  public let row: Int
  public let token: Int
  public let weight: Float

  public init(row: Int, token: Int, weight: Float = 1) {
    self.row = row
    self.token = token
    self.weight = weight
  }
}

/// What a row of logits said about a target.
public struct TargetScore: Sendable, Equatable {
  /// log softmax(logits)[token], in nats.
  public let logProbability: Float
  /// Whether no other token is more probable.
  public let isMostProbable: Bool
}

/// Scores targets against logits, and turns the logits into the gradient of Σ weight · -logProbability when asked.
///
/// logits: [R, V]; overwritten by d(Σ)/d(logits) = Σ weight · (softmax - onehot) when `gradient`, untouched otherwise.
/// Several targets may share a row.
public func crossEntropy(_ logits: Matrix, _ targets: [Target], gradient: Bool, on team: ThreadTeam) -> [TargetScore] {
  let V = logits.columns
  var ofRow = [[Int]](repeating: [], count: logits.rows)
  for (index, target) in targets.enumerated() {
    precondition(0 <= target.row && target.row < logits.rows && 0 <= target.token && target.token < V)
    ofRow[target.row].append(index)
  }
  let groups = ofRow
  return [TargetScore](unsafeUninitializedCapacity: targets.count) { buffer, count in
    let scores = UncheckedSendable(buffer)
    team.items(logits.rows, scratch: 0) { row, _ in
      let line = logits.base + row * logits.stride
      let largest = maximum(V, line)
      var totals = Vector(repeating: 0)
      var i = 0
      while i + vectorWidth <= V {
        totals += exponential(load(line + i) - largest)
        i += vectorWidth
      }
      if i < V {
        totals += exponential(load(line + i, count: V - i, padding: -.infinity) - largest).withoutPadding(V - i)
      }
      let logSum = largest + logarithm(totals.sum())
      var weight: Float = 0
      for index in groups[row] {
        let target = targets[index]
        let logit = line[target.token]
        (scores.value.baseAddress.unsafelyUnwrapped + index).initialize(
          to: TargetScore(logProbability: logit - logSum, isMostProbable: logit >= largest))
        weight += target.weight
      }
      guard gradient else { return }
      map(V, line, into: line) { exponential($0 - logSum) * weight }
      for index in groups[row] { line[targets[index].token] -= targets[index].weight }
    }
    count = targets.count
  }
}

extension SIMD16 where Scalar == Float {
  /// The first `count` lanes, the others zero.
  @inline(__always)
  fileprivate func withoutPadding(_ count: Int) -> Self {
    var result = self
    for lane in count..<16 { result[lane] = 0 }
    return result
  }
}
