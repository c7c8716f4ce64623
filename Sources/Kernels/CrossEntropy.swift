import Glibc

@inline(always)
func logarithm(_ x: Float) -> Float { logf(x) }

/// A token to score after a row: `weight · -log softmax(logits[row])[token]`.
package struct Target: Sendable, Equatable {
  package let row: Int
  package let token: Int
  package let weight: Float

  package init(row: Int, token: Int, weight: Float = 1) {
    self.row = row
    self.token = token
    self.weight = weight
  }
}

/// The score of a target from a row of logits.
package struct TargetScore: Sendable, Equatable {
  /// log softmax(logits)[token], in nats.
  package let logProbability: Float
  /// Whether no other token is more probable.
  package let isMostProbable: Bool

  /// A score that is not computed yet.
  package init() {
    self.init(logProbability: 0, isMostProbable: false)
  }

  init(logProbability: Float, isMostProbable: Bool) {
    self.logProbability = logProbability
    self.isMostProbable = isMostProbable
  }
}

/// x = log softmax(x), row by row, in place: logits become log-probabilities in nats. x: [R, V].
package func logSoftmax(_ x: Matrix, on team: ThreadTeam) {
  team.rows(.crossEntropy, of: x) { rows in
    for row in rows {
      let line = x.base + row * x.stride
      let largest = maximum(x.columns, line)
      var total: Float = 0
      for i in 0..<x.columns { total += expf(line[i] - largest) }
      let logSum = largest + logarithm(total)
      map(x.columns, line, into: line) { $0 - logSum }
    }
  }
}

/// Scores targets and, with `gradient`, replaces the logits with the gradient of Σ weight · -logProbability.
///
/// logits: [R, V]; overwritten, by d(Σ)/d(logits) = Σ weight · (softmax - onehot) when `gradient`.
/// Several targets may share a row.
package func crossEntropy(_ logits: Matrix, _ targets: [Target], gradient: Bool, on team: ThreadTeam) -> [TargetScore] {
  let V = logits.columns
  var ofRow = [[Int]](repeating: [], count: logits.rows)
  for (index, target) in targets.enumerated() {
    precondition(0 <= target.row && target.row < logits.rows && 0 <= target.token && target.token < V)
    ofRow[target.row].append(index)
  }
  let groups = ofRow
  var scores = [TargetScore](repeating: TargetScore(), count: targets.count)
  scores.withUnsafeMutableBufferPointer { buffer in
    let scores = UncheckedSendable(buffer)
    team.items(.crossEntropy, logits.rows, scratch: 0) { row, _ in
      let line = logits.base + row * logits.stride
      let largest = maximum(V, line)
      let found = groups[row].map { line[targets[$0].token] }
      let total = exponentials(V, line, minus: largest, into: line)
      let logSum = largest + logarithm(total)
      var weight: Float = 0
      for (index, logit) in zip(groups[row], found) {
        scores.value[index] = TargetScore(logProbability: logit - logSum, isMostProbable: logit >= largest)
        weight += targets[index].weight
      }
      guard gradient else { return }
      let scale = weight / total
      map(V, line, into: line) { $0 * scale }
      for index in groups[row] { line[targets[index].token] -= targets[index].weight }
    }
  }
  return scores
}
